# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model of servers in groups, with crashes, cut networks, clients that write, and guards and playbooks that act on what they can see.

What is modelled of Group Replication: a view is agreed on by a majority of the view before; who is alone with a minority stands still; whatever
a client was told is committed is on the disk of the member that it wrote to, and in the memory of all that were reachable then.
"""

from __future__ import annotations

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import Entry, ServerFacts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.rules import Host, decide_guard
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.member_rules import decide
from gr_model import GROUP, facts_of, gone

BOOT = "group_replication_start_on_boot"


class Server:
    """One server and its guard."""

    def __init__(self, number):
        self.number, self.address = number, f"db{number}:3306"
        self.uuid = f"0000000{number}-aaaa-bbbb-cccc-dddddddddddd"
        self.up, self.frozen, self.net = True, False, 0
        self.life = 0  # its incarnation
        self.disk, self.memory = {1}, set()  # transactions
        self.group, self.view, self.error = 0, {}, False  # view: {number: life}; empty: in no group
        self.lock = None  # who holds it
        self.bootstrapping = ()  # on which servers it holds the lock meanwhile
        self.guard, self.taken_out = True, False
        self.seen = ()  # the last view that its guard noted

    @property
    def transactions(self):
        return self.disk | self.memory


class World:
    """All servers; every step is one event."""

    def __init__(self, random, count=3, rules=None, mode="full", without=()):
        self.random, self.rules, self.mode = random, rules, mode
        self.events = [event for event in self.EVENTS if event[1] not in without]
        self.servers = [Server(number) for number in range(count)]
        self.members = [server.address for server in self.servers]
        self.groups, self.last = 0, 1
        self.acknowledged = {1}
        self.journal = []
        for server in self.servers:
            server.view = {other.number: 0 for other in self.servers}

    # -- who reaches whom ----------------------------------------------------------------------------------------------
    @staticmethod
    def reaches(one, other):
        return one is other or (other.up and not other.frozen and one.net == other.net)

    def together(self, server):
        """Those of its view with which it is in touch, itself included."""
        return [
            other
            for other in self.servers
            if other.view == server.view
            and other.group == server.group
            and server.view.get(other.number) == other.life
            and self.reaches(server, other)
            and other.up
        ]

    def has_quorum(self, server):
        return (
            bool(server.view) and server.up and not server.frozen and 2 * len(self.together(server)) > len(server.view)
        )

    def living(self):
        """The groups that can commit, by name."""
        return {server.group for server in self.servers if self.has_quorum(server)}

    # -- what happens to them ------------------------------------------------------------------------------------------
    def crash(self, server):
        self.release(server)
        server.up, server.frozen, server.view, server.error = False, False, {}, False
        # What had been received was partly written.
        server.disk |= {number for number in server.memory if self.random.random() < 0.7}
        server.memory = set()

    def boot(self, server):
        if not server.up:
            server.up, server.life, server.lock = True, server.life + 1, None

    def freeze(self, server):
        server.frozen = server.up and not server.frozen

    def cut(self, _server):
        for server in self.servers:
            server.net = self.random.randrange(3)
            for number in server.bootstrapping:
                # A lock ends with its connection.
                other = self.servers[number]
                if not self.reaches(server, other) and self.random.random() < 0.5:
                    other.lock = None if other.lock == server.number else other.lock

    def heal(self, _server):
        for server in self.servers:
            server.net = 0

    def leave(self, server):
        """Somebody takes it out, as the module does: the others keep their majority."""
        if (
            not self.has_quorum(server)
            or len(server.view) < 3
            or 2 * (len(self.together(server)) - 1) <= len(server.view) - 1
        ):
            return
        rest = {number: life for number, life in server.view.items() if number != server.number}
        for other in self.together(server):
            other.memory |= server.transactions
            other.view = dict(rest)
        server.view, server.taken_out = {}, True

    def take_in(self, server):
        server.taken_out = False

    def write(self, server):
        """A client writes here and is told that it is committed."""
        if self.has_quorum(server) and not server.taken_out:
            self.last += 1
            server.disk.add(self.last)
            for other in self.together(server):
                other.memory.add(self.last)
            self.acknowledged.add(self.last)

    def flush(self, server):
        server.disk |= server.memory

    def switch_guard(self, server):
        server.guard = not server.guard

    def look_at_view(self, server):
        if server.view and server.up:
            server.seen = tuple(f"db{number}:3306" for number in server.view)

    # -- what a group does by itself -----------------------------------------------------------------------------------
    def group_goes_on(self, server):
        """Those in touch expel whom they miss, if they are a majority; who was expelled learns it; who waits for long without a majority gives up."""
        if not server.view or not server.up or server.frozen:
            return
        inside = self.together(server)
        if 2 * len(inside) > len(server.view):
            if len(inside) < len(server.view):
                everything = set().union(*[one.transactions for one in inside])
                for one in inside:
                    one.memory |= everything
                    one.view = {other.number: other.life for other in inside}
            return
        newer = [
            o
            for o in self.servers
            if self.reaches(server, o) and self.has_quorum(o) and o.view.get(server.number) != server.life
        ]
        if newer or self.random.random() < 0.3:
            server.view, server.error = {}, True

    # -- what is seen --------------------------------------------------------------------------------------------------
    def facts(self, me):
        return {other.address: self.facts_of(me, other) for other in self.servers}

    def facts_of(self, me, server) -> ServerFacts:
        if not self.reaches(me, server) or not server.up:
            return gone(server.address)
        inside = [one.number for one in self.together(server)]
        view = {
            self.servers[number].uuid: Entry(
                f"db{number}", 3306, "ONLINE" if number in inside else "UNREACHABLE", "PRIMARY", "9.7.4"
            )
            for number in server.view
        }
        held = server.lock is not None and server.lock != me.number
        return facts_of("db0:3306")._replace(
            address=server.address, server_uuid=server.uuid, server_id=130 + server.number, hostname=f"db{server.number}",
            report_host=f"db{server.number}", state="ONLINE" if view else "ERROR" if server.error else "OFFLINE", view=view,
            role="PRIMARY" if view else "", gtid_executed=sets(server.disk), received=sets(server.memory), start_on_boot=False,
            persisted={BOOT: "OFF"} if server.taken_out else {}, bootstrap_flag=bool(server.bootstrapping), lock_held_by_other=held,
        )  # fmt: skip

    # -- guards and playbooks ------------------------------------------------------------------------------------------
    def guard(self, server):
        if server.guard and server.up and not server.frozen and not server.bootstrapping:
            self.act(server, lambda facts: decide_guard(
                self.members, facts, server.address, GROUP, Host(mode=self.mode, view=server.seen), self.rules))  # fmt: skip

    def playbook(self, server):
        """group_replication_bootstrap on this member, for all or with --limit."""
        if server.up and not server.frozen and not server.bootstrapping and not server.taken_out:
            acting = [one.address for one in self.servers if one is server or self.random.random() < 0.8]
            self.act(server, lambda facts: decide(self.members, facts, server.address, acting, {"group_name": GROUP}))

    def act(self, server, decided):
        decision = decided(self.facts(server))
        if decision.action not in ("join", "bootstrap", "end_partition", "stop"):
            return
        where = (
            [server]
            if decision.action in ("join", "stop")
            else [one for one in self.servers if self.reaches(server, one) and one.up]
        )
        if any(one.lock is not None for one in where):
            return
        self.journal.append(f"{server.address}: {decision.action} ({decision.rule})")
        if decision.action == "join":
            self.join(server)
        elif decision.action == "end_partition":
            server.view = {}
        elif decision.action == "stop":
            # By the statement, or by the end of the server; what had been received long ago is on its disk.
            server.error = False
            server.disk |= server.memory
            if self.random.random() < 0.5:
                self.crash(server)
                self.boot(server)
        else:
            # It takes a while, and much may happen meanwhile.
            server.bootstrapping = tuple(one.number for one in where)
            for one in where:
                one.lock = server.number

    def join(self, server):
        hosts = [one for one in self.servers if self.reaches(server, one) and self.has_quorum(one)]
        if not hosts or server.number in hosts[0].view:
            return
        inside = self.together(hosts[0])
        view = {**hosts[0].view, server.number: server.life}
        server.group, server.error = hosts[0].group, False
        server.memory |= set().union(*[one.transactions for one in inside])
        for one in (*inside, server):
            one.view = dict(view)

    def finish(self, server):
        """The START with the bootstrap flag has success."""
        if server.bootstrapping and server.up and not server.frozen:
            self.release(server)
            self.groups += 1
            server.group, server.view, server.error = self.groups, {server.number: server.life}, False

    def release(self, server):
        for number in server.bootstrapping:
            other = self.servers[number]
            other.lock = None if other.lock == server.number else other.lock
        server.bootstrapping = ()

    # -- a history -----------------------------------------------------------------------------------------------------
    # How often, and what.
    EVENTS = (
        (12, "guard"), (6, "finish"), (6, "write"), (5, "group_goes_on"), (4, "boot"), (3, "crash"), (3, "look_at_view"), (2, "heal"), (2, "flush"),
        (2, "playbook"), (1, "cut"), (1, "freeze"), (1, "switch_guard"), (1, "leave"), (1, "take_in"),
    )  # fmt: skip

    def step(self):
        weights, names = zip(*self.events)
        name = self.random.choices(names, weights)[0]
        server = self.random.choice(self.servers)
        self.journal.append(f"{name} {server.address}")
        getattr(self, name)(server)
        for one in self.servers:
            # Clients go on writing, wherever they can.
            if ("write" in names) and self.random.random() < 0.1:
                self.write(one)

    def power_cut(self):
        for server in self.servers:
            self.crash(server)

    def calm(self, rounds=40):
        """No more faults: everybody is there, and the guards work."""
        self.heal(None)
        for server in self.servers:
            server.frozen, server.guard, server.taken_out = False, True, False
            self.boot(server)
        for _round in range(rounds):
            for name in ("look_at_view", "group_goes_on", "guard", "finish", "flush"):
                for server in self.servers:
                    getattr(self, name)(server)

    def lost(self):
        """Acknowledged transactions that the living group does not have, if there is one."""
        living = [server for server in self.servers if self.has_quorum(server)]
        return self.acknowledged - set().union(*[server.transactions for server in living]) if living else set()


def sets(numbers):
    return f"{GROUP}:" + ":".join(map(str, sorted(numbers))) if numbers else ""
