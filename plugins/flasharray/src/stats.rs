//! Capacity and capabilities, in two requests however many volumes there are.

use springform_sdk::http::Method;
use springform_sdk::interfaces::backend::{Pool, Statistics};
use springform_sdk::types::{Context, Failure, ReplicationKind};

use crate::array::{Array, number};
use crate::arrays::Arrays;
use crate::options::Options;
use crate::pgroup;
use crate::query::Query;

/// Reads the statistics of the array where new volumes land.
///
/// # Errors
/// When it cannot be asked.
pub fn read(
    context: &Context,
    arrays: &Arrays<'_>,
    options: &Options<'_>,
) -> Result<Statistics, Failure> {
    let on = arrays.landing()?;
    let targets: Vec<_> = arrays
        .others(on.name())
        .map(|a| a.name().to_owned())
        .collect();
    Ok(Statistics {
        vendor: "Pure Storage".to_owned(),
        driver_version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: options.protocol().capability().to_owned(),
        pools: vec![pool(context, &on, options)?],
        replication_enabled: !targets.is_empty(),
        replication_types: types(arrays, options, targets.is_empty()),
        replication_targets: targets,
        extensions: Vec::new(),
    })
}

/// What the scheduler may match a type against: what is configured, of what the driver can do.
fn types(arrays: &Arrays<'_>, options: &Options<'_>, alone: bool) -> Vec<String> {
    if alone {
        return Vec::new();
    }
    let stretched = arrays.stretched().len() > 1;
    let third = arrays.beyond_the_pod().next().is_some();
    let has = |kind: &&ReplicationKind| match kind {
        ReplicationKind::Async => true,
        ReplicationKind::TriSync => stretched && third,
        _ => stretched,
    };
    let word = |kind: &ReplicationKind| match kind {
        ReplicationKind::Async => "async".to_owned(),
        ReplicationKind::Sync => "sync".to_owned(),
        ReplicationKind::TriSync => "trisync".to_owned(),
        ReplicationKind::Other(other) => other.clone(),
    };
    let offered = options.layout().kind.offers();
    offered.iter().filter(has).map(word).collect()
}

fn pool(context: &Context, on: &Array<'_>, options: &Options<'_>) -> Result<Pool, Failure> {
    let space = on
        .send(Method::Get, "/arrays/space", &Query::new(), None)
        .map_err(pgroup::unexpected)?;
    let first = space.first();
    let read = |pointer: &str| first.and_then(|s| number(s, pointer));
    let total = read("/capacity").unwrap_or(0);
    let used = read("/space/total_physical").unwrap_or(0);
    let (configured, automatic) = options.over_subscription();
    let reduction = first
        .and_then(|s| s.pointer("/space/total_reduction"))
        .and_then(serde_json::Value::as_f64);
    let ratio = match reduction {
        // An array that is almost empty reports absurd ratios; Cinder's driver draws the line at 100.
        Some(reduction) if automatic && (1.0..100.0).contains(&reduction) => {
            (reduction * 1000.0) as u64
        }
        _ => configured,
    };
    Ok(Pool {
        name: context.backend.clone(),
        total_bytes: total,
        free_bytes: total.saturating_sub(used),
        provisioned_bytes: read("/space/total_provisioned")
            .or_else(|| read("/space/used_provisioned"))
            .unwrap_or(0),
        max_over_subscription_permille: ratio,
        reserved_percent: options.reserved(),
        thin: true,
        multiattach: true,
        qos: true,
        capabilities: [
            "consistencygroup_support",
            "consistent_group_snapshot_enabled",
            "consistent_group_replication_enabled",
        ]
        .map(|name| (name.to_owned(), "true".to_owned()))
        .to_vec(),
    })
}
