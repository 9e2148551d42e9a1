"""The command line of the differential test: what callers in other languages rely on."""

import json
import os
import subprocess
import sys

import scenario
from services import WholeCinder

HERE = os.path.dirname(os.path.abspath(__file__))


def call(*arguments):
    return subprocess.run([sys.executable, "-W", "ignore", os.path.join(HERE, "run_scenario.py"),
                           *map(str, arguments)], capture_output=True, text=True, timeout=900)


def test_both_halves_are_equal_and_a_change_is_found(make_site, tmp_path):
    one, two, sim_file = tmp_path / "one", tmp_path / "two", tmp_path / "sim"
    made = call("upstream", "async", "failover")
    assert made.returncode == 0, made.stderr
    one.write_text(made.stdout)
    assert json.loads(made.stdout)["outcome"] == {"gold": "failed-over", "iron": "failed-over"}

    site = make_site("async")
    sim_file.write_text(json.dumps(site.sim.greeting))
    import harness
    options = harness.backend_options(site.sim, "iscsi", site.shape["replication"])
    with WholeCinder(options) as cloud:
        made = call("api", "async", "failover", "--sim", sim_file,
                    "--endpoint", cloud.endpoint, "--host", cloud.host)
    assert made.returncode == 0, made.stderr
    two.write_text(made.stdout)
    same = call("diff", one, two)
    assert (same.returncode, same.stdout) == (0, "")

    ids = json.loads(made.stdout)["ids"]
    gold = next(id for id, name in ids.items() if name == "gold")
    site["a"].client.patch_volumes(
        names=["volume-%s-cinder" % gold], volume={"provisioned": 2 << 30})
    ids_file = tmp_path / "ids"
    ids_file.write_text(json.dumps(ids))
    changed = call("read", "--sim", sim_file, "--ids", ids_file)
    assert changed.returncode == 0, changed.stderr
    two.write_text(changed.stdout)
    found = call("diff", one, two)
    line = "/a/volumes/volume-<gold>-cinder/provisioned: 1073741824, 2147483648"
    assert (found.returncode, found.stdout) == (1, line + "\n")

    allowed = tmp_path / "allowed"
    allowed.write_text("# because\n/a/volumes/*/provisioned: *\n")
    assert call("diff", one, two, "--allow", allowed).returncode == 0
    allowed.write_text("/a/volumes/*/provisioned: *\n/b/pods/*\n")
    unused = call("diff", one, two, "--allow", allowed)
    assert unused.returncode == 1
    assert unused.stdout == "allowed, but there is no such difference: /b/pods/*\n"


def test_every_scenario_of_the_command_line_is_one_of_ours():
    from run_scenario import scenarios
    for configuration in ("async", "sync", "trisync"):
        for name in scenarios(configuration):
            assert callable(getattr(scenario, name))
