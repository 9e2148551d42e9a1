"""One scenario, several clouds: what the arrays look like afterwards may not differ.

A `Cloud` offers Cinder's verbs under names that the scenario chooses ("gold", "copy of gold").
`UpstreamCloud` drives the unmodified driver in this process; `cinder_api.ApiCloud` speaks the
Cinder REST API to a running service. `final_state` reads the arrays through the official SDK and
replaces what must differ (uuids, serials, times) by what it means.
"""

import re

from eyes import Eyes, ok

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class UpstreamCloud:
    """Cinder's verbs through the upstream driver."""

    def __init__(self, backend):
        self.backend = backend
        self.volumes = {}
        self.snapshots = {}
        self.groups = {}
        self.group_snapshots = {}

    def ids(self):
        """uuid -> the scenario's name, of everything that was ever made."""
        named = {}
        for things in (self.volumes, self.snapshots, self.groups):
            named.update({thing.id: name for name, thing in things.items()})
        named.update({taken.id: name for name, (taken, _) in self.group_snapshots.items()})
        return named

    def create(self, name, size=1, kind="none", group=None):
        self.volumes[name] = self.backend.create(
            size, self.backend.type(kind), self.groups[group] if group else None)

    def extend(self, name, size):
        self.backend.extend(self.volumes[name], size)

    def delete(self, name):
        self.backend.driver.delete_volume(self.volumes[name])
        self.backend.apply(self.volumes[name], {}, status="deleted")

    def snapshot(self, name, volume):
        self.snapshots[name] = self.backend.snapshot(self.volumes[volume])

    def delete_snapshot(self, name):
        self.backend.driver.delete_snapshot(self.snapshots[name])

    def clone(self, name, source, size=None):
        self.volumes[name] = self.backend.clone(self.volumes[source], size)

    def create_from_snapshot(self, name, snapshot, size=None):
        self.volumes[name] = self.backend.create_from_snapshot(self.snapshots[snapshot], size)

    def revert(self, name, snapshot):
        self.backend.revert(self.volumes[name], self.snapshots[snapshot])

    def retype(self, name, kind):
        self.volumes[name] = self.backend.retype(self.volumes[name], self.backend.type(kind))

    def attach(self, name, host):
        return self.backend.attach(self.volumes[name], host)

    def detach(self, name, host):
        self.backend.detach(self.volumes[name], host)

    def group(self, name, kinds, replicated=False):
        self.groups[name] = self.backend.group(
            [self.backend.type(kind) for kind in kinds], replicated)

    def update_group(self, name, add=(), remove=()):
        self.backend.update_group(
            self.groups[name], [self.volumes[v] for v in add], [self.volumes[v] for v in remove])

    def delete_group(self, name):
        self.backend.driver.delete_group(
            self.backend.context, self.groups[name], self.backend.volumes_of(self.groups[name]))

    def group_snapshot(self, name, group):
        self.group_snapshots[name] = self.backend.group_snapshot(self.groups[group])

    def delete_group_snapshot(self, name):
        self.backend.delete_group_snapshot(*self.group_snapshots[name])

    def failover(self, target=None):
        """Replicated volumes only, as the manager does; returns name -> replication status."""
        moved = {name: volume for name, volume in self.volumes.items()
                 if volume.replication_status == "enabled" and volume.status == "available"}
        self.backend.failover(list(moved.values()), target)
        return {name: self.backend.reload(volume).replication_status
                for name, volume in moved.items()}


def everyday(cloud, kind):
    """A day in the life of volumes of one kind."""
    cloud.create("gold", 2, kind)
    cloud.create("iron", 1, kind)
    cloud.create("plain", 1)
    cloud.extend("gold", 4)
    cloud.snapshot("monday", "gold")
    cloud.snapshot("tuesday", "gold")
    cloud.clone("copy", "gold")
    cloud.clone("larger copy", "iron", 3)
    cloud.create_from_snapshot("from monday", "monday")
    cloud.create_from_snapshot("larger from monday", "monday", 6)
    cloud.revert("gold", "tuesday")
    cloud.delete_snapshot("monday")
    cloud.attach("gold", "compute1")
    cloud.attach("iron", "compute1")
    cloud.attach("copy", "compute2")
    cloud.detach("iron", "compute1")
    cloud.attach("plain", "compute3")
    cloud.detach("plain", "compute3")
    cloud.delete("larger copy")


def retypes(cloud, kinds):
    """One volume for every pair of kinds, and one that goes all the way round."""
    for old in kinds:
        for new in kinds:
            if old != new:
                name = "%s to %s" % (old, new)
                cloud.create(name, 1, old)
                cloud.retype(name, new)
    cloud.create("round", 1, kinds[0])
    for kind in list(kinds[1:]) + [kinds[0]]:
        cloud.retype("round", kind)


