"""Ours never sends more requests than the upstream driver, and the page that says so is true."""

import requests_per_verb as table


def test_ours_never_needs_more_without_a_reason_and_the_page_is_up_to_date():
    upstream, mine = table.theirs(), table.ours()
    assert table.excesses(upstream, mine) == []
    assert upstream["async"][table.MANY] >= 20 * mine["async"][table.MANY]
    written = (table.ROOT / "docs/drivers/requests.md").read_text()
    assert written == table.page(upstream, mine), "run `cargo xtask bench requests`"
