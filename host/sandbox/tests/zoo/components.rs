//! Components that attack the host before they are called: the parser, the compiler, the instantiation.

use springform_sandbox::{LoadError, Sandbox, SandboxConfig};

use super::bytes::{COMPONENT, importing, noop, section, with_instances, with_module};
use crate::support::sandbox;

/// What stops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Counted before it is compiled.
    Counts,
    /// The validator, with features that drivers are not given.
    Validator,
    /// The list of imports.
    Imports,
    /// The engine: it does not fit into the slot of one call.
    Pool,
    /// A trap or limit, when it is instantiated to describe itself.
    Trap,
}

fn stopped_by(error: &LoadError) -> Option<By> {
    Some(match error {
        LoadError::TooComplex { .. } => By::Counts,
        LoadError::Malformed { .. } => By::Validator,
        LoadError::ForbiddenImport { .. } | LoadError::WrongVersion { .. } => By::Imports,
        LoadError::Compile(_) => By::Pool,
        LoadError::Describe(_) => By::Trap,
        _ => return None,
    })
}

type Bytes = fn() -> Vec<u8>;

/// Instantiated once before each call, so that its start function runs.
macro_rules! starts {
    ($text:expr) => {
        || with_instances($text, 1)
    };
}

macro_rules! has {
    ($text:expr) => {
        || with_module($text)
    };
}

