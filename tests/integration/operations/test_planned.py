# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planned work under load costs the application no statement, and no acknowledged row is lost."""

from __future__ import annotations

import json

import pytest
import yaml
from support import ROOT, wait_for
from support_load import new_address, rotation

pytestmark = [
    pytest.mark.operations,
    pytest.mark.claim("Planned work under load fails no statement and loses no row."),
]

SINGLE = ("-e", "mysql_gr_writers=primary")
FIVE = ROOT / ".cache/operations/five.yml"


def primaries(lab):
    rows = lab.sql(
        "db0", "SELECT member_host FROM performance_schema.replication_group_members WHERE member_role = 'PRIMARY'"
    )
    return sorted(row[0] for row in rows)


def unchanged(run):
    return all(changed == 0 for changed in run.changed.values())


@pytest.fixture
def single_primary(lab):
    """db0 is the only primary; afterwards all are again."""
    run = lab.site(*SINGLE, "-e", "operations_primary=db0", playbook="playbooks/switch_mode.yml", timeout=900)
    assert run.code == 0, run
    if primaries(lab) != [lab.address("db0")]:
        run = lab.site(*SINGLE, "-e", "operations_primary=db0", playbook="playbooks/switch_primary.yml", timeout=900)
        assert run.code == 0, run
    yield
    run = lab.site(playbook="playbooks/switch_mode.yml", timeout=900)
    assert run.code == 0, run


def uptimes(lab):
    uptime = "SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Uptime'"
    return [float(lab.sql(member, uptime)[0][0]) for member in lab.members]


def expel_timeouts(lab):
    return [int(lab.sql(member, "SELECT @@group_replication_member_expel_timeout")[0][0]) for member in lab.members]


def test_rolling_restart_costs_no_statement(lab, under_load):
    run = under_load("playbooks/rolling_restart.yml")
    # Every server has been restarted: it has been up for less time than the run took.
    assert all(uptime < run.seconds + 60 for uptime in uptimes(lab))
    lab.one_group()


def test_rolling_restart_of_a_single_primary_costs_no_statement(lab, single_primary, under_load):
    run = under_load("playbooks/rolling_restart.yml", *SINGLE, name="rolling_restart_single_primary")
    assert all(uptime < run.seconds + 60 for uptime in uptimes(lab))
    assert primaries(lab) == [lab.address("db1")]
    lab.one_group()


def test_switch_primary_costs_no_statement(lab, single_primary, under_load):
    under_load("playbooks/switch_primary.yml", *SINGLE, "-e", "operations_primary=db2")
    assert primaries(lab) == [lab.address("db2")]
    again = lab.site(*SINGLE, "-e", "operations_primary=db2", playbook="playbooks/switch_primary.yml")
    assert again.code == 0 and unchanged(again), again


def test_switch_mode_costs_no_statement(lab, under_load):
    try:
        to_single = (*SINGLE, "-e", "operations_primary=db1")
        under_load("playbooks/switch_mode.yml", *to_single, name="switch_mode_to_single_primary")
        assert primaries(lab) == [lab.address("db1")]
        # A lost primary is to be replaced soon; where all are primaries, a silent one is given time to come back.
        assert expel_timeouts(lab) == [0, 0, 0]
        again = lab.site(*to_single, playbook="playbooks/switch_mode.yml")
        assert again.code == 0 and unchanged(again), again
    finally:
        under_load("playbooks/switch_mode.yml", name="switch_mode_to_multi_primary")
    assert primaries(lab) == sorted(map(lab.address, lab.members))
    assert expel_timeouts(lab) == [5, 5, 5]
    # The option files are written by the site playbook, and nobody is restarted for them.
    before = min(uptimes(lab))
    run = lab.site()
    assert run.code == 0 and min(uptimes(lab)) >= before, run


def test_members_added_and_removed_cost_no_statement(lab, under_load):
    lab.command("lab/up", "db3", "db4", timeout=300)
    FIVE.parent.mkdir(parents=True, exist_ok=True)
    hosts = {"db3": {"mysql_gr_server_id": 133}, "db4": {"mysql_gr_server_id": 134}}
    FIVE.write_text(yaml.safe_dump({"mysql_gr": {"hosts": hosts}}))
    five = ("-i", str(FIVE))
    before = min(uptimes(lab))
    try:
        added = ("-e", json.dumps({"operations_members": ["db3", "db4"]}))
        under_load("playbooks/add_member.yml", *five, *added, also=[new_address(lab, 3), new_address(lab, 4)])
        assert sorted(lab.view("db0").values()) == ["ONLINE"] * 5
        # Nobody was restarted for it, and the proxies know all five as writers.
        assert min(uptimes(lab)) >= before
        for member, rest in (("db4", ["-i", str(FIVE)]), ("db3", ["-i", str(FIVE)])):
            removed = (*rest, "-e", f"operations_member={member}", "-e", "confirm=mysql_gr")
            under_load("playbooks/remove_member.yml", *removed)
            again = lab.site(*removed, playbook="playbooks/remove_member.yml")
            assert again.code == 0 and unchanged(again), again
            hosts.pop(member)
            FIVE.write_text(yaml.safe_dump({"mysql_gr": {"hosts": hosts}}))
    finally:
        lab.command("lab/host", "remove", "db3")
        lab.command("lab/host", "remove", "db4")
        lab.site()
    lab.one_group()
    assert min(uptimes(lab)) >= before


