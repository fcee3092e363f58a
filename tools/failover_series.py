# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault and all planned work, each several times, on the lab; and the table of what clients saw.

    python3 tools/failover_series.py [--runs 5] [--only NAME ...] [--again] [--docs]

Runs that were made already (.cache/series/results.jsonl) are not made again, so that an interrupted series goes on where it was; --again
begins anew. --docs writes the table into docs/failover.md. The times are of use only where the machine does nothing else.
The last line is "N passed, N failed"; a run passed when no acknowledged row was lost, all members hold the same and all are ONLINE
afterwards, and, of planned work, when no statement failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SERIES = ROOT / ".cache" / "series"
RESULTS = SERIES / "results.jsonl"
INVENTORY = ["-i", "inventories/lab"]
TWO = SERIES / "inventory" / "two-proxies.yml"
BEGIN, END = "<!-- series: begin -->", "<!-- series: end -->"

# name: (what it is, target in seconds for the longest time without a success of one client, or None)
FAULTS = {
    "stop": ("clean stop of one member", 0.5),
    "kill": ("`kill -9` of one member", 0.5),
    "freeze": ("one member frozen (SIGSTOP), thawed", 1.5),
    "network": ("one member cut off, both ways", 2.0),
    "disk_full": ("disk of one member full", None),
    "reboot": ("one host off and on", None),
    "primary_switched": ("planned switch of the primary", 1.0),
    "primary_killed": ("`kill -9` of the primary, single-primary mode", 7.0),
    "two_killed": ("two of three killed", None),
    "all_killed": ("all killed", None),
    "proxy_restarted": ("ProxySQL restarted", None),
    "proxy_killed": ("one of two ProxySQLs killed", 2.0),
}
# name of the report: (test, target)
PLANNED = {
    "rolling_restart": ("test_rolling_restart_costs_no_statement", 1.0),
    "rolling_restart_single_primary": ("test_rolling_restart_of_a_single_primary_costs_no_statement", 1.0),
    "switch_primary": ("test_switch_primary_costs_no_statement", 1.0),
    "switch_mode_to_single_primary": ("test_switch_mode_costs_no_statement", 1.0),
    "switch_mode_to_multi_primary": ("test_switch_mode_costs_no_statement", 1.0),
    "add_member": ("test_members_added_and_removed_cost_no_statement", 1.0),
    "remove_member": ("test_members_added_and_removed_cost_no_statement", 1.0),
    "rotate_passwords": ("test_rotate_passwords_costs_no_statement", 1.0),
    "rotate_passwords_discard": ("test_rotate_passwords_costs_no_statement", 1.0),
    "backup": ("test_backup_under_load_and_restore", 1.0),
}
HOW_LONG = 1500  # seconds after which a run counts as failed


def environment():
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return dict(
        os.environ, PATH=path, ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_NOCOLOR="1", **{"DISTDB_FAILOVER": "1"}
    )


def run(command, log, **variables):
    """(exit code, seconds); what it says goes to a file. A run that does not end is killed with all its children."""
    started = time.monotonic()
    with open(log, "w") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=dict(environment(), **variables), stdin=subprocess.DEVNULL, stdout=output,
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


def playbook(name, log, *arguments, inventory=()):
    return run(["ansible-playbook", *INVENTORY, *inventory, name, *arguments], log)


