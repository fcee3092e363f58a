# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real mysqld processes on loopback, for development and for tests that need no lab.

    python gr_local_servers.py --root /some/chroot --dir /var/tmp/gr up|down|blank|status

`root` is a directory tree with mysqld in it (a chroot; "/" is the machine itself); `dir` is a directory inside it.
Each server runs under a small supervisor shell, which starts mysqld again after exit code 16 (RESTART, CLONE) and, as
systemd does, after it was killed, unless a file `down` says that it shall stay down.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pymysql
import pymysql.cursors

GROUP_NAME = "8f22f846-9922-4139-b2b7-097d185a93cb"
REPL_PASSWORD = "Repl-pass.1"
PEER_PASSWORD = "Peer-pass.1"

SUPERVISOR = """
cd {dir} || exit 1
while :; do
    MYSQLD_PARENT_PID=$$ {mysqld} --defaults-file={dir}/my.cnf --user=root
    rc=$?
    [ -e {dir}/down ] && exit 0
    [ $rc = 0 ] && exit 0
    [ $rc = 16 ] || [ $rc -ge 128 ] || exit $rc
done
"""


def account_statements(version, repl_password, peer_password, host="%"):
    """Recovery and peer account with the privileges that the role gives them, and no others; without binary log."""
    import ansible_collections

    here = str(Path(__file__).resolve().parents[3] / "collections" / "ansible_collections")
    if here not in list(ansible_collections.__path__):
        ansible_collections.__path__ = [here, *ansible_collections.__path__]
    from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.version_facts import version_facts

    facts = version_facts(version)
    recovery = facts["recovery_privileges"] + facts["cloning_privileges"] + facts["stack_privileges"]
    tables = [entry.partition(":") for entry in facts["peer_tables"]]
    return [
        "SET sql_log_bin=0",
        f"CREATE USER repl@'{host}' IDENTIFIED BY '{repl_password}' REQUIRE SSL",
        f"GRANT {', '.join(recovery)} ON *.* TO repl@'{host}'",
        f"CREATE USER gr_peer@'{host}' IDENTIFIED BY '{peer_password}' REQUIRE SSL",
        *(
            f"GRANT {privilege} ON performance_schema.{table} TO gr_peer@'{host}'"
            for table, _colon, privilege in tables
        ),
    ]


