"""Our driver in the place of the upstream one: the same scenario, and the differences that are there on purpose."""

import fnmatch

import compare
import scenario
from services import Springform

# No limit is written as the maxima by theirs, for a copy of a snapshot and at every change of type; ours writes limits
# where there are any. To an array both are no limit.
NO_LIMIT = ("/*/volumes/*/iops: *", "/*/volumes/*/bandwidth: *")

# A volume that was failed over is taken out of the group that sent it: the array that was lost must not go on
# sending what is stale when it comes back. Theirs leaves it in.
DEMOTED = ("/a/groups/cinder-group/members: *",)

# While failed over, a machine keeps the paths of both arrays of a stretched volume. Theirs gives it those of one.
BOTH_ARRAYS = ("/a/connections: *", "/a/hosts/compute1-*: only in the second")

# One schedule sends all volumes at one point in time. Theirs gives a replicated group a second schedule, which sends
# the same bytes twice.
ONE_SCHEDULE = (
    "/*/groups/*consisgroup-<replicated group>-cinder/enabled: *",
    "/*/groups/*consisgroup-<replicated group>-cinder/frequency: *",
    "/*/groups/*consisgroup-<replicated group>-cinder/targets: *",
    "/[bc]/groups/a:consisgroup-<replicated group>-cinder: only in the first",
)

DIFFERENCES = {
    ("async", "everyday"): NO_LIMIT,
    ("async", "failover"): DEMOTED,
    ("async", "groups"): ONE_SCHEDULE,
    ("async", "retypes"): NO_LIMIT,
    ("async", "volume_groups"): DEMOTED,
    ("sync", "everyday"): NO_LIMIT,
    ("sync", "failover"): BOTH_ARRAYS,
    ("sync", "groups"): (),
    ("sync", "retypes"): NO_LIMIT,
    ("trisync", "everyday"): NO_LIMIT,
    ("trisync", "failover"): BOTH_ARRAYS,
    ("trisync", "groups"): ONE_SCHEDULE,
    ("trisync", "retypes"): NO_LIMIT,
}


def through_theirs(site, steps):
    """Outcome and final state of a scenario through the upstream driver."""
    backend = site.backend("iscsi")
    cloud = scenario.UpstreamCloud(backend)
    outcome = steps(cloud, backend.replicate_now)
    return outcome, scenario.final_state(site.sim, cloud.ids())


def through_ours(site, steps):
    """The same through the host and our driver."""
    def pass_an_interval():
        site.sim.advance(3600)
        site.sim.advance(360)

    with Springform(site) as cloud:
        outcome = steps(cloud, pass_an_interval)
        return outcome, scenario.final_state(site.sim, cloud.ids())


def unexplained(one, two, patterns):
    """Differences that no pattern covers, and patterns that cover no difference."""
    found = compare.differences(one, two)
    left = [line for line in found if not any(fnmatch.fnmatchcase(line, p) for p in patterns)]
    idle = [p for p in patterns if not any(fnmatch.fnmatchcase(line, p) for line in found)]
    return left + ["there is no such difference: " + pattern for pattern in idle]
