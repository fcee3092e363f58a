# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One outage after the other on the converged lab of this checkout, whose members have the guard in mode full, under load and without a playbook.

    outages.py [--runs N] [--rate R] [--docs] [OUTAGE…]      (without a name: all of them)

Each run has a load of its own through the proxy (bench/failover/load.py), and ends when the cluster is whole again and every member was asked for every
acknowledged row. Runs that are kept in bench/chaos/records/outages.jsonl are not made again. --docs writes them into docs/measurements/guard.md. Exit code 1:
a row was lost, there were two groups at one moment, members differ, or a person was needed.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Iterator

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE)]

import plan  # noqa: E402
from chaos import COMMANDS, PATIENCE, RECORDS, USER, Chaos, write_between  # noqa: E402
from failover_report import read_lines  # noqa: E402
from support import wait_for  # noqa: E402

CACHE = ROOT / ".cache" / "outages"
RUNS = RECORDS / "outages.jsonl"
PAGE = ROOT / "docs" / "measurements" / "guard.md"
LOAD = str(HERE.parent / "failover" / "load.py")
CLIENTS = 8
BEFORE = 8  # seconds of load before the outage
STEADY = 4  # seconds for which a cluster stays whole that is so: a server whose disk was full ends only when a client of it gives up
GUARD = "/usr/local/sbin/mysql-gr-guard"
FULL = ("-e", "mysql_gr_guard=full")


