# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who writes (mysql_gr_writers): what belongs to each choice, and what would contradict it. Data and pure functions; control node only.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping, NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import classify, format_address

EXCEPTIONS = "mysql_gr_writers_exceptions"
# Variables that a user may list there.
EXCEPTABLE = ("mysql_gr_consistency", "proxysql_max_writers", "proxysql_read_write_split", "proxysql_users")
# Levels with which a session reads its own writes on every member.
READ_YOUR_WRITES = ("BEFORE", "AFTER", "BEFORE_AND_AFTER")


class Choice(NamedTuple):
    """What belongs together."""

    name: str
    single_primary: bool
    update_everywhere_checks: bool
    all_write: bool  # at the proxies
    consistency: str
    # Seconds until a silent member is expelled after it was noticed (5 s), where the network is fast. With 0 the server does it at once, else it looks
    # every 15 s, and each commit waits for a dead member as long. Where all write, a member that comes back after it was expelled is given writes before
    # it knows; else that happens to the writer only.
    member_expel_timeout: int
    described: str


CHOICES = {
    choice.name: choice
    for choice in (
        # No primary is elected where another member takes over, so nothing but BEFORE makes its sessions wait for what was acknowledged.
        Choice("one", False, False, False, "BEFORE", 0, "one member of a multi-primary group writes"),
        Choice("primary", True, False, False, "BEFORE_ON_PRIMARY_FAILOVER", 0, "the primary of a single-primary group writes"),
        Choice("all", False, True, True, "BEFORE", 5, "every member of a multi-primary group writes"),
    )
}  # fmt: skip
DEFAULT = "one"
# What a choice allows; the others allow each. Where all write, a level that waits after a write made all members hang for good: the transaction waits
# until the others have prepared it, and their appliers for rows of transactions that wait for this member (docs/measurements/consistency.md).
LEVELS = {"one": READ_YOUR_WRITES, "all": ("BEFORE",)}


def choice_problem(name: object) -> str:
    """Why this is no choice, or ''."""
    return "" if name in CHOICES else f"mysql_gr_writers is {name!r}; allowed are {', '.join(CHOICES)}."


def member_problems(name: object, consistency: str, exceptions: Sequence[str]) -> list[str]:
    """What of the members' variables contradicts the choice."""
    if name not in CHOICES:
        return [choice_problem(name)]
    problems = [
        f"{EXCEPTIONS} contains {entry!r}; allowed are {', '.join(EXCEPTABLE)}."
        for entry in exceptions
        if entry not in EXCEPTABLE
    ]
    choice = CHOICES[str(name)]
    levels = LEVELS.get(choice.name, (consistency,))
    if consistency not in levels and "mysql_gr_consistency" not in exceptions:
        problems.append(
            f"mysql_gr_consistency is {consistency}, but mysql_gr_writers is {name}, where {_harm(choice, consistency)}; allowed"
            f" {'is' if len(levels) == 1 else 'are'} {', '.join(levels)}{_way_out('mysql_gr_consistency')}"
        )
    return problems


def _harm(choice: Choice, consistency: str) -> str:
    if not choice.all_write:
        return "the writer that takes over would serve sessions before it has what the lost one acknowledged"
    if consistency not in READ_YOUR_WRITES:
        return "a session would not see on one member what it wrote on another"
    return "transactions on several members can wait for one another, and the whole group stands still until it is restarted"


def _way_out(variable: str) -> str:
    return f" (or list {variable} in {EXCEPTIONS})."


class Cluster(NamedTuple):
    """What the inventory says of the cluster that a member is in."""

    writers: str
    exceptions: Sequence[str]


def proxy_problems(settings: Mapping[str, Any], clusters: Mapping[str, Cluster]) -> Iterator[str]:
    """What of a proxy's variables contradicts the choice of a cluster behind it; clusters: by the SQL address of a member."""
    split = str(settings["proxysql_read_write_split"]).lower() in ("true", "yes", "on", "1")
    for group in settings["proxysql_hostgroups"]:
        addresses = [address(server) for server in group.get("servers") or []]
        cluster = next((clusters[one] for one in addresses if one in clusters), None)
        if (group.get("state") or "present") != "present" or cluster is None:
            continue
        if cluster.writers not in CHOICES:
            yield choice_problem(cluster.writers)
            continue
        choice, named = CHOICES[cluster.writers], f"mysql_gr_writers is {cluster.writers}"
        writers = int(group.get("max_writers", 1))
        if "proxysql_max_writers" not in cluster.exceptions:
            most = len(addresses) if choice.all_write else 1
            if not 1 <= writers <= most:
                yield (
                    f"proxysql_max_writers is {writers} for writer hostgroup {group['writer_hostgroup']}, but {named}; allowed"
                    f" {'is 1' if most == 1 else f'are 1 to {most}'}{_way_out('proxysql_max_writers')}"
                )
        if split and choice.all_write and "proxysql_read_write_split" not in cluster.exceptions:
            yield (
                f"proxysql_read_write_split is true, but {named}, where every member takes reads and writes already; set it to false"
                f"{_way_out('proxysql_read_write_split')}"
            )
        for user in settings["proxysql_users"] if "proxysql_users" not in cluster.exceptions else ():
            backup = group.get("backup_writer_hostgroup")
            if (user.get("state") or "present") == "present" and str(user.get("default_hostgroup")) == str(backup):
                yield (
                    f"default_hostgroup of {user['username']} in proxysql_users is {backup}, the backup writers, but {named}; allowed is"
                    f" {group['writer_hostgroup']}{_way_out('proxysql_users')}"
                )


def address(server: Mapping[str, Any]) -> str:
    """host:port of a server in proxysql_hostgroups, as gr_members writes it."""
    return format_address(classify(server["hostname"])[1], int(server.get("port") or 3306))
