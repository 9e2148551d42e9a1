"""`openstack volume …`: volumes, snapshots, attachments, transfers, messages."""

import pytest
from clouds import fresh

NO_SUCH = "00000000-0000-0000-0000-00000000dead"


@pytest.fixture(scope="module")
def volume(cloud):
    return cloud.volume()


def ids(rows):
    return [row["ID"] for row in rows]


def test_a_volume_is_created_listed_shown_set_and_deleted(cloud):
    name = fresh("life")
    made = cloud.read("volume", "create", "--size", "2", "--description", "words", "--property", "a=1", "--bootable",
                      "--availability-zone", "nova", name)
    assert made["name"] == name and made["size"] == 2 and made["properties"]["a"] == "1"
    cloud.wait("volume", made["id"])
    assert ids(cloud.read("volume", "list", "--name", name)) == [made["id"]]
    assert ids(cloud.read("volume", "list", "--property", "a=1", "--long")) == [made["id"]]
    shown = cloud.read("volume", "show", name)
    assert shown["description"] == "words" and shown["bootable"] in (True, "true") and shown["status"] == "available"
    cloud.openstack("volume", "set", "--name", name + "-b", "--description", "others", "--property", "b=2",
                    "--image-property", "os=linux", "--read-only", made["id"])
    cloud.openstack("volume", "set", "--size", "3", made["id"])
    cloud.wait("volume", made["id"])
    shown = cloud.read("volume", "show", made["id"])
    assert (shown["name"], shown["description"], shown["size"]) == (name + "-b", "others", 3)
    assert shown["properties"]["b"] == "2" and shown["properties"]["readonly"] == "True"
    assert shown["volume_image_metadata"] == {"os": "linux"}
    cloud.openstack("volume", "unset", "--property", "a", "--image-property", "os", made["id"])
    shown = cloud.read("volume", "show", made["id"])
    assert "a" not in shown["properties"] and not shown.get("volume_image_metadata")
    cloud.openstack("volume", "set", "--no-property", "--property", "c=3", made["id"])
    assert cloud.call("GET", f"/volumes/{made['id']}/metadata")["metadata"] == {"c": "3"}
    cloud.openstack("volume", "set", "--state", "error", made["id"])
    assert cloud.read("volume", "show", made["id"])["status"] == "error"
    cloud.openstack("volume", "set", "--state", "available", "--detached", made["id"])
    cloud.openstack("volume", "delete", made["id"])
    cloud.gone("volume", made["id"])
    assert "No Volume found" in cloud.openstack("volume", "show", made["id"], fails=True)


def test_lists_are_paged_and_counted(cloud):
    made = [cloud.volume(metadata={"page": "yes"}) for _ in range(3)]
    listed = ids(cloud.read("volume", "list", "--property", "page=yes"))
    assert sorted(listed) == sorted(volume["id"] for volume in made)
    assert ids(cloud.read("volume", "list", "--property", "page=yes", "--limit", "1")) == listed, "it follows the links"
    assert ids(cloud.read("volume", "list", "--property", "page=yes", "--marker", listed[0])) == listed[1:]
    assert set(listed) <= set(ids(cloud.read("volume", "list", "--all-projects", "--status", "available")))
    summary = cloud.read("volume", "summary", "--all-projects")
    assert summary["Total Count"] >= 3 and summary["Total Size"] >= 3
    for volume in made:
        cloud.openstack("volume", "delete", "--force", volume["id"])
    cloud.gone("volume", made[-1]["id"])


def test_a_volume_is_copied_reverted_retyped_and_deleted_with_its_snapshots(cloud):
    volume, kind = cloud.volume(), fresh("type")
    snapshot = cloud.read("volume", "snapshot", "create", "--volume", volume["id"], fresh("snap"))
    cloud.wait("snapshot", snapshot["id"])
    copy = cloud.read("volume", "create", "--snapshot", snapshot["id"], fresh("copy"))
    assert copy["snapshot_id"] == snapshot["id"] and copy["size"] == 1
    clone = cloud.read("volume", "create", "--source", volume["id"], fresh("clone"))
    assert clone["source_volid"] == volume["id"]
    for made in (copy, clone):
        cloud.wait("volume", made["id"])
    cloud.openstack("volume", "revert", snapshot["id"])
    cloud.wait("volume", volume["id"])
    cloud.openstack("volume", "type", "create", kind)
    cloud.openstack("volume", "set", "--type", kind, "--migration-policy", "never", volume["id"])
    cloud.wait("volume", volume["id"])
    assert cloud.read("volume", "show", volume["id"])["type"] == kind
    cloud.openstack("volume", "delete", "--purge", volume["id"])
    cloud.gone("volume", volume["id"])
    cloud.gone("snapshot", snapshot["id"])


def test_a_volume_is_moved_by_replication_and_not_by_copying(cloud, volume):
    refused = cloud.openstack("volume", "migrate", "--host", "springform@slow#pool", volume["id"], fails=True)
    assert "replication" in refused


