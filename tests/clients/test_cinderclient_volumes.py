"""`cinder`: volumes, what is done to them, their metadata, snapshots, attachments, transfers."""

import pytest
from clouds import fresh
from shells import pairs, table

NO_SUCH = "00000000-0000-0000-0000-00000000dead"


@pytest.fixture(scope="module")
def volume(cloud):
    return cloud.volume()


def shown(cloud, thing):
    return pairs(cloud.cinder("show", thing))


def test_a_volume_is_created_listed_shown_renamed_extended_and_deleted(cloud):
    name = fresh("life")
    made = pairs(cloud.cinder("create", "--name", name, "--description", "words", "--metadata", "a=1", "b=2",
                              "--availability-zone", "nova", "2"))
    assert made["name"] == name and made["size"] == "2" and made["status"] in ("creating", "available")
    cloud.wait("volume", made["id"])
    listed = table(cloud.cinder("list", "--name", name))
    assert [row["ID"] for row in listed] == [made["id"]] and listed[0]["Status"] == "available"
    seen = shown(cloud, name)
    assert seen["description"] == "words" and "a : 1" in seen["metadata"] and seen["availability_zone"] == "nova"
    cloud.cinder("rename", name, name + "-b", "--description", "other words")
    assert shown(cloud, name + "-b")["description"] == "other words"
    cloud.cinder("extend", made["id"], "3")
    cloud.wait("volume", made["id"])
    assert shown(cloud, made["id"])["size"] == "3"
    cloud.cinder("delete", made["id"])
    cloud.gone("volume", made["id"])
    assert "No volume with a name or ID" in cloud.cinder("show", made["id"], fails=True)


def test_lists_are_filtered_sorted_and_paged(cloud):
    names = [fresh("page") for _ in range(3)]
    made = [cloud.volume(name=name, metadata={"page": "yes"}) for name in names]
    rows = table(cloud.cinder("list", "--metadata", "page=yes", "--sort", "name:asc"))
    assert [row["Name"] for row in rows] == sorted(names)
    rows = table(cloud.cinder("list", "--metadata", "page=yes", "--sort", "name:desc", "--limit", "1"))
    assert [row["Name"] for row in rows] == sorted(names)[-1:]
    rows = table(cloud.cinder("list", "--metadata", "page=yes", "--sort", "created_at:asc", "--marker", made[0]["id"]))
    assert [row["ID"] for row in rows] == [volume["id"] for volume in made[1:]]
    rows = table(cloud.cinder("list", "--filters", f"name~={names[0]}"))
    assert names[0] in [row["Name"] for row in rows]
    assert table(cloud.cinder("list", "--status", "error")) == []
    assert "Volume in total: 3" in cloud.cinder("list", "--metadata", "page=yes", "--with-count")
    assert "Invalid sort key" in cloud.cinder("list", "--sort", "reference", fails=True)
    total = pairs(cloud.cinder("summary"))
    assert int(total["total_count"]) >= 3 and int(total["total_size"]) >= 3


def test_metadata_is_set_shown_replaced_and_taken_away(cloud, volume):
    cloud.cinder("metadata", volume["id"], "set", "one=1", "two=2")
    assert pairs(cloud.cinder("metadata-show", volume["id"])) == {"one": "1", "two": "2"}
    cloud.cinder("metadata", volume["id"], "unset", "one")
    assert pairs(cloud.cinder("metadata-show", volume["id"])) == {"two": "2"}
    assert pairs(cloud.cinder("metadata-update-all", volume["id"], "three=3")) == {"three": "3"}
    assert pairs(cloud.cinder("metadata-show", volume["id"])) == {"three": "3"}


def test_image_metadata_is_set_shown_and_taken_away(cloud, volume):
    cloud.cinder("image-metadata", volume["id"], "set", "os=linux", "arch=arm")
    assert pairs(cloud.cinder("image-metadata-show", volume["id"])) == {"os": "linux", "arch": "arm"}
    cloud.cinder("image-metadata", volume["id"], "unset", "arch")
    assert pairs(cloud.cinder("image-metadata-show", volume["id"])) == {"os": "linux"}


def test_flags_and_states_are_changed(cloud, volume):
    cloud.cinder("set-bootable", volume["id"], "true")
    assert shown(cloud, volume["id"])["bootable"] == "true"
    cloud.cinder("readonly-mode-update", volume["id"], "true")
    assert "readonly : True" in shown(cloud, volume["id"])["metadata"]
    cloud.cinder("readonly-mode-update", volume["id"], "false")
    cloud.cinder("reset-state", "--state", "error", volume["id"])
    assert shown(cloud, volume["id"])["status"] == "error"
    cloud.cinder("reset-state", "--state", "available", "--attach-status", "detached", volume["id"])
    assert shown(cloud, volume["id"])["status"] == "available"
    assert "detached" in cloud.cinder("reset-state", "--state", "in-use", "--attach-status", "sideways", volume["id"],
                                      fails=True)
    assert shown(cloud, volume["id"])["status"] == "available"


