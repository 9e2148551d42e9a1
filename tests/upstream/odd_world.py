"""The same small world in two clouds, and odd requests to both: what `test_odd_requests.py` compares."""

import http.client
import json
import pathlib
import re
import subprocess
import tempfile
import time

from odd_requests import NO_SUCH
from services import WholeCinder, built, free_address
from simulator import end_with_parent

PROJECT = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"
USERS = {"admin": PROJECT, "member": PROJECT, "reader": PROJECT, "stranger": OTHER}
ROLES = {"admin": "admin,member,reader", "member": "member,reader", "reader": "reader", "stranger": "member,reader"}
DEADLINE = 120.0


class Answer:
    """A status, and what its body is."""

    def __init__(self, status, text):
        self.status = status
        try:
            self.body = json.loads(text or b"null")
        except ValueError:
            self.body = text.decode(errors="replace")

    def message(self):
        inner = next(iter(self.body.values()), None) if isinstance(self.body, dict) else None
        return inner.get("message", "") if isinstance(inner, dict) else str(self.body)[:200]

    def entries(self):
        """How many things a list has; None where it is no list."""
        lists = [value for key, value in self.body.items() if isinstance(value, list) and not key.endswith("_links")] \
            if isinstance(self.body, dict) else []
        return len(lists[0]) if len(lists) == 1 else None


class Place:
    """One cloud by its address, and the things in it by the names of `furnish`."""

    def __init__(self, name, address):
        self.name, self.address, self.things, self._line = name, address, {}, None

    def send(self, method, path, body=None, version="3.71", user="admin", content="application/json"):
        """One request, as nobody's client sends it. `body`: bytes as they are; anything else as JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        token = f"{user}-token-of-the-judge:{USERS[user]}"
        headers = {"X-Auth-Token": token, "X-User-Id": user, "X-Project-Id": USERS[user], "X-Roles": ROLES[user],
                   "OpenStack-API-Version": f"volume {version}", "Accept": "application/json"}
        if content and data is not None:
            headers["Content-Type"] = content
        for attempt in (1, 2):
            try:
                if self._line is None:
                    self._line = http.client.HTTPConnection(self.address, timeout=DEADLINE)
                self._line.request(method, "/v3" + path, data, headers)
                answer = self._line.getresponse()
                return Answer(answer.status, answer.read())
            except (http.client.HTTPException, OSError):
                # A server may end a connection that has been quiet.
                self._line = None
                if attempt == 2:
                    raise

    def made(self, path, body, **more):
        """What a creation answers under its key; links may be beside it."""
        answer = self.send("POST", path, body, **more)
        assert answer.status < 300, (self.name, path, body, answer.status, answer.body)
        return next(value for value in answer.body.values() if isinstance(value, dict))

    def settled(self, kind, id, *wanted):
        """Waits until a thing has one of the statuses."""
        deadline = time.monotonic() + DEADLINE
        while True:
            found = self.send("GET", f"/{kind}s/{id}").body
            status = found.get(kind, {}).get("status")
            if status in wanted:
                return id
            assert status and not status.startswith("error") and time.monotonic() < deadline, (
                self.name, kind, found, self.send("GET", "/messages").body)
            time.sleep(0.01)

    def volume(self, **more):
        made = self.made("/volumes", {"volume": {"size": 1, **more}})["id"]
        return self.settled("volume", made, "available")

    def snapshot(self, volume, **more):
        made = self.made("/snapshots", {"snapshot": {"volume_id": volume, **more}})["id"]
        return self.settled("snapshot", made, "available")

    def attachment(self):
        return self.made("/attachments", {"attachment": {"volume_uuid": self.volume()}})["id"]

    def transfer(self):
        return self.made("/volume-transfers", {"transfer": {"volume_id": self.volume()}})

    def group(self):
        wanted = {"name": "g", "group_type": self.things["gt"], "volume_types": [self.things["t"]]}
        made = self.made("/groups", {"group": wanted})["id"]
        return self.settled("group", made, "available")

    def fresh(self, kind):
        """A thing that no request has seen."""
        makers = {
            "volume": self.volume,
            "snapshot": lambda: self.snapshot(self.volume()),
            "attachment": self.attachment,
            "transfer": lambda: self.transfer()["id"],
            "group": self.group,
            "type": lambda: self.made("/types", {"volume_type": {"name": f"t-{time.monotonic_ns()}"}})["id"],
            "grouptype": lambda: self.made("/group_types", {"group_type": {"name": f"g-{time.monotonic_ns()}"}})["id"],
            "qos": lambda: self.made("/qos-specs", {"qos_specs": {"name": f"q-{time.monotonic_ns()}"}})["id"],
        }
        return makers[kind]()

    def furnish(self):
        """One or more of everything; the order is that of the lists' lengths, so it is the same everywhere."""
        quotas = {"volumes": -1, "snapshots": -1, "gigabytes": -1, "groups": -1}
        for project in (PROJECT, OTHER):
            assert self.send("PUT", f"/os-quota-sets/{project}", {"quota_set": quotas}).status == 200
        things = self.things
        things["t"] = self.made("/types", {"volume_type": {"name": "public"}})["id"]
        things["sp"] = self.made("/types", {"volume_type": {"name": "specs", "extra_specs": {"key": "x"}}})["id"]
        private = {"volume_type": {"name": "private", "os-volume-type-access:is_public": False}}
        things["p"] = self.made("/types", private)["id"]
        things["gt"] = self.made("/group_types", {"group_type": {"name": "gt", "group_specs": {
            "consistent_group_snapshot_enabled": "<is> True"}}})["id"]
        specs = {"group_type": {"name": "gsp", "group_specs": {"key": "x"}}}
        things["gsp"] = self.made("/group_types", specs)["id"]
        things["q"] = self.made("/qos-specs", {"qos_specs": {"name": "qos", "key": "x"}})["id"]
        things["v"] = self.volume(metadata={"key": "x"}, name="first")
        things["typed"] = self.volume(volume_type=things["t"])
        things["boot"] = self.volume(name="boot")
        action = f"/volumes/{things['boot']}/action"
        assert self.send("POST", action, {"os-set_bootable": {"bootable": True}}).status == 200
        image = {"os-set_image_metadata": {"metadata": {"key": "x"}}}
        assert self.send("POST", action, image).status == 200
        things["s"] = self.snapshot(things["v"], metadata={"key": "x"}, name="snap")
        things["used"] = self.volume(name="used")
        things["a"] = self.made("/attachments", {"attachment": {"volume_uuid": things["used"]}})["id"]
        things["offered"] = self.volume(name="offered")
        offer = self.made("/volume-transfers", {"transfer": {"volume_id": things["offered"], "name": "offer"}})
        things["tr"], things["auth_key"] = offer["id"], offer["auth_key"]
        things["g"] = self.group()
        things["gm"] = self.volume(group_id=things["g"], volume_type=things["t"])
        things["gs"] = self.settled("group_snapshot", self.made(
            "/group_snapshots", {"group_snapshot": {"group_id": things["g"]}})["id"], "available")
        hosts = self.send("GET", "/os-services?binary=cinder-volume").body["services"]
        things["host"] = hosts[0]["host"]
        things["project"], things["other"], things["none"] = PROJECT, OTHER, NO_SUCH
        things["V"], things["bare"] = things["v"].upper(), things["v"].replace("-", "")
        return self

    def answer(self, odd, number):
        """Sends an odd request. `number`: that of the request, for names that nothing else has."""
        def named(found):
            word = found.group(1)
            if word.startswith("fresh:") and word not in self.things:
                self.things[word] = self.fresh(word.removeprefix("fresh:"))
            return f"name-{number}" if word == "name" else self.things.get(word, found.group(0))

        def filled(template):
            if isinstance(template, bytes) or template is None:
                return template
            text = re.sub(r"<([\w:]+)>", named, template if isinstance(template, str) else json.dumps(template))
            return text if isinstance(template, str) else json.loads(text)
        return self.send(odd.method, filled(odd.path), filled(odd.body), odd.version, odd.user, odd.content)

    def forget(self, odd):
        """Takes another thing the next time where the request may have changed one that was fresh."""
        for word in re.findall(r"<(fresh:\w+)>", f"{odd.path} {odd.body}"):
            self.things.pop(word, None)


