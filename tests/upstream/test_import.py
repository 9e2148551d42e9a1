"""A Cinder moves in: made there with the upstream driver, imported, and lived on with here.

The other side is a real Cinder 29 with its database; nothing of it is made up.
"""

import os
import sqlite3
import subprocess

import pytest

import compare
import harness
import scenario
from services import Imported, WholeCinder, built
from sites import CONFIGURATIONS

PROJECT = "0123456789abcdef0123456789abcdef"

# What is not the record's own: addresses of the service, its number in Cinder's database, Cinder's name for the array's name.
OF_THE_SERVICE = ("links", "service_uuid", "provider_id", "shared_targets")


def cinder(site, folder):
    shape = site.shape
    options = harness.backend_options(
        site.sim, "iscsi", shape["replication"], **shape["options"])
    if site.sim.ca:
        options["driver_ssl_cert_path"] = site.sim.ca
        for device in options["replication_device"]:
            device["ssl_cert_path"] = site.sim.ca
    folder.mkdir()
    return WholeCinder(options, directory=folder)


def furnish(cloud, kind):
    """One of everything that is taken over."""
    cloud.create("gold", 2, kind)
    cloud.create("iron", 1, kind)
    cloud.create("plain", 1)
    cloud.snapshot("monday", "gold")
    cloud.clone("copy", "gold")
    cloud.create("offered", 1)
    cloud.attach("iron", "compute1")
    cloud.group("pair", ["none"])
    cloud.create("left", 1, group="pair")
    cloud.create("right", 1, group="pair")
    cloud.group_snapshot("both", "pair")
    qos = cloud.call("POST", "/qos-specs", {"qos_specs": {
        "name": "slow", "consumer": "back-end", "maxIOPS": "500"}})["qos_specs"]["id"]
    secret = cloud.call("POST", "/types", {"volume_type": {
        "name": "secret", "os-volume-type-access:is_public": False}})["volume_type"]["id"]
    cloud.call("GET", "/qos-specs/%s/associate?vol_type_id=%s" % (qos, secret))
    cloud.call("POST", "/types/%s/action" % secret, {"addProjectAccess": {"project": PROJECT}})
    cloud.call("PUT", "/os-quota-sets/" + PROJECT, {"quota_set": {
        "volumes": 40, "gigabytes_type-none": 300}})
    gold = "/volumes/" + cloud.volumes["gold"]
    cloud.call("POST", gold + "/metadata", {"metadata": {"colour": "yellow"}})
    cloud.call("PUT", gold, {"volume": {"description": "of a tenant"}})
    cloud.call("POST", gold + "/action", {"os-set_bootable": {"bootable": True}})
    cloud.call("POST", gold + "/action", {"os-set_image_metadata": {"metadata": {"image_id": "i"}}})
    return cloud.call("POST", "/volume-transfers", {"transfer": {
        "volume_id": cloud.volumes["offered"], "name": "a present"}})["transfer"]


def seen(cloud):
    """Every answer that a client could compare, without what belongs to the service."""
    asked = {"volumes": "/volumes/detail?all_tenants=1", "snapshots": "/snapshots/detail?all_tenants=1",
             "volume_types": "/types?is_public=None", "groups": "/groups/detail?all_tenants=1",
             "group_snapshots": "/group_snapshots/detail?all_tenants=1",
             "group_types": "/group_types?is_public=None", "qos_specs": "/qos-specs",
             "transfers": "/volume-transfers/detail?all_tenants=1",
             "quota_set": "/os-quota-sets/%s?usage=true" % PROJECT}
    found = {key: cloud.call("GET", path)[key] for key, path in asked.items()}
    for volume in found["volumes"]:
        path = "/volumes/" + volume["id"]
        found[path] = cloud.call("GET", path)["volume"]
    for attachment in cloud.call("GET", "/attachments?all_tenants=1")["attachments"]:
        path = "/attachments/" + attachment["id"]
        found[path] = cloud.call("GET", path)["attachment"]
    return {key: bare(value) for key, value in found.items()}


def bare(value):
    if isinstance(value, list):
        return sorted((bare(one) for one in value), key=lambda one: str(one.get("id", one)) if isinstance(one, dict) else str(one))
    if isinstance(value, dict):
        return {key: bare(one) for key, one in value.items() if key not in OF_THE_SERVICE}
    return value


def program(*words, fails=False):
    done = subprocess.run([built("SPRINGFORM_BIN", "debug", "springform"), "import", "cinder", *map(str, words)],
                          capture_output=True, text=True, timeout=120)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def words(folder, into):
    return ["--config", folder / "cinder.conf", "--into", into, "--drivers",
            built("SPRINGFORM_GUESTS", "guests")]


