"""Where the upstream driver is wrong: the test names the fault, and holds the array blameless.

Each test shows the driver failing and, in the same breath, that the simulated array did what a
real one would have done with the requests it was sent. Our own drivers are tested elsewhere
against the same list.
"""

import pytest
from cinder import exception

import harness


def test_sync_failover_to_a_named_target_fails_when_the_primary_is_dead(make_site):
    """The driver asks the dead primary for the pod first. The pod is online on the survivor."""
    site = make_site("sync")
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type("sync"))
    site["a"].write(volume.provider_id, b"safe")
    site.sim.power("a", False)
    with pytest.raises(Exception) as failure:
        backend.failover([volume], "b")
    assert "Max retries exceeded" in str(failure.value)
    members = {m.name: m.status for m in site["b"].pods()["cinder-pod"].arrays}
    assert members["b"] == "online" and members["a"] != "online"
    assert site["b"].read(volume.provider_id, 4) == b"safe"


def test_creating_on_a_failed_over_backend_fails_before_any_request(make_site):
    """Targets have no `safemode` attribute."""
    site = make_site("async")
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type("async"))
    backend.replicate_now()
    backend.failover([volume], "b")
    before = len([r for r in site.sim.requests("b") if r["method"] == "POST"])
    with pytest.raises(AttributeError, match="safemode"):
        backend.create(1)
    assert len([r for r in site.sim.requests("b") if r["method"] == "POST"]) == before


def test_a_restart_with_a_dead_primary_fails_even_when_failed_over(make_site):
    """The absent client object is dereferenced in set-up; the secondary is healthy."""
    site = make_site("async")
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type("async"))
    backend.replicate_now()
    backend.failover([volume], "b")
    site.sim.power("a", False)
    with pytest.raises(AttributeError):
        backend.start(active_backend_id="b")
    assert volume.provider_id in site["b"].volumes()


def test_a_refused_membership_destroys_the_volume_and_reports_success(make_site):
    """The array refuses to add the member; the driver eradicates the volume and says `enabled`."""
    site = make_site("async")
    backend = site.backend("iscsi")
    assert site["a"].client.patch_protection_groups(
        names=["cinder-group"], protection_group={"destroyed": True}).status_code == 200
    volume = backend.create(1, backend.type("async"))
    assert volume.replication_status == "enabled"
    assert volume.provider_id not in site["a"].volumes()
    assert volume.provider_id not in site["a"].destroyed()


def test_a_status_other_than_400_is_taken_for_success(make_site):
    """The array answers 403 and creates nothing; the driver reports an available volume."""
    site = make_site("async")
    backend = site.backend("iscsi")
    site.sim.fault("a", method="POST", path="/volumes", kind="status", status=403, count=1)
    volume = backend.create(1)
    assert volume.status == "available"
    assert volume.provider_id not in site["a"].volumes()


def test_deleting_a_destroyed_volume_hides_the_message_of_the_array(make_site):
    """The array says what is wrong; the driver re-raises an exception that does not exist."""
    site = make_site("async")
    backend = site.backend("iscsi")
    volume = backend.create(1)
    patch = {"destroyed": True}
    assert site["a"].client.patch_volumes(
        names=[volume.provider_id], volume=patch).status_code == 200
    with pytest.raises(RuntimeError, match="no \\(currently\\) captured exception"):
        backend.delete(volume)
    again = site["a"].client.patch_volumes(names=[volume.provider_id], volume=patch)
    assert again.status_code == 400
    assert "has been destroyed" in again.errors[0].message


def test_a_named_async_failover_without_a_replica_is_an_attribute_error(make_site):
    """The target has the group and no completed snapshot: it says so with an empty list."""
    site = make_site("async")
    site.sim.stick_transfers()
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type("async"))
    backend.replicate_now()
    with pytest.raises(AttributeError, match="name"):
        backend.failover([volume], "b")
    assert site["b"].transfers("a:cinder-group") == []


def test_tri_sync_volumes_end_in_error_at_the_third_site_that_has_them(make_site):
    """The driver never looks at the pod's group; the array holds the replica."""
    site = make_site("trisync")
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type("trisync"))
    backend.create(1, backend.type("async"))
    backend.replicate_now()
    _, updates = backend.failover([volume], "c")
    assert updates[volume.id] == {"status": "error"}
    assert site["c"].transfers("cinder-pod:cinder-trisync")


def test_tri_sync_volumes_end_in_error_after_failback_from_the_pod(make_site):
    """Their bytes are intact on both sides of the pod."""
    site = make_site("trisync")
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type("trisync"))
    site["a"].write(volume.provider_id, b"intact")
    backend.failover([volume], "b")
    _, updates = backend.failover([volume], "default")
    assert updates[volume.id] == {"status": "error"}
    assert site["a"].read(volume.provider_id, 6) == b"intact"
    assert site["b"].read(volume.provider_id, 6) == b"intact"


def test_a_round_trip_lists_the_sync_target_twice(make_site):
    """A matter of the driver's memory; the pod on the arrays is unchanged."""
    site = make_site("sync")
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type("sync"))
    backend.failover([volume], "b")
    backend.failover([volume], "default")
    assert backend.stats()["replication_targets"] == ["b", "b"]
    assert site["a"].pods()["cinder-pod"].array_count == 2


def test_force_detach_disconnects_nothing(make_site):
    """A model object is passed for a name; the connection stays on the array."""
    site = make_site("async")
    backend = site.backend("iscsi")
    volume = backend.create(1)
    backend.attach(volume)
    with pytest.raises(TypeError):
        backend.driver.terminate_connection(backend.reload(volume), None)
    assert set(site["a"].connections()) == {(harness.host_name(), volume.provider_id)}


