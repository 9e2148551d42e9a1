"""What is run: the tests below one folder of Tempest and of Cinder's own plugin, which `suite.py` names."""

import os
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
    below = os.environ.get("SPRINGFORM_TEMPEST_TESTS", "api/volume")
    for package in (tempest, cinder_tempest_plugin):
        place = pathlib.Path(package.__file__).parent
        if not (place / below).is_dir():
            continue
        found = loader.discover(str(place / below), pattern=pattern or "test*.py", top_level_dir=str(place.parent))
        suite.addTests(found)
    # Some classes want a network for servers, and all of their tests are skipped without Neutron; those that boot a server are
    # skipped by themselves, because there is no Nova.
    for kind in set(classes(suite)):
        kind.create_default_network = False
    return suite
