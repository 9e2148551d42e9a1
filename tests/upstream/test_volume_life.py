"""Volumes and snapshots through the upstream driver, with their bytes."""

GIB = 1 << 30
MAX_IOPS = 100000000
MAX_BWS = 549755813888


def name_of(site, volume):
    plain = "volume-%s-cinder" % volume.id
    return plain if site.kind == "async" else "cinder-pod::" + plain


def test_a_replicated_volume_is_created_extended_and_deleted(site, backend):
    volume = backend.create(1, backend.type(site.kind))
    assert volume.provider_id == name_of(site, volume)
    assert volume.replication_status == "enabled"
    for array in ("a",) if site.kind == "async" else ("a", "b"):
        assert site[array].volume(volume.provider_id).provisioned == GIB
    assert site["a"].groups_of(volume.provider_id) == {
        "async": {"cinder-group"}, "sync": set(), "trisync": {"cinder-pod::cinder-trisync"},
    }[site.kind]
    assert site["a"].tags(volume.provider_id) == {
        "ProjectId": volume.project_id, "VolType": "Data", "DataStoreType": "Direct Access"}
    if site.kind != "async":
        assert site["a"].volume(volume.provider_id).serial \
            == site["b"].volume(volume.provider_id).serial

    backend.extend(volume, 3)
    assert site["a"].volume(volume.provider_id).provisioned == 3 * GIB

    backend.delete(volume)
    assert volume.provider_id not in site["a"].volumes()
    assert volume.provider_id in site["a"].destroyed()
    assert site["a"].groups_of(volume.provider_id) == set()


def test_a_volume_that_is_not_replicated_stays_out_of_every_group(site, backend):
    volume = backend.create(1)
    assert volume.provider_id == "volume-%s-cinder" % volume.id
    assert volume.replication_status == "disabled"
    assert site["a"].groups_of(volume.provider_id) == set()
    assert volume.provider_id not in site["b"].volumes()


def test_snapshots_clones_and_copies_hold_the_bytes_of_their_moment(site, backend):
    a = site["a"]
    volume = backend.create(1, backend.type(site.kind))
    a.write(volume.provider_id, b"first", 4096)
    snapshot = backend.snapshot(volume)
    assert "%s.snapshot-%s" % (volume.provider_id, snapshot.id) in a.snapshots()
    a.write(volume.provider_id, b"later", 4096)

    copy = backend.create_from_snapshot(snapshot, size=2)
    clone = backend.clone(volume)
    assert copy.provider_id == name_of(site, copy)
    assert a.volume(copy.provider_id).provisioned == 2 * GIB
    assert a.read(copy.provider_id, 5, 4096) == b"first"
    assert a.read(clone.provider_id, 5, 4096) == b"later"
    a.write(clone.provider_id, b"apart", 4096)
    assert a.read(volume.provider_id, 5, 4096) == b"later"
    if site.kind != "async":
        assert site["b"].read(copy.provider_id, 5, 4096) == b"first"

    backend.delete_snapshot(snapshot)
    assert a.snapshots() == set()
    assert a.read(copy.provider_id, 5, 4096) == b"first"


def test_revert_brings_back_the_bytes_and_keeps_the_identity(site, backend):
    a = site["a"]
    volume = backend.create(1, backend.type(site.kind))
    serial = a.volume(volume.provider_id).serial
    a.write(volume.provider_id, b"good")
    snapshot = backend.snapshot(volume)
    a.write(volume.provider_id, b"evil" * 2)
    backend.revert(volume, snapshot)
    assert a.read(volume.provider_id, 8) == b"good" + bytes(4)
    assert a.volume(volume.provider_id).serial == serial
    if site.kind != "async":
        assert site["b"].read(volume.provider_id, 8) == b"good" + bytes(4)


def test_a_volume_larger_than_its_source_is_extended_after_the_copy(site, backend):
    volume = backend.create(1, backend.type(site.kind))
    clone = backend.clone(volume, size=5)
    assert site["a"].volume(clone.provider_id).provisioned == 5 * GIB


