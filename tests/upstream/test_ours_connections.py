"""What a machine is told to attach a volume: ours, key by key, beside the upstream driver's."""

import pytest

from services import Springform

# The API writes these into every answer, whichever driver made it.
OF_THE_API = ("qos_specs", "access_mode", "encrypted", "cacheable", "enforce_multipath")

# What ours says besides: the first path alone, for a machine without multipath, and which volume it is.
MORE = {
    "iscsi": {"target_iqn", "target_portal", "target_lun", "volume_id"},
    "fibre_channel": {"volume_id"},
    "nvmeof": {"target_discovered", "volume_id"},
}

OPTIONS = {
    "iscsi": {},
    "fc": {"pure_storage_protocol": "fc"},
    "nvme-tcp": {"pure_storage_protocol": "nvme", "pure_nvme_transport": "tcp"},
    "nvme-roce": {"pure_storage_protocol": "nvme", "pure_nvme_transport": "roce"},
}


def plain(info, serial):
    """Without the serial, which differs between two arrays; lists whose order says nothing are sorted together."""
    data = dict(info["data"])
    for key in ("wwn", "volume_nguid"):
        if key in data:
            parts = (serial,) if key == "wwn" else (serial[:14], serial[-10:])
            for part in parts:
                assert part.lower() in data[key], (key, data[key], serial)
            data[key] = len(data[key])
    if "target_iqns" in data:
        paths = sorted(zip(data["target_portals"], data["target_iqns"], data["target_luns"]))
        data["target_portals"], data["target_iqns"], data["target_luns"] = map(list, zip(*paths))
    for key in ("portals", "target_wwns"):
        if key in data:
            data[key] = sorted(map(tuple, data[key]) if key == "portals" else data[key])
    if "initiator_target_map" in data:
        data["initiator_target_map"] = {
            port: sorted(to) for port, to in data["initiator_target_map"].items()}
    return {"driver_volume_type": info["driver_volume_type"], "data": data}


def theirs(site, protocol, kind):
    backend = site.backend(protocol)
    volume = backend.create(1, backend.type(kind))
    info = backend.attach(volume)
    return plain(info, site["a"].volume(volume.provider_id).serial)


def ours(site, protocol, kind):
    with Springform(site, **OPTIONS[protocol]) as cloud:
        cloud.create("gold", 1, kind)
        info = cloud.connection("gold", "compute1")
        name = cloud.call("GET", "/volumes/" + cloud.volumes["gold"])["volume"]["metadata"]
        for key in OF_THE_API:
            info["data"].pop(key, None)
        return plain(info, site["a"].volume(name["array_volume_name"]).serial)


@pytest.mark.parametrize("configuration", ("async", "sync", "trisync"))
def test_a_machine_is_told_the_same(make_site, configuration, protocol):
    expected = theirs(make_site(configuration), protocol, configuration)
    told = ours(make_site(configuration), protocol, configuration)
    assert told["driver_volume_type"] == expected["driver_volume_type"]
    for key, value in expected["data"].items():
        assert told["data"].get(key) == value, key
    assert set(told["data"]) - set(expected["data"]) <= MORE[told["driver_volume_type"]]
