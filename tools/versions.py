# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MySQL × Debian release × ProxySQL: what the collection does with each, on the lab of this checkout.

    python3 tools/versions.py --packages DIR … [--suites SUITE …] [--proxysql PROGRAM …] [--steps STEP …] [--minutes M] [--runs N] [--rate W]
                              [--again] [--docs]

DIR: .deb files of one version of MySQL, as for LAB_MYSQL_PACKAGES; "distribution" stands for what the release has itself. Folders are
tried in the order given, and upgraded from each to the next. PROGRAM: as for LAB_PROXYSQL_BIN; without any, what the lab takes by itself.
Goes on where it was: cells that passed are in .cache/versions. --minutes: nothing new is begun after these. --rate: the load's writes per
second, 100 without it. --docs writes the table in docs/reference/tested-versions.md, and in short in README.md. The lab is made again for
each combination.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools")]

CACHE = ROOT / ".cache" / "versions"
PAGE = ROOT / "docs" / "reference" / "tested-versions.md"
README = ROOT / "README.md"
BEGIN, END = "<!-- begin table -->", "<!-- end table -->"
# Made --runs times.
SEVERAL = ("upgrade",)
STEPS = ("site", "outage", "operations", "failover", "applications", "upgrade", "scenarios")
# Of bench/failover; the last one with one primary.
FAULTS = ("kill", "stop", "freeze", "all_killed", "primary_killed")
ARCHIVE = "distribution"
LONG_TERM = ("8.0", "8.4", "9.7")
CHOICES = ("one", "primary", "all")


def server_package(folder: str) -> str:
    """The version of a folder's mysql-server package, without epoch and revision; fails where there is none."""
    for file in sorted(Path(folder).glob("*.deb")):
        shown = subprocess.run(
            ["dpkg-deb", "--field", file, "Package", "Version"], capture_output=True, text=True, check=True
        )
        fields = dict(line.split(": ", 1) for line in shown.stdout.splitlines())
        if re.fullmatch(r"mysql-(community-)?server(-core)?", fields["Package"]):
            return re.sub(r"^\d+:|-[^-]*$", "", fields["Version"])
    raise SystemExit(
        f"--packages: '{folder}' has no package mysql-server; allowed is a folder of .deb files, or {ARCHIVE}."
    )


def series(version: str) -> str:
    found = ".".join(re.findall(r"\d+", version)[:2])
    return found if found in LONG_TERM else "innovation"


def proxy_name(program: str) -> str:
    if not program:
        return "the lab's own"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\d[\d.]*)(-\d+(?=-g))?", said)
    return f"{found[1]}{(found[2] or '').replace('-', '+')}" if found else Path(program).name


class Failed(Exception):
    """A cell that did not pass; its words are what the table says."""


