# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run works on."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError, AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter.ops_targets import ops_targets

ONE = {"mysql_gr": ["db0", "db1", "db2"], "proxysql": ["proxy"]}
TWO = {
    "mysql_gr": ["db0", "db1", "db2", "db3", "db4"],
    "alpha": ["db0", "db1", "db2"],
    "beta": ["db3", "db4"],
    "proxysql": ["both", "second"],
}


def facts(groups, **more):
    found = {}
    for number, host in enumerate(groups["mysql_gr"]):
        cluster = next((name for name in ("alpha", "beta") if host in groups.get(name, [])), None)
        found[host] = {
            "mysql_gr_address": f"192.0.2.{130 + number}",
            **({"mysql_gr_inventory_group": cluster} if cluster else {}),
        }
    for proxy in groups.get("proxysql", []):
        found[proxy] = {}
    servers = [{"servers": [{"hostname": "192.0.2.130"}]}, {"servers": [{"hostname": "192.0.2.134", "port": 3306}]}]
    if "both" in found:
        found["both"] = {"proxysql_hostgroups": servers}
        found["second"] = {"proxysql_mysql_inventory_group": "beta"}
    found.update(more)
    return found


def targets(groups, hosts, **options):
    everyone = list(dict.fromkeys(host for names in groups.values() for host in names))
    return ops_targets(groups, facts(groups), everyone if hosts is None else hosts, **options)


def test_without_a_limit_everybody_is_meant():
    found = targets(ONE, None)
    assert found["members"] == ["db0", "db1", "db2"] and found["leads"] == ["db0"] and found["proxies"] == ["proxy"]
    assert found["problems"] == []


def test_a_limit_names_members_and_the_proxies_of_their_cluster_follow():
    found = targets(ONE, ["db1"])
    assert found["members"] == found["leads"] == ["db1"] and found["proxies"] == ["proxy"] and found["problems"] == []
    assert found["clusters"] == [
        {
            "name": "mysql_gr",
            "all": ["db0", "db1", "db2"],
            "members": ["db1"],
            "proxies": ["proxy"],
            "backup_hosts": [],
            "lead": "db1",
        }
    ]


def test_clusters_have_members_and_proxies_of_their_own():
    found = targets(TWO, None)
    assert [(entry["name"], entry["lead"], entry["proxies"]) for entry in found["clusters"]] == [
        ("alpha", "db0", ["both"]),
        ("beta", "db3", ["both", "second"]),
    ]
    found = targets(TWO, None, cluster="alpha")
    assert found["members"] == ["db0", "db1", "db2"] and found["proxies"] == ["both"]
    assert targets(TWO, ["db3", "db4"])["members"] == ["db3", "db4"]
    assert targets(TWO, None, named={"option": "operations_member", "hosts": ["db4"]})["members"] == ["db3", "db4"]
    assert targets(TWO, None, cluster=["alpha", "beta"])["leads"] == ["db0", "db3"]


@pytest.mark.parametrize(
    ("groups", "hosts", "options", "sentence"),
    [
        (ONE, ["proxy"], {}, "No host of this run is a member of the inventory group mysql_gr"),
        (TWO, ["second"], {}, "No host of this run is a member of the clusters alpha, beta"),
        (TWO, ["db0"], {"cluster": "beta"}, "No host of this run is a member of the cluster beta"),
        (TWO, None, {"cluster": "gamma"}, "operations_cluster: 'gamma' is not allowed (allowed: alpha, beta)"),
        (ONE, ["db1"], {"scope": "cluster"}, "--limit leaves out db0, db2 of cluster mysql_gr"),
        (ONE, None, {"named": {"option": "operations_member", "hosts": [""]}},
         "operations_member: '' is not allowed (allowed: db0, db1, db2)"),
        (TWO, None, {"cluster": "alpha", "named": {"option": "operations_primary", "hosts": ["db3"]}},
         "operations_primary: 'db3' is not allowed (allowed: db0, db1, db2)"),
        (ONE, ["db0"], {"named": {"option": "operations_member", "hosts": ["db1"]}},
         "operations_member: 'db1' is outside of --limit"),
        (ONE, None, {"named": {"option": "operations_members", "hosts": "db1"}},
         "operations_members: 'db1' is not allowed (allowed: a list of db0, db1, db2)"),
        ({"proxysql": ["proxy"], "mysql_gr": []}, ["proxy"], {}, "The inventory group mysql_gr has no hosts"),
        (TWO, None, {"scope": "any", "cluster": "gamma"}, "operations_cluster: 'gamma' is not allowed"),
    ],
)  # fmt: skip
def test_what_is_refused(groups, hosts, options, sentence):
    problems = targets(groups, hosts, **options)["problems"]
    assert len(problems) == 1 and sentence in problems[0]


PAIR = {**ONE, "proxysql": ["proxy", "proxy2"]}


def leaving(groups, hosts, proxy, **options):
    return targets(groups, hosts, scope="any", named={"option": "operations_proxy", "hosts": [proxy], "kind": "proxies"}, **options)  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "hosts", "proxy", "options", "sentence"),
    [
        (ONE, None, "proxy", {}, "operations_proxy: proxy is the only proxy of cluster mysql_gr, of which at least one has to stay"
         " (allowed: none, until there is another proxy)."),
        (TWO, None, "both", {}, "operations_proxy: both is the only proxy of cluster alpha, of which at least one has to stay (allowed: second)."),
        (PAIR, None, "", {}, "operations_proxy: '' is not allowed (allowed: proxy, proxy2)"),
        (PAIR, None, "db0", {}, "operations_proxy: 'db0' is not allowed (allowed: proxy, proxy2)"),
        (PAIR, ["db0", "proxy"], "proxy2", {}, "operations_proxy: 'proxy2' is outside of --limit"),
        (PAIR, None, "proxy2", {"cluster": "gamma"}, "operations_cluster: 'gamma' is not allowed (allowed: mysql_gr)"),
        (TWO, None, "second", {"cluster": "alpha"}, "operations_cluster leaves out beta, which second serves, too"),
    ],
)  # fmt: skip
def test_a_proxy_that_cannot_be_taken_away(groups, hosts, proxy, options, sentence):
    problems = leaving(groups, hosts, proxy, **options)["problems"]
    assert len(problems) == 1 and sentence in problems[0]


