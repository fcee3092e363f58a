# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server holds beside its GTID set: schemas, tables that a group cannot replicate, and whether its history accounts for its data.

Only an account that sees all schemas can tell, so each server is asked by its own host; the role gives what it saw to the modules on the other
hosts. A server that nobody looked at has no Data: that is never the same as one without data.

What can be proven: that the history does not account for the data. That it does cannot be: a statement with sql_log_bin=0 leaves no trace.

Private to this collection.
"""

from __future__ import annotations

import json
import os
import struct
import uuid
from typing import Any, Callable, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import format_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import Login, reason

# Runs one statement; the rows, every value as text.
Ask = Callable[[str], Sequence[Sequence[Any]]]

SHOWN = 10  # names in a sentence
NOT_ONE = "it has not one transaction with a GTID"
CLIENT_TIMEOUT = 120  # seconds: a server with many tables takes its time
LOOKED_AT = 50  # binary logs without a transaction after which nothing is known
_BINLOG_MAGIC = b"\xfebin"

_OWN_SCHEMAS = "'mysql', 'sys', 'information_schema', 'performance_schema', 'ndbinfo', 'mysql_innodb_cluster_metadata'"
_USER = f"NOT IN ({_OWN_SCHEMAS})"


def _tables(columns: str, condition: str) -> str:
    """A subquery: how many tables there are of a kind, and the first of them."""
    found = f"SELECT {columns} FROM {condition}"
    return (
        f"JSON_OBJECT('number', (SELECT COUNT(*) FROM ({found}) AS x), "
        f"'first', (SELECT JSON_ARRAYAGG(name) FROM ({found} ORDER BY name LIMIT {SHOWN}) AS y))"
    )


_ENGINES = _tables(
    "CONCAT(TABLE_SCHEMA, '.', TABLE_NAME, ' (', ENGINE, ')') AS name",
    f"information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND ENGINE <> 'InnoDB' AND TABLE_SCHEMA {_USER}",
)
# What the server takes for a primary key: one, or a unique key of columns that are whole and NOT NULL.
_KEYS = (
    f"SELECT DISTINCT TABLE_SCHEMA, TABLE_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA {_USER} "
    "GROUP BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME "
    "HAVING MAX(NON_UNIQUE) = 0 AND SUM(NULLABLE = 'YES') = 0 AND SUM(SUB_PART IS NOT NULL) = 0 AND SUM(COLUMN_NAME IS NULL) = 0"
)
_KEYLESS = _tables(
    "CONCAT(t.TABLE_SCHEMA, '.', t.TABLE_NAME) AS name",
    f"information_schema.TABLES AS t LEFT JOIN ({_KEYS}) AS k ON k.TABLE_SCHEMA = t.TABLE_SCHEMA AND k.TABLE_NAME = t.TABLE_NAME "
    f"WHERE t.TABLE_TYPE = 'BASE TABLE' AND t.ENGINE = 'InnoDB' AND t.TABLE_SCHEMA {_USER} AND k.TABLE_NAME IS NULL",
)
_CASCADES = _tables(
    "DISTINCT CONCAT(CONSTRAINT_SCHEMA, '.', TABLE_NAME) AS name",
    "information_schema.REFERENTIAL_CONSTRAINTS WHERE (UPDATE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT') "
    f"OR DELETE_RULE IN ('CASCADE', 'SET NULL', 'SET DEFAULT')) AND CONSTRAINT_SCHEMA {_USER}",
)
_SCHEMAS = (
    "SELECT JSON_ARRAYAGG(JSON_ARRAY(name, tables, number, bytes, changed)) FROM (SELECT s.SCHEMA_NAME AS name, COUNT(t.TABLE_NAME) AS tables, "
    "COALESCE(SUM(t.TABLE_ROWS), 0) AS number, COALESCE(SUM(t.DATA_LENGTH + t.INDEX_LENGTH), 0) AS bytes, "
    "DATE_FORMAT(MAX(GREATEST(t.CREATE_TIME, COALESCE(t.UPDATE_TIME, t.CREATE_TIME))), '%Y-%m-%d %H:%i') AS changed "
    "FROM information_schema.SCHEMATA AS s LEFT JOIN information_schema.TABLES AS t "
    "ON t.TABLE_SCHEMA = s.SCHEMA_NAME AND t.TABLE_TYPE = 'BASE TABLE' "
    f"WHERE s.SCHEMA_NAME {_USER} GROUP BY s.SCHEMA_NAME) AS x"
)
_CHANNELS = (
    "SELECT JSON_ARRAYAGG(JSON_ARRAY(c.CHANNEL_NAME, c.HOST, c.PORT)) FROM performance_schema.replication_connection_configuration AS c "
    "WHERE c.CHANNEL_NAME NOT IN ('group_replication_applier', 'group_replication_recovery')"
)
_LOOK = (
    f"SELECT JSON_OBJECT('schemas', ({_SCHEMAS}), 'other_engines', {_ENGINES}, 'without_key', {_KEYLESS}, 'cascading', {_CASCADES}, "
    f"'channels', ({_CHANNELS}), 'cluster_metadata', (SELECT COUNT(*) FROM information_schema.SCHEMATA "
    "WHERE SCHEMA_NAME = 'mysql_innodb_cluster_metadata'), 'gtid_executed', @@GLOBAL.gtid_executed, 'gtid_purged', @@GLOBAL.gtid_purged, "
    "'gtid_mode', @@GLOBAL.gtid_mode, 'log_bin', @@GLOBAL.log_bin, 'log_bin_basename', @@GLOBAL.log_bin_basename) AS seen"
)
# Views and routines that run with the rights of their caller need no definer.
_DEFINERS = _tables(
    "CONCAT(place, '.', object, ' (', definer, ')') AS name",
    "(SELECT TABLE_SCHEMA AS place, TABLE_NAME AS object, DEFINER AS definer FROM information_schema.VIEWS WHERE SECURITY_TYPE = 'DEFINER' "
    "UNION ALL SELECT ROUTINE_SCHEMA, ROUTINE_NAME, DEFINER FROM information_schema.ROUTINES WHERE SECURITY_TYPE = 'DEFINER' "
    "UNION ALL SELECT TRIGGER_SCHEMA, TRIGGER_NAME, DEFINER FROM information_schema.TRIGGERS "
    "UNION ALL SELECT EVENT_SCHEMA, EVENT_NAME, DEFINER FROM information_schema.EVENTS) AS o "
    f"WHERE place {_USER} AND definer NOT IN (SELECT CONCAT(User, '@', Host) FROM mysql.user)",
)
_EVENTS = _tables(
    "CONCAT(EVENT_SCHEMA, '.', EVENT_NAME) AS name",
    f"information_schema.EVENTS WHERE STATUS = 'ENABLED' AND EVENT_SCHEMA {_USER}",
)
_BRINGS = (
    "SELECT JSON_OBJECT('accounts', (SELECT JSON_ARRAYAGG(JSON_ARRAY(User, Host, account_locked = 'Y')) FROM mysql.user WHERE User IN (%s)), "
    f"'definers', {_DEFINERS}, 'events', {_EVENTS}) AS seen"
)
_OLDEST_TABLE = (
    "SELECT CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) AS name, UNIX_TIMESTAMP(CREATE_TIME) AS at FROM information_schema.TABLES "
    f"WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA {_USER} AND CREATE_TIME IS NOT NULL ORDER BY CREATE_TIME LIMIT 1"
)


def size(number: float) -> str:
    """Bytes for a sentence, in the unit that keeps the number short."""
    value = float(number)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


class Schema(NamedTuple):
    """A user's schema, by the server's own estimates."""

    name: str
    tables: int
    rows: int
    bytes: int
    changed: str  # by the server's clock, '' where it has no table

    def __str__(self) -> str:
        if not self.tables:
            return f"{self.name} (no tables)"
        return f"{self.name} (about {self.rows:,} rows, {size(self.bytes)}, last change {self.changed})"


class Tables(NamedTuple):
    """Tables of a kind: how many, and the first of them."""

    number: int = 0
    first: list[str] = []

    def __str__(self) -> str:
        more = self.number - len(self.first)
        return ", ".join(self.first) + (f" and {more} more" if more > 0 else "")


class Source(NamedTuple):
    """From whom a server replicates."""

    address: str
    channel: str  # '' is the default channel

    def __str__(self) -> str:
        return self.address + (f" (channel {self.channel})" if self.channel else "")


class Data(NamedTuple):
    """What a server holds."""

    schemas: list[Schema] = []
    other_engines: Tables = Tables()
    without_key: Tables = Tables()
    cascading: Tables = Tables()
    sources: list[Source] = []  # from whom it replicates, the group's own channels aside
    cluster_metadata: bool = False  # of an InnoDB Cluster
    history: str = ""  # why its GTID history does not account for its data; '' where nothing speaks against it
    proven: bool = False  # history is a proof, and no doubt

    def __str__(self) -> str:
        return ", ".join(map(str, self.schemas[:SHOWN])) + (
            f" and {len(self.schemas) - SHOWN} more" if len(self.schemas) > SHOWN else ""
        )

    def as_dict(self) -> dict[str, Any]:
        """As plain lists and dicts, for a module's answer."""
        return {
            **self._asdict(),
            "schemas": [item._asdict() for item in self.schemas],
            "sources": [item._asdict() for item in self.sources],
            **{name: getattr(self, name)._asdict() for name in ("other_engines", "without_key", "cascading")},
        }


