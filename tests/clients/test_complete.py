"""Nothing is left out: every command and every method of the clients is driven by these tests, or is on a list with its reason."""

import ast
import importlib.metadata
import inspect
import pathlib

import cinderclient.shell
import cinderclient.v3.shell
from openstack.block_storage.v3 import _proxy

HERE = pathlib.Path(__file__).parent

NO_BACKUPS = "there is no backup service"
NO_CONSISTENCY_GROUPS = "groups have replaced consistency groups"
NO_ENCRYPTION = "volumes are encrypted by the array"
NO_IMAGES = "there is no image service"
NO_CLUSTERS = "there are no clusters"
NO_NOVA = "asks Nova for the server first"
NOT_CINDER = "is not about a service"

CINDER = {
    **dict.fromkeys(["backup-delete", "backup-export", "backup-import", "backup-reset-state", "backup-restore",
                     "backup-show", "backup-update"], NO_BACKUPS),
    **dict.fromkeys(["consisgroup-create", "consisgroup-create-from-src", "consisgroup-delete", "consisgroup-show",
                     "consisgroup-update", "cgsnapshot-create", "cgsnapshot-delete", "cgsnapshot-show"],
                    NO_CONSISTENCY_GROUPS),
    **dict.fromkeys(["cluster-disable", "cluster-enable"], NO_CLUSTERS),
    **dict.fromkeys(["help", "bash-completion"], NOT_CINDER),
}

OPENSTACK = {
    **dict.fromkeys(["volume backup delete", "volume backup record export", "volume backup record import",
                     "volume backup restore", "volume backup set", "volume backup show", "volume backup unset"],
                    NO_BACKUPS),
    **dict.fromkeys(["consistency group add volume", "consistency group delete", "consistency group remove volume",
                     "consistency group set", "consistency group show", "consistency group snapshot create",
                     "consistency group snapshot delete", "consistency group snapshot show"], NO_CONSISTENCY_GROUPS),
    "volume attachment create": NO_NOVA,
}

SDK = {
    **dict.fromkeys(["backups", "get_backup", "find_backup", "create_backup", "delete_backup", "update_backup",
                     "fetch_backup_metadata", "get_backup_metadata", "import_backup", "export_backup", "export_record",
                     "set_backup_metadata", "delete_backup_metadata", "restore_backup", "reset_backup_status",
                     "reset_backup"], NO_BACKUPS),
    **dict.fromkeys(["get_consistency_group", "find_consistency_group", "consistency_groups",
                     "create_consistency_group", "create_consistency_group_from_source", "delete_consistency_group",
                     "update_consistency_group", "get_consistency_group_snapshot", "find_consistency_group_snapshot",
                     "consistency_group_snapshots", "create_consistency_group_snapshot",
                     "delete_consistency_group_snapshot"], NO_CONSISTENCY_GROUPS),
    **dict.fromkeys(["get_type_encryption", "create_type_encryption", "delete_type_encryption",
                     "update_type_encryption"], NO_ENCRYPTION),
    **dict.fromkeys(["create_image", "upload_volume_to_image"], NO_IMAGES),
    **dict.fromkeys(["enable_cluster", "disable_cluster"], NO_CLUSTERS),
    "complete_volume_extend": "Nova's answer to an extension of an attached volume, which is complete at once here",
    "complete_volume_migration": "volumes are not copied between backends",
}


def calls():
    """Every call in the tests of clients: the name of the function, and the words it begins with."""
    for path in sorted(HERE.glob("test_*.py")):
        if path.name == pathlib.Path(__file__).name:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                words = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
                yield name, words
            if isinstance(node, ast.List):
                yield "[]", [word.value for word in node.elts if isinstance(word, ast.Constant) and isinstance(word.value, str)]
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sdk":
                yield "sdk", [node.attr]
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Call) and \
                    getattr(node.value.func, "attr", "") == "sdk":
                yield "sdk", [node.attr]


def compare(known, driven, excused):
    left_out, unknown, needless = known - driven - set(excused), set(excused) - known, driven & set(excused)
    assert not left_out, f"driven by no test, and on no list: {sorted(left_out)}"
    assert not unknown, f"on the list, and not known to the client: {sorted(unknown)}"
    assert not needless, f"driven after all, take it off the list: {sorted(needless)}"


def test_every_command_of_cinder_is_driven():
    shell = cinderclient.shell.OpenStackCinderShell()
    known = {name.removeprefix("do_").replace("_", "-") for module in (cinderclient.v3.shell, shell)
             for name, _ in inspect.getmembers(module, callable) if name.startswith("do_")}
    driven = {words[0] for name, words in calls() if words and name in ("cinder", "rows", "[]")}
    compare(known, driven & known, CINDER)


def test_every_volume_command_of_openstack_is_driven():
    entries = importlib.metadata.distribution("python-openstackclient").entry_points
    known = {entry.name.replace("_", " ") for entry in entries if entry.group == "openstack.volume.v3"}
    driven = set()
    for name, words in calls():
        if name in ("openstack", "read", "[]"):
            driven |= {" ".join(words[:n]) for n in range(1, len(words) + 1)} & known
    # `volume group type list` is no `volume group …` of its own, and so on: the longest command that fits is meant.
    compare(known, driven, OPENSTACK)


def test_every_method_of_the_sdk_is_driven():
    known = {name for name, value in vars(_proxy.Proxy).items() if callable(value) and not name.startswith("_")}
    driven = {words[0] for name, words in calls() if name == "sdk" and words}
    compare(known, driven & known, SDK)
