//! The sandbox: loads drivers that are WebAssembly components, and calls them.
//!
//! Three lifetimes, kept apart: [`Sandbox`] is the process's (engine, cache, limits); [`Program`] is a driver file's
//! (compiled code, description); [`BoundDriver`] is a generation's on one backend (targets, secrets). A call owns its
//! store and instance, and nothing outlives it.

mod account;
mod admission;
mod binding;
mod bindings;
mod broker;
mod cache;
mod compiler;
mod config;
mod convert;
mod describe;
mod dispatch;
mod driver;
mod engine;
mod error;
mod exports;
mod fault;
mod features;
mod file;
mod grant;
mod inspect;
mod limiter;
mod limits;
mod linker;
mod output;
mod program;
mod quarantine;
mod sandbox;
mod shares;
mod size;
mod state;
mod validate;
mod world;

pub use binding::{Binding, Secret, TargetBinding, TlsTrust};
pub use broker::{API_VERSION, TargetState};
pub use compiler::{COMPILER_MODE, Compiler, run_compiler};
pub use config::{Allocation, SandboxConfig};
pub use driver::BoundDriver;
pub use error::{BindError, LoadError};
pub use file::ComponentFile;
pub use grant::{EffectiveGrant, Grant, Origin, PROPOSAL, Rule};
pub use inspect::Inspection;
pub use limits::Limits;
pub use program::Program;
pub use sandbox::Sandbox;
pub use size::Counts;
pub use world::{SERVED, World};