def from_dict(given: Mapping[str, Any]) -> Data:
    """The Data of as_dict(); KeyError, TypeError or ValueError where it is none."""
    schemas = [
        Schema(str(s["name"]), int(s["tables"]), int(s["rows"]), int(s["bytes"]), str(s["changed"]))
        for s in given["schemas"]
    ]
    sources = [Source(str(s["address"]), str(s["channel"])) for s in given["sources"]]
    return Data(
        schemas, _counted(given["other_engines"]), _counted(given["without_key"]), _counted(given["cascading"]), sources,
        bool(given["cluster_metadata"]), str(given["history"]), bool(given["proven"]),
    )  # fmt: skip


class Logs(NamedTuple):
    """What the binary logs say."""

    oldest: str = ""
    created: int = 0  # seconds since 1970 when the oldest one was begun; 0 where that cannot be read
    begins: str = (
        ""  # the type of the first transaction's first event in the logs: Gtid, Anonymous_Gtid, '' without one
    )


def _counted(seen: Mapping[str, Any]) -> Tables:
    return Tables(int(seen["number"]), sorted(seen["first"] or []))


def look(ask: Ask, history: bool = True) -> Data:
    """What the server holds; raises what ask raises. history: look at its binary logs, too."""
    seen = json.loads(ask(_LOOK)[0][0])
    data = Data(
        schemas=sorted(Schema(s[0], int(s[1]), int(s[2]), int(s[3]), s[4] or "") for s in seen["schemas"] or []),
        other_engines=_counted(seen["other_engines"]),
        without_key=_counted(seen["without_key"]),
        cascading=_counted(seen["cascading"]),
        sources=[Source(format_address(str(host), int(port)), name) for name, host, port in seen["channels"] or []],
        cluster_metadata=bool(seen["cluster_metadata"]),
    )
    if not history or not data.schemas:
        return data
    logs = _logs(ask, str(seen["log_bin_basename"] or "")) if int(seen["log_bin"]) else Logs()
    oldest = ask(_OLDEST_TABLE)
    if seen["gtid_mode"] in ("OFF", "OFF_PERMISSIVE") and seen["gtid_executed"]:
        return data._replace(history=f"its gtid_mode is {seen['gtid_mode']}: what is written has no GTID", proven=True)
    why, proven = judge(
        str(seen["gtid_executed"]), str(seen["gtid_purged"]), logs, str(oldest[0][0]) if oldest else "",
        int(float(oldest[0][1])) if oldest else 0,
    )  # fmt: skip
    return data._replace(history=why, proven=proven)


