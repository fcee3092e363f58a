# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""bench/chaos/plan.py: the same seed gives the same faults, and two groups at one moment are found."""

from __future__ import annotations

import itertools

import pytest

MEMBERS = ["db0", "db1", "db2"]
WHOLE = {"10.0.0.1": "ONLINE", "10.0.0.2": "ONLINE", "10.0.0.3": "ONLINE"}


def first(plan, seed, count=400):
    return list(itertools.islice(plan.faults(seed, MEMBERS), count))


def test_the_same_seed_gives_the_same_faults(plan):
    assert first(plan, 7) == first(plan, 7) != first(plan, 8)


def test_every_kind_comes_with_as_many_members_and_as_long_as_it_says(plan):
    made = first(plan, 1)
    assert {fault.kind for fault in made} == set(plan.KINDS)
    for fault in made:
        kind = plan.KINDS[fault.kind]
        assert kind.members[0] <= len(set(fault.members)) == len(fault.members) <= kind.members[1]
        assert kind.lasts[0] <= fault.lasts <= kind.lasts[1]
        assert plan.CALM[0] <= fault.calm <= plan.CALM[1]
        assert sorted(name for name, _late in fault.undone) == sorted(fault.members)
        late = [seconds for _name, seconds in fault.undone]
        assert late == sorted(late) and late[0] == 0 and (kind.fault == "reboot" or not any(late))


def test_hosts_come_back_in_every_order(plan):
    orders = {tuple(name for name, _late in fault.undone) for fault in first(plan, 1) if fault.kind == "hosts off"}
    assert set(itertools.permutations(MEMBERS)) <= orders


def look(view, sees=None, state="ONLINE"):
    return {"view": view, "state": state, "sees": WHOLE if sees is None else sees, "read_only": False}


@pytest.mark.parametrize(
    ("seen", "group"),
    [
        (look("1"), "1"),
        (look("1", state="RECOVERING"), "1"),
        (look("1", state="ERROR"), None),
        (look("", {}, state="OFFLINE"), None),
        # Without a majority it writes nowhere.
        (look("1", dict(WHOLE, **{"10.0.0.2": "UNREACHABLE", "10.0.0.3": "UNREACHABLE"})), None),
        (look("1", dict(WHOLE, **{"10.0.0.3": "UNREACHABLE"})), "1"),
        (look("1", {"10.0.0.1": "ONLINE", "10.0.0.2": "UNREACHABLE"}), None),
    ],
)
def test_the_group_that_a_member_writes_in(plan, seen, group):
    assert plan.group_of(seen) == group


def at(moment, *views):
    return {"at": moment, "members": {name: view and look(view) for name, view in zip(MEMBERS, views)}}


def test_two_groups_at_one_moment_are_found(plan):
    assert plan.several_groups([at(1, "1", "1", "1"), at(2, "1", "2", "2"), at(3, "1", "2", "2")]) == [3]


def test_a_group_that_takes_another_ones_place_is_not_two(plan):
    looks = [at(1, "1", "1", None), at(2, "1", "2", None), at(3, "2", "2", "2"), at(4, None, "2", "2")]
    assert plan.several_groups(looks) == []


def test_gaps_and_the_first_success_after_a_moment(plan):
    assert plan.back_after([1.0, 2.0, 5.5], 2.5) == 3.0
    assert plan.back_after([1.0], 2.5) is None
    assert plan.gap_in([1.0, 2.0, 5.5], 0.5, 6.0) == 3.5
    assert plan.gap_in([], 0.5, 6.0) == 5.5


def test_throughput_is_back_when_it_stays_so_for_some_seconds(plan):
    before = [number / 10 for number in range(100)]
    dip = [10 + number for number in range(5)]
    after = [15 + number / 10 for number in range(60)]
    assert plan.throughput_back(before + dip + after, began=10, over=10.5) == 4.2
    assert plan.throughput_back(before + dip, began=10, over=10.5) is None
    assert plan.throughput_back(before + after, began=10, over=15) == 0.0
    assert plan.throughput_back([], began=10, over=15) is None


def test_a_cluster_is_whole_once_it_stays_so(plan):
    looks = [(1.0, True), (2.0, True), (3.0, False), (4.0, True), (5.0, True), (6.0, True), (8.0, True)]
    assert plan.whole_from(looks, 0.0, 1.0) == 1.0
    assert plan.whole_from(looks, 0.0, 3.0) == 4.0
    assert plan.whole_from(looks, 4.5, 2.0) == 5.0
    assert plan.whole_from(looks, 0.0, 5.0) is None
    assert plan.whole_from([], 0.0, 1.0) is None
