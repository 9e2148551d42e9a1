"""The main job with the real command-line clients, as an operator types it."""

from conftest import SERVICE
from programs import PROJECT

IQN = "iqn.2026-11.example:compute1"


def test_a_replicated_volume_survives_its_array_with_the_cinder_and_openstack_commands(site):
    site.cinder("type-create", "replicated")
    site.cinder("type-key", "replicated", "set", "replication_enabled=<is> True", "replication_type=<in> async")
    site.cinder("create", "--volume-type", "replicated", "--name", "ledger", "1")
    volume = site.volume("ledger", "available")
    on_array = volume["metadata"]["array_volume_name"]
    assert "cinder-group" in site.arrays("GET", "/state").decode()

    attached = site.api("POST", "/attachments", {"attachment": {
        "volume_uuid": volume["id"], "connector": {"host": "compute1", "initiator": IQN, "ip": "127.0.0.1"}}})
    assert attached["attachment"]["connection_info"]["driver_volume_type"] == "iscsi"
    site.io("PUT", "pure1", IQN, on_array, b"bytes that matter")
    site.arrays("POST", "/clock/advance", {"seconds": 7200})

    site.arrays("POST", "/arrays/pure1/power", {"on": False})
    site.cinder("failover-host", SERVICE, "--backend_id", "sec2")
    site.settled()
    listing = site.cinder("service-list", "--withreplication", "True")
    assert "failed-over" in listing and "sec2" in listing, listing

    moved = site.api("PUT", f"/attachments/{attached['attachment']['id']}", {"attachment": {
        "connector": {"host": "compute1", "initiator": IQN, "ip": "127.0.0.1"}}})
    assert moved["attachment"]["connection_info"]["target_portals"]
    assert site.io("GET", "sec2", IQN, on_array) == b"bytes that matte"

    site.cinder("service-enable", SERVICE, "cinder-volume")
    assert site.service()["status"] == "enabled"
    site.cinder("create", "--volume-type", "replicated", "--name", "after", "1")
    assert site.volume("after", "available")["metadata"]["array_name"] == "sec2"
    assert "after" in site.openstack("volume", "list", "--all-projects")

    site.cinder("freeze-host", SERVICE)
    refused = site.cinder("delete", "after", fails=True)
    assert "frozen" in refused, refused
    assert "after" in site.cinder("list")
    site.cinder("thaw-host", SERVICE)
    site.cinder("delete", "after")


def test_a_type_that_nobody_can_serve_ends_in_an_error_that_says_why(site):
    site.cinder("type-create", "gold")
    site.cinder("type-key", "gold", "set", "volume_backend_name=nowhere")
    site.cinder("create", "--volume-type", "gold", "--name", "lost", "1")
    site.volume("lost", "error")
    assert site.api("GET", "/messages")["messages"], f"project {PROJECT} is told nothing"


def test_a_volume_of_size_0_is_refused_with_a_reason(site):
    refused = site.cinder("create", "--name", "nothing", "0", fails=True)
    assert "0" in refused and ("minimum" in refused or "greater" in refused), refused
