//! Services: list, enable and disable, freeze and thaw, as the guides describe them (and enable really enables).

use std::collections::BTreeMap;

use springform_model::audit::{Action, Outcome};
use springform_model::cloud::{ReplicationStatus, Service, Snapshot, Volume};
use springform_model::time::Timestamp;
use springform_store::{Changes, Query, RestoreMark, Store, StoreError};

use crate::audit;
use crate::audit::Audit;
use crate::backend::BackendStatus;
use crate::backends::Backends;
use crate::config::BackendConfig;
use crate::error::ErrorKind;
use crate::{Caller, ControlError};

/// Services of backends.
#[derive(Debug, Clone, Copy)]
pub struct Services<'a> {
    backends: &'a Backends,
}

/// A service with what is known of its backend now.
#[derive(Debug, Clone)]
pub struct ServiceView {
    /// The service.
    pub service: Service,
    /// Its backend.
    pub status: BackendStatus,
}

/// The scheduler as a service.
#[derive(Debug, Clone)]
pub struct Scheduler {
    /// `springform`
    pub host: String,
    /// Zone of volumes that name none.
    pub availability_zone: String,
    /// Now.
    pub updated_at: Timestamp,
}

/// What is on a backend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many.
    pub volumes: u64,
    /// GiB.
    pub volume_gib: u64,
    /// How many.
    pub snapshots: u64,
    /// GiB.
    pub snapshot_gib: u64,
}

/// Records that are read at once.
const PAGE: u32 = 1000;

impl<'a> Services<'a> {
    pub(crate) fn new(backends: &'a Backends) -> Self {
        Self { backends }
    }

    /// Every service whose backend is configured.
    ///
    /// # Errors
    /// What the store says.
    pub async fn list(&self) -> Result<Vec<ServiceView>, ControlError> {
        let stored = self
            .backends
            .store()
            .list::<Service>(&Query::new().sort("host", springform_store::Direction::Asc))
            .await?;
        let views = stored.into_iter().filter_map(|stored| {
            let status = self.backends.backend(&stored.record.backend)?.status();
            Some(ServiceView {
                service: stored.record,
                status,
            })
        });
        Ok(views.collect())
    }

    /// The scheduler, which is part of every host: it is up where this answers.
    #[must_use]
    pub fn scheduler(&self, services: &[ServiceView]) -> Scheduler {
        let first = services.first().map(|view| view.service.host.as_str());
        let host = first.and_then(|host| host.split('@').next());
        Scheduler {
            host: host.unwrap_or("springform").to_owned(),
            availability_zone: self.backends.config().availability_zone.clone(),
            updated_at: self.backends.now(),
        }
    }

    /// What is on a backend: all of it first, then for each project.
    ///
    /// # Errors
    /// What the store says.
    pub async fn usage(&self, backend: &str) -> Result<Vec<(Option<String>, Usage)>, ControlError> {
        let mut projects: BTreeMap<String, Usage> = BTreeMap::new();
        let store = self.backends.store();
        let page = Query::new().eq("backend", backend).limit(PAGE);
        let mut query = page.clone();
        loop {
            let volumes = store.list::<Volume>(&query).await?;
            for volume in &volumes {
                let usage = projects.entry(volume.project_id.clone()).or_default();
                usage.volumes += 1;
                usage.volume_gib = usage.volume_gib.saturating_add(volume.size);
            }
            match volumes.last() {
                Some(last) if volumes.len() == PAGE as usize => {
                    query = page.clone().marker(last.id.clone());
                }
                _ => break,
            }
        }
        let mut query = page.clone();
        loop {
            let snapshots = store.list::<Snapshot>(&query).await?;
            for snapshot in &snapshots {
                let usage = projects.entry(snapshot.project_id.clone()).or_default();
                usage.snapshots += 1;
                usage.snapshot_gib = usage.snapshot_gib.saturating_add(snapshot.size);
            }
            match snapshots.last() {
                Some(last) if snapshots.len() == PAGE as usize => {
                    query = page.clone().marker(last.id.clone());
                }
                _ => break,
            }
        }
        let mut all = Usage::default();
        for usage in projects.values() {
            all.volumes += usage.volumes;
            all.volume_gib = all.volume_gib.saturating_add(usage.volume_gib);
            all.snapshots += usage.snapshots;
            all.snapshot_gib = all.snapshot_gib.saturating_add(usage.snapshot_gib);
        }
        let each = projects
            .into_iter()
            .map(|(project, usage)| (Some(project), usage));
        Ok(std::iter::once((None, all)).chain(each).collect())
    }

