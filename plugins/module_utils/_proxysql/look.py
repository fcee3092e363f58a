# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What proxysql_hostgroup_info answers: layers, drift between them, places, and what the monitor says."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Optional, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import Admin, AdminError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import Address, Facts, Layer, show_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.placement import (
    Check,
    placement_problems,
    problem_sentence,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.read import (
    read_checks,
    read_checksums,
    read_facts,
    read_ping_errors,
    read_placed,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.rows import drift, read_table
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.tables import SINCE, TABLES
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.target import collapse
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.tls import certificate_state, read_interfaces
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.unit import RunCommand, last_lines, unit_state
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.versions import has_feature, parse_version

Writers = Optional[Sequence[int]]


def show_layer(layer: Layer, writers: Writers) -> list[dict[str, Any]]:
    shown = []
    for writer in sorted(layer.groups):
        if writers is not None and writer not in writers:
            continue
        group = layer.groups[writer]
        row: dict[str, Any] = dict(group._asdict())
        row["active"] = bool(group.active)
        row["servers"] = []
        for key in sorted(layer.servers):
            if key[0] in group.numbers:
                server = dict(layer.servers[key]._asdict(), hostgroup=key[0], hostname=key[1], port=key[2])
                server["use_ssl"] = bool(server["use_ssl"])
                row["servers"].append(server)
        shown.append(row)
    return shown


def hostgroup_drift(facts: Facts) -> dict[str, dict[str, list[str]]]:
    """What differs between the layers in the two tables of the group, by name."""
    memory, runtime, disk, writers = (
        facts.memory,
        facts.runtime,
        facts.disk,
        sorted(set(facts.memory.groups) | set(facts.runtime.groups)),
    )
    numbers = {key[0] for layer in (memory, runtime) for key in layer.servers}
    here, there = collapse(memory, writers, numbers), collapse(runtime, writers, numbers)

    def groups(other: Layer) -> list[str]:
        both = set(memory.groups) | set(other.groups)
        return [str(writer) for writer in sorted(both) if memory.groups.get(writer) != other.groups.get(writer)]

    keys = set(memory.servers) | set(disk.servers)
    return dict(
        mysql_group_replication_hostgroups=dict(runtime=groups(runtime), disk=groups(disk)),
        mysql_servers=dict(
            runtime=sorted(
                {show_address(key[2:]) for key in set(here) | set(there) if here.get(key) != there.get(key)}
            ),
            disk=sorted({show_address(key[1:]) for key in keys if memory.servers.get(key) != disk.servers.get(key)}),
        ),
    )


def read_placement(
    admin: Admin, memory: Layer, writers: Writers, allow_no_writer: bool = False
) -> tuple[list[dict[str, Any]], list[str]]:
    placed, checks, pings = read_placed(admin), read_checks(admin), read_ping_errors(admin)
    plain = {
        address: Check(row["viable_candidate"], row["read_only"], row["transactions_behind"], row["error"])
        for address, row in checks.items()
    }
    problems = [
        problem_sentence(problem)
        for problem in placement_problems(memory, placed, plain, pings, writers, allow_no_writer)
    ]
    shown: dict[Address, dict[str, Any]] = {}
    for writer in sorted(memory.groups):
        if writers is not None and writer not in writers:
            continue
        group = memory.groups[writer]
        for key, row in sorted(placed.items()):
            role = group.role_of(key[0])
            if role:
                entry = shown.setdefault(
                    key[1:],
                    dict(
                        hostname=key[1],
                        port=key[2],
                        writer_hostgroup=writer,
                        hostgroups=[],
                        check=checks.get(key[1:]),
                        ping_error=pings.get(key[1:], ""),
                    ),
                )
                entry["hostgroups"].append(dict(hostgroup=key[0], role=role, status=row.status))
    return [shown[address] for address in sorted(shown)], problems


def differing(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    return sorted(name for name in set(wanted) & set(found) if wanted[name] != found[name])


def settle(ask: Callable[[], tuple[Any, list[str]]], seconds: int) -> tuple[Any, list[str]]:
    """(answer, what is missing) of ask(), which is asked again until nothing is missing or the seconds are over."""
    deadline = time.monotonic() + seconds
    while True:
        answer, missing = ask()
        if not missing or time.monotonic() >= deadline:
            return answer, missing
        time.sleep(0.2)


def read_drift(admin: Admin) -> dict[str, dict[str, list[str]]]:
    """For each table, the names of what differs between memory and the other layers."""
    version = parse_version(admin.version)
    return {
        table.settings.lower().replace(" ", "_") if table.prefix else table.table: drift(
            table, read_table(admin, table)
        )
        for table in TABLES
        if table.option not in SINCE or has_feature(version, SINCE[table.option])
    }


def read_all(params: dict[str, Any]) -> dict[str, Any]:
    writers = params["writer_hostgroups"]
    with Admin(params) as admin:
        facts = read_facts(admin)
        wanted = params["checksums"] or {}

        def compared() -> tuple[dict[str, str], list[str]]:
            checksums = read_checksums(admin)
            return checksums, differing(wanted, checksums)

        placement, problems = settle(
            lambda: read_placement(admin, facts.memory, writers, params["allow_no_writer"]), params["wait_placed"]
        )
        checksums, differ = settle(compared, params["wait_checksums"])
        ca = params["client_ca"] or ""
        return dict(
            certificate=certificate_state(read_interfaces(admin), ca) if os.path.isfile(ca) else None,
            proxysql_version=admin.version,
            checksums=checksums,
            checksums_differ=differ,
            memory=show_layer(facts.memory, writers),
            runtime=show_layer(facts.runtime, writers),
            disk=show_layer(facts.disk, writers),
            drift=dict(hostgroup_drift(facts), **read_drift(admin)),
            placement=placement,
            problems=problems,
        )


def wait_reachable(params: dict[str, Any], run_command: RunCommand) -> None:
    """Until the admin interface answers. AdminError: it did not in time, or its unit has ended, which is not waited for."""
    deadline = time.monotonic() + params["wait_reachable"]
    reason = ""
    while True:
        try:
            with Admin(params):
                return
        except AdminError as error:
            if error.kind == "denied":
                return
            reason = str(error)
        state = unit_state(run_command, params["service"]) if params["service"] else None
        if state and state.ended:
            raise AdminError("ended", f"{state} {last_lines(run_command, params['service'])}")
        if time.monotonic() >= deadline:
            raise AdminError("timeout", f"{reason} It was waited for {params['wait_reachable']} s (wait_reachable).")
        time.sleep(0.2)
