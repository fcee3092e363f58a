# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of a server: option files as mysqld reads them - their lines, the order of the files, which of two values counts - and names in a data directory.

Private to this collection.
"""

from __future__ import annotations

import glob
import os
import re
from itertools import chain, dropwhile
from typing import Iterator, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import read

FILES = ("/etc/my.cnf", "/etc/mysql/my.cnf")  # those of a service, in their order
DEEPEST = 10
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "s": " ", "\\": "\\", '"': '"', "'": "'"}
# A comment may follow an option, outside of quotes.
END_COMMENT = re.compile(r"""^((?:"[^"]*"|'[^']*'|[^#"'])*)#.*""")
INCLUDE = re.compile(r"!\s*include(dir)?\s+(.+)")


def parse_line(line: str) -> tuple[str, str]:
    """Name (with underscores) and value of a line of an option file, as mysqld would read it."""
    name, _equals, value = line.partition("=")
    value = value.strip()
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    value = re.sub(r"\\(.)", lambda found: ESCAPES.get(found[1], found[0]), value)
    return name.strip().replace("-", "_"), value


def without_loose(name: str) -> str:
    return name[len("loose_") :] if name.startswith("loose_") else name


def same(wanted: str, found: str) -> bool:
    """Whether two values of an option are the same, as texts or as sizes."""

    def size(text: str) -> str:
        match = re.match(r"^(\d+)([KMG])$", text.strip().upper())
        return str(int(match[1]) * UNITS[match[2]]) if match else text.strip()

    return size(wanted) == size(found)


def same_value(wanted: str, found: str) -> bool:
    """Whether a running server has the value of an option."""
    words = {"1": "ON", "0": "OFF", "TRUE": "ON", "FALSE": "OFF", "YES": "ON", "NO": "OFF"}

    def plain(text: str) -> str:
        return words.get(text.strip().upper(), text.strip().upper())

    return same(wanted, found) or plain(wanted) == plain(found)


def options_read(path: str, ours: str, depth: int = 0, series: str = "") -> Iterator[tuple[str, str, str]]:
    """(file, name, value) of the server's lines in a file and those that it includes, in the order in which they are read. Of the file ours only that
    its turn has come, whether it exists or not. series: of groups such as [mysqld-8.4] only those of this one."""
    if path == ours:
        yield path, "", ""
    if path == ours or depth > DEEPEST:
        return
    program = of_series = ""
    for line in map(str.strip, read(path).splitlines()):
        include = INCLUDE.match(line)
        if include:
            folder = os.path.normpath(include[2]) if include[1] else ""
            names = os.listdir(folder) if os.path.isdir(folder) else []
            names += [os.path.basename(ours)] if folder == os.path.dirname(ours) else []
            files = [os.path.join(folder, name) for name in sorted({*names}) if name.endswith(".cnf")]
            for file in files if folder else [include[2]]:
                yield from options_read(file, ours, depth + 1, series)
        elif line.startswith("["):
            program, _dash, of_series = line[1:].partition("]")[0].strip().partition("-")
        elif program in ("mysqld", "server") and (not series or of_series in ("", series)):
            text = END_COMMENT.sub(r"\1", line)
            name, value = parse_line(text)
            yield path, name, value if "=" in text else "ON"


def overridden(lines: Sequence[str], ours: str, files: Sequence[str] = FILES) -> list[str]:
    """Options of these lines, which are to be in the file ours, that a file read after it sets to something else."""
    wanted = {without_loose(name): value for name, value in map(parse_line, lines) if name != "plugin_load_add"}
    found = {}
    every = chain.from_iterable(options_read(path, ours) for path in files)
    for path, name, value in dropwhile(lambda option: option[0] != ours, every):
        name = without_loose(name)
        if name.startswith("skip_") and name not in wanted:
            name, value = name[len("skip_") :], "OFF"
        if name in wanted:
            found[name] = (value, path)
    return [
        f"{name} = {value} in {path} (wanted: {wanted[name]})"
        for name, (value, path) in found.items()
        if not same_value(wanted[name], value)
    ]


def relay_logs(datadir: str) -> list[str]:
    files = glob.glob(os.path.join(glob.escape(datadir), "*-group_replication_applier.*"))
    return sorted({os.path.basename(name).rsplit("-group_replication_applier.", 1)[0] for name in files})


def uuid_of(datadir: str) -> str:
    for line in read(os.path.join(datadir, "auto.cnf")).splitlines():
        name, equals, value = line.partition("=")
        if equals and name.strip().replace("_", "-") == "server-uuid":
            return value.strip()
    return ""
