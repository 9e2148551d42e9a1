//! Interface `backend`.

use springform_model::contract as model;

use super::record;
use crate::bindings::exports::springform::driver::backend as wit;

record!(lift wit::Change, model::Change { target, text });
record!(lift wit::SetupReport, model::SetupReport { state, changes, warnings });
record!(lift wit::TargetHealth, model::TargetHealth {
    target, reachable, array_id, array_name, api_version, array_version, problems,
});
record!(lift wit::Pool, model::Pool {
    name, total_bytes, free_bytes, provisioned_bytes, max_over_subscription_permille, reserved_percent, thin,
    multiattach, qos, capabilities,
});
record!(lift wit::Statistics, model::Statistics {
    vendor, driver_version, protocol, pools, replication_enabled, replication_types, replication_targets, extensions,
});
