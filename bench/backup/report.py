# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the records of bench.py say: tables for docs/measurements/backup.md, and whether something was that must not be."""

from __future__ import annotations

import statistics

SEVERAL = ("fatal_drop", "backup_host_off", "source_off", "drill")


def bad(run: dict) -> bool:
    """Whether a run lost something, or left a backup in the list that cannot be restored."""
    step = run["step"]
    if step == "full":
        return bool(run["during"]["lost"] or not run["during"]["same"])
    if step in ("restore", "by_hand"):
        return len(set(run["rows"])) != 1 or run.get("before", run["rows"][0]) != run["rows"][0]
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


def spread(values: list[float], unit: str = " s") -> str:
    """The median and the worst of several."""
    return f"{statistics.median(values):.1f}{unit}, {max(values):.1f}{unit}" if values else "–"


def rows_of(last: dict[str, dict]) -> list[tuple[str, str, str, str]]:
    """What; measured; by hand; measured divided by what it is by hand. Of the newest run of each step."""
    found = []
    full, floor = last.get("full"), last.get("floor")
    if full and floor:
        seconds, hand = full["made"]["seconds"], floor["copy"] + floor["compress"]
        found += [
            ("full backup of " + size(full["made"]["bytes"]["data"]) + f" under 100 writes/s: copy {seconds.get('copy', 0)} s, look {seconds.get('prepare', 0)} s, compress, encrypt and send {seconds.get('store', 0)} s",
             f"{seconds['all']} s", f"{hand:.1f} s: cp -a {floor['copy']} s, tar and zstd {floor['compress']} s", ratio(seconds["all"], hand)),
            ("bytes in the place", size(full["made"]["bytes"]["stored"]), size(floor["bytes"]), ratio(full["made"]["bytes"]["stored"], floor["bytes"])),
        ]  # fmt: skip
    if full:
        for name, text in (("before", "the application without a backup"), ("during", "the application during the backup")):
            one = full[name]
            found.append((f"{text}: {one['acknowledged']} writes, {one['failed']} statements failed, {one['lost']} lost", f"longest gap {one['gap']} s", "", ""))  # fmt: skip
    if restore := last.get("restore"):
        hand = last.get("by_hand", {})
        found.append(("restore onto three blank hosts, until three are ONLINE (the packages included)", f"{restore['online']} s", f"{hand.get('online', '–')} s", ratio(restore["online"], hand.get("online", 0))))  # fmt: skip
        found.append(("the same, until the playbook ends: every table of every member compared, and a new full backup", f"{restore['playbook']} s", "–", "–"))  # fmt: skip
    if replay := last.get("replay"):
        ours = replay["seconds"].get("apply", 0) + replay["seconds"].get("look through", 0)
        found.append((f"replay of {replay['transactions']} transactions of sysbench's oltp_write_only", f"{ours:.1f} s, {replay['transactions'] / ours:.0f}/s" if ours else "–",
                      f"{replay['by_hand']} s, {replay['transactions'] / replay['by_hand']:.0f}/s", ratio(ours, replay["by_hand"])))  # fmt: skip
    if more := last.get("increment"):
        found.append((f"binary logs of {more['changed']} of {more['rows']} rows changed, a thousand in a transaction", f"{size(more['stored'])} in the place", f"{size(more['logged'])} on the member", ratio(more["stored"], more["logged"])))  # fmt: skip
    return found


def page(runs: list[dict]) -> str:
    """Both tables."""
    last = {run["step"]: run for run in runs if run["step"] not in SEVERAL}
    lines = ["| what | measured | by hand | ratio |", "| --- | --- | --- | --- |"]
    lines += [f"| {' | '.join(row)} |" for row in rows_of(last)]
    lines += ["", "| what happened | runs | took, median and worst | what was found | load of the machine |", "| --- | --- | --- | --- | --- |"]
    for step in SEVERAL:
        of = [run for run in runs if run["step"] == step]
        if not of:
            continue
        loads = [value for run in of for value in run["load"]]
        lines.append(f"| {NAMES[step]} | {len(of)} | {took(step, of)} | {found_in(step, of)} | {min(loads):.0f} to {max(loads):.0f} |")
    return "\n".join(lines)


NAMES = {
    "fatal_drop": "DROP TABLE under load, the whole cluster restored to just before it",
    "backup_host_off": "power cut of the host that makes a full backup",
    "source_off": "power cut of the member that is copied",
    "drill": "drill",
}


def took(step: str, of: list[dict]) -> str:
    if step == "drill":
        return spread([run["seconds"]["all"] if "all" in run["seconds"] else run["playbook"] for run in of])
    return spread([run["seconds"] for run in of]) if step == "fatal_drop" else "–"


def found_in(step: str, of: list[dict]) -> str:
    if step == "fatal_drop":
        return (
            f"{sum(run['missing'] for run in of)} of {sum(run['acknowledged'] for run in of)} acknowledged rows are missing, {sum(run['unknown'] for run in of)} are there that"
            " nobody wrote, all members alike"
        )
    if step == "drill":
        return f"{sum(run['ok'] for run in of)} passed"
    return (
        f"{sum(bool(run['problems']) for run in of)} runs with a listed backup that cannot be restored, {sum(run['left_over'] for run in of)} unfinished ones left after the next backup;"
        f" in {sum(run['ended_before'] for run in of)} the backup had ended before the cut"
    )
