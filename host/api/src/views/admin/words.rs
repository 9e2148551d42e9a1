//! Words of records: closed vocabularies are text, and a contract's vocabulary may have a word of a later version.

use serde::Serialize;
use serde_json::Value;
use springform_model::contract::{
    FailoverMode, FailureCode, LinkState, OptionType, Protection, ReplicationKind, Role,
};
use utoipa::ToSchema;

/// The word of an enumeration as its record writes it.
pub(super) fn word(of: &impl Serialize) -> String {
    match serde_json::to_value(of) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

/// A word of the driver contract, or one of a later contract under `other`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ContractWord<'a> {
    /// A word that this version knows.
    Known(&'a str),
    /// Another one.
    Other {
        /// The word.
        other: &'a str,
    },
}

macro_rules! contract_words {
    ($($vocabulary:ident),+) => {$(
        impl<'a> From<&'a $vocabulary> for ContractWord<'a> {
            fn from(word: &'a $vocabulary) -> Self {
                match word {
                    $vocabulary::Other(other) => Self::Other { other },
                    known => Self::Known(known.as_str()),
                }
            }
        }
    )+};
}

contract_words!(FailureCode, FailoverMode, LinkState, Protection, Role);

impl<'a> From<&'a ReplicationKind> for ContractWord<'a> {
    fn from(kind: &'a ReplicationKind) -> Self {
        match kind {
            ReplicationKind::Async => Self::Known("async"),
            ReplicationKind::Sync => Self::Known("sync"),
            ReplicationKind::TriSync => Self::Known("tri-sync"),
            ReplicationKind::Other(other) => Self::Other { other },
        }
    }
}

/// The type of a driver's option.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum OptionKind<'a> {
    /// A word.
    Word(ContractWord<'a>),
    /// One of these words.
    Choice {
        /// The words.
        choice: &'a [String],
    },
}

impl<'a> From<&'a OptionType> for OptionKind<'a> {
    fn from(kind: &'a OptionType) -> Self {
        let known = |word| Self::Word(ContractWord::Known(word));
        match kind {
            OptionType::Text => known("text"),
            OptionType::Boolean => known("boolean"),
            OptionType::Integer => known("integer"),
            OptionType::Seconds => known("seconds"),
            OptionType::TextList => known("text-list"),
            OptionType::Choice(choice) => Self::Choice { choice },
            OptionType::Other(other) => Self::Word(ContractWord::Other { other }),
        }
    }
}
