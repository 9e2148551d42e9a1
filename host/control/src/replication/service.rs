//! Replication as the rest of the control plane uses it: `Replication::new(control)`.

use springform_model::cloud::Service;
use springform_model::operation::{Operation, Verb};
use springform_model::replication::drill::Drill;
use springform_store::Query;

use super::env::{ReplicationEnv, ReplicationError, Writes};
use super::live_arrays::store_env;
use super::request::{self, Request, Who};
use super::store_env::StoreEnv;
use super::{Order, Plan, Scope, plan};
use crate::engine::Operations;
use crate::{Caller, ControlError, ErrorKind};

/// Replication.
#[derive(Debug, Clone, Copy)]
pub struct Replication<'a> {
    pub(super) control: &'a Operations,
}

impl<'a> Replication<'a> {
    pub(crate) fn new(control: &'a Operations) -> Self {
        Self { control }
    }

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
    async fn backend_of(&self, env: &StoreEnv, scope: &Scope) -> Result<String, ControlError> {
        let found = env.backends_of(scope).await?;
        match found.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(ReplicationError::NotFound(format!(
                "{} has no volume on any backend",
                scope.describe()
            ))
            .into()),
            many => Err(ReplicationError::Invalid(format!(
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
        let env = store_env(self.control);
        let backend = self.backend_of(&env, &order.scope).await?;
        let made = match verb {
            Verb::Failover => plan::make(&env, &backend, order).await?,
            Verb::Failback | Verb::Reprotect => {
                super::back::make(&env, &backend, verb, order).await?
            }
            _ => {
                return Err(ControlError::invalid(
                    "there are plans of failover, failback and reprotect",
                ));
            }
        };
        env.commit(Writes {
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
        let env = store_env(self.control);
        let backend = match request.scope() {
            Some(scope) => self.backend_of(&env, scope).await?,
            None => {
                let id = request.drill().unwrap_or_default();
                let held = env.drill(id).await?;
                held.ok_or_else(|| ReplicationError::NotFound(format!("there is no drill {id}")))?
                    .backend
            }
        };
        let who = Who {
            project: caller.project_id.clone(),
            user: caller.user_id.clone(),
            request_id: caller.request_id.clone(),
            address: caller.address.clone(),
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
        Ok(
            request::reset_active_backend(&store_env(self.control), backend, to, caller.into())
                .await?,
        )
    }

    /// A kept plan.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get_plan(&self, caller: &Caller, id: &str) -> Result<Plan, ControlError> {
        Self::admin(caller)?;
        let found = store_env(self.control).plan(id).await?;
        found.ok_or_else(|| ControlError::not_found("Plan", id))
    }

    /// A drill, by its own id or by that of the operation which started it.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get_drill(&self, caller: &Caller, id: &str) -> Result<Drill, ControlError> {
        Self::admin(caller)?;
        let env = store_env(self.control);
        if let Some(found) = env.drill(id).await? {
            return Ok(found);
        }
        let started = self.control.store().get::<Operation>(id).await?;
        let named = started.and_then(|o| o.record.input.get("drill")?.as_str().map(str::to_owned));
        let found = match named {
            Some(id) => env.drill(&id).await?,
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

/// Journals a verb and starts it. Whoever asked may hang up meanwhile: what is journalled is begun all the same.
pub(super) async fn begin(
    control: &Operations,
    backend: String,
    request: Request,
    who: Who,
) -> Result<Operation, ReplicationError> {
    let house = control.clone();
    let begun = control.tasks().whole(async move {
        let _gate = house.reload_lock().read().await;
        let operation = request::begin(&store_env(&house), &backend, request, who).await?;
        house.start(operation.clone());
        Ok(operation)
    });
    let stopped = || ReplicationError::Unavailable("the host is stopping".to_owned());
    begun.await.unwrap_or_else(|| Err(stopped()))
}

impl From<ReplicationError> for ControlError {
    fn from(problem: ReplicationError) -> Self {
        let kind = match &problem {
            ReplicationError::Invalid(_) => ErrorKind::Invalid,
            ReplicationError::NotFound(_) => ErrorKind::NotFound,
            ReplicationError::Conflict { .. } | ReplicationError::Moved(_) => ErrorKind::Conflict,
            ReplicationError::Refused(_) => ErrorKind::Refused,
            ReplicationError::Unavailable(_) => ErrorKind::Unavailable,
            ReplicationError::Internal(_) => ErrorKind::Internal,
        };
        let mut error = Self::new(kind, problem.to_string());
        if let ReplicationError::Conflict { operation, .. } = problem {
            error.operation = operation;
        }
        error
    }
}
