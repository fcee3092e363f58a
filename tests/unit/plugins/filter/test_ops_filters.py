# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operations playbooks decide, without a server."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_live_settings import gr_live_settings
from ansible_collections.distdb.mysql_ha.plugins.filter.ops_data_hosts import ops_data_hosts
from ansible_collections.distdb.mysql_ha.plugins.filter.ops_hostgroups import ops_hostgroups
from ansible_collections.distdb.mysql_ha.plugins.filter.ops_restart_order import ops_restart_order
from ansible_collections.distdb.mysql_ha.plugins.filter.ops_sites import ops_sites
from ansible_collections.distdb.mysql_ha.plugins.filter.ops_upgrade_order import (
    Member,
    ops_upgrade_order,
    plan,
    read_policy,
)

OLD = """# Written by the role
[mysqld]
plugin_load_add = group_replication.so
loose-group_replication_group_seeds = 192.0.2.130:33061,192.0.2.131:33061
loose-group_replication_ip_allowlist = 192.0.2.130,192.0.2.131
loose-group_replication_single_primary_mode = OFF
max_connections = 151
server_id = 130
"""


def test_a_new_member_needs_no_restart():
    new = OLD.replace("192.0.2.131:33061", "192.0.2.131:33061,192.0.2.133:33061").replace(
        "0.2.131\n", "0.2.131,192.0.2.133\n"
    )
    assert gr_live_settings(OLD, new, "9.7.4-2") == {
        "possible": True,
        "variables": {
            "group_replication_group_seeds": "192.0.2.130:33061,192.0.2.131:33061,192.0.2.133:33061",
            "group_replication_ip_allowlist": "192.0.2.130,192.0.2.131,192.0.2.133",
        },
        "lasting": [],
    }
    # The allowlist of a member in a group can be changed from 8.0.24 on.
    assert gr_live_settings(OLD, new, "8.0.23") == {
        "possible": False,
        "variables": {},
        "lasting": ["group_replication_ip_allowlist"],
    }


def test_settings_of_tls_need_no_restart_where_group_replication_is_started_anew():
    new = OLD + "ssl_cert = /c\nloose-group_replication_ssl_mode = VERIFY_IDENTITY\n"
    assert gr_live_settings(OLD, new, "8.4.6")["lasting"] == ["group_replication_ssl_mode", "ssl_cert"]
    live = {"group_replication_ssl_mode": "VERIFY_IDENTITY", "ssl_cert": "/c"}
    assert gr_live_settings(OLD, new, "8.4.6", tls=True) == {"possible": True, "variables": live, "lasting": []}
    assert gr_live_settings(OLD, new, "8.0.15", tls=True)["lasting"] == ["ssl_cert"]
    assert gr_live_settings(OLD, new + "innodb_buffer_pool_size = 1G\n", "8.4.6", tls=True)["variables"] == {}
    # From an own CA to certificates that are given, members verify less.
    own = OLD + "tls_version = TLSv1.2,TLSv1.3\nloose-group_replication_recovery_ssl_verify_server_cert = ON\n"
    less = {"tls_version": "TLSv1.2,TLSv1.3", "group_replication_recovery_ssl_verify_server_cert": "OFF"}
    assert gr_live_settings(own, OLD, "8.4.6", tls=True) == {"possible": True, "variables": less, "lasting": []}
    assert gr_live_settings(own, OLD, "8.4.6")["lasting"] == sorted(less)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("primary_mode = OFF", "primary_mode = ON", (True, {})),
        ("max_connections = 151", "max_connections = 300", (True, {"max_connections": 300})),
        ("max_connections = 151\n", "", (False, {})),
        ("server_id = 130", "server_id = 131", (False, {})),
        ("plugin_load_add = ", "plugin_load_add = mysql_clone.so\nplugin_load_add = ", (False, {})),
        ("server_id = 130", "server_id = 130\ninnodb_buffer_pool_size = 1G", (False, {})),
        ("server_id = 130", "server_id = 130\nevent_scheduler = OFF", (True, {"event_scheduler": "OFF"})),
        ("server_id = 130", "server_id = 130\nevent_scheduler = DISABLED", (False, {})),
    ],
)
def test_what_needs_a_restart(old, new, found):
    assert old in OLD
    answer = gr_live_settings(OLD, OLD.replace(old, new), "8.4.6")
    assert (answer["possible"], answer["variables"]) == found


