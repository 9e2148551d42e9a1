//! The life of volumes, and what happens when an answer is lost.

use springform_sdk::types::{Error, FailureCode, Snapshot};

use crate::rig::{MIB, Rig, connector, replicated, written};

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> FailureCode {
    match result.unwrap_err() {
        Error::Failed(failure) => failure.code,
        Error::Pending(pending) => panic!("still waiting for {}", pending.waiting_for),
    }
}

fn snapshot(id: &str) -> Snapshot {
    Snapshot {
        id: id.to_owned(),
        name: format!("snapshot-{id}"),
        size: MIB,
        array_name: None,
        group_snapshot: None,
        extensions: Vec::new(),
    }
}

#[test]
fn set_up_twice_changes_the_arrays_once() {
    let rig = Rig::pair();
    let first = rig.call("setup", |d| d.setup()).unwrap();
    assert!(!first.changes.is_empty());
    let second = rig.call("setup again", |d| d.setup()).unwrap();
    assert_eq!(
        second
            .changes
            .iter()
            .map(|c| c.text.as_str())
            .collect::<Vec<_>>(),
        Vec::<&str>::new()
    );
    assert_eq!(second.warnings, Vec::<String>::new());
}

#[test]
fn set_up_goes_on_without_a_target_that_cannot_be_reached() {
    let rig = Rig::pair();
    rig.power("b", false);
    let report = rig.call("setup", |d| d.setup()).unwrap();
    assert_eq!(report.warnings.len(), 1, "{:?}", report.warnings);
    rig.power("b", true);
    assert_eq!(
        rig.call("setup again", |d| d.setup()).unwrap().warnings,
        Vec::<String>::new()
    );
}

#[test]
fn a_create_whose_answer_was_lost_is_the_same_volume_when_tried_again() {
    let rig = Rig::pair();
    rig.call("setup", |d| d.setup()).unwrap();
    rig.fault(
        "a",
        r#"{"kind":"drop_after_acting","method":"POST","path":"volumes","count":1}"#,
    );
    let volume = replicated("11111111-1111-1111-1111-111111111111");
    let _lost = rig.call("create", |d| d.create(&volume, None));
    let placement = rig.call("create", |d| d.create(&volume, None)).unwrap();
    assert_eq!(
        placement.array_name,
        "volume-11111111-1111-1111-1111-111111111111-cinder"
    );
    assert!(placement.replication.is_some() && placement.serial.is_some());
}

#[test]
fn a_volume_that_cannot_be_protected_is_not_left_behind() {
    let rig = Rig::pair();
    // No set-up: the protection group does not exist.
    let volume = replicated("22222222-2222-2222-2222-222222222222");
    assert_eq!(
        code(rig.call("create", |d| d.create(&volume, None))),
        FailureCode::FailedPrecondition
    );
    assert!(
        !rig.state().to_string().contains("22222222"),
        "nothing of the volume is on the array"
    );
}

