# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the records of bench.py say: tables for docs/measurements/backup.md, and whether something was that must not be."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "chaos")]

from plan import middle_and_worst  # noqa: E402

SEVERAL = ("fatal_drop", "backup_host_off", "source_off", "drill")


def bad(run: dict) -> bool:
    """Whether a run lost something, or left a backup in the list that cannot be restored."""
    step = run["step"]
    if step == "full":
        return bool(run["during"]["lost"] or not run["during"]["same"])
    if step in ("restore", "by_hand"):
        return len(set(run["rows"])) != 1 or run.get("wanted", run["rows"][0]) != run["rows"][0]
    if step == "fatal_drop":
        return bool(run["missing"] or run["unknown"] or not run["same"])
    if step in ("backup_host_off", "source_off"):
        return bool(run["problems"] or run["left_over"])
    return step == "drill" and not run["ok"] or step == "replay" and not run["same"]


def size(count: float) -> str:
    """Bytes for people."""
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def ratio(ours: float, by_hand: float) -> str:
    return f"{ours / by_hand:.2f}" if by_hand else "–"


Row = tuple[str, str, str, str]


def of_full(full: dict, floor: dict) -> list[Row]:
    made, hand = full["made"], floor["copy"] + floor["compress"]
    seconds = made["seconds"]
    parts = f"copy {seconds.get('copy', 0)} s, look {seconds.get('prepare', 0)} s, compress, encrypt and send {seconds.get('store', 0)} s"
    by_hand = f"{hand:.1f} s: cp -a {floor['copy']} s, tar and zstd {floor['compress']} s"
    what = f"full backup of {size(made['bytes']['data'])} under 100 writes/s: {parts}"
    stored = made["bytes"]["stored"]
    return [
        (what, f"{seconds['all']} s", by_hand, ratio(seconds["all"], hand)),
        ("bytes in the place", size(stored), size(floor["bytes"]), ratio(stored, floor["bytes"])),
    ]


def of_application(full: dict) -> list[Row]:
    found = []
    for name, text in (("before", "without a backup"), ("during", "during the backup")):
        one = full[name]
        what = f"the application {text}: {one['acknowledged']} writes, {one['failed']} statements failed, {one['lost']} lost"
        found.append((what, f"longest gap {one['gap']} s", "", ""))
    return found


def without_load(restore: dict, hand: float) -> list[Row]:
    """The full backup at the end of a restore, which nothing else disturbs: what the playbook's task took."""
    name = "Make a full backup at once"
    took = [float(task.split()[-1].rstrip("s")) for task in restore.get("tasks", []) if task.startswith(name)]
    return [
        ("full backup without a load, at the end of the restore below", f"{one} s", f"{hand:.1f} s", ratio(one, hand))
        for one in took
    ]


def of_restore(restore: dict, by_hand: dict) -> list[Row]:
    until = "restore onto three blank hosts, until three are ONLINE, packages included"
    end = "the same, until the playbook ends: every table of every member compared, and a new full backup"
    hand = by_hand.get("online", 0)
    return [
        (until, f"{restore['online']} s", f"{hand} s" if hand else "not measured", ratio(restore["online"], hand)),
        (end, f"{restore['playbook']} s", "–", "–"),
    ]


def of_replay(replay: dict) -> Row:
    count, ours, hand = replay["transactions"], sum(replay["seconds"].get(name, 0) for name in ("look through", "apply")), replay["by_hand"]  # fmt: skip
    what = f"replay of {count} transactions of sysbench's oltp_write_only"
    return (what, f"{ours:.1f} s, {count / ours:.0f}/s", f"{hand} s, {count / hand:.0f}/s", ratio(ours, hand))


def of_increment(more: dict) -> Row:
    what = f"binary logs of {more['changed']} of {more['rows']} rows changed, a thousand in a transaction"
    there, on_member = f"{size(more['stored'])} in the place", f"{size(more['logged'])} on the member"
    return (what, there, on_member, ratio(more["stored"], more["logged"]))


def rows_of(last: dict[str, dict]) -> list[Row]:
    """What; measured; by hand; measured divided by what it is by hand. Of the newest run of each step."""
    found: list[Row] = []
    if "full" in last and "floor" in last:
        found += of_full(last["full"], last["floor"])
        found += without_load(last.get("restore", {}), last["floor"]["copy"] + last["floor"]["compress"])
    if "full" in last:
        found += of_application(last["full"])
    if "restore" in last:
        found += of_restore(last["restore"], last.get("by_hand", {}))
    if "replay" in last:
        found.append(of_replay(last["replay"]))
    if "increment" in last:
        found.append(of_increment(last["increment"]))
    return found


PLACES = {"sftp": "the place by SFTP", "webdav": "the place by WebDAV without TLS"}


def sort_of(run: dict) -> tuple[float, str]:
    """What is not compared with anything else: GB, and what the place speaks."""
    return run["size"], run.get("place", "sftp")


def page(runs: list[dict]) -> str:
    """A table for each size of data and kind of place, the largest first; then what was made several times."""
    lines = []
    once = [run for run in runs if run["step"] not in SEVERAL]
    for sort in sorted({sort_of(run) for run in once if run["step"] == "full"}, reverse=True):
        last = {run["step"]: run for run in once if sort_of(run) == sort}
        lines += [
            f"SIZE={sort[0]:g}, {PLACES[sort[1]]}:",
            "",
            "| what | measured | by hand | ratio |",
            "| --- | --- | --- | --- |",
        ]
        lines += [*(f"| {' | '.join(row)} |" for row in rows_of(last)), ""]
    lines += [
        "| what happened | runs | took, median and worst | what was found | load of the machine |",
        "| --- | --- | --- | --- | --- |",
    ]
    for step in SEVERAL:
        of = [run for run in runs if run["step"] == step]
        if not of:
            continue
        loads = [value for run in of for value in run["load"]]
        lines.append(
            f"| {NAMES[step]} | {len(of)} | {took(step, of)} | {found_in(step, of)} | {min(loads):.0f} to {max(loads):.0f} |"
        )
    return "\n".join(lines)


NAMES = {
    "fatal_drop": "DROP TABLE under load, the whole cluster restored to just before it",
    "backup_host_off": "power cut of the host that makes a full backup",
    "source_off": "power cut of the member that is copied",
    "drill": "drill",
}


def took(step: str, of: list[dict]) -> str:
    if step == "drill":
        return middle_and_worst([run["playbook"] for run in of])
    return middle_and_worst([run["seconds"] for run in of]) if step == "fatal_drop" else "–"


def found_in(step: str, of: list[dict]) -> str:
    def total(key: str) -> int:
        return sum(run[key] for run in of)

    if step == "fatal_drop":
        missing = f"{total('missing')} of {total('acknowledged')} acknowledged rows are missing"
        return f"{missing}, {total('unknown')} are there that were not written, {total('same')} times all members alike"
    if step == "drill":
        return f"{total('ok')} passed"
    bad_ones = sum(bool(run["problems"]) for run in of)
    return (
        f"{bad_ones} runs with a listed backup that cannot be restored, {total('left_over')} unfinished ones left after the next backup; "
        f"{total('ended_before')} backups had ended before the cut"
    )
