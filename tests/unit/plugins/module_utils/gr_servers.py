# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MySQL servers for the unit tests of whole modules, in place of PyMySQL's connection: they answer the statements that the modules really send.

Groups form, and members come and go, as far as the modules' statements ask for it. Real servers are asked elsewhere.
"""

from __future__ import annotations

import json
import re
import zlib

import pymysql
from gr_model import GROUP

MODE = "group_replication_single_primary_mode"
CHECKS = "group_replication_enforce_update_everywhere_checks"
FORCE = "group_replication_force_members"
NAMES = ("db0", "db1", "db2")
HOSTS_OWN = "t.PROCESSLIST_HOST = 'localhost' AND t.PROCESSLIST_USER = %s"


class Server:
    """One server, known by its name; group: the servers that are in a group with it, itself included."""

    def __init__(self, name, number, gtid_executed=""):
        self.name, self.number, self.gtid_executed = name, number, gtid_executed
        self.uuid = f"0000000{number}-aaaa-bbbb-cccc-dddddddddddd"
        self.variables = {
            "group_replication_group_name": GROUP, "group_replication_local_address": f"{name}:33061", MODE: "OFF", CHECKS: "ON",
            "group_replication_bootstrap_group": "OFF", "group_replication_start_on_boot": "ON", "lower_case_table_names": "0",
            "log_error": "/var/log/mysql/error.log", "datadir": "/var/lib/mysql/",
        }  # fmt: skip
        self.globals = {"read_only": 0, "super_read_only": 0, "offline_mode": 0}
        self.persisted = {}
        self.state, self.primary, self.action = "OFFLINE", False, 1
        self.alive, self.version, self.uptime = True, "9.7.4", 3600
        self.waiting = False  # a transaction waits for its turn to commit
        self.locks, self.locked_by, self.account = [], None, None
        self.cloning_from, self.schemas, self.applier_error, self.received = "", [], None, ""
        self.statements = []
        self.killed = {}  # who holds the lock of which killed member, by its server_uuid
        self.pid_file, self.log_index, self.said = "/nowhere/db.pid", "/nowhere/binlog.index", {}
        self.privileges, self.events, self.login_plugin, self.inbound = [], [], "auth_socket", []

    def role(self):
        return "PRIMARY" if self.variables[MODE] == "OFF" or self.primary else "SECONDARY"


class World:
    """All servers by name. seen: states that a server shows of others instead of their own."""

    def __init__(self, *names):
        self.servers = {name: Server(name, number) for number, name in enumerate(names)}
        self.members = []
        self.seen = {}
        self.refused = {}
        self.protocol = "8.0.27"

    def group(self, *names, primary=None):
        """These servers are ONLINE in one group; primary: in single-primary mode."""
        self.members = list(names)
        for name in names:
            server = self.servers[name]
            server.state, server.primary = "ONLINE", name == primary
            server.variables[MODE], server.variables[CHECKS] = ("ON", "OFF") if primary else ("OFF", "ON")
            server.globals["super_read_only"] = server.globals["read_only"] = int(bool(primary) and name != primary)
        return self

    def arrived(self, server, gtids):
        """Whether these transactions are there. A channel brings them at once."""
        if any(one["applier"] == "ON" for one in server.inbound):
            server.gtid_executed = gtids
        return server.gtid_executed == gtids

    def connection(self, **arguments):
        host = arguments.get("host") or arguments["unix_socket"].rpartition("/")[2]
        server = self.servers[host]
        if not server.alive:
            raise pymysql.err.OperationalError(
                2003, f"Can't connect to MySQL server on '{host}' ([Errno 111] Connection refused)"
            )
        if server.account and arguments["user"] != server.account:
            raise pymysql.err.OperationalError(1045, "Access denied")
        return Session(self, server)


class Session:
    """One connection."""

    def __init__(self, world, server):
        self.world, self.server = world, server

    def cursor(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass

    def close(self):
        self.server.locks.clear()
        self.server.said.pop(id(self), None)

    def execute(self, text, args=None):
        if not self.server.alive:
            raise pymysql.err.OperationalError(2013, "Lost connection to MySQL server during query")
        for word, error in self.world.refused.items():
            if word in text:
                raise error
        self.rows = self.answer(re.sub(r"\s+", " ", text), list(args or ()))

    def fetchall(self):
        return self.rows

    # -- what is read --------------------------------------------------------------------------------------------------
    def answer(self, text, args):
        server = self.server
        if text.startswith("SELECT m.MEMBER_ID AS id"):
            rows = [{name[7:].lower(): value for name, value in row.items()} for row in self.view()]
            return [
                dict(
                    row,
                    mine=server.uuid.upper(),
                    uptime=str(server.uptime),
                    killed=server.killed.get(row["id"]),
                    waiting=int(server.waiting),
                    executed=zlib.crc32(server.gtid_executed.encode()),
                )  # fmt: skip
                for row in rows
            ]
        if "= 'clone_ssl_ca'" in text:
            return [{"ca": getattr(server, "clone_ca", None)}]
        if text.startswith("SET GLOBAL clone_ssl_ca"):
            server.clone_ca = args[0]
            return []
        if text.startswith("SELECT @@global.ssl_ca"):
            return [dict(getattr(server, "files", None) or {"ca": "ca.pem", "cert": None}, datadir="/nowhere/")]
        if "INNODB_TRX" in text:
            return [getattr(server, "transactions", {"longest": 0, "largest": 0})]
        if "PRIO AS severity" in text:
            return getattr(server, "noted", [])[: args[0]]
        if "Ssl_server_not_after" in text:
            return [{"ends": "Nov 27 12:00:00 2036 GMT"}]
        if text.startswith("SELECT VERSION()"):
            return [dict(
                server.globals, version=server.version, server_uuid=server.uuid.upper(), server_id=130 + server.number, hostname=server.name,
                port=3306, report_host=server.name, report_port=3306, gtid_executed=server.gtid_executed.replace(",", ",\n"), gtid_purged="",
                gtid_mode="ON", enforce_gtid_consistency="ON", log_bin=1,
            )]  # fmt: skip
        tables = {
            "performance_schema.replication_connection_configuration": lambda: server.inbound,
            "information_schema.USER_PRIVILEGES": lambda: [{"privilege": name} for name in server.privileges],
            "information_schema.EVENTS": lambda: [
                {"seen": json.dumps({"number": len(server.events), "first": server.events})}
            ],
            "AS cipher": lambda: [
                {"clone": 1, "members": int(server.state == "ONLINE"), "cipher": "TLS_AES_256_GCM_SHA384"}
            ],
            "get_communication_protocol": lambda: [{"protocol": self.world.protocol}],
            "mysql.user": lambda: [{"plugin": server.login_plugin}],
            "@@GLOBAL.event_scheduler": lambda: [{"now": "ON"}],
            "@@GLOBAL.log_bin_index": lambda: [
                {"pid_file": server.pid_file, "log_index": server.log_index, "datadir": "/nowhere"}
            ],
            "@@GLOBAL.pid_file": lambda: [{"file": "/nowhere/db.pid"}],
            # Who else has a variable of that name is not to be believed.
            "user_variables_by_thread": lambda: [
                {"said": said} for said in server.said.values() if HOSTS_OWN in text and args[1] == "root"
            ],
            "@@GLOBAL.server_uuid AS uuid": lambda: [{"uuid": server.uuid.upper()}],
            "@@GLOBAL.gtid_executed AS executed": lambda: [dict(server.globals, executed=server.gtid_executed)],
            "WAIT_FOR_EXECUTED_GTID_SET": lambda: [{"missing": int(not self.world.arrived(server, args[0]))}],
            "performance_schema.global_variables": lambda: pairs(server.variables),
            "performance_schema.persisted_variables": lambda: pairs(server.persisted),
            "performance_schema.variables_info": lambda: [{"source": "DYNAMIC", "path": None}],
            "information_schema.PLUGINS": lambda: [
                {"name": n, "status": "ACTIVE"} for n in ("group_replication", "clone")
            ],
            "performance_schema.clone_status": lambda: [{"donor": server.cloning_from}] if server.cloning_from else [],
            "replication_group_member_actions": lambda: [{"ENABLED": server.action}],
            "replication_applier_status_by_worker": lambda: [server.applier_error] if server.applier_error else [],
            "replication_connection_status": self.channels,
            "replication_group_member_stats": self.stats,
            "replication_group_members": self.view,
            "mysql.slave_master_info": lambda: [{"user": "repl", "password": "secret"}],
        }
        if "'group_replication_consistency'" in text:
            return [{"number": 0}]
        if text.startswith("SELECT JSON_OBJECT('schemas'"):
            none = {"number": 0, "first": None}
            held = {"schemas": [[name, 1, 3, 16384, "2026-11-25 10:00"] for name in server.schemas], "channels": None, "cluster_metadata": 0,
                    "other_engines": none, "without_key": none, "cascading": none, "gtid_executed": "", "gtid_purged": "", "gtid_mode": "ON",
                    "log_bin": 0, "log_bin_basename": None}  # fmt: skip
            return [{"seen": json.dumps(held)}]
        if "ORDER BY CREATE_TIME" in text:
            return []
        if "IS_USED_LOCK" in text and "receivers" in text:
            return [{"lock_holder": server.locked_by, "connection_id": 7, "lock_account": "gr_peer@h", "receivers": 0}]
        if "MEMBER_STATE AS state" in text:
            return [{"state": server.state}]
        for name, rows in tables.items():
            if name in text:
                return rows()
        return self.change(text, args)

    def view(self):
        if self.server.state == "OFFLINE":
            return [self.entry(self.server, "OFFLINE")]
        shown = [self.world.servers[name] for name in self.world.members]
        return [self.entry(one, self.world.seen.get((self.server.name, one.name), one.state)) for one in shown]

    def entry(self, one, state):
        return {
            "CHANNEL_NAME": "group_replication_applier", "MEMBER_ID": one.uuid, "MEMBER_HOST": one.name, "MEMBER_PORT": 3306,
            "MEMBER_STATE": state, "MEMBER_ROLE": one.role() if state == "ONLINE" else "", "MEMBER_VERSION": one.version,
        }  # fmt: skip

    def stats(self):
        return [
            {"MEMBER_ID": self.server.uuid, "VIEW_ID": "1:2", "COUNT_TRANSACTIONS_IN_QUEUE": 1,
             "COUNT_TRANSACTIONS_REMOTE_IN_APPLIER_QUEUE": 2, "COUNT_CONFLICTS_DETECTED": 0}
        ]  # fmt: skip

    def channels(self):
        return [
            {
                "channel": "group_replication_applier",
                "service_state": "ON",
                "received": self.server.received,
                "error_number": 0,
                "error_message": "",
            }
        ]

    # -- what is changed -----------------------------------------------------------------------------------------------
    def change(self, text, args):
        server, world = self.server, self.world
        if "GET_LOCK" in text:
            return [{"got": 1}]
        if "RELEASE_LOCK" in text:
            return [{"released": 1}]
        if text.startswith("SET @mysql_gr_guard"):
            server.said[id(self)] = args[0]
            return []
        if text.startswith("SELECT NOW(6)"):
            return [{"now": "2026-01-01"}]
        if text.startswith("SELECT COUNT(*) AS receivers"):
            return [{"receivers": 0}]
        server.statements.append(text if not args else text % tuple(f"'{value}'" for value in args))
        found = re.match(r"SET GLOBAL (\w+) = (\S+)$", text)
        if found and found[1] == FORCE:
            if args[0]:
                world.members = [name for name in world.members if f"{name}:33061" in args[0]]
        elif found and found[1] in server.globals:
            server.globals[found[1]] = int(found[2] == "ON")
            if found[1] == "read_only" and found[2] == "OFF":
                server.globals["super_read_only"] = 0
        elif found:
            server.variables[found[1]] = found[2]
        elif text == "SET PERSIST super_read_only = ON":
            server.persisted["super_read_only"] = "ON"
        elif text.startswith("CLONE INSTANCE"):
            donor = world.servers[args[1]]
            server.gtid_executed, server.schemas = donor.gtid_executed, list(donor.schemas)
        elif "REPLICA FOR CHANNEL" in text:
            server.inbound = [dict(one, receiver="OFF", applier="OFF") for one in server.inbound]
        elif "REPLICA ALL FOR CHANNEL" in text:
            server.inbound = []
        elif text.startswith("SET PERSIST"):
            server.persisted[text.split()[2]] = args[0]
            server.variables[text.split()[2]] = args[0]
        elif text.startswith("RESET PERSIST"):
            server.persisted.pop(text.split()[-1], None)
        elif text == "START GROUP_REPLICATION":
            world.members = [*world.members, server.name] if world.members else [server.name]
            server.state = "ONLINE"
            server.globals["super_read_only"] = server.globals["read_only"] = 0
        elif text == "STOP GROUP_REPLICATION":
            world.members.remove(server.name)
            server.state = "OFFLINE"
            server.globals["super_read_only"] = server.globals["read_only"] = 1
        elif "set_as_primary" in text or "switch_to_single_primary_mode" in text:
            uuid = args[0] if args else min(world.servers[name].uuid for name in world.members)
            world.group(*world.members, primary=next(n for n in world.members if world.servers[n].uuid == uuid))
            return [{"done": "Primary server switched"}]
        elif "set_communication_protocol" in text:
            world.protocol = args[0]
        elif "switch_to_multi_primary_mode" in text:
            world.group(*world.members)
            return [{"done": "Mode switched to multi-primary successfully."}]
        elif "able_member_action" in text:
            if server.globals["super_read_only"]:
                raise pymysql.err.OperationalError(1123, "Server must have super_read_only=0.")
            server.action = int("enable" in text)
        return []


def pairs(values):
    return [{"name": name, "value": value} for name, value in values.items()]


def rehearsed(run, module, **options):
    """The module's answer in check mode and for real; both say the same statements."""
    foreseen = run(module, check=True, **options)
    done = run(module, **options)
    assert foreseen["changed"] and foreseen["statements"] == done["statements"], (foreseen, done)
    assert foreseen["decision"] == done["decision"]
    return foreseen, done
