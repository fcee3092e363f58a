# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ends a wait, in the server's own words and with the next step."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import ApplierError, Channel
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.troubles import (
    LEAST_FREE,
    applier_trouble,
    disk_trouble,
    donor_trouble,
    service_trouble,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._service import parse_state

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("A wait whose condition can no longer come true ends with the server's words and the next step."),
]
RECOVERY = "group_replication_recovery"


@pytest.mark.parametrize(
    ("number", "said", "step"),
    [
        (3098, "The table does not comply with the requirements", "ALTER TABLE … ENGINE=InnoDB"),
        (1050, "Table 't' already exists", "clone=reprovision"),
        (1021, "Disk full (/tmp)", "free space on the disk"),
        (1030, "Got error 28 from storage engine: No space left on device", "free space on the disk"),
        (1231, "Variable cannot be set", "run again once that is made good"),
    ],
)
def test_an_applier_says_why_and_what_helps(number, said, step):
    text = applier_trouble(ApplierError(number, said, "2026-01-01", RECOVERY))
    assert said in text and step in text and f"(channel {RECOVERY})" in text


@pytest.mark.parametrize(
    ("number", "said", "words"),
    [
        (1045, "Access denied for user 'repl'@'db0'", "refuses the recovery account 'repl'"),
        (3118, "Access denied for user 'repl'@'db0'. Account is locked.", "ACCOUNT UNLOCK"),
        (1862, "Your password has expired.", "a new password in the group"),
        (1130, "Host 'db9' is not allowed to connect to this MySQL server", "refuses the recovery account"),
        (2026, "SSL connection error: certificate verify failed", "gets no TLS connection"),
        (2003, "Can't connect to MySQL server on 'db0:3306' (111)", ""),
        (1040, "Too many connections", ""),
        (0, "", ""),
    ],
)
def test_a_donor_that_refuses_for_good(number, said, words):
    text = donor_trouble(Channel("CONNECTING", number, said), "repl")
    assert words in text and bool(text) is bool(words)
    assert not words or said in text


def test_without_a_channel_nobody_refuses():
    assert donor_trouble(None, "repl") == ""


@pytest.mark.parametrize(("free", "full"), [(0, True), (None, True), (LEAST_FREE, False)])
def test_a_disk_that_has_room_again_is_not_full(free, full):
    assert ("Disk is full writing" in disk_trouble("Disk is full writing './binlog.000003'", free)) is full
    assert disk_trouble("", free) == ""


@pytest.mark.parametrize(
    ("active", "sub", "more", "words"),
    [
        ("active", "running", 0, ""),
        ("deactivating", "stop-sigterm", 0, ""),
        ("activating", "start", 1, ""),
        # On its way into the next start, which systemd shows for a moment.
        ("failed", "failed-before-auto-restart", 1, ""),
        ("activating", "auto-restart", 3, "its service was restarted 3 times, and ended each time"),
        ("failed", "failed", 1, "its service is failed (exit-code)"),
        ("inactive", "dead", 0, "its service is inactive (exit-code)"),
    ],
)
def test_a_service_that_does_not_come_back(active, sub, more, words):
    shown = f"ActiveState={active}\nSubState={sub}\nNRestarts={4 + more}\nResult=exit-code\nJob=\n"
    assert service_trouble(parse_state(shown), 4) == words
    assert "its service is" not in service_trouble(parse_state(shown + "Job=7\n"), 4), "it is about to be started"
    assert service_trouble(parse_state(""), 0) == ""
