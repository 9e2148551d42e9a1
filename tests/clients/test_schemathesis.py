"""Requests made up from our own OpenAPI document: none may end in a 5xx, and every answer must be as the document says."""

import json
import pathlib
import re
import subprocess
import sys
import uuid

import pytest
from programs import PROJECT, QuickHost, eventually

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"

# Bodies that are components, which schemathesis cannot make up; tests/suite sends broken ones. And what Cinder itself answers
# with 503 where nobody runs its backup service; the router's tests say so.
NOT_MADE_UP = "^(put_drivers__name_|post_drivers__name__inspect|post_backups|post_backups_import_record)$"


@pytest.fixture
def host(tmp_path):
    with QuickHost(tmp_path) as running:
        assert eventually(lambda: running.call("GET", "/v3/scheduler-stats/get_pools")[2]["pools"]), running.log()
        yield running


def made(host, path, body, *keys):
    status, _, answer = host.call("POST", path, body)
    assert status < 300, answer
    for key in keys:
        answer = answer[key]
    return answer


def known_things(host):
    """One or more of everything, so that made-up requests meet something: names of parameters, and their values."""
    volumes = [made(host, "/v3/volumes", {"volume": {"size": 1, "metadata": {"key": "x"}}}, "volume", "id")
               for _ in range(6)]
    for volume in volumes:
        assert eventually(lambda: host.call("GET", f"/v3/volumes/{volume}")[2]["volume"]["status"] == "available")
    types = [made(host, "/v3/types", {"volume_type": {"name": f"t{uuid.uuid4()}", "os-volume-type-access:is_public": n < 2,
                                                     "extra_specs": {"key": "x"}}}, "volume_type", "id")
             for n in range(4)]
    nowhere = f"nowhere {uuid.uuid4()}"
    made(host, "/v3/types", {"volume_type": {"name": nowhere, "extra_specs": {"volume_backend_name": "none"}}})
    made(host, "/v3/volumes", {"volume": {"size": 1, "volume_type": nowhere}})
    assert eventually(lambda: host.call("GET", "/v3/messages")[2]["messages"])
    return {
        "volume_id": volumes,
        "snapshot_id": [made(host, "/v3/snapshots", {"snapshot": {"volume_id": volumes[0], "metadata": {"key": "x"}}}, "snapshot", "id")
                        for _ in range(4)],
        "attachment_id": [made(host, "/v3/attachments", {"attachment": {"volume_uuid": volume}}, "attachment", "id")
                          for volume in volumes[1:3]],
        "transfer_id": [made(host, "/v3/volume-transfers", {"transfer": {"volume_id": volumes[3]}}, "transfer", "id")],
        "type_id": types + [made(host, "/v3/group_types", {"group_type": {"name": f"g{uuid.uuid4()}", "group_specs": {"key": "x"}}},
                                 "group_type", "id") for _ in range(3)],
        "qos_id": [made(host, "/v3/qos-specs", {"qos_specs": {"name": f"q{uuid.uuid4()}", "key": "x"}}, "qos_specs", "id")
                   for _ in range(3)],
        "message_id": [host.call("GET", "/v3/messages")[2]["messages"][0]["id"]],
        "operation_id": [one["id"] for one in host.call("GET", "/admin/v1/operations")[2]["operations"][:5]],
        "vol_type_id": types,
        "project": [PROJECT],
        "class": ["default"],
        "host": ["springform@quick"],
        "key": ["key"],
    }


def configuration(things):
    lines = ["[phases.stateful.generation]", "max-examples = 60"]
    for name, values in things.items():
        lines += [f"[dictionaries.{name}]", f"values = {json.dumps(values)}"]
    lines.append("[parameters]")
    for name in things:
        where = "query" if name == "vol_type_id" else "path"
        lines.append(f'"{where}.{name}" = {{ dictionary = "{name}", probability = 0.8 }}')
    for field, name in [("volume.snapshot_id", "snapshot_id"), ("volume.source_volid", "volume_id"),
                        ("snapshot.volume_id", "volume_id"), ("attachment.volume_uuid", "volume_id"),
                        ("transfer.volume_id", "volume_id"), ("host", "host")]:
        lines.append(f'"body.{field}" = {{ dictionary = "{name}", probability = 0.8 }}')
    return "\n".join(lines) + "\n"


def answered(host):
    """Routes that were answered, with the classes of their statuses, as the host counts them."""
    text = host.call("GET", "/metrics")[2].decode()
    seen = {}
    for method, route, status in re.findall(r'requests_total\{method="(\w+)",route="([^"]*)",status="(\d)', text):
        seen.setdefault(f"{method} {route}", set()).add(status)
    return seen


def run(host, folder, *words):
    """One run of schemathesis; its report is what a failure shows."""
    (folder / "schemathesis.toml").write_text(configuration(known_things(host)))
    program = pathlib.Path(sys.executable).parent / "st"
    done = subprocess.run([
        program, "--config-file", folder / "schemathesis.toml", "run", f"{host.url}/openapi.json", "--no-color",
        "-H", f"X-Auth-Token: admin:{PROJECT}", "--checks", CHECKS, "--exclude-operation-id-regex", NOT_MADE_UP,
        "--generation-deterministic", "--continue-on-failure", "--warnings", "off", "--suppress-health-check", "all",
        "--request-timeout", "120", *words,
    ], cwd=folder, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:] + host.log()[-2000:]


def test_made_up_requests_never_end_in_a_5xx_and_every_answer_is_as_the_document_says(host, tmp_path):
    run(host, tmp_path, "--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "8",
        "-H", "OpenStack-API-Version: volume 3.71")
    seen = answered(host)
    assert not [route for route, statuses in seen.items() if "5" in statuses], seen
    document = host.call("GET", "/openapi.json")[2]
    # The verbs of replication want plans and drills that nobody can make up.
    routes = [f"{method.upper()} {path.removeprefix('/v3')}"
              for path, methods in document["paths"].items() if path.startswith("/v3/") for method in methods]
    never = sorted(route for route in routes if "2" not in seen.get(route, ()))
    assert len(never) < len(routes) / 3, f"too few requests got as far as an answer with content: {never}"


def test_every_microversion_answers_as_the_document_says(host, tmp_path):
    run(host, tmp_path, "--phases", "coverage", "--include-method", "GET")
