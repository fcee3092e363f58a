# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of the status playbook, with hosts that could not be asked among them."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_status import gr_status
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_table import gr_table

ADDRESSES = {"db0": "192.0.2.130:3306", "db1": "192.0.2.131:3306"}


def cluster(state, **members):
    return {
        "cluster": {
            "state": state,
            "uncertain": False,
            "members": {ADDRESSES[host]: member for host, member in members.items()},
        }
    }


def test_the_witness_that_sees_most_is_believed():
    up = {"state": "ONLINE", "role": "PRIMARY", "version": "9.7.4", "transactions_behind": 2, "why": ""}
    down = {"state": "OFFLINE", "role": "", "version": "", "why": "is down"}
    lonely = {"state": "UNKNOWN", "role": "", "version": "", "why": "could not be asked"}
    rows = gr_status(
        {"db0": cluster("ONLINE_PARTIAL", db0=up, db1=down), "db1": cluster("OFFLINE", db0=lonely, db1=down)},
        "members",
        ADDRESSES,
    )
    assert [row["state"] for row in rows] == ["ONLINE", "OFFLINE"]
    assert rows[0]["behind"] == 2
    assert rows[1]["remark"] == "is down"


@pytest.mark.parametrize(
    ("guard", "there"),
    [
        ({}, "is down"),
        ({"decision": "unchanged", "reason": "this member is ONLINE", "paused_until": ""}, "is down"),
        ({"decision": "refuse", "reason": "db2 does not answer"}, "is down; guard: db2 does not answer"),
        ({"decision": "unchanged", "paused_until": "12:30"}, "is down; guard paused until 12:30"),
    ],
)
def test_a_guard_says_why_it_does_not_bring_a_member_back(guard, there):
    answer = {**cluster("OFFLINE", db0={"state": "OFFLINE", "why": "is down"}), "guard": guard}
    assert gr_status({"db0": answer}, "members", ADDRESSES)[0]["remark"] == there


@pytest.mark.parametrize(
    ("certificate", "there"),
    [
        ({}, ""),
        ({"days_left": None}, ""),
        ({"days_left": 29}, "29 days"),
        ({"days_left": 0}, "0 days"),
        ({"days_left": -1}, "expired"),
    ],
)
def test_a_certificate_says_for_how_long_it_is_valid(certificate, there):
    answer = {**cluster("ONLINE", db0={"state": "ONLINE", "why": ""}), "certificate": certificate}
    assert gr_status({"db0": answer}, "members", ADDRESSES)[0]["certificate"] == there
    answer["certificate"] = {"days_left": 9, **{f"ca_{name}": days for name, days in certificate.items()}}
    row = gr_status({"db0": answer}, "members", ADDRESSES)[0]
    assert (row["certificate"], row["ca"]) == ("9 days", there)


def test_a_member_that_replicates_from_outside_says_how_far_it_is():
    up = {"state": "ONLINE", "role": "PRIMARY", "version": "9.7.4", "why": ""}
    there = "replicates from 192.0.2.140:3306, 3 transactions behind"
    rows = gr_status({"db0": cluster("ONLINE", db0={**up, "replicates_from": [there]})}, "members", ADDRESSES)
    assert rows[0]["remark"] == there


def test_a_host_that_failed_is_named_with_its_reason():
    rows = gr_status({"db0": {"failed": True, "msg": "no\nsocket"}, "db1": None}, "members", ADDRESSES)
    assert [(row["member"], row["state"], row["remark"]) for row in rows] == [
        ("db0", "UNKNOWN", "no socket"),
        ("db1", "UNKNOWN", "was not asked"),
    ]


def test_members_that_are_not_declared_and_warnings_are_rows():
    up = {"state": "ONLINE", "role": "PRIMARY", "version": "9.7.4", "why": ""}
    answer = cluster("ONLINE", db0=up)
    answer["cluster"].update(
        undeclared=["192.0.2.132:3306 (aaaa) ONLINE"],
        warnings=[
            "members of the group that are not declared: 192.0.2.132:3306 (aaaa) ONLINE",
            "db0: group_replication_bootstrap_group is ON",
        ],
    )
    rows = gr_status({"db0": answer}, "members", ADDRESSES)
    assert [(row["member"], row.get("address"), row.get("state"), row["remark"]) for row in rows[1:]] == [
        ("?", "192.0.2.132:3306", "ONLINE", "not declared in the inventory"),
        ("", None, None, "db0: group_replication_bootstrap_group is ON"),
    ]
    assert "192.0.2.132:3306" in gr_table(rows, ["member", "address", "state", "remark"])


