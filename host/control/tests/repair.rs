//! Attaching servers anew after a failover, on a Nova in memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use common::{Array, Loader, admin, config, open};
use springform_control::attachments::repair::{Outcome, Repaired, Wanted};
use springform_control::compute::{Attached, Compute, ComputeError, Server};
use springform_control::{Caller, Clock, Control};
use springform_model::cloud::{AttachStatus, Attachment, Outdated};
use springform_model::contract::Connector;
use springform_model::time::Timestamp;
use springform_store::{Changes, Query};

const SERVER: &str = "5a5cf9c8-6f0c-4c4c-9c7e-0d6e1f1f0001";

fn attachment(volume: &str, server: Option<&str>, outdated: bool) -> Attachment {
    Attachment {
        id: format!("attachment-{volume}-{outdated}"),
        volume_id: volume.to_owned(),
        project_id: "p".to_owned(),
        instance_id: server.map(str::to_owned),
        host_name: Some("compute1".to_owned()),
        device: None,
        status: AttachStatus::Attached,
        mode: Some("rw".to_owned()),
        connector: Some(Connector {
            host: "compute1".to_owned(),
            initiator: Some("iqn.1".to_owned()),
            ..Connector::default()
        }),
        connection: None,
        legacy: false,
        made_by: None,
        outdated: outdated.then(|| Outdated {
            target: Some("a".to_owned()),
            since: Timestamp(0),
        }),
        operation: None,
        attached_at: None,
        detached_at: None,
        created_at: Timestamp(0),
        updated_at: None,
    }
}

/// What Nova knows, and how it misbehaves.
#[derive(Default)]
struct State {
    attached: BTreeMap<String, Attached>,
    changes: Vec<String>,
    root: Option<String>,
    gone: bool,
    silent: bool,
    locked: bool,
    refuses_to_attach: bool,
    /// How often it still shows a volume that is being detached.
    slow: u32,
    leaving: Option<String>,
}

struct Nova {
    control: Control,
    state: Mutex<State>,
}

impl Nova {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

#[async_trait]
impl Compute for Nova {
    async fn server(&self, server: &str) -> Result<Option<Server>, ComputeError> {
        let state = self.state();
        if state.silent {
            return Err(ComputeError::Unavailable("connection refused".to_owned()));
        }
        assert_eq!(server, SERVER);
        Ok((!state.gone).then(|| Server {
            status: "ACTIVE".to_owned(),
            root_device: state.root.clone(),
        }))
    }

    async fn attached(&self, _: &str, volume: &str) -> Result<Option<Attached>, ComputeError> {
        let left = {
            let mut state = self.state();
            if state.leaving.as_deref() == Some(volume) && state.slow == 0 {
                state.leaving = None;
                state.attached.remove(volume);
                true
            } else {
                state.slow = state.slow.saturating_sub(1);
                false
            }
        };
        if left {
            // Nova takes Cinder's attachment away when the hypervisor has let go.
            let id = attachment(volume, None, true).id;
            let gone = Changes::new().remove::<Attachment>(&id);
            self.control.store().commit(gone).await.unwrap();
        }
        Ok(self.state().attached.get(volume).cloned())
    }

    async fn detach(&self, _: &str, volume: &str) -> Result<(), ComputeError> {
        let mut state = self.state();
        if state.locked {
            return Err(ComputeError::Refused("Instance is locked".to_owned()));
        }
        state.changes.push(format!("detach {volume}"));
        state.leaving = Some(volume.to_owned());
        Ok(())
    }

    async fn attach(&self, _: &str, volume: &str, how: &Attached) -> Result<(), ComputeError> {
        {
            let mut state = self.state();
            if state.refuses_to_attach {
                return Err(ComputeError::Refused("the device is busy".to_owned()));
            }
            state.changes.push(format!("attach {volume}"));
            state.attached.insert(volume.to_owned(), how.clone());
        }
        let fresh = Changes::new().put(&attachment(volume, Some(SERVER), false));
        self.control.store().commit(fresh).await.unwrap();
        Ok(())
    }
}

fn data() -> Attached {
    Attached {
        device: Some("/dev/vdb".to_owned()),
        tag: Some("db".to_owned()),
        delete_on_termination: Some(true),
    }
}

/// A Nova with one server that has the volume `v1`, whose attachment a failover left behind.
async fn site(state: State) -> (tempfile::TempDir, Nova) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("db")).await;
    let loader = Arc::new(Loader(Arc::new(Array::default())));
    let control = Control::start(config(0), store, loader, Clock::system())
        .await
        .unwrap();
    let left = Changes::new().put(&attachment("v1", Some(SERVER), true));
    control.store().commit(left).await.unwrap();
    let mut state = state;
    state.attached.insert("v1".to_owned(), data());
    let state = Mutex::new(state);
    (folder, Nova { control, state })
}

async fn repair(nova: &Nova, dry_run: bool) -> Vec<Repaired> {
    let wanted = Wanted {
        dry_run,
        ..Wanted::default()
    };
    let attachments = nova.control.attachments();
    let report = attachments.repair(&admin(), Some(nova), &wanted).await;
    let report = report.unwrap();
    assert_eq!(report.remaining, 0);
    report.attachments
}

