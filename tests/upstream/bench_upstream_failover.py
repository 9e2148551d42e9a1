#!/usr/bin/env python3
"""How long the upstream driver's `failover_host` takes, and how many requests each verb costs.

Prints one JSON object. The driver sends one request at a time, so the number of requests is
the number of round trips in sequence.

    bench_upstream_failover.py --volumes 1000 --latency-ms 5 [--kind async|sync] [--verbs]
"""

import argparse
import json
import logging
import sys
import warnings

warnings.filterwarnings("ignore")

from pypureclient import flasharray as fa  # noqa: E402

import harness  # noqa: E402
from eyes import ok  # noqa: E402
from measure import measured  # noqa: E402
from sites import Site  # noqa: E402

GIB = 1 << 30
BATCH = 250


def provision(site, backend, count, kind):
    """Volumes on the array in batches, and their rows; what the driver would have made."""
    volumes = []
    for _ in range(count):
        volume = backend.row(1, backend.type(kind))
        prefix = "cinder-pod::" if kind != "async" else ""
        backend.apply(volume, {"provider_id": "%svolume-%s-cinder" % (prefix, volume.id),
                               "replication_status": "enabled"}, status="available")
        volumes.append(volume)
    client = site["a"].client
    for start in range(0, count, BATCH):
        names = [v.provider_id for v in volumes[start:start + BATCH]]
        ok(client.post_volumes(names=names, volume=fa.VolumePost(provisioned=GIB)))
        if kind == "async":
            ok(client.post_protection_groups_volumes(
                group_names=["cinder-group"], member_names=names))
    return volumes


def warm(backend):
    """Replicates, then renews the sessions that the passed hour has ended."""
    backend.replicate_now()
    backend.stats()
    backend.driver._get_secondary("b").get_arrays()


def failover(count, latency_ms, kind):
    """Fails `count` volumes over to array b; every request takes at least `latency_ms`."""
    site = Site(kind)
    try:
        backend = site.backend("iscsi")
        volumes = provision(site, backend, count, kind)
        warm(backend)
        for array in site.shape["arrays"]:
            site.sim.latency(array, latency_ms)
        with measured(site.sim) as run:
            _, updates, _ = backend.driver.failover_host(
                backend.context, volumes, "b", [])
        moved = sum(1 for u in updates
                    if u["updates"].get("replication_status") == "failed-over")
        return {"kind": kind, "volumes": count, "failed_over": moved,
                "latency_ms": latency_ms, "seconds": round(run.seconds, 3),
                "requests_in_sequence": len(run.requests), "calls": run.calls()}
    finally:
        site.stop()


def verbs(kind):
    """Requests per verb for volumes of one kind, in the configuration of the same name."""
    site = Site(kind)
    table = {}

    def count(verb, act):
        with measured(site.sim) as run:
            result = act()
        table[verb] = len(run.requests)
        return result

    try:
        backend = count("setup", lambda: site.backend("iscsi"))
        chosen = backend.type(kind)
        volume = count("create", lambda: backend.create(1, chosen))
        count("extend", lambda: backend.extend(volume, 2))
        snapshot = count("snapshot", lambda: backend.snapshot(volume))
        copy = count("create from snapshot", lambda: backend.create_from_snapshot(snapshot))
        clone = count("clone", lambda: backend.clone(volume))
        count("revert", lambda: backend.revert(volume, snapshot))
        count("delete snapshot", lambda: backend.delete_snapshot(snapshot))
        count("attach", lambda: backend.attach(volume))
        count("attach again", lambda: backend.attach(clone))
        count("detach", lambda: backend.detach(clone))
        count("detach last", lambda: backend.detach(volume))
        count("delete", lambda: backend.delete(clone))
        copy = count("retype to none", lambda: backend.retype(copy, backend.type("none")))
        count("retype from none", lambda: backend.retype(copy, chosen))
        if kind != "trisync":  # the driver cannot make replicated groups of that kind
            group = count("create group", lambda: backend.group([chosen], replicated=True))
            count("create in group", lambda: backend.create(1, chosen, group))
            taken = count("group snapshot", lambda: backend.group_snapshot(group))
            count("delete group snapshot", lambda: backend.delete_group_snapshot(*taken))
            count("delete group", lambda: backend.delete_group(group))
        count("stats", backend.stats)
        warm(backend)
        count("failover of one volume", lambda: backend.failover([volume], "b"))
        count("failback of one volume", lambda: backend.failover([volume], "default"))
        return table
    finally:
        site.stop()


def main():
    logging.disable(logging.WARNING)
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--volumes", type=int, default=1000)
    options.add_argument("--latency-ms", type=int, default=5)
    options.add_argument("--kind", choices=("async", "sync"), default="async")
    options.add_argument("--verbs", action="store_true",
                         help="also count the requests of every verb, for all configurations")
    chosen = options.parse_args()
    report = {"failover": failover(chosen.volumes, chosen.latency_ms, chosen.kind)}
    if chosen.verbs:
        report["requests_per_verb"] = {kind: verbs(kind) for kind in ("async", "sync", "trisync")}
    json.dump(report, sys.stdout, indent=2)
    print()
    harness.world().close()
    # The SDK says goodbye to arrays that have left before.
    logging.disable(logging.CRITICAL)


if __name__ == "__main__":
    main()
