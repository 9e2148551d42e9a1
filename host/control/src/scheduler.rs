//! Which pool a volume goes to. Pure: the pools as they are known now in, a choice or the reasons against each out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_all;
use springform_model::cloud::{Metadata, Service};
use springform_model::contract::Pool;
use tokio::time::{Instant, timeout_at};

use crate::ControlError;
use crate::backend::BackendHandle;
use crate::backends::Backends;

mod candidate;
mod hints;
mod leaving;
mod ops;
mod reservations;
mod weigh;

pub use crate::config::{Weigher, Weighers};
pub use candidate::Candidate;
pub use hints::{Affinity, Hints};
pub use leaving::Leaving;
pub use ops::matches;
pub(crate) use reservations::Reservations;

/// How long a request waits for backends that are set up for the first time since the start.
const FIRST_SET_UP: Duration = Duration::from_secs(20);

/// What is looked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Volume that takes the room; none: it is only asked where there is some.
    pub volume: Option<String>,
    /// GiB.
    pub size: u64,
    /// Extra specs of the type.
    pub extra_specs: Metadata,
    /// Zone asked for; none: any.
    pub availability_zone: Option<String>,
    /// Only this backend: that of the source.
    pub backend: Option<String>,
    /// Backends that failed already.
    pub not: Vec<String>,
    /// Whether the type asks for several attachments.
    pub multiattach: bool,
    /// Backends that the creator's hints leave.
    pub affinity: Affinity,
    /// Where the volume is, if it is to be moved from array to array.
    pub leaving: Option<Leaving>,
}

impl Candidate {
    /// Whether it has what the extra specs of a type ask for.
    #[must_use]
    pub fn suits(&self, extra_specs: &Metadata) -> bool {
        let request = Request {
            extra_specs: extra_specs.clone(),
            ..Request::default()
        };
        capabilities(self, &request).is_ok()
    }
}

/// A pool as it will be once everything is made that was placed in it since its statistics were read.
fn ahead(mut pool: Pool, reservations: &Reservations) -> Pool {
    let pending = reservations.pending(&pool.name);
    pool.provisioned_bytes = pool.provisioned_bytes.saturating_add(pending);
    if !pool.thin {
        pool.free_bytes = pool.free_bytes.saturating_sub(pending);
    }
    pool
}

/// Every pool of every backend that is known now, with the reason of those that cannot be used at all.
///
/// # Errors
/// What the store says.
pub async fn candidates(
    backends: &Backends,
) -> Result<(Vec<Candidate>, Vec<String>), ControlError> {
    let mut candidates = Vec::new();
    let mut refusals = Vec::new();
    for backend in backends.backends() {
        let status = backend.status();
        let name = backend.name();
        let Some(service) = backends.store().get::<Service>(name).await? else {
            continue;
        };
        let service = service.record;
        let why = if service.look_only_since.is_some() {
            Some("its database was restored (see `springform reconcile --adopt`)".to_owned())
        } else if service.frozen {
            Some("it is frozen (thaw it with `cinder thaw-host`)".to_owned())
        } else if service.disabled {
            let reason = service
                .disabled_reason
                .as_deref()
                .filter(|reason| !reason.is_empty());
            Some(format!(
                "it is disabled ({})",
                reason.unwrap_or("no reason given")
            ))
        } else if !status.is_up() {
            Some(format!(
                "it is down: {}",
                status
                    .reason
                    .or(status.statistics_error)
                    .unwrap_or_default()
            ))
        } else {
            None
        };
        match (why, status.statistics) {
            (Some(why), _) => refusals.push(format!("{name}: ServiceFilter: {why}")),
            (None, None) => refusals.push(format!(
                "{name}: ServiceFilter: its statistics are not known yet"
            )),
            (None, Some(statistics)) => {
                let generation = backends.generation(name);
                let described = generation.as_ref().map(|g| g.loaded.driver.description());
                let features = described.map(|d| d.features.clone()).unwrap_or_default();
                let vendor = described.map(|d| d.vendor.clone()).unwrap_or_default();
                for pool in statistics.pools.clone() {
                    candidates.push(Candidate {
                        backend: backend.clone(),
                        service: service.clone(),
                        statistics: statistics.clone(),
                        pool: ahead(pool, &backend.reservations),
                        features: features.clone(),
                        vendor: vendor.clone(),
                    });
                }
            }
        }
    }
    Ok((candidates, refusals))
}

