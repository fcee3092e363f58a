# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Physical backups measured on the converged lab of this checkout, beside what an operator would do by hand with the same data.

    bench.py [--size GB] [--runs N] [--place sftp|webdav] [--docs] STEP…

Steps with much data, in this order (hosts with a disk of twice its size: LAB_DISK=24G): fill, prepare, full, floor, increment, replay, restore, by_hand.
Steps that are made --runs times, after prepare: fatal_drop, backup_host_off, source_off, drill.
"remove" takes the backups away again. Each measurement is a line of bench/records/backup.jsonl; --docs makes docs/measurements/backup.md of all of them.
Exit code 1: something was lost, or a backup was listed that cannot be restored.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Iterator

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "tests")]

import report  # noqa: E402 (it knows where plan is)
from plan import renewed, slowest  # noqa: E402
from support import Lab, wait_for  # noqa: E402
from support_backup import CLUSTER, KINDS, PROGRAM, STORE, Backups  # noqa: E402
from support_load import Load  # noqa: E402

RECORDS = ROOT / "bench" / "records" / "backup.jsonl"
PAGE = ROOT / "docs" / "measurements" / "backup.md"
REPORTS = ROOT / ".cache" / "backup-bench"
TABLES = 10
ROW = 222  # bytes of a row of sysbench on the disk, with its indexes
DATADIR = "/var/lib/mysql"
# Where the backup host has room; it belongs to mysqld there.
BESIDE = "/var/lib/mysql-gr-backup/bench"
LONG = 7200  # seconds that nothing here takes
# sysbench's tables, not in the binary log: the others get them by clone.
QUIET = """local common = require("oltp_common")
local plain = create_table
function create_table(drv, con, number)
  con:query("SET sql_log_bin = 0")
  plain(drv, con, number)
end
"""


