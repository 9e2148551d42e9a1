"""Odd requests, by hand: queries, paths and bodies that nobody should send and somebody does.

Each is (method, path, body) and may say more: version, user, content. Words in <> are things of `odd_world.Place.furnish`.
`<fresh:kind>` is one that no request has changed.
"""

LONG, TOO_LONG = "x" * 255, "x" * 256
NO_SUCH = "11111111-2222-4333-8444-555555555555"


class Odd:
    """One request."""

    def __init__(self, method, path, body=None, version="3.71", user="admin", content="application/json"):
        self.method, self.path, self.body = method, path, body
        self.version, self.user, self.content = version, user, content

    def __str__(self):
        body = "" if self.body is None else f" {self.body}".replace(TOO_LONG, "x*256").replace(LONG, "x*255")
        more = "".join(f" [{word}]" for word, usual in (
            (self.version, "3.71"), (self.user, "admin"), (self.content, "application/json")) if word != usual)
        return f"{self.method} {self.path}{body}{more}"


LISTS = {
    # path: (sort keys that ours has, whether there is a detail)
    "/volumes": True, "/snapshots": True, "/attachments": True, "/volume-transfers": True, "/os-volume-transfer": True,
    "/groups": True, "/group_snapshots": True, "/messages": False, "/backups": True, "/types": False,
    "/group_types": False, "/qos-specs": False,
}

QUERIES = [
    "", "limit=0", "limit=1", "limit=-1", "limit=abc", "limit=", "limit=1.5", "limit=%201", "limit=99999999999999999999", "limit=2&limit=1",
    "offset=0", "offset=1", "offset=-1", "offset=abc", "offset=2147483647", "offset=2147483648", "offset=", "offset=1000",
    "marker=<none>", "marker=abc", "marker=", "marker=<none>&limit=0",
    "sort=created_at", "sort=created_at:asc", "sort=created_at:up", "sort=:asc", "sort=", "sort=colour", "sort=id:asc,created_at:desc",
    "sort=created_at:asc:desc", "sort=created_at:", "sort=created_at:ASC", "sort=%20created_at", "sort=created_at,created_at",
    "sort_key=created_at", "sort_key=colour", "sort_dir=asc", "sort_dir=up", "sort_key=created_at&sort_dir=asc", "sort_key=", "sort_dir=",
    "sort=created_at&sort_key=id", "sort=created_at&sort_dir=asc",
    "all_tenants=1", "all_tenants=0", "all_tenants=maybe", "all_tenants=", "all_tenants=true", "all_tenants=True", "all_tenants=2",
    "with_count=true", "with_count=maybe", "with_count=", "with_count=1",
    "created_at=gt:abc", "created_at=abc", "created_at=gt:", "created_at=", "created_at=gt:2020-01-01T00:00:00",
    "created_at=bigger:2020-01-01T00:00:00", "updated_at=gt:abc", "updated_at=lt:2020-01-01", "created_at=gt:2020-01-01T00:00:00,",
    "created_at=gt:2020-01-01T00:00:00Z", "created_at=lt:2020-01-01T00:00:00%2B02:00", "created_at=lt:20200101", "created_at=neq:2020-01-01T00:00:00",
    "colour=red", "name=nobody", "name~=nobody", "colour~=red", "status=nothing", "status~=avail", "id=<none>", "project_id=<other>",
    "name=%00", "name=%ff", "user_id=nobody", "colour",
]

