//! How replication stands: of each backend at a glance, and of each volume with what an operator should look at. Read from
//! the records: no array is asked, and everything that was observed says when.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use springform_model::cloud::{Attachment, ReplicationStatus, Service, Volume};
use springform_model::contract::Protection;
use springform_model::operation::{Operation, Verb};
use springform_model::replication::concern;
use springform_model::replication::relation::{Debt, DrillRef, Observed, Relation};
use springform_model::time::Timestamp;
use springform_store::{Direction, Query, Stored};

use super::Differences;
use super::env::Member;
use super::live_arrays::store_env;
use super::service::Replication;
use super::store_env::open_on;
use crate::backend::BackendHandle;
use crate::obligations::{self, Owed};
use crate::observer::{Outdated, Since, TargetTally, Watched};
use crate::{Caller, ControlError, ErrorKind};

/// Open operations that are named; one holds a backend, others hold volumes of it.
const OPEN: u32 = 100;

/// One backend.
#[derive(Debug, Clone, Serialize)]
pub struct BackendStanding {
    /// Name.
    pub backend: String,
    /// Service host, `springform@pure1`.
    pub host: String,
    /// Driver.
    pub driver: String,
    /// Generation of the driver that serves it; none where it could not be loaded.
    pub generation: Option<u64>,
    /// Whether it can be given work.
    pub up: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Not used by the scheduler.
    pub disabled: bool,
    /// Why.
    pub disabled_reason: Option<String>,
    /// Whether changes are refused.
    pub frozen: bool,
    /// Replication of the backend, in Cinder's words.
    pub replication_status: ReplicationStatus,
    /// Array on which new volumes land where it is not the primary.
    pub active_target: Option<String>,
    /// Operation that holds the backend's turn.
    pub operation: Option<String>,
    /// Open operations of replication on it.
    pub operations: Vec<OpenOperation>,
    /// When all of its volumes were last observed; none before the first time.
    pub observed_at: Option<Timestamp>,
    /// Observations that failed since.
    pub failures: u32,
    /// Why the last of them failed.
    pub error: Option<String>,
    /// Replicated volumes that were observed.
    pub volumes: u64,
    /// How many are known to be in each state of protection now.
    pub protection: BTreeMap<String, u64>,
    /// Why that is unknown, and what was last known; none where what was observed is what is.
    pub outdated: Option<OutdatedStanding>,
    /// Volumes that were written on two arrays, at most a hundred.
    pub split_brain: Vec<String>,
    /// Volumes whose record is older than what the arrays say.
    pub overtaken: u64,
    /// The database was restored then, and nothing is changed until the records were brought up to the arrays.
    pub look_only_since: Option<Timestamp>,
    /// In what the arrays differ from the records; none before they were compared.
    pub differences: Option<Differences>,
    /// Open drills.
    pub drills: u64,
    /// What its arrays are owed of objects without a record, by array and kind; volumes name their own debts.
    pub obligations: Vec<Owed>,
    /// Its arrays, the primary first.
    pub targets: Vec<TargetStanding>,
}

/// Why nothing is known of now.
#[derive(Debug, Clone, Serialize)]
pub struct OutdatedStanding {
    /// In words.
    pub reason: &'static str,
    /// How many volumes were in each state of protection at `observed_at`.
    pub protection: BTreeMap<String, u64>,
}

/// An operation that is not over.
#[derive(Debug, Clone, Serialize)]
pub struct OpenOperation {
    /// Id.
    pub id: String,
    /// What is done.
    pub verb: Verb,
    /// On what: `backend pure1`.
    pub subject: String,
}

