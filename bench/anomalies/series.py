# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What applications see, for each choice of who writes, each level of consistency and each fault; on the lab of this checkout.

    series.py [--runs N] [--minutes M] [--writers CHOICE …] [--levels LEVEL …] [--faults FAULT …] [--docs]
    series.py --provoke

Goes on where it was: runs that were made are in .cache/anomalies, with their histories. --minutes: nothing new is begun after
these. --docs writes docs/measurements/consistency.md. --provoke brings each anomaly about, and exits 1 unless each is found.
The lab is made again for each choice.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "failover"), str(ROOT / "tests")]

import judge  # noqa: E402
from failover_report import below_half, buckets, gaps, length, read_lines  # noqa: E402
from support import Lab, wait_for  # noqa: E402

CACHE = ROOT / ".cache" / "anomalies"
PAGE = ROOT / "docs" / "measurements" / "consistency.md"
BEGIN, END = "<!-- begin table -->", "<!-- end table -->"
WRITERS = ("one", "primary", "all")
LEVELS = ("EVENTUAL", "BEFORE_ON_PRIMARY_FAILOVER", "BEFORE", "AFTER", "BEFORE_AND_AFTER")
# Seconds of load, in all and before the fault. The load goes on for a few seconds after what is seen of a fault.
FAULTS = {"none": 15.0, "kill": 32.0, "freeze": 36.0, "switch": 45.0}
FAULT_AT, FROZEN, WARM = 8.0, 12.0, 2.0
ACCOUNTS = ("simkpuser", "simkpreader")
PASSWORD = "{{ lab_app_password }}"
# The lab's account, and one that reads from the reader hostgroup.
VARIABLES = {
    "mysql_gr_users": [
        {"name": ACCOUNTS[0], "host": "%", "password": PASSWORD, "priv": "simkp.*:ALL"},
        {"name": ACCOUNTS[1], "host": "%", "password": PASSWORD, "priv": "simkp.*:SELECT"},
    ],
    "proxysql_users": [
        {"username": ACCOUNTS[0], "password": PASSWORD, "default_hostgroup": 2},
        {"username": ACCOUNTS[1], "password": PASSWORD, "default_hostgroup": 3},
    ],
    # Levels that do not suit the choice are measured, too.
    "mysql_gr_writers_exceptions": ["mysql_gr_consistency"],
}


class NotBegun(Exception):
    """The clients ended before their load began, as on a group that hangs."""


