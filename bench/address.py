# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of the runs with the proxies' shared address, and their table in docs/measurements/address.md.

    address.py [--docs] [--versions TEXT] [FOLDER]      (FOLDER: what tests/integration/operations/test_address.py left in .cache/address)

Each report becomes one line of bench/records/address.jsonl, once. Without a FOLDER nothing is recorded. --docs renews the table. --versions is for reports that
do not name the versions of the servers, as "MySQL 9.7.4, ProxySQL 2.7.1".
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bench" / "chaos")]

import plan  # noqa: E402

RECORDS = ROOT / "bench" / "records" / "address.jsonl"
PAGE = ROOT / "docs" / "measurements" / "address.md"
PREFIX = "address_"
# Name of the work in a report: what the table says. The order of the table.
KINDS = {
    "killed": "process killed",
    "frozen": "process frozen",
    "off": "host off",
    "cut_off": "cut off from everything",
    "cut_from_each_other": "cut from the other proxy alone",
    "keepalived_hangs": "keepalived frozen",
    "without_members": "without members, which the other one has",
    "ipv6_killed": "IPv6 address: process killed",
    "ipv6_cut_off": "IPv6 address: cut off from everything",
    "restart": "restarted by the role, and then the other one",
    "preempt": "killed and started again, with preemption",
    "list_killed": "clients with a list: process killed",
    "list_off": "clients with a list: host off",
    "name_killed": "clients with a name of two addresses: process killed",
    "name_off": "clients with a name of two addresses: host off",
}
HEADS = (
    "what happened", "runs", "another one has it after", "no client was served for", "the unluckiest client waited", "failed statements",
    "acknowledged rows lost", "two had it for, at most", "load of the machine",
)  # fmt: skip


def record(name: str, report: dict, versions: str | None = None) -> dict:
    """What is kept of a report; its file's name says which one it is."""
    return {
        "report": name,
        "kind": report["work"].removeprefix(PREFIX),
        "at": int(report["origin"]),
        "versions": report.get("versions") or versions,
        "load": report.get("load"),
        # With preemption it is the time until the first proxy has it again.
        "taken": report.get("taken", report.get("back")),
        "gap_of_all": report["longest_gap_of_all"],
        "gap": report["longest_gap"],
        "failed": report["failed_statements"],
        "acknowledged": report["acknowledged_writes"],
        "lost": report["lost_rows"],
        "same": report["same_transactions"] and report["checksums_agree"],
        # None: nobody looked at who has the address.
        "split": report.get("split"),
    }


def read_folder(folder: Path, versions: str | None = None) -> list[dict]:
    """A record of each report in a folder, the oldest first."""
    found = [record(path.stem, json.loads(path.read_text()), versions) for path in folder.glob(f"{PREFIX}*.json")]
    return sorted(found, key=lambda one: (one["at"], one["report"]))


def new_ones(kept: list[dict], found: list[dict]) -> list[dict]:
    known = {one["report"] for one in kept}
    return [one for one in found if one["report"] not in known]


def median_and_worst(values: list[float | None]) -> str:
    return plan.middle_and_worst([value for value in values if value is not None])


def table(runs: list[dict]) -> str:
    """For people: one row for each kind."""
    lines = [f"| {' | '.join(HEADS)} |", "| --- " * len(HEADS) + "|"]
    for kind in [*KINDS, *sorted({one["kind"] for one in runs} - set(KINDS))]:
        of = [one for one in runs if one["kind"] == kind]
        if not of:
            continue
        splits = [one["split"] for one in of if one["split"] is not None]
        loads = [value for one in of for value in one["load"] or ()]
        lines.append(
            f"| {KINDS.get(kind, kind)} | {len(of)} | {median_and_worst([one['taken'] for one in of])}"
            f" | {median_and_worst([one['gap_of_all'] for one in of])} | {median_and_worst([one['gap'] for one in of])}"
            f" | {sum(one['failed'] for one in of)} | {sum(one['lost'] for one in of)} of {sum(one['acknowledged'] for one in of)}"
            f" | {f'{max(splits):.3f} s' if splits else '–'} | {f'{min(loads):.0f} to {max(loads):.0f}' if loads else '–'} |"
        )
    return "\n".join(lines)


def text(runs: list[dict]) -> str:
    """A table for each combination of versions, the newest one last."""
    parts = []
    for versions in dict.fromkeys(one["versions"] for one in runs):
        of = [one for one in runs if one["versions"] == versions]
        days = sorted({time.strftime("%Y-%m-%d", time.gmtime(one["at"])) for one in of})
        between = " to ".join(dict.fromkeys((days[0], days[-1])))
        differ = sum(not one["same"] for one in of)
        words = f"{differ} runs after which members differed" if differ else "after each run all members hold the same"
        parts.append(f"{versions or 'Versions not noted'}, {between}; {words}.\n\n{table(of)}")
    return "\n\n".join(parts)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", action="store_true", help="renew the table in docs/measurements/address.md")
    parser.add_argument("--versions", metavar="TEXT", help="of reports that do not name them")
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER")
    options = parser.parse_args(arguments)
    if options.folder and not options.folder.is_dir():
        parser.error(f"FOLDER is '{options.folder}'; allowed is a folder with reports")
    kept = [json.loads(line) for line in RECORDS.read_text().splitlines()] if RECORDS.exists() else []
    new = new_ones(kept, read_folder(options.folder, options.versions)) if options.folder else []
    if new:
        RECORDS.parent.mkdir(exist_ok=True)
        with RECORDS.open("a") as target:
            target.writelines(json.dumps(one) + "\n" for one in new)
    if options.docs:
        PAGE.write_text(plan.renewed(PAGE.read_text(), text(kept + new)))
    print(f"{len(new)} new, {len(kept)} before")
    print(table(kept + new))
    return 0


if __name__ == "__main__":
    sys.exit(main())
