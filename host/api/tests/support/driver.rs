//! An API whose one backend, `pure1`, is served by a driver that keeps groups and replicates to target `b`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use springform_api::{ApiState, Auth, Limits, Policy, router};
use springform_control::{
    BackendConfig, Clock, Control, ControlConfig, DriverConfig, DriverLoader, Inspected,
    LoadRefusal, Loaded,
};
use springform_model::contract::{
    Call, CallError, Context, CredentialScheme, Description, Driver, FailoverPlan, Failure,
    FailureCode, Outcome, Placement, Pool, ReplicationKind, Reply, SetupReport, SnapshotOutcome,
    SnapshotPlacement, Statistics, Target, VolumePlan, VolumeSpec,
};
use springform_store::Store;

use super::Api;

struct Simulated(Description);

fn placement(volume: &VolumeSpec, target: &str) -> Placement {
    Placement {
        array_name: format!("{}-sim", volume.id),
        target: target.into(),
        serial: None,
        metadata: Vec::new(),
        replication: volume
            .volume_type
            .as_ref()
            .and_then(|kind| kind.replication.clone()),
        extensions: Vec::new(),
    }
}

fn each(volumes: &[VolumeSpec], target: &str) -> Reply {
    let outcomes = volumes.iter().map(|volume| Outcome {
        id: volume.id.clone(),
        result: Ok(placement(volume, target)),
    });
    Reply::Outcomes(outcomes.collect())
}

fn snapshot(name: String) -> SnapshotPlacement {
    SnapshotPlacement {
        array_name: name,
        metadata: Vec::new(),
        extensions: Vec::new(),
    }
}

#[async_trait]
impl Driver for Simulated {
    fn description(&self) -> &Description {
        &self.0
    }

    async fn call(&self, _context: Context, call: Call) -> Result<Reply, CallError> {
        Ok(match call {
            Call::Setup => Reply::Setup(SetupReport::default()),
            Call::Check => Reply::Check(Vec::new()),
            Call::Stats => Reply::Stats(statistics()),
            Call::CreateVolume { volume }
            | Call::CloneVolume { volume, .. }
            | Call::CreateFromSnapshot { volume, .. } => Reply::Placement(placement(&volume, "a")),
            Call::CreateSnapshot { snapshot: one, .. } => Reply::Snapshot(snapshot(one.id)),
            Call::CreateGroup { group } => Reply::Name(group.id),
            Call::CreateGroupSnapshot { snapshots, .. } => {
                let outcomes = snapshots.into_iter().map(|one| SnapshotOutcome {
                    result: Ok(snapshot(one.id.clone())),
                    id: one.id,
                });
                Reply::GroupSnapshot(outcomes.collect())
            }
            Call::CreateGroupFrom { volumes, .. } => each(&volumes, "a"),
            Call::PlanFailover { request } => Reply::Plan(FailoverPlan {
                target: request.to.unwrap_or_else(|| "b".to_owned()),
                mode: request.mode,
                volumes: request.volumes.iter().map(possible).collect(),
                interrupts: Vec::new(),
                token: Vec::new(),
            }),
            Call::FailOver { plan, volumes } => each(&volumes, &plan.target),
            Call::Demote { volumes, .. } => each(&volumes, "b"),
            Call::FinishFailover { .. } => Reply::State(Vec::new()),
            Call::DeleteVolume { .. }
            | Call::DeleteSnapshot { .. }
            | Call::DeleteGroup { .. }
            | Call::UpdateGroup { .. }
            | Call::DeleteGroupSnapshot { .. }
            | Call::EnableGroupReplication { .. }
            | Call::DisableGroupReplication { .. } => Reply::Done,
            other => {
                let failure = Failure::new(FailureCode::Unsupported, other.name());
                return Err(CallError::Failed(failure));
            }
        })
    }
}

fn possible(volume: &VolumeSpec) -> VolumePlan {
    VolumePlan {
        volume_id: volume.id.clone(),
        source: None,
        point: None,
        possible: true,
        reason: None,
        loss_seconds: Some(0),
        loss_bytes: None,
        warnings: Vec::new(),
    }
}

