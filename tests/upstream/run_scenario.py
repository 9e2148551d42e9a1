#!/usr/bin/env python3
"""One half of a differential test, for callers in other languages.

    run_scenario.py upstream CONFIGURATION SCENARIO             on a simulator of its own
    run_scenario.py upstream CONFIGURATION SCENARIO --sim FILE  on a running one
    run_scenario.py api CONFIGURATION SCENARIO --sim FILE --endpoint URL --host HOST@BACKEND
    run_scenario.py read --sim FILE --ids FILE                  no scenario, only the final state
    run_scenario.py diff ONE TWO [--allow FILE]                 compares two outputs

FILE of --sim holds the first line that flasharray-sim printed; that of --ids maps uuids to the
scenario's names. The first four print {"ids": ..., "outcome": ..., "state": ...}. `diff` prints
the differences, one a line, and ends with 1 if there is one that no pattern (fnmatch, one a line,
# for comments) of the allowed list covers, or a pattern that covers none.
"""

import argparse
import fnmatch
import json
import logging
import sys
import warnings

import compare

warnings.filterwarnings("ignore")


def load(path):
    with open(path) as file:
        return json.load(file)


def print_json(value):
    json.dump(value, sys.stdout, indent=1, sort_keys=True)
    print()


def scenarios(configuration):
    """Name -> steps(cloud, pass_an_interval), for a configuration."""
    import scenario
    kinds = {"async": ("none", "async"), "sync": ("none", "async", "sync"),
             "trisync": ("none", "async", "sync", "trisync")}[configuration]
    grouped = "async" if configuration == "trisync" else configuration
    return {
        "everyday": lambda cloud, _: scenario.everyday(cloud, configuration),
        "retypes": lambda cloud, _: scenario.retypes(cloud, kinds),
        "groups": lambda cloud, _: scenario.groups(cloud, grouped),
        "failover": lambda cloud, passing: scenario.failover(cloud, configuration, "b", passing),
        "volume_groups": lambda cloud, passing: scenario.volume_groups(cloud, "b", passing),
    }


def run(chosen):
    import harness
    import scenario
    from simulator import Simulator
    from sites import CONFIGURATIONS

    shape = CONFIGURATIONS[chosen.configuration]
    sim = (Simulator.running(load(chosen.sim)) if chosen.sim
           else Simulator(shape["arrays"], shape["connect"]))

    def pass_an_interval():
        sim.advance(3600)
        sim.advance(360)

    try:
        if chosen.command == "upstream":
            cloud = scenario.UpstreamCloud(harness.Backend(
                sim, chosen.protocol, shape["replication"], **shape["options"]))
        else:
            from cinder_api import ApiCloud
            cloud = ApiCloud(chosen.endpoint, chosen.host, chosen.token)
        steps = scenarios(chosen.configuration)[chosen.scenario]
        outcome = steps(cloud, pass_an_interval)
        ids = cloud.ids()
        print_json({"ids": ids, "outcome": outcome, "state": scenario.final_state(sim, ids)})
    finally:
        sim.stop()


def read(chosen):
    import scenario
    from simulator import Simulator
    ids = load(chosen.ids)
    state = scenario.final_state(Simulator.running(load(chosen.sim)), ids)
    print_json({"ids": ids, "outcome": None, "state": state})


def diff(chosen):
    one, two = load(chosen.one), load(chosen.two)
    found = compare.differences(one["state"], two["state"])
    patterns = []
    if chosen.allow:
        with open(chosen.allow) as file:
            patterns = [line.strip() for line in file
                        if line.strip() and not line.startswith("#")]
    used = {p for p in patterns for line in found if fnmatch.fnmatchcase(line, p)}
    left = [line for line in found if not any(fnmatch.fnmatchcase(line, p) for p in patterns)]
    for line in left:
        print(line)
    for pattern in patterns:
        if pattern not in used:
            print("allowed, but there is no such difference: " + pattern)
    return 1 if left or len(used) < len(patterns) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("upstream", "api"):
        one = commands.add_parser(name)
        one.add_argument("configuration", choices=("async", "sync", "trisync"))
        one.add_argument("scenario", choices=("everyday", "retypes", "groups", "failover", "volume_groups"))
        one.add_argument("--sim", required=name == "api")
        if name == "upstream":
            one.add_argument("--protocol", default="iscsi",
                             choices=("iscsi", "fc", "nvme-tcp", "nvme-roce"))
        else:
            one.add_argument("--endpoint", required=True)
            one.add_argument("--host", required=True)
            one.add_argument("--token", default="judge:0123456789abcdef0123456789abcdef")
    reading = commands.add_parser("read")
    reading.add_argument("--sim", required=True)
    reading.add_argument("--ids", required=True)
    comparing = commands.add_parser("diff")
    comparing.add_argument("one")
    comparing.add_argument("two")
    comparing.add_argument("--allow")
    chosen = parser.parse_args()
    if chosen.command == "diff":
        return diff(chosen)
    logging.disable(logging.WARNING)
    if chosen.command == "read":
        read(chosen)
    else:
        run(chosen)
    # The SDK says goodbye to arrays that have left before.
    logging.disable(logging.CRITICAL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