def test_a_proxy_is_taken_away_from_the_clusters_that_it_serves():
    found = leaving(TWO, None, "second")
    assert found["problems"] == [] and found["members"] == ["db3", "db4"] and found["proxies"] == ["both", "second"]
    found = leaving(PAIR, ["proxy2"], "proxy2")
    assert found["problems"] == [] and found["members"] == found["leads"] == [] and found["proxies"] == ["proxy2"]
    assert [entry["all"] for entry in found["clusters"]] == [["db0", "db1", "db2"]]


def test_who_is_lost_may_be_out_of_the_run():
    found = targets(ONE, ["db0"], named={"option": "operations_lost", "hosts": ["db1", "db2"]}, absent_ok=True)
    assert found["problems"] == [] and found["members"] == ["db0"]


def test_whoever_looks_only_needs_a_member_or_a_proxy():
    found = targets(TWO, ["second"], scope="any")
    assert found["problems"] == [] and found["members"] == [] and found["proxies"] == ["second"]
    found = targets(TWO, None, scope="any", cluster="alpha")
    assert found["proxies"] == ["both"] and found["members"] == ["db0", "db1", "db2"]
    assert targets(TWO, ["db0"], scope="any")["proxies"] == []


class Unknown(dict):
    """Variables of a proxy, one of which only its own play can resolve."""

    def get(self, name, default=None):
        if name == "proxysql_hostgroups":
            raise AnsibleError("'proxysql_servers' is undefined")
        return default


def test_a_proxy_that_cannot_be_read_is_taken_to_serve_everybody():
    found = ops_targets(TWO, facts(TWO, second=Unknown()), TWO["mysql_gr"])
    assert [entry["proxies"] for entry in found["clusters"]] == [["both", "second"]] * 2


def test_servers_are_compared_with_their_ports():
    servers = {"proxysql_servers": [{"hostname": "192.0.2.130", "port": 3307}]}
    assert ops_targets(ONE, facts(ONE, proxy=servers), ONE["mysql_gr"])["proxies"] == []


def test_an_unknown_scope_is_refused():
    with pytest.raises(AnsibleFilterError, match="scope: 'some' is not allowed"):
        targets(ONE, None, scope="some")


def backed(groups, hosts, of, **options):
    """of: what each host has set."""
    found = facts(groups)
    for host, variables in of.items():
        found.setdefault(host, {}).update(variables)
    everyone = list(dict.fromkeys(host for names in groups.values() for host in names))
    return ops_targets(groups, found, everyone if hosts is None else hosts, **options)


PLACE = {"mysql_backup_place": "store:backups"}
WITH_HOST = {**ONE, "backup": ["backup1", "backup2"]}


def test_without_a_place_nobody_makes_backups():
    found = backed(ONE, None, {})
    assert found["backup_hosts"] == [] and found["clusters"][0]["backup_hosts"] == [] and found["backup_problems"] == []


def test_members_make_backups_unless_others_are_named():
    assert backed(ONE, None, {"db0": PLACE})["backup_hosts"] == ["db0", "db1", "db2"]
    for named in ("backup", ["backup"], ["backup1", "backup2"]):
        found = backed(WITH_HOST, None, {"db0": {**PLACE, "mysql_backup_hosts": named}})
        assert found["backup_hosts"] == ["backup1", "backup2"] and found["backup_problems"] == []


def test_the_order_of_backup_hosts_is_kept_and_a_limit_leaves_out():
    of = {"db0": {**PLACE, "mysql_backup_hosts": ["backup2", "db1", "backup"]}}
    found = backed(WITH_HOST, ["db0", "db1", "backup1"], of)
    assert found["clusters"][0]["backup_hosts"] == ["backup2", "db1", "backup1"] and found["backup_hosts"] == [
        "db1",
        "backup1",
    ]


def test_a_limit_may_name_a_backup_host_alone_where_one_only_looks():
    of = {"db0": {**PLACE, "mysql_backup_hosts": ["backup"]}}
    found = backed(WITH_HOST, ["backup2"], of, scope="any")
    assert found["backup_hosts"] == ["backup2"] and found["members"] == [] and found["problems"] == []
    assert backed(WITH_HOST, ["backup2"], of)["problems"] != []


@pytest.mark.parametrize(
    ("of", "sentence"),
    [
        ({"db0": {**PLACE, "mysql_backup_hosts": ["backup7"]}},
         "mysql_backup_hosts: 'backup7' is not allowed (allowed: names of hosts and groups of the inventory)"),
        ({"db0": {**PLACE, "mysql_backup_hosts": ["db3"]}}, "mysql_backup_hosts: db3 is not allowed for cluster alpha, as it belongs to beta"),
        ({"db0": {**PLACE, "mysql_backup_hosts": ["both"]}, "db3": {**PLACE, "mysql_backup_hosts": ["both"]}},
         "mysql_backup_hosts: both is not allowed for cluster alpha, as it belongs to beta (allowed: hosts of one cluster, or of none)"),
    ],
)  # fmt: skip
def test_backup_hosts_that_cannot_be_are_named(of, sentence):
    found = backed(TWO, None, of)
    assert found["problems"] == [] and any(sentence in problem for problem in found["backup_problems"])
