# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The member list from an inventory: addresses of every kind, ports, what is missing."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_members import gr_members


def test_order_ports_and_brackets():
    hostvars = {
        "db1": {"mysql_gr_address": "2001:db8::131", "mysql_gr_server_id": "131"},
        "db0": {"ansible_host": "192.0.2.130", "mysql_gr_server_id": 130, "mysql_gr_port": 3307},
        "db2.example.com": {"mysql_gr_local_port": "33099"},
    }
    found = gr_members(["db1", "db0", "db2.example.com"], hostvars)
    assert [member["sql"] for member in found] == ["[2001:db8::131]:3306", "192.0.2.130:3307", "db2.example.com:3306"]
    assert [member["group"] for member in found] == [
        "[2001:db8::131]:33061",
        "192.0.2.130:33061",
        "db2.example.com:33099",
    ]
    assert [member["server_id"] for member in found] == [131, 130, None]


def test_the_address_wins_over_the_way_ansible_connects():
    found = gr_members(["db0"], {"db0": {"ansible_host": "127.0.0.1", "mysql_gr_address": "192.0.2.130"}})
    assert found[0]["address"] == "192.0.2.130"


def test_an_address_in_upper_case_is_the_one_in_lower_case():
    found = gr_members(["db0"], {"db0": {"mysql_gr_address": "DB0.Lab.Example."}})
    assert (found[0]["address"], found[0]["sql"]) == ("db0.lab.example", "db0.lab.example:3306")


def test_what_is_no_number_is_kept_for_the_preflight_to_name():
    assert gr_members(["db0"], {"db0": {"mysql_gr_port": "seventy"}})[0]["port"] == "seventy"


def test_a_string_instead_of_a_list_is_refused():
    with pytest.raises(AnsibleFilterError, match="not the string 'mysql_gr'"):
        gr_members("mysql_gr", {})
