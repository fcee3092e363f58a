# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source with two asynchronous replicas becomes a cluster. Begins with blank hosts, and leaves a cluster as the others of this folder want it."""

from __future__ import annotations

import os

import pytest
from support import wait_for
from support_adopt import DOUBLE, PASSWORD, SHOP, same_everywhere, writer

pytestmark = [
    pytest.mark.operations,
    pytest.mark.claim(
        "A source with asynchronous replicas becomes a group with every row, for the restart of the source.", minutes=6
    ),
]

DOUBLINGS = int(os.environ.get("ADOPT_DOUBLINGS", "10"))
CLONE = ("-e", "mysql_gr_clone=when_needed")
SERVER = """
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends mysql-server </dev/null
printf '[mysqld]\\nserver_id={number}\\nbind-address=*\\n' >/etc/mysql/mysql.conf.d/old.cnf
systemctl restart mysql
"""
DATA = f"""
set -e
mysql <<'SQL'
{SHOP}SQL
for i in $(seq {DOUBLINGS}); do mysql -e "{DOUBLE}"; done
"""
SOURCE, REPLICAS = "db1", ("db0", "db2")
EXECUTED = "SELECT @@gtid_executed"


@pytest.fixture(scope="module", autouse=True)
def replicating(lab):
    lab.down()
    lab.up()
    for number, host in enumerate(lab.members, 101):
        lab.give(host, "bash", SERVER.format(number=number), timeout=400)
    lab.sql(
        SOURCE, f"CREATE USER old_repl@'%' IDENTIFIED BY '{PASSWORD}'; GRANT REPLICATION SLAVE ON *.* TO old_repl@'%'"
    )
    for replica in REPLICAS:
        lab.sql(
            replica,
            f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{lab.address(SOURCE)}', SOURCE_USER = 'old_repl',"
            f" SOURCE_PASSWORD = '{PASSWORD}', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1; START REPLICA",
        )
    lab.give(SOURCE, "bash", DATA, timeout=900)
    for replica in REPLICAS:
        wait_for(lambda one=replica: lab.sql(one, EXECUTED) == lab.sql(SOURCE, EXECUTED), 600, "all rows", every=2)
    yield
    lab.down()
    lab.up()
    run = lab.site()
    assert run.code == 0, run


def test_it_is_refused_while_they_replicate_and_adopted_when_they_do_not(lab):
    before = lab.started()
    run = lab.site(*CLONE)
    assert run.code != 0 and "which is a declared member, too" in run.flat, run
    assert lab.started() == before
    with writer(lab.address(SOURCE)) as seen:
        for replica in REPLICAS:
            lab.sql(replica, "STOP REPLICA; RESET REPLICA ALL")
        run = lab.site(*CLONE, timeout=1800)
        assert run.code == 0, run
        lab.one_group()
    assert len(seen["rows"]) > 100 and seen["longest_gap"] < 30, seen["errors"]
    same_everywhere(lab, seen)
    again = lab.site(*CLONE)
    assert again.code == 0 and set(again.changed.values()) == {0}, again
