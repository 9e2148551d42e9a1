//! Generic groups (3.13): lists, one, made, changed.

use serde_json::Value;
use springform_control::groups::{CreateGroup, GroupSource, UpdateGroup};
use springform_model::cloud::Group;

use super::listing::{Kind, Known, listed, query};
use crate::http::{Answer, ApiError, Call, Fields, Routes, empty, json};
use crate::views::{GroupBrief, GroupView, Many, One, Reader};

const KNOWN: &[Known] = &[
    ("id", "id", Kind::Text),
    ("project_id", "project_id", Kind::Text),
    ("name", "name", Kind::Text),
    ("description", "description", Kind::Text),
    ("host", "host", Kind::Host),
    ("group_type_id", "group_type_id", Kind::Text),
    ("status", "status", Kind::Text),
    ("group_type", "group_type_id", Kind::Text),
    ("availability_zone", "availability_zone", Kind::Text),
    ("source_group_id", "source_group_id", Kind::Text),
    ("group_snapshot_id", "group_snapshot_id", Kind::Text),
    ("replication_status", "replication_status", Kind::Text),
];
const KEYS: &[&str] = &[
    "id",
    "status",
    "name",
    "availability_zone",
    "created_at",
    "updated_at",
];
const ASKS: &[&str] = &[
    "limit",
    "marker",
    "offset",
    "sort",
    "all_tenants",
    "list_volume",
    "name",
    "status",
    "group_type",
];
/// Characters of a list of volumes; Cinder's 255 hold six of them.
const IDS: usize = 65_536;

pub(super) fn routes(r: &mut Routes) {
    r.get("/groups", "group:get_all", list)
        .asks(ASKS)
        .says("Lists groups by name (from 3.13).")
        .returns::<Many<GroupBrief<'_>>>(200);
    r.get("/groups/detail", "group:get_all", detail)
        .asks(ASKS)
        .says("Lists groups in detail (from 3.13).")
        .returns::<Many<GroupView<'_>>>(200);
    r.post("/groups", "group:create", create)
        .says("Makes an empty group on a backend that suits its type and all of its volume types (from 3.13).")
        .takes(
            "{group:{name?:short?, description?:short?, group_type:name, volume_types:[name], availability_zone?:name?}}",
        )
        .returns::<One<GroupBrief<'_>>>(202);
    r.post("/groups/action", "group:create", create_from)
        .says("Makes a group with its volumes from another one or from a group snapshot: `create-from-src` (from 3.14).")
        .takes(
            "{create-from-src:{name?:short?, description?:short?, group_snapshot_id:id}}|\
            {create-from-src:{name?:short?, description?:short?, source_group_id:id}}",
        )
        .returns::<One<GroupBrief<'_>>>(202);
    r.get("/groups/{group_id}", "group:get", show)
        .asks(&["list_volume"])
        .says(
            "Shows a group (from 3.13), with its volumes where `list_volume` is true (from 3.25).",
        )
        .returns::<One<GroupView<'_>>>(200);
    r.put("/groups/{group_id}", "group:update", update)
        .says("Changes name, description or members (from 3.13).")
        .takes("{group:{name?:short?, description?:short?, add_volumes?:text?, remove_volumes?:text?}}")
        .ends(202);
}

/// The group as Cinder answers a request that changes something.
fn short(group: &Group) -> Answer {
    json(202, &One(GroupBrief::new(group)))
}

/// The ids of its members, where the request asks for them.
async fn volumes(call: &Call, group: &Group) -> Result<Option<Vec<String>>, ApiError> {
    if !call.version.has(25) || !call.query.flag("list_volume")? {
        return Ok(None);
    }
    let members = call.control().groups().volumes(&group.id).await?;
    Ok(Some(members.into_iter().map(|member| member.id).collect()))
}

async fn read(call: &Call) -> Result<(Vec<Group>, crate::http::Page), ApiError> {
    let all = call.all_tenants()?;
    let (query, page) = query(call, KNOWN, KEYS)?;
    if page.rows() == 0 && page.marker.is_none() {
        return Ok((Vec::new(), page));
    }
    let found = call
        .control()
        .groups()
        .list(&call.caller, query, all)
        .await?;
    Ok((found, page))
}

async fn list(call: Call) -> Answer {
    call.since(13)?;
    let (found, page) = read(&call).await?;
    let last = found.last().map(|last| last.id.as_str());
    listed(&call, &page, &found, GroupBrief::new, last, None)
}

