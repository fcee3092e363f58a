# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that make backups and restore them: full, restore, extract and drill.

Private to this collection.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
import time
from typing import IO, Any, Callable, Iterator, Tuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import catalog as catalogs
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup import (
    coverage,
    donor,
    drill,
    hosts,
    pieces,
    restore,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.coverage import Plan, Target
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.extract import Wish, extract, wish_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.full import FullBackup
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.instance import Software, end_left_over
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.look import (
    catalog_from,
    place_of,
    plan_of,
    show,
    target_arguments,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import Full, Timeline
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import Place
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.rebuild import Rebuild
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.settings import Settings
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.snapshot import Snapshot, take
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

Arguments = argparse.Namespace
Parser = argparse.ArgumentParser
DIFFERENT = 4
# A host that is not the first one makes a full where the newest is older than this part of the time between two.
STALE = 0.5


def say(text: str) -> None:
    """What goes on, beside the result."""
    print(text, file=sys.stderr, flush=True)


# -- full --------------------------------------------------------------------------------------------------------------
def _full_arguments(parser: Parser) -> None:
    parser.add_argument(
        "--now", action="store_true", help="whatever host's turn it is, and however new the newest one is"
    )
    parser.add_argument(
        "--checksums", action="store_true", help="store the checksum of every table; it reads all of the copy"
    )
    parser.add_argument("--from", dest="member", metavar="MEMBER", help="copy this member")


def why_not(first: str, host: str, newest: Full | None, now: float, every: float) -> str:
    """Why a timer's run of a host makes no full; '' where it does."""
    if first != host:
        return f"{first} makes the full backups, as long as it is at work"
    if newest and newest.host != host and 0 <= now - newest.at < STALE * every:
        return f"{newest.host} has made {newest.id}"
    return ""


def own_member(settings: Settings) -> str | None:
    """The name of the member on this host."""
    return settings.host if settings.host in settings.members else None


def _full(given: Arguments, settings: Settings) -> int:
    place = place_of(settings)
    if given.member and given.member not in settings.members:
        raise Refusal(f"--from: '{given.member}' is not allowed (allowed: {', '.join(settings.members)})")
    found = catalog_from(settings, place)
    if not given.now:
        nothing = why_not(
            hosts.first_at_work(place, settings), settings.host, found.newest, time.time(), settings.every
        )
        if nothing:
            show(given, {"nothing": nothing}, lambda: [f"nothing to do: {nothing}"])
            return 0
    number = found.number
    if not number:
        number = 1
        catalogs.begin_timeline(place, Timeline(settings.cluster, settings.group_name, 1, time.time(), None, ""))
    backup = FullBackup(settings, place, f"{settings.cluster}/{catalogs.folder(number)}", number, say, given.checksums)
    made = backup.run(own_member(settings), given.member, found.newest.gtids if found.newest else "")
    stored = sum(piece.size for piece in made.pieces)
    result = {
        "full": made.id, "timeline": number, "gtid": made.gtids, "donor": made.donor, "tables": len(made.tables), "pieces": len(made.pieces),
        "bytes": {"stored": stored, "data": made.data}, "seconds": {**backup.seconds, "all": round(made.ended - backup.began, 1)},
    }  # fmt: skip
    show(given, result, lambda: [f"{made.id}: {made.data} bytes of {made.donor}, {stored} stored, at {made.gtids}"])
    return 0


# -- what restores have in common --------------------------------------------------------------------------------------
def _identity_argument(parser: Parser) -> None:
    parser.add_argument(
        "--identity",
        metavar="FILE",
        help="the age identity that opens the backup; - reads it from stdin, and writes it to no disk",
    )


@contextlib.contextmanager
def identity_of(name: str | None, source: IO[bytes]) -> Iterator[str | None]:
    """The path of the identity. One from stdin is in memory alone."""
    if name != "-":
        if name is not None and not os.access(name, os.R_OK):
            raise Refusal(f"--identity: '{name}' is not allowed (allowed: a file that can be read, or -)")
        yield name
        return
    text = source.read(1 << 16)
    if not text.strip():
        raise Refusal("--identity: - is not allowed without an identity in stdin (allowed: what age-keygen writes)")
    memory = os.memfd_create("identity")
    try:
        os.write(memory, text)
        yield f"/proc/{os.getpid()}/fd/{memory}"
    finally:
        os.close(memory)


def _rebuild(
    settings: Settings, place: Place, plan: Plan, work: str, identity: str | None, only: list[int] | None = None
) -> Rebuild:
    folder = f"{settings.cluster}/{catalogs.folder(plan.full.timeline)}"
    return Rebuild(
        Software.of(settings.mysqld, settings.user), place, folder, plan, work, identity, settings.reserve, say, only
    )


@contextlib.contextmanager
def _scratch(settings: Settings, name: str) -> Iterator[str]:
    """A work directory below that of this host, for one run at a time; nothing is left of it, nor of one that was killed."""
    work = os.path.join(settings.directory, "work", name)
    os.makedirs(os.path.dirname(work), mode=0o711, exist_ok=True)
    with open(f"{work}.lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refusal(f"{name} runs on this host already") from None
        try:
            end_left_over(os.path.join(work, "run"))
            shutil.rmtree(work, ignore_errors=True)
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


# -- restore -----------------------------------------------------------------------------------------------------------
def _restore_arguments(parser: Parser) -> None:
    target_arguments(parser)
    _identity_argument(parser)
    parser.add_argument(
        "--to", required=True, metavar="DIR", help="the data directory that is made; it is not there, or empty"
    )
    parser.add_argument(
        "--work", metavar="DIR", help="where it is made, on the same file system; DIR.restore without it"
    )
    parser.add_argument("--checksums", action="store_true", help="with the checksum of every table in the result")
    parser.add_argument("--no-compare", action="store_true", help="do not compare the tables with the manifest")


def _restore(given: Arguments, settings: Settings) -> int:
    place = place_of(settings)
    work = given.work or restore.work_of(given.to)
    problem = restore.problem_of_target(given.to, work)
    if problem:
        raise Refusal(f"--to: {problem}")
    plan = plan_of(given, settings, catalog_from(settings, place), place)
    with identity_of(given.identity, sys.stdin.buffer) as identity:
        rebuild = _rebuild(settings, place, plan, work, identity)
        # Somebody waits for it: unlike the others it takes what the host has.
        rebuild.software = rebuild.software._replace(nice=0)
        rebuilt, tables = restore.restore(rebuild, given.to, not given.no_compare, given.checksums)
    result = restore.report(rebuild, rebuilt, given.to, tables)
    show(given, result, lambda: restore.as_text(result))
    return 0


# -- extract -----------------------------------------------------------------------------------------------------------
def _extract_arguments(parser: Parser) -> None:
    target_arguments(parser)
    _identity_argument(parser)
    parser.add_argument("--schema", metavar="S", help="the schema that is taken, with its routines and events")
    parser.add_argument(
        "--table", action="append", default=[], metavar="S.T", help="a table that is taken; several are of one schema"
    )
    parser.add_argument("--into", metavar="S", help="the schema that the statements write into; without it, the same")
    parser.add_argument(
        "--to",
        required=True,
        metavar="FILE",
        help="the file that is written, compressed where its name ends with .zst; - is stdout",
    )


def _enough(plan: Plan, wish: Wish) -> list[int] | None:
    """The pieces that hold the schema, where no log is applied; None is all of them."""
    return None if plan.steps else pieces.of_schemas([piece.files for piece in plan.full.pieces], [wish.schema])


@contextlib.contextmanager
def output(name: str) -> Iterator[IO[bytes]]:
    """The file that is written; it is there once it is whole."""
    if name == "-":
        yield sys.stdout.buffer
        return
    if os.path.exists(name):
        raise Refusal(f"--to: '{name}' is not allowed (allowed: a file that is not there yet)")
    part = f"{name}.part"
    try:
        with open(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as out:
            if name.endswith(".zst"):
                with _compressed(out) as source:
                    yield source
            else:
                yield out
        os.rename(part, name)
    finally:
        if os.path.exists(part):
            os.unlink(part)


@contextlib.contextmanager
def _compressed(out: IO[bytes]) -> Iterator[IO[bytes]]:
    import subprocess

    with subprocess.Popen(["zstd", "-q", "-c"], stdin=subprocess.PIPE, stdout=out) as process:
        assert process.stdin
        yield process.stdin
        process.stdin.close()
    if process.returncode:
        raise Refusal(f"zstd failed with exit code {process.returncode}")


def _extract(given: Arguments, settings: Settings) -> int:
    wish = wish_of(given.schema, given.table, given.into)
    place = place_of(settings)
    found = catalog_from(settings, place)
    if given.full and not (given.latest or given.after or given.before or given.time):
        # As it is in this full: nothing is applied.
        records = found.timelines.get(given.timeline or found.number)
        given.after = (
            next((GtidSet(full.gtids) for full in records.good if full.id == given.full), None) if records else None
        )
    plan = plan_of(given, settings, found, place)
    mysqldump = [*settings.mysqlbinlog[:-1], os.path.join(os.path.dirname(settings.mysqlbinlog[-1]), "mysqldump")]
    with identity_of(given.identity, sys.stdin.buffer) as identity, _scratch(settings, "extract") as work, output(
        given.to
    ) as out:
        rebuild = _rebuild(settings, place, plan, work, identity, _enough(plan, wish))
        with rebuild.held():
            rebuilt, tables = extract(rebuild, wish, mysqldump, out)
    result = {
        "full": plan.full.id, "reached": str(rebuilt.reached), "name": wish.name, "to": given.to, "rows": sum(rows for rows, _sum in tables.values()),
        "tables": sorted(tables), "seconds": rebuild.seconds,
    }  # fmt: skip
    if given.to == "-":
        say(json.dumps(result) if given.json else f"{wish.name}: {result['rows']} rows of {plan.full.id}")
    else:
        show(given, result, lambda: [f"{wish.name}: {result['rows']} rows of {len(tables)} tables are in {given.to}"])
    return 0


# -- drill -------------------------------------------------------------------------------------------------------------
def _drill_arguments(parser: Parser) -> None:
    _identity_argument(parser)
    parser.add_argument(
        "--from",
        dest="member",
        metavar="MEMBER",
        help="compare with this member; without it, with the one that serves least",
    )
    parser.add_argument("--report", metavar="DIR", help="write the report there, as JSON, text and HTML")
    parser.set_defaults(latest=True, after=None, before=None, time=None, full=None, timeline=None)


def _snapshot(given: Arguments, settings: Settings) -> Callable[[GtidSet], Snapshot]:
    def work(have: GtidSet) -> Snapshot:
        found = [donor.look(name, settings.connection(name)) for name in settings.members]
        ranked = donor.by_rank(found, settings.group_name, own_member(settings))
        chosen = next((one for one in ranked if one.name == given.member), None) if given.member else ranked[0]
        if chosen is None:
            raise Refusal(
                f"--from: '{given.member}' is not allowed (allowed: a member that is ONLINE: {', '.join(one.name for one in ranked)})"
            )
        return take(chosen.name, lambda: settings.connection(chosen.name), have, say)

    return work


def _drill(given: Arguments, settings: Settings) -> int:
    place = place_of(settings)
    began, clock = time.time(), time.monotonic()
    plan = plan_of(given, settings, catalog_from(settings, place), place)

    def later(target: Target) -> Plan:
        records = catalog_from(settings, place).timelines[plan.full.timeline]
        return coverage.plan([full for full in records.fulls if full.id == plan.full.id], records.segments, target)

    with identity_of(given.identity, sys.stdin.buffer) as identity, _scratch(settings, "drill") as work:
        rebuild = _rebuild(settings, place, plan, work, identity)
        with rebuild.held():
            compared = drill.rehearse(rebuild, _snapshot(given, settings), later)
    result = drill.report(rebuild, compared, began, time.monotonic() - clock, settings.host)
    if given.report:
        write_reports(given.report, result)
    show(given, result, lambda: drill.as_text(result))
    return 0 if result["ok"] else DIFFERENT


def write_reports(directory: str, result: dict[str, Any]) -> None:
    """The report in three forms, named by its time."""
    os.makedirs(directory, mode=0o750, exist_ok=True)
    name = os.path.join(directory, f"drill-{result['began'].replace(':', '').replace('-', '')}")
    texts = {
        "json": json.dumps(result, indent=1) + "\n",
        "txt": "\n".join(drill.as_text(result)) + "\n",
        "html": drill.as_html(result),
    }
    for ending, text in texts.items():
        with open(f"{name}.{ending}", "w", encoding="utf-8") as out:
            out.write(text)


def orderly(run: Callable[[Arguments, Settings], int]) -> Callable[[Arguments, Settings], int]:
    """The command, which puts things in order when it is told to end, as the service manager does."""

    def work(given: Arguments, settings: Settings) -> int:
        before = signal.signal(signal.SIGTERM, told)
        try:
            return run(given, settings)
        finally:
            signal.signal(signal.SIGTERM, before)

    return work


def told(number: int, _frame: Any) -> None:
    # Told again, it goes on putting things in order. Not SIG_IGN, which the programs that it starts for that would have, too.
    signal.signal(number, lambda _number, _frame: None)
    raise Refusal("it was told to end")


Making = Tuple[str, Callable[[Parser], None], Callable[[Arguments, Settings], int], str]
MAKING: dict[str, Making] = {
    "full": ("make a full backup", _full_arguments, orderly(_full), ""),
    "restore": ("make a data directory as it was at a point", _restore_arguments, orderly(_restore), ""),
    "extract": ("take one schema or some tables out of a backup", _extract_arguments, orderly(_extract), ""),
    "drill": (
        "restore the newest backup on the side, and compare it with the cluster",
        _drill_arguments,
        orderly(_drill),
        f"{DIFFERENT} the data differs",
    ),
}
