# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that make backups of a group of local servers, and what is in their place, read as a restore would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.catalog import read_catalog
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.coverage import Target, plan
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.envelope import fetch, opened
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import Full, Timeline, to_json
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import Place
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.host_program import host_program

NAMES = ("db0", "db1", "db2")


def wait_for(condition, seconds=30, what="it"):
    """The first true value of the condition."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"{what} took longer than {seconds} s"
        time.sleep(0.2)


class Host:
    """One host: its settings, and its stream."""

    def __init__(self, site, name):
        self.site, self.name = site, name
        self.folder = site.top / name
        self.folder.mkdir()
        self.config = self.folder / "config.json"
        self.process = None
        self.log = self.folder / "log"
        self.write()

    def write(self, **more):
        loader = f"{self.site.tree}/lib64/ld-linux-x86-64.so.2"
        libraries = f"{self.site.tree}/usr/lib/x86_64-linux-gnu:{self.site.tree}/usr/lib/mysql/private"
        account = {"user": "gr_backup", "password": 'Backup-"Secret\\.1'}
        self.config.write_text(
            json.dumps(
                {
                    "format": 1, "cluster": "shop", "group_name": self.site.group_name, "host": self.name, "hosts": list(self.site.order),
                    "members": {name: server.address for name, server in zip(NAMES, self.site.servers)},
                    "tls": {"ca": None, "check_hostname": False}, "clone": {**account, "bandwidth": 0}, "stream": account,
                    "place": {"remote": str(self.site.place_at), "config_file": None, "bandwidth": 0}, "encrypt_to": self.site.recipients, "level": 3,
                    "keep": {"fulls": 2, "days": 7}, "every": 86400, "directory": str(self.folder), "spool_limit": 4 << 30, "reserve": 0,
                    "mysqld": ["/usr/sbin/mysqld"], "mysqlbinlog": [loader, "--library-path", libraries, f"{self.site.tree}/usr/bin/mysqlbinlog"],
                    "user": "mysql",
                    **more,
                }
            )
        )  # fmt: skip

    def command(self, *arguments):
        return [sys.executable, str(self.site.program), "--config", str(self.config), *arguments]

    def run(self, *arguments, check=True):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, timeout=120)
        assert not check or done.returncode == 0, done.stderr + done.stdout
        return done

    def json(self, *arguments, check=True):
        return json.loads(self.run(*arguments, "--json", check=check).stdout)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command("stream"), stdout=log, stderr=log, start_new_session=True)
        return self

    def kill(self, number=signal.SIGKILL):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(20)

    def state(self):
        try:
            return json.loads((self.folder / "stream.json").read_text())
        except (OSError, ValueError):
            return {}

    def wait_stored(self, gtids, seconds=120):
        return wait_for(
            lambda: GtidSet(self.state().get("stored_until")).contains(gtids), seconds, f"{self.name}: storing {gtids}"
        )

    def said(self):
        return self.log.read_text() if self.log.exists() else ""


class Site:
    """The servers, the place, and the hosts."""

    def __init__(self, servers, tree, top, group_name):
        self.servers, self.tree, self.top, self.group_name = servers, tree, top, group_name
        self.place_at = top / "place"
        self.place_at.mkdir()
        self.order = ["backup0", "backup1"]
        self.identity = top / "identity"
        subprocess.run(["age-keygen", "-o", self.identity], check=True, capture_output=True)
        self.recipients = [
            subprocess.run(
                ["age-keygen", "-y", self.identity], check=True, capture_output=True, text=True
            ).stdout.strip()
        ]
        self.program = top / "mysql-gr-backup"
        self.program.write_text(host_program("mysql-gr-backup", "#!/usr/bin/python3"))
        self.hosts = [Host(self, name) for name in self.order]
        self.place = Place(str(self.place_at))
        self.load = None
        self.began = time.time()

    def end(self):
        self.stop_load()
        for host in self.hosts:
            host.kill()
            if os.environ.get("BACKUP_LOGS"):
                print(host.said())

    # -- the servers -------------------------------------------------------------------------------------------------
    def executed(self, number=0):
        return GtidSet(self.servers[number].sql("SELECT @@GLOBAL.gtid_executed AS g")[0]["g"])

    def insert(self, number=0, count=1):
        for _row in range(count):
            self.servers[number].sql("INSERT INTO shop.t (at, filler) VALUES (%s, REPEAT('x', 150))", time.time())

    def start_load(self, numbers=(0,), each=0.02):
        """Rows with their times, by the first of these servers that takes them; self.committed is when the last one was."""
        ended = threading.Event()
        committed = []

        def insert():
            while not ended.is_set():
                for number in numbers:
                    try:
                        conn = self.servers[number].connect()
                    except Exception:
                        continue
                    try:
                        while not ended.is_set():
                            with conn.cursor() as cur:
                                cur.execute(
                                    "INSERT INTO shop.t (at, filler) VALUES (%s, REPEAT('x', 150))", (time.time(),)
                                )
                            committed.append(time.time())
                            time.sleep(each)
                    except Exception:
                        pass
                time.sleep(0.1)

        thread = threading.Thread(target=insert, daemon=True)
        thread.start()
        self.load = (ended, thread)
        return committed

    def stop_load(self):
        if self.load:
            self.load[0].set()
            self.load[1].join(20)
            self.load = None

    # -- the place ---------------------------------------------------------------------------------------------------
    def full(self, number=0, name="full"):
        """The record of a full backup at this point, without pieces: what a restore would begin with."""
        gtids = self.executed(number)
        record = Full(
            name, "shop", self.group_name, 1, str(gtids), time.time(), time.time(), "backup0", "db0", "", "9.7.4", False, 0, [], {}, {}
        )  # fmt: skip
        self.place.write(f"shop/timeline-0001/fulls/{name}/manifest.json", to_json(record).encode())
        line = "shop/timeline-0001/timeline.json"
        if not (self.place_at / line).exists():
            self.place.write(line, to_json(Timeline("shop", self.group_name, 1, time.time(), None, "")).encode())
        return gtids

    def catalog(self):
        return read_catalog(self.place, "shop", self.group_name, self.top / "cache")

    def plan(self, target=None):
        records = self.catalog().timelines[1]
        return plan(records.good, records.segments, target or Target())

    def files(self, found):
        """The files of a plan, as mysqlbinlog or a server reads them."""
        made = []
        for number, log in enumerate(found.steps):
            target = self.top / "restored" / f"{number:03d}-{log.file}"
            target.parent.mkdir(exist_ok=True)
            with open(target, "wb") as out:
                for part in log.parts:
                    fetch(
                        self.place, f"shop/timeline-0001/{part.path}", str(self.top / "object"), part.size, part.sha256
                    )
                    with opened(str(self.top / "object"), str(self.identity), part.encrypted) as raw:
                        out.write(raw.read())
                    (self.top / "object").unlink()
            made.append(target)
        return made

    def text(self, files):
        """What mysqlbinlog reads in files."""
        command = json.loads(self.hosts[0].config.read_text())["mysqlbinlog"]
        done = subprocess.run(
            [*command, "-vv", "--base64-output=DECODE-ROWS", "--verify-binlog-checksum", *files],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
