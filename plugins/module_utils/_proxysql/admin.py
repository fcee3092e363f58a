# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ProxySQL's admin interface: one connection."""

from __future__ import annotations

import configparser
import contextlib
import os
import re
import traceback
from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import show_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.rows import Statement
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.tables import Row, Value

try:
    import pymysql

    HAS_PYMYSQL = True
    PYMYSQL_ERROR: str | None = None
except ImportError:
    HAS_PYMYSQL = False
    PYMYSQL_ERROR = traceback.format_exc()


class AdminError(Refusal):
    """One sentence for the user; kind says what went wrong: input, denied, unreachable or statement."""

    def __init__(self, kind: str, message: str) -> None:
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
        raise AdminError("input", f"config_file {config_file} cannot be read ({_reason(error)}).") from error
    if not parser.has_section("client"):
        raise AdminError(
            "input",
            f"config_file {config_file} has no section [client], where user and password are looked for.",
        )

    def value(name: str) -> str | None:
        text = parser.get("client", name, fallback=None)
        if text and len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            text = text[1:-1]
        return text

    return value("user"), value("password")


class Admin:
    """One connection to the admin interface."""

    def __init__(self, params: dict[str, Any]) -> None:
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
            raise AdminError("input", f"login_port is {port}; allowed are whole numbers from 1 to 65535.")
        if params["connect_timeout"] < 1:
            raise AdminError(
                "input",
                f"connect_timeout is {params['connect_timeout']}; allowed are whole numbers of seconds from 1.",
            )
        self._arguments: dict[str, Any] = dict(
            connect_timeout=params["connect_timeout"], read_timeout=120, write_timeout=120
        )
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
        self._connection: Any = None
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
                **self._arguments,
            )
        except pymysql.err.OperationalError as error:
            if error.args and error.args[0] == 1045:
                raise AdminError(
                    "denied",
                    f"ProxySQL's admin interface at {self.where} refused login_user {self.user!r} with the given login_password.",
                ) from error
            raise AdminError(
                "unreachable",
                f"ProxySQL's admin interface at {self.where} cannot be reached ({_reason(error)}).",
            ) from error
        except (pymysql.err.Error, RuntimeError, OSError) as error:
            raise AdminError(
                "unreachable",
                f"ProxySQL's admin interface at {self.where} cannot be used ({_reason(error)}).",
            ) from error
        rows = self.query("SELECT version() AS version")
        self.version = (next(iter(rows[0].values())) if rows else "") or ""

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(pymysql.err.Error):
                self._connection.close()
            self._connection = None

    def __enter__(self) -> Admin:
        self.connect()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def read(self, statement: str) -> tuple[list[str], list[Row]]:
        """The names of the columns, and the rows."""
        return self._run(Statement.plain(statement))

    def query(self, statement: str) -> list[Row]:
        return self.read(statement)[1]

    def execute(self, statement: Statement) -> None:
        self._run(statement)

    def revive(self) -> None:
        """Connect anew where the connection is lost."""
        try:
            self.query("SELECT 1")
        except AdminError:
            self.close()
            self.connect()

    def _run(self, statement: Statement) -> tuple[list[str], list[Row]]:
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(statement.text)
                columns = [entry[0] for entry in cursor.description or ()]
                return columns, [dict(zip(columns, map(_value, row))) for row in cursor.fetchall() or ()]
        except (pymysql.err.Error, OSError) as error:
            raise AdminError(
                "statement",
                f"ProxySQL's admin interface at {self.where} refused a statement ({_reason(error)}): {statement.shown[:300]}",
            ) from error


def _reason(error: Exception) -> str:
    text = str(error.args[-1]) if error.args else ""
    return (text or type(error).__name__).replace("\n", " ").rstrip(".")


def _value(value: Any) -> Value:
    """Everything as text, as ProxySQL keeps it."""
    if value is None:
        return None
    return value.decode("utf-8", "replace") if isinstance(value, (bytes, bytearray)) else str(value)
