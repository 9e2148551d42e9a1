//! Replication as the rest of the control plane uses it: `control.replication()`, and its verbs as executors of the engine.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use springform_model::cloud::{Service, Volume};
use springform_model::contract::{Call, CallError, Fault, FaultKind, Reply, VolumeSpec};
use springform_model::operation::{Operation, OperationError, Verb};
use springform_model::replication::drill::{Drill, DrillState};
use springform_model::replication::relation::Relation;
use springform_model::time::Timestamp;
use springform_store::Query;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

use super::ground::{BackendView, Ground, Member, Problem, Writes};
use super::request::{self, Request, Who};
use super::rows::{self, Arrays, Rows};
use super::tend::{self, Household};
use super::{Order, Plan, Scope, plan};
use crate::engine::{Executor, Executors, Run, failure};
use crate::{Caller, Control, ControlError, ErrorKind};

/// Volumes of one call.
const BATCH: usize = 64;
/// Batches under way at once: an array is to answer others, too, and a driver works on several volumes of a batch at a time.
const CALLS: usize = 8;
/// Runs of an operation whose rows somebody else keeps changing.
const ROUNDS: u32 = 20;

/// The verbs of replication.
pub(super) const VERBS: [Verb; 12] = [
    Verb::Failover,
    Verb::Failback,
    Verb::CommitDrill,
    Verb::Reprotect,
    Verb::Resync,
    Verb::Enable,
    Verb::Disable,
    Verb::StartDrill,
    Verb::StopDrill,
    Verb::Promote,
    Verb::Reconcile,
    Verb::Fence,
];

/// The arrays of a running host.
struct House {
    control: Control,
}

#[async_trait]
impl Arrays for House {
    fn now(&self) -> Timestamp {
        self.control.now()
    }

    async fn backend(&self, name: &str) -> Result<BackendView, Problem> {
        let handle = self
            .control
            .backend(name)
            .ok_or_else(|| Problem::NotFound(format!("there is no backend {name}")))?;
        let config = handle.config();
        let mut targets = config.targets.clone();
        let seen = self.control.store().get::<Service>(name).await;
        if let Ok(Some(service)) = seen {
            for target in &mut targets {
                if let Some(health) = service
                    .record
                    .targets
                    .iter()
                    .find(|h| h.target == target.name)
                {
                    target.reachable = health.reachable;
                }
            }
        }
        // Another generation is another driver, or other addresses and secrets: a plan was not made with them.
        let generation = self.control.generation(name).map_or(0, |g| g.number);
        let fingerprint = format!("{}/{generation}", config.digest());
        Ok(BackendView {
            name: name.to_owned(),
            targets,
            fingerprint,
            parallel: config.parallel.clamp(1, CALLS),
            batch: BATCH,
        })
    }

    async fn specs(&self, volumes: &[Volume]) -> Result<Vec<VolumeSpec>, Problem> {
        let mut types = HashMap::new();
        let mut specs = Vec::with_capacity(volumes.len());
        for volume in volumes {
            let id = volume.type_id.clone();
            if !types.contains_key(&id) {
                let full = crate::specs::full_type(self.control.store(), id.as_deref())
                    .await
                    .map_err(|e| Problem::Internal(format!("the database refused: {e}")))?;
                types.insert(id.clone(), full);
            }
            let full = types.get(&id).and_then(Option::as_ref);
            specs.push(crate::specs::build(volume, full));
        }
        Ok(specs)
    }

    async fn call(
        &self,
        backend: &str,
        operation: &str,
        cursor: Vec<u8>,
        call: Call,
    ) -> Result<Reply, CallError> {
        let control = self.control.clone();
        let (backend, operation) = (backend.to_owned(), operation.to_owned());
        let asked = async move {
            let deadline = control.config().step_deadline;
            let answer = control.call_once(&backend, &operation, cursor, deadline, call);
            answer.await
        };
        // A task of its own: the batches of an operation share one, and with it one processor.
        let task = tokio::spawn(asked.in_current_span());
        AbortOnDropHandle::new(task).await.unwrap_or_else(|error| {
            let why = format!("the call did not come to an end: {error}");
            Err(CallError::Fault(Fault::new(FaultKind::Gone, why)))
        })
    }

    fn cancelled(&self, operation: &str) -> bool {
        self.control.runner().is_cancelled(operation)
    }

    fn receivers(&self) -> Vec<String> {
        self.control.config().receivers.clone()
    }

    async fn reconnect(&self, backend: &str, operation: &str, moved: &[Member]) {
        crate::attachments::reconnect(&self.control, backend, operation, moved).await;
    }

    fn told(&self) {
        self.control.mail().ring();
    }

    fn shown(&self, operation: &Operation) {
        self.control.runner().show(operation);
        // Whoever waits for the next step of a failover would be waken a thousand times; beginnings and ends are enough.
        let turns = operation.state.is_terminal() || operation.steps.len() <= 1;
        if let Some(backend) = operation.backend.as_deref().filter(|_| turns)
            && let Some(handle) = self.control.backend(backend)
        {
            handle.look.notify_one();
        }
    }