def test_rotate_passwords_costs_no_statement(lab, under_load, tmp_path):
    old, new, forward, back = rotation(lab, tmp_path)
    discard = ("-e", "operations_discard_old=true")
    try:
        run = under_load("playbooks/rotate_passwords.yml", *forward, password=old["lab_app_password"])
        for word in (*old.values(), *new.values()):
            assert word not in run.output
        again = lab.site(*forward, playbook="playbooks/rotate_passwords.yml", timeout=900)
        assert again.code == 0 and unchanged(again), again
        app = new["lab_app_password"]
        under_load("playbooks/rotate_passwords.yml", *forward, *discard, name="rotate_passwords_discard", password=app)
        # The old password of the application is refused by a member, the new one is not.
        client = (
            f"read -r MYSQL_PWD; export MYSQL_PWD; mysql -h {lab.address('db1')} -u simkpuser -e \"SELECT 'admitted'\""
        )
        for password, answer in ((old["lab_app_password"], "ERROR 1045"), (app, "admitted")):
            assert answer in lab.give("db1", client, password + "\n", check=False)
    finally:
        # The inventory's passwords again, or every later test is refused.
        back_runs = [
            lab.site(*arguments, playbook="playbooks/rotate_passwords.yml", timeout=900)
            for arguments in (back, (*back, *discard))
        ]
    assert [run.code for run in back_runs] == [0, 0], back_runs
    run = lab.site()
    assert run.code == 0 and unchanged(run), run


def test_rolling_upgrade_in_check_mode_names_the_order(lab):
    run = lab.site("--check", playbook="playbooks/rolling_upgrade.yml", timeout=900)
    assert run.code == 0, run
    assert "nothing is to be done" in run.flat or "db0 from" in run.flat
    lab.one_group()


def test_rolling_restart_in_check_mode_names_the_order_and_changes_nothing(lab):
    before = min(uptimes(lab))
    run = lab.site("--check", playbook="playbooks/rolling_restart.yml", timeout=900)
    assert run.code == 0, run
    assert "db0, db1, db2" in run.output
    assert min(uptimes(lab)) >= before
    lab.one_group()


def test_backup_under_load_and_restore(lab, under_load, tmp_path):
    """What is restored is what was there, on every member; a restore over tables is refused unless it is asked for."""
    made = "CREATE TABLE simkp.backup_probe (id INT PRIMARY KEY AUTO_INCREMENT, t VARCHAR(20)); INSERT INTO simkp.backup_probe (t) VALUES ('ä'), (NULL), ('z')"
    lab.sql("db0", "DROP TABLE IF EXISTS simkp.backup_probe; " + made)
    where = ("-e", f"operations_backup={tmp_path / 'backup'}")
    under_load("playbooks/backup.yml", *where)
    refused = lab.site(*where, playbook="playbooks/backup.yml")
    assert refused.code != 0 and "without a backup in it" in refused.flat
    refused = lab.site(*where, playbook="playbooks/restore.yml", timeout=900)
    assert refused.code != 0 and "with operations_replace=true they are dropped" in refused.flat
    lab.sql(
        "db1",
        "INSERT INTO simkp.backup_probe (t) VALUES ('after'); UPDATE simkp.backup_probe SET t = 'other' WHERE t = 'z'",
    )
    replace = (*where, "-e", "operations_replace=true")
    refused = lab.site(*replace, playbook="playbooks/restore.yml", timeout=900)
    assert refused.code != 0 and not any(refused.changed.values()), refused
    assert "the schemas simkp of mysql_gr are dropped" in refused.flat
    assert "(allowed: mysql_gr, the name of the cluster that this run changes" in refused.flat
    confirmed = (*replace, "-e", "confirm=mysql_gr")
    run = lab.site(*confirmed, playbook="playbooks/restore.yml", timeout=1200)
    assert run.code == 0, run
    assert run.output.count("holds what the backup holds") == 3
    for member in lab.members:
        assert lab.sql(member, "SELECT t FROM simkp.backup_probe ORDER BY id") == [["ä"], ["NULL"], ["z"]]
    # A backup that is not what it says is found out.
    manifest = tmp_path / "backup" / "backup.json"
    manifest.write_text(manifest.read_text().replace('"content": "', '"content": "0'))
    run = lab.site(*confirmed, playbook="playbooks/restore.yml", timeout=1200)
    assert run.code != 0 and "has the checksum" in run.flat
    lab.sql("db0", "DROP TABLE simkp.backup_probe")


@pytest.mark.parametrize(
    ("playbook", "arguments", "sentence"),
    [
        ("rolling_restart", (), "no member is restarted unless all members are ONLINE"),
        ("rolling_upgrade", (), "no member is upgraded unless all members are ONLINE"),
        ("switch_mode", SINGLE, "the mode is not switched unless all members are ONLINE"),
        ("switch_primary", ("-e", "operations_primary=db1"), "no other member is made primary unless all members are ONLINE"),
        ("switch_primary", ("-e", "operations_primary=db7"), "operations_primary: 'db7' is not allowed (allowed: db0, db1, db2)"),
        ("remove_member", ("-e", "operations_member=db0"), "no member is removed unless all others are ONLINE"),
        ("add_member", ("-e", '{"operations_members": ["db1"]}'), "no member is added unless all others are ONLINE"),
        ("rotate_passwords", (), "no password is changed unless all members are ONLINE"),
    ],
)  # fmt: skip
def test_refused_while_a_member_is_down(lab, one_down, playbook, arguments, sentence):
    run = lab.site(*arguments, playbook=f"playbooks/{playbook}.yml", timeout=900)
    assert run.code != 0
    assert sentence in run.flat, run
    assert unchanged(run)


@pytest.fixture(scope="module")
def one_down(lab):
    lab.on("db2", "systemctl", "stop", "mysql")
    yield
    recovered = lab.site(playbook="playbooks/recover.yml", timeout=900)
    assert recovered.code == 0, recovered
    wait_for(lambda: sorted(lab.view("db0").values()) == ["ONLINE"] * 3, 60, "three ONLINE members")
