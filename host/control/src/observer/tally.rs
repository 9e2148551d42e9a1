//! What one look at a backend adds up to. A sum, because a thousand volumes behind one dark link are one fact.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use springform_model::contract::{Link, LinkState, Observation, Protection, ReplicationKind, Role};
use springform_model::replication::lag::{self, Severity};
use springform_model::replication::relation::{Debt, DebtState, Relation};
use springform_model::time::Timestamp;

/// Volumes that are named one by one; more are only counted.
const NAMED: usize = 100;

/// What one look at a backend adds up to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Replicated volumes that were looked at.
    pub volumes: u64,
    /// How many are in each state of protection.
    pub protection: BTreeMap<String, u64>,
    /// By target of replication.
    pub targets: BTreeMap<String, TargetTally>,
    /// Volumes that were written on two arrays; at most a hundred are named.
    pub split_brain: BTreeSet<String>,
    /// Open drills.
    pub drills: u64,
    /// When the first of them ends by itself, or should have.
    #[serde(default)]
    pub drills_end: Option<Timestamp>,
    /// Volumes whose record is older than what the arrays say.
    #[serde(default)]
    pub overtaken: u64,
}

/// The links to one target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetTally {
    /// How many volumes' links are in each state.
    pub links: BTreeMap<String, u64>,
    /// The worst of these states.
    pub worst: Option<LinkState>,
    /// The largest lag, seconds.
    pub lag_seconds: Option<u64>,
    /// The largest ratio of lag to schedule, thousandths.
    pub ratio_permille: Option<u64>,
    /// The most alarming lag.
    pub severity: Severity,
    /// When the oldest of the volumes' newest points was taken, milliseconds: what the lag grows from.
    #[serde(default)]
    pub oldest_point: Option<u64>,
    /// The point, milliseconds, and the schedule, seconds, that are worst against each other: what the ratio grows from.
    #[serde(default)]
    pub latest_for: Option<(u64, u64)>,
    /// Volumes whose copy here was left behind and must be fenced.
    pub owed: u64,
    /// Since when the longest of them.
    #[serde(default)]
    pub owed_since: Option<Timestamp>,
    /// How many of these can be fenced: the array answers.
    pub back: u64,
    /// Volumes whose copy here was left behind and will not be fenced: the array is not configured any more.
    #[serde(default)]
    pub written_off: u64,
}

/// What was last known of a backend, and since when nothing new.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Backend.
    pub backend: String,
    /// When all of it was last seen; none before the first time.
    pub at: Option<Timestamp>,
    /// What was seen then.
    pub tally: Tally,
    /// Looks since then that failed.
    pub failures: u32,
    /// Why the last one failed.
    pub error: Option<String>,
}

/// From well to ill.
fn rank(state: &LinkState) -> u8 {
    match state {
        LinkState::Healthy => 0,
        LinkState::Paused => 1,
        LinkState::Resyncing => 2,
        LinkState::Degraded => 3,
        LinkState::Unknown | LinkState::Other(_) => 4,
        LinkState::Down => 5,
    }
}

impl Tally {
    /// Adds one volume.
    pub fn add(
        &mut self,
        relation: &Relation,
        seen: &Observation,
        back: &[String],
        now: Timestamp,
    ) {
        self.volumes += 1;
        *self
            .protection
            .entry(seen.protection.as_str().to_owned())
            .or_default() += 1;
        if seen.role == Role::SplitBrain && self.split_brain.len() < NAMED {
            self.split_brain.insert(relation.volume_id.clone());
        }
        self.overtaken += u64::from(relation.overtaken().is_some());
        // Links as they are known now: with the points that were known before of arrays that cannot be asked.
        let known = relation.current();
        let now = known
            .is_none_or(|known| known.clock.is_none())
            .then_some(now);
        for link in known.map_or(&seen.links, |known| &known.what.links) {
            self.target(&link.target).add(link, now);
        }
        self.add_debts(relation);
        for target in back {
            self.target(target).back += 1;
        }
    }

    /// Adds the arrays that a volume, observed or not, was left behind on.
    pub fn add_debts(&mut self, relation: &Relation) {
        let unfenced = |d: &&Debt| d.state != DebtState::Fenced;
        for debt in relation.debts.iter().filter(unfenced) {
            let target = self.target(&debt.target);
            if debt.state == DebtState::Owed {
                target.owed += 1;
                let since = target.owed_since.unwrap_or(debt.since);
                target.owed_since = Some(since.min(debt.since));
            }
            target.written_off += u64::from(debt.state == DebtState::WrittenOff);
        }
    }

    fn target(&mut self, name: &str) -> &mut TargetTally {
        self.targets.entry(name.to_owned()).or_default()
    }

    /// How many volumes are in a state of protection.
    #[must_use]
    pub fn protected_as(&self, state: &Protection) -> u64 {
        self.protection.get(state.as_str()).copied().unwrap_or(0)
    }

    /// Volumes that shall have a copy and have none.
    #[must_use]
    pub fn unprotected(&self) -> u64 {
        self.protected_as(&Protection::Unprotected)
    }

    /// Whether it should be looked at again soon, given what was seen before.
    #[must_use]
    pub fn is_unsettled(&self, before: &Self) -> bool {
        let growing = |name: &String, now: &TargetTally| {
            let was = before.targets.get(name).and_then(|t| t.ratio_permille);
            now.ratio_permille
                .is_some_and(|ratio| ratio > 1000 && was.is_none_or(|was| ratio > was))
        };
        !self.split_brain.is_empty()
            || self.overtaken > before.overtaken
            || self.protected_as(&Protection::Initialising) > 0
            || self
                .targets
                .iter()
                .any(|(name, target)| target.back > 0 || !target.in_sync() || growing(name, target))
    }
}

impl TargetTally {
    /// `now`: none where clocks disagree, so that no age is known.
    fn add(&mut self, link: &Link, now: Option<Timestamp>) {
        *self
            .links
            .entry(link.state.as_str().to_owned())
            .or_default() += 1;
        if self
            .worst
            .as_ref()
            .is_none_or(|worst| rank(&link.state) > rank(worst))
        {
            self.worst = Some(link.state.clone());
        }
        let Some(now) = now else { return };
        let lag = lag::of(link, now);
        if lag.ratio_permille > self.ratio_permille {
            let point = link.last_point.as_ref().map(|point| point.taken_at);
            self.latest_for = point.zip(link.interval_seconds);
        }
        self.lag_seconds = self.lag_seconds.max(lag.seconds);
        self.ratio_permille = self.ratio_permille.max(lag.ratio_permille);
        self.severity = self.severity.max(lag.severity);
        let in_step = link.kind == ReplicationKind::Sync && link.state == LinkState::Healthy;
        let point = link.last_point.as_ref().map(|point| point.taken_at);
        if let Some(point) = point.filter(|_| !in_step && lag.seconds.is_some()) {
            self.oldest_point = Some(self.oldest_point.map_or(point, |oldest| oldest.min(point)));
        }
    }

    /// A link that somebody switched off is as it shall be.
    fn in_sync(&self) -> bool {
        matches!(
            self.worst,
            None | Some(LinkState::Healthy | LinkState::Paused)
        )
    }
}
