"""Cinder's own API samples, which come with its package: every answer here has the keys that Cinder's has, no more, no less.

The samples are templates of Cinder's functional tests. `SPRINGFORM_SAMPLES`: a directory with them, instead of the judges'
environment, in which Cinder is installed.
"""

import json
import os
import pathlib
import re
import subprocess

import pytest
from clouds import open_cloud

HERE = pathlib.Path(__file__).parent
NOWHERE = "/v3/volumes/00000000-0000-4000-8000-000000000000"

# What is not compared, and why. A directory or a file of the samples.
REASONS = {
    "backups": "there is no backup service: no backup has a form",
    "clusters": "hosts here form no clusters: the list is empty",
    "os-services/v3.32/service-get-log-response": "log levels belong to the configuration: the list is empty",
    "volume_actions/volume-upload-to-image-response": "there is no image service",
    "volume_manage_extensions/volume-manage-response": "it is of a stub in Cinder's tests, and not what Cinder answers",
}


def samples():
    if "SPRINGFORM_SAMPLES" in os.environ:
        return pathlib.Path(os.environ["SPRINGFORM_SAMPLES"])
    venv = subprocess.run([HERE.parent / "upstream" / "venv.sh"], check=True, capture_output=True, text=True).stdout.strip()
    [found] = pathlib.Path(venv).glob("lib/python*/site-packages/cinder/tests/functional/api_sample_tests/samples")
    return found


def names():
    root = samples()
    found = [str(path.relative_to(root)).removesuffix(".json.tpl") for path in root.rglob("*response.json.tpl")]
    assert len(found) > 130, found
    return sorted(found)


def sample(name):
    text = (samples() / f"{name}.json.tpl").read_text()
    # A template has `%(name)s` where a value is, in quotes or bare.
    return json.loads(re.sub(r"%\(\w+\)s", "1", text))


