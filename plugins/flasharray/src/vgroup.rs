//! Volume groups: a type may put its volumes into one, whose limits hold for all of them together. The group comes with its
//! first volume and goes with its last one.

use serde_json::{Value, json};
use springform_sdk::fail::failure;
use springform_sdk::http::Method;
use springform_sdk::types::{Failure, FailureCode, Volume};

use crate::array::{Answer, Array, ArrayError, flag, number};
use crate::query::Query;
use crate::volume::read;
use crate::{layout, limits, names, pgroup};

/// The resource.
const PATH: &str = "/volume-groups";

/// A volume group as types ask for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Vgroup {
    /// Its name on the array.
    pub name: String,
    /// For all of its volumes together.
    limits: Value,
}

impl Vgroup {
    /// What a volume's type asks for.
    ///
    /// # Errors
    /// `invalid-argument`, when it asks for what no array has.
    pub fn of(volume: &Volume) -> Result<Option<Self>, Failure> {
        let specs = volume.volume_type.iter().flat_map(|t| &t.specs);
        let spec = |wanted: &str| {
            let mut named = specs.clone().filter(|(key, _)| key == wanted);
            named.next().map(|(_, value)| value.as_str())
        };
        let Some(name) = spec("flasharray:vg_name").filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        if layout::wants_pod(layout::wanted(volume)) {
            return Err(failure(
                FailureCode::InvalidArgument,
                "a volume that replicates synchronously cannot be in a volume group; take flasharray:vg_name or the replication out of the type",
            ));
        }
        let iops = limit("flasharray:vg_maxIOPS", &spec, limits::IOPS)?;
        let bandwidth = limit("flasharray:vg_maxBWS", &spec, limits::BANDWIDTH)?;
        Ok(Some(Self {
            name: names::vgroup(name),
            limits: limits::of(iops, bandwidth),
        }))
    }

    /// The group that a volume of this name is in: with the limits of the volume's type, if that asks for it.
    #[must_use]
    pub fn around(volume: &Volume, name: &str) -> Option<Self> {
        let group = names::vgroup_of(name)?;
        let asked = Self::of(volume).ok().flatten();
        Some(asked.filter(|asked| asked.name == group).unwrap_or(Self {
            name: group.to_owned(),
            limits: limits::of(None, None),
        }))
    }

    /// Makes the group, or gives the one that is there these limits.
    ///
    /// # Errors
    /// When the array does neither.
    pub fn ensure(&self, on: &Array<'_>) -> Result<(), Failure> {
        let query = Query::new().name(&self.name);
        let body = json!({ "qos": self.limits });
        let refused = match on.send(Method::Post, PATH, &query, Some(&body)) {
            Ok(_) => return Ok(()),
            Err(ArrayError::Failed(failure)) => return Err(failure),
            Err(refused @ ArrayError::Refused { .. }) => refused,
        };
        match on.send(Method::Patch, PATH, &query, Some(&body)) {
            Ok(_) => return Ok(()),
            Err(ArrayError::Failed(failure)) => return Err(failure),
            Err(ArrayError::Refused { .. }) => {}
        }
        let found = on.find(PATH, &query).map_err(pgroup::unexpected)?;
        if !found.iter().any(|group| flag(group, "/destroyed")) {
            return Err(refused.into_failure(
                FailureCode::Exhausted,
                "the array does not make the volume group (its name, its limits, number of groups)",
            ));
        }
        // Eradicating it would take volumes along that were deleted and can still be recovered.
        let sentence = "the destroyed volume group cannot be recovered";
        for body in [&json!({ "destroyed": false }), &body] {
            pgroup::must(on.send(Method::Patch, PATH, &query, Some(body)), sentence)?;
        }
        Ok(())
    }
}

