# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: backup_drill_report
short_description: The report of a rehearsed restore
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the playbook C(distdb.mysql_ha.restore_drill).
positional: form, cluster
options:
  _input:
    description: What C(mysql-gr-backup drill --json) said.
    type: dict
    required: true
  form:
    description: As what.
    type: str
    choices: [json, text, html]
    required: true
  cluster:
    description: Name of the cluster.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what came of it
  ansible.builtin.debug:
    msg: "{{ drilled.answer | distdb.mysql_ha.backup_drill_report('text', 'shop') }}"
"""

RETURN = r"""
_value:
  description: The report.
  type: str
"""

import html
import json
from typing import Any, Iterator, Mapping

from ansible.errors import AnsibleFilterError

# What the program says, by the words for it, in the order of the report. The rest follows under its own name.
WORDS = {
    "full": "full backup",
    "timeline": "timeline",
    "until": "restored until",
    "tables": "tables",
    "rows": "rows",
    "bytes": "bytes",
    "seconds": "seconds",
    "host": "on",
    "at": "at",
}
STYLE = "body { font-family: sans-serif; margin: 2em } th { text-align: left; vertical-align: top; padding-right: 2em }"
OUTCOME = ("ok", "differences")


def plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {plain(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return "; ".join(plain(part) for part in value)
    return str(value)


def lines(answer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, words in WORDS.items():
        if answer.get(name) is not None:
            yield words, plain(answer[name])
    for name, value in answer.items():
        if name not in WORDS and name not in OUTCOME and value not in (None, "", [], {}):
            yield name, plain(value)
    for difference in answer.get("differences") or []:
        yield "differs", plain(difference)


def heading(answer: Mapping[str, Any], cluster: str) -> str:
    if answer.get("ok", True) and not answer.get("differences"):
        return f"The drill of {cluster} passed: its newest backup was restored and holds what the cluster holds."
    return f"The drill of {cluster} FAILED: its newest backup is not what the cluster holds."


def page(answer: Mapping[str, Any], cluster: str) -> str:
    rows = "\n".join(
        f"<tr><th>{html.escape(words)}</th><td>{html.escape(text)}</td></tr>" for words, text in lines(answer)
    )
    title = html.escape(heading(answer, cluster))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>'
        f"{title}</title>\n<style>{STYLE}</style></head>\n"
        f"<body>\n<h1>{title}</h1>\n<table>\n{rows}\n</table>\n</body>\n</html>\n"
    )  # fmt: skip


def backup_drill_report(answer: Mapping[str, Any], form: str, cluster: str) -> str:
    if form == "json":
        return json.dumps({"cluster": cluster, **answer}, indent=2, sort_keys=True) + "\n"
    if form == "html":
        return page(answer, cluster)
    if form == "text":
        return "\n".join([heading(answer, cluster), *(f"{words}: {text}" for words, text in lines(answer))]) + "\n"
    raise AnsibleFilterError(f"form: '{form}' is not allowed (allowed: json, text, html)")


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"backup_drill_report": backup_drill_report}
