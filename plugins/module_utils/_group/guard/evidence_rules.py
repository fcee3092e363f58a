# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard's rules of mysql_gr_guard_evidence: when the group may be started without a declared member. No I/O here.

Private to this collection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.evidence import covers
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Details, Table, when
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.said import (
    CRASHED,
    MAJORITY,
    SMALLEST,
    may_start_without,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import Situation, names

if TYPE_CHECKING:
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.rules import GuardSituation

WAIT = 60  # seconds for which a member must not have answered: it may boot a little later, and has what it has
ABSENT = 1  # members that may be absent: with two, the others may have been expelled one after the other, in views that no guard saw


def obstacle(s: GuardSituation) -> str:
    """Why the group may not be started without the members that do not answer; '' where it may."""
    if len(s.unasked) > ABSENT:
        return f"it allows for {ABSENT} that does not answer"
    if len(s.members) < SMALLEST:
        return f"of {len(s.members)} members one is no majority"
    for address in s.asked:
        said = s.said[address]
        if said is None:
            return f"the guard of {address} says nothing"
        if said.evidence != MAJORITY:
            return f"mysql_gr_guard_evidence of {address} is {said.evidence}"
        if set(said.members) != set(s.members):
            return f"other members are declared to {address}: {names(said.members)}"
        if said.state != CRASHED:
            return f"the guard of {address} did not see it crash as a member: it may have left a group that went on"
        strangers = [one for one in said.view if one not in s.members]
        if strangers:
            return f"{address} was in a group with {names(strangers)}, which is not declared"
        answering = [one for one in said.view if one in s.asked]
        if 2 * len(answering) <= len(said.view):
            return f"of the last view of {address} ({names(said.view)}), a majority does not answer"
    waited = [address for address in s.unasked if address not in s.host.missed]
    return f"it is waited for {WAIT} s in case that {names(waited)} boots later" if waited else ""


def unpromised(s: Situation) -> list[str]:
    """The members whose promise, to let nobody but this server start the group, is needed and not there."""
    if len(s.members) < SMALLEST or not s.guards_by_majority:
        return []
    mine = s.said[s.me]
    if mine is None or mine.promise[0] != s.me:
        return [s.me]
    if not covers(GtidSet(mine.starts.get(mine.promise[1], "")), s.counted, s.me):
        return [s.me]
    others = [address for address in s.asked if address != s.me]
    if s.unasked:
        return [a for a in others if (one := s.said[a]) is None or one.promise != mine.promise]
    # A start without this server needs all the others: one that is bound is enough.
    bound = [a for a in others if (one := s.said[a]) and (one.promise == mine.promise or one.state != CRASHED)]
    return [] if bound else others


EVIDENCE_RULES = Table()


@EVIDENCE_RULES.rule(
    "refuse",
    "{members} could not be asked ({errors}), and mysql_gr_guard_evidence=majority does not allow for that now: {why}",
    guards="majority",
    settle=True,
)
def no_majority(s: GuardSituation) -> Details:
    """nobody is in a group, a declared member could not be asked, and the evidence of the others does not allow for that (evidence majority)"""
    if s.host.evidence != MAJORITY or not s.unasked or s.given_up:
        return None
    errors = "; ".join(s.facts[address].error or address for address in s.unasked)
    return {"members": names(s.unasked), "errors": errors, "why": obstacle(s)}


@EVIDENCE_RULES.rule(
    "wait", "the promise of {members} that nobody else starts the group is waited for", guards="promise"
)
def unpromised_yet(s: GuardSituation) -> Details:
    """nobody is in a group, this member would start it, and a guard that could let another one do so has not promised otherwise (evidence majority)"""
    missing = unpromised(s)
    return when(missing, members=names(missing))


@EVIDENCE_RULES.rule(
    "wait", "{members} has just started the group without a member, and notes that in its history first", guards="mark"
)
def unmarked(s: Situation) -> Details:
    """a group is alive, was started without a member (evidence majority), and that does not stand in its history yet"""
    inside = s.home.addresses if s.home else []
    found = [address for address in inside if (said := s.said[address]) and said.mark]
    return when(found, members=names(found))


# -- for modules -------------------------------------------------------------------------------------------------------
@EVIDENCE_RULES.rule(
    "refuse",
    "mysql_gr_guard_evidence is majority, and nothing keeps the guards of {members} from starting a second group while this server is cut off: leave "
    "the start to the guards (mysql-gr-guard status says what they wait for), or set it to all on every member first",
    guards="guards",
)
def guards_start(s: Situation) -> Details:
    """nobody is in a group, this member would bootstrap, and guards with mysql_gr_guard_evidence=majority could start the group without it"""
    others = [address for address in s.members if address != s.me]
    free = all(may_start_without(s.me, s.said.get(address)) for address in others)
    return when(s.guards_by_majority and free and len(s.members) >= SMALLEST, members=names(others))
