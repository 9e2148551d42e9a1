"""`cinder`: what operators do. Types, access, QoS specs, group types, quotas, services, pools, failover."""

import pytest
from clouds import fresh
from programs import eventually
from shells import pairs, table

SERVICE = "springform@quick"


def rows(cloud, *words, **more):
    return table(cloud.cinder(*words, **more))


def test_types_are_made_shown_changed_given_keys_and_deleted(cloud):
    name = fresh("type")
    made = rows(cloud, "type-create", "--description", "words", name)[0]
    assert made["Name"] == name and made["Is_Public"] == "True"
    assert name in [row["Name"] for row in rows(cloud, "type-list")]
    cloud.cinder("type-key", name, "set", "replication_enabled=<is> True", "other=1")
    assert "'replication_enabled': '<is> True'" in {row["Name"]: row for row in rows(cloud, "extra-specs-list")}[name]["extra_specs"]
    cloud.cinder("type-key", name, "unset", "other")
    shown = pairs(cloud.cinder("type-show", name))
    assert "replication_enabled : <is> True" in shown["extra_specs"] and "other" not in shown["extra_specs"]
    cloud.cinder("type-update", made["ID"], "--name", name + "-b", "--description", "others", "--is-public", "true")
    assert pairs(cloud.cinder("type-show", name + "-b"))["description"] == "others"
    assert "already exists" in cloud.cinder("type-create", name + "-b", fails=True)
    cloud.cinder("type-delete", name + "-b")
    assert "No volumetype with" in cloud.cinder("type-show", name + "-b", fails=True)


def test_a_type_in_use_stays(cloud):
    name = fresh("used")
    cloud.cinder("type-create", name)
    volume = cloud.volume(volume_type=name)
    assert "in use" in cloud.cinder("type-delete", name, fails=True).lower()
    cloud.cinder("delete", volume["id"])
    cloud.gone("volume", volume["id"])
    cloud.cinder("type-delete", name)


def test_a_default_type_is_shown_and_defaults_of_projects_are_listed(cloud):
    assert [row["Name"] for row in rows(cloud, "type-default")] == ["__DEFAULT__"]
    assert rows(cloud, "default-type-list") == []


def test_a_private_type_is_for_those_who_were_given_access(cloud):
    name = fresh("private")
    cloud.cinder("type-create", "--is-public", "False", name)
    cloud.cinder("type-access-add", "--volume-type", name, "--project-id", cloud.other)
    assert [row["Project_ID"] for row in rows(cloud, "type-access-list", "--volume-type", name)] == [cloud.other]
    if "stranger" in cloud.users:
        assert name in cloud.users["stranger"].cinder("type-list")
        assert name not in cloud.users["member"].cinder("type-list")
        assert "could not be found" in cloud.users["member"].cinder("create", "--volume-type", name, "1", fails=True)
    cloud.cinder("type-access-remove", "--volume-type", name, "--project-id", cloud.other)
    assert rows(cloud, "type-access-list", "--volume-type", name) == []


def test_qos_specs_are_made_given_to_types_and_taken_away(cloud):
    name, kind = fresh("qos"), fresh("fast")
    made = pairs(cloud.cinder("qos-create", name, "consumer=back-end", "maxIOPS=1000"))
    assert made["consumer"] == "back-end" and "maxIOPS : 1000" in made["specs"]
    assert name in [row["Name"] for row in rows(cloud, "qos-list")]
    cloud.cinder("qos-key", made["id"], "set", "maxBWS=7")
    assert "maxBWS : 7" in pairs(cloud.cinder("qos-show", made["id"]))["specs"]
    cloud.cinder("qos-key", made["id"], "unset", "maxIOPS")
    assert "maxIOPS" not in pairs(cloud.cinder("qos-show", made["id"]))["specs"]
    of_type = rows(cloud, "type-create", kind)[0]["ID"]
    cloud.cinder("qos-associate", made["id"], of_type)
    assert [row["Name"] for row in rows(cloud, "qos-get-association", made["id"])] == [kind]
    assert pairs(cloud.cinder("type-show", kind))["qos_specs_id"] == made["id"]
    assert "still associated" in cloud.cinder("qos-delete", made["id"], fails=True).lower()
    cloud.cinder("qos-disassociate", made["id"], of_type)
    assert rows(cloud, "qos-get-association", made["id"]) == []
    cloud.cinder("qos-associate", made["id"], of_type)
    cloud.cinder("qos-disassociate-all", made["id"])
    cloud.cinder("qos-delete", made["id"])
    assert "No qosspecs with" in cloud.cinder("qos-show", made["id"], fails=True)


