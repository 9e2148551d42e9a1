//! Answers of drivers that lie, each refused by the rule that it breaks.

use springform_model::contract::{
    Adopted, Call, CallError, Change, Chap, Connection, Connector, Context, Failure, FailureCode,
    Fault, FaultKind, Link, LinkState, Observation, Outcome, Path, Placement, Pool, Protection,
    Reference, ReplicationKind, Reply, Role, SetupReport, Statistics, Target, VolumeSpec,
};

use super::Expectation;
use crate::limits::Limits;

fn context() -> Context {
    let target = |name: &str, primary| Target {
        name: name.to_owned(),
        primary,
        kind: None,
        options: Vec::new(),
        reachable: true,
        extensions: Vec::new(),
    };
    Context {
        operation_id: "op".to_owned(),
        backend: "pure1".to_owned(),
        options: Vec::new(),
        targets: vec![target("a", true), target("b", false)],
        state: Vec::new(),
        cursor: Vec::new(),
        deadline_ms: 1000,
        now: 1,
        extensions: Vec::new(),
    }
}

fn volume(id: &str) -> VolumeSpec {
    VolumeSpec {
        id: id.to_owned(),
        name: format!("volume-{id}"),
        display_name: String::new(),
        project: "p".to_owned(),
        size: 1 << 30,
        volume_type: None,
        group: None,
        placement: None,
        generation: 1,
        instances: Vec::new(),
        boot: false,
        extensions: Vec::new(),
    }
}

fn placement() -> Placement {
    Placement {
        array_name: "volume-v".to_owned(),
        target: "a".to_owned(),
        serial: Some("3624A".to_owned()),
        metadata: vec![("array_name".to_owned(), "a".to_owned())],
        replication: Some(ReplicationKind::Async),
        extensions: Vec::new(),
    }
}

fn check(call: &Call, reply: Reply) -> Result<Reply, CallError> {
    Expectation::of(&context(), call).check(Ok(reply), &Limits::default())
}

/// The answer is refused, and the message has these words.
#[track_caller]
fn refused(call: &Call, reply: Reply, words: &str) {
    match check(call, reply) {
        Err(CallError::Fault(Fault { kind, message, .. })) => {
            assert_eq!(kind, FaultKind::WrongReply, "{message}");
            assert!(
                message.contains(words),
                "{message:?} does not say {words:?}"
            );
        }
        other => panic!("expected a refusal that says {words:?}, got {other:?}"),
    }
}

fn create() -> Call {
    Call::CreateVolume {
        volume: volume("v"),
    }
}

#[test]
fn a_placement_in_order_is_passed_on_as_it_is() {
    let answer = check(&create(), Reply::Placement(placement()));
    assert_eq!(answer, Ok(Reply::Placement(placement())));
}

#[test]
fn a_placement_on_an_unknown_array_or_without_a_name_is_refused() {
    let with = |change: fn(&mut Placement)| {
        let mut place = placement();
        change(&mut place);
        Reply::Placement(place)
    };
    for (reply, words) in [
        (
            with(|p| p.target = "elsewhere".to_owned()),
            "no target of the backend",
        ),
        (with(|p| p.array_name.clear()), "array-name is empty"),
        (
            with(|p| p.array_name = "x".repeat(600)),
            "more than 512 bytes",
        ),
        (
            with(|p| p.array_name = "a\nb".to_owned()),
            "control characters",
        ),
        (
            with(|p| p.serial = Some("\u{1b}[2J".to_owned())),
            "control characters",
        ),
        (
            with(|p| p.metadata = vec![("k".to_owned(), "x".repeat(3 << 20))]),
            "a value of metadata",
        ),
        (
            with(|p| p.metadata = vec![("k".to_owned(), String::new()); 2]),
            "twice",
        ),
        (
            with(|p| p.metadata = (0..500).map(|n| (n.to_string(), String::new())).collect()),
            "more than 128 pairs",
        ),
    ] {
        refused(&create(), reply, words);
    }
}

