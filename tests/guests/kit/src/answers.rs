//! The answers of a driver for which everything goes well.

use crate::identity::{CredentialScheme, Description, Feature, OptionSchema, OptionType};
use crate::replication::{FailoverPlan, Link, LinkState, Observation, Protection, RecoveryPoint, Role, VolumePlan};
use crate::types::{Context, Outcome, Placement, ReplicationKind, Volume};
use crate::volumes::{Manageable, Reference};

/// Describes a driver that replicates asynchronously, has no credential and takes any of the fixtures' options.
pub fn description(name: &str) -> Description {
    let option = |name: &str, default: Option<&str>| OptionSchema {
        name: name.to_owned(),
        kind: OptionType::Text,
        default: default.map(str::to_owned),
        required: false,
        secret: false,
        doc: String::new(),
    };
    Description {
        name: name.to_owned(),
        vendor: "Springform".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        summary: "Answers everything at once and touches no array.".to_owned(),
        replication: vec![ReplicationKind::Async],
        protocols: vec!["iSCSI".to_owned()],
        options: vec![option("behaviour", None), option("argument", None), option("bench", None)],
        target_options: Vec::new(),
        credentials: CredentialScheme::None,
        secret_option: None,
        target_secret_option: None,
        features: vec![
            Feature::Snapshots,
            Feature::Clones,
            Feature::Revert,
            Feature::Retype,
            Feature::Manage,
            Feature::Groups,
            Feature::GroupSnapshots,
            Feature::PlannedFailover,
            Feature::Drill,
            Feature::Failback,
            Feature::Reconcile,
        ],
        extensions: Vec::new(),
    }
}

/// The backend's option of that name, or nothing.
pub fn option<'a>(ctx: &'a Context, name: &str) -> &'a str {
    ctx.options.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
}

/// Name of the primary target.
pub fn primary(ctx: &Context) -> String {
    ctx.targets.iter().find(|t| t.primary).map(|t| t.name.clone()).unwrap_or_default()
}

/// Where the volume is: where it was, or on the primary under its own name.
pub fn placement(ctx: &Context, volume: &Volume) -> Placement {
    volume.placement.clone().unwrap_or_else(|| Placement {
        array_name: volume.name.clone(),
        target: primary(ctx),
        serial: None,
        metadata: Vec::new(),
        replication: volume.volume_type.as_ref().and_then(|t| t.replication.clone()),
        extensions: Vec::new(),
    })
}

/// The same volume served by another target.
pub fn moved(ctx: &Context, volume: &Volume, target: &str) -> Outcome {
    let mut place = placement(ctx, volume);
    target.clone_into(&mut place.target);
    Outcome { id: volume.id.clone(), result: Ok(place) }
}

/// The volume where it is.
pub fn unchanged(ctx: &Context, volume: &Volume) -> Outcome {
    Outcome { id: volume.id.clone(), result: Ok(placement(ctx, volume)) }
}

/// A recovery point that is as new as the call.
pub fn point(ctx: &Context) -> RecoveryPoint {
    RecoveryPoint { id: "newest".to_owned(), taken_at: ctx.now }
}

/// A plan whose points are newer than they were. The clock may stand still, the name counts on.
pub fn transferred(mut plan: FailoverPlan, volumes: &[Volume]) -> FailoverPlan {
    for planned in plan.volumes.iter_mut().filter(|p| volumes.iter().any(|v| v.id == p.volume_id)) {
        if let Some(point) = &mut planned.point {
            point.id = format!("{}+", point.id);
        }
    }
    plan
}

/// A volume in the best of health, linked to every other target.
pub fn observation(ctx: &Context, volume: &Volume) -> Observation {
    let serving = placement(ctx, volume).target;
    let links = ctx.targets.iter().filter(|t| t.name != serving).map(|t| Link {
        target: t.name.clone(),
        kind: ReplicationKind::Async,
        state: LinkState::Healthy,
        last_point: Some(point(ctx)),
        interval_seconds: Some(60),
        lag_bytes: Some(0),
        percent: None,
        detail: None,
    });
    Observation {
        volume_id: volume.id.clone(),
        role: Role::Primary,
        protection: Protection::Protected,
        links: links.collect(),
        stale_writable: Vec::new(),
        tests: Vec::new(),
        problems: Vec::new(),
        target: Some(serving),
    }
}

/// A plan that loses nothing.
pub fn volume_plan(ctx: &Context, volume: &Volume) -> VolumePlan {
    VolumePlan {
        volume_id: volume.id.clone(),
        source: Some(placement(ctx, volume).target),
        point: Some(point(ctx)),
        possible: true,
        reason: None,
        loss_seconds: Some(0),
        loss_bytes: Some(0),
        warnings: Vec::new(),
    }
}

fn reference(name: &str) -> Reference {
    Reference { keys: vec![("source-name".to_owned(), name.to_owned())] }
}

/// The name in a reference.
pub fn named(reference: &Reference) -> String {
    reference.keys.first().map(|(_, name)| name.clone()).unwrap_or_default()
}

fn existing(name: &str, gib: u64, unsafe_because: Option<&str>, source: Option<&str>) -> Manageable {
    Manageable {
        reference: reference(name),
        size: gib << 30,
        safe_to_manage: unsafe_because.is_none(),
        reason_not_safe: unsafe_because.map(str::to_owned),
        source: source.map(reference),
        extensions: Vec::new(),
    }
}

/// Volumes that were on the array before; they are always the same.
pub fn existing_volumes() -> Vec<Manageable> {
    vec![
        existing("legacy-2", 2, None, None),
        existing("legacy-1", 1, None, None),
        existing("shared", 3, Some("connected to a host"), None),
    ]
}

/// Snapshots that were there before.
pub fn existing_snapshots() -> Vec<Manageable> {
    vec![
        existing("legacy-1.before", 1, None, Some("legacy-1")),
        existing("legacy-2.before", 2, None, Some("legacy-2")),
    ]
}
