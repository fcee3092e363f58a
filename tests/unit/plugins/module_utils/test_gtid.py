# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""GTID sets without a server; tests/integration/group_replication/test_gtid_oracle.py compares with a real one."""

from __future__ import annotations

import re
import time

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import MAX_GNO, GtidError, GtidSet
from hypothesis import given
from hypothesis import strategies as st

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("GTID sets are parsed, compared and printed by the rules of MySQL, tags included."),
]

A = "aaaaaaaa-0000-0000-0000-000000000001"
B = "bbbbbbbb-0000-0000-0000-000000000002"

KEYS = st.sampled_from([(A, ""), (A, "x"), (A, "y_2"), (B, ""), (B, "x")])
INTERVALS = st.tuples(st.integers(1, 40), st.integers(0, 6)).map(lambda pair: (pair[0], pair[0] + pair[1]))
ELEMENTS = st.lists(st.tuples(KEYS, INTERVALS), max_size=12)


def text_of(elements):
    """Text of a set, one interval at a time."""
    return ",".join(f"{uuid}:{tag + ':' if tag else ''}{first}-{last}" for (uuid, tag), (first, last) in elements)


def model(elements):
    """The same set as a Python set of (uuid, tag, number)."""
    return {(uuid, tag, number) for (uuid, tag), (first, last) in elements for number in range(first, last + 1)}


def spread(gtids):
    """A GtidSet as a Python set, through its own text."""
    found = set()
    for part in str(gtids).split(",") if gtids else []:
        uuid, *rest = part.split(":")
        tag = ""
        for piece in rest:
            if piece[0].isdigit():
                first, _dash, last = piece.partition("-")
                found |= {(uuid, tag, number) for number in range(int(first), int(last or first) + 1)}
            else:
                tag = piece
    return found


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        (None, ""),
        (" \n ", ""),
        (",,", ""),
        (f",{A}:1", f"{A}:1"),
        (f"{A}:1", f"{A}:1"),
        (f"{A}:1-1", f"{A}:1"),
        (f"{A.upper()}:1-5", f"{A}:1-5"),
        (f"{A}:1-5:7:9-11", f"{A}:1-5:7:9-11"),
        (f"{A}:9-11:7:1-5", f"{A}:1-5:7:9-11"),
        (f"{A}:1-5:6-7", f"{A}:1-7"),
        (f"{A}:1-5:3-7", f"{A}:1-7"),
        (f"{A}:1-3, {A}:5", f"{A}:1-3:5"),
        (f"{B}:1,\n{A}:1", f"{A}:1,{B}:1"),
        (f"{A}:tag:1-5", f"{A}:tag:1-5"),
        (f"{A}:TAG:1-5", f"{A}:tag:1-5"),
        (f"{A}:1-5:tag:1-5:other:3", f"{A}:1-5:other:3:tag:1-5"),
        (f"{A}:tag2:1,{A}:tag1:1", f"{A}:tag1:1:tag2:1"),
        (f" {A} : 1 - 5 ".replace(" - ", "-"), f"{A}:1-5"),
        (f"{A}:_:4", f"{A}:_:4"),
        (f"{A}:1-{MAX_GNO}", f"{A}:1-{MAX_GNO}"),
    ],
)
def test_parses_and_prints(text, canonical):
    assert str(GtidSet(text)) == canonical
    assert GtidSet(canonical) == GtidSet(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "is no UUID"),
        (A, "has no interval"),
        (f"{A}:", "neither an interval"),
        (f"{A}:0-5", "is no transaction number"),
        (f"{A}:{MAX_GNO + 1}", "is no transaction number"),
        (f"{A}:5-1", "ends before it begins"),
        (f"{A}:1-", "neither an interval"),
        (f"{A}:a-b", "neither an interval"),
        (f"{A}:tag", "has no interval"),
        (f"{A}:tag:other:1", "neither an interval"),
        (f"{A}:{'t' * 33}:1", "neither an interval"),
        (f"{A}:9tag:1", "neither an interval"),
        (f"{A[:-1]}:1", "is no UUID"),
        (17, "expected text, got int"),
    ],
)
def test_says_what_is_wrong(text, words):
    with pytest.raises(GtidError) as failed:
        GtidSet(text)
    assert words in str(failed.value)
    assert "\n" not in str(failed.value)