/// One array of a backend.
#[derive(Debug, Clone, Serialize)]
pub struct TargetStanding {
    /// Name.
    pub target: String,
    /// Whether it is the configured primary.
    pub primary: bool,
    /// Whether new volumes land on it.
    pub active: bool,
    /// Whether it answered last time; none before the first time.
    pub reachable: Option<bool>,
    /// What the array says is wrong with it.
    pub problems: Vec<String>,
    /// Why whoever answers at its address is not believed to be the array.
    pub distrust: Option<String>,
    /// How far its clock is ahead of this host's, seconds; negative where it is behind, none where that was not measured.
    pub clock_skew_seconds: Option<i64>,
    /// The links to it, observed.
    #[serde(flatten)]
    pub links: TargetTally,
}

/// One volume.
#[derive(Debug, Clone, Serialize)]
pub struct VolumeStanding {
    /// Id.
    pub id: String,
    /// Display name.
    pub name: Option<String>,
    /// Project.
    pub project_id: String,
    /// Group.
    pub group_id: Option<String>,
    /// Backend.
    pub backend: String,
    /// Whether it, or its type, asks for a copy.
    pub replicated: bool,
    /// Array that serves it, as a driver confirmed; none in the middle of a move.
    pub serving: Option<String>,
    /// Array that shall serve it.
    pub desired: String,
    /// `settled`, `moving`, `stranded`.
    pub phase: &'static str,
    /// Bumped by each move.
    pub generation: u64,
    /// When it was moved last.
    pub moved_at: Option<Timestamp>,
    /// Arrays left behind.
    pub debts: Vec<Debt>,
    /// Open drill.
    pub drill: Option<DrillRef>,
    /// Operation that holds it.
    pub operation: Option<String>,
    /// How many attachments it has.
    pub attachments: usize,
    /// What was last seen of its copies, and when.
    pub observed: Option<Observed>,
    /// What an operator should look at, the worst first.
    pub concerns: Vec<String>,
}

/// A page of volumes.
#[derive(Debug, Clone)]
pub struct Standings {
    /// The volumes.
    pub volumes: Vec<VolumeStanding>,
    /// Where the next page begins; none after the last.
    pub next: Option<String>,
}

