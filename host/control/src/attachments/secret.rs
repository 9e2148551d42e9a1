//! CHAP credentials: one for each initiator, made and kept by the host, shown only to whoever may attach.

use rand::Rng;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use springform_model::contract::{Chap, Connector};
use springform_store::{Changes, Record, Store, StoreError, Table, Value};
use zeroize::Zeroizing;

/// One credential.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Secret {
    id: String,
    user: String,
    pub(crate) password: Zeroizing<String>,
}

impl Record for Secret {
    const TABLE: Table = Table {
        name: "secrets",
        columns: &[],
    };

    fn id(&self) -> &str {
        &self.id
    }

    fn columns(&self) -> Vec<(&'static str, Value)> {
        Vec::new()
    }
}

/// Where the credential of a CHAP user is kept.
pub(crate) fn key(user: &str) -> String {
    format!("chap/{user}")
}

/// The credential of an initiator, made at its first use.
pub(crate) async fn chap_for(
    store: &Store,
    backend: &str,
    connector: &Connector,
) -> Result<Option<Chap>, StoreError> {
    let Some(initiator) = &connector.initiator else {
        return Ok(None);
    };
    let digest = hex::encode(Sha256::digest(format!("{backend}/{initiator}")));
    let user = format!("springform-{}", digest.get(..16).unwrap_or(&digest));
    let id = key(&user);
    for _ in 0..3 {
        if let Some(known) = store.get::<Secret>(&id).await? {
            return Ok(Some(Chap {
                user: known.record.user,
                password: known.record.password,
            }));
        }
        let password = rand::rng()
            .sample_iter(Alphanumeric)
            .take(16)
            .map(char::from)
            .collect::<String>()
            .into();
        let secret = Secret {
            id: id.clone(),
            user: user.clone(),
            password,
        };
        match store.commit(Changes::new().insert(&secret)).await {
            Ok(()) => {
                return Ok(Some(Chap {
                    user: secret.user,
                    password: secret.password,
                }));
            }
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
