# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration in three layers: memory (main), runtime (main.runtime_*), disk, and what moves rows between them."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import sqlite3
import time
from pathlib import Path
from pkgutil import get_data

from . import VERSION

log = logging.getLogger(__name__)

# Tables of each module of LOAD and SAVE; the variables modules share global_variables and are told apart by prefix.
MODULES = {
    "MYSQL SERVERS": (
        "mysql_servers",
        "mysql_replication_hostgroups",
        "mysql_group_replication_hostgroups",
        "mysql_galera_hostgroups",
        "mysql_aws_aurora_hostgroups",
        "mysql_hostgroup_attributes",
        "mysql_servers_ssl_params",
    ),
    "MYSQL USERS": ("mysql_users",),
    "MYSQL QUERY RULES": ("mysql_query_rules", "mysql_query_rules_fast_routing"),
    "PROXYSQL SERVERS": ("proxysql_servers",),
    "SCHEDULER": ("scheduler",),
    "RESTAPI": ("restapi_routes",),
    "MYSQL FIREWALL": (
        "mysql_firewall_whitelist_users",
        "mysql_firewall_whitelist_rules",
        "mysql_firewall_whitelist_sqli_fingerprints",
    ),
}
PREFIXES = {"MYSQL VARIABLES": "mysql-", "ADMIN VARIABLES": "admin-", "PGSQL VARIABLES": "pgsql-"}
CHECKSUMS = {
    "ADMIN VARIABLES": "admin_variables",
    "MYSQL QUERY RULES": "mysql_query_rules",
    "MYSQL SERVERS": "mysql_servers",
    "MYSQL USERS": "mysql_users",
    "MYSQL VARIABLES": "mysql_variables",
    "PROXYSQL SERVERS": "proxysql_servers",
}
NOT_CHECKSUMMED = (
    "admin-mysql_ifaces",
    "admin-pgsql_ifaces",
    "admin-restapi_port",
    "admin-telnet_admin_ifaces",
    "admin-telnet_stats_ifaces",
    "admin-web_port",
    "mysql-threads",
    "mysql-interfaces",
)
# A hostgroup row whose writer is another row's reader, backup writer or offline hostgroup is left out of runtime.
GR_COMPATIBLE = """SELECT * FROM main.mysql_group_replication_hostgroups a WHERE NOT EXISTS (SELECT 1 FROM main.mysql_group_replication_hostgroups b
    WHERE a.writer_hostgroup IN (b.reader_hostgroup, b.backup_writer_hostgroup, b.offline_hostgroup)) ORDER BY writer_hostgroup"""
AT_START = ("mysql-interfaces", "mysql-threads", "pgsql-interfaces")  # a LOAD puts the old value back
RESET = (
    "stats_mysql_connection_pool",
    "stats_mysql_query_digest",
    "stats_mysql_errors",
    "stats_mysql_client_host_cache",
    "stats_proxysql_message_metrics",
)
RUNTIME_ROWS = {
    "mysql_group_replication_hostgroups": GR_COMPATIBLE,
    "mysql_query_rules": "SELECT * FROM main.mysql_query_rules WHERE active=1 ORDER BY rule_id",
    "scheduler": "SELECT * FROM main.scheduler WHERE active=1",
}


def digest(rows) -> str:
    """64 bits as ProxySQL writes them; zero for no rows. The hash function is ours."""
    rows = list(rows)
    value = int.from_bytes(hashlib.blake2b(repr(rows).encode(), digest_size=8).digest(), "big") if rows else 0
    return f"0x{value:016X}"


def read_variables() -> dict:
    """{lower-case name: (name, kind, default)}"""
    table = {}
    for line in get_data(__package__, "variables.tsv").decode().splitlines():
        if line and not line.startswith("#"):
            name, kind, default = line.split("\t")
            table[name.lower()] = (name, kind, default)
    table["admin-version"] = ("admin-version", "text", VERSION)
    return table


def read_config(path) -> dict:
    """admin_variables, mysql_variables and pgsql_variables of a proxysql.cnf; other sections are not read."""
    found = {}
    text = re.sub(r"^\s*#.*$", "", Path(path).read_text(encoding="utf-8"), flags=re.M)
    for prefix in ("admin", "mysql", "pgsql"):
        for section in re.findall(prefix + r"_variables\s*=\s*\{(.*?)\}", text, re.S):
            for name, quoted, bare in re.findall(r'(\w+)\s*=\s*(?:"([^"]*)"|([\w.]+))', section):
                found[prefix + "-" + name] = quoted or bare
    return found


