"""A Cinder moves in: made there with the upstream driver, imported, and lived on with here.

The other side is a real Cinder 29 with its database; nothing of it is made up.
"""

import contextlib
import json
import os
import subprocess

import pytest
import sqlalchemy

import compare
import databases
import harness
import scenario
from services import Imported, WholeCinder, built, free_address
from sites import CONFIGURATIONS

PROJECT = "0123456789abcdef0123456789abcdef"

# What is not the record's own: addresses of the service, its number in Cinder's database, Cinder's name for the array's name.
OF_THE_SERVICE = ("links", "service_uuid", "provider_id", "shared_targets")


@contextlib.contextmanager
def database(kind, folder):
    """The server in which Cinder keeps its records; None where that is a file."""
    if kind is None:
        yield None
        return
    with kind(folder / "server", free_address()) as server:
        yield server


def cinder(site, folder, server=None, **more):
    shape = site.shape
    options = harness.backend_options(
        site.sim, "iscsi", shape["replication"], **shape["options"], **more)
    if site.sim.ca:
        options["driver_ssl_cert_path"] = site.sim.ca
        for device in options["replication_device"]:
            device["ssl_cert_path"] = site.sim.ca
    folder.mkdir()
    return WholeCinder(options, directory=folder, database=server and server.url())


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


@pytest.mark.parametrize("configuration, kind", [
    ("async", None), ("sync", None), ("trisync", None), ("async", databases.MariaDb), ("trisync", databases.PostgreSql),
])
def test_what_was_made_in_cinder_is_the_same_here_and_lives_on(make_site, tmp_path, configuration, kind):
    site = make_site(configuration)
    folder, into = tmp_path / "cinder", tmp_path / "springform.toml"
    with database(kind, tmp_path) as server:
        with cinder(site, folder, server) as theirs:
            transfer = furnish(theirs, configuration)
            before = seen(theirs)
            ids = theirs.ids()
        arrays = scenario.final_state(site.sim, ids)
        # Cinder asks Keystone whether there is such a project; here is none.
        change(folder, "INSERT INTO default_volume_types (project_id, volume_type_id, deleted) VALUES (:project, :kind, :no)",
               server, project=PROJECT, kind=theirs.type("none"), no=False)
        taken_over(site, tmp_path, server)
    assert compare.differences(arrays, scenario.final_state(site.sim, ids)) == []

    with Imported(into, theirs.host, theirs) as ours:
        same(seen(ours), before)
        assert compare.differences(arrays, scenario.final_state(site.sim, ids)) == []
        usual = ours.call("GET", "/default-types/" + PROJECT)["default_type"]
        assert usual["volume_type_id"] == theirs.type("none")
        live_on(site, ours, transfer)
        site.sim.advance(3600)
        site.sim.advance(360)
        moved = ours.failover("b")
        assert {moved[name] for name in ("gold", "iron")} == {"failed-over"}


def taken_over(site, tmp_path, server):
    """The import as an operator does it: look, stop, import. From a server, and from a dump of it into a folder of its own."""
    folder, into = tmp_path / "cinder", tmp_path / "springform.toml"
    refused = program(*words(folder, into), fails=True)
    assert "reported themselves in the last minute" in refused and not into.exists()
    planned = program(*words(folder, into), "--cinder-is-stopped", "--dry-run", "--verify")
    assert "Would take over:" in planned and not into.exists()
    done = program(*words(folder, into), "--cinder-is-stopped", "--verify")
    assert "7 volumes\n" in done and "10 volumes and snapshots seen on the arrays" in done, done
    assert "it holds records already" in program(*words(folder, into), "--cinder-is-stopped", fails=True)
    for secret in (tmp_path / "secrets").iterdir():
        assert secret.stat().st_mode & 0o777 == 0o600
    assert site.sim.arrays["a"]["api_token"] not in into.read_text() + done
    written = subprocess.run([built("SPRINGFORM_BIN", "debug", "springform"), "audit", "export", "--config", into], capture_output=True,
                             text=True, timeout=60, check=True).stdout
    entry = json.loads(written.splitlines()[0])["entry"]
    assert (entry["action"], entry["details"], entry["who"]["kind"]) == ("cinder-imported", {"volumes": "7"}, "command-line")
    if server:
        assert databases.PASSWORD not in done
        dump = tmp_path / "cinder.sql"
        server.dump(dump)
        beside = tmp_path / "beside" / "springform.toml"
        again = program(*words(folder, beside), "--cinder-is-stopped", "--dry-run", "--verify", "--database", dump)
        assert again == planned.replace(str(into), str(beside))


