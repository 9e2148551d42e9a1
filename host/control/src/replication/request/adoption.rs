//! What must hold before records are brought up to the arrays.

use springform_model::cloud::Service;

use super::Ask;
use crate::replication::Scope;
use crate::replication::env::{ReplicationEnv, ReplicationError};

/// A backend is adopted as a whole, and only while every array of it can be heard: the newest promotion may be on the one
/// that is away.
pub(super) async fn check(
    env: &dyn ReplicationEnv,
    backend: &str,
    ask: &Ask,
    service: &Service,
) -> Result<(), ReplicationError> {
    if !matches!(ask.scope, Scope::Backend(_)) {
        return Err(ReplicationError::Invalid(format!(
            "what the arrays say is adopted for a whole backend, not for {}; name the backend",
            ask.scope.describe()
        )));
    }
    let view = env.backend(backend).await?;
    let away = view.targets.iter().find(|t| {
        let seen = service.targets.iter().find(|seen| seen.target == t.name);
        seen.is_some_and(|seen| !seen.reachable)
    });
    match away {
        None => Ok(()),
        Some(target) => Err(ReplicationError::Refused(away_words(backend, &target.name))),
    }
}

/// Why nothing is adopted while an array cannot be heard.
pub(crate) fn away_words(backend: &str, target: &str) -> String {
    format!(
        "array {target} of backend {backend} does not answer, and the newest promotion may be on it; nothing was adopted. \
         Bring it back, or take it out of the configuration where it is gone for good, and adopt again"
    )
}
