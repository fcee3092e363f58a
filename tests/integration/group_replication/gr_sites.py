# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two groups of three real mysqld processes on loopback, as two sites; and the module group_replication_site on their members."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pymysql
from gr_local_servers import PEER_PASSWORD, LocalServer

ROOT = Path(__file__).resolve().parents[3]
GROUPS = {
    "north": "8f22f846-9922-4139-b2b7-097d185a93aa",
    "south": "5f22f846-9922-4139-b2b7-097d185a93bb",
}
PORTS = {"north": 27300, "south": 27400}
SITE_PASSWORD = "Site-pass.1"
PEER_TABLES = (
    "SELECT CONCAT('GRANT ', PRIVILEGE_TYPE, ' ON performance_schema.', TABLE_NAME, ' TO gr_site') AS text "
    "FROM information_schema.TABLE_PRIVILEGES WHERE GRANTEE LIKE '''gr_peer''%%'"
)
ACTION = "'mysql_disable_super_read_only_if_primary', 'AFTER_PRIMARY_ELECTION'"
# As the role writes them for mysql_gr_writers: primary and mysql_gr_other_site.
SETTINGS = """skip_replica_start=ON
replica_net_timeout=10
loose-group_replication_member_expel_timeout=0
loose-group_replication_consistency=BEFORE_ON_PRIMARY_FAILOVER
"""
INIT = (ROOT / "roles" / "mysql_gr" / "files" / "site.sql").read_text(encoding="utf-8")


