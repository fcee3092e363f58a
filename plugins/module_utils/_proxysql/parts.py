# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of ProxySQL's configuration: what is to be done with each, how it is seen that it took, and how it is put back."""

from __future__ import annotations

from typing import Any, NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import Admin, AdminError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.carry_out import Progress, execute_all
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.hostgroups import (
    LOADING,
    Plan,
    is_saved,
    layer_diffs,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.hostgroups import rewrite as rewrite_groups
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.loading import loading_layer
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import SAVE, Desired, Facts, Layer
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.read import read_layer, read_placed
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.read import read_memory as read_groups
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.rows import (
    Statement,
    Step,
    TableFacts,
    Wanted,
    describe,
    differing,
    read_disk,
    read_memory,
    read_runtime,
    resolve,
    rewrite,
    runtime_rows,
    same_row,
    scope,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.tables import Key, Row, Rows, Table

NOT_SAVED = "ProxySQL did not save {0} to disk as they are in memory; its error log says why (is the disk full?)"


class Layers(NamedTuple):
    """Which layers a task is about."""

    load: bool = True
    save: bool = True


def as_memory(table: Table, runtime: Rows) -> Rows:
    """Rows that make a LOAD bring runtime to this state."""
    if not table.sides:
        return {key: row for key, row in runtime.items() if key[0] not in table.read_only}
    found: Rows = {}
    for key, row in runtime.items():
        sides: Row = {side: "1" if side == key[-1] else "0" for side in table.sides}
        whole = {**row, **sides}
        found[table.key_of(whole)] = whole
    return found


class TablePart:
    """Rows of one table."""

    def __init__(self, table: Table, wanted: Wanted, facts: TableFacts, layers: Layers, reload: bool = False) -> None:
        self.table, self.facts = table, facts
        self.name = table.settings.lower()
        self.target = resolve(table, wanted, facts)
        self.scope = scope(table, wanted, facts)
        # Variables that ProxySQL takes when it starts: a LOAD would put the old value back, so they are written after it, for the SAVE.
        late = {
            key: row
            for key, row in self.target.items()
            if key[0] in table.at_start and key in self.scope and not same_row(table, row, facts.runtime.get(key), True)
        }
        self.restart_needed = sorted(key[0] for key in late)
        self.loading = {key: facts.memory[key] if key in late else row for key, row in self.target.items()}
        self.differs = {
            "memory": {key[: table.shared] for key in self._changed(facts.memory)},
            "runtime": differing(table, self.loading, facts.runtime, True) & self.scope if layers.load else set(),
            "disk": differing(table, self.target, facts.disk, False) & self.scope if layers.save else set(),
        }
        for key in late:
            self.differs["runtime"].discard(key)
        if table.prefix:
            # ProxySQL shows no row for a value with a double quote in it; what it has then is known by what was changed only.
            self.differs["runtime"] -= self._unseen(facts.runtime) - self.differs["memory"]
        self.memory_changed, self.disk_changed = bool(self.differs["memory"]), bool(self.differs["disk"])
        self.runtime_changed = layers.load and (reload or bool(self.differs["runtime"]))
        self.warnings: Sequence[str] = ()
        self.waits: Sequence[Step] = ()
        self.saves = [Step("save", (Statement.plain(table.save),))] if self.disk_changed else []
        self.steps: Sequence[Step] = [step for step in self._plan(late) if step.statements]

    def _changed(self, before: Rows) -> set[Key]:
        return {key for key in before.keys() | self.target.keys() if before.get(key) != self.target.get(key)}

    def _unseen(self, runtime: Rows) -> set[Key]:
        return {key for key in self.target if key not in runtime}

    def _plan(self, late: Rows) -> list[Step]:
        table, memory = self.table, self.facts.memory
        if not self.runtime_changed:
            return [Step("write", tuple(rewrite(table, memory, self.target)))]
        return [
            Step("write", tuple(rewrite(table, memory, self.loading))),
            Step("load", (Statement.plain(table.load),)),
            Step("write", tuple(rewrite(table, {}, late))),
        ]

    def check_loaded(self, admin: Admin) -> None:
        """ProxySQL puts an old value back, with a line in its log only, when it does not like a new one."""
        table = self.table
        runtime = read_runtime(admin, table)
        asked = differing(table, self.target, runtime, True)
        if table.prefix:
            asked = {key for key in asked if key[0] not in table.at_start} - self._unseen(runtime)
        asked |= differing(table, self.target, read_memory(admin, table), False)
        refused = sorted(table.name_of(key) for key in asked & self.scope)
        if refused:
            raise AdminError(
                "statement",
                f"ProxySQL did not take {table.option} {', '.join(refused)} as given; its error log says why.",
            )

    def check_saved(self, admin: Admin) -> None:
        missing = differing(self.table, self.target, read_disk(admin, self.table), False) & self.scope
        if missing:
            names = ", ".join(sorted(self.table.name_of(key) for key in missing))
            raise AdminError("statement", NOT_SAVED.format(f"{self.table.option} {names}"))

    def put_back(self, admin: Admin, progress: Progress) -> None:
        table, before = self.table, self.facts
        now = read_memory(admin, table)
        if progress.saved:
            execute_all(admin, [*rewrite(table, now, before.disk), Statement.plain(table.save)])
            now = read_memory(admin, table)
        if progress.loaded:
            if differing(table, before.memory, before.runtime, True):
                execute_all(admin, rewrite(table, now, as_memory(table, before.runtime)))
            else:
                execute_all(admin, rewrite(table, now, before.memory))
            admin.execute(Statement.plain(table.load))
            now = read_memory(admin, table)
        execute_all(admin, rewrite(table, now, before.memory))

    def diffs(self) -> list[dict[str, str]]:
        table, facts = self.table, self.facts
        shown: list[dict[str, str]] = []
        target_at_runtime = runtime_rows(table, self.loading.values())
        for layer, found, wanted in (
            ("memory", facts.memory, self.target),
            ("runtime", facts.runtime, target_at_runtime),
            ("disk", facts.disk, self.target),
        ):
            keys = self.differs[layer]
            if keys:
                header = f"{table.table} in {layer}" if layer != "disk" else f"{table.table} on disk"
                shown.append(
                    dict(
                        before_header=header,
                        after_header=header,
                        before=describe(table, found, keys, wanted, "before"),
                        after=describe(table, wanted, keys, found, "after"),
                    )
                )
        return shown


class GroupsPart:
    """Groups and their servers: the monitor moves them, so a LOAD takes more than writing rows."""

    name = "mysql servers"
    restart_needed: Sequence[str] = ()

    def __init__(
        self, desired: Sequence[Desired], facts: Facts, plan: Plan, layers: Layers, tls: TablePart | None = None
    ) -> None:
        self.desired, self.facts, self.plan, self.layers, self.tls = desired, facts, plan, layers, tls
        self.memory_changed, self.runtime_changed = plan.memory_changed, plan.runtime_changed
        self.disk_changed, self.warnings = plan.disk_changed, plan.warnings
        self.steps: Sequence[Step] = plan.steps
        self.saves: Sequence[Step] = plan.saves
        self.waits: Sequence[Step] = plan.waits
        if tls:
            # Written before the LOAD of the servers, which is for both.
            self.steps = [*(step for step in tls.steps if step.kind == "write"), *plan.steps]
            self.saves = plan.saves or tls.saves
            self.memory_changed = plan.memory_changed or tls.memory_changed
            self.disk_changed = plan.disk_changed or tls.disk_changed

    def check_loaded(self, admin: Admin) -> None:
        """The monitor has moved servers since; what it made of them is asked by wait_placed of proxysql_hostgroup_info."""
        if self.tls:
            self.tls.check_loaded(admin)

    def check_saved(self, admin: Admin) -> None:
        if self.tls:
            self.tls.check_saved(admin)
        if not is_saved(self.desired, self.facts, self.plan, read_layer(admin, "disk.")):
            raise AdminError("statement", NOT_SAVED.format("the hostgroups and their servers"))

    def put_back(self, admin: Admin, progress: Progress) -> None:
        facts = self.facts
        now, _extras = read_groups(admin)
        if progress.saved:
            self._tls_as(admin, "disk")
            execute_all(admin, [*rewrite_groups(now, facts.disk, facts.extras), Statement.plain(SAVE)])
            now = facts.disk
        if progress.loaded:
            # A server that is gone from runtime goes back to where the monitor had it a moment ago.
            placed = read_placed(admin)
            there = {key[1:] for key, row in placed.items() if row.status != "OFFLINE_HARD"}
            placed.update({key: row for key, row in facts.placed.items() if key[1:] not in there})
            self._tls_as(admin, "runtime")
            before = Layer(facts.runtime.groups, facts.runtime.servers)
            loading = loading_layer((), before, facts._replace(placed=placed, runtime=before))
            execute_all(admin, [*rewrite_groups(now, loading, facts.extras), *LOADING.statements])
            now = loading
        self._tls_as(admin, "memory")
        execute_all(admin, rewrite_groups(now, facts.memory, facts.extras))

    def _tls_as(self, admin: Admin, layer: str) -> None:
        """Memory with the TLS parameters that this layer had before."""
        if self.tls:
            before: Rows = getattr(self.tls.facts, layer)
            execute_all(admin, rewrite(self.tls.table, read_memory(admin, self.tls.table), before))

    def diffs(self) -> list[dict[str, str]]:
        found = self.tls.diffs() if self.tls else []
        return found + layer_diffs(self.desired, self.facts, self.plan, self.layers.load, self.layers.save)


def statements_of(parts: Sequence[Any]) -> list[str]:
    """What is sent, or would be, in order; without secrets."""
    steps = [step for part in parts for step in part.steps] + [step for part in parts for step in part.saves]
    return [statement.shown for step in steps for statement in step.statements]
