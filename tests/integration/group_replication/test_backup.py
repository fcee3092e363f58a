# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""mysql-gr-backup with real servers: a full backup while clients write, points, one table, a drill, and runs that are killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pymysql
import pytest
from gr_local_servers import GROUP_NAME, REPL_PASSWORD, LocalServer

PROGRAMS = ("rclone", "zstd", "age", "age-keygen", "setpriv")
COLLECTIONS = Path(__file__).resolve().parents[3] / "collections"
TOP = "/var/tmp/backup"
PASSWORD = "Backup-'pass.1"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim(
        "A listed backup can be restored exactly, to a GTID and to a time; a killed run lists nothing, and the next one removes the rest."
    ),
    pytest.mark.skipif("GR_MYSQLD_ROOT" not in os.environ, reason="a server of its own, in a tree of its own"),
    pytest.mark.skipif(not all(shutil.which(name) for name in PROGRAMS), reason=f"needs {', '.join(PROGRAMS)}"),
]


class Writers:
    """Clients that write small and large transactions, and tables with and without a primary key."""

    def __init__(self, server, count=3):
        self.server, self.ended, self.written = server, threading.Event(), 0
        self.threads = [threading.Thread(target=self.write, args=(number,)) for number in range(count)]

    def __enter__(self):
        for one in self.threads:
            one.start()
        return self

    def __exit__(self, *_exception):
        self.ended.set()
        for one in self.threads:
            one.join()

    def write(self, number):
        chance, conn = random.Random(number), self.server.session()
        with conn.cursor() as cur:
            while not self.ended.is_set():
                key = chance.randrange(200)
                for statement in (
                    f"INSERT INTO app.t (k, v) VALUES ({key}, REPEAT('v', {key}))",
                    f"UPDATE app.t SET v = REVERSE(CONCAT(v, 'x')) WHERE k = {key} ORDER BY id LIMIT 1",
                    f"INSERT INTO app.nokey VALUES ({key % 7}, 'same')",
                    f"DELETE FROM app.nokey WHERE k = {key % 7} LIMIT 1"
                    if key % 3
                    else "INSERT INTO app.big (b) VALUES (REPEAT('b', 300000))",
                ):
                    try:
                        cur.execute(statement)
                        self.written += 1
                    except pymysql.err.OperationalError:  # a deadlock with another one
                        cur.execute("ROLLBACK")
                time.sleep(0.01)
        conn.close()


def loaded(root):
    """What runs a program of a tree outside of it: mysqlbinlog writes where the backup program reads."""
    libraries = f"{root}/usr/lib/x86_64-linux-gnu:{root}/usr/lib/mysql/private"
    return [f"{root}/lib64/ld-linux-x86-64.so.2", "--library-path", libraries]


class Host:
    """A host that makes backups, and what the program says."""

    def __init__(self, server, directory):
        self.server, self.directory = server, Path(directory)
        for name in ("place", "lib"):
            (self.directory / name).mkdir(parents=True)
        (self.directory / "lib").chmod(0o711)
        self.key = str(self.directory / "key")
        subprocess.run(["age-keygen", "-o", self.key], check=True, capture_output=True)
        public = next(line.split()[-1] for line in Path(self.key).read_text().splitlines() if "public key" in line)
        tree, outside = (["/usr/sbin/chroot", server.root], loaded(server.root)) if server.root else ([], [])
        self.config = self.directory / "config.json"
        self.config.write_text(
            json.dumps(
                {
                    "format": 1, "cluster": "shop", "group_name": GROUP_NAME, "host": "backup1", "hosts": ["backup1"],
                    "members": {"db0": server.address}, "tls": {"ca": None, "check_hostname": False},
                    "clone": {"user": "gr_backup", "password": PASSWORD, "bandwidth": 0}, "stream": {"user": "gr_backup", "password": PASSWORD},
                    "place": {"remote": str(self.directory / "place"), "config_file": None, "bandwidth": 0}, "encrypt_to": [public], "level": 3,
                    "keep": {"fulls": 2, "days": 1}, "every": 86400, "directory": str(self.directory / "lib"), "spool_limit": 1 << 32, "reserve": 1 << 20,
                    "mysqld": [*tree, "/usr/sbin/mysqld"], "mysqlbinlog": [*outside, f"{server.root}/usr/bin/mysqlbinlog"], "user": "mysql",
                }
            )
        )  # fmt: skip

    def command(self, *arguments):
        code = (
            "import ansible_collections, sys\n"
            f"ansible_collections.__path__ = [{str(COLLECTIONS / 'ansible_collections')!r}]\n"
            "from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.command import main\n"
            "sys.exit(main('test'))"
        )
        return [sys.executable, "-c", code, "--config", str(self.config), arguments[0], "--json", *arguments[1:]]

    def run(self, *arguments, code=0):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1]) if arguments[0] != "stream" else {}

    def restore(self, *arguments):
        target = self.directory / "out"
        shutil.rmtree(target, ignore_errors=True)
        return self.run("restore", "--to", str(target), "--identity", self.key, "--checksums", *arguments)


