//! The engine: one for each process, because compiled code and its type indices must not mix.

use std::time::Duration;

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmFeatures,
};

use crate::config::{Allocation, SandboxConfig};
use crate::features::FEATURES;
use crate::shares::Shares;

/// How often a running guest is made to look at its deadline and to let others run.
pub const EPOCH: Duration = Duration::from_millis(10);

/// Stack of the fiber a guest runs on: its own stack and room for the host functions it calls.
const HOST_STACK_BYTES: usize = 512 << 10;

/// Builds the engine and starts its clock.
///
/// # Errors
/// When this machine cannot run it, or the clock's thread cannot be started.
pub fn build(config: &SandboxConfig) -> wasmtime::Result<Engine> {
    let mut wasm = settings(config.stack_bytes);
    match config.allocation {
        Allocation::OnDemand => wasm.allocation_strategy(InstanceAllocationStrategy::OnDemand),
        Allocation::Pooling => {
            wasm.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config)))
        }
    };
    let engine = Engine::new(&wasm)?;
    start_clock(&engine)?;
    Ok(engine)
}

/// An engine that compiles what [`build`]'s runs, and runs nothing. It has no pool: one takes more address space than a compiler is
/// given.
///
/// # Errors
/// When it cannot be made on this machine.
pub fn compiler(stack_bytes: usize) -> wasmtime::Result<Engine> {
    Engine::new(settings(stack_bytes).allocation_strategy(InstanceAllocationStrategy::OnDemand))
}

/// What compiled code depends on, and the same in both.
fn settings(stack_bytes: usize) -> Config {
    let mut wasm = Config::new();
    wasm.wasm_features(WasmFeatures::all().difference(FEATURES), false)
        .wasm_features(FEATURES, true)
        .epoch_interruption(true)
        // One call at a time uses an instance: the machinery for more would cost each call ten microseconds.
        .concurrency_support(false)
        // Names in a backtrace do not need it, and it is a sixth of what an installed driver holds in memory.
        .generate_address_map(false)
        // For debuggers only, and the system's unwinder would read all of it when a driver is loaded.
        .native_unwind_info(false)
        .max_wasm_stack(stack_bytes)
        .async_stack_size(stack_bytes.saturating_add(HOST_STACK_BYTES));
    wasm
}

/// Slots that stay warm while no call uses them, of all drivers together.
const WARM_SLOTS: u32 = 32;

/// Slots for every call that the shares let in. `keep_resident` pays only together with the page map scan.
fn pool(config: &SandboxConfig) -> PoolingAllocationConfig {
    let calls = Shares::total(config.max_concurrency, config.reserved_per_driver);
    let calls = u32::try_from(calls).unwrap_or(u32::MAX);
    let each = |count: usize| calls.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
    let limits = &config.limits;
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(calls)
        .total_core_instances(each(limits.core_instances))
        .total_memories(each(limits.memories))
        .total_tables(each(limits.tables))
        .total_stacks(calls)
        .max_core_instances_per_component(u32::try_from(limits.core_instances).unwrap_or(u32::MAX))
        .max_memories_per_component(u32::try_from(limits.memories).unwrap_or(u32::MAX))
        .max_tables_per_component(u32::try_from(limits.tables).unwrap_or(u32::MAX))
        .max_memory_size(limits.memory_bytes)
        .linear_memory_keep_resident(2 << 20)
        .table_keep_resident(64 << 10)
        // Slots that no call uses keep their pages for the next call of the same component. A component that is gone never
        // calls again, so many would hold the memory of drivers that were exchanged.
        .max_unused_warm_slots(WARM_SLOTS)
        .decommit_batch_size(16)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// A thread rather than a task: guests that spin on every worker would keep a task from being polled, and it is this
/// very clock that makes them yield. It ends with the engine.
fn start_clock(engine: &Engine) -> std::io::Result<()> {
    let weak = engine.weak();
    std::thread::Builder::new()
        .name("springform-epoch".to_owned())
        .spawn(move || {
            loop {
                std::thread::sleep(EPOCH);
                match weak.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
        })
        .map(drop)
}
