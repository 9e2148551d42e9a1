//! Limits of one volume. One in a volume group has none of its own: the group's hold for all of its volumes together.

use serde_json::{Value, json};
use springform_sdk::http::Method;
use springform_sdk::types::{Failure, Qos, Volume};

use crate::array::{Answer, Array, number};
use crate::pgroup;
use crate::query::Query;
use crate::vgroup::Vgroup;

/// Fewest and most operations in a second that an array can be told; the most is no limit.
pub const IOPS: (u64, u64) = (100, 100_000_000);

/// The same of bytes.
pub const BANDWIDTH: (u64, u64) = (1_048_576, 549_755_813_888);

/// Limits as an array is told them; no number is no limit.
#[must_use]
pub fn of(iops: Option<u64>, bandwidth: Option<u64>) -> Value {
    let within = |limit: Option<u64>, (least, most)| limit.unwrap_or(most).clamp(least, most);
    json!({
        "iops_limit": within(iops, IOPS),
        "bandwidth_limit": within(bandwidth, BANDWIDTH),
    })
}

/// What a volume's type asks for, of the volume itself.
#[must_use]
pub fn wanted(volume: &Volume) -> Option<Value> {
    let Qos {
        max_iops,
        max_bytes_per_second,
    } = volume.volume_type.as_ref()?.qos;
    let any = max_iops.is_some() || max_bytes_per_second.is_some();
    let alone = matches!(Vgroup::of(volume), Ok(None));
    (any && alone).then(|| of(max_iops, max_bytes_per_second))
}

/// Whether a volume has limits on its array.
#[must_use]
pub fn are_set(found: &Value) -> bool {
    limited(
        number(found, "/qos/iops_limit"),
        number(found, "/qos/bandwidth_limit"),
    )
}

/// Whether what an array says of a volume is a limit.
#[must_use]
pub fn limited(iops: Option<u64>, bandwidth: Option<u64>) -> bool {
    iops.is_some_and(|limit| limit < IOPS.1) || bandwidth.is_some_and(|limit| limit < BANDWIDTH.1)
}

/// What an array must be told so that a volume has the limits of its type; none where it has them.
#[must_use]
pub fn missing(found: &Value, volume: &Volume) -> Option<Value> {
    let Some(wanted) = wanted(volume) else {
        return are_set(found).then(|| of(None, None));
    };
    let has = |key: &str, most| {
        let set = number(found, &format!("/qos/{key}")).unwrap_or(most);
        number(&wanted, &format!("/{key}")) == Some(set)
    };
    let all = has("iops_limit", IOPS.1) && has("bandwidth_limit", BANDWIDTH.1);
    (!all).then_some(wanted)
}

/// Gives volumes these limits, in one request.
///
/// # Errors
/// When the array does not take them.
pub fn give(on: &Array<'_>, names: &[String], limits: &Value) -> Answer<()> {
    let body = json!({ "qos": limits });
    let query = Query::new().list("names", names);
    on.send(Method::Patch, "/volumes", &query, Some(&body))
        .map(drop)
}

/// Gives a volume the limits of its type, under the name it has now: limits that go to an old one are lost.
///
/// # Errors
/// When the array does not take them.
pub fn change(
    on: &Array<'_>,
    name: &str,
    limited: bool,
    wanted: Option<Value>,
) -> Result<(), Failure> {
    if !limited && wanted.is_none() {
        return Ok(());
    }
    let body = json!({ "qos": wanted.unwrap_or_else(|| of(None, None)) });
    let query = Query::new().name(name);
    pgroup::must(
        on.send(Method::Patch, "/volumes", &query, Some(&body)),
        "the array does not take the limits of the volume's type",
    )
    .map(drop)
}
