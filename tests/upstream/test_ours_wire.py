"""Between our driver and its arrays, in a whole host: the upstream driver ignores the configured certificates and waits for ever."""

import time

from services import Springform

DEADLINE = 120.0


def test_an_array_whose_certificate_is_of_another_authority_is_told_nothing(make_site):
    site, stranger = make_site("async"), make_site("async")
    own, site.sim.ca = site.sim.ca, stranger.sim.ca
    host = Springform(site)
    site.sim.ca = own
    try:
        host.wait("down")
        deadline = time.monotonic() + DEADLINE
        while "target_name" not in host.log():
            assert time.monotonic() < deadline, "nobody has asked the arrays yet"
            time.sleep(0.05)
        assert site.sim.requests("a") == site.sim.requests("b") == []
    finally:
        host.__exit__()
    with Springform(site) as cloud:
        cloud.create("gold")
    assert site.sim.requests("a")


def test_a_request_that_is_never_answered_is_given_up_and_made_again(make_site):
    site = make_site("async")
    with Springform(site) as cloud:
        site.sim.fault("a", kind="hang", method="POST", path="volumes", count=1)
        cloud.create("gold")
        name = "volume-%s-cinder" % cloud.volumes["gold"]
        assert list(site["a"].volumes()) == [name]
