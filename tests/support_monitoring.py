# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Monitoring of the lab's hosts as a Prometheus in the lab's network sees it: variables, and scrapes over TLS with a password."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
from typing import NamedTuple

from support import ROOT, Lab, Run

FOLDER = ROOT / ".cache/operations/monitoring"
NODE, MYSQLD = 9100, 9104
# What the role has of its own on hosts.
FILES = (
    "/etc/mysql-gr-monitoring /etc/mysql-gr-metrics.json /etc/systemd/system/mysql-gr-metrics.* /etc/proxysql-monitoring /etc/proxysql-metrics.json"
    " /usr/local/sbin/proxysql-metrics /etc/systemd/system/proxysql-metrics.* /etc/systemd/system/prometheus-*.service.d/*.conf"
    " /usr/local/sbin/mysql-gr-guard /var/lib/mysql-gr-guard /var/lib/prometheus/node-exporter/*.prom"
)
# The address by which who is in the lab's network itself, and no host, reaches another one.
SOURCE = """
import socket, sys
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
one.connect((sys.argv[1], 9))
print(one.getsockname()[0])
"""


class Answer(NamedTuple):
    """Status and text of a scrape; status 0: there was none."""

    status: int
    text: str

    @property
    def series(self) -> set[str]:
        return set(re.findall(r"^([a-z_]\w*)[{ ]", self.text, re.MULTILINE))

    def value(self, name: str, labels: str = "") -> float | None:
        """Of the first sample whose labels have this text."""
        found = re.search(rf"^{name}(?:{{[^}}]*{re.escape(labels)}[^}}]*}})? (\S+)$", self.text, re.MULTILINE)
        return float(found[1]) if found else None


class Monitoring:
    """Monitoring of the lab's members and of its proxy."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.variables = FOLDER / "monitoring.json"
        self.passwords = {role: secrets.token_hex(16) for role in ("mysql_gr", "proxysql")}
        self.account = secrets.token_urlsafe(24)
        self.source = lab.command("lab/enter", "python3", "-c", SOURCE, lab.address("db0")).stdout.strip()
        self.ca = str(lab.variable("db0", "mysql_gr_tls_directory")) + "/ca.pem"

    def begin(self) -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        wanted: dict[str, object] = {"mysql_gr_exporter_password": self.account}
        for role, password in self.passwords.items():
            wanted.update({
                f"{role}_monitoring": True, f"{role}_monitoring_hosts": [self.source], f"{role}_monitoring_password": password,
            })  # fmt: skip
        self.variables.touch(mode=0o600)
        self.variables.write_text(json.dumps(wanted))

    def play(self, *arguments: str, playbook: str = "site.yml", timeout: float = 900) -> Run:
        return self.lab.site("-e", f"@{self.variables}", *arguments, playbook=playbook, timeout=timeout)

    def without(self, *arguments: str, timeout: float = 900) -> Run:
        return self.play(
            "-e", "mysql_gr_monitoring=false", "-e", "proxysql_monitoring=false", *arguments, timeout=timeout
        )

    def address(self, host: str) -> str:
        return str(self.lab.variable(host, "proxysql_address" if host.startswith("proxy") else "mysql_gr_address"))

    def scrape(
        self, host: str, port: int, password: str | None = None, scheme: str = "https", trust: str = ""
    ) -> Answer:
        """As Prometheus does it. password: another one than the right one; "" for none. The password goes by standard input."""
        given = self.passwords["proxysql" if host.startswith("proxy") else "mysql_gr"] if password is None else password
        done = subprocess.run(
            ["lab/enter", "curl", "--silent", "--max-time", "15", "--config", "-", "--cacert", trust or self.ca, "--write-out", "\n%{http_code}",
             f"{scheme}://{self.address(host)}:{port}/metrics"],
            cwd=ROOT, env=self.lab.env, input=f'user = "prometheus:{given}"\n' if given else "", stdout=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
        text, _line, status = done.stdout.rpartition("\n")
        return Answer(int(status) if status.isdigit() else 0, text)

    def left(self, host: str) -> list[str]:
        """What of the roles' own is on a host."""
        return self.lab.on(host, "sh", "-c", f"ls -d {FILES} 2>/dev/null || true").split()
