# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that holds data, and two blank hosts: what is refused, and the one command that makes a cluster of them.

The tests of this file follow one story and stand in its order.
"""

from __future__ import annotations

import os

import pytest
from support import Lab
from support_adopt import PASSWORD, same_everywhere, writer

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim(
        "A server that holds data becomes a cluster with all of its rows on all members, or is refused before anything is changed.",
        minutes=8,
    ),
]

OLD = "/etc/mysql/mysql.conf.d/old.cnf"
LATER = "/etc/mysql/mysql.conf.d/zzz.cnf"
# Three rows times a power of two, of a kilobyte each.
DOUBLINGS = int(os.environ.get("ADOPT_DOUBLINGS", "0"))
GROWN = f"""
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends mysql-server </dev/null
printf '[mysqld]\\ngtid_mode=OFF\\nenforce_gtid_consistency=OFF\\nbind-address=*\\n' >{OLD}
systemctl restart mysql
mysql <<'SQL'
CREATE DATABASE shop;
CREATE TABLE shop.item (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(1000));
INSERT INTO shop.item (name) VALUES ('apple'), ('pear'), ('plum');
CREATE TABLE shop.written (id BIGINT PRIMARY KEY);
CREATE USER app@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON shop.* TO app@'%';
CREATE DEFINER=gone@'%' VIEW shop.pears AS SELECT * FROM shop.item WHERE name = 'pear';
CREATE EVENT shop.purge ON SCHEDULE EVERY 1 DAY DO DELETE FROM shop.item WHERE name = 'plum';
CREATE USER repl@'%' IDENTIFIED BY '{PASSWORD}';
SET PERSIST max_connections = 500;
SQL
for i in $(seq {DOUBLINGS}); do mysql -e "INSERT INTO shop.item (name) SELECT REPEAT('apple', 200) FROM shop.item"; done
mysql -e 'RESET BINARY LOGS AND GTIDS'
"""


@pytest.fixture(scope="module", autouse=True)
def grown_db1(lab):
    lab.down()
    lab.up()
    lab.give("db1", "bash", GROWN, timeout=900)
    assert lab.sql("db1", "SELECT @@gtid_mode, @@gtid_executed") == [["OFF", ""]]


def untouched(lab: Lab, before: dict) -> None:
    """No host has anything that it did not have before."""
    assert lab.started("db1") == before
    assert lab.on("db1", "ls", "/etc/mysql/mysql.conf.d").split() == ["mysql.cnf", "mysqld.cnf", "old.cnf"]
    for blank in ("db0", "db2"):
        assert lab.on(blank, "sh", "-c", "command -v mysqld || echo none").strip() == "none"


def test_data_that_the_history_does_not_account_for_is_refused_before_anything_is_changed(lab):
    nearer = f"repl@'{lab.address('db1').rpartition('.')[0]}.%'"
    lab.sql("db1", f"CREATE USER {nearer}")
    before = lab.started("db1")
    # At any host, as older versions of the role wrote it; at the members' own addresses nothing is nearer.
    run = lab.site("-e", "mysql_gr_account_host=%")
    assert run.code != 0
    assert "db1 has shop (about" in run.flat and "its GTID history does not account for them" in run.flat, run
    assert "mysql_gr_clone=when_needed lets them be cloned from it" in run.flat, run
    assert "db1: MySQL would take repl@" in run.flat, run
    untouched(lab, before)
    lab.sql("db1", f"DROP USER {nearer}")


def test_tables_that_a_group_does_not_replicate_are_refused_before_anything_is_changed(lab):
    lab.sql("db1", "CREATE TABLE shop.log (id INT PRIMARY KEY) ENGINE=MyISAM")
    lab.sql("db1", "CREATE TABLE shop.nokey (id INT)")
    before = lab.started("db1")
    run = lab.site("-e", "mysql_gr_clone=when_needed")
    assert run.code != 0
    assert "1 not of InnoDB: shop.log (MyISAM)" in run.flat and "1 without a primary key: shop.nokey" in run.flat, run
    assert "it has enabled events (1: shop.purge), and so have its clones" in run.flat, run
    untouched(lab, before)
    lab.sql("db1", "DROP TABLE shop.log, shop.nokey; DROP EVENT shop.purge")


def test_a_file_that_is_read_after_the_roles_own_is_refused_before_anything_is_changed(lab):
    lab.give("db1", f"cat >{LATER}", "[mysqld]\nmax-connections = 400\n")
    before = lab.started("db1")
    run = lab.site("-e", "mysql_gr_clone=when_needed")
    assert run.code != 0 and f"max_connections = 400 in {LATER} (wanted: 151)" in run.flat, run
    lab.on("db1", "rm", LATER)
    untouched(lab, before)


def test_it_becomes_a_cluster_by_one_command_and_the_application_waits_for_its_restart_only(lab):
    with writer(lab.address("db1")) as seen:
        run = lab.site("-e", "mysql_gr_clone=when_needed", timeout=1800)
        assert run.code == 0, run
        lab.one_group()
    assert "db1: the role removes repl@%" in run.flat and "is no account (1: shop.pears (gone@%))" in run.flat, run
    assert lab.sql("db1", "SELECT @@max_connections, COUNT(*) FROM performance_schema.persisted_variables") == [
        ["151", "0"]
    ]
    assert len(seen["rows"]) > 100
    assert seen["longest_gap"] < 30, seen["errors"]
    same_everywhere(lab, seen)
    again = lab.site("-e", "mysql_gr_clone=when_needed")
    assert again.code == 0 and set(again.changed.values()) == {0}, again


def test_a_table_that_was_made_since_is_a_warning(lab):
    lab.sql("db1", "CREATE TABLE shop.nokey (id INT)")
    run = lab.site("-e", "mysql_gr_clone=when_needed")
    assert run.code == 0 and "1 without a primary key: shop.nokey" in run.flat, run
    lab.sql("db1", "DROP TABLE shop.nokey")


# What the role leaves on a host, made into what somebody would have written by hand; the servers go on.
BY_HAND = """
set -e
cd /etc/mysql/mysql.conf.d
cat zz-mysql-gr.cnf zz-mysql-gr-boot.cnf >group.cnf
rm -rf zz-mysql-gr.cnf zz-mysql-gr-boot.cnf /etc/systemd/system/mysql.service.d /run/mysql-gr.loaded /etc/mysql-gr-leave.cnf
rm -f /usr/local/sbin/mysql-gr-leave
systemctl daemon-reload
mysql -e 'SET PERSIST group_replication_member_weight = 60'
"""


def test_a_group_made_by_hand_is_adopted_without_a_restart(lab):
    for member in lab.members:
        lab.give(member, "bash", BY_HAND)
    before = lab.started()
    with writer(lab.address("db1")) as seen:
        run = lab.site("-e", "mysql_gr_clone=when_needed")
        assert run.code == 0, run
        lab.one_group()
    assert lab.started() == before, "a member was restarted"
    assert seen["failed"] == 0 and seen["longest_gap"] < 2, seen["errors"]
    same_everywhere(lab, seen)
    for member in lab.members:
        assert lab.sql(member, "SELECT @@group_replication_member_weight, COUNT(*) FROM performance_schema.persisted_variables"
                       " WHERE VARIABLE_NAME = 'group_replication_member_weight'") == [["50", "0"]]  # fmt: skip
    again = lab.site("-e", "mysql_gr_clone=when_needed")
    assert again.code == 0 and set(again.changed.values()) == {0}, again


def test_an_innodb_cluster_is_refused_before_anything_is_changed_and_adopted_without_its_metadata(lab):
    lab.sql("db1", "CREATE DATABASE mysql_innodb_cluster_metadata")
    before = lab.started()
    run = lab.site("-e", "mysql_gr_clone=when_needed")
    assert run.code != 0 and "dba.dropMetadataSchema() in MySQL Shell" in run.flat, run
    assert lab.started() == before
    # As dba.dropMetadataSchema() leaves it.
    lab.sql("db1", "DROP DATABASE mysql_innodb_cluster_metadata")
    with writer(lab.address("db1")) as seen:
        run = lab.site("-e", "mysql_gr_clone=when_needed")
        assert run.code == 0, run
    assert lab.started() == before
    assert seen["failed"] == 0 and seen["longest_gap"] < 2, seen["errors"]
    same_everywhere(lab, seen)
