"""The official SDK on what the drivers seldom ask: reports, reverse listings, remote objects."""

import pytest
from pypureclient import flasharray as fa

from eyes import Eyes, ok
from test_sdk_replication import make_volume, replicated_group
from test_sdk_volumes import GIB, refused


@pytest.fixture
def sim(make_sim):
    return make_sim(("a", "b", "c"), ("a:b:sync", "a:c:async"))


@pytest.fixture
def a(sim):
    return Eyes(sim, "a")


@pytest.fixture
def c(sim):
    return Eyes(sim, "c")


def test_space_and_performance_are_told_for_everything(a):
    make_volume(a, "v")
    a.write("v", b"x" * 4096)
    ok(a.client.post_hosts(names=["h"], host=fa.HostPost(iqns=["iqn.2020-01.test:h"])))
    ok(a.client.post_connections(host_names=["h"], volume_names=["v"]))
    ok(a.client.post_volume_groups(names=["vg"], volume_group=fa.VolumeGroupPost()))
    ok(a.client.post_pods(names=["pod"], pod=fa.PodPost()))
    ok(a.client.post_protection_groups(names=["pg"]))
    assert ok(a.client.get_volumes_space(names=["v"]))[0].space.unique >= 4096
    assert ok(a.client.get_volumes_performance(names=["v"]))[0].name == "v"
    assert ok(a.client.get_hosts_space(names=["h"]))[0].space.total_provisioned == GIB
    assert ok(a.client.get_hosts_performance(names=["h"]))[0].name == "h"
    assert ok(a.client.get_volume_groups_space(names=["vg"]))[0].name == "vg"
    assert ok(a.client.get_pods_space(names=["pod"]))[0].name == "pod"
    assert ok(a.client.get_pods_performance(names=["pod"]))[0].name == "pod"
    assert ok(a.client.get_protection_groups_space(names=["pg"]))[0].name == "pg"


def test_membership_can_be_read_from_both_ends(a):
    make_volume(a, "v")
    ok(a.client.post_protection_groups(names=["pg"]))
    ok(a.client.post_volumes_protection_groups(member_names=["v"], group_names=["pg"]))
    assert a.members("pg") == {"v"}
    found = ok(a.client.get_volumes_protection_groups(member_names=["v"]))
    assert [(x.member.name, x.group.name) for x in found] == [("v", "pg")]
    assert a.client.delete_volumes_protection_groups(
        member_names=["v"], group_names=["pg"]).status_code == 200
    assert a.members("pg") == set()

    ok(a.client.post_volume_groups(names=["vg"], volume_group=fa.VolumeGroupPost()))
    make_volume(a, "vg/w")
    for found in (ok(a.client.get_volume_groups_volumes(group_names=["vg"])),
                  ok(a.client.get_volumes_volume_groups(member_names=["vg/w"]))):
        assert [(x.member.name, x.group.name) for x in found] == [("vg/w", "vg")]


def test_hosts_and_host_groups_can_be_protected(a):
    ok(a.client.post_hosts(names=["h"], host=fa.HostPost(iqns=["iqn.2020-01.test:h"])))
    ok(a.client.post_host_groups(names=["hg"], host_group=fa.HostGroupPost()))
    ok(a.client.post_hosts_host_groups(member_names=["h"], group_names=["hg"]))
    found = ok(a.client.get_hosts_host_groups(member_names=["h"]))
    assert [(x.member.name, x.group.name) for x in found] == [("h", "hg")]
    ok(a.client.post_protection_groups(names=["of hosts".replace(" ", "-")]))
    ok(a.client.post_protection_groups(names=["of-groups"]))
    ok(a.client.post_protection_groups_hosts(group_names=["of-hosts"], member_names=["h"]))
    ok(a.client.post_protection_groups_host_groups(
        group_names=["of-groups"], member_names=["hg"]))
    assert [x.member.name for x in ok(
        a.client.get_protection_groups_hosts(group_names=["of-hosts"]))] == ["h"]
    assert [x.group.name for x in ok(
        a.client.get_hosts_protection_groups(member_names=["h"]))] == ["of-hosts"]
    assert [x.member.name for x in ok(
        a.client.get_protection_groups_host_groups(group_names=["of-groups"]))] == ["hg"]
    assert a.client.delete_protection_groups_hosts(
        group_names=["of-hosts"], member_names=["h"]).status_code == 200
    assert a.client.delete_protection_groups_host_groups(
        group_names=["of-groups"], member_names=["hg"]).status_code == 200


def test_arrays_are_connected_with_a_key_and_disconnected(make_sim):
    sim = make_sim(("a", "b"))
    a, b = Eyes(sim, "a"), Eyes(sim, "b")
    assert ok(a.client.get_array_connections()) == []
    key = ok(b.client.get_array_connections_connection_key())[0].connection_key

    def connect(key):
        return a.client.post_array_connections(array_connection=fa.ArrayConnectionPost(
            management_address="b", connection_key=key, type="async-replication"))

    refused(connect("0" * len(key)), "key")
    made = ok(connect(key))[0]
    assert made.remote.name == "b"
    assert [x.remote.name for x in ok(b.client.get_array_connections())] == ["a"]
    assert ok(a.client.get_array_connections_path())
    assert a.client.delete_array_connections(names=["b"]).status_code == 200
    assert ok(b.client.get_array_connections()) == []


