# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Port 6033: each statement of a client goes to a server of the right hostgroup; raw answers come back."""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pymysql
from mysql_mimic.types import Capabilities as C

from . import backend as be
from . import wire
from .hostgroups import ONLINE, Server

log = logging.getLogger(__name__)
IN_TRANSACTION, AUTOCOMMIT = 0x0001, 0x0002

COMMENT = re.compile(r"/\*(?!!).*?\*/|--[ \t][^\n]*|#[^\n]*", re.S)
VALUE = re.compile(
    r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"|(?<![\w`])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)", re.I
)
# What lives in one server connection: from then on the session keeps it.
STICKY = re.compile(
    r"@|^\s*(LOCK\s+TABLES?|CREATE\s+TEMPORARY|PREPARE\b|HANDLER\b|FLUSH\s+TABLES|SET\s+TRANSACTION)|\bGET_LOCK\s*\(|SQL_CALC_FOUND_ROWS",
    re.I,
)
PINNED_NOT = re.compile(r"^\s*SELECT\s+@@(SESSION\.)?(tx_isolation|transaction_isolation|version)\b", re.I)
SET = re.compile(r"^\s*SET\s+(?!GLOBAL|PERSIST|PASSWORD|ROLE|DEFAULT|RESOURCE)(.*)$", re.I | re.S)
# Answered here when no server connection is kept, so that clients can log in while no server is up.
LOCAL_SET = re.compile(
    r"^\s*SET\s+(?:NAMES\s+['\w]+(?:\s+COLLATE\s+['\w]+)?|(?:SESSION\s+|@@(?:SESSION\.)?)?AUTOCOMMIT\s*=\s*(?P<auto>0|1|ON|OFF))\s*;?\s*$",
    re.I,
)
USE = re.compile(r"^\s*USE\s+`?([^`;\s]+)`?\s*;?\s*$", re.I)


@functools.lru_cache(maxsize=256)
def digest_text(sql: str) -> str:
    """The statement without comments, with ? for values."""
    text = re.sub(r"\s+", " ", VALUE.sub("?", COMMENT.sub(" ", sql))).strip()
    return re.sub(r"\(\s*\?(?:\s*,\s*\?){3,}\s*\)", "(?,?,?,...)", text)