def whole(log, well=True):
    """Whether the lab's three members are ONLINE. Where they are not, or a run ended early, playbooks put everything back; that is no pass."""
    text = "SELECT COUNT(*) FROM performance_schema.replication_group_members WHERE member_state = 'ONLINE'"
    done = subprocess.run(
        ["lab/podman", "exec", "db0", "mysql", "-Ne", text],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    online = done.stdout.strip() == "3"
    if not online or not well:
        for name in ("playbooks/recover.yml", "playbooks/switch_mode.yml", "site.yml"):
            playbook(name, log)
    return online


def newest(directory, pattern, since):
    found = [path for path in directory.glob(pattern) if path.stat().st_mtime >= since]
    return sorted(found, key=lambda path: path.stat().st_mtime)


def fault(name, number):
    logs = SERIES / "logs"
    inventory = ["-i", str(TWO)] if name == "proxy_killed" else []
    began = time.time()
    reports = SERIES / "faults"
    code, seconds = playbook(
        "playbooks/failover.yml", logs / f"{name}-{number}.log", "-e", f"failover_fault={name}",
        "-e", f"failover_reports={reports}", inventory=inventory,
    )  # fmt: skip
    found = newest(reports, f"{name}-*/report.json", began)
    report = json.loads(found[-1].read_text()) if found else {}
    back = whole(logs / "recover.log", code == 0)
    return [dict(figures(report), kind="fault", name=name, seconds=round(seconds, 1), passed=code == 0 and back)]


def planned(test, number):
    logs, reports = SERIES / "logs", SERIES / "planned"
    began = time.time()
    command = [
        "python3",
        "-m",
        "pytest",
        "-q",
        "-s",
        "-p",
        "no:cacheprovider",
        "tests/integration/operations/test_planned.py",
        "-k",
        test,
    ]
    code, seconds = run(command, logs / f"{test}-{number}.log", DISTDB_REPORTS=str(reports))
    lines = []
    for path in newest(reports, "*.json", began):
        report = json.loads(path.read_text())
        lines.append(
            dict(
                figures(report),
                kind="planned",
                name=report["work"],
                seconds=report["work_seconds"],
                passed=report["passed"],
            )
        )
    back = whole(logs / "recover.log", code == 0)
    if code != 0 or not back or not lines:
        # What went wrong after the last report belongs to the test as a whole.
        lines.append({"kind": "planned", "name": test, "seconds": round(seconds, 1), "passed": False})
    return lines


def figures(report):
    names = ("longest_gap", "longest_gap_before_fault", "failed_statements", "acknowledged_writes", "lost_rows", "same_transactions",
             "checksums_agree")  # fmt: skip
    return {name: report[name] for name in names if name in report}


def read():
    if not RESULTS.exists():
        return []
    return [json.loads(line) for line in RESULTS.read_text().splitlines() if line.endswith("}")]


def table(results, runs):
    """Markdown: a line per fault or work, median and worst."""
    lines = [
        "| | Runs | Longest gap of one client, median | worst | Target | Failed statements, median | worst | Acknowledged writes"
        " | Rows lost | Tables equal | A run takes |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for kind, known in (("fault", FAULTS), ("planned", PLANNED)):
        for name, (words, target) in known.items():
            made = [line for line in results if line["kind"] == kind and line["name"] == name]
            good = [line for line in made if "longest_gap" in line]
            if not good:
                continue
            gaps, failed = ([line[key] for line in good] for key in ("longest_gap", "failed_statements"))
            shown = f"`{name}`: {words}" if kind == "fault" else f"`{name}`"
            equal = all(line.get("same_transactions") and line.get("checksums_agree") for line in good)
            lines.append(
                f"| {shown} | {sum(line['passed'] for line in made)} of {len(made)} passed | {statistics.median(gaps):.2f} s | {max(gaps):.2f} s"
                f" | {'–' if target is None else f'{target:g} s'} | {statistics.median(failed):g} | {max(failed)}"
                f" | {sum(line['acknowledged_writes'] for line in good)} | {sum(line['lost_rows'] for line in good)}"
                f" | {'yes' if equal else 'NO'} | {statistics.median(line['seconds'] for line in made):.0f} s |"
            )
    passed = sum(line["passed"] for line in results)
    return "\n".join(
        [
            f"Made by `make failover-table` ({runs} runs each), {time.strftime('%Y-%m-%d', time.gmtime())}, {os.cpu_count()} cores,"
            f" Linux {platform.release().split('-')[0]}, {versions()}: {passed} passed, {len(results) - passed} failed.",
            "",
            *lines,
        ]
    )


def versions():
    """What is measured: the servers' own words."""
    found = []
    for host, program in (("db0", "mysqld"), ("proxy", "proxysql")):
        done = subprocess.run(
            ["lab/podman", "exec", host, program, "--version"],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        match = re.search(r"(?i)ver(?:sion)? ([\w.-]+)", done.stdout)
        found.append(f"{'MySQL' if program == 'mysqld' else 'ProxySQL'} {match[1] if match else 'unknown'}")
    return ", ".join(found)


def prepare(faults, log):
    """The lab, converged; for two proxies, the second one beside it."""
    names = ["db0", "db1", "db2", "proxy"] + (["proxy2"] if "proxy_killed" in faults else [])
    TWO.parent.mkdir(parents=True, exist_ok=True)
    # Two folders below the checkout, as inventories/lab is: the lab's commands are found from there.
    TWO.write_text(
        'proxysql:\n  hosts:\n    proxy2:\n      proxysql_address: "{{ lab_prefix }}.127"\n      ansible_podman_executable: '
        + f"{ROOT}/lab/podman\n"
    )
    two = ["-i", str(TWO)] if "proxy_killed" in faults else []
    steps = [["lab/up", *names]]
    if two:
        steps.append(["ansible-playbook", *INVENTORY, *two, "--limit", "localhost,proxy2", "lab/prepare.yml"])
    steps.append(["ansible-playbook", *INVENTORY, *two, "site.yml"])
    for step in steps:
        code, _seconds = run(step, log)
        if code and step is steps[-1]:
            # An earlier series was interrupted, in another mode perhaps.
            whole(log, well=False)
            code, _seconds = run(step, log)
        if code:
            sys.exit(f"{' '.join(step)}: exit {code}; see {log}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[], choices=[*FAULTS, *PLANNED])
    parser.add_argument("--again", action="store_true", help="forget the runs that were made")
    parser.add_argument("--docs", action="store_true", help="write the table into docs/failover.md")
    options = parser.parse_args()
    (SERIES / "logs").mkdir(parents=True, exist_ok=True)
    if options.again and RESULTS.exists():
        RESULTS.rename(RESULTS.with_suffix(f".{int(time.time())}.jsonl"))
    wanted = options.only or [*FAULTS, *PLANNED]
    faults = [name for name in FAULTS if name in wanted]
    tests = {}
    for name in PLANNED:
        if name in wanted:
            tests.setdefault(PLANNED[name][0], []).append(name)
    prepare(faults, SERIES / "logs" / "prepare.log")
    for number in range(1, options.runs + 1):
        # All of them once, then again: an interrupted series has something of each.
        work = [(name, [name], fault) for name in faults] + [(test, names, planned) for test, names in tests.items()]
        for what, names, make in work:
            made = read()
            if min(sum(line["name"] == name for line in made) for name in names) >= number:
                continue
            lines = make(what, number)
            with open(RESULTS, "a") as target:
                for line in lines:
                    target.write(json.dumps(dict(line, run=number, at=int(time.time()))) + "\n")
            for line in lines:
                gap = (
                    f"gap {line['longest_gap']:.2f} s, {line['failed_statements']} failed statements"
                    if "longest_gap" in line
                    else "no report"
                )
                print(f"{time.strftime('%H:%M:%S')} run {number} {line['name']}: {'passed' if line['passed'] else 'FAILED'}, {gap},"
                      f" {line['seconds']:.0f} s", flush=True)  # fmt: skip
    results = [line for line in read() if line["name"] in wanted or line["name"] in tests]
    text = table(results, options.runs)
    (SERIES / "table.md").write_text(text + "\n")
    print(text)
    if options.docs:
        page = ROOT / "docs" / "failover.md"
        before, _mark, rest = page.read_text().partition(BEGIN)
        _old, _mark, after = rest.partition(END)
        page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
    passed = sum(line["passed"] for line in results)
    print(f"{passed} passed, {len(results) - passed} failed")
    return 0 if passed == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
