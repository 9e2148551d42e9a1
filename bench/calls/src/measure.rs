//! One measurement: many calls by some callers, and what they cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use hdrhistogram::Histogram;
use tokio::time::Instant;

use crate::process;

/// Cost of one kind of call with a number of callers.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Microseconds.
    pub p50: f64,
    /// Microseconds.
    pub p99: f64,
    /// Calls a second.
    pub rate: f64,
    /// Microseconds of CPU for each call, over all processes that take part.
    pub cpu: f64,
}

/// Makes `calls` calls by `callers` tasks. `pids` are the processes whose CPU counts.
///
/// # Errors
/// The first call that fails.
pub async fn run<F, Fut>(
    callers: usize,
    calls: u64,
    pids: &[u32],
    call: F,
) -> anyhow::Result<Figures>
where
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = anyhow::Result<()>> + Send,
{
    // Warm: connections, code pages, allocator.
    for _ in 0..(calls / 20).clamp(16, 500) {
        call().await?;
    }
    let before = cpu(pids)?;
    let begun = Instant::now();
    let left = Arc::new(AtomicU64::new(calls));
    let mut tasks = Vec::new();
    for _ in 0..callers {
        let (call, left) = (call.clone(), left.clone());
        tasks.push(tokio::spawn(async move {
            let mut histogram = Histogram::<u64>::new(3)?;
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                .is_ok()
            {
                // A call that never waits would otherwise hold its thread until tokio takes it away in the middle of one,
                // and the others' time in the queue would be counted as that call's.
                tokio::task::yield_now().await;
                let start = Instant::now();
                call().await?;
                histogram.record(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX))?;
            }
            anyhow::Ok(histogram)
        }));
    }
    let mut all = Histogram::<u64>::new(3)?;
    for task in tasks {
        all.add(task.await.context("a caller died")??)?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let used = cpu(pids)? - before;
    let micros = |q| all.value_at_quantile(q) as f64 / 1000.0;
    Ok(Figures {
        p50: micros(0.5),
        p99: micros(0.99),
        rate: calls as f64 / seconds,
        cpu: used * 1e6 / calls as f64,
    })
}

fn cpu(pids: &[u32]) -> anyhow::Result<f64> {
    pids.iter().map(|pid| process::cpu_seconds(*pid)).sum()
}
