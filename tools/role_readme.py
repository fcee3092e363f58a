# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the table of variables in each role's README from its argument_specs, or check that it is current.

    python3 tools/role_readme.py --write | --check

--check also compares argument_specs with defaults/main.yml: a default that stands in one and not in
the other, or differs, is an error.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
START, END = "<!-- variables -->", "<!-- /variables -->"


class Loader(yaml.SafeLoader):
    """YAML with Ansible's own tags read as what they hold."""


Loader.add_multi_constructor("!", lambda loader, suffix, node: loader.construct_scalar(node))


def read(path: Path) -> dict:
    return yaml.load(path.read_text(), Loader=Loader) or {}


def cell(text: object) -> str:
    """Text for one cell of a Markdown table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def meaning(option: dict) -> str:
    description = option.get("description", "")
    if isinstance(description, list):
        description = " ".join(str(part) for part in description)
    text = cell(description)
    if option.get("choices"):
        text += " Choices: " + ", ".join(f"`{choice}`" for choice in option["choices"]) + "."
    return text


def shown_default(option: dict) -> str:
    if option.get("required"):
        return "**required**"
    if "default" not in option or option["default"] is None:
        return ""
    value = option["default"]
    if isinstance(value, bool):
        value = str(value).lower()
    return f"`{cell(value)}`" if value != "" else '`""`'


def rows(options: dict, prefix: str = "") -> list[str]:
    lines = []
    for name, option in options.items():
        kind = option.get("type", "str")
        if kind == "list" and option.get("elements"):
            kind = f"list of {option['elements']}"
        lines.append(f"| `{prefix}{name}` | {kind} | {shown_default(option)} | {meaning(option)} |")
        if option.get("options"):
            lines += rows(option["options"], f"{prefix}{name}.")
    return lines


def table(options: dict) -> str:
    return "\n".join(["| variable | type | default | meaning |", "| --- | --- | --- | --- |", *rows(options)])


def differences(role: Path, options: dict) -> list[str]:
    """Sentences on what differs between argument_specs and defaults/main.yml."""
    defaults = read(role / "defaults" / "main.yml")
    found = []
    for name in sorted(set(defaults) - set(options)):
        found.append(f"{role.name}: {name} has a default but is not in argument_specs")
    for name, option in options.items():
        if not name.startswith(f"{role.name}_"):
            found.append(f"{role.name}: {name} does not begin with the role's name")
        if option.get("default") is not None and name not in defaults:
            found.append(f"{role.name}: {name} has a default in argument_specs only")
        elif "default" in option and name in defaults and option["default"] != defaults[name]:
            found.append(
                f"{role.name}: {name}: argument_specs says {option['default']!r}, defaults/main.yml {defaults[name]!r}"
            )
    return found


def main(arguments: list[str]) -> int:
    if arguments not in (["--write"], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    wrong = []
    for specs in sorted(ROOT.glob("roles/*/meta/argument_specs.yml")):
        role = specs.parent.parent
        options = read(specs)["argument_specs"]["main"]["options"]
        wrong += differences(role, options)
        readme = role / "README.md"
        text = readme.read_text()
        if START not in text or END not in text:
            wrong.append(f"{readme.relative_to(ROOT)}: the marks {START} and {END} are missing")
            continue
        before, rest = text.split(START, 1)
        after = rest.split(END, 1)[1]
        new = f"{before}{START}\n{table(options)}\n{END}{after}"
        if new == text:
            continue
        if arguments == ["--write"]:
            readme.write_text(new)
            print(f"written: {readme.relative_to(ROOT)}")
        else:
            wrong.append(f"{readme.relative_to(ROOT)}: the table of variables is not current: run make docs")
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
