"""Signatures of components, judged by another implementation of minisign: what it signs is taken here, and what is signed
here it verifies."""

import os
import pathlib
import subprocess

import minisign
import pytest

from programs import built


PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "operators.md"
TITLE = "### `[verification]`"


@pytest.fixture
def place(tmp_path):
    pair = minisign.KeyPair.generate()
    secret = tmp_path / "vendor.key"
    secret.write_bytes(bytes(pair.secret_key))
    secret.chmod(0o600)
    component = tmp_path / "driver.wasm"
    component.write_bytes(b"\0asm" + bytes(range(200)))
    key = pair.public_key.to_base64().decode()
    (tmp_path / "springform.toml").write_text(
        f'[verification.keys]\nvendor = "{key}"\n'
        '[driver.d]\npath = "driver.wasm"\n[driver.d.verification]\nall_of = ["vendor"]\n'
    )
    return tmp_path, pair, component


def run(place, *words):
    return subprocess.run(
        [built("SPRINGFORM_BIN", "debug", "springform"), "driver", *words], cwd=place[0], capture_output=True, text=True, timeout=60
    )


def verifies(place):
    return run(place, "verify", "driver.wasm", "--driver", "d", "--config", "springform.toml")


def test_what_another_program_signed_is_taken_and_what_it_did_not_sign_is_not(place):
    folder, pair, component = place
    refused = verifies(place)
    assert refused.returncode != 0 and "not signed by" in refused.stderr
    signature = pair.secret_key.sign(component.read_bytes(), trusted_comment="release 1.2.0")
    (folder / "driver.wasm.minisig").write_bytes(bytes(signature))
    taken = verifies(place)
    assert taken.returncode == 0, taken.stderr
    assert "signed by vendor" in taken.stdout
    component.write_bytes(component.read_bytes()[:-1] + b"x")
    refused = verifies(place)
    assert refused.returncode != 0 and "of other bytes" in refused.stderr


@pytest.mark.parametrize("password", [None, "correct horse"])
def test_what_is_signed_here_another_program_verifies(place, password):
    folder, pair, component = place
    words = ["sign", "driver.wasm", "--secret-key", "vendor.key", "--comment", "release 1.2.0"]
    if password:
        pair.secret_key.encrypt(password)
        (folder / "vendor.key").write_bytes(bytes(pair.secret_key))
        file = folder / "password"
        file.write_text(password + "\n")
        file.chmod(0o600)
        words += ["--password-file", "password"]
    signed = run(place, *words)
    assert signed.returncode == 0, signed.stderr
    signature = minisign.Signature.from_file(folder / "driver.wasm.minisig")
    pair.public_key.verify(component.read_bytes(), signature)
    assert "release 1.2.0" in signature.trusted_comment
    with pytest.raises(minisign.VerifyError):
        pair.public_key.verify(component.read_bytes() + b"x", signature)
    assert verifies(place).returncode == 0


def test_a_secret_key_that_every_user_can_read_and_a_wrong_password_are_refused(place):
    folder, pair, _ = place
    (folder / "vendor.key").chmod(0o644)
    refused = run(place, "sign", "driver.wasm", "--secret-key", "vendor.key")
    assert refused.returncode != 0 and "chmod 600" in refused.stderr
    (folder / "vendor.key").chmod(0o600)
    pair.secret_key.encrypt("right")
    (folder / "vendor.key").write_bytes(bytes(pair.secret_key))
    file = folder / "password"
    file.write_text("wrong\n")
    file.chmod(0o600)
    refused = run(
        place, "sign", "driver.wasm", "--secret-key", "vendor.key", "--password-file", "password"
    )
    assert refused.returncode != 0 and "another password" in refused.stderr
    assert not (folder / "driver.wasm.minisig").exists()


def test_what_the_operators_page_says_works(place):
    folder, _, component = place
    component.rename(folder / "pure_async.wasm")
    file = folder / "springform.toml"
    file.write_text(file.read_text().replace("[driver.d", "[driver.pure-async").replace("driver.wasm", "pure_async.wasm"))
    text = PAGE.read_text()
    start = text.index(TITLE)
    lines = text[start:text.index("\n### ", start + 4)].splitlines()
    typed = [line.strip() for line in lines if line.startswith("    springform driver ")]
    offline = [line for line in typed if " sign " in line or " verify " in line]
    assert len(offline) == 2 and len(typed) == 3, typed
    program = built("SPRINGFORM_BIN", "debug", "springform")
    path = f"{pathlib.Path(program).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", "\n".join(offline)], cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "signed by vendor" in done.stdout
