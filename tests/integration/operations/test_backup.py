# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Physical backups on the lab: set up, made, restored to just before a fatal statement, in parts, rehearsed, and removed again."""

from __future__ import annotations

import json

import pytest
from support import kill_in, wait_for
from support_backup import CLUSTER, FOLDER, Backups, former, set_aside

pytestmark = [
    pytest.mark.operations,
    pytest.mark.claim(
        "A cluster is restored from physical backups to just before a fatal DROP, with every row before it and none after it; what people get wrong "
        "is refused before anything is touched.",
        minutes=20,
    ),
]

TABLES = ("orders", "audit")
FILES = (
    "/usr/local/sbin/mysql-gr-backup",
    "/etc/mysql-gr-backup",
    "/etc/systemd/system/mysql-gr-backup-*",
    "/var/lib/mysql-gr-backup",
)


@pytest.fixture(scope="module")
def backups(lab):
    found = Backups(lab)
    found.begin()
    run = found.play("site", timeout=1500)
    assert run.code == 0, run
    for table in TABLES:
        lab.sql("db0", f"CREATE TABLE simkp.{table} (id INT PRIMARY KEY, text VARCHAR(40))")
        lab.sql("db0", f"INSERT INTO simkp.{table} VALUES (1, 'before the backup'), (2, 'too')")
    yield found
    for table in TABLES:
        lab.sql("db0", f"DROP TABLE IF EXISTS simkp.{table}", check=False)
    found.play("site", "-e", "mysql_backup_state=absent", timeout=1500)
    found.end()
    for host in lab.members:
        for path in set_aside(lab, host):
            lab.on(host, "rm", "-rf", path)


def test_a_second_run_changes_nothing(lab, backups):
    run = backups.play("site")
    assert run.code == 0 and not any(run.changed.values()), run.what_changed
    # The host that is no member has a server's programs, and no server.
    assert lab.on("proxy", "systemctl", "is-active", "mysql", check=False).strip() != "active"
    assert lab.on("proxy", "stat", "-c", "%a %U", "/etc/mysql-gr-backup/config.json").split() == ["600", "root"]


def test_what_people_set_wrong_is_refused_first(backups):
    for wrong, sentence in (
        ({"mysql_backup_place": "elsewhere:x"}, "mysql_backup_place: 'elsewhere' is not in mysql_backup_remotes"),
        ({"mysql_backup_encrypt_to": ["AGE-SECRET-KEY-1X"]}, "mysql_backup_encrypt_to holds a secret key"),
        ({"mysql_backup_hosts": ["nobody"]}, "mysql_backup_hosts: 'nobody' is not allowed"),
        ({"mysql_gr_clone": "never"}, "mysql_gr_clone: 'never' (db0, db1, db2) is not allowed with mysql_backup_place"),
    ):
        run = backups.play("site", "-e", json.dumps(wrong))
        assert run.code != 0 and sentence in run.flat and not any(run.changed.values()), run


def test_a_backup_is_made_and_listed(lab, backups):
    run = backups.play("backup")
    assert run.code == 0, run
    listed = backups.ask("list")
    assert listed["cluster"] == CLUSTER and [full["encrypted"] for full in listed["timelines"][-1]["fulls"]] == [True]
    assert backups.ask("check")["ok"]
    run = backups.play("backups")
    assert run.code == 0 and listed["timelines"][-1]["fulls"][0]["id"] in run.output, run
    # Whoever is first does it; the next one looks on.
    wait_for(lambda: backups.ask("status", host="db2")["stream"]["state"] == "standby", 60, "db2 stands by")
    # Nothing in the place can be read without the key.
    assert lab.on("proxy", "sh", "-c", "grep -rl 'before the backup' /srv/store || true").strip() == ""


@pytest.fixture(scope="module")
def fatal(lab, backups):
    """Rows before and after a DROP, and which transaction it was."""
    for number in range(3, 43):
        lab.sql(f"db{number % 3}", f"INSERT INTO simkp.orders VALUES ({number}, 'after the backup')")
    wanted = {table: backups.rows("db0", f"simkp.{table}") for table in TABLES}
    wait_for(
        lambda: all(backups.rows(host, "simkp.orders") == wanted["orders"] for host in lab.members), 30, "all have them"
    )
    gtid = backups.executed("db0", "DROP TABLE simkp.orders")
    assert gtid.count(":") == 1 and "-" not in gtid.partition(":")[2], gtid
    backups.executed("db0", "INSERT INTO simkp.audit VALUES (3, 'after the DROP')")
    backups.stored(gtid)
    return gtid, wanted


@pytest.mark.parametrize(
    ("target", "arguments", "sentence"),
    [
        ("before", (), "confirm: '' is not allowed (allowed: mysql_gr, the name of the cluster that this run changes"),
        ("before", ("-e", "confirm=other"), "confirm: 'other' is not allowed (allowed: mysql_gr"),
        ("yesterday", ("-e", "confirm=mysql_gr"), "allowed is one of them"),
        ("gtid:8f22f846-9922-4139-b2b7-097d185a93cb:1-99999999", ("-e", "confirm=mysql_gr"), "cannot be restored"),
        ("latest", ("-e", "confirm=mysql_gr", "-e", "operations_identity="), "operations_identity is needed"),
        ("latest", ("-e", "confirm=mysql_gr", "-e", "operations_seed=db7"), "operations_seed: 'db7' is not allowed"),
        ("latest", ("-e", "confirm=mysql_gr", "--limit", "db0,db1,proxy"), "--limit leaves out db2"),
    ],
)
def test_a_restore_that_cannot_be_touches_nothing(lab, backups, fatal, target, arguments, sentence):
    before = lab.started()
    run = backups.restore(f"before:{fatal[0]}" if target == "before" else target, *arguments)
    assert run.code != 0 and sentence in run.flat, run
    assert lab.started() == before and not any(set_aside(lab, host) for host in lab.members)


