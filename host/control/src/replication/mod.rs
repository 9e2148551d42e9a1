//! Replication as operations: plan, fail over, fail back, reprotect, drill, promote, reconcile.
//!
//! What may follow what is decided by the machines of `springform_model::replication`; what is written when, which call is
//! made when and by how many at once is decided here. Everything stands on one port, [`Ground`].

mod back;
mod cinder;
mod compare;
mod consent;
mod difference;
mod executor;
mod facade;
mod failover;
mod fence;
mod ground;
mod group;
mod house;
mod ledger;
mod members;
mod plan;
mod records;
mod request;
mod rows;
mod scope;
mod standing;
mod tend;
mod verbs;

pub use back::make as make_plan_back;
pub use compare::Differences;
pub(crate) use compare::keep_comparing;
pub use consent::Consent;
pub(crate) use executor::{is_verb, register};
pub use facade::Replication;
pub use failover::{Input as FailoverInput, run as run_failover};
pub use ground::{BackendView, Ground, Member, Problem, SnapshotNames, Writes};
pub use group::GroupView;
pub(crate) use house::{keep_house, rows};
pub(crate) use members::chunks;
pub use plan::{Order, Plan, make as make_plan};
pub use request::{Ask, Request, Who, begin, reset_active_backend};
pub(crate) use rows::open_on;
pub use rows::{Arrays, Rows};
pub use scope::Scope;
pub use standing::{BackendStanding, OpenOperation, Standings, TargetStanding, VolumeStanding};
pub use tend::{Household, tend};
pub use verbs::{Input as VerbInput, run as run_verb};

/// Carries out a journalled operation of any verb of replication, or goes on with one that was interrupted.
///
/// # Errors
/// A [`Problem`] of the store: the operation is still open and is to be run again.
pub async fn run(
    ground: &dyn Ground,
    operation: springform_model::operation::Operation,
) -> Result<springform_model::operation::Operation, Problem> {
    use springform_model::operation::Verb;
    match operation.verb {
        Verb::Failover | Verb::Failback | Verb::CommitDrill => {
            run_failover(ground, operation).await
        }
        _ => run_verb(ground, operation).await,
    }
}
