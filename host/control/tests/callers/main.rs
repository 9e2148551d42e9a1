//! Who asks, as the control plane itself looks at it: what the API lets through by a slip, or by a policy file, it refuses still.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../common/mod.rs"]
mod common;
mod nova;

use std::path::Path;
use std::sync::Arc;

use common::{Array, admin, start, up};
use springform_control::attachments::repair::Wanted;
use springform_control::replication::{Ask, Request, Scope};
use springform_control::snapshots::CreateSnapshot;
use springform_control::types::CreateType;
use springform_control::volumes::CreateVolume;
use springform_control::{Caller, Control, ControlError, ErrorKind};
use springform_model::cloud::{Metadata, Snapshot, Volume};
use springform_model::operation::Operation;
use springform_store::Query;
use tempfile::TempDir;

fn member(project: &str) -> Caller {
    Caller::new("u", project, vec!["member".into()])
}

async fn control() -> (TempDir, Control) {
    let dir = tempfile::tempdir().unwrap();
    let control = start(&dir.path().join("db"), &Arc::new(Array::default()), 1).await;
    up(&control).await;
    (dir, control)
}

async fn ended(control: &Control, operation: Option<&str>) {
    if let Some(operation) = operation {
        control.operations().wait(operation).await.unwrap();
    }
}

async fn volume(control: &Control, caller: &Caller) -> Volume {
    let wanted = CreateVolume {
        size: 1,
        ..CreateVolume::default()
    };
    let made = control.volumes().create(caller, wanted).await.unwrap();
    ended(control, made.operation.as_deref()).await;
    control.volumes().get(caller, &made.id).await.unwrap()
}

async fn snapshot(control: &Control, caller: &Caller, volume: &Volume) -> Snapshot {
    let wanted = CreateSnapshot {
        volume_id: volume.id.clone(),
        ..CreateSnapshot::default()
    };
    let made = control.snapshots().create(caller, wanted).await.unwrap();
    ended(control, made.operation.as_deref()).await;
    control.snapshots().get(caller, &made.id).await.unwrap()
}

fn forbidden<T: std::fmt::Debug>(what: &str, outcome: Result<T, ControlError>) {
    let error = outcome.expect_err(what);
    assert_eq!(error.kind, ErrorKind::Forbidden, "{what}: {error:?}");
}

#[tokio::test]
async fn what_is_an_administrators_is_refused_to_a_member_behind_the_api_too() {
    let (_dir, control) = control().await;
    let own = member("bb");
    let volume = volume(&control, &own).await;
    let (id, host) = (volume.id.as_str(), "springform@pure1");
    let none = "00000000-0000-4000-8000-000000000001";
    let volumes = control.volumes();
    forbidden("force", volumes.delete(&own, id, false, true).await);
    let reset = volumes.reset_status(&own, id, Some("error"), None, None);
    forbidden("volume", reset.await);
    let snapshots = control.snapshots();
    let reset = snapshots.reset_status(&own, none, "error");
    forbidden("snapshot", reset.await);
    let groups = control.groups();
    forbidden("group", groups.reset_status(&own, none, "error").await);
    let taken = control.group_snapshots();
    let reset = taken.reset_status(&own, none, "error");
    forbidden("group snapshot", reset.await);
    forbidden("service", control.services().freeze(&own, host).await);
    let drivers = control.drivers();
    forbidden("drivers", drivers.list(&own).await);
    let path = Path::new("two");
    forbidden("install", drivers.install(&own, "simulated", path).await);
    let replication = control.replication();
    forbidden("drills", replication.drills(&own, Query::new()).await);
    let ask = Ask::about(Scope::Volumes(vec![id.to_owned()]));
    let fence = replication.submit(&own, Request::Fence(ask));
    forbidden("fence", fence.await);
    let outbox = control.outbox();
    forbidden("outbox", outbox.list(&own, Query::new()).await);
    forbidden("outbox", outbox.retry(&own, none).await);
    let wanted = Wanted::default();
    let repair = control.attachments().repair(&own, None, &wanted).await;
    forbidden("repair", repair);
    forbidden("reload", control.reload().run(&own, true).await);
}

#[tokio::test]
async fn no_force_of_a_member_overrules_the_state_of_a_snapshot() {
    let (_dir, control) = control().await;
    let own = member("bb");
    let volume = volume(&control, &own).await;
    let taken = snapshot(&control, &own, &volume).await;
    let snapshots = control.snapshots();
    let admin = admin();
    let reset = snapshots.reset_status(&admin, &taken.id, "backing-up");
    reset.await.unwrap();
    let refused = snapshots.delete(&own, &taken.id, true).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid, "{refused:?}");
    snapshots.delete(&admin, &taken.id, true).await.unwrap();
}

