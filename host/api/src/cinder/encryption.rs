//! Encryption of volumes by the host that uses them: no type has it, and none can be given it, because there is no
//! key manager. What is asked about it is answered as Cinder answers for a type without encryption.

use serde_json::json as value;

use crate::http::{Answer, Call, Refusal, Routes, json};

const WHY: &str = "Invalid input received: encryption by the host that attaches is not supported by this service, which \
    is connected to no key manager; data at rest is encrypted by the array.";

pub(super) fn routes(r: &mut Routes) {
    let (all, one) = (
        "/types/{type_id}/encryption",
        "/types/{type_id}/encryption/{encryption_id}",
    );
    r.get(all, "volume_extension:volume_type_encryption:get", of_type)
        .admin()
        .says(
            "Shows how volumes of a type are encrypted by the host that attaches them: not at all.",
        )
        .gives(200, "object");
    r.post(
        all,
        "volume_extension:volume_type_encryption:create",
        refuse,
    )
    .admin()
    .says("Refused: there is no key manager.")
    .takes("{encryption:object}")
    .gives(200, "object");
    r.get(one, "volume_extension:volume_type_encryption:get", none)
        .admin()
        .says("Shows one member of a type's encryption: there is none.")
        .gives(200, "object");
    r.put(one, "volume_extension:volume_type_encryption:update", none)
        .admin()
        .says("Changes a type's encryption: there is none.")
        .takes("{encryption:object}")
        .gives(200, "object");
    r.delete(one, "volume_extension:volume_type_encryption:delete", none)
        .admin()
        .says("Takes a type's encryption away: there is none.")
        .ends(202);
    r.get(
        "/volumes/{volume_id}/encryption",
        "volume_extension:volume_encryption_metadata",
        of_volume,
    )
    .says("Shows how a volume is encrypted by the host that attaches it: not at all.")
    .gives(200, "{encryption_key_id:text?}");
}

async fn known(call: &Call) -> Result<(), Refusal> {
    let types = call.control().types();
    types.get(&call.caller, call.part("type_id")).await?;
    Ok(())
}

async fn of_type(call: Call) -> Answer {
    known(&call).await?;
    json(200, &value!({}))
}

async fn refuse(call: Call) -> Answer {
    known(&call).await?;
    call.object("encryption")?;
    Err(Refusal::invalid(WHY))
}

async fn none(call: Call) -> Answer {
    known(&call).await?;
    Err(Refusal::not_found(format!(
        "Volume type encryption for type {} does not exist.",
        call.part("type_id")
    )))
}

async fn of_volume(call: Call) -> Answer {
    let volumes = call.control().volumes();
    volumes.get(&call.caller, call.part("volume_id")).await?;
    json(200, &value!({"encryption_key_id": null}))
}