def test_a_volume_is_copied_from_a_snapshot_and_from_a_volume_and_reverted(cloud):
    volume = cloud.volume()
    snapshot = cloud.snapshot(volume["id"])
    copy = pairs(cloud.cinder("create", "--snapshot-id", snapshot["id"], "--name", fresh("copy"), "1"))
    assert copy["snapshot_id"] == snapshot["id"]
    clone = pairs(cloud.cinder("create", "--source-volid", volume["id"], "--name", fresh("clone"), "1"))
    assert clone["source_volid"] == volume["id"]
    for made in (copy, clone):
        cloud.wait("volume", made["id"])
    cloud.cinder("revert-to-snapshot", snapshot["id"])
    cloud.wait("volume", volume["id"])
    refused = cloud.cinder("create", "--snapshot-id", NO_SUCH, "1", fails=True)
    assert NO_SUCH in refused and "could not be found" in refused
    cloud.cinder("delete", copy["id"], clone["id"])
    cloud.gone("volume", copy["id"])
    cloud.gone("volume", clone["id"])
    cloud.cinder("snapshot-delete", snapshot["id"])
    cloud.gone("snapshot", snapshot["id"])


def test_a_volume_with_snapshots_is_deleted_with_them_only_where_that_is_asked_for(cloud):
    volume = cloud.volume()
    snapshot = cloud.snapshot(volume["id"])
    assert "snapshot" in cloud.cinder("delete", volume["id"], fails=True)
    cloud.cinder("delete", "--cascade", volume["id"])
    cloud.gone("volume", volume["id"])
    cloud.gone("snapshot", snapshot["id"])


def test_a_volume_in_error_is_deleted_by_force(cloud):
    volume = cloud.volume()
    cloud.cinder("reset-state", "--state", "error_deleting", volume["id"])
    cloud.cinder("force-delete", volume["id"])
    cloud.gone("volume", volume["id"])


def test_a_volume_is_retyped(cloud):
    kind = fresh("type")
    cloud.cinder("type-create", kind)
    volume = cloud.volume()
    cloud.cinder("retype", volume["id"], kind)
    cloud.wait("volume", volume["id"])
    assert shown(cloud, volume["id"])["volume_type"] == kind
    assert "could not be found" in cloud.cinder("retype", volume["id"], "no-such-type", fails=True)
    assert "migration" in cloud.cinder("retype", "--migration-policy", "sometimes", volume["id"], kind, fails=True)


def test_a_volume_is_moved_by_replication_and_not_by_copying(cloud, volume):
    assert "replication" in cloud.cinder("migrate", volume["id"], "springform@slow#pool")


def test_what_needs_an_image_service_is_refused_with_that_reason(cloud, volume):
    assert "image service" in cloud.cinder("upload-to-image", volume["id"], "picture", fails=True)
    assert "image service" in cloud.cinder("reimage", volume["id"], NO_SUCH, fails=True)


def test_snapshots_are_taken_listed_shown_renamed_reset_and_deleted(cloud):
    volume, name = cloud.volume(), fresh("snap")
    made = pairs(cloud.cinder("snapshot-create", "--name", name, "--description", "words", "--metadata", "k=v",
                              volume["id"]))
    cloud.wait("snapshot", made["id"])
    rows = table(cloud.cinder("snapshot-list", "--volume-id", volume["id"]))
    assert [(row["ID"], row["Status"]) for row in rows] == [(made["id"], "available")]
    assert table(cloud.cinder("snapshot-list", "--name", name))[0]["Volume ID"] == volume["id"]
    assert pairs(cloud.cinder("snapshot-show", name))["size"] == "1"
    cloud.cinder("snapshot-rename", name, name + "-b", "--description", "others")
    assert pairs(cloud.cinder("snapshot-show", name + "-b"))["description"] == "others"
    cloud.cinder("snapshot-reset-state", "--state", "error", made["id"])
    assert pairs(cloud.cinder("snapshot-show", made["id"]))["status"] == "error"
    cloud.cinder("snapshot-reset-state", "--state", "available", made["id"])
    cloud.cinder("snapshot-metadata", made["id"], "set", "l=w")
    assert pairs(cloud.cinder("snapshot-metadata-show", made["id"])) == {"k": "v", "l": "w"}
    cloud.cinder("snapshot-metadata", made["id"], "unset", "k")
    cloud.cinder("snapshot-metadata-update-all", made["id"], "m=x")
    assert pairs(cloud.cinder("snapshot-metadata-show", made["id"])) == {"m": "x"}
    cloud.cinder("snapshot-delete", "--force", made["id"])
    cloud.gone("snapshot", made["id"])
    assert "No snapshot with a name or ID" in cloud.cinder("snapshot-show", made["id"], fails=True)


