# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many members a group may lose at the same moment and still have a majority. No I/O here.

Private to this collection.
"""

from __future__ import annotations

from typing import Iterable, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import LIVE


class Margin(NamedTuple):
    """The votes of one view."""

    members: int  # of the view: those that were expelled count no more
    live: int  # of these, who answer each other

    @property
    def may_lose(self) -> int:
        """How many more may fail at once. Below 0 there is no majority, and as many are missing for one."""
        return self.live - (self.members // 2 + 1)


def margin(states: Iterable[str]) -> Margin | None:
    """The margin of a view with members in these states; None without a view."""
    found = list(states)
    return Margin(len(found), sum(state in LIVE for state in found)) if found else None
