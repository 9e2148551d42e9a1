//! Replication as operations: plan, fail over, fail back, reprotect, drill, promote, reconcile.
//!
//! What may follow what is decided by the machines of `springform_model::replication`; what is written when, which call is
//! made when and by how many at once is decided here. Everything stands on one port, [`ReplicationEnv`].

mod back;
mod cinder;
mod compare;
mod consent;
mod difference;
mod env;
mod executor;
mod failover;
mod fence;
mod group;
mod live_arrays;
mod members;
mod operation_run;
mod plan;
mod reconciler;
mod records;
mod request;
mod scope;
mod service;
mod status;
mod store_env;
mod verbs;

pub use crate::backend::Differences;
pub use back::make as make_plan_back;
pub(crate) use compare::keep_comparing;
pub use consent::Consent;
pub use env::{BackendView, Lead, Member, ReplicationEnv, ReplicationError, SnapshotNames, Writes};
pub(crate) use executor::{is_verb, register};
pub use failover::{Input as FailoverInput, run as run_failover};
pub use group::GroupView;
pub(crate) use live_arrays::{reconcile_in_background, store_env};
pub(crate) use members::chunks;
pub use plan::{Order, Plan, make as make_plan};
pub use reconciler::{ReconcilerEnv, reconcile_loop};
pub use request::{Ask, Request, Who, begin, reset_active_backend};
pub use scope::Scope;
pub use service::Replication;
pub use status::{
    BackendStanding, OpenOperation, OutdatedStanding, Standings, TargetStanding, VolumeStanding,
};
pub(crate) use store_env::open_on;
pub use store_env::{Arrays, StoreEnv};
pub use verbs::{Input as VerbInput, run as run_verb};

/// Carries out a journalled operation of any verb of replication, or goes on with one that was interrupted.
///
/// # Errors
/// A [`ReplicationError`] of the store: the operation is still open and is to be run again.
pub async fn run(
    env: &dyn ReplicationEnv,
    operation: springform_model::operation::Operation,
) -> Result<springform_model::operation::Operation, ReplicationError> {
    use springform_model::operation::Verb;
    match operation.verb {
        Verb::Failover | Verb::Failback | Verb::CommitDrill => run_failover(env, operation).await,
        _ => run_verb(env, operation).await,
    }
}
