"""Cinder's objects on a private SQLite database, without any of Cinder's services.

The upstream driver is a library that expects to live inside cinder-volume: it re-reads volumes
from the database, takes tooz locks and looks volume types up by id. This module gives it exactly
that and nothing else, once per process; every backend gets its own configuration group.
"""

import os
import shutil
import tempfile
import uuid

from oslo_config import cfg

from cinder import objects

objects.register_all()  # before anything that imports cinder.volume.manager

from cinder import context  # noqa: E402
from cinder import coordination  # noqa: E402
from cinder import version  # noqa: E402
from cinder.db import migration  # noqa: E402
from cinder.volume import configuration  # noqa: E402
from cinder.volume import driver as volume_driver  # noqa: E402
from cinder.volume import group_types  # noqa: E402
from cinder.volume import manager as volume_manager  # noqa: E402
from cinder.volume import qos_specs  # noqa: E402
from cinder.volume import volume_types  # noqa: E402
from cinder.volume.drivers import pure  # noqa: E402
from cinder.volume.drivers.san import san  # noqa: E402

CONF = cfg.CONF

DRIVERS = {
    "iscsi": pure.PureISCSIDriver,
    "fc": pure.PureFCDriver,
    "nvme-tcp": pure.PureNVMEDriver,
    "nvme-roce": pure.PureNVMEDriver,
}


class CinderWorld:
    """One database, one configuration, one lock directory, for the life of the process."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="upstream-cinder-")
        CONF([], project="cinder", version=version.version_string(), default_config_files=[])
        CONF.set_override("state_path", self.directory)
        CONF.set_override("host", "judge")
        CONF.set_override("lock_path", self.directory, group="oslo_concurrency")
        database = os.path.join(self.directory, "cinder.sqlite")
        CONF.set_override("connection", "sqlite:///" + database, group="database")
        # Losing this database in a power cut would harm nobody.
        CONF.set_override("sqlite_synchronous", False, group="database")
        CONF.set_override("backend_url", "file://" + self.directory, group="coordination")
        migration.db_sync()
        coordination.COORDINATOR.start()
        self.context = context.get_admin_context()
        self.context.project_id = uuid.uuid4().hex
        self.context.user_id = "judge"
        self._groups = 0

    def configuration(self, options):
        """A configuration group of its own with the given backend options."""
        self._groups += 1
        group = "backend%d" % self._groups
        conf = configuration.Configuration(volume_manager.volume_backend_opts, config_group=group)
        for known in (volume_driver.volume_opts, pure.PURE_OPTS, san.san_opts):
            conf.append_config_values(known)
        for option, value in options.items():
            CONF.set_override(option, value, group=group)
        return group, conf

    def volume_type(self, extra_specs=None, qos=None):
        """A fresh volume type as a versioned object."""
        created = volume_types.create(
            self.context, "type-" + uuid.uuid4().hex, extra_specs=extra_specs or {})
        if qos:
            specs = qos_specs.create(
                self.context, "qos-" + uuid.uuid4().hex, dict(qos, consumer="back-end"))
            qos_specs.associate_qos_with_type(self.context, specs.id, created["id"])
        return objects.VolumeType.get_by_id(self.context, created["id"])

    def group_type(self, replicated=False):
        """A group type of the consistency-group kind."""
        specs = {"consistent_group_snapshot_enabled": "<is> True"}
        if replicated:
            specs["consistent_group_replication_enabled"] = "<is> True"
        return group_types.create(self.context, "grouptype-" + uuid.uuid4().hex, specs)

    def close(self):
        coordination.COORDINATOR.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


_world = None


def world():
    """The process's world, made at first use (the schema takes seconds)."""
    global _world
    if _world is None:
        _world = CinderWorld()
    return _world
