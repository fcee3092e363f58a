# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard at work: one look a second at its own server, and where that is not well, the decision and the few actions.

It is the operation of group_replication_bootstrap with another table of rules, so that locks, statements and second looks are the same.

Private to this collection.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any, Callable

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import lease
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import (
    ER_GR_COMMAND_FAILURE,
    Connection,
    ServerError,
    login_connection,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.evidence_rules import WAIT
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.expulsion import Expulsion
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.host import Look, Memory, look, read, write
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.rules import (
    ACTING,
    STALL,
    Host,
    decide_guard,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.witness import Witness
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.said import ALL
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.member import Member
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import run
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

WELL, UNWELL = 1.0, 0.3  # seconds between two looks
NEEDED = ("members", "member", "group_name", "mode", "service")
ANSWER = 10.0  # seconds that the own server has for the look
PATIENCE = 6.0  # seconds for a STOP of a server that fell out of its group
FLUSH = "FLUSH NO_WRITE_TO_BINLOG ENGINE LOGS"


class Acting(Member):
    """The operation on the own server, one step at a time."""

    timeout = 30

    def __init__(self, options: dict[str, Any], witness: Witness) -> None:
        super().__init__({**options, "timeout": self.timeout, "connect_timeout": 5, "config_file": ""})
        self.host = Host()
        self.witness = witness

    def decide(self) -> Decision:
        return decide_guard(self.cluster.members, self.facts, self.me, self.params["group_name"], self.host)

    def decided(self, host: Host) -> Decision:
        """What is to be done now, seen twice where it may be the middle of a change."""
        self.host = host
        self.deadline = time.monotonic() + self.timeout
        if hasattr(self, "cluster"):
            return self.settled(self.look())
        self.check()
        self.open()
        return self.settled(self.decide())

    def act(self, decision: Decision) -> None:
        if decision.action == "join":
            # A module that takes this member out holds this lock until it is out for good.
            self.under_lock(decision, self.join, [self.me])
        elif decision.action == "end_partition":
            self.under_lock(decision, self.end_partition)
        elif decision.action == "end_stalled":
            self.under_lock(decision, self.end_stalled)
        elif decision.action == "stop":
            self.under_lock(decision, self.leave_error, [self.me])
        else:
            super().act(decision)

    def bootstrap(self, decision: Decision) -> None:
        """Start the group; what others must know of it for ever is written first."""
        self.witness.starts(without=[address for address, facts in self.facts.items() if not facts.reachable])
        super().bootstrap(decision)
        self.witness.mark(self.local)

    def end_partition(self, _decision: Decision) -> None:
        """Let the service manager start the server anew. It can commit nothing, so that nothing is lost that a crash would keep; and a STOP without a
        majority takes half a minute or more, in which the server answers no question about its group."""
        if not self.start_anew():
            self.starter.stop()

    def end_stalled(self, _decision: Decision) -> None:
        """Let the service manager start the server anew. Nothing is lost: what it committed is on its disk, and the others have what it did not. A STOP would
        have to end the transactions that wait, and may wait for them."""
        if not self.start_anew():
            raise Refusal(
                f"{self.params['service']} has no Restart= that starts a killed server anew: restart it by hand"
            )

    def leave_error(self, _decision: Decision) -> None:
        """STOP GROUP_REPLICATION. Where that takes long, the service manager starts the server anew: after it has lost its group, MySQL takes half a minute
        to leave it, and then tries for a minute to join it again (group_replication_autorejoin_tries), also where there is none; a STOP waits for both."""
        pid_file = self.pid_file()
        pid = restartable(self.params["service"], pid_file)
        if not pid:
            self.starter.stop()
            return
        self.local.run(FLUSH)
        self.deadline = time.monotonic() + PATIENCE
        self.local.timeout(PATIENCE)
        try:
            self.starter.stop()
        except ServerError as error:
            if not error.lost and error.code != ER_GR_COMMAND_FAILURE:
                raise
            if restartable(self.params["service"], pid_file) == pid:
                self.end_server(pid)
        finally:
            self.local.timeout(None)

    def pid_file(self) -> str:
        """Where the server says which process it is."""
        return str(self.local.query("SELECT @@GLOBAL.pid_file AS file")[0]["file"])

    def start_anew(self) -> bool:
        """Let the service manager do that, if it does it with a server that was killed."""
        pid = restartable(self.params["service"], self.pid_file())
        if pid:
            self.local.run(FLUSH)
            self.end_server(pid)
        return bool(pid)

    def end_server(self, pid: int) -> None:
        """As a crash would."""
        self.recorder.add(f"kill -9 {pid} (mysqld, which {self.params['service']} starts anew)")
        os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """Close all connections."""
        if hasattr(self, "cluster"):
            self.cluster.close()


def restartable(service: str, pid_file: str) -> int:
    """The process of the server, where systemd starts it again when it is killed; else 0."""
    shown = run(["systemctl", "show", service, "--property=MainPID,Restart"]).output.split()
    found = dict(line.split("=", 1) for line in shown if "=" in line)
    try:
        pid = int(Path(pid_file).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0
    again = found.get("Restart") in ("always", "on-failure", "on-abnormal", "on-abort")
    return pid if again and found.get("MainPID") == str(pid) else 0


class Watch:
    """One guard."""

    def __init__(self, version: str, say: Callable[[str], None], clock: Callable[[], float] = time.time) -> None:
        self.version, self.say, self.clock = version, say, clock
        self.memory, self.expulsion, self.witness = Memory(), Expulsion(), Witness()
        self.missing: dict[str, float] = {}  # members that do not answer: since when
        self.options: dict[str, Any] = {}
        self.options_read = (0, 0)
        self.local: Connection | None = None
        self.acting: Acting | None = None
        self.decision = Decision("", "", "")
        self.since = clock()
        self.seen: Look | None = None

    def turn(self) -> float:
        """One look, and what follows from it; how many seconds later the next one is due."""
        local = self.read_options()
        try:
            if not local.is_open:
                local.open()
                # While it leaves a group without a majority, it does not answer for half a minute.
                local.timeout(ANSWER)
                self.witness.connected(local)
            self.seen = look(local, self.options["peer_user"])
            self.witness.saw(self.seen)
            if self.seen.state == "ONLINE":
                self.witness.mark(local)
            self.tell(local)
            for text in self.expulsion.step(local, self.seen, self.clock()):
                self.say(text)
        except ServerError as error:
            # While it is down, or starts.
            local.close()
            self.seen = None
            self.witness.unanswered(error)
            self.forget()
            self.decide(Decision("wait", "not_asked", f"this server could not be asked: {error}"))
            return UNWELL
        self.memory.note(self.seen, self.clock())
        if self.seen.well and self.memory.stalled <= STALL:
            self.reopen()
            self.forget()
            self.decide(Decision("unchanged", self.seen.state.lower(), f"this member is {self.seen.state}"))
            return WELL
        with lease.guards_turn() as mine:
            self.step(local, busy=not mine)
        return UNWELL

    @property
    def evidence(self) -> str:
        """mysql_gr_guard_evidence; older roles write none."""
        return self.options.get("evidence") or ALL

    def tell(self, local: Connection) -> None:
        """Say to the other guards what this one is a witness of."""
        self.witness.tell(local, self.evidence, self.options["members"])

    def step(self, local: Connection, busy: bool) -> None:
        """Decide on the facts of all members, promise what follows, and act."""
        host = self.memory.host(self.options, self.seen, busy, self.clock())
        missed = tuple(address for address, since in self.missing.items() if time.monotonic() - since >= WAIT)
        host = host._replace(evidence=self.evidence, missed=missed)
        self.acting = self.acting or Acting(self.options, self.witness)
        decision = Decision("", "", "")
        try:
            decision = self.acting.decided(host)
            self.decide(decision)
            self.note_missing()
            self.witness.promise(decision, self.acting.me, self.acting.facts)
            self.tell(local)
            if decision.action in ACTING:
                self.acting.recorder.statements.clear()
                if decision.action in ("end_partition", "end_stalled"):
                    self.memory.ended()
                self.acting.act(decision)
                done = [text for text in self.acting.recorder.statements if text]
                self.say(f"did: {'; '.join(done)}" if done else f"did nothing: {decision.rule} holds no more")
        except Refusal as refusal:
            # Where a connection was lost before anything was done, a server has just ended: that is seen at the next look, and no failure.
            began = not getattr(refusal, "lost", False) or bool(self.acting.recorder.statements)
            if decision.action in ACTING and began:
                self.memory.fail(str(refusal))
            self.say(f"error: {refusal}")

    def note_missing(self) -> None:
        """Note since when which members do not answer."""
        facts = self.acting.facts if self.acting else {}
        gone = [address for address, one in facts.items() if not one.reachable]
        self.missing = {address: self.missing.get(address, time.monotonic()) for address in gone}

    def reopen(self) -> None:
        """Take back super_read_only that was set for a START which another one has preceded."""
        if self.acting is not None and self.acting.turn.closed_for_another:
            try:
                self.acting.facts = self.acting.cluster.gather()
                self.acting.starter.reopen()
            except Refusal as refusal:
                self.say(f"error: {refusal}")

    def forget(self) -> None:
        """Close the connections to the others; what was seen of them counts no more."""
        if self.acting is not None:
            self.acting.close()
            self.acting = None
        self.missing = {}

    def decide(self, decision: Decision) -> None:
        """Note a decision, and say one that is new."""
        if (decision.rule, decision.reason) != (self.decision.rule, self.decision.reason):
            if decision.rule != self.decision.rule:
                self.since = self.clock()
            self.decision = decision
            self.say(f"{decision.rule}: {decision.reason}")
            self.show()

    def show(self) -> None:
        """Write what `mysql-gr-guard status` shows."""
        write(
            lease.RUN / "state",
            {
                "version": self.version,
                "pid": os.getpid(),
                "mode": self.options.get("mode"),
                "evidence": self.evidence,
                "member": self.options.get("member"),
                "members": self.options.get("members"),
                "state": self.seen.state if self.seen else "",
                "view": list(self.seen.view) if self.seen else [],
                "decision": self.decision.action,
                "rule": self.decision.rule,
                "reason": self.decision.reason,
                "since": self.since,
            },
        )

    def read_options(self) -> Connection:
        """Read the options again when their file is another one; the connection to the own server that follows from them."""
        found = lease.OPTIONS.stat()
        if self.local is not None and (found.st_mtime_ns, found.st_ino) == self.options_read:
            return self.local
        options = read(lease.OPTIONS)
        missing = [name for name in NEEDED if not options.get(name)]
        if missing:
            raise Refusal(f"{lease.OPTIONS}: {', '.join(missing)} must be given")
        self.forget()
        if self.local is not None:
            self.local.close()
        self.options, self.options_read = options, (found.st_mtime_ns, found.st_ino)
        self.decision = Decision("", "", "")  # what follows from other options is said, and shown, in any case
        self.local = login_connection({**options, "connect_timeout": 5, "config_file": ""})
        return self.local
