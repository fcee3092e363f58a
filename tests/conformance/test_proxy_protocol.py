# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load balancer in front that says who the client is: PROXY protocol, version 1. The stand-in does not know it."""

from __future__ import annotations

import contextlib
import socket

import pymysql
import pytest

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim(
        "ProxySQL takes the client's address from a load balancer that it is told of, and from nobody else."
    ),
]

CLIENT = "192.0.2.77"
HEADER = f"PROXY TCP4 {CLIENT} 127.0.0.1 5555 6033\r\n".encode()
APP = ("balanced", "x")


@pytest.fixture
def balanced(proxy, proxy_kind):
    """An account, and a rule by which a statement says who ProxySQL takes for the client."""
    if proxy_kind == "standin":
        pytest.skip("the stand-in has no PROXY protocol")
    proxy.run(f"INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('{APP[0]}', '{APP[1]}', 7)")
    proxy.run(
        "INSERT INTO mysql_query_rules (rule_id, active, client_addr, error_msg, apply) VALUES"
        f" (1, 1, '{CLIENT}', 'the client', 1), (2, 1, '127.0.0.1', 'the balancer', 1)"
    )
    for module in ("MYSQL USERS", "MYSQL QUERY RULES"):
        proxy.run(f"LOAD {module} TO RUNTIME")
    yield proxy
    proxy.set(proxy_protocol_networks="")


def seen(proxy, header):
    """(address in the list of sessions, which rule matched) of a client that comes through a balancer that sends this header."""
    with contextlib.closing(socket.create_connection(("127.0.0.1", proxy.port), 5)) as raw:
        raw.sendall(header)
        connection = pymysql.connect(
            host="127.0.0.1", port=proxy.port, user=APP[0], password=APP[1], defer_connect=True, ssl_disabled=True, read_timeout=5
        )  # fmt: skip
        connection.connect(raw)
        address = proxy.rows(f"SELECT cli_host FROM stats_mysql_processlist WHERE user='{APP[0]}'")[-1][0]
        with pytest.raises(pymysql.MySQLError) as error, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return address, error.value.args[1]


@pytest.mark.parametrize("networks", ["127.0.0.1/32", "192.0.2.0/24,127.0.0.0/8"])
def test_a_balancer_that_is_named_says_who_the_client_is(balanced, networks):
    balanced.set(proxy_protocol_networks=networks)
    assert seen(balanced, HEADER) == (CLIENT, "the client")
    assert seen(balanced, b"") == ("127.0.0.1", "the balancer")


@pytest.mark.parametrize("networks", ["", "192.0.2.0/24"])
def test_nobody_else_does(balanced, networks):
    balanced.set(proxy_protocol_networks=networks)
    assert seen(balanced, HEADER) == ("127.0.0.1", "the balancer")


def test_an_address_without_its_prefix_changes_nothing(balanced):
    balanced.set(proxy_protocol_networks="127.0.0.1")
    assert (
        balanced.value(
            "SELECT variable_value FROM runtime_global_variables WHERE variable_name='mysql-proxy_protocol_networks'"
        )
        == ""
    )
