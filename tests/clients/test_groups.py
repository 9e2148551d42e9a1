"""Groups, their snapshots and their replication, with `cinder`, `openstack` and openstacksdk."""

import pytest
from clouds import fresh
from openstack import exceptions
from programs import eventually
from shells import pairs, table


@pytest.fixture(scope="module")
def kinds(cloud):
    """A group type whose groups are replicated as one, and a volume type whose volumes may join them."""
    return kinds_on(cloud, "slow")


def kinds_on(cloud, backend):
    group, volume = fresh("group-type"), fresh("replicated")
    made = cloud.call("POST", "/group_types", {"group_type": {"name": group, "group_specs": {
        "consistent_group_snapshot_enabled": "<is> True", "group_replication_enabled": "<is> True"}}})
    of_volumes = cloud.call("POST", "/types", {"volume_type": {"name": volume, "extra_specs": {
        "replication_enabled": "<is> True", "volume_backend_name": backend}}})
    return {"group": group, "group_id": made["group_type"]["id"],
            "volume": volume, "volume_id": of_volumes["volume_type"]["id"]}


def group(cloud, kinds):
    """A group that is available."""
    made = cloud.call("POST", "/groups", {"group": {
        "name": fresh("group"), "group_type": kinds["group"], "volume_types": [kinds["volume"]]}})
    return cloud.wait("group", made["group"]["id"])


def member(cloud, kinds, of):
    return cloud.volume(volume_type=kinds["volume"], group_id=of["id"])


def replication(cloud, of, status):
    """Waits until a group's replication has a status."""
    def found():
        return cloud.call("GET", f"/groups/{of['id']}")["group"]["replication_status"]
    assert eventually(lambda: found() == status), found()


def serving(cloud, volume):
    return cloud.call("GET", f"/volumes/{volume['id']}")["volume"]["replication_status"]


def test_cinder_makes_lists_shows_changes_and_deletes_a_group(cloud, kinds):
    name = fresh("life")
    made = pairs(cloud.cinder("group-create", "--name", name, "--description", "words", "--availability-zone", "nova",
                              kinds["group"], kinds["volume"]))
    assert made["name"] == name and made["group_type"] == kinds["group_id"]
    cloud.wait("group", made["id"])
    assert {row["ID"]: row["Name"] for row in table(cloud.cinder("group-list"))}[made["id"]] == name
    volume = pairs(cloud.cinder("create", "--group-id", made["id"], "--volume-type", kinds["volume"], "1"))["id"]
    cloud.wait("volume", volume)
    shown = pairs(cloud.cinder("group-show", "--list-volume", "True", name))
    assert volume in shown["volumes"] and shown["status"] == "available" and shown["description"] == "words"
    assert [row["ID"] for row in table(cloud.cinder("list", "--group_id", made["id"]))] == [volume]
    other = cloud.volume(volume_type=kinds["volume"])["id"]
    cloud.cinder("group-update", made["id"], "--name", name + "-b", "--description", "others",
                 "--add-volumes", other, "--remove-volumes", volume)
    cloud.wait("group", made["id"])
    shown = pairs(cloud.cinder("group-show", "--list-volume", "True", name + "-b"))
    assert other in shown["volumes"] and volume not in shown["volumes"] and shown["description"] == "others"
    assert "delete-volumes" in cloud.cinder("group-delete", made["id"], fails=True), "it has a member"
    cloud.cinder("group-delete", "--delete-volumes", made["id"])
    cloud.gone("group", made["id"])
    cloud.gone("volume", other)
    cloud.wait("volume", volume)
    assert "No group with a name or ID" in cloud.cinder("group-show", made["id"], fails=True)


def test_cinder_takes_a_snapshot_of_a_group_and_makes_groups_from_it(cloud, kinds):
    source, name = group(cloud, kinds), fresh("moment")
    member(cloud, kinds, source)
    made = pairs(cloud.cinder("group-snapshot-create", "--name", name, "--description", "words", source["id"]))
    assert made["group_id"] == source["id"] and made["group_type_id"] == kinds["group_id"]
    cloud.wait("group_snapshot", made["id"])
    listed = table(cloud.cinder("group-snapshot-list", "--group-id", source["id"]))
    assert [(row["ID"], row["Name"], row["Status"]) for row in listed] == [(made["id"], name, "available")]
    assert table(cloud.cinder("group-snapshot-list", "--status", "error")) == []
    assert pairs(cloud.cinder("group-snapshot-show", name))["description"] == "words"
    parts = cloud.call("GET", f"/snapshots/detail?group_snapshot_id={made['id']}")["snapshots"]
    assert [part["group_snapshot_id"] for part in parts] == [made["id"]]
    for how in (["--group-snapshot", name], ["--source-group", source["id"]]):
        copy = pairs(cloud.cinder("group-create-from-src", *how, "--name", fresh("copy"), "--description", "a copy"))
        cloud.wait("group", copy["id"])
        shown = pairs(cloud.cinder("group-show", "--list-volume", "True", copy["id"]))
        assert made["id"] in shown["group_snapshot_id"] or source["id"] in shown["source_group_id"]
        assert len(shown["volumes"]) > 36, "it has a member"
        cloud.cinder("group-delete", "--delete-volumes", copy["id"])
        cloud.gone("group", copy["id"])
    assert "existing snapshots" in cloud.cinder("group-delete", "--delete-volumes", source["id"], fails=True)
    cloud.cinder("group-snapshot-delete", made["id"])
    cloud.gone("group_snapshot", made["id"])
    assert "No groupsnapshot with" in cloud.cinder("group-snapshot-show", made["id"], fails=True)


