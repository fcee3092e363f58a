# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the collection grows: with the members of a cluster, with clusters in one inventory, with users and query rules of a proxy.

    growth.py STEP… [--run NAME] [--runs N] [--again] [--sizes N …] [--clusters N …] [--rows N …] [--real N]

Steps on the control node alone, with recorded answers of hosts:
    compute     what the filters of status and site take for 1, 5, 20 and 50 clusters
    rows        what proxysql_config's plan takes for 10, 100 and 1000 users and as many rules
    status      the status playbook for 1, 5, 20 and 50 clusters (--clusters); with --real N the first N of them are the lab's, which "sites" has made
Steps on the lab, which begin with blank hosts (what runs there is taken down):
    members     clusters of 3, 5, 7 and 9 members (--sizes): site, site again and its rounds to hosts, status, a member that joins, the guard
    sites       --real N clusters of three with a proxy each: site, and site again
    proxysql    on one cluster of three: 10, 100 and 1000 users and rules (--rows) by the role, first and again
And: docs      renews docs/measurements/growth.md and docs/images/growth.svg; every other step does so when it ends.

Each measurement is a line of bench/records/growth.jsonl. What this run (--run, by default the newest one that is recorded) has already is not measured
again without --again; --run with a new name begins a new run. Exit code 1: a site that was converged changed something.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Iterator

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "bench" / "chaos"), str(ROOT / "tests")]

import growth_report as report  # noqa: E402
import plan  # noqa: E402
import recorded  # noqa: E402

RECORDS = ROOT / "bench" / "records" / "growth.jsonl"
PAGE = ROOT / "docs" / "measurements" / "growth.md"
PLOT = ROOT / "docs" / "images" / "growth.svg"
FOLDER = recorded.FOLDER
LONG = 7200  # seconds that nothing here takes
OFFLINE = 1  # proxysql_offline_hostgroup
INFO = "distdb.mysql_ha.mysql_gr : Query the cluster"

# On a proxy, its admin password as the first line of the input: the moment from which on a server is in a hostgroup that serves, or in none of them.
PLACED = """read -r MYSQL_PWD; export MYSQL_PWD; exec python3 - "$@" <<'END'
import os, sys, time
import pymysql
address, wanted, offline, limit = sys.argv[1], sys.argv[2] == "in", sys.argv[3], float(sys.argv[4])
cursor = pymysql.connect(host="127.0.0.1", port=6032, user="admin", password=os.environ["MYSQL_PWD"], autocommit=None).cursor()
end = time.time() + limit
while time.time() < end:
    cursor.execute("SELECT hostgroup_id, hostname, status FROM runtime_mysql_servers")
    rows = [tuple(map(str, row)) for row in cursor.fetchall()]
    if any(host == address and status == "ONLINE" and group != offline for group, host, status in rows) == wanted:
        print(time.time())
        sys.exit(0)
    time.sleep(0.02)
sys.exit("the proxy has not placed %s within %s s" % (address, limit))
END
"""
# On a member: START, and the moments of its beginning and of ONLINE.
JOIN = """
import sys, time
import pymysql
cursor = pymysql.connect(unix_socket="/run/mysqld/mysqld.sock", user="root", autocommit=True).cursor()
began = time.time()
cursor.execute("START GROUP_REPLICATION")
while time.time() < began + 300:
    cursor.execute("SELECT member_state FROM performance_schema.replication_group_members WHERE member_id = @@server_uuid")
    if (cursor.fetchone() or ("",))[0] == "ONLINE":
        print(began, time.time())
        sys.exit(0)
    time.sleep(0.02)
sys.exit("not ONLINE within 300 s")
"""
# On a member with a guard: what its commands take, and what its service uses of a processor.
GUARD = """
import json, os, statistics, subprocess, time
PROGRAM = "/usr/local/sbin/mysql-gr-guard"
def timed(*arguments):
    took = []
    for _number in range(5):
        began = time.monotonic()
        done = subprocess.run([PROGRAM, *arguments], stdout=subprocess.PIPE, check=False)
        took.append(time.monotonic() - began)
    return round(statistics.median(took), 3), done.stdout
# It says something once it has looked.
for _number in range(30):
    status, shown = timed("status", "--json")
    if json.loads(shown):
        break
    time.sleep(1)
else:
    raise SystemExit("the guard does not run")
metrics, _text = timed("metrics")
pid = json.loads(shown)["pid"]
def used():
    fields = open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
before, began = used(), time.monotonic()
time.sleep(30)
print(json.dumps({"status": status, "metrics": metrics, "cpu": round(1000 * (used() - before) / (time.monotonic() - began), 2)}))
"""


