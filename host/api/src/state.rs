//! What every request needs: the control plane, who may do what, and the limits.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use springform_control::compute::ServerVolumes;
use springform_control::{Caller, Control};
use tokio::sync::Semaphore;

use crate::auth::{Auth, Policy};
use crate::limits::{KeyBrake, Rates, TokenBrake};
use crate::metrics::HttpMetrics;
use crate::nova::NovaService;

/// Limits of the HTTP side; the defaults are on.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body_bytes: usize,
    /// Bytes of an uploaded driver.
    pub driver_bytes: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long the head of a request may take to arrive.
    pub header_timeout: Duration,
    /// How long a request may be worked on, streams apart.
    pub request_timeout: Duration,
    /// How long a client may leave an answer unread.
    pub write_timeout: Duration,
    /// Requests worked on at the same time; more are turned away with 503.
    pub concurrency: usize,
    /// Connections held open at the same time; beyond, the one whose client has been waited for longest makes room.
    pub connections: usize,
    /// Of these, connections from one address.
    pub connections_per_address: usize,
    /// Requests a second for each user of a project, or for each address where nobody is asked who they are; 0: no limit.
    pub requests_per_second: u32,
    /// Requests such a client may make at once before the rate applies.
    pub burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 112 * 1024,
            driver_bytes: 64 << 20,
            body_timeout: Duration::from_secs(30),
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(120),
            write_timeout: Duration::from_secs(30),
            concurrency: 512,
            connections: 4096,
            connections_per_address: 4096,
            requests_per_second: 0,
            burst: 200,
        }
    }
}

/// What a router is made from.
#[derive(Debug)]
pub struct ApiState {
    /// The control plane.
    pub control: Control,
    /// How callers are known.
    pub auth: Auth,
    /// Who may do what.
    pub policy: Policy,
    /// Limits.
    pub limits: Limits,
    /// URL that clients reach us by; none: their Host header.
    pub public_endpoint: Option<String>,
    /// Nova; none: nobody can be asked whether a server uses a volume.
    pub nova: Option<NovaService>,
    /// Where uploaded drivers are kept.
    pub drivers_dir: PathBuf,
}

/// The same, shared by all requests.
#[derive(Debug)]
pub(crate) struct State {
    pub control: Control,
    pub auth: Auth,
    pub policy: Policy,
    pub limits: Limits,
    pub public_endpoint: Option<String>,
    pub nova: Option<NovaService>,
    pub drivers_dir: PathBuf,
    pub rates: Rates,
    pub tokens: TokenBrake,
    pub transfer_keys: KeyBrake,
    pub places: Arc<Semaphore>,
    pub metrics: HttpMetrics,
    pub openapi: bytes::Bytes,
}

impl State {
    /// Nova with a caller's credentials, where it knows them.
    pub(crate) fn nova_as(
        &self,
        caller: &Caller,
        headers: &HeaderMap,
    ) -> Option<Arc<dyn ServerVolumes>> {
        let nova = self.nova.as_ref()?;
        let token = self.auth.token_for_nova(caller, headers)?;
        Some(nova.as_caller(&token))
    }
}