class Bench:
    """The steps; each returns what it has to say beside the time and the load of the machine."""

    def __init__(self, size: int, place: str) -> None:
        self.lab, self.size = Lab(), size
        self.backups = Backups(self.lab, place)
        self.spans: dict[str, float] = {}
        self.steps: dict[str, Callable[[int], dict | None]] = {
            name: getattr(self, name)
            for name in (
                "fill", "prepare", "full", "floor", "increment", "replay", "restore", "by_hand",
                "fatal_drop", "backup_host_off", "source_off", "drill", "remove",
            )
        }  # fmt: skip

    # -- helps ---------------------------------------------------------------------------------------------------------
    def shell(self, host: str, script: str, timeout: float = LONG) -> str:
        return self.lab.on(host, "bash", "-ec", script, timeout=timeout)

    def timed(self, host: str, script: str) -> float:
        began = time.monotonic()
        self.shell(host, script)
        return round(time.monotonic() - began, 1)

    def program(self, *arguments: str, host: str = "proxy") -> dict:
        """What the backup program did, as JSON; its own words go to the standard error."""
        text = self.lab.on(host, "bash", "-c", '"$@" --json 2>/dev/null', "bash", PROGRAM, *arguments, timeout=LONG)
        return json.loads(text)

    def with_key(self, *arguments: str, host: str = "proxy") -> dict:
        """The same where a backup is opened."""
        self.lab.on(host, "install", "-d", "-m", "711", BESIDE)
        key = self.backups.identity.read_text()
        command = " ".join([PROGRAM, *arguments, "--identity", "-", "--json"])
        return json.loads(self.lab.give(host, f"{command} 2>/dev/null", key, timeout=LONG))

    @contextlib.contextmanager
    def load(self, name: str, rate: int = 100) -> Iterator[dict]:
        """A load through the proxy; its report, once it has ended."""
        load = Load(self.lab, name, REPORTS)
        load.start(options=("--rate", str(rate)))
        found: dict = {}
        began = time.monotonic()
        try:
            yield found
        finally:
            load.stop()
        ended = load.finish(time.monotonic() - began)
        found.update(
            acknowledged=ended["acknowledged_writes"], failed=ended["failed_statements"], gap=ended["longest_gap"], lost=ended["lost_rows"],
            same=ended["same_transactions"] and ended["checksums_agree"],
        )  # fmt: skip

    def blank(self, *members: str) -> None:
        self.lab.command("lab/down", *members)
        self.lab.command("lab/up", timeout=900, LAB_HOSTS=" ".join(members), LAB_PREPARE="0")

    def sysbench(self, member: str, processes: int, script: str, *arguments: str) -> None:
        """sysbench of this machine at the socket of a member: its packages and MySQL's do not go together on one host. Its threads cannot connect at once."""
        outside = [
            found.parent.name
            for found in Path("/proc").glob("[0-9]*/comm")
            if found.read_text() == "mysqld\n" and f"{ROOT}/" in (mounts := (found.parent / "mountinfo").read_text()) and f"/{member}/" in mounts
        ]  # fmt: skip
        assert len(outside) == 1, outside
        command = [
            "sysbench",
            script,
            f"--mysql-socket=/proc/{outside[0]}/root/run/mysqld/mysqld.sock",
            "--mysql-user=root",
            f"--tables={TABLES}",
            *arguments,
        ]
        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(lambda _one: self.lab.command(*command, timeout=LONG), range(processes)))

    def quiet(self) -> str:
        REPORTS.mkdir(parents=True, exist_ok=True)
        (REPORTS / "quiet.lua").write_text(QUIET)
        return str(REPORTS / "quiet.lua")

    def primary(self) -> str:
        return self.lab.writers()[0]

    def newest(self) -> dict:
        return self.backups.ask("list")["timelines"][-1]["fulls"][-1]

    def all_stored(self) -> None:
        """Everything that db0 has executed is in the place."""
        self.backups.stored(self.lab.executed("db0"), 1800)

    def rows(self, host: str) -> int:
        """Rows of sysbench's tables and of the load's."""
        tables = [row[0] for row in self.lab.sql(host, "SHOW TABLES FROM sbtest")]
        found = [self.lab.sql(host, f"SELECT COUNT(*) FROM sbtest.{table}", timeout=LONG) for table in tables]
        return sum(int(one[0][0]) for one in found)

    def online(self, since: float, count: int = 3) -> float:
        """Seconds until so many members are ONLINE, looked at every second."""
        seen = self.lab.address("db0")

        def whole() -> bool:
            view = self.lab.view("db0")
            return seen in view and list(view.values()) == ["ONLINE"] * count

        wait_for(whole, LONG, f"{count} members are ONLINE", every=1)
        return round(time.monotonic() - since, 1)

    # -- much data -----------------------------------------------------------------------------------------------------
    def fill(self, _number: int) -> dict:
        """One member has sysbench's data; the others get it by clone, as blank hosts do."""
        lab, rows = self.lab, self.size // TABLES // ROW
        # The members restart in turn for the plugin, which a single one would not do.
        self.site_with_clone()
        for member in ("db1", "db2"):
            lab.on(member, "systemctl", "stop", "mysql", check=False, timeout=120)
        wait_for(lambda: len(lab.view("db0")) == 1, 60, "db0 is alone")
        lab.sql(
            "db0",
            "SET sql_log_bin = 0; DROP DATABASE IF EXISTS sbtest; CREATE DATABASE sbtest; ALTER INSTANCE DISABLE INNODB REDO_LOG",
            timeout=LONG,
        )
        began = time.monotonic()
        self.sysbench("db0", 1, self.quiet(), f"--table-size={rows}", "prepare")
        took = round(time.monotonic() - began, 1)
        lab.sql("db0", "ALTER INSTANCE ENABLE INNODB REDO_LOG; FLUSH BINARY LOGS")
        # What is in no log can be had by clone only.
        newest = lab.sql("db0", "SHOW BINARY LOGS")[-1][0]
        lab.sql("db0", f"PURGE BINARY LOGS TO '{newest}'")
        self.blank("db1", "db2")
        seconds = self.site_with_clone()
        lab.one_group()
        counted = [self.rows(member) for member in lab.members]
        assert counted == [rows * TABLES] * 3, counted
        size = int(lab.on("db0", "du", "-sb", f"{DATADIR}/sbtest").split()[0])
        return {"rows": rows * TABLES, "bytes": size, "seconds": took, "site": seconds}

    def site_with_clone(self) -> float:
        run = self.lab.site("-e", "mysql_gr_clone=when_needed", timeout=LONG)
        assert run.code == 0, run
        return round(run.seconds, 1)

    def prepare(self, _number: int) -> dict:
        """A place, and hosts that make backups; the clock starts none meanwhile."""
        self.backups.begin()
        run = self.backups.play("site", timeout=LONG)
        assert run.code == 0, run
        for host in ("proxy", "db2"):
            self.lab.on(host, "systemctl", "stop", "mysql-gr-backup-full.timer")
        wait_for(lambda: not self.busy(), LONG, "no full backup is being made")
        return {"site": round(run.seconds, 1)}

    def busy(self) -> bool:
        hosts = [
            self.lab.on(host, "systemctl", "is-active", "mysql-gr-backup-full.service", check=False)
            for host in ("proxy", "db2")
        ]
        return any(text.strip() in ("active", "activating") for text in hosts)

    def full(self, _number: int) -> dict:
        """A full backup under 100 writes a second, and the same load without one before."""
        with self.load("backup-before") as before:
            time.sleep(120)
        with self.load("backup-full") as during:
            time.sleep(10)
            made = self.program("full", "--now")
            time.sleep(10)
        return {"made": made, "before": before, "during": during}

    def floor(self, _number: int) -> dict:
        """By hand, on the same host: the same data copied, and compressed at the same level, with no server, network or key."""
        found = self.with_key("restore", "--after", self.newest()["point"], "--to", f"{BESIDE}/data")
        # File after file, each removed again: there is no room for both.
        copy = self.timed(
            "proxy",
            f"cd {BESIDE}/data && mkdir ../copy && find . -type f | while read -r file; do cp -a --parents $file ../copy/ && rm ../copy/$file; done; sync",
        )
        self.shell("proxy", f"rm -rf {BESIDE}/copy")
        packed = self.timed("proxy", f"tar -C {BESIDE}/data -c . | zstd -q -3 -f -o {BESIDE}/data.tar.zst; sync")
        size = int(self.lab.on("proxy", "stat", "-c", "%s", f"{BESIDE}/data.tar.zst"))
        self.shell("proxy", f"rm -rf {BESIDE}")
        return {
            "copy": copy,
            "compress": packed,
            "bytes": size,
            "restored": {name: found[name] for name in ("bytes", "seconds", "transactions")},
        }

    def increment(self, _number: int) -> dict:
        """One row in a hundred is changed, a thousand rows in a transaction."""
        lab = self.lab
        self.all_stored()
        before, logged = self.backups.ask("plan", "--latest")["bytes"], self.logged()
        rows = self.rows("db0") // TABLES
        chance = random.Random(1)
        # Ranges of a thousand rows, none twice.
        count = rows // 100_000
        script = "".join(
            f"UPDATE sbtest.sbtest{table} SET c = REVERSE(c), k = k + 1 WHERE id BETWEEN {first} AND {first + 999};\n"
            for table in range(1, TABLES + 1)
            for first in chance.sample(range(1, rows - 998, 1000), count)
        )
        lab.give(self.primary(), "mysql", script, timeout=LONG)
        self.all_stored()
        return {
            "rows": rows * TABLES,
            "changed": TABLES * count * 1000,
            "logged": self.logged() - logged,
            "stored": self.backups.ask("plan", "--latest")["bytes"] - before,
        }

    def logged(self) -> int:
        return sum(int(row[1]) for row in self.lab.sql("db0", "SHOW BINARY LOGS"))

    def replay(self, _number: int) -> dict:
        """Many small transactions, applied by the program and by mysqlbinlog | mysql to the same data."""
        lab, full = self.lab, self.newest()
        rows = self.rows("db0") // TABLES
        self.sysbench(
            self.primary(),
            8,
            "/usr/share/sysbench/oltp_write_only.lua",
            f"--table-size={rows}",
            "--time=120",
            "--mysql-ignore-errors=all",
            "run",
        )
        self.all_stored()
        ours = self.with_key("restore", "--latest", "--no-compare", "--to", f"{BESIDE}/latest")
        self.shell("proxy", f"rm -rf {BESIDE}")
        # The logs beside the same full backup; a server as the program has it, but with one session.
        self.with_key("restore", "--after", full["point"], "--no-compare", "--to", f"{BESIDE}/data")
        names = " ".join(row[0] for row in lab.sql("db0", "SHOW BINARY LOGS"))
        self.shell("proxy", f"mkdir -p {BESIDE}/logs")
        piped = f"lab/podman exec db0 tar -C {DATADIR} -c {names} | lab/podman exec -i proxy tar -C {BESIDE}/logs -x"
        lab.command("bash", "-ec", piped, timeout=LONG)
        server = f"{BESIDE}/server"
        self.shell(
            "proxy",
            f"install -d -o mysql -g mysql {server}; chown -R mysql:mysql {BESIDE}/data; chmod 711 /var/lib/mysql-gr-backup {BESIDE}; "
            f"systemd-run --quiet --collect --unit=bench-mysqld -p User=mysql /usr/sbin/mysqld --no-defaults --datadir={BESIDE}/data --socket={server}/s"
            f" --skip-networking --mysqlx=OFF --pid-file={server}/p --log-error={server}/log --skip-log-bin --gtid-mode=ON --enforce-gtid-consistency=ON"
            " --server-id=999 --innodb-flush-log-at-trx-commit=0 --innodb-redo-log-capacity=1G --innodb-buffer-pool-size=1G"
            " --innodb-io-capacity=4000 --innodb-io-capacity-max=20000 --skip-grant-tables --max-allowed-packet=1G",
        )
        wait_for(
            lambda: "mysqld is alive" in lab.on("proxy", "mysqladmin", f"--socket={server}/s", "ping", check=False),
            300,
            "the server by hand",
        )
        by_hand = self.timed(
            "proxy",
            f"cd {BESIDE}/logs && mysqlbinlog --exclude-gtids='{full['point']}' {names} | mysql --socket={server}/s --binary-mode --max-allowed-packet=1G",
        )
        reached = (
            lab.on("proxy", "mysql", f"--socket={server}/s", "-BNe", "SELECT @@GLOBAL.gtid_executed")
            .strip()
            .replace("\\n", "")
        )
        same = lab.sql("db0", f"SELECT GTID_SUBSET('{ours['gtid']}', '{reached}')") == [["1"]]
        lab.on("proxy", "systemctl", "stop", "bench-mysqld", timeout=300)
        self.shell("proxy", f"rm -rf {BESIDE}")
        return {
            "transactions": ours["transactions"],
            "seconds": ours["seconds"],
            "by_hand": by_hand,
            "same": same,
            "bytes": ours["bytes"],
        }

    def restore(self, _number: int) -> dict:
        """All members are lost; blank hosts get the newest full backup's data."""
        lab, full = self.lab, self.newest()
        manifest = json.loads(lab.on("proxy", "cat", f"{STORE}/backups/{CLUSTER}/{full['path']}/manifest.json"))
        wanted = sum(rows for name, (rows, _checksum) in manifest["tables"].items() if name.startswith("sbtest."))
        self.blank(*lab.members)
        began = time.monotonic()
        seen: dict[str, float] = {}
        watcher = threading.Thread(target=lambda: seen.update(online=self.online(began)), daemon=True)
        watcher.start()
        run = self.backups.restore(f"gtid:{full['point']}", timeout=LONG)
        REPORTS.mkdir(parents=True, exist_ok=True)
        (REPORTS / "restore.log").write_text(run.output)
        assert run.code == 0, run
        watcher.join(timeout=30)
        return {"online": seen.get("online"), "playbook": round(run.seconds, 1), "rows": [self.rows(member) for member in lab.members], "wanted": wanted,
                "tasks": [f"{task} {seconds}s" for task, seconds in slowest(run.output, 8).items()]}  # fmt: skip

    def by_hand(self, _number: int) -> dict:
        """The same by hand: each blank host gets packages and its settings, fetches, decrypts and unpacks all of it by itself; then a group is begun."""
        lab, full = (
            self.lab,
            next(one for timeline in self.backups.ask("list")["timelines"] for one in timeline["fulls"]),
        )
        folder = f"{STORE}/backups/{CLUSTER}/timeline-0001/fulls/{full['id']}"
        names = lab.on("proxy", "sh", "-c", f"cd {folder} && ls piece-*").split()
        REPORTS.mkdir(parents=True, exist_ok=True)
        for member in lab.members:
            # Settings and certificates: an operator has them.
            lab.command(
                "bash", "-ec", f"lab/podman exec {member} tar -C / -c etc/mysql >{REPORTS}/{member}.tar", timeout=60
            )
        self.blank(*lab.members)
        key = self.backups.identity.read_text()
        began = time.monotonic()
        installed: dict[str, float] = {}

        def unpack(member: str) -> None:
            self.shell(
                member,
                "export DEBIAN_FRONTEND=noninteractive; apt-get -qq update; apt-get -qq install -y --no-install-recommends mysql-server age zstd; "
                f"systemctl stop mysql; find {DATADIR} -mindepth 1 -delete",
            )
            installed[member] = round(time.monotonic() - began, 1)
            lab.command("bash", "-ec", f"lab/podman exec -i {member} tar -C / -x <{REPORTS}/{member}.tar", timeout=60)
            lab.give(member, "umask 077; cat >/root/key", key)
            for name in names:
                lab.command(
                    "bash", "-o", "pipefail", "-ec",
                    f"lab/podman exec proxy cat {folder}/{name} | lab/podman exec -i {member} sh -c 'age -d -i /root/key | zstd -q -d | tar -C {DATADIR} -x'",
                    timeout=LONG,
                )  # fmt: skip
            self.shell(member, f"chown -R mysql:mysql {DATADIR}")
            lab.on(member, "systemctl", "start", "mysql", timeout=600)

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(unpack, lab.members))
        unpacked = round(time.monotonic() - began, 1)
        bootstrap = "SET GLOBAL group_replication_bootstrap_group"
        lab.sql("db0", f"{bootstrap} = ON; START GROUP_REPLICATION; {bootstrap} = OFF", timeout=300)
        for member in ("db1", "db2"):
            lab.sql(member, "START GROUP_REPLICATION", timeout=300)
        online = self.online(began)
        return {
            "installed": max(installed.values()),
            "unpacked": unpacked,
            "online": online,
            "rows": [self.rows(member) for member in lab.members],
        }

    # -- made several times --------------------------------------------------------------------------------------------
    def fatal_drop(self, number: int) -> dict:
        """A DROP TABLE at a random moment under load; the cluster comes back to just before it."""
        lab, chance = self.lab, random.Random(number)
        self.begun()
        load = Load(lab, f"drop-{number}", REPORTS)
        load.start(options=("--rate", "60"))
        time.sleep(chance.uniform(3, 25))
        # Of several primaries it may be one that no client writes to: then MySQL's other members may end with an error.
        member = chance.choice(self.lab.writers())
        lab.sql(member, "DROP TABLE simkp.load_rows")
        dropped = time.time()
        time.sleep(1)
        load.stop()
        events = lab.on("proxy", "cat", "/var/tmp/distdb-operations/writes.jsonl", timeout=120).splitlines()
        head, writes = json.loads(events[0]), [one for one in map(json.loads, events[1:]) if one["kind"] == "write"]
        acknowledged = {(one["client"], one["number"]) for one in writes if one["error"] is None}
        gtid = self.drop_in_logs(member)
        self.backups.stored(gtid)
        run = self.backups.restore(f"before:{gtid}", "-e", "confirm=mysql_gr",
                                   "-e", "operations_keep_old=false", timeout=LONG)  # fmt: skip
        assert run.code == 0, run
        lab.one_group()
        found = [
            set(map(tuple, lab.sql(member, f"SELECT client, number FROM simkp.load_rows WHERE run = '{head['run']}'")))
            for member in lab.members
        ]
        have = {(int(client), int(one)) for client, one in found[0]}
        tried = {(one["client"], one["number"]) for one in writes}
        lab.sql(self.lab.writers()[0], "DROP TABLE simkp.load_rows")
        return {"acknowledged": len(acknowledged), "missing": len(acknowledged - have), "unknown": len(have - tried), "same": found[0] == found[1] == found[2],
                "seconds": round(run.seconds, 1), "gtid": gtid, "dropped": dropped}  # fmt: skip

    def drop_in_logs(self, member: str) -> str:
        """The transaction of the last DROP, looked for as the manual says: in the binary logs of a member."""
        names = " ".join(row[0] for row in self.lab.sql(member, "SHOW BINARY LOGS")[-2:])
        text = self.shell(
            member,
            f"cd {DATADIR} && mysqlbinlog {names} | grep -B 20 -i '^DROP TABLE' | grep -o \"GTID_NEXT= '[^']*'\" | tail -1",
        )
        return text.strip().split("'")[1]

    def begun(self) -> None:
        """There is a full backup."""
        if not self.listed():
            self.program("full", "--now")

    def listed(self) -> list[str]:
        return [full["id"] for timeline in self.backups.ask("list")["timelines"] for full in timeline["fulls"]]

    def restorable(self) -> list[str]:
        """What is wrong with the newest backups that are listed: each is read whole, and compared with its checksums."""
        found = []
        for full in self.listed()[-3:]:
            text = self.lab.on(
                "proxy", "bash", "-c", f"{PROGRAM} check {full} --deep --json 2>/dev/null; true", timeout=LONG
            )
            answer = json.loads(text)
            if not answer.get("ok"):
                found += [str(one) for one in answer.get("problems") or [answer.get("msg", "no answer")]]
        return found

    def cut(self, number: int, maker: str, victim: Callable[[str], str]) -> dict:
        """A full backup is being made, and a host loses its power at a random moment of it. victim: which one, by what the backup has said; '' is none yet."""
        lab = self.lab
        span = self.typical(maker)
        before = self.listed()
        log = "/var/tmp/bench-full.log"
        run = f"{PROGRAM} full --now --json >{log} 2>&1; echo ended $? >>{log}"
        lab.on(maker, "sh", "-c", f"rm -f {log}; systemd-run --quiet --collect --unit=bench-full sh -c '{run}'")
        host = wait_for(lambda: victim(lab.on(maker, "cat", log, check=False)), 120, "the copy has begun", every=0.2)
        at = random.Random(f"{maker} {number}").uniform(0, span)
        time.sleep(at)
        said = lab.on(maker, "cat", log)
        lab.command("lab/podman", "kill", "--signal", "KILL", host)
        answer = ""
        if host != maker:
            wait_for(lambda: "ended" in lab.on(maker, "cat", log), 900, "the backup ends")
            answer = lab.on(maker, "cat", log).strip().splitlines()[-1]
        lab.command("lab/host", "start", host)
        self.whole_again()
        new = [one for one in self.listed() if one not in before]
        made = self.program("full", "--now", host=maker)
        folders = lab.on("proxy", "sh", "-c", f"ls {STORE}/backups/{CLUSTER}/timeline-*/fulls").split()
        unfinished = {one for one in folders if one.endswith(f"-{maker}")} - set(self.listed())
        return {"host": host, "after": round(at, 1), "span": span, "ended_before": "ended" in said, "answer": answer, "listed": new,
                "problems": self.restorable(), "next": made["full"], "left_over": len(unfinished)}  # fmt: skip

    def typical(self, host: str) -> float:
        """Seconds of a full backup that is not disturbed; measured once on each host."""
        if host not in self.spans:
            self.spans[host] = self.program("full", "--now", host=host)["seconds"]["all"]
        return self.spans[host]

    def whole_again(self) -> None:
        """After a power cut: by the playbook, where the member has not come back by itself."""
        lab = self.lab

        def whole() -> bool:
            return all(list(lab.view(member).values()) == ["ONLINE"] * 3 for member in lab.members)

        if not whole():
            run = lab.site(playbook="playbooks/recover.yml", timeout=900)
            assert run.code == 0, run
        wait_for(whole, 300, "the cluster is whole")

    def backup_host_off(self, number: int) -> dict:
        """db2, which makes the backup, loses its power."""
        return self.cut(number, "db2", lambda text: "db2" if " is copied (" in text else "")

    def source_off(self, number: int) -> dict:
        """The member that is copied loses its power; the proxy's host makes the backup."""
        return self.cut(
            number,
            "proxy",
            lambda text: next((line.split()[0] for line in text.splitlines() if " is copied (" in line), ""),
        )

    def drill(self, _number: int) -> dict:
        folder = REPORTS / "drills"
        folder.mkdir(parents=True, exist_ok=True)
        self.begun()
        run = self.backups.play(
            "restore_drill",
            "-e",
            f"operations_identity={self.backups.identity}",
            "-e",
            f"operations_report={folder}",
            timeout=LONG,
        )
        newest = max(folder.glob("**/*.json"), key=lambda path: path.stat().st_mtime)
        found = json.loads(newest.read_text())
        return {
            "code": run.code,
            "playbook": round(run.seconds, 1),
            "ok": found["ok"],
            "seconds": found["seconds"],
            "bytes": found["bytes"],
        }

    def remove(self, _number: int) -> None:
        self.backups.play("site", "-e", "mysql_backup_state=absent", timeout=LONG)
        self.backups.end()


