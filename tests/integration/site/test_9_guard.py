# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members that come back by themselves (mysql_gr_guard): no playbook is run between the fault and the group."""

from __future__ import annotations

import json
import time
import uuid

import pytest
from support import Run, wait_for

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim(
        "With a guard, killed servers are one group again without a playbook; without it nothing of it is left on the hosts.",
        minutes=4,
    ),
]

LATER = pytest.mark.claim(
    "A guard ends a group without a majority, waits for every declared member, and stands aside for pauses, fences and members that were taken out.",
    minutes=8,
)
MOST = pytest.mark.claim(
    "By the evidence of a majority two of three go on without one that never boots; it joins when it does, unless it has transactions of its own, "
    "which are named.",
    minutes=9,
)
PROGRAM, OPTIONS, UNIT = (
    "/usr/local/sbin/mysql-gr-guard",
    "/etc/mysql-gr-guard.json",
    "/etc/systemd/system/mysql-gr-guard.service",
)
KEPT = ("/var/lib/mysql-gr-guard", "/run/mysql-gr-guard")
FULL = ("-e", "mysql_gr_guard=full")
MAJORITY = (*FULL, "-e", "mysql_gr_guard_evidence=majority")
ONLY = ("--tags", "mysql_gr_guard")


@pytest.fixture(scope="module", autouse=True)
def guarded(lab, converged):
    lab.sql(
        lab.members[0],
        "CREATE TABLE IF NOT EXISTS simkp.guarded (id INT AUTO_INCREMENT PRIMARY KEY, token CHAR(32) NOT NULL)",
    )
    run = lab.site(*FULL, *ONLY)
    assert run.code == 0, run
    yield
    if files_of_the_guard(lab, lab.members[0]):
        run = lab.site(*ONLY)
        assert run.code == 0, run


def write(lab, member: str) -> str:
    token = uuid.uuid4().hex
    lab.sql(member, f"INSERT INTO simkp.guarded (token) VALUES ('{token}')")
    return token


def kill(lab, *members: str) -> float:
    for member in members:
        lab.on(member, "systemctl", "kill", "--signal=KILL", "mysql")
    return time.monotonic()


def whole(lab) -> bool:
    wanted = {lab.address(member): "ONLINE" for member in lab.members}
    return all(lab.view(member) == wanted for member in lab.members)


def status(lab, member: str) -> dict:
    return json.loads(lab.on(member, PROGRAM, "status", "--json", check=False))


def rule(lab, member: str) -> str:
    return str(status(lab, member).get("rule"))


def seconds_until_whole(lab, since: float, patience: float = 120) -> float:
    wait_for(lambda: whole(lab), patience, "one group of all members")
    return time.monotonic() - since


def files_of_the_guard(lab, member: str) -> list[str]:
    return [
        path
        for path in (PROGRAM, OPTIONS, UNIT, *KEPT)
        if lab.command("lab/podman", "exec", member, "test", "-e", path, check=False).returncode == 0
    ]


def test_a_second_run_changes_nothing_and_the_files_are_roots(lab):
    run = lab.site(*FULL, "--tags", "mysql_gr")
    assert run.code == 0 and set(run.changed.values()) == {0}, run
    for member in lab.members:
        shown = lab.on(member, "stat", "--format=%a %U %n", PROGRAM, OPTIONS, *KEPT).split("\n")
        assert [line.split()[:2] for line in shown if line] == [
            ["755", "root"],
            ["600", "root"],
            ["700", "root"],
            ["700", "root"],
        ]
        assert rule(lab, member) == "online"
        assert "start_on_boot = OFF" in lab.on(member, "cat", "/etc/mysql/mysql.conf.d/zz-mysql-gr-boot.cnf")
        assert str(lab.secrets()["mysql_gr_peer_password"]) not in lab.on(member, "ps", "-ww", "-eo", "args")


def test_all_killed_are_one_group_again_without_a_playbook(lab):
    token = write(lab, lab.members[1])
    taken = seconds_until_whole(lab, kill(lab, *lab.members))
    print(f"all killed: one group of all members after {taken:.1f} s")
    for member in lab.members:
        assert [token] in lab.sql(member, "SELECT token FROM simkp.guarded")
        journal = lab.on(member, "journalctl", "--unit", "mysql-gr-guard", "--output", "cat", "--since", "-60s")
        assert "\njoin: " in journal or "\nbootstrap: " in journal, journal
    lab.one_group()


