# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nftables: a table of the owner's own, in a file of its own that nftables' configuration includes.

In nftables a packet that one table accepts goes on to the next one, and one that any table drops is gone. So the table closes: of the owner's ports,
everything is dropped that is not admitted; other ports, and other tables, are left alone. It cannot open what another table drops. Where the rules of
the host drop by default, their chain is named (option chain): it gets a jump, before its other rules, to a chain of the owner's.

Private to this collection.
"""

from __future__ import annotations

import os
import re
from typing import Any, Iterable, NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._firewall.rules import (
    IPV4,
    IPV6,
    TCP,
    VRRP,
    Ours,
    Rule,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import NO_SUCH_PROGRAM
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

FOLDER = "/etc/nftables.d"
# Debian's, then Red Hat's.
MAIN_FILES = ("/etc/nftables.conf", "/etc/sysconfig/nftables.conf")
SADDR = {IPV4: "ip saddr", IPV6: "ip6 saddr"}
ACCEPT = re.compile(
    r"(?:meta nfproto (?P<family>ipv[46])|ip6? saddr (?P<source>\S+)) (?:tcp dport (?P<port>\d+)|meta l4proto (?:vrrp|112)) accept"
)
CHAIN = re.compile(r"(inet|ip|ip6) [A-Za-z_][\w.-]* [A-Za-z_][\w.-]*")
FAMILIES = {"inet": (IPV4, IPV6), "ip": (IPV4,), "ip6": (IPV6,)}


class Place(NamedTuple):
    """Where the owner's rules are: name of its table and chain, its file, the host's own chain (or '') and the ports that are its own."""

    name: str
    path: str
    chain: str
    ports: tuple[int, ...]


def place(owner: str, chain: str, ports: Iterable[int]) -> Place:
    """Refusal where chain is none."""
    if chain and not CHAIN.fullmatch(chain):
        raise Refusal(
            f"chain: '{chain}' is not allowed (allowed: family, table and name of a chain, such as inet filter input)"
        )
    name = re.sub(r"\W+", "_", owner)
    return Place(name, os.path.join(FOLDER, f"{name}.nft"), chain, tuple(sorted(set(ports))))


def text_of(rule: Rule) -> str:
    source = f"{SADDR[rule.family]} {rule.source}" if rule.source else f"meta nfproto {rule.family}"
    return f"{source} {f'tcp dport {rule.port}' if rule.port else 'meta l4proto 112'} accept"


def table(where: Place, rules: Sequence[Rule]) -> str:
    """The owner's own table. Connections that exist go on."""
    # An empty set is a syntax error.
    gate = [f"tcp dport {{ {', '.join(map(str, where.ports))} }} jump admitted"] if where.ports else []
    body = ["ct state established,related accept", 'iifname "lo" accept', *gate]
    admitted = [*(text_of(rule) for rule in rules if rule.protocol == TCP), "drop"]
    return "".join(
        f"{line}\n"
        for line in (
            # Loading it twice is loading it once.
            f"table inet {where.name}",
            f"delete table inet {where.name}",
            f"table inet {where.name} {{",
            "\tchain input {",
            "\t\ttype filter hook input priority -10; policy accept;",
            *(f"\t\t{line}" for line in body),
            "\t}",
            "\tchain admitted {",
            *(f"\t\t{line}" for line in admitted),
            "\t}",
            "}",
        )
    )


def branch(where: Place, rules: Sequence[Rule]) -> str:
    """The chain of the owner's beside the host's own one; '' where none is named."""
    if not where.chain:
        return ""
    family, other, _name = where.chain.split()
    mine = f"{family} {other} {where.name}"
    lines = [f"add chain {mine}", f"flush chain {mine}"]
    lines += [f"add rule {mine} {text_of(rule)}" for rule in rules if rule.family in FAMILIES[family]]
    return "".join(f"{line}\n" for line in lines)


def jump(where: Place) -> str:
    return f"insert rule {where.chain} jump {where.name}\n" if where.chain else ""


def file_text(where: Place, owner: str, rules: Sequence[Rule]) -> str:
    head = f"# {owner}: written by distdb.mysql_ha, which overwrites it.\n"
    return head + table(where, rules) + branch(where, rules) + jump(where)


def parse(text: str) -> list[Rule]:
    """What is accepted in a listing or a file."""
    found = []
    for match in map(ACCEPT.search, text.splitlines()):
        if match:
            source = match["source"] or ""
            family = match["family"] or (IPV6 if ":" in source else IPV4)
            port = int(match["port"] or 0)
            found.append(Rule(family, source, TCP if port else VRRP, port))
    return found


def shape(text: str) -> list[str]:
    """A table as it is compared: its lines, however nft or we write them."""
    plain = (line.replace("priority filter - 10", "priority -10") for line in text.splitlines())
    lines = [" ".join(line.replace("l4proto vrrp", "l4proto 112").split()) for line in plain]
    # Handles are comments; nft writes no braces around one port.
    lines = [re.sub(r"\{ (\d+) \}", r"\1", re.sub(r" ?#.*", "", line)) for line in lines]
    return [
        line
        for line in lines
        if line and not line.startswith("delete table") and not re.fullmatch(r"table inet \w+", line)
    ]


def handles(listing: str, name: str) -> list[str]:
    """The handles of jumps to the owner's chain, in 'nft -a list chain'."""
    return re.findall(rf"^\s*jump {re.escape(name)} # handle (\d+)$", listing, re.MULTILINE)