class Combination:
    """One MySQL on one release behind one ProxySQL, and the lab for it."""

    def __init__(self, version: str, folder: str, suite: str, proxysql: str) -> None:
        from support import Lab

        self.version, self.folder, self.suite, self.proxysql = version, folder, suite, proxysql
        self.writers = os.environ.get("LAB_WRITERS") or "all"
        self.rate = 100.0
        self.packages = CACHE / "packages"
        settings = {"LAB_SUITE": suite, "LAB_PROXYSQL_BIN": proxysql, "LAB_MYSQL_PACKAGES": "", "LAB_MYSQL_SERIES": ""}
        if folder != ARCHIVE:
            settings["LAB_MYSQL_PACKAGES"] = str(self.packages)
        os.environ.update(settings)
        self.lab = Lab()
        self.figures: dict = {}

    def name(self, step: str) -> str:
        writers = f"-{self.writers}" if step == "upgrade" else ""
        return re.sub(r"[^\w.+-]", "_", f"{self.version}-{self.suite}-{proxy_name(self.proxysql)}-{step}{writers}")

    def play(self, playbook: str = "site.yml", *arguments: str, changed: int | None = None, timeout: float = 1200):
        with open(CACHE / "playbooks.log", "a") as log:
            log.write(f"{time.strftime('%H:%M:%S')} {self.version} {self.suite}: {playbook} {' '.join(arguments)}\n")
            run = self.lab.site(*arguments, playbook=playbook, timeout=timeout)
            log.write(f"{run.output}\n")
        if run.code:
            raise Failed(f"{playbook} {' '.join(arguments)}: exit {run.code}")
        if changed is not None and sum(run.changed.values()) != changed:
            raise Failed(f"{playbook} {' '.join(arguments)}: changed {'; '.join(run.what_changed)}")
        return run

    def serve(self, *folders: str) -> None:
        """These folders are what the lab's package repository has from now on; the last one's series is the one wished."""
        if self.folder == ARCHIVE:
            return
        shutil.rmtree(self.packages, ignore_errors=True)
        for folder in folders:
            target = self.packages / server_package(folder)
            target.mkdir(parents=True)
            for file in Path(folder).glob("*.deb"):
                shutil.copy(file, target)
        self.lab.env["LAB_MYSQL_SERIES"] = series(server_package(folders[-1]))

    def blank(self) -> None:
        self.lab.down()
        self.serve(self.folder)
        self.lab.up()

    def installed(self) -> list[str]:
        ask = ("dpkg-query", "--show", "--showformat=${Version}", "mysql-server")
        return [re.sub(r"^\d+:|-[^-]*$", "", self.lab.on(member, *ask).strip()) for member in self.lab.members]

    # -- the steps: each raises Failed, or gives what the table says ---------------------------------------------------
    def site(self) -> str:
        self.play("site.yml", "--check")
        made = self.play()
        self.lab.one_group()
        again = self.play("site.yml", changed=0)
        check = self.play("site.yml", "--check", changed=0)
        self.play("playbooks/status.yml")
        self.figures.update(site=made.seconds, again=again.seconds, check=check.seconds)
        return f"{made.seconds:.0f} s, again {again.seconds:.0f} s without a change"

    def outage(self) -> str:
        """Every server stopped, the last one with a row that the others lack; the recover playbook."""
        lab = self.lab
        lab.sql("db0", "CREATE TABLE IF NOT EXISTS simkp.outage (id INT AUTO_INCREMENT PRIMARY KEY)")
        for member in lab.members:
            lab.sql(self.writer() if self.writers == "primary" else member, "INSERT INTO simkp.outage VALUES ()")
            lab.on(member, "systemctl", "stop", "mysql", timeout=120)
        run = self.play("playbooks/recover.yml")
        lab.one_group()
        for member in lab.members:
            rows = lab.sql(member, "SELECT COUNT(*) FROM simkp.outage")[0][0]
            if rows != "3":
                raise Failed(f"{member} has {rows} of 3 rows after the outage")
        lab.sql(self.writer(), "DROP TABLE simkp.outage")
        self.figures.update(recover=run.seconds)
        return f"recovered in {run.seconds:.0f} s"

    def writer(self) -> str:
        for member in self.lab.members:
            if self.lab.sql(member, "SELECT @@super_read_only", check=False)[:1] == [["0"]]:
                return member
        raise Failed("no member takes writes")

    def under_load(self, name: str, work) -> dict:
        """work() while clients read and write; its report, of which nothing may have failed."""
        from failover_series import beside
        from machine_watch import MachineWatch
        from support_load import DIRECTORY, Load

        load = Load(self.lab, name, CACHE / "load")
        # What the playbooks say, each line with its time.
        log = CACHE / "load" / f"{name}-{time.time_ns()}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        self.lab.env["ANSIBLE_LOG_PATH"] = str(log)
        load.start(options=("--rate", str(self.rate)))
        try:
            started = time.monotonic()
            with MachineWatch(CACHE) as watch:
                work()
            report = load.finish(time.monotonic() - started)
        finally:
            del self.lab.env["ANSIBLE_LOG_PATH"]
            load.stop()
            self.lab.on("proxy", "rm", "-rf", DIRECTORY)
        self.figures[name] = {
            "gap": report["longest_gap"],
            "gap_in": task_at(log.read_text(), report["origin"] + report["longest_gap_from"] + report["longest_gap"]),
            **beside(report, watch),
            "failed": report["failed_statements"],
            "statements": report["acknowledged_writes"] + report["reads"],
            "lost": report["lost_rows"],
            "seconds": report["work_seconds"],
            "rate": self.rate,
        }
        if not report["passed"]:
            self.keep_logs(log.with_suffix(""))
            raise Failed(
                f"{name}: {report['failed_statements']} failed, {report['lost_rows']} rows lost: {report['errors']}"
            )
        return self.figures[name]

    def keep_logs(self, folder: Path) -> None:
        """What servers and proxy wrote: the next cell's lab is a new one."""
        folder.mkdir(parents=True)
        journal = ("journalctl", "--no-pager", "--output=short-precise", "--lines=20000", "--unit")
        (folder / "proxy.log").write_text(self.lab.on("proxy", *journal, "proxysql", check=False))
        for member in self.lab.members:
            (folder / f"{member}.log").write_text(self.lab.on(member, "cat", "/var/log/mysql/error.log", check=False))

    def operations(self) -> str:
        found = [self.under_load("rolling_restart", lambda: self.play("playbooks/rolling_restart.yml"))]
        ways = [choice for choice in CHOICES if choice != self.writers]
        for to in (*ways, self.writers):
            wish = ("-e", f"mysql_gr_writers={to}")
            found.append(
                self.under_load(f"switch_mode_to_{to}", lambda wish=wish: self.play("playbooks/switch_mode.yml", *wish))
            )
        self.lab.one_group()
        return sum_up(found)

    def failover(self) -> str:
        """Each fault once, under load."""
        from failover_series import LOGS, SINGLE, Work

        LOGS.mkdir(parents=True, exist_ok=True)
        words, bad = [], []
        for fault in FAULTS:
            mode = SINGLE if fault == "primary_killed" else ()
            if mode:
                self.play("playbooks/switch_mode.yml", *mode)
            [line] = Work(self.lab).fault(fault, mode)
            self.figures[fault] = line
            words.append(f"{fault} {line['longest_gap']:.2f} s" if "longest_gap" in line else f"{fault} no report")
            if not line["passed"]:
                bad.append(f"{fault} ({line.get('lost_rows', '?')} rows lost, see {LOGS / fault}.log)")
        self.play("playbooks/switch_mode.yml", "-e", f"mysql_gr_writers={self.writers}")
        if bad:
            raise Failed(f"{', '.join(bad)}; longest gaps: {', '.join(words)}")
        return f"0 rows lost; longest gap of a client: {', '.join(words)}"

    def applications(self) -> str:
        """Django on the default choice of who writes: alone, while members restart, and while the writer is killed."""
        self.play("playbooks/switch_mode.yml", "-e", "mysql_gr_writers=one")
        try:
            return "Django: " + self.pytest(
                "applications", "-m", "applications", "-k", "django", "--runs", "2", LAB_WRITERS="one"
            )
        finally:
            self.play("playbooks/switch_mode.yml", "-e", f"mysql_gr_writers={self.writers}")

    def upgrade(self, folder: str) -> str:
        """A dry run, which makes the upgrade check; then to the next folder under load, stopped once the first member is upgraded, and taken up again."""
        from support import kill_tree, wait_for

        lab, to = self.lab, server_package(folder)
        self.serve(self.folder, folder)
        lab.up()
        # The key of the new repository, and the series, in the hosts' package source; the site playbook upgrades nothing.
        self.play()
        # Check mode takes the package lists that are there.
        for member in lab.members:
            lab.on(member, "apt-get", "update", "--quiet=2", timeout=300)
        if self.installed() != [self.version] * 3:
            raise Failed(f"members have {', '.join(self.installed())} before the upgrade")
        arguments = ("-e", "operations_lists_valid=0")
        plan = self.play("playbooks/rolling_upgrade.yml", "--check", *arguments)
        if plan.flat.count("nothing stands against it") != 3:
            raise Failed("the upgrade check does not say of three members that nothing stands against it")

        def interrupted() -> None:
            process = lab.start(*arguments, playbook="playbooks/rolling_upgrade.yml")
            wait_for(
                lambda: process.poll() is not None
                or (to in self.installed() and sorted(lab.view(self.oldest()).values()) == ["ONLINE"] * 3),
                600, "a first member that was upgraded and is back", every=1,
            )  # fmt: skip
            if process.poll() is not None:
                output = process.communicate()[0]
                said = re.findall(r"^\[ERROR\]: Task failed: (.*)", output, re.MULTILINE)
                raise Failed(f"the playbook ended: {said[-1] if said else output[-1500:]}")
            kill_tree(process)
            self.figures["stopped_with"] = self.installed()
            self.play("playbooks/rolling_upgrade.yml", *arguments)

        found = self.under_load(f"upgrade to {to}", interrupted)
        lab.one_group()
        if self.installed() != [to] * 3:
            raise Failed(f"members have {', '.join(self.installed())} after the upgrade")
        closed = [member for member in lab.members if lab.sql(member, "SELECT @@super_read_only")[0][0] != "0"]
        if len(closed) != (2 if self.writers == "primary" else 0):
            raise Failed(f"read-only after the upgrade: {', '.join(closed) or 'none'}")
        self.play("site.yml")
        self.play("site.yml", changed=0)
        self.figures["to"] = to
        return f"to {to} in {found['seconds']:.0f} s, stopped once: {sum_up([found])}"

    def oldest(self) -> str:
        """A member that has not been upgraded, or any."""
        behind = [member for member, found in zip(self.lab.members, self.installed()) if found == self.version]
        return (behind or list(self.lab.members))[-1]

    def scenarios(self) -> str:
        return self.pytest("group_replication")

    def pytest(self, suite: str, *arguments: str, **env: str) -> str:
        """How many tests of a folder of tests/integration passed."""
        wanted = ("-p", "no:cacheprovider", "-q", "-rs", f"tests/integration/{suite}")
        done = self.lab.command(sys.executable, "-m", "pytest", *wanted, *arguments, check=False, timeout=5400, **env)
        (CACHE / f"{self.name(suite)}.log").write_text(done.stdout)
        counts = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "nothing"
        numbers = ", ".join(re.findall(r"\d+ (?:passed|failed|skipped|errors?)", counts)) or counts
        if done.returncode:
            raise Failed(numbers)
        return numbers


