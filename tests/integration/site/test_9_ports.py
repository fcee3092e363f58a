# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports of hosts that have a firewall: every port of every host is tried from outside, from each other and from a client that is named."""

from __future__ import annotations

import json

import pytest
from support_firewall import FIREWALLS, SSH, THEIRS, UNIT, Hosts

pytestmark = [
    pytest.mark.integration,
    pytest.mark.usefixtures("converged"),
    pytest.mark.claim(
        "Behind a firewall every port of every host is closed but for whom the inventory names; what is no longer given is closed again"
        " (nftables; ufw, firewalld and what takes longer: `make ports`, 15 min)."
    ),
]

HOSTS = ("db0", "db1", "db2", "proxy")
MEMBERS = HOSTS[:3]
ALONE = ("--tags", "mysql_gr_firewall,proxysql_firewall")
OTHERS = {SSH, THEIRS}


# Which ports are closed, for whom they are open: with nftables in each run of the tests, with the others on request (make ports).
on_request = pytest.mark.operations
KINDS = [kind if kind == "nftables" else pytest.param(kind, marks=on_request) for kind in FIREWALLS]


@pytest.fixture(scope="module", params=KINDS)
def world(lab, converged, request):
    """(firewall, hosts, run): hosts behind a firewall that somebody else has set up; run: site's part for it."""
    firewall = FIREWALLS[request.param]
    hosts = Hosts(lab, HOSTS)
    hosts.shell(f"command -v {firewall.package} || apt-get install --yes --no-install-recommends {firewall.package}")
    hosts.listen()
    hosts.shell(firewall.on)

    def run(clients, *arguments, proxy=None):
        settings = {f"{role}_firewall": firewall.kind for role in ("mysql_gr", "proxysql")}
        settings.update(firewall.settings, mysql_gr_firewall_clients=clients)
        settings["proxysql_firewall_clients"] = clients if proxy is None else proxy
        return lab.site("-e", json.dumps(settings), *(arguments or ALONE))

    yield firewall, hosts, run
    hosts.shell(firewall.off)
    hosts.shell(f"systemctl stop {UNIT}")


def expect(hosts, firewall, source, names, *ports, six=(), every=False):
    """From this source these ports of the hosts are open, those of other services that everyone is admitted to, and no other one (every: of all 65535)."""
    for name, found in hosts.scan(source, *names, every=every).items():
        for kind, seen, wanted in zip(("IPv4", "IPv6"), found, (set(ports), set(six))):
            if not firewall.closes:
                # The host's own rules drop nothing: what belongs to no owner is open where something listens.
                seen = seen & ({3306, 33061} if name in MEMBERS else {6032, 6033}) | seen & OTHERS
            assert seen == wanted | OTHERS, (source, name, kind)


def test_nobody_but_members_and_proxies_gets_in_and_a_second_run_changes_nothing(world):
    firewall, hosts, run = world
    first = run([])
    # A proxy that admits nobody needs a rule only where ours close.
    assert first.code == 0 and {first.changed[member] for member in MEMBERS} == {1}, first
    expect(hosts, firewall, "", HOSTS, every=True)
    expect(hosts, firewall, "db1", ["db0"], 3306, 33061)
    expect(hosts, firewall, "proxy", ["db0"], 3306)
    expect(hosts, firewall, "db0", ["proxy"])
    again = run([])
    assert again.code == 0 and set(again.changed.values()) == {0}, again


def test_a_named_client_gets_to_sql_alone_until_it_is_not_named_any_more(world):
    firewall, hosts, run = world
    clients = [hosts.outside4, f"{hosts.outside6}/128"]
    would = run(clients, *ALONE, "--check", "--diff")
    assert set(would.changed.values()) == {1}, would
    assert f"3306 from {hosts.outside4}" in would.flat or "tcp dport 3306" in would.flat, would
    expect(hosts, firewall, "", ["db0"])
    assert run(clients).code == 0
    expect(hosts, firewall, "", MEMBERS, 3306, six=[3306])
    expect(hosts, firewall, "", ["proxy"], 6033, six=[6033])
    run([])
    expect(hosts, firewall, "", HOSTS)


@on_request
def test_everyone_can_be_named_and_a_deny_of_another_owner_holds(world):
    firewall, hosts, run = world
    done = run(["any"])
    if firewall.kind == "ufw":
        # For ufw it is the same rule as the deny.
        assert done.code != 0 and "3306 from any (ipv4) is not allowed here" in done.flat, done
        assert run([], proxy=["any"]).code == 0
    # On the others a rule of another owner closes 3306 for everyone.
    sql = [3306] if firewall.kind == "nftables" else []
    expect(hosts, firewall, "", ["db0"], *sql, six=sql)
    expect(hosts, firewall, "", ["proxy"], 6033, six=[6033])
    run([])
    expect(hosts, firewall, "", HOSTS)


@on_request
def test_vrrp_is_let_in_from_the_named_hosts_alone(world, lab):
    firewall, hosts, _run = world
    if not firewall.closes:
        pytest.skip("a table that closes ports alone leaves VRRP to the host's own rules, which drop nothing here")
    wish = {
        "firewall": firewall.kind,
        "owner": "vrrp of the test",
        "chain": firewall.settings.get("proxysql_firewall_chain", ""),
        "admitted": [{"source": source, "protocol": "vrrp"} for source in (hosts.four["db1"], hosts.six["db1"])],
    }
    module = ("ansible", "-i", "inventories/lab", "db0", "-m", "distdb.mysql_ha.firewall_ports", "-a")
    assert hosts.vrrp("db0", "db1", "") == set()
    lab.command(*module, json.dumps(wish))
    assert hosts.vrrp("db0", "db1", "db2", "") == {hosts.four["db1"], hosts.six["db1"]}
    lab.command(*module, json.dumps(dict(wish, admitted=[])))
    assert hosts.vrrp("db0", "db1", "") == set()


@on_request
def test_the_whole_site_runs_behind_it(world, lab):
    _firewall, _hosts, run = world
    done = run([], "--tags", "all")
    assert done.code == 0 and set(done.changed.values()) == {0}, done
    lab.one_group()


@on_request
def test_a_removed_member_is_shut_out_and_comes_back(world, lab):
    firewall, hosts, run = world
    settings = json.dumps(
        {"mysql_gr_firewall": firewall.kind, "operations_member": "db2", "confirm": "mysql_gr", **firewall.settings}
    )
    assert lab.site("-e", settings, playbook="playbooks/remove_member.yml").code == 0
    expect(hosts, firewall, "db2", ["db0"])
    expect(hosts, firewall, "db0", ["db2"])
    expect(hosts, firewall, "db1", ["db0"], 3306, 33061)
    assert run([], "--tags", "all").code == 0
    expect(hosts, firewall, "db2", ["db0"], 3306, 33061)
    lab.one_group()
