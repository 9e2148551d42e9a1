//! QoS specs and the types they are associated with.

use serde_json::{Value, json as value};
use springform_model::cloud::QosSpecs;

use super::listing::{listed, query};
use crate::http::{Answer, ApiError, Call, Routes, empty, json};
use crate::views::{Links, QosView};

const QOS: &str = "{qos_specs:@qos-specs, links:[@link]}";

pub(super) fn routes(r: &mut Routes) {
    r.get(
        "/qos-specs",
        "volume_extension:qos_specs_manage:get_all",
        list,
    )
    .admin()
    .asks(&["limit", "marker", "sort"])
    .says("Lists QoS specs.")
    .gives(200, "{qos_specs:[@qos-specs], qos_specs_links?:[@link]}");
    r.post(
        "/qos-specs",
        "volume_extension:qos_specs_manage:create",
        create,
    )
    .admin()
    .says("Makes QoS specs; what is neither name nor consumer is a key of theirs.")
    .takes("{qos_specs:object}")
    .gives(200, QOS);
    r.get(
        "/qos-specs/{qos_id}",
        "volume_extension:qos_specs_manage:get",
        show,
    )
    .admin()
    .says("Shows QoS specs.")
    .gives(200, QOS);
    r.put(
        "/qos-specs/{qos_id}",
        "volume_extension:qos_specs_manage:update",
        set,
    )
    .admin()
    .says("Adds or replaces keys of QoS specs.")
    .takes("{qos_specs:map}")
    .gives(200, "{qos_specs:map}");
    r.delete(
        "/qos-specs/{qos_id}",
        "volume_extension:qos_specs_manage:delete",
        delete,
    )
    .admin()
    .asks(&["force"])
    .says("Deletes QoS specs.")
    .ends(202);
    r.put(
        "/qos-specs/{qos_id}/delete_keys",
        "volume_extension:qos_specs_manage:delete",
        unset,
    )
    .admin()
    .says("Takes keys away.")
    .takes("{keys:[name]}")
    .ends(202);
    r.get(
        "/qos-specs/{qos_id}/associations",
        "volume_extension:qos_specs_manage:get",
        associations,
    )
    .admin()
    .says("Lists the types that have them.")
    .gives(
        200,
        "{qos_associations:[{association_type:text, name:text, id:text}]}",
    );
    r.get(
        "/qos-specs/{qos_id}/associate",
        "volume_extension:qos_specs_manage:update",
        associate,
    )
    .admin()
    .asks(&["vol_type_id"])
    .says("Gives them to a volume type.")
    .ends(202);
    r.get(
        "/qos-specs/{qos_id}/disassociate",
        "volume_extension:qos_specs_manage:update",
        disassociate,
    )
    .admin()
    .asks(&["vol_type_id"])
    .says("Takes them from a volume type.")
    .ends(202);
    r.get(
        "/qos-specs/{qos_id}/disassociate_all",
        "volume_extension:qos_specs_manage:update",
        disassociate_all,
    )
    .admin()
    .says("Takes them from every volume type.")
    .ends(202);
}

fn view(call: &Call, found: &QosSpecs) -> Value {
    value!({
        "qos_specs": QosView(found),
        "links": Links { base: &call.base, project: call.project.as_deref(), collection: "qos-specs", id: &found.id },
    })
}

async fn list(call: Call) -> Answer {
    let (query, page) = query(&call, &[], &["id", "name", "created_at"])?;
    let found = call.control().qos().list(&query).await?;
    let last = found.last().map(|found| found.id.clone());
    listed(
        &call,
        "qos_specs",
        &page,
        found.iter().map(QosView).collect(),
        last.as_deref(),
        None,
    )
}

async fn create(call: Call) -> Answer {
    let mut fields = call.object("qos_specs")?;
    let name = fields.required_name()?;
    let consumer = fields
        .text("consumer", 0..=255)?
        .unwrap_or_else(|| "back-end".to_owned());
    // openstackclient sends the keys beside the name, cinderclient below `specs`.
    let mut specs = fields.pairs("specs")?.unwrap_or_default();
    specs.extend(fields.into_pairs("qos_specs")?);
    let made = call.control().qos().create(name, consumer, specs).await?;
    json(200, &view(&call, &made))
}

async fn show(call: Call) -> Answer {
    let found = call.control().qos().get(call.part("qos_id")).await?;
    json(200, &view(&call, &found))
}

async fn set(call: Call) -> Answer {
    let mut fields = call.object("qos_specs")?;
    let consumer = fields.text("consumer", 1..=255)?;
    let specs = fields.into_pairs("qos_specs")?;
    call.control()
        .qos()
        .set(call.part("qos_id"), consumer, specs.clone())
        .await?;
    json(200, &value!({"qos_specs": specs}))
}

async fn delete(call: Call) -> Answer {
    call.control()
        .qos()
        .delete(call.part("qos_id"), call.query.flag("force")?)
        .await?;
    empty(202)
}

async fn unset(call: Call) -> Answer {
    let mut fields = call.fields()?;
    let keys: Vec<String> = match fields.take("keys").map(serde_json::from_value) {
        Some(Ok(keys)) => keys,
        _ => {
            return Err(ApiError::invalid(
                "Invalid input for field/attribute keys. It must be a list of strings.",
            ));
        }
    };
    fields.finish()?;
    call.control()
        .qos()
        .unset(call.part("qos_id"), &keys)
        .await?;
    empty(202)
}

async fn associations(call: Call) -> Answer {
    let found = call.control().qos().get(call.part("qos_id")).await?;
    let types = call.control().types().with_qos(&found.id).await?;
    let list: Vec<_> = types
        .iter()
        .map(
            |found| value!({"association_type": "volume_type", "name": found.name, "id": found.id}),
        )
        .collect();
    json(200, &value!({"qos_associations": list}))
}

fn type_of(call: &Call) -> Result<String, ApiError> {
    let named = call.query.get("vol_type_id").filter(|id| !id.is_empty());
    named
        .map(str::to_owned)
        .ok_or_else(|| ApiError::invalid("Volume Type id must not be None."))
}

async fn associate(call: Call) -> Answer {
    call.control()
        .qos()
        .associate(call.part("qos_id"), &type_of(&call)?)
        .await?;
    empty(202)
}

async fn disassociate(call: Call) -> Answer {
    call.control()
        .qos()
        .disassociate(call.part("qos_id"), &type_of(&call)?)
        .await?;
    empty(202)
}

async fn disassociate_all(call: Call) -> Answer {
    call.control()
        .qos()
        .disassociate_all(call.part("qos_id"))
        .await?;
    empty(202)
}
