# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model of servers in groups, with crashes, cut networks, clients that write, and guards and playbooks that act on what they can see.

What is modelled of Group Replication: a view is agreed on by a majority of the view before; who is alone with a minority stands still; whatever
a client was told is committed is on the disk of the member that it wrote to, and in the memory of all that were reachable then. A transaction gets the
first number that its group does not have, so that two groups give one number to two transactions; a member that has a number never gets another
transaction of it. Who leaves tells the others; who crashes does not. Guards look now and then: views come and go between two looks.
"""

from __future__ import annotations

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import Entry, ServerFacts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard import evidence
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.host import in_a_row
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.rules import Host, decide_guard
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.member_rules import decide
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.said import IN
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import Situation
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
        self.kept = evidence.Kept()  # by its guard, on the disk
        self.clean = False  # a server here was told to end since the last look that saw it in a group
        self.stalled = None  # the incarnation that executes nothing
        self.told = None  # the incarnation to whose peers its guard speaks
        self.clock, self.starts = 0, []  # ahead of the true time; by that clock

    @property
    def transactions(self):
        return self.disk | self.memory

    @property
    def process(self):
        return f"{self.number}/{self.life}"


class World:
    """All servers; every step is one event."""

    def __init__(
        self,
        random,
        count=3,
        rules=None,
        mode="full",
        without=(),
        evidence_wanted="all",
        more=(),
        broken="",
        playbooks=None,
        check=lambda world: None,
    ):
        """more: events beside EVENTS; broken: which assumption does not hold; playbooks: other rules than the modules'."""
        self.random, self.rules, self.mode, self.evidence = random, rules, mode, evidence_wanted
        self.broken, self.playbooks, self.now, self.check = broken, playbooks, 1000, check
        self.events = [event for event in (*self.EVENTS, *more) if event[1] not in without]
        self.names = {1: (GROUP, 1)}  # of transactions: UUID and number
        self.servers = [Server(number) for number in range(count)]
        self.members = [server.address for server in self.servers]
        self.groups, self.last = 0, 1
        self.acknowledged = {1}
        self.journal = []
        for server in self.servers:
            server.view = {other.number: 0 for other in self.servers}
            self.look_at_view(server)

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
        if self.broken != "watched" and server.guard and server.kept.state == IN and server.up and not server.view:
            # It left, and is there still when its guard looks next.
            self.look_at_view(server, frozen=True)
        self.end(server)

    def end(self, server):
        self.release(server)
        if self.broken == "kept":
            server.kept = evidence.Kept(**{**server.kept._asdict(), "promise": evidence.NOBODY})
        server.up, server.frozen, server.view, server.error = False, False, {}, False
        # What had been received was partly written.
        server.disk |= {number for number in server.memory if self.random.random() < 0.7}
        server.memory = set()

    def boot(self, server):
        if not server.up:
            server.up, server.life, server.lock = True, server.life + 1, None
            server.starts = [*server.starts, self.now + server.clock][-20:]

    def jump(self, server):
        """Its clock is set to some other time."""
        server.clock = self.random.choice((0, -5000, 5000, self.random.randrange(-100, 100)))

    def stall(self, server):
        """Until its next start it executes nothing."""
        if server.view:
            server.stalled = server.life

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

    def cut_one(self, server):
        """It alone is cut off."""
        self.cut(server)
        for other in self.servers:
            other.net = 1 if other is server else 0

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
            other.memory |= self.lacking(other, server.transactions)
            other.view = dict(rest)
        server.view, server.taken_out = {}, True

    def depart(self, server):
        """STOP GROUP_REPLICATION, by whomever: if it can tell them, the others go on without it, were it one alone."""
        rest = {number: life for number, life in server.view.items() if number != server.number}
        if self.has_quorum(server) and rest:
            for other in self.together(server):
                other.memory |= self.lacking(other, server.transactions)
                other.view = dict(rest)
        if server.up and not server.frozen:
            server.view = {}

    def stop(self, server):
        """The server is told to end: it leaves first."""
        if server.up and not server.frozen:
            self.depart(server)
            self.end(server)
            server.clean = True

    def take_in(self, server):
        server.taken_out = False

    def write(self, server):
        """A client writes here and is told that it is committed."""
        if self.has_quorum(server) and not server.taken_out:
            inside = self.together(server)
            taken = {
                self.names[one][1] for other in inside for one in other.transactions if self.names[one][0] == GROUP
            }
            number = next(number for number in range(1, len(taken) + 2) if number not in taken)
            self.commit(server, (GROUP, number))

    def commit(self, server, name):
        self.last += 1
        self.names[self.last] = name
        server.disk.add(self.last)
        for other in self.together(server):
            other.memory.add(self.last)
        self.acknowledged.add(self.last)

    def lacking(self, server, transactions):
        """Those of them whose number it does not have."""
        mine = {self.names[one] for one in server.transactions}
        return {one for one in transactions if self.names[one] not in mine}

    def flush(self, server):
        server.disk |= server.memory

    def switch_guard(self, server):
        """The guard is stopped as a service is, or started."""
        if server.kept.mark:
            self.look_at_view(server)  # it brings to its end what it has begun
        server.guard, server.told = not server.guard, None
        server.kept = server.kept._replace(watched=False)

    def look_at_view(self, server, frozen=False):
        if not server.up or server.bootstrapping or not server.guard or server.frozen and not frozen:
            return
        if server.view:
            server.seen = tuple(f"db{number}:3306" for number in server.view)
            server.kept, server.clean = evidence.inside(server.kept, server.seen, server.process, "log"), False
            if server.kept.mark and self.has_quorum(server):
                if self.broken != "mark":
                    self.commit(server, (server.kept.mark, 1))
                server.kept = evidence.marked(server.kept)
        else:
            server.kept = evidence.outside(server.kept, server.process, server.clean)
        server.told = server.life

    # -- what a person may not do where the evidence is a majority's -----------------------------------------------------
    def force(self, server):
        """Forces quorum."""
        if server.view and server.up and not self.has_quorum(server):
            view = {one.number: one.life for one in self.together(server)}
            for one in self.together(server):
                one.view = dict(view)

    def by_hand(self, server):
        """Bootstraps, since nobody seems to be there."""
        seen = [one for one in self.servers if one is not server and self.reaches(server, one) and one.up]
        if server.up and not server.view and not server.frozen and not seen:
            self.release(server)
            self.groups += 1
            server.group, server.view = self.groups, {server.number: server.life}

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
                    one.memory |= self.lacking(one, everything)
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
            role="PRIMARY" if view else "", gtid_executed=self.sets(server.disk), received=self.sets(server.memory), start_on_boot=False,
            said=server.kept.says(self.evidence, tuple(self.members)) if server.guard and server.told == server.life else None,
            persisted={BOOT: "OFF"} if server.taken_out else {}, bootstrap_flag=bool(server.bootstrapping), lock_held_by_other=held,
        )  # fmt: skip

    # -- guards and playbooks ------------------------------------------------------------------------------------------
    def guard(self, server):
        if server.guard and server.up and not server.frozen and not server.bootstrapping:
            self.look_at_view(server)
            self.act(server, lambda facts: self.guard_decides(server, facts), guards=True)

    def guard_decides(self, server, facts):
        wall = self.now + server.clock
        host = Host(
            mode=self.mode, view=server.seen, starts=in_a_row(server.starts), up=wall - server.starts[-1] if server.starts else wall,
            evidence=self.evidence, missed=tuple(address for address, one in facts.items() if not one.reachable),
            stalled=99.0 if server.stalled == server.life else 0.0,
        )  # fmt: skip
        return decide_guard(self.members, facts, server.address, GROUP, host, self.rules)

    def promise(self, server, decision, facts):
        if decision.rule not in ("other_seed", "unpromised_yet", "bootstrap"):
            return
        seed = decision.details.get("seed", server.address)
        s = Situation(self.members, facts, server.address)
        said = {address: facts[address].said for address in s.asked}
        server.kept = evidence.promised(server.kept, server.address, seed, said, s.counted)

    def playbook(self, server):
        """group_replication_bootstrap on this member, for all or with --limit."""
        if server.up and not server.frozen and not server.bootstrapping and not server.taken_out:
            acting = [one.address for one in self.servers if one is server or self.random.random() < 0.8]
            self.act(server, lambda facts: decide(
                self.members, facts, server.address, acting, {"group_name": GROUP}, self.playbooks))  # fmt: skip

    def act(self, server, decided, guards=False):
        facts = self.facts(server)
        decision = decided(facts)
        if guards:
            self.promise(server, decision, facts)
        if decision.action not in ("join", "bootstrap", "end_partition", "end_stalled", "stop"):
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
            server.disk |= server.memory
            if self.random.random() < 0.5:
                self.end(server)
                self.boot(server)
            server.view = {}
        elif decision.action == "end_stalled":
            server.disk |= server.memory
            self.crash(server)
            self.boot(server)
        elif decision.action == "stop":
            # By the statement, or by the end of the server; what had been received long ago is on its disk.
            server.error = False
            server.disk |= server.memory
            if self.random.random() < 0.5:
                self.crash(server)
                self.boot(server)
        else:
            if guards and any(not one.reachable for one in facts.values()):
                server.kept = server.kept._replace(mark=server.kept.promise[1])
                self.journal[-1] += f" without {[a for a, one in facts.items() if not one.reachable]}"
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
        server.memory |= self.lacking(server, set().union(*[one.transactions for one in inside]))
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
        (2, "playbook"), (1, "cut"), (1, "freeze"), (1, "switch_guard"), (1, "leave"), (1, "take_in"), (1, "jump"), (1, "stop"), (1, "depart"),
    )  # fmt: skip

    # What happens while the guards are about to start the group.
    AFTER_AN_OUTAGE = (
        (60, "guard"), (20, "finish"), (10, "look_at_view"), (6, "write"), (6, "group_goes_on"), (2, "crash"), (2, "boot"), (1, "cut_one"),
        (1, "playbook"), (1, "freeze"), (1, "heal"), (1, "switch_guard"), (1, "stop"), (1, "depart"),
    )  # fmt: skip

    def step(self, events=None):
        self.now += 1
        weights, names = zip(*(events or self.events))
        name = self.random.choices(names, weights)[0]
        server = self.random.choice(self.servers)
        self.journal.append(f"{name} {server.address}")
        getattr(self, name)(server)
        for one in self.servers:
            # Clients go on writing, wherever they can.
            if ("write" in names) and self.random.random() < 0.1:
                self.write(one)
        self.check(self)

    def outage(self, away=1):
        """A while without a fault, some steps as always, then all hosts but a few lose power and boot again. Those few are away for long: they lose
        power, too, or are cut off, alive or not."""
        self.calm(rounds=8)
        for _step in range(self.random.randrange(12)):
            self.step()
        self.heal(None)
        gone = self.random.sample(self.servers, self.random.randrange(away + 1))
        for server in self.servers:
            if server not in gone:
                self.crash(server)
                self.boot(server)
            elif self.random.random() < 0.5:
                self.crash(server)
            else:
                server.net = 9
        for _step in range(self.random.randrange(60)):
            self.step(self.AFTER_AN_OUTAGE)

    def power_cut(self):
        for server in self.servers:
            self.crash(server)

    def calm(self, rounds=40, without=()):
        """No more faults: everybody is there (but for some servers that never boot), and the guards work."""
        self.heal(None)
        there = [server for server in self.servers if server.number not in without]
        for server in there:
            server.frozen, server.taken_out, server.clock = False, False, 0
            if not server.guard:
                self.switch_guard(server)
            self.boot(server)
        for _round in range(rounds):
            self.now += 200
            for name in ("look_at_view", "group_goes_on", "guard", "finish", "flush"):
                for server in there:
                    getattr(self, name)(server)
            if all(server.view and len(server.view) == len(there) and not server.kept.mark for server in there):
                break

    def lost(self):
        """Acknowledged transactions that the living group does not have, if there is one."""
        living = [server for server in self.servers if self.has_quorum(server)]
        return self.acknowledged - set().union(*[server.transactions for server in living]) if living else set()

    def split_numbers(self):
        """Numbers that the members of the living group have for different transactions."""
        found = {}
        for server in self.servers:
            if self.has_quorum(server):
                for one in server.transactions:
                    found.setdefault(self.names[one], set()).add(one)
        return {name: ones for name, ones in found.items() if len(ones) > 1}

    def sets(self, transactions):
        """As a GTID set."""
        found = {}
        for one in transactions:
            found.setdefault(self.names[one][0], []).append(self.names[one][1])
        return ",".join(f"{uuid}:{intervals(sorted(numbers))}" for uuid, numbers in sorted(found.items()))


def intervals(numbers):
    """Sorted numbers as in a GTID set."""
    found = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ":".join(f"{first}-{last}" for first, last in found)
