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
}

#[cfg(target_arch = "wasm32")]
pub use wasi::WasiHttp;

/// Exports a type as this component.
///
/// - `export_driver!(MyDriver)`: the world `replicating-driver`; the type implements the trait `Guest` of `identity`,
///   `backend`, `volumes`, `connections` and `replication`.
/// - `export_driver!(MyDriver, full)`: the world `full-driver`; it implements that of `groups` too.
#[macro_export]
macro_rules! export_driver {
    ($driver:ident) => {
        $crate::bindings::export!($driver with_types_in $crate::abi::export);
    };
    ($driver:ident, full) => {
        $crate::export_driver!($driver);
        $crate::group_bindings::export_groups!($driver with_types_in $crate::abi::export);
    };
}
