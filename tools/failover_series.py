# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault and all planned work, each several times, on the lab; and the table of what clients saw.

    python3 tools/failover_series.py [--runs 5] [--minutes M] [--only NAME ...] [--again] [--blank] [--docs]

Runs that were made already (.cache/series/results-*.jsonl) are not made again, so that an interrupted series goes on where it was; --again
begins anew. After --minutes nothing new is begun. --docs writes the table into docs/measurements/failover.md. With --blank each round begins on new hosts, so
that its runs do not depend on those of earlier ones (a member that is added has to fetch all transactions there ever were). The times are of use
only where the machine does nothing else; its load before each run is in the results.
The last line is "N passed, N failed"; a run passed when no acknowledged row was lost, all members hold the same and all are ONLINE
afterwards, and, of planned work, when no statement failed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from machine_watch import MachineWatch, meanwhile

ROOT = Path(__file__).resolve().parent.parent
SERIES = ROOT / ".cache" / "series"
LOGS = SERIES / "logs"
INVENTORY = ["-i", "inventories/lab"]
# With a second proxy.
TWO = ("-i", "inventories/lab-proxy2")
# Two folders below the checkout, as inventories/lab is: the lab's commands are found from there.
FIVE = SERIES / "five.yml"
SINGLE = ("-e", "mysql_gr_writers=primary")
BEGIN, END = "<!-- series, {}: begin -->", "<!-- series, {}: end -->"

# name: (what it is, target in seconds for the longest time without a success of one client, or None)
FAULTS = {
    "stop": ("clean stop of one member", 0.5),
    "kill": ("`kill -9` of one member", 0.5),
    "freeze": ("one member frozen (SIGSTOP), thawed", 1.5),
    "network": ("one member cut off, both ways, for 12 s", 2.0),
    "network_long": ("the same for 45 s, until it has left the group", 2.0),
    "network_all": ("all members cut off from one another", None),
    "disk_full": ("disk of one member full", None),
    "reboot": ("one host off and on", None),
    "primary_switched": ("planned switch of the primary", 1.0),
    "primary_killed": ("`kill -9` of the primary, single-primary mode", 7.0),
    "two_killed": ("two of three killed", None),
    "all_killed": ("all killed", None),
    "proxy_restarted": ("ProxySQL restarted", None),
    "proxy_killed": ("one of two ProxySQLs killed", 2.0),
}
# In single-primary mode, into which the group is brought once for all of them.
OF_SINGLE = ("primary_switched", "primary_killed")
PLANNED = {
    "rolling_restart": 1.0,
    "rolling_restart_single_primary": 1.0,
    "switch_primary": 1.0,
    "switch_mode_to_single_primary": 1.0,
    "switch_mode_to_multi_primary": 1.0,
    "add_member": 1.0,
    "remove_member": 1.0,
    "rotate_passwords": 1.0,
    "rotate_passwords_discard": 1.0,
    "rolling_upgrade_check": 1.0,
    "backup": 1.0,
}
# Shorter than the playbook's defaults, which are for looking at one run.
PHASES = ("-e", "failover_before=3", "-e", "failover_during=3")
HOW_LONG = 1500  # seconds after which a run counts as failed


def environment():
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return dict(os.environ, PATH=path, ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_NOCOLOR="1")


def run(command, log):
    """(exit code, seconds); what it says goes to a file. A run that does not end is killed with all its children."""
    started = time.monotonic()
    with open(log, "a") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(HOW_LONG)
        except subprocess.TimeoutExpired:
            code = 124
        except BaseException:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
        if code == 124:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return code, time.monotonic() - started


def playbook(name, log, *arguments):
    return run(["ansible-playbook", *INVENTORY, name, *arguments], log)


