# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell keepalived how good this host's ProxySQL is for the virtual address. Its argument is a JSON file: account, peers, how often, how patient.

A query through the port for applications, to a member that takes writes, is what counts. The answer is a number that is added to the priority of
this host: 0 for good, WORSE where it is not and perhaps no other proxy is better, LEAVE where another proxy has just given a good answer. Of a host
with WORSE the address goes only to one that is better; with LEAVE keepalived gives it up at once. So with no writer anywhere it stays where it is.

A proxy that is cut from the one with the address says LEAVE, too, so that it does not take it; and so does one that is cut off from everything, since
another one has taken it (proxysql_address_witness.py).

keepalived is looked at, too: one that hangs would keep the address here, while another proxy takes it. It is killed, and systemd starts it again.

What restarts ProxySQL on purpose holds the lock of the file "lease" meanwhile: this program then has no connection (it would be waited for), and its
proxy counts as WORSE. The lock ends with the process that holds it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import select
import signal
import socket
import sys
import time
from pathlib import Path

import pymysql

# Where the role puts the other file; beside this one in the collection.
sys.path += ["/usr/local/lib", str(Path(__file__).resolve().parent)]
from proxysql_address_witness import AGAIN, present, unanswered, verifying, witnesses

GOOD, WORSE, LEAVE = 0, -100, -254
# Good answers in a row after which a bad proxy is good.
RISE = 2
# Seconds: how long this proxy has to take a second connection where another one is good, and the pause between two looks at the lease.
HURRY, TICK = 0.25, 0.05
# keepalived hangs when it has not run for so many looks in a row, and for so many advertisements: another proxy takes the address after three.
LOOKS, ADVERTS = 4, 4
MEMBERS = "SELECT member_host, member_port FROM performance_schema.replication_group_members WHERE member_port > 0"
# Without @@, which would tie ProxySQL's connection to the member to this session.
QUERY = "SELECT variable_value FROM performance_schema.global_variables WHERE variable_name = 'super_read_only'"


class Proxy:
    """The port for applications of one proxy, on a connection that is kept."""

    def __init__(self, options, address):
        self.options, self.address, self.connection = options, address, None
        # Whether its host gave no answer at all to the last question.
        self.silent = False

    def close(self):
        if self.connection is not None:
            # Not close(), which would write to a proxy that may hang.
            self.connection._force_close()
            self.connection = None

    def connect(self, timeout):
        host, _colon, port = self.address.rpartition(":")
        more = {"ssl_disabled": True} if pymysql.VERSION >= (1, 0) else {}
        if self.options.get("tls_ca"):
            # Not the name, which is another one at each address.
            more = {"ssl": verifying(self.options["tls_ca"], names=False)}
        return pymysql.connect(
            host=host.strip("[]"), port=int(port), user=self.options["user"], password=self.options["password"].encode(),
            connect_timeout=timeout, read_timeout=timeout, write_timeout=timeout, autocommit=None, **more,
        )  # fmt: skip

    def ask(self, query):
        with self.connection.cursor() as cursor:
            cursor.execute(f"/* hostgroup={self.options['hostgroup']} */ {query}")
            return cursor.fetchall()

    def problem(self, timeout, connect_timeout=None):
        """Why this proxy is not good, or ""."""
        notify("WATCHDOG=1")
        self.silent = False
        try:
            if self.connection is None:
                self.connection = self.connect(connect_timeout or timeout)
            self.connection._read_timeout = timeout
            answer = next(iter(self.ask(QUERY)), None)
        except (pymysql.Error, OSError, RuntimeError, ValueError) as error:
            self.silent = unanswered(error)
            self.close()
            return " ".join(str(error.args[-1] if error.args else error).split()) or type(error).__name__
        if not answer or answer[0] != "OFF":
            return f"the member that answers has super_read_only={answer[0] if answer else 'unknown'}"
        return ""

    def members(self):
        """(host, port) of the group's members, as the member behind this proxy sees them; none where it is not known."""
        try:
            return [(host, int(port)) for host, port in self.ask(MEMBERS)] if self.connection is not None else []
        except (pymysql.Error, OSError, ValueError):
            self.close()
            return []

    def wait(self, seconds):
        """Until the time is over, or the proxy closes the connection."""
        if self.connection is None:
            time.sleep(seconds)
            return False
        return bool(select.select([self.connection._sock], [], [], seconds)[0])


