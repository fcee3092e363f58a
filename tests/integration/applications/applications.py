# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The applications, as they are started against the lab's proxy.

Each is a program of its own that exits 0 or prints what failed. `patient` is what it does when a member is killed: it
repeats a unit of work that failed, with what its own world has for that.

- Laravel (Debian's packages): retry() of the framework, as a queue repeats a failed job
- Django: has nothing of its own; tenacity, as Celery repeats a failed task. Servers before MySQL 8.4 get Django 5.2, the last that takes them
- sysbench: a new transaction after errors 1213, 1020 and 1205, its default: what InnoDB does to two transactions on a single server,
  too. It cannot outlive its connections: version 1.0 crashes where it connects again
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
# `make application-tools` fills it.
OLDER_DJANGO = HERE.parents[2] / ".cache" / "django-mysql-8.0"


class Result(NamedTuple):
    code: int
    output: str
    # Units of work that were repeated.
    retries: int


class Client:
    """A host in the lab's network that knows the proxy's address and the application's account."""

    def __init__(self, lab, directory: Path) -> None:
        self.lab = lab
        account = lab.variable("db0", "mysql_gr_users")[0]
        self.where = {
            "host": str(lab.variable("proxy", "proxysql_address")),
            "port": str(lab.inventory.variable("proxy", "proxysql_port", 6033)),
            "user": account["name"],
            "password": account["password"],
            "database": lab.variable("db0", "mysql_gr_schemas")[0],
        }
        self.modules = {}
        [[version]] = lab.sql("db0", "SELECT VERSION()")
        if tuple(map(int, re.findall(r"\d+", version)[:2])) < (8, 4):
            assert OLDER_DJANGO.is_dir(), f"{OLDER_DJANGO} is absent: make application-tools"
            self.modules["PYTHONPATH"] = str(OLDER_DJANGO)
        # sysbench takes no password from its environment, and what stands on its command line everybody sees.
        self.sysbench = directory / "sysbench.conf"
        self.sysbench.touch(mode=0o600)
        names = {"database": "db"}
        self.sysbench.write_text("".join(f"mysql-{names.get(key, key)}={value}\n" for key, value in self.where.items()))

    def run(self, *command: str, timeout: float = 300) -> subprocess.CompletedProcess:
        account = {f"APP_{key.upper()}": value for key, value in self.where.items()}
        return self.lab.command(
            "lab/enter", "timeout", str(timeout), *command, check=False, timeout=timeout + 30, **account, **self.modules
        )

    def writer(self) -> str:
        """The member to which the proxy sends this account's statements."""
        script = 'read -r MYSQL_PWD; export MYSQL_PWD; exec mysql -h "$0" -P "$1" -u "$2" -N -e "SELECT @@report_host"'
        words = [script, *(self.where[key] for key in ("host", "port", "user"))]
        quoted = " ".join(f"'{word}'" for word in words)
        address = self.lab.give("db0", f"sh -c {quoted}", self.where["password"] + "\n").strip()
        return next(member for member in self.lab.members if self.lab.address(member) == address)


class Program(NamedTuple):
    """A program whose last line is {"checks": …, "failed": …, "retries": …}."""

    command: tuple[str, ...]

    def __call__(self, client: Client, seconds: int = 0, patient: bool = False) -> Result:
        done = client.run(*self.command, str(seconds), "20" if patient else "1")
        counts = re.findall(r'^\{"checks".*\}$', done.stdout, re.MULTILINE)
        return Result(done.returncode, done.stdout[-3000:], json.loads(counts[-1])["retries"] if counts else 0)


class Sysbench(NamedTuple):
    seconds: int = 20

    def __call__(self, client: Client) -> Result:
        base = ("sysbench", "oltp_read_write", f"--config-file={client.sysbench}", "--tables=4", "--table-size=5000")
        run = ("--threads=8", f"--time={self.seconds}", "run")
        try:
            done = client.run(*base, "prepare")
            if done.returncode == 0:
                done = client.run(*base, *run)
        finally:
            client.run(*base, "cleanup")
        ignored = re.search(r"ignored errors:\s+(\d+)", done.stdout)
        return Result(done.returncode, done.stdout[-3000:], int(ignored[1]) if ignored else 0)


APPLICATIONS = {
    "laravel": Program(("php", str(HERE / "laravel/shop.php"), "native")),
    "laravel-emulated": Program(("php", str(HERE / "laravel/shop.php"), "emulated")),
    "django": Program(("python", str(HERE / "django/program.py"), "plain")),
    "django-prepared": Program(("python", str(HERE / "django/program.py"), "prepared")),
    "sysbench": Sysbench(),
}
