# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the servers: connect, ping, and for every active cluster the Group Replication state of its members."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import pymysql

from . import backend, tls

log = logging.getLogger(__name__)

# One row per member: may it serve, is it read-only, how many transactions wait, who is in its view of the group.
GR_QUERY = """SELECT
  IF(me.member_state = 'ONLINE' AND (SELECT COUNT(*) FROM performance_schema.replication_group_members
      WHERE member_state NOT IN ('ONLINE', 'RECOVERING')) < (SELECT COUNT(*) FROM performance_schema.replication_group_members) / 2, 'YES', 'NO'),
  IF(@@read_only, 'YES', 'NO'),
  stats.count_transactions_remote_in_applier_queue,
  (SELECT GROUP_CONCAT(CONCAT(member_host, ':', member_port)) FROM performance_schema.replication_group_members)
FROM performance_schema.replication_group_members me JOIN performance_schema.replication_group_member_stats stats USING (member_id)
WHERE stats.member_id = @@server_uuid"""
GR_QUERY_BEFORE_8 = (
    "SELECT viable_candidate, read_only, transactions_behind, NULL FROM sys.gr_member_routing_candidate_status"
)


class Check:
    """One Group Replication check, as in monitor.mysql_server_group_replication_log."""

    def __init__(self):
        self.started_us = int(time.time() * 1e6)
        self.took_us = 0
        self.viable, self.read_only, self.behind = False, True, -1
        self.error: str | None = None
        self.members: list = []
        self.empty = False

    @property
    def timeout(self) -> bool:
        return bool(self.error and self.error.startswith("timeout"))

    def row(self, host, port):
        return (
            host,
            port,
            self.started_us,
            self.took_us,
            "YES" if self.viable else "NO",
            "YES" if self.read_only else "NO",
            self.behind,
            self.error,
        )


