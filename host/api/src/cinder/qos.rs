//! QoS specs and the types they are associated with.

use std::collections::BTreeSet;

use springform_model::cloud::QosSpecs;

use super::listing::{listed, query};
use crate::http::{Answer, ApiError, Call, Keys, Routes, empty, json};
use crate::views::{LinkedQos, Many, QosAssociation, QosKeys, QosView, Reader};

pub(super) fn routes(r: &mut Routes) {
    r.get(
        "/qos-specs",
        "volume_extension:qos_specs_manage:get_all",
        list,
    )
    .admin()
    .asks(&["limit", "marker", "sort"])
    .says("Lists QoS specs.")
    .returns::<Many<QosView<'_>>>(200);
    r.post(
        "/qos-specs",
        "volume_extension:qos_specs_manage:create",
        create,
    )
    .admin()
    .says("Makes QoS specs; what is neither name nor consumer is a key of theirs.")
    .takes("{qos_specs:object}")
    .returns::<LinkedQos<'_>>(200);
    r.get(
        "/qos-specs/{qos_id}",
        "volume_extension:qos_specs_manage:get",
        show,
    )
    .admin()
    .says("Shows QoS specs.")
    .returns::<LinkedQos<'_>>(200);
    r.put(
        "/qos-specs/{qos_id}",
        "volume_extension:qos_specs_manage:update",
        set,
    )
    .admin()
    .says("Adds or replaces keys of QoS specs.")
    .takes("{qos_specs:map}")
    .returns::<QosKeys<'_>>(200);
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
    .returns::<Many<QosAssociation<'_>>>(200);
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

fn one(call: &Call, found: &QosSpecs) -> Answer {
    json(200, &LinkedQos::new(found, &Reader::of(call)))
}

async fn list(call: Call) -> Answer {
    let (query, page) = query(&call, &[], &["id", "name", "created_at"])?;
    let found = call.control().qos().list(&query).await?;
    let last = found.last().map(|found| found.id.clone());
    listed(&call, &page, &found, QosView::new, last.as_deref(), None)
}

async fn create(call: Call) -> Answer {
    let mut fields = call.object("qos_specs")?;
    let name = fields.trimmed("name")?.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| ApiError::invalid("The 'name' can not be empty."))?;
    let consumer = fields
        .text("consumer", 0..=255)?
        .unwrap_or_else(|| "back-end".to_owned());
    // openstackclient sends the keys beside the name, cinderclient below `specs`.
    let mut specs = fields
        .pairs_or_null("specs", Keys::Any)?
        .unwrap_or_default();
    specs.extend(fields.into_pairs("qos_specs", Keys::Any)?);
    let made = call.control().qos().create(name, consumer, specs).await?;
    one(&call, &made)
}

async fn show(call: Call) -> Answer {
    let found = call.control().qos().get(call.part("qos_id")).await?;
    one(&call, &found)
}

async fn set(call: Call) -> Answer {
    let mut fields = call.object("qos_specs")?;
    let consumer = fields.text("consumer", 1..=255)?;
    let specs = fields.into_pairs("qos_specs", Keys::Words)?;
    call.control()
        .qos()
        .set(call.part("qos_id"), consumer, specs.clone())
        .await?;
    let qos_specs = &specs;
    json(200, &QosKeys { qos_specs })
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
    let usable = |key: &String| (1..=255).contains(&key.chars().count());
    let distinct = keys.iter().collect::<BTreeSet<_>>().len() == keys.len();
    if !distinct || !keys.iter().all(usable) {
        return Err(ApiError::invalid(
            "Invalid input for field/attribute keys. Each must have 1 to 255 characters, and be there once.",
        ));
    }
    call.control()
        .qos()
        .unset(call.part("qos_id"), &keys)
        .await?;
    empty(202)
}

async fn associations(call: Call) -> Answer {
    let found = call.control().qos().get(call.part("qos_id")).await?;
    let types = call.control().types().with_qos(&found.id).await?;
    let types = types.iter();
    let types = types.map(|found| QosAssociation::new(&found.id, &found.name));
    json(200, &Many(types.collect()))
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
