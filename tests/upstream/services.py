"""Block-storage services as processes of their own, for scenarios over the Cinder API."""

import json
import os
import subprocess
import sys

from cinder_api import ApiCloud
from cinder_world import DRIVERS


class WholeCinder:
    """Real Cinder with the upstream driver; see whole_cinder.py. A context manager."""

    def __init__(self, options, protocol="iscsi"):
        driver = DRIVERS[protocol]
        options = dict(options, volume_driver="%s.%s" % (driver.__module__, driver.__name__))
        here = os.path.dirname(os.path.abspath(__file__))
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", os.path.join(here, "whole_cinder.py")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._process.stdin.write(json.dumps(
            {"name": options["volume_backend_name"], "options": options}) + "\n")
        self._process.stdin.flush()
        first = self._process.stdout.readline()
        if not first:
            raise RuntimeError("Cinder did not start: exit %d" % self._process.wait())
        self.cloud = ApiCloud(**json.loads(first))

    def __enter__(self):
        return self.cloud

    def __exit__(self, *_):
        self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
