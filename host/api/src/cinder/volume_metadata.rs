//! Metadata of volumes: the user's, and what Glance would have said of an image.

use serde_json::json as value;
use springform_control::volumes::UpdateVolume;
use springform_model::cloud::Metadata;

use crate::http::{Answer, Call, Fields, Refusal, Routes, empty, json};

pub(super) fn routes(r: &mut Routes) {
    r.get(
        "/volumes/{volume_id}/metadata",
        "volume:get_volume_metadata",
        show,
    )
    .says("Shows a volume's metadata.")
    .gives(200, "{metadata:map}");
    r.post(
        "/volumes/{volume_id}/metadata",
        "volume:create_volume_metadata",
        merge,
    )
    .says("Adds or replaces entries.")
    .takes("{metadata:map}")
    .gives(200, "{metadata:map}");
    r.put(
        "/volumes/{volume_id}/metadata",
        "volume:update_volume_metadata",
        replace,
    )
    .says("Replaces all metadata.")
    .takes("{metadata:map}")
    .gives(200, "{metadata:map}");
    r.get(
        "/volumes/{volume_id}/metadata/{key}",
        "volume:get_volume_metadata",
        entry,
    )
    .says("Shows one entry.")
    .gives(200, "{meta:map}");
    r.put(
        "/volumes/{volume_id}/metadata/{key}",
        "volume:update_volume_metadata",
        set_entry,
    )
    .says("Replaces one entry.")
    .takes("{meta:map}")
    .gives(200, "{meta:map}");
    r.delete(
        "/volumes/{volume_id}/metadata/{key}",
        "volume:delete_volume_metadata",
        delete_entry,
    )
    .says("Takes one entry away.")
    .ends(200);
}

async fn show(call: Call) -> Answer {
    let found = call
        .control()
        .volumes()
        .get(&call.caller, call.part("volume_id"))
        .await?;
    let mut answer = json(200, &value!({"metadata": found.metadata}))?;
    if call.version.has(15) {
        let tag = etag(&found.metadata);
        if let Ok(tag) = http::HeaderValue::from_str(&format!("\"{tag}\"")) {
            answer.headers_mut().insert(http::header::ETAG, tag);
        }
    }
    Ok(answer)
}

/// What a client names to change exactly the metadata it has seen.
fn etag(metadata: &Metadata) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(serde_json::to_vec(metadata).unwrap_or_default());
    digest
        .iter()
        .take(16)
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Rounds of a change that others disturb.
const ROUNDS: u32 = 50;

/// Writes metadata and gives all there is then. Nothing is written over what this request has not seen: a change in
/// between is read and decided again, or refused with 412 where the client named what it had seen (3.15).
async fn set(call: &Call, entries: Metadata, replace: bool) -> Result<Metadata, Refusal> {
    let (volumes, id) = (call.control().volumes(), call.part("volume_id"));
    let seen = call.if_match.as_ref().filter(|_| call.version.has(15));
    for _ in 0..ROUNDS {
        let now = volumes.get(&call.caller, id).await?.metadata;
        if seen.is_some_and(|seen| seen != "*" && *seen != etag(&now)) {
            return Err(Refusal::new(
                http::StatusCode::PRECONDITION_FAILED,
                "The metadata has changed since it was read.",
            ));
        }
        let mut all = if replace {
            Metadata::new()
        } else {
            now.clone()
        };
        all.extend(entries.clone());
        let wanted = UpdateVolume {
            metadata: Some(all),
            only_if_metadata: Some(now),
            ..UpdateVolume::default()
        };
        match volumes.update(&call.caller, id, wanted).await {
            Ok(volume) => return Ok(volume.metadata),
            Err(error) if error.kind == springform_control::ErrorKind::Conflict => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Refusal::new(
        http::StatusCode::CONFLICT,
        "The metadata is being changed by many at once. Try again.",
    ))
}

async fn write(call: Call, replace: bool) -> Answer {
    let entries = call.object("metadata")?.into_pairs("metadata")?;
    let all = set(&call, entries, replace).await?;
    json(200, &value!({"metadata": all}))
}

async fn merge(call: Call) -> Answer {
    write(call, false).await
}

async fn replace(call: Call) -> Answer {
    write(call, true).await
}

async fn entry(call: Call) -> Answer {
    let found = call
        .control()
        .volumes()
        .get(&call.caller, call.part("volume_id"))
        .await?;
    let key = call.part("key");
    match found.metadata.get(key) {
        Some(text) => json(200, &value!({"meta": {key: text}})),
        None => Err(Refusal::not_found("Metadata item was not found")),
    }
}

async fn set_entry(call: Call) -> Answer {
    let entries = call.object("meta")?.into_pairs("meta")?;
    let key = call.part("key");
    let Some(text) = entries.get(key).filter(|_| entries.len() == 1).cloned() else {
        return Err(Refusal::invalid("Request body and URI mismatch"));
    };
    set(&call, entries.clone(), false).await?;
    json(200, &value!({"meta": {key: text}}))
}

async fn delete_entry(call: Call) -> Answer {
    let (id, key) = (call.part("volume_id"), call.part("key"));
    let mut all = call
        .control()
        .volumes()
        .get(&call.caller, id)
        .await?
        .metadata;
    if all.remove(key).is_none() {
        return Err(Refusal::not_found("Metadata item was not found"));
    }
    set(&call, all, true).await?;
    empty(200)
}

/// `os-set_image_metadata`, `os-unset_image_metadata`, `os-show_image_metadata`.
pub(super) async fn image_action(call: &Call, name: &str, mut fields: Fields) -> Answer {
    let (caller, id) = (&call.caller, call.part("volume_id"));
    let volumes = call.control().volumes();
    match name {
        "os-set_image_metadata" => {
            let entries = fields
                .pairs("metadata")?
                .ok_or_else(|| Refusal::invalid("'metadata' is a required property"))?;
            fields.finish()?;
            let mut all = volumes.get(caller, id).await?.image_metadata;
            all.extend(entries);
            let wanted = UpdateVolume {
                image_metadata: Some(all.clone()),
                ..UpdateVolume::default()
            };
            volumes.update(caller, id, wanted).await?;
            json(200, &value!({"metadata": all}))
        }
        "os-unset_image_metadata" => {
            let key = fields.required("key")?;
            fields.finish()?;
            let mut all = volumes.get(caller, id).await?.image_metadata;
            if all.remove(&key).is_none() {
                return Err(Refusal::not_found("Metadata item was not found"));
            }
            let wanted = UpdateVolume {
                image_metadata: Some(all),
                ..UpdateVolume::default()
            };
            volumes.update(caller, id, wanted).await?;
            empty(200)
        }
        _ => {
            let found = volumes.get(caller, id).await?;
            json(200, &value!({"metadata": found.image_metadata}))
        }
    }
}
