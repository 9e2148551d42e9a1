//! The WebAssembly that a driver may be written in. One explicit set for validator and engine: what the validator let
//! through and the engine then met differently has been a way to stop the process.

use wasmtime::WasmFeatures;

/// Everything the drivers' toolchains emit. Whatever is missing here is refused by name before Cranelift sees a byte:
/// garbage collection, exceptions, threads, memory64, multi-memory, tail calls, relaxed SIMD, wide arithmetic, stack switching.
///
/// Written down rather than taken from a default: a default grows with each release of the library.
pub const FEATURES: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::SIMD)
    .union(WasmFeatures::FLOATS)
    .union(WasmFeatures::EXTENDED_CONST)
    .union(WasmFeatures::COMPONENT_MODEL);
