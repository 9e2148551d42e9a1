//! Metadata of volumes and of snapshots, and what an image would have said of a volume.

use springform_control::Entries;
use springform_control::volumes::UpdateVolume;
use springform_model::cloud::Metadata;

use crate::http::{Answer, ApiError, Call, Fields, Keys, Routes, Shape, empty, json};
use crate::views::{AllMetadata, Entry, MetadataEntry};

/// Whose metadata it is.
#[derive(Debug, Clone, Copy)]
enum Noun {
    Volume,
    Snapshot,
}

/// A noun with the paths of its metadata and the rules for showing, adding, replacing and removing.
type Collection = (Noun, &'static str, &'static str, [&'static str; 4]);

const COLLECTIONS: [Collection; 2] = [
    (
        Noun::Volume,
        "/volumes/{volume_id}/metadata",
        "/volumes/{volume_id}/metadata/{key}",
        [
            "volume:get_volume_metadata",
            "volume:create_volume_metadata",
            "volume:update_volume_metadata",
            "volume:delete_volume_metadata",
        ],
    ),
    (
        Noun::Snapshot,
        "/snapshots/{snapshot_id}/metadata",
        "/snapshots/{snapshot_id}/metadata/{key}",
        [
            "volume:get_snapshot_metadata",
            "volume:update_snapshot_metadata",
            "volume:update_snapshot_metadata",
            "volume:delete_snapshot_metadata",
        ],
    ),
];

pub(super) fn routes(r: &mut Routes) {
    for (noun, all, one, [show, add, replace, remove]) in COLLECTIONS {
        let (many, single) = noun.shapes();
        r.get(all, show, move |call| noun.show(call))
            .says("Shows all metadata.")
            .returns::<AllMetadata<'_>>(200);
        r.post(all, add, move |call| noun.write(call, Entries::Merge))
            .says("Adds or replaces entries.")
            .takes(many)
            .returns::<AllMetadata<'_>>(200);
        r.put(all, replace, move |call| noun.write(call, Entries::Replace))
            .says("Replaces all metadata.")
            .takes(many)
            .returns::<AllMetadata<'_>>(200);
        r.get(one, show, move |call| noun.entry(call))
            .says("Shows one entry.")
            .returns::<MetadataEntry<'_>>(200);
        r.put(one, replace, move |call| noun.set_entry(call))
            .says("Replaces one entry.")
            .takes(single)
            .returns::<MetadataEntry<'_>>(200);
        r.delete(one, remove, move |call| noun.delete_entry(call))
            .says("Takes one entry away.")
            .ends(200);
    }
}

impl Noun {
    fn id(self, call: &Call) -> &str {
        call.part(match self {
            Self::Volume => "volume_id",
            Self::Snapshot => "snapshot_id",
        })
    }

    /// The forms of the bodies for several entries and for one.
    fn shapes(self) -> (Shape, Shape) {
        match self {
            Self::Volume => ("{metadata:map}", "{meta:map}"),
            Self::Snapshot => ("{metadata:tags}", "{meta:tags}"),
        }
    }

    fn keys(self) -> Keys {
        match self {
            Self::Volume => Keys::Words,
            Self::Snapshot => Keys::Plain,
        }
    }

    /// The object under the key. What is beside it, Cinder refuses for volumes only.
    fn body(self, call: &Call, key: &str) -> Result<Fields, ApiError> {
        match self {
            Self::Volume => call.object(key),
            Self::Snapshot => call.fields()?.object(key),
        }
    }

    async fn read(self, call: &Call) -> Result<Metadata, ApiError> {
        let (control, caller, id) = (call.control(), &call.caller, self.id(call));
        Ok(match self {
            Self::Volume => control.volumes().get(caller, id).await?.metadata,
            Self::Snapshot => control.snapshots().get(caller, id).await?.metadata,
        })
    }

    /// Changes what is there when it is written, so nothing of another writer is lost; where the client named what it
    /// has seen (3.15, volumes), only that.
    async fn edit(self, call: &Call, entries: Entries) -> Result<Metadata, ApiError> {
        let (control, caller, id) = (call.control(), &call.caller, self.id(call));
        let seen = call.if_match.as_ref();
        let seen = seen.filter(|seen| call.version.has(15) && *seen != "*");
        Ok(match (self, seen) {
            (Self::Volume, Some(seen)) => edit_seen(call, &entries, seen).await?,
            (Self::Volume, None) => {
                let volumes = control.volumes();
                volumes.edit_metadata(caller, id, &entries).await?
            }
            (Self::Snapshot, _) => {
                let snapshots = control.snapshots();
                snapshots.edit_metadata(caller, id, &entries).await?
            }
        })
    }

    async fn show(self, call: Call) -> Answer {
        let found = self.read(&call).await?;
        let mut answer = json(200, &AllMetadata { metadata: &found })?;
        if matches!(self, Self::Volume)
            && call.version.has(15)
            && let Ok(tag) = http::HeaderValue::from_str(&format!("\"{}\"", etag(&found)))
        {
            answer.headers_mut().insert(http::header::ETAG, tag);
        }
        Ok(answer)
    }

    async fn write(self, call: Call, how: fn(Metadata) -> Entries) -> Answer {
        let entries = self.body(&call, "metadata")?;
        let entries = entries.into_pairs("metadata", self.keys())?;
        let all = self.edit(&call, how(entries)).await?;
        json(200, &AllMetadata { metadata: &all })
    }

    async fn entry(self, call: Call) -> Answer {
        let all = self.read(&call).await?;
        let key = call.part("key");
        match all.get(key) {
            Some(text) => {
                let meta = Entry::new(key, text);
                json(200, &MetadataEntry { meta })
            }
            None => Err(ApiError::not_found("Metadata item was not found")),
        }
    }

    async fn set_entry(self, call: Call) -> Answer {
        let fields = self.body(&call, "meta")?;
        let (key, text) = fields.into_pair("meta", call.part("key"), self.keys())?;
        let entries = Metadata::from([(key.clone(), text.clone())]);
        self.edit(&call, Entries::Merge(entries)).await?;
        let meta = Entry::new(&key, &text);
        json(200, &MetadataEntry { meta })
    }

    async fn delete_entry(self, call: Call) -> Answer {
        let key = call.part("key").to_owned();
        self.edit(&call, Entries::Remove(key)).await?;
        empty(200)
    }
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

/// Changes a volume's metadata only if it is still what the client has seen; 412 otherwise.
async fn edit_seen(call: &Call, entries: &Entries, seen: &str) -> Result<Metadata, ApiError> {
    let changed = || {
        ApiError::new(
            http::StatusCode::PRECONDITION_FAILED,
            "The metadata has changed since it was read.",
        )
    };
    let (volumes, id) = (call.control().volumes(), call.part("volume_id"));
    let now = volumes.get(&call.caller, id).await?.metadata;
    if seen != etag(&now) {
        return Err(changed());
    }
    let mut all = now.clone();
    entries.apply(&mut all)?;
    let wanted = UpdateVolume {
        metadata: Some(all),
        only_if_metadata: Some(now),
        ..UpdateVolume::default()
    };
    match volumes.update(&call.caller, id, wanted).await {
        Ok(volume) => Ok(volume.metadata),
        Err(error) if error.kind == springform_control::ErrorKind::Conflict => Err(changed()),
        Err(error) => Err(error.into()),
    }
}

fn no_image(id: &str) -> ApiError {
    ApiError::not_found(format!(
        "Glance metadata for volume/snapshot {id} cannot be found."
    ))
}

/// `os-set_image_metadata`, `os-unset_image_metadata`, `os-show_image_metadata`.
pub(super) async fn image_action(call: &Call, name: &str, mut fields: Fields) -> Answer {
    let (caller, id) = (&call.caller, call.part("volume_id"));
    let volumes = call.control().volumes();
    match name {
        "os-set_image_metadata" => {
            let entries = fields
                .pairs("metadata", Keys::Image)?
                .ok_or_else(|| ApiError::invalid("'metadata' is a required property"))?;
            fields.finish()?;
            let entries = Entries::Merge(entries);
            let all = volumes.edit_image_metadata(caller, id, &entries).await?;
            json(200, &AllMetadata { metadata: &all })
        }
        "os-unset_image_metadata" => {
            let key = fields.required("key")?;
            fields.finish()?;
            let found = volumes.get(caller, id).await?.image_metadata;
            if !found.contains_key(&key) {
                return Err(no_image(id));
            }
            let entries = Entries::Remove(key);
            volumes.edit_image_metadata(caller, id, &entries).await?;
            empty(200)
        }
        _ => {
            let found = volumes.get(caller, id).await?;
            let metadata = &found.image_metadata;
            match metadata.is_empty() {
                true => Err(no_image(id)),
                false => json(200, &AllMetadata { metadata }),
            }
        }
    }
}
