# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the suite runs against: the stand-in, a ProxySQL program, or one that runs already."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import pymysql

ROOT = Path(__file__).resolve().parents[2]
ADMIN = ("conformance", "conf-admin")
CONFIG_TABLES = (
    "mysql_servers",
    "mysql_group_replication_hostgroups",
    "mysql_replication_hostgroups",
    "mysql_hostgroup_attributes",
    "mysql_servers_ssl_params",
    "mysql_users",
    "mysql_query_rules",
    "proxysql_servers",
    "scheduler",
)
MODULES = ("MYSQL SERVERS", "MYSQL USERS", "MYSQL QUERY RULES", "PROXYSQL SERVERS", "SCHEDULER")


class Answer(NamedTuple):
    columns: list
    rows: list
    affected: int
    message: str


def free_ports(count: int) -> list:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _i in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def wait_for(check, seconds: float, what: str):
    """Returns the first true value of check(), or fails with its last one."""
    end = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} s; last seen: {value!r}")
        time.sleep(0.1)


class Proxy:
    """An admin interface (and the port for applications) that is up."""

    name = "given"
    restartable = False

    def __init__(self, host: str, admin_port: int, port: int, user: str, password: str):
        self.host, self.admin_port, self.port, self.user, self.password = host, admin_port, port, user, password
        self.version = ""
        self._connection = None

    def connect(self, user=None, password=None, port=None, **options) -> pymysql.Connection:
        return pymysql.connect(
            host=self.host,
            port=port or self.admin_port,
            user=self.user if user is None else user,
            password=self.password if password is None else password,
            autocommit=None if port is None else True,
            connect_timeout=5,
            **options,
        )

    def run(self, statement: str) -> Answer:
        if self._connection is None:
            self._connection = self.connect()
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            columns = [d[0] for d in cursor.description] if cursor.description else []
            message = getattr(self._connection._result, "message", b"") or b""
            return Answer(
                columns, list(cursor.fetchall()), cursor.rowcount, bytes(message)[1:].decode()
            )  # its length comes first

    def rows(self, statement: str) -> list:
        return self.run(statement).rows

    def value(self, statement: str):
        return self.rows(statement)[0][0]

    def refused(self, statement: str) -> tuple:
        """(error number, text) of a statement that must fail."""
        try:
            answer = self.run(statement)
        except pymysql.MySQLError as error:
            return error.args
        raise AssertionError(f"accepted: {statement}: {answer}")

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def set(self, **variables):
        """Sets mysql- variables at runtime; _ in names as ProxySQL has them."""
        for name, value in variables.items():
            self.run(f"UPDATE global_variables SET variable_value='{value}' WHERE variable_name='mysql-{name}'")
        self.run("LOAD MYSQL VARIABLES TO RUNTIME")

    def checksum(self, name: str) -> tuple:
        """(version, checksum)"""
        row = self.rows(f"SELECT version, checksum FROM runtime_checksums_values WHERE name='{name}'")[0]
        return int(row[0]), row[1]

    def clear(self):
        """No configuration in any layer."""
        tables = [layer + table for table in CONFIG_TABLES for layer in ("main.", "main.runtime_", "disk.")]
        if all(
            row[0] == "0" for row in self.rows(" UNION ALL ".join(f"SELECT COUNT(*) FROM {table}" for table in tables))
        ):
            return
        for table in CONFIG_TABLES:
            self.run(f"DELETE FROM {table}")
        for module in MODULES:
            self.run(f"LOAD {module} TO RUNTIME")
            self.run(f"SAVE {module} TO DISK")

    def stop(self):
        self.close()


class Started(Proxy):
    """A process of our own on loopback ports, with its own data directory."""

    restartable = True

    def __init__(self, name: str, command: list, environment: dict):
        admin_port, port = free_ports(2)
        super().__init__("127.0.0.1", admin_port, port, *ADMIN)
        # Without a CA of ours ProxySQL reads the machine's for each connection to a member, where the environment names them: 150 certificates.
        own = {key: value for key, value in os.environ.items() if not key.startswith("SSL_CERT_")}
        self.name, self._environment = name, {**own, **environment}
        self.datadir = Path(tempfile.mkdtemp(prefix="conformance-"))
        config = self.datadir / "proxysql.cnf"
        config.write_text(
            f'datadir="{self.datadir}"\n'
            f'admin_variables=\n{{\n admin_credentials="admin:admin;{ADMIN[0]}:{ADMIN[1]}"\n mysql_ifaces="127.0.0.1:{admin_port}"\n pgsql_ifaces=";"\n}}\n'
            f'mysql_variables=\n{{\n threads=2\n interfaces="127.0.0.1:{port}"\n}}\n'
            'pgsql_variables=\n{\n interfaces=";"\n}\n',
            encoding="utf-8",
        )
        self._command = [*command, "-f", "-c", str(config), "-D", str(self.datadir)]
        self._process = None
        self.start()

    def start(self):
        with open(self.datadir / "log", "ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

        def up():
            if self._process.poll() is not None:
                raise AssertionError(f"{self.name} ended: {(self.datadir / 'log').read_text(errors='replace')[-2000:]}")
            try:
                return self.value("SELECT version()")
            except pymysql.MySQLError:
                self.close()
                return None

        self.version = wait_for(up, 20, f"start of {self.name}")

    def halt(self):
        """As systemd stops it; ProxySQL waits for nothing then, but can be slow to go."""
        self.close()
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def restart(self):
        self.halt()
        self.start()

    def stop(self):
        self.halt()
        shutil.rmtree(self.datadir)


def standin() -> Started:
    return Started("standin", [sys.executable, "-m", "standin"], {"PYTHONPATH": str(ROOT / "lab" / "standin")})


def program(path: str) -> Started:
    """A ProxySQL program; libraries in a folder lib beside it are for it alone."""
    libs = Path(path).resolve().parent / "lib"
    return Started("proxysql", [path], {"LD_LIBRARY_PATH": str(libs)} if libs.is_dir() else {})
