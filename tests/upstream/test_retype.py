"""Retype among none, async, sync and tri-sync keeps the bytes and moves the volume."""

import itertools

import pytest

KINDS = ("none", "async", "sync", "trisync")

GROUPS = {
    "none": set(),
    "async": {"cinder-group"},
    "sync": set(),
    "trisync": {"cinder-pod::cinder-trisync"},
}


def check(site, volume, kind, payload):
    plain = "volume-%s-cinder" % volume.id
    stretched = kind in ("sync", "trisync")
    name = "cinder-pod::" + plain if stretched else plain
    assert volume.provider_id == name
    assert site["a"].groups_of(name) == GROUPS[kind]
    assert (name in site["b"].volumes()) == stretched
    other = plain if stretched else "cinder-pod::" + plain
    assert other not in site["a"].volumes()
    for eyes in (site["a"], site["b"]) if stretched else (site["a"],):
        assert eyes.read(name, len(payload), 8192) == payload
    assert set(site["a"].pods()) <= {"cinder-pod"}, "a temporary pod was left behind"


@pytest.mark.parametrize("old,new", itertools.permutations(KINDS, 2))
def test_retype_moves_the_volume_and_keeps_its_bytes(make_site, old, new):
    site = make_site("trisync")
    backend = site.backend("iscsi")
    volume = backend.create(1, backend.type(old))
    payload = ("was " + old).encode()
    site["a"].write(volume.provider_id, payload, 8192)
    serial = site["a"].volume(volume.provider_id).serial

    volume = backend.retype(volume, backend.type(new))
    check(site, volume, new, payload)
    assert site["a"].volume(volume.provider_id).serial == serial
    # sync <-> tri-sync returns no update at all: the manager keeps what it had.
    assert volume.replication_status == ("disabled" if new == "none" else "enabled")


@pytest.mark.parametrize("protocol", ("fc", "nvme-tcp", "nvme-roce"))
def test_a_volume_goes_round_through_every_kind_over_any_protocol(make_site, protocol):
    site = make_site("trisync")
    backend = site.backend(protocol)
    volume = backend.create(1, backend.type("none"))
    site["a"].write(volume.provider_id, b"round", 8192)
    for kind in ("async", "sync", "trisync", "none"):
        volume = backend.retype(volume, backend.type(kind))
        check(site, volume, kind, b"round")


def test_snapshots_follow_a_volume_into_the_pod_and_out_again(make_site):
    site = make_site("sync")
    backend = site.backend("iscsi")
    volume = backend.create(1)
    site["a"].write(volume.provider_id, b"then")
    snapshot = backend.snapshot(volume)
    suffix = ".snapshot-" + snapshot.id
    site["a"].write(volume.provider_id, b"now!")

    volume = backend.retype(volume, backend.type("sync"))
    assert volume.provider_id + suffix in site["a"].snapshots()
    volume = backend.retype(volume, backend.type("none"))
    assert site["a"].snapshots() == {volume.provider_id + suffix}
    snapshot = type(snapshot).get_by_id(backend.context, snapshot.id)
    backend.revert(volume, snapshot)
    assert site["a"].read(volume.provider_id, 4) == b"then"


def test_a_volume_moves_between_volume_groups(make_site):
    site = make_site("async")
    backend = site.backend("iscsi")
    gold = backend.type("none", **{"flasharray:vg_name": "gold"})
    iron = backend.type("none", **{"flasharray:vg_name": "iron"})
    volume = backend.create(1, gold)
    volume = backend.retype(volume, iron)
    assert sorted(site["a"].volumes()) == ["iron/volume-%s-cinder" % volume.id]
    volume = backend.retype(volume, backend.type())
    assert sorted(site["a"].volumes()) == ["volume-%s-cinder" % volume.id]
