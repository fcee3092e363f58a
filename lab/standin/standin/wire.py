# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The side that clients see: handshake, login and packets, on mysql-mimic's protocol layer."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import logging
import os
import ssl
import struct

from mysql_mimic import packets, utils
from mysql_mimic.charset import CharacterSet
from mysql_mimic.stream import ConnectionClosed, MysqlStream
from mysql_mimic.types import Capabilities as C
from mysql_mimic.types import ColumnType, ServerStatus, str_len, uint_len

from . import tls

log = logging.getLogger(__name__)

NATIVE, SHA2 = "mysql_native_password", "caching_sha2_password"
# Without DEPRECATE_EOF, SESSION_TRACK and QUERY_ATTRIBUTES packets look the same towards clients and servers and can be passed on as they are.
CAPABILITIES = (
    C.CLIENT_LONG_PASSWORD
    | C.CLIENT_FOUND_ROWS
    | C.CLIENT_CONNECT_WITH_DB
    | C.CLIENT_PROTOCOL_41
    | C.CLIENT_TRANSACTIONS
    | C.CLIENT_SECURE_CONNECTION
    | C.CLIENT_MULTI_STATEMENTS
    | C.CLIENT_MULTI_RESULTS
    | C.CLIENT_PS_MULTI_RESULTS
    | C.CLIENT_PLUGIN_AUTH
    | C.CLIENT_CONNECT_ATTRS
    | C.CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
)
COM_QUIT, COM_INIT_DB, COM_QUERY, COM_FIELD_LIST, COM_STATISTICS, COM_PING = 0x01, 0x02, 0x03, 0x04, 0x09, 0x0E
COM_CHANGE_USER, COM_SET_OPTION = 0x11, 0x1B
_ids = itertools.count(1)


class MysqlError(Exception):
    """An error packet for the client."""

    def __init__(self, text: str, code: int = 1045, state: str = "28000"):
        super().__init__(text)
        self.text, self.code, self.state = text, code, state


def password_matches(plugin: str, password: str, nonce: bytes, answer: bytes) -> bool:
    """password: as stored in mysql_users, plain text or '*' and 40 hex digits."""
    if not password or not answer:
        return not password and not answer
    if plugin == SHA2:
        first = hashlib.sha256(password.encode()).digest()
        mask = hashlib.sha256(hashlib.sha256(first).digest() + nonce).digest()
        return len(answer) == 32 and hmac.compare_digest(utils.xor(first, mask), answer)
    hashed = password.startswith("*") and len(password) == 41
    stage2 = bytes.fromhex(password[1:]) if hashed else hashlib.sha1(hashlib.sha1(password.encode()).digest()).digest()
    stage1 = utils.xor(answer, hashlib.sha1(nonce + stage2).digest())
    return len(answer) == 20 and hmac.compare_digest(hashlib.sha1(stage1).digest(), stage2)


