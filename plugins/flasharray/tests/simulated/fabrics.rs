//! Machines reach volumes over Fibre Channel and NVMe as Cinder's driver would have them do it.

use serde_json::{Value, json};
use springform_sdk::interfaces::connections::{Connection, Connector};
use springform_sdk::types::Volume;

use crate::rig::{Rig, connector, replicated, stretched};

const WWPNS: [&str; 2] = ["21000024ff000001", "21000024ff000002"];
const NQN: &str = "nqn.2014-08.org.nvmexpress:uuid:node1";

/// A machine with every kind of initiator.
fn machine() -> Connector {
    Connector {
        wwpns: WWPNS.map(str::to_owned).to_vec(),
        nqn: Some(NQN.to_owned()),
        system_uuid: Some("4c4c4544-0032-3410-8051-b4c04f4e4d31".to_owned()),
        ..connector()
    }
}

fn made(rig: &Rig, mut volume: Volume) -> Volume {
    volume.placement = Some(rig.call("create", |d| d.create(&volume, None)).unwrap());
    volume
}

fn connect(rig: &Rig, volume: &Volume, machine: &Connector) -> Connection {
    rig.call("connect", |d| Ok(d.volumes().connect(volume, machine)?))
        .unwrap()
}

fn disconnect(rig: &Rig, volume: &Volume, machine: &Connector) -> Option<Connection> {
    rig.call("disconnect", |d| {
        Ok(d.volumes().disconnect(volume, Some(machine), false)?)
    })
    .unwrap()
    .connection
}

fn hosts(rig: &Rig, array: &str) -> Value {
    rig.get(array, "/hosts")
}

/// WWNs of an array's Fibre Channel ports, as a fabric writes them.
fn wwns(rig: &Rig, array: &str) -> Vec<String> {
    let ports = rig.get(array, "/ports");
    let ports = ports.as_array().unwrap();
    let wwns = ports.iter().filter_map(|p| p["wwn"].as_str());
    wwns.map(|w| w.replace(':', "")).collect()
}

fn data(connection: &Connection, key: &str) -> Value {
    let found = connection.data.iter().find(|(k, _)| k == key).unwrap();
    serde_json::from_str(&found.1).unwrap()
}

#[test]
fn fibre_channel_leads_to_every_port_and_says_which_initiator_sees_which_target() {
    let rig = Rig::pair().option("pure_storage_protocol", "fc");
    rig.set_up();
    let volume = made(&rig, replicated("v1"));
    let connection = connect(&rig, &volume, &machine());

    assert_eq!(connection.driver_volume_type, "fibre_channel");
    let ports: Vec<_> = connection.paths.iter().map(|p| p.port.clone()).collect();
    assert_eq!(ports, wwns(&rig, "a"));
    assert!(
        connection
            .paths
            .iter()
            .all(|p| p.lun >= 1 && p.portal.is_none())
    );
    let map = data(&connection, "initiator_target_map");
    assert_eq!(map, json!({ (WWPNS[0]): ports, (WWPNS[1]): ports }));
    assert_eq!(data(&connection, "target_discovered"), json!(true));
    assert!(connection.wwn.unwrap().starts_with("3624a9370"));
    let host = &hosts(&rig, "a")[0];
    let name = host["name"].as_str().unwrap();
    assert!(flasharray::names::is_host_of(name, "node1"), "{name}");
    assert_eq!(
        host["wwns"],
        json!(["21:00:00:24:FF:00:00:01", "21:00:00:24:FF:00:00:02"])
    );
}

#[test]
fn a_host_that_somebody_made_is_found_by_any_of_its_wwns_and_stays() {
    let rig = Rig::pair().option("pure_storage_protocol", "fc");
    rig.set_up();
    rig.post(
        "a",
        "/hosts?names=esx-07",
        r#"{"wwns":["21:00:00:24:FF:00:00:02"]}"#,
    );
    let volume = made(&rig, replicated("v1"));
    let first = connect(&rig, &volume, &machine());
    assert_eq!(connect(&rig, &volume, &machine()).paths, first.paths);
    assert_eq!(hosts(&rig, "a").as_array().unwrap().len(), 1);

    disconnect(&rig, &volume, &machine());
    assert_eq!(hosts(&rig, "a")[0]["name"], "esx-07");
}

