# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses, option files, messages, masking, and bounded connections, without a MySQL server."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import socket
import ssl
import threading
import time

import pymysql
import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.cluster import Cluster, find_me
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import (
    Connection,
    Recorder,
    ServerError,
    login_connection,
    peer_connection,
    translate,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import ServerFacts, lock_name
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.tls import tls_context
from ansible_collections.distdb.mysql_ha.plugins.module_utils._option_file import read_client_section
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

REASONS = [
    ("[Errno 111] Connection refused", "db0:3306 does not answer (Connection refused)"),
    ("timed out", "db0:3306 does not answer (timed out)"),
    (
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1000)",
        "db0:3306: no TLS (certificate verify failed: certificate has expired)",
    ),
    (
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: IP address mismatch, certificate is not valid for '192.0.2.1'. (_ssl.c:1)",
        "db0:3306: no TLS (certificate verify failed: IP address mismatch, certificate is not valid for '192.0.2.1'.)",
    ),
]


@pytest.mark.parametrize(("reason", "sentence"), REASONS)
def test_the_reason_for_no_connection_is_not_cut_off(reason, sentence):
    error = pymysql.err.OperationalError(2003, f"Can't connect to MySQL server on 'db0' ({reason})")
    found = translate(error, "db0:3306")
    assert (str(found), found.lost) == (sentence, True)


def test_a_password_travels_as_the_server_keeps_it():
    """PyMySQL would encode text as latin1."""
    made = login_connection({"config_file": "", "login_user": "root", "login_password": "pässwörd"})
    assert made._arguments["password"] == "pässwörd".encode()
    assert peer_connection("db0", "gr_peer", "pässwörd")._arguments["password"] == "pässwörd".encode()


def test_option_file(tmp_path):
    path = tmp_path / "my.cnf"
    path.write_text(
        "!includedir /etc/mysql/conf.d/\n# a comment\n[mysqld]\nuser=mysql\n[client]\nuser = ansible\npassword='it''s # fine'\n"
        'socket="/run/x.sock"\nssl_ca=/etc/ca.pem\nskip-something\n',
        encoding="utf-8",
    )
    values = read_client_section(str(path))
    assert values["user"] == "ansible"
    assert values["password"] == "it''s # fine"
    assert values["socket"] == "/run/x.sock"
    assert values["ssl-ca"] == "/etc/ca.pem"
    assert read_client_section(str(tmp_path / "none.cnf")) is None
    assert read_client_section("") is None


def test_options_win_over_the_option_file(tmp_path):
    path = tmp_path / "my.cnf"
    path.write_text("[client]\nuser=file\npassword=file\nsocket=/run/file.sock\n", encoding="utf-8")
    made = login_connection({"config_file": str(path)})
    assert (made.user, made._arguments["password"], made.where) == ("file", b"file", "/run/file.sock")
    made = login_connection(
        {"config_file": str(path), "login_user": "me", "login_password": "x", "login_unix_socket": "/run/me.sock"}
    )
    assert (made.user, made._arguments["password"], made.where) == ("me", b"x", "/run/me.sock")
    assert made._arguments["ssl_disabled"]  # or PyMySQL reads all CA certificates of the host, each time
    made = login_connection({"config_file": "", "login_host": "::1", "login_port": 3307})
    assert made.where == "[::1]:3307"
    assert made._arguments["user"] == "root"
    assert not made._arguments["tls_required"]
    made = login_connection({"config_file": "", "login_host": "db0", "check_hostname": False})
    assert made._arguments["tls_required"]


@pytest.mark.parametrize(
    ("error", "words", "lost"),
    [
        (pymysql.err.OperationalError(1045, "Access denied for user"), "refuses account 'gr_peer'", False),
        (
            pymysql.err.OperationalError(2003, "Can't connect to MySQL server on 'x' (timed out)"),
            "does not answer (timed out)",
            True,
        ),
        (
            pymysql.err.OperationalError(2003, 'Can\'t connect ("[Errno 111] Connection refused")'),
            "does not answer",
            True,
        ),
        (pymysql.err.OperationalError(2013, "Lost connection"), "the connection was lost", True),
        (pymysql.err.OperationalError(2026, "the server does not offer TLS"), "no TLS", False),
        (pymysql.err.OperationalError(1130, "Host is not allowed"), "no account for this host", False),
        (pymysql.err.ProgrammingError(1064, "You have an error"), "error 1064", False),
        (pymysql.err.InterfaceError(0, ""), "the connection was lost", True),
    ],
)
def test_errors_are_one_sentence(error, words, lost):
    made = translate(error, "db0:3306", "gr_peer")
    assert words in str(made)
    assert "db0:3306" in str(made)
    assert made.lost is lost
    assert "\n" not in str(made)


def test_secrets_are_masked_in_the_record():
    connection = Connection("db0:3306", Recorder(), user="root", password="x")
    text = connection.masked("CHANGE X TO USER=%s, PASSWORD=%s, PORT=%s", ("it's", "se'cret", 3306), secrets=(1,))
    assert text == "CHANGE X TO USER='it''s', PASSWORD='********', PORT=3306"
    assert connection.masked("START") == "START"


