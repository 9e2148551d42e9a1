"""The official SDK on array connections, protection groups, replicated snapshots and pods."""

import pytest
from pypureclient import flasharray as fa

from eyes import Eyes, ok
from test_sdk_volumes import GIB, refused


@pytest.fixture
def sim(make_sim):
    return make_sim(("a", "b", "c"), ("a:b:sync", "a:c:async"))


@pytest.fixture
def a(sim):
    return Eyes(sim, "a")


@pytest.fixture
def b(sim):
    return Eyes(sim, "b")


@pytest.fixture
def c(sim):
    return Eyes(sim, "c")


def make_volume(eyes, name):
    return ok(eyes.client.post_volumes(names=[name], volume=fa.VolumePost(provisioned=GIB)))[0]


def replicated_group(a, c, name="pg", members=("v",)):
    """A protection group on a, replicated to c, allowed, not yet enabled."""
    ok(a.client.post_protection_groups(names=[name]))
    ok(a.client.post_protection_groups_volumes(group_names=[name], member_names=list(members)))
    ok(a.client.post_protection_groups_targets(group_names=[name], member_names=["c"]))
    ok(c.client.patch_protection_groups_targets(
        group_names=["a:" + name], target=fa.TargetProtectionGroupPostPatch(allowed=True)))


def test_array_connections_name_type_and_state(a, b):
    found = {(x.remote.name, x.type, x.status) for x in ok(a.client.get_array_connections())}
    assert found == {("b", "sync-replication", "connected"),
                     ("c", "async-replication", "connected")}
    assert {x.remote.name for x in ok(b.client.get_array_connections())} == {"a"}


def test_a_cut_link_shows_in_the_connection(a, sim):
    sim.link("a", "c", False)
    state = {x.remote.name: x.status for x in ok(a.client.get_array_connections())}
    assert state["b"] == "connected" and state["c"] != "connected"
    sim.link("a", "c", True)
    state = {x.remote.name: x.status for x in ok(a.client.get_array_connections())}
    assert state["c"] == "connected"


def test_protection_groups_hold_members_schedule_and_retention(a):
    make_volume(a, "v")
    ok(a.client.post_protection_groups(names=["pg"]))
    refused(a.client.post_protection_groups(names=["pg"]), "already exists")
    ok(a.client.post_protection_groups_volumes(group_names=["pg"], member_names=["v"]))
    assert a.members("pg") == {"v"} and a.groups_of("v") == {"pg"}
    ok(a.client.patch_protection_groups(names=["pg"], protection_group=fa.ProtectionGroup(
        target_retention=fa.RetentionPolicy(all_for_sec=60, per_day=2, days=3))))
    ok(a.client.patch_protection_groups(names=["pg"], protection_group=fa.ProtectionGroup(
        replication_schedule=fa.ReplicationSchedule(frequency=600000))))
    group = a.groups()["pg"]
    assert group.target_retention.per_day == 2
    assert group.replication_schedule.frequency == 600000
    assert a.client.delete_protection_groups_volumes(
        group_names=["pg"], member_names=["v"]).status_code == 200
    refused(a.client.delete_protection_groups_volumes(
        group_names=["pg"], member_names=["v"]), "could not be found")
    ok(a.client.patch_protection_groups(names=["pg"], protection_group=fa.ProtectionGroup(
        destroyed=True)))
    assert a.client.delete_protection_groups(names=["pg"]).status_code == 200
    refused(a.client.get_protection_groups(names=["pg"]), "does not exist")


def test_a_target_must_be_allowed_by_the_target(a, c):
    make_volume(a, "v")
    ok(a.client.post_protection_groups(names=["pg"]))
    ok(a.client.post_protection_groups_targets(group_names=["pg"], member_names=["c"]))
    refused(a.client.post_protection_groups_targets(group_names=["pg"], member_names=["c"]),
            "already includes")
    allowed = [t.allowed for t in ok(a.client.get_protection_groups_targets(group_names=["pg"]))]
    assert allowed == [False]
    allow = fa.TargetProtectionGroupPostPatch(allowed=True)
    ok(c.client.patch_protection_groups_targets(group_names=["a:pg"], target=allow))
    refused(c.client.patch_protection_groups_targets(group_names=["a:pg"], target=allow),
            "already allowed on")
    allowed = [t.allowed for t in ok(a.client.get_protection_groups_targets(group_names=["pg"]))]
    assert allowed == [True]


def test_a_snapshot_replicated_at_once_arrives_with_its_bytes(a, c, sim):
    make_volume(a, "v")
    a.write("v", b"sent")
    replicated_group(a, c)
    ok(a.client.post_protection_group_snapshots(
        source_names=["pg"], replicate_now=True,
        protection_group_snapshot=fa.ProtectionGroupSnapshotPost(suffix="now")))
    a.write("v", b"late")
    sim.advance(600)
    found = c.transfers("a:pg")
    assert [t.name for t in found] == ["a:pg.now"]
    assert found[0].progress == 1.0 and found[0].completed >= found[0].started
    assert found[0].data_transferred is not None
    ok(c.client.post_volumes(names=["copy"], volume=fa.VolumePost(
        source=fa.Reference(name="a:pg.now.v"))))
    assert c.read("copy", 4) == b"sent"


