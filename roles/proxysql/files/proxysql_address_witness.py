# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the members say of another proxy that has the virtual address, for a proxy that does not hear it (part of address_check.py).

Two proxies that are cut from each other do not know it: the other one might as well be off. Members are a third place, which both of them reach. The proxy
that has the address shows itself on each of them, for as long as its keepalived runs: it takes one of two locks, then the other one, and so on. One that
does not hear its advertisements, and sees these locks change, does not take the address, or gives it up when it has taken it just now. A host that is off
leaves a lock behind until the member misses it, and that lock does not change.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import ssl
import struct
import threading
import time
from pathlib import Path

import pymysql

# In intervals between two advertisements (another proxy takes the address after three). The next lock is taken after SHOW, and looked at after LOOK; the other
# proxy is SILENT; a change of the locks, and a run of keepalived, is FRESH, so that one that hangs shows nothing when another proxy looks; until it is
# SETTLED, one that has taken the address looks for another one.
SHOW, LOOK, SILENT, FRESH, SETTLED = 0.32, 0.2, 1.8, 1.6, 12
# Of the time that the check waits for an answer: a host that is silent is known when the check has asked once.
PART = 0.6
# Seconds between two signs of life on a connection that has nothing else to do, between two looks at which members there are, and after which a member
# ends a connection of which it hears nothing: one from before a cut keeps its lock until then.
IDLE, AGAIN, MISSED = 1, 5, 3
VRRP = 112


def verifying(ca, names):
    """TLS as clients that verify have it; names: whether the name is looked at, too."""
    context = ssl.create_default_context(cafile=ca)
    context.check_hostname = names
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    return context


def unanswered(error):
    """Whether nothing was answered at all by what a connection was to be made to; a host that refuses is there."""
    if isinstance(error, pymysql.Error):
        return error.args[0] == 2003 and not isinstance(
            getattr(error, "original_exception", None), ConnectionRefusedError
        )
    return isinstance(error, OSError) and not isinstance(error, (ConnectionRefusedError, ssl.SSLError))


def present(address, proc="/proc"):
    """Whether this host has the address."""
    try:
        if ":" in address:
            wanted = socket.inet_pton(socket.AF_INET6, address).hex()
            text = Path(f"{proc}/net/if_inet6").read_text(encoding="ascii")
            return any(line.startswith(f"{wanted} ") for line in text.splitlines())
        text = Path(f"{proc}/net/fib_trie").read_text(encoding="ascii")
        return re.search(rf"\|-- {re.escape(address)}\n\s+/32 host LOCAL", text) is not None
    except OSError:
        return False


def listener(family):
    """The advertisements that come to this host, one a packet."""
    found = socket.socket(family, socket.SOCK_RAW, VRRP)
    found.setblocking(False)
    return found


def locks(name):
    """The two locks of a proxy. Their names have 64 characters at most."""
    text = hashlib.sha256(name.encode()).hexdigest()[:32]
    return [f"distdb.mysql_ha address {text} {side}" for side in "01"]


class Member(threading.Thread):
    """A connection to one member, on which this proxy shows that it has the address, or looks whether another one shows it."""

    def __init__(self, options, address, witness):
        super().__init__(daemon=True)
        self.options, self.address, self.witness = options, address, witness
        self.connection, self.side, self.seen, self.ends = None, 0, None, False
        # Whether its host gave no answer at all to the last attempt to connect.
        self.silent = False
        # When the locks of another proxy were seen to change, on time.monotonic().
        self.changed = float("-inf")

    def connect(self):
        host, port = self.address
        timeout = PART * self.options["timeout"]
        self.connection = pymysql.connect(
            host=host, port=port, user=self.options["user"], password=self.options["password"].encode(),
            ssl=verifying(self.options["members_ca"], names=True),
            connect_timeout=timeout, read_timeout=timeout, write_timeout=timeout, autocommit=None,
            # A lock is of this server alone: nothing of the group is waited for.
            init_command=f"SET SESSION group_replication_consistency = 'EVENTUAL', wait_timeout = {MISSED}",
        )  # fmt: skip

    def close(self):
        if self.connection is not None:
            # Not close(), which would write to a server that may hang.
            self.connection._force_close()
            self.connection = None
        self.seen = None

    def one(self, statement, *values):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchone()

    def turn(self):
        """One statement, and the seconds until the next one."""
        witness, advert = self.witness, self.options["advert"]
        if witness.looks(time.monotonic()):
            names = [lock for other in self.options["others"] for lock in locks(other)]
            seen = self.one(f"SELECT {', '.join(['IS_USED_LOCK(%s)'] * len(names))}", *names)
            # A lock that is given back is no sign of it, whatever else is held: a session from before a cut keeps its lock until the member misses it.
            if self.seen is not None and any(new not in (None, old) for new, old in zip(seen, self.seen)):
                self.changed = time.monotonic()
            self.seen = seen
            return LOOK * advert
        self.seen = None
        if witness.has is None:
            self.one("DO RELEASE_ALL_LOCKS()")
            return IDLE
        if witness.shows(time.monotonic()):
            self.side = 1 - self.side
            mine = locks(self.options["name"])
            self.one("SELECT GET_LOCK(%s, 0), RELEASE_LOCK(%s)", mine[self.side], mine[1 - self.side])
        return SHOW * advert

    def run(self):
        while not self.ends:
            try:
                if self.connection is None:
                    self.connect()
                pause, self.silent = self.turn(), False
            except (pymysql.Error, OSError, RuntimeError, ValueError) as error:
                # One that was there is made anew at once.
                pause = 0 if self.connection is not None else self.options["interval"]
                self.silent = unanswered(error)
                self.close()
            self.witness.bell.wait(pause)
        self.close()