def member(name, installed="8.4.6-1", candidate="8.4.7-1", primary=False):
    return Member(name, installed, candidate, primary)


def names(found):
    return [entry.name for entry in found[0]]


def test_the_primary_comes_last_and_the_lowest_version_first():
    assert names(plan([member("a", primary=True), member("b"), member("c", installed="8.4.5-1")])) == ["c", "b", "a"]


def test_who_has_the_newest_version_is_left_alone():
    assert names(plan([member("a", installed="8.4.7-1"), member("b")])) == ["b"]
    assert plan([member("a", installed="8.4.7-1")]) == ([], [])


@pytest.mark.parametrize(
    ("members", "words"),
    [
        (
            [member("a", candidate="8.4.5-1")],
            "a (8.4.6-1): MySQL 8.4.6 runs and 8.4.5 is wanted: MySQL cannot be downgraded",
        ),
        ([member("a", installed="8.0.40", candidate="9.7.1")], "upgrade to 8.4 first"),
        ([member("a", installed="5.7.44", candidate="8.4.6")], "upgrade to 8.0 first"),
        ([member("a"), member("b", candidate="8.4.8-1")], "offered different versions (a 8.4.7-1, b 8.4.8-1)"),
        ([member("a", candidate="(none)")], "is not known"),
        ([member("a", installed="")], "is not known"),
    ],
)
def test_what_is_refused(members, words):
    order, problems = plan(members)
    assert order == [] and words in " ".join(problems)


def test_an_epoch_and_a_step_to_the_next_series_are_fine():
    assert plan([member("a", installed="1:8.0.40-1", candidate="1:8.4.6-1")])[1] == []


def test_a_primary_does_not_outrun_members_that_are_left_out():
    order, problems = plan([member("a", primary=True)], stay={"b": "8.4.6"})
    assert order == [] and "a is primary and would run a newer version than b, which --limit leaves out" in problems[0]
    assert names(plan([member("a", primary=True)], stay={"b": "8.4.7"})) == ["a"]
    assert names(plan([member("a")], stay={"b": "8.4.6"})) == ["a"]


