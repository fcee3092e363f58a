# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to MySQL servers: PyMySQL logs in, then whole packets go to and fro. All blocking, so used from threads."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import socket
import ssl
import struct

import pymysql
from pymysql import _auth
from pymysql.constants import CLIENT

from . import tls

MORE_RESULTS, CURSOR_EXISTS = 0x0008, 0x0040
COM_QUERY, COM_FIELD_LIST, COM_STMT_PREPARE, COM_STMT_EXECUTE, COM_STMT_FETCH = 0x03, 0x04, 0x16, 0x17, 0x1C
COM_STMT_SEND_LONG_DATA, COM_STMT_CLOSE, COM_RESET_CONNECTION = 0x18, 0x19, 0x1F


class Lost(Exception):
    """The server went away; begun = some of the answer had already come."""

    def __init__(self, begun: bool):
        super().__init__("connection to the server lost")
        self.begun = begun


# --- caching_sha2_password without TLS ---------------------------------------------------------------------------
# PyMySQL leaves this to the package "cryptography"; the lab's hosts get pure Python only, so the RSA step (OAEP with SHA-1) is here.


def _der(data: bytes, at: int = 0):
    """(content, end) of the DER element at a position"""
    length, at = data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, at = int.from_bytes(data[at : at + size], "big"), at + size
    return data[at : at + length], at + length


