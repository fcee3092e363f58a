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
    description: Clusters, as P(distdb.mysql_ha.ops_targets#filter) returns them.
    type: list
    elements: dict
    required: true
  hostvars:
    description: Variables by host, with the facts of entry point C(status) of the role P(distdb.mysql_ha.mysql_gr#role) of every member of this run.
    type: dict
    required: true
  policies:
    description: What C(apt-cache policy) says of the server's package, in English, by member.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the order
  ansible.builtin.debug:
    msg: "{{ operations_targets.clusters | distdb.mysql_ha.ops_upgrade_order(hostvars, {'db0': policy.stdout}) }}"
"""

RETURN = r"""
_value:
  description: >-
    C(order) (names), C(to) (the version that each of them gets, without the epoch), C(leaving) (those of them that have to leave the group before the newer
    members take writes), C(problems) and C(text) (the plan in words).
  type: dict
"""

import re
from typing import Any, Mapping, NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.upgrade_rules import way
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import (
    VersionError,
    effective_version,
    stays_read_only,
)


class Member(NamedTuple):
    """A member, and the versions of its package."""

    name: str
    installed: str
    candidate: str
    primary: bool = False


# A package source that somebody prefers, as the role does with MySQL's own repository, has a higher priority than apt's 500.
PREFERRED = 501
HEAD = re.compile(r"^ (?:\*\*\*|   ) (\S+) (\d+)$")
SOURCE = re.compile(r"^ {8,}(\d+) (\S+)")


def read_policy(text: str) -> tuple[str, str]:
    """The installed and the wanted version of apt-cache policy; empty where it says none.

    apt never goes back by itself: where a preferred source has an older version only, apt's candidate is what is installed. That older one is wanted.
    """
    found = [re.search(rf"^ *{word}: *(\S+)", text, re.MULTILINE) for word in ("Installed", "Candidate")]
    installed, candidate = (match[1] if match else "" for match in found)
    sources: dict[str, int] = {}
    version = ""
    for line in text.splitlines():
        head, source = HEAD.match(line), SOURCE.match(line)
        if head:
            version = head[1]
        elif source and source[2] != "/var/lib/dpkg/status":
            sources[version] = max(sources.get(version, 0), int(source[1]))
    preferred = [version for version, priority in sources.items() if priority >= PREFERRED]
    if candidate == installed and preferred and installed not in sources:
        return installed, preferred[0]
    return installed, candidate


def server_version(package: str) -> str:
    """A package's version without the epoch."""
    return package.rpartition(":")[2]


def number(package: str) -> tuple[int, ...] | None:
    """The server's version in a package's: without epoch and revision; None where there is none."""
    try:
        return effective_version(server_version(package))
    except VersionError:
        return None


def problem_of(member: Member) -> str:
    before, after = number(member.installed), number(member.candidate)
    if before is None or after is None:
        return f"{member.name}: which version is installed ({member.installed!r}) or offered ({member.candidate!r}) is not known."
    against = way(server_version(member.installed), server_version(member.candidate))
    return f"{member.name} ({member.installed}): {against}." if against else ""


def plan(members: Sequence[Member], stay: Mapping[str, str] | None = None) -> tuple[list[Member], list[str]]:
    """The members of one cluster to be upgraded, in order, and what stands against it. stay: versions of the members that are not in the run."""
    problems = [problem for problem in map(problem_of, members) if problem]
    if problems:
        return [], problems
    if len({member.candidate for member in members}) > 1:
        listed = ", ".join(f"{member.name} {member.candidate}" for member in members)
        return [], [f"The members are offered different versions ({listed}); a group has to run one."]
    older = [member for member in members if member.installed != member.candidate]
    # The servers' versions are compared: a package's revision makes no difference for who may be primary.
    behind = [
        name
        for name, version in (stay or {}).items()
        if any((number(version) or ()) < (number(m.candidate) or ()) for m in older)
    ]
    for member in older:
        if member.primary and behind:
            return [], [f"{member.name} is primary and would run a newer version than {', '.join(behind)}, which --limit leaves out; a primary has to "
                        f"run the lowest version."]  # fmt: skip
    return sorted(older, key=lambda member: (member.primary, number(member.installed))), []


def leaves(turns: Sequence[Member], rest: Sequence[str], single: bool) -> bool:
    """Whether the last member has to leave its group before the others, newer by then, take writes. rest: versions of the members that have no turn.

    Newer members of a multi-primary group are read-only, and the primary cannot hand over to a newer one.
    """
    if not turns:
        return False
    last = turns[-1]
    others = [*rest, *(member.candidate for member in turns[:-1])]
    if single:
        return last.primary and any((number(version) or ()) > (number(last.installed) or ()) for version in others)
    return bool(others) and all(
        number(version) and stays_read_only(number(version), number(last.installed)) for version in others
    )


def ops_upgrade_order(
    clusters: Sequence[Mapping[str, Any]], hostvars: Mapping[str, Any], policies: Mapping[str, str]
) -> dict[str, Any]:
    order: list[Member] = []
    leaving: list[str] = []
    problems: list[str] = []
    for entry in clusters:
        facts = hostvars[entry["lead"]]
        seen = facts["mysql_gr_status"]["cluster"]
        names = {member["sql"]: member["name"] for member in facts["mysql_gr_members"]}
        busy = [names.get(address) for address in seen["primaries"] if seen["mode"] == "single_primary"]
        members = [
            Member(host, *read_policy(policies.get(host) or ""), primary=host in busy) for host in entry["members"]
        ]
        stay = {
            name: str(seen["members"][address]["version"])
            for address, name in names.items()
            if name not in entry["members"]
        }
        turns, against = plan(members, stay)
        rest = [*stay.values(), *(member.installed for member in members if member not in turns)]
        if leaves(turns, rest, seen["mode"] == "single_primary"):
            leaving.append(turns[-1].name)
        order += turns
        problems += against
    return {
        "order": [] if problems else [member.name for member in order],
        "to": {} if problems else {member.name: server_version(member.candidate) for member in order},
        "leaving": leaving,
        "problems": problems,
        "text": in_words(order, leaving),
    }


def in_words(order: Sequence[Member], leaving: Sequence[str]) -> str:
    """The plan, for who reads it before anything is done."""
    if not order:
        return "Every member has the newest version; nothing is to be done."
    text = ", then ".join(f"{member.name} from {member.installed} to {member.candidate}" for member in order) + "."
    for member in order:
        if member.name in leaving:
            text += f" {member.name} leaves the group before, while statements wait at the proxies: newer members take no writes beside it."
        elif member.primary:
            text += f" {member.name} is primary and hands over before."
    return text + " At the end the protocol of the group is raised to what every member knows."


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"ops_upgrade_order": ops_upgrade_order}
