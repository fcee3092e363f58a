# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Port 6032: the admin interface. What is not one of ProxySQL's own commands is SQLite's business."""

from __future__ import annotations

import logging
import re
import sqlite3
import time

from mysql_mimic.types import ServerStatus

from . import VERSION, wire
from .store import CHECKSUMS, MODULES, PREFIXES, digest
from .wire import MysqlError

log = logging.getLogger(__name__)

LOAD_SAVE = re.compile(
    r"(LOAD|SAVE) ({}) (TO|FROM) (MEMORY|MEM|RUNTIME|RUN|DISK|CONFIG)".format("|".join((*MODULES, *PREFIXES))), re.I
)
MOVES = {
    ("LOAD", "FROM", "MEM"): "memory_to_runtime",
    ("LOAD", "TO", "RUN"): "memory_to_runtime",
    ("SAVE", "TO", "MEM"): "runtime_to_memory",
    ("SAVE", "FROM", "RUN"): "runtime_to_memory",
    ("LOAD", "TO", "MEM"): "disk_to_memory",
    ("LOAD", "FROM", "DIS"): "disk_to_memory",
    ("SAVE", "FROM", "MEM"): "memory_to_disk",
    ("SAVE", "TO", "DIS"): "memory_to_disk",
    ("LOAD", "FROM", "CON"): "config_to_memory",
}
LOADED_SERVERS = (
    "PROXY_SELECT hostgroup_id, hostname, port, gtid_port, status, weight, compression, max_connections, max_replication_lag, use_ssl,"
    " max_latency_ms, comment FROM mysql_servers_v2 WHERE status<>'OFFLINE_HARD' ORDER BY hostgroup_id, hostname, port"
)
ACCEPTED = re.compile(
    r"(BEGIN|START TRANSACTION|COMMIT|ROLLBACK|SET (CHARACTER_SET_RESULTS|SQL_AUTO_IS_NULL|NAMES|AUTOCOMMIT)\b|USE |/\*!40101 SET)",
    re.I,
)
CHECKSUM = re.compile(
    r"CHECKSUM (?:(DISK|MEMORY|MEM) )?MYSQL (SERVERS|USERS|QUERY RULES|VARIABLES|REPLICATION HOSTGROUPS|"
    r"GROUP REPLICATION HOSTGROUPS|HOSTGROUP ATTRIBUTES|SERVERS SSL PARAMS)",
    re.I,
)
TABLES = (
    "SELECT name AS tables FROM %ssqlite_master WHERE type='table' AND name NOT IN ('sqlite_sequence')%s ORDER BY name"
)
VARIABLES = "SELECT variable_name AS Variable_name, variable_value AS Value FROM global_variables WHERE %s"
# Commands that are a query in other words: (pattern, query); groups are passed on.
REWRITES = [
    (re.compile(pattern + r"\Z", re.I | re.S), query)
    for pattern, query in (
        (r"SELECT @@version_comment LIMIT 1", "SELECT '(ProxySQL Admin Module)'"),
        (r"SELECT @@version.*", f"SELECT '{VERSION}' AS '@@version'"),
        (r"SELECT version\(\).*", f"SELECT '{VERSION}' AS 'version()'"),
        (r"PROXY_SELECT (.* FROM runtime_.*)", r"SELECT \1"),  # as members of a ProxySQL cluster ask one another
        (r"SELECT DATABASE\(\)", "SELECT 'admin' AS 'DATABASE()'"),
        (r"SELECT connection_id\(\).*", "SELECT 0 AS 'CONNECTION_ID()'"),
        (r"SELECT @@sql_mode.*", "SELECT '' AS '@@sql_mode'"),
        (
            r"SELECT @@max_allowed_packet",
            "SELECT variable_value AS '@@max_allowed_packet' FROM global_variables"
            " WHERE variable_name='mysql-max_allowed_packet'",
        ),
        (
            r"SELECT @@([\w-]+)",
            r"SELECT variable_value AS '@@\1' FROM global_variables WHERE variable_name='\1' COLLATE NOCASE",
        ),
        (r"SHOW TABLES", TABLES % ("", "")),
        (r"SHOW TABLES (?:FROM|IN) (\w+)", TABLES % (r"\1.", "")),
        (r"SHOW TABLES LIKE ('[^']*')", TABLES % ("", r" AND name LIKE \1")),
        (r"SHOW (?:DATABASES|SCHEMAS)", "PRAGMA database_list"),
        (r"SHOW MYSQL USERS", "SELECT * FROM mysql_users ORDER BY username, active DESC"),
        (r"SHOW MYSQL SERVERS", "SELECT * FROM mysql_servers ORDER BY hostgroup_id, hostname, port"),
        (r"SHOW (?:GLOBAL |ALL )?VARIABLES", VARIABLES % "1 ORDER BY variable_name"),
        (r"SHOW (MYSQL|ADMIN) VARIABLES", VARIABLES % r"variable_name LIKE '\1-%%' ORDER BY variable_name"),
        (r"SHOW GLOBAL VARIABLES LIKE 'version'", f"SELECT 'version' AS Variable_name, '{VERSION}' AS Value"),
        (
            r"SHOW GLOBAL VARIABLES LIKE 'read_only'",
            "SELECT 'read_only' Variable_name, variable_value Value FROM global_variables"
            " WHERE variable_name='admin-read_only'",
        ),
        (r"SHOW (?:GLOBAL )?VARIABLES LIKE (.*)", VARIABLES % r"variable_name LIKE \1"),
        (r"SHOW (?:GLOBAL )?VARIABLES WHERE (.*)", VARIABLES % r"\1"),
    )
]
RESTRICTED = re.compile(r"^\s*(PRAGMA|ATTACH|DETACH|VACUUM)\b", re.I)


