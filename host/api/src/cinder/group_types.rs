//! Group types and their specs (3.11).

use springform_model::cloud::{GroupType, Metadata};

use super::listing::{Kind, listed, query};
use super::types::public;
use crate::http::{Answer, ApiError, Call, Keys, Routes, empty, json};
use crate::views::{Entry, GroupSpecs, GroupTypeView, Many, One, Reader};

pub(super) fn routes(r: &mut Routes) {
    r.get("/group_types", "group:group_types:get_all", list)
        .asks(&["is_public", "name", "limit", "marker", "sort"])
        .says("Lists group types (from 3.11).")
        .returns::<Many<GroupTypeView<'_>>>(200);
    r.post("/group_types", "group:group_types:create", create)
        .admin()
        .says("Makes a group type (from 3.11).")
        .takes("{group_type:{name:name, description?:short?, is_public?:bool, group_specs?:map?}}")
        .returns::<One<GroupTypeView<'_>>>(202);
    r.get("/group_types/{type_id}", "group:group_types:get", show)
        .says("Shows a group type (from 3.11).")
        .returns::<One<GroupTypeView<'_>>>(200);
    r.put("/group_types/{type_id}", "group:group_types:update", update)
        .admin()
        .says("Changes a group type (from 3.11).")
        .takes("{group_type:{name?:name?, description?:short?, is_public?:bool}}")
        .returns::<One<GroupTypeView<'_>>>(200);
    r.delete("/group_types/{type_id}", "group:group_types:delete", delete)
        .admin()
        .says("Deletes a group type that no group has (from 3.11).")
        .ends(202);
    r.get(
        "/group_types/{type_id}/group_specs",
        "group:group_types_specs:get_all",
        specs,
    )
    .admin()
    .says("Lists a group type's specs (from 3.11).")
    .returns::<GroupSpecs<'_>>(200);
    r.post(
        "/group_types/{type_id}/group_specs",
        "group:group_types_specs:create",
        set_specs,
    )
    .admin()
    .says("Adds or replaces specs of a group type (from 3.11).")
    .takes("{group_specs:specs}")
    .returns::<GroupSpecs<'_>>(202);
    r.get(
        "/group_types/{type_id}/group_specs/{key}",
        "group:group_types_specs:get",
        spec,
    )
    .admin()
    .says("Shows one spec (from 3.11).")
    .returns::<Entry<'_>>(200);
    r.put(
        "/group_types/{type_id}/group_specs/{key}",
        "group:group_types_specs:update",
        set_spec,
    )
    .admin()
    .says("Replaces one spec (from 3.11).")
    .takes("specs")
    .returns::<Entry<'_>>(200);
    r.delete(
        "/group_types/{type_id}/group_specs/{key}",
        "group:group_types_specs:delete",
        delete_spec,
    )
    .admin()
    .says("Takes one spec away (from 3.11).")
    .ends(202);
}

async fn list(call: Call) -> Answer {
    call.since(11)?;
    let (query, page) = query(
        &call,
        &[("name", "name", Kind::Text)],
        &["id", "name", "created_at"],
    )?;
    let found = call
        .control()
        .group_types()
        .list(&call.caller, public(&call)?, query)
        .await?;
    let last = found.last().map(|found| found.id.clone());
    let reader = Reader::of(&call);
    let view = |record| GroupTypeView::new(record, &reader);
    listed(&call, &page, &found, view, last.as_deref(), None)
}

fn one(call: &Call, status: u16, record: &GroupType) -> Answer {
    json(status, &One(GroupTypeView::new(record, &Reader::of(call))))
}

async fn create(call: Call) -> Answer {
    call.since(11)?;
    let mut fields = call.object("group_type")?;
    let name = fields.required_name()?;
    let description = fields.description()?;
    let is_public = fields.boolean("is_public")?.unwrap_or(true);
    let specs = fields.pairs_or_null("group_specs", Keys::Words)?;
    let specs = specs.unwrap_or_default();
    fields.finish()?;
    let record = call
        .control()
        .group_types()
        .create(name, description, is_public, specs)
        .await?;
    one(&call, 202, &record)
}

async fn show(call: Call) -> Answer {
    call.since(11)?;
    let id = call.part("type_id");
    if id == "default" {
        return Err(ApiError::not_found("Default group type can not be found."));
    }
    let record = call.control().group_types().get(&call.caller, id).await?;
    one(&call, 200, &record)
}

async fn update(call: Call) -> Answer {
    call.since(11)?;
    let mut fields = call.object("group_type")?;
    let name = fields.text("name", 0..=255)?;
    if name
        .as_ref()
        .is_some_and(|name| !name.is_empty() && name.trim().is_empty())
    {
        return Err(ApiError::invalid("Group type name can not be empty."));
    }
    let description = fields.description()?;
    let is_public = fields.boolean("is_public")?;
    fields.finish()?;
    if name.is_none() && description.is_none() && is_public.is_none() {
        return Err(ApiError::invalid(
            "Specify group type name, description or a combination thereof.",
        ));
    }
    let record = call
        .control()
        .group_types()
        .update(call.part("type_id"), name, description, is_public)
        .await?;
    one(&call, 200, &record)
}

async fn delete(call: Call) -> Answer {
    call.since(11)?;
    call.control()
        .group_types()
        .delete(call.part("type_id"))
        .await?;
    empty(202)
}

async fn specs(call: Call) -> Answer {
    call.since(11)?;
    let found = call
        .control()
        .group_types()
        .get(&call.caller, call.part("type_id"))
        .await?;
    let group_specs = &found.group_specs;
    json(200, &GroupSpecs { group_specs })
}

async fn set_specs(call: Call) -> Answer {
    call.since(11)?;
    let specs = call.object("group_specs")?;
    let specs = specs.into_pairs("group_specs", Keys::Names)?;
    call.control()
        .group_types()
        .set_specs(call.part("type_id"), specs.clone())
        .await?;
    let group_specs = &specs;
    json(202, &GroupSpecs { group_specs })
}

async fn spec(call: Call) -> Answer {
    call.since(11)?;
    let (id, key) = (call.part("type_id"), call.part("key"));
    let found = call.control().group_types().get(&call.caller, id).await?;
    match found.group_specs.get(key) {
        Some(text) => json(200, &Entry::new(key, text)),
        None => Err(ApiError::not_found(format!(
            "Group Type {id} has no specs with key {key}."
        ))),
    }
}

async fn set_spec(call: Call) -> Answer {
    call.since(11)?;
    let fields = call.fields()?;
    let (key, text) = fields.into_pair("group_specs", call.part("key"), Keys::Names)?;
    let specs = Metadata::from([(key.clone(), text.clone())]);
    call.control()
        .group_types()
        .set_specs(call.part("type_id"), specs)
        .await?;
    json(200, &Entry::new(&key, &text))
}

async fn delete_spec(call: Call) -> Answer {
    call.since(11)?;
    call.control()
        .group_types()
        .delete_spec(call.part("type_id"), call.part("key"))
        .await?;
    empty(202)
}
