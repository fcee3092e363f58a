# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether ProxySQL's monitor has placed the servers where they belong. Pure; the rules are those of ProxySQL's own monitor."""

from __future__ import annotations

from typing import NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import (
    Address,
    Group,
    Layer,
    Server,
    ServerKey,
    show_address,
)


class Check(NamedTuple):
    """The monitor's last result for one server."""

    viable: bool
    read_only: bool
    transactions_behind: int
    error: str


class Problem(NamedTuple):
    hostname: str
    port: int
    writer_hostgroup: int
    reason: str


def _placement(group: Group, placed: dict[ServerKey, Server]) -> dict[Address, dict[str, str]]:
    found: dict[Address, dict[str, str]] = {}
    for key, row in placed.items():
        role = group.role_of(key[0])
        if role and row.status != "OFFLINE_HARD":
            found.setdefault(key[1:], {})[role] = row.status
    return found


def server_problem(group: Group, places: dict[str, str], check: Check | None, ping_error: str) -> str:
    """Why this server is not (yet) where it belongs; "" if it is."""
    if not group.active:
        return "" if "ONLINE" in places.values() else "it is not ONLINE in any of the group's hostgroups"
    if check is None or check.error:
        # A server that cannot be pinged is not checked any further, so the ping's error is the newer one.
        if ping_error:
            return f"the monitor cannot reach it: {ping_error}"
        if check is not None:
            return f"the monitor's last check failed: {check.error}"
        return "the monitor has no result for it yet (an answer that the monitor does not understand is only in ProxySQL's error log)"
    if not check.viable:
        return (
            "the monitor's last check says viable_candidate=NO: it is not an ONLINE member of a group with a majority"
        )
    shunned = sorted(role for role, status in places.items() if status == "SHUNNED")
    if shunned:
        why = ping_error or f"{check.transactions_behind} transactions behind"
        return f"it is SHUNNED in the {' and '.join(shunned)} hostgroup: {why}"
    online = {role for role, status in places.items() if status == "ONLINE"}
    found = f"in the {' and '.join(sorted(online))} hostgroup" if online else "in none of the group's hostgroups"
    where = f"it is {found}"
    if "offline" in online:
        return f"{where}; the monitor has not moved it yet"
    if check.read_only:
        return "" if online == {"reader"} else f"{where}; with read_only=YES it belongs in the reader hostgroup"
    if not online & {"writer", "backup_writer"}:
        return f"{where}; with read_only=NO it belongs in the writer hostgroup"
    if group.writer_is_also_reader == 1 and "reader" not in online:
        return f"{where}; with writer_is_also_reader 1 it belongs in the reader hostgroup too"
    if group.writer_is_also_reader == 0 and "reader" in online:
        return f"{where}; with writer_is_also_reader 0 it does not belong in the reader hostgroup"
    return ""


def placement_problems(
    memory: Layer,
    placed: dict[ServerKey, Server],
    checks: dict[Address, Check],
    ping_errors: dict[Address, str],
    writers: Sequence[int] | None = None,
    allow_no_writer: bool = False,
) -> list[Problem]:
    """Every configured server of the given groups that is not where it belongs; drained ones are where they belong."""
    problems = []
    for writer in sorted(memory.groups):
        if writers is not None and writer not in writers:
            continue
        group = memory.groups[writer]
        places = _placement(group, placed)
        configured: dict[Address, str] = {
            key[1:]: row.status for key, row in memory.servers.items() if key[0] in group.numbers
        }
        serving = False
        for address in sorted(configured):
            if configured[address] != "ONLINE":
                continue
            serving = True
            reason = server_problem(group, places.get(address, {}), checks.get(address), ping_errors.get(address, ""))
            if reason:
                problems.append(Problem(address[0], address[1], writer, reason))
        wrong = any(problem.writer_hostgroup == writer for problem in problems)
        has_writer = any(roles.get("writer") == "ONLINE" for roles in places.values())
        if serving and not wrong and group.max_writers and not has_writer and not allow_no_writer:
            problems.append(Problem("", 0, writer, "no server is ONLINE in the writer hostgroup"))
    for writer in writers or ():
        if writer not in memory.groups:
            problems.append(Problem("", 0, writer, "there is no such group in memory"))
    return problems


def problem_sentence(problem: Problem) -> str:
    name = f"{show_address((problem.hostname, problem.port))} (writer_hostgroup {problem.writer_hostgroup})"
    if not problem.hostname:
        name = f"the group with writer_hostgroup {problem.writer_hostgroup}"
    return f"{name}: {problem.reason.rstrip('.')}"
