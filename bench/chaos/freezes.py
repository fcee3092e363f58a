# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The member that the proxy writes to is frozen for some seconds and goes on, again and again, under the load of chaos.py; and what became of it.

    freezes.py [--freezes N] [--lasts S] [--history FILE]

Shorter than the group's detection (5 s), so that the member stays in the group while the proxy has another one write. Prints a
line per freeze, each read that went back with who wrote its value and who answered, and the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import chaos
import judge
import plan
from failover_report import read_lines


def writer(run: chaos.Chaos) -> str:
    """Where the proxy sends writes."""
    script = f'read -r MYSQL_PWD; export MYSQL_PWD; exec mysql -P 6033 -u {chaos.USER} -N -e "SELECT @@report_host" -h '
    proxy = str(run.lab.variable("proxy", "proxysql_address"))
    address = run.lab.give("db0", script + proxy, run.lab.secrets()["lab_app_password"] + "\n").strip()
    return next(name for name, one in run.addresses.items() if one == address)


def frozen(run: chaos.Chaos, lasts: float) -> tuple[str, float, float]:
    """One freeze of the writer; who it was, from when until when."""
    member = writer(run)
    began, over = run.inject(plan.Fault("freeze", (member,), lasts, ((member, 0.0),), 0.0))
    whole = run.await_whole(over)
    print(
        f"{time.strftime('%H:%M:%S')} {member} for {over - began:.1f} s, whole after {whole} s, load {os.getloadavg()[0]:.0f}",
        flush=True,
    )
    if whole is None:
        run.recover("a freeze")
    return member, began, over


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--freezes", type=int, default=20)
    parser.add_argument("--lasts", type=float, default=3.7)
    parser.add_argument("--history", type=Path, default=chaos.CACHE / "history-freezes.jsonl")
    options = parser.parse_args()
    run = chaos.Chaos(0, 0)
    run.check()
    options.history.parent.mkdir(parents=True, exist_ok=True)
    made = []
    with run.watching():
        clients = run.clients(options.history, options.freezes * (options.lasts + 7) + 5)
        try:
            origin = float(clients.stdout.readline())
            while (
                time.time() < origin + options.freezes * (options.lasts + 7) - options.lasts
                and len(made) < options.freezes
            ):
                time.sleep(4)
                made.append(frozen(run, options.lasts))
            clients.wait(timeout=300)
        finally:
            clients.kill()
    run.forget_account()
    *events, final = read_lines(options.history.read_text())
    unread, back = judge.read_your_writes(events, "writer"), judge.monotonic_reads(events, "writer")
    for read in sorted(unread + [one for one in back if one not in unread], key=lambda one: one["start"]):
        print(json.dumps(read))
    names = ("registers", "counters", "sums")
    registers, counters, sums = ({int(key): value for key, value in final[name].items()} for name in names)
    print(
        f"{len(made)} freezes, {len(events)} statements, {sum(one['error'] is not None for one in events)} failed, {len(unread)} own writes unread,"
        f" {len(back)} reads back in time, {judge.executed_twice(events, sums)} executed twice, {judge.lost_updates(events)} increments lost,"
        f" {judge.lost_writes(events, registers, counters)} acknowledged values missing, {len(judge.write_skew(events))} write skew"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
