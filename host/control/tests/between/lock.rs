//! One lock for each volume: whoever asks an array about it holds the lock.

use springform_control::attachments::repair::Wanted;
use springform_control::replication::{Ask, Request, Scope};
use springform_control::volumes::CreateVolume;
use springform_model::cloud::{AttachStatus, Attachment, Volume, VolumeType};
use springform_model::contract::{FailoverMode, Role};
use springform_model::operation::{Operation, OperationState};
use springform_model::replication::relation::{Acknowledge, DebtState, Relation};
use springform_store::Changes;

use crate::audit;
use crate::common::{admin, until};
use crate::verbs::Verb::*;
use crate::verbs::Who;
use crate::world::{Place, Rig, World, connector};

impl Rig {
    pub fn hold(&self, call: &'static str) {
        self.array.held.lock().unwrap().insert(call);
    }

    pub fn let_run(&self, call: &'static str) {
        self.array.held.lock().unwrap().remove(call);
    }

    pub async fn asked(&self, call: &'static str) {
        until(|| async { self.array.log.lock().unwrap().contains(&call) }).await;
    }

    pub async fn volume(&self, id: &str) -> Option<Volume> {
        let found = self.control.store().get::<Volume>(id).await.unwrap();
        found.map(|found| found.record)
    }

    /// The volume is replicated from now on.
    pub async fn replicated(&self, world: &World) {
        let store = self.control.store();
        let kind = store.get::<VolumeType>(&world.kind).await.unwrap();
        let mut kind = kind.unwrap();
        let specs = &mut kind.record.extra_specs;
        specs.insert("replication_enabled".into(), "<is> True".into());
        store.commit(Changes::new().update(&kind)).await.unwrap();
    }

    pub async fn begin(&self, request: Request) -> Operation {
        let replication = self.control.replication();
        replication.submit(&admin(), request).await.unwrap()
    }

    pub async fn fail_over(&self, world: &World, to: &str, mode: FailoverMode) -> Operation {
        let mut ask = Ask::about(Scope::Volumes(vec![world.volume.clone()]));
        ask.to = Some(to.into());
        ask.mode = Some(mode);
        let relation = self.control.store().get::<Relation>(&world.volume).await;
        let relation = relation.unwrap();
        let debt = relation.as_ref().and_then(|relation| {
            relation
                .debt(to)
                .map(|debt| (debt.clone(), relation.generation))
        });
        ask.acknowledge = debt
            .map(|(debt, generation)| Acknowledge {
                target: debt.target,
                role: match debt.state {
                    DebtState::Owed => Role::Primary,
                    _ => Role::Secondary,
                },
                generation,
            })
            .into();
        self.begin(Request::Failover(ask)).await
    }

    /// Begins the way home of a volume that goes on to the end of what a failback does.
    async fn protecting(&self, world: &World) -> Operation {
        let mut ask = Ask::about(Scope::Volumes(vec![world.volume.clone()]));
        ask.to = Some("a".into());
        let relation = self.control.store().get::<Relation>(&world.volume).await;
        let relation = relation.unwrap().unwrap().record;
        let debt = relation.debt("a").map(|debt| Acknowledge {
            target: debt.target.clone(),
            role: match debt.state {
                DebtState::Owed => Role::Primary,
                _ => Role::Secondary,
            },
            generation: relation.generation,
        });
        ask.acknowledge = debt.into();
        self.begin(Request::Failback(ask)).await
    }

    pub async fn done(&self, operation: &Operation) {
        let ended = self.control.operations().wait(&operation.id).await.unwrap();
        assert_eq!(ended.state, OperationState::Succeeded, "{ended:?}");
    }

    async fn attachment(&self, id: &str) -> Attachment {
        let found = self.control.store().get::<Attachment>(id).await.unwrap();
        found.unwrap().record
    }
}