OWN_QUERIES = {
    "/volumes": [
        "bootable=maybe", "bootable=true", "bootable=1", "bootable=True", "bootable=0", "bootable=false", "bootable=", "bootable=on",
        "size=abc", "size=1", "size=-1", "size=1.5", "size=",
        "metadata=x", "metadata={}", "metadata={'key':'x'}", "metadata={%22key%22:%22x%22}", "metadata=[]", "metadata=", "metadata={'key':1}",
        "metadata={'key':None}", "glance_metadata=x", "glance_metadata={'key':'x'}", "group_id=<g>", "group_id=abc", "availability_zone=nowhere",
        "consumes_quota=true", "consumes_quota=maybe", "consumes_quota=", "use_quota=true", "multiattach=maybe", "multiattach=true",
        "migration_status=None", "host=abc", "host=<host>", "encrypted=maybe", "attach_status=attached", "readonly=true",
        "migration_status=success", "name=first", "name=first&name=boot", "display_name=first", "changes-since=2020-01-01T00:00:00", "no_migration_targets=true",
        "no_migration_targets=1", "bootable=maybe&status=available", "volume_type=public", "volume_type_id=<t>", "status=available&status=in-use", "sort=name", "sort=name:asc,size", "sort=display_name",
        "sort=size", "sort=bootable", "sort=availability_zone", "sort=status", "sort=id", "sort=host", "sort=volume_type_id", "sort=deleted",
    ],
    "/snapshots": [
        "metadata=x", "metadata={}", "metadata={'key':'x'}", "metadata=[]", "volume_id=<v>", "volume_id=abc", "volume_size=abc", "availability_zone=nowhere",
        "availability_zone=nova", "consumes_quota=maybe", "consumes_quota=", "host=abc", "host=<host>", "sort=name", "sort=display_name", "sort=volume_id", "sort=volume_size", "sort=size",
        "name=snap", "display_name=snap", "progress=100%25",
    ],
    "/attachments": ["instance_id=abc", "instance_id=<none>", "volume_id=<used>", "volume_id=abc", "attach_status=reserved", "attach_status=maybe", "sort=attach_status", "sort=volume_id"],
    "/volume-transfers": ["sort=display_name", "sort=name", "name=offer", "display_name=offer", "is_public=x", "volume_id=<offered>"],
    "/os-volume-transfer": ["sort=name", "name=offer"],
    "/groups": ["list_volume=maybe", "list_volume=true", "list_volume=", "list_volume=1", "group_type=<gt>", "group_type=abc", "sort=name", "sort=group_type_id", "source_group_id=<none>"],
    "/group_snapshots": ["group_id=<g>", "group_id=abc", "sort=name", "sort=group_id", "source_group_id=<none>"],
    "/messages": ["message_level=ERROR", "message_level=error", "event_id=abc", "resource_type=VOLUME", "resource_uuid=abc", "request_id=abc", "sort=event_id", "sort=message_level", "sort=id"],
    "/backups": ["volume_id=abc", "sort=name", "sort=size", "sort=display_name"],
    "/types": ["is_public=x", "is_public=None", "is_public=none", "is_public=", "is_public=true", "is_public=false", "is_public=1", "is_public=0", "is_public=True",
               "extra_specs=x", "extra_specs={}", "extra_specs={'key':'x'}", "extra_specs=[]", "sort=name", "sort=is_public", "sort=description", "name=public", "extra_specs={'key':1}"],
    "/group_types": ["is_public=x", "is_public=None", "is_public=none", "is_public=", "is_public=true", "is_public=false", "sort=name", "sort=description"],
    "/qos-specs": ["sort=name", "sort=consumer", "consumer=back-end", "name=qos"],
}

