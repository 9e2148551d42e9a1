"""What is run: Tempest's tests of the volume API, and those of Cinder's own plugin."""

import pathlib
import unittest

import cinder_tempest_plugin
import tempest


def classes(suite):
    for entry in suite:
        if isinstance(entry, unittest.TestSuite):
            yield from classes(entry)
        else:
            yield type(entry)


def load_tests(loader, _tests, pattern):
    suite = unittest.TestSuite()
    for package in (tempest, cinder_tempest_plugin):
        place = pathlib.Path(package.__file__).parent
        found = loader.discover(str(place / "api/volume"), pattern=pattern or "test*.py", top_level_dir=str(place.parent))
        suite.addTests(found)
    # Some classes want a network for servers, and all of their tests are skipped without Neutron; those that boot a server are
    # skipped by themselves, because there is no Nova.
    for kind in set(classes(suite)):
        kind.create_default_network = False
    return suite
