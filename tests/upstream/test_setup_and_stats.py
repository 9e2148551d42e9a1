"""Set-up of the upstream driver on empty and on known arrays, and what it reports."""

RETENTION = {"all_for_sec": 14400, "per_day": 3, "days": 7}


def check_async_group(site, group, name_on_target, target):
    source = site["a"].groups()[group]
    assert source.replication_schedule.enabled is True
    assert source.replication_schedule.frequency == 3600000
    retention = source.target_retention
    assert {k: getattr(retention, k) for k in RETENTION} == RETENTION
    targets = site["a"].client.get_protection_groups_targets(group_names=[group])
    allowed = {t.member.name: t.allowed for t in targets.items}
    assert allowed[target] is True
    assert name_on_target in site[target].groups()


def test_set_up_makes_the_groups_and_pods_of_its_configuration(site, backend):
    if site.kind == "async":
        check_async_group(site, "cinder-group", "a:cinder-group", "b")
        assert site["a"].pods() == {}
        return
    check_async_group(site, "cinder-group", "a:cinder-group", "b")
    for array in ("a", "b"):
        pod = site[array].pods()["cinder-pod"]
        assert {m.name: m.status for m in pod.arrays} == {"a": "online", "b": "online"}
        assert pod.array_count == 2
    if site.kind == "trisync":
        check_async_group(site, "cinder-group", "a:cinder-group", "c")
        check_async_group(
            site, "cinder-pod::cinder-trisync", "cinder-pod:cinder-trisync", "c")


def test_setting_up_again_finds_everything_in_place(site, backend):
    before = {name: sorted(eyes.groups()) + sorted(eyes.pods())
              for name, eyes in ((n, site[n]) for n in site.shape["arrays"])}
    backend.start()
    after = {name: sorted(eyes.groups()) + sorted(eyes.pods())
             for name, eyes in ((n, site[n]) for n in site.shape["arrays"])}
    assert after == before


def test_statistics_count_what_is_on_the_array(site, backend):
    backend.create(2)
    stats = backend.stats()
    assert stats["storage_protocol"] == {
        "iscsi": "iSCSI", "fc": "FC", "nvme-tcp": "NVMe-TCP", "nvme-roce": "NVMe-RoCE",
    }[backend.protocol]
    assert stats["total_volumes"] == 1
    assert stats["total_snapshots"] == 0
    assert stats["total_hosts"] == 0
    assert stats["total_pgroups"] == (2 if site.kind == "trisync" else 1)
    assert stats["total_capacity_gb"] >= stats["free_capacity_gb"] > 0
    assert stats["provisioned_capacity_gb"] == 2
    assert stats["replication_enabled"] is True
    assert stats["replication_capability"] == site.kind
    assert stats["replication_type"] == {
        "async": ["async"], "sync": ["async", "sync"],
        "trisync": ["async", "sync", "trisync"],
    }[site.kind]
    assert stats["replication_targets"] == [t[0] for t in site.shape["replication"]]


def test_a_backend_without_replication_touches_nothing_but_the_login(make_sim):
    import harness
    sim = make_sim(("a",))
    backend = harness.Backend(sim)
    changing = [r for r in sim.requests("a")
                if r["method"] != "GET" and r["path"] not in ("login", "logout")]
    assert changing == []
    assert backend.stats()["replication_enabled"] is False
