# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random faults on the converged lab of this checkout, one after the other, while clients write, read and count; and what became of it.

    chaos.py [--minutes M] [--seed S] [--docs]

The same seed gives the same faults in the same order. Each fault begins when the cluster is whole again after the one before. If
it does not become whole within three minutes of the end of a fault, the recover playbook does it, and the report says that a
person was needed. Exit code 1: an acknowledged row was lost, an anomaly was found, there were two groups at one moment, or a
person was needed. Reports are in bench/chaos/records; --docs writes docs/measurements/chaos.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import secrets
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterator

import yaml

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "anomalies"), str(HERE.parent / "failover"), str(ROOT / "tests")]

import judge  # noqa: E402
import plan  # noqa: E402
from failover_report import read_lines  # noqa: E402
from support import Lab  # noqa: E402

CACHE = ROOT / ".cache" / "chaos"
# What the pages in docs/measurements are made of.
RECORDS = HERE / "records"
PAGE = ROOT / "docs" / "measurements" / "chaos.md"
COMMANDS = yaml.safe_load((HERE.parent / "failover" / "faults.yml").read_text())["failover_faults"]
# Seconds within which a cluster becomes whole by itself.
PATIENCE = 180
USER = "simkpuser"
# Looks at the members from outside of them.
WATCH = "chaos_watch"


