//! The default volume types of projects (from 3.62).

use springform_model::cloud::DefaultType;

use crate::http::{Answer, ApiError, Call, Routes, empty, json};
use crate::views::{DefaultTypeView, Many, One};

pub(super) fn routes(r: &mut Routes) {
    let path = "/default-types/{project}";
    r.get("/default-types", "volume_extension:default_get_all", list)
        .admin()
        .says("Lists the default types of projects (from 3.62).")
        .returns::<Many<DefaultTypeView<'_>>>(200);
    r.get(path, "volume_extension:default_get", show)
        .admin()
        .says("Shows the default type of a project (from 3.62).")
        .returns::<One<DefaultTypeView<'_>>>(200);
    r.put(path, "volume_extension:default_set_or_update", set)
        .admin()
        .says("Gives a project a default type (from 3.62).")
        .takes("{default_type:{volume_type:name}}")
        .returns::<One<DefaultTypeView<'_>>>(200);
    r.delete(path, "volume_extension:default_unset", unset)
        .admin()
        .says("Takes the default type of a project away (from 3.62).")
        .ends(204);
}

async fn list(call: Call) -> Answer {
    call.since(62)?;
    let mut all = Vec::new();
    // There is one at most for each project that an administrator thought of; Cinder has no pages here.
    loop {
        let last = all.last().map(|last: &DefaultType| last.project_id.clone());
        let page = call.control().default_types().list(last.as_deref()).await?;
        let ended = page.len() < 1000;
        all.extend(page);
        if ended || all.len() >= 10_000 {
            break;
        }
    }
    let views = all.iter().map(DefaultTypeView::new);
    json(200, &Many(views.collect()))
}

async fn show(call: Call) -> Answer {
    call.since(62)?;
    let types = call.control().default_types();
    let found = types.get(call.part("project")).await?;
    json(200, &One(DefaultTypeView::new(&found)))
}

async fn set(call: Call) -> Answer {
    call.since(62)?;
    let mut fields = call.object("default_type")?;
    let kind = fields.required("volume_type")?;
    if kind.trim().is_empty() {
        return Err(ApiError::invalid("The 'name' can not be empty."));
    }
    fields.finish()?;
    let types = call.control().default_types();
    let made = types.set(&call.caller, call.part("project"), &kind).await?;
    json(200, &One(DefaultTypeView::new(&made)))
}

async fn unset(call: Call) -> Answer {
    call.since(62)?;
    let types = call.control().default_types();
    types.unset(call.part("project")).await?;
    empty(204)
}
