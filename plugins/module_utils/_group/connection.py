# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to MySQL servers through PyMySQL, and a record of the statements that change something.

Private to this collection.
"""

from __future__ import annotations

import contextlib
import re
import ssl
import traceback
from typing import Any, Dict, Mapping, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import format_address, parse_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.tls import forget_errors, tls_context, tls_reason
from ansible_collections.distdb.mysql_ha.plugins.module_utils._option_file import read_client_section
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

try:
    import pymysql
    import pymysql.cursors
    from pymysql.constants import CLIENT

    PYMYSQL_ERROR: str | None = None
    _Base = pymysql.connections.Connection
except ImportError:
    pymysql = None
    PYMYSQL_ERROR = traceback.format_exc()
    _Base = object

MASK = "********"

# Error numbers of the server and of the client library that the code tells apart.
ER_ACCESS_DENIED = 1045
ER_HOST_NOT_PRIVILEGED = 1130
ER_SPECIFIC_ACCESS_DENIED = 1227
ER_AUTH_NEEDS_TLS = 2061  # caching_sha2_password without TLS and without the server's key
ER_SECURE_TRANSPORT_REQUIRED = 3159
ER_PASSWORD_EXPIRED = 1862
ER_ACCOUNT_LOCKED = 3118
ER_GR_NOT_CONFIGURED = 3092  # START failed: also while the old incarnation is still in the group
ER_GR_RUNNING = 3093
ER_GR_COMMAND_FAILURE = 3663  # another START or STOP is executing
ER_CLONE_RESTART = 3707  # clone done, but nobody restarts the server
CR_SSL_ERROR = 2026
CR_CONNECTION_LOST = (2006, 2013, 2055)
CR_CANNOT_CONNECT = (2002, 2003, 2005)
# What a donor says to an account that it does not take.
ACCOUNT_REFUSED = (
    ER_ACCESS_DENIED,
    ER_SPECIFIC_ACCESS_DENIED,
    ER_AUTH_NEEDS_TLS,
    ER_SECURE_TRANSPORT_REQUIRED,
    ER_HOST_NOT_PRIVILEGED,
    ER_PASSWORD_EXPIRED,
    ER_ACCOUNT_LOCKED,
)


# Facts are asked for as they are: with another level a query waits for the group, and is refused while the member leaves it.
_NO_WAITING = "SET SESSION group_replication_consistency = 'EVENTUAL'"


class ServerError(Refusal):
    """A server could not be asked or refused a statement; str() is one sentence without secrets."""

    def __init__(self, message: str, code: int = 0, lost: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.lost = lost


Row = Dict[str, Any]


class _TlsConnection(_Base):  # type: ignore[misc,valid-type]
    """A connection that refuses to go on in clear text when TLS is required."""

    tls_required = False

    def _get_server_information(self) -> None:
        super()._get_server_information()
        # PyMySQL itself would silently log in without TLS when the server does not offer it.
        if self.tls_required and not self.server_capabilities & CLIENT.SSL:
            raise pymysql.err.OperationalError(2026, "the server does not offer TLS")


class _RequiredTlsConnection(_TlsConnection):
    tls_required = True


def translate(error: BaseException, where: str, user: str | None = None) -> ServerError:
    """A ServerError with one sentence for an exception of the client library."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    if code == ER_ACCESS_DENIED:
        return ServerError(
            f"{where} refuses account '{user}' (wrong password, no such account, or TLS required and not used)", code
        )
    if code == ER_HOST_NOT_PRIVILEGED:
        return ServerError(f"{where} has no account for this host ({text})", code)
    if code in CR_CANNOT_CONNECT:
        match = re.match(r"^Can't connect to MySQL server on (?:'[^']*'|\"[^\"]*\") \((.*)\)$", text, re.DOTALL)
        reason = match.group(1) if match else text
        if "SSL" in reason or "certificate" in reason:
            return ServerError(f"{where}: no TLS ({tls_reason(reason)})", code, lost=True)
        return ServerError(f"{where} does not answer ({re.sub('^.Errno [0-9]+. ', '', reason)})", code, lost=True)
    if code in CR_CONNECTION_LOST or code == 0:
        return ServerError(f"{where}: the connection was lost ({text or type(error).__name__})", code, lost=True)
    if code == CR_SSL_ERROR:
        return ServerError(f"{where}: no TLS ({text})", code)
    return ServerError(f"{where}: error {code}: {text}", code)