def test_a_long_wrong_text_is_cut_in_the_message():
    with pytest.raises(GtidError) as failed:
        GtidSet("x" * 100000)
    assert f"GTID set: '{'x' * 57}...' is no UUID" in str(failed.value)


@pytest.mark.parametrize(("length", "shown"), [(60, "x" * 60), (61, "x" * 57 + "...")])
def test_a_wrong_text_of_sixty_letters_is_shown_whole(length, shown):
    with pytest.raises(GtidError, match=f"^GTID set: '{re.escape(shown)}' is no UUID"):
        GtidSet("x" * length)


def test_the_wrong_part_is_named():
    with pytest.raises(GtidError, match="^GTID set: 'nonsense' is no UUID"):
        GtidSet("nonsense:tag:1-5")


def test_the_largest_number_is_the_servers():
    assert GtidSet(f"{A}:9223372036854775806").count() == 1
    with pytest.raises(GtidError, match="allowed: 1 to 9223372036854775806"):
        GtidSet(f"{A}:9223372036854775807")


@given(ELEMENTS, ELEMENTS)
def test_algebra_is_that_of_sets(left, right):
    one, two = GtidSet(text_of(left)), GtidSet(text_of(right))
    first, second = model(left), model(right)
    assert spread(one.union(two)) == first | second
    assert spread(one - two) == first - second
    assert spread(one.intersect(two)) == first & second
    assert one.contains(two) == (second <= first)
    assert (one == two) == (first == second)
    assert one.count() == len(first)
    assert bool(one) == bool(first)
    assert GtidSet(str(one)) == one
    if one == two:
        assert hash(one) == hash(two)


@pytest.mark.parametrize(
    ("left", "right", "minus", "both"),
    [
        ("1-10", "2:4", "1:3:5-10", "2:4"),
        ("1-10", "2-3:5-6", "1:4:7-10", "2-3:5-6"),
        ("2-3:5-6", "1-10", "", "2-3:5-6"),
        ("1-2:5-6:9", "1-5", "6:9", "1-2:5"),
        ("1-4", "4-9", "1-3", "4"),
        ("1-4", "5-9", "1-4", ""),
    ],
)
def test_algebra_where_intervals_meet(left, right, minus, both):
    """What a mutation run found unseen by the examples that CI takes."""
    one, two = GtidSet(f"{A}:{left}"), GtidSet(f"{A}:{right}")
    assert str(one - two) == (f"{A}:{minus}" if minus else "")
    assert str(one.intersect(two)) == (f"{A}:{both}" if both else "")


def test_union_of_many_and_parts():
    gtids = GtidSet(f"{A}:1-2").union(f"{B}:5", GtidSet(f"{A}:4"))
    assert str(gtids) == f"{A}:1-2:4,{B}:5"
    assert str(gtids.of_uuid(A.upper())) == f"{A}:1-2:4"
    assert str(gtids.of_uuid(B)) == f"{B}:5"
    assert gtids.uuids() == [A, B]
    assert not gtids.of_uuid(None)
    assert gtids == f"{B}:5,{A}:1-2:4"
    assert repr(GtidSet(f"{A}:1")) == f"GtidSet('{A}:1')"


def test_tens_of_thousands_of_intervals_take_linear_time():
    def seconds(count):
        odd = ":".join(str(number) for number in range(1, 4 * count, 4))
        even = ":".join(str(number) for number in range(3, 4 * count, 4))
        started = time.process_time()
        one, two = GtidSet(f"{A}:{odd}"), GtidSet(f"{A}:{even}")
        assert one.union(two).count() == 2 * count
        assert (one - two) == one
        assert not one.intersect(two)
        assert not one.contains(two)
        return time.process_time() - started

    seconds(1000)
    small, large = (min(seconds(number) for attempt in range(3)) for number in (5000, 40000))
    # Eight times the intervals: linear work gives about 8, quadratic 64.
    assert large < 24 * small, f"{small:.3f} s for 5000 intervals, {large:.3f} s for 40000"
