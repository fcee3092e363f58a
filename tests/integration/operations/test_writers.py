# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running cluster under load moves between the choices of who writes, each way, without a failed statement; what contradicts a choice is refused."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import threading

import pytest
from support import ROOT, kill_in, second_proxy, wait_for

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


def placed(lab, proxy="proxy"):
    """Where a proxy has the members: [hostgroup, address, status]."""
    return json.loads(lab.on(proxy, "python3", "-c", ADMIN, lab.variable("proxy", "proxysql_admin_password")))


def writers(lab, proxy="proxy"):
    """Where a proxy sends what is written."""
    return sorted(
        address for hostgroup, address, status in placed(lab, proxy) if (hostgroup, status) == ("2", "ONLINE")
    )


ADMIN = """
import json, sys, pymysql
c = pymysql.connect(host='127.0.0.1', port=6032, user='admin', password=sys.argv[1])
with c.cursor() as q:
    q.execute("SELECT hostgroup_id, hostname, status FROM runtime_mysql_servers")
    print(json.dumps([[str(value) for value in row] for row in q.fetchall()]))
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


# A session through the proxy whose transaction stays open until its standard input ends.
OPEN = """
import os, sys, pymysql
c = pymysql.connect(host=sys.argv[1], port=6033, user=sys.argv[2], password=sys.stdin.readline().strip(), database=sys.argv[3])
with c.cursor() as q:
    q.execute('CREATE TABLE IF NOT EXISTS held (id INT PRIMARY KEY)')
    c.begin()
    q.execute('INSERT INTO held VALUES (1)')
    print('open', flush=True)
    sys.stdin.read()
    c.rollback()
    q.execute('DROP TABLE held')
"""


@contextlib.contextmanager
def open_transaction(lab):
    account, schema = lab.variable("db0", "mysql_gr_users")[0], lab.variable("db0", "mysql_gr_schemas")[0]
    address = lab.variable("proxy", "proxysql_address")
    with subprocess.Popen(
        ["lab/enter", sys.executable, "-c", OPEN, address, account["name"], schema],
        cwd=ROOT, env=lab.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as session:  # fmt: skip
        session.stdin.write(account["password"] + "\n")
        session.stdin.flush()
        assert session.stdout.readline() == "open\n"
        yield
        session.stdin.close()
        assert session.wait(timeout=60) == 0, "the transaction did not survive"


def test_a_move_that_cannot_drain_its_primary_puts_all_members_back(cluster):
    run = cluster.site(*choose("one"), playbook="playbooks/switch_mode.yml", timeout=900)
    assert run.code == 0, run
    with open_transaction(cluster):
        # The writer is the primary-to-be, which is drained last.
        [writer] = (name for name in cluster.members if [cluster.address(name)] == writers(cluster))
        arguments = (*choose("primary"), "-e", "operations_drain_timeout=3", "-e", f"operations_primary={writer}")
        run = cluster.site(*arguments, playbook="playbooks/switch_mode.yml", timeout=900)
        assert run.code != 0 and "the members are back in service" in run.flat, run
        as_chosen(cluster, "one")
        assert not [row for row in placed(cluster) if row[2] == "OFFLINE_SOFT"]
    run = cluster.site(*arguments, playbook="playbooks/switch_mode.yml", timeout=900)
    assert run.code == 0, run
    as_chosen(cluster, "primary")


# Where the control node is lost: a task of switch_mode, and the how manieth of that name. Each move begins where the one before it ended, or in all.
KILLED = [
    ("all", "one", "Prepare the restart", 1),
    ("one", "primary", "Drain the other members", 1),
    ("all", "one", "Drain the members (new statements queue at ProxySQL)", 1),
    ("one", "primary", "Start the switch", 1),
    ("all", "one", "Start the restart", 1),
    ("one", "primary", "Put the writer back", 1),
    ("all", "one", "Put the members back into service", 2),
    ("one", "primary", "Set what depends on who writes", 2),
    ("all", "one", "Wait until the others have joined it", 1),
]
# A group's views begin with what its bootstrap gave them.
GROUP = (
    "SELECT SUBSTRING_INDEX(view_id, ':', 1) FROM performance_schema.replication_group_member_stats"
    " JOIN performance_schema.replication_group_members USING (member_id)"
    " WHERE member_id = @@GLOBAL.server_uuid AND member_state IN ('ONLINE', 'RECOVERING') AND view_id <> ''"
)


@contextlib.contextmanager
def groups(lab):
    """Meanwhile, how many groups there are, and at how many of these looks there was more than one."""
    over, seen = threading.Event(), {"looks": 0, "several": []}

    def look():
        while not over.wait(0.5):
            alive = {row[0] for member in lab.members for row in lab.sql(member, GROUP, check=False) if len(row) == 1}
            seen["looks"] += 1
            if len(alive) > 1:
                seen["several"].append(sorted(alive))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@pytest.mark.claim(
    "A move between the choices of who writes whose controller is killed is finished by the next run.", minutes=25
)
@pytest.mark.parametrize(("before", "after", "task", "which"), KILLED)
def test_a_move_whose_controller_was_killed_is_finished_by_the_next_run(
    cluster, under_load, before, after, task, which
):
    run = cluster.site(*choose(before), playbook="playbooks/switch_mode.yml", timeout=900)
    assert run.code == 0, run
    as_chosen(cluster, before)
    name = re.sub(r"[^a-z]+", "_", f"switch_mode_{before}_to_{after}_killed_in_{task.lower()}")
    with groups(cluster) as seen:
        under_load(
            "playbooks/switch_mode.yml",
            *choose(after),
            name=name,
            first=lambda: kill_in(cluster, "playbooks/switch_mode.yml", task, which, *choose(after)),
        )
    as_chosen(cluster, after)
    assert seen["looks"] > 5 and not seen["several"], seen


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
