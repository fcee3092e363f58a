# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be restored: which full, then which binary logs in which order. Pure functions of the records of one timeline.

A log may be applied once everything is there that its server had before it: then its own order is one in which it can be done, whoever's log
was applied before, and transactions that are there already are skipped. So logs of several members may overlap as they like, and a gap is where no log
can be the next one.

Private to this collection.
"""

from __future__ import annotations

import time as clock
from typing import Iterable, List, NamedTuple, Sequence, Tuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import Full, MaybeTime, Segment
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

LATEST, AFTER, BEFORE, TIME = "latest", "after", "before", "time"

Key = Tuple[str, str, int]
Segments = Tuple[Segment, ...]


class CannotRestore(Refusal):
    """The point cannot be restored; str() says why, and what can be."""


class Target(NamedTuple):
    """A point: the latest one, once a set is there, just before a transaction, or a time (seconds since the epoch)."""

    kind: str = LATEST
    gtids: GtidSet = GtidSet("")
    time: float = 0.0


class Log(NamedTuple):
    """A binary log file as far as it is stored: the bytes of its parts, one after the other, are its first bytes."""

    source: str
    file: str
    created: int
    complete: bool
    previous: GtidSet
    gtids: GtidSet
    first: MaybeTime
    last: MaybeTime
    parts: Segments

    @property
    def key(self) -> Key:
        return (self.source, self.file, self.created)

    @property
    def end(self) -> int:
        """Bytes of the file that are there."""
        return self.parts[-1].end

    @property
    def size(self) -> int:
        """Bytes as stored."""
        return sum(part.size for part in self.parts)


Logs = List[Log]


class Reach(NamedTuple):
    """How far one comes from a full: the logs in their order, what is there in the end, and what the next log would need."""

    steps: Logs
    reached: GtidSet
    missing: GtidSet

    @property
    def last(self) -> float | None:
        """When the latest transaction was committed."""
        return max((log.last for log in self.steps if log.last is not None), default=None)


class Plan(NamedTuple):
    """How a point is restored."""

    full: Full
    steps: Logs
    reached: GtidSet  # at the end of the steps, if all of them were applied
    target: Target


class Gap(NamedTuple):
    """Transactions that are in no log that could be applied after this full."""

    after: str
    missing: GtidSet


def _longest(parts: Sequence[Segment]) -> Segments:
    """Parts that follow on each other from the file's first byte, as far as they go. Two hosts may have cut the same file at different bytes."""
    came: dict[int, Segment | None] = {0: None}
    for part in sorted(parts, key=lambda one: (one.start, -one.end)):
        if part.start in came and part.end > part.start and part.end not in came:
            came[part.end] = part
    chain: list[Segment] = []
    last = came[max(came)]
    while last is not None:
        chain.append(last)
        last = came[last.start]
    return tuple(reversed(chain))


def assemble(segments: Iterable[Segment]) -> Logs:
    """The files that these segments are of."""
    grouped: dict[Key, list[Segment]] = {}
    for one in segments:
        grouped.setdefault((one.source, one.file, one.created), []).append(one)
    logs = []
    for key in sorted(grouped):
        whole = [one for one in grouped[key] if one.complete and one.start == 0]
        parts = (min(whole, key=lambda one: (one.at, one.path)),) if whole else _longest(grouped[key])
        if not parts:
            continue
        firsts = [one.first for one in parts if one.first is not None]
        lasts = [one.last for one in parts if one.last is not None]
        gtids = GtidSet("").union(*(one.gtids for one in parts))
        previous = GtidSet(parts[0].previous)
        logs.append(
            Log(*key, bool(whole), previous, gtids, min(firsts, default=None), max(lasts, default=None), tuple(parts))
        )
    return logs


def reach(have: GtidSet, logs: Iterable[Log]) -> Reach:
    """How far the logs bring a server that has this set. Of those that can be next it is always the one that brings most."""
    waiting = [(log.previous.count(), log) for log in logs]
    steps, applied = [], have
    while True:
        count = applied.count()
        waiting = [(needs, log) for needs, log in waiting if not applied.contains(log.gtids)]
        usable = [log for needs, log in waiting if needs <= count and applied.contains(log.previous)]
        if not usable:
            break
        best = max(usable, key=lambda log: (log.gtids.subtract(applied).count(), -log.size, log.key))
        steps.append(best)
        applied = applied.union(best.gtids)
    lacking = [log.previous.subtract(applied) for _needs, log in waiting]
    return Reach(steps, applied, min(lacking, key=lambda gtids: gtids.count(), default=GtidSet("")))


def order(fulls: Iterable[Full]) -> list[Full]:
    """Fulls from the oldest to the newest: by what is in them, for clocks jump."""
    return sorted(fulls, key=lambda full: (GtidSet(full.gtids).count(), full.id))


