# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a long wait is, as text from gathered facts. Nothing here talks to a server.

Private to this collection.
"""

from __future__ import annotations

from typing import Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import Row
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import size
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.gtid import GtidSet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import Facts, transactions

GOES_ON = "; the server goes on by itself: run again to wait for it, with a longer timeout"

# Stages of a clone in which data are copied; the others have no size.
COPYING = ("FILE COPY", "PAGE COPY", "REDO COPY")


def transactions_left(facts: Facts, me: str) -> int:
    """How many transactions this member has yet to apply: what its group and it itself have received, without what it has executed."""
    mine = facts[me]
    wanted = transactions(mine)
    for address, other in facts.items():
        if address != me and other.reachable and other.server_uuid in mine.view and other.state == "ONLINE":
            wanted = wanted.union(transactions(other))
    return (wanted - GtidSet(mine.gtid_executed)).count()


def recovery_text(left: int, total: int) -> str:
    """'RECOVERING: 1,204 of 20,331 transactions left'; total: the most that were ever left."""
    return f"RECOVERING: {left:,} of {max(left, total):,} transactions left"


def clone_text(donor: str, stages: Sequence[Row]) -> str:
    """'CLONE of db0:3306: 43 %, 1.2 GiB of 2.8 GiB'; stages: rows of performance_schema.clone_progress in their order."""
    running = [row["stage"] for row in stages if row["state"] == "In Progress"]
    stage = running[0] if running else ""
    if stage and stage not in COPYING:
        return f"CLONE of {donor}: {stage}"
    wanted = sum(int(row["estimate"] or 0) for row in stages if row["stage"] in COPYING)
    done = sum(int(row["data"] or 0) for row in stages if row["stage"] in COPYING)
    if not wanted:
        return f"CLONE of {donor}: it begins"
    # Estimates grow while a busy donor is copied.
    wanted = max(wanted, done)
    return f"CLONE of {donor}: {stage + ', ' if stage else ''}{100 * done // wanted} %, {size(done)} of {size(wanted)}"
