//! What a driver says of itself, as JSON.

use serde::Serialize;
use springform_model::contract::{CredentialScheme, Description, OptionSchema, SessionScheme};
use utoipa::ToSchema;

use super::words::{ContractWord, OptionKind};

/// What a driver says of itself.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DriverDescription)]
pub struct DescriptionView<'a> {
    name: &'a str,
    vendor: &'a str,
    version: &'a str,
    summary: &'a str,
    /// How it replicates.
    replication: Vec<ContractWord<'a>>,
    protocols: &'a [String],
    /// Options of a backend.
    options: Vec<DriverOption<'a>>,
    /// Options of a target.
    target_options: Vec<DriverOption<'a>>,
    /// How it logs in to arrays.
    credentials: Credentials<'a>,
    #[schema(required)]
    secret_option: Option<&'a str>,
    #[schema(required)]
    target_secret_option: Option<&'a str>,
    features: &'a [String],
    /// Names and values of a later contract.
    extensions: &'a [(String, String)],
}

/// An option of a driver.
#[derive(Debug, Serialize, ToSchema)]
pub struct DriverOption<'a> {
    name: &'a str,
    kind: OptionKind<'a>,
    #[schema(required)]
    default: Option<&'a str>,
    required: bool,
    secret: bool,
    doc: &'a str,
}

/// How a driver logs in to arrays.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Credentials<'a> {
    None,
    Basic,
    Bearer,
    /// The secret is in this header.
    Header(&'a str),
    /// A session is opened with the secret.
    Session(SessionLogin<'a>),
    Other(&'a str),
}

/// How a session of an array is opened and ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionLogin<'a> {
    login_path: &'a str,
    login_method: &'a str,
    secret_header: &'a str,
    #[schema(required)]
    token_response_header: Option<&'a str>,
    #[schema(required)]
    token_pointer: Option<&'a str>,
    token_header: &'a str,
    #[schema(required)]
    logout_path: Option<&'a str>,
    #[schema(required)]
    version_path: Option<&'a str>,
    #[schema(required)]
    version_pointer: Option<&'a str>,
    versions: &'a [String],
    expired_statuses: &'a [u16],
}

impl<'a> DescriptionView<'a> {
    /// All of it.
    #[must_use]
    pub fn new(description: &'a Description) -> Self {
        let Description {
            name,
            vendor,
            version,
            summary,
            replication,
            protocols,
            options,
            target_options,
            credentials,
            secret_option,
            target_secret_option,
            features,
            extensions,
        } = description;
        Self {
            name,
            vendor,
            version,
            summary,
            replication: replication.iter().map(ContractWord::from).collect(),
            protocols,
            options: options.iter().map(DriverOption::new).collect(),
            target_options: target_options.iter().map(DriverOption::new).collect(),
            credentials: Credentials::new(credentials),
            secret_option: secret_option.as_deref(),
            target_secret_option: target_secret_option.as_deref(),
            features,
            extensions,
        }
    }
}

impl<'a> DriverOption<'a> {
    fn new(option: &'a OptionSchema) -> Self {
        let OptionSchema {
            name,
            kind,
            default,
            required,
            secret,
            doc,
        } = option;
        Self {
            name,
            kind: OptionKind::from(kind),
            default: default.as_deref(),
            required: *required,
            secret: *secret,
            doc,
        }
    }
}

impl<'a> Credentials<'a> {
    fn new(scheme: &'a CredentialScheme) -> Self {
        match scheme {
            CredentialScheme::None => Self::None,
            CredentialScheme::Basic => Self::Basic,
            CredentialScheme::Bearer => Self::Bearer,
            CredentialScheme::Header(header) => Self::Header(header),
            CredentialScheme::Session(session) => Self::Session(SessionLogin::new(session)),
            CredentialScheme::Other(other) => Self::Other(other),
        }
    }
}

impl<'a> SessionLogin<'a> {
    fn new(session: &'a SessionScheme) -> Self {
        let SessionScheme {
            login_path,
            login_method,
            secret_header,
            token_response_header,
            token_pointer,
            token_header,
            logout_path,
            version_path,
            version_pointer,
            versions,
            expired_statuses,
        } = session;
        Self {
            login_path,
            login_method,
            secret_header,
            token_response_header: token_response_header.as_deref(),
            token_pointer: token_pointer.as_deref(),
            token_header,
            logout_path: logout_path.as_deref(),
            version_path: version_path.as_deref(),
            version_pointer: version_pointer.as_deref(),
            versions,
            expired_statuses,
        }
    }
}