def without_waiting(ask: Ask) -> str:
    """A statement for the session that asks, or '': with another consistency a member that is not ONLINE refuses every look at its tables (3796)."""
    found = ask(
        "SELECT COUNT(*) FROM performance_schema.global_variables WHERE VARIABLE_NAME = 'group_replication_consistency'"
    )
    return "SET SESSION group_replication_consistency = 'EVENTUAL'" if int(found[0][0]) else ""


def enabled_events(ask: Ask) -> Tables:
    """Events that the server executes where its event scheduler is on."""
    return _counted(json.loads(ask(f"SELECT {_EVENTS} AS seen")[0][0]))


def brings(ask: Ask, accounts: Iterable[str]) -> dict[str, Any]:
    """What else a server brings into a group: accounts of these names (user, host, locked), objects whose definer is no account, events."""
    names = ", ".join(f"X'{name.encode().hex()}'" for name in accounts) or "NULL"
    seen = json.loads(ask(_BRINGS % names)[0][0])
    return {
        "accounts": sorted([user, host, bool(locked)] for user, host, locked in seen["accounts"] or []),
        **{name: _counted(seen[name])._asdict() for name in ("definers", "events")},
    }


def seen_by_client(login: Login, accounts: Iterable[str] = ()) -> tuple[dict[str, Any] | None, str]:
    """(what the running server of this host holds or None, why that could not be seen); by the client program, where there is no PyMySQL yet."""

    def ask(statement: str) -> list[list[str]]:
        done = login.ask(statement, CLIENT_TIMEOUT, raw=True)
        if done.code != 0:
            raise OSError(reason(done))
        return [line.split("\t") for line in done.output.splitlines()]

    try:
        before = without_waiting(ask)

        def look_at(text: str) -> list[list[str]]:
            return ask(f"{before}; {text}" if before else text)

        return {**look(look_at).as_dict(), "brings": brings(look_at, accounts)}, ""
    except (OSError, ValueError, IndexError, KeyError, TypeError) as error:
        return None, str(error)


