# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The site playbook on blank hosts: check mode, interrupted runs, a whole run, and the runs after it.

The tests of this file follow one story and stand in its order.
"""

from __future__ import annotations

import json
import os
import re
import time

import pytest
from support import kill_tree

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim(
        "Blank hosts become one healthy cluster, also when the run is killed at any task; a second run changes nothing."
    ),
]

TASK = re.compile(r"^TASK \[(.*?)\]", re.MULTILINE)


# "make test" runs a second lab beside this one, which takes half of the machine.
SLOWER = 1.5 if "TESTS_BESIDE" in os.environ else 1


@pytest.fixture(scope="module", autouse=True)
def blank_hosts(lab):
    lab.down()
    lab.up()


def test_check_mode_on_blank_hosts_succeeds_and_installs_nothing(lab):
    run = lab.site("--check", "--diff")
    assert run.code == 0, run
    for member in lab.members:
        assert lab.on(member, "sh", "-c", "command -v mysqld || echo none").strip() == "none"
        assert lab.on(member, "sh", "-c", "ls /etc/mysql 2>/dev/null || echo none").strip() == "none"


def test_killed_at_any_task_and_run_again_it_converges_to_one_group(lab):
    """Each run is killed some tasks further than the one before it got to, from blank hosts to a finished cluster."""
    killed_in = []
    for tasks in (6, 14, 24, 34, 44, 54):
        process = lab.start()
        seen, lines = 0, []
        for line in process.stdout:
            lines.append(line)
            found = TASK.match(line)
            seen += found is not None
            if seen == tasks:
                # Somewhere inside the task, not at its very start.
                time.sleep(0.7)
                killed_in.append(found[1])
                kill_tree(process)
                break
        else:
            process.wait()
            assert process.returncode == 0, "".join(lines[-80:])
            break
        if "group" in killed_in[-1].lower():
            # As a crashed control node leaves it: whatever the member was told to do may still be under way.
            assert len({frozenset(lab.view(member)) for member in lab.members} - {frozenset()}) <= 3
    assert len(killed_in) >= 5, f"the playbook was killed in {killed_in}"
    run = lab.site()
    assert run.code == 0, run
    lab.one_group()
    again = lab.site()
    assert again.code == 0, again
    assert again.what_changed == [] and set(again.changed.values()) == {0}, f"killed in {killed_in}"


def test_a_run_killed_before_systemd_has_read_its_files_is_made_good(lab):
    """The next run lets systemd read them, and no run after it restarts anything."""
    member = lab.members[1]
    override = "/etc/systemd/system/mysql.service.d/mysql-gr.conf"
    lab.on(member, "sh", "-c", f"mv {override} /root/ && systemctl daemon-reload && mv /root/mysql-gr.conf {override}")
    needs = ("systemctl", "show", "--property=NeedDaemonReload", "--value", "mysql")
    assert lab.on(member, *needs).strip() == "yes"
    run = lab.site()
    assert run.code == 0, run
    assert lab.on(member, *needs).strip() == "no"
    again = lab.site()
    assert again.code == 0, again
    assert again.what_changed == []


def test_a_good_setting_is_taken_by_one_member_after_the_other(lab):
    """The next test begins with blank hosts: nothing is to be put back."""
    before = lab.started()
    wanted = ("-e", json.dumps({"mysql_gr_settings": {"innodb_log_buffer_size": "24M"}}))
    run = lab.site(*wanted)
    assert run.code == 0, run
    assert all(now != then for now, then in zip(lab.started().values(), before.values()))
    for member in lab.members:
        assert lab.sql(member, "SELECT @@innodb_log_buffer_size") == [[str(24 << 20)]]
    lab.one_group()
    again = lab.site(*wanted)
    assert again.code == 0 and set(again.changed.values()) == {0}, again


def test_blank_hosts_converge_within_three_minutes(lab):
    lab.down()
    lab.up()
    run = lab.site()
    print(f"site.yml on blank hosts: {run.seconds:.1f} s")
    assert run.code == 0, run
    lab.one_group()
    assert run.seconds <= 180 * SLOWER, run


def test_members_joined_one_after_the_other(lab):
    """Two that join at once stop a group's commits for several times as long as one: no START began while another one was under way."""
    starts = []
    for member in lab.members:
        # "Plugin 'group_replication' is starting.", "… has been started."
        lines = lab.on(member, "grep", "-hE", "MY-013587|MY-014010", "/var/log/mysql/error.log").splitlines()
        assert len(lines) == 2, lines
        starts.append([line.split()[0] for line in lines])
    starts.sort()
    assert all(before[1] < after[0] for before, after in zip(starts, starts[1:])), starts


def test_a_second_run_changes_nothing_and_takes_a_minute_at_most(lab):
    run = lab.site()
    print(f"site.yml on a converged cluster: {run.seconds:.1f} s")
    assert run.code == 0, run
    assert set(run.changed.values()) == {0}, run
    assert run.seconds <= 60 * SLOWER, run


def test_check_mode_on_a_converged_cluster_finds_nothing_to_change(lab):
    run = lab.site("--check", "--diff")
    assert run.code == 0, run
    assert set(run.changed.values()) == {0}, run


def test_the_status_playbook_shows_members_and_hostgroups(lab):
    run = lab.site(playbook="playbooks/status.yml")
    assert run.code == 0, run
    for member in lab.members:
        assert lab.address(member) in run.output
    assert "Group mysql_gr, communication stack XCOM" in run.flat
    assert run.output.count("ONLINE") >= 6, run
    assert set(run.changed.values()) == {0}, run