class Bench:
    """The lab, in one of the choices."""

    def __init__(self, writers: str) -> None:
        os.environ["LAB_WRITERS"] = writers
        self.writers, self.lab = writers, Lab()
        self.variables = CACHE / "variables.json"
        self.variables.write_text(json.dumps(dict(VARIABLES, mysql_gr_writers=writers)))
        self.lab.down()
        self.lab.up()
        self.play("site.yml")
        self.host = str(self.lab.variable("proxy", "proxysql_address"))
        self.password = self.lab.secrets()["lab_app_password"]

    def play(self, playbook: str, *arguments: str) -> None:
        run = self.lab.site("-e", f"@{self.variables}", *arguments, playbook=playbook, timeout=1200)
        if run.code:
            raise SystemExit(f"{playbook}: {run}")

    def settle(self) -> None:
        """Three ONLINE members that have executed the same; by the recover playbook if they do not come by themselves."""

        def settled() -> bool:
            views = [self.lab.view(member) for member in self.lab.members]
            return all(sorted(view.values()) == ["ONLINE"] * 3 for view in views)

        try:
            wait_for(settled, 120, "three ONLINE members", every=1)
        except AssertionError:
            self.play("playbooks/recover.yml")

    def level(self, level: str) -> None:
        """For all sessions from now on, also after a restart: the proxy's connections of before are ended."""
        names = ", ".join(f"'{name}'" for name in ACCOUNTS)
        kill = f"SELECT CONCAT('KILL ', id, ';') FROM information_schema.processlist WHERE user IN ({names})"
        for member in self.lab.members:
            self.lab.sql(member, f"SET PERSIST group_replication_consistency = '{level}'")
            words = " ".join(row[0] for row in self.lab.sql(member, kill))
            if words:
                self.lab.sql(member, words, check=False)

    def environment(self) -> dict:
        return dict(
            self.lab.env, APP_HOST=self.host, APP_PORT="6033", APP_DATABASE="simkp", APP_PASSWORD=self.password,
            APP_USER=ACCOUNTS[0], APP_READER=ACCOUNTS[1],
        )  # fmt: skip

    def writer(self) -> str:
        """A member to which the proxy sends writes: the one, where there is one."""
        script = 'read -r MYSQL_PWD; export MYSQL_PWD; exec mysql -P 6033 -u simkpuser -N -e "SELECT @@report_host" -h '
        address = self.lab.give("db0", script + self.host, self.password + "\n").strip()
        return next(member for member in self.lab.members if self.lab.address(member) == address)

    def disturb(self, fault: str, writer: str) -> None:
        if fault == "kill":
            self.lab.on(writer, "systemctl", "kill", "--signal=KILL", "mysql")
        elif fault == "freeze":
            self.lab.on(writer, "systemctl", "kill", "--signal=STOP", "mysql")
            try:
                time.sleep(FROZEN)
            finally:
                self.lab.on(writer, "systemctl", "kill", "--signal=CONT", "mysql")
        elif fault == "switch" and self.writers == "primary":
            to = next(member for member in self.lab.members if member != writer)
            self.play("playbooks/switch_primary.yml", "-e", f"operations_primary={to}")
        elif fault == "switch":
            self.play("playbooks/rolling_restart.yml", "--limit", f"localhost,{writer}")

    def run(self, fault: str, path: Path, *arguments: str) -> dict:
        """One run under load; its history is kept."""
        writer = self.writer()
        history = path.with_suffix(".jsonl")
        command = [
            "lab/enter", "python", str(HERE / "clients.py"), "--seconds", str(FAULTS[fault]), "--history", str(history), *arguments,
        ]  # fmt: skip
        clients = subprocess.Popen(
            command, cwd=ROOT, env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        try:
            first = clients.stdout.readline()
            if not first:
                raise NotBegun(f"the clients ended before they began: exit {clients.wait(timeout=60)}")
            origin = float(first)
            time.sleep(max(0.0, origin + FAULT_AT - time.time()))
            began = time.time() - origin
            self.disturb(fault, writer)
            if clients.wait(timeout=300):
                raise SystemExit(f"{' '.join(command)}: exit {clients.returncode}")
        finally:
            clients.kill()
        *events, final = read_lines(history.read_text())
        with gzip.open(path.with_suffix(".jsonl.gz"), "wt") as kept:
            kept.write(history.read_text())
        history.unlink()
        return figures(events, final, began if fault != "none" else None)


def figures(events: list[dict], final: dict, fault: float | None) -> dict:
    """What a history says. The first seconds, in which everybody connects, count for anomalies only."""
    warm = [event for event in events if event["start"] >= WARM]
    good = [event for event in warm if event["error"] is None]
    plain = [event for event in warm if event["kind"] in ("read", "write")]
    end = max(event["end"] for event in events)
    stuck = None in final.values()
    found = {
        "lost_updates": judge.lost_updates(events),
        "increments": len(judge.acknowledged(events, "increment")),
        "write_skew": len(judge.write_skew(events)),
        "pairs": len({event["key"] for event in judge.acknowledged(events, "withdrawal") if event["value"] == 0}),
        "lost_writes": 0
        if stuck
        else judge.lost_writes(
            events, *({int(key): value for key, value in final[name].items()} for name in ("registers", "counters"))
        ),
        # Nobody could read the tables, a minute after the load.
        "stuck": stuck,
        "failed": sum(event["error"] is not None for event in warm),
        "statements": len(warm),
        "longest_gap": length(gaps(plain, WARM, end)),
        "seconds_below_half": below_half(buckets(plain, end), fault, WARM) if fault is not None else None,
        "seconds": round(end - WARM, 1),
        "load": os.getloadavg()[0],
    }
    errors: dict[str, int] = {}
    for event in warm:
        if event["error"] is not None:
            text = re.sub(r"\d{3,} ms|:\d+|\d{6,}", "…", event["error"])
            errors[text] = errors.get(text, 0) + 1
    found["errors"] = errors
    for route in ("writer", "reader"):
        made = judge.reads(events, route)
        found[route] = {
            "reads": len(made),
            "read_your_writes": len(judge.read_your_writes(events, route)),
            "monotonic_reads": len(judge.monotonic_reads(events, route)),
            "staleness": round(judge.staleness(events, route), 3),
        }
    kinds = {
        "writer_read": [one for one in good if one["kind"] == "read" and one["route"] == "writer"],
        "reader_read": [one for one in good if one["kind"] == "read" and one["route"] == "reader"],
        "write": [one for one in good if one["kind"] == "write"],
    }
    for name, of in kinds.items():
        times = judge.latencies(of)
        found[name] = {
            "p50": judge.percentile(times, 0.5),
            "p99": judge.percentile(times, 0.99),
            "rate": round(len(of) / (end - WARM), 1),
        }
    return found


def results() -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(CACHE.glob("run-*.json"))]


