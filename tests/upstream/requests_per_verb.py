#!/usr/bin/env python3
"""Requests per verb, the upstream driver's and ours, as a page of the book.

    requests_per_verb.py                 prints the page
    requests_per_verb.py --write FILE    writes it

The upstream driver is measured here and now. Ours are those of plugins/flasharray/tests/requests.json, which a test of the
library measures on the same simulator and refuses to let differ: `cargo xtask bench requests` runs both.
"""

import argparse
import json
import logging
import pathlib
import sys
import warnings

warnings.filterwarnings("ignore")

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = ROOT / "plugins/flasharray/tests/requests.json"
MANY = "failover of 1000 volumes, round trips in sequence"

KINDS = ("async", "sync", "trisync")

ORDER = (
    "setup", "create", "create from snapshot", "clone", "extend", "snapshot", "delete snapshot", "revert", "delete",
    "attach", "attach again", "detach", "detach last", "retype to none", "retype from none", "create group",
    "create in group", "group snapshot", "delete group snapshot", "delete group", "stats", "failover of one volume", MANY,
)

# Where ours sends more, and why that is right.
MORE = {
    ("async", "group snapshot"):
        "ours looks whether every member is in the snapshot; theirs reports success for one that is not",
}

HEAD = """# Requests per verb

Requests that a driver sends to the arrays for one verb, without logins. Written by `cargo xtask bench requests`: both drivers
run on the simulator in one run. *sync* is ActiveCluster with machines connected to both arrays, *trisync* the same with copies on a
third; a `-` is what the upstream driver cannot do there, or was not measured at. It sends one request at a time; ours sends up to 16 of
one call together, and the host runs up to 16 batches of a failover in parallel, so for the failover of 1,000 volumes what counts is how
many round trips come one after another.

| verb | async: Cinder's driver | async: ours | sync: Cinder's driver | sync: ours | trisync: Cinder's driver | trisync: ours |
|---|---|---|---|---|---|---|
"""


def theirs():
    """{configuration: {verb: requests}} of the upstream driver."""
    import bench_upstream_failover as bench
    table = {kind: bench.verbs(kind) for kind in KINDS}
    for kind in ("async", "sync"):
        table[kind][MANY] = bench.failover(1000, 0, kind)["requests_in_sequence"]
    return table


def ours():
    return json.loads(OURS.read_text())


def excesses(upstream, mine):
    """Verbs for which ours needs more, and no reason is given; reasons that are not needed any more."""
    more = {(kind, verb) for kind in KINDS for verb in ORDER
            if verb in upstream[kind] and mine[kind][verb] > upstream[kind][verb]}
    return sorted(more ^ set(MORE))


def page(upstream, mine):
    rows = []
    for verb in ORDER:
        cells = []
        for kind in KINDS:
            note = " *" if (kind, verb) in MORE else ""
            cells += [str(upstream[kind].get(verb, "-")), str(mine[kind][verb]) + note]
        rows.append("| %s | %s |\n" % (verb, " | ".join(cells)))
    notes = ["\n\\* %s, %s: %s.\n" % (kind, verb, why) for (kind, verb), why in sorted(MORE.items())]
    tail = ("\nStatistics and observation cost the same for any number of volumes (upstream reads every volume, snapshot and host each"
            "\nminute). A failback has no row: Cinder's driver sends nothing for it and leaves asynchronous volumes in `error`.\n")
    return HEAD + "".join(rows) + "".join(notes) + tail


def main():
    logging.disable(logging.WARNING)
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--write", type=pathlib.Path)
    chosen = options.parse_args()
    upstream, mine = theirs(), ours()
    text = page(upstream, mine)
    if chosen.write:
        chosen.write.write_text(text)
    else:
        sys.stdout.write(text)
    import harness
    harness.world().close()
    # The SDK says goodbye to arrays that have left before.
    logging.disable(logging.CRITICAL)
    return 1 if excesses(upstream, mine) else 0


if __name__ == "__main__":
    sys.exit(main())
