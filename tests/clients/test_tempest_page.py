"""docs/cinder-api.md says what of Tempest passes and what is not run, and why: exactly what tests/tempest has."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cinder-api.md").read_text()
PASSED = (ROOT / "tests" / "tempest" / "passed.txt").read_text().split()


def exclusions():
    for line in (ROOT / "tests" / "tempest" / "exclusions.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            expression, reason = line.split("  # ")
            yield expression, reason


def test_every_exclusion_has_its_reason_on_the_page_and_none_is_there_besides():
    section = PAGE[PAGE.index("## Tempest and the samples"):]
    table = re.findall(r"^\| `(.*)` \| (.*) \|$", section[:section.index("\n`tests/clients/test_samples.py`")], re.MULTILINE)
    assert table == [(expression.replace("\\", ""), reason) for expression, reason in exclusions()]


def test_no_exclusion_is_of_a_test_that_passes():
    for expression, _ in exclusions():
        assert not [name for name in PASSED if re.search(expression, f"{name}[id]")], expression


def test_the_figure_on_the_page_is_that_of_the_pinned_list():
    assert f"({len(PASSED)} tests)" in PAGE and PASSED == sorted(set(PASSED))