/// The best pool.
///
/// # Errors
/// `Unavailable`; the sentence says which filter refused which backend and why.
pub async fn schedule(backends: &Backends, request: &Request) -> Result<Candidate, ControlError> {
    let until = Instant::now() + FIRST_SET_UP;
    loop {
        let new = being_set_up(backends);
        let (candidates, mut refusals) = candidates(backends).await?;
        let Some(chosen) = choose(
            candidates,
            request,
            &backends.config().weighers,
            &mut refusals,
        ) else {
            if first_set_up(&new, until).await {
                continue;
            }
            return Err(none_fits(refusals));
        };
        let bytes = request.size.saturating_mul(1 << 30);
        // Each round that fails means that another volume took room, so this ends.
        match &request.volume {
            Some(volume) if !chosen.take(volume, bytes) => {}
            _ => return Ok(chosen),
        }
    }
}

/// Whether a volume that is in a pool, `host@backend#pool`, may stay there with other wishes; the error says which
/// filter refuses it. Its room is taken already.
///
/// # Errors
/// What the store says.
pub(crate) async fn may_stay(
    backends: &Backends,
    host: &str,
    request: &Request,
) -> Result<Result<(), String>, ControlError> {
    let (candidates, refusals) = candidates(backends).await?;
    let backend = request.backend.as_deref().unwrap_or_default();
    let on = |candidate: &&Candidate| candidate.backend.name() == backend;
    let here = candidates.iter().find(|candidate| candidate.host() == host);
    // Pools of the array that serves after a failover may have other names.
    if let Some(here) = here.or_else(|| candidates.iter().find(on)) {
        return Ok(may_hold(here, request).map_err(|why| format!("{host}: {why}")));
    }
    let why = refusals
        .into_iter()
        .find(|why| why.starts_with(&format!("{backend}: ")));
    Ok(Err(why.unwrap_or_else(|| {
        format!("{host}: it is no pool of a backend")
    })))
}

/// The best pool of a backend on which every request finds a pool: the members of a group share a backend, not a pool.
///
/// # Errors
/// As [`schedule`].
pub async fn schedule_all(
    backends: &Backends,
    requests: &[Request],
) -> Result<Candidate, ControlError> {
    let until = Instant::now() + FIRST_SET_UP;
    loop {
        let new = being_set_up(backends);
        let (candidates, mut refusals) = candidates(backends).await?;
        if let Some(chosen) = choose_all(
            candidates,
            requests,
            &backends.config().weighers,
            &mut refusals,
        ) {
            return Ok(chosen);
        }
        if !first_set_up(&new, until).await {
            return Err(none_fits(refusals));
        }
    }
}

/// Backends whose first set-up is under way. Listed before the candidates: one whose set-up ends in between is in neither
/// of them otherwise, and the volume would be refused for nothing.
fn being_set_up(backends: &Backends) -> Vec<Arc<BackendHandle>> {
    backends
        .backends()
        .filter(|backend| backend.is_new())
        .collect()
}

/// Waits for the first set-up of one of these: a host that has just started knows nothing of its backends, and what it cannot
/// place in its first second is no reason to refuse it. False where there is none, or it took too long.
async fn first_set_up(new: &[Arc<BackendHandle>], until: Instant) -> bool {
    let tried = new.iter().map(|backend| Box::pin(backend.tried()));
    !new.is_empty() && timeout_at(until, select_all(tried)).await.is_ok()
}