PLAIN = {
    "/scheduler-stats/get_pools": ["", "detail=maybe", "detail=true", "detail=", "detail=1", "colour=red", "name=abc", "volume_type=abc", "volume_type=<t>", "volume_type=", "name=", "limit=abc", "name~=x"],
    "/clusters": ["", "colour=red", "is_up=maybe", "name=abc", "disabled=maybe", "replication_status=x", "frozen=x", "num_hosts=abc", "num_down_hosts=abc", "active_backend_id=x", "binary=abc", "limit=abc"],
    "/clusters/detail": ["", "colour=red", "is_up=maybe"],
    "/os-services": ["", "colour=red", "host=abc", "binary=abc", "binary=", "host=", "service=x", "disabled=maybe", "limit=abc"],
    "/os-hosts": ["", "colour=red", "zone=abc", "zone=", "service=abc", "limit=abc"],
    "/limits": ["", "colour=red", "project_id=<other>", "project_id=abc", "tenant_id=<other>", "project_id="],
    "/os-availability-zone": ["", "colour=red"],
    "/extensions": ["", "colour=red"],
    "/resource_filters": ["", "resource=abc", "resource=", "resource=volume", "colour=red"],
    "/volumes/summary": ["", "all_tenants=maybe", "all_tenants=1", "colour=red", "bootable=maybe", "name=first", "status=available", "metadata=x", "limit=abc"],
    "/default-types": ["", "colour=red", "limit=abc"],
    "/os-quota-sets/<project>": ["", "usage=maybe", "usage=true", "usage=", "colour=red", "user_id=abc"],
    "/os-quota-sets/<other>": [""],
    "/os-quota-sets/abc": ["", "usage=true"],
    "/os-quota-sets/<project>/defaults": ["", "user_id=abc"],
    "/os-quota-class-sets/default": ["", "colour=red"],
    "/os-quota-class-sets/abc": [""],
    "/types/<t>": ["", "is_public=x", "colour=red"],
    "/types/<none>": [""], "/types/abc": [""], "/types/public": [""], "/types/default": [""], "/types/<sp>/extra_specs": [""], "/types/<none>/extra_specs": [""],
    "/types/<sp>/extra_specs/abc": [""], "/types/<sp>/extra_specs/key": [""], "/types/<t>/os-volume-type-access": [""], "/types/<p>/os-volume-type-access": [""],
    "/types/<sp>/encryption": [""], "/types/<none>/encryption": [""], "/types/<sp>/encryption/provider": [""], "/types/<sp>/encryption/abc": [""],
    "/types/<none>/os-volume-type-access": [""], "/types/<p>": [""],
    "/volumes/<V>": [""], "/volumes/<bare>": [""], "/volumes/abc": [""], "/volumes/<none>": [""], "/volumes/<v>": ["colour=red"], "/volumes/%20": [""],
    "/volumes/<v>/metadata": [""], "/volumes/<none>/metadata": [""], "/volumes/<v>/metadata/abc": [""], "/volumes/<v>/encryption": [""], "/volumes/<none>/encryption": [""],
    "/volumes/<v>/encryption/key": [""],
    "/snapshots/abc": [""], "/snapshots/<none>": [""], "/snapshots/<none>/metadata": [""], "/snapshots/<s>/metadata/abc": [""],
    "/attachments/abc": [""], "/attachments/<none>": [""], "/groups/abc": [""], "/groups/<none>": [""], "/groups/<g>": ["list_volume=maybe", "list_volume=true", "colour=red"],
    "/group_snapshots/<none>": [""], "/group_snapshots/abc": [""], "/group_types/<none>": [""], "/group_types/abc": [""], "/group_types/gt": [""], "/group_types/default": [""],
    "/group_types/<gsp>/group_specs": [""], "/group_types/<none>/group_specs": [""], "/group_types/<gsp>/group_specs/abc": [""],
    "/messages/<none>": [""], "/messages/abc": [""], "/backups/<none>": [""], "/backups/abc": [""], "/volume-transfers/<none>": [""], "/volume-transfers/abc": [""],
    "/qos-specs/<none>": [""], "/qos-specs/abc": [""], "/qos-specs/<none>/associations": [""], "/qos-specs/<q>/associations": [""],
    "/qos-specs/<q>/associate": ["", "vol_type_id=", "vol_type_id=<none>", "vol_type_id=abc", "vol_type_id=public"],
    "/qos-specs/<q>/disassociate": ["", "vol_type_id=", "vol_type_id=<none>", "vol_type_id=<t>"],
    "/qos-specs/<none>/associate": ["vol_type_id=<t>", ""], "/qos-specs/<none>/disassociate": ["vol_type_id=<t>"], "/qos-specs/<none>/disassociate_all": [""],
    "/os-hosts/abc": [""], "/os-hosts/<host>": [""], "/capabilities/abc": [""], "/default-types/abc": [""], "/default-types/<other>": [""],
    "/extensions/abc": [""], "/nothing": [""], "/volumes/": [""], "/volumes/detail/": [""], "/volumes/detail/abc": [""],
    "/manageable_volumes": ["", "host=abc", "host=", "cluster=abc", "host=abc&cluster=abc", "host=<host>%23pool&limit=abc", "host=<host>%23pool&limit=-1", "host=<host>%23pool&offset=abc", "host=<host>%23pool&sort=colour",
                            "host=<host>%23pool&sort=size:up"],
    "/manageable_snapshots": ["", "host=abc", "host=<host>%23pool&limit=abc", "host=<host>%23pool&sort=colour"],
}

