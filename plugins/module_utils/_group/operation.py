# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every verb is: prepare → look → decide → settle → act → report.

In check mode the same code runs: the connection to the managed server records what would change something instead of running it, and what is
waited for is taken to have come.

Private to this collection.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any, Callable, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.cluster import Cluster, Facts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import (
    PYMYSQL_ERROR,
    Connection,
    Recorder,
    Row,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import ServerFacts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.lease import lease
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.options import open_cluster
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.rules import Decision
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.statements import statement
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal, Result, conclude

POLL = 0.3  # seconds between two looks at a condition that is waited for
HOLD_POLL = 0.02  # who makes the file that is waited for waits for what follows
SETTLE = 1.5  # seconds after which a situation that may be the middle of a change is looked at again


class Operation:
    """One run of a module that changes something."""

    cluster: Cluster
    timeout = 300

    def __init__(
        self, params: Mapping[str, Any], check_mode: bool = False, warn: Callable[[str], None] | None = None
    ) -> None:
        self.params = params
        self.check_mode = check_mode
        self.warn = warn or (lambda text: None)
        self.recorder = Recorder()
        self.facts: Facts = {}
        self.changed = False
        self.decision: Decision | None = None  # the last one that mattered
        self.before: dict[str, Any] = {}
        self.timeout = params.get("timeout") or self.timeout
        self.deadline = time.monotonic() + self.timeout

    # -- what a verb says ----------------------------------------------------------------------------------------------
    def check(self) -> None:
        """Check the options that are the verb's own, before any server is asked."""

    def decide(self) -> Decision:
        """The decision on the facts at hand."""
        raise NotImplementedError

    def work(self) -> None:
        """Do what is to be done."""
        raise NotImplementedError

    def snapshot(self) -> dict[str, Any]:
        """What a user wants to see of this server before and after."""
        raise NotImplementedError

    # -- what all share ------------------------------------------------------------------------------------------------
    @property
    def me(self) -> str:
        """The address of the managed server."""
        return self.cluster.me

    @property
    def mine(self) -> ServerFacts:
        """The facts of the managed server."""
        return self.facts[self.me]

    @property
    def local(self) -> Connection:
        """The connection to the managed server."""
        return self.cluster.local

    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def open(self) -> None:
        """Connect, and ask everybody."""
        self.cluster, self.facts, _name = open_cluster(self.params, self.recorder, self.check_mode)

    def look(self) -> Decision:
        """Gather the facts of all members and decide."""
        self.facts = self.cluster.gather()
        return self.decide()

    def settled(self, decision: Decision) -> Decision:
        """The decision, seen twice where the situation may be the middle of a change."""
        while decision.settle and self.left() > 0:
            time.sleep(min(SETTLE, self.left()))
            again = self.look()
            if again.rule == decision.rule:
                return again
            decision = again
        return decision

    def hold(self, path: str) -> None:
        """Wait for the file that says that it is time."""
        while not os.path.exists(path):
            if self.left() < 0:
                raise Refusal(
                    f"timeout: after {self.timeout} seconds there is no {path} (hold_until); nothing was changed"
                )
            time.sleep(HOLD_POLL)

    def run_statement(self, text: str, args: Any = None, secrets: Any = ()) -> list[Row]:
        """Run (in check mode only record) a statement on the managed server that changes something."""
        rows = self.local.run(text, args, secrets)
        self.changed = True
        return rows

    def execute(self, meaning: str, args: Any = None, secrets: Any = (), **words: object) -> list[Row]:
        """Run the statement of that meaning."""
        return self.run_statement(statement(self.mine.version, meaning, **words), args, secrets)

    def refuse(self, decision: Decision) -> None:
        """Raise the Refusal of a decision that is one."""
        if decision.action == "refuse":
            self.decision = decision
            raise Refusal(decision.reason)

    def run(self) -> Result:
        """Do it; the result for exit_json. Raises a Refusal."""
        self.check()
        with contextlib.nullcontext() if self.check_mode else lease(self.left):
            try:
                self.open()
                self.before = self.before or self.snapshot()
                self.work()
                return self.report()
            finally:
                if hasattr(self, "cluster"):
                    self.cluster.close()

    def report(self) -> Result:
        """What the module returns."""
        after = self.snapshot()
        decision = self.decision or Decision("", "", "")
        return {
            "changed": self.changed,
            "decision": decision.action,
            "rule": decision.rule,
            "reason": decision.reason,
            "before": self.before,
            "after": after,
            "statements": self.recorder.statements,
            "diff": {"before": self.shown(self.before), "after": self.shown(after)},
        }

    def shown(self, state: dict[str, Any]) -> dict[str, Any]:
        """The part of a snapshot that a diff shows."""
        return state

    def so_far(self, refusal: Refusal) -> Result:
        """What a failed module returns beside the sentence."""
        return {
            "changed": self.changed,
            "decision": "refuse",
            "rule": self.decision.rule if self.decision else "",
            "reason": str(refusal),
            "before": self.before,
            "statements": self.recorder.statements,
        }


def execute(module: Any, operation: type[Operation]) -> None:
    """Let an operation do the module's work and end the module; every module that changes something ends here."""
    made = operation(module.params, module.check_mode, module.warn)
    conclude(module, made.run, made.so_far, PYMYSQL_ERROR)
