# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A rehearsal of a restore: the newest backup into a scratch directory, up to now, compared with the cluster at the same GTID set; then all of it is removed.

Private to this collection.
"""

from __future__ import annotations

import html
import time
from typing import Any, Callable, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import coverage, replay
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.contents import Tables, contents, differences
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.coverage import CannotRestore, Plan, Target
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.rebuild import Rebuild, until_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.snapshot import Snapshot
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

ARRIVES = 120.0  # seconds within which what a member has is stored
POLL = 1.0


class DrillError(Refusal):
    """The drill came to no result."""


class Compared(NamedTuple):
    """The two sides at one GTID set."""

    gtids: GtidSet
    member: str
    restored: Tables
    differences: list[str]
    changed: dict[str, str]


def arrived(plan: Callable[[Target], Plan], gtids: GtidSet, seconds: float = ARRIVES) -> Plan:
    """A plan up to a set, once its logs are stored; they are in a few seconds."""
    end = time.monotonic() + seconds
    while True:
        try:
            return plan(Target(coverage.AFTER, gtids))
        except CannotRestore as error:
            if time.monotonic() > end:
                raise DrillError(
                    f"within {seconds:.0f} s the logs were not stored up to what a member has: {error}"
                ) from None
        time.sleep(POLL)


def verdict(snapshot: Snapshot, restored: Tables) -> list[str]:
    """How the restored tables differ from the member's."""
    known = {name: value for name, value in restored.items() if name not in snapshot.changed}
    if known and not snapshot.tables:
        raise DrillError(f"{snapshot.member} shows no table to the account of backups: it needs the privilege SELECT")
    return differences(snapshot.tables, known)


def rehearse(rebuild: Rebuild, snapshot: Callable[[GtidSet], Snapshot], plan: Callable[[Target], Plan]) -> Compared:
    """Restore, catch up with a member, compare."""
    with rebuild.running(until_of(rebuild.plan)) as (instance, connection, rebuilt):
        with rebuild.timed("member"):
            taken = snapshot(rebuilt.reached)
        if taken.gtids != rebuilt.reached:
            with rebuild.timed("arrive"):
                later = arrived(plan, taken.gtids)
            rebuild.go_on(connection, later, rebuilt.reached, replay.Until(replay.ONLY, taken.gtids))
        with rebuild.timed("count"):
            restored = contents(connection, True)
        connection.close()
        instance.stop()
    return Compared(taken.gtids, taken.member, restored, verdict(taken, restored), taken.changed)


def report(rebuild: Rebuild, compared: Compared, began: float, took: float, host: str) -> dict[str, Any]:
    """The result, for the modules."""
    full = rebuild.plan.full
    applied = compared.gtids.subtract(full.gtids).count()
    return {
        "ok": not compared.differences,
        "cluster": full.cluster,
        "full": full.id,
        "mysql": full.mysql,
        "host": host,
        "member": compared.member,
        "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)),
        "until": str(compared.gtids),
        "transactions": applied,
        "tables": len(compared.restored),
        "rows": sum(rows for rows, _checksum in compared.restored.values()),
        "bytes": {"stored": sum(one.size for one in [*rebuild.pieces, *rebuild.logs]), "data": full.data},
        "seconds": {**rebuild.seconds, "all": round(took, 1)},
        "restorable_after": round(
            sum(rebuild.seconds.get(name, 0.0) for name in ("fetch", "unpack", "start", "look through", "apply")), 1
        ),
        "differences": compared.differences,
        "not_compared": compared.changed,
    }


def lines_of(done: dict[str, Any]) -> list[tuple[str, str]]:
    """Names and values, for text and HTML."""
    return [
        ("Result", "the restored data is the cluster's" if done["ok"] else f"{len(done['differences'])} tables differ"),
        ("Cluster", done["cluster"]),
        ("Began", done["began"]),
        ("Full backup", f"{done['full']}, MySQL {done['mysql']}"),
        ("On host", done["host"]),
        ("Compared with", f"{done['member']}, at {done['until']}"),
        ("Transactions applied", str(done["transactions"])),
        ("Tables, rows", f"{done['tables']}, {done['rows']}"),
        ("Bytes stored, data", f"{done['bytes']['stored']}, {done['bytes']['data']}"),
        ("Seconds", ", ".join(f"{name} {seconds}" for name, seconds in done["seconds"].items())),
        ("Data ready after", f"{done['restorable_after']} s"),
        *(("Difference", text) for text in done["differences"]),
        *(("Not compared", f"{name}: {why}") for name, why in sorted(done["not_compared"].items())),
    ]


def as_text(done: dict[str, Any]) -> list[str]:
    return [f"{name}: {value}" for name, value in lines_of(done)]


def as_html(done: dict[str, Any]) -> str:
    """One page without anything from elsewhere."""
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>\n" for name, value in lines_of(done)
    )
    colour = "#1a7f37" if done["ok"] else "#b42318"
    style = (
        "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1f2328;background:#fff}"
        "table{border-collapse:collapse;width:100%}th,td{border-bottom:1px solid #d0d7de;padding:.4rem .6rem;text-align:left;vertical-align:top;"
        f"overflow-wrap:anywhere}}th{{width:14rem}}h1{{color:{colour}}}"
        "@media (prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}}"
    )
    title = f"Restore drill of {done['cluster']}: {'passed' if done['ok'] else 'failed'}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{style}</style></head>\n<body><h1>{html.escape(title)}</h1>\n<table>\n{rows}</table></body></html>\n"
    )