fn none_fits(mut refusals: Vec<String>) -> ControlError {
    if refusals.is_empty() {
        refusals.push("no backend is configured".to_owned());
    }
    ControlError::unavailable(format!(
        "No valid backend was found. {}",
        refusals.join("; ")
    ))
}

/// The best candidate among the backends that have a pool for each request; the reasons against the others are added
/// to `refusals`.
#[must_use]
pub fn choose_all(
    candidates: Vec<Candidate>,
    requests: &[Request],
    weighers: &Weighers,
    refusals: &mut Vec<String>,
) -> Option<Candidate> {
    let mut pools: BTreeMap<String, Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        let name = candidate.backend.name().to_owned();
        pools.entry(name).or_default().push(candidate);
    }
    let mut found = Vec::new();
    for pools in pools.into_values() {
        let mut chosen = None;
        for request in requests {
            let mut why = Vec::new();
            chosen = choose(pools.clone(), request, weighers, &mut why);
            if chosen.is_none() {
                refusals.extend(why);
                break;
            }
        }
        found.extend(chosen);
    }
    weigh::best(weighers, found)
}

/// The best of the candidates; the reasons against the others are added to `refusals`.
#[must_use]
pub fn choose(
    candidates: Vec<Candidate>,
    request: &Request,
    weighers: &Weighers,
    refusals: &mut Vec<String>,
) -> Option<Candidate> {
    let mut found = Vec::new();
    for candidate in candidates {
        if let Err(why) = fits(&candidate, request) {
            refusals.push(format!(
                "{}#{}: {why}",
                candidate.backend.name(),
                candidate.pool.name
            ));
        } else {
            found.push(candidate);
        }
    }
    weigh::best(weighers, found)
}

fn fits(candidate: &Candidate, request: &Request) -> Result<(), String> {
    may_hold(candidate, request)?;
    let wanted = request.size.saturating_mul(1 << 30);
    let free = candidate.virtual_free();
    if wanted > free {
        return Err(format!(
            "CapacityFilter: {} GiB wanted, {} GiB left",
            request.size,
            free >> 30
        ));
    }
    Ok(())
}

/// Everything but room.
fn may_hold(candidate: &Candidate, request: &Request) -> Result<(), String> {
    if request
        .not
        .iter()
        .any(|name| name == candidate.backend.name())
    {
        return Err("RetryFilter: it was tried already and failed".to_owned());
    }
    if let Some(only) = &request.backend
        && only != candidate.backend.name()
    {
        return Err(format!("SourceFilter: the source is on {only}"));
    }
    if let Some(zone) = &request.availability_zone
        && *zone != candidate.service.availability_zone
    {
        return Err(format!(
            "AvailabilityZoneFilter: it is in zone {}, not in {zone}",
            candidate.service.availability_zone
        ));
    }
    request.affinity.allows(candidate.backend.name())?;
    capabilities(candidate, request)?;
    match &request.leaving {
        Some(leaving) => leaving.may_go_to(candidate),
        None => Ok(()),
    }
}

fn capabilities(candidate: &Candidate, request: &Request) -> Result<(), String> {
    let have = candidate.capabilities();
    if request.multiattach && !candidate.pool.multiattach {
        return Err("CapabilitiesFilter: it cannot attach one volume several times".to_owned());
    }
    for (key, wanted) in &request.extra_specs {
        // `capabilities:key` is the scoped spelling; other scopes are for the driver and do not bind the scheduler.
        let key = match key.split_once(':') {
            Some(("capabilities", key)) => key,
            Some(_) => continue,
            None => key.as_str(),
        };
        match have.get(key) {
            None => {
                return Err(format!(
                    "CapabilitiesFilter: it does not report {key}, which has to be {wanted}"
                ));
            }
            Some(value) if !matches(value, wanted) => {
                return Err(format!(
                    "CapabilitiesFilter: its {key} is {value}, which has to be {wanted}"
                ));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
