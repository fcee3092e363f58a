# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a guard says to the others, and what it means that a group was started without a member. No I/O here.

A guard says it in a user variable of its session on its own server: the others read it there with the account with which they ask for facts, and it
ends with the guard. docs/reference/majority.md has the proof that is built on it.

Private to this collection.
"""

from __future__ import annotations

import json
import uuid
from typing import Any, Mapping, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidError, GtidSet

ALL, MAJORITY = "all", "majority"
EVIDENCE = (ALL, MAJORITY)
VARIABLE = "mysql_gr_guard"
# How a server's last membership in a group ended, as far as its guard saw it. Only CRASHED is evidence.
IN, CRASHED, LEFT = "in", "crashed", "left"
# A start without a member puts a transaction of such a UUID into the group's history: whoever lacks it was not there.
MARK = "9d0f0a7e-4d2b-"
SMALLEST = 3  # members, of which one may be absent


class Said(NamedTuple):
    """What a guard says."""

    evidence: str = ALL
    members: tuple[str, ...] = ()  # that are declared to it
    state: str = ""  # of its server's last membership; '' where it saw none
    view: tuple[str, ...] = ()  # the last one that it saw its server in
    promise: tuple[str, str] = ("", "")  # the only member that it lets start the group, and that one's claim
    starts: dict[str, str] = {}  # claim: what the group had when it was started by it
    mark: str = ""  # the claim by which its server started the group without a member, until that stands in the history


def dump(said: Said) -> str:
    """As text."""
    return json.dumps(said._asdict(), sort_keys=True)


def parse(text: Any) -> Said | None:
    """What such a text says; None where it is none, which is no evidence."""
    try:
        found = json.loads(text)
        seed, claim = found["promise"]
        starts = {str(name): str(GtidSet(had)) for name, had in found["starts"].items()}
        members, view = (tuple(str(one) for one in found[name]) for name in ("members", "view"))
        return Said(
            str(found["evidence"]),
            members,
            str(found["state"]),
            view,
            (str(seed), str(claim)),
            starts,
            str(found["mark"]),
        )
    except (TypeError, ValueError, KeyError, AttributeError, GtidError):
        return None


def new_claim() -> str:
    """A claim that no other one is like; no clock has a part in it."""
    return MARK + str(uuid.uuid4())[len(MARK) :]


def marks(transactions: GtidSet) -> set[str]:
    """Starts without a member that are in this history."""
    return {one for one in transactions.uuids() if one.startswith(MARK)}


def left_behind(
    has: Mapping[str, GtidSet], said: Mapping[str, Said | None], among: list[str] | None = None
) -> dict[str, GtidSet]:
    """By member: transactions with which it was left behind when the group was started without it. Their numbers may have been given to others since,
    so that GTID sets do not show that they differ. among: whose history counts; all by default."""
    known: dict[str, GtidSet] = {}
    begun: dict[str, set[str]] = {}
    for one in said.values():
        known.update({claim: GtidSet(had) for claim, had in (one.starts if one else {}).items()})
    for address, transactions in has.items():
        begun[address] = marks(transactions)
        own = said.get(address)
        # Started, and ended before the mark was in: what came after it is there.
        if own and own.mark and transactions - known.get(own.mark, GtidSet()):
            begun[address].add(own.mark)
    counted: set[str] = set().union(*[begun[a] for a in (has if among is None else among) if a in begun])
    found = {}
    for address, transactions in has.items():
        # Where nobody knows what the group had then, all of it is suspect.
        rest = [transactions - known.get(claim, GtidSet()) for claim in sorted(counted - begun[address])]
        if any(rest):
            found[address] = GtidSet().union(*rest)
    return found


def may_start_without(address: str, other: Said | None) -> bool:
    """Whether, as far as can be told, that other guard could let the group be started without this member."""
    return other is None or (other.state == CRASHED and other.promise[0] != address)
