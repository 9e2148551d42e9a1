"""Failover and failback of a whole backend through the unmodified driver, bytes included."""

import pytest
from cinder import exception

import harness


def test_an_async_failover_serves_the_last_replicated_moment(make_site, protocol):
    site = make_site("async")
    backend = site.backend(protocol)
    volume = backend.create(1, backend.type("async"))
    site["a"].write(volume.provider_id, b"replicated")
    backend.replicate_now()
    site["a"].write(volume.provider_id, b"lost tail!")
    late = backend.create(1, backend.type("async"))

    site.sim.power("a", False)
    target, updates = backend.failover([volume, late])
    assert target == "b"
    assert updates[volume.id] == {"replication_status": "failed-over"}
    assert updates[late.id] == {"status": "error"}
    assert site["b"].read(volume.provider_id, 10) == b"replicated"
    assert set(site["b"].volumes()) == {volume.provider_id}

    info = backend.attach(volume)
    host = harness.host_name()
    assert set(site["b"].connections()) == {(host, volume.provider_id)}
    assert info["driver_volume_type"] in ("iscsi", "fibre_channel", "nvmeof")
    site.sim.write("b", host, volume.provider_id, 0, b"going on")
    backend.detach(volume)

    site.sim.power("a", True)
    target, updates = backend.failover([volume], "default")
    assert target == "default"
    # The array would have its bytes; it is the upstream driver that knows no way back.
    assert updates[volume.id] == {"status": "error"}
    assert site["a"].read(volume.provider_id, 10) == b"lost tail!"


def test_a_sync_failover_serves_every_acknowledged_byte(make_site, protocol):
    site = make_site("sync")
    backend = site.backend(protocol)
    volume = backend.create(1, backend.type("sync"))
    site["a"].write(volume.provider_id, b"acknowledged")

    target, updates = backend.failover([volume], "b")
    assert target == "b"
    assert updates[volume.id] == {"replication_status": "failed-over"}
    assert site["b"].read(volume.provider_id, 12) == b"acknowledged"
    host = harness.host_name()
    backend.attach(volume)
    assert set(site["b"].connections()) == {(host, volume.provider_id)}
    site.sim.write("b", host, volume.provider_id, 0, b"and goes on.")
    backend.detach(volume)

    target, updates = backend.failover([volume], "default")
    assert (target, updates) == ("default", {})
    assert site["a"].read(volume.provider_id, 12) == b"and goes on."


def test_without_a_named_target_the_stretched_pod_is_preferred(make_site):
    site = make_site("trisync")
    backend = site.backend("iscsi")
    volumes = {kind: backend.create(1, backend.type(kind))
               for kind in ("async", "sync", "trisync")}
    backend.replicate_now()
    target, updates = backend.failover(list(volumes.values()))
    assert target == "b"
    assert updates[volumes["sync"].id] == {"replication_status": "failed-over"}
    assert updates[volumes["trisync"].id] == {"replication_status": "failed-over"}
    assert updates[volumes["async"].id] == {"status": "error"}


def test_the_third_site_serves_async_volumes_when_it_is_named(make_site):
    site = make_site("trisync")
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type("async"))
    site["a"].write(volume.provider_id, b"third")
    backend.replicate_now()
    target, updates = backend.failover([volume], "c")
    assert target == "c"
    assert updates[volume.id] == {"replication_status": "failed-over"}
    assert site["c"].read(volume.provider_id, 5) == b"third"


def test_the_tri_sync_leg_reaches_the_third_site_with_its_bytes(make_site):
    site = make_site("trisync")
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type("trisync"))
    site["a"].write(volume.provider_id, b"leg")
    backend.replicate_now()
    found = site["c"].transfers("cinder-pod:cinder-trisync")
    assert found, "no completed transfer of the pod's group on the third site"
    plain = volume.provider_id.split("::")[1]
    name = "%s.%s" % (found[0].name, plain)
    assert name in site["c"].snapshots()
    from pypureclient import flasharray
    site["c"].client.post_volumes(names=["copy"], volume=flasharray.VolumePost(
        source=flasharray.Reference(name=name)))
    assert site["c"].read("copy", 3) == b"leg"


def test_a_second_interval_replaces_the_recovery_point(make_site):
    site = make_site("async")
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type("async"))
    site["a"].write(volume.provider_id, b"one")
    backend.replicate_now()
    first = site["b"].transfers("a:cinder-group")[0]
    site["a"].write(volume.provider_id, b"two")
    backend.replicate_now()
    second = site["b"].transfers("a:cinder-group")[0]
    assert second.started > first.started
    backend.failover([volume], "b")
    assert site["b"].read(volume.provider_id, 3) == b"two"


def test_after_a_restart_while_failed_over_the_secondary_serves(make_site):
    site = make_site("async")
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type("async"))
    backend.replicate_now()
    backend.failover([volume], "b")
    backend.start(active_backend_id="b")
    backend.attach(backend.reload(volume))
    assert set(site["b"].connections()) == {(harness.host_name(), volume.provider_id)}
    assert site["a"].connections() == {}


@pytest.mark.parametrize("target", ("pure1", "nowhere", "default"))
def test_a_wrong_target_is_refused_and_changes_nothing(make_site, target):
    site = make_site("async")
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type("async"))
    backend.replicate_now()
    with pytest.raises(exception.InvalidReplicationTarget):
        backend.failover([volume], target)
    assert site["b"].volumes() == {}


def test_a_failed_over_volume_replaces_the_one_of_an_earlier_failover(make_site):
    site = make_site("async")
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type("async"))
    site["a"].write(volume.provider_id, b"one")
    backend.replicate_now()
    backend.failover([volume], "b")
    serial = site["b"].volume(volume.provider_id).serial
    backend.failover([volume], "default")
    site["a"].write(volume.provider_id, b"two")
    backend.replicate_now()
    backend.failover([volume], "b")
    assert site["b"].read(volume.provider_id, 3) == b"two"
    assert site["b"].volume(volume.provider_id).serial == serial
