//! One machine, one host object: whose initiators an object holds decides whether a machine may use it.

use std::cell::RefCell;

use flasharray::driver::Driver;
use serde_json::{Value, json};
use springform_sdk::http::{Http, HttpError, Method, Request, Response};
use springform_sdk::interfaces::connections::{Chap, Connection, Connector};
use springform_sdk::types::{Error, Volume};

use crate::rig::{IQN, Rig, connector, replicated};

const UUID: &str = "4C4C4544-0032-3410-8051-B4C04F4E4D31";
const OTHER: &str = "iqn.2026-11.example:node2";
const NQN: &str = "nqn.2014-08.org.nvmexpress:uuid:node2";

fn made(rig: &Rig, id: &str) -> Volume {
    let mut volume = replicated(id);
    volume.placement = Some(rig.call("create", |d| d.create(&volume, None)).unwrap());
    volume
}

fn connect(rig: &Rig, volume: &Volume, machine: &Connector) -> Result<Connection, Error> {
    rig.call("connect", |d| Ok(d.volumes().connect(volume, machine)?))
}

fn disconnect(rig: &Rig, volume: &Volume, machine: &Connector) {
    rig.call("disconnect", |d| {
        Ok(d.volumes().disconnect(volume, Some(machine), false)?)
    })
    .unwrap();
}

/// Names of the host objects, with what they hold.
fn hosts(rig: &Rig) -> Vec<(String, Value)> {
    let found = rig.get("a", "/hosts");
    let mut found: Vec<_> = found.as_array().unwrap().clone();
    found.sort_by_key(|host| host["name"].to_string());
    let held = |host: &Value| json!([host["iqns"], host["wwns"], host["nqns"]]);
    let pair = |host: &Value| (host["name"].as_str().unwrap().to_owned(), held(host));
    found.iter().map(pair).collect()
}

/// Names of the host objects that a volume is connected to.
fn reached_by(rig: &Rig, volume: &Volume) -> Vec<String> {
    let name = &volume.placement.as_ref().unwrap().array_name;
    let found = rig.get("a", &format!("/connections?volume_names={name}"));
    let host = |c: &Value| c["host"]["name"].as_str().unwrap().to_owned();
    found.as_array().unwrap().iter().map(host).collect()
}

fn machine(host: &str, initiator: &str) -> Connector {
    Connector {
        host: host.to_owned(),
        initiator: Some(initiator.to_owned()),
        system_uuid: Some(UUID.to_owned()),
        ..connector()
    }
}

/// What a refusal says.
fn words(refused: Result<Connection, Error>) -> String {
    format!("{:?}", refused.unwrap_err())
}

#[test]
fn machines_of_one_dmi_uuid_and_names_that_begin_alike_have_a_host_object_each() {
    let long = "compute-of-the-second-row-";
    for (one, two) in [
        (format!("{long}1"), format!("{long}2")),
        // Cloned from one image they may be called the same.
        ("localhost".to_owned(), "localhost".to_owned()),
    ] {
        let rig = Rig::pair();
        rig.set_up();
        let (one, two) = (machine(&one, IQN), machine(&two, OTHER));
        let (hers, his) = (made(&rig, "v1"), made(&rig, "v2"));
        connect(&rig, &hers, &one).unwrap();
        connect(&rig, &his, &two).unwrap();
        let found = hosts(&rig);
        assert_eq!(found.len(), 2, "{found:?}");
        let holders = |iqn: &str| {
            found
                .iter()
                .filter(|(_, held)| held[0] == json!([iqn]))
                .count()
        };
        assert_eq!((holders(IQN), holders(OTHER)), (1, 1), "{found:?}");
        assert_ne!(reached_by(&rig, &hers), reached_by(&rig, &his));
        // Again it is the same one, and each takes its own away.
        connect(&rig, &hers, &one).unwrap();
        assert_eq!(hosts(&rig), found);
        disconnect(&rig, &hers, &one);
        assert_eq!(hosts(&rig).len(), 1);
        assert_eq!(reached_by(&rig, &his).len(), 1);
    }
}

