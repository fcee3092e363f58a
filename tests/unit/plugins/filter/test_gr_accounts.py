# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""At which hosts accounts exist, and what is removed when the inventory changes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_account_names import FilterModule as Names
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_account_rest import FilterModule as Rest
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_accounts import FilterModule as Accounts
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_member_hosts import FilterModule as Hosts
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_members import gr_members
from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_addresses import FilterModule as Proxies
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.preflight_variables import account_problems
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.version_facts import version_facts

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "Each account exists at the hosts that use it; a host that is gone loses it, one that is connected keeps it."
    ),
]

ROOT = Path(__file__).resolve().parents[4]
names = Names().filters()["gr_account_names"]
account_rest = Rest().filters()["gr_account_rest"]
accounts = Accounts().filters()["gr_accounts"]
member_hosts = Hosts().filters()["gr_member_hosts"]
addresses = Proxies().filters()["proxysql_addresses"]


def members(**addressed):
    return gr_members(list(addressed), {name: {"mysql_gr_address": address} for name, address in addressed.items()})


@pytest.mark.parametrize(
    ("declared", "probes", "hosts"),
    [
        ({"db0": "192.0.2.130", "db1": "2001:DB8::7"}, {}, ["192.0.2.130", "2001:db8::7"]),
        # A name by its addresses; its own on itself says nothing.
        (
            {"db0": "db0.lab", "db1": "192.0.2.131"},
            {"db0": {"resolved": {"db0.lab": ["127.0.1.1"]}}, "db1": {"resolved": {"db0.lab": ["192.0.2.130", "2001:db8::1"]}}},
            ["192.0.2.130", "2001:db8::1", "192.0.2.131"],
        ),
        ({"db0": "db0.lab"}, {"db0": {"resolved": {"db0.lab": []}}}, ["db0.lab"]),
        # Several addresses on one link: members show another one than they are known by.
        (
            {"db0": "192.0.2.130", "db1": "192.0.2.131"},
            {"db0": {"sources": ["192.0.2.30", "192.0.2.130"]}, "db1": {"sources": ["192.0.2.131"]}},
            ["192.0.2.130", "192.0.2.131", "192.0.2.30"],
        ),
    ],
)  # fmt: skip
def test_from_where_members_come(declared, probes, hosts):
    assert member_hosts(members(**declared), probes) == hosts


def test_from_where_proxies_come():
    known = {"proxy": {"proxysql_address": "192.0.2.129"}, "two": {"ansible_host": "[2001:DB8::2]"}, "Three.lab": {}}
    assert addresses(list(known), known) == ["192.0.2.129", "2001:db8::2", "three.lab"]


@pytest.mark.parametrize(
    ("account", "expanded"),
    [
        ({}, [("%", False)]),
        ({"host": "192.0.2.%"}, [("192.0.2.%", False)]),
        ({"host": ["192.0.2.1", "DB.lab", "192.0.2.1"]}, [("192.0.2.1", True), ("db.lab", True)]),
        ({"from_hosts": ["192.0.2.129", "proxy.lab", "gone.lab", "192.0.2.%"]},
         [("192.0.2.129", True), ("192.0.2.128", True), ("gone.lab", True), ("192.0.2.%", True)]),
        ({"host": [], "from_hosts": ["2001:DB8::1"]}, [("2001:db8::1", True)]),
        ({"host": ["192.0.2.7"], "from_hosts": []}, [("192.0.2.7", True)]),
    ],
)  # fmt: skip
def test_an_account_is_written_at_each_of_its_hosts(account, expanded):
    found = accounts(
        [{"name": "app", "priv": "a.*:ALL", **account}], {"db0": {"resolved": {"proxy.lab": ["192.0.2.128"]}}}
    )
    assert [(a["host"], a["several"]) for a in found] == expanded
    assert all(a["priv"] == "a.*:ALL" and "from_hosts" not in a for a in found)


def test_only_names_are_looked_up():
    assert names(
        [{"from_hosts": ["Proxy.lab", "192.0.2.1", "2001:db8::1", "192.0.2.%", "proxy.lab"]}, {"host": "db0.lab"}]
    ) == ["proxy.lab"]


HERE = [{"name": "monitor", "host": "192.0.2.129", "several": True}, {"name": "app", "host": "%", "several": False}]


def seen(*rows):
    return [dict(zip(("user", "host", "what"), row)) for row in rows]


def test_a_host_that_is_gone_loses_its_account_and_nobody_else():
    found = account_rest(HERE, seen(("monitor", "%", "account"), ("monitor", "192.0.2.128", "account"), ("monitor", "192.0.2.129", "account"),
                                    ("app", "192.0.2.7", "account"), ("other", "%", "account"), ("monitor", "192.0.2.129", "client")))  # fmt: skip
    assert found == {"gone": [["monitor", "%"], ["monitor", "192.0.2.128"]], "kept": []}


def test_an_account_by_which_somebody_else_is_connected_stays():
    """A proxy behind NAT, at the move away from %."""
    rows = seen(
        ("monitor", "%", "account"), ("monitor", "198.51.100.9", "client"), ("monitor", "192.0.2.129", "client")
    )
    found = account_rest(HERE, rows)
    assert found["gone"] == []
    assert found["kept"] == ["monitor@% stays, since 198.51.100.9 is connected by it now and is none of 192.0.2.129"]
    # Another account's client does not count for one that would not admit it.
    rows = seen(("monitor", "192.0.2.128", "account"), ("monitor", "198.51.100.9", "client"))
    assert account_rest(HERE, rows)["gone"] == [["monitor", "192.0.2.128"]]


def test_of_a_name_that_is_not_wanted_nothing_is_removed():
    gone = [{"name": "monitor", "host": "192.0.2.129", "several": True, "state": "absent"}]
    assert account_rest(gone, seen(("monitor", "192.0.2.128", "account"))) == {"gone": [], "kept": []}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"host": []}, "x[0].host is []; allowed is a host part, or a list of them."),
        ({"host": "a'b"}, 'x[0].host is "a\'b"; allowed is a host part'),
        ({"host": 7}, "x[0].host is 7"),
        (
            {"from_hosts": "192.0.2.1"},
            "x[0].from_hosts is '192.0.2.1'; allowed is a list of addresses and names of hosts.",
        ),
        ({"from_hosts": [7]}, "x[0].from_hosts is [7]"),
        ({"host": ["192.0.2.%", "2001:db8::/64", "192.0.2.0/255.255.255.0"]}, ""),
        ({"host": [], "from_hosts": ["proxy.lab"]}, ""),
    ],
)
def test_hosts_that_are_none_are_refused(given, sentence):
    problems = account_problems([{"name": "app", "password": "x", **given}], "x", {})
    assert sentence in " ".join(problems) and bool(problems) is bool(sentence)


SOURCES = ["plugins/module_utils/_group/facts.py", "plugins/module_utils/_group/locks.py", "plugins/module_utils/_group/statements.py",
           "roles/mysql_gr/files/wait.py"]  # fmt: skip


@pytest.mark.parametrize("version", ["8.0.30", "8.4.8", "9.7.4"])
def test_the_peer_account_reads_what_peers_are_asked_for_and_nothing_else(version):
    text = "".join((ROOT / source).read_text() for source in SOURCES)
    asked = set(re.findall(r"performance_schema\.([a-z_]+)", text))
    granted = {entry.partition(":")[0] for entry in version_facts(version)["peer_tables"]}
    # Of its own server a module asks by another account.
    assert asked - granted == {"clone_status"}
    assert granted <= asked
