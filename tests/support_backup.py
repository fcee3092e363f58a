# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A place of backups on the lab: an SFTP or WebDAV server on the proxy's host, rclone's own; and rows to lose."""

from __future__ import annotations

import json
import secrets

from support import ROOT, wait_for

FOLDER = ROOT / ".cache/operations/backup"
STORE = "/srv/store"
UNIT = "lab-store"
PORT = 2022
KINDS = ("sftp", "webdav")
CLUSTER = "lab"
PROGRAM = "/usr/local/sbin/mysql-gr-backup"


class Backups:
    """Backups of the lab's cluster, made by the proxy's host, then by db2."""

    def __init__(self, lab, kind: str = "sftp") -> None:
        """kind: what the place speaks. WebDAV is without TLS here, which costs no processor: what is stored is encrypted."""
        self.lab, self.kind = lab, kind
        self.identity = FOLDER / "backup.key"
        self.variables = FOLDER / "backup.json"

    def begin(self) -> None:
        """The place, and the variables of those who write to it."""
        lab = self.lab
        FOLDER.mkdir(parents=True, exist_ok=True)
        lab.on(
            "proxy",
            "sh",
            "-c",
            "apt-get -qq update && apt-get -qq install -y --no-install-recommends age rclone zstd",
            timeout=600,
        )
        lab.on("proxy", "install", "-d", "-m", "700", STORE)
        password = secrets.token_hex(16)
        lab.give("proxy", "umask 077; cat >/run/store.env", f"RCLONE_USER=store\nRCLONE_PASS={password}\n")
        lab.on(
            "proxy", "systemd-run", "--quiet", "--collect", f"--unit={UNIT}", "--property=EnvironmentFile=/run/store.env",
            "rclone", "serve", self.kind, STORE, f"--addr=:{PORT}",
        )  # fmt: skip
        obscured = lab.give("proxy", "rclone obscure -", password).strip()
        secret = lab.on("proxy", "sh", "-c", "age-keygen 2>/dev/null")
        self.identity.write_text(secret)
        self.identity.chmod(0o600)
        public = next(line.rpartition(" ")[2] for line in secret.splitlines() if "public key" in line)
        host = str(lab.variable("proxy", "proxysql_address"))
        remote: dict[str, object] = {"type": self.kind, "user": "store", "pass": obscured}
        if self.kind == "sftp":
            remote.update(host=host, port=PORT, shell_type="none", disable_hashcheck=True)
        else:
            remote.update(url=f"http://{host}:{PORT}", vendor="other")
        self.variables.write_text(
            json.dumps(
                {
                    "mysql_backup_cluster": CLUSTER,
                    "mysql_backup_place": "store:backups",
                    "mysql_backup_remotes": {"store": remote},
                    "mysql_backup_encrypt_to": [public],
                    "mysql_backup_password": secrets.token_hex(16),
                    "mysql_backup_hosts": ["proxy", "db2"],
                    "mysql_backup_reserve": "256M",
                    "mysql_gr_clone": "when_needed",
                }
            )
        )
        self.variables.chmod(0o600)

    def behind_its_back(self, script: str) -> None:
        """Change files of the place; what serves them is told to look again."""
        self.lab.on("proxy", "sh", "-c", script)
        self.lab.on("proxy", "systemctl", "kill", "--signal=HUP", UNIT)

    def end(self) -> None:
        self.lab.on("proxy", "systemctl", "stop", UNIT, check=False)
        self.lab.on("proxy", "rm", "-rf", STORE, "/run/store.env")

    def play(self, playbook: str, *arguments: str, timeout: float = 900):
        path = "site.yml" if playbook == "site" else f"playbooks/{playbook}.yml"
        return self.lab.site("-e", f"@{self.variables}", *arguments, playbook=path, timeout=timeout)

    def restore(self, target: str, *arguments: str, **options):
        return self.play(
            "restore",
            "-e",
            f"operations_target={target}",
            "-e",
            f"operations_identity={self.identity}",
            *arguments,
            **options,
        )

    def ask(self, *command: str, host: str = "proxy"):
        """What the program says, as JSON."""
        return json.loads(self.lab.on(host, PROGRAM, *command, "--json", check=False, timeout=300))

    def stored(self, gtid: str, seconds: float = 60) -> None:
        """Wait until transactions are in the place."""
        lab = self.lab

        def there() -> bool:
            until = self.ask("status")["stream"]["stored_until"]
            return lab.sql("db0", f"SELECT GTID_SUBSET('{gtid}', '{until}')") == [["1"]]

        wait_for(there, seconds, f"{gtid} is in the place")

    def executed(self, host: str, statement: str) -> str:
        """Run a statement while nobody else writes; the transaction that it was."""
        script = (
            f"SET @before = @@GLOBAL.gtid_executed; {statement}; SELECT GTID_SUBTRACT(@@GLOBAL.gtid_executed, @before)"
        )
        return self.lab.sql(host, script)[-1][0].replace("\n", "").replace("\\n", "")

    def rows(self, host: str, table: str) -> list[list[str]]:
        return self.lab.sql(host, f"SELECT * FROM {table} ORDER BY 1")


def former(lab, host: str) -> list[str]:
    """Former data directories of a member, of restores that are done."""
    return [path for path in set_aside(lab, host) if ".old-" in path]


def set_aside(lab, host: str) -> list[str]:
    """What restores have left on a member: former data, and what one that failed would go on with."""
    return lab.on(host, "sh", "-c", "ls -d /var/lib/mysql.* 2>/dev/null || true").split()
