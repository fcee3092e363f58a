# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes until an alert of the collection's rules fires after a fault, and until it ends: a Prometheus on the lab, whose hosts have monitoring.

    alerts.py run [--runs N] [--faults NAME …] [--hold SECONDS]     with the lab up; Prometheus is unpacked into .cache
    alerts.py docs                                                  renews the table in docs/measurements/alerts.md from the records

Faults are those of bench/failover/faults.yml. A fault lasts until an alert has fired, and then until nothing new came for QUIET seconds, or for --hold seconds.
Each run becomes one line of bench/records/alerts.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench" / "chaos"), str(ROOT / "tests")]

import plan  # noqa: E402

RECORDS = ROOT / "bench" / "records" / "alerts.jsonl"
PAGE = ROOT / "docs" / "measurements" / "alerts.md"
FOLDER = ROOT / ".cache" / "alerts"
# Where tools/promtool-check unpacks the package.
PROMETHEUS = ROOT / ".cache" / "promtool" / "usr" / "bin" / "prometheus"
API = "http://127.0.0.1:19090/api/v1/alerts"
SCRAPE = 5
QUIET = 45
# Of bench/failover/faults.yml, what lasts until it is undone; what happens on the control node or is planned is not here.
FAULTS = (
    "kill", "primary_killed", "stop", "freeze", "network_long", "disk_full", "two_killed", "all_killed", "network_all", "proxy_killed",
)  # fmt: skip
HEADS = (
    "fault",
    "runs",
    "alert",
    "fired in",
    "fires after (median, slowest)",
    "ended after the fault's end (median, slowest)",
)


def configuration(targets: dict[str, list[str]], ca: str, cluster: str) -> dict[str, Any]:
    """Of the Prometheus: jobs with their targets."""
    return {
        "global": {"scrape_interval": f"{SCRAPE}s", "scrape_timeout": "4s", "evaluation_interval": f"{SCRAPE}s"},
        "rule_files": [str(ROOT / "monitoring/prometheus/mysql_ha.rules.yml")],
        "scrape_configs": [
            {
                "job_name": job,
                "scheme": "https",
                "basic_auth": {"username": "prometheus", "password_file": str(FOLDER / "password")},
                "tls_config": {"ca_file": ca},
                "static_configs": [{"targets": addresses, "labels": {"cluster": cluster}}],
            }
            for job, addresses in targets.items()
        ],
    }


def firing(answer: dict[str, Any]) -> set[str]:
    """Names of the alerts that fire."""
    return {one["labels"]["alertname"] for one in answer["data"]["alerts"] if one["state"] == "firing"}


def follow(look: Callable[[], set[str]], over: Callable[[dict[str, float], float], bool], clock: Callable[[], float] = time.monotonic,
           pause: Callable[[float], None] = time.sleep) -> dict[str, float]:  # fmt: skip
    """Seconds until each alert fired, looked at until it is over."""
    began, found = clock(), {}
    while True:
        now = clock() - began
        for name in sorted(look() - set(found)):
            found[name] = round(now, 1)
        if over(found, now):
            return found
        pause(0.5)


def fade(look: Callable[[], set[str]], names: set[str], within: float, clock: Callable[[], float] = time.monotonic,
         pause: Callable[[float], None] = time.sleep) -> dict[str, float | None]:  # fmt: skip
    """Seconds until each of these alerts has ended for good; None: it fired at the end of the time."""
    began = clock()
    ended: dict[str, float | None] = {}
    while True:
        now = clock() - began
        there = look()
        for name in sorted(names | there | set(ended)):
            if name in there:
                ended[name] = None
            elif ended.get(name) is None:
                ended[name] = round(now, 1)
        if now >= within or (not there and all(now - float(at or 0) >= 20 for at in ended.values())):
            return ended
        pause(0.5)


def records() -> list[dict[str, Any]]:
    return [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):.0f} s, {max(values):.0f} s" if values else "–"