class Monitor:
    def __init__(self, store, hostgroups):
        self.store, self.hostgroups = store, hostgroups
        self.executor = ThreadPoolExecutor(64, "monitor")
        self.history: dict[tuple, deque] = {}
        self.connections: dict[tuple, pymysql.Connection] = {}
        self.wake = asyncio.Event()  # variables were loaded: all checks at once
        self.tasks: set = set()

    def start(self):
        for loop in (self._connect_loop(), self._ping_loop(), self._clusters_loop()):
            self.tasks.add(asyncio.create_task(loop))

    def _ms(self, name: str) -> int:
        return self.store.number("mysql-monitor_" + name)

    def _hosts(self) -> list:
        hosts = {}
        for server in self.hostgroups.servers.values():
            if server.status != "OFFLINE_HARD":
                hosts[(server.host, server.port)] = hosts.get((server.host, server.port), 0) or server.place.use_ssl
        return [(host, port, bool(use_ssl)) for (host, port), use_ssl in sorted(hosts.items())]

    async def _run(self, function, *args):
        return await asyncio.get_running_loop().run_in_executor(self.executor, function, *args)

    def _connect(self, host, port, use_ssl) -> pymysql.Connection:
        return backend.connect(
            self.store,
            host,
            port,
            self.store.values["mysql-monitor_username"],
            self.store.values["mysql-monitor_password"],
            use_ssl,
            max(1.0, self._ms("connect_timeout") / 1000),
        )

    @staticmethod
    def _end(connection: pymysql.Connection):
        with contextlib.suppress(pymysql.Error):
            connection.close()
        tls.forget_errors()

    def _insert(self, table: str, row: tuple):
        self.store.db.execute(
            "INSERT OR REPLACE INTO monitor.{} VALUES ({})".format(table, ",".join("?" * len(row))), row
        )
        self.store.db.execute(
            f"DELETE FROM monitor.{table} WHERE time_start_us < ?",
            (int(time.time() * 1e6) - 1000 * self._ms("history"),),
        )

    async def _pause(self, until: float):
        try:
            await asyncio.wait_for(self.wake.wait(), max(0.0, until - time.monotonic()))
            await asyncio.sleep(0)  # let the other loops see it too
            self.wake.clear()
        except asyncio.TimeoutError:
            pass

    # --- connect and ping ----------------------------------------------------------------------------------------

    async def _connect_loop(self):
        while True:
            due = time.monotonic() + self._ms("connect_interval") / 1000
            if self.store.flag("mysql-monitor_enabled"):
                await asyncio.gather(*(self._check_connect(*host) for host in self._hosts()))
            await self._pause(due)

    async def _check_connect(self, host, port, use_ssl):
        started, error = time.time(), None
        try:
            connection = await self._run(self._connect, host, port, use_ssl)
            took = int((time.time() - started) * 1e6)
            await self._run(self._end, connection)
        except (pymysql.Error, OSError) as e:
            took, error = 0, backend.error_text(e, host)
        self._insert("mysql_server_connect_log", (host, port, int(started * 1e6), took, error))

    async def _ping_loop(self):
        while True:
            due = time.monotonic() + self._ms("ping_interval") / 1000
            if self.store.flag("mysql-monitor_enabled"):
                await asyncio.gather(*(self._check_ping(*host) for host in self._hosts()))
                for host, port, _ssl in self._hosts():
                    if not self._pingable(host, port):
                        self.hostgroups.shun_unresponsive(host, port)
            await self._pause(due)

    async def _check_ping(self, host, port, use_ssl):
        started = time.time()
        took, error = await self._run(self._ping, host, port, use_ssl)
        self._insert("mysql_server_ping_log", (host, port, int(started * 1e6), took, error))

    def _ping(self, host, port, use_ssl):
        key = (host, port, use_ssl, "ping")  # a changed password counts for new connections only, as in ProxySQL
        connection = self.connections.pop(key, None)
        try:
            connection = connection or self._connect(host, port, use_ssl)
        except (pymysql.Error, OSError) as e:
            return 0, backend.error_text(e, host)
        started = time.monotonic()
        try:
            connection._sock.settimeout(self._ms("ping_timeout") / 1000)
            connection._read_timeout = self._ms("ping_timeout") / 1000
            connection.ping(reconnect=False)
        except (pymysql.Error, OSError) as e:
            self._end(connection)
            late = time.monotonic() - started >= self._ms("ping_timeout") / 1000
            return 0, "timeout during ping" if late else backend.error_text(e, host)
        self.connections[key] = connection
        return int((time.monotonic() - started) * 1e6), None

    def _pingable(self, host, port) -> bool:
        """False when each of the last mysql-monitor_ping_max_failures pings failed, other than by a refused password."""
        last = self.store.db.execute(
            "SELECT ping_error FROM monitor.mysql_server_ping_log WHERE hostname=? AND port=?"
            " ORDER BY time_start_us DESC LIMIT ?",
            (host, port, self._ms("ping_max_failures")),
        ).fetchall()
        bad = [row for row in last if row[0] and not row[0].startswith("Access denied for user")]
        return len(bad) < self._ms("ping_max_failures")

    # --- Group Replication ---------------------------------------------------------------------------------------

    async def _clusters_loop(self):
        """One task per cluster; all start anew when the list of members changes, which also means a check at once."""
        known, tasks = None, []
        while True:
            if known != self.hostgroups.members:
                known = self.hostgroups.members
                for task in tasks:
                    task.cancel()
                tasks = [asyncio.create_task(self._cluster_loop(writer, watch[0])) for writer, watch in known.items()]
            await asyncio.sleep(0.05)

    async def _cluster_loop(self, writer: int, members: list):
        while True:
            due = time.monotonic() + self._ms("groupreplication_healthcheck_interval") / 1000
            if self.store.flag("mysql-monitor_enabled"):
                ask = [m for m in members if self._pingable(m[0], m[1])]
                if members and not ask:
                    log.error("No member of the cluster with writer hostgroup %d answers pings", writer)
                discoverer = random.randrange(len(ask)) if ask else -1
                await asyncio.gather(
                    *(self._check_member(writer, members, number == discoverer, *m) for number, m in enumerate(ask))
                )
            await self._pause(due)

    async def _check_member(self, writer, members, discover, host, port, use_ssl):
        check = await self._run(self._ask, host, port, use_ssl)
        if check.empty:
            log.error("No answer row from %s:%d: not a member of a group", host, port)
            return
        history = self.history.setdefault((host, port), deque(maxlen=100))
        history.append(check)
        cluster = self.hostgroups.clusters.get(writer)
        if cluster is None:
            return
        if check.error:
            limit = self._ms("groupreplication_healthcheck_max_timeout_count")
            missed = sum(c.timeout for c in list(history)[-limit:])
            if check.timeout:
                log.warning("%s:%d: health check timed out, %d of %d", host, port, missed, limit)
            if not check.timeout or missed >= limit:
                self.hostgroups.set_offline(host, port, writer, check.error)
            return
        if not check.viable:
            self.hostgroups.set_offline(host, port, writer, "viable_candidate=NO")
            return
        if check.read_only:
            self.hostgroups.set_reader(host, port, writer)
        else:
            self.hostgroups.set_writer(host, port, writer)
        count = self._ms("groupreplication_max_transactions_behind_count")
        late = sum(c.behind > cluster.max_transactions_behind for c in list(history)[-count:])
        self.hostgroups.lag(
            host,
            port,
            writer,
            check.read_only,
            late < count,
            self._ms("groupreplication_max_transactions_behind_for_read_only"),
        )
        if discover:
            for member in check.members:
                name, _colon, number = member.rpartition(":")
                if number.isdigit() and (name, int(number)) not in {(m[0], m[1]) for m in members}:
                    self.hostgroups.add_discovered(name, int(number), writer)

    def _ask(self, host, port, use_ssl) -> Check:
        check = Check()
        key = (host, port, use_ssl, "group")  # a changed password counts for new connections only, as in ProxySQL
        connection = self.connections.pop(key, None)
        try:
            connection = connection or self._connect(host, port, use_ssl)
        except (pymysql.Error, OSError) as e:
            check.error = "timeout or error in creating new connection: " + backend.error_text(e, host)
            check.started_us += int(
                time.monotonic() * 1e6
            )  # ProxySQL's log is ahead of the clock for these; whoever reads it must cope
            return check
        timeout = self._ms("groupreplication_healthcheck_timeout") / 1000
        started = time.monotonic()
        try:
            connection._read_timeout = timeout
            with connection.cursor() as cursor:
                cursor.execute(GR_QUERY if int(connection.get_server_info().split(".")[0]) >= 8 else GR_QUERY_BEFORE_8)
                row = cursor.fetchone()
        except (pymysql.Error, OSError) as e:
            self._end(connection)
            check.error = "timeout check" if time.monotonic() - started >= timeout else backend.error_text(e, host)
            return check
        check.took_us = int((time.monotonic() - started) * 1e6)
        self.connections[key] = connection
        if row is None:
            check.empty = True
            return check
        check.viable, check.read_only, check.behind = row[0] == "YES", row[1] != "NO", int(row[2])
        check.members = row[3].split(",") if row[3] else []
        return check

    def group_log_rows(self) -> list:
        return [c.row(host, port) for (host, port), checks in sorted(self.history.items()) for c in checks]
