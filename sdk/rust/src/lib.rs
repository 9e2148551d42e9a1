//! The Springform SDK: write a replication driver in Rust, ship it as one WebAssembly component.
//!
//! A driver is a pure translator: it is told a call and its context, sends HTTP requests to the arrays *by their configured
//! names* (`https://array-b/api/…`), and answers. It keeps no state and sees no password: the host adds the credential.
//!
//! - [`bindings`]: the contract `springform:driver@0.1.0`; implement the `Guest` trait of each interface under
//!   [`interfaces`] and call [`export_driver!`].
//! - [`http`]: requests as values, one at a time or many at once. Natively any [`http::Http`] will do, so the logic of a
//!   driver is tested without WebAssembly.
//! - [`fail`]: typed failures.
#![deny(missing_docs)]

/// The contract's types and traits, generated from `wit/driver/v0.1`.
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::indexing_slicing,
    missing_docs,
    unsafe_code,
    rust_2018_idioms
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit/driver/v0.1",
        world: "replicating-driver",
        pub_export_macro: true,
        default_bindings_module: "springform_sdk::bindings",
        additional_derives: [PartialEq, Clone],
    });
}

/// The optional interface `groups`, generated beside the others and sharing their types, so that a component without
/// it links nothing of it.
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::indexing_slicing,
    missing_docs,
    unsafe_code,
    rust_2018_idioms
)]
pub mod group_bindings {
    wit_bindgen::generate!({
        path: "../../wit/driver/v0.1",
        inline: "package springform:sdk; world grouping { export springform:driver/groups@0.1.0; }",
        world: "springform:sdk/grouping",
        with: { "springform:driver/types@0.1.0": crate::bindings::springform::driver::types },
        pub_export_macro: true,
        export_macro_name: "export_groups",
        default_bindings_module: "springform_sdk::group_bindings",
        additional_derives: [PartialEq, Clone],
    });
}

/// The optional interface `migrating`, in the same way.
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::indexing_slicing,
    missing_docs,
    unsafe_code,
    rust_2018_idioms
)]
pub mod migrating_bindings {
    wit_bindgen::generate!({
        path: "../../wit/driver/v0.1",
        inline: "package springform:sdk; world moving { export springform:driver/migrating@0.1.0; }",
        world: "springform:sdk/moving",
        with: { "springform:driver/types@0.1.0": crate::bindings::springform::driver::types },
        pub_export_macro: true,
        export_macro_name: "export_migrating",
        default_bindings_module: "springform_sdk::migrating_bindings",
        additional_derives: [PartialEq, Clone],
    });
}

#[doc(hidden)]
pub mod abi;
pub mod fail;
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
mod flight;
pub mod http;
#[cfg(target_arch = "wasm32")]
mod wasi;

pub use bindings::springform::driver::types;

/// One module for each interface that a driver exports; each holds its records and the trait `Guest`.
pub mod interfaces {
    pub use crate::bindings::exports::springform::driver::{
        backend, connections, identity, replication, volumes,
    };
    pub use crate::group_bindings::exports::springform::driver::groups;
    pub use crate::migrating_bindings::exports::springform::driver::migrating;
}

#[cfg(target_arch = "wasm32")]
pub use wasi::WasiHttp;

/// Exports a type as this component.
///
/// - `export_driver!(MyDriver)`: the world `replicating-driver`; the type implements the trait `Guest` of `identity`,
///   `backend`, `volumes`, `connections` and `replication`.
/// - `export_driver!(MyDriver, full)`: the world `full-driver`; it implements that of `groups` too.
/// - `export_driver!(MyDriver, migrating)` and `export_driver!(MyDriver, full, migrating)`: the same, and volumes move from array to array
///   between backends; it implements that of `migrating` as well. The host then offers `--retype-policy on-demand`.
///
/// A move is six calls of two drivers, in an order that the contract says. Each of them finds what an earlier attempt made by
/// the move's id:
///
/// ```
/// use springform_sdk::fail::{failure, pending};
/// use springform_sdk::interfaces::migrating::{Guest, Migration};
/// use springform_sdk::types::{Context, Error, FailureCode, Placement, Volume};
///
/// struct MyDriver;
///
/// /// Everything on an array that one move made has this name, and nothing else has.
/// fn name_of(migration: &Migration) -> String {
///     format!("move-{}", migration.id)
/// }
///
/// impl Guest for MyDriver {
///     fn offer(_: Context, _: Volume, migration: Migration) -> Result<Vec<u8>, Error> {
///         let Some(to) = &migration.destination.array_name else {
///             let why = "the array of the other backend has not told its name; try again when it is up";
///             return Err(failure(FailureCode::FailedPrecondition, why).into());
///         };
///         // Ask the array whether it is connected to `to`, and make the copy job `name_of(&migration)` towards it.
///         Ok(to.clone().into_bytes())
///     }
///     fn accept(_: Context, _: Volume, _: Migration, offer: Vec<u8>) -> Result<Vec<u8>, Error> {
///         // Allow the copy job. What `offer` says was written by somebody else: check it.
///         Ok(offer)
///     }
///     fn send(_: Context, _: Volume, _: Migration, acceptance: Vec<u8>) -> Result<Vec<u8>, Error> {
///         // Start the copy job.
///         Ok(acceptance)
///     }
///     fn receive(_: Context, _: Volume, migration: Migration, _: Vec<u8>) -> Result<Placement, Error> {
///         // Read how far the copy job has come.
///         Err(pending(format!("{} to arrive", name_of(&migration)), Some(40), 1000))
///     }
///     fn release(_: Context, _: Volume, _: Migration, _moved: bool) -> Result<(), Error> {
///         // Take the copy job away; where the volume has moved, delete it.
///         Ok(())
///     }
///     fn settle(_: Context, _: Volume, _: Migration, _moved: bool) -> Result<(), Error> {
///         // Take away what arrived; where the volume has not moved, the copy that was made of it too.
///         Ok(())
///     }
/// }
/// ```
#[macro_export]
macro_rules! export_driver {
    ($driver:ident) => {
        $crate::bindings::export!($driver with_types_in $crate::abi::export);
    };
    ($driver:ident, full) => {
        $crate::export_driver!($driver);
        $crate::group_bindings::export_groups!($driver with_types_in $crate::abi::export);
    };
    ($driver:ident, migrating) => {
        $crate::export_driver!($driver);
        $crate::migrating_bindings::export_migrating!($driver with_types_in $crate::abi::export);
    };
    ($driver:ident, full, migrating) => {
        $crate::export_driver!($driver, full);
        $crate::migrating_bindings::export_migrating!($driver with_types_in $crate::abi::export);
    };
}