def test_the_cluster_is_restored_to_just_before_the_drop(lab, backups, fatal):
    gtid, wanted = fatal
    checked = backups.restore(f"before:{gtid}", "-e", "confirm=mysql_gr", "--check")
    assert checked.code == 0 and lab.sql("db0", "SHOW TABLES FROM simkp LIKE 'orders'") == [], checked
    run = backups.restore(f"before:{gtid}", "-e", "confirm=mysql_gr", timeout=1500)
    assert run.code == 0, run
    lab.one_group()
    for host in lab.members:
        assert {table: backups.rows(host, f"simkp.{table}") for table in TABLES} == wanted, host
        assert len(former(lab, host)) == 1
        assert lab.sql(host, "SELECT @@super_read_only") == [["0"]]
    # On a timeline of its own, with a backup.
    newest = backups.ask("list")["timelines"][-1]
    assert newest["number"] == 2 and len(newest["fulls"]) == 1
    lab.sql("db1", "INSERT INTO simkp.orders VALUES (100, 'after the restore')")
    assert backups.play("backups").code == 0


def test_a_wrong_key_touches_nothing(lab, backups, tmp_path):
    other = tmp_path / "other.key"
    other.write_text(lab.on("proxy", "sh", "-c", "age-keygen 2>/dev/null"))
    before = lab.started()
    run = backups.play(
        "restore", "-e", "operations_target=latest", "-e", f"operations_identity={other}", "-e", "confirm=mysql_gr"
    )
    assert run.code != 0 and "no identity matched" in run.flat, run
    assert lab.started() == before and all(len(former(lab, host)) == 1 for host in lab.members)


def test_an_interrupted_restore_goes_on(lab, backups):
    """The control node is lost while the former data are set aside: some members have data, some have none."""
    gtid = backups.executed("db0", "INSERT INTO simkp.orders VALUES (101, 'before the interruption')")
    backups.stored(gtid)
    rows = backups.rows("db0", "simkp.orders")
    target = ("-e", f"operations_target=gtid:{lab.executed('db0')}", "-e", "confirm=mysql_gr")
    key = ("-e", f"operations_identity={backups.identity}", "-e", f"@{backups.variables}")
    kill_in(lab, "playbooks/restore.yml", "Set the former data aside", 1, *key, *target)
    run = backups.play("restore", *key, *target, timeout=1500)
    assert run.code == 0, run
    lab.one_group()
    assert all(backups.rows(host, "simkp.orders") == rows for host in lab.members)
    assert all(len(former(lab, host)) == 2 for host in lab.members)


def test_one_table_comes_back_beside_the_running_cluster(lab, backups, fatal):
    before = lab.started()
    rows = backups.rows("db0", "simkp.orders")
    gtid = backups.executed("db0", "DELETE FROM simkp.orders WHERE id > 5")
    backups.stored(gtid)
    part = ("-e", "operations_table=simkp.orders")
    refused = backups.restore(f"before:{gtid}", *part)
    assert refused.code != 0 and "simkp.orders: 1 tables are there" in refused.flat, refused
    run = backups.restore(f"before:{gtid}", *part, "-e", "operations_replace=true", "-e", "confirm=mysql_gr")
    assert run.code == 0, run
    wait_for(
        lambda: all(backups.rows(host, "simkp.orders") == rows for host in lab.members),
        30,
        "every member has the rows again",
    )
    assert lab.started() == before


def test_a_drill_passes_and_leaves_its_report(lab, backups):
    run = backups.play(
        "restore_drill", "-e", f"operations_identity={backups.identity}", "-e", f"operations_report={FOLDER / 'drills'}"
    )
    assert run.code == 0 and "passed" in run.flat, run
    assert {path.suffix for path in (FOLDER / "drills").iterdir()} == {".json", ".txt", ".html"}
    left = lab.on("db2", "sh", "-c", "ls /var/lib/mysql-gr-backup/work 2>/dev/null || true").split()
    assert [name for name in left if not name.endswith(".lock")] == []


def test_a_damaged_piece_is_found_before_anything_is_touched(lab, backups):
    before = lab.started()
    backups.behind_its_back("for f in $(find /srv/store -name 'piece-*'); do mv $f $f.away; done")
    try:
        run = backups.restore("latest", "-e", "confirm=mysql_gr")
        assert run.code != 0 and "there is no full backup to begin with" in run.flat, run
        assert backups.play("backups", "-e", "operations_deep=true").code != 0
    finally:
        backups.behind_its_back("for f in $(find /srv/store -name 'piece-*.away'); do mv $f ${f%.away}; done")
    assert lab.started() == before


def test_all_of_it_is_removed_again(lab, backups):
    run = backups.play("site", "-e", "mysql_backup_state=absent", timeout=900)
    assert run.code == 0, run
    for host in ("proxy", "db2"):
        left = lab.on(host, "sh", "-c", f"ls -d {' '.join(FILES)} 2>/dev/null || true")
        assert left.strip() == "", left
    assert lab.sql("db0", "SELECT user FROM mysql.user WHERE user = 'gr_backup'") == []
    again = backups.play("site", "-e", "mysql_backup_state=absent")
    assert again.code == 0 and not any(again.changed.values()), again.what_changed
