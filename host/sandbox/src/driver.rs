//! A driver bound to one backend: the port through which the rest of the host calls it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use springform_model::contract::{
    Call, CallError, Context, Description, Driver, Fault, FaultKind, Reply, TargetFacts,
};
use tokio::time::Instant;
use wasmtime::Engine;

use crate::admission::Door;
use crate::binding::Binding;
use crate::broker::{Broker, CallEgress, Egress, TargetState};
use crate::config::SandboxConfig;
use crate::dispatch::{self, Guest};
use crate::error::BindError;
use crate::fault;
use crate::grant::Origin;
use crate::limits::Limits;
use crate::output::{LogContext, Output};
use crate::program::Program;
use crate::shares::Share;
use crate::state;
use crate::validate::Expectation;

/// One generation of a driver on one backend.
pub struct BoundDriver {
    engine: Engine,
    share: Arc<Share>,
    program: Arc<Program>,
    broker: Arc<Broker>,
    limits: Arc<Limits>,
    name: Arc<str>,
    backend: Arc<str>,
    door: Door,
    generation: AtomicU64,
}

impl BoundDriver {
    pub(crate) fn new(
        engine: Engine,
        share: Arc<Share>,
        program: Arc<Program>,
        binding: Binding,
        config: &SandboxConfig,
    ) -> Result<Self, BindError> {
        let default_limits = &config.limits;
        let limits = Arc::new(
            binding
                .limits
                .clone()
                .unwrap_or_else(|| default_limits.clone()),
        );
        if limits.memory_bytes > default_limits.memory_bytes {
            return Err(BindError::Memory {
                backend: binding.backend.clone(),
                asked_mib: limits.memory_bytes >> 20,
                pool_mib: default_limits.memory_bytes >> 20,
            });
        }
        let name: Arc<str> = program.description().name.as_str().into();
        let backend: Arc<str> = binding.backend.as_str().into();
        Ok(Self {
            engine,
            share,
            door: Door::new(name.clone(), backend.clone(), config.audit.clone()),
            name,
            backend,
            generation: AtomicU64::new(binding.generation),
            broker: Arc::new(Broker::new(
                &binding,
                &program.description().credentials,
                program.proposal(),
                config.audit.clone(),
            )?),
            program,
            limits,
        })
    }

    /// What the host knows of each target without asking it.
    #[must_use]
    pub fn targets_health(&self) -> Vec<TargetState> {
        self.broker.states()
    }

    /// What the driver may ask of each target, line by line with where it comes from.
    #[must_use]
    pub fn grants(&self) -> Vec<(String, Vec<(String, Origin)>)> {
        let grants = self.broker.grants.iter();
        grants
            .map(|(target, grant)| (target.clone(), grant.lines().collect()))
            .collect()
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// The program behind it.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    async fn run(
        &self,
        mut context: Context,
        call: Call,
        deadline: Instant,
        begun: &AtomicBool,
        asked: &Arc<AtomicBool>,
    ) -> Result<Reply, CallError> {
        let verb = call.name();
        let Some(function) = self.program.exports.get(verb) else {
            return Err(CallError::Fault(Fault::new(
                FaultKind::Unsupported,
                format!("driver {} does not offer {verb}", self.name),
            )));
        };
        let _instance_slot = match self.share.try_take() {
            Some(free) => Some(free),
            None => {
                let turn = self.share.take().await;
                if Instant::now() >= deadline {
                    // Too late to begin: the call waited for nothing but its turn.
                    std::future::pending::<()>().await;
                }
                turn
            }
        };
        begun.store(true, Ordering::Relaxed);
        self.broker.introduce(&mut context, deadline).await;
        let left = deadline
            .saturating_duration_since(Instant::now())
            .as_millis();
        context.deadline_ms = u64::try_from(left).unwrap_or(u64::MAX);

        let output = Output::new(
            LogContext {
                driver: self.name.clone(),
                backend: self.backend.clone(),
                generation: self.generation(),
                operation: context.operation_id.clone(),
            },
            self.limits.log_bytes,
        );
        let egress = CallEgress::new(
            self.broker.clone(),
            self.limits.clone(),
            context.operation_id.clone(),
            verb,
            call.is_read_only(),
            deadline,
            asked.clone(),
        );
        let denials = egress.denials();
        let expected = Expectation::of(&context, &call);
        let mut store = state::store(
            &self.engine,
            &self.limits,
            output,
            Egress::allowed(egress),
            deadline,
        );
        // Before anything is lifted, wasmtime counts what the guest's answer would make the host allocate.
        store.set_hostcall_fuel(self.limits.result_bytes);
        let outcome = match self.program.pre.instantiate_async(&mut store).await {
            Ok(instance) => {
                let guest = Guest {
                    store: &mut store,
                    instance,
                    function,
                };
                dispatch::dispatch(guest, context, call).await
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(answer) => expected
                .check(answer, &self.limits)
                .map_err(|error| denials.explain(error)),
            Err(error) => Err(CallError::Fault(fault::explain(
                &error,
                store.data(),
                &self.name,
                verb,
            ))),
        }
    }
}

impl std::fmt::Debug for BoundDriver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BoundDriver")
            .field("name", &self.name)
            .field("backend", &self.backend)
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}

