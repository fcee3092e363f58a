# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""bench/anomalies/judge.py: a history with an anomaly has it, the same history without it has none."""

from __future__ import annotations

import pytest


def event(kind, start, end, client=0, error=None, **about):
    return dict(about, kind=kind, client=client, start=start, end=end, error=error)


def write(value, start, end, client=0, key=0, error=None):
    return event("write", start, end, client, error, key=key, value=value, route="writer")


def read(value, start, client=0, key=0, route="reader", error=None):
    return event("read", start, start + 0.1, client, error, key=key, value=value, route=route)


def increment(value, key=0, error=None):
    return event("increment", 1, 2, error=error, key=key, value=value)


def withdrawal(side, seen, value, key=1, error=None):
    return event("withdrawal", 1, 2, client=side, error=error, key=key, side=side, seen=seen, value=value)


@pytest.mark.parametrize(
    ("history", "violations"),
    [
        ([write(1, 0, 1), read(1, 1)], 0),
        ([write(1, 0, 1), read(0, 1)], 1),
        ([write(1, 0, 1), read(None, 1)], 1),
        # A newer value is none, and neither is a read that began before the acknowledgement.
        ([write(1, 0, 1), read(2, 1)], 0),
        ([write(1, 0, 1), read(0, 0.9)], 0),
        # What failed was perhaps never written; what another client wrote, or another register, is not this client's.
        ([write(1, 0, 1, error="lost connection"), read(0, 1)], 0),
        ([write(1, 0, 1, client=1), read(0, 1)], 0),
        ([write(1, 0, 1, key=1), read(0, 1)], 0),
        # Of the two writes the older one is no help.
        ([write(1, 0, 1), write(2, 1, 2), read(1, 2), read(1, 3)], 2),
        ([write(1, 0, 1), read(0, 1, error="gone")], 0),
        ([write(1, 0, 1), read(0, 1, route="writer")], 0),
    ],
)
def test_read_your_writes(judge, history, violations):
    assert len(judge.read_your_writes(history, "reader")) == violations


@pytest.mark.parametrize(
    ("values", "violations"),
    [((1, 1, 2), 0), ((2, 1, 2), 1), ((2, 1, 1), 2), ((1, None), 1), ((None, 0), 0)],
)
def test_monotonic_reads(judge, values, violations):
    history = [read(value, at) for at, value in enumerate(values)]
    assert len(judge.monotonic_reads(history[::-1], "reader")) == violations
    assert judge.monotonic_reads(history, "writer") == []


@pytest.mark.parametrize(("error", "count"), [(None, 1), ("lost connection", 0)])
def test_a_write_that_failed_may_come_late(judge, error, count):
    """It was sent to a member that answered nothing: it may be executed when that goes on, over newer values."""
    history = [write(1, 0, 1, error=error), write(2, 1, 2), read(2, 3), read(1, 4)]
    assert len(judge.read_your_writes(history, "reader")) == count
    assert len(judge.monotonic_reads(history, "reader")) == count
    assert judge.staleness(history, "reader") == (2 if count else 0)


def found(value, writer, key=0):
    return dict(read(value, 1, key=key), writer=writer)


def addition(key=0, error=None):
    return event("addition", 1, 2, client=key, error=error, key=key)


@pytest.mark.parametrize(
    ("history", "sums", "count"),
    [
        # One value of a register is written by one member, once.
        ([found(1, "a"), found(1, "a"), found(2, "b")], {}, 0),
        ([found(1, "a"), found(1, "b"), found(1, "a")], {}, 1),
        ([found(1, "a"), found(1, "b", key=1), read(1, 1)], {}, 0),
        # What failed may have happened, but once.
        ([addition(), addition(error="lost connection")], {0: 2}, 0),
        ([addition(), addition(error="lost connection")], {0: 1}, 0),
        ([addition(), addition(error="lost connection")], {0: 3}, 1),
        ([addition(), addition(key=1)], {0: 2, 1: 0}, 1),
    ],
)
def test_executed_twice(judge, history, sums, count):
    assert judge.executed_twice(history, sums) == count


def test_monotonic_reads_are_each_clients_and_each_registers(judge):
    assert judge.monotonic_reads([read(2, 0, client=0), read(1, 1, client=1)], "reader") == []
    assert judge.monotonic_reads([read(2, 0, key=0), read(1, 1, key=1)], "reader") == []


def test_staleness_is_counted_from_the_acknowledgement_that_was_missed(judge):
    history = [write(1, 0, 1), write(2, 1, 2), read(1, 2.5, client=3), read(2, 9, client=3)]
    assert judge.staleness(history, "reader") == pytest.approx(0.5)
    assert judge.staleness([write(1, 0, 1), read(1, 5, client=3)], "reader") == 0
    # Before the acknowledgement nobody can expect it.
    assert judge.staleness([write(1, 0, 1), read(0, 0.5, client=3)], "reader") == 0


@pytest.mark.parametrize(
    ("history", "lost"),
    [
        ([increment(1), increment(2)], 0),
        ([increment(1), increment(1)], 1),
        ([increment(1), increment(1), increment(1), increment(2)], 2),
        ([increment(1), increment(1, key=1)], 0),
        ([increment(1), increment(1, error="1180")], 0),
    ],
)
def test_lost_updates(judge, history, lost):
    assert judge.lost_updates(history) == lost


@pytest.mark.parametrize(
    ("history", "pairs"),
    [
        ([withdrawal(0, [1, 1], 0), withdrawal(1, [0, 1], None)], []),
        ([withdrawal(0, [1, 1], 0), withdrawal(1, [1, 1], 0)], [1]),
        ([withdrawal(0, [1, 1], 0), withdrawal(1, [1, 1], 0, error="3101")], []),
        ([withdrawal(0, [1, 1], 0), withdrawal(1, [1, 1], 0, key=2)], []),
        # A pair that was not there yet is unread, not broken.
        ([withdrawal(0, [1, 1], 0), withdrawal(1, [], None)], []),
    ],
)
def test_write_skew(judge, history, pairs):
    assert judge.write_skew(history) == pairs


def test_lost_writes_are_acknowledged_and_not_there_at_the_end(judge):
    history = [write(1, 0, 1), write(2, 1, 2), write(3, 2, 3, error="lost connection"), increment(7)]
    assert judge.lost_writes(history, {0: 2}, {0: 7}) == 0
    assert judge.lost_writes(history, {0: 3}, {0: 9}) == 0
    assert judge.lost_writes(history, {0: 1}, {0: 7}) == 1
    assert judge.lost_writes(history, {}, {0: 6}) == 2


def test_percentiles(judge):
    assert judge.percentile(range(1, 101), 0.99) == 99
    assert judge.percentile([3, 1, 2], 0.5) == 2
    assert judge.percentile([5], 0.99) == 5
    assert judge.percentile([], 0.5) is None
