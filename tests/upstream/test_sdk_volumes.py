"""The official SDK on volumes, snapshots, tags and volume groups; listing and error objects."""

import pytest
from pypureclient import flasharray as fa

from eyes import Eyes, ok

GIB = 1 << 30


@pytest.fixture
def a(make_sim):
    return Eyes(make_sim(("a",)), "a")


def refused(response, *words):
    """The single error object of a refusal, which mentions the words."""
    assert response.status_code == 400
    error = response.errors[0]
    for word in words:
        assert word in error.message
    return error


def test_a_volume_lives_from_creation_to_eradication(a):
    made = ok(a.client.post_volumes(names=["v"], volume=fa.VolumePost(provisioned=GIB)))[0]
    assert (made.name, made.provisioned, made.destroyed) == ("v", GIB, False)
    assert len(made.serial) == 24 and made.serial == made.serial.upper()
    assert made.id and made.connection_count == 0
    assert a.volume("v").id == made.id
    grown = ok(a.client.patch_volumes(names=["v"], volume=fa.VolumePatch(provisioned=2 * GIB)))
    assert grown[0].provisioned == 2 * GIB
    renamed = ok(a.client.patch_volumes(names=["v"], volume=fa.VolumePatch(name="w")))[0]
    assert (renamed.name, renamed.serial) == ("w", made.serial)
    gone = ok(a.client.patch_volumes(names=["w"], volume=fa.VolumePatch(destroyed=True)))[0]
    assert gone.destroyed is True and gone.time_remaining > 0
    assert a.volume("w").destroyed is True
    back = ok(a.client.patch_volumes(names=["w"], volume=fa.VolumePatch(destroyed=False)))[0]
    assert back.destroyed is False
    ok(a.client.patch_volumes(names=["w"], volume=fa.VolumePatch(destroyed=True)))
    assert a.client.delete_volumes(names=["w"]).status_code == 200
    refused(a.client.get_volumes(names=["w"]), "does not exist")


def test_a_destroyed_volume_is_eradicated_by_its_timer(a):
    ok(a.client.post_volumes(names=["v"], volume=fa.VolumePost(provisioned=GIB)))
    gone = ok(a.client.patch_volumes(names=["v"], volume=fa.VolumePatch(destroyed=True)))[0]
    a.sim.advance(gone.time_remaining / 1000 + 1)
    assert a.destroyed() == set()


def test_refusals_name_their_object_and_reason(a):
    ok(a.client.post_volumes(names=["v"], volume=fa.VolumePost(provisioned=2 * GIB)))
    post = fa.VolumePost(provisioned=GIB)
    assert refused(a.client.post_volumes(names=["v"], volume=post), "already exists") \
        .context == "v"
    assert refused(a.client.patch_volumes(
        names=["nope"], volume=fa.VolumePatch(destroyed=True)), "does not exist") \
        .context == "nope"
    refused(a.client.patch_volumes(names=["v"], volume=fa.VolumePatch(provisioned=GIB)))
    refused(a.client.post_volumes(names=["bad name!"], volume=post))
    refused(a.client.post_volumes(
        names=["copy"], volume=fa.VolumePost(source=fa.Reference(name="nope"))), "does not exist")
    refused(a.client.delete_volumes(names=["v"]))
    ok(a.client.patch_volumes(names=["v"], volume=fa.VolumePatch(destroyed=True)))
    refused(a.client.patch_volumes(names=["v"], volume=fa.VolumePatch(destroyed=True)),
            "has been destroyed")
    refused(a.client.post_volumes(names=["v"], volume=post), "already exists")


def test_one_request_makes_destroys_and_eradicates_many(a):
    names = ["v%d" % n for n in range(5)]
    made = ok(a.client.post_volumes(names=names, volume=fa.VolumePost(provisioned=GIB)))
    assert [v.name for v in made] == names
    ok(a.client.patch_volumes(names=names, volume=fa.VolumePatch(destroyed=True)))
    assert a.client.delete_volumes(names=names).status_code == 200
    assert a.volumes() == {} and a.destroyed() == set()