impl BoundDriver {
    /// A driver is told that an array is not believed, not why: that is the operator's to know.
    fn with_reason(&self, result: Result<Reply, CallError>) -> Result<Reply, CallError> {
        let distrusted = |name: &str| {
            let states = self.broker.states().into_iter();
            states
                .filter(|state| state.name == name)
                .find_map(|state| state.distrust)
        };
        match result {
            Err(CallError::Failed(mut failure)) => {
                if let Some(why) = failure.target.as_deref().and_then(distrusted) {
                    failure.message = format!("{}: {why}", failure.message);
                }
                Err(CallError::Failed(failure))
            }
            Ok(Reply::Check(mut health)) => {
                for target in health.iter_mut().filter(|target| !target.reachable) {
                    if let Some(why) = distrusted(&target.target) {
                        target.problems = vec![why];
                    }
                }
                Ok(Reply::Check(health))
            }
            other => other,
        }
    }
}

#[async_trait]
impl Driver for BoundDriver {
    fn description(&self) -> &Description {
        self.program.description()
    }

    async fn call(&self, context: Context, call: Call) -> Result<Reply, CallError> {
        let verb = call.name();
        let operation = context.operation_id.clone();
        let time = self.limits.time_for(context.deadline_ms);
        let deadline = Instant::now() + time;
        let pass = self.door.enter(verb).map_err(CallError::Fault)?;
        let begun = AtomicBool::new(false);
        let asked = Arc::new(AtomicBool::new(false));
        // The guest yields at every epoch and every host function is a future, so dropping the call ends it.
        let running = self.run(context, call, deadline, &begun, &asked);
        let result = tokio::time::timeout_at(deadline, running)
            .await
            .unwrap_or_else(|_| {
                Err(CallError::Fault(if begun.load(Ordering::Relaxed) {
                    fault::deadline(&self.name, verb, time)
                } else {
                    Fault::new(
                        FaultKind::Overloaded,
                        format!(
                            "{verb}: no instance was free for driver {} within {} ms",
                            self.name,
                            time.as_millis()
                        ),
                    )
                }))
            });
        // A call that asked an array may have spent its time there: a dark array must not quarantine the driver that leaves it.
        pass.end(&result, asked.load(Ordering::Relaxed));
        if let Err(CallError::Fault(fault)) = &result {
            tracing::warn!(
                driver = %self.name, backend = %self.backend, generation = self.generation(), operation = %operation,
                verb, detail = fault.detail.as_deref().unwrap_or(""), "{}", fault.message
            );
        }
        self.with_reason(result)
    }

    fn serve_as(&self, generation: u64) {
        self.generation.store(generation, Ordering::Relaxed);
    }

    fn targets(&self) -> Vec<TargetFacts> {
        self.broker.states().into_iter().map(Into::into).collect()
    }

    fn is_quarantined(&self) -> bool {
        self.door.is_closed()
    }

    fn denied_requests(&self) -> u64 {
        self.broker.denied.load(Ordering::Relaxed)
    }
}
