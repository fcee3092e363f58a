# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan for groups and their servers: what is written, loaded, drained and saved, and the diff of it."""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.desired import check_desired
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.loading import (
    draining_layer,
    handing_over,
    last_choice,
    loading_layer,
    writers_lost,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import (
    GROUP_TABLE,
    LOAD,
    SAVE,
    SERVER_TABLE,
    Desired,
    Extras,
    Facts,
    Group,
    Layer,
    Server,
    show_address,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.rows import (
    Statement,
    Step,
    chunks,
    literal,
    tuples,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.target import (
    check_conflicts,
    collapse,
    differs_in_runtime,
    part_of,
    resolve,
    scope_of,
)

NO_EXTRAS = Extras({}, {})
LOADING = Step("load", (Statement.plain(LOAD),))


class Plan(NamedTuple):
    target: Layer
    memory_changed: bool
    runtime_changed: bool
    disk_changed: bool
    steps: tuple[Step, ...]
    saves: tuple[Step, ...]
    waits: tuple[Step, ...]
    warnings: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return self.memory_changed or self.runtime_changed or self.disk_changed

    @property
    def statements(self) -> list[str]:
        return [statement.shown for step in (*self.steps, *self.saves) for statement in step.statements]


def _inserts(table: str, rows: Sequence[tuple[dict[str, Any], dict[str, str | None]]]) -> list[Statement]:
    """Rows and their further columns; those with the same columns share a statement."""
    by_columns: dict[tuple[str, ...], list[Sequence[Any]]] = {}
    for row, extra in rows:
        by_columns.setdefault((*row, *extra), []).append((*row.values(), *extra.values()))
    statements: list[Statement] = []
    for columns, values in by_columns.items():
        statements += chunks(f"INSERT INTO {table} ({','.join(columns)}) VALUES ", "", tuples(values))
    return statements


def rewrite(before: Layer, after: Layer, extras: Extras = NO_EXTRAS) -> list[Statement]:
    """Statements that turn memory from one state into the other: whole rows, all DELETEs of a table before its INSERTs."""
    statements: list[Statement] = []
    gone = [writer for writer in sorted(before.groups) if after.groups.get(writer) != before.groups[writer]]
    if gone:
        numbers = ",".join(map(literal, gone))
        statements.append(Statement.plain(f"DELETE FROM {GROUP_TABLE} WHERE writer_hostgroup IN ({numbers})"))
    statements += _inserts(
        GROUP_TABLE,
        [
            (group._asdict(), extras.groups.get(writer, {}))
            for writer, group in sorted(after.groups.items())
            if before.groups.get(writer) != group
        ],
    )
    left = [key for key in sorted(before.servers) if after.servers.get(key) != before.servers[key]]
    columns = ("hostgroup_id", "hostname", "port")
    statements += chunks(f"DELETE FROM {SERVER_TABLE} WHERE ({','.join(columns)}) IN (VALUES ", ")", tuples(left))
    return statements + _inserts(
        SERVER_TABLE,
        [
            ({**dict(zip(columns, key)), **server._asdict()}, extras.servers.get(key[1:], {}))
            for key, server in sorted(after.servers.items())
            if before.servers.get(key) != server
        ],
    )


def _unloaded_others(facts: Facts, writers: Sequence[int]) -> list[str]:
    """Servers of groups that the task says nothing about, in memory but not loaded: a LOAD is always for the whole table."""
    everywhere = {key[0] for key in facts.memory.servers}
    memory = collapse(facts.memory, facts.memory.groups, everywhere)
    loaded = collapse(facts.runtime, facts.runtime.groups, everywhere)
    declared = {
        number
        for layer in facts.layers
        for writer in writers
        if writer in layer.groups
        for number in layer.groups[writer].numbers
    }
    return sorted(
        show_address(key[2:])
        for key, rows in memory.items()
        if key[1] not in declared and key[1] not in writers and loaded.get(key) != rows
    )


def _write(before: Layer, after: Layer, extras: Extras) -> list[Step]:
    statements = rewrite(before, after, extras)
    return [Step("write", tuple(statements))] if statements else []


def needs_places(desired: Sequence[Desired], facts: Facts) -> bool:
    """Whether runtime differs, so that a plan with a LOAD will ask where the servers are placed."""
    target = resolve(desired, facts.memory, facts.runtime, facts.disk)
    return differs_in_runtime(desired, target, facts.runtime, scope_of(desired, facts.layers))


def make_plan(
    desired: Sequence[Desired],
    facts: Facts,
    load_to_runtime: bool = True,
    save_to_disk: bool = True,
    drain: bool = True,
    wait_drained: bool = False,
    allow_no_writer: bool = False,
    foreign: dict[int, str] | None = None,
    reload: bool = False,
) -> Plan:
    """Compare what is wanted with memory, runtime and disk, each by itself, and say what to do. After a Refusal nothing may be written."""
    check_desired(desired)
    target = resolve(desired, facts.memory, facts.runtime, facts.disk)
    check_conflicts(desired, target, foreign)
    writers = [want.writer_hostgroup for want in desired]
    scope = scope_of(desired, facts.layers)

    memory_changed = target != facts.memory
    runtime_changed = load_to_runtime and (reload or differs_in_runtime(desired, target, facts.runtime, scope))
    disk_changed = save_to_disk and part_of(target, writers, scope) != part_of(facts.disk, writers, scope)
    warnings: list[str] = []
    steps: list[Step] = []
    at = facts.memory

    if runtime_changed:
        final = loading_layer(desired, target, facts)
        lost = writers_lost(desired, final, facts)
        if lost and not allow_no_writer:
            raise Refusal("Refused: " + " ".join(lost))
        warnings += lost
        final = last_choice(final)
        first, leaving = draining_layer(desired, final, facts)
        if drain and leaving:
            asked = {key for key, row in facts.placed.items() if key[1:] in leaving and row.status != "OFFLINE_SOFT"}
            if asked:
                steps += _write(at, last_choice(first), facts.extras) + [LOADING]
                at = last_choice(first)
            steps.append(Step("drain", servers=leaving))
        if drain:
            *layers, ending = handing_over(desired, final, facts)
            paused, moved = map(last_choice, layers)
            if ending:
                steps += _write(at, paused, facts.extras) + [LOADING, Step("hand_over", places=ending)]
                at = paused
            if moved != final:
                steps += _write(at, moved, facts.extras) + [LOADING, Step("let_end", places=ending)]
                at = moved
        steps += _write(at, final, facts.extras) + [LOADING]
        at = final
        others = _unloaded_others(facts, writers)
        if others:
            warnings.append(f"The LOAD took along rows of others that were not loaded yet: {', '.join(others)}.")
    steps += _write(at, target, facts.extras)
    soft = sorted({key[1:] for key, row in target.servers.items() if key[0] in scope and row.status == "OFFLINE_SOFT"})
    waits = (Step("drain", servers=tuple(soft)),) if wait_drained and soft and load_to_runtime else ()
    saves = (Step("save", (Statement.plain(SAVE),)),) if disk_changed else ()
    return Plan(target, memory_changed, runtime_changed, disk_changed, tuple(steps), saves, waits, tuple(warnings))


def is_saved(desired: Sequence[Desired], facts: Facts, plan: Plan, disk: Layer) -> bool:
    writers, scope = [want.writer_hostgroup for want in desired], scope_of(desired, facts.layers)
    return part_of(plan.target, writers, scope) == part_of(disk, writers, scope)


def describe(layer: Layer, desired: Sequence[Desired], scope: Sequence[int], by_group: bool = False) -> str:
    """The declared part of a layer, one row a line; by_group leaves the place out, as for runtime."""
    writers = [want.writer_hostgroup for want in desired]
    part = part_of(layer, writers, scope)
    lines = []
    for writer in sorted(part.groups):
        group = part.groups[writer]
        lines.append("group " + " ".join(f"{name}={literal(value)}" for name, value in zip(Group._fields, group)))
    if by_group:
        for key, rows in sorted(collapse(layer, writers, scope).items(), key=lambda item: str(item[0])):
            for row in rows:
                lines.append(f"server {key[0]} {key[1]} {show_address(key[2:])} {_columns(row)}")
    else:
        for key in sorted(part.servers):
            lines.append(f"server hostgroup {key[0]} {show_address(key[1:])} {_columns(part.servers[key])}")
    return "".join(line + "\n" for line in lines)


def _columns(row: Server) -> str:
    return " ".join(f"{name}={literal(value)}" for name, value in zip(Server._fields, row))


def layer_diffs(
    desired: Sequence[Desired], facts: Facts, plan: Plan, load_to_runtime: bool = True, save_to_disk: bool = True
) -> list[dict[str, str]]:
    """Ansible's diff, one entry per layer that differs."""
    scope = scope_of(desired, facts.layers)
    layers = [("memory", facts.memory, plan.memory_changed, False)]
    if load_to_runtime:
        layers.append(("runtime", facts.runtime, plan.runtime_changed, True))
    if save_to_disk:
        layers.append(("disk", facts.disk, plan.disk_changed, False))
    diffs = []
    for name, layer, changed, by_group in layers:
        if changed:
            diffs.append(
                {
                    "before_header": name,
                    "after_header": name,
                    "before": describe(layer, desired, scope, by_group),
                    "after": describe(plan.target, desired, scope, by_group),
                }
            )
    return diffs
