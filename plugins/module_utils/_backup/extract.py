# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One schema or some of its tables out of a backup, as statements that the mysql client reads, beside the running cluster.

Private to this collection.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from typing import IO, NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.contents import Tables, contents, quoted
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.instance import Instance
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.rebuild import Rebuild, Rebuilt, until_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal


class ExtractError(Refusal):
    """It cannot be taken out of the backup."""


class Wish(NamedTuple):
    """What is taken: a schema, or some of its tables; and the schema that the statements write into."""

    schema: str
    tables: tuple[str, ...] = ()
    into: str = ""

    @property
    def name(self) -> str:
        return f"{self.schema}.{', '.join(self.tables)}" if self.tables else self.schema


def wish_of(schema: str | None, tables: Sequence[str], into: str | None) -> Wish:
    """From the arguments: a schema, or tables of one schema as schema.table."""
    if bool(schema) == bool(tables):
        raise ExtractError("--schema S or --table S.T is needed, and not both")
    if schema:
        return Wish(schema, (), into or schema)
    pairs = [name.partition(".") for name in tables]
    wrong = [name for name, (left, _dot, right) in zip(tables, pairs) if not left or not right]
    if wrong:
        raise ExtractError(f"--table: '{wrong[0]}' is not allowed (allowed: SCHEMA.TABLE)")
    schemas = sorted({left for left, _dot, _right in pairs})
    if len(schemas) > 1:
        raise ExtractError(
            f"--table: tables of {' and '.join(schemas)} are not allowed together (allowed: of one schema)"
        )
    return Wish(schemas[0], tuple(right for _left, _dot, right in pairs), into or schemas[0])


def problem_of(wish: Wish, found: Tables, schemas: Sequence[str]) -> str:
    """Why it cannot be taken, by what is in the backup at the point; '' where it can."""
    if wish.schema not in schemas:
        return f"there is no schema {wish.schema} at this point (there are: {', '.join(sorted(schemas)) or 'none'})"
    lost = [name for name in wish.tables if f"{wish.schema}.{name}" not in found]
    if lost:
        there = [name.split(".", 1)[1] for name in sorted(found)]
        return f"there is no table {wish.schema}.{lost[0]} at this point (there are: {', '.join(there[:20]) or 'none'})"
    return ""


def header(wish: Wish, created: str) -> bytes:
    """The first statements: the schema as it was, where it is not there, and into it."""
    # CREATE DATABASE `shop` /*!40100 DEFAULT CHARACTER SET ... */
    options = created.partition(quoted(wish.schema))[2].strip()
    lines = [
        f"CREATE DATABASE IF NOT EXISTS {quoted(wish.into)} {options};".replace(" ;", ";"),
        f"USE {quoted(wish.into)};",
        "",
    ]
    return "\n".join(lines).encode()


def command(mysqldump: Sequence[str], socket: str, wish: Wish) -> list[str]:
    """mysqldump without GTIDs, and without DROP TABLE: a table that is there is an error, and is not replaced."""
    options = [
        "--no-defaults",
        f"--socket={socket}",
        "--user=root",
        "--single-transaction",
        "--quick",
        "--hex-blob",
        "--set-gtid-purged=OFF",
    ]
    parts = ["--skip-add-drop-table", "--triggers", *([] if wish.tables else ["--routines", "--events"])]
    return [*mysqldump, *options, *parts, "--", wish.schema, *wish.tables]


def dump(instance: Instance, mysqldump: Sequence[str], wish: Wish, created: str, out: IO[bytes]) -> None:
    """Write the statements."""
    out.write(header(wish, created))
    out.flush()
    with tempfile.TemporaryFile() as said:
        # In a tree of its own, as tests have it, it sees other paths.
        chroot = os.path.basename(mysqldump[0]) == "chroot"
        argv = command(mysqldump, instance.software.inside(instance.socket) if chroot else instance.socket, wish)
        try:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        except OSError as error:
            raise ExtractError(f"{argv[0]} cannot be started ({error.strerror})") from None
        assert process.stdout
        try:
            for block in iter(lambda: process.stdout.read(1 << 20), b""):  # type: ignore[union-attr]
                out.write(block)
        except BaseException:
            process.kill()
            process.wait()
            raise
        code = process.wait()
        if code:
            said.seek(0)
            lines = said.read().decode("utf-8", "replace").strip().splitlines()
            raise ExtractError(f"mysqldump failed: {lines[-1] if lines else code}")


def extract(rebuild: Rebuild, wish: Wish, mysqldump: Sequence[str], out: IO[bytes]) -> tuple[Rebuilt, Tables]:
    """All of it; the work directory is removed afterwards."""
    with rebuild.running(until_of(rebuild.plan)) as (instance, connection, rebuilt):
        if rebuilt.transactions:
            # The accounts count since statements on accounts were applied: without them again.
            connection.close()
            instance.stop()
            connection = instance.start()
        found = contents(connection, False, [wish.schema])
        schemas = [row["s"] for row in connection.query("SELECT SCHEMA_NAME AS s FROM information_schema.SCHEMATA")]
        problem = problem_of(wish, found, schemas)
        if problem:
            raise ExtractError(problem)
        created = connection.query(f"SHOW CREATE DATABASE {quoted(wish.schema)}")[0]["create database"]
        with rebuild.timed("dump"):
            dump(instance, mysqldump, wish, created, out)
        taken = {
            name: value for name, value in found.items() if not wish.tables or name.split(".", 1)[1] in wish.tables
        }
        connection.close()
        instance.stop()
    return rebuilt, taken
