# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ufw: rules carry the owner as their comment. They are read from the files in which ufw keeps them, so also while it is off.

A rule that names its source goes before the others: a deny that is there already would hide it. A rule for everyone goes to the end, so that
denies of some addresses stay in force.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._firewall.rules import IPV4, IPV6, Change, Ours, Rule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

FILES = {"/etc/ufw/user.rules": IPV4, "/etc/ufw/user6.rules": IPV6}
EVERYONE = {IPV4: "0.0.0.0/0", IPV6: "::/0"}
MARK = "### tuple ### "


class Found(NamedTuple):
    """A rule of ufw: for which packets (None where this collection would not write such a rule), what becomes of them, and its comment."""

    rule: Rule | None
    action: str
    comment: str


def parse(text: str, family: str) -> list[Found]:
    """The rules in one of ufw's files: '### tuple ### allow tcp 3306 0.0.0.0/0 any 192.0.2.1 in comment=HEX'."""
    found = []
    for line in text.splitlines():
        if not line.startswith(MARK):
            continue
        words = line[len(MARK) :].split()
        comment = ""
        if words[-1].startswith("comment="):
            comment = bytes.fromhex(words.pop()[len("comment=") :]).decode("utf-8", "replace")
        rule = None
        if len(words) == 7:
            action, protocol, port, to, from_port, source, direction = words
            plain = (to, from_port, direction) == (EVERYONE[family], "any", "in")
            if plain and (port.isdigit() or port == "any"):
                rule = Rule(
                    family, "" if source == EVERYONE[family] else source, protocol, int(port) if port.isdigit() else 0
                )
        found.append(Found(rule, words[0], comment))
    return found


def split(
    found: Iterable[Found], owner: str, former: Iterable[str], ports: Iterable[int]
) -> tuple[set[Rule], set[Rule]]:
    """(rules of this owner, other ones). former: comments by which earlier versions marked rules; of them, those for these ports are the owner's."""
    ours: set[Rule] = set()
    others: set[Rule] = set()
    for rule, action, comment in found:
        if rule and action.startswith("allow"):
            mine = comment == owner or (comment in former and rule.port in ports)
            (ours if mine else others).add(rule)
    return ours, others


def words(rule: Rule) -> list[str]:
    source = rule.source or EVERYONE[rule.family]
    port = ["to", "any", "port", str(rule.port)] if rule.port else []
    return ["allow", "proto", rule.protocol, "from", source, *port]


def commands(change: Change, owner: str) -> list[list[str]]:
    """First what is let in, then what no longer is: a rule that changes its form leaves no gap."""
    named = [rule for rule in change.add if rule.source]
    everyone = [rule for rule in change.add if not rule.source]
    # Each one goes before the one before.
    return [
        *(["ufw", "prepend", *words(rule), "comment", owner] for rule in reversed(named)),
        *(["ufw", *words(rule), "comment", owner] for rule in everyone),
        *(["ufw", "delete", *words(rule)] for rule in change.remove),
    ]


class Ufw:
    """The host's ufw. run and read: those of _host."""

    name = "ufw"

    def __init__(self, run: Any, read: Any, owner: str, former: Iterable[str], ports: Iterable[int]) -> None:
        self.run = run
        done = run(["ufw", "version"])
        if done.code:
            raise Refusal(
                "firewall: ufw is not allowed here, since it is not installed (allowed: a firewall that the host has)."
            )
        found = [rule for path, family in FILES.items() for rule in parse(read(path), family)]
        self.owner = owner
        ours, self.others = split(found, owner, list(former), list(ports))
        self.ours = Ours(ours, ours)
        # For ufw a rule for the same packets is the same rule: writing ours would replace theirs.
        self.contrary = {rule: action for rule, action, _comment in found if rule and not action.startswith("allow")}

    def check(self, change: Change) -> None:
        """ufw's own word on it, before anything is changed: an old one knows no VRRP, IPv6 may be off."""
        for rule in change.add:
            if rule in self.contrary:
                raise Refusal(
                    f"admitted: {rule} is not allowed here, since ufw has a rule of another owner for it, {self.contrary[rule]}, which ufw would replace "
                    "(allowed: to remove that rule first, or to admit fewer)."
                )
        for command in commands(change, self.owner):
            self.do([command[0], "--dry-run", *command[1:]])

    def apply(self, change: Change) -> None:
        for command in commands(change, self.owner):
            self.do(command)

    def do(self, command: list[str]) -> None:
        done = self.run(command, timeout=60)
        if done.code:
            said = (done.errors.strip() or done.output.strip()).splitlines()
            raise Refusal(f"{' '.join(command)}: {said[0] if said else f'ended with code {done.code}'}")
