# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which anomalies a recorded history contains. Pure functions; an anomaly is counted only where the history proves it.

A history is a list of events, each a dictionary: client, kind, start, end (seconds on one clock), error (a text, or None
for what was acknowledged), and by kind:

- write       key, value: a register was set; each register has one writer, and its values grow
- read        key, value, route: a register was read, through this hostgroup; value None: no row. Where it is known: writer, the
              member that wrote this value; member, the one that answered
- increment   key, value: a counter was read with FOR UPDATE and set to one more, this value, in one transaction
- withdrawal  key, side, seen, value: both rows of a pair were read with FOR UPDATE, in one transaction; where both held
              1 ("seen"), this side's was set to 0 (value; None where nothing was set). One of the two must stay 1.
- addition    key: one was added to a sum that only this client changes, by a statement without a transaction

What failed may have happened or not, at any time after it began: it proves nothing, and is never counted as an anomaly. So a read
that finds the value of a write that failed is none, either: the write may have come late.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict


def acknowledged(events, kind):
    return [event for event in events if event["kind"] == kind and event["error"] is None]


def reads(events, route):
    """In the order in which each client made them."""
    return sorted(
        (event for event in acknowledged(events, "read") if event["route"] == route), key=lambda event: event["start"]
    )


def came_late(events):
    """The registers and values of writes that failed."""
    return {
        (event["key"], event["value"]) for event in events if event["kind"] == "write" and event["error"] is not None
    }


def number(value):
    """A row that is not there is older than any value."""
    return -1 if value is None else value


def read_your_writes(events, route):
    """Reads that returned less than their own client had been acknowledged before."""
    # By client and register: when each write was acknowledged, and the highest value until then.
    ends, highest = defaultdict(list), defaultdict(lambda: [-1])
    for event in sorted(acknowledged(events, "write"), key=lambda one: one["end"]):
        of = event["client"], event["key"]
        ends[of].append(event["end"])
        highest[of].append(max(highest[of][-1], event["value"]))
    late = came_late(events)
    return [
        read
        for read in reads(events, route)
        if (read["key"], read["value"]) not in late
        and highest[read["client"], read["key"]][bisect_right(ends[read["client"], read["key"]], read["start"])]
        > number(read["value"])
    ]


def monotonic_reads(events, route):
    """Reads that returned less than the same client had read before."""
    newest, found, late = {}, [], came_late(events)
    for read in reads(events, route):
        seen = read["client"], read["key"]
        if number(read["value"]) < newest.get(seen, -1) and (read["key"], read["value"]) not in late:
            found.append(read)
        newest[seen] = max(newest.get(seen, -1), number(read["value"]))
    return found


def staleness(events, route):
    """Seconds by which the stalest read was behind: from when what it should have seen was acknowledged until it began."""
    written, late = defaultdict(list), came_late(events)
    for event in acknowledged(events, "write"):
        written[event["key"]].append(event)
    return max(
        (
            read["start"] - one["end"]
            for read in reads(events, route)
            for one in written[read["key"]]
            if (read["key"], read["value"]) not in late
            and one["end"] <= read["start"]
            and one["value"] > number(read["value"])
        ),
        default=0.0,
    )


def lost_updates(events):
    """How many acknowledged increments were overwritten: two that set a counter to the same value."""
    values = Counter((event["key"], event["value"]) for event in acknowledged(events, "increment"))
    return sum(count - 1 for count in values.values())


def write_skew(events):
    """The pairs of which both sides were set to 0, by two transactions that had both seen both at 1."""
    sides = defaultdict(set)
    for event in acknowledged(events, "withdrawal"):
        if event["seen"] == [1, 1] and event["value"] == 0:
            sides[event["key"]].add(event["side"])
    return sorted(key for key, both in sides.items() if len(both) == 2)


def executed_twice(events, sums):
    """How many statements were executed more than once: values of registers that two members wrote, and what sums hold beyond all attempts."""
    writers = defaultdict(set)
    for event in acknowledged(events, "read"):
        if event.get("writer"):
            writers[event["key"], event["value"]].add(event["writer"])
    attempts = Counter(event["key"] for event in events if event["kind"] == "addition")
    return sum(len(found) - 1 for found in writers.values()) + sum(
        max(0, value - attempts[key]) for key, value in sums.items()
    )


def lost_writes(events, registers, counters):
    """How many registers and counters hold less at the end than was acknowledged."""
    highest = {"write": {}, "increment": {}}
    for kind, values in highest.items():
        for event in acknowledged(events, kind):
            values[event["key"]] = max(values.get(event["key"], -1), event["value"])
    ends = {"write": registers, "increment": counters}
    return sum(number(ends[kind].get(key)) < value for kind, values in highest.items() for key, value in values.items())


def percentile(values, share):
    """The value that this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, round(share * len(ordered)) - 1))] if ordered else None


def latencies(events):
    """Seconds of each."""
    return [event["end"] - event["start"] for event in events]