def gaps(fulls: Iterable[Full], segments: Iterable[Segment]) -> list[Gap]:
    """Where the way from a full to the next one, or to the newest log, is interrupted."""
    logs, found = assemble(segments), []
    ordered = order(fulls)
    for number, full in enumerate(ordered):
        way = reach(GtidSet(full.gtids), logs)
        later = ordered[number + 1 : number + 2]
        missing = GtidSet(later[0].gtids).subtract(way.reached) if later else way.missing
        if missing:
            found.append(Gap(full.id, missing))
    return found


def when(seconds: float | None) -> str:
    """A time as people read it, in UTC."""
    return "" if seconds is None else clock.strftime("%Y-%m-%dT%H:%M:%SZ", clock.gmtime(seconds))


def _short(gtids: GtidSet) -> str:
    text = str(gtids)
    return text if len(text) <= 200 else text[:197] + "..."


def describe(target: Target) -> str:
    """The point, in a sentence."""
    if target.kind == TIME:
        return f"the time {when(target.time)}"
    if target.kind == LATEST:
        return "the latest point"
    return f"the point {'after' if target.kind == AFTER else 'before'} {_short(target.gtids)}"


def _suits(full: Full, target: Target) -> bool:
    """Whether nothing is in a full that must not be at the point."""
    gtids = GtidSet(full.gtids)
    if target.kind == AFTER:
        # One that has all of it may have more, unless it has nothing else.
        return gtids == target.gtids or not gtids.contains(target.gtids)
    if target.kind == BEFORE:
        return not gtids.intersect(target.gtids)
    return target.kind == LATEST or full.at <= target.time


def _cut(way: Reach, have: GtidSet, target: Target, seen: float) -> tuple[Logs, GtidSet] | None:
    """The steps up to the point; None where they do not come that far."""
    steps: Logs = []
    applied = have
    if target.kind == AFTER and applied.contains(target.gtids):
        return steps, applied
    for log in way.steps:
        steps.append(log)
        new = not log.gtids.intersect(applied)
        applied = applied.union(log.gtids)
        if target.kind == AFTER and applied.contains(target.gtids):
            return steps, applied
        if target.kind == BEFORE and applied.intersect(target.gtids):
            return steps, applied
        # The first transaction of a log is later, and was not applied before: the end is there, or was in a log before.
        if target.kind == TIME and new and log.first is not None and log.first > target.time:
            return steps, applied
    if target.kind == TIME:
        return (steps, applied) if max(seen, way.last or 0.0) >= target.time else None
    return (steps, applied) if target.kind == LATEST else None


def plan(fulls: Iterable[Full], segments: Iterable[Segment], target: Target, seen: float = 0.0) -> Plan:
    """How the point is restored: from the newest full that leads there, for there is least to apply.

    seen: until when it is known that no transaction is missing, where the cluster is idle.
    """
    ordered = order(fulls)
    if not ordered:
        raise CannotRestore("there is no full backup to begin with")
    if target.kind in (AFTER, BEFORE) and not target.gtids:
        raise CannotRestore(f"{target.kind}: an empty GTID set is not allowed (allowed: uuid:number)")
    logs = assemble(segments)
    suiting = [full for full in ordered if _suits(full, target)]
    if not suiting:
        raise CannotRestore(
            f"no full backup is from before {describe(target)}; the oldest, {ordered[0].id}, has {_short(GtidSet(ordered[0].gtids))} ({when(ordered[0].at)})"
        )
    ways = [(full, reach(GtidSet(full.gtids), logs)) for full in suiting]
    if target.kind == LATEST:
        # A later full reaches at least what an earlier one does, unless one of them is of another history.
        ways.sort(key=lambda pair: pair[1].reached.count())
    for full, way in reversed(ways):
        found = _cut(way, GtidSet(full.gtids), target, seen)
        if found:
            return Plan(full, *found, target)
    raise CannotRestore(_why_not(ways[-1][0], ways[-1][1], target, ordered, logs))


def _why_not(full: Full, way: Reach, target: Target, ordered: Sequence[Full], logs: Logs) -> str:
    """Why the point is not reached, and what is."""
    until = f"{_short(way.reached)}{f' ({when(way.last)})' if way.last is not None else ''}"
    said = f"{describe(target)} cannot be restored: the logs after {full.id} lead to {until}"
    if way.missing:
        said += f"; {way.missing.count()} transactions are missing: {_short(way.missing)}"
    everything = GtidSet("").union(*(log.gtids for log in logs), *(one.gtids for one in ordered))
    if target.kind in (AFTER, BEFORE) and not everything.contains(target.gtids):
        said += f"; nothing that is stored has {_short(target.gtids.subtract(everything))}"
    later = [one for one in ordered if not way.reached.contains(one.gtids)]
    return said + (f"; the next point is {later[0].id} ({when(later[0].at)})" if later else "")
