# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two proxies that share an address get a newer ProxySQL, one after the other; clients that connect for each statement, at the shared address or at the other
proxy where one refuses, see nothing of it.

Needs two programs: LAB_PROXYSQL_BIN, which the lab has, and LAB_PROXYSQL_NEXT. The lab has the newer one afterwards: run it last.
"""

from __future__ import annotations

import os

import pytest
from support import ROOT, second_proxy, wait_for
from support_address import INVENTORY, PROXIES, address_of, both_good, holder, other, watched
from support_load import Load

pytestmark = [
    pytest.mark.operations,
    pytest.mark.claim(
        "Two proxies are upgraded one after the other: no statement of a client that connects again fails, at a list of both or at their shared "
        "address; nobody at the address waits for two seconds.",
    ),
]

NEXT = os.environ.get("LAB_PROXYSQL_NEXT", "")
LISTENING = "ss -Hltn | awk '{print $4}'"


@pytest.fixture(scope="module")
def pair(lab):
    """The lab's cluster behind two proxies; the arguments that name the second one."""
    if not NEXT or not os.environ.get("LAB_PROXYSQL_BIN"):
        pytest.skip("LAB_PROXYSQL_BIN and LAB_PROXYSQL_NEXT do not name two programs")
    with second_proxy(lab, "-i", "inventories/lab-address"):
        yield INVENTORY
    run = lab.site("--limit", "proxy")
    assert run.code == 0, run


def version(lab, proxy):
    """What the admin interface of a proxy says."""
    script = (
        "import sys, pymysql; c = pymysql.connect(host='127.0.0.1', port=6032, user='admin', password=sys.argv[1]);"
        " q = c.cursor(); q.execute('SELECT version()'); print(q.fetchone()[0])"
    )
    return lab.on(proxy, "python3", "-c", script, lab.variable("proxy", "proxysql_admin_password"), check=False).strip()


def ports(lab, proxy):
    return {line.rpartition(":")[2] for line in lab.on(proxy, "sh", "-c", LISTENING).split()}


def test_an_upgrade_of_two_proxies_costs_a_client_that_connects_again_nothing(lab, pair):
    old = {version(lab, proxy) for proxy in PROXIES}
    assert len(old) == 1
    prefix = lab.address("db0").rpartition(".")[0]
    load = Load(lab, "proxysql_upgrade", ROOT / ".cache" / "planned")
    # The load runs on the first one's host; half of its clients begin at the second one.
    load.start(options=("--also", f"{prefix}.127:6033", "--reconnect"))
    both_good(lab)
    # The one that has the address is the first one: it moves to the other one, and back.
    first = holder(lab)
    at_the_address = Load(lab, "proxysql_upgrade_address", ROOT / ".cache" / "planned", "db1")
    at_the_address.start(options=("--host", address_of(lab), "--reconnect", "--patience", "10", "--timeout", "1"))
    seconds = 0.0
    try:
        with watched(lab) as watch:
            for proxy in (first, other(first)):
                lab.command(
                    "ansible-playbook",
                    "-i",
                    "inventories/lab",
                    *pair,
                    "--limit",
                    f"localhost,{proxy}",
                    "lab/prepare.yml",
                    LAB_PROXYSQL_BIN=NEXT,
                )
                run = lab.site(*pair, "--limit", proxy)
                assert run.code == 0, run
                seconds += run.seconds
                assert version(lab, proxy) not in old
                # What 3.0 opens for PostgreSQL is closed.
                assert not ports(lab, proxy) & {"6132", "6133"}
    finally:
        load.stop()
        at_the_address.stop()
    moved = {"split": watch.longest(2), "none": watch.longest(0)}
    reports = [load.finish(seconds, **moved), at_the_address.finish(seconds, **moved)]
    assert all(report["passed"] for report in reports), reports
    # PROXYSQL PAUSE kept who connected waiting for 3.6 s.
    assert reports[0]["longest_gap"] < 2, reports[0]
    # A client whose first packet meets the move sends it again after a second.
    assert reports[1]["longest_gap_of_all"] <= 1 and reports[1]["longest_gap"] <= 1.5, reports[1]
    assert max(moved.values()) <= 1 and {proxy for _at, hosts in watch.changes for proxy in hosts} == set(PROXIES)
    assert version(lab, "proxy") == version(lab, "proxy2")
    run = lab.site(*pair)
    assert run.code == 0 and not any(run.changed.values()), run
    wait_for(lambda: len(set(ports(lab, "proxy")) & {"6032", "6033"}) == 2, 10, "both ports of the first proxy")
