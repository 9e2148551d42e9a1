"""Block-storage services as processes of their own, for scenarios over the Cinder API."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

from cinder_api import ApiCloud, Refused
from cinder_world import DRIVERS
from simulator import end_with_parent


HERE = pathlib.Path(__file__).resolve().parent

COMPONENTS = {"async": "pure-async", "sync": "pure-activecluster", "trisync": "pure-trisync"}


def built(variable, *parts):
    """A program or component that the Rust build made."""
    if variable in os.environ:
        return pathlib.Path(os.environ[variable])
    root = HERE.parents[1]
    path = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", root / "target")).joinpath(*parts)
    assert path.exists(), "%s is not built: `cargo xtask build-guests`, `cargo build -p springform`" % path
    return path


def toml(value):
    """A TOML value of an option's Python value."""
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value)


class WholeCinder:
    """Real Cinder with the upstream driver; see whole_cinder.py. A context manager.

    `directory`: where cinder.conf and the database stay when it has ended. `database`: the URL of one
    that is not there. `identities`: whether it believes the headers in which Keystone's middleware
    says who the caller is.
    """

    def __init__(self, options, protocol="iscsi", directory=None, database=None, identities=False):
        driver = DRIVERS[protocol]
        options = {"volume_driver": "%s.%s" % (driver.__module__, driver.__name__), **options}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", str(HERE / "whole_cinder.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            # What it says of requests that nobody should send fills pages.
            stderr=subprocess.DEVNULL if identities else None)
        self._process.stdin.write(json.dumps(
            {"name": options["volume_backend_name"], "options": options,
             "directory": directory and str(directory), "database": database,
             "identities": identities}) + "\n")
        self._process.stdin.flush()
        first = self._process.stdout.readline()
        if not first:
            raise RuntimeError("Cinder did not start: exit %d" % self._process.wait())
        self.cloud = ApiCloud(**json.loads(first))

    def __enter__(self):
        return self.cloud

    def __exit__(self, *_):
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def free_address():
    """An address on which nothing listens. The port of a connection that was closed from its side is given to nobody
    else for a minute unless they ask for it by number."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
        with socket.create_connection(address):
            free.accept()[0].close()
    return "%s:%d" % address


class Springform:
    """The host with our driver on the arrays of a site. A context manager; gives an `ApiCloud`.

    `options` are those of the backend, by Cinder's names.
    """

    def __init__(self, site, **options):
        self._folder = tempfile.TemporaryDirectory(prefix="judged-host-")
        folder = pathlib.Path(self._folder.name)
        self._address = free_address()
        component = COMPONENTS[site.kind]
        lines = [
            "[service]", 'listen = "%s"' % self._address,
            "database = %s" % toml(str(folder / "springform.db")),
            "allow_inline_secrets = true", 'log_filter = "warn"',
            "[driver.%s]" % component,
            "path = %s" % toml(str(built("SPRINGFORM_GUESTS", "guests")
                                   / (component.replace("-", "_") + ".wasm"))),
            *self._backends(site, component, options),
        ]
        config = folder / "springform.toml"
        config.write_text("\n".join(lines) + "\n")
        self._start(config, "springform@pure1")

    def _backends(self, site, component, options):
        lines = [
            "[[backend]]", 'volume_backend_name = "pure1"', "driver = %s" % toml(component),
            "pure_api_token = %s" % toml(site.sim.arrays["a"]["api_token"]),
            *self._reach(site, "a"),
            *("%s = %s" % (name, toml(value)) for name, value in options.items()),
        ]
        for array, kind, *uniform in site.shape["replication"]:
            lines += [
                "[[backend.replication_device]]", "backend_id = %s" % toml(array),
                "type = %s" % toml(kind),
                "api_token = %s" % toml(site.sim.arrays[array]["api_token"]),
                *self._reach(site, array),
                *(["uniform = true"] if uniform and uniform[0] else []),
            ]
        return lines

    def _start(self, config, host):
        self._log = config.with_suffix(".log")
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [built("SPRINGFORM_BIN", "debug", "springform"), "serve", "--config", config],
                stdout=log, stderr=log, preexec_fn=end_with_parent)
        self.cloud = ApiCloud("http://%s/v3" % self._address, host,
                              token="admin:0123456789abcdef0123456789abcdef")

    @staticmethod
    def _reach(site, array):
        lines = ["san_ip = %s" % toml(site.sim.arrays[array]["address"])]
        return lines + (["ca_file = %s" % toml(site.sim.ca)] if site.sim.ca else [])

    def log(self):
        return self._log.read_text()

    def __enter__(self):
        """Waits until the backend is set up."""
        self.wait("up")
        self.cloud.lift_quotas()
        return self.cloud

    def wait(self, state):
        """Waits until the host answers and says so of its backend."""
        deadline = time.monotonic() + 120
        while True:
            assert self._process.poll() is None, self.log()
            try:
                if self.cloud.service()["state"] == state:
                    return
            except (OSError, LookupError):
                pass
            except Refused as refused:
                # It listens before it has loaded its drivers.
                if refused.status != 503:
                    raise
            if time.monotonic() > deadline:
                raise AssertionError(self.log())
            time.sleep(0.05)

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()


class Apart(Springform):
    """The first two arrays of a site, a backend each: `pure1` and `pure2`."""

    def _backends(self, site, component, options):
        return [line for number, array in enumerate("ab", 1) for line in (
            "[[backend]]", 'volume_backend_name = "pure%d"' % number, "driver = %s" % toml(component),
            "pure_api_token = %s" % toml(site.sim.arrays[array]["api_token"]), *self._reach(site, array),
            *("%s = %s" % (name, toml(value)) for name, value in options.items()))]


class Imported(Springform):
    """The host with a configuration that an import wrote; `cloud` knows what was made before."""

    def __init__(self, config, host, before):
        self._folder = tempfile.TemporaryDirectory(prefix="imported-host-")
        self._address = free_address()
        config.write_text(config.read_text().replace(
            "[service]\n", '[service]\nlisten = "%s"\nlog_filter = "warn"\n' % self._address))
        self._start(config, host)
        for known in ("volumes", "snapshots", "groups", "group_snapshots", "_types",
                      "_group_types", "_attachments"):
            setattr(self.cloud, known, dict(getattr(before, known)))

    def __enter__(self):
        self.wait("up")
        return self.cloud
