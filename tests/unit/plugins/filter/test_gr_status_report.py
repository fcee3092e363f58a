# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status as data: what each situation is judged as, by answers that real servers gave."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_status_report import FilterModule, gr_status_report
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.margin import Margin, margin
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils import status_findings, status_proxies
from support_status import ADDRESSES, HOSTS, NOW, answers, cluster, proxy, reported

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "The status says what is wrong, how bad it is and what to do next, by what real servers answered."
    ),
]


def sentences(report, severity=None):
    rows = [*report["clusters"], *report["proxies"], *report["addresses"]]
    found = [one for row in rows for one in row["findings"] if severity in (None, one["severity"])]
    return [f"{one['about']}: {one['what']}" for one in found]


def on(**changes):
    """Changes the answers of hosts: db0={"certificate": …}; a dict is merged."""

    def change(members):
        for host, new in changes.items():
            for key, value in new.items():
                members[host][key] = {**members[host].get(key, {}), **value} if isinstance(value, dict) else value

    return change


def entry(host, **values):
    """Changes what every member's diagnosis says of one."""

    def change(members):
        for answer in members.values():
            answer["cluster"]["members"][ADDRESSES[host]].update(values)

    return change


def a_site(closed=True, **values):
    """The group is one of two sites."""
    found = {
        "role": "standby",
        "claim": 1,
        "takes_writes": False,
        "source": "n0:3306",
        "running": True,
        "behind": 3,
        "error": "",
        **values,
    }

    def change(members):
        for answer in members.values():
            answer["member"]["super_read_only"] = closed
            answer["cluster"]["site"] = found

    return change  # fmt: skip


# -- the whole ---------------------------------------------------------------------------------------------------------
def test_all_is_well():
    report = reported()
    assert (report["status"], report["verdict"], report["summary"], sentences(report)) == (0, "OK", [], [])
    (one,) = report["clusters"]
    assert one["quorum"] == {"declared": 3, "members": 3, "live": 3, "may_lose": 1}
    assert [row["state"] for row in one["members"]] == ["ONLINE"] * 3
    assert report["at"] == "2026-11-27T17:20:00Z"
    assert one["proxies"] == ["proxy"]


def test_it_is_data_for_scripts():
    assert json.loads(json.dumps(reported()))["format"] == 1
    assert set(FilterModule().filters()) == {"gr_status_report"}
    # Without a moment given, it is now.
    report = gr_status_report([cluster()], {"mysql_gr": answers("well")}, ADDRESSES)
    assert report["at"] > "2026"


def test_one_of_three_is_down():
    report = reported("one killed")
    assert (report["status"], report["verdict"]) == (2, "CRITICAL")
    assert report["clusters"][0]["quorum"] == {"declared": 3, "members": 3, "live": 2, "may_lose": 0}
    critical, warning = sentences(report)
    assert critical == "mysql_gr: 2 of 3 declared members are in the group: the loss of one more stops all writes."
    assert warning.startswith("db1: It does not answer (the others see it UNREACHABLE): 192.0.2.131:3306 does not")
    assert report["summary"] == [critical, warning]
    (_first, second) = report["clusters"][0]["findings"]
    assert second["do"].endswith("recover --limit db1")


def test_no_majority():
    report = reported("no quorum")
    assert report["status"] == 2
    assert report["clusters"][0]["quorum"] == {"declared": 3, "members": 3, "live": 1, "may_lose": -1}
    assert "mysql_gr: No member sees a majority: nothing can be written." in sentences(report, "critical")


@pytest.mark.parametrize("case", ["all down", "outage"])
def test_no_group(case):
    report = reported(case)
    assert report["clusters"][0]["quorum"]["may_lose"] is None
    assert "mysql_gr: No member that answered is in a group: there is no service." in sentences(report, "critical")


def test_transactions_of_its_own():
    def alone(members):
        entry("db1", errant="5cb:1-2")(members)

    assert "db1: It has transactions that the others lack: 5cb:1-2." in sentences(reported("outage", change=alone))


def test_two_groups_of_one_name():
    report = reported(change=lambda members: [a["cluster"].update(state="SPLIT_BRAIN") for a in members.values()])
    assert sentences(report, "critical") == ["mysql_gr: More than one group of this name has a majority: their data differ."]  # fmt: skip
    # Whose majority would that be?
    assert report["clusters"][0]["quorum"]["may_lose"] is None


