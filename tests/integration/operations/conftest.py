# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests of this folder need a converged lab and minutes: they run only when asked for.

DISTDB_FAILOVER=1 python -m pytest tests/integration/operations

Each run under load leaves a report in .cache/planned (DISTDB_REPORTS names another directory).
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from support import ROOT, Run, wait_for

collect_ignore_glob = [] if os.environ.get("DISTDB_FAILOVER") else ["test_*.py"]

DIRECTORY = "/var/tmp/distdb-operations"
UNIT = "distdb-operations-load"
REPORTS = Path(os.environ.get("DISTDB_REPORTS", ROOT / ".cache/planned"))


class Load:
    """Eight clients on the proxy host, 100 writes a second; every acknowledged write is recorded."""

    def __init__(self, lab, name: str) -> None:
        self.lab, self.name = lab, name
        self.account = lab.variable("db0", "mysql_gr_users")[0]
        self.schema = lab.variable("db0", "mysql_gr_schemas")[0]
        self.common = ("--directory", DIRECTORY, "--user", self.account["name"], "--database", self.schema)
        self.running = False

    def start(self, password: str | None = None) -> None:
        lab = self.lab
        lab.on("proxy", "rm", "-rf", DIRECTORY)
        lab.on("proxy", "install", "-d", "-m", "700", DIRECTORY)
        lab.command(
            "lab/podman", "cp", "--pause=false", str(ROOT / "playbooks/files/load.py"), f"proxy:{DIRECTORY}/load.py"
        )
        # Standard input is in no process list.
        secret = f"MYSQL_PWD={password or self.account['password']}\n"
        lab.give("proxy", f"umask 077; cat >{DIRECTORY}/password", secret)
        lab.on(
            "proxy", "systemd-run", "--quiet", "--collect", f"--unit={UNIT}",
            f"--property=EnvironmentFile={DIRECTORY}/password",
            "/usr/bin/python3", f"{DIRECTORY}/load.py", "run", *self.common, "--seconds", "3600",
        )  # fmt: skip
        self.running = True
        wait_for(lambda: self.there("started"), 60, "a first write of every client")

    def there(self, name: str) -> bool:
        done = self.lab.command("lab/podman", "exec", "proxy", "test", "-e", f"{DIRECTORY}/{name}", check=False)
        return done.returncode == 0

    def stop(self) -> None:
        if self.running:
            self.lab.on("proxy", "touch", f"{DIRECTORY}/stop")
            wait_for(lambda: self.there("summary.json"), 90, "the end of the load")
            self.running = False

    def finish(self, seconds: float, members=None) -> dict:
        """End the load; its summary. Nothing failed, nothing is lost, and all members hold the same."""
        self.stop()
        summary = json.loads(self.lab.on("proxy", "cat", f"{DIRECTORY}/summary.json"))
        where = [f"--member={self.lab.address(member)}:3306" for member in members or self.lab.members]
        line = f". {DIRECTORY}/password; export MYSQL_PWD; exec python3 {DIRECTORY}/load.py agree --timeout 120 --tls "
        text = self.lab.on("proxy", "sh", "-c", line + " ".join(self.common + tuple(where)), check=False, timeout=180)
        agreed = json.loads(text)
        report = dict(
            summary, work=self.name, work_seconds=round(seconds, 1), lost_rows=agreed["lost"],
            same_transactions=agreed["same_transactions"], checksums_agree=agreed["checksums_agree"],
        )  # fmt: skip
        report["passed"] = bool(
            not summary["errors"] and not agreed["lost"] and agreed["same_transactions"] and agreed["checksums_agree"]
        )
        REPORTS.mkdir(parents=True, exist_ok=True)
        (REPORTS / f"{self.name}-{time.time_ns()}.json").write_text(json.dumps(report, indent=1) + "\n")
        print(f"{self.name}: longest gap {summary['longest_gap']} s, {summary['failed_statements']} failed statements of "
              f"{summary['acknowledged_writes'] + summary['reads']}, {seconds:.0f} s")  # fmt: skip
        assert report["passed"], report
        return report


@pytest.fixture
def under_load(lab, request):
    """Runs a playbook under load; called with its name and arguments, gives the run. Fails if a statement did."""
    running = []

    def work(playbook: str, *arguments: str, name: str = "", password: str | None = None, members=None) -> Run:
        load = Load(lab, name or Path(playbook).stem)
        running.append(load)
        load.start(password)
        run = lab.site(*arguments, playbook=playbook, timeout=1800)
        assert run.code == 0, run
        load.finish(run.seconds, members)
        return run

    yield work
    for load in running:
        load.stop()
    lab.on("proxy", "rm", "-rf", DIRECTORY)
