# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ProxySQL's admin interface for the unit tests: its tables and constraints in SQLite, its layers, LOAD and SAVE.

It takes the statements that the module really sends. The stand-in under lab/ and a real ProxySQL are asked elsewhere.
"""

from __future__ import annotations

import sqlite3

from ansible_collections.distdb.mysql_ha.plugins.module_utils import proxysql_admin as admin
from ansible_collections.distdb.mysql_ha.plugins.module_utils.proxysql_plan import (
    GROUP_TABLE,
    LOAD,
    SAVE,
    SERVER_TABLE,
    Group,
    Server,
)

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
        for name in (SERVER_TABLE, "disk." + SERVER_TABLE, "runtime_" + SERVER_TABLE, "loaded"):
            self.db.execute(SERVERS.format(name))
        for name in (GROUP_TABLE, "disk." + GROUP_TABLE, "runtime_" + GROUP_TABLE):
            self.db.execute(GROUPS.format(name))
        for name in ("mysql_replication_hostgroups", "mysql_galera_hostgroups", "mysql_aws_aurora_hostgroups"):
            self.db.execute(PLAIN.format(name))
        self.db.execute("CREATE TABLE runtime_global_variables (variable_name VARCHAR, variable_value VARCHAR)")
        self.db.execute(
            "CREATE TABLE stats.stats_mysql_connection_pool (hostgroup INT, srv_host VARCHAR, srv_port INT, ConnUsed INT)"
        )
        self.statements = []
        self.fail_at = None
        self.after_load = None

    # -- what the code under test calls
    def connect(self):
        pass

    def close(self):
        pass

    def query(self, statement):
        writing = not statement.startswith(("SELECT", "PROXY_SELECT"))
        if writing:
            self.statements.append(statement)
            if self.fail_at is not None and len(self.statements) == self.fail_at:
                raise admin.AdminError("statement", "ProxySQL Admin Error: broken on purpose")
        if statement == LOAD:
            self.load()
            return []
        if statement == SAVE:
            for table in (SERVER_TABLE, GROUP_TABLE):
                self.copy(table, "disk." + table)
            return []
        if statement == admin.LOADED_SERVERS:
            statement = "SELECT * FROM loaded ORDER BY hostgroup_id, hostname, port"
        try:
            rows = self.db.execute(statement).fetchall()
        except sqlite3.Error as error:
            raise admin.AdminError("statement", "ProxySQL Admin Error: {0}: {1}".format(error, statement)) from error
        return [{key: None if value is None else str(value) for key, value in dict(row).items()} for row in rows]

    def execute(self, statement):
        self.query(statement)

    # -- what ProxySQL does
    def copy(self, source, target):
        self.db.execute("DELETE FROM {0}".format(target))
        self.db.execute("INSERT INTO {0} SELECT * FROM {1}".format(target, source))

    def load(self):
        self.copy(SERVER_TABLE, "runtime_" + SERVER_TABLE)
        self.copy(SERVER_TABLE, "loaded")
        self.db.execute("UPDATE loaded SET status='ONLINE' WHERE status='SHUNNED'")
        self.db.execute("DELETE FROM loaded WHERE status='OFFLINE_HARD'")
        self.copy(GROUP_TABLE, "runtime_" + GROUP_TABLE)
        if self.after_load:
            self.after_load(self)

    # -- what the tests set up and look at
    def put(self, table, groups=(), servers=()):
        prefix, _dot, name = table.rpartition(".")
        for kind, rows in ((GROUP_TABLE, groups), (SERVER_TABLE, servers)):
            target = (prefix + "." if prefix else "") + name + kind
            for row in rows:
                self.db.execute("INSERT INTO {0} VALUES ({1})".format(target, ",".join("?" * len(row))), tuple(row))

    def rows(self, table):
        return {tuple(row) for row in self.db.execute("SELECT * FROM {0}".format(table))}

    def facts(self):
        return admin.read_places(self, admin.read_facts(self))

    def place(self, hostgroup, hostname, port=3306, status="ONLINE", **columns):
        """Put one server where the monitor would."""
        row = (hostgroup, hostname, port) + tuple(Server(status=status, **columns))
        self.db.execute("INSERT INTO runtime_mysql_servers VALUES ({0})".format(",".join("?" * len(row))), row)

    def unplace(self):
        self.db.execute("DELETE FROM runtime_mysql_servers")

    def placed(self, status=None):
        return {(row[0], row[1]) for row in self.rows("runtime_mysql_servers") if status is None or row[4] == status}


def group(writer=2, backup=4, reader=3, offline=1, active=1, max_writers=3, also_reader=1, behind=100, comment=""):
    return Group(writer, backup, reader, offline, active, max_writers, also_reader, behind, comment)