@pytest.mark.parametrize("answer", [{"failed": True, "msg": "no route to host"}, {"unreachable": True, "msg": "no route to host"}])  # fmt: skip
def test_where_no_member_answers_nothing_is_known(answer):
    report = gr_status_report([cluster(proxies=[])], {"mysql_gr": dict.fromkeys(HOSTS, answer)}, ADDRESSES, now=NOW)
    assert (report["status"], report["verdict"]) == (3, "UNKNOWN")
    assert sentences(report) == ["mysql_gr: No member answered, so nothing is known of the group."]
    assert [row["why"] for row in report["clusters"][0]["members"]] == ["no route to host"] * 3
    assert report["clusters"][0]["state"] == "UNKNOWN"


def test_what_is_critical_is_worse_than_what_is_unknown():
    answer = {"failed": True, "msg": "gone"}
    members = {"one": dict.fromkeys(HOSTS, answer), "two": answers("no quorum")}
    report = gr_status_report([cluster("one", []), cluster("two", [])], members, ADDRESSES, now=NOW)
    assert [row["status"] for row in report["clusters"]] == [3, 2]
    assert report["status"] == 2


def test_members_outside_of_the_limit_are_known_by_the_others():
    def limit(members):
        members["db1"] = members["db2"] = {}

    report = reported(change=limit)
    assert (report["status"], sentences(report)) == (0, [])
    assert [row["answered"] for row in report["clusters"][0]["members"]] == [True, False, False]


def test_a_host_that_ansible_does_not_reach():
    """Its server is ONLINE, by the others."""

    def gone(members):
        members["db1"] = {"unreachable": True, "msg": "ssh: timed out"}

    report = reported(change=gone)
    assert report["clusters"][0]["members"][1]["unasked_because"] == "ssh: timed out"
    assert report["status"] == 1
    assert sentences(report) == ["db1: Ansible gets no answer from this host: ssh: timed out."]


# -- the group and its members -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "severity", "said"),
    [
        (lambda m: [a["cluster"]["members"][x].update(role="SECONDARY") for a in m.values() for x in ADDRESSES.values()],
         "critical", "mysql_gr: No ONLINE member is PRIMARY: nothing can be written."),
        (on(**{h: {"member": {"super_read_only": True}} for h in HOSTS}), "critical",
         "mysql_gr: Every primary is read-only (db0, db1, db2): nothing can be written."),
        (a_site(), "note", "mysql_gr: It is the standby of another site; it replicates from n0:3306, 3 transactions behind."),
        (a_site(running=False), "critical", "mysql_gr: It is the standby of another site, and does not follow it: its channel is stopped."),
        (a_site(error="Duplicate entry"), "critical", "mysql_gr: It is the standby of another site, and does not follow it: Duplicate entry."),
        (a_site(closed=False, takes_writes=True), "critical", "mysql_gr: It is the standby of another site, and takes writes."),
        (a_site(role="primary"), "critical", "mysql_gr: This site was the one that writes, and takes no writes until the other one was asked."),
        (on(db0={"cluster": {"uncertain_because": ["the members' views differ", "db9 could not be asked: x"]}}), "warning",
         "mysql_gr: Uncertain: the members' views differ."),
        (on(db0={"cluster": {"warnings": ["db0: group_replication_bootstrap_group is ON"]}}), "warning",
         "mysql_gr: db0: group_replication_bootstrap_group is ON."),
        (entry("db1", state="RECOVERING", transactions_behind=1234), "note", "db1: It is RECOVERING, 1234 transactions behind."),
        (entry("db1", state="RECOVERING", transactions_behind=None), "note", "db1: It is RECOVERING."),
        (entry("db1", state="ERROR", kind="broken", why="it lacks x"), "warning", "db1: It is ERROR and cannot come back as it is: it lacks x."),
        (entry("db1", state="OFFLINE", kind="unsuitable", why="no plugin"), "warning", "db1: It does not fit the group: no plugin."),
        (entry("db1", state="ONLINE", kind="unreachable", why="timed out"), "warning",
         "db1: It does not answer (the others see it ONLINE): timed out."),
        (entry("db1", state="OFFLINE", kind="rejoinable"), "warning", "db1: It is OFFLINE."),
        (entry("db1", transactions_behind=99), None, None),
        (entry("db1", transactions_behind=100), "warning", "db1: It is 100 transactions behind."),
        (entry("db1", transactions_behind=25000), "warning",
         "db1: Flow control slows the writers of the whole group down: 25,000 transactions to apply, flow control from 25,000."),
        (entry("db1", transactions_to_certify=30000), "warning",
         "db1: Flow control slows the writers of the whole group down: 30,000 transactions to certify, flow control from 25,000."),
        (entry("db1", differing_settings=["a: 1, group: 2"]), "warning", "db1: A setting that must be equal differs: a: 1, group: 2."),
        (entry("db1", replicates_from=["does not replicate from x any more: y"]), "warning", "db1: It does not replicate from x any more: y."),
        (entry("db1", replicates_from=["replicates from x, 3 transactions behind"]), None, None),
        (on(db1={"certificate": {"days_left": 30, "ca_days_left": 30}}), None, None),
        (on(db1={"certificate": {"days_left": 29}}), "warning", "db1: Its certificate ends in 29 days."),
        (on(db1={"certificate": {"days_left": 6}}), "critical", "db1: Its certificate ends in 6 days."),
        (on(db1={"certificate": {"days_left": -1}}), "critical", "db1: Its certificate has expired."),
        (on(db1={"certificate": {"ca_days_left": 29}}), "warning", "db1: Its CA ends in 29 days."),
        (on(db1={"guard": {"decision": "unchanged", "paused_until": "12:30"}}, db0={"guard": {"mode": "full"}}, db2={"guard": {"mode": "full"}}),
         "note", "db1: Its guard is paused until 12:30."),
        (on(db1={"guard": {"decision": "unchanged"}}, db0={"guard": {"decision": "unchanged"}}), "warning",
         "db2: Its guard does not run, and other members have one."),
    ],
)  # fmt: skip
def test_what_is_said(change, severity, said):
    report = reported(change=change)
    assert sentences(report, severity) == ([said] if said else [])
    assert report["status"] == {None: 0, "note": 0, "warning": 1, "critical": 2}[severity]


