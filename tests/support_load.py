# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What planned work under load needs: the load itself, and passwords to change to. For the tests and for tools/failover_series.py."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import Sequence

import yaml
from support import ROOT, wait_for

DIRECTORY = "/var/tmp/distdb-operations"
UNIT = "distdb-operations-load"


class Load:
    """Eight clients on one host, 100 writes a second; every acknowledged write is recorded."""

    def __init__(self, lab, name: str, reports: Path, host: str = "proxy") -> None:
        self.lab, self.name, self.reports, self.host = lab, name, reports, host
        self.account = lab.variable("db0", "mysql_gr_users")[0]
        self.schema = lab.variable("db0", "mysql_gr_schemas")[0]
        self.common = ("--directory", DIRECTORY, "--user", self.account["name"], "--database", self.schema)
        self.running = False

    def start(self, password: str | None = None, options: Sequence[str] = ()) -> None:
        lab = self.lab
        lab.on(self.host, "rm", "-rf", DIRECTORY)
        lab.on(self.host, "install", "-d", "-m", "700", DIRECTORY)
        lab.command(
            "lab/podman",
            "cp",
            "--pause=false",
            str(ROOT / "bench/failover/load.py"),
            f"{self.host}:{DIRECTORY}/load.py",
        )
        # Standard input is in no process list.
        secret = f"MYSQL_PWD={password or self.account['password']}\n"
        lab.give(self.host, f"umask 077; cat >{DIRECTORY}/password", secret)
        lab.on(
            self.host, "systemd-run", "--quiet", "--collect", f"--unit={UNIT}",
            f"--property=EnvironmentFile={DIRECTORY}/password",
            "/usr/bin/python3", f"{DIRECTORY}/load.py", "run", *self.common, "--seconds", "3600", *options,
        )  # fmt: skip
        self.running = True
        wait_for(lambda: self.there("started"), 60, "a first write of every client", every=0.1)

    def there(self, name: str) -> bool:
        done = self.lab.command("lab/podman", "exec", self.host, "test", "-e", f"{DIRECTORY}/{name}", check=False)
        return done.returncode == 0

    def stop(self) -> None:
        if self.running:
            self.lab.on(
                self.host,
                "python3",
                f"{DIRECTORY}/load.py",
                "stop",
                "--directory",
                DIRECTORY,
                "--timeout",
                "90",
                timeout=120,
            )
            self.running = False

    def finish(self, seconds: float, also=(), **more) -> dict:
        """End the load; its report, with what else is known. It has passed when nothing failed, nothing is lost, and all members (`also`: addresses of more)
        hold the same."""
        self.stop()
        summary = json.loads(self.lab.on(self.host, "cat", f"{DIRECTORY}/summary.json"))
        addresses = [*map(self.lab.address, self.lab.members), *also]
        where = [f"--member={address}:3306" for address in addresses]
        line = f". {DIRECTORY}/password; export MYSQL_PWD; exec python3 {DIRECTORY}/load.py agree --timeout 120 --tls "
        text = self.lab.on(self.host, "sh", "-c", line + " ".join(self.common + tuple(where)), check=False, timeout=180)
        agreed = json.loads(text)
        report = dict(
            summary, work=self.name, work_seconds=round(seconds, 1), lost_rows=agreed["lost"],
            same_transactions=agreed["same_transactions"], checksums_agree=agreed["checksums_agree"], **more,
        )  # fmt: skip
        if summary["errors"]:
            journal = self.lab.on(self.host, "cat", f"{DIRECTORY}/writes.jsonl").splitlines()
            report["failures"] = [event for event in map(json.loads, journal[1:]) if event["error"]]
        report["passed"] = bool(
            not summary["errors"] and not agreed["lost"] and agreed["same_transactions"] and agreed["checksums_agree"]
        )
        self.reports.mkdir(parents=True, exist_ok=True)
        (self.reports / f"{self.name}-{time.time_ns()}.json").write_text(json.dumps(report, indent=1) + "\n")
        print(f"{self.name}: longest gap {summary['longest_gap']} s, {summary['failed_statements']} failed statements of "
              f"{summary['acknowledged_writes'] + summary['reads']}, {seconds:.0f} s")  # fmt: skip
        return report


def new_address(lab, number: int) -> str:
    """The address of dbN, which the lab's inventory does not have."""
    return f"{lab.address('db0').rpartition('.')[0]}.{130 + number}"


def rotation(lab, directory: Path) -> tuple[dict, dict, tuple, tuple]:
    """The inventory's passwords, others in their place, and the arguments that bring the others, or again the first, into force."""
    old = lab.secrets()
    new = {name: secrets.token_urlsafe(18).replace("-", "x") for name in old}
    found = []
    for name, passwords, before in (("new.yml", new, old), ("old.yml", old, new)):
        user = lab.inventory.variable("proxy", "proxysql_admin_user", "admin")
        credentials = [{"user": user, "password": before["proxysql_admin_password"]}]
        path = directory / name
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(dict(passwords, proxysql_admin_old_credentials=credentials)))
        found.append(("-e", f"@{path}"))
    return old, new, found[0], found[1]