fn statistics() -> Statistics {
    Statistics {
        vendor: "nobody".into(),
        driver_version: "1".into(),
        protocol: "iSCSI".into(),
        pools: vec![Pool {
            name: "pool".into(),
            total_bytes: 100 << 40,
            free_bytes: 100 << 40,
            provisioned_bytes: 0,
            max_over_subscription_permille: 20_000,
            reserved_percent: 0,
            thin: true,
            multiattach: true,
            qos: true,
            capabilities: Vec::new(),
        }],
        replication_enabled: true,
        replication_types: vec!["async".into()],
        replication_targets: vec!["b".into()],
        extensions: Vec::new(),
    }
}

struct Loader;

fn description() -> Description {
    Description {
        name: "simulated".into(),
        vendor: "nobody".into(),
        version: "1".into(),
        summary: String::new(),
        replication: vec![ReplicationKind::Async],
        protocols: vec!["iscsi".into()],
        options: Vec::new(),
        target_options: Vec::new(),
        credentials: CredentialScheme::None,
        secret_option: None,
        target_secret_option: None,
        features: vec!["groups".into(), "group-snapshots".into()],
        extensions: Vec::new(),
    }
}

#[async_trait]
impl DriverLoader for Loader {
    async fn load(&self, _path: &Path, _backend: &BackendConfig) -> Result<Loaded, LoadRefusal> {
        Ok(Loaded {
            signers: Vec::new(),
            driver: Arc::new(Simulated(description())),
            digest: "one".into(),
            grants: Vec::new(),
            options: Vec::new(),
        })
    }

    async fn inspect(&self, _path: &Path, _driver: &str) -> Result<Inspected, LoadRefusal> {
        Ok(Inspected {
            signers: Vec::new(),
            digest: "one".into(),
            description: description(),
            imports: Vec::new(),
            exports: Vec::new(),
        })
    }
}

/// The secret that no answer may show.
pub const SECRET: &str = "token-of-the-target";

fn target(name: &str, primary: bool) -> Target {
    Target {
        name: name.into(),
        primary,
        kind: (!primary).then_some(ReplicationKind::Async),
        options: vec![("api_token".into(), SECRET.into())],
        reachable: true,
        extensions: Vec::new(),
    }
}

impl Api {
    /// Over the driver, as `noauth`.
    pub async fn with_driver() -> Self {
        Self::with_driver_and(Auth::NoAuth).await
    }

    /// Over the driver.
    pub async fn with_driver_and(auth: Auth) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("springform.db"))
            .await
            .unwrap();
        let targets = vec![target("a", true), target("b", false)];
        let config = ControlConfig {
            drivers: vec![DriverConfig {
                name: "simulated".into(),
                path: "one".into(),
            }],
            backends: vec![BackendConfig::new("pure1", "simulated", targets)],
            ..ControlConfig::default()
        };
        let control = Control::start(config, store, Arc::new(Loader), Clock::system())
            .await
            .unwrap();
        let up = async {
            while !control.backends().all(|backend| backend.status().is_up()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), up)
            .await
            .unwrap();
        let router = router(ApiState {
            control: control.clone(),
            auth,
            policy: Policy::default(),
            limits: Limits::default(),
            public_endpoint: Some("http://cloud:8776".to_owned()),
            nova: None,
            drivers_dir: folder.path().join("drivers"),
        });
        Self {
            router,
            control,
            folder,
        }
    }

    /// Asks for a record until it has this status, or is gone where none is given. Gives it as it is then.
    pub async fn until(&self, path: &str, key: &str, status: Option<&str>) -> Value {
        let waiting = async {
            loop {
                let got = self.get(path).await;
                let now = got.body[key]["status"].as_str();
                if (status.is_none() && got.status == 404) || (now.is_some() && now == status) {
                    return got.body[key].clone();
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), waiting)
            .await
            .expect("it never came to that status")
    }
}