def test_cinder_switches_replication_of_a_group_and_fails_it_over_and_back(cloud, kinds):
    one = group(cloud, kinds)
    volume = member(cloud, kinds, one)
    cloud.cinder("group-enable-replication", one["id"])
    replication(cloud, one, "enabled")
    assert table(cloud.cinder("group-list-replication-targets", one["id"])) == [{"backend_id": "second"}]
    cloud.cinder("group-failover-replication", one["id"], "--secondary-backend-id", "second")
    replication(cloud, one, "failed-over")
    assert serving(cloud, volume) == "failed-over"
    cloud.cinder("group-failover-replication", one["id"], "--secondary-backend-id", "default",
                 "--allow-attached-volume")
    replication(cloud, one, "enabled")
    cloud.cinder("group-disable-replication", one["id"])
    replication(cloud, one, "disabled")
    assert "Cannot failover replication" in cloud.cinder("group-failover-replication", one["id"], fails=True)


def test_openstack_makes_lists_shows_changes_and_deletes_a_group(cloud, kinds):
    name = fresh("life")
    made = cloud.read("volume", "group", "create", "--volume-group-type", kinds["group"], "--volume-type",
                      kinds["volume"], "--name", name, "--description", "words")
    assert made["Name"] == name and made["Volume Types"] == [kinds["volume_id"]]
    cloud.wait("group", made["ID"])
    assert made["ID"] in [row["ID"] for row in cloud.read("volume", "group", "list")]
    assert made["ID"] in [row["ID"] for row in cloud.read("volume", "group", "list", "--all-projects")]
    volume = cloud.volume(volume_type=kinds["volume"])
    cloud.openstack("volume", "group", "add", "volume", name, volume["id"])
    cloud.wait("group", made["ID"])
    assert cloud.read("volume", "group", "show", "--volumes", name)["Volumes"] == [volume["id"]]
    cloud.openstack("volume", "group", "remove", "volume", made["ID"], volume["name"])
    cloud.wait("group", made["ID"])
    assert not cloud.read("volume", "group", "show", "--volumes", made["ID"])["Volumes"]
    cloud.openstack("volume", "group", "set", "--name", name + "-b", "--description", "others", made["ID"])
    shown = cloud.read("volume", "group", "show", name + "-b")
    assert (shown["ID"], shown["Description"], shown["Status"]) == (made["ID"], "others", "available")
    cloud.openstack("volume", "group", "delete", "--force", made["ID"])
    cloud.gone("group", made["ID"])
    assert "No Group found" in cloud.openstack("volume", "group", "show", made["ID"], fails=True)


def test_openstack_takes_a_snapshot_of_a_group_and_makes_groups_from_it(cloud, kinds):
    source, name = group(cloud, kinds), fresh("moment")
    member(cloud, kinds, source)
    made = cloud.read("volume", "group", "snapshot", "create", "--name", name, "--description", "words", source["id"])
    cloud.wait("group_snapshot", made["ID"])
    assert made["ID"] in [row["ID"] for row in cloud.read("volume", "group", "snapshot", "list", "--all-projects")]
    shown = cloud.read("volume", "group", "snapshot", "show", name)
    assert (shown["ID"], shown["Group"], shown["Status"]) == (made["ID"], source["id"], "available")
    for how in (["--group-snapshot", name], ["--source-group", source["name"]]):
        copy = cloud.read("volume", "group", "create", *how, "--name", fresh("copy"))
        cloud.wait("group", copy["ID"])
        assert len(cloud.read("volume", "group", "show", "--volumes", copy["ID"])["Volumes"]) == 1
        cloud.openstack("volume", "group", "delete", "--force", copy["ID"])
        cloud.gone("group", copy["ID"])
    cloud.openstack("volume", "group", "snapshot", "delete", made["ID"])
    cloud.gone("group_snapshot", made["ID"])
    assert "No GroupSnapshot found" in cloud.openstack("volume", "group", "snapshot", "show", made["ID"], fails=True)