def judge(executed: str, purged: str, logs: Logs, oldest_table: str, table_created: int) -> tuple[str, bool]:
    """(why the history of a server with schemas does not account for them or '', whether that is proven)."""
    if not executed.strip():
        return NOT_ONE, True
    if purged.strip():
        return f"its binary logs no longer have {GtidSet(purged)}", True
    if logs.begins == "Anonymous_Gtid":
        return f"{logs.oldest} begins with transactions without a GTID", True
    if not logs.oldest:
        return "it has no binary log", False
    if oldest_table and logs.created and table_created < logs.created:
        return f"table {oldest_table} is older than its first binary log, {logs.oldest}", True
    if not logs.created:
        return f"it cannot be seen when its first binary log, {logs.oldest}, was begun", False
    return "", False


def _logs(ask: Ask, basename: str) -> Logs:
    names = [str(row[0]) for row in ask("SHOW BINARY LOGS")]
    if not names:
        return Logs()
    oldest = names[0]
    begins = ""
    for name in names[:LOOKED_AT]:
        kinds = [str(row[2]) for row in ask(f"SHOW BINLOG EVENTS IN '{name}' LIMIT 5") if len(row) > 2]
        begins = next((kind for kind in kinds if kind in ("Gtid", "Anonymous_Gtid", "Gtid_tagged")), "")
        if begins:
            break
    return Logs(oldest, _created(os.path.join(os.path.dirname(basename), oldest)), begins)


def _created(path: str) -> int:
    """When a binary log was begun: the time of its first event; 0 where this cannot be read (another host, an encrypted log)."""
    try:
        with open(path, "rb") as source:
            head = source.read(8)
    except OSError:
        return 0
    return int(struct.unpack("<I", head[4:])[0]) if len(head) == 8 and head.startswith(_BINLOG_MAGIC) else 0


def mark_of(server_uuid: str) -> str:
    """The transaction that stands for what the history of this server does not account for. It is in no binary log, and everybody who holds a
    copy of the server's data has it: MySQL itself sends nobody to the binary logs who lacks it."""
    return f"{uuid.uuid5(uuid.NAMESPACE_DNS, 'mysql-ha.distdb.' + server_uuid.lower())}:1"


def described(holders: Iterable[tuple[str, Data]]) -> str:
    """'db0:3306 has shop (about 10 rows, …); db1:3306 has …'."""
    return "; ".join(f"{name} has {data}" for name, data in holders)


ENGINE_STEP = "ALTER TABLE … ENGINE=InnoDB"
KEY_STEP = "ALTER TABLE … ADD PRIMARY KEY (…)"


def table_problems(data: Data, update_everywhere: bool) -> list[str]:
    """What a group would not replicate, and the statement that mends each kind."""
    found = []
    if data.other_engines.number:
        found.append(
            f"{data.other_engines.number} not of InnoDB: {data.other_engines} (ALTER TABLE … ENGINE=InnoDB makes each one InnoDB)"
        )
    if data.without_key.number:
        found.append(
            f"{data.without_key.number} without a primary key: {data.without_key} (ALTER TABLE … ADD PRIMARY KEY (…), or ALTER TABLE … ADD COLUMN "
            "my_row_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT INVISIBLE PRIMARY KEY FIRST)"
        )
    if data.cascading.number and update_everywhere:
        found.append(
            f"{data.cascading.number} with a foreign key that cascades: {data.cascading} (refused while "
            "group_replication_enforce_update_everywhere_checks is ON: let one member write, or make the keys ON DELETE RESTRICT)"
        )
    return found
