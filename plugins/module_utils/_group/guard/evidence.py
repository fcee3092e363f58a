# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guard keeps as evidence of its server's membership, and how it changes. No I/O here, and no clock.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.said import (
    CRASHED,
    EVIDENCE,
    IN,
    LEFT,
    Said,
    new_claim,
)

NOBODY = ("", "")
KEPT_STARTS = 8


class Kept(NamedTuple):
    """What a guard keeps over boots."""

    state: str = ""
    process: str = ""  # the server's that was in the group; '' where that could not be told
    log: str = ""  # its binary log then
    view: tuple[str, ...] = ()
    promise: tuple[str, str] = NOBODY
    starts: dict[str, str] = {}
    mark: str = ""  # a claim by which this server has started the group without a member, and whose mark is not in yet
    watched: bool = True  # until now, without a gap

    def says(self, evidence: str, members: tuple[str, ...]) -> Said:
        """What it says of that to the others."""
        return Said(
            evidence if evidence in EVIDENCE else "",
            members,
            self.state,
            self.view,
            self.promise,
            self.starts,
            self.mark,
        )


def load(found: Mapping[str, Any]) -> Kept:
    """As it was written; nothing where that cannot be read."""
    try:
        given = {name: type(getattr(Kept(), name))(found[name]) for name in Kept._fields}
        return Kept(**given) if len(given["promise"]) == 2 else Kept()
    except (KeyError, TypeError, ValueError):
        return Kept()


def inside(kept: Kept, view: tuple[str, ...], process: str, log: str) -> Kept:
    """The server is in a group. A promise has served its purpose, but for a start whose mark is not in yet."""
    promise = kept.promise if kept.mark else NOBODY
    return kept._replace(state=IN, view=view, process=process, log=log, promise=promise, watched=True)


def outside(kept: Kept, process: str, clean: bool | None) -> Kept:
    """The server is in no group, or does not run (process: ''). clean: whether its last process ended as one that is told to, which makes a server
    leave its group first; None where that cannot be told."""
    if kept.state == IN:
        crashed = bool(kept.process) and process != kept.process and kept.watched and clean is False
        return kept._replace(state=CRASHED if crashed else LEFT, watched=True)
    if not kept.watched:
        # Meanwhile it may have been in a group.
        return kept._replace(state=LEFT if kept.state else "", watched=True)
    return kept


def marked(kept: Kept) -> Kept:
    """The mark is in the group's history."""
    return kept._replace(mark="", promise=NOBODY if kept.state == IN else kept.promise)


def released(kept: Kept, me: str, said: Mapping[str, Said | None]) -> bool:
    """Whether this guard's promise binds it no more: it was to itself, and its server is out; or who had it has itself promised otherwise since. Silence
    releases nobody."""
    seed = kept.promise[0]
    if seed in ("", me):
        return True
    theirs = said.get(seed)
    return theirs is not None and theirs.promise not in (NOBODY, kept.promise)


def promised(kept: Kept, me: str, seed: str, said: Mapping[str, Said | None], has: Mapping[str, GtidSet]) -> Kept:
    """After a look by which that member is to start the group: the promise to it. Only of a server that is in no group and starts none. has: the
    transactions of all who answer and were not left behind."""
    if kept.state == IN or not seed or not released(kept, me, said):
        return kept
    # A start of this server's of which no look saw the group: its claim stays, or who was left out would not be found.
    begun = bool(kept.mark and has[me] - kept.starts.get(kept.mark, ""))
    if seed == me:
        had = GtidSet(kept.starts.get(kept.promise[1], ""))
        if kept.promise[0] == me and (begun or covers(had, has, me)):
            return kept
        return _claimed(kept, me, has)
    theirs = said.get(seed)
    if theirs is None or begun:
        return kept
    if theirs.promise[0] == me and kept.promise in (theirs.promise, NOBODY):
        # It is bound to this server, which is not to start the group any more: another claim sets it free.
        return _claimed(kept, me, has)
    if theirs.promise[0] != seed or theirs.promise == kept.promise:
        return kept
    return _bound(kept, theirs.promise, theirs.starts.get(theirs.promise[1], ""))


def covers(had: GtidSet, has: Mapping[str, GtidSet], me: str) -> bool:
    """Whether a claim of this server's names everything that the others have."""
    return all(had.contains(transactions) for address, transactions in has.items() if address != me)


def _claimed(kept: Kept, me: str, has: Mapping[str, GtidSet]) -> Kept:
    """A new claim of this server's own, which names everything that is there."""
    return _bound(kept, (me, new_claim()), str(GtidSet().union(*has.values())))


def _bound(kept: Kept, promise: tuple[str, str], had: str) -> Kept:
    starts = {**kept.starts, promise[1]: had}
    return kept._replace(promise=promise, starts=dict(list(starts.items())[-KEPT_STARTS:]), mark="")
