# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics of a member, by what real servers answered, and in which form they are written."""

from __future__ import annotations

import re

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import Inbound, ServerFacts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.metrics import (
    HELP,
    PLANNED,
    Sample,
    exposition,
    member_samples,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.sites import channel_of
from support_status import NOW, answers

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("A member's metrics say what its facts say; what is not known has no sample."),
]


def values(answer):
    """The samples by name and distinguishing label; the member's and the group's names aside."""
    found = {}
    for one in member_samples(answer, NOW):
        labels = {key: text for key, text in one.labels if key not in ("member", "group_name")}
        found[(one.name.replace("mysql_gr_", ""), *labels.values())] = one.value
    return found


def test_a_member_that_is_well():
    answer = answers("well")["db0"]
    answer["refused_tables"] = {"without_key": 2, "other_engines": 0}
    answer["transactions"] = {"longest": 12, "largest": 34}
    answer["member"]["settings"]["group_replication_transaction_size_limit"] = "150000000"
    found = values(answer)
    assert {key: found[key,] for key in ("up", "writable", "primary", "quorum_margin", "view_members", "view_live_members", "uncertain")} == {
        "up": 1, "writable": 1, "primary": 1, "quorum_margin": 1, "view_members": 3, "view_live_members": 3, "uncertain": 0,
    }  # fmt: skip
    assert found["group_state", "ONLINE"] == 1 and found["group_state", "NO_QUORUM"] == 0
    assert found["member_state", "ONLINE"] == 1 and found["member_state", "ERROR"] == 0
    assert (found["transactions_behind",], found["transactions_to_certify",], found["errant_transactions",]) == (
        0,
        0,
        0,
    )
    assert (found["flow_control_threshold", "applier"], found["flow_control_threshold", "certifier"]) == (25000, 25000)
    assert (
        found["certificate_valid_seconds", "own"] == 3649 * 86400 and ("certificate_valid_seconds", "ca") not in found
    )
    assert (found["refused_tables", "without_key"], found["refused_tables", "other_engines"]) == (2, 0)
    assert (found["longest_transaction_seconds",], found["largest_transaction_rows",]) == (12, 34)
    assert found["transaction_size_limit_bytes",] == 150_000_000
    assert (found["guard_up",], found["planned",]) == (0, 0)
    assert found["written_timestamp_seconds",] == NOW
    assert found["declared_members",] == 3


@pytest.mark.parametrize(
    ("case", "host", "expected"),
    [
        ("one killed", "db0", {("quorum_margin",): 0, ("writable",): 1, ("uncertain",): 1, ("group_state", "ONLINE_PARTIAL"): 1}),
        ("one killed", "db1", {("up",): 0, ("writable",): 0, ("quorum_margin",): None, ("member_state", "ONLINE"): 0, ("member_state", "UNREACHABLE"): 1}),
        ("no quorum", "db0", {("quorum_margin",): -1, ("writable",): 0, ("primary",): 1, ("group_state", "NO_QUORUM"): 1}),
        ("all down", "db0", {("up",): 0, ("writable",): 0, ("group_state", "OFFLINE"): 1}),
        ("outage", "db0", {("up",): 1, ("writable",): 0, ("quorum_margin",): None, ("member_state", "OFFLINE"): 1, ("transactions_behind",): None}),
    ],
)  # fmt: skip
def test_what_real_outages_look_like(case, host, expected):
    found = values(answers(case)[host])
    assert {key: found.get(key) for key in expected} == expected


@pytest.mark.parametrize("name", ["super_read_only", "read_only", "offline_mode"])
def test_a_member_that_is_closed_takes_no_writes(name):
    answer = answers("well")["db0"]
    answer["member"][name] = True
    assert values(answer)["writable",] == 0


def test_where_nothing_answers_there_is_that():
    found = values({"address": "db0:3306"})
    assert found == {("written_timestamp_seconds",): NOW, ("up",): 0, ("writable",): 0, ("guard_up",): 0, ("planned",): 0}  # fmt: skip


