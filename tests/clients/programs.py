"""What the build made, and a host on the driver that does nothing: quick to start, all of the API, no array."""

import json
import os
import pathlib
import socket
import subprocess
import time
import urllib.error
import urllib.request

PROJECT = "0123456789abcdef0123456789abcdef"


def built(variable, *parts):
    """A program or component that the Rust build made."""
    if variable in os.environ:
        return pathlib.Path(os.environ[variable])
    root = pathlib.Path(__file__).resolve().parents[2]
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target"))
    path = target.joinpath(*parts)
    assert path.exists(), f"{path} is not built: run `cargo xtask build-guests` and `cargo build --workspace --bins`"
    return path


def free_address():
    """An address on which nothing listens. The port of a connection that was closed from its side is given to nobody
    else for a minute unless they ask for it by number."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
        with socket.create_connection(address):
            free.accept()[0].close()
    return "%s:%d" % address


def eventually(question, seconds=120, pause=0.02):
    """Asks until the answer is true; gives back the last answer, for the test to look at."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(pause)


BACKEND = """
[[backend]]
volume_backend_name = "{name}"
driver = "noop"
san_ip = "127.0.0.1:9"
failback_discards_old_primary = {leave}

[[backend.replication_device]]
backend_id = "second"
san_ip = "127.0.0.1:9"
type = "async"
"""


class QuickHost:
    """The real program with backends that do nothing. `more` is added to the configuration: [auth], [limits].

    On the backend `slow`, clients of Cinder have standing leave to fail back after an unplanned failover.
    """

    def __init__(self, folder, more="", backends=("quick",)):
        self.folder, self.process = pathlib.Path(folder), None
        self.address = free_address()
        self.url = f"http://{self.address}"
        guests = built("SPRINGFORM_GUESTS", "guests")
        (self.folder / "springform.toml").write_text(f"""
[service]
listen = "{self.address}"
log_filter = "warn"

[driver.noop]
path = "{guests / 'noop.wasm'}"
{more}
""" + "".join(
            BACKEND.format(name=name, leave=str(name == "slow").lower()) for name in backends))

    def start(self):
        log = (self.folder / "springform.log").open("w")
        self.process = subprocess.Popen(
            [built("SPRINGFORM_BIN", "debug", "springform"), "serve", "--config", self.folder / "springform.toml"],
            stdout=log, stderr=log)
        assert eventually(self.is_ready), self.log()
        return self

    def is_ready(self):
        assert self.process.poll() is None, self.log()
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=30):
                return True
        except OSError:
            return False

    def log(self):
        return (self.folder / "springform.log").read_text()

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(timeout=60)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def call(self, method, path, body=None, token=f"admin:{PROJECT}", version="3.71", headers=None):
        """One request as no client sends it: the status, the headers, and the body as JSON where it is JSON."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", method=method, data=data, headers={
            "content-type": "application/json", "OpenStack-API-Version": f"volume {version}",
            **({"X-Auth-Token": token} if token else {}), **(headers or {})})
        try:
            answer = urllib.request.urlopen(request, timeout=120)
        except urllib.error.HTTPError as refused:
            answer = refused
        with answer:
            text = answer.read()
        try:
            return answer.status, answer.headers, json.loads(text or b"null")
        except ValueError:
            return answer.status, answer.headers, text
