"""openstacksdk's block storage proxy: every method that concerns what is served."""

import pytest
from clouds import fresh
from openstack import exceptions
from programs import eventually

SERVICE = "springform@quick"
SERVER = "11111111-2222-3333-4444-555555555555"
CONNECTOR = {"host": "one", "ip": "127.0.0.1", "initiator": "iqn.2026-11.example:one"}


@pytest.fixture(scope="module")
def sdk(cloud):
    return cloud.admin.sdk()


def ids(found):
    return [one.id for one in found]


def test_a_volume_lives(cloud, sdk):
    name = fresh("life")
    made = sdk.create_volume(size=1, name=name, description="words", metadata={"a": "1"})
    assert sdk.wait_for_status(made, "available", interval=0.05, wait=20).size == 1
    assert sdk.get_volume(made.id).name == name and sdk.find_volume(name).id == made.id
    assert ids(sdk.volumes(details=False, name=name)) == ids(sdk.volumes(all_projects=True, name=name)) == [made.id]
    assert sdk.update_volume(made, name=name + "-b", description="others").name == name + "-b"
    sdk.extend_volume(made, 2)
    assert cloud.wait("volume", made.id)["size"] == 2
    assert sdk.summary(all_projects=True).total_count >= 1
    sdk.delete_volume(made)
    sdk.wait_for_delete(made, interval=0.05, wait=20)
    assert sdk.find_volume(made.id) is None
    with pytest.raises(exceptions.NotFoundException):
        sdk.get_volume(made.id)
    assert sdk.delete_volume(made.id, ignore_missing=True) is None
    by_force, with_all = cloud.volume(), cloud.volume()
    cloud.snapshot(with_all["id"])
    sdk.delete_volume(by_force["id"], force=True)
    sdk.delete_volume(with_all["id"], cascade=True)
    cloud.gone("volume", by_force["id"])
    cloud.gone("volume", with_all["id"])


def test_pages_follow_one_another_to_the_end(cloud, sdk):
    made = {cloud.volume(metadata={"page": "sdk"})["id"] for _ in range(5)}
    seen = ids(sdk.volumes(limit=2, properties=str({"page": "sdk"}), sort="created_at:asc"))
    assert len(seen) == 5 and set(seen) == made


def test_metadata_of_volumes_comes_and_goes(cloud, sdk):
    volume = sdk.get_volume(cloud.volume()["id"])
    sdk.set_volume_metadata(volume, a="1", b="2")
    assert sdk.fetch_volume_metadata(volume).metadata == {"a": "1", "b": "2"}
    assert sdk.get_volume_metadata(volume).metadata == {"a": "1", "b": "2"}
    sdk.delete_volume_metadata(volume, ["a"])
    assert sdk.fetch_volume_metadata(volume).metadata == {"b": "2"}
    sdk.set_volume_image_metadata(volume, os="linux", arch="arm")
    assert sdk.get_volume(volume.id).volume_image_metadata == {"os": "linux", "arch": "arm"}
    sdk.delete_volume_image_metadata(volume, ["arch"])
    assert sdk.get_volume(volume.id).volume_image_metadata == {"os": "linux"}


def test_flags_types_and_states_of_volumes_are_changed(cloud, sdk):
    volume = sdk.get_volume(cloud.volume()["id"])
    sdk.set_volume_readonly(volume, True)
    assert sdk.get_volume(volume.id).metadata["readonly"] == "True"
    sdk.set_volume_readonly(volume, False)
    sdk.set_volume_bootable_status(volume, True)
    assert sdk.get_volume(volume.id).is_bootable
    kind = fresh("type")
    sdk.create_type(name=kind)
    sdk.retype_volume(volume, kind)
    assert cloud.wait("volume", volume.id)["volume_type"] == kind
    sdk.reset_volume_status(volume, "error", "detached", None)
    assert sdk.get_volume(volume.id).status == "error"
    sdk.reset_volume_status(volume, "available", "detached", None)
    snapshot = cloud.snapshot(volume.id)
    sdk.revert_volume_to_snapshot(volume, snapshot["id"])
    cloud.wait("volume", volume.id)
    with pytest.raises(exceptions.BadRequestException, match="replication"):
        sdk.migrate_volume(volume, "springform@slow#pool")


def test_a_volume_is_attached_in_the_old_way(cloud, sdk):
    volume = sdk.get_volume(cloud.volume()["id"])
    sdk.reserve_volume(volume)
    assert sdk.get_volume(volume.id).status == "attaching"
    sdk.unreserve_volume(volume)
    sdk.reserve_volume(volume)
    info = sdk.init_volume_attachment(volume, CONNECTOR)
    assert info["driver_volume_type"] == "iscsi"
    sdk.attach_volume(volume, "/dev/vdb", instance=SERVER)
    attached = sdk.get_volume(volume.id)
    assert attached.status == "in-use" and attached.attachments[0]["server_id"] == SERVER
    sdk.begin_volume_detaching(volume)
    sdk.abort_volume_detaching(volume)
    sdk.begin_volume_detaching(volume)
    with pytest.raises(exceptions.ConflictException, match="using the Compute API"):
        sdk.terminate_volume_attachment(volume, CONNECTOR)
    with pytest.raises(exceptions.ConflictException, match="using the Compute API"):
        sdk.detach_volume(volume, attached.attachments[0]["attachment_id"])
    for body in ({"os-terminate_connection": {"connector": CONNECTOR}}, {"os-detach": {}}):
        cloud.as_nova("POST", f"/volumes/{volume.id}/action", body)
    assert cloud.wait("volume", volume.id)["attachments"] == []


