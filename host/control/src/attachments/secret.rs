//! CHAP credentials: one for each initiator, made and kept by the host, shown only to whoever may attach.

use rand::Rng;
use rand::distr::Alphanumeric;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use springform_model::contract::{Chap, Connector};
use springform_store::{Changes, Record, Store, StoreError, Table, Value};
use zeroize::Zeroizing;

/// The credential with which the machine of an initiator logs in to the arrays of a backend.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secret {
    id: String,
    /// Empty where it was taken over: there it is the name of the machine that is attached.
    user: String,
    pub(crate) password: Zeroizing<String>,
}

impl Secret {
    /// One that another service made. Cinder's driver gives each machine its own name as the user
    /// (`cinder/volume/drivers/pure.py`, `_get_chap_credentials`).
    #[must_use]
    pub fn taken_over(backend: &str, initiator: &str, password: &str) -> Self {
        Self {
            id: id(backend, initiator),
            user: String::new(),
            password: password.to_owned().into(),
        }
    }

    /// What a machine is told.
    fn told(self, connector: &Connector) -> Chap {
        Chap {
            user: match self.user.is_empty() {
                true => connector.host.clone(),
                false => self.user,
            },
            password: self.password,
        }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Secret").field(&self.id).finish()
    }
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

/// The user that is made for an initiator.
fn user(backend: &str, initiator: &str) -> String {
    let digest = hex::encode(Sha256::digest(format!("{backend}/{initiator}")));
    format!("springform-{}", digest.get(..16).unwrap_or(&digest))
}

/// Where the credential of an initiator is kept.
pub(crate) fn id(backend: &str, initiator: &str) -> String {
    of_user(&user(backend, initiator))
}

/// Where the credential of a user is kept that was made here.
pub(crate) fn of_user(user: &str) -> String {
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
    let id = id(backend, initiator);
    for _ in 0..3 {
        if let Some(known) = store.get::<Secret>(&id).await? {
            return Ok(Some(known.record.told(connector)));
        }
        let password = rand::rng()
            .sample_iter(Alphanumeric)
            .take(16)
            .map(char::from)
            .collect::<String>()
            .into();
        let secret = Secret {
            id: id.clone(),
            user: user(backend, initiator),
            password,
        };
        match store.commit(Changes::new().insert(&secret)).await {
            Ok(()) => return Ok(Some(secret.told(connector))),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}
