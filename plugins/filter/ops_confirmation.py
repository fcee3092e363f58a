# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ops_confirmation
short_description: The plan of a destructive playbook, and whether the name of the cluster was given
version_added: 1.1.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the playbooks of this collection that delete rows, give transactions up, take a host out of service or keep applications away.
options:
  _input:
    description: Names of the clusters that are changed.
    type: list
    elements: str
    required: true
  given:
    description: What the user gave or typed. The names in any order, as a list or separated by commas.
    type: raw
    default: ""
  does:
    description: What is done, and what is lost by it. Sentences without a full stop.
    type: list
    elements: str
    default: []
  measured:
    description: What it took where it was measured, as a dict with C(took), C(where) and C(page). Without it the plan says that nothing was measured.
    type: dict
"""

EXAMPLES = r"""
- name: Refuse unless the name of the cluster was given
  ansible.builtin.assert:
    that: problem == ''
    fail_msg: "{{ problem }}"
  vars:
    problem: "{{ (['alpha'] | distdb.mysql_ha.ops_confirmation(confirm | default(''))).problem }}"
"""

RETURN = r"""
_value:
  description: >-
    C(plan) (lines), C(names) (what has to be given), C(given) (whether anything was) and C(problem) (a sentence, empty where the right names were given).
  type: dict
"""

from typing import Any, Mapping, Sequence

UNMEASURED = "Time: not measured."


def listed(given: Any) -> list[str]:
    """alpha,beta or a list of them; anything else is what it looks like, so that the refusal can show it."""
    parts = given if isinstance(given, (list, tuple)) else str("" if given is None else given).split(",")
    return [text for text in (str(part).strip() for part in parts) if text]


def duration(measured: Mapping[str, Any] | None) -> str:
    if not measured:
        return UNMEASURED
    return f"Time: {measured['took']} {measured['where']} ({measured['page']})."


def problem_of(names: Sequence[str], given: Sequence[str]) -> str:
    if sorted(set(given)) == sorted(set(names)):
        return ""
    wanted = ",".join(names)
    what = "the names of the clusters" if len(names) > 1 else "the name of the cluster"
    return (
        f"confirm: '{','.join(given)}' is not allowed (allowed: {wanted}, {what} that this run changes, as -e confirm={wanted}); nothing was changed."
    )  # fmt: skip


def ops_confirmation(
    names: Sequence[str],
    given: Any = "",
    does: Sequence[str] | str = (),
    measured: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    words = listed(given)
    clusters = "clusters" if len(names) > 1 else "cluster"
    steps = [does] if isinstance(does, str) else list(does)
    return {
        "names": ",".join(names),
        "given": bool(words),
        "problem": problem_of(names, words),
        "plan": [f"This run changes {clusters} {', '.join(names)}:", *(f"- {step}." for step in steps), duration(measured)],
    }  # fmt: skip


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"ops_confirmation": ops_confirmation}
