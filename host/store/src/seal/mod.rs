//! Secrets at rest: fields of records that are sealed before they are written and opened when they are read.
//!
//! What is sealed is bound to its table, record and field, so that none can be put in another's place. One key seals a whole
//! database; a mark in it says which. See `docs/backup.md` for what that protects against.

mod key;
mod unlock;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use chacha20poly1305::aead::{Aead as _, Generate as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde_json::value::RawValue;
use zeroize::{Zeroize as _, Zeroizing};

pub use key::{KeyError, Keyring, SealingKey};
pub use unlock::sealed_with;
pub(crate) use unlock::{Lockout, is_known, unlock};

use crate::changes::{Change, Changes};
use crate::error::StoreError;

/// Fields that hold secrets, by table. A field that is null is left as it is.
const SECRETS: &[(&str, &[&str])] = &[
    ("secrets", &["password"]),
    ("attachments", &["connection"]),
    ("transfers", &["key_hash"]),
];
/// Before what is sealed, with the version of how.
const PREFIX: &str = "sealed:1:";
/// Bytes of a nonce.
const NONCE: usize = 24;

/// The fields of a table that are sealed.
pub(crate) fn secret_fields(table: &str) -> &'static [&'static str] {
    let found = SECRETS.iter().find(|(name, _)| *name == table);
    found.map_or(&[], |(_, fields)| fields)
}

/// What cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the secret {field} in record {id} of {table} {why}")]
pub(crate) struct SealError {
    table: String,
    id: String,
    field: String,
    why: &'static str,
}

impl From<SealError> for StoreError {
    fn from(error: SealError) -> Self {
        Self::Database(error.to_string())
    }
}

/// One key at work.
pub(crate) struct Cipher {
    id: String,
    aead: XChaCha20Poly1305,
}

/// A record's document by its fields, each as the JSON it is.
type Fields<'a> = BTreeMap<&'a str, &'a RawValue>;

impl Cipher {
    pub(crate) fn new(key: &SealingKey) -> Self {
        Self {
            id: key.id(),
            aead: key.cipher(),
        }
    }

    /// Seals the secrets of every record that is written.
    pub(crate) fn seal_changes(&self, changes: &mut Changes) -> Result<(), SealError> {
        for change in &mut changes.changes {
            let (Change::Insert(row) | Change::Put(row) | Change::Update(row, _)) = change else {
                continue;
            };
            let table = row.table.name;
            if !secret_fields(table).is_empty() {
                let sealed = self.seal_document(table, &row.id, &row.doc)?;
                row.doc.zeroize();
                row.doc = sealed;
            }
        }
        Ok(())
    }

    /// A document with its secrets sealed.
    pub(crate) fn seal_document(
        &self,
        table: &str,
        id: &str,
        doc: &str,
    ) -> Result<String, SealError> {
        rewrite(table, id, doc, |place, value| {
            let sealed = self.seal(place, value.get())?;
            Ok(format!("\"{sealed}\"").into())
        })
        .map(|mut text| std::mem::take(&mut *text))
    }

    /// A document with its secrets in clear. It is wiped from memory when it is dropped.
    pub(crate) fn open_document(
        &self,
        table: &str,
        id: &str,
        doc: &str,
    ) -> Result<Zeroizing<String>, SealError> {
        rewrite(table, id, doc, |place, value| {
            let sealed: &str = serde_json::from_str(value.get())
                .map_err(|_| place.error("is not sealed: it was changed by hand"))?;
            self.open(place, sealed)
        })
    }

    fn seal(&self, place: Place<'_>, clear: &str) -> Result<String, SealError> {
        let nonce = XNonce::try_generate()
            .map_err(|_| place.error("cannot be sealed: no random numbers"))?;
        let bound = place.bound();
        let payload = Payload {
            msg: clear.as_bytes(),
            aad: bound.as_bytes(),
        };
        let sealed = self.aead.encrypt(&nonce, payload);
        let sealed = sealed.map_err(|_| place.error("cannot be sealed"))?;
        let whole = [nonce.as_slice(), &sealed].concat();
        Ok(format!("{PREFIX}{}", STANDARD_NO_PAD.encode(whole)))
    }

    fn open(&self, place: Place<'_>, sealed: &str) -> Result<Zeroizing<String>, SealError> {
        let text = sealed.strip_prefix(PREFIX);
        let text = text.ok_or_else(|| place.error("is not sealed: it was changed by hand"))?;
        let changed = || place.error("cannot be opened: it was changed, or sealed for another");
        let whole = STANDARD_NO_PAD.decode(text).map_err(|_| changed())?;
        let (nonce, sealed) = whole.split_at_checked(NONCE).ok_or_else(changed)?;
        let nonce = XNonce::try_from(nonce).map_err(|_| changed())?;
        let bound = place.bound();
        let payload = Payload {
            msg: sealed,
            aad: bound.as_bytes(),
        };
        let clear = self.aead.decrypt(&nonce, payload).map_err(|_| changed())?;
        match String::from_utf8(clear) {
            Ok(clear) => Ok(Zeroizing::new(clear)),
            Err(_) => Err(changed()),
        }
    }
}

/// A field of a record: what its secret is bound to.
#[derive(Clone, Copy)]
struct Place<'a> {
    table: &'a str,
    id: &'a str,
    field: &'a str,
}

impl Place<'_> {
    fn bound(&self) -> String {
        format!("springform\0{}\0{}\0{}", self.table, self.id, self.field)
    }

    fn error(&self, why: &'static str) -> SealError {
        SealError {
            table: self.table.to_owned(),
            id: self.id.to_owned(),
            field: self.field.to_owned(),
            why,
        }
    }
}

/// A document with other values in its secret fields.
fn rewrite(
    table: &str,
    id: &str,
    doc: &str,
    other: impl Fn(Place<'_>, &RawValue) -> Result<Zeroizing<String>, SealError>,
) -> Result<Zeroizing<String>, SealError> {
    let place = |field| Place { table, id, field };
    let unreadable = |_| place("document").error("cannot be read");
    let fields: Fields<'_> = serde_json::from_str(doc).map_err(unreadable)?;
    let mut values = Vec::new();
    for (field, value) in &fields {
        let secret = secret_fields(table).contains(field) && value.get() != "null";
        values.push(match secret {
            true => Some(other(place(field), value)?),
            false => None,
        });
    }
    let value = |value: &'_ RawValue, other: &'_ Option<Zeroizing<String>>| {
        other
            .as_ref()
            .map_or(value.get().len(), |other| other.len())
    };
    let parts = fields.iter().zip(&values);
    let bytes = parts.map(|((field, old), new)| field.len() + value(old, new) + 4);
    // Room for all of it, so that no secret is copied while it grows.
    let mut text = Zeroizing::new(String::with_capacity(2 + bytes.sum::<usize>()));
    text.push('{');
    for (n, ((field, old), new)) in fields.iter().zip(&values).enumerate() {
        if n > 0 {
            text.push(',');
        }
        text.push('"');
        text.push_str(field);
        text.push_str("\":");
        text.push_str(new.as_ref().map_or(old.get(), |new| new.as_str()));
    }
    text.push('}');
    Ok(text)
}
