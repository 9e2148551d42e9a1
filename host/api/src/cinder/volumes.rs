//! Volumes: create, list, show, change, delete, summary.

use serde_json::Value;
use springform_control::query::Query;
use springform_control::scheduler::Hints;
use springform_control::volumes::{CreateVolume, UpdateVolume};
use springform_model::cloud::Volume;

use super::collection::asked;
use super::listing::{Kind, Known, listed};
use crate::http::{Answer, ApiError, Call, Fields, Keys, Page, Routes, empty, json};
use crate::views::{AnswerTo, Many, One, Reader, VolumeBrief, VolumeSummary, VolumeView};

/// Filters of the lists.
const KNOWN: &[Known] = &[
    ("id", "id", Kind::Text),
    ("name", "name", Kind::Text),
    ("display_name", "name", Kind::Text),
    ("display_description", "description", Kind::Text),
    ("status", "status", Kind::Text),
    ("size", "size", Kind::Number),
    ("host", "host", Kind::Host),
    ("group_id", "group_id", Kind::Text),
    ("availability_zone", "availability_zone", Kind::Text),
    ("volume_type_id", "type_id", Kind::Text),
    ("replication_status", "replication_status", Kind::Text),
    ("migration_status", "migration_status", Kind::TextOrNone),
    ("snapshot_id", "snapshot_id", Kind::Text),
    ("source_volid", "source_volid", Kind::Text),
    ("user_id", "user_id", Kind::Text),
    ("bootable", "bootable", Kind::Truth),
    ("multiattach", "multiattach", Kind::Truth),
    ("consumes_quota", "consumes_quota", Kind::Truth),
    ("use_quota", "consumes_quota", Kind::Truth),
];

const KEYS: &[&str] = &[
    "id",
    "status",
    "size",
    "availability_zone",
    "name",
    "bootable",
    "host",
    "created_at",
    "updated_at",
];

const ASKS: &[&str] = &[
    "limit",
    "marker",
    "offset",
    "sort",
    "sort_key",
    "sort_dir",
    "all_tenants",
    "project_id",
    "with_count",
    "name",
    "status",
    "size",
    "host",
    "group_id",
    "availability_zone",
    "volume_type_id",
    "bootable",
    "metadata",
    "glance_metadata",
];

/// Cinder's sentence for a wish that a type has to carry.
const MULTIATTACH: &str = "multiattach parameter has been removed. The default behavior is to use multiattach enabled \
    volume types. Contact your administrator to create a multiattach enabled volume type and use it to create \
    multiattach volumes.";

pub(super) fn routes(r: &mut Routes) {
    r.get("/volumes", "volume:get_all", list)
        .asks(ASKS)
        .says("Lists volumes by name.")
        .returns::<Many<VolumeBrief<'_>>>(200);
    r.get("/volumes/detail", "volume:get_all", detail)
        .asks(ASKS)
        .says("Lists volumes in detail.")
        .returns::<Many<VolumeView<'_>>>(200);
    r.get("/volumes/summary", "volume:get_all", summary)
        .asks(&["all_tenants"])
        .says("Counts volumes and their size (from 3.12).")
        .returns::<One<VolumeSummary>>(200);
    r.post("/volumes", "volume:create", create)
        .says("Makes a volume.")
        .takes(
            "{volume:{size?:size?, name?:short?, description?:short?, volume_type?:name?, availability_zone?:name?, \
            metadata?:map?, snapshot_id?:id?, source_volid?:id?, group_id?:id?, imageRef?:id?, multiattach?:bool?}, \
            OS-SCH-HNT:scheduler_hints?:object?}",
        )
        .returns::<One<VolumeView<'_>>>(202);
    r.get("/volumes/{volume_id}", "volume:get", show)
        .says("Shows a volume.")
        .returns::<One<VolumeView<'_>>>(200);
    r.put("/volumes/{volume_id}", "volume:update", update)
        .says("Changes name, description or metadata.")
        .takes("{volume:{name?:short?, description?:short?, metadata?:map?}}")
        .returns::<One<VolumeView<'_>>>(200);
    r.delete("/volumes/{volume_id}", "volume:delete", delete)
        .asks(&["cascade", "force"])
        .says("Deletes a volume.")
        .ends(202);
}

