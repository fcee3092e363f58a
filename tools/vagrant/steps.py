# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of "make vagrant-test", inside of its namespaces: steps.py BOX [STEP ...].

They work in a copy of this checkout, so that a user's own machines, passwords and settings in it are not touched. Every command, what it
printed and when stands in .cache/vagrant-test/transcript.txt.
"""

from __future__ import annotations

import functools
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pymysql

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from support import parse_recap, wait_for

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".cache" / "vagrant-test"
PROJECT = STATE / "project"
INVENTORY = PROJECT / "inventories" / "vagrant"
SSH_CONFIG = STATE / "home" / "ssh_config"
NETWORK = os.environ.get("CLUSTER_NETWORK") or "192.168.16"
MEMBERS = {name: f"{NETWORK}.{number}" for name, number in (("db0", 130), ("db1", 131), ("db2", 132))}
PROXY = f"{NETWORK}.129"
MACHINES = [*MEMBERS, "proxy"]
# Vagrant says this when it starts a provisioner.
PROVISIONING = "Running provisioner: cluster"

ENV = dict(
    os.environ,
    VAGRANT_HOME=str(STATE / "home" / ".vagrant.d"), VAGRANT_CHECKPOINT_DISABLE="1", VAGRANT_DEFAULT_PROVIDER="libvirt",
    CLUSTER_BOX="distdb/vagrant-test", CLUSTER_PLAYBOOK="tools/vagrant/site.yml",
    ANSIBLE_CONFIG=str(PROJECT / "ansible.cfg"), ANSIBLE_NOCOLOR="1", ANSIBLE_FORCE_COLOR="0",
    # Sockets of shared connections: a short path, and apart from those of another checkout's machines with the same addresses.
    ANSIBLE_SSH_CONTROL_PATH_DIR="/run/ansible-cp",
)  # fmt: skip


class Failed(Exception):
    """A step did not do what it should; the text says what."""


class Transcript:
    """Times of the steps, and everything that the commands print."""

    def __init__(self) -> None:
        self.times = [tuple(line.split("\t")) for line in (STATE / "times").read_text().splitlines()]
        self.file = (STATE / "transcript.txt").open("a")
        self.begun = time.monotonic()

    def say(self, text: str) -> None:
        print(f"vagrant-test: {text}", flush=True)
        self.write(f"=== {text}")

    def write(self, line: str) -> None:
        self.file.write(f"{time.monotonic() - self.begun:7.1f} {line}\n")
        self.file.flush()

    def took(self, what: str, seconds: float) -> None:
        self.times.append((what, f"{seconds:.1f}"))
        self.say(f"{what}: {seconds:.1f} s")

    def command(self, *command: str, check: bool = True, cwd: Path = PROJECT, **env: str) -> list[tuple[float, str]]:
        """Run a command; its lines, each with the second in which it came."""
        self.write("$ " + " ".join(command))
        begun, lines = time.monotonic(), []
        process = subprocess.Popen(
            command, cwd=cwd, env=dict(ENV, **env), text=True, errors="replace",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        for line in process.stdout:
            if "\x1b[K" in line:  # a progress bar
                continue
            lines.append((time.monotonic() - begun, line.rstrip()))
            self.write(line.rstrip())
        if process.wait() != 0 and check:
            last = "\n".join(line for _second, line in lines[-30:])
            raise Failed(f"{' '.join(command[:4])} ended with {process.returncode}:\n{last}")
        return lines

    def timed(self, what: str, *command: str, **options) -> list[tuple[float, str]]:
        begun = time.monotonic()
        lines = self.command(*command, **options)
        self.took(what, time.monotonic() - begun)
        return lines


def recap(lines) -> dict:
    return parse_recap("\n".join(re.sub(r"^\s+(?=\S+\s*: ok=)", "", line) for _second, line in lines))


def nothing_changed(lines) -> None:
    found = recap(lines)
    if sorted(found) != sorted(MACHINES) or any(numbers["changed"] for numbers in found.values()):
        raise Failed(f"every machine had to be looked at and none changed: {found}")


def provisioned_once(lines) -> float:
    """One Ansible run over all machines, after the last one is up; the second in which it began."""
    seconds = [second for second, line in lines if PROVISIONING in line]
    if len(seconds) != 1 or sorted(recap(lines)) != sorted(MACHINES):
        raise Failed(
            f"one Ansible run over {MACHINES} was wanted; there were {len(seconds)}, over {sorted(recap(lines))}"
        )
    return seconds[0]


def on(machine: str, command: str) -> str:
    """Run a command on a machine as root."""
    done = subprocess.run(
        ["ssh", "-F", str(SSH_CONFIG), machine, command],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise Failed(f"{machine}: {command}: {done.stderr.strip()}")
    return done.stdout.strip()


@functools.cache
def password(name: str) -> str:
    """A password of the machines' inventory, out of its vault."""
    text = subprocess.run(
        ["ansible-vault", "view", "--vault-password-file", INVENTORY / ".vault-password", INVENTORY / "group_vars/all/vault.yml"],
        cwd=PROJECT, env=ENV, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return re.search(rf"^{name}: (\S+)$", text, re.MULTILINE)[1]


def query(host: str, port: int, statement: str, *values):
    """Run one statement as the application does, from the control node over the machines' network."""
    connection = pymysql.connect(
        host=host, port=port, user="simkpuser", password=password("simkp_password"), database="simkp", autocommit=True,
        connect_timeout=30, read_timeout=60,
    )  # fmt: skip
    with connection, connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall()


def states() -> dict:
    """What every member says of every member; empty for one that does not answer."""
    found = {}
    for member in MEMBERS:
        try:
            text = on(
                member,
                "mysql -BN -e 'SELECT member_host, member_state FROM performance_schema.replication_group_members'",
            )
        except Failed:
            text = ""
        found[member] = dict(line.split("\t") for line in text.splitlines())
    return found


def all_online() -> bool:
    return all(view == dict.fromkeys(MEMBERS.values(), "ONLINE") for view in states().values())


# -- the steps, in their order -------------------------------------------------------------------


def copy(log: Transcript, _box: str) -> None:
    """The project as a user has it after git clone, with passwords and settings of its own."""
    shutil.rmtree(PROJECT, ignore_errors=True)
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listing.split("\0")):
        if (ROOT / name).exists():
            (PROJECT / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, PROJECT / name, follow_symlinks=False)
    variables = INVENTORY / "group_vars"
    example = (variables / "all/vault.yml.example").read_text()
    vault, key = variables / "all/vault.yml", INVENTORY / ".vault-password"
    key.touch(mode=0o600)
    key.write_text(secrets.token_hex(16) + "\n")
    vault.write_text(
        re.sub(r"^(\w+):$", lambda found: f"{found[1]}: {secrets.token_hex(16)}", example, flags=re.MULTILINE)
    )
    log.command("ansible-vault", "encrypt", "--vault-password-file", str(key), str(vault))
    own = "---\n# The box is Debian sid, which has MySQL itself.\nmysql_gr_install_method: distribution\n"
    if os.environ["VAGRANT_TEST_DRIVER"] == "qemu":
        own += "# Emulated machines can be silent for longer than a real network ever is.\nmysql_gr_network: patient\n"
    (variables / "mysql_gr/own.yml").write_text(own)
    (PROJECT / ".lab").mkdir()
    (PROJECT / ".lab/proxysql.json").write_text(log.command("lab/proxysql", "--write")[-1][1])
    shutil.copy(PROJECT / "inventories/lab/group_vars/proxysql/generated.yml", variables / "proxysql/own.yml")
    log.say(f"machines by {os.environ['VAGRANT_TEST_DRIVER']}; {log.command('lab/which-proxysql')[-1][1]}")


