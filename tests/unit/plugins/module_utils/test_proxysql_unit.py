# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ProxySQL's systemd unit, from what systemctl and journalctl print."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.unit import last_lines, unit_state


def answer(sub, code=0):
    text = f"Result=exit-code\nExecMainStatus=127\nActiveState=failed\nSubState={sub}\n"
    return lambda _command: (code, text, "")


@pytest.mark.parametrize(
    ("sub", "ended"), [("running", False), ("start", False), ("failed", True), ("dead", True), ("auto-restart", True)]
)
def test_a_unit_that_has_ended_is_known_by_its_state(sub, ended):
    state = unit_state(answer(sub), "proxysql")
    assert state is not None and state.ended is ended
    assert str(state) == f"ProxySQL does not run: the service proxysql is {sub} (result exit-code, exit status 127)."


def test_without_systemd_nothing_is_known():
    assert unit_state(answer("running", code=1), "proxysql") is None

    def missing(_command):
        raise FileNotFoundError("systemctl")

    assert unit_state(missing, "proxysql") is None


def test_the_journal_s_last_lines_are_one_sentence():
    assert last_lines(lambda _command: (0, "one\n\n two \n", ""), "x") == "The end of its journal: one / two"
    assert last_lines(lambda _command: (0, "", ""), "x") == "Its journal has no lines."