@pytest.mark.long
@LATER
def test_two_of_three_killed(lab):
    first, second, survivor = lab.members
    token = write(lab, survivor)
    taken = seconds_until_whole(lab, kill(lab, first, second))
    print(f"two of three killed: one group of all members after {taken:.1f} s")
    assert "stranded: " in lab.on(
        survivor, "journalctl", "--unit", "mysql-gr-guard", "--output", "cat", "--since", "-120s"
    )
    assert all([token] in lab.sql(member, "SELECT token FROM simkp.guarded") for member in lab.members)


@pytest.mark.long
@LATER
def test_servers_that_are_killed_again_and_again(lab):
    """Connections that were open to servers of before are no reason not to start the group."""
    token = write(lab, lab.members[0])
    for _time in range(6):
        began = kill(lab, *lab.members)
        time.sleep(5)
    wait_for(lambda: any("ONLINE" in lab.view(member).values() for member in lab.members), 60, "a group is there")
    print(f"killed six times, five seconds apart: a group {time.monotonic() - began:.1f} s after the last time")
    # Who joins a living group has to stay up for longer first.
    seconds_until_whole(lab, began, 240)
    assert all([token] in lab.sql(member, "SELECT token FROM simkp.guarded") for member in lab.members)
    journal = [lab.on(member, "journalctl", "--unit", "mysql-gr-guard", "--since", "-5min") for member in lab.members]
    assert not [text for text in journal if "4 tries in a row" in text]


@pytest.mark.long
def test_one_that_does_not_boot_is_waited_for_and_named(lab):
    away, *others = lab.members
    token = write(lab, away)
    kill(lab, *lab.members)
    lab.command("lab/host", "stop", away)
    try:
        for member in others:
            wait_for(lambda member=member: rule(lab, member) == "unasked", 60, f"{member} waits")
            assert lab.address(away) in status(lab, member)["reason"]
            assert lab.command("lab/podman", "exec", member, PROGRAM, "status", check=False).returncode == 2
        time.sleep(10)
        assert all("ONLINE" not in lab.view(member).values() for member in others)
    finally:
        lab.command("lab/host", "start", away)
    seconds_until_whole(lab, time.monotonic(), 180)
    assert all([token] in lab.sql(member, "SELECT token FROM simkp.guarded") for member in lab.members)


def cut_power(lab, *members: str) -> None:
    for member in members:
        lab.command("lab/podman", "kill", "--signal", "KILL", member)


def boot(lab, *members: str) -> float:
    """When the last of their servers accepts connections."""
    for member in members:
        lab.command("lab/host", "start", member)
    for member in members:
        wait_for(lambda member=member: lab.sql(member, "SELECT 1", check=False) == [["1"]], 120, f"mysqld of {member}")
    return time.monotonic()


def are_a_group(lab, *members: str) -> bool:
    wanted = {lab.address(member): "ONLINE" for member in members}
    return all(lab.view(member) == wanted for member in members)


@pytest.fixture(name="majority")
def fixture_majority(lab):
    run = lab.site(*MAJORITY, *ONLY)
    assert run.code == 0, run
    # Their guards have seen them in the group.
    for member in lab.members:
        wait_for(lambda member=member: status(lab, member).get("evidence") == "majority", 30, f"the guard of {member}")
    yield
    run = lab.site(*FULL, *ONLY)
    assert run.code == 0, run


@pytest.mark.long
@MOST
def test_two_of_three_go_on_without_one_that_never_boots_and_it_joins_when_it_does(lab, majority):
    away, *others = lab.members
    token = write(lab, away)
    cut_power(lab, *lab.members)
    up = boot(lab, *others)
    wait_for(lambda: rule(lab, others[0]) == "no_majority", 30, "the guard waits for a while")
    assert lab.address(away) in status(lab, others[0])["reason"]
    wait_for(lambda: are_a_group(lab, *others), 180, "one group without the one that does not boot")
    later = write(lab, others[0])
    print(f"without one: a row written {time.monotonic() - up:.1f} s after the last server accepted connections")
    assert [token] in lab.sql(others[1], "SELECT token FROM simkp.guarded")
    back = boot(lab, away)
    print(
        f"it was back: one group of all members {seconds_until_whole(lab, back, 180):.1f} s after its server accepted connections"
    )
    assert [later] in lab.sql(away, "SELECT token FROM simkp.guarded")
    lab.one_group()


