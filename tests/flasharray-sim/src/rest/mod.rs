//! The REST 2.x surface: requests in, answers out, no network.

mod arrays;
mod connections;
pub mod filter;
mod host_groups;
mod hosts;
mod inventory;
mod offloads;
pub mod page;
mod pgroup_members;
mod pgroup_targets;
mod pgroups;
mod pgsnaps;
mod pods;
pub mod query;
pub mod request;
mod router;
mod snapshots;
mod tags;
mod vgroups;
mod volumes;

pub use query::Query;
pub use request::{Reply, Request, Verb};
pub use router::{handle, login_path};

use serde_json::{Value, json};

use crate::core::array::Array;
use crate::core::error::{Refusals, Res};
use crate::core::key::{ArrayIx, Home};
use crate::core::volume::Qos;
use crate::core::world::World;

/// What a handler works with.
pub(crate) struct Cx<'a> {
    /// The world.
    pub world: &'a mut World,
    /// The array that was asked.
    pub ix: ArrayIx,
    /// The query.
    pub query: &'a Query,
    /// The body; null if there was none.
    pub body: &'a Value,
}

impl Cx<'_> {
    fn array(&self) -> Res<&Array> {
        self.world.array(self.ix)
    }

    fn page(&self) -> usize {
        self.world.settings.page
    }

    fn names(&self) -> Res<Vec<String>> {
        self.query.need("names")
    }

    /// Checks all names before acting on the first, so that a batch is done
    /// completely or not at all.
    fn batch<K>(
        &mut self,
        names: &[String],
        check: impl Fn(&World, ArrayIx, &str) -> Res<()>,
        mut act: impl FnMut(&mut World, ArrayIx, &str) -> Res<K>,
    ) -> Res<Vec<K>> {
        let mut refusals = Refusals::default();
        for name in names {
            refusals.note(check(self.world, self.ix, name));
        }
        refusals.finish()?;
        names
            .iter()
            .map(|name| act(self.world, self.ix, name))
            .collect()
    }
}

/// A reference to the pod an object is in; empty if in none.
fn pod_of(world: &World, home: Home) -> Value {
    match home {
        Home::Array(_) => json!({}),
        Home::Pod(key) => match world.pod(key) {
            Ok(pod) => json!({"id": pod.id, "name": pod.name}),
            Err(_) => json!({}),
        },
    }
}

/// Limits as the array shows them: what was never set is absent.
fn show_qos(qos: Qos) -> Value {
    let mut out = serde_json::Map::new();
    if let Some(limit) = qos.bandwidth_limit {
        out.insert("bandwidth_limit".into(), limit.into());
    }
    if let Some(limit) = qos.iops_limit {
        out.insert("iops_limit".into(), limit.into());
    }
    Value::Object(out)
}

fn read_qos(body: &Value) -> Res<Option<Qos>> {
    match body.get("qos") {
        None | Some(Value::Null) => Ok(None),
        Some(qos) => Ok(Some(Qos {
            iops_limit: request::number(qos, "iops_limit")?,
            bandwidth_limit: request::number(qos, "bandwidth_limit")?,
        })),
    }
}

/// Space of an object that holds `unique` of `provisioned` bytes.
fn show_space(provisioned: u64, unique: u64, snapshots: u64) -> Value {
    let thin = if provisioned == 0 {
        0.0
    } else {
        1.0 - (unique.min(provisioned) as f64 / provisioned as f64)
    };
    json!({
        "data_reduction": 1.0,
        "shared": 0,
        "snapshots": snapshots,
        "system": 0,
        "thin_provisioning": thin,
        "total_physical": unique + snapshots,
        "total_provisioned": provisioned,
        "total_reduction": 1.0,
        "total_used": unique + snapshots,
        "unique": unique,
        "used_provisioned": provisioned,
        "virtual": unique,
    })
}

/// Performance of something idle: all the numbers clients read, at rest.
fn idle_performance() -> serde_json::Map<String, Value> {
    [
        "bytes_per_mirrored_write",
        "bytes_per_op",
        "bytes_per_read",
        "bytes_per_write",
        "mirrored_write_bytes_per_sec",
        "mirrored_writes_per_sec",
        "others_per_sec",
        "qos_rate_limit_usec_per_mirrored_write_op",
        "qos_rate_limit_usec_per_read_op",
        "qos_rate_limit_usec_per_write_op",
        "queue_usec_per_mirrored_write_op",
        "queue_usec_per_read_op",
        "queue_usec_per_write_op",
        "read_bytes_per_sec",
        "reads_per_sec",
        "san_usec_per_mirrored_write_op",
        "san_usec_per_read_op",
        "san_usec_per_write_op",
        "service_usec_per_mirrored_write_op",
        "service_usec_per_read_op",
        "service_usec_per_write_op",
        "usec_per_mirrored_write_op",
        "usec_per_other_op",
        "usec_per_read_op",
        "usec_per_write_op",
        "write_bytes_per_sec",
        "writes_per_sec",
    ]
    .into_iter()
    .map(|field| (field.to_owned(), json!(0)))
    .collect()
}
