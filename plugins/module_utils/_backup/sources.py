# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which member's binary logs are stored, from which file on, and how the bytes of a file are cut. Pure functions, and a book of what was seen.

Private to this collection.
"""

from __future__ import annotations

from typing import Callable, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import Segment
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet

FRESH = 3.0  # seconds, after which a look at a member is too old
LAG = 3.0  # seconds that a source may lack what another member has, or the stream what its source has
BEGIN = 15.0  # seconds until the first byte of a source
AVOIDED = 10.0  # seconds that a source is not taken again

# Small parts of a file are united, so that an open file has few of them.
UNITED = 32
LARGEST_UNITED = 64 << 20


class View(NamedTuple):
    """A member as it was at the last look."""

    member: str
    at: float
    uuid: str
    state: str  # in its group
    writer: bool
    executed: GtidSet
    version: str
    group_name: str
    largest: int  # max_binlog_size


Views = Mapping[str, View]


class Seen:
    """When it was first seen that the members have a set; so one knows for how long something is not stored."""

    MOST = 600

    def __init__(self) -> None:
        self._looks: list[tuple[float, GtidSet]] = []

    def note(self, now: float, gtids: GtidSet) -> None:
        """All that the members have now."""
        if self._looks and self._looks[-1][1].contains(gtids):
            return
        union = gtids.union(self._looks[-1][1]) if self._looks else gtids
        self._looks.append((now, union))
        if len(self._looks) > self.MOST:
            # A long way behind: the oldest and the newest ones say how far.
            del self._looks[self.MOST // 4 : -self.MOST // 4 : 2]

    def without(self, now: float, gtids: GtidSet, of: GtidSet | None = None) -> float:
        """For how many seconds something is there (of another set, if one is given) that is not in this set; 0 where nothing is."""
        for at, seen in self._looks:
            if not gtids.contains(seen if of is None else seen.intersect(of)):
                return now - at
        return 0.0

    def forget(self, gtids: GtidSet) -> None:
        """What is in this set is not asked for any more."""
        keep = next(
            (number for number, (_at, seen) in enumerate(self._looks) if not gtids.contains(seen)), len(self._looks)
        )
        del self._looks[: max(keep - 1, 0)]


def fresh(views: Views, now: float) -> dict[str, View]:
    """Members that answer."""
    return {name: view for name, view in views.items() if now - view.at <= FRESH}


def ranked(views: Views, order: Sequence[str], current: str | None, avoided: Iterable[str]) -> list[str]:
    """Members from which logs can be had, the best one first: the one that is used; secondaries; in order. Members of the group before others."""
    avoided = set(avoided)

    def key(name: str) -> tuple[bool, bool, bool, bool, int]:
        view = views[name]
        return (name in avoided, view.state != "ONLINE", name != current, view.writer, order.index(name))

    return sorted(views, key=key)


def trouble(
    view: View | None, seen: Seen, received: GtidSet, came: int, idle: float, now: float, online: bool, others: bool
) -> str:
    """Why another source is needed; '' where none is.

    came: bytes that came; idle: seconds since the last of them; online: whether any member is ONLINE; others: whether there is another one that answers.
    """
    if view is None:
        return "does not answer"
    if online and view.state != "ONLINE":
        return f"is {view.state or 'in no group'}"
    lacks = seen.without(now, view.executed)
    if others and lacks > LAG:
        return f"lacks for {lacks:.0f} s what another member has"
    # One that sends what it had long ago is no trouble; nor is one that has only begun.
    if idle > (LAG if came else BEGIN) and seen.without(now, received, view.executed) > LAG:
        return "does not send what it has"
    return ""


class Start(NamedTuple):
    """The file of a member with which to begin, what is lacking even then, and what the member had before all of its files."""

    file: str
    missing: GtidSet
    purged: GtidSet = GtidSet("")


def start_of(files: Sequence[str], previous: Callable[[str], GtidSet], have: GtidSet) -> Start | None:
    """The newest file before which the member had nothing that is not stored; else its oldest one. None where it has no file."""
    for file in reversed(files):
        if have.contains(previous(file)):
            return Start(file, GtidSet(""))
    return Start(files[0], previous(files[0]).subtract(have)) if files else None


class Cut(NamedTuple):
    """The next part of a file that is stored, and the parts that it replaces."""

    start: int
    end: int
    replaced: list[Segment]


def next_cut(parts: Sequence[Segment], end: int) -> Cut | None:
    """The next part, up to the end of the last whole transaction. parts: what is stored of the file, in order."""
    at = parts[-1].end if parts else 0
    if end <= at:
        return None
    # The last parts that are all about as small: united they are one.
    small: list[Segment] = []
    for part in reversed(parts):
        if part.size > LARGEST_UNITED // UNITED or end - part.start > LARGEST_UNITED:
            break
        if small and part.end - part.start > 4 * max(one.end - one.start for one in small):
            break
        small.append(part)
    if len(small) >= UNITED:
        return Cut(small[-1].start, end, list(reversed(small)))
    return Cut(at, end, [])
