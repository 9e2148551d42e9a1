"""A host, and users of it with their clients, for each way in which users are known."""

import contextlib
import itertools

from programs import PROJECT, QuickHost, eventually
from shells import Clients

OTHER = "fedcba9876543210fedcba9876543210"
_numbers = itertools.count(1)

TOKENS = """
[auth]
mode = "tokens"
tokens_file = "tokens.toml"
"""


def fresh(word):
    """A name that nothing else has."""
    return f"{word}-{next(_numbers)}"


def token(role, project=PROJECT):
    """A static token that `cinder` can say too: see docs/operators.md."""
    return f"the-secret-of-{role}:{project}"


def write_tokens(folder):
    entries = [("admin", PROJECT), ("member", PROJECT), ("reader", PROJECT), ("stranger", OTHER), ("service", PROJECT)]
    roles = {"stranger": "member"}
    (folder / "tokens.toml").touch(mode=0o600)
    (folder / "tokens.toml").write_text("".join(
        f'[[token]]\ntoken = "{token(name, project)}"\nuser = "{name}"\nproject = "{project}"\nroles = ["{roles.get(name, name)}"]\n'
        for name, project in entries))


class Cloud:
    """One host and its users."""

    def __init__(self, host, kind, users, project=PROJECT, call_token=None, service_token=None):
        self.host, self.kind, self.users, self.project = host, kind, users, project
        self.call_token = call_token or (token("admin") if kind == "tokens" else f"admin:{project}")
        self.service_token = service_token or token("service")
        self.admin, self.other = users["admin"], OTHER

    def cinder(self, *words, **more):
        return self.admin.cinder(*words, **more)

    def openstack(self, *words, **more):
        return self.admin.openstack(*words, **more)

    def read(self, *words):
        return self.admin.read(*words)

    def call(self, method, path, body=None, version="3.71", headers=None):
        status, _, answer = self.host.call(
            method, f"/v3{path}", body, token=self.call_token, version=version, headers=headers)
        assert status < 400, answer
        return answer

    def as_nova(self, method, path, body=None):
        """A call of a user that Nova passes on, with its service token beside the user's."""
        return self.call(method, path, body, headers={"X-Service-Token": self.service_token})

    def wait(self, collection, thing, status="available"):
        """Waits until a volume or snapshot, by id, has a status; gives it back."""
        def ended():
            found = self.call("GET", f"/{collection}s/{thing}")[collection]
            return found if found["status"] in (status, "error", "error_deleting") else None
        found = eventually(ended)
        assert found and found["status"] == status, found or self.call("GET", f"/{collection}s/{thing}")
        return found

    def gone(self, collection, thing):
        """Waits until a volume or snapshot is no more."""
        path = f"/v3/{collection}s/{thing}"
        assert eventually(lambda: self.host.call("GET", path, token=self.call_token)[0] == 404), path

    def unlimited(self):
        """Takes the limits off, which a file of tests would run into."""
        limits = {"volumes": -1, "snapshots": -1, "gigabytes": -1}
        self.call("PUT", "/os-quota-class-sets/default", {"quota_class_set": limits})

    def volume(self, size=1, **more):
        """A volume that is available, made without a client."""
        made = self.call("POST", "/volumes", {"volume": {"size": size, "name": fresh("volume"), **more}})["volume"]
        return self.wait("volume", made["id"])

    def snapshot(self, volume, **more):
        made = self.call("POST", "/snapshots", {"snapshot": {"volume_id": volume, "name": fresh("snapshot"), **more}})
        return self.wait("snapshot", made["snapshot"]["id"])


@contextlib.contextmanager
def open_cloud(folder, kind, keystone=None):
    """A host whose users are known in one of the three ways, ready to place volumes. `keystone`: the one to ask."""
    if kind == "tokens":
        write_tokens(folder)
    more = {"tokens": TOKENS, "noauth": ""}
    made = keystone.host(folder) if keystone else QuickHost(folder, more[kind], backends=("quick", "slow"))
    with made as host:
        if keystone:
            keystone.serve(host.url)
            place = Cloud(host, kind, keystone.users(host), keystone.projects["red"], keystone.token("admin"),
                          keystone.token("nova"))
            place.other = keystone.projects["blue"]
        else:
            users = users_of(host, kind)
            place = Cloud(host, kind, users, users["admin"].project)
        assert eventually(lambda: len(place.call("GET", "/scheduler-stats/get_pools")["pools"]) == 2), host.log()
        place.unlimited()
        yield place


def users_of(host, kind):
    if kind == "tokens":
        projects = {"stranger": OTHER}
        return {name: Clients(host.url, token(name, projects.get(name, PROJECT)), projects.get(name, PROJECT))
                for name in ("admin", "member", "reader", "stranger")}
    return {"admin": Clients(host.url, project="00000000000000000000000000000001")}
