"""What a test sees of one array: through the official SDK, and its bytes through the I/O port.

`Eyes` is deliberately not the simulator's state dump: the judges look at an array the way a
storage administrator would.
"""

from pypureclient import flasharray

PROBE = "probe"


def ok(response):
    """The items of a successful answer."""
    assert response.status_code == 200, [
        (e.context, e.message) for e in getattr(response, "errors", [])]
    items = getattr(response, "items", None)
    return list(items) if items is not None else []


class Eyes:
    def __init__(self, sim, array):
        self.sim = sim
        self.array = array
        self.client = sim.client(array)

    def volumes(self):
        """Name -> volume, of the volumes that are not destroyed."""
        return {v.name: v for v in ok(self.client.get_volumes(destroyed=False))}

    def volume(self, name):
        found = ok(self.client.get_volumes(names=[name]))
        assert len(found) == 1, (name, found)
        return found[0]

    def destroyed(self):
        return {v.name for v in ok(self.client.get_volumes(destroyed=True))}

    def snapshots(self):
        return {s.name for s in ok(self.client.get_volume_snapshots(destroyed=False))}

    def groups(self):
        """Name -> protection group, of those not destroyed."""
        return {g.name: g for g in ok(self.client.get_protection_groups(destroyed=False))}

    def members(self, group):
        found = ok(self.client.get_protection_groups_volumes(group_names=[group]))
        return {item.member.name for item in found}

    def groups_of(self, volume):
        found = ok(self.client.get_protection_groups_volumes(member_names=[volume]))
        return {item.group.name for item in found}

    def pods(self):
        return {p.name: p for p in ok(self.client.get_pods(destroyed=False))}

    def hosts(self):
        return {h.name: h for h in ok(self.client.get_hosts())}

    def connections(self, volume=None):
        """(host, volume) -> connection."""
        asked = {"volume_names": [volume]} if volume else {}
        found = ok(self.client.get_connections(**asked))
        return {(c.host.name, c.volume.name): c for c in found}

    def tags(self, volume):
        found = ok(self.client.get_volumes_tags(
            resource_names=[volume], namespaces=["openstack-integration.purestorage.com"]))
        return {t.key: getattr(t, "value", None) for t in found}

    def transfers(self, group):
        """The replicated snapshots of a group on its target, newest first."""
        return ok(self.client.get_protection_group_snapshots_transfer(
            names=[group], destroyed=False, filter='progress="1.0"', sort=["started-"]))

    # Bytes. A probe host is connected for the moment of the access only.

    def _connected(self, volume, act):
        if PROBE not in self.hosts():
            ok(self.client.post_hosts(names=[PROBE], host=flasharray.HostPost(
                iqns=["iqn.2020-01.test:probe-" + self.array])))
        ok(self.client.post_connections(host_names=[PROBE], volume_names=[volume]))
        try:
            return act()
        finally:
            assert self.client.delete_connections(
                host_names=[PROBE], volume_names=[volume]).status_code == 200
            assert self.client.delete_hosts(names=[PROBE]).status_code == 200

    def write(self, volume, data, offset=0):
        self._connected(volume, lambda: self.sim.write(self.array, PROBE, volume, offset, data))

    def read(self, volume, length, offset=0):
        return self._connected(
            volume, lambda: self.sim.read(self.array, PROBE, volume, offset, length))
