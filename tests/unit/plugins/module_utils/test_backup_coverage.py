# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Coverage and retention over arbitrary histories: logs of several members that overlap, gaps, parts, clocks that jump.

A history is transactions 1 to N, of which neighbours may be independent: then members commit them in either order. Each depends on all others before it.
"""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import coverage, retention
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.coverage import (
    AFTER,
    BEFORE,
    LATEST,
    TIME,
    CannotRestore,
    Target,
    assemble,
    gaps,
    plan,
    reach,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.retention import DAY, History, ages, doomed
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from backup_records import GROUP, full, segment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "A plan that is given really leads to its point, whatever overlaps or is missing; retention takes nothing that a kept full needs."
    ),
]

SOURCES = tuple(f"{number}{number}{number}{number}0000-0000-0000-0000-000000000000" for number in (1, 2, 3))
FEW = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
EVERY = 86400


def gtids(numbers) -> str:
    return str(GtidSet(",".join(f"{GROUP}:{number}" for number in numbers))) if numbers else ""


def numbers_of(text) -> set[int]:
    return {
        number
        for pairs in GtidSet(str(text))._sets.values()
        for first, last in pairs
        for number in range(first, last + 1)
    }


class World:
    """What happened: the order of each member, when each transaction was committed, and what is stored."""

    def __init__(self, orders, times, swapped):
        self.orders, self.times, self.swapped = orders, times, swapped
        self.fulls, self.segments = [], []
        self.inside = {}  # path: its transactions in their order

    def needs(self, number):
        """What has to be there before a transaction."""
        return {other for other in range(1, number) if (other, number) not in self.swapped}

    def store(self, source, number, begin, end, start=0, upto=None, complete=True, host="db2", at=0.0):
        """Store a file of a member, or bytes of it: ten for each transaction, after ten for its head."""
        order = self.orders[source]
        content = order[begin:end]
        upto = 10 + 10 * len(content) if upto is None else upto
        inside = content[max(start - 10, 0) // 10 : (upto - 10) // 10]
        path = f"logs/{source}/{number}.{start}-{upto}.{complete}.{host}"
        times = [self.times[one] for one in inside]
        self.segments.append(
            segment(
                source, number, gtids(order[:begin]), gtids(inside), path=path, start=start, end=upto, complete=complete, host=host, at=at,
                first=times[0] if times else None, last=max(times, default=None),
            )
        )  # fmt: skip
        self.inside[path] = inside

    def replay(self, have, steps):
        """Apply the logs: the transactions in their order. Fails where one comes before what it needs."""
        done, came = set(have), []
        for log in steps:
            assert numbers_of(log.previous) <= done, "a log whose server had more before it"
            at = 0
            for part in log.parts:
                assert part.start == at
                at = part.end
                for number in self.inside[part.path]:
                    if number not in done:
                        assert self.needs(number) <= done, f"{number} before what it needs"
                        done.add(number)
                        came.append(number)
        return done, came


@st.composite
def worlds(draw, jumps=False):
    size = draw(st.integers(1, 14))
    swapped = {(number, number + 1) for number in range(1, size, 2) if draw(st.booleans())}
    orders = {}
    for source in SOURCES[: draw(st.integers(1, 3))]:
        order = list(range(1, size + 1))
        for first, second in swapped:
            if second <= size and draw(st.booleans()):
                order[first - 1], order[second - 1] = second, first
        orders[source] = order
    times, clock = {}, 1000.0
    for number in range(1, size + 1):
        clock += draw(st.integers(-5000 if jumps else 0, 5000 if jumps else 20))
        times[number] = clock
    world = World(orders, times, swapped)
    for source in orders:
        cuts = sorted({0, *draw(st.lists(st.integers(0, size), max_size=5))})
        for number, (begin, end) in enumerate(zip(cuts, [*cuts[1:], size])):
            how = draw(
                st.sampled_from(("whole", "whole", "whole", "two hosts", "parts", "first part", "second part", "none"))
            )
            middle = 10 + 10 * draw(st.integers(0, end - begin))
            if how in ("whole", "two hosts"):
                world.store(source, number, begin, end)
            if how == "two hosts":
                world.store(source, number, begin, end, host="db3", at=1.0)
            if how in ("parts", "first part"):
                world.store(source, number, begin, end, upto=middle, complete=False)
            if how in ("parts", "second part") and middle < 10 + 10 * (end - begin):
                world.store(source, number, begin, end, start=middle, complete=False)
    for number in range(draw(st.integers(0, 4))):
        source = draw(st.sampled_from(sorted(orders)))
        have = orders[source][: draw(st.integers(0, size))]
        world.fulls.append(full(f"full{number}", gtids(have), at=max((times[one] for one in have), default=0.0)))
    return world


def naive_reach(have, logs):
    """The same by trying everything until nothing changes."""
    done, before = set(have), None
    while before != len(done):
        before = len(done)
        for log in logs:
            if numbers_of(log.previous) <= done:
                done |= numbers_of(log.gtids)
    return done


@FEW
@given(worlds())
def test_the_way_is_as_long_as_it_can_be_and_in_an_order_that_can_be_applied(world):
    logs = assemble(world.segments)
    for one in world.fulls:
        way = reach(GtidSet(one.gtids), logs)
        done, _came = world.replay(numbers_of(one.gtids), way.steps)
        assert done == numbers_of(way.reached) == naive_reach(numbers_of(one.gtids), logs)
        assert not numbers_of(way.missing) & done
        # Nothing is read that brings nothing.
        assert all(numbers_of(log.gtids) - numbers_of(one.gtids) for log in way.steps)


@FEW
@given(worlds(), st.sampled_from((LATEST, AFTER, BEFORE, TIME)), st.data())
def test_a_plan_leads_to_its_point(world, kind, data):
    size = len(world.times)
    number = data.draw(st.integers(1, size + 1))
    target = Target(kind)
    if kind in (AFTER, BEFORE):
        target = Target(kind, GtidSet(gtids([number])))
    elif kind == TIME:
        target = Target(kind, time=world.times[min(number, size)] + data.draw(st.integers(-5, 5)))
    logs = assemble(world.segments)
    ends = [naive_reach(numbers_of(one.gtids), logs) for one in world.fulls]
    try:
        found = plan(world.fulls, world.segments, target)
    except CannotRestore as why:
        assert "\n" not in str(why)
        assert kind != LATEST or not world.fulls
        if kind == AFTER:
            assert not any(number in end and number not in numbers_of(one.gtids) for one, end in zip(world.fulls, ends))
        if kind == BEFORE:
            assert not any(number in end and number not in numbers_of(one.gtids) for one, end in zip(world.fulls, ends))
        return
    have = numbers_of(found.full.gtids)
    done, came = world.replay(have, found.steps)
    assert done == numbers_of(found.reached)
    if kind == LATEST:
        assert done == max(ends, key=len)
    elif kind == AFTER:
        assert number in done and (number not in have or have == {number})
    elif kind == BEFORE:
        assert number not in have and number in came
    else:
        # What is committed up to the time is there, before the first transaction that is later.
        later = [one for one in came if world.times[one] > target.time]
        assert found.full.at <= target.time
        assert later or max(world.times[one] for one in done) <= target.time


@FEW
@given(worlds())
def test_gaps_are_where_a_way_ends(world):
    logs = assemble(world.segments)
    ordered = coverage.order(world.fulls)
    named = {gap.after: numbers_of(gap.missing) for gap in gaps(world.fulls, world.segments)}
    for number, one in enumerate(ordered):
        end = naive_reach(numbers_of(one.gtids), logs)
        if ordered[number + 1 :]:
            assert named.get(one.id, set()) == numbers_of(ordered[number + 1].gtids) - end
        else:
            assert not named.get(one.id, set()) & end


@st.composite
def histories(draw):
    """One to three timelines, with clocks that jump, and damaged fulls."""
    made, worlds_of = {}, {}
    clock = 10**9
    for number in range(1, draw(st.integers(1, 3)) + 1):
        world = draw(worlds(jumps=True))
        placed = []
        for one in coverage.order(world.fulls):
            clock += draw(st.sampled_from((EVERY, EVERY, EVERY, 0, -EVERY, -3000 * DAY, 3000 * DAY, 10 * EVERY)))
            placed.append(one._replace(at=float(clock), timeline=number, id=f"t{number}-{one.id}"))
        damaged = frozenset(one.id for one in placed if not draw(st.integers(0, 4)))
        made[number] = History(placed, world.segments, damaged)
        worlds_of[number] = world
    return made, clock + draw(st.sampled_from((0, EVERY, -5000 * DAY, 5000 * DAY)))


def after(made, gone):
    """What is left."""
    return {
        number: History(
            [one for one in history.fulls if (number, one.id) not in gone.fulls],
            [one for one in history.segments if (number, one.path) not in gone.segments],
            history.damaged,
        )
        for number, history in made.items()
    }


def good(history):
    return [one for one in history.fulls if one.id not in history.damaged]


@FEW
@given(histories(), st.integers(1, 4), st.integers(0, 10))
def test_what_is_kept_leads_as_far_as_before(given_, count, days):
    made, now = given_
    gone = doomed(made, count, days, EVERY, now)
    left = after(made, gone)
    for number, history in left.items():
        for one in history.fulls:
            before = reach(GtidSet(one.gtids), assemble(made[number].segments))
            assert reach(GtidSet(one.gtids), assemble(history.segments)).reached == before.reached
    restorable = sum(len(good(history)) for history in made.values())
    assert sum(len(good(history)) for history in left.values()) >= min(count, restorable)
    # Once more it deletes nothing.
    again = doomed(left, count, days, EVERY, now)
    assert not again.fulls


@FEW
@given(histories(), st.integers(1, 4), st.integers(0, 10), st.integers(-(10**10), 10**10))
def test_no_clock_deletes_what_can_be_young(given_, count, days, jump):
    made, now = given_
    gone = doomed(made, count, days, EVERY, now + jump)
    ordered = [(number, one) for number in sorted(made) for one in coverage.order(made[number].fulls)]
    for place, (number, one) in enumerate(reversed(ordered)):
        if (place + 1) * 2 * EVERY <= days * DAY:
            assert (number, one.id) not in gone.fulls


@FEW
@given(worlds(), st.integers(1, 3), st.integers(1, 6))
def test_each_point_of_the_last_days_stays(world, count, days):
    """Where clocks are right: a full each day."""
    ordered = [one._replace(at=float(EVERY * place)) for place, one in enumerate(coverage.order(world.fulls))]
    now = float(EVERY * len(ordered))
    gone = doomed({1: History(ordered, world.segments)}, count, days, EVERY, now)
    left = [one for one in ordered if (1, one.id) not in gone.fulls]
    for one in ordered:
        # The newest full at the beginning of the days, or before it, and all later ones.
        if one.at >= now - days * DAY or one is max(
            (old for old in ordered if old.at < now - days * DAY), key=lambda old: old.at
        ):
            assert one in left


def test_deletes_at_all():
    """Ten fulls, one a day, and one log between each two: by number, and by days."""
    world = World({SOURCES[0]: list(range(1, 11))}, dict.fromkeys(range(1, 11), 0.0), set())
    for number in range(10):
        world.store(SOURCES[0], number, number, number + 1)
        world.fulls.append(full(f"f{number}", gtids(range(1, number + 2)), at=float(number * DAY)))
    history = {1: History(world.fulls, world.segments)}
    gone = doomed(history, 3, 0, EVERY, 9.0 * DAY)
    assert [one for _number, one in gone.fulls] == [f"f{number}" for number in range(7)]
    assert len(gone.segments) == 8, "f7 has transactions 1 to 8"
    gone = doomed(history, 1, 4, EVERY, 9.0 * DAY)
    assert [one for _number, one in gone.fulls] == [f"f{number}" for number in range(4)]
    assert gone.why["f4"] == "leads to the points of the last 4 days" and gone.why["f9"] == "one of the newest 1"
    # A file that is being stored is left alone.
    streaming = {(SOURCES[0], "binlog.000000", 0)}
    assert len(doomed(history, 3, 0, EVERY, 9.0 * DAY, streaming).segments) == 7
    # The newest ones are damaged: they do not count.
    hurt = {1: History(world.fulls, world.segments, frozenset({"f9", "f8"}))}
    assert [one for _number, one in doomed(hurt, 1, 0, EVERY, 9.0 * DAY).fulls] == [
        f"f{number}" for number in (0, 1, 2, 3, 4, 5, 6, 8)
    ]


def test_the_full_that_leads_to_the_days_is_one_that_can_be_restored():
    world = World({SOURCES[0]: list(range(1, 11))}, dict.fromkeys(range(1, 11), 0.0), set())
    fulls = [full(f"f{number}", gtids(range(1, number + 2)), at=float(number * DAY)) for number in range(10)]
    history = {1: History(fulls, world.segments, frozenset({"f4"}))}
    gone = doomed(history, 1, 4, EVERY, 9.0 * DAY)
    assert [one for _number, one in gone.fulls] == ["f0", "f1", "f2", "f4"]
    assert gone.why["f3"] == "leads to the points of the last 4 days"


def test_a_time_that_a_log_knows_by_what_is_there_already_does_not_end_the_plan():
    """Transaction 3 was committed where the clock is ahead; it is in the full, and once more in the first log."""
    world = World(
        {SOURCES[0]: list(range(1, 8))}, {**{number: float(number) for number in range(1, 8)}, 3: 99.0}, set()
    )
    world.store(SOURCES[0], 1, 2, 5)
    world.store(SOURCES[0], 2, 5, 7)
    found = plan([full("a", gtids([1, 2, 3]), at=3.0)], world.segments, Target(TIME, time=6.5))
    assert [log.file for log in found.steps] == ["binlog.000001", "binlog.000002"]


def test_a_timeline_whose_last_full_is_gone_goes_as_a_whole():
    world = World({SOURCES[0]: [1, 2]}, {1: 0.0, 2: 0.0}, set())
    world.store(SOURCES[0], 1, 0, 2)
    old = History([full("a", gtids([1]))], world.segments)
    new = History([full("b", gtids([1]), at=1.0 * DAY), full("c", gtids([1, 2]), at=2.0 * DAY)], [])
    gone = doomed({1: old, 2: new}, 2, 0, EVERY, 3.0 * DAY)
    assert gone.fulls == [(1, "a")] and len(gone.segments) == 1
    # A new timeline without a full takes nothing from the one before it, and its own logs stay.
    gone = doomed({1: old, 2: History([], world.segments)}, 1, 0, EVERY, 3.0 * DAY)
    assert not gone.fulls and not gone.segments


def test_ages_are_steps_that_are_not_longer_than_twice_the_usual():
    fulls = [full(str(number), "", at=at) for number, at in enumerate((0.0, 100.0, 50.0, 10_000.0))]
    assert ages(fulls, 10_050.0, 100.0) == [350.0, 250.0, 250.0, 50.0]
    assert ages([], 1.0, 1.0) == []


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (Target(AFTER, GtidSet(f"{GROUP}:9")), f"after b lead to {GROUP}:1-5 (1970-01-01T00:00:05Z); 2 transactions are missing: {GROUP}:6-7; the next"),
        (Target(AFTER, GtidSet(f"{GROUP}:99")), "nothing that is stored has"),
        (Target(BEFORE, GtidSet(f"{GROUP}:7")), "2 transactions are missing"),
        (Target(BEFORE, GtidSet("")), "before: an empty GTID set is not allowed"),
        (Target(TIME, time=0.5), f"no full backup is from before the time 1970-01-01T00:00:00Z; the oldest, a, has {GROUP}:1 (1970-01-01T00:00:01Z)"),
        (Target(TIME, time=100.0), "the time 1970-01-01T00:01:40Z cannot be restored: the logs after c lead to"),
    ],
)  # fmt: skip
def test_why_not(target, says):
    world = World({SOURCES[0]: list(range(1, 11))}, {number: float(number) for number in range(1, 11)}, set())
    for begin, end in ((0, 3), (3, 5), (7, 10)):
        world.store(SOURCES[0], begin, begin, end)
    fulls = [full(name, gtids(range(1, end + 1)), at=float(end)) for name, end in (("a", 1), ("b", 2))]
    fulls.append(full("c", gtids(range(1, 11)), at=10.0))
    with pytest.raises(CannotRestore) as told:
        plan(fulls, world.segments, target)
    assert says in str(told.value)
    with pytest.raises(CannotRestore, match="there is no full backup"):
        plan([], world.segments, target)


def test_an_idle_cluster_has_a_point_at_each_time():
    fulls = [full("a", gtids([1]), at=10.0)]
    assert plan(fulls, [], Target(TIME, time=100.0), seen=100.0).steps == []
    assert plan(fulls, [], Target(AFTER, GtidSet(gtids([1])))).steps == []


def test_a_log_that_begins_anew_after_reset_is_another_one():
    logs = assemble(
        [segment(SOURCES[0], 1, "", gtids([1])), segment(SOURCES[0], 1, gtids([1, 2]), gtids([3]), created=7)]
    )
    assert [log.created for log in logs] == [0, 7]
    assert retention.doomed({1: History([full("a", gtids([1, 2]))], [])}, 1, 0, EVERY, 0.0) == (
        [],
        [],
        {"a": "one of the newest 1"},
    )