ANY = "<none>"
ODD_BODIES = [b"", b"{", b"abc", [], None, "x", 1, {}, {"colour": {}}, b"\xff\xfe", b"null", b"[1]"]
# Paths with a body, and the key of it.
KEYS = [
    ("POST", "/volumes", "volume"), ("PUT", "/volumes/<v>", "volume"), ("POST", "/volumes/<v>/action", "os-extend"),
    ("POST", "/volumes/<v>/metadata", "metadata"), ("PUT", "/volumes/<v>/metadata", "metadata"), ("PUT", "/volumes/<v>/metadata/key", "meta"),
    ("POST", "/snapshots", "snapshot"), ("PUT", "/snapshots/<s>", "snapshot"), ("POST", "/snapshots/<s>/action", "os-reset_status"),
    ("POST", "/snapshots/<s>/metadata", "metadata"), ("PUT", "/snapshots/<s>/metadata", "metadata"), ("PUT", "/snapshots/<s>/metadata/key", "meta"),
    ("POST", "/attachments", "attachment"), ("PUT", "/attachments/<a>", "attachment"), ("POST", "/attachments/<a>/action", "os-complete-not"),
    ("POST", "/types", "volume_type"), ("PUT", "/types/<t>", "volume_type"), ("POST", "/types/<p>/action", "addProjectAccess"),
    ("POST", "/types/<sp>/extra_specs", "extra_specs"), ("PUT", "/types/<sp>/extra_specs/key", "key"), ("POST", "/types/<sp>/encryption", "encryption"),
    ("PUT", "/types/<sp>/encryption/provider", "encryption"),
    ("POST", "/group_types", "group_type"), ("PUT", "/group_types/<gt>", "group_type"), ("POST", "/group_types/<gsp>/group_specs", "group_specs"),
    ("PUT", "/group_types/<gsp>/group_specs/key", "key"),
    ("POST", "/groups", "group"), ("PUT", "/groups/<g>", "group"), ("POST", "/groups/<g>/action", "delete-not"), ("POST", "/groups/action", "create-from-src"),
    ("POST", "/group_snapshots", "group_snapshot"), ("POST", "/group_snapshots/<gs>/action", "reset_status"),
    ("POST", "/volume-transfers", "transfer"), ("POST", "/volume-transfers/<tr>/accept", "accept"), ("POST", "/os-volume-transfer", "transfer"),
    ("POST", "/qos-specs", "qos_specs"), ("PUT", "/qos-specs/<q>", "qos_specs"), ("PUT", "/qos-specs/<q>/delete_keys", "keys"),
    ("PUT", "/os-quota-sets/<project>", "quota_set"), ("PUT", "/os-quota-class-sets/default", "quota_class_set"),
    ("PUT", "/default-types/<project>", "default_type"), ("PUT", "/os-services/enable", "host"), ("PUT", "/os-services/disable", "host"),
    ("PUT", "/os-services/disable-log-reason", "host"), ("PUT", "/os-services/freeze", "host"), ("PUT", "/os-services/failover_host", "host"),
    ("PUT", "/os-services/get-log", "binary"), ("POST", "/workers/cleanup", "host"),
    ("POST", "/backups", "backup"), ("PUT", "/backups/<none>", "backup"), ("POST", "/backups/<none>/restore", "restore"),
    ("POST", "/backups/import_record", "backup-record"), ("POST", "/backups/<none>/action", "os-reset_status"),
    ("POST", "/manageable_volumes", "volume"), ("POST", "/manageable_snapshots", "snapshot"),
]


def lists():
    for path, detailed in LISTS.items():
        for query in QUERIES + OWN_QUERIES[path]:
            yield Odd("GET", f"{path}?{query}")
        for query in QUERIES[5:] if detailed else []:
            yield Odd("GET", f"{path}/detail?{query}")
        for query in OWN_QUERIES[path] + ["all_tenants=1", "all_tenants=maybe", "all_tenants=", "colour=red", "name=nobody", "status=available", "project_id=<project>", "host=abc", "name~=x",
                                          "limit=abc", "sort=host", "sort=colour", "marker=abc", "with_count=maybe"]:
            yield Odd("GET", f"{path}?{query}", user="member")
        for version in ("3.0", "3.10", "3.30", "3.33"):
            for query in ("", "colour=red", "limit=abc", "name~=x", "all_tenants=maybe", "created_at=gt:abc", "bootable=maybe", "with_count=maybe", "metadata=x"):
                yield Odd("GET", f"{path}?{query}", version=version)
                yield Odd("GET", f"{path}?{query}", version=version, user="member")


