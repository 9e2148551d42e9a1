"""Fixtures: a simulator and a backend for each test; Cinder's world once for the process."""

import logging
import warnings

warnings.filterwarnings("ignore")

import pytest  # noqa: E402

import harness  # noqa: E402
from eyes import Eyes  # noqa: E402
from simulator import Simulator  # noqa: E402

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


def pytest_unconfigure():
    """The SDK says goodbye to every array when the process ends; the arrays have left before."""
    logging.disable(logging.CRITICAL)


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


@pytest.fixture
def make_site():
    """Makes sites that end with the test."""
    made = []

    def make(configuration, **extra):
        made.append(Site(configuration, **extra))
        return made[-1]

    yield make
    for site in made:
        site.stop()


@pytest.fixture
def make_sim():
    """Makes bare simulators that end with the test."""
    made = []

    def make(*args, **kwargs):
        made.append(Simulator(*args, **kwargs))
        return made[-1]

    yield make
    for sim in made:
        sim.stop()


@pytest.fixture(params=sorted(CONFIGURATIONS))
def site(request, make_site):
    """A fresh simulator in each of the three configurations."""
    return make_site(request.param)


@pytest.fixture(params=PROTOCOLS)
def protocol(request):
    return request.param


@pytest.fixture
def backend(site, protocol):
    """The upstream driver, set up, in each protocol and configuration."""
    return site.backend(protocol)


@pytest.fixture(scope="session", autouse=True)
def cinder_world():
    made = harness.world()
    yield made
    made.close()