class Witness:
    """What this host hears, has, and is told by the members."""

    def __init__(self, options, keepalived, member=Member):
        self.options, self.keepalived, self.member = options, keepalived, member
        self.members, self.asked = {}, float("-inf")
        # When an advertisement was heard, and when keepalived was seen to run.
        self.heard = self.ran = float("-inf")
        # Since when it has the address, or None.
        self.has, self.runs, self.did = None, None, None
        # The members' threads wait for it: it is set for a moment when there is something to do at once.
        self.bell = threading.Event()
        self.family = socket.AF_INET6 if ":" in options["name"] else socket.AF_INET
        self.listener = listener(self.family)

    def follow(self, found, now):
        """Ask these members, (host, port), from now on; as before where nobody says which there are."""
        self.asked = now
        for gone in set(self.members) - set(found) if found else ():
            self.members.pop(gone).ends = True
        for address in set(found) - set(self.members):
            self.members[address] = self.member(self.options, address, self)
            self.members[address].start()

    def settled(self, now):
        """Whether this host has had the address for a while."""
        return self.has is not None and now - self.has >= SETTLED * self.options["advert"]

    def shows(self, now):
        """Whether this host shows that it has the address: with a keepalived that runs."""
        return self.settled(now) and now - self.ran <= FRESH * self.options["advert"]

    def looks(self, now):
        """Whether another one may have the address, and is not heard."""
        return not self.settled(now) and now - self.heard >= SILENT * self.options["advert"]

    def cut(self, now):
        """Whether another one has the address, and is not heard."""
        fresh = FRESH * self.options["advert"]
        return self.looks(now) and any(now - member.changed <= fresh for member in self.members.values())

    def alone(self):
        """Whether no member's host gives any answer."""
        return bool(self.members) and all(member.silent for member in self.members.values())

    def listen(self, now):
        """Take the advertisements that have come since the last time."""
        with contextlib.suppress(BlockingIOError):
            while True:
                packet, sender = self.listener.recvfrom(2048)
                if sender[0].partition("%")[0] in self.options["others"] and self.advertises(packet):
                    self.heard = now

    def advertises(self, packet):
        """Whether it is an advertisement of the address, by a proxy that does not give it up."""
        # With IPv4 its header comes first.
        start = (packet[0] & 15) * 4 if self.family == socket.AF_INET and packet else 0
        if len(packet) < start + 8:
            return False
        _kind, router, priority = struct.unpack_from("BBB", packet, start)
        return router == self.options["router_id"] and priority > 0

    def look(self, now):
        """Look once at this host."""
        self.listen(now)
        runs = self.keepalived.runs()
        if runs not in (None, self.runs) and not self.keepalived.stopped:
            self.ran = now
        self.runs = runs
        if not present(self.options["address"]):
            self.has = None
        elif self.has is None:
            self.has = now
        before, self.did = self.did, (self.has, self.looks(now))
        if self.did != before:
            self.bell.set()
            self.bell.clear()


def witnesses(options, keepalived):
    """A Witness, where there are other proxies and members that are verified; else None."""
    if not options["members_ca"] or not options["others"]:
        return None
    try:
        return Witness(options, keepalived)
    except OSError as error:
        print(f"advertisements cannot be heard, so that a cut between proxies is not seen: {error}", flush=True)
        return None