    /// The service of `host@backend`, of `host@backend#pool` or of a backend's name.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get(&self, host: &str) -> Result<ServiceView, ControlError> {
        let host = host.split('#').next().unwrap_or(host);
        let all = self.list().await?;
        let found = all
            .into_iter()
            .find(|view| view.service.host == host || view.service.backend == host);
        found.ok_or_else(|| {
            ControlError::new(
                ErrorKind::NotFound,
                format!("Service cinder-volume could not be found on host {host}."),
            )
        })
    }

    /// Lets the scheduler use a backend again.
    ///
    /// # Errors
    /// `NotFound`, `Conflict` while it is frozen.
    pub async fn enable(&self, caller: &Caller, host: &str) -> Result<Service, ControlError> {
        self.change(caller, host, Action::ServiceEnabled, |service| {
            service.disabled = false;
            service.disabled_reason = None;
            Ok(())
        })
        .await
    }

    /// Keeps the scheduler from using a backend.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn disable(
        &self,
        caller: &Caller,
        host: &str,
        reason: Option<String>,
    ) -> Result<Service, ControlError> {
        self.change(caller, host, Action::ServiceDisabled, |service| {
            service.disabled = true;
            service.disabled_reason.clone_from(&reason);
            Ok(())
        })
        .await
    }

    /// Makes the control plane of a backend read-only. Data goes on flowing.
    ///
    /// # Errors
    /// `Invalid` when there is none or it is frozen already.
    pub async fn freeze(&self, caller: &Caller, host: &str) -> Result<Service, ControlError> {
        self.exists(host).await?;
        self.change(caller, host, Action::BackendFrozen, |service| {
            if service.frozen {
                return Err(ControlError::input(format!(
                    "Service {} is frozen already.",
                    service.host
                )));
            }
            service.frozen = true;
            service.disabled = true;
            service.disabled_reason = Some("frozen".to_owned());
            Ok(())
        })
        .await
    }

    /// Lifts a freeze.
    ///
    /// # Errors
    /// `Invalid` when there is none or it is not frozen.
    pub async fn thaw(&self, caller: &Caller, host: &str) -> Result<Service, ControlError> {
        self.exists(host).await?;
        self.change(caller, host, Action::BackendThawed, |service| {
            if !service.frozen {
                return Err(ControlError::input(format!(
                    "Service {} is not frozen.",
                    service.host
                )));
            }
            service.frozen = false;
            service.disabled = false;
            service.disabled_reason = None;
            Ok(())
        })
        .await
    }

    async fn exists(&self, host: &str) -> Result<(), ControlError> {
        let missing = |_| ControlError::input(format!("No service found with host={host}"));
        self.get(host).await.map(drop).map_err(missing)
    }

    async fn change(
        &self,
        caller: &Caller,
        host: &str,
        action: Action,
        decide: impl Fn(&mut Service) -> Result<(), ControlError>,
    ) -> Result<Service, ControlError> {
        if !caller.is_admin {
            return Err(ControlError::new(
                ErrorKind::Forbidden,
                "Only an administrator may change services.",
            ));
        }
        let backend = self.get(host).await?.service.backend;
        for _ in 0..50 {
            let stored = self.backends.store().get::<Service>(&backend).await?;
            let mut stored = stored.ok_or_else(|| ControlError::not_found("Service", host))?;
            decide(&mut stored.record)?;
            stored.record.updated_at = Some(self.backends.now());
            let audit = Audit::new(self.backends);
            let entry = audit.entry(caller, action, Outcome::Succeeded);
            let changes = Changes::new().update(&stored);
            let changes = changes.audit(entry.on(audit::backend(&backend)));
            match self.backends.store().commit(changes).await {
                Ok(()) => return Ok(stored.record),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(ControlError::conflict(
            "The service is being changed by many at once. Try again.",
        ))
    }
}

/// Whether a backend's records are of before the database was restored, and nobody has brought them up to its arrays.
pub(crate) fn is_older(service: &Service, restored_at: Timestamp) -> bool {
    service.created_at < restored_at && service.adopted.is_none_or(|at| at < restored_at)
}

/// The database does not count as restored any more once the records of all backends were brought up to their arrays.
///
/// # Errors
/// What the store says.
pub(crate) async fn adopted(store: &Store) -> Result<(), StoreError> {
    let Some(mark) = store.restored().await? else {
        return Ok(());
    };
    let services = store.list::<Service>(&Query::new()).await?;
    // Also one that is not configured now: the mark is what it is held against once it is again.
    if services
        .iter()
        .any(|service| is_older(service, mark.restored_at))
    {
        return Ok(());
    }
    store
        .commit(Changes::new().remove::<RestoreMark>(RestoreMark::ID))
        .await
}

/// What the configuration says of a service.
pub(crate) fn configured(service: &mut Service, backend: &BackendConfig) {
    service.host.clone_from(&backend.host);
    service
        .availability_zone
        .clone_from(&backend.availability_zone);
}

pub(crate) fn new_service(backend: &BackendConfig, now: Timestamp) -> Service {
    Service {
        backend: backend.name.clone(),
        host: backend.host.clone(),
        availability_zone: backend.availability_zone.clone(),
        disabled: false,
        disabled_reason: None,
        frozen: false,
        replication_status: ReplicationStatus::Disabled,
        active_target: None,
        driver_state: Vec::new(),
        ready: false,
        not_ready_reason: None,
        statistics: None,
        statistics_at: None,
        targets: Vec::new(),
        identity: uuid::Uuid::now_v7().to_string(),
        look_only_since: None,
        adopted: None,
        operation: None,
        created_at: now,
        updated_at: Some(now),
    }
}
