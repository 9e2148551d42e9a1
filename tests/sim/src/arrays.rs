//! Arrays behind the real store: on disk, so that they survive the host's death, or doing nothing, to measure the host.

use std::path::PathBuf;
use std::sync::Mutex;

use async_trait::async_trait;
use springform_control::replication::{Arrays, BackendView, ReplicationError};
use springform_model::cloud::Volume;
use springform_model::contract::{
    Call, CallError, FailoverPlan, Outcome, RecoveryPoint, ReplicationKind, Reply, Target,
    VolumePlan, VolumeSpec,
};
use springform_model::operation::Operation;
use springform_model::time::Timestamp;

use crate::nouns::{BACKEND, placement, spec};
use crate::world::{ARRAYS, World};

/// What answers.
pub enum Kind {
    /// A world in a file.
    Disk(PathBuf),
    /// Success at once, or after so many milliseconds for each volume of a call.
    Nothing(u64),
}

/// Arrays of the one backend.
pub struct Simulated {
    kind: Kind,
    turn: Mutex<()>,
    batch: usize,
}

impl Simulated {
    /// Arrays of this kind; calls of at most `batch` volumes.
    #[must_use]
    pub fn new(kind: Kind, batch: usize) -> Self {
        Self {
            kind,
            turn: Mutex::default(),
            batch,
        }
    }
}

/// Reads a world.
#[must_use]
pub fn read(path: &std::path::Path) -> World {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Writes a world, at once or not at all.
pub fn write(path: &std::path::Path, world: &World) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, serde_json::to_vec(world).unwrap()).unwrap();
    std::fs::rename(beside, path).unwrap();
}

fn nothing(call: Call) -> Reply {
    let each = |volumes: Vec<VolumeSpec>, target: Option<String>| {
        let outcome = |v: VolumeSpec| {
            let there = target
                .clone()
                .or_else(|| v.placement.map(|p| p.target))
                .unwrap_or_default();
            Outcome {
                result: Ok(placement(&v.id, &there, true)),
                id: v.id,
            }
        };
        Reply::Outcomes(volumes.into_iter().map(outcome).collect())
    };
    match call {
        Call::PlanFailover { request } => Reply::Plan(FailoverPlan {
            target: request.to.unwrap_or_else(|| ARRAYS[1].to_owned()),
            mode: request.mode,
            volumes: request
                .volumes
                .into_iter()
                .map(|v| VolumePlan {
                    volume_id: v.id,
                    source: None,
                    point: None,
                    possible: true,
                    reason: None,
                    loss_seconds: Some(0),
                    loss_bytes: None,
                    warnings: Vec::new(),
                })
                .collect(),
            interrupts: Vec::new(),
            token: Vec::new(),
        }),
        Call::FailOver { plan, volumes } => each(volumes, Some(plan.target)),
        Call::Demote { volumes, .. } | Call::Reprotect { volumes, .. } => each(volumes, None),
        Call::FinalSync { mut plan, .. } => {
            for volume in &mut plan.volumes {
                let before = volume.point.as_ref().map_or(0, |p| p.taken_at);
                volume.point = Some(RecoveryPoint {
                    id: format!("transfer {}", before + 1),
                    taken_at: before + 1,
                });
            }
            Reply::Plan(plan)
        }
        Call::FinishFailover { .. } => Reply::State(Vec::new()),
        _ => Reply::Done,
    }
}

#[async_trait]
impl Arrays for Simulated {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn backend(&self, name: &str) -> Result<BackendView, ReplicationError> {
        let up: Vec<bool> = match &self.kind {
            Kind::Disk(path) => {
                let world = read(path);
                ARRAYS.iter().map(|n| world.arrays[*n].up).collect()
            }
            Kind::Nothing(_) => vec![true; ARRAYS.len()],
        };
        if name != BACKEND {
            return Err(ReplicationError::NotFound(format!(
                "there is no backend {name}"
            )));
        }
        let targets = ARRAYS.iter().zip(up).map(|(n, up)| Target {
            name: (*n).into(),
            primary: *n == ARRAYS[0],
            kind: (*n != ARRAYS[0]).then_some(ReplicationKind::Async),
            options: Vec::new(),
            reachable: up,
            extensions: Vec::new(),
        });
        Ok(BackendView {
            clocks: std::collections::BTreeMap::new(),
            distrusted: Vec::new(),
            name: name.into(),
            targets: targets.collect(),
            fingerprint: "1".into(),
            parallel: 16,
            batch: self.batch,
        })
    }

    async fn specs(&self, volumes: &[Volume]) -> Result<Vec<VolumeSpec>, ReplicationError> {
        Ok(volumes.iter().map(spec).collect())
    }

    async fn call(
        &self,
        _backend: &str,
        _operation: &str,
        _cursor: Vec<u8>,
        call: Call,
    ) -> Result<Reply, CallError> {
        match &self.kind {
            Kind::Nothing(0) => Ok(nothing(call)),
            Kind::Nothing(ms) => {
                let many = match &call {
                    Call::FailOver { volumes, .. } => volumes.len() as u64,
                    _ => 1,
                };
                tokio::time::sleep(std::time::Duration::from_millis(ms * many)).await;
                Ok(nothing(call))
            }
            Kind::Disk(path) => {
                let _turn = self.turn.lock().unwrap();
                let mut world = read(path);
                let answer = world.call(call);
                write(path, &world);
                answer
            }
        }
    }

    fn cancelled(&self, _operation: &str) -> bool {
        false
    }

    fn receivers(&self) -> Vec<String> {
        match self.kind {
            Kind::Disk(_) => vec!["hook".into()],
            Kind::Nothing(_) => Vec::new(),
        }
    }

    fn shown(&self, _operation: &Operation) {}
}
