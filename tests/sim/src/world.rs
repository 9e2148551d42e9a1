//! Arrays as a pure model: what each holds of each volume, and what a driver's call does to them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use springform_model::contract::{
    Call, CallError, Failure, FailureCode, Fault, FaultKind, Outcome, Placement, RecoveryPoint,
    Reply, SetupReport, TestCopy, VolumeSpec,
};

use crate::evidence::{Act, Mark};
use crate::nouns::placement;
use crate::otherwise::Otherwise;

/// Names of the arrays; the first is the primary.
pub const ARRAYS: [&str; 3] = ["a", "b", "c"];

/// What one array holds of one volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy {
    /// Number of the last write in it.
    pub content: u64,
    /// Bytes.
    #[serde(default = "one_gib")]
    pub size: u64,
    /// Whether hosts can write to it.
    pub writable: bool,
    /// Generation under which it was made writable.
    pub generation: u64,
    /// What is written beside it of its last promotion.
    #[serde(default)]
    pub mark: Option<Mark>,
}

impl Copy {
    /// What a transfer brings, where it is newer than what is there.
    pub(crate) fn receive(&mut self, from: &Self) {
        if from.content >= self.content {
            self.content = from.content;
            self.size = from.size;
        }
    }
}

fn one_gib() -> u64 {
    1 << 30
}

/// One array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Array {
    /// Whether it answers.
    pub up: bool,
    /// What it holds.
    pub copies: BTreeMap<String, Copy>,
    /// Copies of drills: drill and volume.
    pub tests: BTreeSet<(String, String)>,
    /// Volumes and the machines that reach them here.
    #[serde(default)]
    pub connections: BTreeSet<(String, String)>,
}

/// All arrays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct World {
    /// By name.
    pub arrays: BTreeMap<String, Array>,
    /// Newest write of each volume that a host was told is safe, on the array that served it then.
    pub acknowledged: BTreeMap<String, u64>,
    /// Broken promises, in words.
    pub violations: Vec<String>,
    /// Last transfers made.
    #[serde(default)]
    pub transfers: u64,
    /// What a driver or an array does otherwise than it should.
    #[serde(default)]
    pub otherwise: Otherwise,
    /// Where each machine was told that its volume is.
    #[serde(default)]
    pub machines: BTreeMap<String, String>,
    /// The operation that calls.
    #[serde(default)]
    pub caller: String,
}

pub(crate) fn unavailable(target: &str) -> Failure {
    Failure::new(
        FailureCode::Unavailable,
        format!("array {target} does not answer"),
    )
    .on(target)
}

impl World {
    /// Empty arrays.
    #[must_use]
    pub fn new() -> Self {
        let array = || Array {
            up: true,
            copies: BTreeMap::new(),
            tests: BTreeSet::new(),
            connections: BTreeSet::new(),
        };
        Self {
            arrays: ARRAYS.iter().map(|n| ((*n).to_owned(), array())).collect(),
            acknowledged: BTreeMap::new(),
            violations: Vec::new(),
            transfers: 0,
            otherwise: Otherwise::default(),
            machines: BTreeMap::new(),
            caller: String::new(),
        }
    }

    /// A volume on the primary, with a replica on each other array where it is replicated.
    pub fn create(&mut self, id: &str, replicated: bool) {
        for (i, name) in ARRAYS.iter().enumerate() {
            if i == 0 || replicated {
                let copy = Copy {
                    content: 0,
                    size: one_gib(),
                    writable: i == 0,
                    generation: u64::from(i == 0),
                    mark: None,
                };
                self.arrays
                    .get_mut(*name)
                    .unwrap()
                    .copies
                    .insert(id.into(), copy);
            }
        }
    }

    /// A host writes where it is connected; whether it was told that the write is safe.
    pub fn write(&mut self, id: &str, target: &str) -> bool {
        let Some(array) = self.arrays.get_mut(target).filter(|a| a.up) else {
            return false;
        };
        let Some(copy) = array.copies.get_mut(id).filter(|c| c.writable) else {
            return false;
        };
        copy.content += 1;
        self.acknowledged.insert(id.into(), copy.content);
        true
    }

    /// A volume grows where it is served, by as much as it had at first; whether it did.
    pub fn grow(&mut self, id: &str, target: &str) -> bool {
        let Some(array) = self.arrays.get_mut(target).filter(|a| a.up) else {
            return false;
        };
        let copy = array.copies.get_mut(id).filter(|c| c.writable);
        copy.map(|copy| copy.size += one_gib()).is_some()
    }