def cells(options: argparse.Namespace) -> list[tuple[str, int, str, str]]:
    """Each choice once, as the lab is made anew for it; there the whole table again and again, so that what ends early has some of each."""
    return [
        (writers, number, level, fault)
        for writers in options.writers
        for number in range(1, options.runs + 1)
        for level in options.levels
        for fault in options.faults
    ]


def series(options: argparse.Namespace) -> None:
    until = time.monotonic() + 60 * options.minutes
    bench = None
    lost = {
        (one["writers"], one["number"], one["level"]) for one in results() if one["stuck"] and one["fault"] == "none"
    }
    for writers, number, level, fault in cells(options):
        path = CACHE / f"run-{writers}-{level}-{fault}-{number}"
        if path.with_suffix(".json").exists() or (writers, number, level) in lost:
            continue
        if time.monotonic() > until:
            return
        if bench is None or bench.writers != writers:
            bench = Bench(writers)
        bench.settle()
        bench.level(level)
        # Asked now: after a fault a server may be starting.
        running = versions(bench.lab)
        try:
            measured = bench.run(fault, path)
        except NotBegun as error:
            # Nothing was measured: on a new lab the series goes on, and its next call makes this run.
            print(f"{time.strftime('%H:%M:%S')} {path.name}: {error}", flush=True)
            bench = None
            continue
        found = dict(
            measured,
            writers=writers,
            number=number,
            level=level,
            fault=fault,
            at=int(time.time()),
            versions=running,
        )
        path.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")
        print(f"{time.strftime('%H:%M:%S')} {path.name}: {line(found)}", flush=True)
        if found["stuck"]:
            # It stays so. What stands still without a fault needs none.
            bench, lost = None, lost | {(writers, number, level)} if fault == "none" else lost


def line(found: dict) -> str:
    names = ("read_your_writes", "monotonic_reads")
    routes = "; ".join(
        f"{route}: {', '.join(str(found[route][name]) for name in names)}" for route in ("writer", "reader")
    )
    return ("STUCK; " if found["stuck"] else "") + (
        f"own writes unread and reads that went back, {routes}; lost updates {found['lost_updates']}, write skew {found['write_skew']},"
        f" failed {found['failed']} of {found['statements']}, gap {found['longest_gap']} s, below half {found['seconds_below_half']} s"
    )


def provoke() -> int:
    """Every member writes, without a level that waits, and counters are read without a lock: each anomaly must be found."""
    bench = Bench("all")
    bench.settle()
    bench.level("EVENTUAL")
    # Reads that go back are rare on a quiet machine: a frozen member answers some with what it knew before.
    found = bench.run("freeze", CACHE / "provoked", "--unlocked")
    (CACHE / "provoked.json").write_text(json.dumps(found, indent=1) + "\n")
    print(line(found))
    missing = [name for name in ("lost_updates", "write_skew") if not found[name]]
    missing += [name for name in ("read_your_writes", "monotonic_reads") if not found["reader"][name]]
    print(f"not found: {', '.join(missing)}" if missing else "each anomaly was found")
    return 1 if missing else 0


def versions(lab: Lab) -> str:
    """The servers' own words, and whether the proxy is the real one."""
    kind = (ROOT / ".lab" / "proxysql-kind").read_text().split(maxsplit=1)[0]
    match = re.search(r"(?i)ver(?:sion)? ([\d.]+)", lab.on("proxy", "proxysql", "--version"))
    name = "the stand-in for ProxySQL" if kind == "standin" else "ProxySQL"
    return (
        f"MySQL {lab.sql('db0', 'SELECT @@version')[0][0].partition('-')[0]}, {name} {match[1] if match else 'unknown'}"
    )


def milliseconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{1000 * seconds:.{1 if seconds < 0.01 else 0}f}"


