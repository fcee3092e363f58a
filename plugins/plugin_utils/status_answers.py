# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the info modules answered to the status playbook, and which of them is believed.

Private to this collection.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional

Row = Dict[str, Any]
# A registered result; None of a host that was not asked.
Answer = Optional[Dict[str, Any]]

# The better a state is, the more of the cluster did its witness see.
ORDER = ("ONLINE", "ONLINE_PARTIAL", "SPLIT_BRAIN", "NO_QUORUM", "OFFLINE")
LONGEST_REMARK = 160
# Days before its end from which a certificate is mentioned.
SOON = 30


def short(text: object) -> str:
    """A sentence for a cell of a table."""
    words = " ".join(str(text or "").split())
    return words if len(words) <= LONGEST_REMARK else words[: LONGEST_REMARK - 1] + "…"


def why_not(result: Answer) -> str:
    """Why there is no answer."""
    return (result.get("msg") or "gave no answer") if result else "was not asked"


def witness(results: Mapping[str, Answer]) -> Row:
    """The diagnosis of the member that saw most of the cluster."""
    found = [result["cluster"] for result in results.values() if result and result.get("cluster")]
    found.sort(
        key=lambda cluster: (
            ORDER.index(cluster["state"]) if cluster["state"] in ORDER else len(ORDER),
            cluster["uncertain"],
        )
    )
    return found[0] if found else {"members": {}}


def guards_remark(guard: Row) -> str:
    """What an operator should know of a member's guard: why it does not bring the member back now, or would not."""
    if guard.get("paused_until"):
        return f"guard paused until {guard['paused_until']}"
    return "" if guard.get("decision", "unchanged") == "unchanged" else f"guard: {guard.get('reason')}"