def sum_up(found: list[dict]) -> str:
    failed, every = (sum(one[key] for one in found) for key in ("failed", "statements"))
    lost = sum(one["lost"] for one in found)
    return (
        f"{failed} of {every} statements failed, {lost} rows lost, longest gap {max(one['gap'] for one in found):.2f} s"
    )


def task_at(log: str, moment: float) -> str:
    """The task that ran at a moment (unix time), of a log of Ansible's; "" before the first one."""
    found = ""
    for line in log.splitlines():
        match = re.match(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3}) .*TASK \[(.*)\]", line)
        if match and time.mktime(time.strptime(match[1], "%Y-%m-%d %H:%M:%S")) + int(match[2]) / 1000 > moment:
            break
        found = match[3] if match else found
    return found


def results() -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(CACHE.glob("*.json"))]


def cell(made: Combination, step: str, *arguments: str) -> None:
    """Make one cell and keep it, whatever comes of it."""
    print(f"{time.strftime('%H:%M:%S')} {made.name(step)} …", flush=True)
    started = time.monotonic()
    passed, text = True, ""
    try:
        text = getattr(made, step)(*arguments)
    except (Failed, AssertionError, subprocess.TimeoutExpired) as error:
        passed, text = False, str(error)
        (CACHE / f"{made.name(step)}.failure").write_text(traceback.format_exc())
    earlier = runs_of(made.name(step)) if step in SEVERAL else []
    kept = {
        "mysql": made.installed()[0] if made.folder == ARCHIVE else made.version,
        "suite": made.suite, "proxysql": proxy_name(made.proxysql), "writers": made.writers, "step": step,
        "passed": passed, "text": text, "at": int(time.time()), "seconds": round(time.monotonic() - started), "figures": made.figures,
        "load": os.getloadavg()[0],
    }  # fmt: skip
    if step in SEVERAL:
        kept["runs"] = [*earlier, dict(kept)]
    made.figures = {}
    (CACHE / f"{made.name(step)}.json").write_text(json.dumps(kept, indent=1) + "\n")
    print(f"{time.strftime('%H:%M:%S')} {made.name(step)}: {'' if passed else 'FAILED: '}{text}", flush=True)
    if not passed:
        raise Failed(text)