#[test]
fn a_host_object_with_another_machines_initiators_is_refused_whoever_made_it() {
    let ours = "node1-4c4c4544003234108051b4c04f4e4d31-cinder";
    for name in ["esx-07", ours] {
        let rig = Rig::pair();
        rig.set_up();
        let body = json!({"iqns": [IQN, OTHER]}).to_string();
        rig.post("a", &format!("/hosts?names={name}"), &body);
        let volume = made(&rig, "v1");
        let said = words(connect(&rig, &volume, &machine("node1", IQN)));
        for part in [name, IQN, OTHER, "machine node1", "host object of its own"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(reached_by(&rig, &volume).is_empty());
        assert_eq!(
            hosts(&rig),
            [(name.to_owned(), json!([[IQN, OTHER], [], []]))]
        );
    }
}

#[test]
fn a_host_object_that_holds_the_machine_alone_is_used_and_left_to_who_made_it() {
    let rig = Rig::pair();
    rig.set_up();
    rig.post(
        "a",
        "/hosts?names=esx-07",
        &json!({"iqns": [IQN]}).to_string(),
    );
    let volume = made(&rig, "v1");
    connect(&rig, &volume, &machine("node1", IQN)).unwrap();
    assert_eq!(reached_by(&rig, &volume), ["esx-07"]);
    disconnect(&rig, &volume, &machine("node1", IQN));
    assert_eq!(hosts(&rig), [("esx-07".to_owned(), json!([[IQN], [], []]))]);
}

#[test]
fn the_initiators_of_every_protocol_count() {
    let with_port = Connector {
        wwpns: vec!["21000024ff000001".to_owned()],
        ..machine("node1", IQN)
    };
    let with_nqn = Connector {
        nqn: Some(NQN.to_ascii_uppercase()),
        ..machine("node1", IQN)
    };
    for (list, held, whose) in [
        ("wwns", "21:00:00:24:FF:00:00:01", with_port),
        ("nqns", NQN, with_nqn),
    ] {
        let rig = Rig::pair();
        rig.set_up();
        let body = json!({"iqns": [IQN], list: [held]}).to_string();
        rig.post("a", "/hosts?names=esx-07", &body);
        let volume = made(&rig, "v1");
        let said = words(connect(&rig, &volume, &machine("node1", IQN)));
        assert!(said.contains(held), "{said}");
        connect(&rig, &volume, &whose).unwrap();
    }
}

#[test]
fn a_machine_with_an_offline_port_goes_on_with_its_own_host_object() {
    let ports = ["21000024ff000001", "21000024ff000002"].map(str::to_owned);
    let whole = Connector {
        wwpns: ports.to_vec(),
        ..machine("node1", IQN)
    };
    let half = Connector {
        wwpns: ports[..1].to_vec(),
        ..whole.clone()
    };
    let rig = Rig::pair().option("pure_storage_protocol", "fc");
    rig.set_up();
    let (one, two) = (made(&rig, "v1"), made(&rig, "v2"));
    connect(&rig, &one, &whole).unwrap();
    connect(&rig, &two, &half).unwrap();
    assert_eq!(hosts(&rig).len(), 1);
    // What another machine holds beside, or an administrator, is a stranger's all the same.
    let (own, other) = ("21:00:00:24:FF:00:00:01", "21:00:00:24:FF:00:00:02");
    let ours = "node1-0123456789abcdef0123456789abcdef-cinder";
    let by_uuid = "node1-4c4c4544003234108051b4c04f4e4d31-cinder";
    for (name, body, stranger) in [
        ("esx-07", json!({"wwns": [own, other]}), other),
        // Once given to every machine of this DMI UUID.
        (by_uuid, json!({"wwns": [own, other]}), other),
        // No port that is offline.
        (ours, json!({"wwns": [own], "iqns": [OTHER]}), OTHER),
        (ours, json!({"wwns": [own], "nqns": [NQN]}), NQN),
    ] {
        let rig = Rig::pair().option("pure_storage_protocol", "fc");
        rig.set_up();
        rig.post("a", &format!("/hosts?names={name}"), &body.to_string());
        let volume = made(&rig, "v1");
        let said = words(connect(&rig, &volume, &half));
        assert!(said.contains(stranger), "{name}: {said}");
        assert!(reached_by(&rig, &volume).is_empty(), "{name}");
    }
}

#[test]
fn a_machine_does_not_smuggle_its_port_into_the_host_object_of_another() {
    let rig = Rig::pair().option("pure_storage_protocol", "fc");
    rig.set_up();
    let port = |n: u8| format!("21000024ff00000{n}");
    let victim = Connector {
        wwpns: vec![port(1)],
        ..machine("node1", IQN)
    };
    let thief = Connector {
        wwpns: vec![port(1), port(9)],
        ..machine("node1", IQN)
    };
    let (hers, his) = (made(&rig, "v1"), made(&rig, "v2"));
    connect(&rig, &hers, &victim).unwrap();
    let before = hosts(&rig);
    connect(&rig, &his, &thief).unwrap();
    assert_eq!(hosts(&rig), before);
}

#[test]
fn the_chap_secret_of_an_object_that_somebody_else_made_stays() {
    let secretive = |initiator: &str| Connector {
        chap: Some(Chap {
            user: "springform-1".to_owned(),
            password: "sixteen-letters!".to_owned(),
        }),
        ..machine("node1", initiator)
    };
    let rig = Rig::pair();
    rig.set_up();
    let body = json!({"iqns": [IQN], "chap": {"host_user": "operator", "host_password": "twelve-letters"}});
    rig.post("a", "/hosts?names=esx-07", &body.to_string());
    let volume = made(&rig, "v1");
    let before = rig.get("a", "/hosts?names=esx-07");
    let said = words(connect(&rig, &volume, &secretive(IQN)));
    for part in ["esx-07", "made by somebody else", "use_chap_auth", IQN] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(rig.get("a", "/hosts?names=esx-07"), before);
    assert!(reached_by(&rig, &volume).is_empty());
    // One that Cinder's driver made is taken over with its secret, as everything of Cinder's is.
    let name = "node2-0123456789abcdef0123456789abcdef-cinder";
    let body = json!({"iqns": [OTHER]}).to_string();
    rig.post("a", &format!("/hosts?names={name}"), &body);
    connect(&rig, &volume, &secretive(OTHER)).unwrap();
    assert_eq!(reached_by(&rig, &volume), [name]);
}

/// The rig, with somebody who does something to host objects just before the driver uses them.
struct Meddler<'a> {
    rig: &'a Rig,
    /// Requests before which it is done: method and start of the path.
    before: RefCell<Vec<(Method, &'static str)>>,
    /// What.
    does: &'a dyn Fn(&Rig),
}

/// Takes every host object away.
fn takes_away(rig: &Rig) {
    for (name, _) in hosts(rig) {
        let gone = rig.send(Request {
            target: "a".to_owned(),
            method: Method::Delete,
            path: format!("/api/2.26/hosts?names={name}"),
            body: None,
        });
        gone.unwrap();
    }
}

impl Http for Meddler<'_> {
    fn send(&self, request: Request) -> Result<Response, HttpError> {
        let due = |(method, path): &(Method, &str)| {
            *method == request.method && request.path.contains(path)
        };
        let at = self.before.borrow().iter().position(due);
        if let Some(at) = at {
            self.before.borrow_mut().remove(at);
            (self.does)(self.rig);
        }
        self.rig.send(request)
    }

    fn send_all(&self, requests: Vec<Request>) -> Vec<Result<Response, HttpError>> {
        requests
            .into_iter()
            .map(|request| self.send(request))
            .collect()
    }
}

