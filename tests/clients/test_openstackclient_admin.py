"""`openstack volume …` and `openstack block storage …`: what operators do."""

import pytest
from clouds import fresh
from programs import eventually

SERVICE = "springform@quick"


def names(rows):
    return [row["Name"] for row in rows]


def service(cloud):
    return next(s for s in cloud.call("GET", "/os-services")["services"] if s["host"] == SERVICE)


def test_types_are_made_shown_set_and_deleted(cloud):
    name = fresh("type")
    made = cloud.read("volume", "type", "create", "--description", "words", "--property", "a=1", "--multiattach",
                      "--replicated", name)
    assert made["name"] == name and made["properties"]["replication_enabled"] == "<is> True"
    assert name in names(cloud.read("volume", "type", "list", "--long", "--public"))
    cloud.openstack("volume", "type", "set", "--name", name + "-b", "--description", "others", "--property", "b=2", name)
    cloud.openstack("volume", "type", "unset", "--property", "a", name + "-b")
    shown = cloud.read("volume", "type", "show", name + "-b")
    assert shown["description"] == "others" and shown["properties"]["b"] == "2" and "a" not in shown["properties"]
    cloud.openstack("volume", "type", "delete", name + "-b")
    assert name + "-b" not in names(cloud.read("volume", "type", "list"))
    assert names(cloud.read("volume", "type", "list", "--default")) == ["__DEFAULT__"]


def test_a_private_type_is_listed_as_private(cloud):
    name = fresh("private")
    made = cloud.read("volume", "type", "create", "--private", name)
    assert made["is_public"] is False
    assert name in names(cloud.read("volume", "type", "list", "--private"))
    cloud.call("POST", f"/types/{made['id']}/action", {"addProjectAccess": {"project": cloud.other}})
    assert cloud.read("volume", "type", "show", name)["access_project_ids"] == [cloud.other]
    if "stranger" in cloud.users:
        assert name in names(cloud.users["stranger"].read("volume", "type", "list"))
        assert name not in names(cloud.users["member"].read("volume", "type", "list"))
    cloud.openstack("volume", "type", "delete", name)


def test_qos_specs_are_made_given_to_types_and_taken_away(cloud):
    name, kind = fresh("qos"), fresh("fast")
    made = cloud.read("volume", "qos", "create", "--consumer", "back-end", "--property", "maxIOPS=10", name)
    assert made["consumer"] == "back-end" and made["properties"] == {"maxIOPS": "10"}
    cloud.openstack("volume", "qos", "set", "--property", "maxBWS=7", name)
    cloud.openstack("volume", "qos", "unset", "--property", "maxIOPS", name)
    assert cloud.read("volume", "qos", "show", name)["properties"] == {"maxBWS": "7"}
    cloud.openstack("volume", "type", "create", kind)
    cloud.openstack("volume", "qos", "associate", name, kind)
    listed = {row["Name"]: row for row in cloud.read("volume", "qos", "list")}
    assert listed[name]["Associations"] == [kind]
    cloud.openstack("volume", "qos", "disassociate", "--volume-type", kind, name)
    cloud.openstack("volume", "qos", "associate", name, kind)
    cloud.openstack("volume", "qos", "disassociate", "--all", name)
    cloud.openstack("volume", "qos", "delete", name)
    assert name not in names(cloud.read("volume", "qos", "list"))


def test_group_types_are_made_shown_set_and_deleted(cloud):
    name = fresh("group-type")
    made = cloud.read("volume", "group", "type", "create", "--description", "words", name)
    assert made["Name"] == name
    cloud.openstack("volume", "group", "type", "set", "--description", "others", "--property", "a=1", name)
    shown = cloud.read("volume", "group", "type", "show", name)
    assert shown["Description"] == "others" and shown["Properties"] == {"a": "1"}
    assert name in names(cloud.read("volume", "group", "type", "list"))
    assert cloud.openstack("volume", "group", "type", "list", "--default", fails=True)
    cloud.openstack("volume", "group", "type", "delete", name)
    assert name not in names(cloud.read("volume", "group", "type", "list"))


def test_services_are_listed_disabled_and_enabled(cloud):
    listed = {row["Host"]: row for row in cloud.read("volume", "service", "list", "--long")}
    assert listed[SERVICE]["State"] == "up" and listed[SERVICE]["Binary"] == "cinder-volume"
    cloud.openstack("volume", "service", "set", "--disable", "--disable-reason", "new disks", SERVICE, "cinder-volume")
    assert service(cloud)["disabled_reason"] == "new disks" and service(cloud)["status"] == "disabled"
    cloud.openstack("volume", "service", "set", "--enable", SERVICE, "cinder-volume")
    assert service(cloud)["status"] == "enabled"
    assert cloud.read("volume", "service", "list", "--host", SERVICE, "--service", "cinder-volume")[0]["Host"] == SERVICE