#[test]
fn a_server_error_is_never_taken_for_success() {
    let rig = Rig::pair();
    rig.call("setup", |d| d.setup()).unwrap();
    let volume = replicated("33333333-3333-3333-3333-333333333333");
    for (status, expected) in [
        (403, FailureCode::Denied),
        (429, FailureCode::Busy),
        (500, FailureCode::Unavailable),
        (503, FailureCode::Unavailable),
    ] {
        rig.fault("a", &format!(r#"{{"kind":"status","status":{status},"method":"POST","path":"volumes","count":1}}"#));
        assert_eq!(
            code(rig.call("create", |d| d.create(&volume, None))),
            expected,
            "status {status}"
        );
    }
    rig.call("create", |d| d.create(&volume, None)).unwrap();
}

#[test]
fn snapshots_clones_reverts_and_extensions_keep_the_bytes() {
    let rig = Rig::pair();
    rig.call("setup", |d| d.setup()).unwrap();
    let volume = written(&rig, "44444444-4444-4444-4444-444444444444", b"first");
    let name = volume.placement.as_ref().unwrap().array_name.clone();
    let taken = snapshot("5");
    rig.call("snapshot", |d| Ok(d.volumes().snapshot(&volume, &taken)?))
        .unwrap();
    rig.call("snapshot", |d| Ok(d.volumes().snapshot(&volume, &taken)?))
        .unwrap();
    rig.write("a", &name, b"later");

    let mut copy = replicated("66666666-6666-6666-6666-666666666666");
    copy.size = 2 * MIB;
    copy.placement = Some(
        rig.call("copy", |d| d.create(&copy, Some((&volume, Some(&taken)))))
            .unwrap(),
    );
    rig.call("connect", |d| {
        Ok(d.volumes().connect(&copy, &connector())?)
    })
    .unwrap();
    let copy_name = copy.placement.as_ref().unwrap().array_name.clone();
    assert_eq!(rig.read("a", &copy_name, 5), b"first");
    assert_eq!(
        rig.read("a", &copy_name, usize::try_from(2 * MIB).unwrap())
            .len(),
        usize::try_from(2 * MIB).unwrap()
    );

    rig.call("revert", |d| Ok(d.volumes().revert(&volume, &taken)?))
        .unwrap();
    assert_eq!(rig.read("a", &name, 5), b"first");

    rig.call("extend", |d| Ok(d.volumes().extend(&volume, 4 * MIB)?))
        .unwrap();
    rig.call("extend", |d| Ok(d.volumes().extend(&volume, 4 * MIB)?))
        .unwrap();
    assert_eq!(
        code(rig.call("shrink", |d| Ok(d.volumes().extend(&volume, MIB)?))),
        FailureCode::FailedPrecondition
    );

    rig.call("delete", |d| {
        Ok(d.volumes().delete_snapshot(&volume, &taken)?)
    })
    .unwrap();
    rig.call("delete", |d| {
        Ok(d.volumes().delete_snapshot(&volume, &taken)?)
    })
    .unwrap();
}

#[test]
fn a_connected_volume_is_deleted_with_its_connections_and_our_host_object() {
    let rig = Rig::pair();
    rig.call("setup", |d| d.setup()).unwrap();
    let volume = written(&rig, "77777777-7777-7777-7777-777777777777", b"x");
    let again = rig
        .call("connect", |d| {
            Ok(d.volumes().connect(&volume, &connector())?)
        })
        .unwrap();
    assert_eq!(
        again
            .paths
            .iter()
            .map(|p| p.lun)
            .collect::<std::collections::BTreeSet<_>>()
            .len(),
        1
    );
    assert!(again.wwn.unwrap().starts_with("3624a9370"));
    rig.call("delete", |d| Ok(d.volumes().delete(&volume)?))
        .unwrap();
    rig.call("delete", |d| Ok(d.volumes().delete(&volume)?))
        .unwrap();
    let context = rig.context("look");
    let arrays = flasharray::arrays::Arrays::new(&rig, &context);
    let hosts = arrays
        .primary()
        .unwrap()
        .list("/hosts", &flasharray::query::Query::new())
        .unwrap();
    assert_eq!(hosts, Vec::<serde_json::Value>::new());
}

#[test]
fn a_volume_that_exists_is_taken_over_and_given_back() {
    let rig = Rig::pair();
    rig.call("setup", |d| d.setup()).unwrap();
    let old = written(&rig, "88888888-8888-8888-8888-888888888888", b"kept");
    rig.call("disconnect", |d| {
        Ok(d.volumes().disconnect(&old, Some(&connector()), false)?)
    })
    .unwrap();
    rig.call("unmanage", |d| Ok(d.volumes().unmanage(&old)?))
        .unwrap();
    let name = format!("{}-unmanaged", old.placement.as_ref().unwrap().array_name);
    let reference = springform_sdk::interfaces::volumes::Reference {
        keys: vec![("source-name".to_owned(), name)],
    };
    assert_eq!(
        rig.call("inspect", |d| Ok(d.volumes().inspect(&reference)?))
            .unwrap(),
        MIB
    );
    let mut new = replicated("99999999-9999-9999-9999-999999999999");
    let adopted = rig
        .call("manage", |d| d.manage(&new, &reference, false))
        .unwrap();
    assert_eq!(adopted.size, MIB);
    let repeated = rig
        .call("manage", |d| d.manage(&new, &reference, false))
        .unwrap();
    assert_eq!(repeated.placement, adopted.placement);
    new.placement = Some(adopted.placement);
    rig.call("connect", |d| {
        Ok(d.volumes().connect(&new, &connector())?)
    })
    .unwrap();
    assert_eq!(
        rig.read("a", &new.placement.as_ref().unwrap().array_name, 4),
        b"kept"
    );
}

#[test]
fn a_machine_that_cannot_be_connected_leaves_no_host_object_and_one_with_volumes_stays() {
    let rig = Rig::pair();
    rig.set_up();
    let mut gone = replicated("v1");
    gone.placement = Some(rig.call("create", |d| d.create(&gone, None)).unwrap());
    rig.call("delete", |d| Ok(d.volumes().delete(&gone)?))
        .unwrap();
    let connect = || {
        let refused = rig.call("connect", |d| {
            Ok(d.volumes().connect(&gone, &connector())?)
        });
        assert_eq!(code(refused), FailureCode::FailedPrecondition);
        rig.get("a", "/hosts").as_array().map(Vec::len)
    };
    assert_eq!(connect(), Some(0));
    written(&rig, "v2", b"x");
    assert_eq!(connect(), Some(1));
}