def test_servers_by_hostgroup():
    place = {"hostname": "192.0.2.130", "port": 3306, "check": {"error": ""}, "ping_error": "",
             "hostgroups": [{"hostgroup": 2, "role": "writer", "status": "ONLINE"}, {"hostgroup": 3, "role": "reader", "status": "ONLINE"}]}  # fmt: skip
    rows = gr_status({"proxy": {"reachable": True, "placement": [place]}}, "servers")
    assert [row["hostgroup"] for row in rows] == ["2 writer", "3 reader"]
    assert {row["server"] for row in rows} == {"192.0.2.130:3306"}


def test_a_proxy_that_is_down():
    rows = gr_status({"proxy": {"reachable": False, "error": "refused"}}, "servers")
    assert rows[0]["remark"] == "refused"


def test_an_unknown_kind():
    with pytest.raises(AnsibleFilterError, match="members, servers, certificates and shared"):
        gr_status({}, "both")


def test_a_table_is_as_wide_as_its_cells():
    assert gr_table([{"a": "x", "b": None}, {"a": "long"}], ["a", "b"]) == "a     b\n----  -\nx\nlong"


def shared(**answers):
    """Rows of one address that these proxies share; an answer has held, state or msg."""
    results = {
        host: {
            "addresses": ["192.0.2.10/24"],
            "answer": {"state": {"value": 0, "reason": ""}, **answer} if answer else {},
        }
        for host, answer in answers.items()
    }
    (row,) = gr_status(results, "shared")
    assert row["address"] == "192.0.2.10"
    return row["proxies"], row["remark"]


HELD, FREE = {"held": ["192.0.2.10"]}, {"held": []}


@pytest.mark.parametrize(
    ("answers", "proxies", "words"),
    [
        (dict(a=HELD, b=FREE), "a", ""),
        (dict(a=HELD, b=HELD), "a, b", "split: they do not hear each other's VRRP"),
        (dict(a=FREE, b=FREE), "none", "no proxy has it"),
        (dict(a=HELD, b={**FREE, "state": {"value": -100, "reason": "refused"}}), "a", "b is not good: refused"),
        (dict(a=HELD, b={**FREE, "state": {}}), "a", "b has no check"),
        (dict(a=FREE, b={}), "none", "b: was not asked"),
        (dict(a=HELD, b={"msg": "no route", "unreachable": True}), "a", "b: no route"),
    ],
)
def test_who_has_the_address_that_proxies_share(answers, proxies, words):
    found = shared(**answers)
    assert found[0] == proxies and (words in found[1] if words else found[1] == "")


@pytest.mark.parametrize(
    "certificate, remark",
    [
        (None, None),
        (dict(expires=31 * 86400 + 5, problem=""), ("31 days", "", "")),
        (dict(expires=31 * 86400 + 5, ca_expires=32 * 86400 + 5, problem=""), ("31 days", "32 days", "")),
        (
            dict(expires=31 * 86400 + 5, ca_expires=29 * 86400 + 5, problem=""),
            ("31 days", "29 days", "the CA of its certificate ends in 29 days: another one is needed"),
        ),
        (
            dict(expires=3 * 86400 + 5, ca_expires=99 * 86400, problem=""),
            ("3 days", "99 days", "its certificate for clients ends in 3 days: run distdb.mysql_ha.renew_certificates"),
        ),
        (
            dict(expires=None, ca_expires=None, problem="certificate verify failed: certificate has expired"),
            ("", "", "clients that verify refuse its certificate: certificate verify failed: certificate has expired"),
        ),
    ],
)
def test_a_proxy_s_certificate_is_mentioned_before_it_ends(monkeypatch, certificate, remark):
    monkeypatch.setattr("time.time", lambda: 0.0)
    rows = gr_status({"proxy": dict(reachable=True, placement=[], certificate=certificate), "gone": {}}, "certificates")
    assert [(row["certificate"], row["ca"], row["remark"]) for row in rows] == ([remark] if remark else [])