def wait(condition, seconds=60.0, what="it"):
    """Seconds until the condition holds; errors count as not yet."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            if condition():
                return time.monotonic() - began
        except (pymysql.err.MySQLError, StopIteration):
            pass
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come within {seconds} s")


class SiteServer(LocalServer):
    """A member of one site."""

    def __init__(self, site, index, root, directory):
        super().__init__(index, root, f"{directory}/{site}", PORTS[site])
        self.site, self.name = site, f"{site}{index}"
        self.shared = directory

    def config(self):
        """As the role writes it for mysql_gr_writers: primary and mysql_gr_other_site."""
        with open(self.host_path("site.sql"), "w", encoding="utf-8") as out:
            out.write(INIT)
        text = super().config()
        for old, new in (
            ("8f22f846-9922-4139-b2b7-097d185a93cb", GROUPS[self.site]),
            (f"server_id={130 + self.index}", f"server_id={self.base_port + self.index}"),
            ("single_primary_mode=OFF", "single_primary_mode=ON"),
            ("update_everywhere_checks=ON", "update_everywhere_checks=OFF"),
        ):
            assert old in text
            text = text.replace(old, new)
        return text + SETTINGS + f"init_file={self.dir}/site.sql\n"

    def base(self):
        """Both sites copy one."""
        own, self.top = self.top, self.shared
        try:
            return super().base()
        finally:
            self.top = own

    def accounts(self):
        self.sql("SET GLOBAL read_only = OFF")
        super().accounts()
        self.sql("SET GLOBAL super_read_only = ON")

    def up(self):
        """Killed or stopped, it is back."""
        self.start(wait=False)
        wait(lambda: self.sql("SELECT 1"), 300, self.name)

    def state(self):
        found = self.sql(
            "SELECT MEMBER_STATE AS state, MEMBER_ROLE AS role FROM performance_schema.replication_group_members "
            "WHERE MEMBER_ID = @@GLOBAL.server_uuid"
        )
        return (found[0]["state"], found[0]["role"]) if found else ("OFFLINE", "")

    def join(self, bootstrap=False):
        self.sql(
            "CHANGE REPLICATION SOURCE TO SOURCE_USER='repl', SOURCE_PASSWORD='Repl-pass.1' FOR CHANNEL 'group_replication_recovery'"
        )
        if bootstrap:
            self.sql("SET GLOBAL group_replication_bootstrap_group = ON")
        try:
            self.sql("START GROUP_REPLICATION")
        finally:
            if bootstrap:
                self.sql("SET GLOBAL group_replication_bootstrap_group = OFF")

    def writable(self):
        return self.sql("SELECT @@GLOBAL.super_read_only + @@GLOBAL.read_only AS closed")[0]["closed"] == "0"

    def gtids(self):
        return self.sql("SELECT REPLACE(@@GLOBAL.gtid_executed, '\n', '') AS has")[0]["has"]

    def rows(self):
        return {row["v"] for row in self.sql("SELECT v FROM shop.t")}


class Site:
    """The servers of one site."""

    def __init__(self, name, root, directory):
        self.name = name
        self.servers = [SiteServer(name, index, root, directory) for index in range(3)]
        self.other: Site = self

    @property
    def alive(self):
        return [server for server in self.servers if server.pid()]

    def primary(self):
        """The primary, as it sees itself."""
        return next(server for server in self.alive if server.state() == ("ONLINE", "PRIMARY"))

    def secondaries(self):
        return [server for server in self.alive if server.state() == ("ONLINE", "SECONDARY")]

    def online(self):
        return sum(server.state()[0] == "ONLINE" for server in self.alive) == 3

    def begin(self):
        """As the playbook recover does: whoever has most starts the group, the others join."""
        for server in self.servers:
            server.up()
        most = max(self.servers, key=lambda one: sum(
            int(one.sql("SELECT GTID_SUBSET(%s, %s) AS has", other.gtids(), one.gtids())[0]["has"]) for other in self.servers
        ))  # fmt: skip
        most.join(bootstrap=True)
        wait(lambda: most.state()[0] == "ONLINE", 300, f"{most.name} ONLINE")
        for server in self.servers:
            if server is not most:
                server.join()
                # One after the other: who joins while nobody else is ONLINE yet finds no donor.
                wait(lambda: server.state()[0] == "ONLINE", 300, f"{server.name} ONLINE")  # noqa: B023
        wait(self.online, 300, f"{self.name} ONLINE")

    def kill_all(self):
        for server in self.servers:
            if server.pid():
                server.kill9(restart=False)

    def arguments(self, server, state, **more):
        return {
            "state": state, "members": [one.address for one in self.servers], "member": server.address, "login_unix_socket": server.socket,
            "login_user": "root", "config_file": "", "peer_user": "gr_peer", "peer_password": PEER_PASSWORD,
            "group_name": GROUPS[self.name], "other_name": self.other.name, "other_group": GROUPS[self.other.name],
            "other_members": [one.address for one in self.other.servers], "site_user": "gr_site", "site_password": SITE_PASSWORD,
            "timeout": 300, **more,
        }  # fmt: skip

    def run(self, server, state, check=False, **more):
        """The module's answer."""
        given = {"ANSIBLE_MODULE_ARGS": {**self.arguments(server, state, **more), "_ansible_check_mode": check}}
        done = subprocess.run(
            [sys.executable, str(ROOT / "plugins" / "modules" / "group_replication_site.py")],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "collections")},
            check=False,
        )
        assert SITE_PASSWORD not in done.stdout.replace(json.dumps(given), "").partition('"invocation"')[0], done.stdout
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise AssertionError(done.stdout + done.stderr) from None

    def all(self, state, **more):
        """On the secondaries, then on the primary (for standby), or the other way round, as the playbooks do; the primary's answer."""
        primary = self.primary()
        others = [server for server in self.alive if server is not primary]
        if state == "standby":
            for server in others:
                answer = self.run(server, state, **more)
                assert not answer.get("failed"), answer
        answer = self.run(primary, state, **more)
        if state == "primary" and not answer.get("failed"):
            for server in others:
                other = self.run(server, state)
                assert not other.get("failed"), other
        return answer


