//! A pool that a volume may go to, as it is known now.

use std::collections::BTreeMap;
use std::sync::Arc;

use springform_model::cloud::Service;
use springform_model::contract::{Pool, Statistics, TargetHealth};

use crate::backend::BackendHandle;

/// One pool and the backend it is in.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Backend.
    pub backend: Arc<BackendHandle>,
    /// Its service.
    pub service: Service,
    /// Its statistics.
    pub statistics: Arc<Statistics>,
    /// The pool.
    pub pool: Pool,
    /// Abilities that its driver declares.
    pub features: Vec<String>,
    /// Vendor of its driver.
    pub vendor: String,
}

impl Candidate {
    /// `host@backend#pool`
    #[must_use]
    pub fn host(&self) -> String {
        format!("{}#{}", self.service.host, self.pool.name)
    }

    /// What extra specs are compared with.
    #[must_use]
    pub fn capabilities(&self) -> BTreeMap<String, String> {
        let stats = &self.statistics;
        let word = |flag: bool| if flag { "True" } else { "False" }.to_owned();
        let gib = |bytes: u64| (bytes >> 30).to_string();
        let mut all: BTreeMap<String, String> = stats.extensions.iter().cloned().collect();
        all.extend(self.pool.capabilities.iter().cloned());
        all.extend(
            [
                ("volume_backend_name", self.backend.name().to_owned()),
                ("vendor_name", stats.vendor.clone()),
                ("driver_version", stats.driver_version.clone()),
                ("storage_protocol", stats.protocol.clone()),
                ("pool_name", self.pool.name.clone()),
                ("replication_enabled", word(stats.replication_enabled)),
                ("replication_type", stats.replication_types.join(" ")),
                ("multiattach", word(self.pool.multiattach)),
                ("QoS_support", word(self.pool.qos)),
                ("thin_provisioning_support", word(self.pool.thin)),
                ("thick_provisioning_support", word(!self.pool.thin)),
                ("total_capacity_gb", gib(self.pool.total_bytes)),
                ("free_capacity_gb", gib(self.pool.free_bytes)),
                (
                    "consistent_group_snapshot_enabled",
                    word(self.has("groups") && self.has("group-snapshots")),
                ),
                (
                    "consistent_group_replication_enabled",
                    word(self.has("groups") && stats.replication_enabled),
                ),
                ("group_replication_enabled", word(stats.replication_enabled)),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        all
    }

    /// What the driver cannot do is not believed because its statistics claim it: abilities are those of its description.
    pub(super) fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|known| known == feature)
    }

    /// What is known of the array on which new volumes land.
    pub(super) fn landing(&self) -> Option<TargetHealth> {
        let target = match &self.service.active_target {
            Some(active) => active.clone(),
            None => self.backend.config().primary()?.name.clone(),
        };
        let mut known = self.service.targets.iter();
        known.find(|health| health.target == target).cloned()
    }

    pub(super) fn virtual_free(&self) -> u64 {
        room(&self.pool)
    }

    /// Takes the room for a volume; false: others were faster.
    pub(super) fn take(&self, volume: &str, bytes: u64) -> bool {
        let pools = &self.statistics.pools;
        let told = pools.iter().find(|pool| pool.name == self.pool.name);
        let room = told.map_or(0, room);
        let reservations = &self.backend.reservations;
        reservations.place(volume, &self.pool.name, bytes, room)
    }
}

/// Bytes that a pool may still be asked for.
fn room(pool: &Pool) -> u64 {
    let reserved = pool.total_bytes / 100 * u64::from(pool.reserved_percent.min(100));
    if !pool.thin {
        return pool.free_bytes.saturating_sub(reserved);
    }
    let ratio = u128::from(pool.max_over_subscription_permille.max(1000));
    let may = u128::from(pool.total_bytes.saturating_sub(reserved)) * ratio / 1000;
    u64::try_from(may)
        .unwrap_or(u64::MAX)
        .saturating_sub(pool.provisioned_bytes)
}
