"""The same scenario through the upstream driver and through ours leaves equal arrays.

What differs on purpose is listed in `ours.py` with its reason; a difference that is listed and does not occur fails too.
"""

import pytest

from ours import DIFFERENCES, through_ours, through_theirs, unexplained
from run_scenario import scenarios


@pytest.mark.parametrize("configuration, name", sorted(DIFFERENCES))
def test_a_scenario_leaves_the_same_arrays(make_site, configuration, name):
    steps = scenarios(configuration)[name]
    outcome, theirs = through_theirs(make_site(configuration), steps)
    same, ours = through_ours(make_site(configuration), steps)
    assert outcome == same
    left = unexplained(theirs, ours, DIFFERENCES[configuration, name])
    assert left == [], "\n".join(left)
    assert theirs["a"]["volumes"], "a state without volumes would equal anything"
