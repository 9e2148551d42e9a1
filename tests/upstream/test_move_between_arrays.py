"""A retype that moves a volume to the array of another backend, typed with the clients as docs/operators.md says it.

The arrays copy the volume between them; the official SDK looks at what is on either.
"""

import os
import pathlib
import shlex
import subprocess
import sys
import time

import pytest

from services import Apart

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "operators.md"
TITLE = "## Moving volumes between backends"
PROJECT = "0123456789abcdef0123456789abcdef"


def typed_on_the_page():
    text = PAGE.read_text()
    lines = text[text.index(TITLE):].splitlines()
    return next(line.strip() for line in lines if line.startswith("    openstack "))


class Desk:
    """Where the clients are typed: processes of their own, as an administrator."""

    def __init__(self, cloud):
        self.url = cloud.endpoint
        self.clean = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "CINDER"))}

    def _run(self, name, whom, words, fails):
        program = pathlib.Path(sys.executable).parent / name
        done = subprocess.run([program, *whom, "--os-volume-api-version", "3.71", *words], env=self.clean, text=True,
                              capture_output=True, timeout=120)
        assert (done.returncode != 0) == fails, (words, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def openstack(self, *words, fails=False):
        whom = ["--os-auth-type", "none", "--os-endpoint", self.url]
        return self._run("openstack", whom, words, fails)

    def cinder(self, *words, fails=False):
        whom = ["--os-auth-type", "noauth", "--os-endpoint", self.url, "--os-project-id", PROJECT, "--os-user-id", "admin"]
        return self._run("cinder", whom, words, fails)


def moved(site, cloud, volume, to):
    """Lets hours pass on the arrays until the volume is where it should be."""
    deadline = time.monotonic() + 120
    while True:
        found = cloud.call("GET", "/volumes/" + volume)["volume"]
        if found["status"] == "available" and found["os-vol-host-attr:host"].startswith("springform@%s#" % to):
            return found
        assert found["status"] in ("available", "retyping") and time.monotonic() < deadline, found
        site.sim.advance(60)
        time.sleep(0.1)


@pytest.fixture
def apart(make_site):
    site = make_site("async")
    with Apart(site) as cloud:
        desk = Desk(cloud)
        for backend in ("pure1", "pure2"):
            desk.openstack("volume", "type", "create", "--property", "volume_backend_name=" + backend, "gold-on-" + backend)
        deadline = time.monotonic() + 60
        while len(cloud.call("GET", "/scheduler-stats/get_pools")["pools"]) < 2:
            assert time.monotonic() < deadline, "the second backend did not come up"
            time.sleep(0.05)
        made = desk.openstack("volume", "create", "--type", "gold-on-pure1", "--size", "1", "-f", "value", "-c", "id", "ledger")
        volume = made.split()[0]
        cloud.wait("volume", volume)
        yield site, cloud, desk, volume


def test_a_volume_moves_there_with_openstack_and_back_with_cinder(apart):
    site, cloud, desk, volume = apart
    name = "volume-%s-cinder" % volume
    site["a"].write(name, b"what the tenant wrote", 8192)
    program, *words = shlex.split(typed_on_the_page())
    assert program == "openstack" and words[-1] == "VOLUME"
    desk.openstack(*words[:-1], volume)
    found = moved(site, cloud, volume, "pure2")
    assert (found["volume_type"], found["name"], found["migration_status"]) == ("gold-on-pure2", "ledger", "success")
    assert name not in site["a"].volumes() and site["b"].read(name, 21, 8192) == b"what the tenant wrote"

    site["b"].write(name, b"and what it wrote then", 8192)
    desk.cinder("retype", "--migration-policy", "on-demand", volume, "gold-on-pure1")
    assert moved(site, cloud, volume, "pure1")["volume_type"] == "gold-on-pure1"
    assert name not in site["b"].volumes() and site["a"].read(name, 22, 8192) == b"and what it wrote then"
    assert not [group for eyes in (site["a"], site["b"]) for group in eyes.groups() if "springform-move" in group]


def test_a_client_that_does_not_ask_for_a_move_is_refused_and_so_is_a_volume_that_cannot_go(apart):
    site, cloud, desk, volume = apart
    refused = desk.cinder("retype", volume, "gold-on-pure2", fails=True)
    assert "migration_policy is 'never'" in refused
    cloud.call("POST", "/snapshots", {"snapshot": {"volume_id": volume, "name": "monday"}})
    refused = desk.cinder("retype", "--migration-policy", "on-demand", volume, "gold-on-pure2", fails=True)
    assert "snapshot" in refused
    assert cloud.wait("volume", volume)["volume_type"] == "gold-on-pure1"
    assert site["b"].volumes() == {}