class Listener:
    """A server that accepts connections and says what it is told, then nothing more."""

    def __init__(self, greeting=b""):
        self.greeting = greeting
        self.received = b""
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.open = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _peer = self.socket.accept()
            except OSError:
                return
            self.open.append(connection)
            connection.sendall(self.greeting)
            connection.settimeout(5)
            with contextlib.suppress(OSError):
                self.received += connection.recv(4096)

    def close(self):
        self.socket.close()
        for connection in self.open:
            connection.close()


@pytest.fixture
def listener():
    made = []

    def make(greeting=b""):
        made.append(Listener(greeting))
        return made[-1]

    yield make
    for item in made:
        item.close()


def greeting(capabilities):
    """The first packet of a MySQL server with these capability flags."""
    body = b"\x0a8.4.0\x00" + b"\x01\x00\x00\x00" + b"12345678\x00"
    body += (capabilities & 0xFFFF).to_bytes(2, "little") + b"\x2d" + b"\x02\x00"
    body += (
        (capabilities >> 16).to_bytes(2, "little")
        + b"\x15"
        + b"\x00" * 10
        + b"123456789012\x00"
        + b"caching_sha2_password\x00"
    )
    return len(body).to_bytes(3, "little") + b"\x00" + body


@pytest.fixture(name="noted")
def fixture_noted():
    """Note a broken pipe for this thread, as OpenSSL does where a connection breaks; what it has noted."""
    crypto = ctypes.CDLL("libcrypto.so." + str(ssl.OPENSSL_VERSION_INFO[0]))
    crypto.ERR_peek_error.restype = ctypes.c_ulong
    if not hasattr(crypto, "ERR_set_error"):
        pytest.skip(f"{ssl.OPENSSL_VERSION} notes errors in another way")

    def note():
        crypto.ERR_new()
        crypto.ERR_set_error(2, errno.EPIPE, None)  # 2: of the system
        assert crypto.ERR_peek_error()

    yield note, crypto.ERR_peek_error
    crypto.ERR_clear_error()


def test_a_connection_that_broke_is_no_error_of_another_one(noted):
    """Python 3.14 would take it for one, each time that this thread reads from any connection."""
    note, noted_now = noted
    made = peer_connection("192.0.2.1", "gr_peer", "x")
    made._conn = socket.socket()
    note()
    made.close()
    assert not noted_now()
    refused = peer_connection("127.0.0.1:1", "gr_peer", "x")
    note()
    with pytest.raises(ServerError):
        refused.open()
    assert not noted_now()


def test_a_server_without_tls_gets_no_credentials(listener):
    """PyMySQL alone would log in in clear text."""
    from pymysql.constants import CLIENT

    server = listener(greeting((CLIENT.CAPABILITIES | CLIENT.PLUGIN_AUTH | CLIENT.SECURE_CONNECTION) & ~CLIENT.SSL))
    with pytest.raises(ServerError, match="no TLS .the server does not offer TLS"):
        peer_connection(server.address, "gr_peer", "secret", connect_timeout=1).open()
    time.sleep(0.2)
    assert server.received == b""


def test_a_server_that_says_nothing_is_bounded(listener):
    server = listener()
    started = time.monotonic()
    with pytest.raises(ServerError) as failed:
        peer_connection(server.address, "gr_peer", "secret", connect_timeout=1).open()
    assert failed.value.lost
    assert time.monotonic() - started < 6


def test_all_members_are_asked_at_the_same_time(listener):
    """Five members that say nothing cost as much as one; each is unreachable, and none is missing."""
    servers = [listener() for _number in range(5)]
    members = [server.address for server in servers] + ["127.0.0.1:1"]
    cluster = Cluster(members, None, Connection("here"), "gr_peer", "secret", connect_timeout=1)
    started = time.monotonic()
    facts = cluster.gather()
    assert time.monotonic() - started < 8
    assert list(facts) == members
    assert not any(item.reachable for item in facts.values())
    assert all(address in item.error for address, item in facts.items())
    assert all(len(server.open) == 1 for server in servers), "more than one connection per member"
    cluster.close()


def test_which_member_this_is():
    members = ["192.0.2.1:3306", "db1:3307", "[2001:db8::1]:3306"]
    for address, answer in (
        (members[0], {"report_host": "192.0.2.1", "report_port": 3306}),
        (members[1], {"report_host": "", "hostname": "DB1", "port": 3307}),
        (members[2], {"report_host": "2001:db8::1", "report_port": 3306}),
    ):
        assert find_me(members, ServerFacts("", **answer)) == address
    with pytest.raises(Refusal, match="^member: cannot tell which"):
        find_me(members, ServerFacts("", report_host="elsewhere", report_port=3306))


def test_lock_name_fits_the_server():
    assert len(lock_name("8f22f846-9922-4139-b2b7-097d185a93cb") + ":join") <= 64
    assert lock_name("ABC") == lock_name("abc")
    assert lock_name(None)


def test_ca_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ServerError, match="^peer_ca_cert: "):
        peer_connection("db0", "u", "p", ca_cert=str(tmp_path / "none.pem"))
    with pytest.raises(ServerError, match="^ca_cert"):
        login_connection({"config_file": "", "login_host": "db0", "ca_cert": str(tmp_path / "none.pem")})
    assert tls_context().verify_mode.name == "CERT_NONE"