def on(host, *command):
    """What a command on a host of the lab says; nothing where it fails."""
    done = subprocess.run(
        ["lab/podman", "exec", host, *command], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def members(state, column="member_host"):
    text = f"SELECT {column} FROM performance_schema.replication_group_members WHERE {state}"
    return on("db0", "mysql", "-Ne", text).split()


def whole(mode=(), well=True):
    """Whether the lab's three members are ONLINE. Where they are not, or a run ended early, playbooks put everything back; that is no pass."""
    online = len(members("member_state = 'ONLINE'")) == 3
    if not online or not well:
        # A run that ended early leaves its load behind, which ends by itself after half an hour only.
        on("proxy", "systemctl", "stop", "distdb-load", "distdb-watch")
        for name in ("playbooks/recover.yml", "playbooks/switch_mode.yml", "site.yml"):
            playbook(name, LOGS / "recover.log", *mode)
    return online


def newest(directory, pattern, since):
    found = [path for path in directory.glob(pattern) if path.stat().st_mtime >= since]
    return sorted(found, key=lambda path: path.stat().st_mtime)


class Work:
    """What the lab is made to do; each of these gives lines for the results."""

    def __init__(self, lab):
        self.lab = lab

    def fault(self, name, mode):
        began, reports, machine = time.time(), SERIES / "faults", os.getloadavg()[0]
        two = TWO if name == "proxy_killed" else ()
        with MachineWatch(SERIES) as watch:
            code, seconds = playbook(
                "bench/failover/failover.yml", LOGS / f"{name}.log", *two, *mode, *PHASES, "-e", f"failover_fault={name}",
                "-e", f"failover_reports={reports}",
            )  # fmt: skip
        found = newest(reports, f"{name}-*/report.json", began)
        report = json.loads(found[-1].read_text()) if found else {}
        passed = code == 0 and bool(found)
        line = dict(
            figures(report),
            **beside(report, watch),
            kind="fault",
            name=name,
            seconds=round(seconds, 1),
            load=round(machine, 1),
        )
        return [dict(line, passed=whole(mode, passed) and passed)]

    def planned(self, name, mode, book, *arguments, password=None, also=()):
        from support_load import Load

        load, machine = Load(self.lab, name, SERIES / "planned"), os.getloadavg()[0]
        with MachineWatch(SERIES) as watch:
            load.start(password)
            try:
                code, seconds = playbook(f"playbooks/{book}.yml", LOGS / f"{name}.log", *mode, *arguments)
            finally:
                load.stop()
        report = load.finish(seconds, also if code == 0 else ())
        passed = code == 0 and report["passed"]
        return dict(
            figures(report), **beside(report, watch), kind="planned", name=name, seconds=round(seconds, 1),
            load=round(machine, 1), passed=passed,
        )  # fmt: skip

    def rolling_restart(self, mode):
        line = self.planned("rolling_restart" + ("_single_primary" if mode else ""), mode, "rolling_restart")
        return [dict(line, passed=whole(mode, line["passed"]) and line["passed"])]

    def switch_mode(self, mode):
        name = "switch_mode_to_single_primary" if mode else "switch_mode_to_multi_primary"
        line = self.planned(name, mode, "switch_mode")
        # Servers that are restarted afterwards find the new mode in their option files, too.
        playbook("site.yml", LOGS / f"{name}.log", *mode)
        wanted = len(members("member_role = 'PRIMARY'")) == (1 if mode else 3)
        return [dict(line, passed=whole(mode, line["passed"]) and wanted and line["passed"])]

    def switch_primary(self, mode):
        before = members("member_role = 'PRIMARY'")
        to = next(host for host in self.lab.members if self.lab.address(host) not in before)
        line = self.planned("switch_primary", mode, "switch_primary", "-e", f"operations_primary={to}")
        reached = members("member_role = 'PRIMARY'") == [self.lab.address(to)]
        return [dict(line, passed=whole(mode, line["passed"]) and reached and line["passed"])]

    def upgrade(self, mode):
        """In check mode: there is one version to be had."""
        return [self.planned("rolling_upgrade_check", mode, "rolling_upgrade", "--check")]

    def backup(self, mode):
        with tempfile.TemporaryDirectory(dir=SERIES) as directory:
            return [self.planned("backup", mode, "backup", "-e", f"operations_backup={directory}/backup")]

    def members(self, mode):
        """From three members to five, and back. The two hosts stay, as those of removed members do; on a new lab they were blank."""
        from support import wait_for
        from support_load import new_address

        lines, hosts = [], {f"db{number}": {"mysql_gr_server_id": 130 + number} for number in (3, 4)}
        every = list(hosts)
        five = ("-i", str(FIVE))
        run(["lab/up", *hosts], LOGS / "members.log")
        FIVE.write_text(yaml.safe_dump({"mysql_gr": {"hosts": hosts}}))
        line = self.planned(
            "add_member", mode, "add_member", *five, "-e", json.dumps({"operations_members": list(hosts)}),
            # On a slow disk two members that fetch and three that are written to need longer than usual.
            "-e", f"mysql_gr_timeout={HOW_LONG - 300}", also=[new_address(self.lab, number) for number in (3, 4)],
        )  # fmt: skip
        lines.append(dict(line, passed=line["passed"] and len(members("member_state = 'ONLINE'")) == 5))
        for host in reversed(list(hosts)):
            line = self.planned(
                "remove_member",
                mode,
                "remove_member",
                *five,
                "-e",
                f"operations_member={host}",
                "-e",
                "confirm=mysql_gr",
            )
            del hosts[host]
            FIVE.write_text(yaml.safe_dump({"mysql_gr": {"hosts": hosts}}))
            left = 3 + len(hosts)
            lines.append(dict(line, passed=line["passed"] and len(members("member_state = 'ONLINE'")) == left))
        if len(members("member_state IN ('ONLINE', 'RECOVERING')")) != 3:
            # The lines say that it failed. What follows is not to be measured on more members, so these end; the others expel them.
            run(["lab/down", *every], LOGS / "members.log")
            # Where they do not, the lines must be kept all the same; the next runs then say that the group was not whole.
            with contextlib.suppress(AssertionError):
                wait_for(lambda: len(members("TRUE")) == 3, 120, "a group without the two", every=1)
        # They forget the addresses of the two.
        playbook("site.yml", LOGS / "members.log", *mode)
        return lines

    def passwords(self, mode):
        """To other passwords, and back to those of the inventory."""
        from support_load import rotation

        lines, app, discard = [], "lab_app_password", ("-e", "operations_discard_old=true")
        with tempfile.TemporaryDirectory(dir=SERIES) as directory:
            old, new, forward, back = rotation(self.lab, Path(directory))
            for there, before, after in ((forward, old, new), (back, new, old)):
                lines.append(self.planned("rotate_passwords", mode, "rotate_passwords", *there, password=before[app]))
                lines.append(
                    self.planned(
                        "rotate_passwords_discard", mode, "rotate_passwords", *there, *discard, password=after[app]
                    )
                )
        return lines


def beside(report, watch):
    """What the machine cost meanwhile: {"longest_sync_in_gap": …}, for the whole run and for the longest gap of one client."""
    if "origin" not in report:
        return {}
    begin, gap = report["origin"], report["origin"] + report["longest_gap_from"]
    times = {
        "run": (begin, begin + report.get("load_seconds", report["seconds"])),
        "gap": (gap, gap + report["longest_gap"]),
    }
    return {
        f"{name}_in_{when}": value
        for when, (first, last) in times.items()
        for name, value in meanwhile(watch.samples, first, last).items()
    }


def figures(report):
    names = ("longest_gap", "longest_gap_before_fault", "longest_gap_until_undone", "longest_gap_afterwards", "failed_statements",
             "acknowledged_writes", "lost_rows", "same_transactions", "checksums_agree")  # fmt: skip
    return {name: report[name] for name in names if name in report}


def proxies():
    """What stands for ProxySQL in this lab; their results are kept apart, with a table each."""
    kind = (ROOT / ".lab" / "proxysql-kind").read_text().split(maxsplit=1)[0]
    return "stand-in" if kind == "standin" else "real ProxySQL"


def results_file():
    return SERIES / f"results-{proxies().split()[0]}.jsonl"


def read():
    if not results_file().exists():
        return []
    return [json.loads(line) for line in results_file().read_text().splitlines() if line.endswith("}")]


def table(results, runs):
    """Markdown: a line per fault or work, median and worst."""
    lines = [
        "| | Runs passed | Longest gap of one client, median | worst | Target | begun during the fault, worst | afterwards, worst"
        " | the machine's slowest write in the worst gap | Failed statements, median | worst | Acknowledged writes | Rows lost"
        " | Tables equal | A run takes |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for kind, known in (("fault", FAULTS), ("planned", PLANNED)):
        for name, about in known.items():
            made = [line for line in results if line["kind"] == kind and line["name"] == name]
            good = [line for line in made if "longest_gap" in line]
            if not good:
                continue
            shown, target = (f"`{name}`: {about[0]}", about[1]) if kind == "fault" else (f"`{name}`", about)
            gaps, failed = ([line[key] for line in good] for key in ("longest_gap", "failed_statements"))
            equal = all(line.get("same_transactions") and line.get("checksums_agree") for line in good)
            during, afterwards = (worst_of(good, key) for key in ("longest_gap_until_undone", "longest_gap_afterwards"))
            slowest = max(good, key=lambda line: line["longest_gap"]).get("longest_sync_in_gap")
            lines.append(
                f"| {shown} | {sum(line['passed'] for line in made)} of {len(made)} | {statistics.median(gaps):.2f} s | {max(gaps):.2f} s"
                f" | {'–' if target is None else f'{target:g} s'} | {during} | {afterwards}"
                f" | {'–' if slowest is None else f'{1000 * slowest:.0f} ms'}"
                f" | {statistics.median(failed):g} | {max(failed)}"
                f" | {sum(line['acknowledged_writes'] for line in good)} | {sum(line['lost_rows'] for line in good)}"
                f" | {'yes' if equal else 'NO'} | {statistics.median(line['seconds'] for line in made):.0f} s |"
            )
    passed = sum(line["passed"] for line in results)
    loads = [line["load"] for line in results if "load" in line] or [0.0]
    return "\n".join(
        [
            f"Made by `make failover-table` ({runs} runs each wanted), {time.strftime('%Y-%m-%d', time.gmtime())}, {os.cpu_count()} cores,"
            f" Linux {platform.release().split('-')[0]}, {versions()}: {passed} passed, {len(results) - passed} failed. Machine load before a"
            f" run: median {statistics.median(loads):.1f}, at most {max(loads):.1f}. *Afterwards*: begun when the fault was undone already, as by a member"
            " that comes back. *Slowest write*: 4 KiB are written and synchronised again and again on the same disk, beside the load.",
            "",
            *lines,
        ]
    )


def worst_of(lines, key):
    """The largest of these, in words; planned work has no fault that begins and ends."""
    found = [line[key] for line in lines if key in line]
    return f"{max(found):.2f} s" if found else "–"


def versions():
    """What is measured: the servers' own words."""
    found = []
    for host, program in (("db0", "mysqld"), ("proxy", "proxysql")):
        match = re.search(r"(?i)ver(?:sion)? ([\w.-]+)", on(host, program, "--version"))
        name = "MySQL" if program == "mysqld" else proxies()
        found.append(f"{name} {match[1] if match else 'unknown'}")
    return ", ".join(found)


def prepare(faults, blank):
    """The lab, converged, if wanted on new hosts; for two proxies, the second one beside it."""
    log = LOGS / "prepare.log"
    names = ["db0", "db1", "db2", "proxy"] + (["proxy2"] if "proxy_killed" in faults else [])
    two = TWO if "proxy_killed" in faults else ()
    steps = ([["lab/down"]] if blank else []) + [["lab/up", *names]]
    if two:
        steps.append(["ansible-playbook", *INVENTORY, *two, "--limit", "localhost,proxy2", "lab/prepare.yml"])
    steps.append(["ansible-playbook", *INVENTORY, *two, "site.yml"])
    for step in steps:
        code, _seconds = run(step, log)
        if code and step is steps[-1]:
            # An earlier series was interrupted, in another mode perhaps.
            whole(well=False)
            code, _seconds = run(step, log)
        if code:
            sys.exit(f"{' '.join(step)}: exit {code}; see {log}")


def units(work):
    """[(names in the results, mode, what makes them)], in the order of a round."""
    found = [(("add_member", "remove_member"), (), work.members)]
    found += [((name,), (), lambda mode, name=name: work.fault(name, mode)) for name in FAULTS if name not in OF_SINGLE]
    found += [
        (("rolling_restart",), (), work.rolling_restart),
        (("rotate_passwords", "rotate_passwords_discard"), (), work.passwords),
        (("rolling_upgrade_check",), (), work.upgrade),
        (("backup",), (), work.backup),
        (("switch_mode_to_single_primary",), SINGLE, work.switch_mode),
        (("switch_primary",), SINGLE, work.switch_primary),
        (("rolling_restart_single_primary",), SINGLE, work.rolling_restart),
    ]
    found += [((name,), SINGLE, lambda mode, name=name: work.fault(name, mode)) for name in OF_SINGLE]
    return found + [(("switch_mode_to_multi_primary",), (), work.switch_mode)]


def due(names, wanted, number):
    """Whether one of these is wanted and has fewer than so many runs."""
    made = read()
    return any(name in wanted and sum(line["name"] == name for line in made) < number for name in names)


def keep(lines, number):
    with open(results_file(), "a") as target:
        for line in lines:
            target.write(json.dumps(dict(line, run=number, at=int(time.time()))) + "\n")
    for line in lines:
        shown = (
            f"gap {line['longest_gap']:.2f} s, {line['failed_statements']} failed statements"
            if "longest_gap" in line
            else "no report"
        )
        print(f"{time.strftime('%H:%M:%S')} run {number} {line['name']}: {'passed' if line['passed'] else 'FAILED'}, {shown},"
              f" {line['seconds']:.0f} s, load {line['load']}", flush=True)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="after these nothing new is begun")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[], choices=[*FAULTS, *PLANNED])
    parser.add_argument("--again", action="store_true", help="forget the runs that were made")
    parser.add_argument("--blank", action="store_true", help="new hosts for each round")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/measurements/failover.md")
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    LOGS.mkdir(parents=True, exist_ok=True)
    os.environ.update(environment())
    sys.path.insert(0, str(ROOT / "tests"))
    from support import Lab

    wanted = options.only or [*FAULTS, *PLANNED]
    used = False  # the hosts, since they were prepared
    for number in range(1, options.runs + 1):
        # All of them once, then again: an interrupted series has something of each.
        if number > 1 and (time.monotonic() > until or not due(wanted, wanted, number)):
            continue
        if number == 1 or (options.blank and used):
            prepare([name for name in FAULTS if name in wanted], options.blank)
            work, used = Work(Lab()), False
            single = False  # the mode of the inventory, into which site.yml brings the group
        if number == 1 and options.again and results_file().exists():
            results_file().rename(results_file().with_suffix(f".{int(time.time())}.jsonl"))
        for names, mode, make in units(work):
            late = time.monotonic() > until
            if make == work.switch_mode:
                # Wanted for itself, or for what is to be done in that mode. The way back is never left out.
                others = [one for other, where, _make in units(work) if where == SINGLE for one in other]
                if bool(mode) != single and (
                    not mode or (not late and due([*others, "switch_mode_to_multi_primary"], wanted, number))
                ):
                    keep(make(mode), number)
                    single, used = bool(mode), True
            elif not late and due(names, wanted, number):
                keep(make(mode), number)
                used = True
    results = [line for line in read() if line["name"] in wanted]
    text = table(results, options.runs)
    (SERIES / "table.md").write_text(text + "\n")
    print(text)
    if options.docs:
        page = ROOT / "docs" / "measurements" / "failover.md"
        begin, end = BEGIN.format(proxies()), END.format(proxies())
        before, _mark, rest = page.read_text().partition(begin)
        _old, _mark, after = rest.partition(end)
        page.write_text(f"{before}{begin}\n{text}\n{end}{after}")
    passed = sum(line["passed"] for line in results)
    print(f"{passed} passed, {len(results) - passed} failed")
    return 0 if passed == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