def test_transactions_of_its_own_are_counted():
    answer = answers("well")["db0"]
    answer["cluster"]["members"][answer["address"]]["errant"] = "5cadf045-ea86-11f1-bd30-02fc00000001:1-3:7"
    assert values(answer)["errant_transactions",] == 4


def test_a_standby_says_whether_it_follows_the_other_site():
    answer = answers("well")["db0"]
    assert values(answer)["standby",] == 0 and ("standby_follows",) not in values(answer)
    channel = Inbound("site", "other:3306", behind=7)
    facts = ServerFacts("db0:3306", inbound=[channel._replace(channel="source"), channel])
    answer["site_channel"] = channel_of(facts)
    found = values(answer)
    assert (found["standby",], found["standby_follows",], found["standby_behind",]) == (1, 1, 7)
    answer["site_channel"] = channel._replace(receiver="CONNECTING")
    assert values(answer)["standby_follows",] == 0
    answer["cluster"]["members"][answer["address"]]["role"] = "SECONDARY"
    found = values(answer)
    assert found["standby",] == 1 and ("standby_follows",) not in found


def test_flow_control_that_is_off_has_no_threshold():
    answer = answers("well")["db0"]
    answer["member"]["settings"]["group_replication_flow_control_mode"] = "DISABLED"
    assert ("flow_control_threshold", "applier") not in values(answer)


@pytest.mark.parametrize(
    ("change", "planned"),
    [
        ({}, 0),
        ({"planned": True}, 1),
        ({"guard": {"decision": "unchanged", "rule": "online", "paused_until": "12:30"}}, 1),
        *(({"guard": {"decision": "aside", "rule": rule}}, 1) for rule in PLANNED),
        ({"guard": {"decision": "aside", "rule": "disk_full"}}, 0),
        ({"guard": {"decision": "wait", "rule": "not_asked"}}, 0),
    ],
)
def test_a_member_that_is_out_on_purpose(change, planned):
    assert values({**answers("well")["db0"], **change})["planned",] == planned


def test_rules_of_the_guard_that_are_named_exist():
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.rules import GUARD

    assert set(PLANNED) <= {one.name for one in GUARD.rules}


def test_the_guards_sentence_is_in_no_label():
    """It would make a new time series whenever a time or an address in it is another one."""
    guard = {"decision": "wait", "rule": "unasked", "reason": "db2 does not answer since 12:30", "since": 5.5}
    found = values({**answers("well")["db0"], "guard": guard})
    assert found["guard_decision", "wait", "unasked"] == 1
    assert (found["guard_up",], found["guard_paused",], found["guard_decision_timestamp_seconds",]) == (1, 0, 5.5)
    assert "db2 does not" not in exposition(member_samples({"guard": guard}, NOW))


def test_every_metric_has_a_help_text_and_stands_together():
    text = exposition([*member_samples(answers("well")["db0"], NOW), *member_samples(answers("well")["db1"], NOW)])
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# HELP")]
    assert names == [name for name in HELP if name in names] and len(names) == len(set(names))
    assert re.findall(r"^# TYPE (\S+) gauge$", text, re.MULTILINE) == names
    current = ""
    for line in text.splitlines():
        current = line.split()[2] if line.startswith("#") else current
        assert line.startswith("#") or re.fullmatch(rf'{current}\{{(\w+="[^"\n]*",?)+\}} -?[\d.]+', line), line
    assert text.endswith("\n")


def test_labels_are_escaped_and_numbers_are_exact():
    hostile = Sample("mysql_gr_up", 1.0, (("member", 'a"b\\c\nd'),))
    text = exposition([hostile, Sample("mysql_gr_uncertain", 0.25), Sample("mysql_gr_view_members", 1795800000.0)])
    assert 'mysql_gr_up{member="a\\"b\\\\c\\nd"} 1\n' in text
    assert "mysql_gr_uncertain 0.25\n" in text and "mysql_gr_view_members 1795800000\n" in text
