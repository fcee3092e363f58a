# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table "claim, proof, command, needs, minutes" in docs/developer/tests.md, from the markers of the tests.

    python3 tools/test_table.py --write      renew the table
    python3 tools/test_table.py --check      exit 1 if it is not current, or if a test file of a suite claims nothing

A test file says what it proves, and which suite it belongs to:

    pytestmark = [pytest.mark.operations, pytest.mark.claim("Planned work fails no statement.", minutes=20)]

A test whose claim deserves a row of its own carries the markers itself. Files are read, not imported: nothing has to be
installed for them.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Iterator, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "developer" / "tests.md"
BEGIN, END = "<!-- begin claims -->", "<!-- end claims -->"


class Suite(NamedTuple):
    command: str
    needs: str


# Marker of a suite: how it is run. The first one that a test carries counts.
SUITES = {
    "long": Suite("make test-long", "root, the lab"),
    "operations": Suite("make operations", "root, the lab"),
    "applications": Suite("make applications", "root, the lab, php and sysbench"),
    "browser": Suite("make browser", "root, the lab, chromium"),
    "airgap": Suite("make airgap", "root, the lab"),
    "outside": Suite("make outside", "root, the lab"),
    "eda": Suite("make eda", "Java 17"),
    "conformance": Suite("make conformance", "the stand-in; `LAB_PROXYSQL_BIN` for the real program too"),
    "integration": Suite("make integration", "root, the lab"),
    "unit": Suite("make unit", "nothing"),
}


class Row(NamedTuple):
    claim: str
    proof: str
    suite: Suite
    minutes: str

    def __str__(self) -> str:
        return f"| {self.claim} | `{self.proof}` | `{self.suite.command}` | {self.suite.needs} | {self.minutes} |"


class Mark(NamedTuple):
    name: str
    call: ast.Call | None


def marks(node: ast.expr) -> Iterator[Mark]:
    """The markers in the value of pytestmark, or in a decorator."""
    if isinstance(node, (ast.List, ast.Tuple)):
        for element in node.elts:
            yield from marks(element)
        return
    call = node if isinstance(node, ast.Call) else None
    target = call.func if call else node
    if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "pytest.mark":
        yield Mark(target.attr, call)


def row(found: list[Mark], proof: str, inherited: list[Mark]) -> Row | None:
    """The row of a file or test with these markers; a test has its file's markers, too."""
    calls = [mark.call for mark in found if mark.name == "claim" and mark.call]
    if not calls:
        return None
    names = [mark.name for mark in [*found, *inherited]]
    suite = next((SUITES[name] for name in SUITES if name in names), None)
    if suite is None:
        raise SystemExit(f"{proof}: a claim needs the marker of a suite (allowed: {', '.join(SUITES)})")
    minutes = next((ast.literal_eval(word.value) for word in calls[0].keywords if word.arg == "minutes"), None)
    return Row(ast.literal_eval(calls[0].args[0]), proof, suite, "–" if minutes is None else str(minutes))


def rows(path: Path) -> Iterator[Row]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = path.relative_to(ROOT / "tests").as_posix()
    whole = [
        mark
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
        for mark in marks(node.value)
    ]
    found = [row(whole, name, [])]
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            own = [mark for decorator in node.decorator_list for mark in marks(decorator)]
            found.append(row(own, f"{name}::{node.name}", whole))
    yield from filter(None, found)


def table() -> tuple[str, list[str]]:
    """The table, and the test files outside of tests/unit that claim nothing."""
    lines, silent = [], []
    order = list(SUITES.values())
    every: list[Row] = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        found = list(rows(path))
        every += found
        if not found and "unit" not in path.relative_to(ROOT / "tests").parts[:1]:
            silent.append(path.relative_to(ROOT).as_posix())
    lines = ["| claim | proof, in `tests/` | command | needs | minutes |", "| --- | --- | --- | --- | --- |"]
    lines += map(str, sorted(every, key=lambda one: (-order.index(one.suite), one.proof)))
    return "\n".join(lines), silent


def main(arguments: list[str]) -> int:
    if arguments not in (["--write"], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    text, silent = table()
    for name in silent:
        print(f"{name}: says nothing about what it proves: pytest.mark.claim(...)")
    page = PAGE.read_text(encoding="utf-8")
    head, rest = page.split(BEGIN)
    new = f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}"
    if arguments == ["--write"]:
        PAGE.write_text(new, encoding="utf-8")
    elif new != page:
        print(f"{PAGE.relative_to(ROOT)} is not current: python3 tools/test_table.py --write")
    return 1 if silent or (arguments == ["--check"] and new != page) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