#[test]
fn the_last_volume_of_a_machine_tells_the_fabric_which_zones_may_go() {
    let rig = Rig::pair().option("pure_storage_protocol", "fc");
    rig.set_up();
    let (one, two) = (made(&rig, replicated("v1")), made(&rig, replicated("v2")));
    connect(&rig, &one, &machine());
    connect(&rig, &two, &machine());

    assert_eq!(disconnect(&rig, &one, &machine()), None);
    let left = disconnect(&rig, &two, &machine()).unwrap();
    let map = data(&left, "initiator_target_map");
    assert_eq!(map[WWPNS[0]], json!(wwns(&rig, "a")));
    assert_eq!(hosts(&rig, "a"), json!([]));
}

#[test]
fn a_stretched_volume_is_reached_through_the_ports_of_both_arrays() {
    let rig = Rig::uniform().option("pure_storage_protocol", "fc");
    rig.set_up();
    let volume = made(&rig, stretched("v1"));
    let connection = connect(&rig, &volume, &machine());
    let both = [wwns(&rig, "a"), wwns(&rig, "b")].concat();
    assert_eq!(
        data(&connection, "initiator_target_map")[WWPNS[0]],
        json!(both)
    );
    disconnect(&rig, &volume, &machine());
    for array in ["a", "b"] {
        assert_eq!(hosts(&rig, array), json!([]), "{array}");
    }
}

#[test]
fn nvme_leads_to_the_portals_of_its_transport_only() {
    for (transport, word, eth) in [("roce", "rdma", 12), ("tcp", "tcp", 8)] {
        let rig = Rig::pair()
            .option("pure_storage_protocol", "nvme")
            .option("pure_nvme_transport", transport);
        rig.set_up();
        let volume = made(&rig, replicated("v1"));
        let serial = volume.placement.as_ref().unwrap().serial.clone().unwrap();
        let connection = connect(&rig, &volume, &machine());

        assert_eq!(connection.driver_volume_type, "nvmeof");
        assert_eq!(connection.transport.as_deref(), Some(word));
        assert_eq!(connection.paths.len(), 2);
        for path in &connection.paths {
            let portal = path.portal.as_deref().unwrap();
            assert!(portal.ends_with(&format!(".{eth}:4420")), "{portal}");
            assert!(path.port.starts_with("nqn.") && path.lun >= 1);
        }
        let serial = serial.to_lowercase();
        let nguid = format!("00{}24a937{}", &serial[..14], &serial[serial.len() - 10..]);
        assert_eq!(connection.nguid, Some(nguid));
        assert_eq!(connection.wwn, None);
        assert_eq!(hosts(&rig, "a")[0]["nqns"], json!([NQN]));
        disconnect(&rig, &volume, &machine());
        assert_eq!(hosts(&rig, "a"), json!([]));
    }
}

#[test]
fn only_nvme_portals_of_the_configured_networks_are_used() {
    let rig = Rig::pair()
        .option("pure_storage_protocol", "nvme")
        .option("pure_nvme_cidr", "10.0.0.0/8")
        .option("pure_nvme_cidr_list", "192.168.0.0/16");
    rig.set_up();
    let volume = made(&rig, replicated("v1"));
    let refused = rig
        .call("connect", |d| {
            Ok(d.volumes().connect(&volume, &machine())?)
        })
        .unwrap_err();
    assert!(
        format!("{refused:?}").contains("pure_nvme_cidr"),
        "{refused:?}"
    );
}

#[test]
fn a_machine_without_the_right_initiator_is_told_what_it_lacks() {
    for (protocol, lack) in [
        ("fc", "WWPN"),
        ("nvme", "/etc/nvme/hostnqn"),
        ("iscsi", "iSCSI initiator"),
    ] {
        let rig = Rig::pair().option("pure_storage_protocol", protocol);
        rig.set_up();
        let volume = made(&rig, replicated("v1"));
        let bare = Connector {
            initiator: None,
            ..connector()
        };
        let refused = rig
            .call("connect", |d| Ok(d.volumes().connect(&volume, &bare)?))
            .unwrap_err();
        assert!(format!("{refused:?}").contains(lack), "{refused:?}");
    }
}

#[test]
fn a_new_host_gets_the_configured_personality_and_the_chap_secret_of_its_machine() {
    let rig = Rig::pair().option("pure_host_personality", "esxi");
    rig.set_up();
    let volume = made(&rig, replicated("v1"));
    let chap = springform_sdk::interfaces::connections::Chap {
        user: "node1".to_owned(),
        password: "sixteen-letters!".to_owned(),
    };
    let secretive = Connector {
        chap: Some(chap.clone()),
        ..machine()
    };
    let connection = connect(&rig, &volume, &secretive);
    assert_eq!(connection.chap, Some(chap));
    let host = &hosts(&rig, "a")[0];
    assert_eq!(host["personality"], "esxi");
    assert_eq!(host["chap"]["host_user"], "node1");
}
