# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ProxySQL's admin interface: one connection, reading the layers, carrying out a plan. Decisions are in proxysql_plan."""

from __future__ import annotations

import configparser
import contextlib
import hashlib
import os
import re
import time
import traceback
from typing import Any, Callable, Sequence

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.distdb.mysql_ha.plugins.module_utils.proxysql_plan import (
    LOAD,
    Facts,
    Group,
    Layer,
    Peers,
    Plan,
    Server,
    WishError,
    loading_layer,
    rewrite,
    show_address,
    wish_peers,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils.proxysql_versions import has_feature, parse_version

try:
    import pymysql
    from pymysql.cursors import DictCursor

    HAS_PYMYSQL = True
    PYMYSQL_ERROR = None
except ImportError:
    HAS_PYMYSQL = False
    PYMYSQL_ERROR = traceback.format_exc()

SERVER_COLUMNS = "hostgroup_id, hostname, port, gtid_port, status, weight, compression, max_connections, max_replication_lag, use_ssl, max_latency_ms, comment"
GROUP_COLUMNS = ", ".join(Group._fields)

# Word for word the query by which ProxySQL's own cluster peers fetch the servers as they were at the last LOAD
# (include/ProxySQL_Cluster.hpp, CLUSTER_QUERY_MYSQL_SERVERS_V2, since v2.6.0): it is matched as text, not parsed.
LOADED_SERVERS = (
    "PROXY_SELECT "
    + SERVER_COLUMNS
    + " FROM mysql_servers_v2 WHERE status<>'OFFLINE_HARD' ORDER BY hostgroup_id, hostname, port"
)

_FOREIGN = (
    ("mysql_replication_hostgroups", ("writer_hostgroup", "reader_hostgroup")),
    (
        "mysql_galera_hostgroups",
        ("writer_hostgroup", "backup_writer_hostgroup", "reader_hostgroup", "offline_hostgroup"),
    ),
    ("mysql_aws_aurora_hostgroups", ("writer_hostgroup", "reader_hostgroup")),
)


def connection_argument_spec() -> dict[str, Any]:
    """The names and defaults of community.proxysql, with a limit for connecting."""
    return dict(
        login_user=dict(type="str"),
        login_password=dict(type="str", no_log=True),
        login_host=dict(type="str", default="127.0.0.1"),
        login_port=dict(type="int", default=6032),
        login_unix_socket=dict(type="path"),
        config_file=dict(type="path", default=""),
        connect_timeout=dict(type="int", default=10),
    )


def peers_argument_spec() -> dict[str, Any]:
    """Rows of proxysql_servers; wish_peers() reads them."""
    return dict(
        type="list",
        elements="dict",
        options=dict(
            hostname=dict(type="str", required=True),
            port=dict(type="int", default=6032),
            weight=dict(type="int", default=0),
            comment=dict(type="str", default=""),
        ),
    )


def execute(module: Any, run: Callable[[Any], dict[str, Any]]) -> None:
    """End the module with what run(module) returns, or with one sentence; every module that changes something ends here."""
    if not HAS_PYMYSQL:
        module.fail_json(msg=missing_required_lib("PyMySQL"), exception=PYMYSQL_ERROR)
    try:
        result = run(module)
    except (AdminError, WishError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


class AdminError(Exception):
    """One sentence for the user; kind says what went wrong: input, denied, unreachable or statement."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


def _credentials_of(config_file: str) -> tuple[str | None, str | None]:
    if not config_file:
        return None, None
    path = os.path.expanduser(config_file)
    parser = configparser.ConfigParser(allow_no_value=True, strict=False, interpolation=None)
    try:
        with open(path, encoding="utf-8") as handle:
            parser.read_string(
                "\n".join(line for line in handle.read().splitlines() if not line.lstrip().startswith("!"))
            )
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise AdminError(
            "input", "config_file {0} cannot be read ({1}).".format(config_file, str(error).replace("\n", " "))
        ) from error
    if not parser.has_section("client"):
        raise AdminError(
            "input",
            "config_file {0} has no section [client], where user and password are looked for.".format(config_file),
        )

    def value(name: str) -> str | None:
        text = parser.get("client", name, fallback=None)
        if text and len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            text = text[1:-1]
        return text

    return value("user"), value("password")


class Admin:
    """One connection to the admin interface."""

    def __init__(self, params: dict[str, Any]):
        user, password = _credentials_of(params.get("config_file") or "")
        self.user = params.get("login_user") if params.get("login_user") is not None else user
        self._password = params.get("login_password") if params.get("login_password") is not None else password
        if not self.user:
            raise AdminError(
                "input",
                "login_user is not set; give it, or a config_file with user and password in its section [client].",
            )
        port = params["login_port"]
        if not 1 <= port <= 65535:
            raise AdminError("input", "login_port is {0}; allowed are whole numbers from 1 to 65535.".format(port))
        if params["connect_timeout"] < 1:
            raise AdminError(
                "input",
                "connect_timeout is {0}; allowed are whole numbers of seconds from 1.".format(
                    params["connect_timeout"]
                ),
            )
        self._arguments = dict(connect_timeout=params["connect_timeout"], read_timeout=120, write_timeout=120)
        if params.get("login_unix_socket"):
            self._arguments["unix_socket"] = params["login_unix_socket"]
            self.where = params["login_unix_socket"]
        else:
            self._arguments.update(host=params["login_host"], port=port)
            self.where = show_address((params["login_host"], port))
        local = params.get("login_unix_socket") or re.match(r"127\.|::1$|localhost$", params["login_host"])
        if local and HAS_PYMYSQL and pymysql.VERSION >= (1, 0):
            # Newer ones prepare for TLS whatever the server says, which takes longer than all queries of a small task.
            self._arguments["ssl_disabled"] = True
        self._connection = None
        self.version = ""

    def connect(self) -> None:
        try:
            # autocommit=None: the admin interface is not asked to set anything. charset: names and comments are UTF-8 in SQLite.
            self._connection = pymysql.connect(
                user=self.user,
                # PyMySQL would send text as Latin-1; ProxySQL keeps passwords as UTF-8.
                password=(self._password or "").encode("utf-8"),
                charset="utf8mb4",
                autocommit=None,
                cursorclass=DictCursor,
                **self._arguments,
            )
        except pymysql.err.OperationalError as error:
            if error.args and error.args[0] == 1045:
                raise AdminError(
                    "denied",
                    "ProxySQL's admin interface at {0} refused login_user {1!r} with the given login_password.".format(
                        self.where, self.user
                    ),
                ) from error
            raise AdminError(
                "unreachable",
                "ProxySQL's admin interface at {0} cannot be reached ({1}).".format(self.where, _reason(error)),
            ) from error
        except (pymysql.err.Error, RuntimeError, OSError) as error:
            raise AdminError(
                "unreachable",
                "ProxySQL's admin interface at {0} cannot be used ({1}).".format(self.where, _reason(error)),
            ) from error
        rows = self.query("SELECT version() AS version")
        self.version = next(iter(rows[0].values())) if rows else ""

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(pymysql.err.Error):
                self._connection.close()
            self._connection = None

    def __enter__(self) -> Admin:
        self.connect()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()

    def query(self, statement: str) -> list[dict[str, Any]]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall() or ())
        except (pymysql.err.Error, OSError) as error:
            raise AdminError(
                "statement",
                "ProxySQL's admin interface at {0} refused a statement ({1}): {2}".format(
                    self.where, _reason(error), statement[:300]
                ),
            ) from error

    def execute(self, statement: str) -> None:
        self.query(statement)


def _reason(error: Exception) -> str:
    text = str(error.args[-1]) if error.args else ""
    return (text or type(error).__name__).replace("\n", " ").rstrip(".")


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, (bytes, bytearray)) else str(value)


# ---- reading --------------------------------------------------------------------------------------------------------


def _groups(rows: Sequence[dict[str, Any]]) -> dict[int, Group]:
    found = {}
    for row in rows:
        group = Group(*[_text(row[name]) if name == "comment" else int(row[name]) for name in Group._fields])
        found[group.writer_hostgroup] = group
    return found


def _servers(rows: Sequence[dict[str, Any]]) -> dict[tuple[int, str, int], Server]:
    found = {}
    for row in rows:
        values = {}
        for name in Server._fields:
            value = row[name]
            values[name] = (
                _text(value) if name == "comment" else _text(value).upper() if name == "status" else int(value)
            )
        found[(int(row["hostgroup_id"]), _text(row["hostname"]), int(row["port"]))] = Server(**values)
    return found


def read_layer(admin: Admin, prefix: str) -> Layer:
    return Layer(
        _groups(admin.query("SELECT {0} FROM {1}mysql_group_replication_hostgroups".format(GROUP_COLUMNS, prefix))),
        _servers(admin.query("SELECT {0} FROM {1}mysql_servers".format(SERVER_COLUMNS, prefix))),
    )


def read_loaded(admin: Admin) -> dict[tuple[int, str, int], Server]:
    """The servers as they were at the last LOAD. Before 2.6.0, and where nobody else knows, the placed ones: the group is the same."""
    if has_feature(parse_version(admin.version), "loaded_servers"):
        try:
            return _servers(admin.query(LOADED_SERVERS))
        except AdminError as error:
            if "PROXY_SELECT" not in str(error):
                raise
    return _servers(admin.query("SELECT {0} FROM runtime_mysql_servers".format(SERVER_COLUMNS)))


def read_placed(admin: Admin) -> dict[tuple[int, str, int], Server]:
    return _servers(admin.query("SELECT {0} FROM runtime_mysql_servers".format(SERVER_COLUMNS)))


def monitor_enabled(admin: Admin) -> bool:
    rows = admin.query(
        "SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-monitor_enabled'"
    )
    return not rows or _text(rows[0]["variable_value"]).lower() not in ("false", "0")


def read_facts(admin: Admin) -> Facts:
    """Everything that a plan is made from, in a fixed number of statements."""
    runtime_groups = _groups(
        admin.query("SELECT {0} FROM runtime_mysql_group_replication_hostgroups".format(GROUP_COLUMNS))
    )
    return Facts(
        memory=read_layer(admin, "main."),
        runtime=Layer(runtime_groups, read_loaded(admin)),
        disk=read_layer(admin, "disk."),
        placed=None,
    )


def read_places(admin: Admin, facts: Facts) -> Facts:
    """What is needed for a LOAD beside the layers. Read late, so that the places are the newest."""
    return facts._replace(placed=read_placed(admin), monitor_enabled=monitor_enabled(admin))


def read_foreign(admin: Admin) -> dict[int, str]:
    """Hostgroups that other tables of ProxySQL's manage."""
    selects = [
        "SELECT '{0}' AS origin, {1} AS hostgroup FROM {0}".format(table, column)
        for table, columns in _FOREIGN
        for column in columns
    ]
    try:
        rows = admin.query(" UNION ".join(selects))
    except AdminError as error:
        if "no such table" not in str(error):
            raise
        return {}  # older than one of these tables
    return {int(row["hostgroup"]): _text(row["origin"]) for row in rows}


def read_peers(admin: Admin, table: str) -> Peers:
    rows = admin.query("SELECT hostname, port, weight, comment FROM {0}".format(table))
    return {(_text(row["hostname"]), int(row["port"])): (int(row["weight"]), _text(row["comment"])) for row in rows}


def read_checksums(admin: Admin) -> dict[str, str]:
    """What peers of ProxySQL's cluster compare. Not mysql_servers: the monitor changes it on each of them by itself."""
    rows = admin.query("SELECT name, checksum FROM runtime_checksums_values")
    return {_text(row["name"]): _text(row["checksum"]) for row in rows if _text(row["name"]) != "mysql_servers"}


# ---- carrying out ---------------------------------------------------------------------------------------------------


def used_connections(admin: Admin, hostgroups: Sequence[int], servers: Sequence[tuple[str, int]]) -> dict[str, int]:
    wanted = {tuple(server) for server in servers}
    rows = admin.query(
        "SELECT hostgroup, srv_host, srv_port, ConnUsed FROM stats_mysql_connection_pool WHERE hostgroup IN ({0})".format(
            ",".join(str(int(number)) for number in hostgroups)
        )
    )
    used: dict[str, int] = {}
    for row in rows:
        address = (_text(row["srv_host"]), int(row["srv_port"]))
        if address in wanted and int(row["ConnUsed"]):
            used[show_address(address)] = used.get(show_address(address), 0) + int(row["ConnUsed"])
    return used


def wait_drained(admin: Admin, hostgroups: Sequence[int], servers: Sequence[tuple[str, int]], timeout: int) -> None:
    deadline = time.monotonic() + timeout
    while True:
        used = used_connections(admin, hostgroups, servers)
        if not used:
            return
        if time.monotonic() >= deadline:
            raise AdminError(
                "drain",
                "After {0} s (drain_timeout) connections are still in use: {1}.".format(
                    timeout, ", ".join("{0} has {1}".format(server, count) for server, count in sorted(used.items()))
                ),
            )
        time.sleep(0.1)


def carry_out(admin: Admin, plan: Plan, facts: Facts, drain_timeout: int) -> None:
    """Do the plan's steps; on any failure put memory, and runtime if it was loaded, back to what they were."""
    hostgroups = sorted(
        {key[0] for key in facts.placed or ()} | {n for group in plan.target.groups.values() for n in group.numbers}
    )
    loaded = False
    written = False
    try:
        for step in plan.steps:
            if step.kind == "drain":
                wait_drained(admin, hostgroups, step.servers, drain_timeout)
            for statement in step.statements:
                # set before: a statement whose answer was lost may have been done
                written = True
                loaded = loaded or step.kind == "load"
                admin.execute(statement)
    except AdminError as error:
        if not written:
            raise
        raise AdminError(error.kind, "{0} {1}".format(error, _put_back(admin, facts, loaded))) from error
    for step in plan.steps:
        if step.kind == "wait":  # the last one: what was asked for is done and saved, whoever is still connected
            wait_drained(admin, hostgroups, step.servers, drain_timeout)


def _put_back(admin: Admin, facts: Facts, loaded: bool) -> str:
    """Memory as it was before, and if something was loaded, runtime too; says in a sentence how that went."""
    try:
        try:
            now = read_layer(admin, "main.")
        except AdminError:
            admin.close()
            admin.connect()
            now = read_layer(admin, "main.")
        if loaded:
            before = Layer(facts.runtime.groups, facts.runtime.servers)
            # A server that is gone from runtime goes back to where the monitor had it a moment ago.
            placed = read_placed(admin)
            there = {key[1:] for key, row in placed.items() if row.status != "OFFLINE_HARD"}
            placed.update({key: row for key, row in (facts.placed or {}).items() if key[1:] not in there})
            placing = facts._replace(placed=placed, runtime=before)
            loading = loading_layer((), before, placing)
            for statement in rewrite(now, loading) + [LOAD]:
                admin.execute(statement)
            now = loading
        for statement in rewrite(now, facts.memory):
            admin.execute(statement)
    except AdminError as error:
        return "Memory could not be put back to what it was ({0}); run the task again.".format(error)
    return "Memory{0} was put back to what it was.".format(" and runtime" if loaded else "")


# ---- drift between the layers ---------------------------------------------------------------------------------------

# name → (table, its runtime table, the part of it, columns)
MODULES = {
    "mysql_users": ("mysql_users", "runtime_mysql_users", ""),
    "mysql_query_rules": ("mysql_query_rules", "runtime_mysql_query_rules", ""),
    "mysql_variables": ("global_variables", "runtime_global_variables", "WHERE variable_name LIKE 'mysql-%'"),
    "admin_variables": ("global_variables", "runtime_global_variables", "WHERE variable_name LIKE 'admin-%'"),
    "proxysql_servers": ("proxysql_servers", "runtime_proxysql_servers", ""),
}
# Read-only: they say something about the running program.
_NO_DRIFT = ("admin-version", "mysql-server_version_comment")


def _native_hash(password: str) -> str:
    return "*" + hashlib.sha1(hashlib.sha1(password.encode("utf-8")).digest()).hexdigest().upper()


def same_password(one: str, other: str) -> bool:
    """ProxySQL up to 2.5 hashes a plain password on its way to runtime (admin-hash_passwords)."""
    if one == other:
        return True
    return (other.startswith("*") and _native_hash(one) == other) or (
        one.startswith("*") and _native_hash(other) == one
    )


def _user_rows(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], dict[str, str]]:
    """Users by name and side: runtime has a row for the backend and one for the frontend where memory has one for both."""
    found = {}
    for row in rows:
        if _text(row.get("active")) == "0":
            continue  # never loaded
        columns = {
            name: _text(value)
            for name, value in row.items()
            if name not in ("username", "backend", "frontend", "active", "password", "attributes")
        }
        columns["password"] = _text(row.get("password"))
        for side in ("backend", "frontend"):
            if _text(row.get(side)) == "1":
                found[(_text(row["username"]), side)] = columns
    return found


def _users_differ(one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]]) -> list[str]:
    left, right = _user_rows(one), _user_rows(other)
    differ = set()
    for key in set(left) | set(right):
        a, b = left.get(key), right.get(key)
        if (
            a is None
            or b is None
            or not same_password(a["password"], b["password"])
            or any(a[name] != b[name] for name in set(a) & set(b) - {"password"})
        ):
            differ.add(key[0])
    return sorted(differ)


