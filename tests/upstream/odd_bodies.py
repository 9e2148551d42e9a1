"""Odd bodies, made up from good ones: every member in turn is taken away, or is something else.

What is made up is the same in every run: the order of the lists here, and a seed for the pairs of oddities.
"""

import copy
import random

from odd_requests import LONG, NO_SUCH, Odd, TOO_LONG

GONE = object()
VALUES = [
    GONE, None, "", " ", "x", " x ", LONG, TOO_LONG, f" {LONG} ", 0, 1, -1, 2, 1.5, 2147483647, 2147483648, "1", "0", "-1", "1.5", " 1", "abc",
    True, False, "true", "True", "tRue", "yes", "off", [], ["x"], [1], {}, {"key": "x"}, {"key": 1}, {"key": None}, {"key": {}}, {"key": []},
    {"": "x"}, {"a b": "x"}, {"a/b": "x"}, {"ä": "x"}, {"a\tb": "x"}, {TOO_LONG: "x"}, {"key": TOO_LONG}, {"key": ""}, {"a:b.c-d_e": "x"},
    "a\nb", "ä", "☃", "😀", "\u2028", NO_SUCH, NO_SUCH.upper(), NO_SUCH.replace("-", ""), "{%s}" % NO_SUCH, NO_SUCH[:-1], "rw", "ro", "null",
]
# Pairs of oddities for each good body.
PAIRS = 12
SEED = 29


class Good:
    """A good body for a path: what the members are under its one key (none: what they are at the top)."""

    def __init__(self, method, path, key, members, version="3.71"):
        self.method, self.path, self.key, self.members, self.version = method, path, key, members, version

    def odd(self, members):
        body = members if self.key is None else {self.key: members}
        return Odd(self.method, self.path, body, self.version)

    def __iter__(self):
        yield self.odd(self.members)
        for name in self.members:
            for value in VALUES:
                yield self.odd(changed(self.members, name, value))
        yield self.odd({**self.members, "colour": "red"})
        yield self.odd({**self.members, "id": "x", "name": "x"})
        some = random.Random(f"{SEED} {self.method} {self.path} {self.key} {self.version}")
        for _ in range(PAIRS if len(self.members) > 1 else 0):
            one, two = some.sample(sorted(self.members), 2)
            yield self.odd(changed(changed(self.members, one, some.choice(VALUES)), two, some.choice(VALUES)))


def changed(members, name, value):
    """A copy in which one member is something else."""
    members = copy.deepcopy(members)
    if value is GONE:
        del members[name]
    else:
        members[name] = value
    return members


