# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A MySQL server that only greets, lets everybody in, and says whether the connection is encrypted: for what a proxy makes of its certificate."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import threading

# LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH
CAPABILITIES = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x80000
CLIENT_SSL = 0x800
OK = b"\0\0\0\2\0\0\0"
EOF = b"\xfe\0\0\2\0"
COM_QUIT, COM_QUERY = 1, 3


class TlsMember:
    """Listens on loopback. pair: its certificate; None offers no TLS."""

    def __init__(self, pair=None, highest: ssl.TLSVersion | None = None):
        self.pair, self.highest = pair, highest
        self.logins: list[tuple[str, bool]] = []  # account, encrypted
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def cut(self):
        """End all connections."""
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._connections.clear()

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if self.highest:
            context.set_ciphers("DEFAULT@SECLEVEL=0")
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, self.highest
        context.load_cert_chain(*self.pair)
        return context

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _peer = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connections.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket):
        with contextlib.suppress(OSError, struct.error, IndexError, ValueError):
            try:
                self._talk(connection)
            finally:
                connection.close()

    def _talk(self, connection: socket.socket):
        offered = CAPABILITIES | (CLIENT_SSL if self.pair else 0)
        nonce = os.urandom(20).hex().encode()[:20]
        _send(
            connection,
            0,
            b"\x0a8.4.0-test\0"
            + struct.pack("<I", 1)
            + nonce[:8]
            + b"\0"
            + struct.pack("<HBHHB", offered & 0xFFFF, 45, 2, offered >> 16, 21)
            + bytes(10)
            + nonce[8:]
            + b"\0mysql_native_password\0",
        )
        number, answer = _receive(connection)
        encrypted = bool(struct.unpack_from("<I", answer)[0] & CLIENT_SSL) and len(answer) == 32
        if encrypted:
            connection = self._context().wrap_socket(connection, server_side=True)
            self._connections.append(connection)
            number, answer = _receive(connection)
        self.logins.append((answer[32 : answer.index(b"\0", 32)].decode(), encrypted))
        _send(connection, number + 1, OK)
        while True:
            number, command = _receive(connection)
            if command[0] == COM_QUIT:
                return
            if command[0] == COM_QUERY and b"SELECT" in command.upper():
                _table(connection, b"TLS" if encrypted else b"plain text")
            else:
                _send(connection, number + 1, OK)


def _receive(connection) -> tuple[int, bytes]:
    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = connection.recv(count - len(data))
            if not part:
                raise OSError("end of stream")
            data += part
        return data

    header = exactly(4)
    return header[3], exactly(int.from_bytes(header[:3], "little"))


def _send(connection, number: int, *payloads: bytes):
    connection.sendall(
        b"".join(len(p).to_bytes(3, "little") + bytes([(number + i) % 256]) + p for i, p in enumerate(payloads))
    )


def _table(connection, value: bytes):
    def text(data: bytes) -> bytes:
        return bytes([len(data)]) + data

    column = b"".join(map(text, (b"def", b"", b"", b"", b"x", b""))) + struct.pack("<BHIBHBH", 12, 45, 64, 253, 0, 0, 0)
    _send(connection, 1, b"\1", column, EOF, text(value), EOF)