    /// Replication's schedule: replicas follow the copy which serves, where both arrays answer.
    pub fn replicate(&mut self, id: &str, serving: &str) {
        let source = self.arrays.get(serving).filter(|a| a.up);
        let Some(source) = source.and_then(|a| a.copies.get(id)).cloned() else {
            return;
        };
        for (name, array) in &mut self.arrays {
            if name != serving
                && array.up
                && let Some(copy) = array.copies.get_mut(id).filter(|c| !c.writable)
            {
                copy.receive(&source);
            }
        }
    }

    pub(crate) fn copy(&self, target: &str, id: &str) -> Result<&Copy, Failure> {
        let array = self
            .arrays
            .get(target)
            .filter(|a| a.up)
            .ok_or_else(|| unavailable(target))?;
        array.copies.get(id).ok_or_else(|| {
            Failure::new(
                FailureCode::NotFound,
                format!("{target} holds no copy of {id}"),
            )
            .on(target)
        })
    }

    pub(crate) fn copy_mut(&mut self, target: &str, id: &str) -> Result<&mut Copy, Failure> {
        self.copy(target, id)?;
        Ok(self
            .arrays
            .get_mut(target)
            .unwrap()
            .copies
            .get_mut(id)
            .unwrap())
    }

    pub(crate) fn source(volume: &VolumeSpec) -> String {
        volume
            .placement
            .as_ref()
            .map(|p| p.target.clone())
            .unwrap_or_default()
    }

    /// Where a volume is, with the size that it has there.
    fn placed(&self, id: &str, target: &str) -> Placement {
        let mut placed = placement(id, target, true);
        let copy = self.arrays.get(target).and_then(|a| a.copies.get(id));
        let told = copy.map(|copy| ("springform/size".to_owned(), copy.size.to_string()));
        placed.extensions.extend(told);
        placed
    }

