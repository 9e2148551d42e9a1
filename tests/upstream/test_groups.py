"""Consistency groups, their snapshots, and replicated groups (Tiramisu)."""


def name_of(group):
    return "consisgroup-%s-cinder" % group.id


def test_a_consistency_group_holds_its_volumes(site, backend):
    group = backend.group([backend.type()])
    name = name_of(group)
    one = backend.create(1, group=group)
    two = backend.create(1, group=group)
    assert site["a"].members(name) == {one.provider_id, two.provider_id}

    late = backend.create(1)
    backend.update_group(group, add=[late], remove=[one])
    assert site["a"].members(name) == {two.provider_id, late.provider_id}

    backend.delete_group(group)
    assert name not in site["a"].groups()
    assert set(site["a"].volumes()) == {one.provider_id}


def test_a_group_snapshot_is_one_moment_for_all_its_volumes(site, backend):
    a = site["a"]
    group = backend.group([backend.type()])
    volumes = [backend.create(1, group=group) for _ in range(3)]
    for number, volume in enumerate(volumes):
        a.write(volume.provider_id, b"old%d" % number)
    taken, snapshots = backend.group_snapshot(group)
    for volume in volumes:
        a.write(volume.provider_id, b"new!")
    prefix = "%s.cgsnapshot-%s-cinder" % (name_of(group), taken.id)
    assert a.snapshots() == {"%s.%s" % (prefix, v.provider_id) for v in volumes}

    copies = {}
    for snapshot in snapshots:
        copy = backend.row(1, snapshot_id=snapshot.id)
        update = backend.driver.create_volume_from_snapshot(copy, snapshot, cgsnapshot=True)
        copies[snapshot.volume_id] = backend.apply(copy, update)
    for number, volume in enumerate(volumes):
        assert a.read(copies[volume.id].provider_id, 4) == b"old%d" % number
    backend.revert(volumes[0], next(s for s in snapshots if s.volume_id == volumes[0].id))
    assert a.read(volumes[0].provider_id, 4) == b"old0"

    backend.delete_group_snapshot(taken, snapshots)
    assert a.snapshots() == set()


def test_a_group_is_made_from_a_group_snapshot(site, backend):
    a = site["a"]
    group = backend.group([backend.type()])
    source = backend.create(1, group=group)
    a.write(source.provider_id, b"seed")
    taken, snapshots = backend.group_snapshot(group)
    a.write(source.provider_id, b"grow")

    target, volumes = backend.group_row([backend.type()]), []
    volumes = [backend.row(1, group=target, snapshot_id=s.id) for s in snapshots]
    _, updates = backend.driver.create_group_from_src(
        backend.context, target, volumes, group_snapshot=taken, snapshots=snapshots)
    for volume, update in zip(volumes, updates):
        backend.apply(volume, update)
    assert a.members(name_of(target)) == {volumes[0].provider_id}
    assert a.read(volumes[0].provider_id, 4) == b"seed"


def test_a_replicated_group_has_its_own_schedule_and_targets(site, backend):
    # The driver cannot make a tri-sync one; see test_upstream_bugs.py.
    wanted = "sync" if site.kind == "sync" else "async"
    kind = backend.type(wanted)
    group = backend.group([kind], replicated=True)
    assert group.status == "available"
    name = "cinder-pod::" + name_of(group) if wanted == "sync" else name_of(group)
    volume = backend.create(1, kind, group)
    assert volume.provider_id in site["a"].members(name)
    if wanted == "async":
        targets = [array for array, *_ in site.shape["replication"]]
        assert site["a"].groups()[name].replication_schedule.enabled is True
        assert site["a"].groups()[name].target_count == len(targets)
        for target in targets:
            assert "a:" + name in site[target].groups()

    update, _ = backend.driver.disable_replication(backend.context, group, [volume])
    assert update["replication_status"] == "disabled"
    assert site["a"].groups()[name].replication_schedule.enabled is False
    update, _ = backend.driver.enable_replication(backend.context, group, [volume])
    assert update["replication_status"] == "enabled"
    assert site["a"].groups()[name].replication_schedule.enabled is True


def test_a_replicated_group_fails_over_alone(make_site):
    for configuration, target in (("async", "b"), ("sync", "b")):
        site = make_site(configuration)
        backend = site.backend("iscsi")
        kind = backend.type(configuration)
        group = backend.group([kind], replicated=True)
        volume = backend.create(1, kind, group)
        other = backend.create(1, kind)
        site["a"].write(volume.provider_id, b"grouped")
        backend.replicate_now()
        update, volumes = backend.driver.failover_replication(
            backend.context, group, [volume], target)
        assert update["replication_status"] == "failed-over"
        assert volumes == [{"id": volume.id, "replication_driver_data": "b",
                            "replication_status": "failed-over"}]
        backend.apply(volume, volumes[0])
        assert site["b"].read(volume.provider_id, 7) == b"grouped"
        assert backend.driver._get_current_array(True).backend_id == "pure1"
        assert site["a"].volume(other.provider_id).destroyed is False

        update, volumes = backend.driver.failover_replication(
            backend.context, group, [volume], "default")
        assert update["replication_status"] == "enabled"
        assert volumes[0]["replication_driver_data"] is None
