"""The harness against the real thing: a whole Cinder leaves the arrays as the harness does.

What this proves: the harness plays the manager's part truly, and the client side of the
differential test (`cinder_api.ApiCloud`) asks for what it means to ask.
"""

import pytest

import compare
import harness
import scenario
from services import WholeCinder
from sites import CONFIGURATIONS


def through_the_driver(make_site, configuration, steps):
    site = make_site(configuration)
    backend = site.backend("iscsi")
    cloud = scenario.UpstreamCloud(backend)
    steps(cloud, backend.replicate_now)
    return scenario.final_state(site.sim, cloud.ids())


def through_cinder(make_site, configuration, steps):
    site = make_site(configuration)
    shape = CONFIGURATIONS[configuration]
    options = harness.backend_options(
        site.sim, "iscsi", shape["replication"], **shape["options"])

    def pass_an_interval():
        site.sim.advance(3600)
        site.sim.advance(360)

    with WholeCinder(options) as cloud:
        steps(cloud, pass_an_interval)
        return scenario.final_state(site.sim, cloud.ids())


@pytest.mark.parametrize("configuration", ("async", "sync", "trisync"))
def test_a_day_through_a_whole_cinder_leaves_the_same_arrays(make_site, configuration):
    def steps(cloud, _):
        scenario.everyday(cloud, configuration)

    one = through_the_driver(make_site, configuration, steps)
    two = through_cinder(make_site, configuration, steps)
    assert compare.differences(one, two) == []


@pytest.mark.parametrize("configuration", ("async", "sync"))
def test_a_failover_through_a_whole_cinder_leaves_the_same_arrays(make_site, configuration):
    outcomes = []

    def steps(cloud, pass_an_interval):
        outcomes.append(scenario.failover(cloud, configuration, "b", pass_an_interval))

    one = through_the_driver(make_site, configuration, steps)
    two = through_cinder(make_site, configuration, steps)
    assert outcomes == [{"gold": "failed-over", "iron": "failed-over"}] * 2
    assert compare.differences(one, two) == []


def test_retypes_and_groups_through_a_whole_cinder_leave_the_same_arrays(make_site):
    def steps(cloud, _):
        scenario.retypes(cloud, ("none", "async", "sync", "trisync"))
        scenario.groups(cloud, "async")

    one = through_the_driver(make_site, "trisync", steps)
    two = through_cinder(make_site, "trisync", steps)
    assert compare.differences(one, two) == []


def test_volumes_of_one_service_are_taken_over_by_another_as_they_are(make_site):
    """The names on the arrays are all that two services need to have in common."""
    site = make_site("trisync")
    options = harness.backend_options(
        site.sim, "iscsi", site.shape["replication"], **site.shape["options"])
    kinds = ("none", "async", "sync", "trisync")
    with WholeCinder(options) as cloud:
        for kind in kinds:
            cloud.create(kind, 1, kind)
        made = dict(cloud.volumes)
        before = scenario.final_state(site.sim, cloud.ids())

    backend = site.backend("iscsi")
    names = {v.split("volume-")[1][:36]: v for v in site["a"].volumes()}
    taken = {kind: backend.adopt(made[kind], names[made[kind]], 1, backend.type(kind))
             for kind in kinds}
    ids = {id: kind for kind, id in made.items()}
    assert compare.differences(before, scenario.final_state(site.sim, ids)) == []

    for kind, volume in taken.items():
        assert backend.driver._generate_purity_vol_name(volume) == volume.provider_id
        backend.extend(volume, 2)
        backend.snapshot(volume)
        backend.attach(volume)
        backend.detach(volume)
        assert site["a"].volume(volume.provider_id).provisioned == 2 << 30
        backend.delete(volume)
    assert site["a"].volumes() == {}
