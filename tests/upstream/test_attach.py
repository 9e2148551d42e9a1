"""Attach and detach over every protocol, and that only a connected host reaches the bytes."""

import pytest

import harness
from simulator import ControlError

SCHEMA = {"iscsi": "iscsi", "fc": "fibre_channel", "nvme-tcp": "nvmeof", "nvme-roce": "nvmeof"}


def wwn(serial):
    return "3624a9370" + serial.lower()


def nguid(serial):
    serial = serial.lower()
    return "00" + serial[:14] + "24a937" + serial[-10:]


def ports(eyes):
    return [p for p in eyes.client.get_ports().items]


def check(protocol, data, arrays, serial):
    """The connection information against the arrays' own ports."""
    if protocol == "iscsi":
        known = {(p.iqn, p.portal) for a in arrays for p in ports(a) if getattr(p, "iqn", None)}
        given = set(zip(data["target_iqns"], data["target_portals"]))
        assert given and given <= known
        assert {iqn for iqn, _ in given} == {iqn for iqn, _ in known}
        assert all(lun >= 1 for lun in data["target_luns"])
        assert data["wwn"] == wwn(serial)
    elif protocol == "fc":
        known = {p.wwn.replace(":", "") for a in arrays for p in ports(a)
                 if getattr(p, "wwn", None)}
        assert set(data["target_wwns"]) == known
        initiators = harness.connector()["wwpns"]
        assert set(data["initiator_target_map"]) == set(initiators)
        assert data["wwn"] == wwn(serial)
    else:
        transport = "tcp" if protocol == "nvme-tcp" else "rdma"
        known = {p.portal.rsplit(":", 1)[0] for a in arrays for p in ports(a)
                 if getattr(p, "nqn", None) and getattr(p, "portal", None)}
        given = {address for address, port, word in data["portals"]
                 if (port, word) == (4420, transport)}
        assert given and given <= known
        assert data["volume_nguid"] == nguid(serial)
        assert data["target_nqn"] in {getattr(p, "nqn", None) for a in arrays for p in ports(a)}


def test_attach_gives_every_path_and_detach_takes_the_host_away(site, backend, protocol):
    volume = backend.create(1, backend.type(site.kind))
    name, host = volume.provider_id, harness.host_name()
    sides = [site["a"]] if site.kind == "async" else [site["a"], site["b"]]

    info = backend.attach(volume)
    assert info["driver_volume_type"] == SCHEMA[protocol]
    check(protocol, info["data"], sides, site["a"].volume(name).serial)
    for eyes in sides:
        assert set(eyes.connections(name)) == {(host, name)}
        found = eyes.hosts()[host]
        own = harness.connector()
        if protocol == "iscsi":
            assert found.iqns == [own["initiator"]]
        elif protocol == "fc":
            assert [w.replace(":", "").lower() for w in found.wwns] == own["wwpns"]
        else:
            assert found.nqns == [own["nqn"]]
    tags = site["a"].tags(name)
    assert tags["ProjectId"] == volume.project_id

    for eyes in sides:
        site.sim.write(eyes.array, host, name, 0, b"from " + eyes.array.encode())
    last = sides[-1].array.encode()
    assert site.sim.read("a", host, name, 0, 6) == b"from " + last

    backend.detach(volume)
    # Over Fibre Channel the driver forgets the second array; see test_upstream_bugs.py.
    for eyes in sides[:1] if protocol == "fc" else sides:
        assert eyes.connections() == {}
        assert eyes.hosts() == {}
    with pytest.raises(ControlError):
        site.sim.read("a", host, name, 0, 6)


def test_two_hosts_and_two_volumes_keep_their_own_connections(site, backend):
    one = backend.create(1, backend.type(site.kind))
    two = backend.create(1, backend.type(site.kind))
    backend.attach(one, "compute1")
    backend.attach(two, "compute1")
    backend.attach(one, "compute2")
    first, second = harness.host_name("compute1"), harness.host_name("compute2")
    both = {(first, one.provider_id), (first, two.provider_id), (second, one.provider_id)}
    assert set(site["a"].connections()) == both

    backend.detach(one, "compute1")
    assert set(site["a"].connections()) == both - {(first, one.provider_id)}
    assert first in site["a"].hosts()
    backend.detach(two, "compute1")
    assert set(site["a"].hosts()) == {second}


def test_attaching_twice_finds_the_existing_connection(site, backend, protocol):
    volume = backend.create(1, backend.type(site.kind))
    once = backend.attach(volume)
    again = backend.attach(volume)
    assert again["data"] == once["data"]
    assert len(site["a"].connections(volume.provider_id)) == 1
    backend.detach(volume)
    assert len(site["a"].connections(volume.provider_id)) == 1, \
        "the volume still has an attachment on that host"
    backend.detach(volume)
    assert site["a"].connections() == {}


def test_deleting_an_attached_volume_disconnects_it_first(site, backend):
    volume = backend.create(1, backend.type("none"))
    backend.attach(volume)
    backend.delete(volume)
    assert site["a"].connections() == {}
    assert site["a"].hosts() == {}
    assert volume.provider_id in site["a"].destroyed()


def test_a_chap_secret_is_made_once_and_given_to_the_host(make_site):
    site = make_site("async")
    backend = site.backend("iscsi", use_chap_auth=True)
    one, two = backend.create(1), backend.create(1)
    first = backend.attach(one)["data"]
    second = backend.attach(two)["data"]
    assert first["auth_method"] == "CHAP"
    assert first["auth_username"] == "compute1"
    assert len(first["auth_password"]) >= 12
    assert second["auth_password"] == first["auth_password"]
    chap = site["a"].hosts()[harness.host_name()].chap
    assert chap.host_user == "compute1"
    assert getattr(chap, "host_password", None) != first["auth_password"], \
        "an array does not tell the secret"


def test_a_host_personality_is_set_on_hosts_that_the_driver_makes(make_site):
    site = make_site("async")
    backend = site.backend("iscsi", pure_host_personality="esxi")
    backend.attach(backend.create(1))
    assert site["a"].hosts()[harness.host_name()].personality == "esxi"


def test_a_host_made_by_hand_is_used_and_left_alone(make_site):
    from pypureclient import flasharray
    site = make_site("async")
    backend = site.backend("iscsi")
    site["a"].client.post_hosts(names=["by-hand"], host=flasharray.HostPost(
        iqns=[harness.connector()["initiator"]]))
    volume = backend.create(1)
    backend.attach(volume)
    assert set(site["a"].connections()) == {("by-hand", volume.provider_id)}
    backend.detach(volume)
    assert set(site["a"].hosts()) == {"by-hand"}


def test_portals_outside_the_configured_networks_are_left_out(make_site):
    site = make_site("async")
    everything = [p for p in ports(site["a"]) if getattr(p, "iqn", None)]
    only = everything[0].portal.rsplit(":", 1)[0]
    backend = site.backend("iscsi", pure_iscsi_cidr=only + "/32")
    data = backend.attach(backend.create(1))["data"]
    assert set(data["target_portals"]) == {
        p.portal for p in everything if p.portal.rsplit(":", 1)[0] == only}
    assert len(data["target_portals"]) < len(everything)
