//! Taking over what exists on an array, and the lists of what could be: under the old paths and the new ones.

use serde_json::Value;
use springform_control::manageable::{Ask, SortBy, What};
use springform_control::snapshots::ManageSnapshot;
use springform_control::volumes::ManageVolume;

use super::services::host_in;
use super::{snapshots, volumes};
use crate::http::{Answer, ApiError, Call, Fields, Keys, Routes, json};
use crate::views::{
    AnswerTo, ManageableSnapshot, ManageableVolume, Many, One, SnapshotView, VolumeView,
};

/// Key of a reference that names an object and leaves it its name on the array.
const KEEP: &str = "keep-name";

const ASKS: &[&str] = &["host", "limit", "marker", "offset", "sort"];

/// A collection under one of its names: its path, the path of its details, and whether it came with 3.8.
type Name = (&'static str, &'static str, bool);

const OF_VOLUMES: [Name; 2] = [
    ("/manageable_volumes", "/manageable_volumes/detail", true),
    ("/os-volume-manage", "/os-volume-manage/detail", false),
];
const OF_SNAPSHOTS: [Name; 2] = [
    (
        "/manageable_snapshots",
        "/manageable_snapshots/detail",
        true,
    ),
    ("/os-snapshot-manage", "/os-snapshot-manage/detail", false),
];

pub(super) fn routes(r: &mut Routes) {
    for (path, details, new) in OF_VOLUMES {
        r.post(path, "volume_extension:volume_manage", move |call| {
            manage_volume(call, new)
        })
        .admin()
        .says("Takes over a volume that exists on an array. A `ref` of `keep-name` leaves it its name.")
        .takes(
            "{volume:{host?:name?, cluster?:name?, ref:object|text, name?:short?, description?:short?, volume_type?:name?, \
            availability_zone?:name?, metadata?:map?, bootable?:bool?}}",
        )
        .returns::<One<VolumeView<'_>>>(202);
        for (path, detail) in [(path, false), (details, true)] {
            r.get(path, "volume_extension:list_manageable", move |call| {
                list(call, What::Volumes, detail)
            })
            .admin()
            .asks(ASKS)
            .says("Lists volumes of a backend's array and whether they could be taken over (from 3.8).")
            .returns::<Many<ManageableVolume<'_>>>(200);
        }
    }
    for (path, details, new) in OF_SNAPSHOTS {
        r.post(path, "snapshot_extension:snapshot_manage", move |call| {
            manage_snapshot(call, new)
        })
        .admin()
        .says("Takes over a snapshot that exists on an array. A `ref` of `keep-name` leaves it its name.")
        .takes("{snapshot:{volume_id:id, ref:object|text, name?:short?, description?:short?, metadata?:map?}}")
        .returns::<One<SnapshotView<'_>>>(202);
        for (path, detail) in [(path, false), (details, true)] {
            r.get(path, "snapshot_extension:list_manageable", move |call| {
                list(call, What::Snapshots, detail)
            })
            .admin()
            .asks(ASKS)
            .says("Lists snapshots of a backend's array and whether they could be taken over (from 3.8).")
            .returns::<Many<ManageableSnapshot<'_>>>(200);
        }
    }
}

/// What the body says of the object on the array; null names nothing.
fn named(fields: &mut Fields) -> Result<Value, ApiError> {
    match fields.take("ref") {
        Some(named) if named.is_object() || named.is_string() || named.is_null() => Ok(named),
        Some(_) => Err(ApiError::invalid("Invalid input for field/attribute ref.")),
        None => Err(ApiError::invalid("'ref' is a required property")),
    }
}

/// A reference as the driver is told, and whether the name on the array stays.
fn reference(named: Value) -> Result<(Vec<(String, String)>, bool), ApiError> {
    let members = match named {
        Value::Object(members) => Fields::over(members).into_pairs("ref", Keys::Any)?,
        // A bare text is a name, as clients of old sent it.
        Value::String(name) => [("source-name".to_owned(), name)].into(),
        _ => return Err(ApiError::invalid("Invalid input for field/attribute ref.")),
    };
    let keep = members.contains_key(KEEP);
    let mut keys: Vec<(String, String)> = members
        .into_iter()
        .map(|(key, name)| match key.as_str() {
            KEEP => ("source-name".to_owned(), name),
            _ => (key, name),
        })
        .collect();
    keys.dedup_by(|a, b| a.0 == b.0);
    if keys.is_empty() || keys.iter().any(|(_, name)| name.is_empty()) {
        return Err(ApiError::invalid(
            "Invalid input for field/attribute ref. It names nothing.",
        ));
    }
    Ok((keys, keep))
}