def add_box(log: Transcript, box: str) -> None:
    log.timed("vagrant box add", "vagrant", "box", "add", "--name", ENV["CLUSTER_BOX"], box)


def up(log: Transcript, _box: str) -> None:
    """From no machine to a cluster."""
    begun = time.monotonic()
    lines = log.command("vagrant", "up")
    second = provisioned_once(lines)
    log.took("vagrant up: four machines", second)
    log.took("vagrant up: the cluster on them, one Ansible run", time.monotonic() - begun - second)


def login(log: Transcript, _box: str) -> None:
    """A way in as root: sudo would write the tests' own commands, with passwords in them, to the journal that the tests look through."""
    config = "\n".join(line for _second, line in log.command("vagrant", "ssh-config"))
    SSH_CONFIG.write_text(config + "\n")
    for machine in MACHINES:
        log.command(
            "ssh",
            "-F",
            str(SSH_CONFIG),
            machine,
            "sudo install -D -m 600 .ssh/authorized_keys /root/.ssh/authorized_keys",
        )
    SSH_CONFIG.write_text(config.replace("User vagrant", "User root") + "\n")


def site(log: Transcript, _box: str) -> None:
    """The project's playbook by itself: everything is there."""
    nothing_changed(
        log.timed(
            "site.yml, nothing to do",
            "ansible-playbook", "--vault-password-file", "inventories/vagrant/.vault-password", "-i", "inventories/vagrant", "site.yml",
        )
    )  # fmt: skip


