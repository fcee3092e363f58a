# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By what the members of a group talk to each other: what is declared, what they have, what a new group gets. Pure functions; nobody is asked.

MySQL does not police it: a member with another stack reaches no other one.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.version_facts import version_facts

IN_GROUP = ("ONLINE", "RECOVERING")
Probes = Mapping[str, Mapping[str, Any]]


class Stack(NamedTuple):
    """A group's communication stack, and what follows from it for a member's settings."""

    name: str
    # The option's value in the option file; None where it is the server's own default.
    written: str | None
    # Which address of a member the others connect to, as gr_members names it; sql: there is no port for the group alone.
    address: str
    # Whether the server asks for addresses. Else the recovery account and its privileges admit a member.
    allowlist: bool


def stack(version: str, name: str) -> Stack:
    own = name == "XCOM"
    written = None if name == version_facts(version)["communication_stack_default"] else name
    return Stack(name, written, "group" if own else "sql", own)


def present(probes: Probes, group_name: str) -> str:
    """The stack of the servers of this run that are in a group, else of those that are set up for this one; '' where they have none, or several."""
    answers = [probe.get("sql") or {} for probe in probes.values()]
    for found in (
        {sql.get("communication_stack") for sql in answers if sql.get("state") in IN_GROUP},
        {
            sql.get("communication_stack")
            for sql in answers
            if (sql.get("group_name") or "").lower() == group_name.lower()
        },
    ):
        names = sorted(name for name in found if name)
        if names:
            return names[0] if len(names) == 1 else ""
    return ""


def choose(declared: str, version: str, group_name: str, probes: Probes) -> Stack:
    """The stack for a member. auto never moves a group that is there: it has what its members have."""
    if declared != "auto":
        return stack(version, declared)
    return stack(version, present(probes, group_name) or version_facts(version)["communication_stack"])


def problems(name: str, probe: Mapping[str, Any], declared: str) -> list[str]:
    """A member of a living group whose stack is another one than declared."""
    sql = probe.get("sql") or {}
    runs = sql.get("communication_stack")
    if sql.get("state") not in IN_GROUP or not runs or declared in ("auto", runs):
        return []
    return [
        f"The group of {name} uses the communication stack {runs}, but mysql_gr_communication_stack is {declared!r}, and a running group keeps"
        " its stack: set auto, or stop the servers of all members first (see 'Change the communication stack')."
    ]
