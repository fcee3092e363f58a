# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a member cannot reach another one by TLS: found by a handshake like the server's own, with real certificates."""

from __future__ import annotations

import socket
import ssl
import threading

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.tls import (
    OwnFiles,
    days_left,
    handshake_trouble,
    own_files,
    tls_reason,
)

pytest.importorskip("cryptography.x509")
from support_certificates import CA, DAY

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("A member that cannot reach the others by TLS is told why, which MySQL writes nowhere."),
]

XCOM = {"group_replication_ssl_mode": "REQUIRED", "group_replication_communication_stack": "XCOM"}


class Authority(CA):
    """A CA, and certificates of it as files."""

    def issue(self, name, days=30):
        """(certificate, key) as paths."""
        return super().issue(f"{self.name}-{name}", "127.0.0.1", ends=days * DAY)


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    return Authority(folder, "ours"), Authority(folder, "other")


@pytest.fixture
def member():
    """Starts what another member's group port is: a TLS listener that may verify who comes; its address."""
    made = []

    def start(certificate, ca=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        if ca:
            context.load_verify_locations(ca)
            context.verify_mode = ssl.CERT_REQUIRED
        listener = socket.create_server(("127.0.0.1", 0))
        made.append(listener)

        def serve():
            while True:
                try:
                    plain, _peer = listener.accept()
                except OSError:
                    return
                try:
                    secure = context.wrap_socket(plain, server_side=True)
                    made.append(secure)
                except (OSError, ssl.SSLError):
                    plain.close()

        threading.Thread(target=serve, daemon=True).start()
        return "127.0.0.1:{}".format(*listener.getsockname()[1:])

    yield start
    for item in made:
        item.close()


def test_nothing_is_wrong(authorities, member):
    ours, _other = authorities
    address = member(ours.issue("peer"), ours.path)
    for mode in ("REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"):
        assert handshake_trouble(OwnFiles(mode, ours.path, *ours.issue("me")), address) == ""


def test_the_others_certificate_is_of_another_ca(authorities, member):
    ours, other = authorities
    address = member(other.issue("peer"))
    mine = ours.issue("me")
    assert handshake_trouble(OwnFiles("REQUIRED", ours.path, *mine), address) == "", "nothing is verified"
    assert "certificate verify failed: " in handshake_trouble(OwnFiles("VERIFY_CA", ours.path, *mine), address)


def test_a_certificate_that_has_expired(authorities, member):
    ours, _other = authorities
    address = member(ours.issue("late", days=-1))
    found = handshake_trouble(OwnFiles("VERIFY_CA", ours.path, *ours.issue("me")), address)
    assert found == "certificate verify failed: certificate has expired"


def test_the_other_member_refuses_ours(authorities, member):
    ours, _other = authorities
    address = member(ours.issue("peer"), ours.path)
    assert "expired" in handshake_trouble(OwnFiles("REQUIRED", ours.path, *ours.issue("mine", days=-1)), address)


def test_what_is_no_matter_of_tls(authorities):
    ours, _other = authorities
    nobody = socket.create_server(("127.0.0.1", 0))
    address = "127.0.0.1:{}".format(*nobody.getsockname()[1:])
    nobody.close()
    assert handshake_trouble(OwnFiles("REQUIRED", ours.path, *ours.issue("me")), address) == ""
    assert handshake_trouble(OwnFiles("REQUIRED", "/none", "/none", "/none"), address) == "", (
        "files that cannot be read"
    )
    assert handshake_trouble(OwnFiles("REQUIRED", ours.path, *ours.issue("me")), "not an address") == ""


def test_which_files_the_server_uses():
    files = {"datadir": "/var/lib/mysql/", "ssl_ca": "ca.pem", "ssl_cert": "/etc/c.pem", "ssl_key": None}
    assert own_files(XCOM, files) == ("REQUIRED", "/var/lib/mysql/ca.pem", "/etc/c.pem", "/var/lib/mysql/")
    assert own_files({**XCOM, "group_replication_ssl_mode": "DISABLED"}, files) is None
    assert own_files({**XCOM, "group_replication_communication_stack": "MYSQL"}, files) is None


def test_openssl_s_own_names_are_left_out():
    text = "[SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] ssl/tls alert certificate expired (_ssl.c:2599)"
    assert tls_reason(text) == "ssl/tls alert certificate expired"


def test_days_that_are_left_of_a_certificate():
    noon = 1_795_694_400.0  # 2026-11-26 12:00 GMT
    assert days_left("Nov 27 12:00:00 2026 GMT", noon) == 1
    assert days_left("Nov 27 11:59:59 2026 GMT", noon) == 0
    assert days_left("Nov 26 11:59:59 2026 GMT", noon) == -1
    assert days_left("", noon) is None