class Traffic:
    def __init__(self, store, hostgroups):
        self.store, self.hostgroups = store, hostgroups
        self.executor = ThreadPoolExecutor(256, "traffic")
        self.users: dict[str, tuple] = {}
        self.rules: list[dict] = []
        self.sessions: set = set()
        self.digests: dict[tuple, list] = {}
        self.hits: dict[int, int] = {}

    def load_users(self):
        names = (
            "password",
            "default_hostgroup",
            "default_schema",
            "transaction_persistent",
            "max_connections",
            "use_ssl",
        )
        rows = self.store.db.execute(
            "SELECT username, {} FROM main.runtime_mysql_users WHERE frontend=1".format(", ".join(names))
        ).fetchall()
        self.users = {row[0]: dict(zip(names, row[1:])) for row in rows}

    def load_rules(self):
        cursor = self.store.db.execute("SELECT * FROM main.runtime_mysql_query_rules ORDER BY rule_id")
        names = [d[0] for d in cursor.description]
        self.rules, self.hits = [dict(zip(names, row)) for row in cursor], {}
        for rule in self.rules:
            flags = re.I if "CASELESS" in (rule["re_modifiers"] or "").upper() else 0
            for key in ("match_digest", "match_pattern"):
                rule[key] = re.compile(rule[key], flags) if rule[key] else None

    def route(self, session, sql: str) -> tuple[int, str]:
        """(hostgroup, statement after replace_pattern); raises for a rule's error_msg."""
        hostgroup, flag, text = self.users[session.user]["default_hostgroup"], 0, digest_text(sql)
        for rule in self.rules:
            if rule["flagIN"] != flag or (rule["username"] or session.user) != session.user:
                continue
            if (rule["schemaname"] or session.database) != session.database or (
                rule["client_addr"] or session.address
            ) != session.address:
                continue
            matches = [
                not r.search(t) if rule["negate_match_pattern"] else bool(r.search(t))
                for r, t in ((rule["match_digest"], text), (rule["match_pattern"], sql))
                if r
            ]
            if not all(matches):
                continue
            self.hits[rule["rule_id"]] = self.hits.get(rule["rule_id"], 0) + 1
            if rule["error_msg"] is not None:
                raise wire.MysqlError(rule["error_msg"], 1148, "42000")
            if rule["replace_pattern"] is not None:
                sql = rule["match_pattern"].sub(rule["replace_pattern"], sql)
            if rule["destination_hostgroup"] is not None and rule["destination_hostgroup"] >= 0:
                hostgroup = rule["destination_hostgroup"]
            if rule["flagOUT"] is not None:
                flag = rule["flagOUT"]
            if rule["apply"]:
                break
        return hostgroup, sql

    async def run(self, function, *args):
        return await asyncio.get_running_loop().run_in_executor(self.executor, function, *args)

    async def acquire(self, hostgroup: int, user: str, password: str, flags: int) -> be.Backend:
        """A connection to a server of the hostgroup: a free one or a new one. Waits while the hostgroup has no usable server."""
        number, started = self.store.number, time.monotonic()
        limit = started + number("mysql-connect_timeout_server_max") / 1000
        retries = number("mysql-connect_retries_on_failure")
        failed: Exception | None = None
        while time.monotonic() < limit:
            server = self.hostgroups.pick(hostgroup, number("mysql-shun_recovery_time_sec"))
            if server is None:
                await asyncio.sleep(0.02)
                continue
            for found in reversed(server.free):
                if found.user == user and found.flags == flags:
                    server.free.remove(found)
                    return self._use(server, found)
            try:
                found = await self.run(
                    be.Backend, self.store, server, user, password, flags, number("mysql-connect_timeout_server") / 1000
                )
            except (pymysql.Error, OSError) as e:
                failed = e
                code = e.args[0] if e.args and isinstance(e.args[0], int) else 2003
                self.hostgroups.connect_failed(server, code, number("mysql-shun_on_failures"), retries)
                if retries <= 0:
                    break
                retries -= 1
                await asyncio.sleep(number("mysql-connect_retries_delay") / 1000)
                continue
            server.connects += 1
            if server.status != ONLINE:
                found.close()
                continue
            return self._use(server, found)
        if failed is not None and retries <= 0:
            raise wire.MysqlError(be.error_text(failed, "server"), failed.args[0], "HY000") from None
        waited = int((time.monotonic() - started) * 1000)
        raise wire.MysqlError(
            f"Max connect timeout reached while reaching hostgroup {hostgroup} after {waited}ms", 9001, "HY000"
        )

    @staticmethod
    def _use(server: Server, found: be.Backend) -> be.Backend:
        server.used.add(found)
        server.max_used = max(server.max_used, len(server.used))
        return found

    def release(self, found: be.Backend, usable: bool):
        found.server.used.discard(found)
        if usable and not found.aborted and found.server.status == ONLINE:
            found.server.free.append(found)
        else:
            found.close()
        self.hostgroups.purge()

    def count(self, session, hostgroup: int, sql: str, took: float):
        key = (hostgroup, session.database or "information_schema", session.user, "", digest_text(sql)[:2048])
        now, took_us = int(time.time()), int(took * 1e6)
        entry = (
            self.digests.setdefault(key, [0, now, now, 0, took_us, 0])
            if len(self.digests) < 10000
            else [0, now, now, 0, 0, 0]
        )
        entry[:] = [entry[0] + 1, entry[1], now, entry[3] + took_us, min(entry[4], took_us), max(entry[5], took_us)]