pub(super) fn one(call: &Call, status: u16, volume: &Volume, to: AnswerTo) -> Answer {
    json(status, &One(VolumeView::new(volume, &Reader::of(call), to)))
}

async fn read(call: &Call) -> Result<(Vec<Volume>, Page, Option<u64>), ApiError> {
    let maps = [
        ("metadata", "metadata"),
        ("glance_metadata", "image_metadata"),
    ];
    let asked = asked(call, KNOWN, KEYS, &maps)?;
    let count = asked.count::<Volume>(call).await?;
    if asked.page.rows() == 0 && asked.page.marker.is_none() {
        return Ok((Vec::new(), asked.page, count));
    }
    let volumes = call.control().volumes();
    let found = volumes.list(&call.caller, asked.query, asked.all).await?;
    Ok((found, asked.page, count))
}

async fn list(call: Call) -> Answer {
    let (found, page, count) = read(&call).await?;
    let reader = Reader::of(&call);
    let view = |volume| VolumeBrief::new(volume, &reader);
    let last = found.last().map(|last| last.id.as_str());
    listed(&call, &page, &found, view, last, count)
}

async fn detail(call: Call) -> Answer {
    let (found, page, count) = read(&call).await?;
    let reader = Reader::of(&call);
    let view = |volume| VolumeView::new(volume, &reader, AnswerTo::Show);
    let last = found.last().map(|last| last.id.as_str());
    listed(&call, &page, &found, view, last, count)
}

async fn summary(call: Call) -> Answer {
    call.since(12)?;
    let all = call.all_tenants()?;
    let volumes = call.control().volumes();
    let (count, size) = volumes.summary(&call.caller, Query::new(), all).await?;
    let values = match call.version.has(36) {
        true => Some(
            volumes
                .metadata_values(&call.caller, Query::new(), all)
                .await?,
        ),
        false => None,
    };
    let summary = VolumeSummary {
        metadata: values,
        total_count: count,
        total_size: size,
    };
    json(200, &One(summary))
}

async fn create(call: Call) -> Answer {
    let mut body = call.fields()?;
    let mut fields = body.object("volume")?;
    let hints = hints(&mut body)?;
    body.finish()?;
    let image = fields.text("imageRef", 0..=255)?;
    // The other word counts where it is there, even as null.
    let image_id = match fields.contains("image_id") {
        true => fields.text("image_id", 0..=255)?,
        false => image,
    };
    let absent = none_there(&call, &mut fields);
    let display_name = fields.trimmed("display_name")?;
    let display_description = fields.trimmed("display_description")?;
    let wanted = CreateVolume {
        size: fields
            .integer("size", 1..=0x7fff_ffff)?
            .map_or(0, i64::unsigned_abs),
        name: fields.trimmed("name")?.or(display_name),
        description: fields.trimmed("description")?.or(display_description),
        volume_type: fields
            .text("volume_type", 0..=255)?
            .filter(|name| !name.is_empty()),
        availability_zone: fields.text("availability_zone", 1..=255)?,
        metadata: fields
            .pairs_or_null("metadata", Keys::Words)?
            .unwrap_or_default(),
        snapshot_id: fields.uuid("snapshot_id")?,
        source_volid: fields.uuid("source_volid")?,
        image_id,
        group_id: fields.text("group_id", 0..=255)?,
        hints,
    };
    if fields.boolean("multiattach")? == Some(true) {
        return Err(ApiError::invalid(MULTIATTACH));
    }
    // From 3.53 on nothing is taken that means nothing; old clients send more than counts.
    if call.version.has(53) {
        fields.finish()?;
    }
    // Cinder looks for things only after it has read all of the body.
    absent?;
    let made = call
        .control()
        .volumes()
        .create(&call.caller, wanted)
        .await?;
    one(&call, 202, &made, AnswerTo::Create)
}