#[tokio::test]
async fn a_volume_is_detached_and_attached_as_it_was_and_not_again() {
    let (_folder, nova) = site(State {
        slow: 2,
        ..State::default()
    })
    .await;
    let done = repair(&nova, false).await;
    assert_eq!(done[0].outcome, Outcome::Reattached);
    assert_eq!(nova.state().changes, ["detach v1", "attach v1"]);
    assert_eq!(
        nova.state().attached["v1"],
        data(),
        "device, tag and fate are the same"
    );
    assert!(repair(&nova, false).await.is_empty());
    assert_eq!(nova.state().changes.len(), 2);
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_done_and_changes_nothing() {
    let (_folder, nova) = site(State::default()).await;
    assert_eq!(repair(&nova, true).await[0].outcome, Outcome::WouldReattach);
    assert!(nova.state().changes.is_empty());
    let blind = Wanted {
        dry_run: true,
        ..Wanted::default()
    };
    let attachments = nova.control.attachments();
    let report = attachments.repair(&admin(), None, &blind).await.unwrap();
    assert_eq!(report.attachments[0].outcome, Outcome::WouldReattach);
}

#[tokio::test]
async fn a_root_volume_is_left_alone_and_the_commands_are_exact() {
    let (_folder, nova) = site(State {
        root: Some("/dev/vdb".to_owned()),
        ..State::default()
    })
    .await;
    let done = repair(&nova, false).await;
    assert_eq!(done[0].outcome, Outcome::ByHand);
    assert_eq!(
        done[0].commands,
        [
            format!("openstack server stop {SERVER}"),
            "nova-manage volume_attachment get_connector --json > connector.json  # on compute1"
                .to_owned(),
            format!("nova-manage volume_attachment refresh {SERVER} v1 connector.json"),
            format!("openstack server start {SERVER}"),
        ]
    );
    assert!(nova.state().changes.is_empty());
}

#[tokio::test]
async fn a_server_that_refuses_to_detach_is_left_alone_with_commands_for_later() {
    let (_folder, nova) = site(State {
        locked: true,
        ..State::default()
    })
    .await;
    let done = repair(&nova, false).await;
    assert_eq!(done[0].outcome, Outcome::ByHand);
    assert!(
        done[0]
            .reason
            .as_ref()
            .unwrap()
            .contains("Instance is locked")
    );
    assert_eq!(
        done[0].commands,
        [
            format!("openstack server remove volume {SERVER} v1"),
            format!(
                "openstack server add volume --device /dev/vdb --tag db --enable-delete-on-termination {SERVER} v1"
            ),
        ]
    );
    nova.state().locked = false;
    assert_eq!(repair(&nova, false).await[0].outcome, Outcome::Reattached);
}

#[tokio::test]
async fn a_repair_that_ended_between_detaching_and_attaching_is_finished_by_the_next() {
    let (_folder, nova) = site(State {
        refuses_to_attach: true,
        ..State::default()
    })
    .await;
    let done = repair(&nova, false).await;
    assert_eq!(done[0].outcome, Outcome::Failed);
    assert!(
        done[0]
            .reason
            .as_ref()
            .unwrap()
            .contains("the device is busy")
    );
    assert!(done[0].commands[0].starts_with("openstack server add volume --device /dev/vdb"));
    let none = nova
        .control
        .store()
        .count::<Attachment>(&Query::new())
        .await;
    assert_eq!(
        none.unwrap(),
        0,
        "the cloud has forgotten that they belong together"
    );
    nova.state().refuses_to_attach = false;
    assert_eq!(repair(&nova, true).await[0].outcome, Outcome::WouldReattach);
    assert_eq!(repair(&nova, false).await[0].outcome, Outcome::Reattached);
    assert_eq!(nova.state().attached["v1"], data());
    assert!(repair(&nova, false).await.is_empty());
}

#[tokio::test]
async fn a_nova_that_does_not_answer_fails_each_repair_and_loses_none() {
    let (_folder, nova) = site(State {
        silent: true,
        ..State::default()
    })
    .await;
    let done = repair(&nova, false).await;
    assert_eq!(done[0].outcome, Outcome::Failed);
    assert!(
        done[0]
            .reason
            .as_ref()
            .unwrap()
            .contains("connection refused")
    );
    nova.state().silent = false;
    assert_eq!(repair(&nova, false).await[0].outcome, Outcome::Reattached);
}

#[tokio::test]
async fn what_no_server_has_is_for_a_person() {
    let (_folder, nova) = site(State {
        gone: true,
        ..State::default()
    })
    .await;
    let machine = attachment("v2", None, true);
    let more = Changes::new().put(&machine);
    nova.control.store().commit(more).await.unwrap();
    let done = repair(&nova, false).await;
    assert!(done.iter().all(|d| d.outcome == Outcome::ByHand));
    assert!(done[0].commands[0].ends_with("volume attachment delete attachment-v1-true"));
    assert!(done[1].commands[0].contains("--host compute1 --initiator iqn.1"));
    assert!(nova.state().changes.is_empty());
}

#[tokio::test]
async fn an_unknown_backend_and_a_tenant_are_refused() {
    let (_folder, nova) = site(State::default()).await;
    let attachments = nova.control.attachments();
    let wanted = Wanted {
        backend: Some("nowhere".to_owned()),
        dry_run: true,
    };
    let unknown = attachments.repair(&admin(), None, &wanted).await;
    assert!(unknown.unwrap_err().message.contains("nowhere"));
    let tenant = Caller::new("u", "p", vec!["member".into()]);
    let refused = attachments.repair(&tenant, None, &Wanted::default()).await;
    assert!(refused.unwrap_err().message.contains("administrator"));
}
