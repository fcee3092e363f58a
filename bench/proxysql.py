# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long one task with a whole configuration takes, beside loops over the modules of community.proxysql.

    python3 bench/proxysql.py [--users 200] [--rules 100] [--variables 50] [--groups 50] [--servers 500] [--loop 10] [--runs 3]

Starts a ProxySQL of its own on loopback: the program LAB_PROXYSQL_BIN names, else the lab's stand-in, and says which. A time is the wall time of
`ansible-playbook`, its start included. The loops are those over proxysql_global_variables, proxysql_mysql_users, proxysql_query_rules and
proxysql_backend_servers, --loop rows each; the time for all rows is reckoned from them, and said to be. Memory is the largest resident
size of a process of the plays.
Exit code 1 when a limit that the project has set itself is missed: 4 s for the first run and 3 s for a second one of the default
configuration, 2 cores.
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

LIMITS = {"create": 4.0, "rerun": 3.0}
DEFAULTS = {"users": 200, "rules": 100, "variables": 50, "groups": 50, "servers": 500}

ONE_TASK = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - distdb.mysql_ha.proxysql_config:
        login_user: "{{ login.user }}"
        login_password: "{{ login.password }}"
        login_port: "{{ login.port }}"
        variables: "{{ wish.variables }}"
        users: "{{ wish.users }}"
        query_rules: "{{ wish.query_rules }}"
        hostgroups: "{{ wish.hostgroups }}"
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
    - community.proxysql.{module}:
        login_user: "{{{{ login.user }}}}"
        login_password: "{{{{ login.password }}}}"
        login_port: "{{{{ login.port }}}}"
        save_to_disk: false
        load_to_runtime: false
{arguments}
      loop: "{{{{ rows }}}}"