/// Each attachment leads to the array that serves, or an operator finds it in the list of what is to be repaired.
pub async fn followed(rig: &Rig, told: &str) {
    let wanted = Wanted {
        dry_run: true,
        ..Wanted::default()
    };
    let attachments = rig.control.attachments();
    let report = attachments.repair(&admin(), None, &wanted).await.unwrap();
    for attachment in rig.all::<Attachment>().await {
        let told = format!("{told}\n{attachment:?}");
        let volume = rig.volume(&attachment.volume_id).await.unwrap();
        let serving = volume.placement.unwrap().target;
        let listed = report
            .attachments
            .iter()
            .any(|one| one.attachment_id == attachment.id);
        let Some(connector) = &attachment.connector else {
            continue;
        };
        let shown = attachment.connection.as_ref();
        let leads = shown.is_some_and(|shown| shown.paths.iter().all(|p| p.target == serving));
        let way = (volume.id.clone(), connector.host.clone(), serving.clone());
        let connected = rig.array.ways.lock().unwrap().contains(&way);
        assert!(leads && connected || listed, "{told}");
        assert!(attachment.outdated.is_none() || listed, "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_verb_holds_the_volume_s_lock_while_its_array_is_asked() {
    let rig = Rig::new().await;
    let verbs = [
        (Place::Bare, Attach, "connections.connect"),
        (Place::Used, Detach, "connections.disconnect"),
        (Place::Used, Connect, "connections.connect"),
        (Place::Bare, Snapshot, "volumes.create-snapshot"),
        (Place::Bare, AdoptSnapshot, "volumes.manage-snapshot"),
        (Place::Snapped, DeleteSnapshot, "volumes.delete-snapshot"),
        (Place::Snapped, Revert, "volumes.revert"),
        (Place::Snapped, Cascade, "volumes.delete-snapshot"),
        (Place::Bare, Clone, "volumes.clone"),
        (Place::Snapped, CopySnapshot, "volumes.create-from-snapshot"),
        (Place::Bare, Extend, "volumes.extend"),
        (Place::Bare, Retype, "volumes.retype"),
        (Place::Bare, Delete, "volumes.delete"),
        (Place::Bare, Unmanage, "volumes.unmanage"),
        (Place::Grouped, GroupSnapshot, "groups.create-snapshot"),
        (Place::Grouped, CopyGroup, "groups.create-from"),
        (Place::Grouped, Leave, "groups.update"),
        (Place::Grouped, DeleteGroup, "volumes.delete"),
    ];
    for (place, verb, call) in verbs {
        let world = rig.world(place).await;
        rig.array.log.lock().unwrap().clear();
        rig.hold(call);
        let asking = async {
            // What an attachment is asked for is answered when it is done; the others are begun.
            verb.ask(&rig, &world, Who::First).await
        };
        let looking = async {
            rig.asked(call).await;
            let lock = rig.volume(&world.volume).await.unwrap().operation;
            rig.let_run(call);
            lock
        };
        let (outcome, lock) = tokio::join!(asking, looking);
        outcome.unwrap_or_else(|error| panic!("{verb:?}: {error:?}"));
        let lock = lock.unwrap_or_else(|| panic!("{verb:?} asks an array without the lock"));
        let held = rig.control.store().get::<Operation>(&lock).await.unwrap();
        let by = held.unwrap().record.request_id;
        assert_eq!(by.as_deref(), Some(Who::First.word()), "{verb:?}");
        rig.quiet().await;
        audit::check(&rig, &format!("{verb:?}")).await;
        rig.clear().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_verb_of_replication_holds_the_volume_s_lock_while_its_array_is_asked() {
    let rig = Rig::new().await;
    type Make = fn(Ask) -> Request;
    let verbs: [(Make, &'static str); 6] = [
        (Request::Enable, "replication.enable"),
        (Request::Disable, "replication.disable"),
        (Request::Reprotect, "replication.reprotect"),
        (Request::StartDrill, "replication.start-test"),
        (Request::Reconcile, "replication.reconcile"),
        (Request::Failover, "replication.fail-over"),
    ];
    for (make, call) in verbs {
        let world = rig.world(Place::Bare).await;
        rig.replicated(&world).await;
        if call != "replication.enable" {
            let whole = Ask::about(Scope::Volumes(vec![world.volume.clone()]));
            let enabled = rig.begin(Request::Enable(whole)).await;
            rig.done(&enabled).await;
        }
        rig.array.log.lock().unwrap().clear();
        rig.hold(call);
        let mut ask = Ask::about(Scope::Volumes(vec![world.volume.clone()]));
        let aims = ["replication.fail-over", "replication.start-test"];
        ask.to = aims.contains(&call).then(|| "b".into());
        let operation = rig.begin(make(ask)).await;
        until(|| async {
            let ended = rig.control.operations().get(&admin(), &operation.id).await;
            let ended = ended.unwrap();
            assert!(!ended.state.is_terminal(), "{ended:?}");
            rig.array.log.lock().unwrap().contains(&call)
        })
        .await;
        let lock = rig.volume(&world.volume).await.unwrap().operation;
        rig.let_run(call);
        assert_eq!(lock.as_deref(), Some(operation.id.as_str()), "{call}");
        rig.quiet().await;
        let free = rig.volume(&world.volume).await.unwrap().operation;
        assert_eq!(free, None, "{call}");
        rig.clear().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planned_failover_waits_for_an_attachment_that_is_being_made() {
    let rig = Rig::new().await;
    let world = rig.world(Place::Bare).await;
    rig.replicated(&world).await;
    rig.hold("connections.connect");
    let asking = Attach.ask(&rig, &world, Who::First);
    let moving = async {
        rig.asked("connections.connect").await;
        let failover = rig.fail_over(&world, "b", FailoverMode::Planned).await;
        rig.asked("replication.plan-failover").await;
        let lock = rig.volume(&world.volume).await.unwrap().operation;
        assert!(lock.is_some_and(|lock| lock != failover.id));
        rig.let_run("connections.connect");
        rig.done(&failover).await;
    };
    let (outcome, ()) = tokio::join!(asking, moving);
    outcome.unwrap();
    followed(&rig, "planned").await;
}

/// Attachments in every state in which a move can find them.
async fn every_state(rig: &Rig, world: &World) -> Vec<(Attachment, AttachStatus)> {
    let mut made = Vec::new();
    for status in [
        AttachStatus::Attached,
        AttachStatus::Attaching,
        AttachStatus::ErrorAttaching,
        AttachStatus::ErrorDetaching,
    ] {
        Connect.ask(rig, world, Who::First).await.unwrap();
        let mut attachment = rig.attachment(&world.attachments[2]).await;
        attachment.id = format!("{}-{}", world.volume, status.as_str());
        attachment.status = status;
        if let Some(connector) = &mut attachment.connector {
            connector.host = status.as_str().to_owned();
            attachment.host_name = Some(connector.host.clone());
        }
        made.push((attachment, status));
    }
    let changes = Changes::new();
    let changes = made.iter().fold(changes, |all, (one, _)| all.insert(one));
    rig.control.store().commit(changes).await.unwrap();
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attachments_in_every_state_follow_every_kind_of_move_and_none_confirms_an_old_way() {
    for mode in [FailoverMode::Unplanned, FailoverMode::Planned] {
        let rig = Rig::new().await;
        let world = rig.world(Place::Used).await;
        rig.replicated(&world).await;
        let made = every_state(&rig, &world).await;
        for to in ["b", "a"] {
            let failover = rig.fail_over(&world, to, mode.clone()).await;
            rig.done(&failover).await;
            let told = format!("{mode:?} to {to}");
            followed(&rig, &told).await;
            for (attachment, status) in &made {
                let attachments = rig.control.attachments();
                let refused = attachments.complete(&admin(), &attachment.id).await;
                assert!(refused.is_err(), "{told}: {status:?} is confirmed");
            }
            let volume = rig.volume(&world.volume).await.unwrap();
            assert_eq!(volume.operation, None, "{told}");
            let concerns = rig.control.replication();
            let standing = concerns.volume(&admin(), &world.volume).await.unwrap();
            let said = |text: &String| text.contains("attachments repair");
            assert!(standing.concerns.iter().any(said), "{told}: {standing:?}");
        }
        // The host that asks for the way anew is told the right one, and may complete then.
        let (waiting, _) = &made[1];
        let told = springform_model::contract::Connector {
            host: "attaching".into(),
            ..connector()
        };
        let attachments = rig.control.attachments();
        attachments
            .update(&admin(), &waiting.id, told)
            .await
            .unwrap();
        attachments.complete(&admin(), &waiting.id).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failback_that_was_killed_while_it_protected_and_a_detach_do_not_wait_for_each_other() {
    let mut rig = Rig::new().await;
    let world = rig.world(Place::Used).await;
    rig.replicated(&world).await;
    let over = rig.fail_over(&world, "b", FailoverMode::Planned).await;
    rig.done(&over).await;
    // The volume is home again and locked: its copies are being set up.
    rig.hold("replication.reprotect");
    let asked = rig.protecting(&world).await;
    rig.asked("replication.reprotect").await;
    // The detach has the attachment, and waits for the volume.
    let attachment = world.attachments[0].clone();
    let detaching = tokio::spawn({
        let (control, attachment) = (rig.control.clone(), attachment.clone());
        async move { control.attachments().delete(&admin(), &attachment).await }
    });
    until(|| async { rig.attachment(&attachment).await.operation.is_some() }).await;
    rig.control.shutdown(std::time::Duration::ZERO).await;
    let _ = detaching.await;
    rig.let_run("replication.reprotect");
    rig.starts_again().await;
    rig.quiet().await;
    let ended = rig.control.operations().get(&admin(), &asked.id).await;
    assert_eq!(ended.unwrap().state, OperationState::Succeeded);
    assert!(
        rig.all::<Attachment>()
            .await
            .iter()
            .all(|a| a.id != attachment)
    );
    followed(&rig, "failback").await;
}

/// Two operations that each had what the other waits for would both give up, and so would those that ask again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verb_that_waits_for_one_volume_keeps_no_other_from_anybody() {
    let rig = Rig::new().await;
    let waited = rig.world(Place::Bare).await;
    rig.replicated(&waited).await;
    let wanted = CreateVolume {
        size: 1,
        volume_type: Some(waited.kind.clone()),
        ..CreateVolume::default()
    };
    let volumes = rig.control.volumes();
    let other = volumes.create(&admin(), wanted).await.unwrap().id;
    rig.quiet().await;
    let both = || vec![waited.volume.clone(), other.clone()];
    let drill = async || {
        let mut ask = Ask::about(Scope::Volumes(both()));
        ask.to = Some("b".into());
        let begun = rig.begin(Request::StartDrill(ask)).await;
        let ended = rig.control.operations().wait(&begun.id).await.unwrap();
        ended.result["drill"].as_str().unwrap().to_owned()
    };
    let drill = drill().await;
    rig.hold("volumes.extend");
    Extend.ask(&rig, &waited, Who::First).await.unwrap();
    rig.asked("volumes.extend").await;
    let stopping = rig.begin(Request::StopDrill(drill)).await;
    let operations = rig.control.operations();
    until(|| async {
        let now = operations.get(&admin(), &stopping.id).await.unwrap();
        !now.steps.is_empty()
    })
    .await;
    for _ in 0..50 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        assert_eq!(rig.volume(&other).await.unwrap().operation, None);
    }
    rig.let_run("volumes.extend");
    rig.done(&stopping).await;
}