def rows(found: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Of the table: one for each fault and alert, in the order in which alerts fired."""
    made = []
    for fault in [name for name in FAULTS if any(one["fault"] == name for one in found)]:
        runs = [one for one in found if one["fault"] == fault]
        names = {name for one in runs for name in {*one["fired"], *one["ended"]}}
        if not names:
            made.append((fault, str(len(runs)), "none", "–", "–", "–"))
        after = {name: [one["fired"][name] for one in runs if name in one["fired"]] for name in names}
        for name in sorted(names, key=lambda name: (statistics.median(after[name]) if after[name] else 1e9, name)):
            late = [one for one in runs if name in one["ended"] and name not in one["fired"]]
            ends = [one["ended"][name] for one in runs if one["ended"].get(name) is not None]
            open_ = sum(1 for one in runs if name in one["ended"] and one["ended"][name] is None)
            made.append((
                fault, str(len(runs)), name, f"{len(after[name])} of {len(runs)}" + (f", {len(late)} after the fault's end" if late else ""),
                spread(after[name]), spread(ends) + (f"; {open_} had not" if open_ else ""),
            ))  # fmt: skip
    return made


def table(found: list[dict[str, Any]]) -> str:
    lines = [HEADS, ("---",) * len(HEADS), *rows(found)]
    last = found[-1]
    days = sorted({time.strftime("%Y-%m-%d", time.gmtime(one["at"])) for one in found})
    loads = [value for one in found for value in one["load"]]
    head = (
        f"{last['versions']}; a scrape and an evaluation every {SCRAPE} s; {' and '.join(days)}, two cores, load of the machine {min(loads):.0f} to"
        f" {max(loads):.0f}."
    )
    return head + "\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_docs() -> None:
    PAGE.write_text(plan.renewed(PAGE.read_text(), table(records())))


class Bench:
    """The lab with its Prometheus."""

    def __init__(self) -> None:
        from support import Lab
        from support_monitoring import MYSQLD, NODE, Monitoring

        self.lab = Lab()
        self.monitoring = Monitoring(self.lab)
        # One password for all: a scrape job has one.
        self.monitoring.passwords["proxysql"] = self.monitoring.passwords["mysql_gr"]
        hosts = [*self.lab.members, "proxy"]
        self.targets = {
            "mysqld": [f"{self.monitoring.address(host)}:{MYSQLD}" for host in self.lab.members],
            "node": [f"{self.monitoring.address(host)}:{NODE}" for host in hosts],
        }
        self.prometheus: subprocess.Popen[bytes] | None = None

    def site(self) -> None:
        run = self.monitoring.play()
        assert run.code == 0, run

    def begin(self) -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        self.lab.command("tools/promtool-check", "--install")
        self.monitoring.begin()
        self.site()
        password = FOLDER / "password"
        password.touch(mode=0o600)
        password.write_text(self.monitoring.passwords["mysql_gr"])
        (FOLDER / "prometheus.yml").write_text(
            yaml.safe_dump(configuration(self.targets, self.monitoring.ca, "mysql_gr"))
        )
        data = FOLDER / f"data-{int(time.time())}"
        program = shutil.which("prometheus") or str(PROMETHEUS)
        with open(FOLDER / "prometheus.log", "ab") as log:
            self.prometheus = subprocess.Popen(
                ["lab/enter", program, f"--config.file={FOLDER / 'prometheus.yml'}", f"--storage.tsdb.path={data}", "--web.enable-lifecycle",
                 "--web.listen-address=127.0.0.1:19090"],
                cwd=ROOT, env=self.lab.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def end(self) -> None:
        if self.prometheus is not None:
            # lab/enter waits for it in another namespace of processes: the one that it started is asked.
            self.lab.command(
                "lab/enter", "curl", "--silent", "--request", "POST", "http://127.0.0.1:19090/-/quit", check=False
            )
            self.prometheus.terminate()
            self.prometheus.wait(30)

    def look(self) -> set[str]:
        done = self.lab.command("lab/enter", "curl", "--silent", "--max-time", "5", API, check=False)
        try:
            return firing(json.loads(done.stdout))
        except (ValueError, KeyError):
            return set()

    def healthy(self) -> bool:
        """Every target is scraped."""
        done = self.lab.command(
            "lab/enter",
            "curl",
            "--silent",
            "--max-time",
            "5",
            API.replace("alerts", "targets?state=active"),
            check=False,
        )
        try:
            states = [one["health"] for one in json.loads(done.stdout)["data"]["activeTargets"]]
        except (ValueError, KeyError):
            return False
        return len(states) == sum(map(len, self.targets.values())) and set(states) == {"up"}

    def well(self) -> None:
        """Until all targets are scraped and no alert has fired for a while."""
        end, since = time.monotonic() + 420, 0.0
        while time.monotonic() < end:
            if not self.healthy() or self.look():
                since = 0.0
            elif not since:
                since = time.monotonic()
            elif time.monotonic() - since > 15:
                return
            time.sleep(1)
        raise AssertionError(f"not well: {self.look()}")

    def settings(self, host: str) -> str:
        """What the commands of a fault know, as bench/failover/failover.yml has it."""
        members = [self.monitoring.address(one) for one in self.lab.members if one != host]
        others = [*members, self.monitoring.address("proxy")] if host != "proxy" else members
        service = "proxysql" if host == "proxy" else "mysql"
        return f"service={service}; datadir=/var/lib/mysql; members='{' '.join(members)}'; others='{' '.join(others)}'"

    def targets_of(self, fault: dict[str, Any]) -> list[str]:
        members = self.lab.members
        if fault["target"] == "primary":
            return self.lab.writers()[:1]
        return {"one": members[-1:], "two": members[-2:], "all": members, "proxy": ["proxy"]}[fault["target"]]

    def shell(self, hosts: list[str], script: str) -> None:
        started = [
            subprocess.Popen(
                ["lab/podman", "exec", host, "sh", "-c", f"{self.settings(host)}; {script}"],
                cwd=ROOT,
                env=self.lab.env,
                stdin=subprocess.DEVNULL,
            )
            for host in hosts
        ]
        for one in started:
            one.wait(300)

    def run(self, name: str, fault: dict[str, Any], hold: float) -> dict[str, Any]:
        self.well()
        hosts = self.targets_of(fault)
        for package in fault.get("packages", ()):
            self.shell(hosts, f"dpkg-query -W {package} >/dev/null 2>&1 || apt-get install -qq -y {package} >/dev/null")
        load = os.getloadavg()[0]

        def over(found: dict[str, float], now: float) -> bool:
            # Alerts of warning take a minute or more.
            return now >= hold or (bool(found) and now >= max(found.values()) + QUIET and now >= 120)

        self.shell(hosts, fault["inject"])
        fired = follow(self.look, over)
        self.shell(hosts, fault["undo"])
        if fault.get("refuses") or name == "disk_full":
            # None of them may start a group by itself; and a full disk ends the server of a member.
            self.site()
        ended = fade(self.look, set(fired), 300)
        return {"fault": name, "at": int(time.time()), "versions": self.versions(), "load": [round(load, 1), round(os.getloadavg()[0], 1)],
                "fired": fired, "ended": ended}  # fmt: skip

    def versions(self) -> str:
        mysql = self.lab.sql("db0", "SELECT @@version")[0][0].partition("-")[0]
        proxy = (
            self.lab.on("proxy", "sh", "-c", "proxysql --version 2>/dev/null")
            .split("version ")[-1]
            .partition("-")[0]
            .strip()
        )
        return f"MySQL {mysql}, ProxySQL {proxy}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run")
    run.add_argument("--runs", type=int, default=1)
    run.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    run.add_argument("--hold", type=float, default=200.0)
    commands.add_parser("docs")
    given = parser.parse_args()
    if given.command == "run":
        faults = yaml.safe_load((ROOT / "bench/failover/faults.yml").read_text())["failover_faults"]
        bench = Bench()
        bench.begin()
        try:
            for _number in range(given.runs):
                for name in given.faults:
                    found = bench.run(name, faults[name], given.hold)
                    RECORDS.parent.mkdir(parents=True, exist_ok=True)
                    with RECORDS.open("a") as file:
                        file.write(json.dumps(found) + "\n")
                    print(json.dumps(found), flush=True)
        finally:
            bench.end()
    write_docs()
    return 0


if __name__ == "__main__":
    sys.exit(main())
