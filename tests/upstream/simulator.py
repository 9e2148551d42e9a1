"""One simulated FlashArray process and its control API, as the judges see it.

Everything that depends on the simulator's own (not FlashArray's) interface is in this file:
command line, first line of output, control API and I/O port.
"""

import ctypes
import json
import os
import signal
import ssl
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request

GIB = 1 << 30


def end_with_parent():
    """In the child: a test process that is killed leaves no simulator behind, and that takes its directory along."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class ControlError(Exception):
    """The control API or the I/O port refused."""

    def __init__(self, status, body):
        super().__init__("%s: %s" % (status, body))
        self.status = status
        self.body = body


class Simulator:
    """A running flasharray-sim. Use as a context manager."""

    def __init__(self, arrays=("a",), connect=(), clock="test", extra=()):
        command = [os.environ["FLASHARRAY_SIM"], "--arrays", ",".join(arrays), "--clock", clock]
        for link in connect:
            command += ["--connect", link]
        command += list(extra)
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=end_with_parent)
        self._complaints = []
        self._reader = threading.Thread(target=self._read_complaints, daemon=True)
        self._reader.start()
        first = self._process.stdout.readline()
        if not first:
            self._process.wait()
            self._reader.join()
            raise RuntimeError("the simulator did not start: %s" % "".join(self._complaints))
        greeting = json.loads(first)
        self._meet(greeting)

    @classmethod
    def running(cls, greeting):
        """A simulator that somebody else started, by the JSON of its first line."""
        met = cls.__new__(cls)
        met._process = None
        met._meet(greeting)
        return met

    def _meet(self, greeting):
        self.greeting = greeting
        self.arrays = greeting["arrays"]
        self.ca = greeting.get("ca")
        self._control = greeting["control"].rstrip("/")
        self._tls = ssl.create_default_context(cafile=self.ca) if self.ca else None
        if self.ca:
            # The only trust anchor py-pure-client looks at; `ssl_cert` is an attribute nobody reads.
            os.environ["SSL_CERT_FILE"] = self.ca

    def _read_complaints(self):
        for line in self._process.stderr:
            self._complaints.append(line)
            del self._complaints[:-200]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self._process is None:
            return
        # Not killed at once: it removes its directory of certificates.
        self._process.terminate()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._reader.join()
        self._process.stderr.close()

    def control(self, method, path, body=None, raw=False):
        """One request to the control API; `raw` sends and returns bytes."""
        data = body if raw else (None if body is None else json.dumps(body).encode())
        request = urllib.request.Request(self._control + path, data=data, method=method)
        if data is not None:
            request.add_header(
                "Content-Type", "application/octet-stream" if raw else "application/json")
        context = self._tls if self._control.startswith("https") else None
        try:
            with urllib.request.urlopen(request, timeout=120, context=context) as answer:
                content = answer.read()
        except urllib.error.HTTPError as refused:
            raise ControlError(refused.code, refused.read().decode(errors="replace")) from None
        if raw:
            return content
        return json.loads(content) if content else None

    # Time, power, links, misbehaviour.

    def advance(self, seconds):
        """Moves the test clock; schedules that fall into the span run before the answer."""
        return self.control("POST", "/clock/advance", {"seconds": seconds})

    def power(self, array, on):
        return self.control("POST", "/arrays/%s/power" % array, {"on": on})

    def link(self, one, other, up):
        return self.control("POST", "/links/%s/%s" % (one, other), {"up": up})

    def stick_transfers(self, stuck=True):
        """Transfers stop at 60 %, or go on."""
        return self.control("POST", "/transfers/stuck", {"stuck": stuck})

    def fault(self, array, **rule):
        return self.control("POST", "/arrays/%s/faults" % array, rule)

    def latency(self, array, milliseconds):
        """Every later request of the array takes at least this long."""
        return self.control("POST", "/arrays/%s/latency" % array, {"ms": milliseconds})

    def clear_faults(self, array):
        return self.control("DELETE", "/arrays/%s/faults" % array)

    def state(self):
        return self.control("GET", "/state")

    def requests(self, array):
        """The array's request log, oldest first; paths are those after /api/2.x/."""
        return self.control("GET", "/arrays/%s/requests" % array)

    # Bytes, as a connected host sees them.

    @staticmethod
    def _io(array, host, volume):
        return "/io/%s/%s/%s" % tuple(urllib.parse.quote(part) for part in (array, host, volume))

    def write(self, array, host, volume, offset, data):
        self.control("PUT", "%s?offset=%d" % (self._io(array, host, volume), offset), data, raw=True)

    def read(self, array, host, volume, offset, length):
        return self.control("GET", "%s?offset=%d&length=%d" % (
            self._io(array, host, volume), offset, length), raw=True)

    # The official SDK.

    def client(self, array, **options):
        from pypureclient import flasharray
        info = self.arrays[array]
        return flasharray.Client(target=info["address"], api_token=info["api_token"],
                                 **dict({"verify_ssl": bool(self.ca)}, **options))