@pytest.mark.parametrize("configuration", ("async", "sync", "trisync"))
def test_what_was_made_in_cinder_is_the_same_here_and_lives_on(make_site, tmp_path, configuration):
    site = make_site(configuration)
    folder, into = tmp_path / "cinder", tmp_path / "springform.toml"
    with cinder(site, folder) as theirs:
        transfer = furnish(theirs, configuration)
        before = seen(theirs)
        ids = theirs.ids()
    arrays = scenario.final_state(site.sim, ids)
    # Cinder asks Keystone whether there is such a project; here is none.
    change(folder, "INSERT INTO default_volume_types (project_id, volume_type_id, deleted) VALUES (?, ?, 0)",
           PROJECT, theirs.type("none"))

    refused = program(*words(folder, into), fails=True)
    assert "reported themselves in the last minute" in refused and not into.exists()
    planned = program(*words(folder, into), "--cinder-is-stopped", "--dry-run", "--verify")
    assert "Would take over:" in planned and not into.exists()
    done = program(*words(folder, into), "--cinder-is-stopped", "--verify")
    assert "7 volumes\n" in done and "10 volumes and snapshots seen on the arrays" in done, done
    assert "it holds records already" in program(*words(folder, into), "--cinder-is-stopped", fails=True)
    assert compare.differences(arrays, scenario.final_state(site.sim, ids)) == []
    for secret in (tmp_path / "secrets").iterdir():
        assert secret.stat().st_mode & 0o777 == 0o600
    assert site.sim.arrays["a"]["api_token"] not in into.read_text() + done

    with Imported(into, theirs.host, theirs) as ours:
        after = seen(ours)
        for key in before:
            if key.startswith("/attachments/"):
                # Ours says the first path apart as well, for clients that take one.
                told = after[key]["connection_info"]
                after[key]["connection_info"] = {word: told.get(word) for word in before[key]["connection_info"]}
            assert after.get(key) == before[key], key
        assert compare.differences(arrays, scenario.final_state(site.sim, ids)) == []
        usual = ours.call("GET", "/default-types/" + PROJECT)["default_type"]
        assert usual["volume_type_id"] == theirs.type("none")
        live_on(site, ours, transfer)
        site.sim.advance(3600)
        site.sim.advance(360)
        moved = ours.failover("b")
        assert {moved[name] for name in ("gold", "iron")} == {"failed-over"}


def live_on(site, cloud, transfer):
    cloud.snapshot("tuesday", "gold")
    cloud.delete_snapshot("tuesday")
    cloud.create_from_snapshot("from monday", "monday")
    cloud.detach("iron", "compute1")
    cloud.attach("gold", "compute2")
    cloud.detach("gold", "compute2")
    cloud.extend("copy", 3)
    cloud.delete("copy")
    cloud.delete_group_snapshot("both")
    cloud.call("POST", "/volume-transfers/%s/accept" % transfer["id"], {"accept": {"auth_key": transfer["auth_key"]}})
    cloud.delete("from monday")
    cloud.delete_snapshot("monday")
    assert not [name for name in site["a"].connections() if "iron" in name]


def change(folder, statement, *values):
    """What happened in Cinder meanwhile."""
    with sqlite3.connect(folder / "cinder.sqlite") as database:
        database.execute(statement, values)


def test_what_stands_in_the_way_is_listed_whole_and_nothing_is_written(make_site, tmp_path):
    site = make_site("async")
    folder, into = tmp_path / "cinder", tmp_path / "springform.toml"
    with cinder(site, folder) as theirs:
        theirs.create("gold", 1, "async")
        theirs.create("lost", 1)
        theirs.snapshot("monday", "lost")
    gold, lost = theirs.volumes["gold"], theirs.volumes["lost"]
    site["a"].client.patch_volumes(names=["volume-%s-cinder" % lost], volume={"provisioned": 3 << 30})
    change(folder, "UPDATE volumes SET status = 'extending' WHERE id = ?", gold)
    told = program(*words(folder, into), "--cinder-is-stopped", fails=True)
    assert "volume %s is extending" % gold in told and "In the way, so that nothing is written:" in told
    change(folder, "UPDATE volumes SET status = 'available' WHERE id = ?", gold)
    told = program(*words(folder, into), "--cinder-is-stopped", "--verify", fails=True)
    assert "their size on the array is another one" in told and lost in told and gold not in told
    change(folder, "UPDATE volumes SET provider_id = 'volume-gone' WHERE id = ?", lost)
    told = program(*words(folder, into), "--cinder-is-stopped", "--verify", fails=True)
    assert "they are not on the array" in told and "volume-gone on pure1" in told
    change(folder, "UPDATE alembic_version SET version_num = 'fffff'")
    told = program(*words(folder, into), "--cinder-is-stopped", fails=True)
    assert "revision fffff" in told
    assert not into.exists() and not (tmp_path / "secrets").exists() and not (tmp_path / "springform.db").exists()
