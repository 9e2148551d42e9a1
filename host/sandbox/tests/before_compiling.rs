//! What is refused before the compiler sees a byte of it: more than it can hold, and WebAssembly that drivers are not given.
//! Each case is the no-op driver, which loads, with something put behind it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use springform_sandbox::{LoadError, Sandbox};
use support::{guest, sandbox};

/// Section ids of the component binary format.
const CORE_MODULE: u8 = 1;
const COMPONENT: u8 = 4;
const EMPTY_COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn noop() -> Vec<u8> {
    std::fs::read(guest("noop")).unwrap()
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![id];
    let mut left = content.len();
    loop {
        let low = u8::try_from(left & 0x7f).unwrap();
        left >>= 7;
        bytes.push(low | if left > 0 { 0x80 } else { 0 });
        if left == 0 {
            break;
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

/// The refusal of the no-op driver with something behind it.
async fn refusal(sandbox: &Sandbox, behind: &[u8]) -> LoadError {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("driver.wasm");
    std::fs::write(&path, [&noop(), behind].concat()).unwrap();
    sandbox
        .inspect(&path)
        .expect_err("inspecting refuses it too");
    sandbox.load(&path).await.expect_err("it is refused")
}

fn too_complex(error: &LoadError, what: &str) {
    let LoadError::TooComplex { of, .. } = error else {
        panic!("expected too many {what}, got {error}");
    };
    assert_eq!(*of, what);
}

#[tokio::test]
async fn what_is_put_behind_a_driver_is_the_only_reason() {
    let sandbox = sandbox();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("driver.wasm");
    let harmless = section(CORE_MODULE, &wat::parse_str("(module (func))").unwrap());
    std::fs::write(&path, [noop(), harmless].concat()).unwrap();
    sandbox.load(&path).await.unwrap();
}

#[tokio::test]
async fn twenty_thousand_nested_components_are_counted_and_not_compiled() {
    let bomb = section(COMPONENT, EMPTY_COMPONENT).repeat(20_000);
    let error = refusal(&sandbox(), &bomb).await;
    too_complex(&error, "core modules and components");
}

#[tokio::test]
async fn components_nested_in_each_other_are_counted_too() {
    let mut nested = EMPTY_COMPONENT.to_vec();
    for _ in 0..1000 {
        nested = [EMPTY_COMPONENT, &section(COMPONENT, &nested)].concat();
    }
    let error = refusal(&sandbox(), &section(COMPONENT, &nested)).await;
    assert!(
        matches!(
            error,
            LoadError::TooComplex { .. } | LoadError::Malformed { .. }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn nine_hundred_thousand_empty_functions_are_counted_and_not_compiled() {
    let module = wat::parse_str(format!("(module {})", "(func)".repeat(900_000))).unwrap();
    let error = refusal(&sandbox(), &section(CORE_MODULE, &module)).await;
    assert!(matches!(error, LoadError::TooComplex { .. }), "{error}");
}

#[tokio::test]
async fn one_enormous_function_or_a_flood_of_locals_or_types_is_not_compiled() {
    let sandbox = sandbox();
    let long = format!("(module (func {}))", "nop ".repeat(3 << 20));
    let locals = format!("(module (func (local {})))", "i64 ".repeat(30_000));
    let types = format!("(module {})", "(type (func))".repeat(600_000));
    for (text, what) in [
        (long, "bytes in one function"),
        (locals, "locals in one function"),
        (types, "types, imports, exports and instances"),
    ] {
        let module = wat::parse_str(text).unwrap();
        too_complex(
            &refusal(&sandbox, &section(CORE_MODULE, &module)).await,
            what,
        );
    }
}

#[tokio::test]
async fn webassembly_that_no_driver_needs_is_refused_by_name() {
    let sandbox = sandbox();
    for (what, text) in [
        ("shared memory", "(module (memory 1 1 shared))"),
        (
            "atomics",
            "(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))",
        ),
        ("exceptions", "(module (tag))"),
        ("struct types", "(module (type (struct (field i32))))"),
        (
            "i31 values",
            "(module (func (drop (i31.get_s (ref.i31 (i32.const 1))))))",
        ),
        (
            "conversions between any and extern",
            "(module (func (param externref) (drop (any.convert_extern (local.get 0)))))",
        ),
        ("externref", "(module (table 1 externref))"),
        (
            "typed function references",
            "(module (type $f (func)) (func (param (ref $f))))",
        ),
        ("64-bit memories", "(module (memory i64 1))"),
        ("several memories", "(module (memory 1) (memory 1))"),
        ("tail calls", "(module (func $f (return_call $f)))"),
        (
            "relaxed SIMD",
            "(module (func (param v128 v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 1)))))",
        ),
        (
            "wide arithmetic",
            "(module (func (param i64 i64) (local.get 0) (local.get 1) (i64.mul_wide_u) (drop) (drop)))",
        ),
    ] {
        let module = wat::parse_str(text).unwrap();
        let error = refusal(&sandbox, &section(CORE_MODULE, &module)).await;
        assert!(
            matches!(error, LoadError::Malformed { .. }),
            "{what}: {error}"
        );
    }
}