@pytest.mark.parametrize("kind", (databases.MariaDb, databases.PostgreSql))
def test_a_dump_of_cinders_database_is_as_good_as_the_database(make_site, tmp_path, kind):
    site = make_site("async")
    folder, into, dump = tmp_path / "cinder", tmp_path / "springform.toml", tmp_path / "cinder.sql"
    with database(kind, tmp_path) as server:
        with cinder(site, folder, server) as theirs:
            furnish(theirs, "async")
            # What both programs write in a way of their own.
            gold = "/volumes/" + theirs.volumes["gold"]
            theirs.call("PUT", gold, {"volume": {"name": "it's \\ \"gold\";\n\tÄ", "description": "\\N"}})
            before = seen(theirs)
        server.dump(dump)
    from_dump = [*words(folder, into), "--cinder-is-stopped", "--database", dump]
    whole = dump.read_text()
    dump.write_text(whole[:len(whole) // 2])
    assert "it is cut off" in program(*from_dump, fails=True) and not into.exists()
    dump.write_text(whole)
    assert "7 volumes\n" in program(*from_dump, "--verify")
    with Imported(into, theirs.host, theirs) as ours:
        same(seen(ours), before)


def same(after, before):
    for key in before:
        if key.startswith("/attachments/"):
            # Ours says the first path apart as well, for clients that take one.
            told = after[key]["connection_info"]
            after[key]["connection_info"] = {word: told.get(word) for word in before[key]["connection_info"]}
        assert after.get(key) == before[key], key


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


@pytest.mark.parametrize("gone", (False, True))
def test_a_machine_logs_in_with_the_chap_password_that_cinder_gave_it(make_site, tmp_path, gone):
    site = make_site("async")
    folder, into = tmp_path / "cinder", tmp_path / "springform.toml"
    with cinder(site, folder, use_chap_auth=True) as theirs:
        for name in ("iron", "gold", "silver"):
            theirs.create(name, 1)
        told = theirs.attach("iron", "compute1")
        before = seen(theirs)
    if gone:
        # The attachment knows it all the same.
        change(folder, "DELETE FROM driver_initiator_data")
    done = program(*words(folder, into), "--cinder-is-stopped")
    assert "1 CHAP passwords of machines" in done and told["auth_password"] not in done + into.read_text()
    assert "use_chap_auth = true" in into.read_text()
    held = b"".join(path.read_bytes() for path in tmp_path.glob("springform.db*"))
    assert told["auth_password"].encode() not in held
    login = ("auth_method", "auth_username", "auth_password")
    with Imported(into, theirs.host, theirs) as ours:
        same(seen(ours), before)
        again, other = ours.attach("gold", "compute1"), ours.attach("silver", "compute2")
        assert [again[word] for word in login] == [told[word] for word in login]
        assert other["auth_password"] != told["auth_password"]
        assert {host.chap.host_user for host in site["a"].hosts().values()} == {told["auth_username"], other["auth_username"]}


def change(folder, statement, server=None, **values):
    """What happened in Cinder meanwhile."""
    url = server.url() if server else "sqlite:///%s" % (folder / "cinder.sqlite")
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(statement), values)
    engine.dispose()


def test_what_stands_in_the_way_is_listed_whole_and_nothing_is_written(make_site, tmp_path):
    site = make_site("async")
    folder, into = tmp_path / "cinder", tmp_path / "springform.toml"
    with cinder(site, folder) as theirs:
        theirs.create("gold", 1, "async")
        theirs.create("lost", 1)
        theirs.snapshot("monday", "lost")
    gold, lost = theirs.volumes["gold"], theirs.volumes["lost"]
    site["a"].client.patch_volumes(names=["volume-%s-cinder" % lost], volume={"provisioned": 3 << 30})
    change(folder, "UPDATE volumes SET status = 'extending' WHERE id = :id", id=gold)
    nowhere = [*words(folder, into)[:-1], tmp_path / "nowhere"]
    told = program(*nowhere, "--cinder-is-stopped", fails=True)
    assert "drivers that could not be asked" in told and "pure-async: " in told
    told = program(*words(folder, into), "--cinder-is-stopped", fails=True)
    assert "volume %s is extending" % gold in told and "In the way, so that nothing is written:" in told
    change(folder, "UPDATE volumes SET status = 'available' WHERE id = :id", id=gold)
    told = program(*words(folder, into), "--cinder-is-stopped", "--verify", fails=True)
    assert "their size on the array is another one" in told and lost in told and gold not in told
    change(folder, "UPDATE volumes SET provider_id = 'volume-gone' WHERE id = :id", id=lost)
    told = program(*words(folder, into), "--cinder-is-stopped", "--verify", fails=True)
    assert "they are not on the array" in told and "volume-gone on pure1" in told
    change(folder, "UPDATE alembic_version SET version_num = 'fffff'")
    told = program(*words(folder, into), "--cinder-is-stopped", fails=True)
    assert "revision fffff" in told
    assert not into.exists() and not (tmp_path / "secrets").exists() and not (tmp_path / "springform.db").exists()