class Admin:
    """Executes admin statements; one for all sessions."""

    def __init__(self, store, hostgroups, monitor, traffic, tls):
        self.store, self.hostgroups, self.monitor, self.traffic = store, hostgroups, monitor, traffic
        self.tls = tls
        self.db = store.db
        self.started = time.time()
        hostgroups.on_commit = self._servers_changed
        store.on_load.update(
            {
                "MYSQL SERVERS": self._load_servers,
                "MYSQL USERS": traffic.load_users,
                "MYSQL QUERY RULES": traffic.load_rules,
                "MYSQL VARIABLES": monitor.wake.set,
            }
        )
        for module in (
            "ADMIN VARIABLES",
            "MYSQL VARIABLES",
            "PGSQL VARIABLES",
            "MYSQL USERS",
            "MYSQL QUERY RULES",
            "MYSQL SERVERS",
            "PROXYSQL SERVERS",
            "SCHEDULER",
        ):
            store.memory_to_runtime(module)

    def _load_servers(self):
        self.store.load_server_tls()
        self.hostgroups.load(
            self.db.execute("SELECT * FROM main.mysql_servers").fetchall(),
            self.db.execute("SELECT * FROM main.runtime_mysql_group_replication_hostgroups").fetchall(),
        )

    def _servers_changed(self, counted: bool):
        rows = [
            ("ONLINE" if field == "SHUNNED" else field for field in row)
            for row in self.hostgroups.rows()
            if row[4] != "OFFLINE_HARD"
        ]
        self.store.set_checksum("mysql_servers", [tuple(row) for row in rows], counted)

    # --- tables that are filled when asked for -------------------------------------------------------------------

    def _refresh(self, sql: str):
        low = sql.lower()
        if "runtime_mysql_servers" in low:
            self._fill("main.runtime_mysql_servers", self.hostgroups.rows())
        if "runtime_checksums_values" in low:
            self._fill(
                "main.runtime_checksums_values", [(name, *entry) for name, entry in self.store.checksums.items()]
            )
        if "mysql_server_group_replication_log" in low:
            self._fill("monitor.mysql_server_group_replication_log", self.monitor.group_log_rows())
        if "stats_mysql_connection_pool" in low:
            reset = "stats_mysql_connection_pool_reset" in low
            self._fill("stats.stats_mysql_connection_pool" + "_reset" * reset, self.hostgroups.pool_rows(reset))
        if "stats_mysql_query_digest" in low:
            rows = [(*key[:4], digest([key]), key[4], *entry, 0, 0) for key, entry in self.traffic.digests.items()]
            reset = "stats_mysql_query_digest_reset" in low
            self._fill("stats.stats_mysql_query_digest" + "_reset" * reset, rows)
            if reset:
                self.traffic.digests.clear()
        if "stats_mysql_query_rules" in low:
            self._fill(
                "stats.stats_mysql_query_rules",
                [(r["rule_id"], self.traffic.hits.get(r["rule_id"], 0)) for r in self.traffic.rules],
            )
        if "stats_mysql_users" in low:
            names = [s.user for s in self.traffic.sessions]
            self._fill(
                "stats.stats_mysql_users",
                [(u, names.count(u), d["max_connections"]) for u, d in sorted(self.traffic.users.items())],
            )
        if "stats_mysql_global" in low:
            servers = self.hostgroups.servers.values()
            self._fill(
                "stats.stats_mysql_global",
                [
                    ("ProxySQL_Uptime", int(time.time() - self.started)),
                    ("Client_Connections_connected", len(self.traffic.sessions)),
                    ("Server_Connections_connected", sum(len(s.used) + len(s.free) for s in servers)),
                    ("Server_Connections_created", sum(s.connects for s in servers)),
                    ("Questions", sum(d[0] for d in self.traffic.digests.values())),
                ],
            )

    def _fill(self, table: str, rows: list):
        self.db.execute("DELETE FROM " + table)
        if rows:
            self.db.executemany(
                "INSERT OR REPLACE INTO {} VALUES ({})".format(table, ",".join("?" * len(rows[0]))), rows
            )

    # --- statements ----------------------------------------------------------------------------------------------

    def execute(self, text: str, session):
        """Returns (names, rows) for a result set, (affected rows, message) for OK; raises MysqlError."""
        sql = text.strip().rstrip("; \t\r\n")
        plain = re.sub(r"\s+", " ", sql)
        writer = session.writes and not self.store.flag("admin-read_only")
        if ACCEPTED.match(plain):
            return 0, ""
        if plain.lower() in ("select user()", "select current_user()"):
            return [plain.split(" ")[1].lower()], [(f"{session.user}@{session.address}",)]
        if session.writes:
            result = self._command(plain)
            if result is not None:
                return result
        if re.match(r"SET ", plain, re.I):
            return self._set(plain)
        for pattern, query in REWRITES:
            match = pattern.match(plain)
            if match:
                sql = match.expand(query) if match.groups() else query
                break
        return self._sqlite(sql, writer, session.writes)

    def _command(self, plain: str):
        match = LOAD_SAVE.fullmatch(plain)
        move = match and MOVES.get((match[1].upper(), match[3].upper(), match[4].upper()[:3]))
        if move:
            module = match[2].upper()
            log.info("Received %s command", plain)
            if move == "config_to_memory" and not self.store.config:
                raise MysqlError("Config file unknown")
            if move == "runtime_to_memory" and module == "MYSQL SERVERS":
                self._refresh("runtime_mysql_servers")
            return getattr(self.store, move)(module), ""
        if plain.upper() == "PROXYSQL RELOAD TLS":
            problem = self.tls.load()
            if problem:
                raise MysqlError(f"ProxySQL Admin Error: {problem}")
            return 0, ""
        if plain == LOADED_SERVERS:
            return [
                name.split()[-1] for name in LOADED_SERVERS.partition(" FROM ")[0].split(",")
            ], self.store.loaded_servers
        match = CHECKSUM.fullmatch(plain)
        if match:
            layer, what = "disk" if (match[1] or "").upper() == "DISK" else "main", match[2].upper()
            source = (
                "global_variables WHERE variable_name LIKE 'mysql-%'"
                if what == "VARIABLES"
                else "mysql_" + what.lower().replace(" ", "_")
            )
            rows = self.db.execute(f"SELECT * FROM {layer}.{source} ORDER BY 1, 2")
            return ["table", "checksum"], [("MYSQL " + what, digest(rows.fetchall()))]
        if re.fullmatch(r"SELECT GLOBAL_CHECKSUM\(\)", plain, re.I):
            return ["CHECKSUM"], [(str(int(digest([v for v in self.store.checksums.values() if v[0]]), 16)),)]
        match = re.fullmatch(r"PROXYSQL READ(ONLY|WRITE)", plain, re.I)
        if match:
            self.store.values["admin-read_only"] = "true" if match[1].upper() == "ONLY" else "false"
            return 0, ""
        if re.fullmatch(r"PROXYSQL (FLUSH (LOGS|QUERY CACHE)|PAUSE|RESUME)", plain, re.I):
            return 0, ""
        if re.fullmatch(r"PROXYSQL (SHUTDOWN|KILL)( SLOW)?", plain, re.I):
            raise SystemExit(0)
        match = re.fullmatch(r"SHOW CREATE TABLE (?:(\w+)\.)?(\w+)", plain, re.I)
        if match:
            rows = self.db.execute(
                "SELECT name, sql FROM %s.sqlite_master WHERE type='table' AND name=?" % (match[1] or "main"),
                (match[2],),
            ).fetchall()
            return ["table", "Create Table"], rows
        return None

    def _set(self, plain: str):
        match = re.fullmatch(r"SET (?:GLOBAL )?[`'\"]?([\w-]+)[`'\"]?\s*=\s*(.*)", plain, re.I)
        if not match:
            raise MysqlError('ProxySQL Admin Error: near "{}": syntax error'.format(plain.split(" ")[0]))
        value = match[2].strip()
        if len(value) > 1 and value[0] in "'\"" and value[-1] == value[0]:
            value = value[1:-1]
        if match[1].lower() not in self.store.variables:
            return 0, f"ERROR: Unknown global variable: '{match[1]}'."
        return self.db.execute(
            "UPDATE main.global_variables SET variable_value=? WHERE variable_name=? COLLATE NOCASE", (value, match[1])
        ).rowcount, ""

    def _sqlite(self, sql: str, writer: bool, unrestricted: bool):
        if not unrestricted and RESTRICTED.match(sql):
            raise MysqlError("ProxySQL Admin Error: Command not allowed")
        if not sql:
            raise MysqlError("ProxySQL Admin Error: not an error")
        self._refresh(sql)
        self.db.execute(f"PRAGMA query_only={int(not writer)}")
        try:
            cursor = self.db.execute(self._first(sql))
            if cursor.description is None:
                return cursor.rowcount if cursor.rowcount > 0 else 0, ""
            return [d[0] for d in cursor.description], [
                tuple(
                    None
                    if v is None
                    else v
                    if isinstance(v, str)
                    else v.decode("utf-8", "replace")
                    if isinstance(v, bytes)
                    else str(v)
                    for v in row
                )
                for row in cursor
            ]
        except (sqlite3.Error, sqlite3.Warning) as e:
            raise MysqlError(f"ProxySQL Admin Error: {e}") from None
        finally:
            self.db.execute("PRAGMA query_only=0")

    @staticmethod
    def _first(sql: str) -> str:
        """Only the first of several statements runs."""
        for match in re.finditer(";", sql):
            if sqlite3.complete_statement(sql[: match.end()]):
                return sql[: match.end()]
        return sql