def plain():
    for path, queries in PLAIN.items():
        for query in queries:
            yield Odd("GET", f"{path}?{query}" if query else path)
            yield Odd("GET", f"{path}?{query}" if query else path, user="member")
        yield Odd("GET", path, version="3.0")


def bodies():
    for method, path, key in KEYS:
        for body in ODD_BODIES:
            yield Odd(method, path, body)
        for body in (None, [], "x", 1, {}, [[]], True, {"colour": "red"}):
            yield Odd(method, path, {key: body})
        yield Odd(method, path, {key: {}, "colour": {}})
        for content in ("text/plain", "application/xml", None, "application/json; charset=utf-8", "application/jsonx"):
            yield Odd(method, path, {key: {}}, content=content)
    for action in ("volumes/<v>", "volumes/<none>", "volumes/abc", "snapshots/<s>", "snapshots/<none>", "types/<t>", "groups/<g>", "group_snapshots/<gs>",
                   "attachments/<a>", "backups/<none>"):
        for body in ({"os-nothing": {}}, {"os-nothing": None}, {"os-reserve": {}, "os-unreserve": {}}, {"": {}}, {"action": {}}, {"__init__": {}}):
            yield Odd("POST", f"/{action}/action", body)
            yield Odd("POST", f"/{action}/action", body, user="member")


def methods():
    for path in ("/volumes", "/volumes/<v>", "/volumes/detail", "/snapshots", "/types", "/os-services", "/limits", "/attachments", "/groups", "/nothing", "/messages", "/volumes/<v>/action", "/os-quota-sets/<project>"):
        for method in ("PUT", "DELETE", "PATCH", "POST", "HEAD", "OPTIONS"):
            if (method, path) not in (("DELETE", "/volumes/<v>"), ("DELETE", "/os-quota-sets/<project>")):
                yield Odd(method, path, None if method in ("DELETE", "HEAD", "OPTIONS") else {})


def gone():
    """What is deleted that is not there, or may not be."""
    for path in ("/volumes/<none>", "/volumes/abc", "/snapshots/<none>", "/snapshots/abc", "/attachments/<none>", "/attachments/abc", "/types/<none>", "/types/abc", "/types/<t>", "/types/public",
                 "/group_types/<none>", "/group_types/<gt>", "/group_snapshots/<none>", "/volume-transfers/<none>", "/messages/<none>", "/backups/<none>", "/qos-specs/<none>",
                 "/qos-specs/<none>?force=maybe", "/qos-specs/<q>?force=maybe", "/default-types/<none>", "/volumes/<v>/metadata/abc", "/snapshots/<s>/metadata/abc", "/types/<sp>/extra_specs/abc",
                 "/group_types/<gsp>/group_specs/abc", "/types/<sp>/encryption/provider", "/types/<none>/encryption/provider", "/volumes/<v>", "/volumes/<v>?cascade=maybe", "/volumes/<offered>", "/volumes/<gm>",
                 "/volumes/<none>?force=maybe", "/volumes/<used>", "/os-quota-sets/abc", "/volumes/<none>/metadata/abc"):
        yield Odd("DELETE", path)
    for path in ("/volumes/<none>?force=true", "/types/<t>", "/qos-specs/<q>", "/group_types/<gt>", "/messages/<none>", "/os-quota-sets/<project>", "/volumes/<v>?force=true"):
        yield Odd("DELETE", path, user="member")