async fn manage_volume(call: Call, new: bool) -> Answer {
    if new {
        call.since(8)?;
    }
    let mut fields = call.object("volume")?;
    if call.version.has(16) {
        no_cluster(&mut fields)?;
    }
    let (reference, keep_name) = reference(named(&mut fields)?)?;
    let wanted = ManageVolume {
        host: host_in(&mut fields)?.ok_or_else(no_host)?,
        reference,
        keep_name,
        name: fields.name()?,
        description: fields.description()?,
        volume_type: fields
            .text("volume_type", 0..=255)?
            .filter(|name| !name.is_empty()),
        availability_zone: fields
            .text("availability_zone", 0..=255)?
            .filter(|zone| !zone.is_empty()),
        metadata: fields
            .pairs_or_null("metadata", Keys::Words)?
            .unwrap_or_default(),
        // The openstack client says null where nothing was said.
        bootable: fields.boolean_or_null("bootable")?.unwrap_or(false),
    };
    fields.finish()?;
    if call.control().services().get(&wanted.host).await.is_err() {
        let host = &wanted.host;
        return Err(ApiError::invalid(format!("Host '{host}' not found")));
    }
    let known = call.control().volumes();
    let taken = known.manage(&call.caller, wanted).await?;
    volumes::one(&call, 202, &taken, AnswerTo::Manage)
}

async fn manage_snapshot(call: Call, new: bool) -> Answer {
    if new {
        call.since(8)?;
    }
    let mut fields = call.object("snapshot")?;
    let named = named(&mut fields)?;
    let mut wanted = ManageSnapshot {
        volume_id: fields.required_uuid("volume_id")?,
        reference: Vec::new(),
        keep_name: false,
        name: fields.name()?,
        description: fields.description()?,
        metadata: fields
            .pairs_or_null("metadata", Keys::Words)?
            .unwrap_or_default(),
    };
    fields.finish()?;
    let volumes = call.control().volumes();
    volumes.get(&call.caller, &wanted.volume_id).await?;
    (wanted.reference, wanted.keep_name) = reference(named)?;
    let known = call.control().snapshots();
    let taken = known.manage(&call.caller, wanted).await?;
    snapshots::one(&call, 202, &taken, AnswerTo::Manage)
}

fn no_host() -> ApiError {
    ApiError::invalid("Invalid input received: Host field is missing.")
}

fn no_cluster(fields: &mut Fields) -> Result<(), ApiError> {
    if fields.has("cluster") {
        return Err(ApiError::invalid(
            "Invalid input received: there are no clusters; name the host.",
        ));
    }
    fields.take("cluster");
    Ok(())
}

/// The marker: a reference as JSON, as the lists show it, or the bare name.
fn marker(text: &str) -> String {
    let read =
        serde_json::from_str(text).or_else(|_| serde_json::from_str(&text.replace('\'', "\"")));
    match read {
        Ok(Value::Object(members)) => {
            let named = members.get("source-name").or(members.values().next());
            named.and_then(Value::as_str).unwrap_or(text).to_owned()
        }
        _ => text.to_owned(),
    }
}

async fn list(call: Call, what: What, detail: bool) -> Answer {
    call.since(8)?;
    let asked = |name: &str| call.query.get(name).filter(|name| !name.is_empty());
    let host = match (asked("host"), asked("cluster")) {
        (Some(host), None) => host,
        (None, Some(cluster)) if call.version.has(17) => {
            return Err(ApiError::not_found(format!(
                "Cluster {cluster} could not be found: there are none; name the host."
            )));
        }
        (None, _) => {
            return Err(ApiError::invalid(
                "Invalid input received: host is required to list what could be managed.",
            ));
        }
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid(
                "Invalid input received: One and only one of cluster and host must be set.",
            ));
        }
    };
    let page = call.query.page(&["reference", "size"])?;
    let sort = page.sort.iter().map(|(key, ascending)| {
        let by = match key.as_str() {
            "size" => SortBy::Size,
            _ => SortBy::Reference,
        };
        (by, *ascending)
    });
    let ask = Ask {
        marker: page.marker.as_deref().map(marker),
        offset: usize::try_from(page.offset).unwrap_or(usize::MAX),
        limit: usize::try_from(page.rows()).unwrap_or(1000),
        sort: sort.collect(),
    };
    let found = call.control().manageable(host, what, &ask).await?;
    let to = if detail {
        AnswerTo::Show
    } else {
        AnswerTo::List
    };
    let found = found.iter();
    match what {
        What::Volumes => {
            let views = found.map(|entry| ManageableVolume::new(entry, to));
            json(200, &Many(views.collect()))
        }
        What::Snapshots => {
            let views = found.map(|entry| ManageableSnapshot::new(entry, to));
            json(200, &Many(views.collect()))
        }
    }
}
