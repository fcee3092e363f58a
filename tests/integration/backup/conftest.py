# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A group of three real servers on loopback (GR_MYSQLD_ROOT names a tree with mysqld in it), and the program mysql-gr-backup beside it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from pathlib import Path

import pymysql
import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "group_replication"), str(HERE)]

import ansible_collections  # noqa: E402

COLLECTIONS = str(HERE.parents[2] / "collections" / "ansible_collections")
if COLLECTIONS not in list(ansible_collections.__path__):
    ansible_collections.__path__ = [COLLECTIONS, *ansible_collections.__path__]

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet  # noqa: E402
from backup_site import Site, wait_for  # noqa: E402
from gr_local_servers import GROUP_NAME, REPL_PASSWORD, LocalServer  # noqa: E402


class PatientServer(LocalServer):
    """A server on a machine that has much to do."""

    def wait_up(self, timeout=300):
        super().wait_up(timeout)


def account(server):
    """The account of backups, as the role makes it."""
    conn = server.session(
        "SET sql_log_bin=0",
        "CREATE USER gr_backup@'%' IDENTIFIED BY 'Backup-\"Secret\\\\.1' REQUIRE SSL",
        "GRANT BACKUP_ADMIN, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO gr_backup@'%'",
        "GRANT SELECT ON performance_schema.replication_group_members TO gr_backup@'%'",
    )
    conn.close()


def join(server, first=False, reset=False):
    """Into the group."""
    server.sql("STOP GROUP_REPLICATION")
    server.sql(
        "CHANGE REPLICATION SOURCE TO SOURCE_USER='repl', SOURCE_PASSWORD=%s FOR CHANNEL 'group_replication_recovery'", REPL_PASSWORD
    )  # fmt: skip
    if first:
        server.sql("SET GLOBAL group_replication_bootstrap_group=ON")
    if reset:
        server.sql("RESET BINARY LOGS AND GTIDS")
    server.sql("START GROUP_REPLICATION")
    server.sql("SET GLOBAL group_replication_bootstrap_group=OFF")
    wait_for(lambda: state(server)[0] == "ONLINE", 180, f"{server.name} joining")


@pytest.fixture(scope="session", name="tree")
def fixture_tree():
    """The tree with mysqld in it."""
    if "GR_MYSQLD_ROOT" not in os.environ:
        pytest.skip("servers of their own, in a tree of their own")
    return os.environ["GR_MYSQLD_ROOT"]


@pytest.fixture(scope="session", name="servers")
def fixture_servers(tree):
    """Three servers in a group."""
    made = [PatientServer(number, tree, "/var/tmp/backup", base_port=26100) for number in range(3)]
    try:
        for server in made:
            server.blank()
            account(server)
        join(made[0], first=True)
        made[0].sql("CREATE DATABASE shop")
        made[0].sql("CREATE TABLE shop.t (id INT PRIMARY KEY AUTO_INCREMENT, at DOUBLE, filler VARCHAR(200))")
        for server in made[1:]:
            join(server, reset=True)
        yield made
    finally:
        for server in made:
            server.stop()
            shutil.rmtree(server.host_path(), ignore_errors=True)


def state(server):
    """What a member says of itself, and whom it sees ONLINE."""
    try:
        rows = server.sql(
            "SELECT MEMBER_STATE AS state, MEMBER_ID = @@server_uuid AS mine FROM performance_schema.replication_group_members"
        )
    except pymysql.MySQLError:
        return "", 0
    return next((row["state"] for row in rows if row["mine"] == "1"), ""), sum(row["state"] == "ONLINE" for row in rows)


@pytest.fixture(name="group")
def fixture_group(servers):
    """Three ONLINE members."""
    for server in servers:
        with contextlib.suppress(TypeError, ProcessLookupError):
            server.thaw()
        server.start()
    alive = [server for server in servers if state(server)[0] == "ONLINE"]
    if not alive:
        # The one with most begins.
        counts = {
            server.name: server.sql("SELECT LENGTH(@@GLOBAL.gtid_executed) AS n, @@GLOBAL.gtid_executed AS g")[0]
            for server in servers
        }
        first = max(servers, key=lambda server: GtidSet(counts[server.name]["g"]).count())
        join(first, first=True)
        alive = [first]
    for server in servers:
        if server not in alive:
            join(server)
    wait_for(lambda: all(state(server) == ("ONLINE", 3) for server in servers), 180, "the group")
    return servers


@pytest.fixture(name="site")
def fixture_site(group, tree, tmp_path):
    """A place, and hosts that make backups."""
    made = Site(group, tree, tmp_path, GROUP_NAME)
    yield made
    made.end()
