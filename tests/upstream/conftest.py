"""Fixtures: a simulator and a backend for each test; Cinder's world once for the process."""

import logging
import warnings

warnings.filterwarnings("ignore")

import pytest  # noqa: E402

import harness  # noqa: E402
from simulator import Simulator  # noqa: E402
from sites import CONFIGURATIONS, PROTOCOLS, Site  # noqa: E402


def pytest_unconfigure():
    """The SDK says goodbye to every array when the process ends; the arrays have left before."""
    logging.disable(logging.CRITICAL)


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
