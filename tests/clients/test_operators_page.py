"""docs/operators.md says what to type without Keystone: exactly that is typed here, into a shell."""

import os
import pathlib
import subprocess
import sys

import pytest
from programs import QuickHost, eventually

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "operators.md"
TITLE = "### Static tokens"
TOKENS = """
[auth]
mode = "tokens"
tokens_file = "tokens.toml"
"""


def section():
    text = PAGE.read_text()
    start = text.index(TITLE)
    return text[start:text.index("\n### ", start + len(TITLE))].splitlines()


def code():
    """The indented lines: the file of tokens, and what is typed."""
    lines = [line[4:] for line in section() if line.startswith("    ") or not line]
    typed = next(at for at, line in enumerate(lines) if line.startswith("export "))
    return "\n".join(lines[:typed]), "\n".join(lines[typed:])


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "tokens.toml").touch(mode=0o600)
    (folder / "tokens.toml").write_text(code()[0])
    with QuickHost(folder, TOKENS) as running:
        pools = eventually(lambda: running.call("GET", "/v3/scheduler-stats/get_pools", token=ANN)[2].get("pools"))
        assert pools, running.log()
        yield running


ANN = "paper-boats-and-tin-drums:0123456789abcdef0123456789abcdef"
BOB = "eleven-blue-umbrellas"


def typed(host, script):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "CINDER"))}
    clean["PATH"] = f"{pathlib.Path(sys.executable).parent}:{clean['PATH']}"
    script = script.replace("http://127.0.0.1:8776", host.url)
    return subprocess.run(["bash", "-euo", "pipefail", "-c", script], env=clean, text=True, capture_output=True, timeout=600)


def test_what_the_page_says_works(host):
    tokens, script = code()
    done = typed(host, script)
    assert done.returncode == 0, done.stdout + done.stderr
    digest = next(line.split()[0] for line in done.stdout.splitlines() if line.endswith(" -"))
    assert digest in tokens, "the digest on the page is that of the token on the page"
    assert done.stdout.count("ledger") >= 2, "it is created, and listed"
    assert done.stdout.count("| cinder-volume") == 2, "each client lists the services"


def test_a_reader_of_the_page_has_the_role_that_the_file_says(host):
    exports = "\n".join(code()[1].splitlines()[:2])
    exports = exports.replace(ANN.split(":")[0], BOB)
    assert typed(host, f"{exports}\ncinder --os-auth-type noauth list").returncode == 0
    refused = typed(host, f"{exports}\ncinder --os-auth-type noauth create 1")
    assert refused.returncode != 0 and "Policy doesn't allow volume:create" in refused.stderr


def test_the_list_is_shown_when_a_volume_is_attached(host):
    status, _, made = host.call("POST", "/v3/volumes", {"volume": {"size": 1, "name": "attached"}}, token=ANN)
    assert status == 202, made
    one = f"/v3/volumes/{made['volume']['id']}"
    def status_now():
        return host.call("GET", one, token=ANN)[2]["volume"]["status"]
    assert eventually(lambda: status_now() == "available"), status_now()
    server = "00000000-0000-4000-8000-000000000001"
    body = {"os-attach": {"instance_uuid": server, "mountpoint": "/dev/vdb"}}
    assert host.call("POST", f"{one}/action", body, token=ANN)[0] == 202
    assert eventually(lambda: status_now() == "in-use"), status_now()
    exports = [line for line in code()[1].splitlines() if line.startswith(("export", "unset"))]
    done = typed(host, "\n".join([*exports, "openstack --os-auth-type admin_token volume list"]))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Attached to {server}" in done.stdout
    assert host.call("POST", f"{one}/action", {"os-detach": {}}, token=ANN)[0] == 202
    assert eventually(lambda: status_now() == "available"), status_now()


def test_every_option_can_be_given_as_such(host):
    endpoint = f"--os-endpoint {host.url}/v3"
    secret, project = ANN.split(":")
    for words in (f"cinder --os-auth-type noauth {endpoint} --os-user-id {secret} --os-project-id {project} list",
                  f"openstack --os-auth-type admin_token {endpoint} --os-token {ANN} volume list"):
        done = typed(host, words)
        assert done.returncode == 0, done.stdout + done.stderr
    wrong = typed(host, f"cinder --os-auth-type noauth {endpoint} --os-user-id guessed --os-project-id {project} list")
    assert wrong.returncode != 0