    async fn refresh(&self, backend: &str) {
        crate::watch::health(&self.control, backend).await;
    }

    async fn disturbed(&self, backend: &str) {
        match self.control.backend(backend) {
            Some(handle) => handle.look.notified().await,
            None => std::future::pending().await,
        }
    }
}

/// Rows and arrays of a running host.
pub(crate) fn rows(control: &Control) -> Rows {
    Rows::new(
        control.store().clone(),
        Arc::new(House {
            control: control.clone(),
        }),
    )
}

/// Journals a verb and starts it. Whoever asked may hang up meanwhile: what is journalled is begun all the same.
async fn begin(
    control: &Control,
    backend: String,
    request: Request,
    who: Who,
) -> Result<Operation, Problem> {
    let house = control.clone();
    let begun = control.runner().whole(async move {
        let _gate = house.gate().read().await;
        let operation = request::begin(&rows(&house), &backend, request, who).await?;
        house.operations().start(operation.clone());
        Ok(operation)
    });
    let stopped = || Problem::Unavailable("the host is stopping".to_owned());
    begun.await.unwrap_or_else(|| Err(stopped()))
}

struct Verbs;

#[async_trait]
impl Executor for Verbs {
    async fn run(&self, run: &mut Run) -> Result<(), OperationError> {
        let rows = rows(run.control());
        let mut operation = run.operation().clone();
        let mut last = None;
        for round in 0..ROUNDS {
            match super::run(&rows, operation).await {
                Ok(ended) => {
                    run.adopt(ended);
                    return Ok(());
                }
                Err(problem) => last = Some(problem),
            }
            tokio::time::sleep(Duration::from_millis(u64::from(round) * 50)).await;
            let stored = run
                .control()
                .store()
                .get::<Operation>(&run.operation().id)
                .await;
            operation = match stored {
                Ok(Some(stored)) => stored.record,
                _ => run.operation().clone(),
            };
        }
        Err(failure(
            "store",
            last.map_or_else(String::new, |p| p.to_string()),
        ))
    }
}

/// Makes the engine know the verbs of replication.
pub(crate) fn register(executors: &mut Executors) {
    executors.add(&VERBS, Arc::new(Verbs));
}

impl From<Problem> for ControlError {
    fn from(problem: Problem) -> Self {
        let kind = match &problem {
            Problem::Invalid(_) => ErrorKind::Invalid,
            Problem::NotFound(_) => ErrorKind::NotFound,
            Problem::Conflict { .. } | Problem::Moved(_) => ErrorKind::Conflict,
            Problem::Refused(_) => ErrorKind::Refused,
            Problem::Unavailable(_) => ErrorKind::Unavailable,
            Problem::Internal(_) => ErrorKind::Internal,
        };
        let mut error = Self::new(kind, problem.to_string());
        if let Problem::Conflict { operation, .. } = problem {
            error.operation = operation;
        }
        error
    }
}

/// Tends the replication of a running host for ever.
pub(crate) async fn keep_house(control: Control) {
    tend::tend(&House { control }).await;
}

#[async_trait]
impl Household for House {
    fn backends(&self) -> Vec<String> {
        self.control
            .backends()
            .map(|b| b.name().to_owned())
            .collect()
    }

    async fn due_drills(&self) -> Result<Vec<Drill>, Problem> {
        let open = DrillState::ALL.into_iter().filter(|s| !s.is_over());
        let query = Query::new()
            .is_in("state", open.map(DrillState::as_str))
            .compare(
                "due_at",
                springform_store::Order::LessOrEqual,
                self.control.now(),
            )
            .limit(100);
        let due = self.control.store().list::<Drill>(&query).await;
        Ok(due
            .map_err(rows::internal)?
            .into_iter()
            .map(|d| d.record)
            .collect())
    }

    async fn owed(
        &self,
        backend: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Relation>, Problem> {
        let mut query = Query::new()
            .eq("kind", "owed")
            .eq("state", "settled")
            .eq("backend", backend)
            .sort("id", springform_store::Direction::Asc)
            .limit(limit);
        if let Some(after) = after {
            query = query.compare("id", springform_store::Order::Greater, after);
        }
        let owed = self.control.store().list::<Relation>(&query).await;
        Ok(owed
            .map_err(rows::internal)?
            .into_iter()
            .map(|r| r.record)
            .collect())
    }

    async fn answering(&self, backend: &str) -> Result<Vec<String>, Problem> {
        let service = self.control.store().get::<Service>(backend).await;
        let service = service.map_err(rows::internal)?;
        let targets = service.map(|s| s.record.targets).unwrap_or_default();
        Ok(targets
            .into_iter()
            .filter(|t| t.reachable)
            .map(|t| t.target)
            .collect())
    }

    async fn submit(&self, backend: &str, request: Request) -> Result<Operation, Problem> {
        begin(&self.control, backend.to_owned(), request, Who::default()).await
    }

    async fn is_open(&self, operation: &str) -> bool {
        let found = self.control.store().get::<Operation>(operation).await;
        found.is_ok_and(|o| o.is_some_and(|o| !o.record.state.is_terminal()))
    }

    async fn woken(&self) {
        self.control.array_returned().await;
    }
}

/// Replication.
#[derive(Debug, Clone, Copy)]
pub struct Replication<'a> {
    pub(super) control: &'a Control,
}