def _rows_differ(name: str, one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]]) -> list[str]:
    """Names of what differs; never a value, since values can be secrets."""
    if name.endswith("_variables"):
        left = {row["variable_name"]: _text(row["variable_value"]) for row in one}
        right = {row["variable_name"]: _text(row["variable_value"]) for row in other}
        # What only one side has is a variable of another version or of a plug-in.
        return sorted(key for key in set(left) & set(right) if key not in _NO_DRIFT and left[key] != right[key])
    key_of = {"mysql_query_rules": ("rule_id",), "proxysql_servers": ("hostname", "port")}[name]

    def rows_of(rows: Sequence[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
        return {
            ":".join(_text(row[column]) for column in key_of): tuple(
                (column, _text(value)) for column, value in sorted(row.items())
            )
            for row in rows
            if not (name == "mysql_query_rules" and _text(row.get("active")) == "0")
        }

    left, right = rows_of(one), rows_of(other)
    return sorted(key for key in set(left) | set(right) if left.get(key) != right.get(key))


def read_drift(admin: Admin, names: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """For each module of the configuration, the names of what differs between memory and runtime, and memory and disk."""
    drift = {}
    for name in names:
        table, runtime_table, part = MODULES[name]
        memory = admin.query("SELECT * FROM main.{0} {1}".format(table, part))
        drift[name] = {}
        for layer, other_table in (("runtime", runtime_table), ("disk", "disk." + table)):
            other = admin.query("SELECT * FROM {0} {1}".format(other_table, part))
            differ = _users_differ(memory, other) if name == "mysql_users" and layer == "runtime" else None
            if differ is None:
                if name == "mysql_users":
                    left = {
                        (_text(r["username"]), _text(r["backend"])): {k: _text(v) for k, v in r.items()} for r in memory
                    }
                    right = {
                        (_text(r["username"]), _text(r["backend"])): {k: _text(v) for k, v in r.items()} for r in other
                    }
                    differ = sorted({key[0] for key in set(left) | set(right) if left.get(key) != right.get(key)})
                else:
                    differ = _rows_differ(name, memory, other)
            drift[name][layer] = differ
    return drift


# ---- the monitor ----------------------------------------------------------------------------------------------------


def read_checks(admin: Admin) -> dict[tuple[str, int], dict[str, Any]]:
    """The monitor's last result for each server.

    ProxySQL stamps a failed connect with its time plus the machine's uptime (lib/MySQL_Monitor.cpp, gr_update_hosts_map: t2 is 0), so
    a stamp from the future is brought back before the last one is looked for.
    """
    now = int(time.time() * 1000000)
    boot = now - int(time.monotonic() * 1000000)
    rows = admin.query(
        "SELECT hostname, port, viable_candidate, read_only, transactions_behind, error, MAX(CASE WHEN time_start_us > {0} "
        "THEN (time_start_us + {1}) / 2 ELSE time_start_us END) AS checked_at FROM monitor.mysql_server_group_replication_log "
        "GROUP BY hostname, port".format(now + 1000000, boot)
    )
    found = {}
    for row in rows:
        found[(_text(row["hostname"]), int(row["port"]))] = dict(
            viable_candidate=_text(row["viable_candidate"]).upper() == "YES",
            read_only=_text(row["read_only"]).upper() != "NO",
            transactions_behind=int(row["transactions_behind"] or 0),
            error=_text(row["error"]),
            checked_at=int(row["checked_at"]) / 1000000.0,
        )
    return found


def read_ping_errors(admin: Admin) -> dict[tuple[str, int], str]:
    rows = admin.query(
        "SELECT hostname, port, ping_error, MAX(time_start_us) AS checked_at FROM monitor.mysql_server_ping_log GROUP BY hostname, port"
    )
    return {(_text(row["hostname"]), int(row["port"])): _text(row["ping_error"]) for row in rows}


# ---- comparing memory with what a role wants -------------------------------------------------------------------------

_USER_KEY = ("username", "backend", "frontend")


def _same(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, bool):
        wanted = int(wanted)
    return str(wanted) == _text(found)


def _variable_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def compare_memory(admin: Admin, wanted: dict[str, Any]) -> dict[str, list[Any]]:
    """What memory does not have as wanted, by name: columns and variables that are not mentioned do not count."""
    differs: dict[str, list[Any]] = {}
    variables = dict(wanted.get("variables") or {}, **(wanted.get("secret_variables") or {}))
    if variables:
        rows = {
            row["variable_name"]: _text(row["variable_value"])
            for row in admin.query("SELECT * FROM main.global_variables")
        }
        unknown = sorted(name for name in variables if name not in rows)
        if unknown:
            raise AdminError("input", "ProxySQL {0} has no variable {1}.".format(admin.version, ", ".join(unknown)))
        differs["variables"] = sorted(name for name, value in variables.items() if rows[name] != _variable_text(value))
    if wanted.get("users"):
        rows = {
            tuple(_text(row[name]) for name in _USER_KEY): row for row in admin.query("SELECT * FROM main.mysql_users")
        }
        differs["users"] = []
        for index, user in enumerate(wanted["users"]):
            sides = ["1" if user.get(name) is None or user[name] else "0" for name in ("backend", "frontend")]
            row = rows.get((user["username"], sides[0], sides[1]))
            if user.get("state") == "absent":
                same = row is None
            else:
                columns = [
                    name for name, value in user.items() if value is not None and name not in _USER_KEY + ("state",)
                ]
                same = row is not None and all(_same(user[name], row[name]) for name in columns)
            if not same:
                differs["users"].append(index)
    if wanted.get("peers") is not None:
        peers, found = wish_peers(wanted["peers"]), read_peers(admin, "main.proxysql_servers")
        differs["peers"] = sorted(show_address(key) for key in {*peers, *found} if peers.get(key) != found.get(key))
    if wanted.get("query_rules") is not None:
        rows = {int(row["rule_id"]): row for row in admin.query("SELECT * FROM main.mysql_query_rules")}
        differs["query_rules"] = []
        for index, rule in enumerate(wanted["query_rules"]):
            row = rows.get(int(rule["rule_id"]))
            if rule.get("state") == "absent":
                same = row is None
            else:
                columns = {
                    name.lower(): value
                    for name, value in rule.items()
                    if value is not None and name not in ("state", "rule_id")
                }
                found = {name.lower(): value for name, value in (row or {}).items()}
                same = row is not None and all(_same(value, found.get(name)) for name, value in columns.items())
            if not same:
                differs["query_rules"].append(index)
        prefix = wanted.get("query_rules_comment")
        if prefix:
            kept = {int(rule["rule_id"]) for rule in wanted["query_rules"]}
            differs["leftover_rules"] = sorted(
                rule_id
                for rule_id, row in rows.items()
                if _text(row["comment"]).startswith(prefix) and rule_id not in kept
            )
    return differs
