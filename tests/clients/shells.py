"""The command-line clients inside this process: what they do is the same, and starting Python 300 times is saved.

`cinder` and `openstack` are run by their own `main`, with the arguments an operator types; what they print is given back.
"""

import contextlib
import io
import json
import logging
import os
import sys

import cinderclient.shell
import openstack
import openstack.connection
import openstackclient.common.clientmanager
import openstackclient.shell
import osc_lib.clientmanager
from programs import PROJECT

for variable in [name for name in os.environ if name.startswith("OS_")]:
    del os.environ[variable]


class Failed(AssertionError):
    """A command ended otherwise than it should."""


class Clients:
    """The clients as one user. Without a token: `noauth`, an administrator."""

    def __init__(self, url, token=None, project=PROJECT, words=None, version="3.71", session=None):
        self.url, self.token, self.project, self.version, self.session = url, token, project, version, session
        # Where there is a Keystone, it says all of it.
        self.words = words

    def _as_whom(self, plain):
        if self.words:
            return list(self.words)
        if self.token and plain == "none":
            return ["--os-auth-type", "admin_token", "--os-token", self.token, "--os-endpoint", f"{self.url}/v3"]
        return ["--os-auth-type", plain, "--os-endpoint", f"{self.url}/v3"]

    def cinder(self, *words, fails=False, version=None):
        """Runs `cinder`. Gives back what it printed; where it should fail, the error."""
        # Without Keystone `cinder` makes its token of two words: `user:project`. A static token may be two such words.
        name = self.token.split(":")[0] if self.token else "admin"
        user = [] if self.words else ["--os-project-id", self.project, "--os-user-id", name]
        argv = [*self._as_whom("noauth"), *user, "--os-volume-api-version", version or self.version, *map(str, words)]
        return run("cinder", argv, lambda: cinderclient.shell.OpenStackCinderShell().main(argv), fails)

    def openstack(self, *words, fails=False, version=None):
        """Runs `openstack`. Gives back what it printed."""
        forget()
        argv = [*self._as_whom("none"), "--os-volume-api-version", version or self.version, *map(str, words)]
        return run("openstack", argv, lambda: openstackclient.shell.main(argv), fails)

    def read(self, *words):
        """Runs `openstack` and reads the JSON it prints, before what it may have to say beside it."""
        return json.JSONDecoder().raw_decode(self.openstack(*words, "-f", "json"))[0]

    def sdk(self, version="3.71"):
        """openstacksdk's block storage proxy."""
        options = {"block_storage_default_microversion": version, "block_storage_api_version": "3"}
        if self.session:
            cloud = openstack.connection.Connection(session=self.session, region_name="RegionOne", **options)
        elif self.token:
            cloud = openstack.connect(auth_type="admin_token", auth={"token": self.token, "endpoint": f"{self.url}/v3"},
                                      block_storage_endpoint_override=f"{self.url}/v3", **options)
        else:
            cloud = openstack.connect(auth_type="none", auth={"endpoint": f"{self.url}/v3"},
                                      block_storage_endpoint_override=f"{self.url}/v3", **options)
        return cloud.block_storage


def forget():
    """A process of `openstack` has one user and one cloud, and keeps its clients; here the next one may be another."""
    for kind in openstackclient.common.clientmanager.ClientManager.__mro__:
        for cached in vars(kind).values():
            if isinstance(cached, osc_lib.clientmanager.ClientCache):
                cached._handle = None


def run(name, argv, main, fails):
    printed, warned = io.StringIO(), io.StringIO()
    before, known = sys.argv, logging.getLogger().handlers[:]
    sys.argv = [name, *argv]
    logging.disable(logging.INFO)
    code, error = 0, ""
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(warned):
            try:
                code = main() or 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
            except Exception as refused:  # what `cinder` prints as ERROR
                code, error = 1, str(refused)
    finally:
        sys.argv = before
        for handler in [one for one in logging.getLogger().handlers if one not in known]:
            logging.getLogger().removeHandler(handler)
    text = printed.getvalue()
    if (code != 0) != fails:
        raise Failed(f"{name} {' '.join(argv)}\nended with {code}\n{text}\n{warned.getvalue()}\n{error}")
    return text + warned.getvalue() + error


def table(text):
    """A table as the clients draw it: a list of rows by column."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in text.splitlines() if line.startswith("|")]
    return [dict(zip(rows[0], row)) for row in rows[1:]] if rows else []


def pairs(text):
    """A table of properties and values as one dictionary; a value that goes on in the next line is put together."""
    found, last = {}, None
    for row in table(text):
        key, value = list(row.values())[:2]
        if key:
            last, found[key] = key, value
        elif last:
            found[last] += "\n" + value
    return found
