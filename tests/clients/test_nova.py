"""Nova 34's own calls, by its unmodified `nova.volume.cinder`, as they follow each other when a server is booted, migrated,
rebuilt, evacuated, shelved and refreshed; and what its users can no longer do behind its back (CVE-2023-2088)."""

import http.server
import json
import os
import pathlib
import subprocess
import threading
import uuid

import pytest
from clouds import fresh
from programs import eventually

HERE = pathlib.Path(__file__).parent


class Nova:
    """The process that holds Nova's module, and a compute API that says which server has which volume."""

    def __init__(self, folder, keystone):
        self.folder, self.keystone, self.process = folder, keystone, None
        self.block_devices, self.asked = {}, []
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}/v2.1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _handler(nova):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                parts = self.path.split("/")
                server, volume = parts[3], parts[5]
                nova.asked.append((self.headers["X-Auth-Token"], self.headers["OpenStack-API-Version"]))
                attachment = nova.block_devices.get((server, volume))
                found = {"volumeAttachment": {"serverId": server, "volumeId": volume, "attachment_id": attachment,
                                              "bdm_uuid": str(uuid.uuid4()), "device": "/dev/vdb", "tag": None,
                                              "delete_on_termination": False}}
                none = {"itemNotFound": {"code": 404, "message": f"Instance {server} could not be found."}}
                body = json.dumps(found if attachment else none).encode()
                self.send_response(200 if attachment else 404)
                self.send_header("Content-Type", "application/json; charset=UTF-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass
        return Handler

    def start(self, host):
        home = os.environ.get("SPRINGFORM_NOVA_VENV", pathlib.Path.home() / ".cache/springform/nova-venv")
        made = subprocess.run(["bash", HERE / "../upstream/venv.sh", home, HERE / "nova-requirements.txt"],
                              stdout=subprocess.PIPE, text=True, check=True)
        self.process = subprocess.Popen(
            [pathlib.Path(made.stdout.strip()) / "bin/python", "-W", "ignore", HERE / "nova_calls.py", host.url,
             self.keystone.url, self.folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=(self.folder / "nova.err").open("w"), text=True)
        self._read()
        self.token, self.project = self.keystone.token("member"), self.keystone.projects["red"]
        self.admin = self.keystone.token("admin")
        limits = {"quota_class_set": {"volumes": -1, "gigabytes": -1}}
        host.call("PUT", "/v3/os-quota-class-sets/default", limits, token=self.admin)
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        if self.process:
            self.process.stdin.close()
            self.process.wait(timeout=60)
            self.process.stdout.close()

    def _read(self):
        line = self.process.stdout.readline()
        assert line, (self.folder / "nova.err").read_text()[-3000:]
        return json.loads(line)

    def ask(self, call, *words, token=""):
        self.process.stdin.write(json.dumps({
            "call": call, "words": words, "token": self.token if token == "" else token, "user": "member",
            "project": self.project}) + "\n")
        self.process.stdin.flush()
        return self._read()

    def __call__(self, call, *words, **more):
        answer = self.ask(call, *words, **more)
        assert "answer" in answer, (call, words, answer)
        return answer["answer"]


def connector(host):
    return {"host": host, "ip": "192.0.2.7", "initiator": f"iqn.2026-11.example:{host}", "multipath": False,
            "platform": "x86_64", "os_type": "linux", "do_local_attach": False, "system uuid": None,
            "nqn": f"nqn.2014-08.org.nvmexpress:uuid:{host}", "wwpns": [], "wwnns": []}


@pytest.fixture(scope="module")
def world(keystone, tmp_path_factory):
    """A host that asks Keystone and Nova, and Nova."""
    folder = tmp_path_factory.mktemp("nova")
    nova = Nova(folder, keystone)
    try:
        with keystone.host(tmp_path_factory.mktemp("of-nova"), more=f'\n[nova]\nurl = "{nova.url}"\n') as host:
            yield host, nova.start(host)
    finally:
        nova.stop()


class Disk:
    """A volume that a server has, with what Nova's database says of it: one block device mapping."""

    def __init__(self, world, server=None):
        self.host, self.nova = world
        self.server = server or str(uuid.uuid4())
        status, _, made = self.call("POST", "/v3/volumes", {"volume": {"size": 1, "name": fresh("disk")}})
        assert status == 202, made
        self.id, self.attachment = made["volume"]["id"], None
        assert eventually(lambda: self.status() in ("available", "error")) and self.status() == "available"

    def call(self, method, path, body=None):
        """A user, who has no service token."""
        return self.host.call(method, path, body, token=self.nova.token, version="3.71")

    def shown(self):
        """As an administrator sees it, to whom the hosts are shown."""
        return self.host.call("GET", f"/v3/volumes/{self.id}", token=self.nova.admin)[2]["volume"]

    def status(self):
        return self.shown()["status"]

    def hosts(self):
        return sorted(one["host_name"] for one in self.shown()["attachments"])

    def map(self, attachment):
        """What Nova remembers."""
        self.attachment = attachment
        self.nova.block_devices[self.server, self.id] = attachment

    def reserve(self, *more):
        return self.nova("attachment_create", self.id, self.server, *more)["id"]

    def connect(self, attachment, host):
        found = self.nova("attachment_update", attachment, connector(host), "/dev/vdb")
        assert found["connection_info"]["driver_volume_type"], found

    def boot(self, host="one"):
        """ComputeManager._build_and_run_instance, DriverVolumeBlockDevice._volume_attach."""
        self.map(self.reserve())
        self.connect(self.attachment, host)
        self.nova("attachment_complete", self.attachment)
        assert (self.status(), self.hosts()) == ("in-use", [host])
        return self

    def ended(self):
        self.nova("attachment_delete", self.attachment)
        assert self.status() == "available"


def test_a_server_is_booted_and_deleted(world):
    disk = Disk(world)
    assert disk.nova("get", disk.id)["status"] == "available"
    disk.boot()
    assert disk.nova("attachment_get", disk.attachment)["connection_info"]["status"] == "attached"
    disk.ended()


def test_a_volume_is_attached_and_detached_while_the_server_runs(world):
    """API.attach_volume and API.detach_volume."""
    disk = Disk(world).boot()
    disk.nova("begin_detaching", disk.id)
    disk.nova("roll_detaching", disk.id)
    assert disk.status() == "in-use"
    disk.nova("begin_detaching", disk.id)
    assert disk.status() == "detaching"
    disk.ended()


def test_a_live_migration(world):
    """pre_live_migration at the new host, _post_live_migration at the old one."""
    disk = Disk(world).boot()
    old, new = disk.attachment, disk.reserve(connector("two"), "/dev/vdb")
    disk.map(new)
    assert disk.status() == "in-use"
    disk.nova("attachment_complete", new)
    assert disk.hosts() == ["one", "two"]
    for one in (old, new):
        assert disk.nova("attachment_get", one)["connection_info"]["driver_volume_type"]
    disk.nova("attachment_delete", old)
    assert (disk.status(), disk.hosts()) == ("in-use", ["two"])
    disk.ended()


def test_a_live_migration_that_fails(world):
    """_rollback_live_migration, rollback_live_migration_at_destination."""
    disk = Disk(world).boot()
    new = disk.reserve(connector("two"), "/dev/vdb")
    disk.nova("attachment_delete", new)
    assert (disk.status(), disk.hosts()) == ("in-use", ["one"])
    disk.ended()


@pytest.mark.parametrize("host", ["one", "two"], ids=["rebuild", "evacuate"])
def test_a_rebuild_and_an_evacuation(world, host):
    """_do_rebuild_instance: a reservation first, then the old attachment goes, then the server is spawned."""
    disk = Disk(world).boot()
    old, new = disk.attachment, disk.reserve()
    disk.nova("attachment_delete", old)
    disk.map(new)
    assert disk.status() == "reserved"
    disk.connect(new, host)
    assert disk.status() == "attaching"
    disk.nova("attachment_complete", new)
    assert (disk.status(), disk.hosts()) == ("in-use", [host])
    disk.ended()


def test_a_cold_migration(world):
    """_terminate_volume_connections at the old host, _update_volume_attachments and _complete_volume_attachments at the new."""
    disk = Disk(world).boot()
    old, new = disk.attachment, disk.reserve()
    disk.nova("attachment_delete", old)
    disk.map(new)
    disk.connect(new, "two")
    disk.nova("attachment_complete", new)
    assert (disk.status(), disk.hosts()) == ("in-use", ["two"])
    disk.ended()


def test_shelving_and_unshelving(world):
    """_shelve_offload_instance keeps a reservation; unshelve_instance connects it on another host."""
    disk = Disk(world).boot()
    old, kept = disk.attachment, disk.reserve()
    disk.nova("attachment_delete", old)
    disk.map(kept)
    assert disk.status() == "reserved"
    disk.connect(kept, "two")
    disk.nova("attachment_complete", kept)
    assert (disk.status(), disk.hosts()) == ("in-use", ["two"])
    disk.ended()


def test_nova_manage_volume_attachment_refresh(world):
    """VolumeAttachmentCommands._do_refresh: with an account of Nova's own, and no token of a user."""
    disk = Disk(world).boot()
    as_manager = {"token": None}
    old = disk.attachment
    new = disk.nova("attachment_create", disk.id, disk.server, **as_manager)["id"]
    disk.nova("attachment_delete", old, **as_manager)
    found = disk.nova("attachment_update", new, connector("one"), "/dev/vdb", **as_manager)
    assert found["connection_info"]["driver_volume_type"]
    disk.map(new)
    disk.nova("attachment_complete", new, **as_manager)
    assert (disk.status(), disk.hosts()) == ("in-use", ["one"])
    assert disk.nova.ask("attachment_get", old, **as_manager)["raised"] == "VolumeAttachmentNotFound"
    disk.ended()


def test_another_server_does_not_get_the_volume(world):
    disk = Disk(world).boot()
    refused = disk.nova.ask("attachment_create", disk.id, str(uuid.uuid4()))
    assert refused["raised"] == "InvalidInput" and "in-use" in refused["said"], refused
    disk.ended()


def test_a_user_does_not_take_the_disk_of_a_running_server(world):
    disk = Disk(world).boot()
    disk.nova.asked.clear()
    action = f"/v3/volumes/{disk.id}/action"
    for method, path, body in [
        ("DELETE", f"/v3/attachments/{disk.attachment}", None),
        ("POST", action, {"os-detach": {}}),
        ("POST", action, {"os-detach": {"attachment_id": disk.attachment}}),
        ("POST", action, {"os-terminate_connection": {"connector": connector("one")}}),
    ]:
        status, _, said = disk.call(method, path, body)
        assert status == 409 and "using the Compute API" in str(said), (status, said)
    assert (disk.status(), disk.hosts()) == ("in-use", ["one"])
    assert set(disk.nova.asked) == {(disk.nova.token, "compute 2.89")}, "Nova is asked with the user's own token"
    # The server is gone, and Nova says so.
    del disk.nova.block_devices[disk.server, disk.id]
    assert disk.call("DELETE", f"/v3/attachments/{disk.attachment}")[0] == 200
    assert disk.status() == "available"