#[test]
fn a_volume_may_stay_on_an_array_that_the_configuration_has_lost() {
    let mut lost = volume("v");
    let mut place = placement();
    place.target = "gone".to_owned();
    lost.placement = Some(place.clone());
    let call = Call::Retype {
        volume: lost,
        new_type: None,
    };
    assert!(check(&call, Reply::Placement(place)).is_ok());
}

#[test]
fn two_members_of_a_batch_are_never_the_same_object() {
    let call = Call::Enable {
        volumes: vec![volume("v"), volume("w")],
    };
    let outcome = |id: &str| Outcome {
        id: id.to_owned(),
        result: Ok(placement()),
    };
    refused(
        &call,
        Reply::Outcomes(vec![outcome("v"), outcome("w")]),
        "is the same",
    );
}

#[test]
fn a_size_that_no_array_has_is_refused() {
    let reference = Reference { keys: Vec::new() };
    let call = Call::Manage {
        volume: volume("v"),
        reference: reference.clone(),
        keep_name: false,
    };
    for size in [0, u64::MAX] {
        let placement = placement();
        refused(
            &call,
            Reply::Adopted(Adopted { placement, size }),
            "size is",
        );
        let call = Call::Inspect {
            reference: reference.clone(),
        };
        refused(&call, Reply::Size(size), "size is");
    }
}

fn way() -> Connection {
    Connection {
        driver_volume_type: "iscsi".to_owned(),
        paths: vec![Path {
            target: "a".to_owned(),
            portal: Some("192.0.2.1:3260".to_owned()),
            port: "iqn.2010-06.com.purestorage:flasharray.1".to_owned(),
            lun: 1,
            preferred: true,
        }],
        wwn: Some("3624a937012".to_owned()),
        nguid: None,
        discard: true,
        chap: None,
        transport: None,
        data: Vec::new(),
        extensions: Vec::new(),
    }
}

#[test]
fn a_compute_node_is_not_told_to_open_a_file_of_its_own() {
    let call = Call::Connect {
        volume: volume("v"),
        connector: Connector::default(),
    };
    let with = |change: fn(&mut Connection)| {
        let mut way = way();
        change(&mut way);
        Reply::Connection(way)
    };
    let set = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
    assert!(check(&call, Reply::Connection(way())).is_ok());
    let mut v6 = way();
    v6.paths[0].portal = Some("[2001:db8::1]:3260".to_owned());
    assert!(check(&call, Reply::Connection(v6)).is_ok());
    for (reply, words) in [
        (
            with(|c| c.driver_volume_type = "local".to_owned()),
            "none of iscsi",
        ),
        (
            with(|c| c.driver_volume_type = "localfile".to_owned()),
            "none of iscsi",
        ),
        (
            with(|c| c.driver_volume_type = String::new()),
            "none of iscsi",
        ),
        (
            with(|c| c.paths[0].target = "evil".to_owned()),
            "no target of the backend",
        ),
        (
            with(|c| c.paths[0].portal = Some("/dev/sda".to_owned())),
            "address:port",
        ),
        (
            with(|c| c.paths[0].portal = Some("h:0".to_owned())),
            "address:port",
        ),
        (
            with(|c| c.paths[0].port = "; rm -rf /".to_owned()),
            "no IQN",
        ),
        (
            with(|c| c.paths = vec![way().paths[0].clone(); 300]),
            "more than 256",
        ),
        (with(|c| c.transport = Some("file".to_owned())), "transport"),
        (
            with(|c| {
                c.chap = Some(Chap {
                    user: "other".to_owned(),
                    password: "p".to_owned().into(),
                });
            }),
            "chap",
        ),
    ] {
        refused(&call, reply, words);
    }
    for key in [
        "device_path",
        "target_portal",
        "target_portals",
        "target_iqn",
        "auth_method",
        "auth_password",
        "access_mode",
        "encrypted",
        "volume_id",
        "qos_specs",
        "initiator_target_map",
    ] {
        let mut way = way();
        way.data = set(key, "/etc/shadow");
        refused(&call, Reply::Connection(way), "which a driver does not set");
    }
}

