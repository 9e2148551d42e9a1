//! Encryption by hosts, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use springform_model::cloud::{TypeEncryption, VolumeType};
use utoipa::ToSchema;

use super::{Time, time};

/// How hosts are to encrypt volumes of a type. Of a type without encryption it is empty.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = TypeEncryption)]
pub struct EncryptionView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cipher: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    control_location: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    created_at: Option<Time>,
    /// Always false.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    deleted: Option<bool>,
    /// Always null.
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Option<Time>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    encryption_id: Option<&'a str>,
    /// Bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_size: Option<Option<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Option<Time>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    volume_type_id: Option<&'a str>,
}

impl<'a> EncryptionView<'a> {
    /// Of a type.
    #[must_use]
    pub fn of(kind: &'a VolumeType) -> Self {
        let Some(found) = &kind.encryption else {
            return Self::default();
        };
        Self {
            created_at: Some(Time(found.created_at)),
            deleted: Some(false),
            deleted_at: Some(None),
            updated_at: Some(time(found.updated_at)),
            ..Self::made(&kind.id, found)
        }
    }

    fn made(kind: &'a str, found: &'a TypeEncryption) -> Self {
        Self {
            cipher: Some(found.cipher.as_deref()),
            control_location: Some(&found.control_location),
            encryption_id: Some(&found.id),
            key_size: Some(found.key_size),
            provider: Some(&found.provider),
            volume_type_id: Some(kind),
            ..Self::default()
        }
    }
}

/// An encryption that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct EncryptionMade<'a> {
    encryption: EncryptionView<'a>,
}

impl<'a> EncryptionMade<'a> {
    /// Of a type.
    #[must_use]
    pub fn new(kind: &'a str, found: &'a TypeEncryption) -> Self {
        Self {
            encryption: EncryptionView::made(kind, found),
        }
    }
}

/// The members of an encryption that a client sent, as it sent them.
#[derive(Debug, Serialize, ToSchema)]
pub struct EncryptionChanged {
    /// The members.
    #[schema(value_type = BTreeMap<String, Value>)]
    pub encryption: Map<String, Value>,
}

/// One member of a type's encryption, under its own name.
#[derive(Debug, Serialize, ToSchema)]
#[serde(transparent)]
pub struct EncryptionMember(BTreeMap<String, Value>);

impl EncryptionMember {
    /// The member of this name; `None`: there is none.
    #[must_use]
    pub fn of(kind: &VolumeType, name: &str) -> Option<Self> {
        let Ok(Value::Object(mut members)) = serde_json::to_value(EncryptionView::of(kind)) else {
            return None;
        };
        let (name, member) = members.remove_entry(name)?;
        Some(Self(BTreeMap::from([(name, member)])))
    }
}

/// How a volume is encrypted by the host that attaches it: not at all.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct VolumeEncryption {
    /// Always null.
    #[schema(required)]
    encryption_key_id: Option<String>,
}
