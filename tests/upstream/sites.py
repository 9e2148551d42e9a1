"""The three configurations of arrays, and a simulator with a backend on it."""

import harness
from eyes import Eyes
from simulator import Simulator

PROTOCOLS = ("iscsi", "fc", "nvme-tcp", "nvme-roce")

CONFIGURATIONS = {
    "async": {
        "arrays": ("a", "b"),
        "connect": ("a:b:async",),
        "replication": [("b", "async")],
        "options": {},
    },
    "sync": {
        "arrays": ("a", "b"),
        "connect": ("a:b:sync",),
        "replication": [("b", "sync", True)],
        "options": {},
    },
    "trisync": {
        "arrays": ("a", "b", "c"),
        "connect": ("a:b:sync", "a:c:async", "b:c:async"),
        "replication": [("b", "sync", True), ("c", "async")],
        "options": {"pure_trisync_enabled": True},
    },
}


class Site:
    """A simulator with the arrays of a configuration, and backends on it."""

    def __init__(self, configuration, **extra):
        self.kind = configuration
        self.shape = CONFIGURATIONS[configuration]
        self.sim = Simulator(self.shape["arrays"], self.shape["connect"], **extra)
        self._eyes = {}

    def __getitem__(self, array):
        if array not in self._eyes:
            self._eyes[array] = Eyes(self.sim, array)
        return self._eyes[array]

    def backend(self, protocol="iscsi", **options):
        return harness.Backend(self.sim, protocol, self.shape["replication"],
                               **dict(self.shape["options"], **options))

    def stop(self):
        self.sim.stop()
