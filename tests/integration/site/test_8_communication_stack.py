# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The communication stack MYSQL: a group gets it while it is stopped, keeps it, and does on it all that it does on XCOM."""

from __future__ import annotations

import uuid

import pytest
from support import wait_for

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim(
        "A group on the communication stack MYSQL is set up, recovered, fenced and forced to quorum like one on XCOM; a running group keeps its stack.",
        minutes=12,
    ),
]

SET = ("-e", "mysql_gr_communication_stack=MYSQL")
BACK = ("-e", "mysql_gr_communication_stack=XCOM")
STACKS = "SELECT DISTINCT member_communication_stack FROM performance_schema.replication_group_members"
FILES = "cat /etc/mysql/mysql.conf.d/zz-mysql-gr*.cnf | sha1sum"


@pytest.fixture(scope="module", autouse=True)
def group(lab, converged):
    """On MYSQL for the tests of this file, and on XCOM again for others."""
    lab.sql("db0", "CREATE TABLE IF NOT EXISTS simkp.kept (id INT AUTO_INCREMENT PRIMARY KEY, token CHAR(32) NOT NULL)")
    if lab.sql("db0", STACKS) != [["XCom"]]:
        changed(lab, BACK, "XCom")
    refused(lab, SET, "XCOM")
    changed(lab, SET, "MySQL")
    yield
    changed(lab, BACK, "XCom")


def write(lab) -> str:
    token = uuid.uuid4().hex
    lab.sql("db0", f"INSERT INTO simkp.kept (token) VALUES ('{token}')")
    return token


def refused(lab, arguments, running: str) -> None:
    """A running group keeps its stack, and no file is touched."""
    before = [lab.on(member, "sh", "-c", FILES) for member in lab.members]
    run = lab.site(*arguments)
    assert run.code != 0, run
    assert f"uses the communication stack {running}, but mysql_gr_communication_stack is" in run.flat, run
    assert not any(run.changed.values()), run
    assert [lab.on(member, "sh", "-c", FILES) for member in lab.members] == before
    lab.one_group()


def changed(lab, arguments, shown: str) -> None:
    """As documented: all servers are stopped, then the playbook runs with the other stack."""
    token = write(lab)
    for member in lab.members:
        lab.on(member, "systemctl", "stop", "mysql")
    run = lab.site(*arguments)
    assert run.code == 0, run
    whole(lab, shown, token)


def whole(lab, shown: str = "MySQL", *tokens: str) -> None:
    lab.one_group()
    for member in lab.members:
        assert lab.sql(member, STACKS) == [[shown]]
        ports = {"3306"} if shown == "MySQL" else {"3306", "33061"}
        assert set(lab.on(member, "sh", "-c", "ss -Htln | awk '{print $4}' | grep -o '[0-9]*$'").split()) == ports
        for token in tokens:
            wait_for(
                lambda m=member, t=token: lab.sql(m, f"SELECT 1 FROM simkp.kept WHERE token = '{t}'"), 30, "the row"
            )


def test_again_without_the_variable_changes_nothing(lab):
    for arguments in ((), ("--check",)):
        run = lab.site(*arguments)
        assert run.code == 0, run
        assert not any(run.changed.values()), run.what_changed
    whole(lab)
    assert "Group mysql_gr, communication stack MYSQL" in lab.site(playbook="playbooks/status.yml").flat


def test_the_groups_connections_use_tls(lab):
    rows = lab.sql(
        "db0",
        "SELECT processlist_user, connection_type FROM performance_schema.threads"
        " WHERE processlist_command LIKE 'Group Replicatio%'",
    )
    assert sorted(rows) == [["repl", "SSL/TLS"]] * 2


def test_a_running_group_keeps_it(lab):
    refused(lab, BACK, "MYSQL")


# It joins as after an outage (below), and the playbook is the same on XCOM.
@pytest.mark.long
def test_restarted_one_by_one(lab):
    before = lab.started()
    run = lab.site(playbook="playbooks/rolling_restart.yml", timeout=900)
    assert run.code == 0, run
    assert all(after > before[member] for member, after in lab.started().items())
    whole(lab)


def test_a_complete_outage_is_recovered(lab):
    token = write(lab)
    for member in lab.members:
        lab.on(member, "systemctl", "kill", "--signal=KILL", "mysql")
    run = lab.site(playbook="playbooks/recover.yml", timeout=900)
    assert run.code == 0, run
    whole(lab, "MySQL", token)


def test_a_member_that_admits_no_application_stays_in_its_group(lab):
    run = lab.site(
        "--limit", "db2", "-e", "operations_fence=all", "-e", "confirm=mysql_gr", playbook="playbooks/fence.yml"
    )
    assert run.code == 0, run
    assert lab.sql("db2", "SELECT @@offline_mode, @@super_read_only") == [["1", "1"]]
    token = write(lab)
    whole(lab, "MySQL", token)
    run = lab.site("--limit", "db2", playbook="playbooks/unfence.yml")
    assert run.code == 0, run
    assert lab.sql("db2", "SELECT @@offline_mode, @@super_read_only") == [["0", "0"]]
    whole(lab)


def test_a_survivor_goes_on_without_those_that_are_lost(lab):
    # By itself it leaves after 30 s.
    lab.sql("db0", "SET GLOBAL group_replication_unreachable_majority_timeout = 0")
    lost = ("db1", "db2")
    try:
        # A host that is shut down leaves the group first.
        for member in lost:
            lab.on(member, "systemctl", "kill", "--signal=STOP", "mysql")
        wait_for(lambda: list(lab.view("db0").values()).count("UNREACHABLE") == 2, 60, "two UNREACHABLE members")
        for member in lost:
            lab.command("lab/host", "stop", member)
        run = lab.site(
            "--limit",
            "db0",
            "-e",
            '{"operations_lost": ["db1", "db2"], "confirm": "mysql_gr"}',
            playbook="playbooks/force_quorum.yml",
        )
        assert run.code == 0, run
        assert lab.view("db0") == {lab.address("db0"): "ONLINE"}
        assert lab.sql("db0", "SELECT @@group_replication_force_members") in ([], [[""]])
        token = write(lab)
    finally:
        for member in lost:
            lab.command("lab/host", "start", member)
    wait_for(lambda: all(lab.on(m, "true", check=False) == "" for m in lost), 60, "hosts that are up")
    lab.sql("db0", "SET GLOBAL group_replication_unreachable_majority_timeout = 30")
    run = lab.site(playbook="playbooks/recover.yml", timeout=900)
    assert run.code == 0, run
    whole(lab, "MySQL", token)