def test_a_backend_is_frozen_thawed_failed_over_and_failed_back(cloud):
    cloud.openstack("volume", "host", "set", "--disable", SERVICE)
    assert service(cloud)["frozen"] is True
    cloud.openstack("volume", "host", "set", "--enable", SERVICE)
    assert service(cloud)["frozen"] is False
    cloud.openstack("volume", "host", "failover", "--volume-backend", "second", SERVICE)
    assert eventually(lambda: service(cloud)["replication_status"] == "failed-over"), service(cloud)
    assert service(cloud)["active_backend_id"] == "second"
    cloud.openstack("volume", "service", "set", "--enable", SERVICE, "cinder-volume")
    assert service(cloud)["status"] == "enabled"
    cloud.openstack("volume", "host", "failover", "--volume-backend", "default", SERVICE)
    assert eventually(lambda: service(cloud)["replication_status"] == "enabled"), service(cloud)
    cloud.openstack("volume", "service", "set", "--enable", SERVICE, "cinder-volume")


def test_pools_and_capabilities_are_shown(cloud):
    pools = cloud.read("volume", "backend", "pool", "list", "--long")
    assert f"{SERVICE}#pool" in names(pools)
    shown = cloud.read("volume", "backend", "capability", "show", SERVICE)
    assert shown and {"Title", "Key", "Type", "Description"} <= set(shown[0])


def test_filters_clusters_and_log_levels_are_listed(cloud):
    filters = {row["Resource"]: row["Filters"] for row in cloud.read("block", "storage", "resource", "filter", "list")}
    assert "status" in filters["volume"]
    assert "volume" in cloud.openstack("block", "storage", "resource", "filter", "show", "volume")
    assert cloud.read("block", "storage", "cluster", "list") == []
    assert cloud.openstack("block", "storage", "cluster", "show", "one", fails=True)
    assert cloud.openstack("block", "storage", "cluster", "set", "--enable", "one", fails=True)
    cloud.openstack("block", "storage", "log", "level", "list")
    assert cloud.openstack("block", "storage", "log", "level", "set", "INFO", fails=True)
    cloud.openstack("block", "storage", "cleanup", "--host", SERVICE, "--binary", "cinder-volume", "--cluster", "one")


def test_zones_limits_quotas_extensions_and_versions_are_shown(cloud):
    assert cloud.read("availability", "zone", "list", "--volume")[0]["Zone Name"] == "nova"
    if cloud.kind == "tokens":
        return  # `openstack limits show` wants a Nova beside a service whose endpoint is given with a token
    limits = {row["Name"]: row["Value"] for row in cloud.read("limits", "show", "--absolute")}
    assert limits["max_total_volumes"] == -1


def test_there_are_no_backups(cloud):
    assert cloud.read("volume", "backup", "list") == []


@pytest.mark.parametrize("words", [
    ["volume", "backup", "create", "{volume}"],
    ["consistency", "group", "list"],
    ["consistency", "group", "create", "--volume-type", "x", "y"],
    ["consistency", "group", "snapshot", "list"],
], ids=" ".join)
def test_what_is_deliberately_absent_is_refused_like_a_cinder_without_it(cloud, words):
    volume = cloud.volume()["id"] if "{volume}" in words else ""
    assert cloud.openstack(*[volume if word == "{volume}" else word for word in words], fails=True)


def test_a_reader_reads_a_member_writes_and_only_an_administrator_administers(cloud):
    if cloud.kind == "noauth":
        return  # everybody is an administrator
    reader, member, stranger = (cloud.users[name] for name in ("reader", "member", "stranger"))
    volume = cloud.volume()
    assert volume["id"] in reader.openstack("volume", "list")
    assert "Policy doesn't allow" in reader.openstack("volume", "create", "--size", "1", "x", fails=True)
    member.openstack("volume", "set", "--name", "by-a-member", volume["id"])
    assert "Policy doesn't allow" in member.openstack("volume", "service", "list", fails=True)
    assert volume["id"] not in stranger.openstack("volume", "list")
    assert "No Volume found" in stranger.openstack("volume", "show", volume["id"], fails=True)
