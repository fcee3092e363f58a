# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program mysql-gr-guard.

Private to this collection.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import signal
import sys
import time
from pathlib import Path
from typing import Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import lease
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.host import paused_until, running, write
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST = 30 * 86400
# Exit statuses of `status`.
WELL, WORKING, ASIDE, NONE = 0, 1, 2, 3
HELP = f"exit status: {WELL} the member is in its group, {WORKING} the guard acts or waits, {ASIDE} it stands aside or refuses, {NONE} it does not run"


def seconds(text: str) -> int:
    """A duration such as 90s, 30m, 2h or 1d."""
    found = re.match(r"^([1-9][0-9]*)([smhd])$", text)
    if not found or int(found[1]) * UNITS[found[2]] > LONGEST:
        raise argparse.ArgumentTypeError(f"'{text}' is not allowed (allowed: 90s, 30m, 2h, 1d; at most 30d)")
    return int(found[1]) * UNITS[found[2]]


def run(version: str) -> int:
    """Guard, until the service manager says that it is enough."""
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.watch import Watch

    ended: list[int] = []
    # What is under way is brought to its end: a bootstrap flag must not be left on.
    signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
    watch = Watch(version, lambda text: print(text, flush=True))
    print(f"mysql-gr-guard {version}", flush=True)
    while not ended:
        began = time.monotonic()
        due = watch.turn()
        left = due - (time.monotonic() - began)
        if left > 0 and not ended:
            time.sleep(left)
    watch.witness.ended()
    return 0


def status(as_json: bool) -> int:
    """Say what the guard sees, decides and why, and since when."""
    found = running()
    if as_json:
        print(json.dumps(found))
    elif not found:
        print("mysql-gr-guard does not run on this host")
    else:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found["since"]))
        print(
            f"{found['member']}: {found['state'] or 'no answer'}"
            + (f", in a group of {len(found['view'])}" if found["view"] else "")
        )
        print(
            f"mode {found['mode']}, evidence {found['evidence']}, version {found['version']}"
            + (f", paused until {found['paused_until']}" if found["paused_until"] else "")
        )
        print(f"{found['decision']} since {since} ({found['rule']}): {found['reason']}")
    if not found:
        return NONE
    if found["decision"] == "unchanged":
        return WELL
    return ASIDE if found["decision"] in ("aside", "refuse") else WORKING


def pause(duration: int) -> int:
    """Let the guard stand aside."""
    until = time.time() + duration
    write(lease.KEPT / "paused", {"until": until})
    print(f"paused until {paused_until(time.time())}")
    return 0


def resume() -> int:
    """End a pause."""
    with contextlib.suppress(FileNotFoundError):
        (lease.KEPT / "paused").unlink()
    print("not paused")
    return 0


def metrics(path: str | None, options: str | None) -> int:
    """Print the metrics of this member, or write them."""
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard import measure

    text = measure.metrics(Path(options) if options else None)
    if path is None:
        print(text, end="")
    else:
        measure.put(Path(path), text)
    return 0


def main(version: str, arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(
        "mysql-gr-guard", description="The guard of this Group Replication member (mysql_gr_guard).", epilog=HELP
    )
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="guard this member (what the service does)")
    shown = commands.add_parser("status", help="what it sees, decides, why, and since when", epilog=HELP)
    shown.add_argument("--json", action="store_true", help="as one line of JSON")
    paused = commands.add_parser("pause", help="let it stand aside for a while, over restarts and boots, too")
    paused.add_argument("duration", type=seconds, help="90s, 30m, 2h, 1d")
    commands.add_parser("resume", help="end a pause")
    measured = commands.add_parser("metrics", help="metrics of this member, for node_exporter's textfile collector")
    measured.add_argument("--write", metavar="FILE", help="replace this file, instead of printing them")
    measured.add_argument("--options", metavar="FILE", help="how members are queried, on a host without a guard")
    given = parser.parse_args(arguments)
    try:
        if given.command == "status":
            return status(given.json)
        if given.command == "metrics":
            return metrics(given.write, given.options)
        if given.command == "pause":
            return pause(given.duration)
        return resume() if given.command == "resume" else run(version)
    except (Refusal, OSError) as error:
        print(f"mysql-gr-guard: {error}", file=sys.stderr)
        return 1 if given.command != "status" else NONE
