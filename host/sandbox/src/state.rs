//! What the store of one call holds: the guest's view of the host, and the accounts that limit it.

use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::broker::Egress;
use crate::limiter::Limiter;
use crate::limits::Limits;
use crate::output::Output;

/// Data of one call's store.
pub struct CallState {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
    egress: Egress,
    /// The account of memory, tables and instances.
    pub limiter: Limiter,
    /// The log.
    pub output: Output,
    /// The deadline has passed while the guest was running.
    pub timed_out: bool,
}

/// A store for one call. It is used once and thrown away, whatever comes of it.
#[must_use]
pub fn store(
    engine: &Engine,
    limits: &Limits,
    output: Output,
    egress: Egress,
    deadline: Instant,
) -> Store<CallState> {
    let wasi = WasiCtx::builder()
        .stdout(output.stream("stdout"))
        .stderr(output.stream(crate::output::ERROR))
        .max_random_size(64 << 10)
        .allow_tcp(false)
        .allow_udp(false)
        .build();
    let mut table = ResourceTable::new();
    table.set_max_capacity(limits.handles);
    let state = CallState {
        wasi,
        http: WasiHttpCtx::new(),
        table,
        egress,
        limiter: Limiter::new(limits),
        output,
        timed_out: false,
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |mut store| {
        if Instant::now() < deadline {
            return Ok(UpdateDeadline::Yield(1));
        }
        store.data_mut().timed_out = true;
        Err(wasmtime::Error::msg("the deadline of the call has passed"))
    });
    store
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl WasiHttpView for CallState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView {
            ctx: &mut self.http,
            table: &mut self.table,
            hooks: &mut self.egress,
        }
    }
}