def test_detach_over_fibre_channel_leaves_the_second_array_connected(make_site):
    """On the second array the driver looks for hosts that are not local; ours there is local."""
    site = make_site("sync")
    backend = site.backend("fc")
    volume = backend.create(1, backend.type("sync"))
    backend.attach(volume)
    backend.detach(volume)
    assert site["a"].connections() == {}
    assert set(site["b"].connections()) == {(harness.host_name(), volume.provider_id)}


def test_quality_of_service_is_lost_when_a_retype_moves_the_volume(make_site):
    """The limits are sent to the old name; the array answers that it does not exist."""
    site = make_site("sync")
    backend = site.backend("iscsi")
    volume = backend.create(1)
    volume = backend.retype(volume, backend.type("sync", qos={"maxIOPS": "500"}))
    lost = [r for r in site.sim.requests("a") if r["method"] == "PATCH"
            and r["path"] == "volumes"][-1]
    assert lost["status"] == 400
    qos = site["a"].volume(volume.provider_id).qos
    assert getattr(qos, "iops_limit", None) != 500


def test_extending_sends_limits_per_gigabyte_computed_in_bytes(make_site):
    """The array stores what it is told: the maximum."""
    site = make_site("async")
    backend = site.backend("iscsi")
    scaled = backend.type("none", qos={"maxIOPS_per_GB": "200"})
    volume = backend.retype(backend.create(1), scaled)
    assert site["a"].volume(volume.provider_id).qos.iops_limit == 200
    backend.extend(volume, 2)
    assert site["a"].volume(volume.provider_id).qos.iops_limit == 100000000


def test_a_named_sync_failover_does_not_look_at_the_pod(make_site):
    """With the link cut the other side of the pod is offline there, and is taken all the same."""
    site = make_site("sync")
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type("sync"))
    site.sim.link("a", "b", False)
    site["a"].write(volume.provider_id, b"only on a")
    members = {m.name: m.status for m in site["a"].pods()["cinder-pod"].arrays}
    assert members["b"] != "online"
    _, updates = backend.failover([volume], "b")
    assert updates[volume.id] == {"replication_status": "failed-over"}


def test_a_clone_of_a_type_with_a_volume_group_lands_outside_of_it(make_site):
    """Cloning into a volume-group type is not handled."""
    site = make_site("async")
    backend = site.backend("iscsi")
    grouped = backend.type("none", **{"flasharray:vg_name": "gold"})
    clone = backend.clone(backend.create(1), type=grouped)
    assert "/" not in clone.provider_id
    assert site["a"].volume(clone.provider_id).destroyed is False


def test_a_retype_into_a_volume_group_with_limits_fails(make_site):
    """The limits of the new type go to the SDK as text, which its own model refuses; a create reads them as numbers."""
    site = make_site("async")
    backend = site.backend("iscsi")
    grouped = backend.type("none", **{"flasharray:vg_name": "gold", "flasharray:vg_maxIOPS": "1000"})
    volume = backend.create(1)
    with pytest.raises(ValueError, match="not a valid integer"):
        backend.retype(volume, grouped)
    assert list(site["a"].volumes()) == [volume.provider_id]


def test_a_copy_of_a_snapshot_in_a_volume_group_keeps_the_size_of_the_snapshot(make_site):
    """The larger size that was asked for is not set."""
    site = make_site("async")
    backend = site.backend("iscsi")
    grouped = backend.type("none", **{"flasharray:vg_name": "gold"})
    snapshot = backend.snapshot(backend.create(1, grouped))
    copy = backend.create_from_snapshot(snapshot, 2, grouped)
    assert copy.size == 2
    assert site["a"].volume(copy.provider_id).provisioned == 1 << 30


def test_a_retype_out_of_a_volume_group_forgets_the_replication_that_it_set_up(make_site):
    """The update for the group overwrites the one for the replication: Cinder will not fail the volume over."""
    site = make_site("async")
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type("none", **{"flasharray:vg_name": "gold"}))
    volume = backend.retype(volume, backend.type("async"))
    assert site["a"].groups_of(volume.provider_id) == {"cinder-group"}
    assert volume.replication_status == "disabled"


def test_a_replica_that_is_incomplete_is_not_offered(make_site):
    """Not a fault: without a complete replica the driver finds no target and says so."""
    site = make_site("async")
    site.sim.stick_transfers()
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type("async"))
    backend.replicate_now()
    with pytest.raises(exception.VolumeDriverException, match="Unable to find viable"):
        backend.failover([volume])
    assert site["b"].transfers("a:cinder-group") == []
    site.sim.stick_transfers(False)
    backend.replicate_now()
    assert backend.failover([volume])[0] == "b"


def test_a_volume_with_limits_per_gigabyte_cannot_be_created(make_site):
    """The limit is computed as a floating number, which the SDK's own model refuses."""
    site = make_site("async")
    backend = site.backend("iscsi")
    with pytest.raises(ValueError, match="not a valid integer"):
        backend.create(1, backend.type("none", qos={"maxIOPS_per_GB": "200"}))
    assert site["a"].volumes() == {}


def test_a_replicated_tri_sync_group_names_the_pods_own_side_as_target(make_site):
    """The array refuses a target that is already a side of the pod; the driver cleans up."""
    site = make_site("trisync")
    backend = site.backend("iscsi")
    with pytest.raises(exception.VolumeDriverException, match="Unable to configure replication"):
        backend.group([backend.type("trisync")], replicated=True)
    left = [name for name in site["a"].groups() if "consisgroup" in name]
    assert left == []