@pytest.mark.long
@MOST
def test_a_row_that_only_the_absent_one_has_is_named_and_never_mixed_up_with_the_groups(lab, majority):
    away, *others = lab.members
    cut_power(lab, *lab.members)
    boot(lab, away)
    # As if it had been cut while it had committed a transaction, and no other member had it on its disk yet.
    executed = lab.sql(away, "SELECT REPLACE(@@GLOBAL.gtid_executed, '\\n', '')")[0][0]
    group = str(lab.variable(away, "mysql_gr_group_name")).lower()
    first = next(part for part in executed.lower().split(",") if part.startswith(group)).split(":")[1]
    alone = f"{group}:{int(first.split('-')[-1]) + 1}"
    lab.sql(
        away,
        "SET GLOBAL super_read_only = OFF; SET GLOBAL read_only = OFF; "
        f"SET gtid_next = '{alone}'; INSERT INTO simkp.guarded (token) VALUES ('{'a' * 32}'); SET gtid_next = 'AUTOMATIC'",
    )
    cut_power(lab, away)
    boot(lab, *others)
    wait_for(lambda: are_a_group(lab, *others), 180, "one group without the one that does not boot")
    for member in others:
        write(lab, member)
    # The group has given that number to another transaction: MySQL itself would let the member in.
    assert lab.sql(others[0], f"SELECT GTID_SUBSET('{alone}', @@GLOBAL.gtid_executed)") == [["1"]]
    boot(lab, away)
    wait_for(lambda: rule(lab, away) == "errant", 60, "its guard keeps it out")
    shown = lab.command("lab/podman", "exec", away, PROGRAM, "status", check=False)
    assert shown.returncode == 2 and alone in shown.stdout and "started without it" in shown.stdout, shown.stdout
    refused = lab.site(*MAJORITY, "--tags", "mysql_gr_group")
    assert refused.code != 0 and alone in refused.flat, refused
    time.sleep(5)
    assert are_a_group(lab, *others)
    # Somebody has read what it has alone, and gives that up.
    for member in others:
        lab.sql(member, "INSTALL PLUGIN clone SONAME 'mysql_clone.so'")
    run = lab.site(*MAJORITY, "-e", "mysql_gr_clone=reprovision", "-e", "confirm=mysql_gr", "--tags", "mysql_gr")
    assert run.code == 0, run
    assert seconds_until_whole(lab, time.monotonic(), 120) < 120
    assert ["a" * 32] not in lab.sql(away, "SELECT token FROM simkp.guarded")
    lab.one_group()


@pytest.mark.long
def test_hosts_that_are_switched_off_and_on_together(lab):
    for member in lab.members:
        lab.command("lab/host", "stop", member)
    for member in lab.members:
        lab.command("lab/host", "start", member)
    print(f"hosts on again: one group of all members after {seconds_until_whole(lab, time.monotonic(), 180):.1f} s")


@pytest.mark.long
def test_a_pause_holds_over_a_kill_and_resume_ends_it(lab):
    member = lab.members[2]
    lab.on(member, PROGRAM, "pause", "1h")
    kill(lab, member)
    wait_for(lambda: rule(lab, member) == "paused", 60, "the guard is paused")
    time.sleep(5)
    assert "ONLINE" not in lab.view(member).values()
    lab.on(member, PROGRAM, "resume")
    seconds_until_whole(lab, time.monotonic())


@pytest.mark.long
def test_a_fenced_member_stays_out_until_unfence(lab):
    member = lab.members[2]
    assert lab.site("--limit", member, "-e", "confirm=mysql_gr", playbook="playbooks/fence.yml").code == 0
    kill(lab, member)
    wait_for(lambda: rule(lab, member) == "fenced", 60, "the guard stands aside")
    assert lab.site("--limit", member, playbook="playbooks/unfence.yml").code == 0
    seconds_until_whole(lab, time.monotonic())


@pytest.mark.long
def test_a_server_that_is_stopped_stays_stopped_and_a_start_brings_it_back(lab):
    member = lab.members[1]
    before = lab.on(member, "date", "+@%s.%N").strip()
    lab.on(member, "systemctl", "stop", "mysql", timeout=120)
    journal = lab.on(member, "journalctl", "--unit", "mysql-gr-guard", "--output", "cat", "--since", before)
    assert "did: " not in journal, journal
    lab.on(member, "systemctl", "start", "mysql", timeout=120)
    seconds_until_whole(lab, time.monotonic())


def test_without_it_nothing_is_left(lab):
    run: Run = lab.site("--tags", "mysql_gr")
    assert run.code == 0, run
    for member in lab.members:
        assert files_of_the_guard(lab, member) == []
        assert "start_on_boot = ON" in lab.on(member, "cat", "/etc/mysql/mysql.conf.d/zz-mysql-gr-boot.cnf")
    again = lab.site(*ONLY)
    assert set(again.changed.values()) == {0}, again
