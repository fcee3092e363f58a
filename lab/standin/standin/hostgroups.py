# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers at runtime, and where the Group Replication monitor's findings place them."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

ONLINE, SHUNNED, OFFLINE_SOFT, OFFLINE_HARD, SHUNNED_LAG = (
    "ONLINE",
    "SHUNNED",
    "OFFLINE_SOFT",
    "OFFLINE_HARD",
    "SHUNNED_REPLICATION_LAG",
)
# Errors of a failed connect that say nothing about the server's health.
NOT_THE_SERVER = {1007, 1008, 1044, 1045, 1120, 1203, 1226, 3118} | set(range(1048, 1053)) | set(range(1054, 1076))


@dataclass
class Placement:
    """One row of mysql_servers without its key (hostgroup, hostname, port)."""

    gtid_port: int = 0
    status: str = ONLINE
    weight: int = 1
    compression: int = 0
    max_connections: int = 1000
    max_replication_lag: int = 0
    use_ssl: int = 0
    max_latency_ms: int = 0
    comment: str = ""

    def copy(self, **changes) -> Placement:
        return Placement(**{**self.__dict__, **changes})


@dataclass
class Server:
    """A server in one hostgroup with its connections and counters."""

    hostgroup: int
    host: str
    port: int
    place: Placement
    free: list = field(default_factory=list)
    used: set = field(default_factory=set)
    connects: int = 0
    connect_errors: int = 0
    max_used: int = 0
    queries: int = 0
    sent: int = 0
    received: int = 0
    latency_us: int = 0
    shunned_at: float = 0.0
    shunned_hard: bool = False  # by missed pings: connections in use are ended too
    errors_at: int = 0
    errors_now: int = 0

    @property
    def status(self) -> str:
        return self.place.status

    def offline(self) -> bool:
        """True when statements under way must be ended."""
        return self.status in (OFFLINE_HARD, SHUNNED_LAG) or (self.status == SHUNNED and self.shunned_hard)

    def set_status(self, status: str, hard: bool = False):
        self.place.status, self.shunned_hard = status, hard
        if status == SHUNNED:
            self.shunned_at = time.monotonic()
        if status != ONLINE:
            self.drop_free()
        if self.offline():
            for backend in list(self.used):
                backend.abort()

    def drop_free(self):
        while self.free:
            self.free.pop().close()


@dataclass
class Cluster:
    """A row of mysql_group_replication_hostgroups at runtime."""

    writer: int
    backup: int
    reader: int
    offline: int
    active: int
    max_writers: int
    writer_is_also_reader: int
    max_transactions_behind: int
    comment: str | None
    first_call: bool = (
        True  # of a new row, not of a changed one: the first writer found is placed anew even where nothing differs
    )

    @property
    def all(self):
        return (self.writer, self.backup, self.reader, self.offline)


