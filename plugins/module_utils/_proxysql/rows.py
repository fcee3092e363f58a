# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows of any of ProxySQL's tables: read, what they are to be, how that differs from each layer, and the statements that change it."""

from __future__ import annotations

import hashlib
from typing import Any, Iterable, NamedTuple, Protocol, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.tables import Key, Row, Rows, Table, Value

MASKED = "********"
# One INSERT stays well below SQLite's limit of 1,000,000 bytes.
MAX_STATEMENT = 400000


class Statement(NamedTuple):
    text: str
    shown: str  # without secrets

    @staticmethod
    def plain(text: str) -> Statement:
        return Statement(text, text)


class Step(NamedTuple):
    kind: str  # write | load | drain | hand_over | let_end | save
    statements: tuple[Statement, ...] = ()
    servers: tuple[tuple[str, int], ...] = ()
    places: tuple[tuple[int, str, int], ...] = ()  # hostgroup, hostname, port


class Reader(Protocol):
    version: str

    def read(self, statement: str) -> tuple[list[str], list[Row]]: ...


class TableFacts(NamedTuple):
    columns: tuple[str, ...]  # that this version of ProxySQL has
    memory: Rows
    runtime: Rows  # by the key of runtime, see runtime_rows
    disk: Rows


class Wanted(NamedTuple):
    """What a task says about one table."""

    rows: Rows  # the columns that were given
    absent: frozenset[Key] = frozenset()
    exclusive: bool = False
    own_comment: str = ""  # rows whose comment begins with it belong to the task


# ---- reading --------------------------------------------------------------------------------------------------------


def read_table(admin: Reader, table: Table) -> TableFacts:
    columns, memory = admin.read(f"SELECT * FROM main.{table.table}{table.where}")
    return TableFacts(
        tuple(columns),
        {table.key_of(row): row for row in memory},
        read_runtime(admin, table),
        read_disk(admin, table),
    )


def read_memory(admin: Reader, table: Table, layer: str = "main.") -> Rows:
    _columns, rows = admin.read(f"SELECT * FROM {layer}{table.table}{table.where}")
    return {table.key_of(row): row for row in rows}


def read_disk(admin: Reader, table: Table) -> Rows:
    return read_memory(admin, table, "disk.")


def read_runtime(admin: Reader, table: Table) -> Rows:
    _columns, rows = admin.read(f"SELECT * FROM runtime_{table.table}{table.where}")
    return runtime_rows(table, rows)


# ---- comparing ------------------------------------------------------------------------------------------------------


def runtime_rows(table: Table, rows: Iterable[Row]) -> Rows:
    """Rows as runtime has them: without inactive ones, and one for each side of a user."""
    found: Rows = {}
    for row in rows:
        if table.active and row.get(table.active) == "0":
            continue
        key = table.key_of(row)
        if not table.sides:
            found[key] = row
            continue
        plain = {name: value for name, value in row.items() if name not in table.sides}
        for side in table.sides:
            if row.get(side) == "1":
                found[key[: table.shared] + (side,)] = plain
    return found


def native_hash(password: str) -> str:
    return "*" + hashlib.sha1(hashlib.sha1(password.encode("utf-8")).digest()).hexdigest().upper()


def same_password(one: Value, other: Value) -> bool:
    """Whether one is the other, or its hash."""
    one, other = one or "", other or ""
    if one == other:
        return True
    return (other.startswith("*") and native_hash(one) == other) or (one.startswith("*") and native_hash(other) == one)


def same_row(table: Table, one: Row | None, other: Row | None, runtime: bool) -> bool:
    """Compares the columns that both have: a layer of another version may have more."""
    if one is None or other is None:
        return one is other
    for name in one.keys() & other.keys():
        if runtime and name in table.not_compared:
            continue
        if one[name] == other[name] or (runtime and not one[name] and not other[name]):
            continue
        if runtime and name in table.hashed and same_password(one[name], other[name]):
            continue
        return False
    return True


def differing(table: Table, target: Rows, layer: Rows, runtime: bool) -> set[Key]:
    """The identities of the rows in which a layer differs from what memory is to hold."""
    here = runtime_rows(table, target.values()) if runtime else target
    return {
        key[: table.shared]
        for key in here.keys() | layer.keys()
        if not same_row(table, here.get(key), layer.get(key), runtime)
    }


def drift(table: Table, facts: TableFacts) -> dict[str, list[str]]:
    """Names of what differs between memory and the other layers; never a value. A variable that one side lacks is another version's."""

    def names(layer: Rows, runtime: bool) -> list[str]:
        keys = differing(table, facts.memory, layer, runtime)
        if table.prefix:
            keys = {key for key in keys if key in facts.memory and key in layer and key[0] not in table.read_only}
        return sorted({table.name_of(key) for key in keys})

    return dict(runtime=names(facts.runtime, True), disk=names(facts.disk, False))


# ---- what memory is to hold -----------------------------------------------------------------------------------------


