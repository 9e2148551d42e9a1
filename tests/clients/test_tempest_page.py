"""docs/cinder-api.md says what of Tempest passes and what is not run, and why: exactly what tests/tempest has."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cinder-api.md").read_text()
TEMPEST = ROOT / "tests" / "tempest"
PASSED = (TEMPEST / "passed.txt").read_text().split()


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


def test_the_figures_on_the_page_are_those_of_the_pinned_lists():
    assert f"({len(PASSED)} tests)" in PAGE and PASSED == sorted(set(PASSED))
    for stage in ("pure-async", "rbac"):
        passed = (TEMPEST / f"passed-{stage}.txt").read_text().split()
        assert f"(`passed-{stage}.txt`, {len(passed)} tests" in PAGE and passed == sorted(set(passed))


def test_an_array_passes_whatever_the_driver_that_does_nothing_passes():
    missing = set(PASSED) - set((TEMPEST / "passed-pure-async.txt").read_text().split())
    assert missing == {"tempest.api.volume.admin.test_snapshot_manage.SnapshotManageAdminTest.test_unmanage_manage_snapshot"}