def doings():
    """Things that are refused for what they are about, not for their form."""
    yield Odd("POST", "/volume-transfers/<tr>/accept", {"accept": {"auth_key": "wrong"}})
    yield Odd("POST", "/volume-transfers/<tr>/accept", {"accept": {"auth_key": "wrong"}}, user="stranger")
    yield Odd("POST", "/volume-transfers/<tr>/accept", {"accept": {"auth_key": 12}}, user="stranger")
    yield Odd("POST", "/volume-transfers/<tr>/accept", {"accept": {"auth_key": ""}}, user="stranger")
    yield Odd("POST", "/volume-transfers/<none>/accept", {"accept": {"auth_key": "wrong"}})
    yield Odd("POST", "/volume-transfers", {"transfer": {"volume_id": "<used>"}})
    yield Odd("POST", "/volume-transfers", {"transfer": {"volume_id": "<offered>"}})
    yield Odd("POST", "/volume-transfers", {"transfer": {"volume_id": "<none>"}})
    yield Odd("POST", "/volume-transfers", {"transfer": {"volume_id": "<gm>"}})
    yield Odd("POST", "/volume-transfers", {"transfer": {"volume_id": "<v>"}}, user="stranger")
    yield Odd("POST", "/types", {"volume_type": {"name": "public"}})
    yield Odd("POST", "/types", {"volume_type": {"name": " public "}})
    yield Odd("PUT", "/types/<t>", {"volume_type": {"name": "private"}})
    yield Odd("POST", "/group_types", {"group_type": {"name": "gt"}})
    yield Odd("POST", "/qos-specs", {"qos_specs": {"name": "qos"}})
    yield Odd("POST", "/types/<t>/action", {"addProjectAccess": {"project": "<other>"}})
    yield Odd("POST", "/types/<t>/action", {"removeProjectAccess": {"project": "<other>"}})
    yield Odd("POST", "/types/<p>/action", {"addProjectAccess": {"project": "abc"}})
    yield Odd("POST", "/types/<p>/action", {"addProjectAccess": {"project": "abc"}})
    yield Odd("POST", "/types/<p>/action", {"removeProjectAccess": {"project": "nobody"}})
    yield Odd("POST", "/types/<none>/action", {"addProjectAccess": {"project": "abc"}})
    yield Odd("POST", "/types/<sp>/extra_specs", {"extra_specs": {"other": "y"}})
    yield Odd("PUT", "/types/<sp>/extra_specs/other", {"key": "y"})
    yield Odd("PUT", "/types/<sp>/extra_specs/key", {"key": "y", "other": "z"})
    yield Odd("DELETE", "/types/<t>/extra_specs/key")
    yield Odd("POST", "/types/<t>/extra_specs", {"extra_specs": {"other": "y"}})
    yield Odd("PUT", "/volumes/<v>/metadata/other", {"meta": {"key": "y"}})
    yield Odd("PUT", "/volumes/<v>/metadata/key", {"meta": {"key": "y", "other": "z"}})
    yield Odd("PUT", "/snapshots/<s>/metadata/other", {"meta": {"key": "y"}})
    yield Odd("POST", "/volumes", {"volume": {}})
    yield Odd("POST", "/volumes", {"volume": {"size": 1, "volume_type": "nobody"}})
    yield Odd("POST", "/volumes", {"volume": {"size": 1, "volume_type": "<none>"}})
    yield Odd("POST", "/volumes", {"volume": {"size": 1, "volume_type": "private"}}, user="member")
    yield Odd("POST", "/volumes", {"volume": {"size": 1, "availability_zone": "nowhere"}})
    yield Odd("POST", "/volumes", {"volume": {"size": 1, "snapshot_id": "<none>"}})
    yield Odd("POST", "/volumes", {"volume": {"size": 1, "source_volid": "<none>"}})
    yield Odd("POST", "/volumes", {"volume": {"size": 1, "source_volid": "<v>", "snapshot_id": "<s>"}})
    yield Odd("POST", "/volumes", {"volume": {"size": 1, "group_id": "<none>"}})
    yield Odd("POST", "/volumes", {"volume": {"size": 1, "group_id": "<g>"}})
    yield Odd("POST", "/volumes", {"volume": {"size": 1, "group_id": "abc"}})
    yield Odd("POST", "/volumes", {"volume": {"size": 1, "backup_id": "<none>"}})
    yield Odd("POST", "/volumes", {"volume": {"size": 1, "consistencygroup_id": "<none>"}})
    yield Odd("POST", "/volumes", {"volume": {"size": 1, "multiattach": True}})
    yield Odd("POST", "/volumes", {"volume": {"size": 1, "source_replica": "<none>"}}, version="3.0")
    yield Odd("POST", "/volumes", {"volume": {"size": 1, "colour": "red"}}, version="3.52")
    yield Odd("POST", "/volumes", {"volume": {"size": 1, "colour": "red"}}, version="3.53")
    yield Odd("POST", "/volumes", {"volume": {"size": 1}}, user="reader")
    for hints in ({"same_host": "abc"}, {"same_host": []}, {"same_host": ["<v>", "<v>"]}, {"same_host": None}, {"different_host": ["<v>", 1]}, {"query": 1}, {"query": "abc"},
                  {"query": []}, {"local_to_instance": "abc"}, {"local_to_instance": None}, {"colour": "red"}, [], "x"):
        yield Odd("POST", "/volumes", {"volume": {"size": 1}, "OS-SCH-HNT:scheduler_hints": hints})
    yield Odd("POST", "/snapshots", {"snapshot": {"volume_id": "<none>"}})
    yield Odd("POST", "/snapshots", {"snapshot": {"volume_id": "<used>"}}, version="3.0")
    yield Odd("POST", "/snapshots", {"snapshot": {"volume_id": "<v>", "force": False}})
    yield Odd("POST", "/snapshots", {"snapshot": {"volume_id": "<v>", "force": "yes"}})
    yield Odd("POST", "/snapshots", {"snapshot": {"volume_id": "<v>"}}, user="stranger")
    yield Odd("POST", "/attachments", {"attachment": {"volume_uuid": "<none>"}})
    yield Odd("POST", "/attachments", {"attachment": {"volume_uuid": "<used>"}})
    yield Odd("POST", "/attachments", {"attachment": {"volume_uuid": "<v>", "mode": "rw"}}, version="3.53")
    yield Odd("POST", "/attachments/<a>/action", {"os-complete": {}}, version="3.43")
    for name, body in (("os-reserve", {}), ("os-unreserve", {}), ("os-begin_detaching", {}), ("os-roll_detaching", {}), ("os-extend", {"new_size": 1}),
                       ("os-extend", {"new_size": 0}), ("os-detach", {}), ("revert", {"snapshot_id": "<none>"}), ("revert", {"snapshot_id": None}), ("revert", {}),
                       ("os-unset_image_metadata", {"key": "nobody"}), ("os-show_image_metadata", None), ("os-show_image_metadata", {}),
                       ("os-retype", {"new_type": "nobody"}), ("os-retype", {"new_type": "<none>"}), ("os-terminate_connection", {"connector": {}}),
                       ("os-initialize_connection", {"connector": {}}), ("os-extend_volume_completion", {"error": False})):
        for volume in ("v", "used", "none", "offered", "gm"):
            yield Odd("POST", f"/volumes/<{volume}>/action", {name: body})
    for volume in ("v", "boot", "used", "none"):
        yield Odd("POST", f"/volumes/<{volume}>/action", {"os-unset_image_metadata": {"key": "nobody"}})
    yield Odd("PUT", "/qos-specs/<q>/delete_keys", {"keys": ["nobody"]})
    yield Odd("PUT", "/qos-specs/<none>/delete_keys", {"keys": ["nobody"]})
    yield Odd("PUT", "/qos-specs/<none>", {"qos_specs": {"key": "y"}})
    yield Odd("PUT", "/os-quota-sets/<project>", {"quota_set": {"volumes": -2}})
    yield Odd("PUT", "/os-quota-sets/<project>", {"quota_set": {"volumes": "abc"}})
    yield Odd("PUT", "/os-quota-sets/<project>", {"quota_set": {"volumes": None}})
    yield Odd("PUT", "/os-quota-sets/<project>", {"quota_set": {"volumes": 1.5}})
    yield Odd("PUT", "/os-quota-sets/<project>", {"quota_set": {"colour": 1}})
    yield Odd("PUT", "/os-quota-sets/<project>", {"quota_set": {"volumes": 2147483648}})
    yield Odd("PUT", "/os-quota-sets/<project>", {"quota_set": {"tenant_id": "x"}})
    yield Odd("PUT", "/os-quota-sets/<project>", {"quota_set": {"tenant_id": "x", "volumes": -1}})
    yield Odd("PUT", "/os-quota-sets/<project>", {"quota_set": {"force": True, "volumes": -1}})
    yield Odd("PUT", "/os-quota-sets/<project>", {"quota_set": {"skip_validation": "maybe", "volumes": -1}})
    yield Odd("PUT", "/os-quota-sets/<project>?skip_validation=maybe", {"quota_set": {"volumes": -1}})
    yield Odd("PUT", "/os-quota-sets/<project>?user_id=abc", {"quota_set": {"volumes": -1}})
    yield Odd("PUT", "/os-quota-sets/<project>", {"quota_set": {"volumes_public": 5, "gigabytes_public": -1}})
    yield Odd("PUT", "/os-quota-sets/<project>", {"quota_set": {"volumes_nobody": 5}})
    yield Odd("PUT", "/os-quota-sets/<project>", {"quota_set": {"backups": 5, "backup_gigabytes": 5, "per_volume_gigabytes": -1}})
    yield Odd("PUT", "/os-quota-sets/<project>", {"quota_set": {"volumes": -1}}, user="member")
    yield Odd("PUT", "/os-quota-class-sets/abc", {"quota_class_set": {"volumes": 5}})
    yield Odd("PUT", "/os-quota-class-sets/default", {"quota_class_set": {"class_name": "x", "volumes": -1}})
    yield Odd("PUT", "/os-quota-class-sets/default", {"quota_class_set": {"colour": 1}})
    for project in ("<project>", "abc"):
        yield Odd("PUT", f"/default-types/{project}", {"default_type": {"volume_type": "nobody"}})
    yield Odd("PUT", "/default-types/<other>", {"default_type": {"volume_type": "private"}})
    yield Odd("POST", "/groups", {"group": {"group_type": "nobody", "volume_types": ["public"]}})
    yield Odd("POST", "/groups", {"group": {"group_type": "<gt>", "volume_types": ["nobody"]}})
    yield Odd("POST", "/groups", {"group": {"group_type": "<none>", "volume_types": ["<t>"]}})
    yield Odd("POST", "/groups", {"group": {"group_type": "<gt>", "volume_types": ["<t>"], "availability_zone": "nowhere"}})
    yield Odd("PUT", "/groups/<g>", {"group": {"add_volumes": "<v>"}})
    yield Odd("PUT", "/groups/<g>", {"group": {"add_volumes": "abc"}})
    yield Odd("PUT", "/groups/<g>", {"group": {"add_volumes": "<gm>"}})
    yield Odd("PUT", "/groups/<g>", {"group": {"remove_volumes": "<v>"}})
    yield Odd("PUT", "/groups/<g>", {"group": {"remove_volumes": "<gm>", "add_volumes": "<gm>"}})
    yield Odd("PUT", "/groups/<none>", {"group": {"name": "x"}})
    yield Odd("POST", "/groups/<g>/action", {"delete": {}})
    yield Odd("POST", "/groups/<g>/action", {"delete": {"delete-volumes": False}})
    yield Odd("POST", "/groups/<g>/action", {"enable_replication": {}})
    yield Odd("POST", "/groups/<g>/action", {"failover_replication": {}})
    yield Odd("POST", "/groups/<g>/action", {"list_replication_targets": {}})
    yield Odd("POST", "/groups/<g>/action", {"reset_status": {"status": "nothing"}})
    yield Odd("POST", "/groups/<none>/action", {"delete": {}})
    yield Odd("POST", "/group_snapshots", {"group_snapshot": {"group_id": "<none>"}})
    yield Odd("POST", "/groups/action", {"create-from-src": {"source_group_id": "<none>"}})
    yield Odd("POST", "/groups/action", {"create-from-src": {"group_snapshot_id": "<none>"}})
    yield Odd("PUT", "/os-services/disable", {"host": "nobody", "binary": "cinder-volume"})
    yield Odd("PUT", "/os-services/disable", {"host": "<host>", "binary": "cinder-nothing"})
    yield Odd("PUT", "/os-services/disable", {"host": "<host>"})
    yield Odd("PUT", "/os-services/enable", {"host": "<host>"})
    yield Odd("PUT", "/os-services/nothing", {"host": "<host>"})
    yield Odd("PUT", "/os-services/freeze", {"host": "nobody"})
    yield Odd("PUT", "/os-services/thaw", {"host": "nobody"})
    yield Odd("PUT", "/os-services/failover_host", {"host": "nobody"})
    yield Odd("POST", "/manageable_volumes", {"volume": {"host": "nobody@x#y", "ref": {"source-name": "x"}}})
    yield Odd("POST", "/manageable_snapshots", {"snapshot": {"volume_id": "<none>", "ref": {"source-name": "x"}}})
    yield Odd("POST", "/backups", {"backup": {"volume_id": "<none>"}})


def all_of_them():
    for kind in (lists, plain, bodies, methods, gone, doings):
        yield from kind()