class QuietSpringform:
    """The host on the driver that does nothing, for users with roles. A context manager."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="odd-host-")
        folder = pathlib.Path(self._folder.name)
        self._address = free_address()
        (folder / "tokens.toml").touch(mode=0o600)
        (folder / "tokens.toml").write_text("".join(
            f'[[token]]\ntoken = "{user}-token-of-the-judge:{project}"\nuser = "{user}"\nproject = "{project}"\n'
            f'roles = ["{ROLES[user].split(",")[0]}"]\n' for user, project in USERS.items()))
        config = folder / "springform.toml"
        config.write_text(f"""
[service]
listen = "{self._address}"
database = "{folder / "springform.db"}"
log_filter = "warn"

[auth]
mode = "tokens"
tokens_file = "{folder / "tokens.toml"}"

[driver.noop]
path = "{built("SPRINGFORM_GUESTS", "guests") / "noop.wasm"}"

[[backend]]
volume_backend_name = "silent"
driver = "noop"
san_ip = "127.0.0.1:9"
""")
        self._log = (folder / "springform.log").open("w+")
        self._process = subprocess.Popen(
            [built("SPRINGFORM_BIN", "debug", "springform"), "serve", "--config", config],
            stdout=self._log, stderr=self._log, preexec_fn=end_with_parent)

    def __enter__(self):
        place = Place("here", self._address)
        deadline = time.monotonic() + DEADLINE
        while True:
            assert self._process.poll() is None and time.monotonic() < deadline, self._said()
            try:
                pools = place.send("GET", "/scheduler-stats/get_pools").body.get("pools")
            except (OSError, AttributeError):
                pools = None
            if pools:
                return place.furnish()
            time.sleep(0.05)

    def _said(self):
        self._log.seek(0)
        return self._log.read()

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(60)
        self._log.close()
        self._folder.cleanup()


class QuietCinder:
    """A whole Cinder on a driver that does nothing. A context manager."""

    def __init__(self):
        self._cinder = WholeCinder(
            {"volume_backend_name": "silent", "volume_driver": "silent_driver.SilentDriver"}, identities=True)

    def __enter__(self):
        cloud = self._cinder.__enter__()
        place = Place("Cinder", cloud.endpoint.removeprefix("http://").removesuffix("/v3"))
        deadline = time.monotonic() + DEADLINE
        # A volume before the scheduler has heard of the pool ends in an error.
        while not place.send("GET", "/scheduler-stats/get_pools").body.get("pools"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return place.furnish()

    def __exit__(self, *what):
        self._cinder.__exit__(*what)
