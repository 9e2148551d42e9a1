//! Volume types, their extra specs, and who may use them.

use springform_control::types::{CreateType, UpdateType};
use springform_model::cloud::{Metadata, VolumeType};

use super::collection::{entries, map_of, pairs_of};
use super::listing::{Kind, listed, nothing, query};
use crate::http::{Answer, ApiError, Call, Keys, Routes, empty, json};
use crate::views::{
    AnswerTo, Entry, ExtraSpecs, Many, One, Reader, TypeAccess, TypeView, USER_VISIBLE,
};

pub(super) fn routes(r: &mut Routes) {
    r.get("/types", "volume_extension:type_get_all", list)
        .asks(&[
            "name",
            "is_public",
            "limit",
            "marker",
            "sort",
            "extra_specs",
        ])
        .says("Lists the volume types that the project may use.")
        .returns::<Many<TypeView<'_>>>(200);
    r.post("/types", "volume_extension:type_create", create)
        .admin()
        .says("Makes a volume type.")
        .takes("{volume_type:{name:name, description?:short?, os-volume-type-access:is_public?:bool, extra_specs?:map?}}")
        .returns::<One<TypeView<'_>>>(200);
    r.get("/types/default", "volume_extension:type_get", default)
        .says("Shows the type of volumes for which none is named.")
        .returns::<One<TypeView<'_>>>(200);
    r.get("/types/{type_id}", "volume_extension:type_get", show)
        .asks(&["is_public"])
        .says("Shows a volume type.")
        .returns::<One<TypeView<'_>>>(200);
    r.put("/types/{type_id}", "volume_extension:type_update", update)
        .admin()
        .says("Changes a volume type.")
        .takes("{volume_type:{name?:name?, description?:short?, is_public?:bool, os-volume-type-access:is_public?:bool}}")
        .returns::<One<TypeView<'_>>>(200);
    r.delete("/types/{type_id}", "volume_extension:type_delete", delete)
        .admin()
        .says("Deletes a volume type that no volume has.")
        .ends(202);
    r.post("/types/{type_id}/action", "volume_extension:volume_type_access", access_action)
        .admin()
        .says("Lets a project use a private type (`addProjectAccess`) or no longer (`removeProjectAccess`).")
        .takes("{addProjectAccess:{project:name}}|{removeProjectAccess:{project:name}}")
        .ends(202);
    r.get(
        "/types/{type_id}/os-volume-type-access",
        "volume_extension:volume_type_access:get_all",
        access,
    )
    .admin()
    .says("Lists the projects that may use a private type.")
    .returns::<Many<TypeAccess<'_>>>(200);
    r.get(
        "/types/{type_id}/extra_specs",
        "volume_extension:types_extra_specs:index",
        specs,
    )
    .says("Lists a type's extra specs.")
    .returns::<ExtraSpecs<'_>>(200);
    r.post(
        "/types/{type_id}/extra_specs",
        "volume_extension:types_extra_specs:create",
        set_specs,
    )
    .admin()
    .says("Adds or replaces extra specs of a type that no volume has.")
    .takes("{extra_specs:specs}")
    .returns::<ExtraSpecs<'_>>(200);
    r.get(
        "/types/{type_id}/extra_specs/{key}",
        "volume_extension:types_extra_specs:show",
        spec,
    )
    .says("Shows one extra spec.")
    .returns::<Entry<'_>>(200);
    r.put(
        "/types/{type_id}/extra_specs/{key}",
        "volume_extension:types_extra_specs:update",
        set_spec,
    )
    .admin()
    .says("Replaces one extra spec.")
    .takes("specs")
    .returns::<Entry<'_>>(200);
    r.delete(
        "/types/{type_id}/extra_specs/{key}",
        "volume_extension:types_extra_specs:delete",
        delete_spec,
    )
    .admin()
    .says("Takes one extra spec away.")
    .ends(202);
}

fn one(call: &Call, record: &VolumeType, to: AnswerTo) -> Answer {
    json(200, &One(TypeView::new(record, &Reader::of(call), to)))
}

/// `is_public`: of which kind; `None` (the word) means both. Only an administrator is asked.
pub(super) fn public(call: &Call) -> Result<Option<bool>, ApiError> {
    match call.query.get("is_public") {
        Some(word) if call.caller.is_admin => match word.eq_ignore_ascii_case("none") {
            true => Ok(None),
            false => call.query.flag("is_public").map(Some),
        },
        _ => Ok(Some(true)),
    }
}

async fn list(call: Call) -> Answer {
    let (mut query, page) = query(
        &call,
        &[
            ("id", "id", Kind::Text),
            ("name", "name", Kind::Text),
            ("description", "description", Kind::Text),
            ("qos_specs_id", "qos_specs_id", Kind::Text),
        ],
        &["name", "id", "created_at", "updated_at", "description"],
    )?;
    let admin = call.caller.is_admin;
    if let Some(text) = call
        .query
        .get("extra_specs")
        .filter(|_| admin || call.version.has(52))
    {
        if map_of(text).is_none() {
            return Err(ApiError::invalid(
                "Invalid input received: Invalid filter value for extra_specs.",
            ));
        }
        // A caller who may not see a spec does not learn by asking which types have it.
        let shown = |key: &String| admin || USER_VISIBLE.contains(&key.as_str());
        query = match pairs_of(text) {
            Some(pairs) if pairs.keys().all(shown) => entries(query, "extra_specs", pairs),
            _ => nothing(query),
        };
    }
    let public = public(&call)?;
    let found = call
        .control()
        .types()
        .list(&call.caller, public, query)
        .await?;
    let last = found.last().map(|found| found.id.clone());
    let reader = Reader::of(&call);
    let view = |record| TypeView::new(record, &reader, AnswerTo::Show);
    listed(&call, &page, &found, view, last.as_deref(), None)
}