class Check:
    """What the number is now, and why."""

    def __init__(self, own, peers, timeout, again, witness=None):
        self.own, self.peers, self.timeout, self.again, self.witness = own, peers, timeout, again, witness
        self.value, self.reason, self.good = None, "", RISE - 1

    def another(self):
        """Whether another proxy gives a good answer. No connection is kept, which a restart there would wait for."""
        for peer in self.peers:
            good = not peer.problem(self.timeout)
            peer.close()
            if good:
                return True
        return False

    def cut_off(self):
        """Whether neither a member's host nor another proxy's gives any answer, of a proxy that is not good."""
        return self.witness is not None and self.witness.alone() and all(peer.silent for peer in self.peers)

    def step(self, lease, cut=False):
        """Look once. lease: whether this proxy is about to be restarted; cut: whether another one has the address, and is not heard."""
        if lease:
            self.own.close()
            self.good, self.value, self.reason = 0, WORSE, "it is about to be restarted"
        else:
            self.look()
        if cut:
            self.value, self.reason = LEAVE, "another proxy has the address, as members see, and is not heard"

    def give_up(self):
        """Whether it is seen only now, and without another question, that this proxy is cut off."""
        late = self.value == WORSE and bool(self.reason) and self.cut_off()
        if late:
            self.value = LEAVE
        return late

    def look(self):
        reason = self.own.problem(self.timeout)
        better = bool(reason) and self.another()
        if better:
            # A connection may have ended for other reasons, and this proxy may see a writer that came back a moment after the other one.
            reason = self.own.problem(self.again, HURRY)
        if reason:
            self.good = 0
            self.value, self.reason = LEAVE if better or self.cut_off() else WORSE, reason
            return
        self.good += 1
        if self.good >= RISE:
            self.value, self.reason = GOOD, ""


class Keepalived:
    """The processes of keepalived that have the address. One that works sends or hears an advertisement again and again."""

    def __init__(self, directory, advert, proc="/proc"):
        # The one that speaks VRRP first: the other one starts it again.
        self.files = [f"{directory}/{name}.pid" for name in ("vrrp", "keepalived")]
        self.patience, self.proc = ADVERTS * advert, proc
        self.seen, self.since, self.looks = None, 0.0, 0
        # What end() has killed. A process that dies goes to sleep, too, which is no run.
        self.killed = ()
        # Whether it was stopped or killed at the last look: that would count as a run otherwise.
        self.stopped = False

    def pid(self, path):
        """The process that a file names, if it is keepalived, or None."""
        try:
            pid = int(Path(path).read_text(encoding="utf-8"))
            return pid if "keepalived" in Path(f"{self.proc}/{pid}/comm").read_text(encoding="utf-8") else None
        except (OSError, ValueError):
            return None

    def runs(self):
        """(process, how often it has gone to sleep), which changes whenever it has run; None where there is none."""
        pid = self.pid(self.files[0])
        try:
            status = Path(f"{self.proc}/{pid}/status").read_text(encoding="utf-8") if pid else ""
        except OSError:
            status = ""
        state = re.search(r"^State:\s+[TZX]", status, re.MULTILINE | re.IGNORECASE)
        self.stopped = pid in self.killed or state is not None
        return (pid, [line for line in status.splitlines() if "ctxt_switches" in line]) if status else None

    def hangs(self, now):
        """Look once."""
        seen = self.runs()
        if seen is None or seen != self.seen:
            self.seen, self.since, self.looks = seen, now, 0
            return False
        self.looks += 1
        return self.looks >= LOOKS and now - self.since >= self.patience

    def end(self):
        """What is stopped takes no other signal. The service takes the address away when it ends."""
        self.killed = tuple(filter(None, map(self.pid, self.files)))
        for pid in self.killed:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        self.seen = None


def leased(path):
    """Whether another process holds the lock of this file."""
    try:
        with open(path, encoding="utf-8") as lease:
            try:
                fcntl.flock(lease, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
    except OSError:
        pass
    return False


def replace(path, text):
    part = Path(f"{path}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def notify(text):
    """Tell systemd, where it is there."""
    name = os.environ.get("NOTIFY_SOCKET", "")
    if name:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
            to.connect("\0" + name[1:] if name.startswith("@") else name)
            to.send(text.encode())


def say(options, check, before):
    """Tell keepalived, and who reads the state, what is new; returns what has been told."""
    now = (check.value, check.reason)
    if now != before and check.value is not None:
        # keepalived reads it when it is closed.
        Path(f"{options['directory']}/priority").write_text(f"{check.value}\n", encoding="utf-8")
        state = {"value": check.value, "reason": check.reason, "advert": options["advert"]}
        replace(f"{options['directory']}/state.json", json.dumps(state) + "\n")
        print(f"{check.value}: {check.reason or 'good'}", flush=True)
    return now


def run(options):
    directory = options["directory"]
    own = Proxy(options, options["own"])
    keepalived = Keepalived(directory, options["advert"])
    witness = witnesses(options, keepalived)
    check = Check(
        own, [Proxy(options, peer) for peer in options["peers"]], options["timeout"], options["again"], witness
    )
    said = None

    def cut():
        now = time.monotonic()
        if witness is not None:
            witness.look(now)
        return witness is not None and witness.cut(now)

    while True:
        # One that has given the address up, and hears no other, has no reason to run.
        idle = check.value == LEAVE and not present(options["address"])
        if keepalived.hangs(time.monotonic()) and not idle:
            print(f"keepalived has not run for {keepalived.patience} s: it is killed, and started again", flush=True)
            keepalived.end()
        lease, apart = leased(f"{directory}/lease"), cut()
        check.step(lease, apart)
        said = say(options, check, said)
        notify("READY=1\nWATCHDOG=1")
        if witness is not None and not lease and time.monotonic() - witness.asked >= AGAIN:
            witness.follow(own.members(), time.monotonic())
        end = time.monotonic() + options["interval"]
        while time.monotonic() < end and not own.wait(TICK) and (leased(f"{directory}/lease"), cut()) == (lease, apart):
            if check.give_up():
                said = say(options, check, said)


if __name__ == "__main__":
    run(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
