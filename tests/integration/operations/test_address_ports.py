# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two proxies that share one address behind a firewall that drops what nobody has admitted: they hear and ask each other, and nobody else gets in."""

from __future__ import annotations

import json

import pytest
from support import second_proxy, wait_for
from support_address import (
    INVENTORY,
    PROXIES,
    address_of,
    both_good,
    holder,
    holders,
    kill,
    other,
    start_again,
    watched,
)
from support_firewall import FIREWALLS, SSH, THEIRS, UNIT, Hosts

pytestmark = [
    pytest.mark.operations,
    pytest.mark.claim(
        "Behind nftables two proxies share an address: VRRP and the check's port are open between them alone, with a ProxySQL cluster the admin port, too, "
        "and closed again when the address is given up.",
    ),
]

OTHERS = {SSH, THEIRS}
# Who sends VRRP is answered by VRRP: as a connection that is there it would be let in without a rule, for ten minutes.
ESTABLISHED = "ct state established,related accept"
ADMIN_UNIT = "ports-test-admin"
LISTEN = "import socket, sys, time; s = socket.create_server((sys.argv[1], 6032)); time.sleep(3600)"


@pytest.fixture(scope="module")
def world(lab):
    """(hosts, run): the proxies behind somebody else's firewall; run: site's part for it."""
    firewall = FIREWALLS["nftables_drop"]
    with second_proxy(lab, "-i", "inventories/lab-address"):
        both_good(lab)
        holder(lab)
        hosts = Hosts(lab, PROXIES)
        hosts.shell("command -v nft || apt-get install --yes --no-install-recommends nftables")
        hosts.listen()
        for name in PROXIES:
            # ProxySQL's own listens on the loopback address alone, if it is no cluster.
            lab.on(
                name,
                "systemd-run",
                "--quiet",
                "--collect",
                f"--unit={ADMIN_UNIT}",
                "python3",
                "-c",
                LISTEN,
                hosts.four[name],
            )
        hosts.shell(firewall.on.replace(ESTABLISHED, f"meta l4proto {{ tcp, udp }} {ESTABLISHED}"))

        def run(tags="proxysql_firewall", **more):
            settings = {"proxysql_firewall": firewall.kind, **firewall.settings, **more}
            done = lab.site(*INVENTORY, "--limit", ",".join(PROXIES), "--tags", tags, "-e", json.dumps(settings))
            assert done.code == 0, done
            return done

        yield hosts, run
        hosts.shell(firewall.off)
        hosts.shell(f"systemctl stop {UNIT} {ADMIN_UNIT}; true")
    done = lab.site("--limit", "proxy")
    assert done.code == 0 and holders(lab) == [], done


def expect(hosts, source, target, *ports):
    """What is open by IPv4, by which the proxies know each other; by IPv6 nothing of theirs is."""
    assert hosts.scan(source, target)[target] == (set(ports) | OTHERS, OTHERS), (source, target)


def test_they_hear_and_ask_each_other_and_nobody_else_does(lab, world):
    hosts, run = world
    # Without the roles' rules the firewall drops VRRP, and the check's questions; the members keep the second proxy from taking the address.
    for mine, peer in (PROXIES, PROXIES[::-1]):
        assert hosts.vrrp(mine, peer, "db0", "") == set()
        expect(hosts, peer, mine)
    holder(lab)
    run()
    holder(lab)
    both_good(lab)
    for mine, peer in (PROXIES, PROXIES[::-1]):
        assert hosts.vrrp(mine, peer, "db0", "") == {hosts.four[peer]}
        expect(hosts, peer, mine, 6033)
        expect(hosts, "db0", mine)
        expect(hosts, "", mine)
    again = run()
    assert not any(again.changed.values()), again.what_changed


def test_the_peers_of_a_proxysql_cluster_get_to_the_admin_port(world):
    hosts, run = world
    run(proxysql_cluster=True, proxysql_cluster_password="of-this-test-alone")
    expect(hosts, "proxy2", "proxy", 6032, 6033)
    expect(hosts, "proxy", "proxy2", 6032, 6033)
    expect(hosts, "db0", "proxy")
    expect(hosts, "", "proxy")
    run()
    expect(hosts, "proxy2", "proxy", 6033)


def test_a_client_that_is_named_finds_the_address_at_the_other_proxy(lab, world):
    hosts, run = world
    run(proxysql_firewall_clients=[lab.address("db1")])
    before = holder(lab)
    expect(hosts, "db1", before, 6033)
    line = f"read -r MYSQL_PWD; export MYSQL_PWD; mysql -h {address_of(lab)} -P 6033 -u simkpuser --connect-timeout=2 -N -e \"SELECT 'served'\""
    password = f"{lab.secrets()['lab_app_password']}\n"
    assert "served" in lab.give("db1", line, password)
    with watched(lab) as watch:
        kill(lab, before)
        wait_for(lambda: holders(lab) == [other(before)], 10, "the other one has the address", every=0.1)
        assert "served" in lab.give("db1", line, password)
        start_again(lab, before)
        both_good(lab)
    assert watch.longest(2) <= 1 and watch.longest(0) <= 1, watch.changes
    refused = lab.give("db2", line, password, check=False)
    assert "ERROR 2003" in refused, refused


def test_what_the_address_needed_is_closed_when_it_is_given_up(lab, world):
    hosts, run = world
    run("proxysql_firewall,proxysql_virtual_address", proxysql_virtual_address="")
    assert holders(lab) == []
    for mine, peer in (PROXIES, PROXIES[::-1]):
        assert hosts.vrrp(mine, peer, "") == set()
        expect(hosts, peer, mine)