async fn detail(call: Call) -> Answer {
    call.since(13)?;
    let (found, page) = read(&call).await?;
    let mut groups = Vec::with_capacity(found.len());
    for group in found {
        let volumes = volumes(&call, &group).await?;
        groups.push((group, volumes));
    }
    let reader = Reader::of(&call);
    let last = groups.last().map(|(last, _)| last.id.as_str());
    let view = |(group, volumes)| GroupView::new(group, &reader, volumes);
    let groups: Vec<_> = groups
        .iter()
        .map(|(group, volumes)| (group, volumes.as_deref()))
        .collect();
    listed(&call, &page, &groups, |found| view(*found), last, None)
}

async fn show(call: Call) -> Answer {
    call.since(13)?;
    let group = call
        .control()
        .groups()
        .get(&call.caller, call.part("group_id"))
        .await?;
    let volumes = volumes(&call, &group).await?;
    let view = GroupView::new(&group, &Reader::of(&call), volumes.as_deref());
    json(200, &One(view))
}

/// A list of one or more names, each only once.
fn names(fields: &mut Fields, name: &str) -> Result<Vec<String>, ApiError> {
    let wrong =
        |why: &str| ApiError::invalid(format!("Invalid input for field/attribute {name}. {why}"));
    let list = match fields.take(name) {
        Some(Value::Array(list)) => list,
        Some(_) => return Err(wrong("It is not of type 'array'")),
        None => {
            return Err(ApiError::invalid(format!(
                "'{name}' is a required property"
            )));
        }
    };
    if list.is_empty() {
        return Err(wrong("Value: []. [] is too short"));
    }
    let mut names: Vec<String> = Vec::with_capacity(list.len());
    for entry in list {
        match entry {
            Value::String(text) if text.chars().count() > 255 || text.contains('\0') => {
                return Err(wrong("One of its entries is too long"));
            }
            Value::String(text) if names.contains(&text) => {
                return Err(wrong("It has non-unique elements"));
            }
            Value::String(text) => names.push(text),
            _ => return Err(wrong("One of its entries is not of type 'string'")),
        }
    }
    Ok(names)
}

async fn create(call: Call) -> Answer {
    call.since(13)?;
    let mut fields = call.object("group")?;
    let wanted = CreateGroup {
        name: fields.name()?,
        description: fields.description()?.map(|text| text.trim().to_owned()),
        group_type: {
            // The blanks around it belong to a name, but do not count.
            let named = fields.required_text("group_type", 65_536)?;
            if !(1..=255).contains(&named.trim().chars().count()) {
                return Err(ApiError::invalid(
                    "Invalid input for field/attribute group_type. It must have 1 to 255 characters",
                ));
            }
            named
        },
        volume_types: names(&mut fields, "volume_types")?,
        availability_zone: {
            let zone = fields.trimmed("availability_zone")?;
            if zone.as_ref().is_some_and(String::is_empty) {
                return Err(ApiError::invalid(
                    "The 'availability_zone' can not be empty.",
                ));
            }
            zone
        },
    };
    fields.finish()?;
    short(&call.control().groups().create(&call.caller, wanted).await?)
}

async fn create_from(call: Call) -> Answer {
    call.since(14)?;
    let mut fields = call.object("create-from-src")?;
    let name = fields.name()?;
    let description = fields.description()?.map(|text| text.trim().to_owned());
    // openstacksdk names both, one of them as null.
    let snapshot = fields.uuid("group_snapshot_id")?;
    let group = fields.uuid("source_group_id")?;
    fields.finish()?;
    let source = match (snapshot, group) {
        (Some(id), None) => GroupSource::Snapshot(id),
        (None, Some(id)) => GroupSource::Group(id),
        _ => {
            return Err(ApiError::invalid(
                "Invalid input for field/attribute create-from-src. Exactly one of group_snapshot_id and source_group_id must be given.",
            ));
        }
    };
    let groups = call.control().groups();
    short(
        &groups
            .create_from(&call.caller, name, description, source)
            .await?,
    )
}

/// `id,id`
fn ids(text: Option<String>) -> Vec<String> {
    let text = text.unwrap_or_default();
    let parts = text.split(',').map(str::trim);
    parts
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
        .collect()
}

async fn update(call: Call) -> Answer {
    call.since(13)?;
    let mut fields = call.object("group")?;
    if fields.is_empty() {
        return Err(ApiError::invalid(
            "Invalid input for field/attribute group. Value: {}. {} is not valid under any of the given schemas",
        ));
    }
    let wanted = UpdateGroup {
        name: fields.name()?,
        description: fields.description()?.map(|text| text.trim().to_owned()),
        add: ids(fields.text("add_volumes", 0..=IDS)?),
        remove: ids(fields.text("remove_volumes", 0..=IDS)?),
    };
    fields.finish()?;
    let groups = call.control().groups();
    groups
        .update(&call.caller, call.part("group_id"), wanted)
        .await?;
    empty(202)
}