def checks(log: Transcript, _box: str) -> None:
    """The lab's own checks, on these machines."""
    lines = log.timed(
        "tests/testinfra", "python3", "-m", "pytest", "-q", "tests/testinfra",
        TESTINFRA_INVENTORY="inventories/vagrant", TESTINFRA_BACKEND=f"ssh://{{}}?ssh_config={SSH_CONFIG}&timeout=60",
        ANSIBLE_VAULT_PASSWORD_FILE=str(INVENTORY / ".vault-password"),
    )  # fmt: skip
    log.say(f"tests/testinfra: {lines[-1][1]}")


def write(log: Transcript, _box: str) -> None:
    """Rows written through the proxy stand on every member."""
    query(PROXY, 6033, "CREATE TABLE IF NOT EXISTS simkp.vagrant (token CHAR(32) PRIMARY KEY)")
    query(PROXY, 6033, "DELETE FROM simkp.vagrant")
    begun = time.monotonic()
    for _row in range(100):
        query(PROXY, 6033, "INSERT INTO simkp.vagrant VALUES (%s)", secrets.token_hex(16))
    log.took("100 connections with a row each, through the proxy", time.monotonic() - begun)
    read_back(log, 100)


def read_back(log: Transcript, rows: int) -> None:
    for member, address in MEMBERS.items():
        wait_for(
            lambda at=address: query(at, 3306, "SELECT count(*) FROM simkp.vagrant") == ((rows,),),
            60,
            f"{rows} rows on {member}",
        )
    log.say(f"{rows} rows on every member, read at {', '.join(MEMBERS.values())}")


def memory(log: Transcript, _box: str) -> None:
    for member in MEMBERS:
        resident = on(
            member, "awk '/^Vm(RSS|HWM)/ { printf \"%s %d MB \", $1, $2 / 1024 }' /proc/$(pidof mysqld)/status"
        )
        machine = on(member, "awk '/^Mem(Total|Available)/ { printf \"%s %d MB \", $1, $2 / 1024 }' /proc/meminfo")
        log.say(f"memory of {member}: mysqld {resident}; machine {machine}")


def outage(log: Transcript, _box: str) -> None:
    """A complete outage: all machines off and on again. Provisioning brings the group back, with nothing lost."""
    log.timed("vagrant halt", "vagrant", "halt")
    begun = time.monotonic()
    lines = log.command("vagrant", "up")
    second = provisioned_once(lines)
    log.took("vagrant up after halt: four machines", second)
    log.took("vagrant up after halt: the group again", time.monotonic() - begun - second)
    if not all_online():
        raise Failed(f"not every member is ONLINE: {states()}")
    read_back(log, 100)


def reload(log: Transcript, _box: str) -> None:
    """One machine restarted: its member comes back by itself."""
    begun = time.monotonic()
    log.timed("vagrant reload db1", "vagrant", "reload", "db1")
    wait_for(all_online, 600, "three ONLINE members after vagrant reload db1", every=2)
    log.took("vagrant reload db1, until it is ONLINE again", time.monotonic() - begun)
    read_back(log, 100)


def destroy(log: Transcript, _box: str) -> None:
    log.timed("vagrant destroy", "vagrant", "destroy", "-f")
    left = log.command("virsh", "--connect", "qemu:///system", "list", "--all", "--name")
    if any(line for _second, line in left):
        raise Failed(f"machines are left: {left}")


STEPS = [copy, add_box, up, login, site, checks, write, memory, outage, reload, site, destroy]


def main() -> int:
    box, *wanted = sys.argv[1:]
    names = {step.__name__: step for step in STEPS}
    if set(wanted) - set(names):
        print(f"steps are {', '.join(names)}; not {', '.join(set(wanted) - set(names))}", file=sys.stderr)
        return 2
    log = Transcript()
    begun = time.monotonic()
    try:
        for step in [names[name] for name in wanted] or STEPS:
            log.say(f"step {step.__name__}")
            step(log, box)
    except (Failed, AssertionError) as error:
        log.say(f"FAILED in step {step.__name__}: {error}")
        return 1
    finally:
        log.say("times in seconds")
        for what, seconds in log.times:
            log.say(f"{seconds:>8}  {what}")
        log.say(f"{time.monotonic() - begun:8.1f}  all steps inside of the namespaces")
    return 0


if __name__ == "__main__":
    sys.exit(main())
