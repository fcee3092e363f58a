# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two proxies share one address: it comes, it goes to the other proxy when ProxySQL is killed, and it is removed. Faults under load: operations."""

from __future__ import annotations

import json
import time

import pytest
from support import second_proxy, wait_for
from support_address import (
    INVENTORY,
    PROXIES,
    address_of,
    both_good,
    holder,
    holders,
    kill,
    other,
    proxy_addresses,
    start_again,
)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim(
        "Two proxies share an address, which is on one of them that reaches a writer; status says where it is, and without the variable nothing is left."
    ),
]

LIMIT = ("--limit", ",".join(PROXIES))
ALONE = (*LIMIT, "--tags", "proxysql_virtual_address")
# Asks for the server's name through the address, again and again, until there is an answer.
ASK = """
import sys, time, pymysql
password, address, end = sys.stdin.read().strip(), sys.argv[2], time.monotonic() + 20
while True:
    try:
        connection = pymysql.connect(host=address, port=6033, user=sys.argv[1], password=password, connect_timeout=1, read_timeout=1)
        cursor = connection.cursor()
        cursor.execute("SELECT @@super_read_only")
        print(cursor.fetchone()[0])
        break
    except (pymysql.Error, OSError):
        if time.monotonic() > end:
            raise
"""


@pytest.fixture(scope="module")
def shared(lab):
    lab.up()
    with second_proxy(lab, "-i", "inventories/lab-address"):
        yield address_of(lab)


def ask(lab, address):
    account = lab.variable("db0", "mysql_gr_users")[0]
    return lab.give("db1", f"python3 -c '{ASK}' {account['name']} {address}", account["password"]).strip()


def test_an_address_on_one_proxy_which_serves_writers(lab, shared):
    both_good(lab)
    assert holder(lab) in PROXIES
    assert ask(lab, shared) == "0"
    for proxy in PROXIES:
        for path in ("/etc/proxysql-address-check.json", "/etc/proxysql-address.conf"):
            assert lab.on(proxy, "stat", "--format", "%U %a", path).strip() == "root 600"
        assert lab.secrets()["proxysql_monitor_password"] not in lab.on(proxy, "ps", "-eo", "args")
    status = lab.site(*INVENTORY, playbook="playbooks/status.yml")
    assert status.code == 0 and "Shared addresses" in status.output and shared in status.output, status
    assert "not good" not in status.output and "split" not in status.output


def test_a_second_run_changes_nothing(lab, shared):
    before = holder(lab)
    for arguments in (LIMIT, (*ALONE, "--check", "--diff")):
        run = lab.site(*INVENTORY, *arguments)
        assert run.code == 0 and not any(run.changed.values()), run
    assert holder(lab) == before


def test_the_other_proxy_serves_when_proxysql_is_killed(lab, shared):
    both_good(lab)
    before = holder(lab)
    kill(lab, before)
    try:
        since = time.monotonic()
        wait_for(lambda: holders(lab) == [other(before)], 10, "the other proxy has the address", every=0.05)
        # Looking takes its time, too.
        assert time.monotonic() - since < 2.5
        assert ask(lab, shared) == "0"
        status = lab.site(*INVENTORY, playbook="playbooks/status.yml")
        assert f"{before} is not good" in status.flat, status
    finally:
        start_again(lab, before)
    both_good(lab)
    assert holder(lab) == other(before), "it stays there: preemption is off"


REMOVE = "playbooks/remove_proxy.yml"


def left_of_it(lab, proxy):
    return lab.on(
        proxy, "find", "/etc", "/run", "/usr/local", "-name", "proxysql-address*", "-not", "-type", "s"
    ).split()


def test_the_only_proxy_is_not_removed(lab, shared):
    before = lab.on("proxy", "systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "proxysql")
    run = lab.site("-e", "operations_proxy=proxy", playbook=REMOVE)
    assert (
        run.code != 0 and "proxy is the only proxy of cluster mysql_gr, of which at least one has to stay" in run.flat
    ), run
    assert lab.on("proxy", "systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "proxysql") == before


# Five runs of playbooks: on request.
@pytest.mark.operations
def test_a_proxy_that_is_removed_leaves_the_address_to_the_other_one(lab, shared):
    both_good(lab)
    if holder(lab) == "proxy":
        kill(lab, "proxy")
        wait_for(lambda: holders(lab) == ["proxy2"], 10, "proxy2 has the address", every=0.05)
        start_again(lab, "proxy")
        both_good(lab)
    arguments = (*INVENTORY, "-e", "operations_proxy=proxy2", "-e", "confirm=mysql_gr")
    foreseen = lab.site(*arguments, "--check", playbook=REMOVE)
    assert foreseen.code == 0 and foreseen.changed["proxy2"], foreseen
    assert holders(lab) == ["proxy2"] and left_of_it(lab, "proxy2")

    run = lab.site(*arguments, playbook=REMOVE)
    assert run.code == 0 and "Take proxy2 out of the inventory" in run.flat, run
    assert holder(lab) == "proxy" and ask(lab, shared) == "0"
    assert left_of_it(lab, "proxy2") == []
    for service in ("proxysql", "proxysql-address", "proxysql-address-check"):
        assert lab.on("proxy2", "systemctl", "is-active", service, check=False).strip() == "inactive"
    assert lab.on("proxy2", "systemctl", "is-enabled", "proxysql", check=False).strip() == "disabled"
    addresses = proxy_addresses(lab)
    known = lab.on("proxy", "cat", "/etc/proxysql-address.conf", "/etc/proxysql-address-check.json")
    assert addresses["proxy"] in known and addresses["proxy2"] not in known
    hosts = lab.sql("db0", "SELECT host FROM mysql.user WHERE user = 'monitor'")
    assert [addresses["proxy"]] in hosts and [addresses["proxy2"]] not in hosts

    again = lab.site(*arguments, playbook=REMOVE)
    assert again.code == 0 and not any(again.changed.values()), again

    # Out of the inventory: the one that is left keeps the address, and nothing is to be done there.
    alone = lab.site("-i", "inventories/lab-address", "--limit", "proxy")
    assert alone.code == 0 and not alone.changed["proxy"] and holder(lab) == "proxy", alone

    back = lab.site(*INVENTORY)
    assert back.code == 0, back
    both_good(lab)
    assert holder(lab) in PROXIES


def test_without_the_variable_nothing_of_it_is_left(lab, shared):
    empty = ("-e", json.dumps({"proxysql_virtual_address": ""}))
    foreseen = lab.site(*INVENTORY, *ALONE, *empty, "--check")
    assert foreseen.code == 0 and all(foreseen.changed[proxy] for proxy in PROXIES), foreseen
    run = lab.site(*INVENTORY, *ALONE, *empty)
    assert run.code == 0 and all(run.changed[proxy] for proxy in PROXIES), run
    assert holders(lab) == []
    for proxy in PROXIES:
        left = lab.on(proxy, "find", "/etc", "/run", "/usr/local", "-name", "proxysql-address*", "-not", "-type", "s")
        assert left.split() == []
        assert lab.on(proxy, "systemctl", "is-active", "proxysql-address", check=False).strip() == "inactive"
    again = lab.site(*INVENTORY, *ALONE, *empty)
    assert again.code == 0 and not any(again.changed.values()), again
