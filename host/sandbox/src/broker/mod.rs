//! The egress broker: the only way out of the sandbox.
//!
//! A driver says `https://<target>/…`. Whether the request may leave is decided in one function ([`decide`]); then the
//! host dials the configured address, under the configured TLS trust, with the credential that the driver never sees.

mod breaker;
mod connector;
pub(crate) mod credential;
mod decide;
mod denials;
mod distrust;
mod egress;
mod exchange;
mod headers;
mod mask;
mod target;
mod tls;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use springform_model::audit::Sink;
use springform_model::contract::{Context, CredentialScheme};
use tokio::time::Instant;

pub use egress::{CallEgress, Egress};
pub use target::{Target, TargetState};

use crate::binding::Binding;
use crate::error::BindError;
use crate::grant::{EffectiveGrant, Rule};

/// Key of `target.extensions` under which a driver finds the API version that was negotiated with the array.
pub const API_VERSION: &str = "springform/api-version";

/// The targets of one backend.
pub struct Broker {
    pub(crate) driver: String,
    pub(crate) backend: String,
    /// By the same names as the targets.
    pub(crate) grants: BTreeMap<String, EffectiveGrant>,
    pub(crate) targets: BTreeMap<String, Arc<Target>>,
    /// Requests that were denied since it was made.
    pub(crate) denied: AtomicU64,
    /// Who is told of them.
    pub(crate) audit: Option<Arc<dyn Sink>>,
}

impl Broker {
    /// Makes a target ready for each configured one; connects to none.
    ///
    /// # Errors
    /// Names the target that cannot work.
    pub fn new(
        binding: &Binding,
        scheme: &CredentialScheme,
        proposal: &[Rule],
        audit: Option<Arc<dyn Sink>>,
    ) -> Result<Self, BindError> {
        let (mut targets, mut grants) = (BTreeMap::new(), BTreeMap::new());
        for configured in &binding.targets {
            let refuse = |reason: String| BindError::Target {
                backend: binding.backend.clone(),
                target: configured.name.clone(),
                reason,
            };
            let target = Target::new(&binding.backend, configured, scheme).map_err(refuse)?;
            // Authorities are compared without regard to case, so names are as well.
            let name = configured.name.to_ascii_lowercase();
            let grant = EffectiveGrant::new(configured.grant.clone(), proposal);
            grants.insert(name.clone(), grant);
            if targets.insert(name, Arc::new(target)).is_some() {
                return Err(refuse(
                    "the name is used twice; give each target its own backend_id".to_owned(),
                ));
            }
        }
        Ok(Self {
            driver: binding.driver.clone(),
            backend: binding.backend.clone(),
            grants,
            targets,
            denied: AtomicU64::new(0),
            audit,
        })
    }

    /// What is known of each target.
    #[must_use]
    pub fn states(&self) -> Vec<TargetState> {
        self.targets.values().map(|t| t.state()).collect()
    }

    /// Tells a driver what the host knows of its targets: who does not answer, which API version was agreed.
    pub async fn introduce(&self, context: &mut Context, deadline: Instant) {
        let known = context
            .targets
            .iter()
            .filter_map(|t| self.targets.get(&t.name.to_ascii_lowercase()));
        futures_util::future::join_all(known.map(|t| t.negotiate(deadline))).await;
        for target in &mut context.targets {
            if let Some(known) = self.targets.get(&target.name.to_ascii_lowercase()) {
                target.reachable &= known.reachable();
                if let Some(version) = known.version() {
                    target
                        .extensions
                        .push((API_VERSION.to_owned(), version.to_string()));
                }
            }
        }
    }
}
