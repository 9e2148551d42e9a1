//! Types of the contract as the component model carries them. Only [`crate::convert`] and [`crate::exports`] look inside.

#![allow(missing_docs, clippy::all)]

wasmtime::component::bindgen!({
    path: "../../wit/driver/v0.1",
    inline: "package springform:host; world everything {
        include springform:driver/full-driver@0.1.0;
        export springform:driver/migrating@0.1.0;
    }",
    world: "springform:host/everything",
    exports: { default: async },
});