def test_listing_2500_volumes_goes_over_pages_without_loss_or_repetition(a):
    names = ["vol-%04d" % n for n in range(2500)]
    for start in range(0, 2500, 500):
        ok(a.client.post_volumes(names=names[start:start + 500],
                                 volume=fa.VolumePost(provisioned=GIB)))
    before = len(a.sim.requests("a"))
    listed = [v.name for v in ok(a.client.get_volumes())]
    assert len(a.sim.requests("a")) - before >= 3, "one page holds at most 1,000 items"
    assert len(listed) == 2500 and sorted(listed) == names

    backwards = [v.name for v in ok(a.client.get_volumes(sort=["name-"]))]
    assert backwards == names[::-1]
    first = a.client.get_volumes(limit=100, sort=["name"], total_item_count=True)
    assert first.total_item_count == 2500
    found = [v.name for v in ok(a.client.get_volumes(filter="name='vol-1*'"))]
    assert sorted(found) == names[1000:2000]


def test_pages_stay_whole_while_volumes_come_and_go(a):
    names = ["vol-%04d" % n for n in range(1500)]
    for start in range(0, 1500, 500):
        ok(a.client.post_volumes(names=names[start:start + 500],
                                 volume=fa.VolumePost(provisioned=GIB)))
    pages = iter(a.client.get_volumes(sort=["name"]).items)
    seen = [next(pages).name for _ in range(10)]
    ok(a.client.post_volumes(names=["zzz"], volume=fa.VolumePost(provisioned=GIB)))
    seen += [v.name for v in pages]
    assert [n for n in seen if n != "zzz"] == names


def test_filters_speak_the_language_of_the_array(a):
    for name, size in (("alpha", 1), ("beta", 2), ("gamma", 3)):
        ok(a.client.post_volumes(names=[name], volume=fa.VolumePost(provisioned=size * GIB)))
    ok(a.client.patch_volumes(names=["gamma"], volume=fa.VolumePatch(destroyed=True)))

    def found(text):
        return sorted(v.name for v in ok(a.client.get_volumes(filter=text)))

    assert found("name='alpha'") == ["alpha"]
    assert found('name="*a"') == ["alpha", "beta", "gamma"]
    assert found("name='alpha' or name='beta'") == ["alpha", "beta"]
    assert found("provisioned>%d" % GIB) == ["beta", "gamma"]
    assert found("provisioned=%d and not destroyed" % (2 * GIB)) == ["beta"]
    assert found("destroyed") == ["gamma"]
    assert found("not destroyed") == ["alpha", "beta"]
    assert found("destroyed='true'") == ["gamma"]
    assert found("(name='alpha' or name='gamma') and destroyed") == ["gamma"]
    assert found("name=('alpha','beta')") == ["alpha", "beta"]
    refused(a.client.get_volumes(filter="name=="))


def test_sorting_takes_several_keys(a):
    for name, size in (("x", 2), ("y", 1), ("z", 2)):
        ok(a.client.post_volumes(names=[name], volume=fa.VolumePost(provisioned=size * GIB)))
    order = [v.name for v in ok(a.client.get_volumes(sort=["provisioned", "name-"]))]
    assert order == ["y", "z", "x"]


def test_limits_of_a_volume_are_set_and_changed(a):
    ok(a.client.post_volumes(names=["v"], volume=fa.VolumePost(
        provisioned=GIB, qos=fa.Qos(iops_limit=1000, bandwidth_limit=2 << 20))))
    qos = a.volume("v").qos
    assert (qos.iops_limit, qos.bandwidth_limit) == (1000, 2 << 20)
    ok(a.client.patch_volumes(names=["v"], volume={"qos": {"iops_limit": 500}}))
    assert a.volume("v").qos.iops_limit == 500
    refused(a.client.patch_volumes(names=["v"], volume={"qos": {"iops_limit": 1}}))


