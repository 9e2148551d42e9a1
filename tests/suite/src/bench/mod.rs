//! Measurements of the whole host: how soon it is ready, what it adds to the array's own time, how fast its API is.

pub mod api;
pub mod baseline;
pub mod create;
pub mod failover;
pub mod mix;
mod place;
pub mod start;

/// The value that a share of the samples does not exceed; `quantile` from 0 to 1. Zero without samples.
#[must_use]
pub fn quantile(samples: &mut [f64], quantile: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let last = samples.len().saturating_sub(1);
    let index = (last as f64 * quantile).round() as usize;
    samples.get(index).copied().unwrap_or_default()
}
