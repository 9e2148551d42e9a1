"""Counting: which requests an action caused, on which array, and how many one after another."""

import contextlib
import time


class Measured:
    """The outcome of one `measured` block."""

    seconds = 0.0
    requests = ()

    def by_array(self):
        counts = {}
        for array, _ in self.requests:
            counts[array] = counts.get(array, 0) + 1
        return counts

    def calls(self):
        """"GET volumes" -> count."""
        counts = {}
        for _, request in self.requests:
            key = "%s %s" % (request["method"], request["path"])
            counts[key] = counts.get(key, 0) + 1
        return counts


# Once for each session, whichever verb comes first.
LOGIN = ("login", "logout", "api_version")


@contextlib.contextmanager
def measured(sim):
    """Measures what happens inside: wall time and the arrays' request logs."""
    outcome = Measured()
    before = {array: len(sim.requests(array)) for array in sim.arrays}
    start = time.monotonic()
    yield outcome
    outcome.seconds = time.monotonic() - start
    outcome.requests = [(array, request) for array in sim.arrays
                        for request in sim.requests(array)[before[array]:]
                        if request["path"].strip("/").split("/")[-1] not in LOGIN]