"""
# By what is looped over: the module and how a row becomes its arguments.
LOOPS = {
    "variables": ("proxysql_global_variables", ("variable", "value")),
    "users": ("proxysql_mysql_users", ("username", "password", "default_hostgroup")),
    "rules": ("proxysql_query_rules", ("rule_id", "active", "match_digest", "destination_hostgroup", "apply")),
    "servers": ("proxysql_backend_servers", ("hostgroup_id", "hostname", "port")),
}


def loop_over(what: str) -> str:
    module, names = LOOPS[what]
    arguments = "\n".join(
        f'        {name}: "{{{{{{{{ item.{name} }}}}}}}}"'.replace("{{{{", "{{").replace("}}}}", "}}") for name in names
    )
    return LOOP.format(module=module, arguments=arguments)


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


def configuration(options, proxy) -> dict:
    """Everything for one task. Variables that are numbers get another value of theirs."""
    numbers = proxy.rows(
        "SELECT variable_name, variable_value FROM global_variables WHERE variable_name LIKE 'mysql-%' AND variable_value GLOB '[1-9][0-9]*' "
        "AND variable_value NOT GLOB '*[^0-9]*' AND variable_name NOT IN ('mysql-threads', 'mysql-stacksize') ORDER BY 1"
    )[: options.variables]
    return {
        "variables": dict(numbers),
        "users": [
            {"username": f"user{n}", "password": f"password{n}", "default_hostgroup": 100 + 10 * (n % options.groups)}
            for n in range(options.users)
        ],
        "query_rules": [
            {
                "rule_id": n + 1,
                "active": True,
                "match_digest": f"^SELECT.*t{n} ",
                "destination_hostgroup": 102,
                "apply": True,
            }
            for n in range(options.rules)
        ],
        "hostgroups": groups_of(options.servers, options.groups),
    }


def rows_of(wish: dict, what: str, count: int) -> list:
    """The first rows, as the existing modules take them."""
    if what == "variables":
        return [{"variable": name, "value": value} for name, value in list(wish["variables"].items())[:count]]
    if what == "servers":
        servers = [
            dict(server, hostgroup_id=100, port=3306) for group in wish["hostgroups"] for server in group["servers"]
        ]
        return servers[:count]
    return wish["users" if what == "users" else "query_rules"][:count]


def processor_time() -> float:
    """Seconds that child processes have used, whatever else ran on the machine."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
        started, used = time.monotonic(), processor_time()
        done = subprocess.run(
            command, cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        seconds = time.monotonic() - started
        self.processor = processor_time() - used
        if done.returncode != 0 or f"changed={changed} " not in done.stdout:
            sys.exit(
                f"the play did not do what is measured (changed={changed} expected):\n{done.stdout[-3000:]}{done.stderr[-1000:]}"
            )
        return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, count in DEFAULTS.items():
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--loop", type=int, default=10, help="rows in each loop that is compared with")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    program = os.environ.get("LAB_PROXYSQL_BIN")
    proxy = targets.program(program) if program else targets.standin()
    try:
        print(f"ProxySQL: {'the program ' + program if program else 'the stand-in'}, version {proxy.version}")
        print(f"Machine: {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
        proxy.run("UPDATE global_variables SET variable_value='false' WHERE variable_name='mysql-monitor_enabled'")
        proxy.run("LOAD MYSQL VARIABLES TO RUNTIME")
        wish = configuration(options, proxy)
        kept = dict(wish["variables"])
        figures: dict[str, list[float]] = {"create": [], "rerun": []}
        processor: dict[str, list[float]] = {"create": [], "rerun": []}
        with tempfile.TemporaryDirectory(prefix="bench-proxysql-") as folder:
            bench = Bench(Path(folder), proxy)
            ping = statistics.median(bench.play(PING, 0) for _run in range(options.runs))
            for run in range(options.runs):
                proxy.clear()
                # Another value than the one that is there: all variables are written.
                wish["variables"] = {name: int(value) + 1 - run % 2 for name, value in kept.items()}
                for name, changed in (("create", 1), ("rerun", 0)):
                    figures[name].append(bench.play(ONE_TASK, changed, wish=wish))
                    processor[name].append(bench.processor)
            memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            proxy.clear()
            loops = {}
            wish["variables"] = {name: int(value) + 2 for name, value in kept.items()}
            for what in LOOPS:
                few = rows_of(wish, what, options.loop)
                empty = bench.play(loop_over(what), 0, rows=[])
                loops[what] = (bench.play(loop_over(what), 1, rows=few) - empty) / len(few)
    finally:
        proxy.stop()
    counts = {name: getattr(options, name) for name in ("variables", "users", "rules", "servers")}
    counts["variables"] = len(kept)
    median = {name: statistics.median(times) for name, times in figures.items()}
    described = ", ".join(f"{count} {name}" for name, count in {**counts, "groups": options.groups}.items())
    print(f"One task, {described}; median of {options.runs} (all runs in brackets):")
    for name, times in figures.items():
        cpu = f"processor {statistics.median(processor[name]):.2f} s"
        print(f"  {name:8} {median[name]:6.2f} s   [{', '.join(f'{seconds:.2f}' for seconds in times)}]   {cpu}")
    print(f"  memory   {memory:6.0f} MB")
    print(f"  of which Ansible itself, measured with one ping: {ping:.2f} s")
    print(f"Loops over community.proxysql, {options.loop} rows each, measured without Ansible's start:")
    for what, seconds in loops.items():
        print(
            f"  {what:9} {seconds:6.2f} s a row, so about {seconds * counts[what]:.0f} s for {counts[what]} (reckoned)"
        )
    whole = sum(seconds * counts[what] for what, seconds in loops.items())
    print(f"  all       about {whole:.0f} s (reckoned), {whole / median['create']:.0f} times as long")
    if any(getattr(options, name) != count for name, count in DEFAULTS.items()):
        return 0
    missed = [name for name, limit in LIMITS.items() if median[name] > limit]
    if missed:
        print("Missed: " + ", ".join(f"{name} (limit {LIMITS[name]:g} s)" for name in missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