def test_a_volume_is_attached_with_attachments(cloud, sdk):
    volume = cloud.volume()
    made = sdk.create_attachment(volume["id"], instance=SERVER, connector=None)
    assert made.status == "reserved" and made.instance == SERVER
    changed = sdk.update_attachment(made, connector=CONNECTOR)
    assert changed.connection_info["driver_volume_type"] == "iscsi"
    sdk.complete_attachment(made)
    assert sdk.get_attachment(made.id).status == "attached"
    assert ids(sdk.attachments(volume_id=volume["id"])) == [made.id]
    with pytest.raises(exceptions.ConflictException, match="using the Compute API"):
        sdk.delete_attachment(made)
    cloud.as_nova("DELETE", f"/attachments/{made.id}")
    cloud.wait("volume", volume["id"])
    with pytest.raises(exceptions.NotFoundException):
        sdk.get_attachment(made.id)


def test_a_snapshot_lives(cloud, sdk):
    volume, name = cloud.volume(), fresh("snap")
    made = sdk.create_snapshot(volume_id=volume["id"], name=name, metadata={"a": "1"})
    sdk.wait_for_status(made, "available", interval=0.05, wait=20)
    assert sdk.get_snapshot(made.id).volume_id == volume["id"] and sdk.find_snapshot(name).id == made.id
    assert ids(sdk.snapshots(volume_id=volume["id"])) == ids(sdk.snapshots(details=False, name=name)) == [made.id]
    assert sdk.update_snapshot(made, name=name + "-b").name == name + "-b"
    sdk.set_snapshot_metadata(made, b="2")
    assert sdk.fetch_snapshot_metadata(made).metadata == {"a": "1", "b": "2"}
    assert sdk.get_snapshot_metadata(made).metadata == {"a": "1", "b": "2"}
    sdk.delete_snapshot_metadata(made, ["a"])
    assert sdk.fetch_snapshot_metadata(made).metadata == {"b": "2"}
    sdk.reset_snapshot_status(made, "error")
    assert sdk.get_snapshot(made.id).status == "error"
    sdk.reset_snapshot(made, "creating")
    sdk.set_snapshot_status(made, "available", "100%")
    assert sdk.get_snapshot(made.id).status == "available"
    sdk.delete_snapshot(made)
    cloud.gone("snapshot", made.id)


def test_a_type_lives(cloud, sdk):
    name = fresh("type")
    made = sdk.create_type(name=name, description="words", is_public=False)
    assert sdk.get_type(made.id).name == name and sdk.find_type(name).id == made.id
    assert made.id in ids(sdk.types(is_public=False))
    assert sdk.update_type(made, description="others").description == "others"
    sdk.update_type_extra_specs(made, a="1", b="2")
    sdk.delete_type_extra_specs(made, ["a"])
    assert sdk.get_type(made.id).extra_specs == {"b": "2"}
    sdk.add_type_access(made, cloud.other)
    assert [one["project_id"] for one in sdk.get_type_access(made)] == [cloud.other]
    sdk.remove_type_access(made, cloud.other)
    assert list(sdk.get_type_access(made)) == []
    sdk.delete_type(made)
    assert sdk.find_type(name) is None
    assert list(sdk.default_types()) == []
    with pytest.raises(exceptions.NotFoundException):
        sdk.show_default_type(cloud.project)
    sdk.unset_default_type(cloud.project)


def test_qos_specs_live(cloud, sdk):
    name, kind = fresh("qos"), sdk.create_type(name=fresh("fast"))
    made = sdk.create_qos_spec(name=name, consumer="back-end", specs={"maxIOPS": "5", "maxBWS": "7"})
    assert sdk.get_qos_spec(made.id).consumer == "back-end" and sdk.find_qos_spec(name).id == made.id
    assert made.id in ids(sdk.qos_specs())
    sdk.update_qos_spec(made.id, maxIOPS="6")
    sdk.delete_qos_spec_metadata(made, ["maxBWS"])
    assert sdk.get_qos_spec(made.id).specs == {"maxIOPS": "6"}
    sdk.associate_qos_spec(made, kind.id)
    assert "fast" in str(list(sdk.qos_spec_associations(made)))
    sdk.disassociate_qos_spec(made, kind.id)
    sdk.associate_qos_spec(made, kind.id)
    sdk.disassociate_all_qos_spec(made)
    sdk.delete_qos_spec(made)
    assert sdk.find_qos_spec(name) is None


