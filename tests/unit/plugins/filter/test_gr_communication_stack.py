# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which communication stack a member gets: as declared, else what its group has, else what a new group gets."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_communication_stack import gr_communication_stack
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.communication_stack import problems

GROUP = "8f22f846-9922-4139-b2b7-097d185a93cb"
OTHER = "4f7a2c10-52d3-4e0b-9c57-6a3f1d2b8e94"


def server(stack, state="ONLINE", group=GROUP):
    return {"sql": {"communication_stack": stack, "state": state, "group_name": group}}


def name(declared, *servers, version="9.7.4"):
    probes = {f"db{number}": probe for number, probe in enumerate(servers)}
    return gr_communication_stack(declared, version, GROUP.upper(), probes)["name"]


@pytest.mark.parametrize("version", ["5.7.44", "8.0.26", "8.0.44", "8.4.8", "9.7.4-2", "26.7.0"])
def test_a_new_group_has_the_servers_own_default_and_no_line_for_it(version):
    found = gr_communication_stack("auto", version, GROUP, {"db0": {"sql": {}}, "db1": {}})
    assert found == {"name": "XCOM", "written": None, "address": "group", "allowlist": True}


def test_what_follows_from_mysql():
    found = gr_communication_stack("MYSQL", "8.4.8", GROUP, {})
    assert found == {"name": "MYSQL", "written": "MYSQL", "address": "sql", "allowlist": False}


def test_what_is_declared_counts_while_no_group_runs():
    assert name("MYSQL", server("XCOM", "OFFLINE")) == "MYSQL"
    assert name("XCOM", server("MYSQL", "ERROR")) == "XCOM"


@pytest.mark.parametrize(
    ("servers", "wanted"),
    [
        # A living group counts more than what a server that is out of it was set up with, or a newcomer.
        ([server("XCOM", "OFFLINE"), server("MYSQL", "ONLINE"), {"sql": {}}], "MYSQL"),
        ([server("XCOM", "RECOVERING"), server("MYSQL", "OFFLINE")], "XCOM"),
        # A complete outage: as the servers are set up.
        ([server("MYSQL", "OFFLINE"), server("MYSQL", "ERROR"), {"sql": {"error": "x"}}], "MYSQL"),
        # Of another group, or of none.
        ([server("MYSQL", "OFFLINE", OTHER), server("MYSQL", "", "")], "XCOM"),
        # Half changed: what a new group gets.
        ([server("MYSQL", "OFFLINE"), server("XCOM", "OFFLINE")], "XCOM"),
        # Before 8.0.27.
        ([server("", "ONLINE")], "XCOM"),
    ],
)
def test_auto_is_what_the_group_has(servers, wanted):
    assert name("auto", *servers) == wanted


def test_a_running_group_keeps_its_stack():
    assert problems("db0", server("XCOM"), "MYSQL") == [
        "The group of db0 uses the communication stack XCOM, but mysql_gr_communication_stack is 'MYSQL', and a running group keeps its stack:"
        " set auto, or stop the servers of all members first (see 'Change the communication stack')."
    ]
    assert problems("db0", server("MYSQL", "RECOVERING"), "XCOM")
    for declared, probe in (
        ("auto", server("MYSQL")), ("MYSQL", server("MYSQL")), ("MYSQL", server("XCOM", "OFFLINE")),
        ("MYSQL", {"sql": {}}), ("XCOM", server("")),
    ):  # fmt: skip
        assert problems("db0", probe, declared) == []


def test_a_version_that_cannot_be_read_is_refused():
    with pytest.raises(AnsibleFilterError, match="'new' is not understood"):
        gr_communication_stack("auto", "new", GROUP, {})
