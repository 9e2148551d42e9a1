"""Arrays that the upstream driver has used become ours as they are: nothing is renamed, touched or lost, and it lives on."""

import pytest

import compare
import scenario
from services import Springform

KINDS = ("none", "async", "sync", "trisync", "gold", "async gold")
NAMES = ("gold", "iron", "copy")


def used(site, kind):
    """What the upstream driver leaves behind: volumes, a snapshot, a machine."""
    cloud = scenario.UpstreamCloud(site.backend("iscsi"))
    cloud.create("gold", 2, kind)
    cloud.create("iron", 1, kind)
    cloud.snapshot("monday", "gold")
    cloud.clone("copy", "gold")
    cloud.attach("iron", "compute1")
    cloud.backend.replicate_now()
    return cloud


def take_over(cloud, name, array_name, kind):
    """Manages a volume under the name that it has."""
    made = cloud.call("POST", "/manageable_volumes", {"volume": {
        "host": cloud.host + "#pure1", "name": name, "volume_type": cloud.type(kind),
        "ref": {"keep-name": array_name}}})["volume"]
    cloud.volumes[name] = made["id"]
    cloud.wait("volume", made["id"])


@pytest.mark.parametrize("configuration, kind", (
    ("async", "async"), ("sync", "sync"), ("trisync", "trisync"), ("async", "async gold")))
def test_volumes_are_taken_over_as_they_are_and_live_on(make_site, configuration, kind):
    site = make_site(configuration)
    before_ours = used(site, kind)
    ids = before_ours.ids()
    names = {name: before_ours.volumes[name].provider_id for name in NAMES}
    found = scenario.final_state(site.sim, ids)
    with Springform(site) as cloud:
        # Set-up found everything in its place.
        assert compare.differences(found, scenario.final_state(site.sim, ids)) == []
        for name in NAMES:
            take_over(cloud, name, names[name], kind)
        assert compare.differences(found, scenario.final_state(site.sim, ids)) == []
        for name in NAMES:
            volume = cloud.call("GET", "/volumes/" + cloud.volumes[name])["volume"]
            assert volume["metadata"]["array_volume_name"] == names[name]
            assert volume["replication_status"] == "enabled"
        cloud.extend("gold", 3)
        cloud.snapshot("tuesday", "gold")
        cloud.attach("gold", "compute2")
        cloud.detach("gold", "compute2")
        assert site["a"].volume(names["gold"]).provisioned == 3 << 30
        cloud.delete_snapshot("tuesday")
        cloud.delete("copy")
        assert names["copy"] in site["a"].destroyed()
        site.sim.advance(3600)
        site.sim.advance(360)
        moved = cloud.failover("b")
        assert moved["gold"] == moved["iron"] == "failed-over"
        assert {names["gold"], names["iron"]} <= set(site["b"].volumes())


def test_ours_are_taken_over_by_the_upstream_driver_as_they_are(make_site):
    """The way back: nobody is locked in."""
    site = make_site("trisync")
    with Springform(site) as cloud:
        for kind in KINDS:
            cloud.create(kind, 1, kind)
        cloud.snapshot("monday", "async")
        made, ids = dict(cloud.volumes), cloud.ids()
    before = scenario.final_state(site.sim, ids)
    backend = site.backend("iscsi")
    arrays = {v.split("volume-")[1][:36]: v for v in site["a"].volumes()}
    taken = {kind: backend.adopt(made[kind], arrays[made[kind]], 1, backend.type(kind)) for kind in KINDS}
    assert compare.differences(before, scenario.final_state(site.sim, ids)) == []
    for volume in taken.values():
        backend.extend(volume, 2)
        backend.attach(volume)
        backend.detach(volume)
        backend.delete(volume)
    assert site["a"].volumes() == {}
