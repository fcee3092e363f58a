# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that run on hosts without Ansible: one text file with the collection's own modules in it, the same bytes wherever it is made.

Private to this collection.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ansible_collections.distdb.mysql_ha."


class Program(NamedTuple):
    """A program: the module whose main() it is, and the role that writes it."""

    entry: str
    role: str


PROGRAMS = {
    "mysql-gr-guard": Program(PACKAGE + "plugins.module_utils._group.guard.command", "mysql_gr"),
    "mysql-gr-backup": Program(PACKAGE + "plugins.module_utils._backup.command", "mysql_backup"),
}

_HEAD = """# {name} {version}, written by the role distdb.mysql_ha.{role} of that version of the collection; changes by hand are lost.
# The modules of the collection that it needs are in it.
import importlib.abc
import importlib.util
import sys

VERSION = "{version}"
SOURCES = {{
"""
_TAIL = '''}}


class Sources(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports what is in SOURCES, and the packages above."""

    packages = {{name.rsplit(".", number)[0] for name in SOURCES for number in range(1, name.count(".") + 1)}}

    def find_spec(self, fullname, path=None, target=None):
        if fullname in SOURCES or fullname in self.packages:
            return importlib.util.spec_from_loader(fullname, self, origin=__file__, is_package=fullname in self.packages)
        return None

    def get_source(self, fullname):
        return "\\n".join(SOURCES.get(fullname, ()))

    def get_code(self, fullname):
        return compile(self.get_source(fullname), "{name}/" + fullname.rpartition("plugins.")[2], "exec", dont_inherit=True)


sys.meta_path.insert(0, Sources())
# PyMySQL takes it where it is there, for logins without TLS. There are none of these, and it would be a quarter of the memory.
sys.modules["cryptography"] = None

if __name__ == "__main__":
    from {entry} import main

    sys.exit(main(VERSION))
'''


def collection_version(root: Path = ROOT) -> str:
    """The version of this collection, installed or in its repository."""
    try:
        return str(json.loads((root / "MANIFEST.json").read_text(encoding="utf-8"))["collection_info"]["version"])
    except OSError:
        found = re.search(r"(?m)^version: *(\S+)", (root / "galaxy.yml").read_text(encoding="utf-8"))
        return found[1] if found else ""


def _file(name: str) -> Path:
    return ROOT / (name[len(PACKAGE) :].replace(".", "/") + ".py")


def needed(entry: str) -> dict[str, str]:
    """The sources of a module and of all modules of the collection that it imports, by their names."""
    found: dict[str, str] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = _file(name).read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(found[name])):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
                below = [f"{node.module}.{alias.name}" for alias in node.names]
                waiting += [one for one in (str(node.module), *below) if _file(one).is_file()]
    return {name: found[name] for name in sorted(found)}


@functools.lru_cache(maxsize=None)
def host_program(name: str, first_line: str) -> str:
    """The whole program of this name; first_line names its interpreter."""
    entry, role = PROGRAMS[name]
    sources = needed(entry)
    text = "\n".join(sources.values())
    version = f"{collection_version()}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    lines = []
    for module, source in sources.items():
        # Lines of their own, so that a diff is readable; ASCII alone, so that they are the same for every Python.
        lines += [
            f"    {ascii(module)}: [",
            *(f"        {ascii(line)}," for line in [*source.splitlines(), ""]),
            "    ],",
        ]
    head = _HEAD.format(name=name, version=version, role=role)
    return "\n".join([first_line, head + "\n".join(lines), _TAIL.format(name=name, entry=entry)])
