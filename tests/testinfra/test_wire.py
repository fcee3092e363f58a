# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replication traffic is TLS: seen on the wire, not read from a variable."""

from __future__ import annotations

import uuid

import pytest

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim("Replication traffic is TLS, seen on the wire."),
]

# Runs on a host: prints how many packets it saw to or from the port, and how often the needle stands in them in clear text.
CAPTURE = r"""
import os, socket, struct, subprocess, sys, threading
port, needle = int(sys.argv[1]), sys.argv[2].encode()
sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
sniffer.settimeout(0.2)
done, seen = threading.Event(), [0, 0]
def watch():
    while not done.is_set():
        try:
            frame = sniffer.recv(65535)
        except TimeoutError:
            continue
        if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != 6:
            continue
        start = 14 + (frame[14] & 15) * 4
        if port in struct.unpack("!HH", frame[start:start + 4]):
            seen[0] += 1
            seen[1] += frame.count(needle)
watcher = threading.Thread(target=watch)
watcher.start()
code = subprocess.call(sys.argv[3:], stdout=subprocess.DEVNULL)
done.wait(1)
done.set()
watcher.join()
print(code, *seen)
"""


def capture(cluster, member, port, needle, statement, *options):
    """Run a statement on a member while its packets on a port are watched: (packets, needles in clear text)."""
    command = " ".join("%s" for _option in options)
    done = cluster[member].run(
        f"python3 -c %s %s %s mysql {command} -e %s", CAPTURE, str(port), needle, *options, statement
    )
    assert done.rc == 0, done.stderr
    code, packets, clear = map(int, done.stdout.split())
    assert code == 0, done.stderr
    return packets, clear


def test_group_traffic_carries_no_clear_text(cluster):
    member = cluster.members[0]
    cluster.sql(
        member, "CREATE TABLE IF NOT EXISTS simkp.wire (id INT AUTO_INCREMENT PRIMARY KEY, token CHAR(32) NOT NULL)"
    )
    needle = uuid.uuid4().hex
    port = cluster.group_port(member)
    packets, clear = capture(cluster, member, port, needle, f"INSERT INTO simkp.wire (token) VALUES ('{needle}')")
    assert packets > 0, "the group's traffic was watched"
    assert clear == 0, "a row went over the wire in clear text"


@pytest.mark.proxies
def test_the_watcher_would_see_clear_text(cluster):
    """The control of the test above: the same watcher finds a needle that is sent without TLS."""
    member, account = cluster.members[0], cluster.proxy_account()
    needle = uuid.uuid4().hex
    options = (
        f"--host={cluster.proxy_address()}", "--port=6033", f"--user={account['username']}",
        f"--password={account['password']}", "--ssl-mode=DISABLED",
    )  # fmt: skip
    packets, clear = capture(cluster, member, 6033, needle, f"SELECT '{needle}'", *options)
    assert packets > 0
    assert clear > 0


def test_a_member_refuses_recovery_without_tls(cluster):
    donor, joiner = cluster.members[0], cluster.members[1]
    user = cluster.var(donor, "mysql_gr_recovery_user", "repl")
    done = cluster[joiner].run(
        "MYSQL_PWD=%s mysql --host=%s --user=%s --ssl-mode=DISABLED --get-server-public-key -e 'SELECT 1'",
        cluster.var(donor, "mysql_gr_recovery_password"), cluster.address(donor), user,
    )  # fmt: skip
    assert done.rc != 0
    assert "Access denied" in done.stderr
    done = cluster[joiner].run(
        "MYSQL_PWD=%s mysql --host=%s --user=%s --ssl-mode=REQUIRED -e 'SELECT 1'",
        cluster.var(donor, "mysql_gr_recovery_password"), cluster.address(donor), user,
    )  # fmt: skip
    assert done.rc == 0, done.stderr
