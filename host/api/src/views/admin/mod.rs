//! Answers of the admin API. Records are taken apart member by member, so that one with a new member does not compile before
//! it was decided whether the member is shown.

mod audit;
mod backend;
mod description;
mod drill;
mod driver;
mod image;
mod operation;
mod outbox;
mod plan;
mod reload;
mod repair;
mod volume;
mod words;

pub use audit::{AuditEntries, AuditEntryView};
pub use backend::{BackendRecord, BackendView, Backends};
pub use description::DescriptionView;
pub use drill::{DrillBegun, DrillView, Drills};
pub use driver::{DriverView, Drivers, InspectedDriver, InstalledDriver};
pub use image::ImageView;
pub use operation::{Begun, CancelledOperation, OperationView, Operations};
pub use outbox::{Deliveries, DeliveryView};
pub use plan::PlanView;
pub use reload::ReloadReport;
pub use repair::RepairReport;
pub use volume::{RecoveryPointView, ReplicatedVolumeView, ReplicatedVolumes};

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod standing_tests;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
