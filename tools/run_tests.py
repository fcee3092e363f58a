# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run suites of tests and end with one line that counts them all.

    python3 tools/run_tests.py SUITE [SUITE ...]
    suites: all, lint, unit, lab, members, applications, conformance, long, molecule, molecule:SCENARIO, outside, airgap

"all" is what "make test" runs: the lab's suites, and beside them those that need a second lab or none.
Every suite runs, whatever happened in the one before it, so that one run shows all that is wrong.
A command without counts of its own (a linter, a molecule scenario) counts as one test.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Callable

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / ".cache" / "reports"

# The order matters: "site" begins with blank hosts and leaves a cluster, on which the next ones look.
LAB_SUITES = [
    "tests/lab",
    "tests/integration/site",
    "tests/testinfra",
]
PROXYSQL_SUITE = "tests/integration/proxysql"
# A part of it needs live members, and no proxy's host.
CONFORMANCE_SUITE = "tests/conformance"
# Blanks the members again and again, so it is the last one in its lab, and not in the one of site: most of its time it waits.
MEMBERS_SUITE = "tests/integration/group_replication"
# On the default choice of who writes; the rest of it takes longer (make applications).
APPLICATIONS_SUITE = "tests/integration/applications"
SHORT = ["-m", "applications", "-k", "without_an_error or (restart and laravel) or (killed and django)"]
# What runs beside the lab's suites. Lint and unit tests take what the labs, which wait a lot, leave of the processors.
BESIDE = {"labs": ["members", "applications", "conformance"], "others": ["lint", "unit"]}
POLITE = {"others": ["nice", "-n", "15"]}
COUNTS = re.compile(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?")
# The long tests of the modules, on a converged lab.
LONG_SUITES = ["tests/integration/site", PROXYSQL_SUITE, MEMBERS_SUITE]


def github(pattern: str) -> list[str]:
    """Files below .github, which are checked against the schemas that come with check-jsonschema."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / ".github").glob(pattern))


LINT = [
    ["yamllint", "--strict", "."],
    ["ruff", "check", "."],
    ["ruff", "format", "--check", "."],
    ["mypy"],
    ["ansible-lint", "--offline", "--strict", "-q"],
    ["ansible-playbook", "-i", "inventories/vagrant", "--syntax-check", "site.yml"],
    ["ansible-playbook", "-i", "inventories/lab", "--syntax-check", "site.yml"],
    ["codespell"],
    ["python3", "tools/words.py"],
    ["python3", "tools/role_readme.py", "--check"],
    ["python3", "tools/test_table.py", "--check"],
    ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *github("workflows/*.yml")],
    ["check-jsonschema", "--builtin-schema", "vendor.github-issue-forms", *github("ISSUE_TEMPLATE/[!c]*.yml")],
    ["check-jsonschema", "--builtin-schema", "vendor.github-issue-config", *github("ISSUE_TEMPLATE/config.yml")],
    ["check-jsonschema", "--builtin-schema", "vendor.dependabot", *github("dependabot.yml")],
    ["antsibull-changelog", "lint"],
    ["tools/vagrant-validate"],
    ["tools/promtool-check"],
]


class Tally:
    """Counts of tests passed, failed and skipped, and what took how long."""

    def __init__(self) -> None:
        self.passed = self.failed = self.skipped = 0
        self.times: list[tuple[str, float]] = []

    def run(self, name: str, command: list[str]) -> int:
        print(f"\n=== {name}: {' '.join(command)}", flush=True)
        started = time.monotonic()
        try:
            code = subprocess.call(command, cwd=ROOT, stdin=subprocess.DEVNULL)
        except FileNotFoundError as error:
            print(f"{command[0]} is missing: {error}", flush=True)
            code = 127
        self.times.append((name, time.monotonic() - started))
        return code

    def command(self, name: str, command: list[str]) -> None:
        """A command that is one test: it passes when it exits 0."""
        if self.run(name, command) == 0:
            self.passed += 1
        else:
            self.failed += 1
            print(f"--- FAILED: {name}", flush=True)

    def pytest(self, name: str, *arguments: str, inside: bool = False) -> None:
        """A pytest run (inside: in the lab's namespaces), counted test by test from its own report."""
        report = REPORTS / f"{name.replace('/', '-')}.xml"
        report.unlink(missing_ok=True)
        command = ["python3", "-m", "pytest", f"--junitxml={report}", "--durations=12", *arguments]
        code = self.run(name, ["lab/enter", *command] if inside else command)
        if not report.exists():
            self.failed += 1
            return
        counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
        for suite in ET.parse(report).getroot().iter("testsuite"):
            for key in counts:
                counts[key] += int(suite.get(key, 0))
        failed = counts["failures"] + counts["errors"]
        self.failed += failed
        self.skipped += counts["skipped"]
        self.passed += max(0, counts["tests"] - failed - counts["skipped"])
        if code != 0 and failed == 0:
            # Interrupted, a broken conftest, or nothing collected: not a success.
            self.failed += 1

    def add(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        """A run of this program that went on beside another suite: its output and its counts."""
        print(f"\n=== {name}", flush=True)
        process.wait()
        output = log.read_text(errors="replace")
        print(output, flush=True)
        found = COUNTS.fullmatch(output.rstrip().rpartition("\n")[2])
        if found is None:
            self.failed += 1
            return
        passed, failed, skipped = (int(count or 0) for count in found.groups())
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        if process.returncode != 0 and failed == 0:
            self.failed += 1


def beside(log: Path, temporary: str, stream: str) -> subprocess.Popen[bytes]:
    """The suites of a stream, one after the other, in a process of their own, with temporary files of their own."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [*POLITE.get(stream, []), sys.executable, __file__, *BESIDE[stream]],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": temporary, "ANSIBLE_LOCAL_TEMP": temporary},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def live_group() -> list[str]:
    """Options that tell the conformance suite of the lab's members."""
    name = os.environ.get("LAB_NAME")
    prefix = (ROOT / ".lab" / (f"labs/{name}" if name else "") / "run/prefix").read_text().strip()
    addresses = ",".join(f"{prefix}.{130 + number}:3306" for number in range(3))
    return [
        f"--members={addresses}",
        "--member-sql=lab/podman exec -i db$(({number} - 1)) mysql --batch --skip-column-names",
    ]


def has_promtool() -> bool:
    return bool(shutil.which("promtool")) or (ROOT / ".cache/promtool/usr/bin/promtool").exists()


def lint(tally: Tally) -> None:
    for command in LINT:
        if command == ["tools/vagrant-validate"] and os.environ.get("LINT_WITHOUT_VAGRANT") == "1":
            print("\n=== lint vagrant-validate: left out (LINT_WITHOUT_VAGRANT=1)", flush=True)
            tally.skipped += 1
            continue
        if command == ["tools/promtool-check"] and not has_promtool():
            print(
                "\n=== lint promtool-check: left out, promtool is missing (tools/promtool-check --install)", flush=True
            )
            tally.skipped += 1
            continue
        tally.command(f"lint {command[1] if command[0] == 'python3' else command[0]}", command)


def unit(tally: Tally) -> None:
    """With the branch coverage of plugins/, printed for every file that is not covered whole ([tool.coverage])."""
    # coverage leaves its own database open; without it there is no such warning.
    quiet = ["-W", "ignore:unclosed database:ResourceWarning"]
    tally.pytest("unit", "tests/unit", *quiet, "--cov", "--cov-report=term-missing:skip-covered")


def lab_suite(tally: Tally, suite: str, *arguments: str) -> None:
    if suite == CONFORMANCE_SUITE:
        # The proxies under test run in the lab's network, where the members are.
        tally.pytest(suite, suite, *arguments, *live_group(), inside=True)
    else:
        tally.pytest(suite, suite, *arguments)


def second_lab(tally: Tally, name: str, *suites: list[str], **environment: str) -> None:
    """Suites, each with its arguments, on a converged lab of their own beside this checkout's lab."""
    environment.update(LAB_NAME=name, LAB_PREPARE="1")
    os.environ.update(environment)
    tally.command("passwords of the lab", ["lab/secrets"])
    tally.command(f"lab {name} up", ["lab/up"])
    tally.command(f"site of lab {name}", ["ansible-playbook", "-i", "inventories/lab", "site.yml"])
    for suite in suites:
        lab_suite(tally, *suite)
    tally.command(f"lab {name} down", ["lab/down"])
    for variable in environment:
        del os.environ[variable]


def members(tally: Tally) -> None:
    """Modules of proxies and of members, in one lab: a blank one takes as long as many of their tests. The last one leaves no group."""
    second_lab(tally, "members", [PROXYSQL_SUITE], [CONFORMANCE_SUITE, "-m", "members"], [MEMBERS_SUITE])


def applications(tally: Tally) -> None:
    second_lab(tally, "applications", [APPLICATIONS_SUITE, *SHORT], LAB_WRITERS="one")


def lab(tally: Tally) -> None:
    """One after the other, in one lab."""
    for suite in [*LAB_SUITES, PROXYSQL_SUITE, CONFORMANCE_SUITE, MEMBERS_SUITE]:
        lab_suite(tally, suite)
    tally.command("lab down", ["lab/down"])


def everything(tally: Tally) -> None:
    first, *others = LAB_SUITES
    # It looks at what a lab changes on the machine, so it is alone; and it makes the image that both labs need.
    lab_suite(tally, first)
    tally.command("passwords of both labs", ["lab/secrets"])
    logs = {stream: REPORTS / f"beside-{stream}.log" for stream in BESIDE}
    with contextlib.ExitStack() as stack:
        # A test searches all temporary files for passwords, and those of both labs are the same.
        temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="beside-"))
        os.environ["TESTS_BESIDE"] = temporary
        processes = {stream: stack.enter_context(beside(log, temporary, stream)) for stream, log in logs.items()}
        for suite in others:
            lab_suite(tally, suite)
        tally.command("lab down", ["lab/down"])
        for stream, process in processes.items():
            tally.add(f"{', '.join(BESIDE[stream])}, beside the others", process, logs[stream])


def conformance(tally: Tally) -> None:
    """What needs no live members; those tests run with the lab's."""
    tally.pytest("conformance", CONFORMANCE_SUITE, "-m", "not members")


def long(tally: Tally) -> None:
    tally.command("lab up", ["lab/up"])
    tally.command("site", ["ansible-playbook", "-i", "inventories/lab", "site.yml"])
    for suite in LONG_SUITES:
        tally.pytest(suite, suite, "-m", "long")
    tally.command("lab down", ["lab/down"])


SCENARIOS = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))


