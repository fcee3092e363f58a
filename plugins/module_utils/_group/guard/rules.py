# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the guard of a member does: the rules of present_rules.py, in their order, and in between the few that are the guard's own. No I/O here.

A refusal is a reason to stand by: the guard says it, and looks again. It never clones, never forces, and never gives up a transaction or a member.

Private to this collection.
"""

from __future__ import annotations

from typing import Iterable, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data_rules import DATA
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.evidence_rules import (
    EVIDENCE_RULES,
    obstacle,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.lasting import BOOT
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.present_rules import PRESENT
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision, Details, Rule, Table, when
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.said import ALL, MAJORITY
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import (
    Facts,
    Situation,
    is_live,
    names,
    transactions,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.troubles import LEAST_FREE

REJOIN, FULL = "rejoin", "full"
MODES = (REJOIN, FULL)

# Starts of the server, each less than SHORT seconds after the one before, that need no care; each further one doubles the time for which it has to stay
# up first. Where no group is alive that would suffer from another crash, all wait for this server, and the first of these times is enough.
SHORT = 60
FREE_STARTS = 3
FIRST_PATIENCE, LONGEST_PATIENCE = 10, 120
# Seconds without a transaction executed while one waits for its turn to commit. Flushing a transaction of a gigabyte takes less.
STALL = 15
STALLED = "for more than {seconds} s this server has executed nothing, while a transaction waits for others before it that are none (a fault of MySQL's); "


class Host(NamedTuple):
    """What the guard knows beside the servers' facts: its settings, and what it sees on its own host."""

    mode: str = FULL
    paused: str = ""  # until when
    busy: bool = False  # a module works on this host
    leaving: bool = False  # the running server is being stopped
    fenced: bool = False  # by group_replication_fence
    free: int | None = None  # bytes on the disk with the data; None where that cannot be seen
    starts: int = 1  # of the server, each soon after the one before
    up: float = 3600.0  # seconds since the last of them
    failures: int = 0  # of START GROUP_REPLICATION, one after the other
    failed_ago: float = 0.0  # seconds since the last of them
    failure: str = ""
    view: tuple[str, ...] = ()  # addresses of the last view of a group that was seen here
    evidence: str = ALL
    missed: tuple[str, ...] = ()  # members that have not answered for WAIT seconds
    stalled: float = 0.0  # seconds in which nothing was executed here while a transaction waited for its turn


def patience(beyond: int) -> float:
    """Seconds to wait, by how often something went wrong more often than it may."""
    return float(min(LONGEST_PATIENCE, FIRST_PATIENCE * 2 ** min(beyond - 1, 10))) if beyond > 0 else 0.0


class GuardSituation(Situation):
    """What the guard's rules look at."""

    def __init__(self, members: Iterable[str], facts: Facts, me: str, group_name: str, host: Host) -> None:
        members = list(members)
        # Whoever was taken out starts no group: its guard stands aside.
        able = [address for address in members if facts[address].persisted.get(BOOT) != "OFF"]
        super().__init__(members, facts, me, able, {"group_name": group_name, "clone": "never"})
        self.host = host
        if host.evidence == MAJORITY and self.unasked and not obstacle(self):
            self.given_up = set(self.unasked)

    @property
    def stuck(self) -> bool:
        """Whether this server is in a group that has lost its majority, as all who are in it with this server see it."""
        part = self.my_partition
        return part is not None and not part.quorum and not part.unsettled and not self.quorate

    @property
    def lost_are_out(self) -> bool:
        """Whether every declared member answers, those outside of this server's partition are in no group and start none, and nobody else is in
        its view."""
        inside = self.my_partition
        if inside is None or self.unasked or len(self.partitions) != 1:
            return False
        outside = [self.facts[address] for address in self.members if address not in inside.addresses]
        known = {self.facts[address].server_uuid for address in self.members}
        return set(inside.view) <= known and not any(is_live(facts) or facts.starting for facts in outside)

    @property
    def can_spare_me(self) -> bool:
        """Whether the others in this server's group, all of whom answer, have a majority without it, one of them ONLINE."""
        part = self.my_partition
        if part is None or part.unsettled or not part.quorum:
            return False
        return len(part.addresses) == len(part.view) > 2 and part.online not in ([], [self.me])

    @property
    def next_seed(self) -> str:
        """The member that would start the group if this server's partition were ended; '' where nobody would."""
        inside = self.my_partition.addresses if self.my_partition else []
        facts = {a: f._replace(state="OFFLINE", role="", view={}) if a in inside else f for a, f in self.facts.items()}
        after = GuardSituation(self.members, facts, self.seed, self.group, Host(view=self.host.view))
        return self.seed if GUARD.decide(after).action == "bootstrap" else ""


