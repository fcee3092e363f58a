# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ProxySQL's admin interface for the unit tests: its tables and constraints in SQLite, its layers, LOAD and SAVE.

It takes the statements that the module really sends. The stand-in under lab/ and a real ProxySQL are asked elsewhere.
"""

from __future__ import annotations

import sqlite3

from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql import carry_out as engine
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql import read
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import AdminError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import (
    GROUP_TABLE,
    LOAD,
    SAVE,
    SERVER_TABLE,
    Group,
    Server,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.parts import GroupsPart, Layers

# As in lib/ProxySQL_Admin.cpp of ProxySQL 2.7.1.
SERVERS = """CREATE TABLE {0} (hostgroup_id INT CHECK (hostgroup_id>=0) NOT NULL DEFAULT 0 , hostname VARCHAR NOT NULL ,
 port INT CHECK (port >= 0 AND port <= 65535) NOT NULL DEFAULT 3306 ,
 gtid_port INT CHECK ((gtid_port <> port OR gtid_port=0) AND gtid_port >= 0 AND gtid_port <= 65535) NOT NULL DEFAULT 0 ,
 status VARCHAR CHECK (UPPER(status) IN ('ONLINE','SHUNNED','OFFLINE_SOFT', 'OFFLINE_HARD')) NOT NULL DEFAULT 'ONLINE' ,
 weight INT CHECK (weight >= 0 AND weight <=10000000) NOT NULL DEFAULT 1 , compression INT CHECK (compression IN(0,1)) NOT NULL DEFAULT 0 ,
 max_connections INT CHECK (max_connections >=0) NOT NULL DEFAULT 1000 ,
 max_replication_lag INT CHECK (max_replication_lag >= 0 AND max_replication_lag <= 126144000) NOT NULL DEFAULT 0 ,
 use_ssl INT CHECK (use_ssl IN(0,1)) NOT NULL DEFAULT 0 , max_latency_ms INT UNSIGNED CHECK (max_latency_ms>=0) NOT NULL DEFAULT 0 ,
 comment VARCHAR NOT NULL DEFAULT '' , PRIMARY KEY (hostgroup_id, hostname, port) )"""
GROUPS = """CREATE TABLE {0} (writer_hostgroup INT CHECK (writer_hostgroup>=0) NOT NULL PRIMARY KEY ,
 backup_writer_hostgroup INT CHECK (backup_writer_hostgroup>=0 AND backup_writer_hostgroup<>writer_hostgroup) NOT NULL ,
 reader_hostgroup INT NOT NULL CHECK (reader_hostgroup<>writer_hostgroup AND backup_writer_hostgroup<>reader_hostgroup AND reader_hostgroup>0) ,
 offline_hostgroup INT NOT NULL CHECK (offline_hostgroup<>writer_hostgroup AND offline_hostgroup<>reader_hostgroup
 AND backup_writer_hostgroup<>offline_hostgroup AND offline_hostgroup>=0) , active INT CHECK (active IN (0,1)) NOT NULL DEFAULT 1 ,
 max_writers INT NOT NULL CHECK (max_writers >= 0) DEFAULT 1 ,
 writer_is_also_reader INT CHECK (writer_is_also_reader IN (0,1,2)) NOT NULL DEFAULT 0 ,
 max_transactions_behind INT CHECK (max_transactions_behind>=0) NOT NULL DEFAULT 0 , comment VARCHAR ,
 UNIQUE (reader_hostgroup) , UNIQUE (offline_hostgroup) , UNIQUE (backup_writer_hostgroup))"""
USERS = """CREATE TABLE {0} (username VARCHAR NOT NULL, password VARCHAR, active INT CHECK (active IN (0,1)) NOT NULL DEFAULT 1,
 use_ssl INT CHECK (use_ssl IN (0,1)) NOT NULL DEFAULT 0, default_hostgroup INT NOT NULL DEFAULT 0, default_schema VARCHAR,
 schema_locked INT CHECK (schema_locked IN (0,1)) NOT NULL DEFAULT 0,
 transaction_persistent INT CHECK (transaction_persistent IN (0,1)) NOT NULL DEFAULT 1,
 fast_forward INT CHECK (fast_forward IN (0,1)) NOT NULL DEFAULT 0, backend INT CHECK (backend IN (0,1)) NOT NULL DEFAULT 1,
 frontend INT CHECK (frontend IN (0,1)) NOT NULL DEFAULT 1, max_connections INT CHECK (max_connections >=0) NOT NULL DEFAULT 10000,
 attributes VARCHAR NOT NULL DEFAULT '', comment VARCHAR NOT NULL DEFAULT '', PRIMARY KEY (username, backend), UNIQUE (username, frontend))"""
RULES = """CREATE TABLE {0} (rule_id INTEGER PRIMARY KEY NOT NULL, active INT CHECK (active IN (0,1)) NOT NULL DEFAULT 0, username VARCHAR,
 match_digest VARCHAR, destination_hostgroup INT DEFAULT NULL, apply INT CHECK(apply IN (0,1)) NOT NULL DEFAULT 0, comment VARCHAR)"""
PEERS = """CREATE TABLE {0} (hostname VARCHAR NOT NULL, port INT NOT NULL DEFAULT 6032, weight INT CHECK (weight >= 0) NOT NULL DEFAULT 0,
 comment VARCHAR NOT NULL DEFAULT '', PRIMARY KEY (hostname, port))"""
TLS_TABLE = "mysql_servers_ssl_params"
TLS = """CREATE TABLE {0} (hostname VARCHAR NOT NULL, port INT CHECK (port >= 0 AND port <= 65535) NOT NULL DEFAULT 3306,
 username VARCHAR NOT NULL DEFAULT '', ssl_ca VARCHAR NOT NULL DEFAULT '', ssl_cert VARCHAR NOT NULL DEFAULT '', ssl_key VARCHAR NOT NULL DEFAULT '',
 ssl_capath VARCHAR NOT NULL DEFAULT '', ssl_crl VARCHAR NOT NULL DEFAULT '', ssl_crlpath VARCHAR NOT NULL DEFAULT '',
 ssl_cipher VARCHAR NOT NULL DEFAULT '', tls_version VARCHAR NOT NULL DEFAULT '', comment VARCHAR NOT NULL DEFAULT '',
 PRIMARY KEY (hostname, port, username))"""
VARIABLES = "CREATE TABLE {0} (variable_name VARCHAR NOT NULL PRIMARY KEY, variable_value VARCHAR NOT NULL)"
PLAIN_TABLES = {
    "mysql_users": USERS,
    "mysql_query_rules": RULES,
    "proxysql_servers": PEERS,
    TLS_TABLE: TLS,
    "global_variables": VARIABLES,
}
# What LOAD and SAVE call them.
SETTINGS = {
    "MYSQL USERS": "mysql_users",
    "MYSQL QUERY RULES": "mysql_query_rules",
    "PROXYSQL SERVERS": "proxysql_servers",
}
AT_START = ("mysql-threads",)
# What only proxysql_hostgroup_info reads: the monitor's logs and the checksums that peers compare.
SEEN = (
    "CREATE TABLE monitor.mysql_server_group_replication_log (hostname VARCHAR, port INT, time_start_us INT, viable_candidate VARCHAR,"
    " read_only VARCHAR, transactions_behind INT, error VARCHAR)",
    "CREATE TABLE monitor.mysql_server_ping_log (hostname VARCHAR, port INT, time_start_us INT, ping_error VARCHAR)",
    "CREATE TABLE runtime_checksums_values (name VARCHAR, checksum VARCHAR)",
)
PLAIN = (
    "CREATE TABLE {0} (writer_hostgroup INT, backup_writer_hostgroup INT, reader_hostgroup INT, offline_hostgroup INT)"
)


class Model:
    """Has the methods of Admin that the code under test uses."""

    version = "2.7.1-model"
    where = "127.0.0.1:6032"

    def __init__(self):
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.execute("ATTACH ':memory:' AS disk")
        self.db.execute("ATTACH ':memory:' AS stats")
        self.db.execute("ATTACH ':memory:' AS monitor")
        for definition in SEEN:
            self.db.execute(definition)
        for name in (SERVER_TABLE, "disk." + SERVER_TABLE, "runtime_" + SERVER_TABLE, "loaded"):
            self.db.execute(SERVERS.format(name))
        for name in (GROUP_TABLE, "disk." + GROUP_TABLE, "runtime_" + GROUP_TABLE):
            self.db.execute(GROUPS.format(name))
        for name in ("mysql_replication_hostgroups", "mysql_galera_hostgroups", "mysql_aws_aurora_hostgroups"):
            self.db.execute(PLAIN.format(name))
        for name, definition in PLAIN_TABLES.items():
            for layer in ("", "disk.", "runtime_"):
                self.db.execute(definition.format(layer + name))
        self.db.execute(
            "CREATE TABLE stats.stats_mysql_connection_pool (hostgroup INT, srv_host VARCHAR, srv_port INT, ConnUsed INT)"
        )
        self.statements, self.shown = [], []
        self.refused_values, self.full_disk = {}, False
        self.fail_at = None
        self.after_load = None

    # -- what the code under test calls
    def connect(self):
        pass

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass

    def revive(self):
        pass

    def read(self, statement):
        if statement == read.LOADED_SERVERS:
            statement = "SELECT * FROM loaded ORDER BY hostgroup_id, hostname, port"
        try:
            cursor = self.db.execute(statement)
        except sqlite3.Error as error:
            raise AdminError("statement", f"ProxySQL Admin Error: {error}: {statement}") from error
        rows = [{key: None if value is None else str(value) for key, value in dict(row).items()} for row in cursor]
        return [entry[0] for entry in cursor.description or ()], rows

    def query(self, statement):
        return self.read(statement)[1]

    def execute(self, statement):
        self.statements.append(statement.text)
        self.shown.append(statement.shown)
        if self.fail_at is not None and len(self.statements) == self.fail_at:
            raise AdminError("statement", "ProxySQL Admin Error: broken on purpose")
        verb, _space, settings = statement.text.partition(" ")
        if statement.text == LOAD:
            self.load()
        elif statement.text == SAVE:
            for table in (SERVER_TABLE, GROUP_TABLE, TLS_TABLE):
                self.copy(table, "disk." + table)
        elif verb == "LOAD":
            self.load_plain(settings.rpartition(" TO ")[0])
        elif verb == "SAVE":
            self.save_plain(settings.rpartition(" TO ")[0])
        else:
            self.read(statement.text)

    # -- what ProxySQL does
    def copy(self, source, target):
        self.db.execute(f"DELETE FROM {target}")
        self.db.execute(f"INSERT INTO {target} SELECT * FROM {source}")

    def load(self):
        self.copy(SERVER_TABLE, "runtime_" + SERVER_TABLE)
        self.copy(SERVER_TABLE, "loaded")
        self.db.execute("UPDATE loaded SET status='ONLINE' WHERE status='SHUNNED'")
        self.db.execute("DELETE FROM loaded WHERE status='OFFLINE_HARD'")
        self.copy(GROUP_TABLE, "runtime_" + GROUP_TABLE)
        self.copy(TLS_TABLE, "runtime_" + TLS_TABLE)
        if self.after_load:
            self.after_load(self)

    def load_plain(self, settings):
        if settings.endswith(" VARIABLES"):
            self.load_variables(settings.split()[0].lower() + "-")
            return
        table = SETTINGS[settings]
        self.db.execute(f"DELETE FROM runtime_{table}")
        where = " WHERE active=1" if table in ("mysql_users", "mysql_query_rules") else ""
        if table != "mysql_users":
            self.db.execute(f"INSERT INTO runtime_{table} SELECT * FROM main.{table}{where}")
            return
        names = [row[1] for row in self.db.execute("PRAGMA table_info(mysql_users)")]
        for side, other in (("backend", "frontend"), ("frontend", "backend")):
            columns = ",".join("0" if name == other else name for name in names)
            self.db.execute(f"INSERT INTO runtime_{table} SELECT {columns} FROM main.{table}{where} AND {side}=1")

    def load_variables(self, prefix):
        """What is not taken, or only at the start, is put back in memory."""
        for name, value in self.db.execute(
            f"SELECT * FROM main.global_variables WHERE variable_name LIKE '{prefix}%'"
        ).fetchall():
            if name in AT_START or self.refused_values.get(name) == value:
                self.db.execute(
                    "UPDATE main.global_variables SET variable_value="
                    "(SELECT variable_value FROM runtime_global_variables WHERE variable_name=?) WHERE variable_name=?",
                    (name, name),
                )
            else:
                self.db.execute("INSERT OR REPLACE INTO runtime_global_variables VALUES (?, ?)", (name, value))

    def save_plain(self, settings):
        """ProxySQL answers OK to a SAVE that could not write."""
        table = SETTINGS.get(settings, "global_variables")
        self.db.execute(f"DELETE FROM disk.{table}")
        if not self.full_disk:
            self.db.execute(f"INSERT INTO disk.{table} SELECT * FROM main.{table}")

    # -- what the tests set up and look at
    def put(self, table, groups=(), servers=()):
        prefix, _dot, name = table.rpartition(".")
        for kind, rows in ((GROUP_TABLE, groups), (SERVER_TABLE, servers)):
            target = (prefix + "." if prefix else "") + name + kind
            for row in rows:
                self.db.execute("INSERT INTO {} VALUES ({})".format(target, ",".join("?" * len(row))), tuple(row))

    def variables(self, **values):
        """The same in every layer; _ after the first word is -."""
        for name, value in values.items():
            for layer in ("main.", "disk.", "runtime_"):
                row = (name.replace("_", "-", 1), value)
                self.db.execute(f"INSERT OR REPLACE INTO {layer}global_variables VALUES (?, ?)", row)

    def everything(self):
        """Every row of every layer."""
        tables = [*PLAIN_TABLES, SERVER_TABLE, GROUP_TABLE]
        return {layer + table: self.rows(layer + table) for table in tables for layer in ("main.", "disk.", "runtime_")}

    def rows(self, table):
        return {tuple(row) for row in self.db.execute(f"SELECT * FROM {table}")}

    def facts(self):
        return read.read_places(self, read.read_facts(self))

    def place(self, hostgroup, hostname, port=3306, status="ONLINE", **columns):
        """Put one server where the monitor would."""
        row = (hostgroup, hostname, port) + tuple(Server(status=status, **columns))
        self.db.execute("INSERT INTO runtime_mysql_servers VALUES ({})".format(",".join("?" * len(row))), row)

    def unplace(self):
        self.db.execute("DELETE FROM runtime_mysql_servers")

    def checked(self, hostname, read_only="NO", error=None, behind=0, ping_error=None):
        """What the monitor says of a server."""
        viable = "NO" if error else "YES"
        row = (hostname, 3306, 1782000000500000, viable, read_only, behind, error)
        self.db.execute("INSERT INTO monitor.mysql_server_group_replication_log VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        self.db.execute("INSERT INTO monitor.mysql_server_ping_log VALUES (?, 3306, 1, ?)", (hostname, ping_error))

    def placed(self, status=None):
        return {(row[0], row[1]) for row in self.rows("runtime_mysql_servers") if status is None or row[4] == status}


def group(writer=2, backup=4, reader=3, offline=1, active=1, max_writers=3, also_reader=1, behind=100, comment=""):
    return Group(writer, backup, reader, offline, active, max_writers, also_reader, behind, comment)


def carry_out(model, desired, facts, plan, drain_timeout=1):
    """A plan for groups, by the engine."""
    engine.carry_out(model, [GroupsPart(desired, facts, plan, Layers())], drain_timeout)