def scenario(name: str) -> Callable[[Tally], None]:
    return lambda tally: tally.command(f"molecule {name}", ["molecule", "test", "-s", name])


def molecule(tally: Tally) -> None:
    for name in SCENARIOS:
        scenario(name)(tally)


def outside(tally: Tally) -> None:
    tally.pytest("tests/outside", "tests/outside")


def airgap(tally: Tally) -> None:
    tally.pytest("tests/integration/airgap", "-s", "-m", "airgap", "tests/integration/airgap")


SUITES = {
    "all": everything,
    "lint": lint,
    "unit": unit,
    "lab": lab,
    "members": members,
    "applications": applications,
    "long": long,
    "conformance": conformance,
    "molecule": molecule,
    **{f"molecule:{name}": scenario(name) for name in SCENARIOS},
    "outside": outside,
    "airgap": airgap,
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in SUITES]
    if unknown or not names:
        print(f"usage: tools/run_tests.py SUITE [SUITE ...]; suites: {', '.join(SUITES)}", file=sys.stderr)
        return 2
    REPORTS.mkdir(parents=True, exist_ok=True)
    os.environ["PATH"] = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    os.environ["ANSIBLE_CONFIG"] = str(ROOT / "ansible.cfg")
    os.environ.setdefault("ANSIBLE_FORCE_COLOR", "0")
    tally = Tally()
    for name in names:
        SUITES[name](tally)
    print("\nTimes:")
    for name, seconds in tally.times:
        print(f"  {seconds:7.1f} s  {name}")
    line = f"{tally.passed} passed, {tally.failed} failed"
    if tally.skipped:
        line += f", {tally.skipped} skipped"
    print(line, flush=True)
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
