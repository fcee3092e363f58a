# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be deleted. A pure function of the records of all timelines.

Kept are the newest fulls by number, all fulls that are young enough, and the newest one that is not, for the points between it and the next; and of each
of these what it needs to reach every later point. How old a full is does not depend on one look at a clock: the steps between fulls are added up, and none of
them counts for more than twice what is usual. A clock that jumps makes fulls younger, and deletes none.

Private to this collection.
"""

from __future__ import annotations

from typing import AbstractSet, FrozenSet, Iterable, List, Mapping, NamedTuple, Tuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.coverage import Key, order, when
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import Full, Segment
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet

DAY = 86400


Fulls = List[Full]
Segments = List[Segment]
Names = FrozenSet[str]


class History(NamedTuple):
    """The records of one timeline."""

    fulls: Fulls
    segments: Segments
    damaged: Names = frozenset()  # ids of fulls that cannot be restored


Histories = Mapping[int, History]
Ids = List[Tuple[int, str]]


class Doomed(NamedTuple):
    """What is deleted, by timeline, and why the rest is kept."""

    fulls: Ids
    segments: Ids  # their paths
    why: dict[str, str]  # of each full


def ages(fulls: Iterable[Full], now: float, every: float) -> list[float]:
    """How old each full is at least, in seconds; from the oldest to the newest, in whose order they are given."""
    steps = list(fulls)
    times = [full.at for full in steps] + [now]
    # Backwards is no step, and a leap is a usual one.
    counted = [min(max(after - before, 0.0), 2 * every) for before, after in zip(times, times[1:])]
    return [sum(counted[number:]) for number in range(len(steps))]


def kept_fulls(histories: Histories, count: int, days: int, every: float, now: float) -> dict[tuple[int, str], str]:
    """Each full that is kept, and why."""
    ordered = [(number, full) for number in sorted(histories) for full in order(histories[number].fulls)]
    old = ages([full for _number, full in ordered], now, every)
    good = [full.id not in histories[number].damaged for number, full in ordered]
    why: dict[tuple[int, str], str] = {}
    number_of_good = 0
    bridge = False  # the one that leads to the oldest point of the days is found
    for (number, full), age, whole in reversed(list(zip(ordered, old, good))):
        number_of_good += whole
        if whole and number_of_good <= count:
            why[number, full.id] = f"one of the newest {count}"
        elif age <= days * DAY:
            why[number, full.id] = f"not older than {days} days"
        elif full.at > now + every:
            why[number, full.id] = f"its time, {when(full.at)}, has not come yet"
        elif whole and days and not bridge:
            why[number, full.id] = f"leads to the points of the last {days} days"
        bridge = bridge or (whole and age > days * DAY)
    return why


def _needed_from(history: History, kept: Iterable[Full]) -> GtidSet | None:
    """What every kept full has: no log of that alone is needed. None where no full is kept."""
    common: GtidSet | None = None
    for full in kept:
        gtids = GtidSet(full.gtids)
        common = gtids if common is None else common.intersect(gtids)
    return common


def doomed(
    histories: Histories, count: int, days: int, every: float, now: float, streaming: AbstractSet[Key] = frozenset()
) -> Doomed:
    """What is deleted. streaming: files that a host is storing right now, source, name and time of creation."""
    why = kept_fulls(histories, max(count, 1), days, every, now)
    fulls: Ids = []
    segments: Ids = []
    newest = max((number for number in histories if histories[number].fulls), default=None)
    for number, history in sorted(histories.items()):
        if not any(full.id not in history.damaged for full in history.fulls) and number >= (newest or 0):
            # Nothing of it can be restored: a full may be on its way, and then its logs are needed.
            continue
        fulls += [(number, full.id) for full in order(history.fulls) if (number, full.id) not in why]
        common = _needed_from(history, [full for full in history.fulls if (number, full.id) in why])
        by_file: dict[Key, Segments] = {}
        for one in history.segments:
            by_file.setdefault((one.source, one.file, one.created), []).append(one)
        for key, parts in sorted(by_file.items()):
            # As a whole: the first part of a file may have no transaction, and the others are nothing without it.
            inside = common is None or common.contains(GtidSet("").union(*(one.gtids for one in parts)))
            if inside and key not in streaming:
                segments += [(number, one.path) for one in sorted(parts, key=lambda one: one.path)]
    return Doomed(fulls, segments, {full: reason for (_number, full), reason in why.items()})
