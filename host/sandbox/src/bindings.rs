//! Types of the contract as the component model carries them. Only [`crate::convert`] and [`crate::exports`] look inside.

#![allow(missing_docs, clippy::all)]

wasmtime::component::bindgen!({
    path: "../../wit/driver/v0.1",
    world: "springform:driver/full-driver",
    exports: { default: async },
});
