//! A driver that succeeds at everything at once and touches no array, with one hook in front of each function.
//!
//! A fixture implements [`Behaviour`] and says `guest_kit::fixture!(Type)`. It is written on the raw contract, not on the
//! SDK, so that the sandbox is tested against what any language could produce.

mod answers;
mod skeleton;

pub use answers::*;

wit_bindgen::generate!({
    path: "../../../wit/driver/v0.1",
    world: "full-driver",
    pub_export_macro: true,
    default_bindings_module: "guest_kit",
    additional_derives: [Clone],
});

pub use exports::springform::driver::{backend, connections, groups, identity, replication, volumes};
pub use springform::driver::types;

/// What a fixture does otherwise than the model pupil. Every method has a default.
pub trait Behaviour {
    /// Name in `describe`.
    const NAME: &'static str;

    /// Called first in every function that has a context, with `interface.function`.
    fn on(_verb: &str, _ctx: &types::Context) -> Result<(), types::Error> {
        Ok(())
    }

    /// What `describe` answers.
    fn describe() -> identity::Description {
        answers::description(Self::NAME)
    }

    /// A last look at the outcomes of a batch.
    fn outcomes(_ctx: &types::Context, outcomes: Vec<types::Outcome>) -> Vec<types::Outcome> {
        outcomes
    }

    /// What a transfer answers: new points of the volumes it was asked for.
    fn synced(_ctx: &types::Context, plan: replication::FailoverPlan, volumes: &[types::Volume]) -> replication::FailoverPlan {
        answers::transferred(plan, volumes)
    }

    /// The state which `setup` returns.
    fn state(_ctx: &types::Context) -> Vec<u8> {
        b"noop".to_vec()
    }

    /// Capabilities of the one pool that `stats` reports.
    fn capabilities(_ctx: &types::Context) -> Result<Vec<(String, String)>, types::Error> {
        Ok(Vec::new())
    }
}
