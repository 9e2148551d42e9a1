//! `[scheduler]`: which of the pools that fit is the best. Names follow Cinder's options.

use springform_control::scheduler::{Weigher, Weighers};

use super::section::Section;

/// `[scheduler]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SchedulerConfig {
    /// What pools are weighed by.
    pub weighers: Weighers,
}

impl SchedulerConfig {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let names = section.texts("weighers");
        let multipliers = [
            (
                Weigher::Capacity,
                section.decimal("capacity_weight_multiplier"),
            ),
            (
                Weigher::Goodness,
                section.decimal("goodness_weight_multiplier"),
            ),
        ];
        let multiplier = |wanted: Weigher| {
            let found = multipliers.iter().find(|(weigher, _)| *weigher == wanted);
            found.and_then(|(_, set)| *set).unwrap_or(1.0)
        };
        let weighers = match names {
            None => vec![(Weigher::Capacity, multiplier(Weigher::Capacity))],
            Some(names) => {
                let mut weighers = Vec::new();
                for name in names {
                    match Weigher::ALL.iter().find(|(known, _)| *known == name) {
                        Some((_, weigher)) => weighers.push((*weigher, multiplier(*weigher))),
                        None => section.report(
                            section.line,
                            format!("has the unknown weigher \"{name}\"; there are \"capacity\" and \"goodness\""),
                        ),
                    }
                }
                weighers
            }
        };
        section.finish();
        Self {
            weighers: Weighers(weighers),
        }
    }
}
