"""The rest of the upstream driver's known faults: those that need a look at the request log.

As in test_upstream_bugs.py, the array is held blameless in every one of them.
"""

import pytest

import harness


def log(site, array, method, path):
    return [r for r in site.sim.requests(array)
            if r["method"] == method and r["path"] == path]


def test_a_wrong_tri_sync_configuration_is_not_fatal_and_loses_volumes(make_site):
    """One target makes no tri-sync: only logged. Volumes of the type are then eradicated."""
    site = make_site("sync")
    backend = site.backend("iscsi", pure_trisync_enabled=True)
    volume = backend.create(1, backend.type("trisync"))
    assert volume.replication_status == "enabled"
    assert volume.provider_id not in site["a"].volumes()
    assert volume.provider_id not in site["a"].destroyed()


def test_an_async_round_trip_switches_the_stretched_pod_off_in_the_driver(make_site):
    """The pod on the arrays is as it was; the driver has stopped looking at it."""
    site = make_site("trisync")
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type("async"))
    backend.replicate_now()
    backend.failover([volume], "c")
    backend.failover([volume], "default")
    assert backend.driver._is_active_cluster_enabled is False
    members = {m.name: m.status for m in site["a"].pods()["cinder-pod"].arrays}
    assert members == {"a": "online", "b": "online"}


def test_the_configured_certificate_is_ignored(make_site, monkeypatch, tmp_path):
    """The path is stored in an attribute that nobody reads; the array's certificate is sound."""
    site = make_site("async")
    empty = tmp_path / "none.pem"
    empty.write_text("")
    authority = site.sim.ca
    monkeypatch.setenv("SSL_CERT_FILE", str(empty))
    with pytest.raises(Exception):
        site.backend("iscsi", driver_ssl_cert_path=authority)
    assert log(site, "a", "POST", "login") == []
    monkeypatch.setenv("SSL_CERT_FILE", authority)
    site.backend("iscsi")
    assert log(site, "a", "POST", "login")


def test_an_array_limit_while_stretching_is_taken_for_stretched(make_site):
    """The array refuses to stretch; set-up is content and the pod has one side."""
    site = make_site("sync")
    site.sim.fault("a", method="POST", path="/pods/arrays", kind="status", status=400, count=1,
                   body={"errors": [{"context": "cinder-pod",
                                     "message": "Pod stretch limit reached."}]})
    site.backend("iscsi")
    assert site["a"].pods()["cinder-pod"].array_count == 1
    assert "cinder-pod" not in site["b"].pods()


def test_an_nvme_host_is_told_only_the_first_arrays_subsystem(make_site):
    """Both arrays have the connection and portals; one target name stands for both."""
    site = make_site("sync")
    backend = site.backend("nvme-tcp")
    volume = backend.create(1, backend.type("sync"))
    data = backend.attach(volume)["data"]
    for array in ("a", "b"):
        assert site[array].connections(volume.provider_id)
    names = {array: {p.nqn for p in site[array].client.get_ports().items
                     if getattr(p, "nqn", None)} for array in ("a", "b")}
    assert names["a"].isdisjoint(names["b"])
    assert isinstance(data["target_nqn"], str)
    assert data["target_nqn"] in names["a"] | names["b"]


def test_a_fibre_channel_host_is_looked_up_by_its_last_port_only(make_site, monkeypatch):
    """A host known by its first port is not found; the array refuses to make a second one."""
    from cinder import exception
    from pypureclient import flasharray
    site = make_site("async")
    backend = site.backend("fc")
    site["a"].client.post_hosts(names=["by-hand"], host=flasharray.HostPost(
        wwns=[harness.connector()["wwpns"][0]]))
    volume = backend.create(1)
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)  # it pauses 15 s in between
    with pytest.raises((exception.VolumeDriverException, exception.VolumeBackendAPIException)):
        backend.attach(volume)
    refused = log(site, "a", "POST", "hosts")
    assert refused and refused[-1]["status"] == 400
    assert site["a"].connections() == {}


def test_statistics_read_every_volume_snapshot_and_host_each_time(make_site):
    """Counting is done by listing everything; the array offers the count alone."""
    site = make_site("async")
    backend = site.backend("iscsi")
    for path in ("volumes", "volume-snapshots", "hosts", "protection-groups"):
        before = len(log(site, "a", "GET", path))
        backend.stats()
        requests = log(site, "a", "GET", path)[before:]
        assert len(requests) == 1 and "limit" not in requests[0]["query"]
    counted = site["a"].client.get_volumes(limit=1, total_item_count=True)
    assert counted.total_item_count == len(site["a"].volumes())


def test_a_refused_retention_is_not_noticed(make_site):
    """The array keeps its default; set-up goes on as if ours were set."""
    site = make_site("async")
    site.sim.fault("a", method="PATCH", path="/protection-groups", kind="status", status=400,
                   count=1, body={"errors": [{"context": "cinder-group",
                                              "message": "Retention is locked."}]})
    site.backend("iscsi")
    group = site["a"].groups()["cinder-group"]
    assert group.replication_schedule.enabled is True
    assert log(site, "a", "PATCH", "protection-groups")[0]["status"] == 400
