//! The same component with nothing of ours around it: instantiate and call, on a plain engine without limits.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

#[allow(clippy::all, clippy::pedantic, missing_docs)]
mod bindings {
    wasmtime::component::bindgen!({ path: "../../wit/driver/v0.1", world: "driver", exports: { default: async } });
}

use bindings::springform::driver::types;

/// Outgoing requests are not part of this measurement.
struct Refuse;

type Sent = Result<
    (
        http::Response<WasiBody>,
        Box<dyn Future<Output = Result<(), Error>> + Send>,
    ),
    Error,
>;

impl WasiHttpHooks for Refuse {
    fn send_request(
        &mut self,
        _request: http::Request<WasiBody>,
        _options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}

struct State {
    table: ResourceTable,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    hooks: Refuse,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.hooks,
        }
    }
}

/// A component ready to be instantiated.
#[derive(Clone)]
pub struct Raw {
    engine: Engine,
    pre: bindings::DriverPre<State>,
}

impl Raw {
    /// Compiles and links a component.
    ///
    /// # Errors
    /// When it is no component of the world.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let mut config = Config::new();
        config.wasm_component_model(true).concurrency_support(false);
        let engine = Engine::new(&config).map_err(|e| anyhow!("{e:#}"))?;
        let component = Component::from_file(&engine, path).map_err(|e| anyhow!("{e:#}"))?;
        let mut linker = Linker::<State>::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(|e| anyhow!("{e:#}"))?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)
            .map_err(|e| anyhow!("{e:#}"))?;
        let pre = linker
            .instantiate_pre(&component)
            .map_err(|e| anyhow!("{e:#}"))?;
        let pre = bindings::DriverPre::new(pre).map_err(|e| anyhow!("{e:#}"))?;
        Ok(Self { engine, pre })
    }

    /// A fresh instance, one call of `volumes.extend`, and away with it.
    ///
    /// # Errors
    /// A trap, or the driver's failure.
    pub async fn extend(
        &self,
        context: &types::Context,
        volume: &types::Volume,
        new_size: u64,
    ) -> anyhow::Result<()> {
        let state = State {
            table: ResourceTable::new(),
            wasi: WasiCtx::builder().build(),
            http: WasiHttpCtx::new(),
            hooks: Refuse,
        };
        let mut store = Store::new(&self.engine, state);
        let driver = self
            .pre
            .instantiate_async(&mut store)
            .await
            .map_err(|e| anyhow!("{e:#}"))?;
        driver
            .springform_driver_volumes()
            .call_extend(&mut store, context, volume, new_size)
            .await
            .map_err(|e| anyhow!("{e:#}"))?
            .map_err(|_| anyhow!("the driver refused"))
            .context("extend a volume")
    }
}

/// The arguments of every call of the benchmark, as this binding spells them.
#[must_use]
pub fn arguments() -> (types::Context, types::Volume) {
    let id = "5b1c3f0a-9e1b-4a55-8a6f-2f1d2c3b4a5d";
    let context = types::Context {
        operation_id: "6f7f2a4e-5d0b-4f7c-9a52-0c2f4f9b3c11".into(),
        backend: "pure1".into(),
        options: Vec::new(),
        targets: vec![types::Target {
            name: "array-a".into(),
            primary: true,
            kind: None,
            options: Vec::new(),
            reachable: true,
            extensions: Vec::new(),
        }],
        state: Vec::new(),
        cursor: Vec::new(),
        deadline_ms: 30_000,
        now: 1_790_000_000_000,
        extensions: Vec::new(),
    };
    let placement = types::Placement {
        array_name: format!("volume-{id}-cinder"),
        target: "array-a".into(),
        serial: None,
        metadata: Vec::new(),
        replication: None,
        extensions: Vec::new(),
    };
    let volume = types::Volume {
        id: id.into(),
        name: format!("volume-{id}"),
        display_name: "bench".into(),
        project: "p".into(),
        size: 1 << 30,
        volume_type: None,
        group: None,
        placement: Some(placement),
        generation: 0,
        instances: Vec::new(),
        boot: false,
        extensions: Vec::new(),
    };
    (context, volume)
}