def test_an_array_can_be_renamed(a, sim):
    ok(a.client.patch_arrays(array=fa.Arrays(name="renamed")))
    assert ok(a.client.get_arrays())[0].name == "renamed"
    seen = {x.remote.name for x in ok(Eyes(sim, "b").client.get_array_connections())}
    assert seen == {"renamed"}


def test_remote_arrays_pods_groups_and_snapshots_are_listed_from_afar(a, c, sim):
    assert {"b", "c"} <= {x.name for x in ok(a.client.get_remote_arrays())}
    make_volume(a, "v")
    replicated_group(a, c)
    ok(a.client.post_protection_group_snapshots(
        source_names=["pg"], replicate_now=True,
        protection_group_snapshot=fa.ProtectionGroupSnapshotPost(suffix="now")))
    sim.advance(600)
    assert [g.remote.name for g in ok(a.client.get_remote_protection_groups())] == ["c"]
    assert [s.name.split(":")[-1] for s in ok(
        a.client.get_remote_protection_group_snapshots())] == ["pg.now"]
    sent = ok(a.client.get_remote_protection_group_snapshots_transfer())
    assert [s.progress for s in sent] == [1.0]
    arrived = ok(c.client.get_volume_snapshots_transfer())
    assert [(s.name, s.progress) for s in arrived] == [("a:pg.now.v", 1.0)]
    ok(a.client.post_pods(names=["pod"], pod=fa.PodPost()))
    ok(a.client.post_pods_arrays(group_names=["pod"], member_names=["b"]))
    members = ok(a.client.get_pods_arrays(group_names=["pod"]))
    assert {m.member.name for m in members} == {"a", "b"}


def test_a_target_is_taken_away_from_a_group(a, c):
    make_volume(a, "v")
    replicated_group(a, c)
    assert a.client.delete_protection_groups_targets(
        group_names=["pg"], member_names=["c"]).status_code == 200
    assert ok(a.client.get_protection_groups_targets(group_names=["pg"])) == []
    assert a.groups()["pg"].target_count == 0


def test_group_snapshots_are_taken_listed_and_destroyed_with_their_volumes(a):
    make_volume(a, "v")
    ok(a.client.post_protection_groups(names=["pg"]))
    ok(a.client.post_protection_groups_volumes(group_names=["pg"], member_names=["v"]))
    post = fa.ProtectionGroupSnapshotPost(suffix="s")
    made = ok(a.client.post_protection_group_snapshots(
        source_names=["pg"], protection_group_snapshot=post))[0]
    assert (made.name, made.source.name) == ("pg.s", "pg")
    assert a.snapshots() == {"pg.s.v"}
    refused(a.client.post_protection_group_snapshots(
        source_names=["pg"], protection_group_snapshot=post), "already exists")
    ok(a.client.patch_protection_group_snapshots(
        names=["pg.s"], protection_group_snapshot=fa.ProtectionGroupSnapshotPatch(
            destroyed=True)))
    assert a.snapshots() == set()
    ok(a.client.patch_protection_group_snapshots(
        names=["pg.s"], protection_group_snapshot=fa.ProtectionGroupSnapshotPatch(
            destroyed=False)))
    assert a.snapshots() == {"pg.s.v"}
    ok(a.client.patch_protection_group_snapshots(
        names=["pg.s"], protection_group_snapshot=fa.ProtectionGroupSnapshotPatch(
            destroyed=True)))
    assert a.client.delete_protection_group_snapshots(names=["pg.s"]).status_code == 200
    assert ok(a.client.get_protection_group_snapshots()) == []


def test_default_protections_of_a_pod_are_set_and_cleared(a):
    ok(a.client.post_pods(names=["pod"], pod=fa.PodPost()))
    ok(a.client.post_protection_groups(names=["pod::pg"]))
    wanted = fa.ContainerDefaultProtection(default_protections=[
        fa.DefaultProtectionReference(name="pod::pg", type="protection_group")])
    ok(a.client.patch_container_default_protections(
        names=["pod"], container_default_protection=wanted))
    found = ok(a.client.get_container_default_protections(names=["pod"]))[0]
    assert [p.name for p in found.default_protections] == ["pod::pg"]


def test_collections_that_nobody_fills_are_empty_lists_not_errors(a):
    for call in (a.client.get_alerts, a.client.get_hardware, a.client.get_subnets,
                 a.client.get_audits, a.client.get_pod_replica_links):
        assert ok(call()) == []


def test_what_the_array_does_not_know_is_not_found(a):
    assert a.client.get_directories().status_code == 404
