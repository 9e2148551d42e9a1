"""Volumes and snapshots that were on the array before, and default types, with `cinder`, `openstack` and openstacksdk.

The driver that does nothing always finds the same: the volumes `legacy-2`, `legacy-1` and `shared`, which is in use, and a
snapshot of each of the first two.
"""

import pytest
from clouds import fresh
from openstack import exceptions
from shells import pairs, table

# Two backends, so that two clients can take the same name over.
QUICK, SLOW = "springform@quick", "springform@slow"


def named(name):
    return {"source-name": name}


def test_cinder_lists_what_an_array_has_and_why_some_of_it_is_left_alone(cloud):
    listed = table(cloud.cinder("manageable-list", QUICK))
    assert [row["reference"] for row in listed] == [str(named(name)) for name in ("legacy-2", "legacy-1", "shared")]
    assert [row["size"] for row in listed] == ["2", "1", "3"]
    assert (listed[2]["safe_to_manage"], listed[2]["reason_not_safe"]) == ("False", "connected to a host")
    by_name = table(cloud.cinder("manageable-list", QUICK, "--sort", "reference:asc", "--limit", "2", "--detailed", "0"))
    assert [row["reference"] for row in by_name] == [str(named(name)) for name in ("legacy-1", "legacy-2")]
    after = table(cloud.cinder("manageable-list", QUICK, "--marker", str(named("legacy-2")), "--offset", "1"))
    assert [row["reference"] for row in after] == [str(named("shared"))]
    snapshots = table(cloud.cinder("snapshot-manageable-list", QUICK, "--sort", "size:desc"))
    assert [row["source_reference"] for row in snapshots] == [str(named(name)) for name in ("legacy-2", "legacy-1")]
    assert "could not be found" in cloud.cinder("manageable-list", "nobody@nowhere", fails=True)
    assert "there are none" in cloud.cinder("manageable-list", "--cluster", "one", fails=True)


def test_cinder_takes_a_volume_and_its_snapshot_over_and_lets_them_go(cloud):
    made = pairs(cloud.cinder("manage", "--id-type", "keep-name", "--name", fresh("taken"), "--description", "words",
                              "--metadata", "a=1", "--bootable", QUICK + "#pool", "legacy-1"))
    cloud.wait("volume", made["id"])
    shown = pairs(cloud.cinder("show", made["id"]))
    assert shown["size"] == "1" and shown["bootable"] == "true" and "a : 1" in shown["metadata"]
    of_it = {row["reference"]: row for row in table(cloud.cinder("manageable-list", QUICK))}[str(named("legacy-1"))]
    assert (of_it["safe_to_manage"], of_it["cinder_id"]) == ("False", made["id"])
    assert "already managed" in of_it["reason_not_safe"]
    refused = cloud.cinder("manage", QUICK, "legacy-1", fails=True)
    assert "legacy-1" in refused and "already managed" in refused
    snapshot = pairs(cloud.cinder("snapshot-manage", "--id-type", "keep-name", "--name", fresh("taken"), "--description",
                                  "words", "--metadata", "a=1", made["id"], "legacy-1.before"))
    cloud.wait("snapshot", snapshot["id"])
    listed = {row["reference"]: row for row in table(cloud.cinder("snapshot-manageable-list", QUICK))}
    assert listed[str(named("legacy-1.before"))]["cinder_id"] == snapshot["id"]
    assert "snapshot" in cloud.cinder("unmanage", made["id"], fails=True).lower(), "which would be left without its volume"
    cloud.cinder("snapshot-unmanage", snapshot["id"])
    cloud.gone("snapshot", snapshot["id"])
    cloud.cinder("unmanage", made["id"])
    cloud.gone("volume", made["id"])
    of_it = {row["reference"]: row for row in table(cloud.cinder("manageable-list", QUICK))}[str(named("legacy-1"))]
    assert of_it["safe_to_manage"] == "True", "it can be taken over once more"