POLICY = """mysql-server:
  Installed: 8.4.6-1
  Candidate: 8.4.7-1
  Version table:
     8.4.7-1 500
        500 file:/srv unstable/main amd64 Packages
 *** 8.4.6-1 100
        100 /var/lib/dpkg/status
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (POLICY, ("8.4.6-1", "8.4.7-1")),
        (POLICY.replace("8.4.6-1\n", "(none)\n", 1), ("(none)", "8.4.7-1")),
        ("N: Unable to locate package mysql-server\n", ("", "")),
        ("", ("", "")),
    ],
)
def test_what_apt_offers_is_read(text, found):
    assert read_policy(text) == found


def test_each_cluster_has_its_own_order():
    clusters = [entry("alpha", THREE), entry("beta", ["b0"])]
    found = ops_upgrade_order(
        clusters, hostvars(a0="single_primary", b0="multi_primary"), dict.fromkeys((*THREE, "b0"), POLICY)
    )
    assert found["order"] == ["a1", "a2", "a0", "b0"] and found["problems"] == []
    assert found["text"].startswith("a1 from 8.4.6-1 to 8.4.7-1, then a2")
    found = ops_upgrade_order(clusters, hostvars(a0="single_primary", b0="multi_primary"), {"b0": POLICY})
    assert found["order"] == [] and len(found["problems"]) == 3


PINNED = """mysql-server:
  Installed: {installed}
  Candidate: {candidate}
  Version table:
{table}
"""
HERE = "        100 /var/lib/dpkg/status\n"
THERE = "        {} http://192.0.2.1/debian bookworm/mysql-8.0 amd64 Packages\n"


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        # A preferred source that has an older version only: somebody wants that one.
        (f" *** 8.4.8-1 100\n{HERE}     8.0.30-1 990\n{THERE.format(990)}", "8.0.30-1"),
        # The distribution's own, which nobody prefers.
        (f" *** 8.4.8-1 100\n{HERE}     8.0.30-1 500\n{THERE.format(500)}", "8.4.8-1"),
        (f" *** 8.4.8-1 990\n{THERE.format(990)}{HERE}     8.4.7-1 990\n{THERE.format(990)}", "8.4.8-1"),
        (f" *** 8.4.8-1 100\n{HERE}", "8.4.8-1"),
    ],
)
def test_a_preferred_source_with_an_older_version_is_a_wish_to_go_back(table, wanted):
    text = PINNED.format(installed="8.4.8-1", candidate="8.4.8-1", table=table)
    assert read_policy(text) == ("8.4.8-1", wanted)
    found = ops_upgrade_order([entry("alpha", ["a0"])], hostvars(a0="multi_primary"), {"a0": text})
    assert ("cannot be downgraded" in " ".join(found["problems"])) == (wanted == "8.0.30-1")
    assert found["to"] == {}


def test_the_plan_says_who_leaves_and_who_hands_over():
    text = POLICY.replace("8.4.7-1", "1:8.4.8-1").replace("8.4.6-1", "1:8.0.30-1")
    for mode, words in (
        ("multi_primary", "a2 leaves the group before, "),
        ("single_primary", "a0 leaves the group before, "),
    ):
        facts = hostvars(a0=mode)
        for one in facts["a0"]["mysql_gr_status"]["cluster"]["members"].values():
            one["version"] = "8.0.30"
        found = ops_upgrade_order([entry("alpha", THREE)], facts, dict.fromkeys(THREE, text))
        assert words in found["text"] and "protocol of the group is raised" in found["text"]
        assert found["to"] == dict.fromkeys(THREE, "8.4.8-1")
    found = ops_upgrade_order([entry("alpha", THREE)], hostvars(a0="single_primary"), dict.fromkeys(THREE, POLICY))
    assert "a0 is primary and hands over before." in found["text"] or "a0 leaves the group" in found["text"]


def leaving(installed, mode="multi_primary", limit=None):
    """Who leaves before the others write, where a0, a1 and a2 have these versions and are offered 8.4.8; and the plan of the run."""
    facts = hostvars(a0=mode)
    for address, version in zip(facts["a0"]["mysql_gr_status"]["cluster"]["members"].values(), installed):
        address["version"] = version
    policies = {
        name: POLICY.replace("8.4.7-1", "8.4.8-1").replace("8.4.6-1", f"{version}-1")
        for name, version in zip(THREE, installed)
    }
    clusters = [entry("alpha", THREE, limit)]
    found = ops_upgrade_order(clusters, facts, policies)
    order = ops_restart_order(clusters, facts, hosts=found["order"], leaving=found["leaving"])
    return found["leaving"], order


@pytest.mark.parametrize(
    ("installed", "mode", "limit", "found"),
    [
        # Newer members of a multi-primary group take no writes beside older ones, but within a long-term series.
        (("8.0.30", "8.0.30", "8.0.30"), "multi_primary", None, ["a2"]),
        (("8.4.8", "8.0.30", "8.0.30"), "multi_primary", None, ["a2"]),
        (("8.4.8", "8.0.30", "8.4.8"), "multi_primary", None, ["a1"]),
        (("8.4.7", "8.4.7", "8.4.7"), "multi_primary", None, []),
        # Another one of the older version goes on writing.
        (("8.0.30", "8.0.30", "8.0.30"), "multi_primary", ["a0"], []),
        (("8.4.8", "8.4.8", "8.4.8"), "multi_primary", None, []),
        # A primary hands over to nobody newer, patch level included.
        (("8.0.30", "8.0.30", "8.0.30"), "single_primary", None, ["a0"]),
        (("8.4.7", "8.4.7", "8.4.7"), "single_primary", None, ["a0"]),
        (("8.4.7", "8.4.7", "8.4.7"), "single_primary", ["a1", "a2"], []),
    ],
)
def test_the_last_of_an_older_version_leaves_before_newer_members_write(installed, mode, limit, found):
    assert leaving(installed, mode, limit)[0] == found


@pytest.mark.parametrize(("mode", "last"), [("multi_primary", "a2"), ("single_primary", "a0")])
def test_who_leaves_does_it_itself_and_comes_last(mode, last):
    _found, order = leaving(("8.0.30", "8.0.30", "8.0.30"), mode)
    assert order["last"] == [last] and order["first"] == [name for name in THREE if name != last]
    assert list(order["hand_over"]) == [last]
    assert (order["hand_over"][last]["from"], order["hand_over"][last]["leave"]) == (f"{last}:3306", True)


def entry(name, hosts, members=None, proxies=("p",)):
    members = hosts if members is None else members
    return {"name": name, "all": hosts, "members": members, "lead": members[0], "proxies": list(proxies)}


def hostvars(primaries=None, **modes):
    """Facts by host: each lead's letter stands for its cluster of three, whose first member is primary of single-primary mode."""
    facts = {}
    for lead, mode in modes.items():
        hosts = [f"{lead[0]}{number}" for number in range(3)]
        seen = {f"{host}:3306": {"state": "ONLINE", "version": "8.4.6"} for host in hosts}
        first = [f"{hosts[0]}:3306"] if mode == "single_primary" else list(seen)
        status = {"cluster": {"state": "ONLINE", "mode": mode, "primaries": first, "members": seen}}
        for host in hosts:
            facts[host] = {
                "mysql_gr_members": [{"name": name, "sql": f"{name}:3306"} for name in hosts],
                "mysql_gr_status": status,
            }
    return facts


