# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server's version from its greeting, over a real socket."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.greeting import server_version


@contextlib.contextmanager
def server(*chunks):
    received = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _address = listener.accept()
            with connection:
                for chunk in chunks:
                    connection.sendall(chunk)
                with contextlib.suppress(OSError):
                    received.append(connection.recv(4096))

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], received
        thread.join(10)


def packet(payload, sequence=0):
    return bytes([len(payload) & 255, len(payload) >> 8 & 255, len(payload) >> 16, sequence]) + payload


def test_the_version_is_read_from_a_greeting_in_pieces():
    greeting = packet(b"\x0a9.7.4\0" + b"x" * 60)
    with server(greeting[:3], greeting[3:9], greeting[9:]) as (port, received):
        assert server_version("127.0.0.1", port, 5) == "9.7.4"
    # an answer, so that the server does not count a broken handshake
    answer = received[0]
    assert answer[3] == 1 and len(answer) == 4 + answer[0] and b"version_probe\0\0caching_sha2_password\0" in answer


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (packet(b"\xff\x69\x04Host 'x' is blocked"), "is blocked"),
        (packet(b"HTTP/1.1 400"), "does not speak"),
        (b"\x05", "was closed"),
    ],
)
def test_what_is_no_greeting_is_an_error_with_a_reason(sent, words):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _address = listener.accept()
            connection.sendall(sent)
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(OSError, match=words):
            server_version("127.0.0.1", listener.getsockname()[1], 5)
        thread.join(10)


def test_nobody_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(OSError, match="refused"):
        server_version("127.0.0.1", port, 5)
