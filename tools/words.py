# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words that the field does not use, in what users read: pages, descriptions of variables and options, task names.

    python3 tools/words.py            each finding with its file, line and a better word; exits 1 if there is one
    python3 tools/words.py FILE ...   only these files

codespell finds misspelt words; this finds words that are spelt right and say it in a way that no MySQL or ProxySQL
manual does. Code, generated tables and quoted output are left out.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Iterator, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parent.parent

# What is found (a regular expression, whole words, any case) and what the field says.
WORDS = {
    r"mend(s|ed|ing)?": "fix",
    r"br(ings?|ought|inging) along": "ships, includes",
    r"(made|makes?|making) anew": "regenerated",
    r"wish(es|ed)?": "desired state; wanted",
    r"(is|are|was|be) borne|bears? with|borne with": "tolerated, waited for",
    r"(is|are|was|be|who is|who was) asked": "queried",
    r"could not be asked": "did not answer",
    r"somebody|nobody|whoever": "an operator, another run; no member; name the agent",
    r"for ever": "indefinitely",
    r"ever more rarely": "less and less often",
    r"what (differs|is there|is marked|was restored)": "name the thing",
    r"can(not)? be had": "is (not) available",
    r"hung on to": "kept",
    r"as (it|he|she|they) likes?": "unconfigured",
    r"(is|are) reckoned": "computed",
    r"has (its|their) say": "decides",
}
PATTERN = re.compile(r"\b(?:" + "|".join(f"(?P<w{i}>{word})" for i, word in enumerate(WORDS)) + r")\b", re.IGNORECASE)

# Pages first; parts of the tree are added here as they are converted.
PAGES = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "docs/**/*.md", ".github/**/*.md"]
PAGES += ["lab/README.md", "inventories/**/*.md", "examples/**/*.md", "tools/**/*.md"]
SPECS: list[str] = []
MODULES: list[str] = []
TASKS = ["playbooks/**/*.yml"]


class Finding(NamedTuple):
    file: str
    line: int
    word: str
    better: str


def page(text: str) -> Iterator[tuple[int, str]]:
    """Lines of prose of a Markdown page: no code blocks, no inline code, no generated tables."""
    fence = generated = False
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*(```|~~~)", line) and not re.match(r"\s*```\{(note|warning|tip)", line):
            fence = not fence
        elif re.match(r"<!-- .*\bbegin\b", line) or re.match(r"<!-- begin\b", line):
            generated = True
        elif re.match(r"<!-- .*\bend\b", line):
            generated = False
        elif not fence and not generated:
            yield number, re.sub(r"`[^`]*`", "", line)


def described(node: object, keys: tuple[str, ...]) -> Iterator[str]:
    """Every string below one of the keys of a structure."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in keys:
                yield from strings(value)
            else:
                yield from described(value, keys)
    elif isinstance(node, list):
        for value in node:
            yield from described(value, keys)


def strings(node: object) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)


def placed(texts: Iterator[str], source: str) -> Iterator[tuple[int, str]]:
    """Texts with the line of the source on which each begins (1 if it was folded)."""
    for text in texts:
        at = source.find(text[:40])
        yield (source[:at].count("\n") + 1 if at >= 0 else 1), re.sub(r"[A-Z]\([^)]*\)", "", text)


def documentation(source: str) -> Iterator[str]:
    """The descriptions in DOCUMENTATION and RETURN of a module or filter."""
    for node in ast.parse(source).body:
        names = [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
        if {"DOCUMENTATION", "RETURN"} & set(names) and isinstance(node.value, ast.Constant):
            keys = ("description", "short_description", "notes", "details")
            yield from described(yaml.safe_load(node.value.value), keys)


def prose(path: Path) -> Iterator[tuple[int, str]]:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield from page(text)
    elif path.suffix == ".py":
        yield from placed(documentation(text), text)
    elif path.name == "argument_specs.yml":
        yield from placed(described(yaml.safe_load(text), ("description", "short_description")), text)
    else:
        for number, line in enumerate(text.splitlines(), 1):
            name = re.match(r"\s*- name: (.*)", line)
            if name:
                yield number, name[1]


def findings(paths: list[Path]) -> Iterator[Finding]:
    for path in paths:
        for number, line in prose(path):
            for match in PATTERN.finditer(line):
                better = list(WORDS.values())[int(match.lastgroup[1:])]
                yield Finding(path.relative_to(ROOT).as_posix(), number, match[0], better)


def main(names: list[str]) -> int:
    patterns = [*PAGES, *SPECS, *MODULES, *TASKS]
    paths = [Path(name).resolve() for name in names] or sorted({p for pattern in patterns for p in ROOT.glob(pattern)})
    found = list(findings(paths))
    for finding in found:
        print(f"{finding.file}:{finding.line}: {finding.word!r} (better: {finding.better})")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