THREE = ["a0", "a1", "a2"]


def test_a_primary_is_restarted_last_when_another_one_has_become_primary():
    found = ops_restart_order([entry("alpha", THREE)], hostvars(a0="single_primary"))
    assert (found["first"], found["last"]) == (["a1", "a2"], ["a0"])
    assert found["hand_over"] == {
        "a1": {
            "cluster": "alpha",
            "from": "a0:3306",
            "to": "a1:3306",
            "to_name": "a1",
            "proxies": ["p"],
            "leave": False,
        }
    }


def test_a_primary_alone_hands_over_to_a_member_that_is_only_asked():
    found = ops_restart_order([entry("alpha", THREE, ["a0"])], hostvars(a0="single_primary"))
    assert (found["first"], found["last"]) == ([], ["a0"])
    # The switch is started on the member of the run.
    assert list(found["hand_over"]) == ["a0"] and found["hand_over"]["a0"]["to"] == "a1:3306"


def test_one_member_is_restarted_and_nobody_else():
    found = ops_restart_order([entry("alpha", THREE, ["a1"])], hostvars(a1="single_primary"))
    assert found == {"first": ["a1"], "last": [], "hand_over": {}}
    found = ops_restart_order([entry("alpha", THREE)], hostvars(a0="multi_primary"))
    assert found == {"first": THREE, "last": [], "hand_over": {}}


def test_another_member_becomes_primary():
    found = ops_restart_order([entry("alpha", THREE)], hostvars(a0="single_primary"), primary="a2")
    assert found["first"] == found["last"] == [] and found["hand_over"]["a2"]["to"] == "a2:3306"
    assert ops_restart_order([entry("alpha", THREE)], hostvars(a0="single_primary"), primary="a0")["hand_over"] == {}


def test_where_a_backup_comes_from():
    facts = hostvars(a0="single_primary")
    assert ops_data_hosts([entry("alpha", THREE)], facts) == {"sources": ["a2"], "writers": ["a0"], "problems": []}
    assert ops_data_hosts([entry("alpha", THREE, ["a1"])], facts)["sources"] == ["a1"]
    # The primary only where nobody else is in the run.
    assert ops_data_hosts([entry("alpha", THREE, ["a0"])], facts)["sources"] == ["a0"]
    # A member that could not be reached is passed over.
    facts["a2"]["mysql_gr_status"] = {"unreachable": True, "msg": "no route"}
    facts["a0"]["mysql_gr_status"] = {"unreachable": True, "msg": "no route"}
    assert ops_data_hosts([entry("alpha", THREE)], facts)["sources"] == ["a1"]


def test_without_quorum_there_is_no_backup():
    facts = hostvars(a0="single_primary")
    facts["a0"]["mysql_gr_status"]["cluster"]["state"] = "NO_QUORUM"
    found = ops_data_hosts([entry("alpha", THREE)], facts)
    assert found["sources"] == [] and "No group with quorum was found in cluster alpha" in found["problems"][0]