class Session(wire.Client):
    """A client of port 6033."""

    def __init__(self, reader, writer, traffic: Traffic, tls=None):
        values = traffic.store.values
        super().__init__(
            reader, writer, values["mysql-server_version"], values["mysql-default_authentication_plugin"], tls
        )
        self.traffic = traffic
        self.settings: list[tuple] = []  # (names, SET statement) to apply to every server connection that is used
        self.backend: be.Backend | None = None  # kept while a transaction is open or something lives in the connection
        self.hostgroup = -1
        self.busy = False  # a command is under way
        self.sticky = False
        self.linger = 0  # so many more statements stay here, after one that made an AUTO_INCREMENT value
        self.linger_until = 0.0
        self.statements: dict[int, str] = {}  # open prepared statements
        traffic.sessions.add(self)

    def password_of(self, user):
        found = self.traffic.users.get(user)
        if found is None:
            return None
        self.database = self.database or found["default_schema"]
        return found["password"] or ""

    def refusal(self, user):
        if self.encrypted or not int(self.traffic.users[user]["use_ssl"]):
            return None
        return wire.MysqlError(
            f"ProxySQL Error: Access denied for user '{user}' (using password: YES). SSL is required"
        )

    def reset(self):
        if self.backend:
            clean = not self.sticky and not self.statements and not self.status & IN_TRANSACTION
            self.traffic.release(self.backend, clean)
        self.backend, self.sticky, self.linger, self.statements, self.settings = None, False, 0, {}, []
        self.status = wire.ServerStatus.SERVER_STATUS_AUTOCOMMIT

    def closed(self):
        self.reset()
        self.traffic.sessions.discard(self)

    # --- commands ------------------------------------------------------------------------------------------------

    async def command(self, number: int, payload: bytes):
        self.busy = True
        try:
            await self._command(number, payload)
        finally:
            self.busy = False
            self._maybe_release()

    async def _command(self, number: int, payload: bytes):
        if number == wire.COM_INIT_DB:
            self.database = payload[1:].decode()
            await self.ok()
        elif number == wire.COM_SET_OPTION:
            await self.eof()
        elif number == be.COM_RESET_CONNECTION:
            self.reset()
            await self.ok()
        elif number == wire.COM_QUERY:
            await self._query(payload)
        elif number == be.COM_STMT_PREPARE:
            sql = payload[1:].decode("utf-8", "surrogateescape")
            hostgroup, sql = self.traffic.route(self, sql)
            answer, _status, error = await self._forward(
                hostgroup, payload[:1] + sql.encode("utf-8", "surrogateescape")
            )
            if not error:
                self.statements[int.from_bytes(answer[5:9], "little")] = sql
            await self._reply(answer)
        elif number == be.COM_STMT_CLOSE:
            self.statements.pop(int.from_bytes(payload[1:5], "little"), None)
            if self.backend:
                await self._forward(self.hostgroup, payload)
        elif self.backend is None:
            raise wire.MysqlError("Command not supported outside of a kept connection", 1047, "08S01")
        else:
            answer, _status, _error = await self._forward(self.hostgroup, payload)
            await self._reply(answer)

    async def _query(self, payload: bytes):
        sql = payload[1:].decode("utf-8", "surrogateescape")
        use = USE.match(sql)
        if use:
            self.database = use.group(1)
            if self.backend:
                await self._forward(self.hostgroup, payload)
            await self.ok()
            return
        local = LOCAL_SET.match(sql) if self.backend is None else None
        if local:
            name, auto = ("autocommit", local["auto"].upper() in ("1", "ON")) if local["auto"] else ("names", False)
            self.settings = [setting for setting in self.settings if setting[0] != (name,)]
            if not auto:
                self.settings.append(((name,), sql))
            if name == "autocommit":
                bit = wire.ServerStatus.SERVER_STATUS_AUTOCOMMIT
                self.status = self.status | bit if auto else self.status & ~bit
            await self.ok()
            return
        hostgroup, routed = self.traffic.route(self, sql)
        if STICKY.search(digest_text(sql)) and not PINNED_NOT.search(sql):  # not for an @ inside of a value
            self.sticky = True
        started = time.monotonic()
        answer, _status, error = await self._forward(hostgroup, payload[:1] + routed.encode("utf-8", "surrogateescape"))
        self.traffic.count(self, hostgroup, sql, time.monotonic() - started)
        change = SET.match(COMMENT.sub(" ", sql))
        if change and not error and not self.sticky:
            assigned = re.sub(r"'[^']*'|\([^)]*\)", "", change.group(1)).lower()
            names = tuple(re.findall(r"(?:^|,)\s*(?:session\s+)?([\w.]+)", assigned))
            self.settings = [s for s in self.settings if s[0] != names] + [(names, sql)]
            if self.backend:
                self.backend.state = self._state()
        await self._reply(answer)

    async def _reply(self, answer: bytes):
        self.stream.writer.write(answer)
        await self.stream.writer.drain()

    # --- server connection ---------------------------------------------------------------------------------------

    def _state(self) -> tuple:
        names = () if self.charset == "utf8mb4" else ("SET NAMES " + self.charset,)
        return (self.database, *names, *(sql for _names, sql in self.settings))

    def _prepare(self, found: be.Backend):
        """Gives a server connection this session's database and settings (in a thread)."""
        state = self._state()
        if found.state == state:
            return b"", 0
        if found.state:
            found.exchange(bytes([be.COM_RESET_CONNECTION]))
        commands = [bytes([wire.COM_INIT_DB]) + state[0].encode()] if state[0] else []
        for payload in commands + [
            bytes([wire.COM_QUERY]) + sql.encode("utf-8", "surrogateescape") for sql in state[1:]
        ]:
            answer, _status, error = found.exchange(payload)
            if error:
                found.state = ("?",)
                return answer, error
        found.state = state
        return b"", 0

    def _maybe_release(self):
        lingers = self.linger > 0 and time.monotonic() < self.linger_until
        if self.backend and not (self.sticky or self.statements or lingers or self.status & IN_TRANSACTION):
            self.traffic.release(self.backend, True)
            self.backend, self.linger = None, 0

    async def _forward(self, hostgroup: int, payload: bytes) -> tuple[bytes, int, int]:
        """Sends one command and returns the server's answer. A statement outside of a transaction is tried once more on a lost connection."""
        traffic = self.traffic
        retries = traffic.store.number("mysql-query_retries_on_failure")
        while True:
            kept = self.backend is not None
            if (
                kept
                and not self.status & IN_TRANSACTION
                and not self.sticky
                and hostgroup != self.hostgroup
                and payload[0] == wire.COM_QUERY
            ):
                kept = False  # only prepared statements hold it: this statement goes its own way
            if kept:
                found = self.backend
            else:
                flags = int(self.capabilities & C.CLIENT_FOUND_ROWS)
                found = await traffic.acquire(
                    hostgroup, self.user, traffic.users.get(self.user, {}).get("password") or "", flags
                )
                if self.backend is None:
                    self.backend, self.hostgroup = found, hostgroup
            server = found.server
            try:
                if not kept:
                    answer, error = await traffic.run(self._prepare, found)
                    if error:
                        self._drop(found, True)
                        return answer, -1, error
                server.queries += payload[0] in (wire.COM_QUERY, be.COM_STMT_EXECUTE)
                server.sent += len(payload)
                answer, status, error = await traffic.run(found.exchange, payload)
                server.received += len(answer)
            except be.Lost as lost:
                in_transaction, sticky = bool(self.status & IN_TRANSACTION), kept
                if not found.aborted:
                    traffic.hostgroups.connect_failed(
                        server,
                        2013,
                        traffic.store.number("mysql-shun_on_failures"),
                        traffic.store.number("mysql-connect_retries_on_failure"),
                    )
                self._drop(found, False)
                if retries > 0 and not lost.begun and not in_transaction and not sticky:
                    retries -= 1
                    continue
                raise wire.MysqlError("Lost connection to server during query", 2013, "HY000") from None
            if error in (1047, 1053) and retries > 0 and not kept:  # the server is going down
                self._drop(found, False)
                retries -= 1
                continue
            if found is self.backend and payload[0] in (wire.COM_QUERY, be.COM_STMT_EXECUTE):
                self._count_down(answer)
            if status >= 0:
                self.status = wire.ServerStatus(status & (IN_TRANSACTION | AUTOCOMMIT))
            if found is not self.backend:
                traffic.release(found, True)
            return answer, status, error

    def _count_down(self, answer: bytes):
        """mysql-auto_increment_delay_multiplex: the next statements may ask for LAST_INSERT_ID()."""
        self.linger -= self.linger > 0
        number = self.traffic.store.number
        if number("mysql-auto_increment_delay_multiplex") and answer[4] == 0 and be.ok_numbers(answer[4:])[1]:
            self.linger = number("mysql-auto_increment_delay_multiplex")
            wait = number("mysql-auto_increment_delay_multiplex_timeout_ms") / 1000
            self.linger_until = time.monotonic() + wait
            asyncio.get_running_loop().call_later(wait + 0.1, self._expire)

    def _expire(self):
        if not self.busy:
            self._maybe_release()

    def _drop(self, found: be.Backend, usable: bool):
        self.traffic.release(found, usable)
        if found is self.backend:
            self.backend, self.sticky, self.linger, self.statements = None, False, 0, {}
            self.status &= ~wire.ServerStatus.SERVER_STATUS_IN_TRANS
