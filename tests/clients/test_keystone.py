"""A real Keystone says who somebody is: roles, projects, ends of tokens, what is remembered, service tokens."""

import pytest
from programs import eventually


@pytest.fixture(scope="module")
def host(keystone, tmp_path_factory):
    with keystone.host(tmp_path_factory.mktemp("remembering"), fresh=3600) as running:
        keystone.serve(running.url)
        yield running


@pytest.fixture(scope="module")
def forgetful(keystone, tmp_path_factory):
    """A host that asks about every token anew."""
    with keystone.host(tmp_path_factory.mktemp("forgetful"), fresh=0) as running:
        yield running


def status(host, token, path="/v3/volumes", method="GET", body=None, **headers):
    return host.call(method, path, body, token=token, headers={k.replace("_", "-"): v for k, v in headers.items()})[0]


def test_no_token_and_a_made_up_token_are_refused_with_where_to_get_one(host, keystone):
    for token in (None, "made-up", "gAAAAA" + "x" * 180):
        code, headers, body = host.call("GET", "/v3/volumes", token=token)
        assert code == 401 and headers["WWW-Authenticate"] == f'Keystone uri="{keystone.url}"', (code, body)


def test_roles_decide_what_may_be_done(host, keystone):
    admin, member, reader = (keystone.token(name) for name in ("admin", "member", "reader"))
    volume = {"volume": {"size": 1}}
    assert [status(host, token) for token in (admin, member, reader)] == [200, 200, 200]
    assert [status(host, token, "/v3/volumes", "POST", volume) for token in (admin, member, reader)] == [202, 202, 403]
    assert [status(host, token, "/v3/os-services") for token in (admin, member, reader)] == [200, 403, 403]
    nova = keystone.token("nova")
    assert status(host, nova) == 403, "a service is no reader of its own account"


def test_a_project_sees_its_own_volumes_only(host, keystone):
    member, stranger = keystone.token("member"), keystone.token("stranger")
    made = host.call("POST", "/v3/volumes", {"volume": {"size": 1}}, token=member)[2]["volume"]["id"]
    assert made in str(host.call("GET", "/v3/volumes", token=member)[2])
    assert made not in str(host.call("GET", "/v3/volumes?all_tenants=1", token=stranger)[2])
    assert status(host, stranger, f"/v3/volumes/{made}") == 404
    assert status(host, stranger, f"/v3/volumes/{made}", "DELETE") == 404
    assert made in str(host.call("GET", "/v3/volumes?all_tenants=1", token=keystone.token("admin"))[2])
    red, blue = keystone.projects["red"], keystone.projects["blue"]
    assert status(host, member, f"/v3/{red}/volumes") == 200
    assert status(host, member, f"/v3/{blue}/volumes") == 400, "the path names another project than the token"


def test_a_token_that_has_ended_is_refused(forgetful, keystone):
    keystone.expiration(2)
    try:
        token = keystone.token("member", new=True)
    finally:
        keystone.expiration(3600)
        keystone.sessions.clear()
    assert eventually(lambda: status(forgetful, token) == 401)


def test_a_token_that_has_ended_counts_where_a_service_vouches_for_it(forgetful, keystone):
    keystone.expiration(1)
    try:
        token = keystone.token("member", new=True)
    finally:
        keystone.expiration(3600)
        keystone.sessions.clear()
    assert eventually(lambda: status(forgetful, token) == 401)
    assert status(forgetful, token, X_Service_Token=keystone.token("nova")) == 200
    assert status(forgetful, token, X_Service_Token=keystone.token("stranger")) == 401, "a member is no service"
    assert status(forgetful, token, X_Service_Token="made-up") == 401
    assert status(forgetful, "made-up", X_Service_Token=keystone.token("nova")) == 401


def test_a_good_token_is_remembered_for_as_long_as_the_operator_says(host, forgetful, keystone):
    token = keystone.token("member", new=True)
    assert status(host, token) == status(forgetful, token) == 200
    keystone.revoke(token)
    keystone.sessions.clear()
    assert status(host, token) == 200, "which was asked about before"
    assert eventually(lambda: status(forgetful, token) == 401), "which asks every time"


def test_clients_find_the_host_in_the_catalogue(host, keystone):
    users = keystone.users(host)
    made = users["member"].read("volume", "create", "--size", "1", "from-the-catalogue")
    assert eventually(lambda: "available" in users["member"].cinder("show", made["id"]))
    assert made["id"] in users["reader"].openstack("volume", "list")
    assert made["id"] not in users["stranger"].cinder("list")
    assert [one.id for one in users["reader"].sdk().volumes(name="from-the-catalogue")] == [made["id"]]
    assert "Policy doesn't allow" in users["reader"].cinder("delete", made["id"], fails=True)
    assert users["admin"].read("volume", "service", "list")


def test_a_host_whose_keystone_is_away_says_so(keystone, tmp_path):
    token = keystone.token("member")
    known = keystone.url
    keystone.url = "http://127.0.0.1:9"
    try:
        away = keystone.host(tmp_path)
    finally:
        keystone.url = known
    with away as host:
        code, headers, body = host.call("GET", "/v3/volumes", token=token)
        assert code == 503 and headers["Retry-After"] and "identity service" in str(body)


def test_a_project_is_cleaned_up_with_everything_in_it(forgetful, keystone):
    """`openstack project cleanup` asks for the backups first, and gives up on the service where it is refused."""
    keystone.serve(forgetful.url)
    stranger, token = keystone.users(forgetful)["stranger"], keystone.token("stranger")

    def call(method, path, body=None):
        code, _, answer = forgetful.call(method, f"/v3{path}", body, token=token)
        assert code < 300, answer
        return answer

    def left():
        return call("GET", "/volumes")["volumes"] + call("GET", "/snapshots")["snapshots"]
    volume = call("POST", "/volumes", {"volume": {"size": 1, "name": "to-be-cleaned-up"}})["volume"]["id"]
    assert eventually(lambda: call("GET", f"/volumes/{volume}")["volume"]["status"] == "available")
    taken = call("POST", "/snapshots", {"snapshot": {"volume_id": volume}})["snapshot"]["id"]
    assert eventually(lambda: call("GET", f"/snapshots/{taken}")["snapshot"]["status"] == "available")
    assert "to-be-cleaned-up" in stranger.openstack("project", "cleanup", "--dry-run", "--auth-project")
    stranger.openstack("project", "cleanup", "--auto-approve", "--auth-project")
    assert eventually(lambda: not left()), left()
