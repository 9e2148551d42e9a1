//! Install, activate, roll back. A swap is prepared beside what serves and published at once; a refusal changes nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use springform_model::audit::{Action, Outcome, Subject};
use springform_store::{Changes, Direction, Query};

use super::status::{self, newest, previous};
use super::{
    DriverLoader, DriverStatus, GenerationRecord, GenerationState, Inspected, LoadRefusal,
};
use crate::audit;
use crate::audit::Audit;
use crate::backends::Backends;
use crate::config::{BackendConfig, DriverConfig};
use crate::error::ErrorKind;
use crate::{Caller, ControlError};

/// The stage at which a component is refused for its digest, its signatures or its version.
const VERIFY: &str = "verify";

/// What a component says of itself.
pub type Inspection = Inspected;

/// Drivers.
#[derive(Debug, Clone, Copy)]
pub struct Drivers<'a> {
    pub(super) backends: &'a Backends,
}

fn admin(caller: &Caller) -> Result<(), ControlError> {
    if caller.is_admin {
        return Ok(());
    }
    Err(ControlError::new(
        ErrorKind::Forbidden,
        "Only an administrator may see or change drivers.",
    ))
}

impl<'a> Drivers<'a> {
    pub(crate) fn new(backends: &'a Backends) -> Self {
        Self { backends }
    }

    /// Every configured driver.
    ///
    /// # Errors
    /// `Forbidden`, or what the store says.
    pub async fn list(&self, caller: &Caller) -> Result<Vec<DriverStatus>, ControlError> {
        admin(caller)?;
        let mut all = Vec::new();
        for driver in &self.backends.live_config().drivers {
            all.push(self.status(driver).await?);
        }
        Ok(all)
    }

    /// One driver.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, or what the store says.
    pub async fn get(&self, caller: &Caller, name: &str) -> Result<DriverStatus, ControlError> {
        admin(caller)?;
        self.status(&self.configured(name)?).await
    }

    /// Looks at a component that shall be this driver without binding or installing it.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` with the reason.
    pub async fn inspect(
        &self,
        caller: &Caller,
        name: &str,
        path: &Path,
    ) -> Result<Inspection, ControlError> {
        admin(caller)?;
        let seen = self.backends.loader().inspect(path, name).await;
        match seen {
            Ok(seen) => Ok(seen),
            Err(refusal) => {
                // Of an installation this is the first look; what is refused for another reason changes nothing.
                if refusal.stage == VERIFY {
                    let action = Action::VerificationRefused;
                    self.tell(caller, action, audit::driver(name), &refusal)
                        .await;
                }
                Err(refused("the component", &refusal))
            }
        }
    }

    /// Makes a component known as the driver's newest generation. What serves is not touched. Installing the same
    /// component again gives the generation it has.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`; `Invalid` with the reason.
    pub async fn install(
        &self,
        caller: &Caller,
        name: &str,
        path: &Path,
    ) -> Result<GenerationRecord, ControlError> {
        admin(caller)?;
        let driver = self.configured(name)?;
        // Before the lock: compiling it may take a minute, and another driver is to be rolled back meanwhile.
        let seen = match self.backends.loader().inspect(path, name).await {
            Ok(seen) => seen,
            Err(refusal) => {
                let action = Action::DriverInstalled;
                self.tell(caller, action, audit::driver(name), &refusal)
                    .await;
                return Err(refused(&format!("driver {name}"), &refusal));
            }
        };
        let _swap = self.backends.driver_lock().lock().await;
        self.install_locked(&driver, path, seen, caller).await
    }

    /// Puts a generation into service on every backend of the driver: the newest installed, or the one with this digest.
    ///
    /// # Errors
    /// `Invalid` with the stage and the reason; what served before still serves.
    pub async fn activate(
        &self,
        caller: &Caller,
        name: &str,
        digest: Option<&str>,
    ) -> Result<DriverStatus, ControlError> {
        admin(caller)?;
        let driver = self.configured(name)?;
        let _swap = self.backends.driver_lock().lock().await;
        let records = self.records(name).await?;
        let wanted = match digest {
            None => newest(&records),
            Some(digest) => records
                .iter()
                .find(|record| record.digest.starts_with(digest)),
        };
        let wanted = wanted.cloned().ok_or_else(|| {
            ControlError::new(
                ErrorKind::NotFound,
                format!(
                    "Driver {name} has no such generation installed; see `springform driver list`."
                ),
            )
        })?;
        self.swap_to(wanted, caller, Action::DriverActivated)
            .await?;
        self.status(&driver).await
    }

