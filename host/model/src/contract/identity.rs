//! Interface `identity`: who a driver is and what it can do.

use serde::{Deserialize, Serialize};

use super::{Extensions, ReplicationKind};

/// Type of an option's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptionType {
    /// Any text.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// A whole number of seconds.
    Seconds,
    /// A list of texts; handed to the driver joined by commas.
    TextList,
    /// One of these.
    Choice(Vec<String>),
    /// A type of a later contract; taken as text.
    Other(String),
}

/// One option of a backend or of a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionSchema {
    /// Key in the TOML.
    pub name: String,
    /// Type.
    pub kind: OptionType,
    /// Default, as text.
    pub default: Option<String>,
    /// Whether it must be set.
    pub required: bool,
    /// Whether it is kept from the driver.
    pub secret: bool,
    /// One sentence for the operator.
    pub doc: String,
}

/// Login of a `session` credential scheme. See the WIT for each field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SessionScheme {
    pub login_path: String,
    pub login_method: String,
    pub secret_header: String,
    pub token_response_header: Option<String>,
    pub token_pointer: Option<String>,
    pub token_header: String,
    pub logout_path: Option<String>,
    pub version_path: Option<String>,
    pub version_pointer: Option<String>,
    pub versions: Vec<String>,
    pub expired_statuses: Vec<u16>,
}

/// How arrays want to be addressed; carried out by the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
// One value a driver, read once: a box would only be in the way.
#[allow(clippy::large_enum_variant)]
pub enum CredentialScheme {
    /// No credential.
    None,
    /// The secret in this header.
    Header(String),
    /// HTTP basic authentication; the secret is `user:password`.
    Basic,
    /// `Authorization: Bearer`.
    Bearer,
    /// Login for a token.
    Session(SessionScheme),
    /// A scheme of a later contract; refused at load.
    Other(String),
}

/// Who the driver is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Short name.
    pub name: String,
    /// Vendor.
    pub vendor: String,
    /// Version.
    pub version: String,
    /// One sentence.
    pub summary: String,
    /// What it can replicate.
    pub replication: Vec<ReplicationKind>,
    /// Protocols.
    pub protocols: Vec<String>,
    /// Options of a backend.
    pub options: Vec<OptionSchema>,
    /// Options of a target.
    pub target_options: Vec<OptionSchema>,
    /// Credential scheme of its arrays.
    pub credentials: CredentialScheme,
    /// Option that holds the primary's secret.
    pub secret_option: Option<String>,
    /// Option that holds a target's secret.
    pub target_secret_option: Option<String>,
    /// Abilities, by their names in the contract (`snapshots`, `drill`, `failback`, …).
    pub features: Vec<String>,
    /// Room for growth.
    pub extensions: Extensions,
}

/// The ability of a component that exports the interface `migrating`. Set by whoever loads it, whatever it says of itself.
pub const MIGRATE: &str = "migrate";

impl Description {
    /// Whether the driver declares an ability.
    #[must_use]
    pub fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|f| f == feature)
    }
}
