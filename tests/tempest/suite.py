"""Tempest against a host and a real Keystone: everything of `tempest.api.volume`, and the API tests of Cinder's own plugin.

Every test that Tempest has is run, named in `exclusions.txt` with the reason, or skipped by Tempest because the cloud has no
Nova; and those that pass are the ones in `passed.txt`, by name: a test that is silently skipped fails the run.

Usage: suite.py --tempest ENVIRONMENT [--concurrency 2] [--only REGEX] [--keep FOLDER] [--write]     run.sh prepares it.
"""

import argparse
import csv
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "clients"))

from keystones import Keystone  # noqa: E402

PASSED = HERE / "passed.txt"

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
[volume]
catalog_type = volumev3
build_interval = 0
build_timeout = 300
vendor_name = Springform
storage_protocol = iSCSI
min_microversion = 3.0
max_microversion = latest
manage_volume_ref = source-name,volume-%s
manage_snapshot_ref = source-name,snapshot-%s
[compute-feature-enabled]
volume_multiattach = true
[volume-feature-enabled]
backup = false
multi_backend = false
manage_volume = true
manage_snapshot = true
volume_revert = true
"""


def prepare(folder, keystone):
    (folder / "results").mkdir(exist_ok=True)
    (folder / "tempest.conf").write_text(CONFIGURATION.format(folder=folder, keystone=keystone.url))
    (folder / "stestr.conf").write_text(
        f"[DEFAULT]\ntest_path={HERE}/discover\ntop_dir={HERE}\ngroup_regex=([^\\.]*\\.)*\n")


def outcomes(stestr, words, folder):
    """Each test by name, without its id, and what became of it."""
    stream = subprocess.run([*words, "last", "--subunit"], cwd=folder, check=False, capture_output=True).stdout
    table = subprocess.run([stestr.parent / "subunit2csv"], input=stream, check=False, capture_output=True).stdout
    found = csv.DictReader(table.decode().splitlines())
    return {re.sub(r"\[.*", "", row["test"]): row["status"] for row in found}


def judge(found, write):
    failed = sorted(name for name, status in found.items() if status not in ("success", "skip"))
    passed = sorted(name for name, status in found.items() if status == "success")
    if write:
        PASSED.write_text("".join(f"{name}\n" for name in passed))
    expected = PASSED.read_text().split()
    missing = sorted(set(expected) - set(passed) - set(failed))
    fresh = sorted(set(passed) - set(expected))
    for word, names in (("failed", failed), ("did not pass and is in passed.txt", missing),
                        ("passed and is not in passed.txt", fresh)):
        for name in names:
            print(f"{word}: {name}")
    print(f"{len(passed)} passed, {len(failed) + len(missing)} failed")
    return not (failed or missing or fresh)


def main():
    words = argparse.ArgumentParser()
    words.add_argument("--tempest", required=True, type=pathlib.Path, help="the environment in which Tempest is")
    words.add_argument("--concurrency", default="2")
    words.add_argument("--only", help="a regular expression; the outcome is not held against passed.txt")
    words.add_argument("--keep", type=pathlib.Path, help="a folder to work in that stays")
    words.add_argument("--write", action="store_true", help="writes passed.txt")
    asked = words.parse_args()
    with tempfile.TemporaryDirectory(prefix="tempest-") as scratch:
        folder = asked.keep or pathlib.Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        stestr = asked.tempest / "bin" / "stestr"
        base = [stestr, "--config", folder / "stestr.conf", "--repo-url", folder / "results"]
        with Keystone(folder / "keystone") as keystone, keystone.host(folder) as host:
            keystone.serve(host.url)
            prepare(folder, keystone)
            environment = {**os.environ, "TEMPEST_CONFIG_DIR": str(folder), "TEMPEST_CONFIG": "tempest.conf"}
            run = subprocess.run([*base, "run", "--concurrency", asked.concurrency, "--exclude-list", HERE / "exclusions.txt",
                                  *([asked.only] if asked.only else [])], cwd=folder, env=environment)
            if asked.only:
                sys.exit(run.returncode)
            good = judge(outcomes(stestr, base, folder), asked.write)
            if not good:
                print(f"The last lines of the host's log:\n{host.log()[-4000:]}")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
