//! Interface `replication`.

use springform_model::contract as model;

use super::{Convert, record, variant};
use crate::bindings::exports::springform::driver::replication as wit;

variant!(lift wit::Role, model::Role { Primary, Secondary, Both, SplitBrain, Unknown });
variant!(lift wit::LinkState, model::LinkState { Healthy, Degraded, Paused, Down, Resyncing, Unknown });
variant!(lift wit::Protection, model::Protection {
    Unprotected, Initialising, Protected, RpoExceeded, TestActive, Unknown,
});
variant!(both wit::FailoverMode, model::FailoverMode { Planned, Unplanned });
record!(both wit::RecoveryPoint, model::RecoveryPoint { id, taken_at });
record!(lift wit::Link, model::Link { target, kind, state, last_point, interval_seconds, lag_bytes, percent, detail });
record!(lift wit::Observation, model::Observation {
    volume_id, target, role, protection, links, stale_writable, tests, problems,
});
record!(lower wit::PlanRequest, model::PlanRequest { volumes, to, mode, point });
record!(both wit::VolumePlan, model::VolumePlan {
    volume_id, source, point, possible, reason, loss_seconds, loss_bytes, warnings,
});
record!(both wit::FailoverPlan, model::FailoverPlan { target, mode, volumes, interrupts, token });
record!(lift wit::TestCopy, model::TestCopy { volume_id, result, point });

impl Convert<model::SetupReport> for wit::ReconcileReport {
    fn convert(self) -> model::SetupReport {
        let Self {
            state,
            changes,
            warnings,
        } = self;
        model::SetupReport {
            state,
            changes: changes.convert(),
            warnings,
        }
    }
}