GROUP = {
    "writer_hostgroup": 2,
    "max_writers": 3,
    "servers": [
        {"hostgroup": 2, "hostname": "192.0.2.130", "port": 3306, "status": "ONLINE", "weight": 7},
        {"hostgroup": 2, "hostname": "2001:db8::1", "port": 3306, "status": "ONLINE", "weight": 1},
    ],
}


def test_a_server_gets_another_status_and_keeps_the_rest():
    assert ops_hostgroups([GROUP], ["[2001:db8::1]:3306"], "OFFLINE_SOFT") == [
        {"writer_hostgroup": 2, "max_writers": 3, "exclusive": False,
         "servers": [{"hostname": "2001:db8::1", "port": 3306, "status": "OFFLINE_SOFT", "weight": 1}]}
    ]  # fmt: skip
    assert len(GROUP["servers"]) == 2


def test_a_server_from_an_option_needs_no_port_and_sends_nobody_away():
    option = {"writer_hostgroup": 2, "exclusive": True, "servers": [{"hostname": "192.0.2.133", "use_ssl": True}]}
    assert ops_hostgroups([option, {"writer_hostgroup": 12, "state": "absent"}], ["192.0.2.133:3306"], "OFFLINE_SOFT") == [
        {"writer_hostgroup": 2, "exclusive": False, "servers": [{"hostname": "192.0.2.133", "use_ssl": True, "status": "OFFLINE_SOFT"}]}
    ]  # fmt: skip


def test_a_server_that_is_to_go_leaves_the_others():
    found = ops_hostgroups([GROUP], ["192.0.2.130:3306"], "absent", max_writers=1)
    assert found[0]["exclusive"] is True and found[0]["max_writers"] == 1
    assert [row["hostname"] for row in found[0]["servers"]] == ["2001:db8::1"]


def test_a_new_server_is_made_like_the_others_of_its_cluster():
    other = {"writer_hostgroup": 12, "max_writers": 3, "servers": [{"hostname": "192.0.2.140", "port": 3306}]}
    found = ops_hostgroups(
        [GROUP, other], ["192.0.2.133:3307", "[2001:db8::1]:3306"], "admit", like=["192.0.2.130:3306"]
    )
    assert found == [
        {"writer_hostgroup": 2, "max_writers": 3, "exclusive": False,
         "servers": [{"hostname": "192.0.2.133", "port": 3307, "status": "OFFLINE_SOFT", "weight": 7}]}
    ]  # fmt: skip
    assert ops_hostgroups([GROUP], ["[2001:db8::1]:3306"], "admit", like=["192.0.2.130:3306"]) == []


def test_groups_without_the_server_are_left_out():
    assert ops_hostgroups([GROUP], ["192.0.2.139:3306"], "ONLINE") == []


def test_an_unknown_status_is_refused():
    with pytest.raises(
        AnsibleFilterError, match="status: 'gone' is not allowed .allowed: ONLINE, OFFLINE_SOFT, absent, admit"
    ):
        ops_hostgroups([GROUP], [], "gone")


NORTH_AND_SOUTH = {
    "n0": {"mysql_gr_inventory_group": "north", "mysql_gr_other_site": "south"},
    "s0": {"mysql_gr_inventory_group": "south", "mysql_gr_other_site": "north"},
    "w0": {"mysql_gr_inventory_group": "west"},
}


def test_the_two_sites_are_found():
    groups = {"mysql_gr": list(NORTH_AND_SOUTH)}
    assert ops_sites(groups, NORTH_AND_SOUTH, "south") == ["south", "north"]
    assert ops_sites(groups, NORTH_AND_SOUTH, "south", alone=True) == ["south"]


@pytest.mark.parametrize(
    ("changes", "site", "words"),
    [
        ({}, "", "operations_site: '' is not allowed .allowed: north, south"),
        ({}, "west", "operations_site: 'west' is not allowed"),
        ({"s0": {"mysql_gr_inventory_group": "south"}}, "north", "mysql_gr_other_site of north is 'south', whose own is ''"),
        ({"n0": {}, "s0": {}}, "north", "no cluster of the inventory is one of two sites"),
    ],
)  # fmt: skip
def test_sites_that_do_not_fit_are_refused(changes, site, words):
    with pytest.raises(AnsibleFilterError, match=words):
        ops_sites({"mysql_gr": list(NORTH_AND_SOUTH)}, {**NORTH_AND_SOUTH, **changes}, site)
