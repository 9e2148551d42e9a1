"""The scenarios' verbs through a running block-storage service: the Cinder v3 REST API.

The counterpart of `scenario.UpstreamCloud`. It waits for what it asked for by polling the status
that Cinder shows, and gives up with the service's own words.
"""

import json
import time
import urllib.error
import urllib.request

from harness import KINDS, connector

MICROVERSION = "volume 3.71"
DEADLINE = 120.0


class Refused(Exception):
    """The service answered with an error."""

    def __init__(self, status, body):
        super().__init__("%s: %s" % (status, body))
        self.status = status
        self.body = body


class ApiCloud:
    """Cinder's verbs over HTTP.

    `endpoint`: http://host:port/v3. `host`: the volume service, like "springform@pure1".
    """

    def __init__(self, endpoint, host, token="judge:0123456789abcdef0123456789abcdef"):
        self.endpoint = endpoint.rstrip("/")
        self.host = host
        self.token = token
        self.volumes, self.snapshots, self.groups, self.group_snapshots = {}, {}, {}, {}
        self._types = {}
        self._group_types = {}
        self._attachments = {}

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.endpoint + path, data=data, method=method)
        request.add_header("X-Auth-Token", self.token)
        request.add_header("OpenStack-API-Version", MICROVERSION)
        request.add_header("Accept", "application/json")
        if data is not None:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
                content = answer.read()
        except urllib.error.HTTPError as refused:
            raise Refused(refused.code, refused.read().decode(errors="replace")) from None
        return json.loads(content) if content else None

    def wait(self, kind, id, status="available"):
        """Polls until the thing has the status; `deleted` means that it is gone."""
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                found = self.call("GET", "/%ss/%s" % (kind, id))[kind]
            except Refused as refused:
                if refused.status == 404 and status == "deleted":
                    return None
                raise
            if found["status"] == status:
                return found
            if found["status"].startswith("error") or time.monotonic() > deadline:
                messages = self.call("GET", "/messages")["messages"]
                told = [m["user_message"] for m in messages if m.get("resource_uuid") == id]
                raise AssertionError("%s %s is %s, not %s: %s" % (
                    kind, id, found["status"], status, told))
            time.sleep(0.05)

    def ids(self):
        named = {}
        for things in (self.volumes, self.snapshots, self.groups, self.group_snapshots):
            named.update({id: name for name, id in things.items()})
        return named

    def lift_quotas(self):
        """A scenario makes more volumes than a project gets unasked."""
        project = self.token.split(":")[-1]
        self.call("PUT", "/os-quota-sets/" + project, {"quota_set": {
            "volumes": -1, "snapshots": -1, "gigabytes": -1}})

    # Types.

    def type(self, kind):
        if kind not in self._types:
            made = self.call("POST", "/types", {"volume_type": {"name": "type-" + kind}})
            self._types[kind] = made["volume_type"]["id"]
            if KINDS[kind]:
                self.call("POST", "/types/%s/extra_specs" % self._types[kind],
                          {"extra_specs": KINDS[kind]})
        return self._types[kind]

    def group_type(self, replicated):
        if replicated not in self._group_types:
            made = self.call("POST", "/group_types", {"group_type": {
                "name": "group type %s" % replicated, "is_public": True}})["group_type"]
            specs = {"consistent_group_snapshot_enabled": "<is> True"}
            if replicated:
                specs["consistent_group_replication_enabled"] = "<is> True"
            self.call("POST", "/group_types/%s/group_specs" % made["id"], {"group_specs": specs})
            self._group_types[replicated] = made["id"]
        return self._group_types[replicated]

    # Volumes and snapshots.

    def _new_volume(self, name, **fields):
        made = self.call("POST", "/volumes", {"volume": dict(fields, name=name)})["volume"]
        self.volumes[name] = made["id"]
        self.wait("volume", made["id"])

    def create(self, name, size=1, kind="none", group=None):
        extra = {"group_id": self.groups[group]} if group else {}
        self._new_volume(name, size=size, volume_type=self.type(kind), **extra)

    def clone(self, name, source, size=None):
        found = self.call("GET", "/volumes/" + self.volumes[source])["volume"]
        self._new_volume(name, size=size or found["size"], source_volid=found["id"])

    def create_from_snapshot(self, name, snapshot, size=None):
        found = self.call("GET", "/snapshots/" + self.snapshots[snapshot])["snapshot"]
        self._new_volume(name, size=size or found["size"], snapshot_id=found["id"])

    def _action(self, name, action, body, status="available"):
        id = self.volumes[name]
        answer = self.call("POST", "/volumes/%s/action" % id, {action: body})
        if status:
            self.wait("volume", id, status)
        return answer

    def extend(self, name, size):
        self._action(name, "os-extend", {"new_size": size})

    def retype(self, name, kind):
        self._action(name, "os-retype", {"new_type": self.type(kind),
                                         "migration_policy": "never"})
        found = self.call("GET", "/volumes/" + self.volumes[name])["volume"]
        assert found["volume_type_id"] == self.type(kind), "the retype was not done"

    def revert(self, name, snapshot):
        self._action(name, "revert", {"snapshot_id": self.snapshots[snapshot]})

    def delete(self, name):
        self.call("DELETE", "/volumes/" + self.volumes[name])
        self.wait("volume", self.volumes[name], "deleted")

    def snapshot(self, name, volume):
        made = self.call("POST", "/snapshots", {"snapshot": {
            "volume_id": self.volumes[volume], "name": name, "force": True}})["snapshot"]
        self.snapshots[name] = made["id"]
        self.wait("snapshot", made["id"])

    def delete_snapshot(self, name):
        self.call("DELETE", "/snapshots/" + self.snapshots[name])
        self.wait("snapshot", self.snapshots[name], "deleted")

    # Attachments.

    def attach(self, name, host):
        """Without an instance: Cinder lets only Nova take away what belongs to one."""
        made = self.call("POST", "/attachments", {"attachment": {
            "volume_uuid": self.volumes[name],
            "connector": connector(host), "mode": "rw"}})["attachment"]
        self._attachments[(name, host)] = made["id"]
        self.call("POST", "/attachments/%s/action" % made["id"], {"os-complete": {}})
        self.wait("volume", self.volumes[name], "in-use")
        return self.call("GET", "/attachments/" + made["id"])["attachment"]["connection_info"]

    def connection(self, name, host):
        """What the driver tells a machine, in the form in which it tells it."""
        return self._action(name, "os-initialize_connection", {"connector": connector(host)},
                            status=None)["connection_info"]

    def detach(self, name, host):
        self.call("DELETE", "/attachments/" + self._attachments.pop((name, host)))
        self.wait("volume", self.volumes[name])

    # Groups.

    def group(self, name, kinds, replicated=False):
        made = self.call("POST", "/groups", {"group": {
            "name": name, "group_type": self.group_type(replicated),
            "volume_types": [self.type(kind) for kind in kinds]}})["group"]
        self.groups[name] = made["id"]
        self.wait("group", made["id"])

    def update_group(self, name, add=(), remove=()):
        self.call("PUT", "/groups/" + self.groups[name], {"group": {
            "add_volumes": ",".join(self.volumes[v] for v in add),
            "remove_volumes": ",".join(self.volumes[v] for v in remove)}})
        self.wait("group", self.groups[name])

    def delete_group(self, name):
        self.call("POST", "/groups/%s/action" % self.groups[name],
                  {"delete": {"delete-volumes": True}})
        self.wait("group", self.groups[name], "deleted")

    def group_snapshot(self, name, group):
        made = self.call("POST", "/group_snapshots", {"group_snapshot": {
            "group_id": self.groups[group], "name": name}})["group_snapshot"]
        self.group_snapshots[name] = made["id"]
        self.wait("group_snapshot", made["id"])

    def delete_group_snapshot(self, name):
        self.call("DELETE", "/group_snapshots/" + self.group_snapshots[name])
        self.wait("group_snapshot", self.group_snapshots[name], "deleted")

    # Replication.

    def service(self):
        found = self.call("GET", "/os-services?binary=cinder-volume&host=" + self.host)
        return found["services"][0]

    def failover(self, target=None):
        """`failover-host`; name -> replication status of the volumes that are replicated."""
        before = {}
        for name, id in self.volumes.items():
            try:
                before[name] = self.call("GET", "/volumes/" + id)["volume"]
            except Refused as refused:
                if refused.status != 404:
                    raise
        moved = [n for n, v in before.items() if v["replication_status"] == "enabled"]
        self.call("PUT", "/os-services/failover_host",
                  {"host": self.host, "backend_id": target})
        deadline = time.monotonic() + DEADLINE
        while self.service()["replication_status"] == "failing-over":
            if time.monotonic() > deadline:
                raise AssertionError("still failing over: %s" % self.service())
            time.sleep(0.05)
        return {n: self.call("GET", "/volumes/" + self.volumes[n])["volume"]
                ["replication_status"] for n in moved}
