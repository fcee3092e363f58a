# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns: a run that the action plugin splits, so that it can say in between how far it is.

Private to this collection.
"""

from __future__ import annotations

import time
from typing import Any, Mapping

# What of a run has to be known in its next turn, and what it is at the beginning.
CARRIED: dict[str, Any] = {
    "started_at": "",  # by the server's clock: the last START that this run tried
    "failed_starts": 0,
    "closed_for_another": False,  # closed for a START that was not this run's
    "bootstrapped": False,
    "clone_from": "",
    "own_clone": False,
    "closed": [],  # what a clone opened and a failed one closes again
    "heard": [],  # how often its service had been restarted, and how long its error log was, when the server was last heard of
    "most_left": 0,  # transactions
}


class Pause(Exception):
    """A turn is over while something is still waited for; str() says how far that is."""


class Turn:
    """What the turn before has left, and how long this one lasts. Without turns, it lasts as long as the run."""

    started_at: str
    failed_starts: int
    closed_for_another: bool
    bootstrapped: bool
    clone_from: str
    own_clone: bool
    closed: list[str]
    heard: list[int]
    most_left: int

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given = given
        self.end = time.monotonic() + given["seconds"] if given.get("seconds") else None
        for name, default in CARRIED.items():
            setattr(self, name, given.get(name) or type(default)())

    def over(self) -> bool:
        """Whether something that is still waited for is the next turn's."""
        return self.end is not None and time.monotonic() >= self.end

    def pause(self, text: str) -> None:
        """End this turn when its time is over."""
        if self.over():
            raise Pause(text)

    def left_over(self) -> dict[str, Any]:
        """What the next turn is given."""
        return {name: getattr(self, name) for name in CARRIED}
