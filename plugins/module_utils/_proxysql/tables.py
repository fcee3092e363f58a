# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ProxySQL's tables as data: what knows a row, its columns, what runtime makes of them. A new table is one entry of TABLES."""

from __future__ import annotations

import re
from typing import Any, Dict, NamedTuple, Optional, Tuple

Value = Optional[str]  # as the admin interface says it; None is NULL
Row = Dict[str, Value]
Key = Tuple[str, ...]
Rows = Dict[Key, Row]

SECRET_VARIABLE = re.compile(r"password|credentials")


class Column(NamedTuple):
    name: str
    kind: str  # str | int | bool: the option's type
    default: Value  # ProxySQL's own


class Table(NamedTuple):
    option: str  # the module's option
    table: str
    settings: str  # what LOAD and SAVE call it
    key: tuple[str, ...]
    columns: tuple[Column, ...]  # without the key
    secret: tuple[str, ...] = ()
    prefix: str = ""  # of the names that are this part of global_variables
    active: str = ""  # rows with 0 in this column are not loaded
    sides: tuple[str, ...] = ()  # runtime has a row for each of these columns that is 1
    hashed: tuple[str, ...] = ()  # ProxySQL up to 2.5 hashes them on their way to runtime
    not_compared: tuple[str, ...] = ()  # columns that runtime keeps in another form
    at_start: tuple[str, ...] = ()  # names of variables that are only taken when ProxySQL starts
    read_only: tuple[str, ...] = ()  # names of variables that say something about the program
    whole: bool = False  # columns that an entry does not give get their default; otherwise they stay as they are

    @property
    def part(self) -> str:
        """Its name in the option reload: the option, or one of the three parts of global_variables."""
        return f"{self.prefix.rstrip('-')}_variables" if self.prefix else self.option

    @property
    def load(self) -> str:
        return f"LOAD {self.settings} TO RUNTIME"

    @property
    def save(self) -> str:
        return f"SAVE {self.settings} TO DISK"

    @property
    def where(self) -> str:
        return f" WHERE variable_name LIKE '{self.prefix}%'" if self.prefix else ""

    @property
    def shared(self) -> int:
        """How many parts of a key memory and runtime share; the sides come last."""
        return sum(1 for name in self.key if name not in self.sides)

    def ordered(self, row: Row) -> tuple[str, ...]:
        """The columns of a row, always in the same order, so that rows share a statement."""
        known = [*self.key, *(column.name for column in self.columns)]
        return (*(name for name in known if name in row), *sorted(row.keys() - set(known)))

    def key_of(self, row: Row) -> Key:
        return tuple(row[name] or "" for name in self.key)

    def name_of(self, key: Key) -> str:
        """How a sentence names a row."""
        if self.key[:2] == ("hostname", "port"):
            user = f" for user {key[2]}" if key[2:] and key[2] else ""
            return (f"[{key[0]}]:{key[1]}" if ":" in key[0] else f"{key[0]}:{key[1]}") + user
        return key[0]

    def is_secret(self, row: Row, column: str) -> bool:
        return column in self.secret or (bool(self.prefix) and bool(SECRET_VARIABLE.search(row["variable_name"] or "")))


def _columns(kind: str, *names: str, **defaults: Value) -> tuple[Column, ...]:
    return tuple(Column(name, kind, defaults.get(name)) for name in names) + tuple(
        Column(name, kind, default) for name, default in defaults.items() if name not in names
    )


def _variables(prefix: str, settings: str, **more: Any) -> Table:
    return Table(
        "variables",
        "global_variables",
        settings,
        ("variable_name",),
        _columns("str", "variable_value"),
        prefix=prefix,
        **more,
    )


PEERS = Table(
    "peers",
    "proxysql_servers",
    "PROXYSQL SERVERS",
    ("hostname", "port"),
    _columns("int", weight="0") + _columns("str", comment=""),
    whole=True,
)
ADMIN_VARIABLES = _variables("admin-", "ADMIN VARIABLES", read_only=("admin-version",))
MYSQL_VARIABLES = _variables(
    "mysql-",
    "MYSQL VARIABLES",
    at_start=("mysql-interfaces", "mysql-threads", "mysql-stacksize"),
    read_only=("mysql-server_version_comment",),
)
PGSQL_VARIABLES = _variables(
    "pgsql-", "PGSQL VARIABLES", at_start=("pgsql-interfaces", "pgsql-threads", "pgsql-stacksize")
)
USERS = Table(
    "users",
    "mysql_users",
    "MYSQL USERS",
    ("username", "backend"),
    _columns("str", "password", "default_schema", attributes="", comment="")
    + _columns(
        "bool", active="1", use_ssl="0", schema_locked="0", transaction_persistent="1", fast_forward="0", frontend="1"
    )
    + _columns("int", default_hostgroup="0", max_connections="10000"),
    secret=("password",),
    active="active",
    sides=("backend", "frontend"),
    hashed=("password",),
    not_compared=("attributes",),
)
QUERY_RULES = Table(
    "query_rules",
    "mysql_query_rules",
    "MYSQL QUERY RULES",
    ("rule_id",),
    _columns(
        "bool", "cache_empty_result", "reconnect", "sticky_conn", "log", active="0", negate_match_pattern="0", apply="0"
    )
    + _columns(
        "int",
        "proxy_port",
        "flagOUT",
        "destination_hostgroup",
        "cache_ttl",
        "cache_timeout",
        "timeout",
        "retries",
        "delay",
    )
    + _columns(
        "int", "next_query_flagIN", "mirror_flagOUT", "mirror_hostgroup", "multiplex", "gtid_from_hostgroup", flagIN="0"
    )
    + _columns("str", "username", "schemaname", "client_addr", "proxy_addr", "digest", "match_digest", "match_pattern")
    + _columns("str", "replace_pattern", "error_msg", "OK_msg", "comment", re_modifiers="CASELESS", attributes=""),
    active="active",
    whole=True,
)

# One LOAD is for it and for the servers, whose places it would give up: GroupsPart does both.
SERVERS_TLS = Table(
    "servers_tls",
    "mysql_servers_ssl_params",
    "MYSQL SERVERS",
    ("hostname", "port", "username"),
    tuple(
        Column(name, "str", "")
        for name in ("ssl_ca", "ssl_cert", "ssl_key", "ssl_capath", "ssl_crl", "ssl_crlpath", "ssl_cipher")
    )
    + (Column("tls_version", "str", ""), Column("comment", "str", "")),
    whole=True,
)

# With this value in runtime new clients are refused while a restart is near (clients.py).
GATE, ONE_CLIENT = ("mysql-max_connections",), "1"

VARIABLES = (ADMIN_VARIABLES, MYSQL_VARIABLES, PGSQL_VARIABLES)
# In the order in which they are loaded. Peers first: once peers can log in here they copy this table, and with an empty one they would
# forget each other. Hostgroups, which have an engine of their own upon this one, come before what sends statements to them.
BEFORE_HOSTGROUPS = (PEERS, *VARIABLES)
AFTER_HOSTGROUPS = (USERS, QUERY_RULES)
TABLES = (*BEFORE_HOSTGROUPS, SERVERS_TLS, *AFTER_HOSTGROUPS)
# Tables that a ProxySQL before some version does not have, and what versions.FEATURES calls that.
SINCE = {SERVERS_TLS.option: "servers_tls"}