class Recorder:
    """The statements that were run, or in check mode would have been, with secrets masked."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def add(self, text: str) -> None:
        """Note one statement."""
        self.statements.append(text)


def encoded(password: str | bytes | None) -> bytes:
    """The password as the server stores it. PyMySQL would encode text as latin1, so that 'pässwörd' never fits."""
    return password.encode("utf-8") if isinstance(password, str) else password or b""


class Connection:
    """One connection to one server. rehearsing: what would change something is recorded and not run (check mode)."""

    def __init__(self, where: str, recorder: Recorder | None = None, **arguments: Any) -> None:
        self.where = where
        self.rehearsing = False
        self.recorder = recorder or Recorder()
        self.user = arguments.get("user")
        self._arguments = arguments
        self._conn: Any = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, as far as this side knows."""
        return self._conn is not None

    def open(self) -> Connection:
        """Connect; ServerError with one sentence when that fails."""
        if self._conn is not None:
            return self
        arguments = dict(self._arguments)
        cls = _RequiredTlsConnection if arguments.pop("tls_required", False) else _TlsConnection
        # A frozen server accepts the connection and then says nothing: the login is bounded too, with some room for a busy one.
        read_timeout = arguments.pop("read_timeout", None)
        if read_timeout:
            arguments["read_timeout"] = arguments["write_timeout"] = 2 * arguments["connect_timeout"]
        try:
            self._conn = cls(autocommit=True, charset="utf8mb4", cursorclass=pymysql.cursors.DictCursor, **arguments)
        except pymysql.err.MySQLError as error:
            raise translate(error, self.where, self.user) from None
        except ssl.SSLError as error:
            raise ServerError(f"{self.where}: no TLS ({tls_reason(str(error))})", lost=True) from None
        except OSError as error:
            raise ServerError(f"{self.where} does not answer ({error})", lost=True) from None
        except RuntimeError as error:
            # PyMySQL says so when caching_sha2_password would need RSA, which it has only with the cryptography package.
            raise ServerError(f"{self.where}: {error}") from None
        finally:
            if self._conn is None:
                self._forget_errors()
        if read_timeout:
            self.timeout(read_timeout)
        try:
            self.query(_NO_WAITING)
        except ServerError as error:
            # A server that does not have it, or has no such plugin, refuses it.
            if error.lost:
                raise
        return self

    def close(self) -> None:
        """Close; never fails."""
        if self._conn is not None:
            with contextlib.suppress(Exception):  # the connection may be broken already
                self._conn.close()
            self._conn = None
            self._forget_errors()

    def _forget_errors(self) -> None:
        """What went wrong here is no other connection's error."""
        if self._arguments.get("ssl"):
            forget_errors()

    def timeout(self, seconds: float | None) -> None:
        """Limit how long one read or write may take from now on; None is for ever."""
        if self._conn is not None:
            self._conn._read_timeout = seconds
            self._conn._write_timeout = seconds

    def query(self, text: str, args: Sequence[Any] | None = None) -> list[Row]:
        """Rows of a statement that changes nothing, as dicts with lower-case names."""
        self.open()
        try:
            with self._conn.cursor() as cursor:
                cursor.execute(text, args)
                return [{name.lower(): value for name, value in row.items()} for row in cursor.fetchall()]
        except pymysql.err.MySQLError as error:
            raise self._failed(error) from None
        except (OSError, ssl.SSLError) as error:
            self.close()
            raise ServerError(f"{self.where}: the connection was lost ({error})", lost=True) from None

    def run(self, text: str, args: Sequence[Any] | None = None, secrets: Sequence[int] = ()) -> list[Row]:
        """Run and record a statement that changes something. secrets: positions in args that are masked in the record."""
        self.open()
        self.recorder.add(self.masked(text, args, secrets))
        return [] if self.rehearsing else self.query(text, args)

    def masked(self, text: str, args: Sequence[Any] | None = None, secrets: Sequence[int] = ()) -> str:
        """The statement's text with its values filled in and secrets masked."""
        if not args:
            return text
        shown = tuple(MASK if position in secrets else value for position, value in enumerate(args))
        return text % tuple(
            str(value) if isinstance(value, int) else "'{}'".format(str(value).replace("'", "''")) for value in shown
        )

    def _failed(self, error: BaseException) -> ServerError:
        failed = translate(error, self.where, self.user)
        if failed.lost:
            self.close()
        return failed


