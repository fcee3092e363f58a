# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What memory is to hold of groups and servers, what conflicts with it, and how layers differ."""

from __future__ import annotations

from typing import Any, Iterable, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import (
    ROLES,
    Address,
    Desired,
    Group,
    Layer,
    Server,
    ServerKey,
    show_address,
)


def configured_hostgroup(group: Group, configured_in: str, servers: int) -> int:
    """The hostgroup in which a server's row is kept in memory and on disk.

    A proxy that starts, or a LOAD by somebody else, uses this place until the monitor's first check. Where every member may write
    that is the writer hostgroup; otherwise the reader hostgroup, since a write must not reach a read-only member. Without a monitor
    nobody would move them, so then it is the writer hostgroup too.
    """
    if configured_in == "auto":
        configured_in = "writer" if not group.active or group.max_writers >= servers else "reader"
    return group.number_of(configured_in)


def scope_of(desired: Sequence[Desired], layers: Sequence[Layer]) -> list[int]:
    """All hostgroup numbers that the declared groups have in any layer, or are to have."""
    numbers = set()
    for want in desired:
        numbers.add(want.writer_hostgroup)
        if want.group:
            numbers.update(want.group.numbers)
        for layer in layers:
            if want.writer_hostgroup in layer.groups:
                numbers.update(layer.groups[want.writer_hostgroup].numbers)
    return sorted(numbers)


def resolve(
    desired: Sequence[Desired], memory: Layer, runtime: Layer | None = None, disk: Layer | None = None
) -> Layer:
    """What memory is to hold in the end. Rows of other groups stay as they are."""
    groups = dict(memory.groups)
    servers = dict(memory.servers)
    for want in desired:
        if want.group is None:
            # The numbers that it has in any layer: one run takes all of it away, also where others are loaded or saved later.
            gone = {
                number
                for layer in (memory, runtime, disk)
                if layer is not None and want.writer_hostgroup in layer.groups
                for number in layer.groups[want.writer_hostgroup].numbers
            }
            groups.pop(want.writer_hostgroup, None)
            if not want.keep_servers:
                taken = {number for group in groups.values() for number in group.numbers}
                servers = {key: row for key, row in servers.items() if key[0] not in gone or key[0] in taken}
            continue
        groups[want.writer_hostgroup] = want.group
    for want in desired:
        if want.group is None:
            continue
        old = memory.groups.get(want.writer_hostgroup)
        if old is not None and old.numbers != want.group.numbers:
            # The group's other rows go with it to its new numbers; a number that another group now has is not touched.
            taken = {number for group in groups.values() if group is not want.group for number in group.numbers}
            moved = {}
            for key in list(servers):
                place = want.group.counterpart(old, key[0])
                if place is not None and key[0] not in taken:
                    moved[(place,) + key[1:]] = servers.pop(key)
            servers.update(moved)
        if want.servers is None:
            continue
        mine = set(want.group.numbers)
        servers = {
            key: row
            for key, row in servers.items()
            if key[0] not in mine or (key[1:] not in want.servers and not want.exclusive)
        }
        others = {key[1:] for key in servers if key[0] in mine}
        place = configured_hostgroup(want.group, want.configured_in, len(want.servers) + len(others))
        for address, row in want.servers.items():
            servers[(place,) + address] = row
    return Layer(groups, servers)


def check_conflicts(desired: Sequence[Desired], target: Layer, foreign: dict[int, str] | None = None) -> None:
    """Refuse what ProxySQL would drop with a line in its log only, or follow in one of two places.

    foreign: hostgroup number → name of another table of ProxySQL's that uses it.
    """
    owner: dict[int, tuple[str, int]] = {}
    for writer in sorted(target.groups):
        group = target.groups[writer]
        for role, number in zip(ROLES, group.numbers):
            if number in owner:
                first_role, first_writer = owner[number]
                raise Refusal(
                    f"hostgroup {number} is the {role} hostgroup of the group with writer_hostgroup {writer} and the {first_role} hostgroup "
                    f"of the group with writer_hostgroup {first_writer}; a hostgroup may belong to one group only."
                )
            owner[number] = (role, writer)
    declared = {want.writer_hostgroup for want in desired if want.group}
    for number, table in sorted((foreign or {}).items()):
        if number in owner and owner[number][1] in declared:
            role, writer = owner[number]
            raise Refusal(
                f"hostgroup {number} is the {role} hostgroup of the group with writer_hostgroup {writer} and is used in {table} too; a "
                "hostgroup may be managed by one table only."
            )
    seen: dict[Address, tuple[int, ServerKey]] = {}
    for key in sorted(target.servers):
        if key[0] not in owner:
            continue
        writer = owner[key[0]][1]
        first, other = seen.setdefault(key[1:], (writer, key))
        if first != writer and (first in declared or writer in declared):
            raise Refusal(
                f"server {show_address(key[1:])} is configured in the groups with writer_hostgroup {first} and {writer}; ProxySQL's "
                "monitor follows a server in one group only."
            )
        # The monitor moves rows between the hostgroups of a group: which of the two it has in the end would be chance.
        if writer in declared and target.servers[key] != target.servers[other]:
            raise Refusal(
                f"server {show_address(key[1:])} is configured in the hostgroups {other[0]} and {key[0]} of the group with "
                f"writer_hostgroup {writer} with different columns; list it in servers, or remove one of the rows."
            )


def collapse(layer: Layer, writers: Iterable[int], scope: Iterable[int]) -> dict[tuple[Any, ...], tuple[Server, ...]]:
    """Servers by group instead of by hostgroup: what does not depend on where they are placed.

    As ProxySQL's own checksum does, SHUNNED counts as ONLINE and OFFLINE_HARD as not there. The weight of a server that is
    OFFLINE_SOFT does not count: it is loaded with another one (loading.last_choice).
    """
    writers = set(writers)
    scope = set(scope)
    owner = {number: writer for writer, group in layer.groups.items() if writer in writers for number in group.numbers}
    # What is in the hostgroups of a group that is not declared is that group's, and its monitor moves it.
    scope -= {number for writer, group in layer.groups.items() if writer not in writers for number in group.numbers}
    found: dict[tuple[Any, ...], set[Server]] = {}
    for (hostgroup, hostname, port), row in layer.servers.items():
        if (hostgroup not in owner and hostgroup not in scope) or row.status == "OFFLINE_HARD":
            continue
        place = ("group", owner[hostgroup]) if hostgroup in owner else ("hostgroup", hostgroup)
        if row.status == "SHUNNED":
            row = row._replace(status="ONLINE")
        if row.status == "OFFLINE_SOFT":
            row = row._replace(weight=0)
        found.setdefault(place + (hostname, port), set()).add(row)
    return {key: tuple(sorted(rows)) for key, rows in found.items()}


def part_of(layer: Layer, writers: Iterable[int], scope: Iterable[int]) -> Layer:
    scope = set(scope)
    return Layer(
        {writer: layer.groups[writer] for writer in writers if writer in layer.groups},
        {key: row for key, row in layer.servers.items() if key[0] in scope},
    )


def differs_in_runtime(desired: Sequence[Desired], target: Layer, runtime: Layer, scope: Sequence[int]) -> bool:
    writers = [want.writer_hostgroup for want in desired]
    if part_of(target, writers, ()).groups != part_of(runtime, writers, ()).groups:
        return True
    return collapse(target, writers, scope) != collapse(runtime, writers, scope)
