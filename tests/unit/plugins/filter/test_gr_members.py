# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The member list from an inventory: addresses of every kind, ports, what is missing."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter import gr_members as filter_file
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_members import classify, gr_members


@pytest.mark.parametrize(
    ("text", "kind", "canonical"),
    [
        ("192.0.2.130", "ipv4", "192.0.2.130"),
        (" 192.0.2.130 ", "ipv4", "192.0.2.130"),
        ("2001:DB8:0:0::130", "ipv6", "2001:db8::130"),
        ("::ffff:192.0.2.1", "ipv6", "::ffff:192.0.2.1"),
        ("db0", "name", "db0"),
        ("DB0.Example.COM", "name", "db0.example.com"),
        ("db0.example.com.", "name", "db0.example.com."),
        ("db-0", "name", "db-0"),
        ("999.1.2.3", "invalid", "999.1.2.3"),
        ("192.0.2", "invalid", "192.0.2"),
        ("192.0.2.130:3306", "invalid", "192.0.2.130:3306"),
        ("[2001:db8::1]", "invalid", "[2001:db8::1]"),
        ("2001:db8::1::2", "invalid", "2001:db8::1::2"),
        ("db_0", "invalid", "db_0"),
        ("-db0", "invalid", "-db0"),
        ("db0..example", "invalid", "db0..example"),
        ("a" * 64, "invalid", "a" * 64),
        ("", "invalid", ""),
    ],
)
def test_addresses(text, kind, canonical):
    assert classify(text) == (kind, canonical)


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


def test_what_is_no_number_is_kept_for_the_preflight_to_name():
    assert gr_members(["db0"], {"db0": {"mysql_gr_port": "seventy"}})[0]["port"] == "seventy"


def test_a_string_instead_of_a_list_is_refused():
    with pytest.raises(AnsibleFilterError, match="not the string 'mysql_gr'"):
        gr_members("mysql_gr", {})


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setattr(filter_file, "netaddr", None)
    with pytest.raises(AnsibleFilterError, match="netaddr is missing"):
        gr_members(["db0"], {"db0": {}})