def test_openstack_lists_takes_over_and_lets_go(cloud):
    listed = cloud.read("block", "storage", "volume", "manageable", "list", SLOW, "--long", "--sort", "reference:asc")
    assert [row["reference"] for row in listed] == [named("legacy-1"), named("legacy-2"), named("shared")]
    assert listed[2]["reason_not_safe"] == "connected to a host"
    snapshots = cloud.read("block", "storage", "snapshot", "manageable", "list", SLOW, "--long")
    assert [row["source_reference"] for row in snapshots] == [named("legacy-1"), named("legacy-2")]
    made = cloud.read("volume", "create", "--remote-source", "keep-name=legacy-1", "--host", SLOW + "#pool",
                      "--property", "a=1", fresh("taken"))
    cloud.wait("volume", made["id"])
    snapshot = cloud.read("volume", "snapshot", "create", "--volume", made["id"], "--remote-source",
                          "keep-name=legacy-1.before", fresh("taken"))
    cloud.wait("snapshot", snapshot["id"])
    cloud.openstack("volume", "snapshot", "delete", "--remote", snapshot["id"])
    cloud.gone("snapshot", snapshot["id"])
    cloud.openstack("volume", "delete", "--remote", made["id"])
    cloud.gone("volume", made["id"])


def test_the_sdk_lists_takes_over_and_lets_go(cloud):
    sdk = cloud.admin.sdk()
    # With a limit this client would ask for the first page for ever, of Cinder too: these entries have no ids for markers.
    by_name = [one.reference["source-name"] for one in sdk.manageable_volumes(host=SLOW, sort="reference:desc")]
    assert by_name == ["shared", "legacy-2", "legacy-1"]
    found = {one.reference["source-name"]: one for one in sdk.manageable_volumes(details=True, host=SLOW)}
    assert found["shared"].safe_to_manage is False and found["legacy-1"].safe_to_manage is True
    made = sdk.manage_volume(host=SLOW, ref={"keep-name": "legacy-2"}, name=fresh("taken"))
    cloud.wait("volume", made.id)
    found = {one.reference["source-name"]: one for one in sdk.manageable_volumes(details=True, host=SLOW)}
    assert found["legacy-2"].cinder_id == made.id
    snapshot = sdk.manage_snapshot(volume_id=made.id, ref={"keep-name": "legacy-2.before"}, name=fresh("taken"))
    cloud.wait("snapshot", snapshot.id)
    listed = {one.reference["source-name"]: one for one in sdk.manageable_snapshots(details=True, host=SLOW)}
    assert listed["legacy-2.before"].cinder_id == snapshot.id
    sdk.unmanage_snapshot(snapshot)
    cloud.gone("snapshot", snapshot.id)
    sdk.unmanage_volume(made)
    cloud.gone("volume", made.id)


def test_taking_over_is_for_administrators(cloud):
    if cloud.kind == "noauth":
        return  # everybody is an administrator
    member, volume = cloud.users["member"], cloud.volume()
    for words in (["manageable-list", QUICK], ["snapshot-manageable-list", QUICK], ["manage", QUICK, "legacy-1"],
                  ["unmanage", volume["id"]], ["snapshot-manage", volume["id"], "legacy-1.before"],
                  ["default-type-list"]):
        assert "Policy doesn't allow" in member.cinder(*words, fails=True), words


def test_a_project_has_a_default_type_until_it_is_taken_away(cloud):
    kind, sdk = fresh("usual"), cloud.admin.sdk()
    made = sdk.create_type(name=kind)
    try:
        assert pairs(cloud.cinder("default-type-set", kind, cloud.project))["volume_type_id"] == made.id
        assert [row["Project ID"] for row in table(cloud.cinder("default-type-list"))] == [cloud.project]
        assert pairs(cloud.cinder("default-type-list", "--project-id", cloud.project))["volume_type_id"] == made.id
        assert cloud.volume()["volume_type"] == kind
        assert "could not be found" in cloud.cinder("default-type-set", "no-such-type", cloud.project, fails=True)
        other = sdk.create_type(name=fresh("usual"))
        assert sdk.set_default_type(cloud.project, other).volume_type_id == other.id
        assert sdk.show_default_type(cloud.project).volume_type_id == other.id
        with pytest.raises(exceptions.SDKException, match="default"):
            sdk.delete_type(other)
    finally:
        cloud.cinder("default-type-unset", cloud.project)
    assert table(cloud.cinder("default-type-list")) == []
    assert cloud.volume()["volume_type"] == "__DEFAULT__"