def login_options() -> dict[str, dict[str, Any]]:
    """Arguments of the connection to the server that the module manages; names as in ansible.mysql."""
    return {
        "login_user": {"type": "str"},
        "login_password": {"type": "str", "no_log": True},
        "login_host": {"type": "str", "default": "localhost"},
        "login_port": {"type": "int", "default": 3306},
        "login_unix_socket": {"type": "str"},
        "config_file": {"type": "path", "default": "~/.my.cnf"},
        "connect_timeout": {"type": "int", "default": 30},
        "ca_cert": {"type": "path", "aliases": ["ssl_ca"]},
        "client_cert": {"type": "path", "aliases": ["ssl_cert"]},
        "client_key": {"type": "path", "aliases": ["ssl_key"]},
        "check_hostname": {"type": "bool"},
    }


def login_connection(params: Mapping[str, Any], recorder: Recorder | None = None) -> Connection:
    """The (not yet opened) connection to the managed server from the options of login_options()."""
    config = read_client_section(params.get("config_file")) or {}
    user = params.get("login_user") or config.get("user") or "root"
    password = params.get("login_password")
    if password is None:
        password = config.get("password", "")
    socket = params.get("login_unix_socket")
    if not socket and params.get("login_host") in (None, "", "localhost"):
        socket = config.get("socket")
    arguments: dict[str, Any] = {
        "user": user,
        "password": encoded(password),
        "connect_timeout": params.get("connect_timeout") or 30,
    }
    ca_cert = params.get("ca_cert") or config.get("ssl-ca")
    client_cert = params.get("client_cert") or config.get("ssl-cert")
    client_key = params.get("client_key") or config.get("ssl-key")
    if socket:
        arguments["unix_socket"] = socket
        # Newer versions of PyMySQL would read the CA certificates of the host for each connection.
        arguments["ssl_disabled"] = True
        where = socket
    else:
        host = params.get("login_host") or config.get("host") or "localhost"
        arguments["host"] = host
        arguments["port"] = params.get("login_port") or 3306
        where = format_address(host, arguments["port"])
        wanted = bool(ca_cert or client_cert or params.get("check_hostname") is not None)
        try:
            # Without TLS options, TLS is used when the server offers it, as the mysql client does.
            arguments["ssl"] = tls_context(ca_cert, client_cert, client_key, params.get("check_hostname"))
        except (OSError, ssl.SSLError) as error:
            raise ServerError(f"ca_cert, client_cert or client_key: cannot be read ({error})") from None
        arguments["tls_required"] = wanted
    return Connection(where, recorder, **arguments)


def peer_connection(
    address: str,
    user: str | None,
    password: str | None,
    ca_cert: str | None = None,
    connect_timeout: int = 3,
    read_timeout: int = 10,
    recorder: Recorder | None = None,
    check_hostname: bool | None = None,
) -> Connection:
    """The (not yet opened) connection to another declared member: TLS always, verified when a CA is given."""
    host, port = parse_address(address)
    try:
        context = tls_context(ca_cert, check_hostname=check_hostname)
    except (OSError, ssl.SSLError) as error:
        raise ServerError(f"peer_ca_cert: '{ca_cert}' cannot be read ({error})") from None
    return Connection(
        address,
        recorder,
        host=host,
        port=port,
        user=user,
        password=encoded(password),
        ssl=context,
        tls_required=True,
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
    )