# -- records -----------------------------------------------------------------------------------------------------------
def kept() -> list[dict[str, Any]]:
    return [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []


def run_of(records: list[dict[str, Any]], given: str | None) -> str:
    """The name of this run: as given, else the newest one, else today."""
    return given or (records[-1]["run"] if records else time.strftime("%Y-%m-%d"))


def write_docs() -> None:
    found = kept()
    PAGE.write_text(plan.renewed(PAGE.read_text(), report.page(found)))
    PLOT.write_text(report.plot(found))


# -- programs ----------------------------------------------------------------------------------------------------------
def child(*arguments: str) -> dict[str, Any]:
    """What recorded.py found, in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(HERE / "recorded.py"), *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"recorded.py {' '.join(arguments)} failed (its words are above)")
    return dict(json.loads(done.stdout))


def used(command: list[str], env: dict[str, str], log: Path) -> dict[str, float]:
    """Run a program: seconds, cpu (seconds) and memory (MB of the largest process) of it and of all that it started. Ends this program where it fails."""
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        _pid, code, spent = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {process.returncode}\n{log.read_text()[-4000:]}")
    return {
        "seconds": round(time.monotonic() - began, 2),
        "cpu": round(spent.ru_utime + spent.ru_stime, 2),
        "memory": round(spent.ru_maxrss / 1024, 1),
    }


# -- the lab -----------------------------------------------------------------------------------------------------------
def more_members(size: int) -> dict[str, Any]:
    """What an inventory says beside inventories/lab of a cluster of more than three."""
    hosts = {f"db{number}": {"mysql_gr_server_id": 130 + number} for number in range(3, size)}
    return {"all": {"children": {"mysql_gr": {"hosts": hosts}}}}


def lab_names(members: int, proxies: int) -> list[str]:
    return [
        *(f"db{number}" for number in range(members)),
        *("proxy" if number == 0 else f"proxy{number}" for number in range(proxies)),
    ]


class OnLab:
    """The lab of this checkout."""

    def __init__(self) -> None:
        if os.environ.get("LAB_NAME"):
            raise SystemExit("LAB_NAME is set; the bench works on the unnamed lab, by inventories/lab.")
        from support import Lab

        self.lab = Lab()
        FOLDER.mkdir(parents=True, exist_ok=True)

    def blank(self, hosts: list[str]) -> None:
        self.lab.command("lab/down", timeout=LONG)
        self.lab.command("lab/up", timeout=LONG, LAB_HOSTS=" ".join(hosts))

    def play(self, *arguments: str, playbook: str = "site.yml") -> Any:
        run = self.lab.site(*arguments, playbook=playbook, timeout=LONG)
        if run.code:
            raise SystemExit(f"{playbook} {' '.join(arguments)} failed; its output is above")
        return run

    def counted(self, *arguments: str, playbook: str = "site.yml") -> tuple[Any, dict[str, Any]]:
        """The same with its rounds to hosts. A round is one start of podman exec or cp, as it would be one of ssh with pipelining."""
        lines = FOLDER / "rounds.txt"
        lines.write_text("")
        more = {
            "GROWTH_ROUNDS": str(lines),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "plugins" / "callback"),
            "ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.profile_tasks,growth_rounds",
        }
        self.lab.env.update(more)
        try:
            run = self.play("-e", f"ansible_podman_executable={HERE / 'podman'}", *arguments, playbook=playbook)
        finally:
            for name in more:
                del self.lab.env[name]
        found = report.rounds(lines.read_text().splitlines())
        if not found["by_host"]:
            raise SystemExit(
                f"no round to a host was counted in {lines}: is ansible_podman_executable still what counts?"
            )
        return run, found

    def versions(self) -> str:
        mysql = self.lab.sql("db0", "SELECT @@version")[0][0].partition("-")[0]
        said = self.lab.on("proxy", "sh", "-c", "proxysql --version 2>/dev/null")
        return f"MySQL {mysql}, ProxySQL {said.split('version ')[-1].partition('-')[0].strip()}"

    def whole(self, members: list[str]) -> None:
        from support import wait_for

        wanted = ["ONLINE"] * len(members)
        for member in members:
            wait_for(lambda member=member: list(self.lab.view(member).values()) == wanted, 120, f"{member} sees all")

    # -- one cluster of many members
    def members(self, size: int, runs: int) -> dict[str, Any]:
        names = lab_names(size, 1)
        self.blank(names)
        more: list[str] = []
        if size > 3:
            path = FOLDER / f"members-{size}.json"
            path.write_text(json.dumps(more_members(size), indent=1))
            more = ["-i", str(path)]
        first = self.play(*more)
        self.whole(names[:size])
        again, found = self.counted(*more)
        changed = sum(again.changed.values())
        status = [self.play(*more, playbook="playbooks/status.yml").seconds for _run in range(runs)]
        _run, all_at_once = self.counted(*more, playbook="playbooks/status.yml")
        _run, alone = self.counted(*more, "--limit", "db0", playbook="playbooks/status.yml")
        proxy = self.convergence(names[size - 1], runs)
        self.whole(names[:size])
        guard = self.guard(more)
        return {
            "site": round(first.seconds, 1), "again": round(again.seconds, 1), "changed": changed, "what_changed": again.what_changed,
            "status": [round(one, 2) for one in status],
            "info": {"slowest": max(all_at_once["seconds"][INFO].values()), "alone": max(alone["seconds"][INFO].values())},
            "proxy": proxy, "guard": guard, "rounds": {name: found[name] for name in ("by_host", "by_task")}, "versions": self.versions(),
        }  # fmt: skip

    def convergence(self, member: str, runs: int) -> dict[str, list[float]]:
        """A member leaves and joins again: until it is ONLINE, and from then until the proxy serves from it."""
        # Of a host that inventories/lab does not have, the address follows from its number.
        prefix = self.lab.address("db0").rpartition(".")[0]
        address = f"{prefix}.{130 + int(member[2:])}"
        found: dict[str, list[float]] = {"online": [], "placed": [], "gone": []}
        for _run in range(runs):
            began = time.time()
            self.lab.sql(member, "STOP GROUP_REPLICATION", timeout=120)
            found["gone"].append(round(self.placed(address, "out") - began, 2))
            with ThreadPoolExecutor(1) as pool:
                watching = pool.submit(self.placed, address, "in")
                text = self.lab.give(member, "exec python3 -", JOIN, timeout=360)
                start, online = map(float, text.split()[-2:])
                found["online"].append(round(online - start, 2))
                # Both look every 20 ms; the proxy may be the first to see it.
                found["placed"].append(round(max(0.0, watching.result() - online), 2))
        return found

    def placed(self, address: str, where: str) -> float:
        """The moment; hosts have this machine's clock."""
        password = str(self.lab.secrets()["proxysql_admin_password"])
        script = f"set -- {address} {where} {OFFLINE} 330\n{PLACED}"
        return float(self.lab.give("proxy", script, password + "\n", timeout=360).split()[-1])

    def guard(self, more: list[str]) -> dict[str, Any]:
        """Of a member that is ONLINE. The hosts keep their guards: the next measurement begins with blank ones."""
        self.play(*more, "-e", "mysql_gr_guard=rejoin")
        return dict(json.loads(self.lab.give("db0", "exec python3 -", GUARD, timeout=180).splitlines()[-1]))

    # -- several clusters
    def sites(self, real: int) -> dict[str, Any]:
        names = lab_names(recorded.MEMBERS * real, real)
        self.blank(names)
        path = recorded.write_inventory(real, real, 0.0)
        others = [name for name in names if re.fullmatch(r"proxy[0-9]+", name)]
        if others:
            # lab/up has put ProxySQL on the one that inventories/lab has.
            self.play("-i", str(path), "--limit", ",".join(["localhost", *others]), playbook="lab/prepare.yml")
        first = self.play("-i", str(path))
        again = self.play("-i", str(path))
        return {
            "hosts": len(names), "site": round(first.seconds, 1), "again": round(again.seconds, 1), "changed": sum(again.changed.values()),
            "what_changed": again.what_changed, "versions": self.versions(),
        }  # fmt: skip

    # -- users and rules
    def proxysql(self, rows: int) -> dict[str, Any]:
        path = FOLDER / "rows.json"
        path.touch(mode=0o600)
        own = {"username": "simkpuser", "password": self.lab.secrets()["lab_app_password"], "default_hostgroup": 2}

        def configure(users: list[dict[str, Any]], rules: list[dict[str, Any]]) -> Any:
            path.write_text(json.dumps({"proxysql_users": [own, *users], "proxysql_query_rules": rules}))
            return self.play("--tags", "proxysql_configure", "-e", f"@{path}")

        # What a run before this one has left.
        configure(recorded.users(1000, "absent"), recorded.rules(1000, "absent"))
        try:
            first = configure(recorded.users(rows), recorded.rules(rows))
            if not sum(first.changed.values()):
                raise SystemExit("the first run with users and rules has changed nothing: nothing was measured")
            again = configure(recorded.users(rows), recorded.rules(rows))
        finally:
            configure(recorded.users(rows, "absent"), recorded.rules(rows, "absent"))
            path.unlink()
        return {"first": round(first.seconds, 1), "again": round(again.seconds, 1), "changed": sum(again.changed.values()),
                "what_changed": again.what_changed, "versions": self.versions()}  # fmt: skip


# -- the status playbook -----------------------------------------------------------------------------------------------
def status(clusters: int, real: int, runs: int, seconds: float) -> dict[str, Any]:
    """status.yml, of the first clusters on the lab and of the others by recorded answers."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = recorded.write_inventory(clusters, real, seconds)
    env = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": f"{recorded.overlay()}:{ROOT / 'collections'}",
        "ANSIBLE_NOCOLOR": "1",
    }
    # The lab's own inventory first; what is said of a host in the second one wins.
    inventories = [*(["-i", "inventories/lab"] if real else []), "-i", str(path)]
    log = FOLDER / "status.log"
    done = []
    for _run in range(runs):
        done.append(used(["ansible-playbook", *inventories, "playbooks/status.yml"], env, log))
        shown = log.read_text()
        online = len(re.findall(r"^ +\S+ +\S+:3306 +ONLINE +(?:PRIMARY|SECONDARY) ", shown, re.MULTILINE))
        if online != recorded.MEMBERS * clusters:
            hint = (
                f" With --real {real} the lab has to be up, made by the step sites with the same number."
                if real
                else ""
            )
            raise SystemExit(
                f"status shows {online} ONLINE members of {recorded.MEMBERS * clusters}; its output is in {log}.{hint}"
            )
    return {
        "hosts": (recorded.MEMBERS + 1) * clusters, "seconds": [one["seconds"] for one in done], "cpu": [one["cpu"] for one in done],
        "memory": max(one["memory"] for one in done), "answer": seconds, "slowest": plan.slowest(log.read_text()),
    }  # fmt: skip


# -- steps -------------------------------------------------------------------------------------------------------------
STEPS = ("compute", "rows", "status", "members", "sites", "proxysql", "docs")
Work = tuple[dict[str, Any], Callable[[], dict[str, Any]]]


def work(step: str, options: argparse.Namespace) -> Iterator[Work]:
    """What a step measures: by what it is known in the records, and how it is done."""
    if step == "compute":
        for count in options.clusters:
            yield {"clusters": count}, lambda count=count: child("compute", str(count))
    elif step == "rows":
        for count in options.rows:
            yield {"rows": count}, lambda count=count: child("rows", str(count))
    elif step == "status":
        for count in options.clusters:
            real = min(options.real, count)
            yield (
                {"clusters": count, "real": real},
                lambda count=count, real=real: status(count, real, options.runs, options.answer),
            )
    elif step == "members":
        for size in options.sizes:
            yield {"size": size}, lambda size=size: OnLab().members(size, options.runs)
    elif step == "sites":
        yield {"real": options.real}, lambda: OnLab().sites(options.real)
    elif step == "proxysql":
        lab: list[OnLab] = []

        def proxysql(count: int) -> dict[str, Any]:
            if not lab:
                lab.append(OnLab())
                lab[0].blank(lab_names(3, 1))
                lab[0].play()
            return lab[0].proxysql(count)

        for count in options.rows:
            yield {"rows": count}, lambda count=count: proxysql(count)


def measure(step: str, options: argparse.Namespace, name: str) -> None:
    for what, how in work(step, options):
        label = " ".join([step, *(f"{key}={value}" for key, value in what.items())])
        if not options.again and report.measured(kept(), name, step=step, **what):
            print(f"{label}: run {name} has it (--again measures it once more)", flush=True)
            continue
        began, busy = time.time(), os.getloadavg()[0]
        found = how()
        line = {
            "step": step,
            "run": name,
            "at": int(began),
            "load": [round(busy, 1), round(os.getloadavg()[0], 1)],
            **what,
            **found,
        }
        RECORDS.parent.mkdir(parents=True, exist_ok=True)
        with RECORDS.open("a") as target:
            target.write(json.dumps(line) + "\n")
        print(time.strftime("%H:%M:%S"), label, json.dumps(found), flush=True)


def positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not allowed (allowed: whole numbers from 1)")
    return int(text)


def size(text: str) -> int:
    """Members of one group."""
    if text not in list("3456789"):
        raise argparse.ArgumentTypeError(f"'{text}' is not allowed (allowed: 3 to 9)")
    return int(text)


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", help="name of the run")
    parser.add_argument(
        "--runs", type=positive, default=3, help="how often what is short is measured; the median counts"
    )
    parser.add_argument("--again", action="store_true", help="also what this run has already")
    parser.add_argument("--sizes", type=size, nargs="+", default=[3, 5, 7, 9], metavar="N")
    parser.add_argument("--clusters", type=positive, nargs="+", default=[1, 5, 20, 50], metavar="N")
    parser.add_argument("--rows", type=positive, nargs="+", default=[10, 100, 1000], metavar="N")
    parser.add_argument(
        "--real", type=int, default=0, metavar="N", help="clusters on the lab (sites: at least 1; status: 0 is none)"
    )
    parser.add_argument("--answer", type=float, default=0.5, help="seconds after which a recorded host answers")
    parser.add_argument("steps", nargs="+", metavar="STEP", help=", ".join(STEPS))
    options = parser.parse_args(arguments)
    unknown = [step for step in options.steps if step not in STEPS]
    if unknown:
        parser.error(f"'{unknown[0]}' is not allowed (allowed: {', '.join(STEPS)})")
    if options.real < 0 or ("sites" in options.steps and options.real < 1):
        parser.error(f"--real: {options.real} is not allowed (allowed: 1 and more for sites, 0 and more for status)")
    if max(options.rows) > 1000:
        parser.error(f"--rows: {max(options.rows)} is not allowed (allowed: up to 1000, which are removed afterwards)")
    if max(options.clusters) > 99 or options.real > 20:
        parser.error("--clusters: up to 99, --real: up to 20")
    return options


def main(arguments: list[str]) -> int:
    options = parsed(arguments)
    name = run_of(kept(), options.run)
    os.environ.setdefault("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))
    for step in options.steps:
        measure(step, options, name)
        write_docs()
    bad = [one for one in kept() if one["run"] == name and one.get("changed")]
    for one in bad:
        print(f"{one['step']}: a converged site changed {', '.join(one['what_changed'][:5])}", file=sys.stderr)
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