def test_group_types_are_made_changed_given_keys_and_deleted(cloud):
    name = fresh("group-type")
    made = rows(cloud, "group-type-create", "--description", "words", name)[0]
    assert made["Name"] == name
    cloud.cinder("group-type-key", name, "set", "consistent_group_snapshot_enabled=<is> True")
    assert "consistent_group_snapshot_enabled" in {row["Name"]: row for row in rows(cloud, "group-specs-list")}[name]["group_specs"]
    cloud.cinder("group-type-key", name, "unset", "consistent_group_snapshot_enabled")
    cloud.cinder("group-type-update", made["ID"], "--name", name + "-b")
    assert pairs(cloud.cinder("group-type-show", made["ID"]))["name"] == name + "-b"
    assert name + "-b" in [row["Name"] for row in rows(cloud, "group-type-list")]
    assert "can not be found" in cloud.cinder("group-type-default", fails=True)
    cloud.cinder("group-type-delete", name + "-b")
    assert name + "-b" not in cloud.cinder("group-type-list")


def test_quotas_are_shown_set_used_and_given_back(cloud):
    project = fresh("0a")
    assert pairs(cloud.cinder("quota-show", project))["volumes"] == "-1", "the class says so"
    cloud.cinder("quota-update", project, "--volumes", "3", "--snapshots", "4", "--gigabytes", "5")
    shown = pairs(cloud.cinder("quota-show", project))
    assert (shown["volumes"], shown["snapshots"], shown["gigabytes"]) == ("3", "4", "5")
    used = {row["Type"]: row for row in rows(cloud, "quota-usage", project)}
    assert (used["volumes"]["In_use"], used["volumes"]["Limit"]) == ("0", "3")
    cloud.cinder("quota-delete", project)
    assert pairs(cloud.cinder("quota-show", project))["volumes"] == "-1"
    assert int(pairs(cloud.cinder("quota-defaults", project))["volumes"]) == -1
    assert pairs(cloud.cinder("quota-class-show", "default"))["volumes"] == "-1"
    cloud.cinder("quota-class-update", "default", "--snapshots", "77")
    assert pairs(cloud.cinder("quota-class-show", "default"))["snapshots"] == "77"
    cloud.cinder("quota-class-update", "default", "--snapshots", "-1")


def test_a_quota_that_is_used_up_refuses_the_next_volume_with_its_number(cloud):
    user = cloud.users.get("stranger", cloud.admin)
    cloud.cinder("quota-update", user.project, "--volumes", "0")
    try:
        refused = user.cinder("create", "1", fails=True)
        assert "VolumeLimitExceeded" in refused and "(0)" in refused
    finally:
        cloud.cinder("quota-delete", user.project)


def test_limits_are_shown(cloud):
    shown = {row["Name"]: row["Value"] for row in rows(cloud, "absolute-limits")}
    assert shown["maxTotalVolumes"] == "-1" and int(shown["totalVolumesUsed"]) >= 0
    assert rows(cloud, "rate-limits") == []


def test_services_are_listed_disabled_and_enabled(cloud):
    listed = {row["Host"]: row for row in rows(cloud, "service-list")}
    assert listed[SERVICE]["State"] == "up" and listed[SERVICE]["Binary"] == "cinder-volume"
    cloud.cinder("service-disable", SERVICE, "cinder-volume", "--reason", "new disks")
    listed = {row["Host"]: row for row in rows(cloud, "service-list")}
    assert listed[SERVICE]["Status"] == "disabled" and listed[SERVICE]["Disabled Reason"] == "new disks"
    volume = cloud.volume()
    assert volume["os-vol-host-attr:host"].startswith("springform@slow#"), "the other backend took it"
    cloud.cinder("service-enable", SERVICE, "cinder-volume")
    cloud.cinder("service-disable", SERVICE, "cinder-volume")
    cloud.cinder("service-enable", SERVICE, "cinder-volume")
    listed = {row["Host"]: row for row in rows(cloud, "service-list", "--host", SERVICE, "--withreplication")}
    assert listed[SERVICE]["Status"] == "enabled" and listed[SERVICE]["Frozen"] == "False"
    assert "could not be found" in cloud.cinder("service-disable", "nobody@nowhere", "cinder-volume", fails=True)


def test_a_backend_is_frozen_failed_over_failed_back_and_thawed(cloud):
    cloud.cinder("freeze-host", SERVICE)
    assert rows(cloud, "service-list", "--host", SERVICE, "--withreplication")[0]["Frozen"] == "True"
    cloud.cinder("thaw-host", SERVICE)
    assert rows(cloud, "service-list", "--host", SERVICE, "--withreplication")[0]["Frozen"] == "False"
    cloud.cinder("failover-host", SERVICE, "--backend_id", "second")
    assert service(cloud, "failed-over")["active_backend_id"] == "second"
    cloud.cinder("service-enable", SERVICE, "cinder-volume")
    assert rows(cloud, "service-list", "--host", SERVICE)[0]["Status"] == "enabled"
    cloud.cinder("failover-host", SERVICE, "--backend_id", "default")
    assert service(cloud, "enabled")["active_backend_id"] in (None, "")
    cloud.cinder("service-enable", SERVICE, "cinder-volume")
    refused = cloud.cinder("failover-host", SERVICE, "--backend_id", "third", fails=True)
    assert "third" in refused


