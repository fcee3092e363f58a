# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ops_rehearsal
short_description: What a playbook would do, from its run in check mode
version_added: 1.1.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the playbook C(rehearse_recover) of this collection. What cannot be read is taken as a refusal.
options:
  _input:
    description: Result of the command that ran the playbook in check mode, with the callback C(ansible.posix.json).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what recover would do
  ansible.builtin.debug:
    msg: "{{ rehearsed | distdb.mysql_ha.ops_rehearsal }}"
"""

RETURN = r"""
_value:
  description: C(outcome) (V(changes), V(nothing) or V(refused)) and C(why) (a sentence).
  type: dict
"""

import json
from typing import Any, Iterator, Mapping

UNREADABLE = "recover in check mode ended with {rc}, and its output is no JSON"


def read(text: str) -> dict[str, Any] | None:
    """The callback's object; other callbacks may print before and after it."""
    begin = text.find("{\n")
    if begin < 0:
        return None
    try:
        found, _end = json.JSONDecoder().raw_decode(text, begin)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("stats"), dict) else None


def results(seen: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for play in seen.get("plays") or []:
        for task in play.get("tasks") or []:
            yield from (task.get("hosts") or {}).values()


def refusals(seen: Mapping[str, Any]) -> list[str]:
    failed = [result for result in results(seen) if result.get("failed") or result.get("unreachable")]
    return [" ".join(str(result.get("msg") or "").split()) for result in failed if result.get("msg")]


def ops_rehearsal(command: Mapping[str, Any]) -> dict[str, str]:
    rc = command.get("rc", "no result")
    seen = read(str(command.get("stdout") or ""))
    if seen is None:
        return {"outcome": "refused", "why": UNREADABLE.format(rc=rc)}
    if rc != 0:
        return {"outcome": "refused", "why": next(iter(refusals(seen)), f"recover in check mode ended with {rc}")}
    changes = sum(int(host.get("changed") or 0) for host in seen["stats"].values())
    if not changes:
        return {"outcome": "nothing", "why": "nothing would change"}
    return {"outcome": "changes", "why": f"{changes} {'task' if changes == 1 else 'tasks'} would change something"}


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"ops_rehearsal": ops_rehearsal}
