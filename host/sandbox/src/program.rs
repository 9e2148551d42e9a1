//! A loaded driver: compiled, linked, described. Bound to nothing yet, so several backends can share it.

use std::sync::Arc;
use std::time::Duration;

use springform_model::contract::{Description, MIGRATE};
use tokio::time::Instant;
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};

use crate::bindings::exports::springform::driver::identity;
use crate::broker::Egress;
use crate::convert::Convert;
use crate::describe;
use crate::error::LoadError;
use crate::exports::Exports;
use crate::grant::Rule;
use crate::inspect::Inspection;
use crate::limits::Limits;
use crate::output::{LogContext, Output};
use crate::state::{self, CallState};
use crate::world::{SERVED, World};

/// Time a driver gets to describe itself.
const DESCRIBE_TIME: Duration = Duration::from_secs(5);

/// How much it may say.
const DESCRIBE_BYTES: usize = 1 << 20;

/// A driver that is ready to be bound.
pub struct Program {
    pub(crate) pre: InstancePre<CallState>,
    pub(crate) exports: Exports,
    inspection: Inspection,
    world: World,
    description: Description,
    proposal: Vec<Rule>,
    compiled_from_cache: bool,
    load_time: Duration,
}

impl Program {
    /// Links a compiled component, instantiates it once with no import granted and lets it describe itself.
    pub(crate) async fn prepare(
        engine: &Engine,
        linker: &Linker<CallState>,
        component: &Component,
        inspection: Inspection,
        limits: &Limits,
    ) -> Result<Self, LoadError> {
        let mismatch = |e: wasmtime::Error| LoadError::Mismatch {
            served: SERVED,
            reason: format!("{e:#}"),
        };
        let pre = linker.instantiate_pre(component).map_err(mismatch)?;
        let exports = Exports::find(component)?;
        let world = *inspection.worlds.first().ok_or(LoadError::WrongWorld {
            exports: inspection.exports.join(", "),
        })?;
        let deadline = Instant::now() + DESCRIBE_TIME;
        let speaker = LogContext {
            driver: inspection.digest.get(..12).unwrap_or_default().into(),
            backend: "".into(),
            generation: 0,
            operation: "describe".to_owned(),
        };
        let output = Output::new(speaker, limits.log_bytes);
        let mut store = state::store(engine, limits, output.clone(), Egress::denied(), deadline);
        store.set_hostcall_fuel(DESCRIBE_BYTES.min(limits.result_bytes));
        let describe = async {
            let instance = pre
                .instantiate_async(&mut store)
                .await
                .map_err(|e| failed(&e, &output))?;
            exports.check_types(&pre, &mut store, &instance)?;
            let function = identity::GuestIndices::new(&pre)
                .and_then(|indices| indices.load(&mut store, &instance))
                .map_err(mismatch)?;
            function
                .call_describe(&mut store)
                .await
                .map_err(|e| failed(&e, &output))
        };
        let description: Description = tokio::time::timeout_at(deadline, describe)
            .await
            .map_err(|_| {
                LoadError::Describe(format!("it took more than {} s", DESCRIBE_TIME.as_secs()))
            })??
            .convert();
        let description = with_migrating(description, &exports);
        describe::validate(&description)?;
        let proposal = describe::proposal(&description)?;
        Ok(Self {
            pre,
            exports,
            inspection,
            world,
            description,
            proposal,
            compiled_from_cache: false,
            load_time: Duration::ZERO,
        })
    }

    pub(crate) fn loaded(mut self, from_cache: bool, since: Instant) -> Arc<Self> {
        self.compiled_from_cache = from_cache;
        self.load_time = since.elapsed();
        Arc::new(self)
    }

    /// SHA-256 of the file, in hex.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.inspection.digest
    }

    /// What its bytes say.
    #[must_use]
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }

    /// What it says of itself.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The requests that it proposes to be granted.
    #[must_use]
    pub fn proposal(&self) -> &[Rule] {
        &self.proposal
    }

    /// The richest world it fits.
    #[must_use]
    pub fn world(&self) -> World {
        self.world
    }

    /// Whether the compiled code came from the cache.
    #[must_use]
    pub fn compiled_from_cache(&self) -> bool {
        self.compiled_from_cache
    }

    /// How long loading took.
    #[must_use]
    pub fn load_time(&self) -> Duration {
        self.load_time
    }
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program")
            .field("name", &self.description.name)
            .field("digest", &self.inspection.digest)
            .field("world", &self.world)
            .finish_non_exhaustive()
    }
}

/// Whether a volume can be moved by a component is what it exports, and nothing that it says.
fn with_migrating(mut description: Description, exports: &Exports) -> Description {
    description.features.retain(|feature| feature != MIGRATE);
    if exports.get("migrating.offer").is_some() {
        description.features.push(MIGRATE.to_owned());
    }
    description
}

fn failed(error: &wasmtime::Error, output: &Output) -> LoadError {
    let said = output.tail();
    let said = if said.is_empty() {
        said
    } else {
        format!(" (it printed: {said})")
    };
    LoadError::Describe(format!("{}{said}", error.root_cause()))
}