class Hostgroups:
    def __init__(self):
        self.servers: dict[tuple, Server] = {}
        self.clusters: dict[int, Cluster] = {}
        # writer hostgroup -> ([(host, port, use_ssl)] that the monitor asks, two settings); a change means a check at once
        self.members: dict[int, tuple] = {}
        self.on_commit = lambda counted: None

    # --- changes -------------------------------------------------------------------------------------------------

    def load(self, server_rows, cluster_rows):
        """LOAD MYSQL SERVERS TO RUNTIME: runtime becomes what is configured, whatever the monitor had moved."""
        known = self.clusters
        self.clusters = {
            row[0]: Cluster(*row, first_call=row[0] not in known or known[row[0]].first_call) for row in cluster_rows
        }
        self._commit({(r[0], r[1], r[2]): Placement(r[3], r[4].upper(), *r[5:]) for r in server_rows}, counted=True)
        self._find_members()

    def _commit(self, wanted: dict, counted: bool = False):
        for key, server in list(self.servers.items()):
            if key not in wanted and server.status != OFFLINE_HARD:
                log.warning("Server %s:%d leaves hostgroup %d", server.host, server.port, server.hostgroup)
                server.set_status(OFFLINE_HARD)
        for key, place in wanted.items():
            server = self.servers.get(key)
            if server is None:
                if place.status != OFFLINE_HARD:
                    self.servers[key] = Server(*key, place)
                continue
            old, server.place = server.place, place
            if old.status != place.status:
                server.set_status(place.status)
                server.shunned_at = 0.0  # shunned by hand: not tried again by itself
        self.purge()
        self.on_commit(counted)

    def purge(self):
        for key in [k for k, s in self.servers.items() if s.status == OFFLINE_HARD and not s.used]:
            del self.servers[key]

    def _find_members(self):
        """Who is asked: a server named in two clusters only for one of them."""
        members, seen = {}, set()
        for cluster in self.clusters.values():
            if not cluster.active:
                continue
            hosts = {}
            for hostgroup, host, port in sorted(self.servers):
                server = self.servers[(hostgroup, host, port)]
                if (
                    hostgroup in cluster.all
                    and server.status != OFFLINE_HARD
                    and ((host, port) not in seen or (host, port) in hosts)
                ):
                    seen.add((host, port))
                    hosts[(host, port)] = hosts.get((host, port), 0) or server.place.use_ssl
            servers = [(h, p, ssl) for (h, p), ssl in sorted(hosts.items())]
            members[cluster.writer] = (servers, cluster.writer_is_also_reader, cluster.max_transactions_behind)
        self.members = members

    def _places(self) -> dict:
        return {k: s.place.copy() for k, s in sorted(self.servers.items()) if s.status != OFFLINE_HARD}

    @staticmethod
    def _move(places: dict, host: str, port: int, sources, target: int):
        """All rows of a server in the source hostgroups become one row in the target; OFFLINE_SOFT stays, all else becomes ONLINE."""
        for hostgroup in sources:
            place = places.pop((hostgroup, host, port), None)
            if place is not None:
                places.setdefault((target, host, port), place)
        if (target, host, port) in places and places[(target, host, port)].status != OFFLINE_SOFT:
            places[(target, host, port)].status = ONLINE

    def _in_any(self, host: str, port: int, kinds) -> bool:
        hostgroups = {getattr(c, kind) for c in self.clusters.values() for kind in kinds}
        return any(
            k[1:] == (host, port) and k[0] in hostgroups and s.status != OFFLINE_HARD for k, s in self.servers.items()
        )

    def set_offline(self, host: str, port: int, writer: int, reason: str):
        cluster = self.clusters.get(writer)
        if cluster is None or not self._in_any(host, port, ("writer", "backup", "reader")):
            return
        log.warning("Group Replication: %s:%d goes to the offline hostgroup: %s", host, port, reason)
        places = self._places()
        self._move(places, host, port, (cluster.writer, cluster.backup, cluster.reader), cluster.offline)
        self._converge(places, cluster)
        self._commit(places)

    def set_reader(self, host: str, port: int, writer: int):
        cluster = self.clusters.get(writer)
        if cluster is None or not self._in_any(host, port, ("writer", "backup", "offline")):
            return
        log.warning(
            "Group Replication: %s:%d of writer hostgroup %d is read-only, goes to the reader hostgroup",
            host,
            port,
            writer,
        )
        places = self._places()
        self._move(places, host, port, (cluster.writer, cluster.backup, cluster.offline), cluster.reader)
        self._converge(places, cluster)
        self._commit(places)

    def set_writer(self, host: str, port: int, writer: int):
        cluster = self.clusters.get(writer)
        if cluster is None:
            return
        places = self._places()
        mine = {hg: places[(hg, host, port)].status for hg in cluster.all if (hg, host, port) in places}
        first, cluster.first_call = cluster.first_call, False
        if not mine:
            return
        is_writer = cluster.writer in mine or cluster.backup in mine
        if not first and is_writer and (cluster.reader in mine) == bool(cluster.writer_is_also_reader):
            return
        log.warning("Group Replication: %s:%d goes to the writer hostgroup %d", host, port, writer)
        soft = OFFLINE_SOFT in ([mine[cluster.writer]] if cluster.writer in mine else mine.values())
        self._move(places, host, port, (cluster.backup, cluster.reader, cluster.offline), cluster.writer)
        place = places[(cluster.writer, host, port)]
        place.status = OFFLINE_SOFT if soft else ONLINE
        if cluster.writer_is_also_reader:
            places.setdefault((cluster.reader, host, port), place.copy())
        self._converge(places, cluster)
        self._commit(places)

    @staticmethod
    def _converge(places: dict, cluster: Cluster):
        """Surplus writers become backup writers, lowest weight, hostname and port first; missing ones come back highest first."""
        ranked = sorted(
            ((p.weight, k[1], k[2], k[0]) for k, p in places.items() if p.status in (ONLINE, SHUNNED)), reverse=True
        )
        writers = [r for r in ranked if r[3] == cluster.writer]
        backups = [r for r in ranked if r[3] == cluster.backup]
        if len(writers) > cluster.max_writers:
            moves, target = writers[cluster.max_writers :], cluster.backup
        else:
            moves, target = backups[: cluster.max_writers - len(writers)], cluster.writer
        for _weight, host, port, hostgroup in moves:
            place = places.pop((hostgroup, host, port))
            places[(target, host, port)] = place.copy(status=ONLINE)
        if cluster.writer_is_also_reader == 2 and any(
            k[0] == cluster.backup and p.status == ONLINE for k, p in places.items()
        ):
            for key in [k for k in places if k[0] == cluster.reader]:
                del places[key]
            for key in [k for k in places if k[0] == cluster.backup]:
                places[(cluster.reader, *key[1:])] = places[key].copy()

    def lag(self, host: str, port: int, writer: int, read_only: bool, enable: bool, scope: int):
        """scope (max_transactions_behind_for_read_only): 0 = shun writers, 1 = readers, 2 = both. Good news goes to both."""
        cluster = self.clusters.get(writer)
        if cluster is None:
            return
        hostgroups = []
        if (scope in (0, 2) or enable) and not read_only:
            hostgroups.append(cluster.writer)
        if scope in (1, 2) or enable:
            hostgroups.append(cluster.reader)
        for hostgroup in hostgroups:
            server = self.servers.get((hostgroup, host, port))
            if server is None:
                continue
            if enable and server.status in (SHUNNED, SHUNNED_LAG):
                log.info("Server %d:%s:%d is back after lag", hostgroup, host, port)
                server.set_status(ONLINE)
            elif not enable and server.status == ONLINE:
                log.warning("Server %d:%s:%d shunned: too many transactions behind", hostgroup, host, port)
                server.set_status(SHUNNED)

    def shun_unresponsive(self, host: str, port: int):
        for server in self.servers.values():
            if (server.host, server.port) == (host, port) and server.status == ONLINE:
                log.error("Server %s:%d missed too many pings: shunned, its connections are ended", host, port)
                server.set_status(SHUNNED, hard=True)

    def add_discovered(self, host: str, port: int, writer: int):
        cluster = self.clusters.get(writer)
        if cluster is None or any(
            k[1:] == (host, port) and k[0] == cluster.reader and s.status != OFFLINE_HARD
            for k, s in self.servers.items()
        ):
            return
        log.info("Group Replication: member %s:%d found, added to hostgroup %d", host, port, cluster.reader)
        self._commit({**self._places(), (cluster.reader, host, port): Placement()})
        self._find_members()

    # --- use -----------------------------------------------------------------------------------------------------

    def pick(self, hostgroup: int, recovery_s: int) -> Server | None:
        """A usable server by weight; one shunned for connect errors is tried again after a while."""
        mine = [s for k, s in self.servers.items() if k[0] == hostgroup and s.place.weight > 0]
        for server in mine:
            if server.status == SHUNNED and server.shunned_at and time.monotonic() - server.shunned_at > recovery_s:
                server.errors_now = 0
                server.set_status(ONLINE)
        usable = [s for s in mine if s.status == ONLINE and len(s.used) < s.place.max_connections]
        return random.choices(usable, [s.place.weight for s in usable])[0] if usable else None

    def connect_failed(self, server: Server, code: int, shun_on: int, retries: int):
        server.connect_errors += 1
        if code in NOT_THE_SERVER:
            return
        now = int(time.time())
        server.errors_now = server.errors_now + 1 if server.errors_at == now else 1
        server.errors_at = now
        if server.errors_now >= min(shun_on, retries + 1) and server.status == ONLINE:
            log.error(
                "Server %d:%s:%d shunned: %d connect errors in one second",
                server.hostgroup,
                server.host,
                server.port,
                server.errors_now,
            )
            server.set_status(SHUNNED)

    # --- views ---------------------------------------------------------------------------------------------------

    def rows(self) -> list:
        """runtime_mysql_servers"""
        self.purge()
        return [
            (
                *k,
                s.place.gtid_port,
                SHUNNED if s.status == SHUNNED_LAG else s.status,
                s.place.weight,
                s.place.compression,
                s.place.max_connections,
                s.place.max_replication_lag,
                s.place.use_ssl,
                s.place.max_latency_ms,
                s.place.comment,
            )
            for k, s in sorted(self.servers.items())
        ]

    def pool_rows(self, reset: bool = False) -> list:
        """stats_mysql_connection_pool"""
        rows = [
            (
                s.hostgroup,
                s.host,
                s.port,
                s.status,
                len(s.used),
                len(s.free),
                s.connects,
                s.connect_errors,
                s.max_used,
                s.queries,
                0,
                s.sent,
                s.received,
                s.latency_us,
            )
            for _k, s in sorted(self.servers.items())
        ]
        if reset:
            for server in self.servers.values():
                server.connects = server.connect_errors = server.max_used = server.queries = server.sent = (
                    server.received
                ) = 0
        return rows