/// Refuses what is to be made of a backup or in a consistency group, and in a group that a client too old to know groups
/// names by something else than a text: there is no such thing.
fn none_there(call: &Call, fields: &mut Fields) -> Result<(), ApiError> {
    // All of them are taken before any is looked for: what is left over would be refused as unknown.
    let consistency_group = fields.uuid("consistencygroup_id");
    let backup = match call.version.has(47) {
        true => fields.uuid("backup_id").map(|id| id.map(Value::String)),
        false => Ok(fields.take("backup_id").filter(|id| !says_nothing(id))),
    };
    let mut group = fields.take("group_id").filter(|group| !group.is_null());
    let nameable = |group: &mut Value| match group {
        Value::Number(_) | Value::Bool(_) => call.version.has(13),
        Value::String(text) => call.version.has(13) || text.chars().count() <= 255,
        _ => true,
    };
    if let Some(named) = group.take_if(nameable) {
        fields.put("group_id", named);
    }
    let named = [
        ("Group", consistency_group?.map(Value::String)),
        ("Group", group),
        ("Backup", backup?),
    ];
    for (what, id) in named {
        if let Some(id) = id {
            let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            return Err(ApiError::not_found(format!(
                "{what} {id} could not be found."
            )));
        }
    }
    Ok(())
}

/// Whether Cinder takes a value of any type for one that is not there.
fn says_nothing(id: &Value) -> bool {
    match id {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        other => other.as_f64() == Some(0.0),
    }
}

/// What the creator says of where it shall be. Hints that no filter of Cinder's knows are taken and ignored, as there.
fn hints(body: &mut Fields) -> Result<Hints, ApiError> {
    let name = "OS-SCH-HNT:scheduler_hints";
    let mut hints = body.object_or_empty(name)?;
    let query = hints.take("query");
    if query.is_some_and(|query| !query.is_string() && !query.is_object()) {
        return Err(ApiError::invalid(
            "Invalid input for field/attribute query. It is not of type 'string', 'object'",
        ));
    }
    Ok(Hints {
        different_host: hints.uuids("different_host")?,
        same_host: hints.uuids("same_host")?,
        local_to_instance: hints.uuid("local_to_instance")?,
    })
}

async fn show(call: Call) -> Answer {
    let found = call
        .control()
        .volumes()
        .get(&call.caller, call.part("volume_id"))
        .await?;
    one(&call, 200, &found, AnswerTo::Show)
}

async fn update(call: Call) -> Answer {
    let mut fields = call.object("volume")?;
    if call.version.has(53) && fields.is_empty() {
        return Err(ApiError::invalid(
            "Invalid input for field/attribute volume. Value: {}. {} does not have enough properties",
        ));
    }
    let (old_name, old_description) = (
        fields.change_trimmed("display_name")?,
        fields.change_trimmed("display_description")?,
    );
    let name = fields.change_trimmed("name")?.or(old_name);
    let description = fields.change_trimmed("description")?.or(old_description);
    let metadata = fields.pairs("metadata", Keys::Words)?;
    fields.finish()?;
    let wanted = UpdateVolume {
        name,
        description,
        metadata,
        ..UpdateVolume::default()
    };
    let changed = call
        .control()
        .volumes()
        .update(&call.caller, call.part("volume_id"), wanted)
        .await?;
    one(&call, 200, &changed, AnswerTo::Update)
}

async fn delete(call: Call) -> Answer {
    let cascade = call.query.flag("cascade")?;
    let force = call.version.has(23) && call.query.flag("force")?;
    call.control()
        .volumes()
        .delete(&call.caller, call.part("volume_id"), cascade, force)
        .await?;
    empty(202)
}