#[test]
fn a_last_detachment_beside_an_attachment_does_not_take_the_host_object_away_under_it() {
    let connecting = (Method::Post, "/connections?");
    let changing = (Method::Patch, "/hosts?");
    for before in [
        vec![connecting],
        vec![changing],
        vec![changing, connecting, connecting, changing],
    ] {
        let rig = Rig::pair().option("pure_host_personality", "esxi");
        rig.set_up();
        let volume = made(&rig, "v1");
        let meddler = Meddler {
            rig: &rig,
            before: RefCell::new(before),
            does: &takes_away,
        };
        let context = rig.context("connect");
        let driver = Driver::new(rig.kind, &meddler, &context);
        driver
            .volumes()
            .connect(&volume, &machine("node1", IQN))
            .unwrap();
        assert!(meddler.before.borrow().is_empty());
        assert_eq!(reached_by(&rig, &volume).len(), 1);
        assert_eq!(rig.get("a", "/hosts")[0]["personality"], "esxi");
    }
}

#[test]
fn a_host_object_that_came_a_moment_earlier_is_used_only_if_it_holds_the_machine_alone() {
    for (iqns, is_used) in [(json!([IQN]), true), (json!([IQN, OTHER]), false)] {
        let rig = Rig::pair();
        rig.set_up();
        let volume = made(&rig, "v1");
        let body = json!({ "iqns": iqns }).to_string();
        let meddler = Meddler {
            rig: &rig,
            before: RefCell::new(vec![(Method::Post, "/hosts?")]),
            does: &|rig| {
                rig.post("a", "/hosts?names=esx-07", &body);
            },
        };
        let context = rig.context("connect");
        let driver = Driver::new(rig.kind, &meddler, &context);
        let connected = driver.volumes().connect(&volume, &machine("node1", IQN));
        assert!(meddler.before.borrow().is_empty());
        let said = format!("{connected:?}");
        assert_eq!(connected.is_ok(), is_used, "{said}");
        assert_eq!(said.contains(OTHER), !is_used, "{said}");
        assert_eq!(reached_by(&rig, &volume).is_empty(), !is_used);
        assert_eq!(hosts(&rig).len(), 1);
    }
}

#[test]
fn a_volume_that_is_not_there_leaves_no_host_object_behind() {
    let rig = Rig::pair();
    rig.set_up();
    let volume = made(&rig, "v1");
    rig.call("delete", |d| Ok(d.volumes().delete(&volume)?))
        .unwrap();
    connect(&rig, &volume, &machine("node1", IQN)).unwrap_err();
    assert_eq!(hosts(&rig), []);
}