/// Makes a volume, in its group where its type asks for one.
///
/// # Errors
/// Those of the making.
pub fn fill(
    group: Option<&Vgroup>,
    on: &Array<'_>,
    name: &str,
    make: &dyn Fn() -> Answer<Vec<Value>>,
) -> Answer<Vec<Value>> {
    let Some(group) = group else {
        return make();
    };
    group.ensure(on).map_err(ArrayError::Failed)?;
    let made = make();
    if matches!(made, Err(ArrayError::Refused { .. }))
        && !is_live(on, name).map_err(ArrayError::Failed)?
    {
        // Its last volume may have been deleted in between, and the group with it.
        group.ensure(on).map_err(ArrayError::Failed)?;
        return make();
    }
    made
}

/// Makes the groups of these volumes on an array to which they move; each once.
///
/// # Errors
/// When one cannot be made.
pub fn ensure_all<'v>(
    on: &Array<'_>,
    moved: impl Iterator<Item = (&'v Volume, &'v String)>,
) -> Result<(), Failure> {
    let mut made: Vec<Vgroup> = Vec::new();
    for group in moved.filter_map(|(volume, name)| Vgroup::around(volume, name)) {
        if made.iter().all(|known| known.name != group.name) {
            group.ensure(on)?;
            made.push(group);
        }
    }
    Ok(())
}

/// Moves a volume into a group, or out of any. Gives back its name there.
///
/// # Errors
/// `not-found`, when the volume is neither here nor there.
pub fn carry(on: &Array<'_>, from: &str, to: Option<&str>) -> Result<String, Failure> {
    let there = names::in_vgroup(to, names::base(from));
    let body = json!({ "volume_group": { "name": to.unwrap_or_default() } });
    let query = Query::new().name(from);
    match on.send(Method::Patch, "/volumes", &query, Some(&body)) {
        Ok(_) => Ok(there),
        Err(ArrayError::Failed(failure)) => Err(failure),
        Err(refused @ ArrayError::Refused { .. }) => {
            if is_live(on, &there)? {
                return Ok(there);
            }
            let code = if is_live(on, from)? {
                FailureCode::FailedPrecondition
            } else {
                FailureCode::NotFound
            };
            let sentence = format!("the array does not move {from} to {there}");
            Err(refused.into_failure(code, &sentence))
        }
    }
}

/// A group goes when its last volume has left it. One that a volume has come to meanwhile stays.
///
/// # Errors
/// When the array cannot be asked.
pub fn tidy(on: &Array<'_>, group: &str, eradicate: bool) -> Result<(), Failure> {
    let query = Query::new().name(group);
    let found = on.find(PATH, &query).map_err(pgroup::unexpected)?;
    if !found.iter().any(|g| number(g, "/volume_count") == Some(0)) {
        return Ok(());
    }
    let body = json!({ "destroyed": true });
    let end = [
        Some((Method::Patch, Some(&body))),
        eradicate.then_some((Method::Delete, None)),
    ];
    for (method, body) in end.into_iter().flatten() {
        match on.send(method, PATH, &query, body) {
            Ok(_) | Err(ArrayError::Refused { .. }) => {}
            Err(ArrayError::Failed(failure)) => return Err(failure),
        }
    }
    Ok(())
}

/// Whether a volume is there and not destroyed.
///
/// # Errors
/// When the array cannot be asked.
pub fn is_live(on: &Array<'_>, name: &str) -> Result<bool, Failure> {
    Ok(read(on, name)?.is_some_and(|v| !flag(&v, "/destroyed")))
}

fn limit<'s>(
    key: &str,
    spec: &dyn Fn(&str) -> Option<&'s str>,
    (least, most): (u64, u64),
) -> Result<Option<u64>, Failure> {
    let Some(text) = spec(key).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(limit) if (least..=most).contains(&limit) => Ok(Some(limit)),
        _ => Err(failure(
            FailureCode::InvalidArgument,
            format!(
                "{key} of the volume's type is {text}; it must be a number from {least} to {most}"
            ),
        )),
    }
}
