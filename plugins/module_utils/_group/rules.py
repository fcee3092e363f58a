# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rule and a table of rules are. The tables: present_rules.py, member_rules.py, verbs/primary.py, verbs/quorum.py, verbs/fence.py.

A rule is one function: its name, its docstring (the situation), and in the decorator the decision and the sentence. It gets a Situation and
returns the details that fill in the sentence, or None where it does not apply. The first rule of a table that applies decides, so their order
in the file counts. The tables in docs/reference/decisions.md are generated from them.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, NamedTuple, Optional, TypeVar

# What a member is, where the rule that decides about it says so.
MEMBER = "member"
BROKEN = "broken"
UNSUITABLE = "unsuitable"
UNREACHABLE = "unreachable"

Details = Optional[Dict[str, Any]]
Condition = Callable[[Any], Details]
Given = TypeVar("Given", bound=Condition)


class Decision(NamedTuple):
    """What is to be done, by which rule, and why."""

    action: str
    rule: str
    reason: str
    details: dict[str, Any] = {}
    settle: bool = False
    kind: str = ""


class Rule(NamedTuple):
    """One row of a table."""

    name: str
    situation: str
    applies: Condition
    action: str
    reason: str
    guards: str  # the invariant that it protects: tests take these rules out and must see the invariant break
    settle: bool  # the situation may be the middle of a change: it must be seen twice before it counts
    kind: str  # what a member is to whom it applies; '' where the rule does not say


def when(condition: object, **details: Any) -> Details:
    """What a rule returns: the details when the condition holds, else None."""
    return details if condition else None


class Table:
    """Rules in order."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def rule(
        self, action: str, reason: str, guards: str = "", settle: bool = False, kind: str = ""
    ) -> Callable[[Given], Given]:
        """Make the function a rule, behind those that the table has."""

        def note(condition: Given) -> Given:
            situation = " ".join((condition.__doc__ or "").split()).rstrip(".")
            self.rules.append(Rule(condition.__name__, situation, condition, action, reason, guards, settle, kind))
            return condition

        return note

    def take(self, other: Table, *names: str) -> None:
        """Put rules of another table here, in this order."""
        self.rules += [next(rule for rule in other.rules if rule.name == name) for name in names]

    def decide(self, situation: Any, rules: list[Rule] | None = None) -> Decision:
        """The Decision of the first rule that applies. rules: others than the table's (tests leave some out)."""
        for rule in self.rules if rules is None else rules:
            details = rule.applies(situation)
            if details is not None:
                reason = rule.reason.format(**details)
                return Decision(rule.action, rule.name, reason, details, rule.settle, rule.kind)
        return Decision("refuse", "no_rule", "no rule fits this situation")
