"""The unmodified upstream driver, called as cinder-volume's manager calls it.

`Backend` plays the part of the manager: it makes the versioned objects in the database, calls
the driver, applies the model updates. It does not touch the arrays.
"""

import uuid

from cinder import objects
from cinder.db import api as db
from cinder.objects import fields

from cinder_world import DRIVERS, world

REPLICATION = {
    "none": {},
    "async": {"replication_enabled": "<is> True", "replication_type": "<in> async"},
    "sync": {"replication_enabled": "<is> True", "replication_type": "<in> sync"},
    "trisync": {"replication_enabled": "<is> True", "replication_type": "<in> trisync"},
}

# The extra specs of every kind of volume that a scenario names.
KINDS = dict(REPLICATION, **{
    "gold": {"flasharray:vg_name": "gold tier", "flasharray:vg_maxIOPS": "1000"},
    "async gold": dict(REPLICATION["async"], **{
        "flasharray:vg_name": "gold tier", "flasharray:vg_maxIOPS": "1000"}),
    "silver": {"flasharray:vg_name": "silver", "flasharray:vg_maxBWS": "2097152"},
    "iron": {"flasharray:vg_name": "iron"},
})


def connector(host="compute1"):
    """What os-brick would report for a host of this name; stable for each name."""
    seed = uuid.uuid5(uuid.NAMESPACE_DNS, host)
    digits = seed.hex
    return {
        "host": host,
        "ip": "127.0.0.1",
        "multipath": True,
        "initiator": "iqn.1993-08.org.debian:01:" + digits[:12],
        "wwpns": ["1000" + digits[:12], "1000" + digits[12:24]],
        "wwnns": ["2000" + digits[:12], "2000" + digits[12:24]],
        "nqn": "nqn.2014-08.org.nvmexpress:uuid:" + str(seed),
        "system uuid": str(seed),
    }


def host_name(host="compute1"):
    """The name the driver gives to the host object of that connector."""
    return "%s-%s-cinder" % (host, connector(host)["system uuid"].replace("-", ""))


def backend_options(sim, protocol="iscsi", replication=(), primary="a", name="pure1", **options):
    """The backend section of cinder.conf.

    `replication`: a list of (array, "async" | "sync"[, uniform]) tuples; each target's
    backend id is the array's name.
    """
    def device(array, kind, uniform=False):
        return {
            "backend_id": array, "san_ip": sim.arrays[array]["address"],
            "api_token": sim.arrays[array]["api_token"], "type": kind,
            "uniform": str(uniform).lower(), "ssl_cert_verify": str(bool(sim.ca)).lower(),
        }

    chosen = {
        "volume_backend_name": name,
        "san_ip": sim.arrays[primary]["address"],
        "pure_api_token": sim.arrays[primary]["api_token"],
        "driver_ssl_cert_verify": bool(sim.ca),
    }
    if protocol.startswith("nvme"):
        chosen["pure_nvme_transport"] = protocol.split("-")[1]
    if replication:
        chosen["replication_device"] = [device(*target) for target in replication]
    chosen.update(options)
    return chosen