    /// Goes back to the generation that served before the present one.
    ///
    /// # Errors
    /// `Conflict` when there is none; `Invalid` with the reason when it cannot be loaded any more.
    pub async fn rollback(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<DriverStatus, ControlError> {
        admin(caller)?;
        let driver = self.configured(name)?;
        let _swap = self.backends.driver_lock().lock().await;
        let records = self.records(name).await?;
        let wanted = previous(&records).cloned().ok_or_else(|| {
            ControlError::conflict(format!(
                "Driver {name} has no generation to go back to: only one has ever served."
            ))
        })?;
        self.swap_to(wanted, caller, Action::DriverRolledBack)
            .await?;
        self.status(&driver).await
    }

    /// Loads what served when the host stopped, or else what the configuration names. At start.
    pub(crate) async fn start(&self, driver: &DriverConfig) -> Result<(), ControlError> {
        let host = Caller::internal();
        let _swap = self.backends.driver_lock().lock().await;
        let records = self.records(&driver.name).await?;
        let wanted = match records
            .into_iter()
            .find(|record| record.state == GenerationState::Running)
        {
            Some(record) => record,
            None => {
                let loader = self.backends.loader();
                let seen = match loader.inspect(&driver.path, &driver.name).await {
                    Ok(seen) => seen,
                    Err(refusal) => {
                        let on = audit::driver(&driver.name);
                        self.tell(&host, Action::DriverLoaded, on, &refusal).await;
                        return Err(refused(&format!("driver {}", driver.name), &refusal));
                    }
                };
                self.install_locked(driver, &driver.path, seen, &host)
                    .await?
            }
        };
        self.swap_to(wanted, &host, Action::DriverLoaded).await
    }

    async fn install_locked(
        &self,
        driver: &DriverConfig,
        path: &Path,
        seen: Inspected,
        caller: &Caller,
    ) -> Result<GenerationRecord, ControlError> {
        let record = self.installed(driver, path, seen).await?;
        let done = Action::DriverInstalled;
        let entry = Audit::new(self.backends).entry(caller, done, Outcome::Succeeded);
        let entry = entry.on(audit::generation(&record));
        let changes = Changes::new().put(&record).audit(entry);
        self.backends.store().commit(changes).await?;
        Ok(record)
    }

    async fn seen(
        &self,
        driver: &DriverConfig,
        path: &Path,
        loader: &dyn DriverLoader,
    ) -> Result<Inspected, ControlError> {
        let seen = loader.inspect(path, &driver.name).await;
        seen.map_err(|refusal| refused(&format!("driver {}", driver.name), &refusal))
    }

    /// A component's record, as it is known or new; not written down.
    async fn installed(
        &self,
        driver: &DriverConfig,
        path: &Path,
        seen: Inspected,
    ) -> Result<GenerationRecord, ControlError> {
        let name = &driver.name;
        let records = self.records(name).await?;
        if let Some(known) = records.iter().find(|record| record.digest == seen.digest) {
            let mut known = known.clone();
            path.display().to_string().clone_into(&mut known.path);
            known.signers = seen.signers;
            return Ok(known);
        }
        let number = following(&records);
        Ok(GenerationRecord {
            id: format!("{name}/{number}"),
            driver: name.clone(),
            number,
            digest: seen.digest,
            signers: seen.signers,
            path: path.display().to_string(),
            version: seen.description.version,
            config_digest: String::new(),
            grants: Vec::new(),
            state: GenerationState::Deployed,
            reason: None,
            created_at: self.backends.now(),
            activated_at: None,
        })
    }

    /// The component file that each driver serves from.
    pub(crate) async fn serving(&self) -> Result<BTreeMap<String, PathBuf>, ControlError> {
        let query = Query::new().eq("state", GenerationState::Running.as_str());
        let query = query.limit(1000);
        let running = self
            .backends
            .store()
            .list::<GenerationRecord>(&query)
            .await?;
        let running = running.into_iter().map(|stored| stored.record);
        Ok(running
            .map(|record| (record.driver, PathBuf::from(record.path)))
            .collect())
    }

    /// The generation that another configuration makes of the component that serves; of a driver that never served, its first
    /// one. Not written down.
    pub(crate) async fn next(
        &self,
        driver: &DriverConfig,
        loader: &dyn DriverLoader,
    ) -> Result<GenerationRecord, ControlError> {
        let records = self.records(&driver.name).await?;
        let running = records.iter().find(|r| r.state == GenerationState::Running);
        let Some(running) = running else {
            let seen = self.seen(driver, &driver.path, loader).await?;
            return self.installed(driver, &driver.path, seen).await;
        };
        let number = following(&records);
        Ok(GenerationRecord {
            id: format!("{}/{number}", driver.name),
            number,
            created_at: self.backends.now(),
            activated_at: None,
            ..running.clone()
        })
    }

    /// Tells of what was refused. Where it was for its digest, its signatures or its version, that is what is told.
    async fn tell(&self, caller: &Caller, action: Action, on: Subject, refusal: &LoadRefusal) {
        let action = match refusal.stage == VERIFY {
            true => Action::VerificationRefused,
            false => action,
        };
        let audit = Audit::new(self.backends);
        audit
            .refused(caller.into(), action, on, &refusal.message)
            .await;
    }

    /// Prepare all, probe all, publish at once, then write down what happened.
    async fn swap_to(
        &self,
        mut wanted: GenerationRecord,
        caller: &Caller,
        action: Action,
    ) -> Result<(), ControlError> {
        let mut ready = Vec::new();
        let backends = self.backends_of(&wanted.driver);
        for backend in &backends {
            // On the very first load the backend's arrays may be away: the host serves and set-up is tried again.
            let probed = self.backends.generation(&backend.name).is_some();
            let loader = self.backends.loader();
            match self
                .prepare(&wanted, backend, loader.as_ref(), probed)
                .await
            {
                Ok((generation, _)) => ready.push((backend.name.clone(), Arc::new(generation))),
                Err(refusal) => {
                    let error = refused(
                        &format!(
                            "generation {} of driver {} for backend {}",
                            wanted.number, wanted.driver, backend.name
                        ),
                        &refusal,
                    );
                    wanted.reason = Some(error.message.clone());
                    if wanted.state != GenerationState::Running {
                        wanted.state = GenerationState::Failed;
                    }
                    self.backends
                        .store()
                        .commit(Changes::new().put(&wanted))
                        .await?;
                    let on = Subject {
                        backend: Some(backend.name.clone()),
                        ..audit::generation(&wanted)
                    };
                    self.tell(caller, action, on, &refusal).await;
                    return Err(error);
                }
            }
        }
        let mut changes = Changes::new();
        let mut before = None;
        for mut record in self.records(&wanted.driver).await? {
            if record.state == GenerationState::Running {
                before = Some(record.clone());
            }
            if record.state == GenerationState::Running && record.id != wanted.id {
                record.state = GenerationState::Retired;
                changes = changes.put(&record);
            }
        }
        wanted.state = GenerationState::Running;
        wanted.reason = None;
        wanted.activated_at = Some(self.backends.now());
        if let Some((_, generation)) = ready.first() {
            wanted.config_digest = generation.config.digest();
            wanted.signers.clone_from(&generation.loaded.signers);
            wanted.grants.clear();
        }
        for (_, generation) in &ready {
            wanted.add_grants(&generation.loaded.grants);
        }
        let audit = Audit::new(self.backends);
        let entry = audit.entry(caller, action, Outcome::Succeeded);
        changes = changes.put(&wanted);
        changes = changes.audit(entry.on(audit::generation(&wanted)));
        let grants = audit.grants(&caller.into(), before.as_ref(), &wanted);
        changes = grants.into_iter().fold(changes, Changes::audit);
        self.backends.store().commit(changes).await?;
        let replaced = self.backends.table().publish(&ready);
        for (backend, _) in &ready {
            if let Some(handle) = self.backends.backend(backend) {
                handle.set_up_again();
            }
        }
        // Whoever still calls the old ones holds them; the last one to finish drops them.
        tracing::info!(driver = %wanted.driver, generation = wanted.number, replaced = replaced.len(), "a driver generation serves");
        Ok(())
    }

    async fn status(&self, driver: &DriverConfig) -> Result<DriverStatus, ControlError> {
        let generations = self.records(&driver.name).await?;
        Ok(status::of(self.backends, driver, generations))
    }

    fn configured(&self, name: &str) -> Result<DriverConfig, ControlError> {
        let setting = self.backends.live_config();
        let known = setting.drivers.iter().find(|driver| driver.name == name);
        known
            .cloned()
            .ok_or_else(|| ControlError::not_found("Driver", name))
    }

    fn backends_of(&self, driver: &str) -> Vec<Arc<BackendConfig>> {
        let backends = self.backends.backends().map(|backend| backend.config());
        backends
            .filter(|backend| backend.driver == driver)
            .collect()
    }

    /// Every generation kept of a driver, newest first.
    pub(crate) async fn records(
        &self,
        driver: &str,
    ) -> Result<Vec<GenerationRecord>, ControlError> {
        let query = Query::new()
            .eq("driver", driver)
            .sort("number", Direction::Desc)
            .limit(1000);
        let records = self
            .backends
            .store()
            .list::<GenerationRecord>(&query)
            .await?;
        Ok(records.into_iter().map(|stored| stored.record).collect())
    }
}

/// The number of the next generation.
fn following(records: &[GenerationRecord]) -> u64 {
    let numbers = records.iter().map(|record| record.number);
    numbers.max().unwrap_or(0) + 1
}

fn refused(what: &str, refusal: &LoadRefusal) -> ControlError {
    ControlError::invalid(format!(
        "{what} was refused at the stage {}: {}; what served before still serves",
        refusal.stage, refusal.message
    ))
}