impl Replication<'_> {
    /// Every configured backend, by name.
    ///
    /// # Errors
    /// What the store says.
    pub async fn backends(&self, caller: &Caller) -> Result<Vec<BackendStanding>, ControlError> {
        Self::admin(caller)?;
        let mut found = Vec::new();
        for handle in self.control.backends() {
            found.extend(self.standing(&handle).await?);
        }
        Ok(found)
    }

    /// One backend.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn backend(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<BackendStanding, ControlError> {
        Self::admin(caller)?;
        let found = match self.control.backend(name) {
            Some(handle) => self.standing(&handle).await?,
            None => None,
        };
        found.ok_or_else(|| {
            ControlError::new(ErrorKind::NotFound, format!("there is no backend {name}"))
        })
    }

    /// None where the backend has no service yet: it was configured a moment ago.
    async fn standing(
        &self,
        handle: &BackendHandle,
    ) -> Result<Option<BackendStanding>, ControlError> {
        let name = handle.name();
        let store = self.control.store();
        let Some(service) = store.get::<Service>(name).await? else {
            return Ok(None);
        };
        let service = service.record;
        let watched = store.get::<Watched>(name).await?;
        let watched = watched.map(|w| w.record).unwrap_or_default();
        let (now, since) = (self.control.now(), self.control.since(handle));
        let mut tally = watched.as_of(now, since);
        let outdated = watched.outdated(now, since).map(|why| OutdatedStanding {
            reason: match why {
                Outdated::Never => "it has not been observed yet",
                Outdated::Changed => "an operation has ended since it was observed",
                Outdated::Old => "it could not be observed again",
            },
            protection: watched.tally.protection.clone(),
        });
        let facts = self.control.facts(name);
        let generation = self.control.generation(name);
        let status = handle.status();
        let config = handle.config();
        let home = config.primary().map(|target| &target.name);
        let active = service.active_target.as_ref().or(home);
        let names: Vec<String> = config.targets.iter().map(|t| t.name.clone()).collect();
        let obligations = obligations::counted(store, name, &names).await?;
        let targets = config.targets.iter().map(|target| {
            let health = service.targets.iter().find(|h| h.target == target.name);
            let facts = facts.iter().find(|f| f.target == target.name);
            TargetStanding {
                distrust: facts.and_then(|f| f.distrust.clone()),
                clock_skew_seconds: facts.and_then(|f| f.clock).map(|clock| clock.seconds),
                primary: target.primary,
                active: active == Some(&target.name),
                reachable: health.map(|h| h.reachable),
                problems: health.map(|h| h.problems.clone()).unwrap_or_default(),
                links: tally.targets.remove(&target.name).unwrap_or_default(),
                target: target.name.clone(),
            }
        });
        let targets = targets.collect();
        let quarantine = generation.as_ref().and_then(|serving| serving.quarantine());
        Ok(Some(BackendStanding {
            backend: name.to_owned(),
            driver: config.driver.clone(),
            generation: generation.map(|generation| generation.number),
            up: status.is_up() && quarantine.is_none(),
            reason: quarantine.or(status.reason).or(status.statistics_error),
            operations: self.open(name).await?,
            observed_at: watched.at,
            failures: watched.failures,
            error: watched.error,
            volumes: tally.volumes,
            protection: tally.protection,
            outdated,
            split_brain: tally.split_brain.into_iter().collect(),
            overtaken: tally.overtaken,
            look_only_since: service.look_only_since,
            differences: status.differences,
            drills: tally.drills,
            obligations,
            targets,
            host: service.host,
            disabled: service.disabled,
            disabled_reason: service.disabled_reason,
            frozen: service.frozen,
            replication_status: service.replication_status,
            active_target: service.active_target,
            operation: service.operation,
        }))
    }

    async fn open(&self, backend: &str) -> Result<Vec<OpenOperation>, ControlError> {
        let query = open_on(backend)
            .sort("created_at", Direction::Asc)
            .limit(OPEN);
        let open = self.control.store().list::<Operation>(&query).await?;
        let open = open.into_iter().map(|stored| stored.record);
        Ok(open
            .map(|operation| OpenOperation {
                subject: format!("{} {}", operation.subject_kind, operation.subject),
                id: operation.id,
                verb: operation.verb,
            })
            .collect())
    }

    /// A page of volumes in the order of their ids, `query` saying which. With `concerning`, only those which an operator
    /// should look at: a page may then be short, or empty, before the last one.
    ///
    /// # Errors
    /// What the store says.
    pub async fn volumes(
        &self,
        caller: &Caller,
        query: Query,
        rows: u32,
        concerning: bool,
    ) -> Result<Standings, ControlError> {
        Self::admin(caller)?;
        let query = query.sort("id", Direction::Asc).limit(rows);
        let found = self.control.store().list::<Volume>(&query).await?;
        let full = u32::try_from(found.len()).is_ok_and(|found| found == rows);
        let next = found.last().filter(|_| full).map(|v| v.record.id.clone());
        let mut volumes = self.standings(found).await?;
        if concerning {
            volumes.retain(|volume| !volume.concerns.is_empty());
        }
        Ok(Standings { volumes, next })
    }

    /// One volume.
    ///
    /// # Errors
    /// `NotFound`, also where it has no backend yet.
    pub async fn volume(&self, caller: &Caller, id: &str) -> Result<VolumeStanding, ControlError> {
        Self::admin(caller)?;
        let found = self.control.store().get::<Volume>(id).await?;
        let one = self.standings(found.into_iter().collect()).await?.pop();
        one.ok_or_else(|| {
            ControlError::new(
                ErrorKind::NotFound,
                format!("there is no volume {id} on any backend"),
            )
        })
    }

    /// Why an array cannot serve what it serves, by backend and array; none where nothing is known against it.
    async fn arrays(
        &self,
    ) -> Result<HashMap<(String, String), Option<&'static str>>, ControlError> {
        let mut known = HashMap::new();
        for handle in self.control.backends() {
            for target in &handle.config().targets {
                known.insert((handle.name().to_owned(), target.name.clone()), None);
            }
        }
        let services = self.control.store().list::<Service>(&Query::new()).await?;
        for service in services.into_iter().map(|stored| stored.record) {
            let facts = self.control.facts(&service.backend);
            for health in service.targets.into_iter().filter(|h| !h.reachable) {
                let distrusted = facts
                    .iter()
                    .any(|f| f.target == health.target && f.distrust.is_some());
                if let Some(why) = known.get_mut(&(service.backend.clone(), health.target)) {
                    *why = Some(if distrusted {
                        "answers and is not believed to be the array"
                    } else {
                        "does not answer"
                    });
                }
            }
        }
        Ok(known)
    }

    /// What was seen too long ago says nothing of now: its protection is unknown, and its age is said.
    fn aged(&self, relation: &mut Relation, now: Timestamp) -> Option<String> {
        let handle = self.control.backend(&relation.backend)?;
        let seen = relation.observed.as_mut()?;
        let known = Watched {
            at: Some(seen.at),
            ..Watched::default()
        };
        // Only its age counts here: an operation that ended on the backend need not have touched this volume.
        let since = Since {
            ended: None,
            ..self.control.since(&handle)
        };
        known.outdated(now, since)?;
        let was = std::mem::replace(&mut seen.what.protection, Protection::Unknown);
        Some(format!(
            "nothing is known of its copies for {} seconds: they were {}",
            now.seconds_since(seen.at),
            was.as_str()
        ))
    }

    /// Volumes without a backend have no standing.
    async fn standings(
        &self,
        mut volumes: Vec<Stored<Volume>>,
    ) -> Result<Vec<VolumeStanding>, ControlError> {
        volumes.retain(|stored| stored.record.backend.is_some());
        let members = store_env(self.control).members_of(volumes).await?;
        let arrays = self.arrays().await?;
        let now = self.control.now();
        let lost = self.led_astray(&members).await?;
        let shown = members.into_iter().map(|member| {
            let replicated = member.replicated();
            let (volume, mut relation) = (*member.volume, *member.relation);
            let mut concerns = concern::of(&relation, replicated, now);
            concerns.extend(self.aged(&mut relation, now).filter(|_| replicated));
            if !replicated || relation.current().is_none() {
                // It speaks of what was.
                relation.observed = None;
            }
            if let Some(serving) = &relation.serving {
                let array = (relation.backend.clone(), serving.clone());
                let gone = Some("is not configured any more");
                if let Some(why) = arrays.get(&array).copied().unwrap_or(gone) {
                    concerns.insert(0, format!("{serving}, which serves it, {why}"));
                }
            }
            if let Some(many) = lost.get(&volume.id) {
                concerns.push(format!(
                    "{many} of its attachments lead to an array that it has left; see `springform attachments repair`"
                ));
            }
            VolumeStanding {
                concerns,
                replicated,
                backend: relation.backend,
                phase: relation.phase.name(),
                serving: relation.serving,
                desired: relation.desired,
                generation: relation.generation,
                moved_at: relation.moved_at,
                debts: relation.debts,
                drill: relation.drill,
                observed: relation.observed,
                operation: volume.operation,
                attachments: volume.attachments.len(),
                id: volume.id,
                name: volume.name,
                project_id: volume.project_id,
                group_id: volume.group_id,
            }
        });
        Ok(shown.collect())
    }

    /// How many attachments of each volume were left behind by a move.
    async fn led_astray(&self, members: &[Member]) -> Result<HashMap<String, usize>, ControlError> {
        let ids: Vec<String> = members.iter().map(|m| m.volume.id.clone()).collect();
        let mut lost = HashMap::new();
        if ids.is_empty() {
            return Ok(lost);
        }
        let query = Query::new().is_in("volume_id", ids);
        for row in self.control.store().list::<Attachment>(&query).await? {
            if row.outdated.is_some() {
                *lost.entry(row.record.volume_id).or_default() += 1;
            }
        }
        Ok(lost)
    }
}
