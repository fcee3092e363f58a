# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scenarios ask of the three servers."""

from __future__ import annotations

import time

STATES = (
    "SELECT MEMBER_HOST AS host, MEMBER_PORT AS port, MEMBER_STATE AS state, "
    "@@GLOBAL.group_replication_bootstrap_group AS flag "
    "FROM performance_schema.replication_group_members WHERE MEMBER_ID <> ''"
)


class Group:
    """The three servers and what the scenarios ask of them."""

    def __init__(self, backend):
        self.backend = backend
        self.servers = backend.servers
        self.names = [server.name for server in backend.servers]

    def __getitem__(self, index):
        return self.servers[index]

    def call(self, *hosts, **changes):
        """Run the module on the named hosts at the same time (default: all)."""
        return self.backend.call(list(hosts) or None, **changes)

    def each(self, verb, *indexes):
        """That verb of these servers (default: all) at the same time."""
        self.backend.each(verb, [self[index] for index in indexes] or None)

    def blank(self):
        """Three fresh servers in no group."""
        self.each("blank")

    def up(self):
        """Every server answers, whatever was done to it."""
        self.each("start")
        self.each("wait_up")

    def whole(self):
        """Whether there are three ONLINE members with a table, and nothing is left over from the scenario before."""
        left_over = (
            "SELECT COUNT(*) AS n FROM performance_schema.persisted_variables "
            "WHERE VARIABLE_NAME IN ('group_replication_bootstrap_group', 'group_replication_start_on_boot')"
        )
        wanted = dict.fromkeys((server.address for server in self.servers), "ONLINE")
        try:
            if any(self.view(server) != wanted or server.sql(left_over)[0]["n"] != "0" for server in self.servers):
                return False
            self[0].sql("SELECT COUNT(*) FROM scenario.t")
        except Exception:  # a server that is down, or without the table
            return False
        return True

    def formed(self):
        """Three ONLINE members: only what is missing is repaired."""
        if self.whole():
            return
        self.up()
        results = self.call(clone="reprovision")
        failed = {name: result["msg"] for name, result in results.items() if result.get("failed")}
        if failed:
            self.blank()
            results = self.call()
            failed = {name: result["msg"] for name, result in results.items() if result.get("failed")}
        assert not failed, failed
        self.is_one_group()
        self[0].sql("CREATE DATABASE IF NOT EXISTS scenario")
        self[0].sql("CREATE TABLE IF NOT EXISTS scenario.t (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(64))")

    def wait_whole(self):
        """Wait until a member that was frozen shortly is back, by itself or by a run of the module."""
        end = time.monotonic() + 15
        while time.monotonic() < end:
            if all(list(self.view(server).values()) == ["ONLINE"] * 3 for server in self.servers):
                return
            time.sleep(0.3)
        self.formed()

    def out(self, *indexes):
        """STOP GROUP_REPLICATION on these (default: all), which then take writes of their own."""
        for index in indexes or range(len(self.servers)):
            self[index].sql("STOP GROUP_REPLICATION")

    def view(self, server):
        """{address: state} as this server sees its group."""
        return {f"{row['host']}:{row['port']}": row["state"] for row in server.sql(STATES)}

    def state(self, server):
        """The server's own state."""
        return self.view(server).get(server.address, "OFFLINE")

    def is_one_group(self, *indexes):
        """Exactly these (default: all) are ONLINE and each sees exactly these; the others are in no group; no flag is on."""
        inside = [self[index] for index in (indexes or range(len(self.servers)))]
        wanted = {server.address: "ONLINE" for server in inside}
        for server in self.servers:
            rows = server.sql(STATES)
            view = {f"{row['host']}:{row['port']}": row["state"] for row in rows}
            if server in inside:
                assert view == wanted, f"{server.name} sees {view}"
            else:
                assert view.get(server.address, "OFFLINE") in ("OFFLINE", "ERROR"), f"{server.name} sees {view}"
            assert all(row["flag"] == "0" for row in rows), f"{server.name}: the bootstrap flag was left on"

    def nobody(self):
        """Nobody is in a group."""
        for server in self.servers:
            assert self.state(server) in ("OFFLINE", "ERROR"), f"{server.name} is {self.state(server)}"

    def insert(self, index, value):
        """One row through that member."""
        self[index].sql("INSERT INTO scenario.t (v) VALUES (%s)", value)

    def unlogged(self, index, statement):
        """A statement that no transaction covers."""
        self[index].session("SET sql_log_bin = 0", statement).close()

    def rows(self, server):
        """The rows' values on that server."""
        return [row["v"] for row in server.sql("SELECT v FROM scenario.t ORDER BY v")]

    def same_rows(self, *values, indexes=None):
        """Every member has these rows (waiting until they are applied)."""
        for index in indexes or range(len(self.servers)):
            wait_for(
                lambda server=self[index]: set(values) <= set(self.rows(server)),
                30,
                f"rows {values} on {self[index].name}",
            )

    def gtid(self, server):
        """gtid_executed."""
        return server.sql("SELECT @@GLOBAL.gtid_executed AS g")[0]["g"].replace("\n", "")


def wait_for(condition, seconds, what):
    """Poll until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s in vain for: {what}"
        time.sleep(0.2)


def decisions(results):
    """{host: decision}; a failure shows its message."""
    for name, result in results.items():
        assert not result.get("failed"), f"{name}: {result.get('msg')}"
    return {name: result["decision"] for name, result in results.items()}


def refused(results, *words):
    """Every host refused, changed nothing, and its message has these words."""
    for name, result in results.items():
        assert result.get("failed"), f"{name} did not refuse: {result}"
        assert not result["changed"], f"{name} refused, but changed something"
        for word in words:
            assert word in result["msg"], f"{name}: '{word}' is not in: {result['msg']}"
