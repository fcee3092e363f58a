# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An upgrade to another series refuses first, stops at a server that does not start, and is taken up again; in between, two versions are a normal state.

Needs packages of two series: LAB_UPGRADE_PACKAGES="DIR DIR" (older, newer), as for tools/versions.py. It makes the lab anew and takes it down: run it alone.
The tests build on each other.
"""

from __future__ import annotations

import os
import sys

import pytest
from support import ROOT

pytestmark = [
    pytest.mark.operations,
    pytest.mark.claim(
        "An upgrade to another series refuses before it changes anything, stops at a server that does not start, and is taken up again.",
        minutes=20,
    ),
]

UPGRADE = "playbooks/rolling_upgrade.yml"
ANEW = ("-e", "operations_lists_valid=0")
FILE = "/etc/mysql/mysql.conf.d/zz-test.cnf"
OLD_PROTOCOL = "8.0.16"


@pytest.fixture(scope="module")
def made():
    folders = os.environ.get("LAB_UPGRADE_PACKAGES", "").split()
    if len(folders) != 2:
        pytest.skip("LAB_UPGRADE_PACKAGES does not name two folders of packages")
    sys.path.insert(0, str(ROOT / "tools"))
    import versions

    versions.CACHE.mkdir(parents=True, exist_ok=True)
    old, new = map(versions.server_package, folders)
    made = versions.Combination(
        old, folders[0], os.environ.get("LAB_SUITE", "bookworm"), os.environ.get("LAB_PROXYSQL_BIN", "")
    )
    made.old, made.new, made.series = old, new, versions.series(new)
    made.folders = folders
    made.blank()
    made.play()
    made.serve(*folders)
    made.lab.up()
    made.play()
    assert made.installed() == [old] * 3
    yield made
    made.lab.down()


def write(made, member, text):
    made.lab.give(member, f"cat > {FILE}", text)


def refused(made, *arguments):
    run = made.lab.site(*arguments, *ANEW, playbook=UPGRADE, timeout=1200)
    assert run.code != 0
    return run


def test_what_the_newer_server_would_not_take_is_refused_before_anything_is_changed(made):
    made.lab.sql("db0", "CREATE USER IF NOT EXISTS old_shop@'%' IDENTIFIED WITH mysql_native_password BY 'x1-Secret'")
    write(made, "db1", "[mysqld]\nexpire_logs_days = 3\n")
    try:
        run = refused(made)
    finally:
        made.lab.on("db1", "rm", FILE)
        made.lab.sql("db0", "DROP USER old_shop@'%'")
    assert f"db1: expire_logs_days in {FILE}: MySQL 8.2.0 has no such option" in run.flat
    assert "use binlog_expire_logs_seconds" in run.flat and "'old_shop'@'%': MySQL" in run.flat
    assert made.installed() == [made.old] * 3


def test_check_mode_shows_the_plan_and_changes_nothing(made):
    run = made.lab.site("--check", "-e", "proxysql_allow_version_pair=false", *ANEW, playbook=UPGRADE, timeout=1200)
    assert run.code == 0, run
    assert f"db0 from {made.old}" in run.flat and "leaves the group before, while statements wait" in run.flat
    assert (
        "CHECK TABLE … FOR UPGRADE" in run.flat
        and run.flat.count("nothing stands against it") == 3
        and "proxy" in run.flat
    )
    assert made.installed() == [made.old] * 3
    made.lab.one_group()


def test_two_versions_in_one_group_are_a_normal_state(made):
    lab = made.lab
    made.play(UPGRADE, "--limit", "db2", *ANEW)
    mixed = [made.old, made.old, made.new]
    assert made.installed() == mixed
    assert f"MySQL {made.old}, {made.new} in one group; until all have" in made.play("playbooks/status.yml").flat
    made.play("site.yml", changed=0)
    for member in ("db2", "db1"):
        lab.on(member, "systemctl", "stop", "mysql", timeout=120)
        made.play("playbooks/recover.yml")
        lab.one_group()
    assert made.installed() == mixed
    assert lab.sql("db2", "SELECT @@super_read_only") == [["1"]]


def test_a_server_that_does_not_start_ends_the_run_and_the_others_serve(made):
    lab = made.lab
    write(made, "db1", f"[mysqld-{made.series}]\nno_such_option = 3\n")
    run = refused(made)
    assert "db1 was upgraded and its server does not start; the run ends here, and the other members serve." in run.flat
    assert "unknown variable 'no_such_option=3'. Remove the cause" in run.flat
    assert sorted(lab.view("db0").values()) == ["ONLINE"] * 2
    assert ["0"] in [lab.sql(member, "SELECT @@super_read_only")[0] for member in ("db0", "db2")]


def test_it_is_taken_up_again_and_the_protocol_is_raised_once(made):
    lab = made.lab
    lab.on("db1", "rm", FILE)
    # As the message of the run before says.
    lab.on("db1", "env", "MYSQL_HOME=/etc/mysql/gr-upgrade", "dpkg", "--configure", "-a", timeout=300)
    made.play("playbooks/recover.yml")
    lab.one_group()
    lab.sql("db0", f"SELECT group_replication_set_communication_protocol('{OLD_PROTOCOL}')")
    made.play(UPGRADE, *ANEW)
    assert made.installed() == [made.new] * 3
    assert lab.sql("db0", "SELECT group_replication_get_communication_protocol()") != [[OLD_PROTOCOL]]
    assert {lab.sql(member, "SELECT @@super_read_only")[0][0] for member in lab.members} == {"0"}
    made.play(UPGRADE, changed=0)
    made.play("site.yml")
    made.play("site.yml", changed=0)


def test_the_way_back_is_refused(made):
    made.serve(made.folders[0])
    made.lab.up()
    made.play()
    run = refused(made, "--check")
    assert f"MySQL {made.new} runs and {made.old} is wanted: MySQL cannot be downgraded" in run.flat
    made.lab.one_group()