@pytest.fixture(scope="module")
def server():
    made = LocalServer(0, os.environ["GR_MYSQLD_ROOT"], f"{TOP}/mysql", base_port=26450, servers=1)
    shutil.rmtree(made.root + TOP, ignore_errors=True)
    made.blank()
    made.sql("SET GLOBAL group_replication_bootstrap_group = ON")
    made.sql(f"START GROUP_REPLICATION USER = 'repl', PASSWORD = '{REPL_PASSWORD}'")
    made.sql("SET GLOBAL group_replication_bootstrap_group = OFF")
    for statement in (
        "CREATE DATABASE app",
        "CREATE TABLE app.t (id INT AUTO_INCREMENT PRIMARY KEY, k INT, v VARCHAR(2000), KEY (k))",
        "CREATE TABLE app.nokey (k INT, v VARCHAR(20))",
        "CREATE TABLE app.big (id INT AUTO_INCREMENT PRIMARY KEY, b LONGBLOB)",
        "CREATE USER gr_backup@localhost IDENTIFIED BY 'Backup-''pass.1' REQUIRE SSL",
        "GRANT BACKUP_ADMIN, REPLICATION SLAVE, REPLICATION CLIENT, SELECT, RELOAD ON *.* TO gr_backup@localhost",
    ):
        made.sql(statement)
    yield made
    made.stop()
    shutil.rmtree(made.root + TOP, ignore_errors=True)


@pytest.fixture(scope="module")
def host(server):
    """With a full backup that was made while clients wrote."""
    made = Host(server, server.root + TOP + "/host")
    with Writers(server) as writers:
        while not writers.written:
            time.sleep(0.05)
        made.full = made.run("full", "--checksums")
        before = writers.written
        while writers.written < before + 200:
            time.sleep(0.05)
    made.run("stream", "--once")
    return made


def sums(server, tables):
    return {row["Table"]: int(row["Checksum"]) for row in server.sql(f"CHECKSUM TABLE {', '.join(sorted(tables))}")}


def executed(server):
    return server.sql("SELECT @@gtid_executed AS g")[0]["g"].replace("\n", "")


def test_everything(server, host):
    done = host.restore()
    assert done["reached"] == executed(server)
    assert done["transactions"] >= 200
    assert {name: one["checksum"] for name, one in done["tables"].items()} == sums(server, done["tables"])
    assert done["compared"] == 3


def dropped(server, host):
    """A table of 100 rows, and the transaction that drops it while clients write; when the last row was there."""
    server.sql("CREATE TABLE app.victim (id INT AUTO_INCREMENT PRIMARY KEY)")
    with Writers(server, 2):
        for _row in range(100):
            server.sql("INSERT INTO app.victim VALUES ()")
        when = time.time()
        time.sleep(0.2)
        conn = server.session("SET gtid_next = 'AUTOMATIC:fatal'")
        with conn.cursor() as cur:
            cur.execute("DROP TABLE app.victim")
        conn.close()
        time.sleep(0.5)
    host.run("stream", "--once")
    number = executed(server).rpartition(":fatal:")[2].split(",")[0].split(":")[0].rpartition("-")[2]
    return f"{GROUP_NAME}:fatal:{number}", when


def test_before_a_fatal_statement_and_to_a_time(server, host):
    fatal, when = dropped(server, host)
    done = host.restore("--before", fatal)
    assert done["stopped_before"] == fatal
    assert done["tables"]["app.victim"]["rows"] == 100
    assert "app.victim" not in host.restore("--after", fatal)["tables"]
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(when)) + f".{int(when % 1 * 1e6):06d}Z"
    assert host.restore("--time", stamp)["tables"]["app.victim"]["rows"] == 100
    # One table, beside the running cluster, and back into it.
    dump = host.directory / "victim.sql"
    assert (
        host.run(
            "extract",
            "--table",
            "app.victim",
            "--before",
            fatal,
            "--into",
            "rescue",
            "--to",
            str(dump),
            "--identity",
            host.key,
        )["rows"]
        == 100
    )
    chroot = ["chroot", server.root] if server.root else []
    socket = f"--socket={server.dir}/mysqld.sock"
    subprocess.run([*chroot, "mysql", "--no-defaults", "--user=root", socket], input=dump.read_bytes(), check=True)
    assert server.sql("SELECT COUNT(*) AS n FROM rescue.victim")[0]["n"] == "100"


def test_drill(server, host):
    ended = threading.Event()

    def stream():
        while not ended.is_set():
            host.run("stream", "--once")

    streamer = threading.Thread(target=stream)
    with Writers(server, 1):
        streamer.start()
        try:
            done = host.run("drill", "--identity", host.key, "--report", str(host.directory / "reports"))
        finally:
            ended.set()
            streamer.join()
    assert done["ok"] and not done["not_compared"]
    assert sorted(one.suffix for one in (host.directory / "reports").iterdir()) == [".html", ".json", ".txt"]
    assert all(name.endswith(".lock") for name in os.listdir(host.directory / "lib" / "work"))


def listed(host):
    return [full["id"] for line in host.run("list")["timelines"] for full in line["fulls"]]


def left(server):
    """Private servers that run."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            text = Path(f"/proc/{name}/cmdline").read_text()
        except OSError:
            continue
        if f"{TOP}/host/lib/work" in text and "mysqld" in text:
            found.append(text)
    return found


@pytest.mark.parametrize("seconds", [1, 6, 12])
def test_a_killed_run(server, host, seconds):
    before = listed(host)
    process = subprocess.Popen(host.command("full", "--now"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert listed(host) == before
    end = time.monotonic() + 20
    while left(server):
        assert time.monotonic() < end, left(server)
        time.sleep(0.05)
    again = host.run("full", "--now")
    assert listed(host)[-1] == again["full"]
    folders = {path.name for path in (host.directory / "place" / "shop" / "timeline-0001" / "fulls").iterdir()}
    assert folders == set(listed(host)), "nothing of the killed one is left in the place"
    assert all(name.endswith(".lock") for name in os.listdir(host.directory / "lib" / "work"))