def test_a_transfer_has_a_progress_while_it_runs(make_sim):
    sim = make_sim(("a", "c"), ("a:c:async",), extra=["--bandwidth", "1M"])
    a, c = Eyes(sim, "a"), Eyes(sim, "c")
    make_volume(a, "v")
    for megabyte in range(20):
        a.write("v", bytes([megabyte + 1]) * (1 << 20), megabyte << 20)
    replicated_group(a, c)
    ok(a.client.post_protection_group_snapshots(
        source_names=["pg"], replicate_now=True,
        protection_group_snapshot=fa.ProtectionGroupSnapshotPost(suffix="slow")))
    sim.advance(10)
    running = ok(c.client.get_protection_group_snapshots_transfer(names=["a:pg"]))
    assert len(running) == 1 and 0 < running[0].progress < 1
    assert c.transfers("a:pg") == []
    sim.advance(30)
    assert [t.progress for t in c.transfers("a:pg")] == [1.0]


def test_schedules_take_and_send_snapshots(a, c, sim):
    make_volume(a, "v")
    replicated_group(a, c)
    ok(a.client.patch_protection_groups(names=["pg"], protection_group=fa.ProtectionGroup(
        replication_schedule=fa.ReplicationSchedule(frequency=3600000, enabled=True))))
    sim.advance(3 * 3600 + 60)
    times = [t.started for t in c.transfers("a:pg")]
    assert len(times) >= 3 and times == sorted(times, reverse=True)


def test_a_pod_is_stretched_and_is_one_object_on_both_arrays(a, b):
    ok(a.client.post_pods(names=["pod"], pod=fa.PodPost()))
    refused(a.client.post_pods(names=["pod"], pod=fa.PodPost()), "already exists")
    made = make_volume(a, "pod::v")
    a.write("pod::v", b"before")
    assert "pod" not in b.pods()
    ok(a.client.post_pods_arrays(group_names=["pod"], member_names=["b"]))
    members = {m.name: m.status for m in b.pods()["pod"].arrays}
    assert members == {"a": "online", "b": "online"}
    twin = b.volume("pod::v")
    assert (twin.id, twin.serial) == (made.id, made.serial)
    assert b.read("pod::v", 6) == b"before"
    b.write("pod::v", b"from b")
    assert a.read("pod::v", 6) == b"from b"
    assert {m.id for m in a.pods()["pod"].arrays} == {
        ok(x.client.get_arrays())[0].id for x in (a, b)}
    assert a.client.delete_pods_arrays(
        group_names=["pod"], member_names=["b"]).status_code == 200
    assert "pod" not in b.pods() and "pod::v" not in b.volumes()
    assert a.read("pod::v", 6) == b"from b"


def test_volumes_move_in_and_out_of_pods_with_their_names(a):
    ok(a.client.post_pods(names=["pod"], pod=fa.PodPost()))
    make_volume(a, "v")
    ok(a.client.patch_volumes(names=["v"], volume=fa.VolumePatch(pod=fa.Reference(name="pod"))))
    assert sorted(a.volumes()) == ["pod::v"]
    assert [v.name for v in ok(a.client.get_volumes(filter="pod.name='pod'"))] == ["pod::v"]
    ok(a.client.patch_volumes(
        names=["pod::v"], volume=fa.VolumePatch(pod=fa.Reference(name=""))))
    assert sorted(a.volumes()) == ["v"]


def test_a_pod_with_volumes_goes_only_with_its_contents(a):
    ok(a.client.post_pods(names=["pod"], pod=fa.PodPost()))
    make_volume(a, "pod::v")
    refused(a.client.patch_pods(names=["pod"], pod=fa.PodPatch(destroyed=True)))
    ok(a.client.patch_pods(names=["pod"], destroy_contents=True,
                           pod=fa.PodPatch(destroyed=True)))
    assert a.client.delete_pods(names=["pod"], eradicate_contents=True).status_code == 200
    assert a.volumes() == {} and a.destroyed() == set()


def test_a_pod_has_default_protections(a):
    ok(a.client.post_pods(names=["pod"], pod=fa.PodPost()))
    found = ok(a.client.get_container_default_protections(names=["pod"]))
    assert found[0].default_protections == []


def test_groups_inside_a_stretched_pod_replicate_to_a_third_array(a, b, c, sim):
    ok(a.client.post_pods(names=["pod"], pod=fa.PodPost()))
    make_volume(a, "pod::v")
    a.write("pod::v", b"third")
    ok(a.client.post_protection_groups(names=["pod::pg"]))
    ok(a.client.post_protection_groups_volumes(
        group_names=["pod::pg"], member_names=["pod::v"]))
    ok(a.client.post_protection_groups_targets(group_names=["pod::pg"], member_names=["c"]))
    ok(c.client.patch_protection_groups_targets(
        group_names=["pod:pg"], target=fa.TargetProtectionGroupPostPatch(allowed=True)))
    ok(a.client.post_protection_group_snapshots(source_names=["pod::pg"], replicate_now=True))
    sim.advance(600)
    found = c.transfers("pod:pg")
    assert len(found) == 1
    ok(c.client.post_volumes(names=["copy"], volume=fa.VolumePost(
        source=fa.Reference(name=found[0].name + ".v"))))
    assert c.read("copy", 5) == b"third"
