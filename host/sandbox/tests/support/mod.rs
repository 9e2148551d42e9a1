//! What the sandbox's tests share: where the guests are, a sandbox, a context, a volume.
#![allow(dead_code)]

use std::path::PathBuf;
use std::sync::Arc;

use springform_model::contract::{Context, Target, VolumeSpec};
use springform_sandbox::{Binding, BoundDriver, Program, Sandbox, SandboxConfig, TargetBinding};

pub mod array;
pub mod log;

/// Path of a guest, built by `cargo xtask build-guests`.
pub fn guest(name: &str) -> PathBuf {
    let dir = std::env::var_os("SPRINGFORM_GUESTS").map_or_else(
        || {
            let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
            scratch.parent().unwrap().join("guests")
        },
        PathBuf::from,
    );
    let path = dir.join(format!("{name}.wasm"));
    assert!(
        path.exists(),
        "the guest {} is missing: run `cargo xtask build-guests`, or set SPRINGFORM_GUESTS",
        path.display()
    );
    path
}

/// A sandbox that shares its compiled guests with the other tests of this crate.
pub fn sandbox() -> Sandbox {
    with(SandboxConfig::default())
}

/// The same with other settings.
pub fn with(config: SandboxConfig) -> Sandbox {
    let cache_dir = Some(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compiled"));
    Sandbox::new(SandboxConfig {
        cache_dir,
        ..config
    })
    .unwrap()
}

pub async fn load(sandbox: &Sandbox, name: &str) -> Arc<Program> {
    sandbox.load(&guest(name)).await.unwrap()
}

/// A driver with these targets.
pub async fn driver(name: &str, targets: Vec<TargetBinding>) -> BoundDriver {
    let sandbox = sandbox();
    let program = load(&sandbox, name).await;
    sandbox.bind(program, binding(targets)).unwrap()
}

pub fn binding(targets: Vec<TargetBinding>) -> Binding {
    Binding {
        driver: "pure".to_owned(),
        backend: "pure1".to_owned(),
        generation: 7,
        targets,
        limits: None,
    }
}

/// A context with a primary target `a`, a target `b`, and the fixtures' two options.
pub fn context(behaviour: &str, argument: &str) -> Context {
    let target = |name: &str, primary| Target {
        name: name.to_owned(),
        primary,
        kind: None,
        options: Vec::new(),
        reachable: true,
        extensions: Vec::new(),
    };
    Context {
        operation_id: "op-1".to_owned(),
        backend: "pure1".to_owned(),
        options: vec![
            ("behaviour".to_owned(), behaviour.to_owned()),
            ("argument".to_owned(), argument.to_owned()),
        ],
        targets: vec![target("a", true), target("b", false)],
        state: Vec::new(),
        cursor: Vec::new(),
        deadline_ms: 20_000,
        now: 1_800_000_000_000,
        extensions: Vec::new(),
    }
}

pub fn volume(id: &str) -> VolumeSpec {
    VolumeSpec {
        id: id.to_owned(),
        name: format!("volume-{id}"),
        display_name: "data".to_owned(),
        project: "p".to_owned(),
        size: 1 << 30,
        volume_type: None,
        group: None,
        placement: None,
        generation: 1,
        instances: Vec::new(),
        boot: false,
        extensions: Vec::new(),
    }
}