GUARD = Table()
GUARD.take(PRESENT, "not_asked")


@GUARD.rule("aside", "paused until {until}", guards="aside")
def paused(s: GuardSituation) -> Details:
    """somebody has paused this guard (mysql-gr-guard pause)"""
    return when(s.host.paused, until=s.host.paused)


@GUARD.rule("aside", "a module of the collection works on this host", guards="aside")
def busy(s: GuardSituation) -> Details:
    """a module of the collection that changes something runs on this host; its lease ends with its process"""
    return when(s.host.busy)


@GUARD.rule("aside", "this server is being stopped", guards="aside")
def leaving(s: GuardSituation) -> Details:
    """this server has left its group because it is being stopped (mysql_gr_leave_on_stop)"""
    return when(s.host.leaving and not is_live(s.mine))


@GUARD.rule(
    "aside", "this member was taken out of the group (state=absent); state=present takes it in again", guards="aside"
)
def taken_out(s: GuardSituation) -> Details:
    """this member was taken out (group_replication_start_on_boot=OFF is persisted) and is in no group"""
    return when(s.mine.persisted.get(BOOT) == "OFF" and not is_live(s.mine))


@GUARD.rule(
    "aside", "this member is fenced, and joining would lift the fence; fence=none takes it away", guards="aside"
)
def fenced(s: GuardSituation) -> Details:
    """this member is fenced and is in no group"""
    return when((s.host.fenced or s.mine.offline_mode) and not is_live(s.mine))


GUARD.take(
    PRESENT, "unsuitable", "wrong_group_name", "cloning", "flag_under_lock", "flag_mine", "flag_leftover", "split_brain"
)


@GUARD.rule(
    "end_partition",
    "{inside} form a group without a majority, and every member that it lost answers and is in no group ({outside}): it is ended, so that {seed}, "
    "which has everybody's transactions, can start the group",
    guards="partition",
    settle=True,
)
def stranded(s: GuardSituation) -> Details:
    """mode full: this server is in a group that has lost its majority, all declared members answer, those that the group lost are in no group, and
    one of them may start the group then"""
    if s.host.mode != FULL or not s.stuck or not s.lost_are_out:
        return None
    inside = s.my_partition.addresses if s.my_partition else []
    outside = [address for address in s.members if address not in inside]
    return when(s.seed and s.next_seed, inside=names(inside), outside=names(outside), seed=s.seed)


@GUARD.rule(
    "end_stalled",
    STALLED + "it is started anew, and the group goes on without it meanwhile",
    guards="stalled",
    settle=True,
)
def stalled(s: GuardSituation) -> Details:
    """this server is in a group, its transactions wait for their turn to commit, none was executed for 15 s, and all others of the group answer"""
    return when(s.host.stalled > STALL and s.can_spare_me, seconds=STALL)


@GUARD.rule(
    "refuse",
    STALLED
    + "without this server the group would have no majority, or a member does not answer: restart it when the others are there",
    guards="stalled",
)
def stalled_alone(s: GuardSituation) -> Details:
    """the same, and the others are no majority of the group, or not all of them answer"""
    return when(s.host.stalled > STALL and is_live(s.mine), seconds=STALL)


GUARD.take(
    PRESENT,
    "cut_off",
    "online",
    "recovering",
    "duplicate",
    "innodb_cluster",
    "replica",
    "foreign_group",
    "no_quorum",
    "only_recovering",
    "starting",
)


@GUARD.rule("aside", "the disk of this server has {free} MB free, and {needed} MB are needed", guards="aside")
def disk_full(s: GuardSituation) -> Details:
    """this server is in no group, and its disk is full"""
    free = s.host.free
    return when(free is not None and free < LEAST_FREE, free=(free or 0) >> 20, needed=LEAST_FREE >> 20)


