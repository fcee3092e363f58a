# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the scenarios run: on the lab's hosts, or on mysqld processes of this machine (GR_MYSQLD_ROOT=/some/chroot).

Both give three servers with the same few verbs, and run modules the way users do: by ansible-playbook.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from gr_local_servers import GROUP_NAME, PEER_PASSWORD, REPL_PASSWORD, LocalServer, account_statements
from support import kill_tree

ROOT = Path(__file__).resolve().parents[3]
MODULE = "distdb.mysql_ha.group_replication_bootstrap"


class Call:
    """A module run on some members at the same time."""

    def __init__(self, process, output, playbook):
        self.process = process
        self.output = output
        self.playbook = playbook
        self.started = time.monotonic()
        self.seconds = 0.0
        self.text = ""

    def kill(self):
        """SIGKILL the whole controller: ansible-playbook and everything that it started on this machine."""
        kill_tree(self.process)
        self.clean()

    def clean(self):
        """Remove the files of this call."""
        for path in (self.output, self.playbook):
            if os.path.exists(path):
                os.unlink(path)

    def written(self):
        """What it has written until now."""
        return Path(self.output).read_text(encoding="utf-8")

    def over(self):
        """Whether it has ended."""
        return self.process.poll() is not None

    def wait(self, timeout=300):
        """{host: result} of the finished run."""
        self.process.wait(timeout=timeout)
        self.seconds = time.monotonic() - self.started
        with open(self.output, encoding="utf-8") as src:
            self.text = text = src.read()
        self.clean()
        try:
            # Warnings stand before the report, other callbacks' figures after it.
            report, _end = json.JSONDecoder().raw_decode(text[text.index("{\n") :])
        except ValueError:
            raise AssertionError(f"ansible-playbook gave no report:\n{text[-4000:]}") from None
        results = {}
        for play in report["plays"]:
            for task in play["tasks"]:
                results.update(task["hosts"])
        return results