def groups(cloud, kind):
    """A plain consistency group and a replicated one, with a snapshot that stays.

    Not of kind trisync: the upstream driver cannot make such a group.
    """
    cloud.group("plain group", ["none"])
    cloud.create("one", 1, group="plain group")
    cloud.create("two", 1, group="plain group")
    cloud.create("late", 1)
    cloud.update_group("plain group", add=["late"], remove=["one"])
    cloud.group_snapshot("kept", "plain group")
    cloud.group_snapshot("dropped", "plain group")
    cloud.delete_group_snapshot("dropped")
    cloud.group("replicated group", [kind], replicated=True)
    cloud.create("three", 1, kind, group="replicated group")
    cloud.group("short-lived", ["none"])
    cloud.create("four", 1, group="short-lived")
    cloud.delete_group("short-lived")


def volume_groups(cloud, target, pass_an_interval):
    """Volumes in volume groups, into them, out of them, from one to another, and to the second array.

    Retyped into groups without limits only: the upstream driver fails on others.
    """
    cloud.create("one", 2, "gold")
    cloud.create("two", 1, "async gold")
    cloud.snapshot("monday", "one")
    cloud.create_from_snapshot("from monday", "monday")
    cloud.extend("one", 3)
    cloud.attach("one", "compute1")
    cloud.detach("one", "compute1")
    cloud.create("comes", 1)
    cloud.retype("comes", "iron")
    cloud.create("goes", 1, "gold")
    cloud.retype("goes", "none")
    cloud.create("changes", 1, "gold")
    cloud.snapshot("tuesday", "changes")
    cloud.retype("changes", "iron")
    cloud.create("last", 1, "silver")
    cloud.delete("last")
    pass_an_interval()
    outcome = cloud.failover(target)
    cloud.attach("two", "compute1")
    return outcome


def failover(cloud, kind, target, pass_an_interval):
    """Volumes of one kind move to the target and one of them is attached there."""
    cloud.create("gold", 1, kind)
    cloud.create("iron", 1, kind)
    pass_an_interval()
    outcome = cloud.failover(target)
    cloud.attach("gold", "compute1")
    return outcome


def _get(thing, *path):
    for part in path:
        thing = getattr(thing, part, None)
        if thing is None:
            return None
    return thing


def final_state(sim, ids, arrays=None):
    """What an administrator finds on the arrays, comparable between two runs.

    uuids become "<name>" by `ids`; snapshots that a schedule took lose their number, host objects what tells
    machines of one name apart (Cinder: the DMI UUID; we: that, the whole name and an initiator). Destroyed
    snapshots that nobody asked for are left out: Cinder's manager takes one before a revert.
    """

    def plain(text):
        if text is None:
            return None
        text = UUID.sub(lambda m: "<%s>" % ids.get(m.group(0), "unknown"), text)
        return re.sub(r"(cinder-group|cinder-trisync|-cinder)\.\d+", r"\1.<n>", text)

    def machine(host):
        return re.sub(r"-[0-9a-f]{32}-cinder$", "-<machine>-cinder", host)

    def tree(eyes):
        client = eyes.client
        volumes = {}
        for v in ok(client.get_volumes()):
            volumes[plain(v.name)] = {
                "provisioned": v.provisioned, "destroyed": v.destroyed,
                "iops": _get(v, "qos", "iops_limit"),
                "bandwidth": _get(v, "qos", "bandwidth_limit"),
                "tags": {} if v.destroyed else {
                    k: plain(t) for k, t in eyes.tags(v.name).items()
                    if k not in ("ProjectId", "VmId")},
            }
        snapshots = {plain(s.name): {"provisioned": s.provisioned, "destroyed": s.destroyed}
                     for s in ok(client.get_volume_snapshots())
                     if not (s.destroyed and "<unknown>" in plain(s.name))}
        groups = {}
        for g in ok(client.get_protection_groups()):
            groups[plain(g.name)] = {
                "destroyed": g.destroyed,
                "members": [] if g.destroyed else sorted(map(plain, eyes.members(g.name))),
                "targets": [] if g.destroyed else sorted(
                    (t.member.name, t.allowed) for t in
                    ok(client.get_protection_groups_targets(group_names=[g.name]))),
                "enabled": _get(g, "replication_schedule", "enabled"),
                "frequency": _get(g, "replication_schedule", "frequency"),
                "retention": [_get(g, "target_retention", k)
                              for k in ("all_for_sec", "per_day", "days")],
            }
        return {
            "volumes": volumes,
            "snapshots": snapshots,
            "groups": groups,
            "pods": {plain(p.name): {
                "destroyed": p.destroyed,
                "arrays": sorted((m.name, m.status) for m in p.arrays)}
                for p in ok(client.get_pods())},
            "hosts": {machine(h.name): {
                "initiators": sorted((_get(h, "iqns") or []) + (_get(h, "wwns") or [])
                                     + (_get(h, "nqns") or [])),
                "personality": _get(h, "personality"),
                "chap user": _get(h, "chap", "host_user")}
                for h in eyes.hosts().values()},
            "connections": sorted(
                (machine(host), plain(volume)) for host, volume in eyes.connections()),
            "volume groups": {g.name: {
                "destroyed": g.destroyed,
                "iops": _get(g, "qos", "iops_limit"),
                "bandwidth": _get(g, "qos", "bandwidth_limit")}
                for g in ok(client.get_volume_groups())},
        }

    return {name: tree(Eyes(sim, name)) for name in arrays or sorted(sim.arrays)}
