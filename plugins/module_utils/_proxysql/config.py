# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a module's options to a finished configuration: read, plan everything, carry it out, say what was done."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import Admin
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.carry_out import carry_out
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.desired import (
    address_of_peer,
    check_desired,
    desired_group,
    one_line,
    tls_of_server,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.hostgroups import make_plan, needs_places
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import Desired, Facts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.parts import (
    GroupsPart,
    Layers,
    TablePart,
    statements_of,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.read import (
    read_facts,
    read_foreign,
    read_places,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.rows import (
    TableFacts,
    Wanted,
    read_table,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.tables import (
    AFTER_HOSTGROUPS,
    BEFORE_HOSTGROUPS,
    GATE,
    MYSQL_VARIABLES,
    ONE_CLIENT,
    PEERS,
    SERVERS_TLS,
    SINCE,
    TABLES,
    VARIABLES,
    Key,
    Row,
    Rows,
    Table,
    Value,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.versions import has_feature, parse_version

Options = Dict[str, Any]
# Options that check an entry of one table and say how ProxySQL keeps it.
ENTRIES = {PEERS.option: address_of_peer, SERVERS_TLS.option: tls_of_server}
# Rows whose comment begins with the text of this option are the task's.
OWN_COMMENT = {"query_rules": "query_rules_comment", SERVERS_TLS.option: "servers_tls_comment"}
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class GroupOptions(NamedTuple):
    """How groups and servers are changed."""

    drain_timeout: int = 30
    wait_drained: bool = False
    allow_no_writer: bool = False
    reload: bool = False
    exclusive: bool = False


# ---- what a task says about rows ------------------------------------------------------------------------------------


def as_value(value: Any) -> Value:
    if isinstance(value, bool):
        return str(int(value))
    return None if value is None else str(value)


def wanted_rows(table: Table, entries: Sequence[Options], exclusive: bool, own_comment: str = "") -> Wanted:
    rows: Rows = {}
    absent = set()
    for entry in entries:
        entry = ENTRIES.get(table.option, dict)(entry)
        key: Key = tuple(as_value(entry.get(name, True)) or "" for name in table.key)
        name = table.name_of(key)
        if key in rows or key in absent:
            raise Refusal(f"{table.option}: {name} is listed twice; each may be listed once.")
        if entry.get("state") == "absent":
            absent.add(key)
            continue
        row: Row = {}
        for column in table.columns:
            if entry.get(column.name) is not None:
                row[column.name] = as_value(entry[column.name])
        one_line("comment", row.get("comment"), f" for {name} in {table.option}")
        rows[key] = row
    return Wanted(rows, frozenset(absent), exclusive, own_comment)


def check_columns(table: Table, wanted: Wanted, facts: TableFacts, version: str) -> None:
    given = {name for row in wanted.rows.values() for name in row}
    unknown = sorted(given - set(facts.columns))
    if unknown and facts.columns:
        raise Refusal(f"{table.option}: ProxySQL {version} has no column {', '.join(unknown)}.")


def variable_text(value: Any, now: Value) -> str:
    """A value as ProxySQL keeps it: its booleans are true and false."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if now in ("true", "false") and text.lower() in TRUE + FALSE:
        return "true" if text.lower() in TRUE else "false"
    return text


def gate_left(facts: TableFacts) -> bool:
    """Whether proxysql_restart was killed while it refused clients: runtime takes one, memory has the number that is meant (clients.py)."""
    runtime, memory = (layer.get(GATE, {}).get("variable_value") for layer in (facts.runtime, facts.memory))
    return runtime == ONE_CLIENT and memory not in (None, runtime)


def wanted_variables(
    facts: dict[str, TableFacts], variables: Options, optional: Options, version: str
) -> dict[str, Wanted]:
    """By the part of global_variables; a variable that this version does not have is refused, an optional one left out."""
    found: dict[str, Rows] = {table.settings: {} for table in VARIABLES}
    unknown = []
    for name, value in {**optional, **variables}.items():
        if value is None or isinstance(value, (dict, list)):
            raise Refusal(f"variables: the value of {name} is not allowed (allowed: text, numbers, true and false).")
        table = next((table for table in VARIABLES if name.startswith(table.prefix)), None)
        now = facts[table.settings].memory.get((name,)) if table else None
        if table is None or now is None:
            unknown += [name] if name in variables else []
            continue
        found[table.settings][(name,)] = {"variable_value": variable_text(value, now["variable_value"])}
    if unknown:
        raise Refusal(f"variables: ProxySQL {version} has no variable {', '.join(sorted(unknown))}.")
    if gate_left(facts[MYSQL_VARIABLES.settings]):
        found[MYSQL_VARIABLES.settings].setdefault(GATE, facts[MYSQL_VARIABLES.settings].memory[GATE])
    return {settings: Wanted(rows) for settings, rows in found.items()}


# ---- planning -------------------------------------------------------------------------------------------------------


def plan_groups(
    admin: Admin, entries: Sequence[Options], options: GroupOptions, layers: Layers, tls: TablePart | None = None
) -> GroupsPart:
    desired = [desired_group(entry) for entry in entries]
    check_desired(desired)
    if options.drain_timeout < 0:
        raise Refusal(f"drain_timeout is {options.drain_timeout}; allowed are whole numbers of seconds from 0.")
    facts = read_facts(admin)
    if options.exclusive:
        desired += others(desired, facts)
    if layers.load and (options.reload or needs_places(desired, facts)):
        facts = read_places(admin, facts)
    plan = make_plan(
        desired,
        facts,
        load_to_runtime=layers.load,
        save_to_disk=layers.save,
        drain=options.drain_timeout > 0,
        wait_drained=options.wait_drained,
        allow_no_writer=options.allow_no_writer,
        foreign=read_foreign(admin),
        reload=options.reload,
    )
    return GroupsPart(desired, facts, plan, layers, tls)


def others(desired: Sequence[Desired], facts: Facts) -> list[Desired]:
    """Groups that the task does not list, as absent."""
    listed = {entry.writer_hostgroup for entry in desired}
    found = {writer for layer in facts.layers for writer in layer.groups} - listed
    return [Desired(writer, None) for writer in sorted(found)]


def plan_tables(admin: Admin, params: Options, layers: Layers) -> dict[str, TablePart]:
    """Every table that the task says something about, by the name of its settings."""
    exclusive, reload = params["exclusive"], params["reload"]
    check_tables(params, admin.version)
    variables_too = any(_is_given(params, table) or table.part in reload for table in VARIABLES)
    facts = {
        table.settings: read_table(admin, table)
        for table in TABLES
        if (variables_too if table.prefix else _is_given(params, table) or table.part in exclusive + reload)
    }
    wanted: dict[str, Wanted] = {}
    if variables_too:
        variables = {**(params["variables"] or {}), **(params["secret_variables"] or {})}
        wanted = wanted_variables(facts, variables, params["optional_variables"] or {}, admin.version)
    for table in TABLES:
        if table.settings in facts and not table.prefix:
            own = params.get(OWN_COMMENT.get(table.option, ""))
            entries = params[table.option] or []
            wanted[table.settings] = wanted_rows(table, entries, table.option in exclusive, own or "")
            check_columns(table, wanted[table.settings], facts[table.settings], admin.version)
    return {
        table.settings: TablePart(
            table,
            wanted[table.settings],
            facts[table.settings],
            layers,
            table.part in reload and (bool(facts[table.settings].memory) or not table.prefix),
        )
        for table in TABLES
        if table.settings in facts
    }


def check_tables(params: Options, version: str) -> None:
    """Refuse a table that this version does not have; whether a server's certificate is verified must not depend on that unseen."""
    for option, feature in SINCE.items():
        if params[option] is not None and not has_feature(parse_version(version), feature):
            raise Refusal(f"{option}: ProxySQL {version} has no such table (allowed: no {option}).")


def _is_given(params: Options, table: Table) -> bool:
    if table.prefix:
        return any(params[name] for name in ("variables", "secret_variables", "optional_variables"))
    if params.get(OWN_COMMENT.get(table.option, "")):
        return True
    return params[table.option] is not None


# ---- doing ----------------------------------------------------------------------------------------------------------


def finish(module: Any, admin: Admin, parts: Sequence[Any], drain_timeout: int) -> Options:
    """Carry out what was planned, and the module's result."""
    if not module.check_mode:
        carry_out(admin, parts, drain_timeout)
    for part in parts:
        for text in part.warnings:
            module.warn(text)
    layers = {
        f"{layer}_changed": any(getattr(part, f"{layer}_changed") for part in parts)
        for layer in ("memory", "runtime", "disk")
    }
    result: Options = dict(
        changed=any(layers.values()),
        statements=statements_of(parts),
        proxysql_version=admin.version,
        **layers,
    )
    if module._diff and result["changed"]:
        result["diff"] = [diff for part in parts for diff in part.diffs()]
    return result


def configure(module: Any) -> Options:
    """The module proxysql_config."""
    params = module.params
    layers = Layers(params["load_to_runtime"], params["save_to_disk"])
    reload, exclusive = "hostgroups" in params["reload"], "hostgroups" in params["exclusive"]
    with Admin(params) as admin:
        tables = plan_tables(admin, params, layers)
        parts: list[Any] = [tables[table.settings] for table in BEFORE_HOSTGROUPS if table.settings in tables]
        tls = tables.get(SERVERS_TLS.settings)
        if params["hostgroups"] is not None or exclusive or tls:
            options = GroupOptions(
                params["drain_timeout"],
                params["wait_drained"],
                params["allow_no_writer"],
                reload or bool(tls and tls.runtime_changed),
                exclusive,
            )
            parts.append(plan_groups(admin, params["hostgroups"] or [], options, layers, tls))
        parts += [tables[table.settings] for table in AFTER_HOSTGROUPS if table.settings in tables]
        result = finish(module, admin, parts, params["drain_timeout"])
    result["restart_needed"] = sorted(name for part in parts for name in part.restart_needed)
    return result