class Outages(Chaos):
    """The runs. Each method that is an outage takes the number of the run, and returns what it has to say beside the times."""

    over = 0.0  # when the fault was over, in unix time

    def __init__(self, rate: float) -> None:
        super().__init__(0, 0)
        self.rate = rate
        self.undo: Callable[[], None] = lambda: None
        self.made: dict[str, Callable[[int], dict]] = {
            name.replace("_", " "): getattr(self, name)
            for name in (
                "all_killed", "two_killed", "writer_killed", "writer_killed_patient_group", "hosts_off_together", "hosts_on_in_turn", "one_host_late",
                "all_cut_off", "killed_every_20_s", "hosts_one_after_the_other", "disk_full", "most_transactions_last", "one_never_boots",
                "playbook_beside_guards",
            )
        }  # fmt: skip

    # -- what is done to hosts -----------------------------------------------------------------------------------------
    def each(self, members: list[str], do: Callable[[str], object]) -> None:
        with ThreadPoolExecutor(len(members)) as pool:
            list(pool.map(do, members))

    def kill(self, members: list[str]) -> None:
        self.each(members, lambda member: self.shell(member, COMMANDS["kill"]["inject"]))

    def power_off(self, members: list[str]) -> None:
        """As a power cut does it: nothing is stopped before."""
        self.each(members, lambda member: self.lab.command("lab/podman", "kill", "--signal", "KILL", member))
        for member in members:
            shown = ("lab/podman", "inspect", "--format", "{{.State.Status}}", member)
            wait_for(lambda shown=shown: "running" not in self.lab.command(*shown).stdout, 30, f"{member} is off")

    def power_on(self, members: list[str]) -> None:
        self.each(members, lambda member: self.lab.command("lab/host", "start", member))

    def status(self, member: str) -> dict:
        text = self.lab.on(member, GUARD, "status", "--json", check=False)
        return json.loads(text) if text.startswith("{") else {}

    def turned(self, number: int) -> list[str]:
        """All members, another one first in each run."""
        at = number % len(self.names)
        return self.names[at:] + self.names[:at]

    def await_whole(self, since: float) -> float | None:
        """As in the chaos run, but it has to stay so."""
        while True:
            late = time.time() > since + PATIENCE + STEADY
            begin = plan.whole_from(((look["at"], self.whole(look)) for look in list(self.looks)), since, STEADY)
            if begin is not None:
                return round(begin - since, 1)
            if late:
                return None
            time.sleep(0.5)

    def ended(self) -> dict:
        self.over = time.time()
        return {}

    # -- the outages ---------------------------------------------------------------------------------------------------
    def all_killed(self, _number: int) -> dict:
        self.kill(self.names)
        return self.ended()

    def two_killed(self, number: int) -> dict:
        self.kill(self.turned(number)[:2])
        return self.ended()

    def writer_killed(self, _number: int) -> dict:
        """Who has most of the inserts of a second is the writer."""
        inserts = (
            "SELECT SUM(COUNT_STAR) FROM performance_schema.events_statements_summary_by_user_by_event_name"
            f" WHERE USER = '{USER}' AND EVENT_NAME = 'statement/sql/insert'"
        )
        before = {name: int(self.lab.sql(name, inserts)[0][0]) for name in self.names}
        time.sleep(1)
        since = {name: int(self.lab.sql(name, inserts)[0][0]) - before[name] for name in self.names}
        writer = max(self.names, key=lambda name: since[name])
        struck = time.time()
        self.kill([writer])
        return {**self.ended(), "killed": writer, "struck": struck}

    def writer_killed_patient_group(self, number: int) -> dict:
        """Its group bears silence for half a minute."""
        self.set_patience(30)
        self.undo = lambda: self.set_patience(0)
        return self.writer_killed(number)

    def set_patience(self, seconds: int) -> None:
        for name in self.names:
            self.lab.sql(name, f"SET GLOBAL group_replication_member_expel_timeout = {seconds}")

    def hosts_off_together(self, _number: int) -> dict:
        self.power_off(self.names)
        self.power_on(self.names)
        return self.ended()

    def hosts_on_in_turn(self, number: int) -> dict:
        order = list(list(itertools.permutations(self.names))[number % 6])
        self.power_off(self.names)
        for member in order:
            self.power_on([member])
            time.sleep(5)
        self.ended()
        self.over -= 5
        return {"order": order}

    def one_host_late(self, number: int) -> dict:
        late, *others = self.turned(number)
        seconds = 180 if number == 0 else 60
        self.power_off(self.names)
        self.power_on(others)
        time.sleep(seconds)
        self.power_on([late])
        return {**self.ended(), "late": late, "seconds": seconds}

    def all_cut_off(self, _number: int) -> dict:
        self.each(self.names, lambda member: self.shell(member, COMMANDS["network_all"]["inject"]))
        time.sleep(60)
        self.each(self.names, lambda member: self.shell(member, COMMANDS["network_all"]["undo"]))
        return self.ended()

    def killed_every_20_s(self, number: int) -> dict:
        chance, end, kills = random.Random(number), time.monotonic() + 600, 0
        while time.monotonic() < end:
            due = time.monotonic() + 20
            self.kill([chance.choice(self.names)])
            kills += 1
            time.sleep(max(0.0, due - time.monotonic()))
        return {**self.ended(), "kills": kills}

    def hosts_one_after_the_other(self, _number: int) -> dict:
        for member in self.names:
            self.lab.command("lab/host", "stop", member)
            self.power_on([member])
            if self.await_whole(time.time()) is None:
                break
        return self.ended()

    def disk_full(self, number: int) -> dict:
        member = self.turned(number)[0]
        self.shell(member, COMMANDS["disk_full"]["inject"])
        time.sleep(30)
        self.shell(member, COMMANDS["disk_full"]["undo"])
        return {**self.ended(), "member": member}

    def most_transactions_last(self, number: int) -> dict:
        """Two leave, one after the other, while clients write; then the last one's host loses its power, too."""
        most, *others = self.turned(number)
        for member in others:
            self.lab.command("lab/host", "stop", member)
            time.sleep(5)
        self.power_off([most])
        self.power_on(others)
        time.sleep(20)
        early = [member for member in others if "ONLINE" in self.lab.view(member).values()]
        self.power_on([most])
        return {**self.ended(), "most": most, "early": early}

    def one_never_boots(self, number: int) -> dict:
        """The others say for whom they wait, and go on when it comes after all."""
        away, *others = self.turned(number)
        self.power_off(self.names)
        self.power_on(others)
        for member in others:
            wait_for(lambda member=member: self.status(member).get("rule") == "unasked", 90, f"{member} waits")
        named = all(self.addresses[away] in self.status(member).get("reason", "") for member in others)
        time.sleep(30)
        early = [member for member in others if "ONLINE" in self.lab.view(member).values()]
        self.power_on([away])
        return {**self.ended(), "away": away, "named": named, "early": early}

    def playbook_beside_guards(self, number: int) -> dict:
        """recover is run at once, and in every fifth run site."""
        playbook = "site.yml" if number % 5 == 4 else "playbooks/recover.yml"
        self.kill(self.names)
        self.ended()
        run = self.lab.site(*FULL, playbook=playbook, timeout=600)
        said = [line for line in str(run).splitlines() if "fatal:" in line or '"msg"' in line]
        return {
            "playbook": playbook,
            "code": run.code,
            "seconds": round(run.seconds, 1),
            "said": said[:3] if run.code else [],
        }

    # -- a run ---------------------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def load(self, directory: Path) -> Iterator[None]:
        env = dict(self.lab.env, MYSQL_PWD=self.lab.secrets()["lab_app_password"])
        proxy = str(self.lab.variable("proxy", "proxysql_address"))
        command = [
            "lab/enter", sys.executable, LOAD, "run", "--host", proxy, "--port", "6033", "--user", USER, "--database", "simkp", "--directory", str(directory),
            "--clients", str(CLIENTS), "--rate", str(self.rate), "--seconds", "7200",
        ]  # fmt: skip
        with subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as load:
            try:
                wait_for(lambda: (directory / "started").exists(), 60, "the load has begun")
                yield
            finally:
                (directory / "stop").touch()
                load.wait(timeout=90)

    def agree(self, directory: Path) -> dict:
        env = {"MYSQL_PWD": self.lab.secrets()["lab_app_password"]}
        members = [part for address in self.addresses.values() for part in ("--member", f"{address}:3306")]
        self.lab.command(
            "lab/enter", sys.executable, LOAD, "agree", "--tls", "--timeout", "120", *members, "--user", USER, "--database", "simkp",
            "--directory", str(directory), check=False, **env,
        )  # fmt: skip
        return json.loads((directory / "agree.json").read_text())

    def suffer_one(self, name: str, number: int) -> dict:
        directory = CACHE / f"{name.replace(' ', '-')}-{number}"
        directory.mkdir(parents=True, exist_ok=True)
        for old in directory.iterdir():
            old.unlink()
        first = len(self.looks)
        with self.load(directory):
            time.sleep(BEFORE)
            began, busy = time.time(), os.getloadavg()[0]
            about = self.made[name](number)
            whole = self.await_whole(self.over)
            if whole is None:
                self.recover(name, *FULL)
            since = time.time()
            wait_for(lambda: any(one > since for one in successes(directory)), 120, "a write after it")
            time.sleep(4)  # of which the throughput is taken
        self.undo()
        self.undo = lambda: None
        end = time.time()
        found, agreed = successes(directory), self.agree(directory)
        answer = self.all_answer(self.over)
        return {
            "outage": name, "number": number, "at": int(began), "rate": self.rate, "load": [round(busy, 1), round(os.getloadavg()[0], 1)],
            "gap": plan.gap_in(found, began, end),
            "servers_after": round(answer - self.over, 1) if answer else None,
            "service_after_servers": plan.back_after(found, answer) if answer else None,
            "throughput_back": plan.throughput_back(found, began, about.pop("struck", self.over)),
            "whole_after": whole, "person": whole is None, "acknowledged": len(found), "lost": agreed["lost"],
            "same": agreed["same_transactions"] and agreed["checksums_agree"], "several_groups": len(plan.several_groups(self.looks[first:])), **about,
        }  # fmt: skip

    def series(self, names: list[str], runs: int) -> None:
        CACHE.mkdir(parents=True, exist_ok=True)
        for member in self.names:
            if self.status(member).get("mode") != "full":
                raise SystemExit(f"{member} has no guard in mode full: run site with -e mysql_gr_guard=full before")
        self.prepare()
        with self.watching():
            for number in range(runs):
                for name in names:
                    if any(one["outage"] == name and one["number"] == number for one in kept()):
                        continue
                    self.check()
                    found = self.suffer_one(name, number)
                    RECORDS.mkdir(exist_ok=True)
                    with RUNS.open("a") as target:
                        target.write(json.dumps(found) + "\n")
                    print(time.strftime("%H:%M:%S"), json.dumps(found), flush=True)
        self.forget_account()


def successes(directory: Path) -> list[float]:
    """When each acknowledged write ended, in unix time."""
    text = (directory / "writes.jsonl").read_text()
    head, *events = read_lines(text[: text.rfind("\n") + 1])
    return sorted(head["origin"] + one["end"] for one in events if one["kind"] == "write" and one["error"] is None)


def kept() -> list[dict]:
    return [json.loads(line) for line in RUNS.read_text().splitlines()] if RUNS.exists() else []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rate", type=float, default=40.0, help="writes a second")
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("outages", nargs="*", metavar="OUTAGE")
    options = parser.parse_args()
    outages = Outages(options.rate)
    unknown = [name for name in options.outages if name not in outages.made]
    if unknown:
        parser.error(f"'{unknown[0]}' is not allowed (allowed: {', '.join(outages.made)})")
    names = options.outages or list(outages.made)
    outages.series(names, options.runs)
    runs = [one for one in kept() if one["outage"] in names]
    print(plan.table(runs))
    if options.docs:
        write_between(PAGE, plan.table(kept()))
    return int(any(map(plan.bad, runs)))


if __name__ == "__main__":
    sys.exit(main())
