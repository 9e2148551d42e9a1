"""The differential test's own footing: a scenario run twice leaves equal arrays."""

import pytest

import compare
import scenario


def run(make_site, configuration, steps):
    site = make_site(configuration)
    cloud = scenario.UpstreamCloud(site.backend("iscsi"))
    steps(site, cloud)
    return scenario.final_state(site.sim, cloud.ids())


STEPS = {
    "everyday": lambda site, cloud: scenario.everyday(cloud, site.kind),
    "groups": lambda site, cloud: scenario.groups(
        cloud, "async" if site.kind == "trisync" else site.kind),
    "failover": lambda site, cloud: scenario.failover(
        cloud, site.kind, "b", cloud.backend.replicate_now),
}


@pytest.mark.parametrize("name", sorted(STEPS))
@pytest.mark.parametrize("configuration", ("async", "sync", "trisync"))
def test_the_same_scenario_leaves_the_same_arrays(make_site, configuration, name):
    one = run(make_site, configuration, STEPS[name])
    two = run(make_site, configuration, STEPS[name])
    assert compare.differences(one, two) == []
    assert one["a"]["volumes"], "a state without volumes would equal anything"


def test_a_difference_is_found_and_named(make_site):
    one = run(make_site, "async", lambda site, cloud: cloud.create("gold", 1))
    two = run(make_site, "async", lambda site, cloud: cloud.create("gold", 2))
    assert compare.differences(one, two) == [
        "/a/volumes/volume-<gold>-cinder/provisioned: 1073741824, 2147483648"]