class Chaos:
    """One run."""

    def __init__(self, seed: int, minutes: float) -> None:
        self.lab, self.seed, self.minutes = Lab(), seed, minutes
        self.names = list(self.lab.members)
        self.addresses = {name: self.lab.address(name) for name in self.names}
        self.looks: list[dict] = []

    # -- faults --------------------------------------------------------------------------------------------------------
    def shell(self, member: str, commands: str) -> None:
        """Commands of faults.yml on a member."""
        others = [address for name, address in self.addresses.items() if name != member]
        words = {
            "service": "mysql",
            "datadir": "/var/lib/mysql",
            "members": " ".join(others),
            "others": " ".join([*others, str(self.lab.variable("proxy", "proxysql_address"))]),
        }
        self.lab.on(
            member, "env", *(f"{key}={value}" for key, value in words.items()), "sh", "-c", commands, timeout=120
        )

    def one(self, fault: plan.Fault, member: str, end: bool) -> None:
        kind = plan.KINDS[fault.kind].fault
        if kind == "reboot":
            self.lab.command("lab/host", "start" if end else "stop", member, timeout=180)
        elif not end:
            self.shell(member, COMMANDS[kind]["inject"])
        elif fault.lasts:
            self.shell(member, COMMANDS[kind]["undo"])

    def inject(self, fault: plan.Fault) -> tuple[float, float]:
        """Make it and undo it; when it began and when it was over, in unix time."""
        began = time.time()
        with ThreadPoolExecutor(len(fault.members)) as pool:
            list(pool.map(lambda member: self.one(fault, member, False), fault.members))
        begin = time.monotonic()
        for member, late in fault.undone:
            time.sleep(max(0.0, begin + fault.lasts + late - time.monotonic()))
            self.one(fault, member, True)
        return began, time.time()

    # -- looks ---------------------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        pairs = [f"{name}={address}" for name, address in self.addresses.items()]
        env = dict(self.lab.env, WATCH_USER=WATCH, WATCH_PASSWORD=self.watch_account())
        command = ["lab/enter", sys.executable, str(HERE / "looks.py"), *pairs]
        with subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as watch:
            reader = threading.Thread(target=lambda: self.looks.extend(map(json.loads, watch.stdout)))
            reader.start()
            try:
                yield
            finally:
                watch.stdin.close()
                reader.join()

    def open_member(self) -> str:
        """One that takes writes."""
        return next(name for name in self.names if self.lab.sql(name, "SELECT @@super_read_only") == [["0"]])

    def forget_account(self) -> None:
        """Once everything is compared: this is a transaction of the group's, too."""
        self.lab.give(self.open_member(), "mysql", f"DROP USER IF EXISTS {WATCH}@'%';")

    def watch_account(self) -> str:
        """The password of an account that may look from outside of the cluster, which its own accounts may not."""
        password = secrets.token_hex(16)
        self.lab.give(
            self.open_member(), "mysql",
            f"CREATE USER IF NOT EXISTS {WATCH}@'%' REQUIRE SSL; ALTER USER {WATCH}@'%' IDENTIFIED BY '{password}';"
            f"GRANT SELECT ON performance_schema.* TO {WATCH}@'%';",
        )  # fmt: skip
        return password

    def whole(self, look: dict) -> bool:
        """Every member was ONLINE and saw all others so."""
        return all(
            one is not None and sorted(one["sees"].values()) == ["ONLINE"] * len(self.names)
            for one in look["members"].values()
        )

    def await_whole(self, since: float) -> float | None:
        """Seconds until the cluster is whole again, since a moment; None if it did not become so by itself."""
        while True:
            late = time.time() > since + PATIENCE
            for look in list(self.looks):
                if look["at"] > since and self.whole(look):
                    return round(look["at"] - since, 1)
            if late:
                return None
            time.sleep(0.5)

    def all_answer(self, since: float) -> float | None:
        """Unix time of the first look since a moment at which every member's server answered."""
        return next(
            (look["at"] for look in self.looks if look["at"] >= since and None not in look["members"].values()), None
        )

    # -- the run -------------------------------------------------------------------------------------------------------
    def clients(self, history: Path, seconds: float) -> subprocess.Popen:
        env = dict(
            self.lab.env, APP_HOST=str(self.lab.variable("proxy", "proxysql_address")), APP_PORT="6033", APP_DATABASE="simkp",
            APP_USER=USER, APP_READER=USER, APP_PASSWORD=self.lab.secrets()["lab_app_password"],
        )  # fmt: skip
        command = [
            "lab/enter", sys.executable, str(HERE.parent / "anomalies" / "clients.py"), "--seconds", str(seconds), "--history", str(history),
        ]  # fmt: skip
        return subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)

    def check(self) -> None:
        """Nothing is disturbed unless all is well before."""
        for name in self.names:
            states = sorted(self.lab.view(name).values())
            if states != ["ONLINE"] * len(self.names):
                seen = ", ".join(states) or "no group"
                raise SystemExit(f"{name} sees {seen}; needed are {len(self.names)} ONLINE members: make site.")

    def prepare(self) -> None:
        """What the faults need that cut members off."""
        for member in self.names:
            self.lab.on(member, "sh", "-c", "command -v iptables || apt-get -qq install -y iptables", timeout=300)

    def recover(self, after: str, *arguments: str) -> None:
        """What a person would do."""
        run = self.lab.site(*arguments, playbook="playbooks/recover.yml", timeout=900)
        if run.code:
            raise SystemExit(f"after {after} the recover playbook failed:\n{run}")

    def run(self) -> dict:
        self.check()
        CACHE.mkdir(parents=True, exist_ok=True)
        self.prepare()
        history = CACHE / f"history-{self.seed}.jsonl"
        made: list[dict] = []
        with self.watching():
            clients = self.clients(history, 60 * self.minutes)
            try:
                first = clients.stdout.readline()
                if not first:
                    raise SystemExit(f"the clients ended before they began: exit {clients.wait()}")
                origin = float(first)
                for fault in plan.faults(self.seed, self.names):
                    time.sleep(fault.calm)
                    if time.time() > origin + 60 * self.minutes - PATIENCE / 3:
                        break
                    made.append(self.suffer(fault))
                clients.wait(timeout=60 * self.minutes + 300)
            finally:
                clients.kill()
        *events, final = read_lines(history.read_text())
        report = self.judged(made, events, final, origin)
        self.forget_account()
        return report

    def suffer(self, fault: plan.Fault) -> dict:
        began, over = self.inject(fault)
        seconds = self.await_whole(over)
        found = dict(
            kind=fault.kind, members=fault.members, began=began, over=over, whole_after=seconds, person=seconds is None, load=os.getloadavg()[0]
        )  # fmt: skip
        if seconds is None:
            self.recover(fault.kind)
        print(
            f"{time.strftime('%H:%M:%S')} {fault.kind} ({', '.join(fault.members)}) for {over - began:.0f} s:"
            f" {'a person was needed' if seconds is None else f'whole after {seconds:.0f} s'}",
            flush=True,
        )
        return found

    def judged(self, made: list[dict], events: list[dict], final: dict, origin: float) -> dict:
        successes = sorted(
            origin + event["end"]
            for event in events
            if event["error"] is None and event["kind"] in ("write", "increment")
        )
        ends = [one["began"] for one in made[1:]] + [origin + max(event["end"] for event in events)]
        for one, end in zip(made, ends):
            answer = self.all_answer(one["over"])
            one["gap"] = plan.gap_in(successes, one["began"], end)
            # Of faults in which the service was away until the servers were there again: from then on.
            one["service_after_servers"] = plan.back_after(successes, answer) if answer else None
        registers, counters, sums = (
            {int(key): value for key, value in (final[name] or {}).items()}
            for name in ("registers", "counters", "sums")
        )
        errors: dict[str, int] = {}
        for event in events:
            if event["error"] is not None:
                code = re.match(r"\((\d+)", event["error"])
                errors[code[1] if code else event["error"]] = errors.get(code[1] if code else event["error"], 0) + 1
        executed = {name: self.lab.sql(name, "SELECT @@gtid_executed", check=False) for name in self.names}
        return {
            "seed": self.seed,
            "minutes": self.minutes,
            "at": int(origin),
            "writers": self.lab.variable("db0", "mysql_gr_writers"),
            "faults": made,
            "statements": len(events),
            "failed": errors,
            "lost_writes": judge.lost_writes(events, registers, counters),
            "lost_updates": judge.lost_updates(events),
            "increments": len(judge.acknowledged(events, "increment")),
            "write_skew": len(judge.write_skew(events)),
            "own_writes_unread": len(judge.read_your_writes(events, "writer")),
            "reads_back_in_time": len(judge.monotonic_reads(events, "writer")),
            "executed_twice": judge.executed_twice(events, sums),
            "several_groups": plan.several_groups(self.looks),
            "looks": len(self.looks),
            "same_transactions": len({str(rows) for rows in executed.values()}) == 1 and [] not in executed.values(),
            "persons": sum(one["person"] for one in made),
        }


