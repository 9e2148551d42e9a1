//! The Springform SDK: write a replication driver in Rust, ship it as one WebAssembly component.
//!
//! A driver is a pure translator: it is told a call and its context, sends HTTP requests to the arrays *by their configured
//! names* (`https://array-b/api/…`), and answers. It keeps no state and sees no password: the host adds the credential.
//!
//! - [`bindings`]: the contract `springform:driver@0.1.0`; implement the `Guest` trait of each interface under
//!   [`bindings::exports`](bindings::exports::springform::driver) and call [`export_driver!`].
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

pub mod fail;
pub mod http;
#[cfg(target_arch = "wasm32")]
mod wasi;

pub use bindings::exports::springform::driver as interfaces;
pub use bindings::springform::driver::types;

#[cfg(target_arch = "wasm32")]
pub use wasi::WasiHttp;

/// Exports a type that implements the `Guest` trait of the five interfaces of a replicating driver as this component.
#[macro_export]
macro_rules! export_driver {
    ($driver:ident) => {
        $crate::bindings::export!($driver with_types_in $crate::bindings);
    };
}
