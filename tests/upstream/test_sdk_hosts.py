"""The official SDK on hosts, host groups, connections, ports and the array itself."""

import pytest
from pypureclient import flasharray as fa

from eyes import Eyes, ok
from test_sdk_volumes import GIB, refused


@pytest.fixture
def a(make_sim):
    eyes = Eyes(make_sim(("a",)), "a")
    for name in ("v1", "v2"):
        ok(eyes.client.post_volumes(names=[name], volume=fa.VolumePost(provisioned=GIB)))
    return eyes


def test_hosts_own_their_initiators(a):
    iqn = "iqn.2020-01.test:one"
    made = ok(a.client.post_hosts(names=["h1"], host=fa.HostPost(iqns=[iqn])))[0]
    assert (made.name, made.iqns, made.is_local) == ("h1", [iqn], True)
    refused(a.client.post_hosts(names=["h1"], host=fa.HostPost()), "already exists")
    refused(a.client.post_hosts(names=["h2"], host=fa.HostPost(iqns=[iqn])), "already in use")
    assert [h.name for h in ok(a.client.get_hosts(
        filter="iqns='%s' and is_local" % iqn))] == ["h1"]
    assert ok(a.client.get_hosts(filter="iqns='%s' and not is_local" % iqn)) == []
    ok(a.client.patch_hosts(names=["h1"], host=fa.HostPatch(name="h3", personality="esxi")))
    found = ok(a.client.get_hosts(names=["h3"]))[0]
    assert (found.personality, found.iqns) == ("esxi", [iqn])
    assert a.client.delete_hosts(names=["h3"]).status_code == 200
    refused(a.client.get_hosts(names=["h3"]), "does not exist")


def test_world_wide_names_are_found_however_they_are_written(a):
    ok(a.client.post_hosts(names=["fc"], host=fa.HostPost(wwns=["10000000c9abcdef"])))
    for text in ("10000000C9ABCDEF", "10:00:00:00:C9:AB:CD:EF"):
        assert [h.name for h in ok(a.client.get_hosts(filter="wwns='%s'" % text))] == ["fc"]


def test_connections_number_their_luns_and_protect_their_host(a):
    ok(a.client.post_hosts(names=["h"], host=fa.HostPost(iqns=["iqn.2020-01.test:h"])))
    first = ok(a.client.post_connections(host_names=["h"], volume_names=["v1"]))[0]
    second = ok(a.client.post_connections(host_names=["h"], volume_names=["v2"]))[0]
    assert {first.lun, second.lun} == {1, 2}
    assert (first.host.name, first.volume.name) == ("h", "v1")
    refused(a.client.post_connections(host_names=["h"], volume_names=["v1"]), "already exists")
    refused(a.client.post_connections(host_names=["nope"], volume_names=["v1"]),
            "does not exist")
    refused(a.client.delete_hosts(names=["h"]), "existing connections")
    assert a.volume("v1").connection_count == 1
    assert set(a.connections("v2")) == {("h", "v2")}
    assert a.client.delete_connections(host_names=["h"], volume_names=["v1"]).status_code == 200
    refused(a.client.delete_connections(host_names=["h"], volume_names=["v1"]), "does not exist")
    assert a.volume("v1").connection_count == 0


def test_nvme_hosts_get_namespaces(a):
    ok(a.client.post_hosts(names=["n"], host=fa.HostPost(
        nqns=["nqn.2014-08.org.nvmexpress:uuid:00000000-0000-0000-0000-000000000001"])))
    made = ok(a.client.post_connections(host_names=["n"], volume_names=["v1"]))[0]
    assert made.nsid >= 1


def test_host_groups_share_their_connections(a):
    for host in ("h1", "h2"):
        ok(a.client.post_hosts(names=[host], host=fa.HostPost(
            iqns=["iqn.2020-01.test:" + host])))
    ok(a.client.post_host_groups(names=["hg"], host_group=fa.HostGroupPost()))
    ok(a.client.post_host_groups_hosts(group_names=["hg"], member_names=["h1", "h2"]))
    assert ok(a.client.get_host_groups(names=["hg"]))[0].host_count == 2
    ok(a.client.post_connections(host_group_names=["hg"], volume_names=["v1"]))
    found = {c.host.name for c in ok(a.client.get_connections(volume_names=["v1"]))}
    assert found == {"h1", "h2"}
    assert a.client.delete_connections(
        host_group_names=["hg"], volume_names=["v1"]).status_code == 200
    assert a.client.delete_host_groups_hosts(
        group_names=["hg"], member_names=["h1", "h2"]).status_code == 200
    assert a.client.delete_host_groups(names=["hg"]).status_code == 200


def test_the_array_tells_its_name_space_and_speed(a):
    array = ok(a.client.get_arrays())[0]
    assert array.name == "a" and array.id and array.version
    space = ok(a.client.get_arrays_space())[0]
    assert space.capacity > 0
    assert space.space.total_provisioned == 2 * GIB
    speed = a.client.get_arrays_performance(total_item_count=True)
    assert speed.total_item_count >= 1
    assert ok(speed)[0].reads_per_sec is not None
    assert {c.name for c in ok(a.client.get_controllers(filter="status='ready'"))} \
        == {"CT0", "CT1"}


def test_ports_and_interfaces_cover_every_protocol(a):
    ports = ok(a.client.get_ports())
    assert [p for p in ports if getattr(p, "iqn", None) and p.portal]
    assert [p for p in ports if getattr(p, "wwn", None)]
    assert [p for p in ports if getattr(p, "nqn", None)]
    own = ok(a.client.get_ports(filter="name='CT0.*'"))
    assert own and all(p.name.startswith("CT0.") for p in own)
    services = {s for i in ok(a.client.get_network_interfaces()) for s in i.services}
    assert {"iscsi", "nvme-tcp", "nvme-roce"} <= services


def test_offload_targets_are_connected_and_forgotten(a):
    ok(a.client.post_offloads(names=["vault"], offload=fa.OffloadPost(nfs=fa.OffloadNfs(
        address="127.0.0.1", mount_point="/vault"))))
    assert [(o.name, o.protocol) for o in ok(a.client.get_offloads())] == [("vault", "nfs")]
    assert a.client.delete_offloads(names=["vault"]).status_code == 200
    assert ok(a.client.get_offloads()) == []