class Backend:
    """A backend of the given protocol; the arguments are those of `backend_options`."""

    def __init__(self, sim, protocol="iscsi", replication=(), primary="a", name="pure1",
                 active_backend_id=None, **options):
        self.world = world()
        self.context = self.world.context
        self.sim = sim
        self.name = name
        self.host = "judge@%s" % name
        self.protocol = protocol
        chosen = backend_options(sim, protocol, replication, primary, name, **options)
        self._options = chosen
        self.types = {}
        self.start(active_backend_id)

    def start(self, active_backend_id=None):
        """What a start of the service does: constructor, set-up, first statistics."""
        group, conf = self.world.configuration(self._options)
        self.driver = DRIVERS[self.protocol](
            configuration=conf, host="judge@" + group, cluster_name=None, is_vol_db_empty=True,
            active_backend_id=active_backend_id)
        self.driver.do_setup(self.context)
        self.driver.check_for_setup_error()
        self.driver.set_initialized()

    def stats(self):
        return self.driver.get_volume_stats(refresh=True)

    # Types.

    def type(self, replication="none", qos=None, **extra_specs):
        """A volume type; plain ones are made once for each replication kind."""
        if qos or extra_specs:
            specs = dict(REPLICATION[replication])
            specs.update(extra_specs)
            return self.world.volume_type(specs, qos)
        if replication not in self.types:
            self.types[replication] = self.world.volume_type(KINDS[replication])
        return self.types[replication]

    # Volumes.

    def row(self, size=1, type=None, group=None, status="creating", **columns):
        """A volume in the database that the arrays know nothing of."""
        volume = objects.Volume(
            self.context, size=size, host=self.host + "#" + self.name, status=status,
            volume_type_id=(type or self.type()).id, project_id=self.context.project_id,
            user_id=self.context.user_id, display_name="v", availability_zone="nova",
            attach_status=fields.VolumeAttachStatus.DETACHED,
            group_id=group.id if group else None, **columns)
        volume.create()
        return objects.Volume.get_by_id(self.context, volume.id)

    def adopt(self, id, name, size, type):
        """The row of a volume that some other service made, by its id and name on the array."""
        db.volume_create(self.context, {
            "id": id, "provider_id": name, "size": size, "status": "available",
            "host": self.host + "#" + self.name, "volume_type_id": type.id,
            "project_id": self.context.project_id, "user_id": self.context.user_id,
            "availability_zone": "nova", "attach_status": "detached",
            "replication_status": "enabled" if type.is_replicated() else "disabled"})
        return objects.Volume.get_by_id(self.context, id)

    def apply(self, thing, update, **also):
        """Writes a model update the way the manager does."""
        values = {k: v for k, v in (update or {}).items() if k not in ("id", "volume_id")}
        values.update(also)
        thing.update(values)
        thing.save()
        return thing

    def create(self, size=1, type=None, group=None):
        volume = self.row(size, type, group)
        return self.apply(volume, self.driver.create_volume(volume), status="available")

    def clone(self, source, size=None, type=None):
        volume = self.row(size or source.size, type or source.volume_type, source_volid=source.id)
        return self.apply(
            volume, self.driver.create_cloned_volume(volume, source), status="available")

    def create_from_snapshot(self, snapshot, size=None, type=None):
        volume = self.row(size or snapshot.volume_size, type or snapshot.volume.volume_type,
                          snapshot_id=snapshot.id)
        return self.apply(volume, self.driver.create_volume_from_snapshot(volume, snapshot),
                          status="available")

    def extend(self, volume, size):
        self.driver.extend_volume(volume, size)
        return self.apply(volume, {}, size=size)

    def delete(self, volume):
        self.driver.delete_volume(volume)
        volume.destroy()

    def reload(self, volume):
        return objects.Volume.get_by_id(self.context, volume.id)

    def retype(self, volume, type):
        changed, update = self.driver.retype(
            self.context, volume, {"id": type.id, "name": type.name}, {},
            {"host": volume.host, "capabilities": {}})
        assert changed is True
        self.apply(volume, update, volume_type_id=type.id)
        return self.reload(volume)

    def manage(self, name, type=None):
        volume = self.row(0, type)
        reference = {"source-name": name}
        size = self.driver.manage_existing_get_size(volume, reference)
        update = self.driver.manage_existing(volume, reference)
        return self.apply(volume, update, size=size, status="available")

    def unmanage(self, volume):
        self.driver.unmanage(volume)
        volume.destroy()

    # Snapshots.

    def snapshot_row(self, volume, group_snapshot=None):
        snapshot = objects.Snapshot(
            self.context, volume_id=volume.id, volume_size=volume.size, status="creating",
            project_id=self.context.project_id, user_id=self.context.user_id, display_name="s",
            volume_type_id=volume.volume_type_id,
            group_snapshot_id=group_snapshot.id if group_snapshot else None)
        snapshot.create()
        return objects.Snapshot.get_by_id(self.context, snapshot.id)

    def snapshot(self, volume):
        snapshot = self.snapshot_row(volume)
        return self.apply(snapshot, self.driver.create_snapshot(snapshot), status="available")

    def delete_snapshot(self, snapshot):
        self.driver.delete_snapshot(snapshot)
        snapshot.destroy()

    def revert(self, volume, snapshot):
        self.driver.revert_to_snapshot(self.context, volume, snapshot)

    # Attachments.

    def attach(self, volume, host="compute1"):
        """Connects the host and records the attachment; returns the connection info."""
        info = self.driver.initialize_connection(self.reload(volume), connector(host))
        attachment = objects.VolumeAttachment(
            self.context, volume_id=volume.id, attached_host=host, mountpoint="/dev/vdb",
            attach_status=fields.VolumeAttachStatus.ATTACHED, attach_mode="rw",
            instance_uuid=str(uuid.uuid4()))
        attachment.create()
        return info

    def detach(self, volume, host="compute1"):
        fresh = self.reload(volume)
        result = self.driver.terminate_connection(fresh, connector(host))
        for attachment in fresh.volume_attachment:
            if attachment.attached_host == host:
                attachment.destroy()
                break
        return result

    # Groups.

    def group_row(self, types, replicated=False):
        """A consistency group in the database that the arrays know nothing of."""
        group = objects.Group(
            self.context, host=self.host + "#" + self.name, name="g", status="creating",
            group_type_id=self.world.group_type(replicated)["id"],
            volume_type_ids=[t.id for t in types], project_id=self.context.project_id,
            user_id=self.context.user_id, availability_zone="nova",
            replication_status="enabled" if replicated else "disabled")
        group.create()
        return group

    def group(self, types, replicated=False):
        """Creates a consistency group; returns it with the driver's status applied."""
        group = self.group_row(types, replicated)
        update = self.driver.create_group(self.context, group)
        return self.apply(group, dict({"status": "available"}, **(update or {})))

    def volumes_of(self, group):
        return list(objects.VolumeList.get_all_by_generic_group(self.context, group.id))

    def update_group(self, group, add=(), remove=()):
        self.driver.update_group(self.context, group, list(add), list(remove))
        for volume in add:
            self.apply(volume, {}, group_id=group.id)
        for volume in remove:
            self.apply(volume, {}, group_id=None)

    def delete_group(self, group):
        volumes = self.volumes_of(group)
        self.driver.delete_group(self.context, group, volumes)
        for volume in volumes:
            volume.destroy()

    def group_snapshot(self, group):
        """A group snapshot and its snapshots."""
        taken = objects.GroupSnapshot(
            self.context, group_id=group.id, group_type_id=group.group_type_id, name="gs",
            status="creating", project_id=self.context.project_id, user_id=self.context.user_id)
        taken.create()
        snapshots = [self.snapshot_row(volume, taken) for volume in self.volumes_of(group)]
        self.driver.create_group_snapshot(self.context, taken, snapshots)
        for snapshot in snapshots:
            self.apply(snapshot, {}, status="available")
        return taken, snapshots

    def delete_group_snapshot(self, taken, snapshots):
        self.driver.delete_group_snapshot(self.context, taken, snapshots)

    # Replication.

    def replicate_now(self):
        """Lets one interval of the asynchronous schedule pass, transfers included."""
        interval = self._options.get("pure_replica_interval_default", 3600)
        self.sim.advance(interval)
        self.sim.advance(interval / 10)

    def failover(self, volumes, target=None):
        """`failover_host`: (backend id, {volume id: updates}); updates are applied."""
        backend_id, updates, _ = self.driver.failover_host(self.context, volumes, target, [])
        by_id = {u["volume_id"]: u["updates"] for u in updates}
        for volume in volumes:
            if volume.id in by_id:
                self.apply(volume, by_id[volume.id])
        return backend_id, by_id