GOOD = [
    Good("POST", "/volumes", "volume", {
        "name": "n", "description": "d", "display_name": "n", "display_description": "d", "size": 1, "volume_type": "<t>", "metadata": {"key": "x"},
        "availability_zone": "nova", "multiattach": False, "snapshot_id": None, "source_volid": None, "group_id": None, "consistencygroup_id": None,
        "image_id": None, "imageRef": None, "backup_id": None}),
    Good("POST", "/volumes", "volume", {"size": 1, "group_id": None, "backup_id": None, "source_replica": None}, version="3.12"),
    Good("PUT", "/volumes/<fresh:volume>", "volume", {
        "name": "n", "description": "d", "display_name": "n", "display_description": "d", "metadata": {"key": "x"}}),
    Good("PUT", "/volumes/<fresh:volume>", "volume", {"name": "n"}, version="3.52"),
    Good("PUT", "/volumes/<fresh:volume>", "volume", {"name": "n"}),
    Good("POST", "/volumes/<v>/metadata", None, {"metadata": {"key": "x"}}),
    Good("PUT", "/volumes/<v>/metadata", None, {"metadata": {"key": "x"}}),
    Good("PUT", "/volumes/<v>/metadata/key", None, {"meta": {"key": "x"}}),
    Good("POST", "/snapshots", "snapshot", {
        "name": "n", "display_name": "n", "description": "d", "volume_id": "<v>", "force": True, "metadata": {"key": "x"}}),
    Good("POST", "/snapshots", "snapshot", {"volume_id": "<v>", "force": False}, version="3.65"),
    Good("PUT", "/snapshots/<s>", "snapshot", {"name": "n", "display_name": "n", "description": "d", "display_description": "d"}),
    Good("PUT", "/snapshots/<s>", "snapshot", {"name": "n"}),
    Good("POST", "/snapshots/<s>/metadata", None, {"metadata": {"key": "x"}}),
    Good("PUT", "/snapshots/<s>/metadata", None, {"metadata": {"key": "x"}}),
    Good("PUT", "/snapshots/<s>/metadata/key", None, {"meta": {"key": "x"}}),
    Good("POST", "/snapshots/<s>/action", "os-reset_status", {"status": "available"}),
    Good("POST", "/snapshots/<s>/action", "os-update_snapshot_status", {"status": "available", "progress": "50%"}),
    Good("POST", "/attachments", "attachment", {
        "volume_uuid": "<fresh:volume>", "instance_uuid": NO_SUCH, "connector": {"host": "h", "initiator": "iqn.1993-08.org.debian:01:x"}, "mode": "rw"}),
    Good("POST", "/attachments", "attachment", {"volume_uuid": "<fresh:volume>", "mode": "rw"}, version="3.53"),
    Good("PUT", "/attachments/<fresh:attachment>", "attachment", {"connector": {"host": "h", "initiator": "iqn.1993-08.org.debian:01:x"}}),
    Good("POST", "/attachments/<fresh:attachment>/action", None, {"os-complete": {}}),
    Good("POST", "/types", "volume_type", {
        "name": "<name>", "description": "d", "extra_specs": {"key": "x"}, "os-volume-type-access:is_public": True}),
    Good("PUT", "/types/<fresh:type>", "volume_type", {"name": "<name>", "description": "d", "is_public": True}),
    Good("POST", "/types/<p>/action", "addProjectAccess", {"project": "<name>"}),
    Good("POST", "/types/<p>/action", "removeProjectAccess", {"project": "x"}),
    Good("POST", "/types/<sp>/extra_specs", None, {"extra_specs": {"key": "x"}}),
    Good("PUT", "/types/<sp>/extra_specs/key", None, {"key": "x"}),
    Good("POST", "/types/<fresh:type>/encryption", "encryption", {
        "provider": "luks", "control_location": "front-end", "cipher": "aes", "key_size": 256}),
    Good("POST", "/group_types", "group_type", {
        "name": "<name>", "description": "d", "is_public": True, "group_specs": {"key": "x"}}),
    Good("PUT", "/group_types/<fresh:grouptype>", "group_type", {"name": "<name>", "description": "d", "is_public": True}),
    Good("POST", "/group_types/<gsp>/group_specs", None, {"group_specs": {"key": "x"}}),
    Good("PUT", "/group_types/<gsp>/group_specs/key", None, {"key": "x"}),
    Good("POST", "/groups", "group", {
        "name": "n", "description": "d", "group_type": "<gt>", "volume_types": ["<t>"], "availability_zone": "nova"}),
    Good("PUT", "/groups/<fresh:group>", "group", {"name": "n", "description": "d", "add_volumes": None, "remove_volumes": None}),
    Good("PUT", "/groups/<fresh:group>", "group", {"name": "n"}),
    Good("POST", "/groups/<fresh:group>/action", "delete", {"delete-volumes": True}),
    Good("POST", "/groups/<fresh:group>/action", "reset_status", {"status": "available"}),
    Good("POST", "/groups/<g>/action", "failover_replication", {"allow_attached_volume": True, "secondary_backend_id": "x"}),
    Good("POST", "/groups/<g>/action", None, {"enable_replication": {}}),
    Good("POST", "/groups/<g>/action", None, {"list_replication_targets": {}}),
    Good("POST", "/groups/action", "create-from-src", {"name": "n", "description": "d", "source_group_id": "<none>"}),
    Good("POST", "/groups/action", "create-from-src", {"name": "n", "description": "d", "group_snapshot_id": "<none>"}),
    Good("POST", "/group_snapshots", "group_snapshot", {"group_id": "<none>", "name": "n", "description": "d"}),
    Good("POST", "/group_snapshots/<gs>/action", "reset_status", {"status": "available"}),
    Good("POST", "/volume-transfers", "transfer", {"volume_id": "<fresh:volume>", "name": "n", "no_snapshots": False}),
    Good("POST", "/volume-transfers", "transfer", {"volume_id": "<fresh:volume>", "no_snapshots": False}, version="3.54"),
    Good("POST", "/os-volume-transfer", "transfer", {"volume_id": "<fresh:volume>", "name": "n", "no_snapshots": False}),
    Good("POST", "/volume-transfers/<none>/accept", "accept", {"auth_key": "x"}),
    Good("POST", "/qos-specs", "qos_specs", {"name": "<name>", "consumer": "back-end", "key": "x"}),
    Good("PUT", "/qos-specs/<q>", "qos_specs", {"consumer": "back-end", "key": "x"}),
    Good("PUT", "/qos-specs/<q>", None, {"qos_specs": {"key": "x"}}),
    Good("PUT", "/qos-specs/<fresh:qos>/delete_keys", None, {"keys": []}),
    Good("PUT", "/os-quota-sets/<other>", "quota_set", {"volumes": 5, "gigabytes_public": -1}),
    Good("PUT", "/os-quota-sets/<other>", None, {"quota_set": {"volumes": 5}}),
    Good("PUT", "/os-quota-class-sets/default", "quota_class_set", {"volumes": 5, "gigabytes_public": -1}),
    Good("PUT", "/os-quota-class-sets/default", None, {"quota_class_set": {"volumes": 5}}),
    Good("PUT", "/os-services/enable", None, {"host": "<host>", "binary": "cinder-volume", "cluster": None}),
    Good("PUT", "/os-services/enable", None, {"host": "<host>", "service": "cinder-volume"}),
    Good("PUT", "/os-services/disable-log-reason", None, {"host": "nobody", "binary": "cinder-volume", "disabled_reason": "x"}),
    Good("PUT", "/os-services/freeze", None, {"host": "nobody", "cluster": None}),
    Good("PUT", "/os-services/thaw", None, {"host": "nobody", "cluster": None}, version="3.25"),
    Good("PUT", "/os-services/failover_host", None, {"host": "nobody", "backend_id": "x", "cluster": None}),
    Good("PUT", "/os-services/get-log", None, {"binary": "cinder-volume", "server": "x", "prefix": "x"}),
    Good("POST", "/workers/cleanup", None, {
        "cluster_name": "x", "disabled": False, "host": "x", "is_up": True, "binary": "cinder-volume", "resource_id": NO_SUCH,
        "resource_type": "volume", "service_id": 1}),
    Good("POST", "/backups", "backup", {
        "volume_id": "<none>", "container": "c", "description": "d", "incremental": False, "force": False, "name": "n", "snapshot_id": None,
        "metadata": {"key": "x"}, "availability_zone": "z"}),
    Good("POST", "/backups", "backup", {"volume_id": "<none>", "metadata": {"key": "x"}}, version="3.42"),
    Good("PUT", "/backups/<none>", "backup", {"name": "n", "description": "d", "metadata": {"key": "x"}}),
    Good("POST", "/backups/<none>/restore", "restore", {"name": "n", "volume_id": None}),
    Good("POST", "/backups/<none>/action", "os-reset_status", {"status": "available"}),
    Good("POST", "/manageable_volumes", "volume", {
        "description": "d", "availability_zone": "nova", "bootable": False, "volume_type": "<t>", "name": "n", "host": "nobody@x#y",
        "ref": {"source-name": "x"}, "metadata": {"key": "x"}, "cluster": None}),
    Good("POST", "/manageable_snapshots", "snapshot", {
        "description": "d", "metadata": {"key": "x"}, "name": "n", "volume_id": "<none>", "ref": {"source-name": "x"}}),
    Good("POST", "/volumes/<fresh:volume>/action", "os-attach", {
        "instance_uuid": NO_SUCH, "mountpoint": "/dev/vdb", "host_name": "h", "mode": "rw"}),
    Good("POST", "/volumes/<none>/action", "os-detach", {"attachment_id": None}),
    Good("POST", "/volumes/<none>/action", None, {"os-detach": {}}),
    Good("POST", "/volumes/<none>/action", None, {"os-reserve": {}}),
    Good("POST", "/volumes/<none>/action", None, {"os-unreserve": {}}),
    Good("POST", "/volumes/<none>/action", None, {"os-begin_detaching": {}}),
    Good("POST", "/volumes/<none>/action", None, {"os-roll_detaching": {}}),
    Good("POST", "/volumes/<none>/action", None, {"os-force_delete": {}}),
    Good("POST", "/volumes/<none>/action", None, {"os-unmanage": {}}),
    Good("POST", "/volumes/<fresh:volume>/action", "os-extend", {"new_size": 3}),
    Good("POST", "/volumes/<fresh:volume>/action", "os-retype", {"new_type": "<none>", "migration_policy": "never"}),
    Good("POST", "/volumes/<v>/action", "os-set_bootable", {"bootable": True}),
    Good("POST", "/volumes/<v>/action", "os-update_readonly_flag", {"readonly": True}),
    Good("POST", "/volumes/<fresh:volume>/action", "os-reset_status", {"status": "available", "attach_status": "detached", "migration_status": "none"}),
    Good("POST", "/volumes/<none>/action", "os-force_detach", {"connector": None, "attachment_id": None}),
    Good("POST", "/volumes/<none>/action", "os-initialize_connection", {"connector": {"host": "h", "initiator": "iqn.1993-08.org.debian:01:x"}}),
    Good("POST", "/volumes/<none>/action", "os-terminate_connection", {"connector": {"host": "h", "initiator": "iqn.1993-08.org.debian:01:x"}}),
    Good("POST", "/volumes/<boot>/action", "os-set_image_metadata", {"metadata": {"key": "x"}}),
    Good("POST", "/volumes/<boot>/action", "os-unset_image_metadata", {"key": "nobody"}),
    Good("POST", "/volumes/<none>/action", None, {"os-show_image_metadata": {}}),
    Good("POST", "/volumes/<none>/action", "revert", {"snapshot_id": "<none>"}),
    Good("POST", "/volumes/<none>/action", "os-extend_volume_completion", {"error": False}),
]


def all_of_them():
    for good in GOOD:
        yield from good
