//! Interface `groups`.

use springform_model::contract as model;

use super::record;
use crate::bindings::exports::springform::driver::groups as wit;

record!(lower wit::Group, model::GroupSpec { id, name, project, replication, target, array_name, extensions });
record!(lift wit::SnapshotOutcome, model::SnapshotOutcome { id, result });