def includes(text: str, path: str) -> bool:
    """Whether nftables' configuration includes this file."""
    folder = os.path.dirname(path)
    wanted = (f"{folder}/*.nft", f"{folder}/*", path)
    return any(re.match(rf'\s*include\s+"{re.escape(name)}"', line) for line in text.splitlines() for name in wanted)


class Nftables:
    """The host's nftables. run and read: those of _host; write: (path, text) → None."""

    name = "nftables"
    others: frozenset[Rule] = frozenset()

    def __init__(self, run: Any, read: Any, write: Any, owner: str, where: Place) -> None:
        self.run, self.read, self.write, self.owner, self.where = run, read, write, owner, where
        self.main = next((path for path in MAIN_FILES if read(path)), "")
        if run(["nft", "--version"]).code == NO_SUCH_PROGRAM or not self.main:
            raise Refusal(
                "firewall: nftables is not allowed here, since it is not installed, or without a file that it reads when it starts "
                f"(allowed: a firewall that the host has; looked for: nft, {', '.join(MAIN_FILES)})."
            )
        self.before = read(where.path)
        self.live = self.shown("list", "table", "inet", where.name)
        self.refuse_what_would_not_open()
        self.ours = Ours(set(parse(self.before)), set(parse(self.before)) | set(parse(self.live)))

    def shown(self, *command: str) -> str:
        """What nft shows; '' where there is none."""
        done = self.run(["nft", *command])
        if done.code and "No such file" not in done.errors:
            raise Refusal(f"nft {' '.join(command)}: {done.errors.strip() or done.code}")
        return "" if done.code else done.output

    def refuse_what_would_not_open(self) -> None:
        """A chain of the host that drops by default, and is not named, would drop what is admitted."""
        listing = self.shown("list", "chains")
        if "table inet firewalld {" in listing:
            raise Refusal("firewall: nftables is not allowed here, since firewalld runs (allowed: firewalld)")
        chains = re.findall(
            r"^table (\w+) (\S+) \{|^\tchain (\S+) \{\n\t\ttype filter hook input [^;]*; policy drop;",
            listing,
            re.MULTILINE,
        )
        table_of = ("", "")
        closed = []
        for family, name, chain in chains:
            table_of = (family, name) if family else table_of
            if chain:
                closed.append(f"{table_of[0]} {table_of[1]} {chain}")
        if closed and self.where.chain not in closed:
            raise Refusal(
                f"chain: '{self.where.chain}' is not allowed here (allowed: {', '.join(closed)}, which drops by default: what is admitted has to be "
                "accepted there, too)"
            )

    def settled(self, rules: Sequence[Rule]) -> bool:
        """Whether everything is as it is to be: file, what includes it, and what is loaded."""
        return (
            self.before == file_text(self.where, self.owner, rules)
            and includes(self.read(self.main), self.where.path)
            and shape(self.live) == shape(table(self.where, rules))
            and self.branch_is(rules)
        )

    def branch_is(self, rules: Sequence[Rule]) -> bool:
        if not self.where.chain:
            return True
        family, other, _name = self.where.chain.split()
        shown = self.shown("list", "chain", family, other, self.where.name)
        wanted = [rule for rule in rules if rule.family in FAMILIES[family]]
        return bool(shown) and parse(shown) == wanted and len(self.jumps(self.where.chain)) == 1

    def jumps(self, chain: str) -> list[str]:
        return handles(self.shown("-a", "list", "chain", *chain.split()), self.where.name)

    def script(self, rules: Sequence[Rule]) -> str:
        """What brings the running rules there, in one transaction: also where a jump is there already, or in a chain that is no longer named."""
        lines = [table(self.where, rules), branch(self.where, rules)]
        old = re.search(rf"^insert rule (.+) jump {re.escape(self.where.name)}$", self.before, re.MULTILINE)
        stale = old.group(1) if old and old.group(1) != self.where.chain else ""
        for handle in self.jumps(stale) if stale else []:
            lines.append(f"delete rule {stale} handle {handle}\n")
        if lines[2:] and stale.split()[:2] != self.where.chain.split()[:2]:
            lines.append(f"delete chain {' '.join(stale.split()[:2])} {self.where.name}\n")
        if self.where.chain and not self.jumps(self.where.chain):
            lines.append(jump(self.where))
        return "".join(lines)

    def load(self, rules: Sequence[Rule], *options: str) -> None:
        done = self.run(["nft", *options, "-f", "-"], stdin=self.script(rules))
        if done.code:
            raise Refusal(
                f"nft refuses the rules: {done.errors.strip().splitlines()[0] if done.errors.strip() else done.code}"
            )

    def check(self, rules: Sequence[Rule]) -> None:
        self.load(rules, "--check")

    def apply(self, rules: Sequence[Rule]) -> None:
        """The file first: what is loaded is kept over a restart."""
        self.write(self.where.path, file_text(self.where, self.owner, rules))
        main = self.read(self.main)
        if not includes(main, self.where.path):
            newline = "" if main.endswith("\n") else "\n"
            self.write(self.main, f'{main}{newline}include "{FOLDER}/*.nft"\n')
        self.load(rules)

    def starts(self) -> bool:
        """Whether the rules are loaded at boot."""
        return bool(self.run(["systemctl", "is-enabled", "--quiet", "nftables"]).code == 0)
