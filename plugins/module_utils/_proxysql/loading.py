# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What memory holds at the moment of a LOAD, so that the LOAD moves nobody and cuts nobody off."""

from __future__ import annotations

from typing import Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import (
    Address,
    Desired,
    Facts,
    Group,
    Layer,
    Server,
    ServerKey,
    show_address,
)


def loading_layer(desired: Sequence[Desired], target: Layer, facts: Facts) -> Layer:
    """What memory holds at the moment of a LOAD, so that the LOAD moves nobody.

    A LOAD puts every server where memory has it until the monitor's next check, and drops the connections of all other places. So
    memory takes over the places that the monitor has found, for every group in the table, for the length of one LOAD. A server that
    the monitor has not judged yet waits in the offline hostgroup: nothing is sent to it unproved.
    """
    declared = {want.writer_hostgroup for want in desired}
    owner = {number: group for group in target.groups.values() for number in group.numbers}
    placed: dict[Address, list[ServerKey]] = {}
    for key, row in facts.placed.items():
        if row.status != "OFFLINE_HARD":
            placed.setdefault(key[1:], []).append(key)
    servers: dict[ServerKey, Server] = {}
    for key in sorted(target.servers):
        row = target.servers[key]
        group = owner.get(key[0])
        if group is None or not facts.monitor_enabled or row.status == "OFFLINE_HARD":
            servers[key] = row
            continue
        before = facts.runtime.groups.get(group.writer_hostgroup)
        if not group.active and (before is None or not before.active):
            servers[key] = row
            continue
        numbers = before or group
        places = [group.counterpart(numbers, at[0]) for at in placed.get(key[1:], ())]
        found = [place for place in places if place is not None]
        for place in found or [group.offline_hostgroup if group.active else key[0]]:
            at = (place,) + key[1:]
            servers[at] = target.servers.get(at, servers.get(at, row))  # the row of that place, where there is one
    for writer in declared & set(target.groups):
        if facts.monitor_enabled and target.groups[writer].active:
            _settle(target.groups[writer], servers)
    return Layer(dict(target.groups), servers)


def _settle(group: Group, servers: dict[ServerKey, Server]) -> None:
    """Share writers between writer and backup writer hostgroup as the monitor does.

    The monitor does it only when it moves a server, so a new max_writers, or a drained writer, would wait for that.
    """

    def ordered(*roles: str) -> list[ServerKey]:
        numbers = [group.number_of(role) for role in roles]
        keys = [key for key, row in servers.items() if key[0] in numbers and row.status in ("ONLINE", "SHUNNED")]
        return sorted(keys, key=lambda key: (servers[key].weight, key[1], key[2]), reverse=True)

    def move(key: ServerKey, role: str) -> None:
        servers[(group.number_of(role),) + key[1:]] = servers.pop(key)

    writers, backups = ordered("writer"), ordered("backup_writer")
    if group.max_writers == 1:
        # The one that every proxy chooses, also where one that was drained is a backup writer of this proxy and a writer of another.
        chosen = ordered("writer", "backup_writer")[:1]
    else:
        chosen = (writers + backups)[: group.max_writers]
    for key in writers:
        if key not in chosen:
            move(key, "backup_writer")
    for key in backups:
        if key in chosen:
            move(key, "writer")


def last_choice(layer: Layer) -> Layer:
    """As it is loaded: what is OFFLINE_SOFT in a group has weight 0.

    ProxySQL's monitor takes such a server for ONLINE where one of its places has just been removed when it moves the others. With weight 0 it takes
    no writes from the present writer then, and gets no statements.
    """
    numbers = {number for group in layer.groups.values() for number in group.numbers}
    return Layer(
        layer.groups,
        {
            key: row._replace(weight=0) if key[0] in numbers and row.status == "OFFLINE_SOFT" else row
            for key, row in layer.servers.items()
        },
    )


def _online_writers(group: Group, servers: dict[ServerKey, Server]) -> list[Address]:
    return sorted(
        key[1:] for key, row in servers.items() if key[0] == group.writer_hostgroup and row.status == "ONLINE"
    )


def writers_lost(desired: Sequence[Desired], loading: Layer, facts: Facts) -> list[str]:
    """Groups that have a writer now and would have none after the LOAD, as sentences."""
    problems = []
    for want in desired:
        before = facts.runtime.groups.get(want.writer_hostgroup)
        if want.group is None or before is None:
            continue
        had = _online_writers(before, facts.placed)
        if had and not _online_writers(want.group, loading.servers):
            now = ", ".join(show_address(address) for address in had)
            problems.append(
                f"the group with writer_hostgroup {want.writer_hostgroup} would be left without an ONLINE writer ({now} now); make another "
                "member a writer first, or set allow_no_writer to true."
            )
    return problems


def draining_layer(desired: Sequence[Desired], loading: Layer, facts: Facts) -> tuple[Layer, tuple[Address, ...]]:
    """The layer to load first, in which servers about to go are OFFLINE_SOFT, and these servers.

    A server that leaves runtime loses its used connections, and the statements on them; OFFLINE_SOFT lets them end.
    """
    servers = dict(loading.servers)
    leaving = set()
    for want in desired:
        before = facts.runtime.groups.get(want.writer_hostgroup)
        if want.group is None or before is None:
            continue
        staying = {
            key[1:]
            for key, row in loading.servers.items()
            if key[0] in want.group.numbers and row.status != "OFFLINE_HARD"
        }
        for key, row in facts.placed.items():
            role = before.role_of(key[0])
            if role in (None, "offline") or row.status == "OFFLINE_HARD" or key[1:] in staying:
                continue
            leaving.add(key[1:])
            servers[(want.group.number_of(role),) + key[1:]] = row._replace(status="OFFLINE_SOFT")
    for key in [key for key, row in servers.items() if row.status == "OFFLINE_HARD" and key[1:] in leaving]:
        del servers[key]
    return Layer(loading.groups, servers), tuple(sorted(leaving))


def handing_over(desired: Sequence[Desired], final: Layer, facts: Facts) -> tuple[Layer, Layer, tuple[ServerKey, ...]]:
    """The layers to load before the final one where the one writer of a group changes, and the places of those that write no longer.

    In the first nobody takes writes: statements wait while open transactions end. Otherwise sessions would write on the new writer, which knows
    nothing of the locks that a transaction on the old one holds. In the second the new one writes, and what takes longer ends on the old one.
    """
    paused, moved = dict(final.servers), dict(final.servers)
    ending: list[ServerKey] = []
    for want in desired:
        before = facts.runtime.groups.get(want.writer_hostgroup)
        if want.group is None or before is None or want.group.max_writers != 1 or not facts.monitor_enabled:
            continue
        now, then = _online_writers(before, facts.placed), _online_writers(want.group, final.servers)
        if not now or not then or set(now) & set(then):
            continue
        for address in then:
            row = paused.pop((want.group.writer_hostgroup, *address))
            paused[(want.group.backup_writer_hostgroup, *address)] = row
        for address in now:
            place = (want.group.writer_hostgroup, *address)
            for servers in (paused, moved):
                servers.pop((want.group.backup_writer_hostgroup, *address), None)
                servers[place] = facts.placed[(before.writer_hostgroup, *address)]._replace(status="OFFLINE_SOFT")
            ending.append(place)
    return Layer(final.groups, paused), Layer(final.groups, moved), tuple(ending)