def test_snapshots_are_taken_listed_shown_set_and_deleted(cloud):
    volume, name = cloud.volume(), fresh("snap")
    made = cloud.read("volume", "snapshot", "create", "--volume", volume["id"], "--description", "words",
                      "--property", "k=v", name)
    assert made["volume_id"] == volume["id"]
    cloud.wait("snapshot", made["id"])
    assert ids(cloud.read("volume", "snapshot", "list", "--volume", volume["id"])) == [made["id"]]
    assert ids(cloud.read("volume", "snapshot", "list", "--name", name, "--status", "available", "--all-projects")) == [made["id"]]
    cloud.openstack("volume", "snapshot", "set", "--name", name + "-b", "--description", "others", "--property", "l=w",
                    made["id"])
    shown = cloud.read("volume", "snapshot", "show", name + "-b")
    assert shown["description"] == "others" and shown["properties"] == {"k": "v", "l": "w"}
    cloud.openstack("volume", "snapshot", "unset", "--property", "k", made["id"])
    assert cloud.read("volume", "snapshot", "show", made["id"])["properties"] == {"l": "w"}
    cloud.openstack("volume", "snapshot", "set", "--no-property", "--state", "error", made["id"])
    shown = cloud.read("volume", "snapshot", "show", made["id"])
    assert shown["status"] == "error" and shown["properties"] == {}
    cloud.openstack("volume", "snapshot", "delete", "--force", made["id"])
    cloud.gone("snapshot", made["id"])
    assert "No Snapshot found" in cloud.openstack("volume", "snapshot", "show", made["id"], fails=True)


def test_an_attachment_is_connected_completed_and_ended(cloud):
    volume = cloud.volume()
    # `volume attachment create` asks Nova for the server first, and here is none.
    made = cloud.call("POST", "/attachments", {"attachment": {"volume_uuid": volume["id"], "mode": "rw"}})["attachment"]
    changed = cloud.read("volume", "attachment", "set", "--initiator", "iqn.2026-11.example:one", "--ip", "127.0.0.1",
                         "--host", "one", "--mountpoint", "/dev/vda", made["id"])
    assert changed["Properties"]["driver_volume_type"] == "iscsi"
    cloud.openstack("volume", "attachment", "complete", made["id"])
    assert cloud.read("volume", "show", volume["id"])["status"] == "in-use"
    listed = cloud.read("volume", "attachment", "list", "--volume-id", volume["id"])
    assert ids(listed) == [made["id"]] and listed[0]["Status"] == "attached"
    assert cloud.read("volume", "attachment", "show", made["id"])["Attach Mode"] == "rw"
    cloud.openstack("volume", "attachment", "delete", made["id"])
    cloud.wait("volume", volume["id"])
    assert cloud.read("volume", "attachment", "list", "--volume-id", volume["id"]) == []


def test_a_volume_is_offered_to_another_project_and_taken(cloud):
    volume, name = cloud.volume(), fresh("gift")
    offered = cloud.read("volume", "transfer", "request", "create", "--name", name, "--no-snapshots", volume["id"])
    assert offered["auth_key"] and offered["volume_id"] == volume["id"]
    assert offered["id"] in ids(cloud.read("volume", "transfer", "request", "list", "--all-projects"))
    assert cloud.read("volume", "transfer", "request", "show", name)["id"] == offered["id"]
    cloud.openstack("volume", "transfer", "request", "delete", offered["id"])
    cloud.wait("volume", volume["id"])
    offered = cloud.read("volume", "transfer", "request", "create", volume["id"])
    taker = cloud.users.get("stranger", cloud.admin)
    taken = taker.read("volume", "transfer", "request", "accept", "--auth-key", offered["auth_key"], offered["id"])
    assert taken["volume_id"] == volume["id"]
    assert taker.read("volume", "show", volume["id"])["status"] == "available"


def test_a_volume_that_cannot_be_placed_says_why_in_a_message(cloud):
    kind = fresh("nowhere")
    cloud.openstack("volume", "type", "create", "--property", "volume_backend_name=nowhere", kind)
    made = cloud.read("volume", "create", "--type", kind, "--size", "1", fresh("lost"))
    cloud.wait("volume", made["id"], "error")
    told = [row for row in cloud.read("volume", "message", "list") if row["Resource UUID"] == made["id"]]
    assert len(told) == 1 and "nowhere" in told[0]["User Message"], told
    # The client looks for the fields beside the object they are in, and shows nothing of them; of Cinder's answer too.
    cloud.openstack("volume", "message", "show", told[0]["ID"])
    cloud.openstack("volume", "message", "delete", told[0]["ID"])
    assert cloud.openstack("volume", "message", "show", told[0]["ID"], fails=True)


@pytest.mark.parametrize("words, why", [
    (["volume", "create", "--size", "0", "x"], "size"),
    (["volume", "create", "--size", "1", "n" * 256], "too long"),
    (["volume", "create", "--size", "1", "--type", "no-such-type", "x"], "could not be found"),
    (["volume", "set", "--size", "1", "{volume}"], ""),
    (["volume", "snapshot", "create", "--volume", NO_SUCH, "x"], "No Volume found"),
    (["volume", "transfer", "request", "show", NO_SUCH], "No Transfer found"),
    (["volume", "attachment", "show", NO_SUCH], "could not be found"),
    (["volume", "message", "show", NO_SUCH], "could not be found"),
], ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else None)
def test_what_cannot_be_is_refused_with_the_reason(cloud, volume, words, why):
    refused = cloud.openstack(*[volume["id"] if word == "{volume}" else word for word in words], fails=True)
    assert why in refused