def test_quality_of_service_follows_the_type(site, backend):
    limited = backend.type("none", qos={"maxIOPS": "500", "maxBWS": "10"})
    volume = backend.create(1, limited)
    qos = site["a"].volume(volume.provider_id).qos
    assert (qos.iops_limit, qos.bandwidth_limit) == (500, 10 << 20)

    volume = backend.retype(volume, backend.type())
    qos = site["a"].volume(volume.provider_id).qos
    assert (qos.iops_limit, qos.bandwidth_limit) == (MAX_IOPS, MAX_BWS)

    scaled = backend.type("none", qos={"maxIOPS_per_GB": "200"})
    volume = backend.retype(volume, scaled)
    assert site["a"].volume(volume.provider_id).qos.iops_limit == 200


def test_volume_groups_come_and_go_with_their_volumes(site, backend):
    grouped = backend.type("none", **{
        "flasharray:vg_name": "gold tier", "flasharray:vg_maxIOPS": "1000"})
    volume = backend.create(1, grouped)
    assert volume.provider_id == "gold-tier/volume-%s-cinder" % volume.id
    group = list(site["a"].client.get_volume_groups(names=["gold-tier"]).items)[0]
    assert group.qos.iops_limit == 1000
    assert group.volume_count == 1
    backend.delete(volume)
    group = list(site["a"].client.get_volume_groups(names=["gold-tier"]).items)[0]
    assert group.destroyed is True


def test_eradicate_on_delete_leaves_nothing_behind(site, protocol):
    backend = site.backend(protocol, pure_eradicate_on_delete=True)
    volume = backend.create(1, backend.type(site.kind))
    snapshot = backend.snapshot(volume)
    backend.delete_snapshot(snapshot)
    backend.delete(volume)
    assert site["a"].volumes() == {}
    assert site["a"].destroyed() == set()


def test_volumes_are_managed_renamed_and_given_back(site, backend):
    from pypureclient import flasharray
    a = site["a"]
    a.client.post_volumes(names=["by-hand"], volume=flasharray.VolumePost(provisioned=2 * GIB))
    a.write("by-hand", b"mine")
    listed = backend.driver.get_manageable_volumes([], None, 100, 0, ["reference"], ["asc"])
    assert [(v["reference"]["name"], v["safe_to_manage"]) for v in listed] == [("by-hand", True)]

    volume = backend.manage("by-hand", backend.type())
    assert volume.size == 2
    assert sorted(a.volumes()) == ["volume-%s-cinder" % volume.id]
    assert a.read(volume.provider_id, 4) == b"mine"
    listed = backend.driver.get_manageable_volumes(
        [volume], None, 100, 0, ["reference"], ["asc"])
    assert [v["safe_to_manage"] for v in listed] == [False]

    backend.unmanage(volume)
    assert sorted(a.volumes()) == ["volume-%s-cinder-unmanaged" % volume.id]
    assert a.tags("volume-%s-cinder-unmanaged" % volume.id) == {}


def test_snapshots_are_managed_and_given_back(site, backend):
    from pypureclient import flasharray
    a = site["a"]
    volume = backend.create(1)
    a.client.post_volume_snapshots(
        source_names=[volume.provider_id],
        volume_snapshot=flasharray.VolumeSnapshotPost(suffix="by-hand"))
    reference = {"source-name": volume.provider_id + ".by-hand"}
    snapshot = backend.snapshot_row(volume)
    assert backend.driver.manage_existing_snapshot_get_size(snapshot, reference) == 1
    backend.driver.manage_existing_snapshot(snapshot, reference)
    name = "%s.snapshot-%s" % (volume.provider_id, snapshot.id)
    assert a.snapshots() == {name}
    backend.driver.unmanage_snapshot(snapshot)
    # The driver cuts the name to the array's 96 characters.
    assert a.snapshots() == {name[:96 - len("-unmanaged")] + "-unmanaged"}


def test_an_attached_volume_is_not_taken_over(site, backend):
    import pytest
    from cinder import exception
    volume = backend.create(1)
    backend.attach(volume)
    with pytest.raises(exception.ManageExistingInvalidReference):
        backend.manage(volume.provider_id, backend.type())