pub const ATTACKS: &[(&str, By, Bytes)] = &[
    ("twenty thousand nested components", By::Counts, || {
        [
            noop(),
            section(COMPONENT, b"\0asm\x0d\0\x01\0").repeat(20_000),
        ]
        .concat()
    }),
    ("nine hundred thousand functions", By::Counts, || {
        with_module(&format!("(module {})", "(func)".repeat(900_000)))
    }),
    ("one function of three megabytes", By::Counts, || {
        with_module(&format!("(module (func {}))", "nop ".repeat(3 << 20)))
    }),
    ("thirty thousand locals", By::Counts, || {
        with_module(&format!(
            "(module (func (local {})))",
            "i64 ".repeat(30_000)
        ))
    }),
    ("six hundred thousand types", By::Counts, || {
        with_module(&format!("(module {})", "(type (func))".repeat(600_000)))
    }),
    ("six hundred thousand exports", By::Counts, || {
        let exports: String = (0..600_000)
            .map(|n| format!("(export \"{n}\" (func 0))"))
            .collect();
        with_module(&format!("(module (func) {exports})"))
    }),
    (
        "shared memory",
        By::Validator,
        has!("(module (memory 1 1 shared))"),
    ),
    (
        "atomics",
        By::Validator,
        has!("(module (memory 1) (func (drop (i32.atomic.load (i32.const 0)))))"),
    ),
    ("exceptions", By::Validator, has!("(module (tag))")),
    (
        "struct types",
        By::Validator,
        has!("(module (type (struct (field i32))))"),
    ),
    (
        "array types",
        By::Validator,
        has!("(module (type (array i8)))"),
    ),
    (
        "i31 values",
        By::Validator,
        has!("(module (func (drop (i31.get_s (ref.i31 (i32.const 1))))))"),
    ),
    (
        "conversions of any and extern",
        By::Validator,
        has!("(module (func (param externref) (drop (any.convert_extern (local.get 0)))))"),
    ),
    (
        "externref",
        By::Validator,
        has!("(module (table 1 externref))"),
    ),
    (
        "typed function references",
        By::Validator,
        has!("(module (type $f (func)) (func (param (ref $f))))"),
    ),
    (
        "64-bit memories",
        By::Validator,
        has!("(module (memory i64 1))"),
    ),
    (
        "several memories in one module",
        By::Validator,
        has!("(module (memory 1) (memory 1))"),
    ),
    (
        "tail calls",
        By::Validator,
        has!("(module (func $f (return_call $f)))"),
    ),
    (
        "relaxed SIMD",
        By::Validator,
        has!(
            "(module (func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))))"
        ),
    ),
    (
        "wide arithmetic",
        By::Validator,
        has!(
            "(module (func (param i64) (drop (i64.mul_wide_s (local.get 0) (local.get 0))) (drop)))"
        ),
    ),
    (
        "stack switching",
        By::Validator,
        has!("(module (type $f (func)) (type (cont $f)))"),
    ),
    ("a module that is cut off", By::Validator, || {
        [noop(), section(1, b"\0asm\x01\0\0\0\x01\xff")].concat()
    }),
    ("code that does not type", By::Validator, || {
        [
            noop(),
            section(
                1,
                b"\0asm\x01\0\0\0\x01\x05\x01\x60\0\x01\x7f\x03\x02\x01\0\x0a\x04\x01\x02\0\x0b",
            ),
        ]
        .concat()
    }),
    ("an import of files", By::Imports, || {
        importing("wasi:filesystem/types@0.2.0")
    }),
    ("an import of the root directory", By::Imports, || {
        importing("wasi:filesystem/preopens@0.2.0")
    }),
    ("an import of TCP", By::Imports, || {
        importing("wasi:sockets/tcp@0.2.0")
    }),
    ("an import of UDP", By::Imports, || {
        importing("wasi:sockets/udp@0.2.0")
    }),
    ("an import of names of the network", By::Imports, || {
        importing("wasi:sockets/ip-name-lookup@0.2.0")
    }),
    ("an import of a key-value store", By::Imports, || {
        importing("wasi:keyvalue/store@0.2.0")
    }),
    ("an import of a vault", By::Imports, || {
        importing("host:secrets/vault@1.0.0")
    }),
    ("an import of another contract", By::Imports, || {
        importing("springform:driver/types@9.9.9")
    }),
    (
        "a memory of four gigabytes",
        By::Pool,
        starts!("(module (memory 65536))"),
    ),
    (
        "a memory that grows without end",
        By::Trap,
        starts!(
            "(module (memory 1) (func $f (loop $l (drop (memory.grow (i32.const 64))) (br $l))) (start $f))"
        ),
    ),
    (
        "a table that grows without end",
        By::Trap,
        starts!(
            "(module (table 1 funcref) (func $f (loop $l (drop (table.grow (ref.null func) (i32.const 10000))) (br $l))) (start $f))"
        ),
    ),
    ("forty instances", By::Pool, || {
        with_instances("(module)", 40)
    }),
    ("twenty memories", By::Pool, || {
        with_instances("(module (memory 1))", 20)
    }),
    ("thirty tables", By::Pool, || {
        with_instances("(module (table 1 funcref))", 30)
    }),
    (
        "a start that traps",
        By::Trap,
        starts!("(module (func $f unreachable) (start $f))"),
    ),
    (
        "a start that recurses for ever",
        By::Trap,
        starts!("(module (func $f (call $f)) (start $f))"),
    ),
    (
        "a start that never ends",
        By::Trap,
        starts!("(module (func $f (loop $l (br $l))) (start $f))"),
    ),
    (
        "a division by zero",
        By::Trap,
        starts!("(module (func $f (drop (i32.div_s (i32.const 1) (i32.const 0)))) (start $f))"),
    ),
    (
        "a division that overflows",
        By::Trap,
        starts!(
            "(module (func $f (drop (i32.div_s (i32.const -2147483648) (i32.const -1)))) (start $f))"
        ),
    ),
    (
        "a conversion of what is no number",
        By::Trap,
        starts!("(module (func $f (drop (i32.trunc_f64_s (f64.const nan)))) (start $f))"),
    ),
    (
        "a read beyond its memory",
        By::Trap,
        starts!(
            "(module (memory 1) (func $f (drop (i64.load offset=4294967295 (i32.const -1)))) (start $f))"
        ),
    ),
    (
        "a write beyond its memory",
        By::Trap,
        starts!(
            "(module (memory 1) (func $f (i64.store (i32.const 65535) (i64.const 1))) (start $f))"
        ),
    ),
    (
        "a vector read beyond its memory",
        By::Trap,
        starts!(
            "(module (memory 1) (func $f (drop (v128.load offset=65529 (i32.const 0)))) (start $f))"
        ),
    ),
    (
        "a fill beyond its memory",
        By::Trap,
        starts!(
            "(module (memory 1) (func $f (memory.fill (i32.const 1) (i32.const 0) (i32.const -1))) (start $f))"
        ),
    ),
    (
        "a copy beyond its memory",
        By::Trap,
        starts!(
            "(module (memory 1) (func $f (memory.copy (i32.const 65535) (i32.const 0) (i32.const 9))) (start $f))"
        ),
    ),
    (
        "data beyond its memory",
        By::Trap,
        starts!("(module (memory 1) (data (i32.const 65535) \"ab\"))"),
    ),
    (
        "elements beyond its table",
        By::Trap,
        starts!("(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))"),
    ),
    (
        "a call of nothing",
        By::Trap,
        starts!("(module (table 1 funcref) (func $f (call_indirect (i32.const 0))) (start $f))"),
    ),
    (
        "a call beyond its table",
        By::Trap,
        starts!("(module (table 1 funcref) (func $f (call_indirect (i32.const -1))) (start $f))"),
    ),
    (
        "a call of another type",
        By::Trap,
        starts!(
            "(module (table 1 funcref) (func $g (param i32)) (elem (i32.const 0) $g) (func $f (call_indirect (i32.const 0))) (start $f))"
        ),
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_hostile_component_is_stopped_by_what_is_meant_to_stop_it() {
    // Without the cache of the other tests, in which their drivers would make room for these.
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for (name, by, bytes) in ATTACKS {
        let path = folder.path().join("driver.wasm");
        std::fs::write(&path, bytes()).unwrap();
        match sandbox.load(&path).await {
            Ok(_) => wrong.push(format!("{name}: it was loaded")),
            Err(error) if stopped_by(&error) != Some(*by) => {
                wrong.push(format!("{name}: {by:?} was to stop it: {error}"));
            }
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    sandbox
        .load(&crate::support::guest("noop"))
        .await
        .expect("an ordinary driver loads");
}

#[tokio::test]
async fn a_module_that_is_instantiated_beside_a_driver_harms_nothing_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("driver.wasm");
    let harmless =
        "(module (memory 1) (func $f (i32.store (i32.const 0) (i32.const 1))) (start $f))";
    std::fs::write(&path, with_instances(harmless, 1)).unwrap();
    sandbox()
        .load(&path)
        .await
        .expect("what the attacks are made with is not what stops them");
}
