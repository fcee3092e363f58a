# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long one task with many servers takes, beside a loop over the module for one server.

    python3 bench/proxysql_hostgroup.py [--servers 1000] [--groups 50] [--loop 20] [--runs 3]

Starts a ProxySQL of its own on loopback: the program LAB_PROXYSQL_BIN names, else the lab's stand-in, and says which. A time is the wall time of
`ansible-playbook`, its start included. The loop is community.proxysql.proxysql_backend_servers over --loop servers; the time for all of
them is reckoned from it, and said to be. Memory is the largest resident size of the process that ran the module.
Exit code 1 when a limit that the project has set itself is missed: 3 s, 2 s and 100 MB with 1000 servers in 50 groups.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "conformance"))

import targets  # noqa: E402

LIMITS = {"create": 3.0, "rerun": 2.0, "memory": 100.0}

ONE_TASK = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - distdb.mysql_ha.proxysql_hostgroup:
        login_user: "{{ login.user }}"
        login_password: "{{ login.password }}"
        login_port: "{{ login.port }}"
        hostgroups: "{{ hostgroups }}"
"""
PING = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.ping:
"""
LOOP = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - community.proxysql.proxysql_backend_servers:
        login_user: "{{ login.user }}"
        login_password: "{{ login.password }}"
        login_port: "{{ login.port }}"
        hostgroup_id: "{{ item.hostgroup }}"
        hostname: "{{ item.hostname }}"
        port: 3306
        save_to_disk: false
        load_to_runtime: false
      loop: "{{ servers }}"
"""


def groups_of(servers: int, groups: int) -> list:
    """Addresses of TEST-NET networks: nobody answers there, and nobody is asked, since the monitor is off."""
    each = -(-servers // groups)
    made = []
    for number in range(groups):
        base = 100 + 10 * number
        names = [
            {"hostname": f"server-{number * each + one}.example"}
            for one in range(each)
            if number * each + one < servers
        ]
        made.append(
            {
                "writer_hostgroup": base,
                "backup_writer_hostgroup": base + 1,
                "reader_hostgroup": base + 2,
                "offline_hostgroup": base + 3,
                "max_writers": each,
                "writer_is_also_reader": 1,
                "exclusive": True,
                "servers": names,
            }
        )
    return made


class Bench:
    def __init__(self, folder: Path, proxy):
        self.folder = folder
        self.login = {"user": proxy.user, "password": proxy.password, "port": proxy.admin_port}
        # Ansible as it comes, but for pipelining, which this project's ansible.cfg has too.
        config = folder / "ansible.cfg"
        config.write_text("[connection]\npipelining = true\n")
        self.env = dict(os.environ, ANSIBLE_CONFIG=str(config), ANSIBLE_COLLECTIONS_PATH=str(ROOT / "collections"))

    def play(self, text: str, changed: int, **variables) -> float:
        """Seconds of one ansible-playbook; it must report as many changed tasks as expected."""
        play, extra = self.folder / "play.yml", self.folder / "variables.json"
        play.write_text(text)
        extra.touch(mode=0o600)
        extra.write_text(json.dumps(dict(variables, login=self.login, ansible_python_interpreter=sys.executable)))
        command = ["ansible-playbook", "-i", "localhost,", "-e", f"@{extra}", str(play)]
        started = time.monotonic()
        done = subprocess.run(
            command, cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        seconds = time.monotonic() - started
        if done.returncode != 0 or f"changed={changed} " not in done.stdout:
            sys.exit(
                f"the play did not do what is measured (changed={changed} expected):\n{done.stdout[-3000:]}{done.stderr[-1000:]}"
            )
        return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--servers", type=int, default=1000)
    parser.add_argument("--groups", type=int, default=50)
    parser.add_argument("--loop", type=int, default=20, help="servers in the loop that is compared with")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    program = os.environ.get("LAB_PROXYSQL_BIN")
    proxy = targets.program(program) if program else targets.standin()
    try:
        print(f"ProxySQL: {'the program ' + program if program else 'the stand-in'}, version {proxy.version}")
        print(f"Machine: {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
        proxy.run("UPDATE global_variables SET variable_value='false' WHERE variable_name='mysql-monitor_enabled'")
        proxy.run("LOAD MYSQL VARIABLES TO RUNTIME")
        wish = groups_of(options.servers, options.groups)
        figures = {"create": [], "rerun": []}
        with tempfile.TemporaryDirectory(prefix="bench-proxysql-") as folder:
            bench = Bench(Path(folder), proxy)
            ping = statistics.median(bench.play(PING, 0) for _run in range(options.runs))
            for _run in range(options.runs):
                proxy.clear()
                figures["create"].append(bench.play(ONE_TASK, 1, hostgroups=wish))
                figures["rerun"].append(bench.play(ONE_TASK, 0, hostgroups=wish))
            memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            proxy.clear()
            few = [dict(server, hostgroup=100) for group in wish for server in group["servers"]][: options.loop]
            empty = bench.play(LOOP, 0, servers=[])
            loop = (bench.play(LOOP, 1, servers=few) - empty) / len(few)
    finally:
        proxy.stop()
    count = sum(len(group["servers"]) for group in wish)
    median = {name: statistics.median(times) for name, times in figures.items()}
    print(f"One task, {count} servers in {len(wish)} groups, median of {options.runs} (all runs in brackets):")
    for name, times in figures.items():
        print(f"  {name:8} {median[name]:6.2f} s   [{', '.join(f'{seconds:.2f}' for seconds in times)}]")
    print(f"  memory   {memory:6.0f} MB")
    print(f"  of which Ansible itself, measured with one ping: {ping:.2f} s")
    print(
        f"Loop over community.proxysql.proxysql_backend_servers, {len(few)} servers, measured without Ansible's start:"
    )
    print(
        f"  each     {loop:6.2f} s, so about {loop * count:.0f} s for {count} servers (reckoned), {loop * count / median['create']:.0f} times as long"
    )
    if (options.servers, options.groups) != (1000, 50):
        return 0
    missed = [name for name, value in {**median, "memory": memory}.items() if value > LIMITS[name]]
    if missed:
        print("Missed: " + ", ".join(f"{name} (limit {LIMITS[name]:g})" for name in missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