def service(cloud, status):
    """The service, once its replication has a status."""
    def found():
        one = next(s for s in cloud.call("GET", "/os-services")["services"] if s["host"] == SERVICE)
        return one if one["replication_status"] == status else None
    seen = eventually(found)
    assert seen, cloud.call("GET", "/os-services")
    return seen


def test_log_levels_are_shown_and_belong_to_the_configuration(cloud):
    cloud.cinder("service-get-log")
    assert cloud.cinder("service-set-log", "info", fails=True)


def test_pools_and_capabilities_are_shown(cloud):
    assert "springform@quick#pool" in cloud.cinder("get-pools")
    detail = cloud.cinder("get-pools", "--detail")
    assert "free_capacity_gb" in detail and "springform@slow#pool" in detail
    shown = cloud.cinder("get-capabilities", SERVICE)
    assert "replication_targets" in shown or "replication" in shown
    assert "Can't find service" in cloud.cinder("get-capabilities", "nobody@nowhere", fails=True)


def test_zones_versions_filters_extensions_and_clusters_are_listed(cloud):
    assert rows(cloud, "availability-zone-list") == [{"Name": "nova", "Status": "available"}]
    assert "3.71" in cloud.cinder("version-list") and "3.71" in cloud.cinder("api-version")
    filters = {row["Resource"]: row["Filters"] for row in rows(cloud, "list-filters")}
    assert "status" in filters["volume"]
    assert rows(cloud, "list-filters", "--resource", "snapshot")[0]["Resource"] == "snapshot"
    assert cloud.cinder("list-extensions")
    assert rows(cloud, "cluster-list") == []
    assert "Not Found" in cloud.cinder("cluster-show", "one", fails=True)


def test_the_journal_needs_no_cleaning_up_after_workers(cloud):
    assert "No cleanable services" in cloud.cinder("work-cleanup", "--service-id", "1")


@pytest.mark.parametrize("words", [
    ["backup-create", "x"], ["consisgroup-list"], ["cgsnapshot-list"],
], ids=lambda words: words[0])
def test_what_is_deliberately_absent_is_refused_like_a_cinder_without_it(cloud, words):
    refused = cloud.cinder(*words, fails=True)
    assert "404" in refused or "Not Found" in refused or "No volume with" in refused or "not found" in refused.lower(), refused


def test_there_are_no_backups(cloud):
    assert rows(cloud, "backup-list") == []


def test_a_type_says_how_hosts_encrypt_and_no_volume_is_made_of_it(cloud):
    name = fresh("encrypted")
    cloud.cinder("type-create", name)
    cloud.cinder("encryption-type-create", name, "luks", "--key-size", "256")
    assert [row["Provider"] for row in rows(cloud, "encryption-type-list")] == ["luks"]
    cloud.cinder("encryption-type-update", name, "--cipher", "aes-xts-plain64")
    assert "aes-xts-plain64" in cloud.cinder("encryption-type-show", name)
    assert "no key manager" in cloud.cinder("create", "1", "--volume-type", name, fails=True)
    cloud.cinder("encryption-type-delete", name)
    assert rows(cloud, "encryption-type-list") == []


def test_a_reader_reads_a_member_writes_and_only_an_administrator_administers(cloud):
    if cloud.kind == "noauth":
        return  # everybody is an administrator
    reader, member, stranger = (cloud.users[name] for name in ("reader", "member", "stranger"))
    volume = cloud.volume()
    assert volume["id"] in reader.cinder("list")
    assert "Policy doesn't allow volume:create" in reader.cinder("create", "1", fails=True)
    assert "Policy doesn't allow volume:delete" in reader.cinder("delete", volume["id"], fails=True)
    member.cinder("rename", volume["id"], "by-a-member")
    for words in (["type-create", "x"], ["service-list"], ["failover-host", SERVICE], ["get-pools"],
                  ["reset-state", volume["id"]], ["quota-update", "x", "--volumes", "1"], ["qos-list"]):
        assert "Policy doesn't allow" in member.cinder(*words, fails=True), words
    assert volume["id"] not in stranger.cinder("list")
    assert "No volume with" in stranger.cinder("show", volume["id"], fails=True)
    assert volume["id"] in cloud.cinder("list", "--all-tenants")
    assert volume["id"] not in stranger.cinder("list", "--all-tenants"), "which is not for members"
