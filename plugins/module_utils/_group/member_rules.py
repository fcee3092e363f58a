# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do so that a server is, or is no longer, a member of its one group. No I/O here.

Here are the rules of state=absent; those of state=present are in present_rules.py.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.lasting import BOOT
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.present_rules import PRESENT, not_asked
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import (
    BROKEN,
    MEMBER,
    UNREACHABLE,
    UNSUITABLE,
    Decision,
    Details,
    Rule,
    Table,
    when,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import (
    Facts,
    Situation,
    is_live,
    transactions,
    view_counts,
)

# Kinds of members: those that a rule names, and those that follow from where a member is and was.
REJOINABLE = "rejoinable"
JOINABLE = "joinable"
KINDS = (MEMBER, REJOINABLE, JOINABLE, BROKEN, UNSUITABLE, UNREACHABLE)

ACTIONS = (
    "unchanged",
    "wait",
    "wait_for_seed",
    "join",
    "clone",
    "mark",
    "bootstrap",
    "leave",
    "stay_out",
    "reset_flag",
    "refuse",
)
# Those that change the server, or will as soon as another member has done its part.
CHANGING = ("wait_for_seed", "join", "clone", "mark", "bootstrap", "leave", "stay_out", "reset_flag")

ABSENT = Table()
ABSENT.rule("refuse", "this server could not be asked: {error}")(not_asked)


@ABSENT.rule("refuse", "this server's group_replication_group_name is {mine}, but group_name asks for {group}")
def leave_wrong_name(s: Situation) -> Details:
    """this server belongs to another group than named"""
    return when(s.wish.get("group_name") and s.mine.group_name != s.group, mine=s.mine.group_name, group=s.group)


@ABSENT.rule("wait", "START GROUP_REPLICATION is under way on this server")
def leave_starting(s: Situation) -> Details:
    """a START GROUP_REPLICATION is under way on this server"""
    return when(s.mine.starting)


@ABSENT.rule("stay_out", "in no group, but the guard of its host would make it join")
def out_until_guard(s: Situation) -> Details:
    """this server is in no group, and its host has a guard (mysql_gr_guard) that does not know that it is to stay out"""
    free = not is_live(s.mine) and s.mine.state != "ERROR" and s.mine.persisted.get(BOOT) != "OFF"
    return when(free and s.wish.get("guarded"))


@ABSENT.rule("unchanged", "in no group")
def out(s: Situation) -> Details:
    """this server is in no group and does not start one at boot"""
    return when(not is_live(s.mine) and s.mine.state != "ERROR" and not s.mine.start_on_boot)


@ABSENT.rule("stay_out", "in no group, but group_replication_start_on_boot is ON")
def out_until_boot(s: Situation) -> Details:
    """this server is in no group, but would join at its next boot"""
    return when(not is_live(s.mine) and s.mine.state != "ERROR")


@ABSENT.rule("leave", "the member is in state ERROR")
def leave_error(s: Situation) -> Details:
    """this server is in state ERROR"""
    return when(s.mine.state == "ERROR")


@ABSENT.rule(
    "refuse",
    "this is the last ONLINE member: without it nobody serves (allow_last_member would allow it)",
    guards="last",
    settle=True,
)
def last_member(s: Situation) -> Details:
    """this server is the last ONLINE member"""
    view = s.my_partition.view if s.my_partition else {}
    others = [uuid for uuid, entry in view.items() if uuid != s.mine.server_uuid and entry.state == "ONLINE"]
    return when(not others and not s.wish.get("allow_last_member"))


@ABSENT.rule(
    "refuse",
    "without this server {reachable} of {total} members are reachable, which is no majority (allow_quorum_loss would allow it)",
    guards="quorum",
    settle=True,
)
def quorum(s: Situation) -> Details:
    """without this server the rest has no majority"""
    total, reachable = view_counts(s.mine)
    if s.wish.get("allow_quorum_loss"):
        return None
    # This server leaves cleanly: the view shrinks by one, and so do those that answer.
    return when(total > 1 and (reachable - 1) * 2 <= total - 1, total=total - 1, reachable=reachable - 1)


@ABSENT.rule("leave", "the other members keep their majority")
def leave(s: Situation) -> Details:
    """this server is a member and the rest keeps its majority"""
    return {}


# -- what they lead to -------------------------------------------------------------------------------------------------
def decide(
    members: Iterable[str],
    facts: Facts,
    me: str,
    acting: Iterable[str] | None = None,
    wish: Mapping[str, Any] | None = None,
    rules: list[Rule] | None = None,
) -> Decision:
    """The Decision for one member.

    members: normalized addresses of all declared members, in declared order
    facts:   by address
    me:      the address of the managed server
    acting:  addresses on which this task runs now (default: all)
    wish:    state, group_name, clone, gtid_set_is_complete, data (what the task says about members' data, or None), recovery_user,
             bootstrap_without, bootstrap_from, allow_last_member, allow_quorum_loss
    """
    situation = Situation(members, facts, me, acting, wish)
    table = ABSENT if situation.wish.get("state") == "absent" else PRESENT
    return table.decide(situation, rules)


def kind_of(s: Situation, decision: Decision) -> str:
    """What a member is: what the rule says that decides about it, else by where it is and was."""
    if decision.kind:
        return decision.kind
    if decision.rule == "conflict" and s.alone(s.me):
        return BROKEN
    ours = [part for part in s.partitions if s.group in part.group_names and s.me in part.addresses]
    if ours and (s.home is None or ours[0] is s.home):
        return MEMBER
    was_member = s.mine.state == "ERROR" or bool(transactions(s.mine).of_uuid(s.group))
    return REJOINABLE if was_member else JOINABLE