async fn create(call: Call) -> Answer {
    let mut fields = call.object("volume_type")?;
    let wanted = CreateType {
        name: fields.required_name()?,
        description: fields.description()?,
        is_public: fields
            .boolean("os-volume-type-access:is_public")?
            .unwrap_or(true),
        extra_specs: fields
            .pairs("extra_specs", Keys::Words)?
            .unwrap_or_default(),
    };
    fields.finish()?;
    let made = call.control().types().create(&call.caller, wanted).await?;
    one(&call, &made, AnswerTo::Create)
}

async fn default(call: Call) -> Answer {
    match call.control().default_types().of(&call.caller).await? {
        Some(found) => one(&call, &found, AnswerTo::Default),
        None => Err(ApiError::not_found("Default volume type can not be found.")),
    }
}

async fn show(call: Call) -> Answer {
    let found = call
        .control()
        .types()
        .get(&call.caller, call.part("type_id"))
        .await?;
    one(&call, &found, AnswerTo::Show)
}

async fn update(call: Call) -> Answer {
    let mut fields = call.object("volume_type")?;
    let name = match fields.has("name") {
        true => Some(fields.required_name()?),
        false => fields.name()?,
    };
    let description = fields.description()?;
    // openstacksdk says it in the long way here, too; Cinder takes that at the creation only.
    let short = fields.boolean("is_public")?;
    let is_public = fields.boolean("os-volume-type-access:is_public")?.or(short);
    fields.finish()?;
    if name.is_none() && description.is_none() && is_public.is_none() {
        return Err(ApiError::invalid(
            "Specify volume type name, description, is_public or a combination thereof.",
        ));
    }
    let wanted = UpdateType {
        name,
        description,
        is_public,
    };
    let changed = call
        .control()
        .types()
        .update(call.part("type_id"), wanted)
        .await?;
    one(&call, &changed, AnswerTo::Update)
}

async fn delete(call: Call) -> Answer {
    call.control().types().delete(call.part("type_id")).await?;
    empty(202)
}

async fn access_action(call: Call) -> Answer {
    let (name, _) = call.action()?;
    let allowed = match name.as_str() {
        "addProjectAccess" => true,
        "removeProjectAccess" => false,
        _ => return Err(Call::no_such_action(&name)),
    };
    let mut fields = call.object(&name)?;
    let project = fields.required("project")?;
    fields.finish()?;
    call.control()
        .types()
        .set_access(call.part("type_id"), &project, allowed)
        .await?;
    empty(202)
}

async fn access(call: Call) -> Answer {
    let found = call
        .control()
        .types()
        .get(&call.caller, call.part("type_id"))
        .await?;
    if found.is_public {
        return Err(ApiError::not_found(
            "Access list not available for public volume types.",
        ));
    }
    let access = found.projects.iter().map(|project| TypeAccess {
        project_id: project,
        volume_type_id: &found.id,
    });
    json(200, &Many(access.collect()))
}

async fn specs(call: Call) -> Answer {
    let found = call
        .control()
        .types()
        .get(&call.caller, call.part("type_id"))
        .await?;
    json(200, &ExtraSpecs::visible(&found, &Reader::of(&call)))
}

async fn set_specs(call: Call) -> Answer {
    let specs = call.object("extra_specs")?;
    let specs = specs.into_pairs("extra_specs", Keys::Names)?;
    call.control()
        .types()
        .set_specs(call.part("type_id"), specs.clone())
        .await?;
    json(200, &ExtraSpecs::set(&specs))
}

async fn spec(call: Call) -> Answer {
    let (id, key) = (call.part("type_id"), call.part("key"));
    let found = call.control().types().get(&call.caller, id).await?;
    // A member is not told whether there is one that only administrators see.
    let visible = call.caller.is_admin || USER_VISIBLE.contains(&key);
    match found.extra_specs.get(key).filter(|_| visible) {
        Some(text) => json(200, &Entry::new(key, text)),
        None => Err(ApiError::not_found(format!(
            "Volume Type {id} has no extra specs with key {key}."
        ))),
    }
}

async fn set_spec(call: Call) -> Answer {
    let fields = call.fields()?;
    let (key, text) = fields.into_pair("extra_specs", call.part("key"), Keys::Names)?;
    let specs = Metadata::from([(key.clone(), text.clone())]);
    call.control()
        .types()
        .set_specs(call.part("type_id"), specs)
        .await?;
    json(200, &Entry::new(&key, &text))
}

async fn delete_spec(call: Call) -> Answer {
    call.control()
        .types()
        .delete_spec(call.part("type_id"), call.part("key"))
        .await?;
    empty(202)
}
