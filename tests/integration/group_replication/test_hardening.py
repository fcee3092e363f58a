# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protections of mysql_gr_hardening on a server that has them, and the same attempts on one that has none."""

from __future__ import annotations

import os
import ssl
import time

import pymysql
import pytest
from gr_local_servers import LocalServer

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim("Each protection of mysql_gr_hardening refuses what it is for; without it the same is taken."),
    pytest.mark.skipif("GR_MYSQLD_ROOT" not in os.environ, reason="a server of its own, in a tree of its own"),
]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "hardened"])
def server(request):
    from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.hardening import PROTECTIONS, hardening
    from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.option_lines import option_lines

    made = LocalServer(0, os.environ["GR_MYSQLD_ROOT"], "/var/tmp/hardening", base_port=25300, servers=1)
    made.blank()
    made.hardened = request.param
    if made.hardened:
        version = made.sql("SELECT VERSION() AS v")[0]["v"]
        made.stop()
        # mysql_clone.so is loaded by the server's own file: of a list with one that is loaded already, nothing after it is loaded.
        lines = option_lines(version, {}, None, hardening(list(PROTECTIONS), []))
        with open(made.host_path("my.cnf"), "a", encoding="utf-8") as conf:
            conf.write("\n".join(line for line in lines if "group_replication.so" not in line) + "\n")
        made.start()
    yield made
    made.stop()


def come(server, user: str, password: str, tls: bool = True):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return pymysql.connect(
        host="127.0.0.1", port=server.port, user=user, password=password, connect_timeout=30,
        **({"ssl": context} if tls else {"ssl_disabled": True}),
    )  # fmt: skip


def refused(attempt) -> int:
    """The number of the error, 0 without one."""
    try:
        attempt()
    except pymysql.MySQLError as error:
        return int(error.args[0])
    return 0


GOOD = "Aa1!Aa1!Aa1!Aa1!"


def test_a_connection_without_tls(server):
    server.sql("CREATE USER plain@'%%' IDENTIFIED BY %s", GOOD)
    come(server, "plain", GOOD).close()
    assert refused(lambda: come(server, "plain", GOOD, tls=False)) == (3159 if server.hardened else 0)


def test_a_weak_password(server):
    assert refused(lambda: server.sql("CREATE USER weak@'%%' IDENTIFIED BY 'short'")) == (
        1819 if server.hardened else 0
    )
    # The inventory's come as hashes.
    from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.password_hash import stored

    text = stored("short", "0123456789abcdef0123", 10000)
    server.sql("CREATE USER hashed@'%%' IDENTIFIED WITH caching_sha2_password AS %s", text)
    come(server, "hashed", "short").close()


def test_a_password_that_was_there_before(server):
    server.sql("CREATE USER again@'%%' IDENTIFIED BY %s", GOOD)
    server.sql("ALTER USER again@'%%' IDENTIFIED BY %s", GOOD[::-1])
    assert refused(lambda: server.sql("ALTER USER again@'%%' IDENTIFIED BY %s", GOOD)) == (
        3638 if server.hardened else 0
    )


def test_who_guesses_passwords_waits(server):
    server.sql("CREATE USER guessed@'%%' IDENTIFIED BY %s", GOOD)
    taken = []
    for _attempt in range(8):
        began = time.monotonic()
        assert refused(lambda: come(server, "guessed", "wrong")) == 1045
        taken.append(time.monotonic() - began)
    assert (taken[7] >= 1) is server.hardened, taken
    assert min(taken[:4]) < 1, taken
