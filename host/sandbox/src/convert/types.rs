//! Interface `types`.

use springform_model::contract as model;

use super::{Convert, record, variant};
use crate::bindings::springform::driver::types as wit;

variant!(both wit::ReplicationKind, model::ReplicationKind { Async, Sync, TriSync });
record!(lower wit::Target, model::Target { name, primary, kind, options, reachable, extensions });
record!(lower wit::Context, model::Context {
    operation_id, backend, options, targets, state, cursor, deadline_ms, now, extensions,
});
record!(lift wit::Pending, model::Pending { waiting_for, percent, poll_after_ms, cursor });
variant!(both wit::FailureCode, model::FailureCode {
    NotFound, AlreadyExists, InvalidArgument, Unsupported, FailedPrecondition, Busy, Unavailable, Exhausted, Denied,
    Deadline, Protocol,
});
record!(lift wit::Failure, model::Failure { code, message, target, detail, extensions });
record!(lower wit::Qos, model::Qos { max_iops, max_bytes_per_second });
record!(lower wit::VolumeType, model::TypeSpec { id, name, replication, specs, qos });
record!(both wit::Placement, model::Placement { array_name, target, serial, metadata, replication, extensions });
record!(lower wit::Volume, model::VolumeSpec {
    id, name, display_name, project, size, volume_type, group, placement, generation, instances, boot, extensions,
});
record!(lower wit::Snapshot, model::SnapshotSpec { id, name, size, array_name, group_snapshot, extensions });
record!(lift wit::SnapshotPlacement, model::SnapshotPlacement { array_name, metadata, extensions });
record!(lift wit::Outcome, model::Outcome { id, result });

impl Convert<model::CallError> for wit::Error {
    fn convert(self) -> model::CallError {
        match self {
            Self::Pending(pending) => model::CallError::Pending(pending.convert()),
            Self::Failed(failure) => model::CallError::Failed(failure.convert()),
        }
    }
}
