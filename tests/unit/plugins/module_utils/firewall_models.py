# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models of the three firewalls: what their commands change, and what they say of it. What the real ones do is tested on the lab."""

from __future__ import annotations

import re
import shlex

from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import Done

OK = Done(0, "", "")


class Host:
    """Programs and files of a host. calls: the commands that were run."""

    missing: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.calls: list[str] = []

    def run(self, command, timeout=20, env=None, stdin=None):
        self.calls.append(shlex.join(command))
        if command[0] in self.missing:
            return Done(127, "", f"there is no {command[0]}")
        return self.answer(list(command[1:]), stdin) if command[0] == self.program else OK

    def read(self, path, limit=0):
        return self.files.get(path, "")


class Ufw(Host):
    """Keeps its rules as the real one does, in the order of the files."""

    program = "ufw"
    refuses = ""

    def __init__(self, *tuples: str) -> None:
        super().__init__()
        self.rules = {4: [], 6: []}
        for line in tuples:
            self.rules[6 if ":" in line.split("comment")[0] else 4].append(line)
        self.save()

    def save(self):
        for version, path in ((4, "/etc/ufw/user.rules"), (6, "/etc/ufw/user6.rules")):
            self.files[path] = "*filter\n" + "".join(f"### tuple ### {line}\n-A x\n\n" for line in self.rules[version])

    def answer(self, words, stdin):
        if words == ["version"]:
            return Done(0, "ufw 0.36.2\n", "")
        dry = words[0] == "--dry-run"
        words = words[1:] if dry else words
        if self.refuses and self.refuses in words:
            return Done(1, "", "ERROR: Unsupported protocol\n")
        comment = words[words.index("comment") + 1] if "comment" in words else ""
        verb = words[0] if words[0] in ("prepend", "delete") else "append"
        source, protocol = words[words.index("from") + 1], words[words.index("proto") + 1]
        version = 6 if ":" in source else 4
        everyone = "::/0" if version == 6 else "0.0.0.0/0"
        port = words[words.index("port") + 1] if "port" in words else "any"
        rule = f"allow {protocol} {port} {everyone} any {source} in"
        if dry:
            return OK
        if verb == "delete":
            self.rules[version] = [line for line in self.rules[version] if line.split(" comment=")[0] != rule]
        else:
            line = rule + (f" comment={comment.encode().hex()}" if comment else "")
            self.rules[version].insert(0 if verb == "prepend" else len(self.rules[version]), line)
        self.save()
        return OK


class Firewalld(Host):
    """Permanent and running policies; a reload makes the running ones the permanent ones."""

    program = "firewall-cmd"

    def __init__(self, running=True) -> None:
        super().__init__()
        self.running = running
        self.zones = {True: "public (default, active)\n  interfaces: eth0\n  services: ssh\n", False: ""}
        self.zones[False] = "public (default)\n  interfaces: \n  services: ssh\n"
        self.now: dict[str, dict] = {}
        self.kept: dict[str, dict] = {}
        self.reloads = 0

    def answer(self, words, stdin):
        if words == ["--state"]:
            return OK if self.running else Done(252, "", "not running")
        if words == ["--reload"]:
            self.reloads += 1
            self.now = {name: dict(policy, rules=set(policy["rules"])) for name, policy in self.kept.items()}
            return OK
        permanent = "--permanent" in words
        there = self.kept if permanent else self.now
        options = [tuple(word.lstrip("-").partition("=")[::2]) for word in words if word != "--permanent"]
        name = dict(options).get("policy", "")
        for option, value in options:
            if option == "list-all-zones":
                return Done(0, self.zones[not permanent], "")
            if option == "list-all-policies":
                shown = "".join(
                    f"{name}{' (active)' if not permanent else ''}\n  target: CONTINUE\n\n" for name in there
                )
                return Done(0, "allow-host-ipv6\n  target: CONTINUE\n\n" + shown, "")
            if option == "get-policies":
                return Done(0, " ".join(there), "")
            if option == "info-policy":
                if value not in there:
                    return Done(140, "", f"Error: INVALID_POLICY: {value}")
                policy = there[value]
                lines = [
                    f"{value} (active)",
                    f"  priority: {policy['priority']}",
                    f"  ingress-zones: {policy['ingress']}",
                ]
                lines += [
                    f"  egress-zones: {policy['egress']}",
                    "  rich rules: ",
                    *(f"\t{rule}" for rule in sorted(policy["rules"])),
                ]
                return Done(0, "\n".join(lines), "")
            if option == "new-policy":
                there[value] = dict(priority="-1", ingress="", egress="", rules=set())
            elif option in ("add-ingress-zone", "add-egress-zone"):
                there[name][option[4:-5]] = value
            elif option == "set-priority":
                there[name]["priority"] = value
            elif option == "add-rich-rule":
                there[name]["rules"].add(value)
            elif option == "remove-rich-rule":
                there[name]["rules"].remove(value)
        return OK


class Nftables(Host):
    """Tables as text, by their name; a chain of the host's own with the jumps in it."""

    program = "nft"
    enabled = True

    def __init__(self, policy="accept") -> None:
        super().__init__()
        self.files["/etc/nftables.conf"] = "#!/usr/sbin/nft -f\nflush ruleset"
        self.policy = policy
        self.loaded: dict[str, str] = {}
        self.jumps: list[tuple[str, str]] = []
        self.branches: dict[str, list[str]] = {}
        self.refuses = ""

    def run(self, command, timeout=20, env=None, stdin=None):
        if command[0] == "systemctl":
            return Done(0 if self.enabled else 1, "", "")
        return super().run(command, timeout, env, stdin)

    def answer(self, words, stdin):
        gone = Done(1, "", "Error: No such file or directory")
        if words == ["--version"]:
            return OK
        if "-f" in words:
            if self.refuses:
                return Done(1, "", self.refuses)
            if "--check" not in words:
                self.load(stdin)
            return OK
        if words == ["list", "chains"]:
            own = f"table inet filter {{\n\tchain input {{\n\t\ttype filter hook input priority filter; policy {self.policy};\n\t}}\n}}\n"
            return Done(0, own + "".join(f"table inet {name} {{\n}}\n" for name in self.loaded), "")
        if words[:2] == ["list", "table"]:
            return Done(0, self.loaded[words[-1]], "") if words[-1] in self.loaded else gone
        if words[:3] == ["-a", "list", "chain"]:
            mine = [
                f"\t\tjump {name} # handle {handle}"
                for handle, (name, chain) in enumerate(self.jumps)
                if chain == " ".join(words[3:])
            ]
            return Done(0, "\n".join(mine), "")
        return Done(0, "\n".join(self.branches[words[-1]]), "") if words[-1] in self.branches else gone

    def load(self, text):
        for match in re.finditer(r"^table inet (\w+) \{\n(?:\t.*\n)+\}\n", text, re.MULTILINE):
            listing = match[0].replace("priority -10", "priority filter - 10").replace("l4proto 112", "l4proto vrrp")
            self.loaded[match[1]] = listing
        for line in text.splitlines():
            words = line.split()
            if line.startswith("flush chain"):
                self.branches[words[-1]] = []
            elif line.startswith("add rule"):
                self.branches[words[4]].append(" ".join(words[5:]))
            elif line.startswith("insert rule"):
                self.jumps.append((words[-1], " ".join(words[2:5])))
            elif line.startswith("delete rule"):
                self.jumps[int(words[-1])] = ("", "")
            elif line.startswith("delete chain"):
                del self.branches[words[-1]]
