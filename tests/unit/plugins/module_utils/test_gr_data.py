# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server holds beside its GTID set, from what it says and from its oldest binary log."""

from __future__ import annotations

import json
import struct

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import data
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import Data, Logs, Schema, Tables

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("A server's data is accounted for by its GTID history, or it is said why not."),
]

UUID = "00000000-aaaa-bbbb-cccc-dddddddddddd"
BEGUN = 1_700_000_000


def test_sizes_and_names_are_short():
    shop = Schema("shop", 2, 1234567, 5 << 20, "2026-11-25 10:00")
    assert str(shop) == "shop (about 1,234,567 rows, 5.0 MiB, last change 2026-11-25 10:00)"
    assert str(Data(schemas=[shop._replace(tables=0)] * 12)).endswith("shop (no tables) and 2 more")
    assert str(Tables(12, ["a.b"])) == "a.b and 11 more"


@pytest.mark.parametrize(
    ("executed", "purged", "logs", "created", "words", "proven"),
    [
        ("", "", Logs("binlog.000001", BEGUN, ""), BEGUN + 9, "not one transaction with a GTID", True),
        (f"{UUID}:1-9", f"{UUID}:1-3", Logs("binlog.000004", BEGUN, "Gtid"), BEGUN + 9, f"no longer have {UUID}:1-3", True),
        (f"{UUID}:1-9", "", Logs("binlog.000001", BEGUN, "Anonymous_Gtid"), BEGUN + 9, "begins with transactions without a GTID", True),
        # Reset after the table was made, and written to since.
        (f"{UUID}:1", "", Logs("binlog.000001", BEGUN, "Gtid"), BEGUN - 60, "table shop.t is older than its first binary log, binlog.000001", True),
        (f"{UUID}:1", "", Logs("binlog.000001", 0, "Gtid"), BEGUN, "it cannot be seen when", False),
        (f"{UUID}:1", "", Logs(), BEGUN, "it has no binary log", False),
        (f"{UUID}:1", "", Logs("binlog.000001", BEGUN, "Gtid"), BEGUN, "", False),
        (f"{UUID}:1", "", Logs("binlog.000007", BEGUN, "Gtid"), BEGUN + 5, "", False),
    ],
)  # fmt: skip
def test_what_the_history_accounts_for(executed, purged, logs, created, words, proven):
    why, sure = data.judge(executed, purged, logs, "shop.t", created)
    assert words in why and bool(words) is bool(why)
    assert sure is proven


class Server:
    """Answers what a server would."""

    def __init__(self, folder, **seen):
        none = {"number": 0, "first": None}
        self.seen = {
            "schemas": [["shop", 1, 3, 16384, "2026-11-25 10:00"]], "other_engines": none, "without_key": none, "cascading": none,
            "channels": [["", "db9", 3306]], "cluster_metadata": 0, "gtid_executed": f"{UUID}:1-3,\nx", "gtid_purged": "", "gtid_mode": "ON", "log_bin": 1,
            "log_bin_basename": str(folder / "binlog"), **seen,
        }  # fmt: skip
        self.events = {
            "binlog.000001": ["Format_desc", "Previous_gtids"],
            "binlog.000002": ["Format_desc", "Previous_gtids", "Gtid", "Query"],
        }
        self.asked = []

    def ask(self, text):
        self.asked.append(text)
        if text.startswith("SHOW BINARY LOGS"):
            return [[name, "157", "No"] for name in self.events]
        if text.startswith("SHOW BINLOG EVENTS"):
            # A statement's text may have line breaks and tabs of its own.
            return [
                *[[text, "4", kind, "1", "120", ""] for kind in self.events[text.split("'")[1]]],
                ["rest of a statement"],
            ]
        if "ORDER BY CREATE_TIME" in text:
            return [["shop.t", str(BEGUN + 1)]]
        return [[json.dumps(self.seen)]]


def write_log(folder, magic=b"\xfebin", at=BEGUN):
    (folder / "binlog.000001").write_bytes(magic + struct.pack("<I", at) + b"\x0f" * 20)


def test_a_server_with_a_whole_history(tmp_path):
    write_log(tmp_path)
    found = data.look(Server(tmp_path).ask)
    assert (found.history, found.proven) == ("", False)
    assert [str(item) for item in found.sources] == ["db9:3306"]
    assert found.schemas == [Schema("shop", 1, 3, 16384, "2026-11-25 10:00")]
    assert data.from_dict(json.loads(json.dumps(found.as_dict()))) == found


def test_a_log_that_cannot_be_read_leaves_a_doubt(tmp_path):
    write_log(tmp_path, magic=b"\xfdbin")
    assert (
        data.look(Server(tmp_path).ask).history
        == "it cannot be seen when its first binary log, binlog.000001, was begun"
    )


def test_a_table_from_before_the_first_log_is_found(tmp_path):
    write_log(tmp_path, at=BEGUN + 3600)
    found = data.look(Server(tmp_path).ask)
    assert found.proven and "shop.t is older" in found.history


def test_a_server_that_writes_without_gtids_now_is_found(tmp_path):
    write_log(tmp_path)
    found = data.look(Server(tmp_path, gtid_mode="OFF").ask)
    assert found.proven and found.history == "its gtid_mode is OFF: what is written has no GTID"


def test_without_schemas_there_is_nothing_to_account_for(tmp_path):
    server = Server(tmp_path, schemas=None, gtid_executed="")
    assert data.look(server.ask).history == ""
    assert len(server.asked) == 1


def test_what_else_a_server_brings():
    seen = {"accounts": [["repl", "10.%", 1], ["", "db", 0]], "definers": {"number": 1, "first": ["shop.v (gone@%)"]},
            "events": {"number": 0, "first": None}}  # fmt: skip
    asked = []

    def ask(text):
        asked.append(text)
        return [[json.dumps(seen)]]

    assert data.brings(ask, ["", "o'b"]) == {
        "accounts": [["", "db", False], ["repl", "10.%", True]],
        "definers": {"number": 1, "first": ["shop.v (gone@%)"]},
        "events": {"number": 0, "first": []},
    }
    assert "User IN (X'', X'6f2762')" in asked[0]


def test_the_mark_belongs_to_one_server():
    assert data.mark_of(UUID) == data.mark_of(UUID.upper()) != data.mark_of(UUID.replace("0", "1"))