class Backend:
    """What both backends share."""

    servers: list = []
    group_name = GROUP_NAME
    inventory = ""
    repl_password = REPL_PASSWORD
    peer_password = PEER_PASSWORD
    interpreter: str | None = None

    @property
    def members(self):
        """The declared members."""
        return [server.address for server in self.servers]

    def arguments(self, **changes):
        """Module arguments that all scenarios share."""
        arguments = {
            "login_unix_socket": "{{ gr_socket }}",
            "login_user": "root",
            "config_file": "",
            "member": "{{ gr_address }}",
            "members": self.members,
            "peer_user": "gr_peer",
            "peer_password": self.peer_password,
        }
        if changes.pop("bootstrap_options", True):
            arguments.update(
                group_name=self.group_name, recovery_user="repl", recovery_password=self.repl_password, timeout=150
            )
        arguments.update(changes)
        return {name: value for name, value in arguments.items() if value is not None}

    def start_call(self, hosts=None, module=MODULE, check=False, diff=False, **changes):
        """Start the module on hosts (names; default all) at the same time."""
        hosts = hosts or [server.name for server in self.servers]
        play = [
            {
                "hosts": ":".join(hosts),
                "gather_facts": False,
                "tasks": [{"name": "module", module: self.arguments(**changes)}],
            }
        ]
        playbook, output = tempfile.mkstemp(suffix=".json")[1], tempfile.mkstemp(suffix=".out")[1]
        Path(playbook).write_text(json.dumps(play), encoding="utf-8")
        extra = {server.name: server for server in self.servers}
        variables = {
            "gr_sockets": {name: server.login_socket for name, server in extra.items()},
            "gr_addresses": {name: server.address for name, server in extra.items()},
            "gr_socket": "{{ gr_sockets[inventory_hostname] }}",
            "gr_address": "{{ gr_addresses[inventory_hostname] }}",
        }
        env = dict(
            os.environ,
            ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
            ANSIBLE_STDOUT_CALLBACK="ansible.posix.json",
            ANSIBLE_NOCOLOR="1",
            ANSIBLE_FORCE_COLOR="0",
        )
        command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", self.inventory, playbook]
        command += ["-f", "10", "-e", json.dumps(variables)]
        command += ["--check"] if check else []
        command += ["--diff"] if diff else []
        with open(output, "w", encoding="utf-8") as out:
            process = subprocess.Popen(
                command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        return Call(process, output, playbook)

    def call(self, hosts=None, timeout=300, **changes):
        """Run the module on hosts and wait; {host: result}."""
        return self.start_call(hosts, **changes).wait(timeout)

    def each(self, verb, servers=None):
        """Call that verb of the servers (default: all) at the same time."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda server: getattr(server, verb)(), servers or self.servers))

    def kill_modules(self):
        """SIGKILL modules that outlived their controller; by default there are none: they were in its process group."""

    def server(self, name):
        """The server of that name."""
        return next(server for server in self.servers if server.name == name)

    def close(self):
        """End of the session."""


class LocalMember(LocalServer):
    """A local mysqld with the verbs of the scenarios."""

    @property
    def login_socket(self):
        """Where the module logs in."""
        return self.socket


class LocalBackend(Backend):
    """Three mysqld processes of this machine."""

    def __init__(self, root):
        self.servers = [LocalMember(index, root) for index in range(3)]
        self.directory = tempfile.TemporaryDirectory()
        hosts = {
            server.name: {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
            for server in self.servers
        }
        self.inventory = os.path.join(self.directory.name, "hosts.json")
        Path(self.inventory).write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")

    def close(self):
        self.each("stop")
        self.directory.cleanup()


LAB_BLANK = r"""
set -eu
base=/var/lib/mysql-gr-base
systemctl stop mysql
if [ ! -d $base ]; then
    mkdir $base && chown mysql:mysql $base && chmod 700 $base
    runuser -u mysql -- /usr/sbin/mysqld --no-defaults --initialize-insecure --datadir=$base --log-error=/tmp/gr-base.log
    rm -f $base/auto.cnf
fi
if [ ! -d /var/lib/mysql-gr-site ]; then
    mv /var/lib/mysql /var/lib/mysql-gr-site
fi
rm -rf /var/lib/mysql
cp -a $base /var/lib/mysql
systemctl reset-failed mysql || :
"""
LAB_RESTORE = r"""
set -eu
[ -d /var/lib/mysql-gr-site ] || exit 0
systemctl stop mysql
rm -rf /var/lib/mysql /var/lib/mysql-gr-base
mv /var/lib/mysql-gr-site /var/lib/mysql
systemctl reset-failed mysql || :
systemctl start mysql
"""
# What the scenarios want otherwise than the site: no start by itself, clone donors, and defaults where the site is quicker.
LAB_DROPIN = "/etc/mysql/mysql.conf.d/zzz-gr-scenarios.cnf"
LAB_SETTINGS = r"""[mysqld]
plugin_load_add=mysql_clone.so
loose-group_replication_start_on_boot=OFF
loose-group_replication_member_expel_timeout=5
loose-group_replication_unreachable_majority_timeout=0
"""


class LabMember:
    """A lab host with the verbs of the scenarios."""

    login_socket = "/run/mysqld/mysqld.sock"

    def __init__(self, name, address, backend):
        self.name = name
        self.address = address
        self.backend = backend

    def on(self, *command, check=True, timeout=120, text=None):
        """Run a command on the host."""
        done = subprocess.run(
            [str(ROOT / "lab" / "podman"), "exec", "-i", self.name, *command],
            cwd=ROOT, input=text or "", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"{self.name}: {' '.join(command)}: exit {done.returncode}\n{done.stdout[-3000:]}")
        return done.stdout

    def sql(self, statement, *args):
        """Run one statement as root; the rows as dicts of text."""
        if args:
            quoted = tuple("'" + str(arg).replace("\\", "\\\\").replace("'", "''") + "'" for arg in args)
            statement = statement % quoted
        # By standard input: a long statement does not fit into an argument.
        client = ("mysql", "--no-defaults", "-uroot", f"--socket={self.login_socket}", "--batch")
        # A procedure's body has semicolons of its own.
        end = "//" if statement.startswith("CREATE PROCEDURE") else ";"
        text = self.on(*client, text=f"DELIMITER {end}\n{statement}{end}\n")
        lines = [line for line in text.splitlines() if not line.startswith("mysql: [Warning]")]
        if not lines:
            return []
        names = lines[0].split("\t")
        return [
            {
                name: None if value == "NULL" else value.replace("\\n", "\n")
                for name, value in zip(names, line.split("\t"))
            }
            for line in lines[1:]
        ]

    def blank(self):
        """A fresh data directory with its own server_uuid and the accounts."""
        self.on("sh", "-c", LAB_BLANK)
        self.on("sh", "-c", f"cat >{LAB_DROPIN}", text=LAB_SETTINGS)
        self.start()
        version = self.sql("SELECT VERSION() AS v")[0]["v"]
        statements = account_statements(version, self.backend.repl_password, self.backend.peer_password)
        self.on(
            "mysql", "--no-defaults", "-uroot", f"--socket={self.login_socket}", text=";\n".join(statements) + ";\n"
        )

    def restore(self):
        """Give the host back the data directory that it had before the scenarios."""
        self.on("sh", "-c", f"rm -f {LAB_DROPIN}")
        self.on("sh", "-c", LAB_RESTORE)

    def start(self, wait=True):
        """Start mysqld by systemd; its unit is of type notify, so it answers afterwards."""
        self.on("systemctl", "start", *([] if wait else ["--no-block"]), "mysql")

    def wait_up(self, timeout=60):
        """Wait until the server answers on its socket."""
        end = time.monotonic() + timeout
        while "is alive" not in self.on(
            "mysqladmin", "--no-defaults", f"--socket={self.login_socket}", "ping", check=False
        ):
            assert time.monotonic() < end, f"{self.name}: mysqld does not answer"
            time.sleep(0.2)

    def stop(self):
        """A clean stop that lasts."""
        self.on("systemctl", "stop", "mysql")

    @contextmanager
    def started_at_once(self):
        """It does not wait for its group before it starts (mysql_gr_wait_on_start), as where the role did not set the service up."""
        options = "/etc/mysql-gr-wait.json"
        self.on("mv", options, f"{options}.kept")
        try:
            yield
        finally:
            self.on("mv", f"{options}.kept", options)

    def kill9(self, restart=True):
        """SIGKILL; systemd has it back at once, unless it shall stay down."""
        if not restart:
            self.on("sh", "-c", "mkdir -p /run/systemd/system/mysql.service.d && printf '[Service]\\nRestart=no\\n' "
                    ">/run/systemd/system/mysql.service.d/norestart.conf && systemctl daemon-reload")  # fmt: skip
        self.on("systemctl", "kill", "-s", "KILL", "mysql")
        if not restart:
            self.on("sh", "-c", "rm -r /run/systemd/system/mysql.service.d; systemctl daemon-reload; "
                    "systemctl stop mysql; systemctl reset-failed mysql || :")  # fmt: skip

    def freeze(self):
        """SIGSTOP."""
        self.on("systemctl", "kill", "-s", "STOP", "mysql")

    def thaw(self):
        """SIGCONT."""
        self.on("systemctl", "kill", "-s", "CONT", "mysql")

    def session(self, *statements, user="root", password=""):
        """A session that stays open after these statements, until close()."""
        return LabSession(self, "; ".join(statements), user, password)

    def set_uuid(self, uuid):
        """Give the server that server_uuid, as a copied data directory would."""
        self.stop()
        self.on("sh", "-c", f"printf '[auto]\\nserver-uuid={uuid}\\n' >/var/lib/mysql/auto.cnf; "
                "chown mysql:mysql /var/lib/mysql/auto.cnf")  # fmt: skip
        self.start()


class LabSession:
    """A mysql client on a lab host, kept open through its standard input."""

    def __init__(self, server, statement, user, password):
        command = [str(ROOT / "lab" / "podman"), "exec", "-i", server.name]
        command += [
            "mysql",
            "--no-defaults",
            f"-u{user}",
            f"--password={password}",
            f"--socket={server.login_socket}",
            "--batch",
            "--unbuffered",
        ]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdin.write(statement + "; SELECT 'done';\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.strip() == "done":
                return
        raise AssertionError(f"{server.name}: the session ended at once: {statement}")

    def close(self):
        """End the session."""
        self.process.stdin.close()
        self.process.wait(timeout=30)


class LabBackend(Backend):
    """The three database hosts of the lab. Their site data is put aside and given back at the end."""

    inventory = "inventories/lab"

    def __init__(self, lab):
        self.lab = lab
        self.servers = []
        secrets = lab.secrets()
        self.repl_password = secrets.get("mysql_gr_recovery_password", REPL_PASSWORD)
        self.peer_password = secrets.get("mysql_gr_peer_password", PEER_PASSWORD)
        for name in lab.members:
            self.servers.append(LabMember(name, f"{lab.address(name)}:3306", self))
        self.group_name = self.servers[0].sql("SELECT @@group_replication_group_name AS name")[0]["name"]

    def kill_modules(self):
        """A module on a lab host outlives ansible-playbook: end it too, by the file that ansible runs."""
        for server in self.servers:
            server.on("sh", "-c", "for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | grep -q 'AnsiballZ_\\|ansible-tmp' "
                      "&& kill -9 ${p#/proc/}; done; :", check=False)  # fmt: skip

    @contextmanager
    def slow_links(self, servers):
        """What these servers send takes its time meanwhile: 2 MB/s each, enough for a group's own messages."""
        device = ("dev", "eth0", "root")
        limit = ("tbf", "rate", "16mbit", "burst", "64kb", "latency", "200ms")
        try:
            for server in servers:
                server.on("tc", "qdisc", "add", *device, *limit)
            yield
        finally:
            for server in servers:
                server.on("tc", "qdisc", "del", *device, check=False)

    def close(self):
        self.each("restore")