def test_an_attachment_is_made_connected_completed_and_ended(cloud):
    volume, server = cloud.volume(), "11111111-2222-3333-4444-555555555555"
    made = pairs(cloud.cinder("attachment-create", volume["id"], server))
    assert made["status"] == "reserved" and made["instance"] == server
    changed = cloud.cinder("attachment-update", made["id"], "--initiator", "iqn.2026-11.example:one", "--ip", "127.0.0.1",
                           "--host", "one")
    assert "iscsi" in changed and "attaching" in changed
    cloud.cinder("attachment-complete", made["id"])
    assert shown(cloud, volume["id"])["status"] == "in-use"
    rows = table(cloud.cinder("attachment-list", "--volume-id", volume["id"]))
    assert [row["ID"] for row in rows] == [made["id"]]
    assert "attached" in cloud.cinder("attachment-show", made["id"])
    assert "Volume status must be" in cloud.cinder("delete", volume["id"], fails=True)
    assert "using the Compute API" in cloud.cinder("attachment-delete", made["id"], fails=True)
    cloud.as_nova("DELETE", f"/attachments/{made['id']}")
    cloud.wait("volume", volume["id"])
    assert "could not be found" in cloud.cinder("attachment-show", made["id"], fails=True)


def test_a_volume_is_connected_at_once_with_the_connector_of_its_host(cloud):
    volume = cloud.volume()
    made = cloud.cinder("attachment-create", "--connect", "True", "--initiator", "iqn.2026-11.example:two", "--ip",
                        "127.0.0.1", "--host", "two", "--mode", "ro", volume["id"])
    assert "iscsi" in made and "ro" in made
    cloud.cinder("attachment-delete", *[row["ID"] for row in
                                        table(cloud.cinder("attachment-list", "--volume-id", volume["id"]))])
    cloud.wait("volume", volume["id"])


def test_a_volume_is_offered_to_another_project_and_taken(cloud):
    volume = cloud.volume()
    offered = pairs(cloud.cinder("transfer-create", "--name", fresh("gift"), volume["id"]))
    assert offered["auth_key"] and shown(cloud, volume["id"])["status"] == "awaiting-transfer"
    assert offered["id"] in [row["ID"] for row in table(cloud.cinder("transfer-list"))]
    assert pairs(cloud.cinder("transfer-show", offered["id"]))["volume_id"] == volume["id"]
    cloud.cinder("transfer-delete", offered["id"])
    cloud.wait("volume", volume["id"])
    offered = pairs(cloud.cinder("transfer-create", volume["id"]))
    taker = cloud.users.get("stranger", cloud.admin)
    assert taker.cinder("transfer-accept", offered["id"], "wrong", fails=True)
    assert pairs(taker.cinder("transfer-accept", offered["id"], offered["auth_key"]))["volume_id"] == volume["id"]
    assert pairs(taker.cinder("show", volume["id"]))["status"] == "available"


def test_a_volume_that_cannot_be_placed_says_why_in_a_message(cloud):
    kind = fresh("nowhere")
    cloud.cinder("type-create", kind)
    cloud.cinder("type-key", kind, "set", "volume_backend_name=nowhere")
    made = pairs(cloud.cinder("create", "--volume-type", kind, "1"))
    cloud.wait("volume", made["id"], "error")
    told = [row for row in table(cloud.cinder("message-list", "--resource_uuid", made["id"]))]
    assert len(told) == 1 and "nowhere" in told[0]["User Message"], told
    assert pairs(cloud.cinder("message-show", told[0]["ID"]))["resource_uuid"] == made["id"]
    cloud.cinder("message-delete", told[0]["ID"])
    assert table(cloud.cinder("message-list", "--resource_uuid", made["id"])) == []


@pytest.mark.parametrize("words, why", [
    (["create", "0"], "minimum"),
    (["create", "--name", "x" * 256, "1"], "too long"),
    (["create", "--volume-type", "no-such-type", "1"], "could not be found"),
    (["extend", "{volume}", "1"], "must be"),
    (["create", "--source-volid", NO_SUCH, "1"], "could not be found"),
    (["create", "--image-id", NO_SUCH, "1"], "image"),
    (["snapshot-create", NO_SUCH], "No volume with"),
    (["transfer-show", NO_SUCH], "No volumetransfer with"),
    (["message-show", NO_SUCH], "No message with"),
], ids=lambda value: value[0] if isinstance(value, list) else None)
def test_what_cannot_be_is_refused_with_the_reason(cloud, volume, words, why):
    assert why in cloud.cinder(*[volume["id"] if word == "{volume}" else word for word in words], fails=True)
