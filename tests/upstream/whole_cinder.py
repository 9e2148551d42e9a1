#!/usr/bin/env python3
"""A whole Cinder in one process: API, scheduler and one volume service, without authentication.

Reads one JSON line, {"name": backend name, "options": {option: value}, "directory": null or where
its configuration and database are kept, "database": null or the URL of another database than a file
there, "identities": whether it believes X-User-Id, X-Project-Id and X-Roles}, prints one JSON line,
{"endpoint": ..., "host": ...}, and serves until its input ends. It is the other side of the differential test: what the real service
does with the same requests.
"""

import eventlet

eventlet.monkey_patch()

import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import warnings  # noqa: E402

warnings.filterwarnings("ignore")

from oslo_config import cfg  # noqa: E402

from cinder import objects  # noqa: E402

objects.register_all()

from cinder import coordination  # noqa: E402
from cinder import rpc  # noqa: E402
from cinder import service  # noqa: E402
from cinder import version  # noqa: E402
from cinder.common import config  # noqa: E402,F401
from cinder.db import migration  # noqa: E402

CONF = cfg.CONF


def believing(directory):
    """A paste configuration in which the caller is who the headers say, as behind Keystone's middleware."""
    with open(os.path.join(sys.prefix, "etc/cinder/api-paste.ini")) as file:
        text = file.read()
    path = os.path.join(directory, "api-paste.ini")
    with open(path, "w") as file:
        file.write(text.replace(" authtoken keystonecontext", " keystonecontext"))
    return path


def configure(directory, name, options, database=None, identities=False):
    """Writes a cinder.conf as an operator would, and reads it."""
    sections = {
        "DEFAULT": {
            "state_path": directory, "host": "judge", "transport_url": "fake:/",
            "auth_strategy": "noauth", "enabled_backends": name,
            "api_paste_config": os.path.join(sys.prefix, "etc/cinder/api-paste.ini"),
            "resource_query_filters_file": os.path.join(
                sys.prefix, "etc/cinder/resource_filters.json"),
            "osapi_volume_listen": "127.0.0.1", "osapi_volume_listen_port": 0,
            "osapi_volume_workers": 1, "service_down_time": 3600,
            "scheduler_driver_init_wait_time": 1,
            "quota_volumes": -1, "quota_snapshots": -1, "quota_gigabytes": -1,
            "quota_groups": -1,
        },
        "oslo_concurrency": {"lock_path": directory},
        "database": {"connection": database or "sqlite:///" + os.path.join(directory, "cinder.sqlite"),
                     "sqlite_synchronous": False},
        "coordination": {"backend_url": "file://" + directory},
        name: options,
    }
    if identities:
        sections["DEFAULT"]["auth_strategy"] = "keystone"
        sections["DEFAULT"]["api_paste_config"] = believing(directory)
    path = os.path.join(directory, "cinder.conf")
    with open(path, "w") as file:
        for section, values in sections.items():
            file.write("[%s]\n" % section)
            for option, value in values.items():
                for one in value if isinstance(value, list) else [value]:
                    if isinstance(one, dict):
                        one = ",".join("%s:%s" % pair for pair in one.items())
                    file.write("%s = %s\n" % (option, one))
    CONF([], project="cinder", version=version.version_string(), default_config_files=[path])


def start(binary, **more):
    made = service.Service.create(binary=binary, **more)
    made.start()
    # A class attribute otherwise: the last service would get everybody's heartbeats.
    made.service_id = service.Service.service_id
    return made


def main():
    logging.disable(logging.WARNING)
    asked = json.loads(sys.stdin.readline())
    name = asked["name"]
    directory = asked.get("directory") or tempfile.mkdtemp(prefix="whole-cinder-")
    configure(directory, name, asked["options"], asked.get("database"), asked.get("identities", False))
    migration.db_sync()
    rpc.init(CONF)
    start("cinder-scheduler")
    start("cinder-volume", host="judge@" + name, service_name=name,
          coordination=True, cluster=None)
    api = service.WSGIService("osapi_volume")
    api.start()
    print(json.dumps({"endpoint": "http://127.0.0.1:%d/v3" % api.port,
                      "host": "judge@" + name}), flush=True)
    try:
        while eventlet.tpool.execute(sys.stdin.readline):
            pass
    finally:
        coordination.COORDINATOR.stop()
        if not asked.get("directory"):
            shutil.rmtree(directory, ignore_errors=True)
        os._exit(0)


if __name__ == "__main__":
    main()
