# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of the info modules for tests of the status report and of its page.

Those of members were recorded from real servers (MySQL 9.7.4, three mysqld processes; addresses are those of documentation); those of proxies are
written by hand, as the documentation of the module has them.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path

HOSTS = ("db0", "db1", "db2")
ADDRESSES = {host: f"192.0.2.13{number}:3306" for number, host in enumerate(HOSTS)}
NOW = 1795800000.0
RECORDED = json.loads((Path(__file__).parent / "unit/fixtures/status_facts.json").read_text(encoding="utf-8"))
HOSTILE = '</td><script>document.title="taken"</script><img src=x onerror="document.title=1">&quot;\x00\u202e{{ 7*7 }}'


def answers(case: str) -> dict:
    """By host, of a recorded case: well, one killed, no quorum, all down, outage."""
    return copy.deepcopy(RECORDED[case])


def proxy(host: str = "proxy", members=HOSTS, **changes) -> dict:
    """Of a proxy that is well."""
    places = [
        {
            "hostname": ADDRESSES[name].partition(":")[0], "port": 3306, "writer_hostgroup": 2, "ping_error": "",
            "hostgroups": [{"hostgroup": 2, "role": "writer", "status": "ONLINE"}, {"hostgroup": 3, "role": "reader", "status": "ONLINE"}],
            "check": {"viable_candidate": True, "read_only": False, "transactions_behind": 0, "error": "", "checked_at": NOW},
        }
        for name in members
    ]  # fmt: skip
    answer = {
        "changed": False, "reachable": True, "denied": False, "error": "", "proxysql_version": "2.7.1", "problems": [], "placement": places,
        "drift": {"mysql_servers": {"runtime": [], "disk": []}, "mysql_users": {"runtime": [], "disk": []}},
        "checksums": {"mysql_users": "0x0ED7B6C1D5A3B1AA", "mysql_query_rules": "0x23A5C06CA6D1F5E0", "mysql_variables": f"0x{host}"},
        "certificate": {"expires": NOW + 300 * 86400, "ca_expires": NOW + 3000 * 86400, "problem": ""},
    }  # fmt: skip
    answer.update(changes)
    return answer


def cluster(name: str = "mysql_gr", proxies=("proxy",)) -> dict:
    """As ops_targets has it."""
    return {"name": name, "all": list(HOSTS), "members": list(HOSTS), "lead": "db0", "proxies": list(proxies)}


def reported(case: str = "well", proxies: dict | None = None, shared=(), change=None) -> dict:
    """The report of one cluster; change: what is done to the answers before."""
    from ansible_collections.distdb.mysql_ha.plugins.filter.gr_status_report import gr_status_report

    given = {"proxy": proxy()} if proxies is None else proxies
    members = answers(case)
    if change:
        change(members)
    return gr_status_report([cluster(proxies=given)], {"mysql_gr": members}, ADDRESSES, given, list(shared), now=NOW)


def everything() -> dict:
    """Three clusters in three states, two proxies, a shared address, and hostile texts: for the page."""
    from ansible_collections.distdb.mysql_ha.plugins.filter.gr_status_report import gr_status_report

    names = ("shop", "billing", "archive")
    members = dict(zip(names, (answers("well"), answers("one killed"), answers("no quorum"))))
    members["billing"]["db1"]["guard"] = {"mode": "full", "decision": "wait", "rule": "not_asked", "reason": HOSTILE, "since": NOW - 60}  # fmt: skip
    members["archive"]["db2"] = {"failed": True, "msg": HOSTILE}
    members["shop"]["db0"]["certificate"] = {"days_left": 12, "ca_days_left": 3000}
    refused = proxy("proxy1", problems=[], reachable=False, error=HOSTILE, placement=[])
    drifted = proxy("proxy0", drift={"mysql_users": {"runtime": ["shop"], "disk": [HOSTILE]}})
    remark = "split: they do not hear each other's VRRP, or keepalived hangs on one of them"
    shared = [{"address": "192.0.2.10", "proxies": "proxy0, proxy1", "remark": remark}]
    given = {"proxy0": drifted, "proxy1": refused}
    return gr_status_report([cluster(name, given) for name in names], members, ADDRESSES, given, shared, now=NOW)


def presentable() -> dict:
    """Two clusters, of which one has lost a member: for the pictures of the documentation."""
    from ansible_collections.distdb.mysql_ha.plugins.filter.gr_status_report import gr_status_report

    members = {"shop": answers("one killed"), "billing": answers("well")}
    for name, found in members.items():
        for host, answer in found.items():
            answer["certificate"] = {
                "days_left": 300 if (name, host) != ("billing", "db2") else 21,
                "ca_days_left": 3600,
            }
            answer["guard"] = {"mode": "full", "decision": "unchanged", "rule": "online", "reason": "this member is ONLINE", "since": NOW - 900}  # fmt: skip
    members["shop"]["db1"].update(certificate={}, guard={"mode": "full", "decision": "wait", "rule": "not_asked", "since": NOW - 30,
        "reason": "this server could not be asked: Connection refused"})  # fmt: skip
    given = {"proxy0": proxy("proxy0"), "proxy1": proxy("proxy1")}
    return gr_status_report([cluster(name, given) for name in members], members, ADDRESSES, given, now=NOW)