class Client:
    """One client connection. Subclasses: password_of, command."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, version: str, plugin: str, context=None
    ):
        self.stream = MysqlStream(reader, writer)
        self.version, self.plugin, self.tls = version, plugin, context
        self.id = next(_ids)
        self.status = ServerStatus.SERVER_STATUS_AUTOCOMMIT
        self.user = self.database = ""
        self.encrypted = False
        self.charset, self.capabilities = "utf8mb4", C(0)
        peer = writer.get_extra_info("peername")
        self.address = peer[0] if isinstance(peer, tuple) else "localhost"

    def password_of(self, user: str) -> str | None:
        """None: no such user."""
        raise NotImplementedError

    def refusal(self, user: str) -> MysqlError | None:
        """Why a right password does not help: users that may log in from some places, or with TLS, only."""
        return None

    async def command(self, number: int, payload: bytes):
        raise NotImplementedError

    def reset(self):
        """Gives up what the session holds; it goes on as a new one."""

    def closed(self):
        """The client is gone."""

    # --- packets -------------------------------------------------------------------------------------------------

    async def ok(self, affected: int = 0, message: str = ""):
        tail = str_len(message.encode()) if message else b""
        await self.stream.write(b"\0" + uint_len(affected) + b"\0" + struct.pack("<HH", self.status, 0) + tail)

    async def eof(self):
        await self.stream.write(packets.make_eof(capabilities=C.CLIENT_PROTOCOL_41, status_flags=self.status))

    async def error(self, error: MysqlError):
        await self.stream.write(
            b"\xff" + struct.pack("<H", error.code) + b"#" + error.state.encode() + error.text.encode()
        )

    async def table(self, names, rows):
        """A result set in which every value is a string or NULL."""
        self.stream.write_many(
            [
                uint_len(len(names)),
                *(
                    packets.make_column_definition_41(
                        server_charset=CharacterSet.utf8mb4, name=name, column_type=ColumnType.VAR_STRING
                    )
                    for name in names
                ),
                packets.make_eof(capabilities=C.CLIENT_PROTOCOL_41, status_flags=self.status),
            ]
        )
        self.stream.write_many([b"".join(b"\xfb" if v is None else str_len(v) for v in row) for row in rows])
        await self.eof()

    # --- life ----------------------------------------------------------------------------------------------------

    async def serve(self):
        try:
            if await self._handshake():
                await self._commands()
        except (ConnectionClosed, ConnectionError, asyncio.IncompleteReadError, struct.error, ssl.SSLError):
            pass
        finally:
            self.closed()
            self.stream.writer.close()

    async def _handshake(self) -> bool:
        offered = CAPABILITIES | (C.CLIENT_SSL if self.tls else C(0))
        nonce = utils.nonce(20)
        await self.stream.write(
            packets.make_handshake_v10(
                capabilities=offered,
                server_charset=CharacterSet.utf8mb4,
                server_version=self.version,
                connection_id=self.id,
                auth_data=nonce + b"\0",
                status_flags=self.status,
                auth_plugin_name=self.plugin,
            )
        )
        answer = packets.parse_handshake_response(offered, await asyncio.wait_for(self.stream.read(), 10))
        if isinstance(answer, packets.SSLRequest):
            await tls.accept(self.stream, self.tls)
            self.encrypted = True
            answer = packets.parse_handshake_response_41(offered, await asyncio.wait_for(self.stream.read(), 10))
        self.capabilities, self.charset, self.database = (
            answer.capabilities,
            answer.client_charset.name,
            answer.database or "",
        )
        return await self._login(answer.username, answer.client_plugin, nonce, answer.auth_response)

    async def _login(self, user: str, plugin: str | None, nonce: bytes, answer: bytes) -> bool:
        password = self.password_of(user)
        if (plugin or NATIVE) != self.plugin:
            nonce = utils.nonce(20)
            await self.stream.write(packets.make_auth_switch_request(CharacterSet.utf8mb4, self.plugin, nonce + b"\0"))
            answer = await asyncio.wait_for(self.stream.read(), 10)
        if password is None or not password_matches(self.plugin, password, nonce, answer):
            log.warning("Access denied for user '%s'@'%s'", user, self.address)
            given = "YES" if answer else "NO"
            await self.error(
                MysqlError(
                    f"ProxySQL Error: Access denied for user '{user}'@'{self.address}' (using password: {given})"
                )
            )
            return False
        refusal = self.refusal(user)
        if refusal:
            await self.error(refusal)
            return False
        if self.plugin == SHA2 and answer:
            await self.stream.write(packets.make_auth_more_data(b"\3"))  # fast authentication succeeded
        self.user = user
        await self.ok()
        return True

    async def _commands(self):
        while True:
            self.stream.reset_seq()
            payload = await self.stream.read()
            try:
                if not payload or payload[0] == COM_QUIT:
                    return
                if payload[0] == COM_PING:
                    await self.ok()
                elif payload[0] == COM_STATISTICS:
                    await self.stream.write(b"Uptime: 0")
                elif payload[0] == COM_CHANGE_USER:
                    self.reset()
                    change = packets.parse_com_change_user(self.capabilities, CharacterSet.utf8mb4, payload[1:])
                    self.database = change.database or ""
                    if not await self._login(change.username, None, os.urandom(20), b""):  # always asks anew
                        return
                else:
                    await self.command(payload[0], payload)
            except MysqlError as e:
                await self.error(e)


class Nobody:
    """Behind a port that is open and speaks no protocol that is known here."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.writer = writer

    async def serve(self):
        self.writer.close()


class Listener:
    """Listens where a variable such as admin-mysql_ifaces says: addresses and unix sockets divided by ';'."""

    def __init__(self, make_client):
        self._make_client = make_client
        self._servers: dict[str, asyncio.AbstractServer] = {}

    async def _connected(self, reader, writer):
        await self._make_client(reader, writer).serve()

    async def listen(self, interfaces: str):
        """Connections that are open stay open."""
        wanted = {i.strip() for i in interfaces.split(";") if i.strip()}
        for gone in set(self._servers) - wanted:
            self._servers.pop(gone).close()
        for new in wanted - set(self._servers):
            try:
                if new.startswith("/"):
                    if os.path.exists(new):
                        os.unlink(new)
                    self._servers[new] = await asyncio.start_unix_server(self._connected, new)
                else:
                    host, _colon, port = new.rpartition(":")
                    self._servers[new] = await asyncio.start_server(
                        self._connected, host.strip("[]"), int(port), backlog=512
                    )
                log.info("Listening on %s", new)
            except (OSError, ValueError) as e:
                log.error("Not listening on %s: %s", new, e)
