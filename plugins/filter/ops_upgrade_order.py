# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ops_upgrade_order
short_description: In which order members are upgraded, and what stands against it
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the playbook C(distdb.mysql_ha.rolling_upgrade). Members with the newest version are left out; the lowest version comes first, the primary last.
options:
  _input:
    description: One dict per member, with C(name), C(primary) (bool), C(installed) and C(candidate) (package versions).
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the order
  ansible.builtin.debug:
    msg: "{{ [{'name': 'db0', 'primary': true, 'installed': '8.4.6-1', 'candidate': '8.4.7-1'}] | distdb.mysql_ha.ops_upgrade_order }}"
"""

RETURN = r"""
_value:
  description: C(order) (names), C(primary) (name or empty), C(problems) and C(text) (one sentence).
  type: dict
"""

from ansible_collections.distdb.mysql_ha.plugins.module_utils.gr_versions import (
    LONG_TERM,
    VersionError,
    effective_version,
)


def number(package):
    """The server's version in a package's: without epoch and revision; None where there is none."""
    try:
        return effective_version(str(package).rpartition(":")[2])
    except VersionError:
        return None


def skipped(before, after):
    """The long-term series that lie between two versions."""
    return [series for series in LONG_TERM if before[:2] < series < after[:2]]


def problems_of(member):
    before, after = number(member["installed"]), number(member["candidate"])
    if before is None or after is None:
        return "{name}: which version is installed ({installed!r}) or offered ({candidate!r}) is not known.".format(
            **member
        )
    if after < before:
        return "{name} runs {installed} and is offered {candidate}; a downgrade is not possible.".format(**member)
    between = skipped(before, after)
    if between:
        return "{name} runs {installed} and is offered {candidate}; the way leads through {0}, one series at a time.".format(
            ", ".join("%d.%d" % series for series in between), **member
        )
    return ""


def ops_upgrade_order(members):
    problems = [problem for problem in map(problems_of, members) if problem]
    offered = {member["name"]: member["candidate"] for member in members}
    if not problems and len(set(offered.values())) > 1:
        listed = ", ".join("{0} {1}".format(name, version) for name, version in offered.items())
        problems.append("The members are offered different versions ({0}); a group has to run one.".format(listed))
    older = [] if problems else [member for member in members if member["installed"] != member["candidate"]]
    older.sort(key=lambda member: (member["primary"], number(member["installed"])))
    steps = ["{name} from {installed} to {candidate}".format(**member) for member in older]
    return {
        "order": [member["name"] for member in older],
        "primary": next((member["name"] for member in members if member["primary"]), ""),
        "problems": problems,
        "text": ", then ".join(steps) or "Every member has the newest version; nothing is to be done.",
    }


class FilterModule:
    def filters(self):
        return {"ops_upgrade_order": ops_upgrade_order}