def test_openstack_switches_replication_of_a_group_and_fails_it_over_and_back(cloud, kinds):
    """With Cinder it cannot: the client sends null for an object, and another name than that of the action."""
    one = group(cloud, kinds)
    volume = member(cloud, kinds, one)
    cloud.openstack("volume", "group", "set", "--enable-replication", one["id"])
    replication(cloud, one, "enabled")
    cloud.openstack("volume", "group", "failover", "--secondary-backend-id", "second", one["id"])
    replication(cloud, one, "failed-over")
    assert serving(cloud, volume) == "failed-over"
    cloud.openstack("volume", "group", "failover", "--secondary-backend-id", "default", "--allow-attached-volume",
                    one["name"])
    replication(cloud, one, "enabled")
    cloud.openstack("volume", "group", "set", "--disable-replication", one["id"])
    replication(cloud, one, "disabled")


def test_the_sdk_makes_lists_shows_changes_and_deletes_a_group(cloud, kinds):
    sdk, name = cloud.admin.sdk(), fresh("life")
    made = sdk.create_group(name=name, group_type=kinds["group_id"], volume_types=[kinds["volume_id"]])
    cloud.wait("group", made.id)
    volume = member(cloud, kinds, {"id": made.id})
    assert sdk.get_group(made.id, list_volume=True).volumes == [volume["id"]]
    assert sdk.find_group(name).id == made.id
    assert made.id in [one.id for one in sdk.groups()] and made.id in [one.id for one in sdk.groups(details=False)]
    assert sdk.update_group(made, name=name + "-b").name == name + "-b"
    sdk.reset_group_status(made, "error")
    assert sdk.get_group(made.id).status == "error"
    sdk.reset_group_state(made, "available")
    assert sdk.get_group(made.id).status == "available"
    copy = sdk.create_group_from_source(source_group_id=made.id, group_snapshot_id=None, name=fresh("copy"))
    cloud.wait("group", copy.id)
    sdk.delete_group(copy, delete_volumes=True)
    cloud.gone("group", copy.id)
    with pytest.raises(exceptions.BadRequestException, match="delete-volumes"):
        sdk.delete_group(made)
    sdk.delete_group(made, delete_volumes=True)
    cloud.gone("group", made.id)
    assert sdk.find_group(name + "-b") is None


def test_the_sdk_takes_a_snapshot_of_a_group(cloud, kinds):
    sdk, source, name = cloud.admin.sdk(), group(cloud, kinds), fresh("moment")
    member(cloud, kinds, source)
    made = sdk.create_group_snapshot(group_id=source["id"], name=name)
    cloud.wait("group_snapshot", made.id)
    assert sdk.get_group_snapshot(made.id).group_id == source["id"] and sdk.find_group_snapshot(name).id == made.id
    assert made.id in [one.id for one in sdk.group_snapshots()]
    sdk.reset_group_snapshot_status(made, "error")
    assert sdk.get_group_snapshot(made.id).status == "error"
    sdk.reset_group_snapshot_state(made, "available")
    sdk.delete_group_snapshot(made)
    cloud.gone("group_snapshot", made.id)


def test_the_sdk_switches_replication_of_a_group_and_fails_it_over_and_back(cloud, kinds):
    sdk, one = cloud.admin.sdk(), group(cloud, kinds)
    member(cloud, kinds, one)
    sdk.enable_group_replication(one["id"])
    replication(cloud, one, "enabled")
    targets = sdk.get_group(one["id"]).fetch_replication_targets(sdk).replication_targets
    assert targets == [{"backend_id": "second"}], "and no secret of theirs"
    sdk.failover_group_replication(one["id"], secondary_backend_id="second")
    replication(cloud, one, "failed-over")
    sdk.failover_group_replication(one["id"], secondary_backend_id="default", allowed_attached_volume=True)
    replication(cloud, one, "enabled")
    sdk.disable_group_replication(one["id"])
    replication(cloud, one, "disabled")


def test_a_failback_that_would_overwrite_what_was_left_behind_says_what_to_do_instead(cloud):
    kinds = kinds_on(cloud, "quick")
    one = group(cloud, kinds)
    member(cloud, kinds, one)
    cloud.cinder("group-enable-replication", one["id"])
    replication(cloud, one, "enabled")
    cloud.cinder("group-failover-replication", one["id"])
    replication(cloud, one, "failed-over")
    refused = cloud.cinder("group-failover-replication", one["id"], "--secondary-backend-id", "default", fails=True)
    assert f"springform failback --group {one['id']} --discard" in refused and "failback_discards_old_primary" in refused


def test_groups_belong_to_their_project(cloud, kinds):
    if cloud.kind == "noauth":
        return  # everybody is an administrator
    reader, stranger, one = cloud.users["reader"], cloud.users["stranger"], group(cloud, kinds)
    assert one["id"] in reader.cinder("group-list")
    assert "Policy doesn't allow" in reader.cinder("group-update", one["id"], "--name", "x", fails=True)
    assert one["id"] not in stranger.cinder("group-list", "--all-tenants", "1")
    assert "No group with a name or ID" in stranger.cinder("group-show", one["id"], fails=True)
    with pytest.raises(exceptions.NotFoundException):
        stranger.sdk().failover_group_replication(one["id"])
    member_of = cloud.users["member"].sdk()
    with pytest.raises(exceptions.ForbiddenException):
        member_of.reset_group_status(one["id"], "error")
