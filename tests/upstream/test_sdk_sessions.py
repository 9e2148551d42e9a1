"""What the official SDK does when the array misbehaves, and that ours misbehaves as asked."""

import pytest
from pypureclient import flasharray as fa
from pypureclient.exceptions import PureError

from eyes import Eyes, ok
from test_sdk_volumes import GIB


@pytest.fixture
def a(make_sim):
    return Eyes(make_sim(("a",)), "a")


def calls(a, method, path):
    return [r for r in a.sim.requests("a")
            if r["method"] == method and r["path"] == path]


def test_the_client_negotiates_a_version_and_logs_in_once(a):
    for _ in range(3):
        ok(a.client.get_arrays())
    assert a.client.get_rest_version() == "2.52"
    assert len(calls(a, "POST", "login")) == 1


def test_a_wrong_token_is_refused(a):
    address = a.sim.arrays["a"]["address"]
    with pytest.raises(PureError):
        fa.Client(target=address, api_token="wrong", verify_ssl=False)


def test_an_expired_session_is_logged_in_again(a):
    ok(a.client.get_arrays())
    a.sim.fault("a", method="GET", path="/arrays", kind="status", status=401, count=1)
    assert ok(a.client.get_arrays())[0].name == "a"
    assert len(calls(a, "POST", "login")) == 2


def test_a_session_that_ends_in_the_middle_is_replaced(a):
    ok(a.client.get_arrays())
    a.sim.advance(24 * 3600)
    assert ok(a.client.get_arrays())[0].name == "a"
    assert len(calls(a, "POST", "login")) == 2


@pytest.mark.parametrize("status", (429, 503))
def test_a_busy_array_is_asked_again(a, status):
    ok(a.client.get_arrays())
    before = len(calls(a, "GET", "arrays"))
    a.sim.fault("a", method="GET", path="/arrays", kind="status", status=status, count=1)
    assert ok(a.client.get_arrays())[0].name == "a"
    assert len(calls(a, "GET", "arrays")) == before + 2


def test_an_internal_error_comes_back_as_an_error_object(a):
    a.sim.fault("a", method="GET", path="/volumes", kind="status", status=500, count=1)
    response = a.client.get_volumes()
    assert response.status_code == 500 and response.errors


def test_an_answer_that_is_html_is_an_error_object_too(a):
    a.sim.fault("a", method="GET", path="/volumes", kind="status", status=500,
                body="<html>Oops</html>", count=1)
    response = a.client.get_volumes()
    assert response.status_code == 500
    assert "not a valid JSON" in response.errors[0].message


def test_an_answer_dropped_after_acting_has_acted(a):
    a.sim.fault("a", method="POST", path="/volumes", kind="drop_after_acting", count=1)
    try:
        response = a.client.post_volumes(names=["v"], volume=fa.VolumePost(provisioned=GIB))
        # urllib3 sends an idempotent-looking request again: the volume is there already.
        assert response.status_code == 400
    except Exception as lost:  # the client lets the transport's own error through
        assert "closed" in str(lost).lower() or "aborted" in str(lost).lower()
    assert set(a.volumes()) == {"v"}


def test_the_request_log_tells_method_path_query_and_status(a):
    ok(a.client.post_volumes(names=["v"], volume=fa.VolumePost(provisioned=GIB)))
    last = calls(a, "POST", "volumes")[-1]
    assert last["status"] == 200
    assert "names=v" in str(last["query"])


def test_the_certificate_is_verified_against_the_printed_authority(a, monkeypatch, tmp_path):
    ok(a.sim.client("a", verify_ssl=True).get_arrays())
    empty = tmp_path / "none.pem"
    empty.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(empty))
    with pytest.raises(Exception, match="(?i)certificate"):
        a.sim.client("a", verify_ssl=True)
