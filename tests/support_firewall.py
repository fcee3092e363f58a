# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Firewalls of the lab's hosts for the tests of ports: installed, with rules of somebody else's, switched on, and taken away again."""

from __future__ import annotations

import json
import subprocess
from typing import NamedTuple

from support import ROOT, Lab, wait_for

SCAN = ROOT / "tests" / "support_scan.py"
# What somebody else runs on each host: SSH, and a service that they have admitted; and one that nobody has.
SSH, THEIRS, CLOSED = 22, 8081, 8082
# All that could listen on one of the lab's hosts.
KNOWN = (SSH, THEIRS, CLOSED, 3306, 6032, 6033, 6070, 6080, 6132, 6133, 33060, 33061, 33062)
# Listens on IPv4 and IPv6 where nothing else does. On IPv6 also in the place of SQL, which the lab serves on IPv4.
LISTEN = """
import socket, sys, time
kept = []
for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    for port in map(int, sys.argv[1:]):
        one = socket.socket(family)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            one.bind((address, port))
        except OSError:
            continue
        one.listen()
        kept.append(one)
while True:
    time.sleep(60)
"""
UNIT = "ports-test"
# Who sends VRRP to this host, as the host's own programs hear it, until there is one of everyone who is expected or the time is over.
HEAR = """
import select, socket, sys, time
kinds = {4: socket.AF_INET, 6: socket.AF_INET6}
socks = [socket.socket(family, socket.SOCK_RAW, 112) for family in kinds.values()]
print("ready", flush=True)
heard, end = set(), time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    for one in select.select(socks, [], [], 0.1)[0]:
        heard.add(one.recvfrom(2048)[1][0])
print(*sorted(heard), flush=True)
"""
SEND = """
import socket, sys
for there in sys.argv[1:]:
    one = socket.socket(socket.AF_INET6 if ":" in there else socket.AF_INET, socket.SOCK_RAW, 112)
    for _time in range(3):
        one.sendto(bytes([0x31, 99, 1, 0, 0, 0, 0, 0]), (there, 0))
"""
NFT = """#!/usr/sbin/nft -f
flush ruleset
table inet filter {
	chain input {
		type filter hook input priority filter; policy %s;
		ct state established,related accept
		iifname "lo" accept
		meta l4proto ipv6-icmp accept
		tcp dport { 22, 8081 } accept
	}
}
"""


class Firewall(NamedTuple):
    """kind: as the roles call it; package; on: what switches it on, with the others' rules; off: what leaves nothing of it; settings: of the roles."""

    kind: str
    package: str
    on: str
    off: str
    settings: dict
    # Whether the host's own rules close what nobody has admitted.
    closes: bool = True


def nftables(policy: str, **settings: str) -> Firewall:
    return Firewall(
        "nftables",
        "nftables",
        f"cat >/etc/nftables.conf <<'END'\n{NFT % policy}END\nsystemctl enable nftables 2>&1; systemctl restart nftables",
        "systemctl disable --now nftables 2>&1; nft flush ruleset; rm -rf /etc/nftables.d /etc/nftables.conf",
        settings,
        closes=policy == "drop",
    )


FIREWALLS = {
    "ufw": Firewall(
        "ufw",
        "ufw",
        # A deny that is there before: what is admitted has to come before it.
        f"ufw allow {SSH}/tcp; ufw allow {THEIRS}/tcp; ufw deny 3306/tcp; ufw deny 33061/tcp; ufw --force enable",
        "ufw --force disable; ufw --force reset; rm -f /etc/ufw/*.rules.20*",
        {},
    ),
    "firewalld": Firewall(
        "firewalld",
        "firewalld",
        f"systemctl enable --now firewalld 2>&1; firewall-cmd --permanent --add-port={SSH}/tcp --add-port={THEIRS}/tcp; "
        "firewall-cmd --permanent --add-rich-rule='rule port port=3306 protocol=tcp reject'; firewall-cmd --reload",
        "systemctl disable --now firewalld 2>&1; rm -rf /etc/firewalld/policies/* /etc/firewalld/zones/*",
        {},
    ),
    "nftables": nftables("accept"),
    "nftables_drop": nftables(
        "drop", mysql_gr_firewall_chain="inet filter input", proxysql_firewall_chain="inet filter input"
    ),
}


class Hosts:
    """The lab's hosts, seen from outside and from each other."""

    def __init__(self, lab: Lab, names: tuple[str, ...]) -> None:
        self.lab = lab
        self.names = names
        self.four = {name: lab.command("lab/host", "address", name).stdout.strip() for name in names}
        self.six = {name: self.address6(name) for name in names}
        # The lab's own namespace is a host that no inventory names.
        self.outside4 = self.four[names[0]].rpartition(".")[0] + ".1"
        self.outside6 = self.six[names[0]].rpartition(":")[0] + ":1"

    def address6(self, name: str) -> str:
        shown = json.loads(self.lab.on(name, "ip", "-6", "-j", "address", "show", "dev", "eth0", "scope", "global"))
        return shown[0]["addr_info"][0]["local"]

    def shell(self, script: str, timeout: float = 300) -> None:
        """On all of them at the same time."""
        running = [
            subprocess.Popen(
                ["lab/podman", "exec", name, "sh", "-c", script], cwd=ROOT, env=self.lab.env, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )
            for name in self.names
        ]  # fmt: skip
        for name, process in zip(self.names, running):
            output, _nothing = process.communicate(timeout=timeout)
            assert process.returncode == 0, f"{name}: {script}\n{output[-2000:]}"

    def listen(self) -> None:
        ports = " ".join(map(str, (SSH, THEIRS, CLOSED, 3306, 6032, 6033)))
        self.shell(f"systemd-run --quiet --unit={UNIT} python3 -c '{LISTEN}' {ports}")
        for name in self.names:
            wait_for(lambda name=name: f":{CLOSED}" in self.lab.on(name, "ss", "-Hltn"), 10, f"listeners on {name}")

    def vrrp(self, target: str, *senders: str) -> set[str]:
        """From which addresses VRRP gets to programs of this host; "" is outside of the lab's hosts."""
        addresses = [self.four[target], self.six[target]]
        command = ["lab/podman", "exec", target, "python3", "-c", HEAR, "4"]
        with subprocess.Popen(
            command, cwd=ROOT, env=self.lab.env, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        ) as hearing:
            assert hearing.stdout is not None and hearing.stdout.readline().strip() == "ready"
            for sender in senders:
                if sender:
                    self.lab.on(sender, "python3", "-c", SEND, *addresses)
                else:
                    self.lab.command("lab/enter", "python3", "-c", SEND, *addresses)
            return set(hearing.stdout.read().split())

    def scan(self, source: str, *names: str, every: bool = False) -> dict[str, tuple[set[int], set[int]]]:
        """Open ports of these hosts, on IPv4 and IPv6. source: a host of the lab, or "" for outside of it; every: not only what could listen."""
        addresses = [address for name in names for address in (self.four[name], self.six[name])]
        arguments = [*([] if every else ["--ports", ",".join(map(str, KNOWN))]), *addresses]
        if source:
            text = self.lab.give(source, f"python3 - {' '.join(arguments)}", SCAN.read_text(), timeout=120)
        else:
            text = self.lab.command("lab/enter", "python3", str(SCAN), *arguments, timeout=300).stdout
        found = json.loads(text.splitlines()[-1])
        return {name: (set(found[self.four[name]]), set(found[self.six[name]])) for name in names}
