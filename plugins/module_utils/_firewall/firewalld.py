# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""firewalld: rich rules have no comment, so the owner's rules are in policies of their own, which are found by their names.

Of two policies one comes before the zones and has the rules that name their source; the other one comes after the zones and has the rules for
everyone, so that a zone's rejects of some addresses stay in force. Nothing is written into a zone: whichever zone an interface is in, the rules hold.

Private to this collection.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Iterable, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._firewall.rules import Change, Ours, Rule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import NO_SUCH_PROGRAM
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

RICH = re.compile(
    r'rule family="(?P<family>ipv[46])"(?: source address="(?P<source>[^"]+)")?'
    r'(?: port port="(?P<port>\d+)" protocol="tcp"| protocol value="(?P<protocol>vrrp)") accept'
)
# Before a zone is anything below 0, after it anything above.
BEFORE, AFTER = -110, 110


def policies(owner: str) -> dict[str, int]:
    """Name and priority of the owner's policies; a name has 17 characters at most."""
    short = hashlib.sha256(owner.encode()).hexdigest()[:8]
    return {f"ha-{short}": BEFORE, f"ha-{short}-any": AFTER}


def rich(rule: Rule) -> str:
    source = f' source address="{rule.source}"' if rule.source else ""
    what = f'port port="{rule.port}" protocol="tcp"' if rule.port else f'protocol value="{rule.protocol}"'
    return f'rule family="{rule.family}"{source} {what} accept'


class Policy(NamedTuple):
    """A policy as firewalld has it. complete: packets from everywhere to this host come through it, at its place among the others."""

    rules: set[Rule]
    complete: bool


def parse(text: str, priority: int) -> Policy:
    """What --info-policy says. Rich rules that this collection would not write are left alone."""
    entries = dict(line.strip().split(":", 1) for line in text.splitlines() if re.match(r"  [a-z-]+:", line))
    entries = {name: value.strip() for name, value in entries.items()}
    rules = set()
    for line in map(str.strip, text.splitlines()):
        match = RICH.fullmatch(line)
        if match:
            port = int(match["port"] or 0)
            rules.add(Rule(match["family"], match["source"] or "", "tcp" if port else "vrrp", port))
    wanted = {"ingress-zones": "ANY", "egress-zones": "HOST", "priority": str(priority)}
    return Policy(rules, all(entries.get(name) == value for name, value in wanted.items()))


def lasting(text: str, mine: Iterable[str]) -> list[str]:
    """What --list-all-zones or --list-all-policies says, without our own policies and what is true only of a running firewalld: interfaces, who is active."""
    kept = []
    name = ""
    for line in text.splitlines():
        if line and not line[0].isspace():
            line = re.sub(r" \([a-z, ]+\)$", "", line)
            name = line
        if line.strip() and name not in mine and not line.startswith("  interfaces:"):
            kept.append(line)
    return kept


def of(name: str, rules: Iterable[Rule]) -> list[Rule]:
    """Those of the rules that belong into this policy."""
    return [rule for rule in rules if bool(rule.source) != name.endswith("-any")]


class Firewalld:
    """The host's firewalld. run: that of _host."""

    name = "firewalld"
    others: frozenset[Rule] = frozenset()

    def __init__(self, run: Any, owner: str) -> None:
        self.run = run
        self.owner = owner
        done = run(["firewall-cmd", "--state"])
        if done.code:
            why = "not installed" if done.code == NO_SUCH_PROGRAM else "not running"
            raise Refusal(
                f"firewall: firewalld is not allowed here, since it is {why} (allowed: a firewall that the host has)."
            )
        self.priorities = policies(owner)
        self.permanent = {name: self.read(name, "--permanent") for name in self.priorities}
        self.running = {name: self.read(name) for name in self.priorities}
        whole, some = set(), set()
        for name in self.priorities:
            kept, now = self.permanent[name], self.running[name]
            if kept.complete and now.complete:
                whole |= kept.rules & now.rules
            some |= kept.rules | now.rules
        self.ours = Ours(whole, some)

    def ask(self, *options: str) -> Any:
        return self.run(["firewall-cmd", *options], timeout=60)

    def do(self, *options: str) -> None:
        done = self.ask(*options)
        if done.code:
            raise Refusal(f"firewall-cmd {' '.join(options)}: {(done.errors or done.output).strip() or done.code}")

    def read(self, name: str, *where: str) -> Policy:
        done = self.ask(*where, f"--info-policy={name}")
        if done.code and "INVALID_POLICY" not in done.errors + done.output:
            raise Refusal(
                f"firewall: firewalld has no policies here (allowed: firewalld 0.9 and later; {done.errors.strip()})"
            )
        return parse("" if done.code else done.output, self.priorities[name])

    def unloaded(self, change: Change) -> list[str]:
        """Policies that are to be made, or that the running firewalld does not have as they are: a reload alone brings them there."""
        return [
            name
            for name in self.priorities
            if (of(name, change.add) or self.permanent[name].rules)
            and not (self.permanent[name].complete and self.running[name].complete)
        ]

    def check(self, change: Change) -> None:
        """A reload would drop rules of others that are in the running firewalld only."""
        for what in ("--list-all-zones", "--list-all-policies") if self.unloaded(change) else ():
            mine = self.priorities
            if lasting(self.ask(what).output, mine) != lasting(self.ask("--permanent", what).output, mine):
                raise Refusal(
                    "firewall: firewalld has to be reloaded for a new policy, and has rules that a reload would drop or bring back, since it runs with "
                    "others than it keeps (firewall-cmd --runtime-to-permanent keeps the running ones, firewall-cmd --reload takes the kept ones)."
                )

    def apply(self, change: Change) -> None:
        fresh = self.unloaded(change)
        for name in self.priorities:
            if name in fresh:
                self.make(name)
            self.edit(name, change, self.permanent[name].rules, "--permanent")
            if name not in fresh:
                self.edit(name, change, self.running[name].rules)
        if fresh:
            self.do("--reload")

    def make(self, name: str) -> None:
        """A policy with its place. Each option is a command: firewall-cmd takes one of these at a time. What is there already is no error."""
        if name not in self.ask("--permanent", "--get-policies").output.split():
            self.do("--permanent", f"--new-policy={name}")
        for option in (
            f"--set-description={self.owner}",
            "--add-ingress-zone=ANY",
            "--add-egress-zone=HOST",
            f"--set-priority={self.priorities[name]}",
        ):
            self.do("--permanent", f"--policy={name}", option)

    def edit(self, name: str, change: Change, there: set[Rule], *where: str) -> None:
        more = [f"--add-rich-rule={rich(rule)}" for rule in of(name, change.add) if rule not in there]
        less = [f"--remove-rich-rule={rich(rule)}" for rule in of(name, change.remove) if rule in there]
        for options in filter(None, (more, less)):
            self.do(*where, f"--policy={name}", *options)