def form(value):
    """The keys of an answer, all the way down; of a list, those that its entries have."""
    if isinstance(value, dict):
        return {key: form(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        forms = sorted((form(inner) for inner in value), key=str)
        return [entry for at, entry in enumerate(forms) if entry not in forms[:at]]
    return None


def free(name, value):
    """What is under free keys is not compared: metadata and specs are the user's, quotas are counted for each type."""
    if isinstance(value, dict):
        return {key: {} if key in ("metadata", "extra_specs", "specs", "meta", "extra") else free(name, inner)
                for key, inner in value.items() if not key.endswith("___DEFAULT__") and "_sample-" not in key}
    if isinstance(value, list):
        return [free(name, inner) for inner in value]
    return value


class Walk:
    """Makes what the samples show, and asks for each of them in the version that it is of."""

    def __init__(self, cloud):
        self.cloud, self.made = cloud, {}

    def call(self, method, path, body=None, version="3.0"):
        status, _, answer = self.cloud.host.call(method, path, body, token=self.cloud.call_token, version=version)
        assert status < 400, f"{method} {path}: {answer}"
        return answer

    def once(self, name, make):
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]

    def volume(self):
        return self.once("volume", lambda: self.cloud.volume(name="sample-volume", metadata={"name": "test"})["id"])

    def snapshot(self):
        return self.once("snapshot", lambda: self.cloud.snapshot(self.volume(), metadata={"key": "v"})["id"])

    def kind(self):
        def make():
            body = {"volume_type": {"name": "sample-type", "extra_specs": {"capabilities": "gpu"}}}
            return self.call("POST", "/v3/types", body)["volume_type"]["id"]
        return self.once("type", make)

    def qos(self):
        return self.once("qos", lambda: self.call("POST", "/v3/qos-specs", {"qos_specs": {"name": "sample-q", "a": "b"}})["qos_specs"]["id"])

    def transfer(self, version, path):
        volume = self.cloud.volume()["id"]
        return self.call("POST", path, {"transfer": {"volume_id": volume, "name": "first volume"}}, version)["transfer"]

    # One method for each directory of samples: the answer to what the sample is of.

    def volumes(self, name, version):
        one = f"/v3/volumes/{self.volume()}"
        if name == "volume-create":
            return self.call("POST", "/v3/volumes", {"volume": {"size": 1}}, version)
        if name.startswith("volume-metadata"):
            return self.metadata(one, name.removeprefix("volume-metadata-"), version)
        return {
            "volume-show": lambda: self.call("GET", one, version=version),
            "volume-update": lambda: self.call("PUT", one, {"volume": {"name": "sample-volume"}}, version),
            "volumes-list": lambda: self.call("GET", "/v3/volumes?name=sample-volume", version=version),
            "volumes-list-detailed": lambda: self.call("GET", "/v3/volumes/detail?name=sample-volume", version=version),
        }[name]()

    def snapshots(self, name, version):
        one = f"/v3/snapshots/{self.snapshot()}"
        if name == "snapshot-create":
            return self.call("POST", "/v3/snapshots", {"snapshot": {"volume_id": self.volume()}}, version)
        if name.startswith("snapshot-metadata"):
            return self.metadata(one, name.removeprefix("snapshot-metadata-"), version)
        return {
            "snapshot-show": lambda: self.call("GET", one, version=version),
            "snapshot-update": lambda: self.call("PUT", one, {"snapshot": {"name": "s"}}, version),
            "snapshots-list": lambda: self.call("GET", "/v3/snapshots", version=version),
            "snapshots-list-detailed": lambda: self.call("GET", "/v3/snapshots/detail", version=version),
        }[name]()

    def metadata(self, one, name, version):
        path = f"{one}/metadata"
        return {
            "create": lambda: self.call("POST", path, {"metadata": {"key": "v"}}, version),
            "show": lambda: self.call("GET", path, version=version),
            "show-key": lambda: self.call("GET", f"{path}/key", version=version),
            "update": lambda: self.call("PUT", path, {"metadata": {"key": "v"}}, version),
            "update-key": lambda: self.call("PUT", f"{path}/key", {"meta": {"key": "w"}}, version),
        }[name]()

    def volume_type(self, name, version):
        one = f"/v3/types/{self.kind()}"
        if name.startswith("encryption"):
            return self.encryption(f"{one}/encryption", name, version)
        specs = f"{one}/extra_specs"
        return {
            "volume-type-show": lambda: self.call("GET", one, version=version),
            "volume-type-default": lambda: self.call("GET", "/v3/types/default", version=version),
            "volume-type-create": lambda: self.call("POST", "/v3/types", {"volume_type": {"name": "other"}}, version),
            "volume-type-update": lambda: self.call("PUT", one, {"volume_type": {"name": "sample-type"}}, version),
            "volume-types-list": lambda: self.call("GET", "/v3/types", version=version),
            "volume-type-access-list": lambda: self.access(version),
            "volume-type-all-extra-specs-show": lambda: self.call("GET", specs, version=version),
            "volume-type-specific-extra-specs-show": lambda: self.call("GET", f"{specs}/capabilities", version=version),
            "volume-type-extra-specs-create-update": lambda: self.call("POST", specs, {"extra_specs": {"key1": "v"}}, version),
        }[name]()

    def access(self, version):
        body = {"volume_type": {"name": "private", "os-volume-type-access:is_public": False}}
        one = f"/v3/types/{self.call('POST', '/v3/types', body)['volume_type']['id']}"
        self.call("POST", f"{one}/action", {"addProjectAccess": {"project": "p"}})
        return self.call("GET", f"{one}/os-volume-type-access", version=version)

    def encryption(self, path, name, version):
        body = {"encryption": {"key_size": 256, "provider": "luks", "control_location": "front-end", "cipher": "aes-xts-plain64"}}
        made = self.once("encryption", lambda: self.call("POST", path, body, version))
        one = f"{path}/{made['encryption']['encryption_id']}"
        return {
            "encryption-type-create": lambda: made,
            "encryption-type-show": lambda: self.call("GET", path, version=version),
            "encryption-type-specific-specs-show": lambda: self.call("GET", f"{path}/cipher", version=version),
            "encryption-type-update": lambda: self.call("PUT", one, {"encryption": {
                "key_size": 64, "provider": "cryptsetup", "control_location": "back-end", "cipher": "aes"}}, version),
        }[name]()

    def qos_specs(self, name, version):
        one = f"/v3/qos-specs/{self.qos()}"
        return {
            "qos-create": lambda: self.call("POST", "/v3/qos-specs", {"qos_specs": {"name": "other-q", "a": "b"}}, version),
            "qos-list": lambda: self.call("GET", "/v3/qos-specs", version=version),
            "qos-show": lambda: self.call("GET", one, version=version),
            "qos_show": lambda: self.call("GET", f"{one}/associations", version=version),
            "qos-update": lambda: self.call("PUT", one, {"qos_specs": {"delay": "1"}}, version),
        }[name]()

    def volume_transfer(self, name, version, path="/v3/os-volume-transfer"):
        made = self.transfer(version, path)
        one = f"{path}/{made['id']}"
        name = name.replace("volume-transfers-", "volume-transfer-")
        return {
            "volume-transfer-create": lambda: {"transfer": made},
            "volume-transfer-show": lambda: self.call("GET", one, version=version),
            "volume-transfer-accept": lambda: self.call("POST", f"{one}/accept", {"accept": {"auth_key": made["auth_key"]}}, version),
            "volume-transfer-list": lambda: self.call("GET", path, version=version),
            "volume-transfer-list-detailed": lambda: self.call("GET", f"{path}/detail", version=version),
        }[name]()

    def volume_transfers(self, name, version):
        return self.volume_transfer(name, version if version != "3.0" else "3.55", "/v3/volume-transfers")

    def os_services(self, name, version):
        host = {"host": "springform@quick", "binary": "cinder-volume"}
        why = {**host, "disabled_reason": "sample"}
        return {
            "services-list": lambda: self.call("GET", "/v3/os-services", version=version),
            "service-disable": lambda: self.call("PUT", "/v3/os-services/disable", host, version),
            "service-disable-log-reason": lambda: self.call("PUT", "/v3/os-services/disable-log-reason", why, version),
            "service-enable": lambda: self.call("PUT", "/v3/os-services/enable", host, version),
        }[name]()

    def quota_sets(self, name, version):
        one = f"/v3/os-quota-sets/{self.cloud.project}"
        return {
            "quotas-show": lambda: self.call("GET", one, version=version),
            "quotas-show-defaults": lambda: self.call("GET", f"{one}/defaults", version=version),
            "quotas-show-usage": lambda: self.call("GET", f"{one}?usage=true", version=version),
            "quotas-update": lambda: self.call("PUT", one, {"quota_set": {"volumes": -1}}, version),
        }[name]()

    def quota_classes(self, name, version):
        path = "/v3/os-quota-class-sets/default"
        if name.endswith("update"):
            return self.call("PUT", path, {"quota_class_set": {"volumes": -1}}, version)
        return self.call("GET", path, version=version)

    def limits(self, _name, version):
        return self.call("GET", "/v3/limits", version=version)

    def extensions(self, _name, version):
        return self.call("GET", "/v3/extensions", version=version)

    def versions(self, name, version):
        if name == "version-show":
            return self.call("GET", "/v3/", version=version)
        status, _, answer = self.cloud.host.call("GET", "/", token=None)
        assert status == 300, answer
        return answer

    def volume_manage_extensions(self, _name, version):
        body = {"volume": {"host": "springform@quick#pool", "ref": {"source-name": "sample"}, "name": "managed"}}
        return self.call("POST", "/v3/os-volume-manage", body, version)

    def snapshot_manage_extensions(self, _name, version):
        body = {"snapshot": {"volume_id": self.volume(), "ref": {"source-name": "sample-snapshot"}}}
        return self.call("POST", "/v3/os-snapshot-manage", body, version)


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    with open_cloud(tmp_path_factory.mktemp("samples"), "noauth") as place:
        yield Walk(place)


DIRECTORIES = {"os-services": "os_services", "qos": "qos_specs"}


def reason(name):
    return next((why for prefix, why in REASONS.items() if name == prefix or name.startswith(f"{prefix}/")), None)


def test_every_answer_has_the_keys_of_cinders_sample(walk):
    compared, different = 0, []
    for name in names():
        if reason(name):
            continue
        directory, *version, last = name.split("/")
        version = version[0].removeprefix("v") if version else "3.0"
        ask = getattr(walk, DIRECTORIES.get(directory, directory))
        answer = ask(re.sub("[-_]response$", "", last), version)
        ours, theirs = form(free(name, answer)), form(free(name, sample(name)))
        compared += 1
        if ours != theirs:
            different.append(f"{name}\n  here   {ours}\n  Cinder {theirs}")
    assert not different, "\n".join(different)
    assert compared >= 98, compared


def test_every_reason_is_of_a_sample_that_there_is():
    for prefix in REASONS:
        assert any(name == prefix or name.startswith(f"{prefix}/") for name in names()), prefix