def rsa_encrypt(password: bytes, salt: bytes, public_key: bytes) -> bytes:
    key = base64.b64decode(b"".join(line for line in public_key.splitlines() if line and not line.startswith(b"-")))
    info, _end = _der(key)
    _algorithm, end = _der(info)
    numbers, _end = _der(_der(info, end)[0][1:])
    modulus, end = _der(numbers)
    exponent, _end = _der(numbers, end)
    n, e = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
    size = (n.bit_length() + 7) // 8

    def mask(seed, length):
        blocks = (hashlib.sha1(seed + struct.pack(">I", i)).digest() for i in range(length // 20 + 1))
        return b"".join(blocks)[:length]

    def xor(a, b):
        return bytes(x ^ y for x, y in zip(a, b))

    plain = password + b"\0"
    message = xor(plain, (salt * (len(plain) // len(salt) + 1))[: len(plain)])
    block = hashlib.sha1(b"").digest() + bytes(size - len(message) - 42) + b"\1" + message
    seed = os.urandom(20)
    block = xor(block, mask(seed, len(block)))
    seed = xor(seed, mask(block, 20))
    return pow(int.from_bytes(b"\0" + seed + block, "big"), e, n).to_bytes(size, "big")


_auth.sha2_rsa_encrypt = rsa_encrypt
_auth._have_cryptography = True


def connect(store, host: str, port: int, user: str, password: str, use_ssl: bool, connect_timeout: float, **options):
    """With TLS where it is wanted and the server offers it: in plain text where it does not, as ProxySQL."""
    try:
        context = tls.towards(store, host, port, user) if use_ssl else None
    except OSError as error:
        raise pymysql.OperationalError(2026, f"TLS/SSL error: {error}") from None
    connection = pymysql.Connection(
        host=host,
        port=port,
        user=user,
        password=password,
        autocommit=None,
        charset="utf8mb4",
        connect_timeout=connect_timeout,
        read_timeout=connect_timeout,  # a frozen server accepts and then says nothing
        ssl=context,
        ssl_disabled=not use_ssl,
        defer_connect=True,
        **options,
    )
    try:
        connection.connect()
    except pymysql.OperationalError as error:
        tls.forget_errors()
        if context and "the server doesn't support it" in str(error):
            return connect(store, host, port, user, password, False, connect_timeout, **options)
        cause = getattr(error, "original_exception", None)
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "verify_message", "") or cause.reason or str(cause)
            raise pymysql.OperationalError(2026, f"TLS/SSL error: {reason}") from None
        raise
    connection._read_timeout = None
    connection._sock.settimeout(None)
    connection._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def error_text(error: BaseException, host: str) -> str:
    """What the monitor writes for a failed connect, in the words of ProxySQL's client library."""
    code, text = (error.args + ("", ""))[:2]
    if code == 2003:
        cause = getattr(error, "original_exception", None)
        return "Can't connect to server on '{}' ({})".format(host, getattr(cause, "errno", None) or 110)
    if code == 2013:
        return "Lost connection to server during query"
    return str(text)


class Backend:
    """A connection that statements of clients go through. state = session settings applied to it."""

    def __init__(self, store, server, user: str, password: str, flags: int, timeout: float):
        self.server, self.user, self.flags = server, user, flags
        self.state: tuple = ()
        self.aborted = False
        self.connection = connect(
            store,
            server.host,
            server.port,
            user,
            password,
            bool(server.place.use_ssl),
            timeout,
            client_flag=CLIENT.MULTI_STATEMENTS | flags,
        )
        self.sock = self.connection._sock
        self.reader = self.connection._rfile
        self.sock.settimeout(None)

    def abort(self):
        """Ends a statement under way in another thread."""
        self.aborted = True
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.connection._force_close()

    def send(self, payload: bytes):
        parts = []
        for number, at in enumerate(range(0, len(payload) + 1, 0xFFFFFF)):
            part = payload[at : at + 0xFFFFFF]
            parts.append(struct.pack("<I", len(part) | (number & 0xFF) << 24) + part)
        self.sock.sendall(b"".join(parts))

    def exchange(self, payload: bytes) -> tuple[bytes, int, int]:
        """Sends a command, returns (raw answer, status flags, error code)."""
        answer = bytearray()
        try:
            self.send(payload)
            if payload[0] in (COM_STMT_SEND_LONG_DATA, COM_STMT_CLOSE):
                return b"", -1, 0
            return self._answer(payload[0], answer)
        except (OSError, ValueError, struct.error):
            tls.forget_errors()
            raise Lost(bool(answer)) from None

    def _packet(self, answer: bytearray) -> bytes:
        payload = b""
        while True:
            header = self.reader.read(4)
            if len(header) < 4:
                raise OSError("end of stream")
            length = int.from_bytes(header[:3], "little")
            part = self.reader.read(length)
            if len(part) < length:
                raise OSError("end of stream")
            answer += header
            answer += part
            payload += part
            if length < 0xFFFFFF:
                return payload

    def _rows(self, answer: bytearray):
        """Skips rows up to the EOF or error packet and returns that."""
        while True:
            packet = self._packet(answer)
            if packet[0] == 0xFF or (packet[0] == 0xFE and len(packet) < 9):
                return packet

    def _answer(self, command: int, answer: bytearray) -> tuple[bytes, int, int]:
        if command == COM_STMT_PREPARE:
            packet = self._packet(answer)
            if packet[0] == 0xFF:
                return bytes(answer), -1, struct.unpack_from("<H", packet, 1)[0]
            columns, parameters = struct.unpack_from("<HH", packet, 5)
            for count in (parameters, columns):
                if count:
                    for _i in range(count + 1):
                        self._packet(answer)
            return bytes(answer), -1, 0
        while True:
            if command in (COM_FIELD_LIST, COM_STMT_FETCH):
                last = self._rows(answer)
            else:
                last = self._packet(answer)
                if last[0] not in (0x00, 0xFF, 0xFB, 0xFE):  # a result set: columns, EOF, rows, EOF
                    last = self._rows(answer)
                    if last[0] == 0xFE and not struct.unpack_from("<H", last, 3)[0] & CURSOR_EXISTS:
                        last = self._rows(answer)
            if last[0] == 0xFF:
                return bytes(answer), -1, struct.unpack_from("<H", last, 1)[0]
            status = struct.unpack_from("<H", last, 3)[0] if last[0] == 0xFE else ok_numbers(last)[2]
            if not status & MORE_RESULTS:
                return bytes(answer), status, 0


def ok_numbers(packet: bytes) -> tuple[int, int, int]:
    """(affected rows, last insert id, status flags) of an OK packet"""
    at, numbers = 1, []
    for _field in range(2):
        first = packet[at]
        size = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first, 0)
        numbers.append(int.from_bytes(packet[at + 1 : at + 1 + size], "little") if size else first)
        at += 1 + size
    return (*numbers, struct.unpack_from("<H", packet, at)[0])
