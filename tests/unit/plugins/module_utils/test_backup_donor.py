# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which member a full backup is copied from."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.donor import (
    LAGGING,
    Member,
    Unreached,
    by_rank,
    look,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "A full backup is copied from the member that serves least, and from one that lags only where all do."
    ),
]

GROUP = "8f22f846-9922-4139-b2b7-097d185a93cb"


def member(name, role="SECONDARY", running=1, waiting=0, state="ONLINE", single=True, group=GROUP):
    return Member(name, f"uuid-{name}", state, role, single, group, "9.7.4", waiting, running, {}, "")


@pytest.mark.parametrize(
    "found, own, order",
    [
        ([member("db0", "PRIMARY", 0), member("db1", running=9), member("db2", running=3)], None, "db2 db1 db0"),
        (
            [member("db0", "PRIMARY", 0), member("db1", waiting=LAGGING + 1), member("db2", running=50)],
            None,
            "db2 db0 db1",
        ),
        ([member("db1", waiting=9000), member("db2", waiting=8000)], None, "db2 db1"),
        ([member("db1", state="RECOVERING"), member("db0", "PRIMARY")], None, "db0"),
        ([Unreached("db1", "no answer"), member("db0", "PRIMARY")], None, "db0"),
        # Several primaries: the one with the fewest statements, and of equal ones not the own host's.
        ([member("db0", "PRIMARY", 5, single=False), member("db1", "PRIMARY", 2, single=False)], None, "db1 db0"),
        ([member("db0", "PRIMARY", 2, single=False), member("db1", "PRIMARY", 2, single=False)], "db0", "db1 db0"),
        ([member("db0"), member("db1")], "db0", "db1 db0"),
    ],
)
def test_rank(found, own, order):
    assert " ".join(one.name for one in by_rank(found, GROUP.upper(), own)) == order


def test_no_member():
    with pytest.raises(Refusal, match=r"no member can be copied, for none is ONLINE \(db0: no answer; db1: ERROR\)"):
        by_rank([Unreached("db0", "no answer"), member("db1", state="ERROR")], GROUP, None)


def test_another_cluster():
    with pytest.raises(Refusal, match="these settings are of another cluster"):
        by_rank([member("db0"), member("db1", group="11111111-9922-4139-b2b7-097d185a93cb")], GROUP, None)


class Server:
    where = "db0:3306"

    def __init__(self, rows):
        self.rows = rows

    def query(self, text, args=None):
        if isinstance(self.rows, Exception):
            raise self.rows
        if "Threads_running" in text:
            return [{"value": "4"}]
        if "SHOW GLOBAL VARIABLES" in text:
            return [{"variable_name": "innodb_page_size", "value": "16384"}]
        return self.rows


def test_look():
    row = {
        "uuid": "ABC",
        "state": "ONLINE",
        "role": "PRIMARY",
        "single": "1",
        "group_name": GROUP.upper(),
        "version": "9.7.4",
        "waiting": None,
        "executed": "x:1",
    }
    assert look("db0", Server([row])) == Member(
        "db0", "abc", "ONLINE", "PRIMARY", True, GROUP, "9.7.4", 0, 4, {"innodb_page_size": "16384"}, "x:1"
    )
    assert look("db0", Server([])) == Unreached("db0", "db0:3306 is in no group")
    assert look("db0", Server(ServerError("db0 does not answer"))) == Unreached("db0", "db0 does not answer")
