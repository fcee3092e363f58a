# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A restore: the data directory is made in a work directory, and moved to where it shall be once it is whole.

Private to this collection.
"""

from __future__ import annotations

import errno
import os
import shutil
from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.contents import Tables, contents
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.pieces import is_left_out
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.rebuild import Rebuild, Rebuilt, until_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Connection
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal


class RestoreError(Refusal):
    """The restore was not done, or not to its end."""


def problem_of_target(target: str, work: str) -> str:
    """Why a data directory cannot be put there, or ''. Nothing that is there is ever overwritten."""
    if not target.startswith("/") or target == "/":
        return f"'{target}' is not allowed (allowed: an absolute path)"
    if os.path.lexists(target):
        if not os.path.isdir(target) or os.path.islink(target):
            return f"{target} is no directory"
        kept = [name for name in os.listdir(target) if name != "lost+found" and os.path.join(target, name) != work]
        if kept and not os.path.exists(os.path.join(work, "moving")):
            return f"{target} is not empty ({', '.join(sorted(kept)[:3])}): move it away first; nothing is overwritten"
    elif not os.path.isdir(os.path.dirname(target)):
        return f"{os.path.dirname(target)} is not there"
    return ""


def work_of(target: str) -> str:
    """The work directory of a restore: beside the target; inside of it where that is a file system of its own."""
    return os.path.join(target, ".restore") if os.path.ismount(target) else target.rstrip("/") + ".restore"


def clean_stop(instance: Any, connection: Connection) -> None:
    """Leave a data directory that needs no recovery, and that follows no server: its channels were those of the member that was copied.

    The redo log keeps its size: mysqld (seen with 9.7.4) may not come to its end while it makes it smaller.
    """
    for row in connection.query(
        "SELECT CHANNEL_NAME AS name FROM performance_schema.replication_applier_configuration"
    ):
        connection.query("RESET REPLICA ALL FOR CHANNEL %s", (row["name"],))
    connection.close()
    instance.stop()


def restore(rebuild: Rebuild, target: str, compare: bool = True, checksums: bool = False) -> tuple[Rebuilt, Tables]:
    """A data directory at the plan's point; what it holds."""
    problem = problem_of_target(target, rebuild.work)
    if problem:
        raise RestoreError(f"target: {problem}")
    with rebuild.held():
        if not os.path.exists(rebuild.path("moving")):
            with rebuild.running(until_of(rebuild.plan), compare) as (instance, connection, rebuilt):
                with rebuild.timed("count"):
                    found = rebuilt.held if rebuilt.held and not checksums else contents(connection, checksums)
                with rebuild.timed("stop"):
                    clean_stop(instance, connection)
            remove_own(rebuild.datadir)
        else:
            raise RestoreError(
                f"{rebuild.work} holds a data directory that was being moved to {target}: move what is left in {rebuild.datadir} there by hand"
            )
        move_in(rebuild, target)
    shutil.rmtree(rebuild.work, ignore_errors=True)
    return rebuilt, found


def remove_own(datadir: str) -> None:
    """What the private server made for itself, above all its server_uuid and its keys."""
    for name in os.listdir(datadir):
        if is_left_out(name):
            path = os.path.join(datadir, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


def move_in(rebuild: Rebuild, target: str) -> None:
    """The data directory to its place: by one rename where that is possible."""
    try:
        if os.path.isdir(target) and not os.path.ismount(target) and not os.listdir(target):
            os.rmdir(target)
        if not os.path.lexists(target):
            os.rename(rebuild.datadir, target)
            return
        with open(rebuild.path("moving"), "w", encoding="utf-8"):
            pass
        for name in sorted(os.listdir(rebuild.datadir)):
            os.rename(os.path.join(rebuild.datadir, name), os.path.join(target, name))
        os.chown(target, *rebuild.software.owner())
        os.unlink(rebuild.path("moving"))
    except OSError as error:
        why = (
            "they are on different file systems; --work names a directory on that of the target"
            if error.errno == errno.EXDEV
            else error.strerror
        )
        raise RestoreError(f"{rebuild.datadir} cannot become {target}: {why}") from None


def report(rebuild: Rebuild, rebuilt: Rebuilt, target: str | None, tables: Tables) -> dict[str, Any]:
    """What was done, for people and for the modules."""
    full = rebuild.plan.full
    return {
        "full": full.id,
        "timeline": full.timeline,
        "target": target,
        "reached": str(rebuilt.reached),
        "gtid": str(rebuilt.reached),
        "transactions": rebuilt.transactions,
        "last_committed": None if rebuilt.last is None else rebuilt.last / 1_000_000,
        "stopped_before": rebuilt.stopped_by,
        "compared": rebuilt.compared,
        "tables": {name: {"rows": rows, "checksum": checksum} for name, (rows, checksum) in sorted(tables.items())},
        "bytes": {"stored": sum(one.size for one in [*rebuild.pieces, *rebuild.logs]), "data": full.data},
        "seconds": rebuilt.seconds,
    }


def as_text(done: dict[str, Any]) -> list[str]:
    """The report in lines."""
    took = ", ".join(f"{name} {seconds} s" for name, seconds in done["seconds"].items())
    lines = [
        f"{done['full']} is restored" + (f" to {done['target']}" if done["target"] else ""),
        f"transactions applied after it: {done['transactions']}",
        f"executed: {done['reached']}",
    ]
    if done["stopped_before"]:
        lines.append(f"it ends before {done['stopped_before']}")
    lines.append(f"tables: {len(done['tables'])}, rows: {sum(one['rows'] for one in done['tables'].values())}")
    return [*lines, f"tables compared with the manifest: {done['compared']}", f"time: {took}"]
