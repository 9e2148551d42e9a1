"""Arrays and files that are not as they should be: the host says so, serves what it can, and recovers by itself."""

import pytest
from conftest import http


def test_a_host_serves_while_its_array_is_dark_and_its_backend_recovers_by_itself(host):
    host_arrays = host.known["control"]
    http("POST", f"{host_arrays}/arrays/pure1/power", {"on": False})
    http("POST", f"{host_arrays}/arrays/sec2/power", {"on": False})
    site = host.start().site()
    site.until("down")
    site.cinder("list")
    http("POST", f"{host_arrays}/arrays/pure1/power", {"on": True})
    http("POST", f"{host_arrays}/arrays/sec2/power", {"on": True})
    site.until("up")


@pytest.mark.parametrize("fault", [
    {"kind": "status", "status": 500, "body": "<html>oops</html>"},
    {"kind": "refuse"},
    {"kind": "hang"},
], ids=["500 with HTML", "no connection", "no answer"])
def test_a_create_on_an_array_that_misbehaves_ends_in_an_error_with_a_message(site, fault):
    site.arrays("POST", "/arrays/pure1/faults", {**fault, "method": "POST", "path": "volumes"})
    site.cinder("create", "--name", "unlucky", "1")
    site.volume("unlucky", "error")
    told = site.api("GET", "/messages")["messages"]
    assert told and told[0]["user_message"], told
    site.arrays("DELETE", "/arrays/pure1/faults")
    site.cinder("delete", "unlucky")
    site.cinder("create", "--name", "lucky", "1")
    site.volume("lucky", "available")


def test_a_create_that_an_array_did_and_could_not_say_is_done(site):
    site.arrays("POST", "/arrays/pure1/faults", {"kind": "truncated_json", "method": "POST", "path": "volumes"})
    site.cinder("create", "--name", "half told", "1")
    site.volume("half told", "available")
    site.arrays("DELETE", "/arrays/pure1/faults")
    site.cinder("delete", "half told")
    site.cinder("create", "--name", "told", "1")
    site.volume("told", "available")


def test_a_file_that_is_no_database_is_refused_by_name(host):
    host.database.write_bytes(b"this is not a database" * 1000)
    host.start()
    assert host.process.wait(timeout=120) != 0
    assert str(host.database) in host.log() or "springform.db" in host.log(), host.log()
    assert host.database.read_bytes().startswith(b"this is not"), "the file was left as it was"


def test_volumes_are_remembered_by_a_host_that_was_killed(host):
    site = host.start().site()
    site.until("up")
    site.cinder("create", "--name", "kept", "1")
    site.volume("kept", "available")
    host.process.kill()
    host.process.wait(timeout=120)
    site = host.start().site()
    site.until("up")
    assert site.volume("kept", "available")["size"] == 1