class Store:
    def __init__(self, datadir: str, config: str | None = None, initial: bool = False):
        self.variables = read_variables()
        self.values: dict[str, str] = {}  # variables at runtime
        self.on_load = {}  # module -> called after its rows are at runtime
        self.checksums = {name: [0, 0, digest(())] for name in (*CHECKSUMS.values(), "mysql_servers_v2")}
        self.config = config
        self.loaded_servers: list = []  # main.mysql_servers at its last LOAD
        self.server_tls: dict = {}  # (host, port, user) -> runtime_mysql_servers_ssl_params
        path = os.path.join(datadir, "proxysql.db")
        if initial and os.path.exists(path):
            os.rename(path, path + ".bak")
        fresh = not os.path.exists(path)
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        for name, file in (("disk", path), ("stats", ":memory:"), ("monitor", ":memory:")):
            self.db.execute("ATTACH DATABASE ? AS " + name, (file,))
        self.db.execute("PRAGMA disk.synchronous=OFF")
        self._make_tables()
        if not fresh:
            for module in (*MODULES, *PREFIXES):
                self.disk_to_memory(module)
        values = {name: default for name, _kind, default in self.variables.values()}
        if fresh and config and os.path.exists(config):
            values.update(read_config(config))
        self.db.executemany("INSERT OR IGNORE INTO main.global_variables VALUES (?, ?)", sorted(values.items()))
        self.db.execute("INSERT OR REPLACE INTO main.global_variables VALUES ('admin-version', ?)", (VERSION,))
        if fresh:
            for module in PREFIXES:
                self.memory_to_disk(module)

    def _make_tables(self):
        layer = ""
        for chunk in re.split(r"^(?=CREATE|-- layer)", get_data(__package__, "tables.sql").decode(), flags=re.M):
            if chunk.startswith("-- layer"):
                layer = chunk.split(":")[1].strip()
                continue
            if not chunk.startswith("CREATE"):
                continue
            name = chunk.split()[2]
            ddl = "CREATE TABLE IF NOT EXISTS %s" + chunk[len("CREATE TABLE ") + len(name) :]
            if layer == "main":
                self.db.execute(ddl % ("main." + name))
                if name not in ("coredump_filters", "runtime_checksums_values"):
                    self.db.execute(ddl % ("disk." + name))
                if name not in ("mysql_collations", "runtime_checksums_values"):
                    self.db.execute(ddl % ("main.runtime_" + name))
            else:
                self.db.execute(ddl % (layer.split()[0] + "." + name))
                if name in RESET:
                    self.db.execute(ddl % ("stats." + name + "_reset"))

    # --- LOAD and SAVE -------------------------------------------------------------------------------------------

    def _copy(self, module: str, source: str, target: str) -> int:
        if module in PREFIXES:
            return self.db.execute(
                f"INSERT OR REPLACE INTO {target}.global_variables SELECT * FROM {source}.global_variables"
                " WHERE variable_name LIKE ?",
                (PREFIXES[module] + "%",),
            ).rowcount
        for table in MODULES[module]:
            self.db.execute(f"DELETE FROM {target}.{table}")
            try:
                self.db.execute(f"INSERT INTO {target}.{table} SELECT * FROM {source}.{table}")
            except sqlite3.Error as error:
                log.error("%s.%s is empty now: %s", target, table, error)  # as ProxySQL, which answers OK nevertheless
        return 0

    def disk_to_memory(self, module: str) -> int:
        return self._copy(module, "disk", "main")

    def memory_to_disk(self, module: str) -> int:
        return self._copy(module, "main", "disk")

    def config_to_memory(self, module: str) -> int:
        prefix = PREFIXES.get(module)
        rows = [r for r in read_config(self.config).items() if prefix and r[0].startswith(prefix)]
        self.db.executemany("INSERT OR REPLACE INTO main.global_variables VALUES (?, ?)", rows)
        return len(rows)

    def memory_to_runtime(self, module: str) -> int:
        if module in PREFIXES:
            self._load_variables(PREFIXES[module])
            rows = [
                r
                for r in sorted(self.values.items())
                if r[0].startswith(PREFIXES[module]) and r[0] not in NOT_CHECKSUMMED
            ]
        elif module == "MYSQL USERS":
            rows = self._load_users()
        else:
            if module == "MYSQL SERVERS":
                self._warn_incompatible()
            rows = []
            for table in MODULES[module]:
                if table == "mysql_servers":
                    continue  # placed by hostgroups.py, which may move rows later
                self.db.execute("DELETE FROM main.runtime_" + table)
                self.db.execute(
                    "INSERT INTO main.runtime_{} {}".format(
                        table, RUNTIME_ROWS.get(table, "SELECT * FROM main." + table)
                    )
                )
                rows += self.db.execute("SELECT * FROM main.runtime_" + table).fetchall()
        if module == "MYSQL SERVERS":
            rows_of_servers = self.db.execute(
                "SELECT * FROM main.mysql_servers WHERE status<>'OFFLINE_HARD' ORDER BY 1, 2, 3"
            )
            self.loaded_servers = [
                tuple("ONLINE" if value == "SHUNNED" else value for value in row) for row in rows_of_servers
            ]
            self.set_checksum("mysql_servers_v2", self.servers() + rows)
        elif module in CHECKSUMS:
            self.set_checksum(CHECKSUMS[module], rows)
        if module in self.on_load:
            self.on_load[module]()
        return 0

    def runtime_to_memory(self, module: str) -> int:
        if module in PREFIXES:
            for name, value in self.values.items():
                if name.startswith(PREFIXES[module]):
                    self.db.execute("INSERT OR REPLACE INTO main.global_variables VALUES (?, ?)", (name, value))
            return 0
        for table in MODULES[module]:
            keep = (
                " WHERE active=1" if table in ("mysql_users", "scheduler", "mysql_query_rules") else ""
            )  # inactive rows are in memory only
            self.db.execute("DELETE FROM main." + table + (keep if table == "mysql_users" else ""))
            self.db.execute(f"INSERT OR REPLACE INTO main.{table} SELECT * FROM main.runtime_{table}")
        if module == "MYSQL SERVERS":
            self.db.execute("UPDATE main.mysql_servers SET status='ONLINE' WHERE status='SHUNNED'")
        return 0

    # --- parts of LOAD … TO RUNTIME ------------------------------------------------------------------------------

    def servers(self) -> list:
        """main.mysql_servers as the checksum sees it: a shunned server counts as ONLINE, an OFFLINE_HARD one not at all."""
        return self.db.execute(
            "SELECT hostgroup_id, hostname, port, gtid_port, CASE UPPER(status) WHEN 'SHUNNED' THEN 'ONLINE' ELSE UPPER(status) END,"
            " weight, compression, max_connections, max_replication_lag, use_ssl, max_latency_ms, comment"
            " FROM main.mysql_servers WHERE UPPER(status)<>'OFFLINE_HARD' ORDER BY 1, 2, 3"
        ).fetchall()

    def load_server_tls(self):
        """Kept beside the table: connections are made in threads of their own."""
        cursor = self.db.execute("SELECT * FROM main.runtime_mysql_servers_ssl_params")
        names = [column[0] for column in cursor.description]
        self.server_tls = {row[:3]: dict(zip(names, row)) for row in cursor}

    def _warn_incompatible(self):
        kept = {row[0] for row in self.db.execute(GR_COMPATIBLE)}
        for row in self.db.execute(
            "SELECT writer_hostgroup, backup_writer_hostgroup, reader_hostgroup, offline_hostgroup"
            " FROM main.mysql_group_replication_hostgroups"
        ):
            if row[0] not in kept:
                log.error(
                    "Row left out, its writer hostgroup is used by another row: mysql_group_replication_hostgroups %s",
                    row,
                )

    def _load_users(self) -> list:
        """At runtime every user is two rows, one towards clients and one towards servers, and inactive ones are absent."""
        self.db.execute("DELETE FROM main.runtime_mysql_users")
        for side, columns in (("frontend", "0, 1"), ("backend", "1, 0")):  # values of the columns backend, frontend
            self.db.execute(
                "INSERT INTO main.runtime_mysql_users SELECT username, password, active, use_ssl, default_hostgroup, IFNULL(default_schema,''),"
                f" schema_locked, transaction_persistent, fast_forward, {columns}, max_connections, attributes, comment FROM main.mysql_users"
                f" WHERE active=1 AND {side}=1 ORDER BY username"
            )
        return self.db.execute("SELECT * FROM main.runtime_mysql_users").fetchall()

    def _load_variables(self, prefix: str):
        """A value that is not allowed is put back in memory, an unknown variable is removed from it, as ProxySQL does."""
        for name, value in self.db.execute(
            "SELECT * FROM main.global_variables WHERE variable_name LIKE ?", (prefix + "%",)
        ).fetchall():
            known = self.variables.get(name.lower())
            if known is None:
                log.warning("Unknown variable %s removed", name)
                self.db.execute("DELETE FROM main.global_variables WHERE variable_name=?", (name,))
                continue
            value, kind = str(value), known[1]
            if kind == "bool":
                good = {"true": "true", "1": "true", "false": "false", "0": "false"}.get(value.lower())
            elif ".." in kind:
                low, high = kind.split("..")
                good = value if re.fullmatch(r"-?\d+", value) and int(low) <= int(value) <= int(high) else None
            else:
                good = value
            if name in AT_START and value != self.values.get(name, value):
                good = None
            if good is None:
                good = self.values.get(name, known[2])
                log.warning("Impossible to set variable %s with value %s, back to %s", name, value, good)
                self.db.execute("UPDATE main.global_variables SET variable_value=? WHERE variable_name=?", (good, name))
            self.values[name] = good
        self.values["admin-version"] = VERSION
        self.db.execute("DELETE FROM main.runtime_global_variables WHERE variable_name LIKE ?", (prefix + "%",))
        self.db.executemany(
            "INSERT INTO main.runtime_global_variables VALUES (?, ?)",
            [r for r in sorted(self.values.items()) if r[0].startswith(prefix)],
        )

    def set_checksum(self, name: str, rows, count: bool = True):
        entry = self.checksums[name]
        entry[:] = [entry[0] + bool(count), int(time.time()), digest(rows)]

    # --- values at runtime ---------------------------------------------------------------------------------------

    def number(self, name: str) -> int:
        return int(self.values[name])

    def flag(self, name: str) -> bool:
        return self.values[name] == "true"