def row(cell: tuple[str, str, str], made: list[dict]) -> str:
    writers, level, fault = cell
    stuck = sum(one["stuck"] for one in made)
    head = f"| {writers} | {level} | {fault} | {len(made)}{f', {stuck} stuck' if stuck else ''} |"

    def add(*path: str) -> int:
        total = 0
        for one in made:
            for name in path:
                one = one[name]
            total += one
        return total

    def middle(name: str, key: str) -> float | None:
        values = [one[name][key] for one in made if one[name][key] is not None]
        return statistics.median(values) if values else None

    def both(name: str) -> str:
        return " / ".join(str(add(route, name)) for route in ("writer", "reader"))

    halves = [one["seconds_below_half"] for one in made if one["seconds_below_half"] is not None]
    reads = " / ".join(str(add(route, "reads")) for route in ("writer", "reader"))
    stale = " / ".join(f"{max(one[route]['staleness'] for one in made):.2f}" for route in ("writer", "reader"))
    p50, p99 = (
        " / ".join(milliseconds(middle(name, key)) for name in ("writer_read", "reader_read", "write"))
        for key in ("p50", "p99")
    )
    rates = " / ".join(f"{middle(name, 'rate'):.0f}" for name in ("writer_read", "reader_read", "write"))
    return (
        f"{head} {reads} | {both('read_your_writes')} | {both('monotonic_reads')} | {stale}"
        f" | {add('lost_updates')} of {add('increments')} | {add('write_skew')} of {add('pairs')}"
        f" | {add('failed')} of {add('statements')} | {p50} | {p99} | {rates} | {max(one['longest_gap'] for one in made):.2f}"
        f" | {f'{statistics.median(halves):.1f}, {max(halves):.1f}' if halves else '–'} |"
    )


def table(every: list[dict], runs: int) -> str:
    names = (
        "Writers", "Consistency", "Fault", "Runs", "Reads", "Own writes unread", "Reads that went back", "Stalest read, s", "Lost updates",
        "Write skew", "Failed", "p50, ms", "p99, ms", "Per second", "Longest gap, s", "Below half, s: median, worst",
    )  # fmt: skip
    lines = ["| " + " | ".join(names) + " |", "| --- " * len(names) + "|"]
    missing = []
    for writers in WRITERS:
        for level in LEVELS:
            made = {
                fault: [one for one in every if (one["writers"], one["level"], one["fault"]) == (writers, level, fault)]
                for fault in FAULTS
            }
            lines += [row((writers, level, fault), found) for fault, found in made.items() if found]
            left = [fault for fault, found in made.items() if not found]
            if left:
                missing.append(f"`{writers}` with {level} ({', '.join(left)})")
    days = sorted({time.strftime("%Y-%m-%d", time.gmtime(one["at"])) for one in every})
    what = ", ".join(sorted({one["versions"] for one in every}))
    loads = [one["load"] for one in every] or [0.0]
    lost = sum(one["lost_writes"] for one in every)
    return "\n".join(
        [
            f"Made by `make anomalies` ({runs} runs of each cell wanted), {' to '.join(dict.fromkeys((days or ['–'])[:: max(1, len(days) - 1)]))},"
            f" {what}, {os.cpu_count()} cores, Linux {platform.release().split('-')[0]}. Machine load: median {statistics.median(loads):.1f},"
            f" at most {max(loads):.1f}. {len(every)} runs; acknowledged values missing at the end of a run: {lost}.",
            "",
            *lines,
            "",
            f"Not run: {'; '.join(missing) or 'nothing'}.",
            *provoked(),
        ]
    )


def provoked() -> list[str]:
    path = CACHE / "provoked.json"
    if not path.exists():
        return []
    found = json.loads(path.read_text())
    return [
        "",
        f"The run that provokes each anomaly (`all`, EVENTUAL, counters read without a lock, a member frozen for 12 s): {line(found)}.",
    ]


def write_page(text: str) -> None:
    before, _mark, rest = PAGE.read_text().partition(BEGIN)
    _old, _mark, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--writers", nargs="+", choices=WRITERS, default=list(WRITERS))
    parser.add_argument("--levels", nargs="+", choices=LEVELS, default=list(LEVELS))
    parser.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--provoke", action="store_true")
    options = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    if options.provoke:
        return provoke()
    series(options)
    text = table(results(), options.runs)
    print(text)
    if options.docs:
        write_page(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
