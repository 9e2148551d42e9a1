"""A host with the driver of FlashArray on two simulated arrays that are connected for replication."""

import contextlib
import functools
import json
import subprocess

from programs import QuickHost, built

BACKEND = """
[[backend]]
volume_backend_name = "pure1"
driver = "pure-async"
san_ip = "{first[address]}"
pure_api_token = "{first[api_token]}"
ca_file = "{ca}"

[[backend.replication_device]]
backend_id = "pure2"
san_ip = "{second[address]}"
type = "async"
api_token = "{second[api_token]}"
ca_file = "{ca}"
"""


@contextlib.contextmanager
def two_arrays():
    """The first line that the simulator says."""
    simulator = subprocess.Popen(
        [built("FLASHARRAY_SIM", "debug", "flasharray-sim"), "--arrays", "pure1,pure2", "--connect", "pure1:pure2:async"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield json.loads(simulator.stdout.readline())
    finally:
        simulator.terminate()
        simulator.wait(timeout=30)
        simulator.stdout.close()


class ArrayHost(QuickHost):
    """The real program with one backend on simulated arrays."""

    def __init__(self, folder, more="", backends=(), arrays=None):
        super().__init__(folder, more, backends=())
        known = arrays["arrays"]
        component = built("SPRINGFORM_GUESTS", "guests") / "pure_async.wasm"
        with (self.folder / "springform.toml").open("a") as file:
            file.write(f'\n[driver.pure-async]\npath = "{component}"\n')
            file.write(BACKEND.format(first=known["pure1"], second=known["pure2"], ca=arrays["ca"]))
        self.allow_inline_secrets()

    def allow_inline_secrets(self):
        file = self.folder / "springform.toml"
        file.write_text(file.read_text().replace("[service]\n", "[service]\nallow_inline_secrets = true\n", 1))

    @classmethod
    def on(cls, arrays):
        return functools.partial(cls, arrays=arrays)
