"""A driver of Cinder that keeps nothing and refuses nothing: requests end where the API ends."""

from cinder.volume import driver


class SilentDriver(driver.VolumeDriver):
    """Says yes to everything; one pool without an end."""

    VERSION = "1.0"
    _nothing = frozenset((
        "create_volume", "delete_volume", "create_snapshot", "delete_snapshot", "create_cloned_volume",
        "create_volume_from_snapshot", "extend_volume", "ensure_export", "create_export", "remove_export",
        "terminate_connection", "check_for_setup_error", "do_setup", "unmanage", "unmanage_snapshot",
    ))

    def __getattribute__(self, name):
        if name in SilentDriver._nothing:
            return lambda *_, **__: None
        return super().__getattribute__(name)

    def create_group(self, context, group):
        return {"status": "available"}

    def update_group(self, context, group, add_volumes=None, remove_volumes=None):
        return None, None, None

    def delete_group(self, context, group, volumes):
        return {"status": "deleted"}, [{"id": volume.id, "status": "deleted"} for volume in volumes]

    def create_group_snapshot(self, context, group_snapshot, snapshots):
        return {"status": "available"}, [{"id": snapshot.id, "status": "available"} for snapshot in snapshots]

    def delete_group_snapshot(self, context, group_snapshot, snapshots):
        return {"status": "deleted"}, [{"id": snapshot.id, "status": "deleted"} for snapshot in snapshots]

    def initialize_connection(self, volume, connector, **_):
        return {"driver_volume_type": "iscsi", "data": {"volume_id": volume.id}}

    def _update_volume_stats(self):
        self._stats = {
            "volume_backend_name": self.configuration.volume_backend_name, "vendor_name": "none",
            "driver_version": self.VERSION, "storage_protocol": "iSCSI",
            "pools": [{"pool_name": "pool", "total_capacity_gb": "infinite", "free_capacity_gb": "infinite",
                       "thin_provisioning_support": True, "multiattach": True,
                       "consistent_group_snapshot_enabled": True}],
        }
