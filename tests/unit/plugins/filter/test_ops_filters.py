# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operations playbooks decide, without a server."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_live_settings import gr_live_settings
from ansible_collections.distdb.mysql_ha.plugins.filter.ops_hostgroups import ops_hostgroups
from ansible_collections.distdb.mysql_ha.plugins.filter.ops_upgrade_order import ops_upgrade_order

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
    }
    # The allowlist of a member in a group can be changed from 8.0.24 on.
    assert gr_live_settings(OLD, new, "8.0.23") == {"possible": False, "variables": {}}


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("primary_mode = OFF", "primary_mode = ON", (True, {})),
        ("max_connections = 151", "max_connections = 300", (True, {"max_connections": 300})),
        ("max_connections = 151\n", "", (False, {})),
        ("server_id = 130", "server_id = 131", (False, {})),
        ("plugin_load_add = ", "plugin_load_add = mysql_clone.so\nplugin_load_add = ", (False, {})),
        ("server_id = 130", "server_id = 130\ninnodb_buffer_pool_size = 1G", (False, {})),
    ],
)
def test_what_needs_a_restart(old, new, found):
    assert old in OLD
    answer = gr_live_settings(OLD, OLD.replace(old, new), "8.4.6")
    assert (answer["possible"], answer["variables"]) == found


def member(name, installed="8.4.6-1", candidate="8.4.7-1", primary=False):
    return {"name": name, "installed": installed, "candidate": candidate, "primary": primary}


def test_the_primary_comes_last_and_the_lowest_version_first():
    plan = ops_upgrade_order([member("a", primary=True), member("b"), member("c", installed="8.4.5-1")])
    assert plan["order"] == ["c", "b", "a"]
    assert plan["primary"] == "a"
    assert plan["text"].startswith("c from 8.4.5-1 to 8.4.7-1, then b from 8.4.6-1")


def test_who_has_the_newest_version_is_left_alone():
    assert ops_upgrade_order([member("a", installed="8.4.7-1"), member("b")])["order"] == ["b"]
    plan = ops_upgrade_order([member("a", installed="8.4.7-1")])
    assert plan["order"] == [] and "nothing is to be done" in plan["text"]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([member("a", candidate="8.4.5-1")], "a runs 8.4.6-1 and is offered 8.4.5-1; a downgrade is not possible."),
        ([member("a", installed="8.0.40", candidate="9.7.1")], "the way leads through 8.4, one series at a time"),
        ([member("a", installed="5.7.44", candidate="8.4.6")], "the way leads through 8.0"),
        ([member("a"), member("b", candidate="8.4.8-1")], "offered different versions (a 8.4.7-1, b 8.4.8-1)"),
        ([member("a", candidate="(none)")], "is not known"),
        ([member("a", installed="")], "is not known"),
    ],
)
def test_what_is_refused(members, words):
    plan = ops_upgrade_order(members)
    assert plan["order"] == [] and words in " ".join(plan["problems"])


def test_an_epoch_and_a_step_to_the_next_series_are_fine():
    assert ops_upgrade_order([member("a", installed="1:8.0.40-1", candidate="1:8.4.6-1")])["problems"] == []


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


def test_groups_without_the_server_are_left_out():
    assert ops_hostgroups([GROUP], ["192.0.2.139:3306"], "ONLINE") == []


def test_an_unknown_status_is_refused():
    with pytest.raises(AnsibleFilterError, match="status is 'gone'; allowed are ONLINE, OFFLINE_SOFT, absent"):
        ops_hostgroups([GROUP], [], "gone")