#[test]
fn an_observation_names_only_arrays_that_there_are() {
    let call = Call::Observe {
        volumes: vec![volume("v")],
    };
    let seen = |target: &str, linked: &str| {
        Reply::Observations(vec![Observation {
            volume_id: "v".to_owned(),
            target: Some(target.to_owned()),
            role: Role::Primary,
            protection: Protection::Protected,
            links: vec![Link {
                target: linked.to_owned(),
                kind: ReplicationKind::Async,
                state: LinkState::Healthy,
                last_point: None,
                interval_seconds: None,
                lag_bytes: None,
                percent: Some(250),
                detail: None,
            }],
            stale_writable: Vec::new(),
            tests: Vec::new(),
            problems: vec!["x".repeat(1 << 20)],
        }])
    };
    refused(&call, seen("elsewhere", "b"), "no target");
    refused(&call, seen("a", "label\"}evil"), "no target");
    let Ok(Reply::Observations(all)) = check(&call, seen("a", "b")) else {
        panic!("it is in order");
    };
    assert_eq!(all[0].links[0].percent, None, "250 % is not known");
    assert!(all[0].problems[0].len() < 5000, "words are shortened");
}

#[test]
fn a_change_that_was_made_is_told_although_it_names_no_array() {
    let report = SetupReport {
        changes: vec![Change {
            target: "somewhere".to_owned(),
            text: "made a group".to_owned(),
        }],
        ..SetupReport::default()
    };
    let Ok(Reply::Setup(told)) = check(&Call::Setup, Reply::Setup(report)) else {
        panic!("the set-up is in order");
    };
    assert_eq!(
        (
            told.changes[0].target.as_str(),
            told.changes[0].text.as_str()
        ),
        ("", "made a group")
    );
}

#[test]
fn words_of_a_failure_are_shortened_and_an_unknown_array_is_left_out() {
    let mut failure = Failure::new(FailureCode::Exhausted, "ä".repeat(3 << 20)).on("elsewhere");
    failure.detail = Some("d".repeat(3 << 20));
    let answer = Expectation::of(&context(), &create())
        .check(Err(CallError::Failed(failure)), &Limits::default());
    let Err(CallError::Failed(told)) = answer else {
        panic!("a failure stays a failure: {answer:?}");
    };
    assert_eq!((told.code, told.target), (FailureCode::Exhausted, None));
    assert!(told.message.len() < 5000 && told.detail.is_some_and(|d| d.len() < 5000));
}

#[test]
fn pools_have_names_and_each_its_own() {
    let pool = |name: &str| Pool {
        name: name.to_owned(),
        total_bytes: 1,
        free_bytes: 1,
        provisioned_bytes: 0,
        max_over_subscription_permille: 1000,
        reserved_percent: 0,
        thin: true,
        multiattach: false,
        qos: false,
        capabilities: Vec::new(),
    };
    let stats = |pools: Vec<Pool>| {
        Reply::Stats(Statistics {
            vendor: "v".to_owned(),
            driver_version: "1".to_owned(),
            protocol: "iSCSI".to_owned(),
            pools,
            replication_enabled: true,
            replication_types: Vec::new(),
            replication_targets: Vec::new(),
            extensions: Vec::new(),
        })
    };
    assert!(check(&Call::Stats, stats(vec![pool("p")])).is_ok());
    refused(&Call::Stats, stats(vec![pool("p"), pool("p")]), "twice");
    refused(&Call::Stats, stats(vec![pool("")]), "is empty");
    refused(&Call::Stats, stats(vec![pool("p"); 2000]), "more than 1024");
}