def test_a_group_type_lives(sdk):
    name = fresh("group-type")
    made = sdk.create_group_type(name=name, description="words")
    assert sdk.get_group_type(made.id).name == name and sdk.find_group_type(name).id == made.id
    assert made.id in ids(sdk.group_types())
    assert sdk.update_group_type(made, description="others").description == "others"
    assert sdk.create_group_type_group_specs(made, {"a": "1"}).group_specs == {"a": "1"}
    assert sdk.fetch_group_type_group_specs(made).group_specs == {"a": "1"}
    assert sdk.get_group_type_group_specs_property(made, "a") == "1"
    assert sdk.update_group_type_group_specs_property(made, "a", "2") == "2"
    sdk.delete_group_type_group_specs_property(made, "a")
    assert sdk.fetch_group_type_group_specs(made).group_specs == {}
    sdk.delete_group_type(made)
    assert sdk.find_group_type(name) is None


def test_a_transfer_lives(cloud, sdk):
    volume, name = cloud.volume(), fresh("gift")
    made = sdk.create_transfer(volume_id=volume["id"], name=name)
    assert sdk.get_transfer(made.id).volume_id == volume["id"] and sdk.find_transfer(name).id == made.id
    assert made.id in ids(sdk.transfers()) and made.id in ids(sdk.transfers(details=False, all_projects=True))
    sdk.delete_transfer(made)
    cloud.wait("volume", volume["id"])
    made = sdk.create_transfer(volume_id=volume["id"], name=name)
    taker = cloud.users.get("stranger", cloud.admin)
    taker.sdk().accept_transfer(made.id, made.auth_key)
    assert taker.sdk().get_volume(volume["id"]).status == "available"


def test_a_message_says_why(cloud, sdk):
    kind = sdk.create_type(name=fresh("nowhere"))
    sdk.update_type_extra_specs(kind, volume_backend_name="nowhere")
    lost = sdk.create_volume(size=1, volume_type=kind.name)
    cloud.wait("volume", lost.id, "error")
    told = [one for one in sdk.messages() if one.resource_uuid == lost.id]
    assert len(told) == 1 and "nowhere" in told[0].user_message
    assert sdk.get_message(told[0].id)
    sdk.delete_message(told[0])
    assert lost.id not in [one.resource_uuid for one in sdk.messages()]


def test_quotas_and_limits(cloud, sdk):
    project = fresh("0b")
    assert sdk.get_quota_set_defaults(project).volumes == -1
    sdk.update_quota_set(project, volumes=3, gigabytes=4)
    assert sdk.get_quota_set(project).volumes == 3
    assert sdk.get_quota_set(project, usage=True).usage["volumes"] == 0
    sdk.revert_quota_set(project)
    assert sdk.get_quota_set(project).volumes == -1
    assert sdk.get_quota_class_set("default").volumes == -1
    assert sdk.update_quota_class_set("default", backups=7).backups == 7
    assert sdk.get_limits().absolute.max_total_volumes == -1


def test_services_are_disabled_enabled_frozen_thawed_and_failed_over(sdk):
    def service():
        return next(one for one in sdk.services() if one.host == SERVICE)
    found = sdk.find_service("cinder-volume", host=SERVICE)
    assert found.host == SERVICE and found.state == "up"
    sdk.disable_service(found, reason="new disks")
    assert (service().status, service().disabled_reason) == ("disabled", "new disks")
    sdk.enable_service(found)
    assert service().status == "enabled"
    sdk.freeze_service(found)
    assert service().is_frozen
    sdk.thaw_service(found)
    assert not service().is_frozen
    sdk.failover_service(found, backend_id="second")
    assert eventually(lambda: service().replication_status == "failed-over")
    assert service().active_backend_id == "second"
    sdk.enable_service(found)
    sdk.failover_service(found, backend_id="default")
    assert eventually(lambda: service().replication_status == "enabled")
    sdk.enable_service(found)


def test_log_levels_and_workers_need_no_hand(sdk):
    assert list(sdk.get_service_log_levels(binary="cinder-volume", server=SERVICE, prefix="")) == []
    with pytest.raises(exceptions.SDKException):
        sdk.set_service_log_levels(level="INFO", binary="", server="", prefix="")
    assert sdk.cleanup_service_workers(binary="cinder-volume", cluster_name="one", host=SERVICE)


def test_pools_capabilities_zones_filters_extensions_and_clusters(sdk):
    assert f"{SERVICE}#pool" in [pool.name for pool in sdk.backend_pools()]
    assert sdk.get_capabilities(SERVICE).volume_backend_name == "quick"
    assert [zone.name for zone in sdk.availability_zones()] == ["nova"]
    assert "status" in next(one for one in sdk.resource_filters() if one.resource == "volume").filters
    assert list(sdk.extensions()) and list(sdk.clusters()) == []
    assert sdk.find_cluster("one") is None
    with pytest.raises(exceptions.NotFoundException):
        sdk.get_cluster("one")


@pytest.mark.parametrize("version", ["3.0", "3.27", "3.44", "3.50", "3.59", "3.64"])
def test_older_microversions_are_spoken(cloud, version):
    sdk = cloud.admin.sdk(version)
    made = cloud.volume()
    assert sdk.get_volume(made["id"]).name == made["name"]
    assert made["id"] in ids(sdk.volumes())
