//! Encryption of volumes by the host that uses them. A type can say how; a volume of such a type cannot be made, because
//! there is no key manager. No volume is encrypted so, and that is what is answered about volumes.

use springform_control::ControlError;
use springform_model::cloud::{TypeEncryption, VolumeType};
use springform_model::time::Timestamp;
use uuid::Uuid;

use crate::http::{Answer, ApiError, Call, Fields, Routes, empty, json};
use crate::views::{
    EncryptionChanged, EncryptionMade, EncryptionMember, EncryptionView, VolumeEncryption,
};

const WANTED: &str = "{encryption:{provider:text, control_location:'front-end'|'back-end', cipher?:text?, key_size?:int?}}";
const CHANGED: &str = "{encryption:{provider?:text, control_location?:'front-end'|'back-end', cipher?:text?, key_size?:int?}}";

pub(super) fn routes(r: &mut Routes) {
    let (all, one) = (
        "/types/{type_id}/encryption",
        "/types/{type_id}/encryption/{encryption_id}",
    );
    r.get(all, "volume_extension:volume_type_encryption:get", of_type)
        .admin()
        .says("Shows how hosts are to encrypt volumes of a type; of a type without encryption, nothing.")
        .returns::<EncryptionView<'_>>(200);
    r.post(
        all,
        "volume_extension:volume_type_encryption:create",
        create,
    )
    .admin()
    .says("Says how hosts are to encrypt volumes of a type. There is no key manager, so none can be made of it.")
    .takes(WANTED)
    .returns::<EncryptionMade<'_>>(200);
    r.get(one, "volume_extension:volume_type_encryption:get", show)
        .admin()
        .says("Shows one member of a type's encryption.")
        .returns::<EncryptionMember>(200);
    r.put(
        one,
        "volume_extension:volume_type_encryption:update",
        update,
    )
    .admin()
    .says("Changes a type's encryption.")
    .takes(CHANGED)
    .returns::<EncryptionChanged>(200);
    r.delete(
        one,
        "volume_extension:volume_type_encryption:delete",
        delete,
    )
    .admin()
    .says("Takes a type's encryption away.")
    .ends(202);
    r.get(
        "/volumes/{volume_id}/encryption",
        "volume_extension:volume_encryption_metadata",
        of_volume,
    )
    .says("Shows how a volume is encrypted by the host that attaches it: not at all.")
    .returns::<VolumeEncryption>(200);
}

async fn kind(call: &Call) -> Result<VolumeType, ApiError> {
    let types = call.control().types();
    Ok(types.get(&call.caller, call.part("type_id")).await?)
}

fn missing(kind: &str) -> ControlError {
    ControlError::new(
        springform_control::ErrorKind::NotFound,
        format!("Volume type encryption for type {kind} does not exist."),
    )
}

/// What of an encryption is said; none: not mentioned.
#[derive(Default)]
struct Said {
    provider: Option<String>,
    location: Option<String>,
    cipher: Option<Option<String>>,
    key_size: Option<Option<u64>>,
}

/// Reads the members that Cinder knows; others it takes without a meaning.
fn said(mut fields: Fields) -> Result<Said, ApiError> {
    let sized = fields.contains("key_size");
    let said = Said {
        provider: fields.string("provider", 0..=255)?,
        location: fields.string("control_location", 0..=255)?,
        cipher: fields.change("cipher")?,
        key_size: {
            let bits = fields.integer("key_size", 0..=0x7fff_ffff)?;
            sized.then(|| bits.map(i64::unsigned_abs))
        },
    };
    match said.location.as_deref() {
        None | Some("front-end" | "back-end") => Ok(said),
        Some(other) => Err(ApiError::invalid(format!(
            "Invalid input for field/attribute control_location. Value: {other}. '{other}' is not one of ['front-end', 'back-end']"
        ))),
    }
}

async fn of_type(call: Call) -> Answer {
    json(200, &EncryptionView::of(&kind(&call).await?))
}

async fn create(call: Call) -> Answer {
    let said = said(call.object("encryption")?)?;
    let (Some(provider), Some(control_location)) = (said.provider, said.location) else {
        return Err(ApiError::invalid(
            "'provider' and 'control_location' are required properties",
        ));
    };
    let wanted = TypeEncryption {
        id: Uuid::new_v4().to_string(),
        provider,
        control_location,
        cipher: said.cipher.flatten(),
        key_size: said.key_size.flatten(),
        created_at: Timestamp::now(),
        updated_at: None,
    };
    let kind = kind(&call).await?;
    let types = call.control().types();
    let made = types.edit_encryption(&kind.id, |found| {
        if found.is_some() {
            return Err(ControlError::invalid(format!(
                "Volume type encryption for type {} already exists.",
                kind.id
            )));
        }
        *found = Some(wanted.clone());
        Ok(())
    });
    let made = made.await?;
    json(200, &EncryptionMade::new(&made.id, &wanted))
}

async fn show(call: Call) -> Answer {
    let kind = kind(&call).await?;
    let member = call.part("encryption_id");
    match EncryptionMember::of(&kind, member) {
        Some(found) => json(200, &found),
        None => Err(missing(&kind.id).into()),
    }
}

async fn update(call: Call) -> Answer {
    let members = call.object("encryption")?.into_members();
    let said = said(Fields::over(members.clone()))?;
    let kind = kind(&call).await?;
    let types = call.control().types();
    let changed = types.edit_encryption(&kind.id, |found| {
        let found = found.as_mut().ok_or_else(|| missing(&kind.id))?;
        if let Some(provider) = &said.provider {
            found.provider.clone_from(provider);
        }
        if let Some(location) = &said.location {
            found.control_location.clone_from(location);
        }
        if let Some(cipher) = &said.cipher {
            found.cipher.clone_from(cipher);
        }
        found.key_size = said.key_size.unwrap_or(found.key_size);
        found.updated_at = Some(Timestamp::now());
        Ok(())
    });
    changed.await?;
    let encryption = members;
    json(200, &EncryptionChanged { encryption })
}

async fn delete(call: Call) -> Answer {
    let kind = kind(&call).await?;
    let types = call.control().types();
    let gone = types.edit_encryption(&kind.id, |found| {
        found.take().map(drop).ok_or_else(|| missing(&kind.id))
    });
    gone.await?;
    empty(202)
}

async fn of_volume(call: Call) -> Answer {
    let volumes = call.control().volumes();
    volumes.get(&call.caller, call.part("volume_id")).await?;
    json(200, &VolumeEncryption::default())
}
