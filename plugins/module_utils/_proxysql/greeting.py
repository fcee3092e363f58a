# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A MySQL server's version, from its greeting: no account and no client library needed, so it can be asked on a blank host."""

from __future__ import annotations

import socket
import struct

_PROTOCOL_41 = 0x200
_SECURE_CONNECTION = 0x8000
_PLUGIN_AUTH = 0x80000


def read_packet(connection: socket.socket) -> tuple[int, bytes]:
    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = connection.recv(count - len(data))
            if not part:
                raise OSError("the connection was closed")
            data += part
        return data

    header = exactly(4)
    return header[3], exactly(header[0] | header[1] << 8 | header[2] << 16)


def parse_greeting(payload: bytes) -> str:
    if payload[:1] == b"\xff":
        # an error instead of a greeting, for instance "Host … is blocked" or "Too many connections"
        raise OSError(payload[3:].lstrip(b"#").decode("utf-8", "replace"))
    if payload[:1] != b"\x0a" or b"\0" not in payload:
        raise OSError("it does not speak the MySQL protocol")
    return payload[1 : payload.index(b"\0", 1)].decode("utf-8", "replace")


def goodbye(user: str) -> bytes:
    """A login without a password. A connection cut after the greeting would count towards max_connect_errors; a refused login does not."""
    plugin = b"caching_sha2_password\0"
    return (
        struct.pack("<IIB23x", _PROTOCOL_41 | _SECURE_CONNECTION | _PLUGIN_AUTH, 1 << 24, 45)
        + user.encode("utf-8")
        + b"\0\0"
        + plugin
    )


def server_version(host: str, port: int, timeout: float, user: str = "version_probe") -> str:
    """Raises OSError with a reason."""
    with socket.create_connection((host, port), timeout=timeout) as connection:
        connection.settimeout(timeout)
        sequence, payload = read_packet(connection)
        version = parse_greeting(payload)
        answer = goodbye(user)
        try:
            connection.sendall(struct.pack("<I", len(answer))[:3] + bytes([sequence + 1]) + answer)
            read_packet(connection)
        except OSError:
            pass  # the version is known
    return version