class LocalServer:
    """One mysqld process."""

    def __init__(self, index, root="/", directory="/var/tmp/gr", base_port=23300, servers=3):
        self.index = index
        self.name = f"db{index}"
        self.root = root.rstrip("/")
        self.top = directory
        self.dir = f"{directory}/n{index}"
        self.port = base_port + index
        self.local_port = base_port + 10 + index
        self.servers = servers
        self.base_port = base_port
        self.address = f"127.0.0.1:{self.port}"
        self.socket = self.host_path("mysqld.sock")
        self.datadir = self.host_path("data")
        self.error_log = self.host_path("error.log")

    def host_path(self, *parts):
        """A path below this server's directory as seen from outside the chroot."""
        return os.path.join(self.root + self.dir, *parts)

    def config(self):
        """The text of my.cnf."""
        seeds = ",".join(f"127.0.0.1:{self.base_port + 10 + i}" for i in range(self.servers))
        return """[mysqld]
datadir={dir}/data
socket={dir}/mysqld.sock
secure-file-priv=
pid-file={dir}/mysqld.pid
log-error={dir}/error.log
tmpdir={dir}
port={port}
bind-address=127.0.0.1
loose-mysqlx=OFF
report_host=127.0.0.1
report_port={port}
server_id={server_id}
gtid_mode=ON
enforce_gtid_consistency=ON
log_bin=binlog
innodb_buffer_pool_size=64M
innodb_redo_log_capacity=8M
innodb_flush_log_at_trx_commit=2
sync_binlog=0
plugin_load_add=group_replication.so
plugin_load_add=mysql_clone.so
loose-group_replication_group_name={group}
loose-group_replication_local_address=127.0.0.1:{local_port}
loose-group_replication_group_seeds={seeds}
loose-group_replication_ip_allowlist=127.0.0.1
loose-group_replication_single_primary_mode=OFF
loose-group_replication_enforce_update_everywhere_checks=ON
loose-group_replication_ssl_mode=REQUIRED
loose-group_replication_recovery_use_ssl=ON
loose-group_replication_message_cache_size=134217728
loose-group_replication_start_on_boot={boot}
""".format(
            dir=self.dir,
            port=self.port,
            local_port=self.local_port,
            server_id=130 + self.index,
            seeds=seeds,
            group=GROUP_NAME,
            boot="OFF",
        )

    def run_in_root(self, argv, check=False):
        """Run a command inside the tree."""
        prefix = ["chroot", self.root] if self.root else []
        return subprocess.run(prefix + argv, check=check)

    # -- life cycle ------------------------------------------------------------------------------------------------
    def blank(self):
        """Stop the server and give it a fresh data directory with its own server_uuid and the accounts."""
        self.stop()
        base = self.base()
        shutil.rmtree(self.host_path(), ignore_errors=True)
        os.makedirs(self.host_path())
        shutil.copytree(base, self.datadir)
        # A server_uuid and a CA of its own.
        for name in os.listdir(self.datadir):
            if name == "auto.cnf" or name.endswith(".pem"):
                os.unlink(self.host_path("data", name))
        with open(self.host_path("my.cnf"), "w", encoding="utf-8") as conf:
            conf.write(self.config())
        self.start()
        self.accounts()

    def base(self):
        """A data directory to copy, made once: all servers are blanked at the same time."""
        base = self.root + self.top + "/base"
        os.makedirs(self.root + self.top, exist_ok=True)
        with open(base + ".lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.isdir(base):
                self.run_in_root(
                    [
                        "/usr/sbin/mysqld",
                        "--no-defaults",
                        "--user=root",
                        "--initialize-insecure",
                        f"--datadir={self.top}/base",
                        "--innodb-redo-log-capacity=8388608",
                        f"--log-error={self.top}/init.log",
                    ],
                    check=True,
                )
        return base

    def accounts(self):
        """The accounts that the role writes, without binary log."""
        with self.connect() as conn, conn.cursor() as cur:
            for statement in account_statements(
                self.sql("SELECT VERSION() AS v")[0]["v"], REPL_PASSWORD, PEER_PASSWORD
            ):
                cur.execute(statement)

    def start(self, wait=True):
        """Start mysqld under its supervisor; with wait, return when it answers."""
        if self.supervised():
            # A second mysqld would wait for the files' locks and take over when the first one stops.
            if wait:
                self.wait_up()
            return
        if os.path.exists(self.host_path("down")):
            os.unlink(self.host_path("down"))
        script = SUPERVISOR.format(dir=self.dir, mysqld="/usr/sbin/mysqld")
        prefix = ["chroot", self.root] if self.root else []
        with subprocess.Popen(
            prefix + ["/bin/sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as proc:
            with open(self.host_path("supervisor.pid"), "w", encoding="utf-8") as out:
                out.write(str(proc.pid))
            proc.returncode = 0  # it lives on, do not wait for it
        if wait:
            self.wait_up()

    def supervised(self):
        """Whether the supervisor runs."""
        try:
            with open(self.host_path("supervisor.pid"), encoding="utf-8") as src:
                pid = int(src.read())
            with open(f"/proc/{pid}/stat", encoding="utf-8") as src:
                if src.read().rpartition(")")[2].split()[0] == "Z":
                    return False
            with open(f"/proc/{pid}/cmdline", encoding="utf-8") as src:
                return self.dir in src.read() and not os.path.exists(self.host_path("down"))
        except (OSError, ValueError):
            return False

    def wait_up(self, timeout=60):
        """Wait until the server answers on its socket."""
        end = time.monotonic() + timeout
        while True:
            try:
                self.connect().close()
                return
            except pymysql.err.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def pid(self):
        """The process id of mysqld, or None."""
        try:
            with open(self.host_path("mysqld.pid"), encoding="utf-8") as src:
                pid = int(src.read())
            os.kill(pid, 0)
            with open(f"/proc/{pid}/cmdline", encoding="utf-8") as src:
                return pid if self.dir in src.read() else None
        except (OSError, ValueError):
            return None

    def stop(self):
        """A clean stop that lasts."""
        self._end(signal.SIGTERM)

    def started_at_once(self):
        """Nothing waits before it starts."""
        return nullcontext()

    def kill9(self, restart=True):
        """SIGKILL; with restart, the supervisor has it back at once."""
        if restart:
            os.kill(self.pid(), signal.SIGKILL)
        else:
            self._end(signal.SIGKILL)

    def freeze(self):
        """SIGSTOP."""
        os.kill(self.pid(), signal.SIGSTOP)

    def thaw(self):
        """SIGCONT."""
        os.kill(self.pid(), signal.SIGCONT)

    def _end(self, signum):
        if not os.path.isdir(self.host_path()):
            return
        with open(self.host_path("down"), "w", encoding="utf-8"):
            pass
        pid = self.pid()
        if pid is None:
            return
        os.kill(pid, signum)
        if signum != signal.SIGKILL:
            os.kill(pid, signal.SIGCONT)
        end = time.monotonic() + 60
        while os.path.exists(f"/proc/{pid}"):
            if time.monotonic() > end:
                raise RuntimeError(f"{self.name}: mysqld {pid} does not end")
            time.sleep(0.05)

    def set_uuid(self, uuid):
        """Give the server that server_uuid, as a copied data directory would."""
        self.stop()
        with open(self.host_path("data", "auto.cnf"), "w", encoding="utf-8") as out:
            out.write(f"[auto]\nserver-uuid={uuid}\n")
        self.start()

    def session(self, *statements, user="root", password=""):
        """A session that stays open after these statements, until close()."""
        conn = self.connect(user, password)
        with conn.cursor() as cur:
            for statement in statements:
                cur.execute(statement)
        return conn

    # -- SQL ---------------------------------------------------------------------------------------------------------
    def connect(self, user="root", password=""):
        """A connection, as root unless told otherwise."""
        return pymysql.connect(
            unix_socket=self.socket,
            user=user,
            password=password,
            autocommit=True,
            cursorclass=pymysql.cursors.DictCursor,
        )

    def sql(self, statement, *args):
        """Run one statement as root; the rows as dicts of text."""
        conn = self.connect()
        try:
            with conn.cursor() as cur:
                cur.execute(statement, args or None)
                return [
                    {name: None if value is None else str(value) for name, value in row.items()}
                    for row in cur.fetchall()
                ]
        finally:
            conn.close()


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", default=os.environ.get("GR_MYSQLD_ROOT", "/"))
    parser.add_argument("--dir", default="/var/tmp/gr")
    parser.add_argument("--count", type=int, default=3)
    parser.add_argument("verb", choices=["up", "down", "blank", "status"])
    args = parser.parse_args()
    for index in range(args.count):
        server = LocalServer(index, args.root, args.dir, servers=args.count)
        if args.verb == "blank":
            server.blank()
        elif args.verb == "up":
            server.start()
        elif args.verb == "down":
            server.stop()
        print(server.name, server.address, server.socket, server.pid())
    return 0


if __name__ == "__main__":
    sys.exit(main())
