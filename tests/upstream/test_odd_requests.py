"""Odd requests to a whole Cinder and to the host: both answer with the same status, and lists of the same length.

What differs on purpose is in `REASONS`, in the words of docs/cinder-api.md. `SPRINGFORM_ODD=all`: every request there is;
otherwise a part of them that is the same each time.
"""

import os
import pathlib
import random
import re

import pytest

import odd_bodies
import odd_requests
from odd_world import QuietCinder, QuietSpringform

PAGE = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "cinder-api.md").read_text()
SEED = 29

LIST = r"GET /(volumes|snapshots|attachments|volume-transfers|os-volume-transfer|groups|group_snapshots|messages|backups|types|group_types|qos-specs)(/detail)?\?"


def request(pattern, *statuses):
    """Matches requests, and the status of Cinder where it is given."""
    return lambda odd, here, there: re.search(pattern, odd) and (not statuses or there.status in statuses)


# A row of the page by its first column, and what it is the reason of.
REASONS = [
    ("a request on which Cinder ends with 500", lambda odd, here, there: there.status >= 500 > here.status),
    ("a body without a `Content-Type`, or called a form", request(r" \[None\]$", 415)),
    ("an action whose body is no object", request(r"/action (x|1|b'null'|b'\[1\]')$", 404)),
    ("a method that a path does not know",
     lambda odd, here, there: here.status == 405 or re.match("(HEAD|OPTIONS) ", odd)),
    ("who may not make a call", lambda odd, here, there: here.status == 403 and there.status in (400, 415)),
    ("a parameter of a query that is there twice", request(r"limit=2&limit=1|name=first&name=boot|status=available&status=")),
    ("a NUL character", request(r"%00")),
    ("`all_tenants` with a word for no, or none at all", request(LIST + r".*all_tenants=(0|maybe|2|)( |$)")),
    ("`created_at` and `updated_at` of other lists than that of volumes", request(r"^(?!GET /volumes).*(created|updated)_at=")),
    ("`name~` before 3.34", request(r"name~=x \[3\.(0|10|30|33)\]")),
    ("`name~` for members", request(r"name~=x \[member\]", 400)),
    ("`bootable` before 3.2", request(r"bootable=maybe \[3\.0\]")),
    ("pages, order and filters of `os-volume-transfer`", request(r"GET /os-volume-transfer")),
    ("a marker that no list of types has", request(r"GET /(group_)?types\?marker=")),
    ("filters of group types", request(r"GET /group_types\?.*name~?=")),
    ("`default_cgsnapshot_type`", lambda odd, here, there: odd.startswith("GET /group_types?") and here.status == there.status),
    ("the list of extensions", request(r"GET /extensions", 200)),
    ("log levels of services", request(r"/os-services/get-log", 200)),
    ("sort keys", lambda odd, here, there: re.search(r"sort(_key)?=", odd) and {here.status, there.status} == {200, 400}),
    ("`project_id` without `all_tenants`, for administrators", request(r"project_id=<other>")),
    ("filters on columns that are not kept here (`attach_status`, `provider_id`, …)", request(r"progress=100")),
    ("retype to a type that needs another pool, `never`", request(r"os-retype", 202)),
    ("null as the value of an extra spec, a group spec or a QoS spec", request(r"(types|qos-specs)[ /].*: None", 200, 202)),
    ("a connector from which no driver can tell a machine", request(r"'connector': ", 200, 500)),
    ("`add_volumes`, `remove_volumes` of a group", request(r"PUT /groups/.*_volumes': ")),
    ("quota classes other than `default`", request(r"/os-quota-class-sets/abc")),
    ("a transfer whose key was guessed too often", lambda odd, here, there: here.status == 429 and "/accept " in odd),
    ("more than 2,147,483,647 GiB in a project", lambda odd, here, there: there.status == 413 and "2147483647" in odd),
    ("null for what is not said, in `create-from-src`, `workers/cleanup` and `manageable_volumes`",
     request(r"(workers/cleanup|create-from-src|manageable_volumes).*: None", 400)),
    ("a transfer of a volume that is in a group", request(r"/volume-transfers .*<gm>|/volumes/<gm>/")),
]


def reason(odd, here, there):
    """What on the page says why the two differ; None where nothing does."""
    for row, matches in REASONS:
        if matches(str(odd), here, there):
            return row
    return None


def chosen(kinds, many):
    """The requests of a run, each once, in their order. `many`: of a usual one."""
    every = list({str(odd): odd for odd in kinds.all_of_them()}.values())
    if os.environ.get("SPRINGFORM_ODD") == "all":
        return every
    some = set(random.Random(SEED).sample(range(len(every)), many))
    return [odd for number, odd in enumerate(every) if number in some]


@pytest.fixture(scope="module")
def places():
    with QuietCinder() as there, QuietSpringform() as here:
        yield here, there


def different(places, kinds, many):
    """What is answered in two ways without a reason."""
    unexplained = []
    for number, odd in enumerate(chosen(kinds, many)):
        here, there = (place.answer(odd, number) for place in places)
        if min(here.status, there.status) < 300:
            for place in places:
                place.forget(odd)
        if (here.status, here.entries()) != (there.status, there.entries()):
            if reason(odd, here, there) is None:
                unexplained.append(f"{odd}\n    here {here.status}/{here.entries()} {here.message()[:150]}\n"
                                   f"    Cinder {there.status}/{there.entries()} {there.message()[:150]}")
    return unexplained


@pytest.mark.parametrize("kinds, many", [(odd_requests, 2000), (odd_bodies, 800)], ids=["by hand", "made up"])
def test_odd_requests_are_answered_as_cinder_answers_them(places, kinds, many):
    unexplained = different(places, kinds, many)
    assert not unexplained, f"{len(unexplained)} differ\n" + "\n".join(unexplained[:60])


def test_every_reason_is_a_row_of_the_page():
    rows = re.findall(r"^\| (.*?) \|", PAGE[PAGE.index("## Where it differs"):], re.MULTILINE)
    assert not [row for row, _ in REASONS if row not in rows]