def scope(table: Table, wanted: Wanted, facts: TableFacts) -> set[Key]:
    """The identities of the rows that the task says something about, in any layer."""
    keys = {*wanted.rows, *wanted.absent}
    for layer in (facts.memory, facts.disk):
        if wanted.exclusive:
            keys.update(layer)
        elif wanted.own_comment:
            keys.update(key for key, row in layer.items() if (row.get("comment") or "").startswith(wanted.own_comment))
    found = {key[: table.shared] for key in keys}
    for key, row in facts.runtime.items():
        if wanted.exclusive or (wanted.own_comment and (row.get("comment") or "").startswith(wanted.own_comment)):
            found.add(key[: table.shared])
    return found


def resolve(table: Table, wanted: Wanted, facts: TableFacts) -> Rows:
    """What memory is to hold. Columns that this module does not know stay as they are."""
    target = dict(facts.memory)
    mine = scope(table, wanted, facts) if wanted.exclusive or wanted.own_comment else set()
    for key in facts.memory:
        if key in wanted.absent or (key not in wanted.rows and key[: table.shared] in mine):
            del target[key]
    defaults = {column.name: column.default for column in table.columns if column.name in facts.columns}
    for key, given in wanted.rows.items():
        before = facts.memory.get(key)
        base = {**(before or {}), **(defaults if table.whole or before is None else {})}
        target[key] = {**base, **dict(zip(table.key, key)), **given}
    return target


# ---- statements -----------------------------------------------------------------------------------------------------


def literal(value: Any) -> str:
    """An SQLite literal. Not the client library's quoting: that is MySQL's, and SQLite knows no backslash."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(int(value))
    return "'" + str(value).replace("'", "''") + "'"


def chunks(head: str, tail: str, values: Sequence[Statement]) -> list[Statement]:
    """Statements with many rows each, none of them too long."""
    statements: list[Statement] = []
    chunk: list[Statement] = []
    size = 0

    def close() -> None:
        if chunk:
            texts, shown = ",".join(value.text for value in chunk), ",".join(value.shown for value in chunk)
            statements.append(Statement(head + texts + tail, head + shown + tail))

    for value in values:
        if chunk and size + len(value.text) > MAX_STATEMENT:
            close()
            chunk, size = [], 0
        chunk.append(value)
        size += len(value.text) + 1
    close()
    return statements


def tuples(rows: Iterable[Sequence[Any]]) -> list[Statement]:
    return [Statement.plain("(" + ",".join(literal(value) for value in row) + ")") for row in rows]


def _values(table: Table, row: Row, columns: Sequence[str]) -> Statement:
    texts = [literal(row[name]) for name in columns]
    shown = [
        literal(MASKED) if table.is_secret(row, name) and name not in table.key and row[name] else text
        for name, text in zip(columns, texts)
    ]
    return Statement(f"({','.join(texts)})", f"({','.join(shown)})")


NUMBERS = ("port", "backend", "rule_id")


def order(table: Table, key: Key) -> tuple[Any, ...]:
    """A key with its numbers as numbers."""
    names = (*table.key[: table.shared], *table.sides)
    return tuple(int(part) if name in NUMBERS and part.isdigit() else part for name, part in zip(names, key))


def rewrite(table: Table, before: Rows, after: Rows) -> list[Statement]:
    """Statements that turn memory from one state into the other: whole rows, all DELETEs before the INSERTs."""
    changed = sorted((key for key in after if before.get(key) != after[key]), key=lambda key: order(table, key))
    gone = [key for key in before if key not in after]
    verb = "INSERT"
    if table.prefix:
        verb = "INSERT OR REPLACE"  # a variable is never absent, not for a moment either
    else:
        gone += [key for key in changed if key in before]
    statements = chunks(
        f"DELETE FROM {table.table} WHERE ({','.join(table.key)}) IN (VALUES ",
        ")",
        tuples(sorted(order(table, key) for key in gone)),
    )
    by_columns: dict[tuple[str, ...], list[Statement]] = {}
    for key in changed:
        columns = table.ordered(after[key])
        by_columns.setdefault(columns, []).append(_values(table, after[key], columns))
    for columns, values in by_columns.items():
        statements += chunks(f"{verb} INTO {table.table} ({','.join(columns)}) VALUES ", "", values)
    return statements


# ---- showing --------------------------------------------------------------------------------------------------------


def describe(table: Table, rows: Rows, keys: set[Key], other: Rows, word: str) -> str:
    """The rows with these identities, a line each. A secret is shown as that, and as another one where it differs."""
    lines = []
    for key in sorted(rows):
        if key[: table.shared] not in keys:
            continue
        row, beside = rows[key], other.get(key)
        parts = []
        for name in row:
            if name in table.key:
                continue
            value = literal(row[name])
            if table.is_secret(row, name) and row[name]:
                same = beside is not None and same_password(row[name], beside.get(name))
                value = f"'{MASKED}'" if same else f"'{MASKED}' ({word})"
            parts.append(value if table.prefix else f"{name}={value}")
        lines.append(f"{table.option} {' '.join(key)} {' '.join(parts)}\n")
    return "".join(lines)