def work(options: argparse.Namespace) -> None:
    until = time.monotonic() + 60 * options.minutes
    folders = options.packages
    for number, folder in enumerate(folders):
        version = ARCHIVE if folder == ARCHIVE else server_package(folder)
        following = (
            folders[number + 1] if number + 1 < len(folders) and ARCHIVE not in folders[number : number + 2] else None
        )
        for suite in options.suites:
            for proxysql in options.proxysql:
                made = Combination(version, folder, suite, proxysql)
                made.rate = options.rate
                due = [step for step in STEPS if step in options.steps and (step != "upgrade" or following)]
                ready = False
                for step in [one for one in due for _run in range(missing(made.name(one), one, options))]:
                    if time.monotonic() > until:
                        break
                    try:
                        if not ready:
                            made.blank()
                            if step != "site":
                                made.play()
                        # What an upgrade leaves is another version.
                        ready = step != "upgrade"
                        cell(made, step, *([following] if step == "upgrade" else []))
                    except (Failed, AssertionError) as error:
                        print(f"{version} on {suite}: {str(error)[-2000:]}", flush=True)
                        ready = False


def kept_of(name: str) -> dict:
    path = CACHE / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def runs_of(name: str) -> list[dict]:
    """The runs of a step that is made several times."""
    return kept_of(name).get("runs", [])


