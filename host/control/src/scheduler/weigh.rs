//! Which of the pools that fit is the best: Cinder's weighers, each normalised over the candidates and multiplied.

use super::Candidate;
use crate::config::{Weigher, Weighers};

/// The best; of equal ones the first.
pub(super) fn best(weighers: &Weighers, candidates: Vec<Candidate>) -> Option<Candidate> {
    let mut sums = vec![0.0; candidates.len()];
    for (weigher, multiplier) in &weighers.0 {
        let raw: Vec<f64> = candidates.iter().map(|one| weigh(*weigher, one)).collect();
        for (sum, share) in sums.iter_mut().zip(normalised(&raw)) {
            *sum += share * multiplier;
        }
    }
    let mut best: Option<(f64, Candidate)> = None;
    for (sum, candidate) in sums.into_iter().zip(candidates) {
        if best.as_ref().is_none_or(|(known, _)| sum > *known) {
            best = Some((sum, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

// Rounding in the last digits of a size decides nothing.
#[allow(clippy::cast_precision_loss)]
fn weigh(weigher: Weigher, candidate: &Candidate) -> f64 {
    match weigher {
        Weigher::Capacity => candidate.virtual_free() as f64,
        Weigher::Goodness => f64::from(candidate.backend.config().goodness),
    }
}

/// From 0 for the least to 1 for the most; all 0 where they are the same.
fn normalised(raw: &[f64]) -> Vec<f64> {
    let least = raw.iter().copied().fold(f64::INFINITY, f64::min);
    let most = raw.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let width = most - least;
    let share = |value: &f64| {
        if width > 0.0 {
            (value - least) / width
        } else {
            0.0
        }
    };
    raw.iter().map(share).collect()
}