#[tokio::test]
async fn all_projects_are_shown_to_administrators_only_whatever_a_member_asks_for() {
    let (_dir, control) = control().await;
    let (own, other) = (member("bb"), member("cc"));
    let volume = volume(&control, &own).await;
    let taken = snapshot(&control, &own, &volume).await;
    let (volumes, snapshots) = (control.volumes(), control.snapshots());
    let (transfers, operations) = (control.transfers(), control.operations());
    let offer = transfers.create(&own, &volume.id, None, true);
    let (offered, _) = offer.await.unwrap();
    let query = Query::new;
    for (caller, sees) in [(&other, false), (&own, true), (&admin(), true)] {
        let volumes = volumes.list(caller, query(), true).await.unwrap();
        let snapshots = snapshots.list(caller, query(), true).await.unwrap();
        let transfers = transfers.list(caller, true, query()).await.unwrap();
        let operations = operations.list(caller, query()).await.unwrap();
        let who = &caller.project_id;
        assert_eq!(volumes.iter().any(|v| v.id == volume.id), sees, "{who}");
        assert_eq!(snapshots.iter().any(|s| s.id == taken.id), sees, "{who}");
        assert_eq!(transfers.iter().any(|t| t.id == offered.id), sees, "{who}");
        assert_eq!(
            operations.iter().any(|o| o.subject == volume.id),
            sees,
            "{who}"
        );
    }
}

#[tokio::test]
async fn a_type_that_is_not_public_is_shown_to_those_it_is_for_whatever_a_member_asks_for() {
    let (_dir, control) = control().await;
    let (own, other, admin) = (member("bb"), member("cc"), admin());
    let types = control.types();
    let wanted = CreateType {
        name: "secret".to_owned(),
        ..CreateType::default()
    };
    let secret = types.create(&admin, wanted).await.unwrap().id;
    types.set_access(&secret, "bb", true).await.unwrap();
    let group_types = control.group_types();
    let made = group_types.create("groups".to_owned(), None, false, Metadata::new());
    let groups = made.await.unwrap().id;
    for (caller, sees, sees_groups) in [
        (&other, false, false),
        (&own, true, false),
        (&admin, true, true),
    ] {
        let who = &caller.project_id;
        assert_eq!(types.get(caller, &secret).await.is_ok(), sees, "{who}");
        for name in [secret.as_str(), "secret"] {
            assert_eq!(types.find(caller, name).await.is_ok(), sees, "{who}");
        }
        let got = group_types.get(caller, &groups).await;
        assert_eq!(got.is_ok(), sees_groups, "{who}");
        for name in [groups.as_str(), "groups"] {
            let found = group_types.find(caller, name).await;
            assert_eq!(found.is_ok(), sees_groups, "{who}");
        }
        for public in [None, Some(false)] {
            let list = types.list(caller, public, Query::new()).await.unwrap();
            let listed = list.iter().any(|found| found.id == secret);
            assert_eq!(listed, sees, "{who} {public:?}");
            let list = group_types
                .list(caller, public, Query::new())
                .await
                .unwrap();
            let listed = list.iter().any(|found| found.id == groups);
            assert_eq!(listed, sees_groups, "{who} {public:?}");
        }
        // To the public ones belong those that the project may use.
        let list = types.list(caller, Some(true), Query::new()).await.unwrap();
        let listed = list.iter().any(|found| found.id == secret);
        assert_eq!(listed, *who == "bb", "{who}");
    }
}

#[tokio::test]
async fn an_operation_is_found_and_stopped_by_its_project_alone() {
    let (_dir, control) = control().await;
    let (own, other) = (member("bb"), member("cc"));
    let volume = volume(&control, &own).await;
    let made = Query::new().eq("subject", volume.id.as_str());
    let found = control.store().list::<Operation>(&made).await.unwrap();
    let id = found[0].id.as_str();
    let operations = control.operations();
    for refused in [
        operations.get(&other, id).await,
        operations.cancel(&other, id).await,
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound, "{error:?}");
        assert_eq!(error.message, format!("Operation {id} could not be found."));
    }
    assert_eq!(operations.get(&own, id).await.unwrap().project, "bb");
    let late = operations.cancel(&own, id).await.unwrap_err();
    assert_eq!(late.kind, ErrorKind::Conflict, "{late:?}");
}

#[tokio::test]
async fn nothing_of_another_project_is_changed_behind_the_api_either() {
    let (_dir, control) = control().await;
    let (own, other) = (member("bb"), member("cc"));
    let volume = volume(&control, &own).await;
    let taken = snapshot(&control, &own, &volume).await;
    let id = volume.id.as_str();
    let volumes = control.volumes();
    let name = || Some(Some("n".to_owned()));
    for refused in [
        volumes.extend(&other, id, 2).await,
        volumes.delete(&other, id, true, false).await,
        volumes.revert(&other, id, &taken.id).await,
        volumes.unmanage(&other, id).await,
        volumes.reserve(&other, id).await.map(drop),
        control.snapshots().delete(&other, &taken.id, false).await,
        control.snapshots().unmanage(&other, &taken.id).await,
        control
            .snapshots()
            .update(&other, &taken.id, name(), None, None)
            .await
            .map(drop),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound, "{error:?}");
    }
    assert_eq!(volumes.get(&own, id).await.unwrap(), volume);
    let now = control.snapshots().get(&own, &taken.id).await.unwrap();
    assert_eq!(now, taken);
}