def test_a_guard_says_why_a_member_is_out():
    def out(members):
        entry("db1", state="OFFLINE", kind="rejoinable")(members)
        for host in HOSTS:
            members[host]["guard"] = {"mode": "full", "decision": "unchanged", "reason": "this member is ONLINE"}
        members["db1"]["guard"] = {"mode": "full", "decision": "refuse", "reason": "db2 does not answer"}

    assert "db1: It is OFFLINE. Its guard says: db2 does not answer." in sentences(reported(change=out))


def test_a_small_group_tolerates_no_loss_and_that_is_no_fault():
    def two(members):
        del members["db2"]
        for answer in members.values():
            del answer["cluster"]["members"][ADDRESSES["db2"]]
            view = answer["member"]["view"]
            answer["member"]["view"] = {uuid: one for uuid, one in view.items() if one["host"] != "192.0.2.132"}

    report = reported(change=two)
    assert report["status"] == 0
    assert sentences(report, "note") == ["mysql_gr: 2 of 2 declared members are in the group: the loss of one more stops all writes."]  # fmt: skip


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([], None),
        (["ONLINE"], 0),
        (["ONLINE"] * 2, 0),
        (["ONLINE"] * 3, 1),
        (["ONLINE"] * 4, 1),
        (["ONLINE"] * 9, 4),
        (["ONLINE", "RECOVERING", "UNREACHABLE"], 0),
        (["ONLINE", "UNREACHABLE", "UNREACHABLE"], -1),
        (["ONLINE", "UNREACHABLE"], -1),
    ],
)
def test_how_many_may_be_lost(states, expected):
    found = margin(states)
    assert (found.may_lose if found else None) == expected
    if found:
        # A majority is left without them, and would not be without one more.
        left = found.live - max(found.may_lose, 0)
        assert (2 * left > found.members) == (expected >= 0)
        assert not 2 * (left - 1) > found.members


def test_a_margin_names_its_numbers():
    assert Margin(5, 4).may_lose == 1


# -- events ------------------------------------------------------------------------------------------------------------
def test_a_change_that_all_members_note_is_one_event():
    (one,) = reported("one killed")["clusters"]
    gone = [event for event in one["events"] if event["code"] == "MY-011493"]
    assert [(sorted(event["hosts"]), event["severity"]) for event in gone] == [(["db0", "db2"], "warning")]
    assert gone[0]["what"] == "Member with address 192.0.2.131:3306 has become unreachable."
    assert [event["at"] for event in one["events"]] == sorted((event["at"] for event in one["events"]), reverse=True)


def test_what_happens_again_is_another_event():
    def again(members):
        for host, at in (("db0", 0), ("db1", 9), ("db2", 18), ("db0", 40)):
            members[host]["events"] = [*(members[host]["events"] if at else []), {"at": NOW + at, "severity": "note", "code": "x", "what": "y"}]  # fmt: skip

    events = [one for one in reported(change=again)["clusters"][0]["events"] if one["code"] == "x"]
    assert [one["hosts"] for one in events] == [["db0"], ["db0", "db1", "db2"]]