def test_snapshots_are_taken_renamed_copied_and_eradicated(a):
    ok(a.client.post_volumes(names=["v"], volume=fa.VolumePost(provisioned=GIB)))
    a.write("v", b"then")
    made = ok(a.client.post_volume_snapshots(
        source_names=["v"], volume_snapshot=fa.VolumeSnapshotPost(suffix="s1")))[0]
    assert (made.name, made.source.name, made.provisioned) == ("v.s1", "v", GIB)
    numbered = ok(a.client.post_volume_snapshots(
        source_names=["v"], volume_snapshot=fa.VolumeSnapshotPost()))[0]
    assert numbered.name.startswith("v.")
    a.write("v", b"now!")
    ok(a.client.patch_volume_snapshots(
        names=["v.s1"], volume_snapshot=fa.VolumeSnapshotPatch(name="v.s2")))
    assert "v.s2" in a.snapshots() and "v.s1" not in a.snapshots()
    ok(a.client.post_volumes(names=["copy"], volume=fa.VolumePost(
        source=fa.Reference(name="v.s2"))))
    assert a.read("copy", 4) == b"then"
    ok(a.client.post_volumes(names=["v"], overwrite=True, volume=fa.VolumePost(
        source=fa.Reference(name="v.s2"))))
    assert a.read("v", 4) == b"then"
    ok(a.client.patch_volume_snapshots(
        names=["v.s2"], volume_snapshot=fa.VolumeSnapshotPatch(destroyed=True)))
    assert a.client.delete_volume_snapshots(names=["v.s2"]).status_code == 200
    refused(a.client.get_volume_snapshots(names=["v.s2"]))
    assert a.read("copy", 4) == b"then"


def test_tags_are_put_replaced_copied_and_removed(a):
    ok(a.client.post_volumes(names=["v"], volume=fa.VolumePost(provisioned=GIB)))
    space = "openstack-integration.purestorage.com"

    def put(**pairs):
        return a.client.put_volumes_tags_batch(resource_names=["v"], tag=[
            fa.TagBatch(key=k, value=v, namespace=space, copyable=False)
            for k, v in pairs.items()])

    ok(put(one="1", two="2"))
    assert a.tags("v") == {"one": "1", "two": "2"}
    ok(put(two="changed"))
    assert a.tags("v") == {"one": "1", "two": "changed"}
    assert a.client.delete_volumes_tags(
        resource_names=["v"], namespaces=[space], keys=["one"]).status_code == 200
    assert a.tags("v") == {"two": "changed"}
    assert a.client.delete_volumes_tags(
        resource_names=["v"], namespaces=[space]).status_code == 200
    assert a.tags("v") == {}


def test_volume_groups_hold_volumes_and_refuse_to_go_while_full(a):
    made = ok(a.client.post_volume_groups(names=["vg"], volume_group=fa.VolumeGroupPost(
        qos=fa.Qos(iops_limit=1000))))[0]
    assert made.name == "vg" and made.qos.iops_limit == 1000
    ok(a.client.post_volumes(names=["vg/v"], volume=fa.VolumePost(provisioned=GIB)))
    assert ok(a.client.get_volume_groups(names=["vg"]))[0].volume_count == 1
    refused(a.client.post_volume_groups(names=["vg"], volume_group=fa.VolumeGroupPost()),
            "already exists")
    ok(a.client.patch_volumes(names=["vg/v"], volume=fa.VolumePatch(
        volume_group=fa.Reference(name=""))))
    assert sorted(a.volumes()) == ["v"]
    ok(a.client.patch_volume_groups(names=["vg"], volume_group=fa.VolumeGroupPatch(
        destroyed=True)))
    assert a.client.delete_volume_groups(names=["vg"]).status_code == 200
    refused(a.client.get_volume_groups(names=["vg"]), "does not exist")