BAD = (
    "lost_writes",
    "lost_updates",
    "write_skew",
    "own_writes_unread",
    "reads_back_in_time",
    "executed_twice",
    "several_groups",
    "persons",
)


# What the choice `all` does not prevent (docs/measurements/consistency.md).
OF_ALL = ("write_skew", "own_writes_unread", "reads_back_in_time")


def bad(report: dict) -> list[str]:
    """What must not be and was."""
    found = [name for name in BAD if report.get(name) and not (report["writers"] == "all" and name in OF_ALL)]
    return found if report["same_transactions"] else [*found, "members differ"]


def text(report: dict) -> str:
    """The report for people."""
    kinds = sorted({one["kind"] for one in report["faults"]})
    counts = [
        (len(report["faults"]), "faults"),
        (report["statements"], "statements"),
        (sum(report["failed"].values()), "failed"),
        (report["lost_writes"], "acknowledged values missing at the end"),
        (report["lost_updates"], f"of {report['increments']} increments lost"),
        (report["write_skew"], "pairs with write skew"),
        (report["own_writes_unread"], "own writes unread"),
        (report["reads_back_in_time"], "reads back in time"),
        (len(report["several_groups"]), f"of {report['looks']} looks with two groups"),
        (report["persons"], "times a person was needed"),
    ]
    # Not counted in the earliest runs.
    if "executed_twice" in report:
        counts.insert(-2, (report["executed_twice"], "statements executed twice"))
    loads = [round(one["load"]) for one in report["faults"]]
    lines = [
        f"Seed {report['seed']}, {report['minutes']:g} minutes, {time.strftime('%Y-%m-%d', time.gmtime(report['at']))}, `{report['writers']}`,"
        + (f" load {min(loads)} to {max(loads)}: " if loads else " ")
        + ", ".join(f"{count} {words}" for count, words in counts)
        + f"; at the end the members hold {'the same transactions' if report['same_transactions'] else '**different transactions**'}.",
        "",
        "| fault | times | longest gap, median and worst | service after all servers answer, worst | whole after its end, worst | a person was needed |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind in kinds:
        of = [one for one in report["faults"] if one["kind"] == kind]
        gaps = [one["gap"] for one in of]
        lines.append(
            f"| {kind} | {len(of)} | {plan.middle_and_worst(gaps)} | {plan.worst(of, 'service_after_servers')}"
            f" | {plan.worst(of, 'whole_after')} | {sum(one['person'] for one in of)} |"
        )
    return "\n".join(lines)


def write_between(page: Path, made: str) -> None:
    """What the runs of a page are, between its two marks."""
    page.write_text(plan.renewed(page.read_text(), made))


def write_page() -> None:
    """Every report that is kept, the oldest first."""
    reports = sorted((json.loads(path.read_text()) for path in RECORDS.glob("chaos-*.json")), key=lambda one: one["at"])
    write_between(PAGE, "\n\n".join(map(text, reports)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randint(1, 99999))
    parser.add_argument("--docs", action="store_true")
    options = parser.parse_args()
    if not options.minutes > 0:
        parser.error(f"--minutes is {options.minutes:g}; allowed are numbers above 0")
    print(f"seed {options.seed}", flush=True)
    chaos = Chaos(options.seed, options.minutes)
    report = chaos.run()
    RECORDS.mkdir(exist_ok=True)
    path = RECORDS / f"chaos-{report['seed']}-{report['at']}.json"
    path.write_text(json.dumps(report, indent=1) + "\n")
    print(text(report))
    if options.docs:
        write_page()
    found = bad(report)
    print(f"{path.relative_to(ROOT)}: {', '.join(found) if found else 'nothing that must not be'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