class AdminSession(wire.Client):
    def __init__(self, reader, writer, admin: Admin):
        super().__init__(reader, writer, admin.store.values["mysql-server_version"], wire.NATIVE, admin.tls.context)
        self.admin = admin
        self.writes = False

    def password_of(self, user):
        """admin-admin_credentials as loaded to runtime."""
        for variable, writes in (("admin-admin_credentials", True), ("admin-stats_credentials", False)):
            for pair in self.admin.store.values[variable].split(";"):
                name, colon, password = pair.partition(":")
                if colon and name == user:
                    self.writes = writes
                    return password
        return None

    def refusal(self, user):
        local = self.address in ("127.0.0.1", "localhost", "::1")
        return (
            None if local or user != "admin" else MysqlError(f"User '{user}' can only connect locally", 1040, "42000")
        )

    async def command(self, number: int, payload: bytes):
        # By this client libraries know that a quote in a text is doubled: SQLite has no backslash. Not before the first answer, as there.
        self.status |= ServerStatus.SERVER_STATUS_NO_BACKSLASH_ESCAPES
        if number == wire.COM_INIT_DB:
            await self.ok()
        elif number == wire.COM_SET_OPTION:
            await self.eof()
        elif number == wire.COM_QUERY:
            first, second = self.admin.execute(payload[1:].decode("utf-8", "replace"), self)
            if isinstance(first, int):
                await self.ok(first, second)
            else:
                await self.table(first, [[v if v is None else str(v).encode() for v in row] for row in second])
        else:
            raise MysqlError("Command not supported")


assert set(CHECKSUMS) <= {*MODULES, *PREFIXES}