def kept() -> list[dict]:
    return [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=float, default=10, help="GB of sysbench's tables (fill)")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--place", choices=KINDS, default=KINDS[0], help="what the place speaks; webdav without TLS")
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("steps", nargs="*", metavar="STEP")
    options = parser.parse_args()
    bench = Bench(int(options.size * 1e9), options.place)
    unknown = [name for name in options.steps if name not in bench.steps]
    if unknown:
        parser.error(f"'{unknown[0]}' is not allowed (allowed: {', '.join(bench.steps)})")
    for name in options.steps:
        for number in range(options.runs if name in report.SEVERAL else 1):
            began, busy = time.time(), os.getloadavg()[0]
            found = bench.steps[name](number)
            if found is None:
                continue
            line = {"step": name, "number": number, "at": int(began), "size": options.size, "place": options.place,
                    "load": [round(busy, 1), round(os.getloadavg()[0], 1)],
                    "took": round(time.time() - began, 1), **found}  # fmt: skip
            RECORDS.parent.mkdir(exist_ok=True)
            with RECORDS.open("a") as target:
                target.write(json.dumps(line) + "\n")
            print(time.strftime("%H:%M:%S"), json.dumps(line), flush=True)
    if options.docs:
        PAGE.write_text(renewed(PAGE.read_text(), report.page(kept())))
    return int(any(map(report.bad, kept())))


if __name__ == "__main__":
    sys.exit(main())