def missing(name: str, step: str, options: argparse.Namespace) -> int:
    """How often a step is still to be made."""
    if step in SEVERAL:
        return options.runs if options.again else max(0, options.runs - sum(one["passed"] for one in runs_of(name)))
    return int(options.again or not kept_of(name).get("passed"))


def in_short(one: dict) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(one["at"]))
    return day if one["passed"] else f"**failed** {day}"


def in_full(one: dict) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(one["at"]))
    writers = f" (`{one['writers']}`)" if one["step"] == "upgrade" else ""
    runs = one.get("runs", [one])
    good = [run for run in runs if run["passed"]]
    words = [upgrades(good)] if len(good) > 1 else list(map(in_words, good))
    words += [in_words(run) for run in runs if not run["passed"]]
    return f"{day}{writers}: {'; '.join(words)}"


def in_words(one: dict) -> str:
    words = " ".join(one["text"].split()).replace("|", "/")
    return words if one["passed"] else "**failed**: " + textwrap.shorten(words, 300, placeholder=" …")


def upgrades(runs: list[dict]) -> str:
    """Several runs of one upgrade in one sentence."""
    to = runs[-1]["figures"]["to"]
    found = [run["figures"][f"upgrade to {to}"] for run in runs]
    failed, every, lost = (sum(one[key] for one in found) for key in ("failed", "statements", "lost"))
    seconds = sorted(round(one["seconds"]) for one in found)
    gaps = ", ".join(f"{one['gap']:.2f}" for one in found)
    return (
        f"to {to}, {len(found)} runs in {seconds[0]} to {seconds[-1]} s, each stopped once: {failed} of {every} statements failed, "
        f"{lost} rows lost, longest gaps {gaps} s"
    )


def table(every: list[dict], show=in_full) -> str:
    """A row for each combination, in which `show` says what came of a step."""
    lines = ["| MySQL | Debian | ProxySQL | " + " | ".join(STEPS) + " |", "| --- " * (3 + len(STEPS)) + "|"]
    places = sorted({(one["mysql"], one["suite"], one["proxysql"]) for one in every})
    for place in places:
        cells = []
        for step in STEPS:
            found = [
                one for one in every if (one["mysql"], one["suite"], one["proxysql"], one["step"]) == (*place, step)
            ]
            cells.append("; ".join(show(one) for one in found) or "not run")
        lines.append(f"| {' | '.join((*place, *cells))} |")
    return "\n".join(lines)


def write_page(page: Path, text: str) -> None:
    before, _mark, rest = page.read_text().partition(BEGIN)
    _old, _mark, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", nargs="+", required=True)
    parser.add_argument("--suites", nargs="+", default=["bookworm", "trixie", "sid"])
    parser.add_argument("--proxysql", nargs="*", default=[""])
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--runs", type=int, default=1, help="of each upgrade")
    parser.add_argument("--docs", action="store_true")
    options = parser.parse_args()
    options.proxysql = options.proxysql or [""]
    CACHE.mkdir(parents=True, exist_ok=True)
    work(options)
    every = results()
    text = table(every)
    print(text)
    if options.docs:
        write_page(PAGE, text)
        write_page(README, table(every, in_short))
    return 0 if all(one["passed"] for one in every) else 1


if __name__ == "__main__":
    sys.exit(main())
