"""A place to fail over in for the real command-line clients: two simulated arrays and the real host, as processes."""

import json
import os
import pathlib
import subprocess
import sys
import urllib.parse
import urllib.request

import pytest
from clouds import open_cloud
from keystones import Keystone
from programs import PROJECT, built, eventually, free_address

SERVICE = "springform@pure1"


def http(method, url, body=None):
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read()


class Site:
    """The arrays, the host, and the clients pointed at it."""

    def __init__(self, folder, arrays, address):
        self.folder = folder
        self.control = arrays["control"]
        self.url = f"http://{address}"

    def cinder(self, *words, fails=False):
        return self._client("cinder", [
            "--os-auth-type", "noauth", "--os-endpoint", f"{self.url}/v3",
            "--os-user-id", "admin", "--os-project-id", PROJECT, *words,
        ], fails)

    def openstack(self, *words, fails=False):
        return self._client("openstack", ["--os-auth-type", "none", "--os-endpoint", f"{self.url}/v3", *words], fails)

    def _client(self, name, words, fails):
        program = pathlib.Path(sys.executable).parent / name
        done = subprocess.run([program, *words], capture_output=True, text=True, timeout=300,
                              env={k: v for k, v in os.environ.items() if not k.startswith("OS_")})
        assert (done.returncode != 0) == fails, f"{name} {' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def api(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.url}/v3{path}", method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json", "X-Auth-Token": f"admin:{PROJECT}",
                     "OpenStack-API-Version": "volume 3.44"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read() or b"null")

    def volume(self, name, status):
        """Waits until a volume has a status; whatever it has at the end is what the test sees."""
        def found():
            return [v for v in self.api("GET", "/volumes/detail")["volumes"] if v["name"] == name]
        eventually(lambda: any(v["status"] in (status, "error") for v in found()), 300)
        last = found()
        assert last and last[0]["status"] == status, last
        return last[0]

    def service(self):
        return next(s for s in self.api("GET", "/os-services")["services"] if s["host"] == SERVICE)

    def until(self, state):
        """Waits until the backend is up or down."""
        assert eventually(lambda: self.service()["state"] == state), self.service()

    def settled(self):
        """Waits until no failover is under way."""
        assert eventually(lambda: self.service()["replication_status"] != "failing-over"), self.service()

    def arrays(self, method, path, body=None):
        return http(method, f"{self.control}{path}", body)

    def io(self, method, array, host, volume, data=None):
        name = urllib.parse.quote(volume, safe="")
        query = "offset=0" if data is not None else "offset=0&length=16"
        return self.arrays(method, f"/io/{array}/{urllib.parse.quote(host)}/{name}?{query}", data)


@pytest.fixture
def arrays():
    """Two simulated arrays, connected for replication, on a clock that stands still."""
    simulator = subprocess.Popen(
        [built("FLASHARRAY_SIM", "debug", "flasharray-sim"),
         "--arrays", "pure1,sec2", "--connect", "pure1:sec2:async", "--clock", "test"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield json.loads(simulator.stdout.readline())
    finally:
        simulator.terminate()
        simulator.wait(timeout=30)


class Host:
    """The real program. It is started by the test, so that a test can do something to the arrays before."""

    def __init__(self, folder, arrays):
        self.folder, self.known, self.process = folder, arrays, None
        self.address = free_address()
        self.database = folder / "springform.db"
        first, second = arrays["arrays"]["pure1"], arrays["arrays"]["sec2"]
        (folder / "springform.toml").write_text(f"""
[service]
listen = "{self.address}"
database = "{self.database}"
allow_inline_secrets = true

[driver.pure-async]
path = "{built("SPRINGFORM_GUESTS", "guests") / "pure_async.wasm"}"

[[backend]]
volume_backend_name = "pure1"
driver = "pure-async"
san_ip = "{first["address"]}"
pure_api_token = "{first["api_token"]}"
ca_file = "{arrays["ca"]}"

[[backend.replication_device]]
backend_id = "sec2"
san_ip = "{second["address"]}"
type = "async"
api_token = "{second["api_token"]}"
ca_file = "{arrays["ca"]}"
""")

    def start(self):
        log = (self.folder / "springform.log").open("w")
        self.process = subprocess.Popen(
            [built("SPRINGFORM_BIN", "debug", "springform"), "serve", "--config", self.folder / "springform.toml"],
            stderr=log, stdout=log)
        return self

    def log(self):
        return (self.folder / "springform.log").read_text()

    def site(self):
        """Waits until it serves."""
        place = Site(self.folder, self.known, self.address)
        def serves():
            assert self.process.poll() is None, self.log()
            try:
                return place.service()
            except OSError:
                return None
        assert eventually(serves), self.log()
        return place

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=60)


@pytest.fixture
def host(tmp_path, arrays):
    program = Host(tmp_path, arrays)
    try:
        yield program
    finally:
        program.stop()


@pytest.fixture
def site(host):
    place = host.start().site()
    place.until("up")
    return place


@pytest.fixture(scope="session")
def keystone(tmp_path_factory):
    with Keystone(tmp_path_factory.mktemp("keystone")) as running:
        yield running


@pytest.fixture(scope="module", params=["noauth", "tokens", "keystone"])
def cloud(request, tmp_path_factory):
    """A host that does nothing quickly, shared by the tests of one file, once for each way to know its users."""
    kind = request.param
    asked = request.getfixturevalue("keystone") if kind == "keystone" else None
    with open_cloud(tmp_path_factory.mktemp(kind), kind, asked) as place:
        yield place
