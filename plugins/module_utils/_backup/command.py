# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program mysql-gr-backup.

Private to this collection.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Callable, NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.look import LOOKING
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.making import MAKING
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.settings import FILE, Settings, read_settings
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

Arguments = argparse.Namespace


class Command(NamedTuple):
    """A command: what it is for, its arguments, what it does (its exit status), and what its exit statuses mean beside 0, 1 and 2."""

    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Arguments, Settings], int]
    status: str = ""


def _stream_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--once", action="store_true", help="end once everything that the members have now is stored")


def _stream(given: Arguments, settings: Settings) -> int:
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.service import stream

    return stream(settings, given.once)


# The commands by their names. Another part of the program adds its own here.
COMMANDS: dict[str, Command] = {
    **{name: Command(*parts) for name, parts in {**LOOKING, **MAKING}.items()},
    "stream": Command("store binary logs as they are written (what the service does)", _stream_arguments, _stream),
}
EPILOG = "exit status: 0 done or well, 1 refused or failed, 2 wrong arguments"


def parser() -> argparse.ArgumentParser:
    """The arguments of all commands."""
    made = argparse.ArgumentParser(
        "mysql-gr-backup", description="Backups of a Group Replication cluster (mysql_backup).", epilog=EPILOG
    )
    made.add_argument("--config", type=Path, default=FILE, help="the settings, %(default)s")
    commands = made.add_subparsers(dest="command", required=True)
    for name, command in sorted(COMMANDS.items()):
        epilog = f"{EPILOG}, {command.status}" if command.status else EPILOG
        one = commands.add_parser(name, help=command.help, description=command.help, epilog=epilog)
        one.add_argument("--json", action="store_true", help="the result as one line of JSON")
        command.arguments(one)
    return made


def main(version: str, arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    made = parser()
    made.add_argument("--version", action="version", version=version)
    given = made.parse_args(arguments)
    try:
        return COMMANDS[given.command].run(given, read_settings(given.config))
    except (Refusal, OSError) as error:
        if given.json:
            print(json.dumps(failure(error)))
        print(f"mysql-gr-backup: {error}", file=sys.stderr)
        return 1


def failure(error: BaseException) -> dict[str, Any]:
    """A failure as JSON; a place says which kind it is."""
    return {"failed": True, "msg": str(error), "kind": getattr(error, "kind", "")}
