# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test on the lab needs: running playbooks, looking at hosts, waiting for a condition.

Imported as `support` (pyproject.toml puts this folder on the path).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from ansible import constants as C
from ansible.cli import CLI
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from ansible.vars.manager import VariableManager

ROOT = Path(__file__).resolve().parents[1]
INVENTORY = "inventories/lab"
MEMBERS = ("db0", "db1", "db2")

RECAP = re.compile(r"^(\S+)\s*:\s+ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


# Templates in an inventory use lookup plugins.
init_plugin_loader()


class Inventory:
    """Hosts and variables of an Ansible inventory, with templates resolved as a play would."""

    def __init__(self, source: str) -> None:
        self.loader = DataLoader()
        if C.DEFAULT_VAULT_PASSWORD_FILE:
            self.loader.set_vault_secrets(CLI.setup_vault_secrets(self.loader, [], [C.DEFAULT_VAULT_PASSWORD_FILE]))
        self.manager = InventoryManager(loader=self.loader, sources=[str(ROOT / source)])
        self.variables = VariableManager(loader=self.loader, inventory=self.manager)

    def hosts(self, group: str) -> list[str]:
        return sorted(host.name for host in self.manager.get_hosts(group))

    def variable(self, host: str, name: str, default: object = None) -> object:
        known = self.variables.get_vars(host=self.manager.get_host(host))
        if name not in known:
            return default
        return Templar(loader=self.loader, variables=known).template(known[name])

    def names(self, host: str) -> list[str]:
        return sorted(self.variables.get_vars(host=self.manager.get_host(host)))


@dataclass
class Run:
    """One run of ansible-playbook: exit code, output, wall seconds, and the recap per host."""

    code: int
    output: str
    seconds: float
    recap: dict = field(default_factory=dict)

    @property
    def changed(self) -> dict:
        return {host: numbers["changed"] for host, numbers in self.recap.items()}

    @property
    def what_changed(self) -> list[str]:
        """ "host: task" of everything that changed."""
        task, found = "", []
        for line in self.output.splitlines():
            heading = re.match(r"TASK \[(.*?)\] \*", line)
            changed = re.match(r"changed: \[([^\]]+)\]", line)
            task = heading[1] if heading else task
            if changed:
                found.append(f"{changed[1]}: {task}")
        return found

    @property
    def flat(self) -> str:
        """The output with line breaks folded, for looking for a sentence."""
        return " ".join(self.output.split())

    def __str__(self) -> str:
        return f"exit {self.code} after {self.seconds:.1f} s\n{self.output[-6000:]}"


def parse_recap(output: str) -> dict:
    names = ("ok", "changed", "unreachable", "failed")
    return {match[1]: dict(zip(names, map(int, match.groups()[1:]))) for match in RECAP.finditer(output)}


def remember(playbook: str, arguments: tuple, run: Run) -> None:
    """With LAB_TIMES=FILE: what this run of a playbook took, a line of JSON; arguments may hold passwords and are left out but for --check."""
    if os.environ.get("LAB_TIMES"):
        line = {
            "playbook": Path(playbook).stem,
            "seconds": round(run.seconds, 1),
            "code": run.code,
            "check": "--check" in arguments,
        }
        line["changed"] = sum(run.changed.values())
        with open(os.environ["LAB_TIMES"], "a") as file:
            file.write(json.dumps(line) + "\n")


class Lab:
    """The lab of this checkout."""

    members = MEMBERS

    def __init__(self) -> None:
        self._inventory = None
        self.env = dict(
            os.environ, ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_FORCE_COLOR="0", ANSIBLE_NOCOLOR="1"
        )

    @property
    def inventory(self) -> Inventory:
        """Read when it is first needed: the lab writes a part of it when it comes up."""
        if self._inventory is None:
            self._inventory = Inventory(INVENTORY)
        return self._inventory

    def command(
        self, *command: str, check: bool = True, timeout: float = 600, **env: str
    ) -> subprocess.CompletedProcess:
        done = subprocess.run(
            list(command), cwd=ROOT, env=dict(self.env, **env), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-6000:]}")
        return done

    def up(self) -> None:
        self._inventory = None
        self.command("lab/up", timeout=900)

    def down(self) -> None:
        self.command("lab/down")

    def start(self, *arguments: str, playbook: str = "site.yml") -> subprocess.Popen:
        """ansible-playbook in a process group of its own, so that it can be killed with all its children."""
        return subprocess.Popen(
            ["ansible-playbook", "-i", INVENTORY, playbook, *arguments], cwd=ROOT, env=self.env, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def site(self, *arguments: str, playbook: str = "site.yml", timeout: float = 600) -> Run:
        started = time.monotonic()
        process = self.start(*arguments, playbook=playbook)
        try:
            output, _nothing = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            kill_tree(process)
            raise
        run = Run(process.returncode, output, time.monotonic() - started, parse_recap(output))
        remember(playbook, arguments, run)
        if run.code:
            # pytest shows it where the test fails; of a message that is no string it shows the beginning only.
            print(run)
        return run

    def on(self, host: str, *command: str, check: bool = True, timeout: float = 60) -> str:
        """Run a command on a host of the lab; its output."""
        return self.command("lab/podman", "exec", host, *command, check=check, timeout=timeout).stdout

    def give(self, host: str, script: str, text: str, check: bool = True, timeout: float = 60) -> str:
        """Run a shell script on a host of the lab with this standard input, for what must not be in a process list; its output."""
        done = subprocess.run(
            ["lab/podman", "exec", "-i", host, "sh", "-c", script], cwd=ROOT, env=self.env, input=text,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise AssertionError(f"{script} on {host}: exit {done.returncode}\n{done.stdout[-2000:]}")
        return done.stdout

    def sql(self, host: str, statement: str, check: bool = True, timeout: float = 60) -> list[list[str]]:
        """Run one statement on a member as root; its rows, every value as text."""
        text = self.on(host, "mysql", "--batch", "--skip-column-names", "-e", statement, check=check, timeout=timeout)
        return [line.split("\t") for line in text.splitlines()]

    def view(self, host: str) -> dict[str, str]:
        """What a member sees of its group: state by host. Empty when its server does not answer."""
        done = self.command(
            "lab/podman", "exec", host, "mysql", "--batch", "--skip-column-names", "-e",
            "SELECT member_host, member_state FROM performance_schema.replication_group_members", check=False,
        )  # fmt: skip
        if done.returncode != 0:
            return {}
        pairs = (line.split("\t") for line in done.stdout.splitlines())
        return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[0]}

    def address(self, host: str) -> str:
        return str(self.variable(host, "mysql_gr_address"))

    def variable(self, host: str, name: str) -> object:
        return self.inventory.variable(host, name)

    def secrets(self) -> dict:
        return yaml.safe_load((ROOT / INVENTORY / "group_vars" / "all" / "secrets.yml").read_text())

    def writers(self) -> list[str]:
        """Members that take writes."""
        return [member for member in self.members if self.sql(member, "SELECT @@super_read_only") == [["0"]]]

    def executed(self, host: str) -> str:
        """All that a member has executed."""
        return self.sql(host, "SELECT @@GLOBAL.gtid_executed")[0][0].replace("\\n", "")

    def started(self, *members: str) -> dict[str, int]:
        """When each member's mysqld was started, in ticks since the machine's boot: exact, and from the server's own process."""
        found = {}
        for member in members or self.members:
            pid = self.on(member, "systemctl", "show", "--property=MainPID", "--value", "mysql").strip()
            text = self.on(member, "cat", f"/proc/{pid}/stat")
            found[member] = int(text.rpartition(")")[2].split()[19])
        return found

    def one_group(self) -> None:
        """Every member sees the same three ONLINE members: there is one group, and all are in it."""
        wanted = {self.address(member): "ONLINE" for member in self.members}
        for member in self.members:
            assert self.view(member) == wanted, f"{member} sees {self.view(member)}"
        identifiers = {self.sql(member, "SELECT @@group_replication_group_name")[0][0] for member in self.members}
        assert len(identifiers) == 1


def kill_in(lab: Lab, playbook: str, task: str, which: int, *arguments: str) -> None:
    """SIGKILL the control node some moments after this task has begun for the which-th time."""
    process = lab.start(*arguments, playbook=playbook)
    begun = 0
    for line in process.stdout:
        begun += line.startswith(f"TASK [{task}]")
        if begun == which:
            time.sleep(0.7)
            kill_tree(process)
            return
    raise AssertionError(f"{playbook} has no task {task!r}, or ended before it: exit {process.wait()}")


def kill_tree(process: subprocess.Popen) -> None:
    """SIGKILL the playbook and all its descendants: what a crash of the control node looks like.

    Its process group would not do: ansible's workers are in sessions of their own.
    """
    found = [process.pid]
    for pid in found:
        try:
            # Stopped first, so that it starts no other one while its children are listed.
            os.kill(pid, signal.SIGSTOP)
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, children.read_text().split())
        except (ProcessLookupError, FileNotFoundError):
            continue  # it has ended meanwhile
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def wait_for(condition, seconds: float, what: str, every: float = 0.5):
    """Poll until the condition holds; its value. Fails, saying what was waited for."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {seconds} s in vain for: {what}"
        time.sleep(every)


@contextlib.contextmanager
def second_proxy(lab: Lab, *arguments: str) -> Iterator[tuple[str, ...]]:
    """A second proxy in front of the lab's cluster, made by the site playbook with these arguments; the arguments that name its inventory."""
    inventory = ("-i", "inventories/lab-proxy2")
    lab.command("lab/up", "proxy2", LAB_PREPARE="0")
    lab.command(
        "ansible-playbook", "-i", "inventories/lab", *inventory, "--limit", "localhost,proxy2", "lab/prepare.yml"
    )
    run = lab.site(*inventory, *arguments)
    assert run.code == 0, run
    yield inventory
    lab.command("lab/down", "proxy2")
