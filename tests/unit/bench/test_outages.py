# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as bad in a run of the outages, and what the table says of the runs."""

from __future__ import annotations

import pytest

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("A lost row, a second group or a person that was needed is seen in the outages' report."),
]

RUN = {
    "outage": "all killed", "number": 0, "gap": 7.0, "service_after_servers": 2.0, "throughput_back": None, "whole_after": 9.0, "person": False,
    "acknowledged": 100, "lost": 0, "same": True, "several_groups": 0, "load": [3.2, 5.9],
}  # fmt: skip


@pytest.mark.parametrize(
    "what",
    [{"lost": 1}, {"several_groups": 1}, {"person": True}, {"same": False}, {"early": ["db1"]}, {"named": False}],
    ids=str,
)
def test_what_must_not_be(plan, what):
    assert not plan.bad(RUN) and not plan.bad({**RUN, "early": [], "named": True})
    assert plan.bad({**RUN, **what})


def test_the_table(plan):
    late = {
        **RUN,
        "gap": 9.0,
        "service_after_servers": 4.0,
        "whole_after": None,
        "person": True,
        "lost": 2,
        "load": [1.0, 2.0],
    }
    *_heads, row = plan.table([RUN, late]).splitlines()
    assert row == "| all killed | 2 | 3.0 s, 4.0 s | 8.0 s, 9.0 s | – | 9.0 s | 2 of 200 | 0 | 1 | 1 to 6 |"