impl Control {
    /// Replication.
    #[must_use]
    pub fn replication(&self) -> Replication<'_> {
        Replication { control: self }
    }
}

impl Replication<'_> {
    pub(super) fn admin(caller: &Caller) -> Result<(), ControlError> {
        if caller.is_admin {
            return Ok(());
        }
        Err(ControlError::new(
            ErrorKind::Forbidden,
            "Replication is the administrator's.",
        ))
    }

    /// The one backend a scope lives on.
    async fn backend_of(&self, rows: &Rows, scope: &Scope) -> Result<String, ControlError> {
        let found = rows.backends_of(scope).await?;
        match found.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(Problem::NotFound(format!(
                "{} has no volume on any backend",
                scope.describe()
            ))
            .into()),
            many => Err(Problem::Invalid(format!(
                "{} has volumes on {}; name volumes of one backend at a time",
                scope.describe(),
                many.join(", ")
            ))
            .into()),
        }
    }

    /// Says what a failover, failback or reprotection would do, and keeps it as a plan which can be applied as long as
    /// what it was made from holds.
    ///
    /// # Errors
    /// Unknown target, nothing to move, a target that does not answer.
    pub async fn plan(
        &self,
        caller: &Caller,
        verb: Verb,
        order: Order,
    ) -> Result<Plan, ControlError> {
        Self::admin(caller)?;
        let rows = rows(self.control);
        let backend = self.backend_of(&rows, &order.scope).await?;
        let made = match verb {
            Verb::Failover => plan::make(&rows, &backend, order).await?,
            Verb::Failback | Verb::Reprotect => {
                super::back::make(&rows, &backend, verb, order).await?
            }
            _ => {
                return Err(ControlError::invalid(
                    "there are plans of failover, failback and reprotect",
                ));
            }
        };
        rows.commit(Writes {
            plan: Some(made.clone()),
            ..Writes::default()
        })
        .await?;
        Ok(made)
    }

    /// Journals a verb and carries it out in the background.
    ///
    /// # Errors
    /// Everything that can be refused before an array is asked; a conflict names the operation in the way.
    pub async fn submit(
        &self,
        caller: &Caller,
        request: Request,
    ) -> Result<Operation, ControlError> {
        Self::admin(caller)?;
        let rows = rows(self.control);
        let backend = match request.scope() {
            Some(scope) => self.backend_of(&rows, scope).await?,
            None => {
                let id = request.drill().unwrap_or_default();
                let held = rows.drill(id).await?;
                held.ok_or_else(|| Problem::NotFound(format!("there is no drill {id}")))?
                    .backend
            }
        };
        let who = Who {
            project: caller.project_id.clone(),
            user: caller.user_id.clone(),
            request_id: caller.request_id.clone(),
        };
        Ok(begin(self.control, backend, request, who).await?)
    }

    /// Repairs the record of a backend that is disabled and frozen; no array is asked.
    ///
    /// # Errors
    /// Where it is not disabled and frozen, or an operation holds it.
    pub async fn reset_active_backend(
        &self,
        caller: &Caller,
        backend: &str,
        to: Option<&str>,
    ) -> Result<Service, ControlError> {
        Self::admin(caller)?;
        Ok(request::reset_active_backend(&rows(self.control), backend, to).await?)
    }

    /// A kept plan.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get_plan(&self, caller: &Caller, id: &str) -> Result<Plan, ControlError> {
        Self::admin(caller)?;
        let found = rows(self.control).plan(id).await?;
        found.ok_or_else(|| ControlError::not_found("Plan", id))
    }

    /// A drill, by its own id or by that of the operation which started it.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get_drill(&self, caller: &Caller, id: &str) -> Result<Drill, ControlError> {
        Self::admin(caller)?;
        let rows = rows(self.control);
        if let Some(found) = rows.drill(id).await? {
            return Ok(found);
        }
        let started = self.control.store().get::<Operation>(id).await?;
        let named = started.and_then(|o| o.record.input.get("drill")?.as_str().map(str::to_owned));
        let found = match named {
            Some(id) => rows.drill(&id).await?,
            None => None,
        };
        found.ok_or_else(|| {
            ControlError::new(ErrorKind::NotFound, format!("there is no drill {id}"))
        })
    }

    /// Drills.
    ///
    /// # Errors
    /// What the store says.
    pub async fn drills(&self, caller: &Caller, query: Query) -> Result<Vec<Drill>, ControlError> {
        Self::admin(caller)?;
        let found = self.control.store().list::<Drill>(&query).await?;
        Ok(found.into_iter().map(|d| d.record).collect())
    }
}
