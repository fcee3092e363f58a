# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages say is there: playbooks, variables, sentences of refusals, files that are linked."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import pytest
import yaml
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.metrics import HELP

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.skipif(not (ROOT / "docs").exists(), reason="the pages are looked at, not an installed collection"),
    pytest.mark.unit,
    pytest.mark.claim("Playbooks, variables, sentences of refusals and links in the documentation exist."),
]

PAGES = sorted(
    path
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "roles/*/README.md",
        "lab/**/*.md",
        "tools/**/*.md",
        ".github/*.md",
        "examples/**/*.md",
    )
    for path in ROOT.glob(pattern)
)
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]


@lru_cache(maxsize=None)
def sources() -> str:
    """Everything that can say a sentence, without the line breaks and joints of code."""
    text = ""
    for pattern in ("plugins/**/*.py", "roles/**/*.yml", "roles/**/*.j2", "playbooks/**/*.yml", "extensions/**/*.yml"):
        for path in sorted(ROOT.glob(pattern)):
            text += path.read_text()
    text = re.sub(r'"\s*\n\s*f?"', "", text)
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("page", NAMES)
def test_linked_files_are_there(page):
    path = ROOT / page
    text = re.sub(r"```.*?```|`[^`\n]*`", "", path.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
    missing = [
        link
        for link in links
        if not re.match(r"[a-z]+:", link)
        and not (path.parent / link).exists()
        and "reference/collection/" not in link  # made by tools/docs_site.py
    ]
    assert not missing


@pytest.mark.parametrize("page", NAMES)
def test_playbooks_that_are_called_are_there(page):
    called = re.findall(r"ansible-playbook .*?distdb\.mysql_ha\.([a-z_]+)", (ROOT / page).read_text())
    assert not [name for name in called if not (ROOT / "playbooks" / f"{name}.yml").is_file()]


@pytest.mark.parametrize("page", NAMES)
def test_variables_of_playbooks_and_roles_are_there(page):
    specs = [
        yaml.safe_load(path.read_text())["argument_specs"] for path in ROOT.glob("roles/*/meta/argument_specs.yml")
    ]
    known = {name for spec in specs for entry in spec.values() for name in entry.get("options", {})}
    # Tags are named like variables.
    tags = set(
        re.findall(
            r"\b(?:mysql_gr|proxysql)_[a-z]+\b",
            "\n".join(path.read_text() for path in ROOT.glob("roles/*/tasks/main.yml")),
        )
    )
    text = (ROOT / page).read_text()
    used = set(re.findall(r"`((?:mysql_gr|proxysql)_[a-z_]*[a-z])(?:: [^`]*)?`", text))
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    facts = {"mysql_gr_status", "mysql_gr_members", "mysql_gr_member", "mysql_gr_connection", "mysql_gr_login"}
    tables = {"proxysql_servers"}
    series = {*HELP, "proxysql_up"}
    unknown = used - known - tags - modules - facts - tables - series
    assert not unknown
    operations = set(re.findall(r"\boperations_[a-z_]+\b", text))
    assert all(name in sources() for name in operations)


@pytest.mark.parametrize("page", [name for name in NAMES if name.startswith(("docs/how-to/", "docs/troubleshooting"))])
def test_refusals_that_are_quoted_are_said_somewhere(page):
    """The parts of a quoted sentence between its gaps are in the code; what is filled in stands for a gap."""
    quotes = re.findall(r"^(?:- |\| )`([^`]*(?: [^` ]+){3,})`", (ROOT / page).read_text(), re.MULTILINE)
    parts = [part.strip(" ;:.,") for quote in quotes for part in re.split(r"…|;|\d[\d,]*|\([^)]*\)", quote)]
    assert not [part for part in parts if len(part) > 12 and part not in sources()]
