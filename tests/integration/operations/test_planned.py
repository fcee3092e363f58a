# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planned work under load costs the application no statement, and no acknowledged row is lost."""

from __future__ import annotations

import json

import pytest
from support import ROOT, wait_for

DIRECTORY = "/var/tmp/distdb-operations"
UNIT = "distdb-operations-load"


@pytest.fixture
def load(lab):
    """A running load on the proxy host; called, it stops the load and gives its summary and what members hold."""
    account = lab.variable("db0", "mysql_gr_users")[0]
    schema = lab.variable("db0", "mysql_gr_schemas")[0]
    lab.on("proxy", "rm", "-rf", DIRECTORY)
    lab.on("proxy", "install", "-d", "-m", "700", DIRECTORY)
    lab.command(
        "lab/podman", "cp", "--pause=false", str(ROOT / "playbooks/files/load.py"), f"proxy:{DIRECTORY}/load.py"
    )
    secret = f"umask 077; printf 'MYSQL_PWD=%s\\n' '{account['password']}' >{DIRECTORY}/password"
    lab.on("proxy", "sh", "-c", secret)
    tool = ("python3", f"{DIRECTORY}/load.py")
    common = ("--directory", DIRECTORY, "--user", account["name"], "--database", schema)
    lab.on(
        "proxy", "systemd-run", "--quiet", "--collect", f"--unit={UNIT}", f"--property=EnvironmentFile={DIRECTORY}/password",
        "/usr/bin/" + tool[0], *tool[1:], "run", *common, "--seconds", "3600",
    )  # fmt: skip

    def there(name):
        return (
            lab.command("lab/podman", "exec", "proxy", "test", "-e", f"{DIRECTORY}/{name}", check=False).returncode == 0
        )

    def stop():
        lab.on("proxy", "touch", f"{DIRECTORY}/stop")
        wait_for(lambda: there("summary.json"), 90, "the end of the load")

    def finish():
        stop()
        summary = json.loads(lab.on("proxy", "cat", f"{DIRECTORY}/summary.json"))
        members = [f"--member={lab.address(member)}:3306" for member in lab.members]
        # The account's password reaches the tool by its environment, as it did the load.
        line = f". {DIRECTORY}/password; export MYSQL_PWD; exec python3 {DIRECTORY}/load.py agree --tls {' '.join(common + tuple(members))}"
        agreed = json.loads(lab.on("proxy", "sh", "-c", line, check=False))
        return summary, agreed

    wait_for(lambda: there("started"), 60, "a first write of every client")
    yield finish
    stop()
    lab.on("proxy", "rm", "-rf", DIRECTORY)


def test_rolling_restart_costs_no_statement(lab, load):
    run = lab.site(playbook="playbooks/rolling_restart.yml", timeout=1800)
    assert run.code == 0, run
    summary, agreed = load()
    print(json.dumps(summary, indent=1))
    # Every server has been restarted: it has been up for less time than the run took.
    uptime = "SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Uptime'"
    assert all(float(lab.sql(member, uptime)[0][0]) < run.seconds for member in lab.members)
    assert summary["errors"] == {}
    assert agreed["lost"] == 0 and agreed["same_transactions"] and agreed["checksums_agree"]
    lab.one_group()


def test_rolling_restart_in_check_mode_names_the_order_and_changes_nothing(lab):
    run = lab.site("--check", playbook="playbooks/rolling_restart.yml", timeout=900)
    assert run.code == 0, run
    assert "db0, db1, db2" in run.output
    lab.one_group()


def test_rolling_restart_refuses_while_a_member_is_down(lab):
    lab.on("db2", "systemctl", "stop", "mysql")
    try:
        run = lab.site(playbook="playbooks/rolling_restart.yml", timeout=900)
        assert run.code != 0
        assert "no member is restarted unless all are ONLINE" in run.flat
        assert all(changed == 0 for changed in run.changed.values())
    finally:
        recovered = lab.site(playbook="playbooks/recover.yml", timeout=900)
    assert recovered.code == 0, recovered
    lab.one_group()
