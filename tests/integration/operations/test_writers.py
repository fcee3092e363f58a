# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running cluster under load moves between the choices of who writes, each way, without a failed statement; what contradicts a choice is refused."""

from __future__ import annotations

import json

import pytest
from support import second_proxy, wait_for

pytestmark = [
    pytest.mark.operations,
    pytest.mark.claim("A running cluster moves between the choices of who writes, each way, and no statement fails."),
]

# What a group and the proxy are to have: single-primary mode, update-everywhere checks, consistency; writers.
CHOICES = {
    "one": (["0", "0", "BEFORE"], 1),
    "primary": (["1", "0", "BEFORE_ON_PRIMARY_FAILOVER"], 1),
    "all": (["0", "1", "BEFORE"], 3),
}
SETTINGS = (
    "SELECT @@group_replication_single_primary_mode, @@group_replication_enforce_update_everywhere_checks,"
    " @@GLOBAL.group_replication_consistency"
)
# Every ordered pair.
ROUND = ["all", "one", "primary", "one", "all", "primary", "all"]
# What the sessions of the application wait for; ProxySQL keeps them when the application has gone.
LEVELS = (
    "SELECT VARIABLE_VALUE, COUNT(*) FROM performance_schema.variables_by_thread JOIN performance_schema.threads USING (THREAD_ID)"
    " WHERE VARIABLE_NAME = 'group_replication_consistency' AND PROCESSLIST_USER = 'simkpuser' GROUP BY VARIABLE_VALUE"
)


def choose(name):
    return ("-e", f"mysql_gr_writers={name}")


def writers(lab, proxy="proxy"):
    """Where a proxy sends what is written."""
    rows = json.loads(lab.on(proxy, "python3", "-c", ADMIN, lab.variable("proxy", "proxysql_admin_password")))
    return sorted(row[0] for row in rows)


ADMIN = """
import json, sys, pymysql
c = pymysql.connect(host='127.0.0.1', port=6032, user='admin', password=sys.argv[1])
with c.cursor() as q:
    q.execute("SELECT hostname FROM runtime_mysql_servers WHERE hostgroup_id = 2 AND status = 'ONLINE'")
    print(json.dumps(q.fetchall()))
"""


def as_chosen(lab, name):
    settings, number = CHOICES[name]
    assert [lab.sql(member, SETTINGS)[0] for member in lab.members] == [settings] * 3
    assert len(writers(lab)) == number
    lab.one_group()


@pytest.fixture(scope="module")
def cluster(lab):
    """The lab's cluster, which every test leaves in the inventory's choice."""
    yield lab
    run = lab.site(*choose("all"), playbook="playbooks/switch_mode.yml", timeout=900)
    assert run.code == 0, run


@pytest.mark.parametrize(("before", "after"), list(zip(ROUND, ROUND[1:])))
def test_a_move_costs_no_statement(cluster, under_load, before, after):
    as_chosen(cluster, before)
    under_load("playbooks/switch_mode.yml", *choose(after), name=f"switch_mode_{before}_to_{after}")
    as_chosen(cluster, after)
    again = cluster.site(*choose(after), playbook="playbooks/switch_mode.yml", timeout=900)
    assert again.code == 0 and all(changed == 0 for changed in again.changed.values()), again


def test_no_connection_of_before_is_used_when_all_write(cluster, under_load):
    """The proxy's pool is full of connections that do not wait; afterwards it is full of such that do."""
    run = cluster.site(*choose("primary"), playbook="playbooks/switch_mode.yml", timeout=900)
    assert run.code == 0, run
    under_load("playbooks/status.yml", name="status_pool")
    levels = [dict(cluster.sql(member, LEVELS)) for member in cluster.members]
    assert {level for found in levels for level in found} == {"BEFORE_ON_PRIMARY_FAILOVER"}
    under_load("playbooks/switch_mode.yml", *choose("all"), name="switch_mode_pool")
    levels = [dict(cluster.sql(member, LEVELS)) for member in cluster.members]
    assert {level for found in levels for level in found} == {"BEFORE"}


@pytest.fixture(scope="module")
def two_proxies(cluster):
    """A second proxy that knows nothing of the first, in front of the group with one writer."""
    run = cluster.site(*choose("one"), playbook="playbooks/switch_mode.yml", timeout=900)
    assert run.code == 0, run
    with second_proxy(cluster, *choose("one")):
        yield cluster


def test_all_proxies_choose_the_same_writer(two_proxies):
    """Also while it is away, and when it is back: an application that is spread over the proxies writes to one member."""

    def writer(*, other_than=None, is_again=None):
        chosen = [writers(two_proxies, proxy) for proxy in ("proxy", "proxy2")]
        same = len(chosen[0]) == 1 and chosen[0] == chosen[1]
        return same and chosen[0][0] != other_than and is_again in (None, chosen[0][0]) and chosen[0][0]

    first = wait_for(writer, 30, "both proxies have one writer, the same")
    member = next(name for name in two_proxies.members if two_proxies.address(name) == first)
    two_proxies.on(member, "systemctl", "stop", "mysql")
    try:
        wait_for(lambda: writer(other_than=first), 30, "both proxies have chosen the same other writer")
    finally:
        two_proxies.on(member, "systemctl", "start", "mysql")
    wait_for(lambda: writer(is_again=first), 60, "both proxies have the first writer again")
    two_proxies.one_group()
