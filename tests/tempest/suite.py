"""Tempest against a host and a real Keystone, in stages:

api         everything of `tempest.api.volume` and the API tests of Cinder's own plugin, on the driver that does nothing
pure-async  the same on the driver of FlashArray and two simulated arrays
rbac        the plugin's tests of roles and scopes, on the driver that does nothing

Every test of a stage is run, named in `exclusions*.txt` with the reason, or skipped by Tempest because the cloud has no
Nova; and those that pass are the ones in `passed*.txt`, by name: a test that is silently skipped fails the run.

Usage: suite.py --tempest ENVIRONMENT [--stage api] [--concurrency 2] [--only REGEX] [--keep FOLDER] [--write]     run.sh prepares it.
"""

import argparse
import contextlib
import csv
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "clients"))

from arrays import ArrayHost, two_arrays  # noqa: E402
from keystones import Keystone  # noqa: E402

STAGES = ("api", "pure-async", "rbac")

# Glance is said to be there, because Tempest makes no client of it otherwise and leaves whole classes out; what
# asks it is excluded by name.
CONFIGURATION = """
[DEFAULT]
log_file = {folder}/tempest.log
debug = false
[oslo_concurrency]
lock_path = {folder}
[auth]
use_dynamic_credentials = true
create_isolated_networks = false
admin_username = admin
admin_password = admin-password
admin_project_name = admin
admin_domain_name = Default
[identity]
uri_v3 = {keystone}/v3
auth_version = v3
region = RegionOne
[service_available]
cinder = true
nova = false
neutron = false
glance = true
swift = false
horizon = false
[enforce_scope]
cinder = {scopes}
[volume]
catalog_type = volumev3
build_interval = 0
build_timeout = 300
vendor_name = {vendor}
storage_protocol = iSCSI
min_microversion = 3.0
max_microversion = latest
manage_volume_ref = source-name,{volume_name}
manage_snapshot_ref = source-name,snapshot-%s
[compute-feature-enabled]
volume_multiattach = true
[volume-feature-enabled]
backup = false
multi_backend = false
manage_volume = true
manage_snapshot = {manage_snapshot}
volume_revert = true
"""


class Stage:
    """One of the stages: its files and its settings."""

    def __init__(self, name):
        self.name = name
        self.arrays = name == "pure-async"
        # FlashArray calls a snapshot `<volume>.<snapshot>`, and Tempest can say the snapshot's part only. What is let go is
        # marked on the array, as Cinder's driver does it.
        self.settings = {"scopes": str(name == "rbac").lower(), "manage_snapshot": str(not self.arrays).lower(),
                         "vendor": "Pure Storage" if self.arrays else "Springform",
                         "volume_name": "volume-%s-cinder-unmanaged" if self.arrays else "volume-%s"}
        self.passed = HERE / ("passed.txt" if name == "api" else f"passed-{name}.txt")
        own = HERE / f"exclusions-{name}.txt"
        shared = [] if name == "rbac" else [HERE / "exclusions.txt"]
        self.exclusions = shared + ([own] if own.exists() else [])

    @contextlib.contextmanager
    def host(self, keystone, folder):
        if not self.arrays:
            with keystone.host(folder) as host:
                yield host
            return
        with two_arrays() as arrays, keystone.host(folder, kind=ArrayHost.on(arrays)) as host:
            yield host

    def excluded(self, folder):
        """One file of all exclusions."""
        file = folder / "exclusions.txt"
        file.write_text("".join(one.read_text() for one in self.exclusions))
        return file


def prepare(folder, keystone, settings):
    (folder / "results").mkdir(exist_ok=True)
    (folder / "tempest.conf").write_text(CONFIGURATION.format(folder=folder, keystone=keystone.url, **settings))
    (folder / "stestr.conf").write_text(
        f"[DEFAULT]\ntest_path={HERE}/discover\ntop_dir={HERE}\ngroup_regex=([^\\.]*\\.)*\n")


def outcomes(stestr, words, folder):
    """Each test by name, without its id, and what became of it."""
    stream = subprocess.run([*words, "last", "--subunit"], cwd=folder, check=False, capture_output=True).stdout
    table = subprocess.run([stestr.parent / "subunit2csv"], input=stream, check=False, capture_output=True).stdout
    found = csv.DictReader(table.decode().splitlines())
    return {re.sub(r"\[.*", "", row["test"]): row["status"] for row in found}


def judge(found, file, write):
    failed = sorted(name for name, status in found.items() if status not in ("success", "skip"))
    passed = sorted(name for name, status in found.items() if status == "success")
    if write:
        file.write_text("".join(f"{name}\n" for name in passed))
    expected = file.read_text().split()
    missing = sorted(set(expected) - set(passed) - set(failed))
    fresh = sorted(set(passed) - set(expected))
    for word, names in (("failed", failed), ("did not pass and is in the list", missing),
                        ("passed and is not in the list", fresh)):
        for name in names:
            print(f"{word}: {name}")
    print(f"{len(passed)} passed, {len(failed) + len(missing)} failed")
    return not (failed or missing or fresh)


def main():
    words = argparse.ArgumentParser()
    words.add_argument("--tempest", required=True, type=pathlib.Path, help="the environment in which Tempest is")
    words.add_argument("--stage", choices=STAGES, default="api")
    words.add_argument("--concurrency", default="2")
    words.add_argument("--only", help="a regular expression; the outcome is not held against the list")
    words.add_argument("--keep", type=pathlib.Path, help="a folder to work in that stays")
    words.add_argument("--write", action="store_true", help="writes the list of what passed")
    asked = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="tempest-") as scratch:
        folder = asked.keep or pathlib.Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        stestr = asked.tempest / "bin" / "stestr"
        base = [stestr, "--config", folder / "stestr.conf", "--repo-url", folder / "results"]
        stage = Stage(asked.stage)
        with Keystone(folder / "keystone") as keystone, stage.host(keystone, folder) as host:
            keystone.serve(host.url)
            prepare(folder, keystone, stage.settings)
            environment = {**os.environ, "TEMPEST_CONFIG_DIR": str(folder), "TEMPEST_CONFIG": "tempest.conf",
                           "SPRINGFORM_TEMPEST_TESTS": "rbac/v3" if stage.name == "rbac" else "api/volume"}
            run = subprocess.run([*base, "run", "--concurrency", asked.concurrency, "--exclude-list", stage.excluded(folder),
                                  *([asked.only] if asked.only else [])], cwd=folder, env=environment)
            if asked.only:
                sys.exit(run.returncode)
            good = judge(outcomes(stestr, base, folder), stage.passed, asked.write)
            if not good:
                print(f"The last lines of the host's log:\n{host.log()[-4000:]}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