class Sites:
    """north writes and south follows, from blank servers."""

    def __init__(self, root, directory):
        self.north, self.south = Site("north", root, directory), Site("south", root, directory)
        self.north.other, self.south.other = self.south, self.north
        self.servers = self.north.servers + self.south.servers

    def make(self):
        for server in self.servers:
            server.blank()
        self.north.begin()
        first = self.north.primary()
        # The role opens a group that it makes by mysql_gr_other_site being set after that.
        first.sql("SET GLOBAL super_read_only = OFF")
        first.sql(f"SELECT group_replication_enable_member_action({ACTION})")
        first.sql("SET GLOBAL read_only = OFF")
        first.sql("CREATE DATABASE shop")
        first.sql("CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(40) UNIQUE)")
        first.sql(f"CREATE USER gr_site IDENTIFIED BY '{SITE_PASSWORD}' REQUIRE SSL")
        first.sql("GRANT REPLICATION SLAVE, BACKUP_ADMIN ON *.* TO gr_site")
        for row in first.sql("SHOW GRANTS FOR gr_peer"):
            (text,) = row.values()
            if "performance_schema" in text:
                first.sql(text.replace("`gr_peer`@`%`", "`gr_site`@`%`"))
        answer = self.north.all("primary")
        assert answer["decision"] == "claim", answer
        self.begin_south()

    def begin_south(self):
        """As the playbook standby_site does."""
        south = self.south
        answer = south.run(south.servers[0], "standby")
        assert answer["decision"] == "clone", answer
        wait(lambda: south.servers[0].sql("SELECT 1"), 300, "the cloned server")
        south.servers[0].join(bootstrap=True)
        for server in south.servers[1:]:
            self.clone(server, south.servers[0])
            server.join()
        wait(south.online, 90, "south ONLINE")
        answer = south.all("standby")
        assert answer["decision"] == "follow", answer

    def clone(self, server, donor):
        pid = server.pid()
        server.sql("SET GLOBAL read_only = OFF")
        server.sql("SET GLOBAL clone_valid_donor_list = %s", donor.address)
        try:
            server.sql(
                f"CLONE INSTANCE FROM gr_site@127.0.0.1:{donor.port} IDENTIFIED BY '{SITE_PASSWORD}' REQUIRE SSL"
            )
        except pymysql.err.MySQLError as error:
            assert error.args[0] in (2006, 2013), error
        wait(lambda: server.pid() not in (None, pid) and server.sql("SELECT 1"), 300, f"{server.name} cloned")

    def stop(self):
        for server in self.servers:
            server.stop()


class Writer(threading.Thread):
    """Writes to whoever takes writes; keeps what was acknowledged, with its time and server."""

    def __init__(self, sites, only=None):
        super().__init__(daemon=True)
        self.sites, self.only, self.ended = sites, only, threading.Event()
        self.done: list[tuple[str, float, str]] = []
        self.both = 0

    def run(self):
        number = 0
        servers = self.only.servers if self.only else self.sites.servers
        connections: dict[str, object] = {}
        while not self.ended.is_set():
            took = []
            for server in servers:
                number += 1
                word = f"{server.name}-{number}-{time.monotonic():.3f}"
                try:
                    if server.name not in connections:
                        connections[server.name] = server.connect("root")
                        connections[server.name].cursor().execute("SET SESSION sql_log_bin = 1")
                    if not self.open(connections[server.name]):
                        continue
                    with connections[server.name].cursor() as cursor:
                        cursor.execute("INSERT INTO shop.t (v) VALUES (%s)", (word,))
                    self.done.append((word, time.monotonic(), server.site))
                    took.append(server.site)
                except pymysql.err.MySQLError as error:
                    if error.args[0] not in (1290, 1836, 3100):
                        connections.pop(server.name, None)
            self.both += len(set(took)) > 1
            time.sleep(0.02)

    @staticmethod
    def open(connection):
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@GLOBAL.read_only AS closed")
            return not cursor.fetchone()["closed"]

    def stop(self):
        self.ended.set()
        self.join(20)
        return {word for word, _at, _site in self.done}

    def longest_gap(self, after=0.0):
        """Seconds between two acknowledged writes, at most."""
        times = [at for _word, at, _site in self.done if at >= after]
        return max((b - a for a, b in zip(times, times[1:])), default=0.0)
