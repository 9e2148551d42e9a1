//! Interface `identity`.

use springform_model::contract as model;

use super::{Convert, record};
use crate::bindings::exports::springform::driver::identity as wit;

record!(lift wit::OptionSchema, model::OptionSchema { name, kind, default, required, secret, doc });
record!(lift wit::SessionScheme, model::SessionScheme {
    login_path, login_method, secret_header, token_response_header, token_pointer, token_header, logout_path,
    version_path, version_pointer, versions, expired_statuses,
});
record!(lift wit::Description, model::Description {
    name, vendor, version, summary, replication, protocols, options, target_options, credentials, secret_option,
    target_secret_option, features, extensions,
});

impl Convert<model::OptionType> for wit::OptionType {
    fn convert(self) -> model::OptionType {
        match self {
            Self::Text => model::OptionType::Text,
            Self::Boolean => model::OptionType::Boolean,
            Self::Integer => model::OptionType::Integer,
            Self::Seconds => model::OptionType::Seconds,
            Self::TextList => model::OptionType::TextList,
            Self::Choice(choices) => model::OptionType::Choice(choices),
            Self::Other(text) => model::OptionType::Other(text),
        }
    }
}

impl Convert<model::CredentialScheme> for wit::CredentialScheme {
    fn convert(self) -> model::CredentialScheme {
        match self {
            Self::None => model::CredentialScheme::None,
            Self::Header(name) => model::CredentialScheme::Header(name),
            Self::Basic => model::CredentialScheme::Basic,
            Self::Bearer => model::CredentialScheme::Bearer,
            Self::Session(session) => model::CredentialScheme::Session(session.convert()),
            Self::Other(text) => model::CredentialScheme::Other(text),
        }
    }
}

impl Convert<String> for wit::Feature {
    fn convert(self) -> String {
        match self {
            Self::Snapshots => "snapshots",
            Self::Clones => "clones",
            Self::Revert => "revert",
            Self::ExtendAttached => "extend-attached",
            Self::Retype => "retype",
            Self::Manage => "manage",
            Self::Groups => "groups",
            Self::GroupSnapshots => "group-snapshots",
            Self::Qos => "qos",
            Self::Multiattach => "multiattach",
            Self::Chap => "chap",
            Self::PlannedFailover => "planned-failover",
            Self::Drill => "drill",
            Self::Failback => "failback",
            Self::Reconcile => "reconcile",
            Self::Other(text) => return text,
        }
        .to_owned()
    }
}