@GUARD.rule(
    "aside",
    "this server was started {starts} times, each time less than {short} s after the time before: it has to stay up for {needed} s first",
    guards="aside",
)
def restarts(s: GuardSituation) -> Details:
    """this server is in no group, and was restarted again and again; where no group is alive, 10 s are enough"""
    needed = patience(s.host.starts - FREE_STARTS)
    if s.home is None:
        needed = min(needed, FIRST_PATIENCE)
    return when(s.host.up < needed, starts=s.host.starts, short=SHORT, needed=int(needed))


@GUARD.rule(
    "aside",
    "{failures} tries in a row had no success; the next one is {needed} s after the last: {failure}",
    guards="aside",
)
def failed(s: GuardSituation) -> Details:
    """this server is in no group, and its last START GROUP_REPLICATION had no success"""
    needed = patience(s.host.failures)
    return when(s.host.failed_ago < needed, failures=s.host.failures, needed=int(needed), failure=s.host.failure)


GUARD.take(PRESENT, "version", "settings", "errant")
GUARD.take(DATA, "unlogged")


@GUARD.rule(
    "refuse", "this server has not one transaction: a playbook decides how it gets the group's data", guards="blank"
)
def blank(s: GuardSituation) -> Details:
    """this server is in no group and has no transaction"""
    return when(not transactions(s.mine))


GUARD.take(PRESENT, "donor_joins", "purged")


@GUARD.rule("stop", "this server fell out of its group (ERROR): STOP GROUP_REPLICATION comes first")
def in_error(s: GuardSituation) -> Details:
    """this server fell out of its group, and nothing stands against it in a group that is alive"""
    return when(s.mine.state == "ERROR")


@GUARD.rule("wait", "the group lists this server's previous incarnation still: it is expelled first")
def old_incarnation(s: GuardSituation) -> Details:
    """a group is alive, and has not expelled what this server was before it was killed"""
    return when(s.home is not None and s.mine.server_uuid in s.home.view)


GUARD.take(EVIDENCE_RULES, "unmarked")
GUARD.take(PRESENT, "join")


@GUARD.rule(
    "wait",
    "no group is alive among the members that answer, and mysql_gr_guard is rejoin: it starts none",
    guards="mode",
)
def rejoin_only(s: GuardSituation) -> Details:
    """mode rejoin: nobody is in a group"""
    return when(s.host.mode != FULL)


GUARD.take(EVIDENCE_RULES, "no_majority")
GUARD.take(PRESENT, "unasked")


@GUARD.rule(
    "refuse",
    "{strangers} was in the last group that was seen here, and is no declared member: it may be alive",
    guards="strangers",
)
def stranger(s: GuardSituation) -> Details:
    """nobody is in a group, and the last view that this guard saw has a member that is not declared"""
    found = [address for address in s.host.view if address not in s.members]
    return when(found, strangers=names(found))


GUARD.take(
    PRESENT, "flag_lasting_elsewhere", "flag_elsewhere_acting", "flag_elsewhere", "configured_otherwise", "sees_others"
)


@GUARD.rule("refuse", "nobody was ever in the group {group}: a playbook starts it", guards="begun")
def never_begun(s: GuardSituation) -> Details:
    """nobody is in a group, and no member has a transaction of this one"""
    begun = any(_of_group(s, address) for address in s.asked)
    return when(not begun, group=s.group)


def _of_group(s: GuardSituation, address: str) -> GtidSet:
    return transactions(s.facts[address]).of_uuid(s.group)


GUARD.take(PRESENT, "conflict", "not_acting", "other_seed")
GUARD.take(EVIDENCE_RULES, "unpromised_yet")
GUARD.take(PRESENT, "bootstrap")

# Those that change something; everything else is to stand by.
ACTING = ("join", "bootstrap", "end_partition", "end_stalled", "reset_flag", "stop")


def decide_guard(
    members: Iterable[str], facts: Facts, me: str, group_name: str, host: Host, rules: list[Rule] | None = None
) -> Decision:
    """The guard's Decision about its own server."""
    return GUARD.decide(GuardSituation(members, facts, me, group_name, host), rules)