    /// Does what a call asks for.
    pub fn call(&mut self, call: Call) -> Result<Reply, CallError> {
        let each =
            |world: &mut Self,
             volumes: &[VolumeSpec],
             target: Option<&str>,
             act: &mut dyn FnMut(&mut Self, &VolumeSpec) -> Result<(), Failure>| {
                let outcomes = volumes
                    .iter()
                    .map(|v| {
                        let there = target.map_or_else(|| Self::source(v), str::to_owned);
                        let result = world.unless_refused(v, act);
                        let result = result.map(|()| world.placed(&v.id, &there));
                        Outcome {
                            id: v.id.clone(),
                            result,
                        }
                    })
                    .collect();
                Ok(Reply::Outcomes(outcomes))
            };
        match call {
            Call::PlanFailover { request } => Self::one_source(&request.volumes).and(
                self.plan(&request.volumes, request.to, request.mode)
                    .map(Reply::Plan)
                    .map_err(CallError::Failed),
            ),
            Call::FinalSync { mut plan, volumes } => {
                Self::one_source(&volumes)?;
                for volume in &volumes {
                    self.copy(&plan.target, &volume.id)
                        .map_err(CallError::Failed)?;
                }
                if self.lies() {
                    return Ok(Reply::Plan(plan));
                }
                self.transfers += 1;
                for volume in &volumes {
                    self.final_sync(&plan, volume).map_err(CallError::Failed)?;
                    let mut planned = plan.volumes.iter_mut();
                    if let Some(planned) = planned.find(|p| p.volume_id == volume.id) {
                        planned.point = Some(RecoveryPoint {
                            id: format!("transfer {}", self.transfers),
                            taken_at: 1_000_000_000 + self.transfers,
                        });
                    }
                }
                Ok(Reply::Plan(plan))
            }
            Call::Demote { target, volumes } => {
                let answer = each(self, &volumes, None, &mut |w, v| {
                    w.copy(&target, &v.id)?;
                    w.left_alone(&target, v, Act::Take)?;
                    if w.otherwise.written_at_demotion {
                        w.write(&v.id, &target);
                    }
                    w.copy_mut(&target, &v.id)?.writable = false;
                    w.cut_off(&target, &v.id);
                    match w.otherwise.half_demoted.contains(&v.id) {
                        true => Err(Failure::new(FailureCode::Unavailable, "a host stays")),
                        false => Ok(()),
                    }
                });
                for name in std::mem::take(&mut self.otherwise.dark_after_demotion) {
                    self.arrays.get_mut(&name).unwrap().up = false;
                }
                answer
            }
            Call::FailOver { plan, volumes } => {
                let target = plan.target.clone();
                each(self, &volumes, Some(&target), &mut |w, v| {
                    w.promote(&plan, v)
                })
            }
            Call::CommitTest {
                test_id,
                plan,
                volumes,
            } => {
                let target = plan.target.clone();
                each(self, &volumes, Some(&target), &mut |w, v| {
                    let key = (test_id.clone(), v.id.clone());
                    let array = w
                        .arrays
                        .get_mut(&plan.target)
                        .filter(|a| a.up)
                        .ok_or_else(|| unavailable(&plan.target))?;
                    let there = array.tests.contains(&key);
                    let already = array
                        .copies
                        .get(&v.id)
                        .is_some_and(|c| c.generation >= v.generation);
                    if !there && !already {
                        return Err(Failure::new(FailureCode::NotFound, "no copy of this drill")
                            .on(&plan.target));
                    }
                    w.promote(&plan, v)?;
                    w.arrays.get_mut(&plan.target).unwrap().tests.remove(&key);
                    Ok(())
                })
            }
            Call::FinishFailover { .. } => Ok(Reply::State(b"state".to_vec())),
            Call::Reprotect {
                volumes,
                to,
                discard,
                ..
            } => Self::one_source(&volumes).and(each(self, &volumes, None, &mut |w, v| {
                let others: Vec<String> = match &to {
                    Some(to) => vec![to.clone()],
                    None => ARRAYS
                        .iter()
                        .map(|n| (*n).to_owned())
                        .filter(|n| *n != Self::source(v))
                        .collect(),
                };
                others.iter().try_for_each(|to| w.overwrite(v, to, discard))
            })),
            Call::Resync {
                target,
                volumes,
                discard,
            } => Self::one_source(&volumes).and(each(self, &volumes, None, &mut |w, v| {
                w.overwrite(v, &target, discard)
            })),
            Call::Enable { volumes } | Call::Disable { volumes } => {
                each(self, &volumes, None, &mut |_, _| Ok(()))
            }
            Call::EnableGroupReplication { .. } | Call::DisableGroupReplication { .. } => {
                Ok(Reply::Done)
            }
            Call::StartTest {
                test_id,
                target,
                volumes,
                ..
            } => {
                Self::one_source(&volumes)?;
                let copies = volumes
                    .iter()
                    .map(|v| {
                        let result = self
                            .copy(&target, &v.id)
                            .map(|_| placement(&v.id, &target, false));
                        if result.is_ok() {
                            self.arrays
                                .get_mut(&target)
                                .unwrap()
                                .tests
                                .insert((test_id.clone(), v.id.clone()));
                        }
                        TestCopy {
                            volume_id: v.id.clone(),
                            result,
                            point: None,
                        }
                    })
                    .collect();
                Ok(Reply::Tests(copies))
            }
            Call::StopTest {
                test_id,
                target,
                volumes,
            } => {
                let array = self
                    .arrays
                    .get_mut(&target)
                    .filter(|a| a.up)
                    .ok_or_else(|| CallError::Failed(unavailable(&target)))?;
                for volume in &volumes {
                    array.tests.remove(&(test_id.clone(), volume.id.clone()));
                }
                Ok(Reply::Done)
            }
            Call::DeleteVolume { volume } => {
                let target = Self::source(&volume);
                self.left_alone(&target, &volume, Act::Take)
                    .map_err(CallError::Failed)?;
                let array = self.arrays.get_mut(&target).filter(|a| a.up);
                let array = array.ok_or_else(|| CallError::Failed(unavailable(&target)))?;
                array.copies.remove(&volume.id);
                Ok(Reply::Done)
            }
            Call::Reconcile { .. } => Ok(Reply::Setup(SetupReport::default())),
            Call::Observe { volumes } => {
                let seen = volumes.iter().map(|volume| self.observe(volume));
                Ok(Reply::Observations(seen.collect()))
            }
            other => Err(CallError::Fault(Fault::new(
                FaultKind::Unsupported,
                other.name(),
            ))),
        }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