def test_the_newest_events_are_kept():
    def many(members):
        members["db0"]["events"] = [{"at": NOW - 100 * n, "severity": "note", "code": "MY-1", "what": f"e{n}"} for n in range(50)]  # fmt: skip
        members["db1"]["events"] = members["db2"]["events"] = []
        members["db1"]["guard"] = {"since": NOW + 5, "reason": "this member is ONLINE", "decision": "unchanged"}

    events = reported(change=many)["clusters"][0]["events"]
    assert len(events) == 30
    assert [event["what"] for event in events[:2]] == ["this member is ONLINE", "e0"]


# -- proxies -----------------------------------------------------------------------------------------------------------
REFUSED = {"reachable": False, "error": "Connection refused.", "placement": []}
OFF = [{"hostgroup": 1, "role": "offline", "status": "ONLINE"}]
AWAY = [{"hostname": "192.0.2.130", "port": 3306, "hostgroups": OFF, "check": {"error": "gone"}}]


@pytest.mark.parametrize(
    ("proxies", "severity", "said"),
    [
        ({"a": proxy(**REFUSED), "b": proxy()}, "warning", ["a: Its ProxySQL does not answer: Connection refused."]),
        ({"a": proxy(**REFUSED)}, "critical", ["a: Its ProxySQL does not answer: Connection refused. No other proxy answers: applications get no connection."]),
        ({"a": {"unreachable": True, "msg": "no ssh"}, "b": proxy()}, "warning", ["a: Its ProxySQL does not answer: no ssh."]),
        ({"a": proxy(placement=AWAY)}, "critical", ["a: It has no ONLINE server in its writer hostgroup: statements that write wait and fail."]),
        ({"a": proxy(problems=["192.0.2.130:3306: it is SHUNNED"])}, "warning", ["a: 192.0.2.130:3306: it is SHUNNED."]),
        ({"a": proxy(drift={"mysql_users": {"runtime": ["shop"], "disk": []}})}, "warning",
         ["a: mysql_users: memory and runtime (what is in use) differ in shop."]),
        ({"a": proxy(drift={"mysql_users": {"runtime": [], "disk": ["shop", 3]}})}, "warning",
         ["a: mysql_users: memory and disk (what it starts with) differ in shop, 3."]),
        ({"a": proxy(certificate={"problem": "wrong name"})}, "critical", ["a: Clients that verify refuse its certificate: wrong name."]),
        ({"a": proxy(certificate={"expires": NOW + 86400 * 20, "ca_expires": NOW + 86400 * 400})}, "warning", ["a: Its certificate ends in 20 days."]),
        ({"a": proxy(certificate=None)}, None, []),
        ({"a": proxy("a"), "b": proxy("b")}, None, []),
        ({"a": proxy("a"), "b": proxy("b", checksums={"mysql_users": "0x1", "mysql_variables": "0x2"})}, "warning",
         ["mysql_gr: Its proxies have different users: a and b."]),
    ],
)  # fmt: skip
def test_what_is_said_of_proxies(proxies, severity, said):
    report = reported(proxies=proxies)
    assert sentences(report) == said
    assert report["status"] == {None: 0, "warning": 1, "critical": 2}[severity]


@pytest.mark.parametrize(
    ("row", "severity"),
    [
        ({"proxies": "a", "remark": ""}, None),
        ({"proxies": "a, b", "remark": "split: they do not hear each other"}, "critical"),
        ({"proxies": "none", "remark": "no proxy has it"}, "critical"),
        ({"proxies": "a", "remark": "b is not good: refused"}, "warning"),
    ],
)
def test_what_is_said_of_shared_addresses(row, severity):
    report = reported(shared=[{"address": "192.0.2.10", **row}])
    assert [one["severity"] for one in report["addresses"][0]["findings"]] == ([severity] if severity else [])


def test_pages_that_are_named_exist():
    docs = Path(__file__).resolve().parents[4] / "docs"
    if not docs.exists():
        pytest.skip("an installed collection has no pages")
    sources = "".join(Path(module.__file__).read_text() for module in (status_findings, status_proxies))
    pages = set(re.findall(r'"([\w/-]+\.md)"', sources))
    assert len(pages) > 5 and not [page for page in pages if not (docs / page).is_file()]


def test_commands_name_the_cluster_where_there_are_several():
    members = {"one": answers("one killed"), "two": answers("all down")}
    report = gr_status_report([cluster("one", []), cluster("two", [])], members, ADDRESSES, now=NOW)
    (first, second), (third, *_) = (row["findings"] for row in report["clusters"])
    assert first["do"].endswith("recover -e operations_cluster=one")
    assert second["do"].endswith("recover --limit db1")
    assert third["do"].endswith("recover -e operations_cluster=two")
