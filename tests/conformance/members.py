# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Live Group Replication members for the tests that need them, and forwarders that can fail between them and the proxy."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading

from targets import wait_for

MONITOR = ("conf_monitor", "conf-monitor")
APP = ("conf_app", "conf-app")
SCHEMA = "conformance"


class Member:
    def __init__(self, address: str, command: str, number: int):
        host, _colon, port = address.rpartition(":")
        self.host, self.port = host.strip("[]"), int(port)
        self.key = (self.host, str(self.port))
        self._command = command.format(host=self.host, port=self.port, number=number)

    def sql(self, statements: str) -> list:
        """Runs statements as root on this member by the command given to the suite; rows of strings."""
        done = subprocess.run(
            self._command, shell=True, input=statements, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{self._command}: {done.stderr or done.stdout}"
        return [line.split("\t") for line in done.stdout.splitlines()]

    @contextlib.contextmanager
    def held(self, statement: str):
        """A session that holds what the statement takes, for instance a lock."""
        process = subprocess.Popen(self._command, shell=True, stdin=subprocess.PIPE, text=True)
        try:
            process.stdin.write(f"{statement};\nDO GET_LOCK('conformance_held', 0);\n")
            process.stdin.flush()
            wait_for(lambda: self.sql("SELECT IS_USED_LOCK('conformance_held')") != [["NULL"]], 30, statement)
            yield
        finally:
            process.stdin.close()
            process.wait(30)


class Group:
    def __init__(self, addresses: list, command: str):
        self.members = [Member(address, command, number) for number, address in enumerate(addresses, 1)]
        self.keys = {m.key for m in self.members}

    def writable(self) -> Member:
        found = self.members[0].sql(
            "SELECT MEMBER_HOST, MEMBER_PORT FROM performance_schema.replication_group_members WHERE MEMBER_ROLE='PRIMARY' LIMIT 1"
        )
        return next((m for m in self.members if [m.host, str(m.port)] == found[0]), self.members[0])

    def prepare(self):
        self.writable().sql(
            "".join(
                f"CREATE USER IF NOT EXISTS {user}@'%' IDENTIFIED BY '{password}';" for user, password in (MONITOR, APP)
            )
            + f"CREATE DATABASE IF NOT EXISTS {SCHEMA}; GRANT ALL ON {SCHEMA}.* TO {APP[0]}@'%';"
            + "".join(
                f"GRANT SELECT ON performance_schema.{table} TO {MONITOR[0]}@'%';"
                for table in ("replication_group_members", "replication_group_member_stats", "global_variables")
            )
            + f"CREATE TABLE IF NOT EXISTS {SCHEMA}.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(50), n INT, d DECIMAL(9,2), b BLOB);"
        )

    def remove(self):
        self.writable().sql(
            f"DROP DATABASE IF EXISTS {SCHEMA}; DROP USER IF EXISTS {MONITOR[0]}@'%'; DROP USER IF EXISTS {APP[0]}@'%';"
        )

    def online(self) -> int:
        return int(
            self.members[0].sql(
                "SELECT COUNT(*) FROM performance_schema.replication_group_members WHERE MEMBER_STATE='ONLINE'"
            )[0][0]
        )

    @contextlib.contextmanager
    def single_primary(self, primary: Member):
        uuid = primary.sql("SELECT @@server_uuid")[0][0]
        primary.sql(f"SELECT group_replication_switch_to_single_primary_mode('{uuid}')")
        try:
            yield
        finally:
            primary.sql("SELECT group_replication_switch_to_multi_primary_mode()")

    @contextlib.contextmanager
    def stopped(self, member: Member):
        """One member outside of the group, its mysqld still up."""
        member.sql("STOP GROUP_REPLICATION")
        try:
            yield
        finally:
            member.sql("START GROUP_REPLICATION")
            wait_for(lambda: self.online() == len(self.members), 60, "member back in the group")


class Forwarder:
    """A TCP port in front of a member: passes on, refuses, or freezes (connects, then nothing moves)."""

    def __init__(self, member: Member, address: str):
        self.target, self.address = (member.host, member.port), address
        self.frozen = threading.Event()
        self._pairs: list = []
        self._listener = None
        self.port = 0
        self.open()
        self.key = (address, str(self.port))

    def open(self):
        self._listener = socket.create_server((self.address, self.port), reuse_port=False)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def refuse(self):
        """As when mysqld is killed: connections end, new ones are refused."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        self._pairs.clear()

    def freeze(self, on: bool = True):
        self.frozen.set() if on else self.frozen.clear()

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                client, _peer = listener.accept()
                server = socket.create_connection(self.target, timeout=5)
                server.settimeout(None)
                self._pairs.append((client, server))
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source, target):
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(65536)
                if not data:
                    break
                while self.frozen.is_set():
                    threading.Event().wait(0.05)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
