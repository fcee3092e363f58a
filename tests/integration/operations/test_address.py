# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two proxies share one address: faults of one of them under load of clients that know this address only, and planned restarts.

--runs says how often each fault; reports in .cache/address, of which bench/address.py makes records and the table in docs/measurements/address.md. The
clients connect for each statement, try to connect for ten seconds, and wait for an answer for one second.
"""

from __future__ import annotations

import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import ROOT, second_proxy, wait_for
from support_address import (
    INVENTORY,
    PROXIES,
    address6_of,
    address_of,
    both_good,
    holder,
    holders,
    kill,
    other,
    proxy_addresses,
    start_again,
    watched,
)
from support_load import Load

pytestmark = [
    pytest.mark.operations,
    pytest.mark.claim(
        "Two proxies share one address: when the one that has it is killed, frozen, off, cut off or without members, or its keepalived hangs, no two seconds "
        "pass in which none of the clients is served, and no acknowledged row is lost; how long the unluckiest client waits is reported.",
        minutes=25,
    ),
]

CLIENTS = "db1"
REPORTS = ROOT / ".cache" / "address"
OPTIONS = ("--reconnect", "--patience", "10", "--timeout", "1")


@pytest.fixture(scope="module")
def shared(lab):
    """The lab's cluster behind two proxies that share an address."""
    for proxy in PROXIES:
        lab.command("lab/up", proxy, LAB_PREPARE="0")
        lab.on(
            proxy,
            "sh",
            "-c",
            "{ command -v iptables && command -v nft; } || apt-get install --yes --no-install-recommends iptables nftables",
            timeout=300,
        )
    with second_proxy(lab, "-i", "inventories/lab-address"):
        yield address_of(lab)
    run = lab.site("--limit", "proxy")
    assert run.code == 0 and holders(lab) == [], run


@pytest.fixture(autouse=True)
def whole(lab, shared):
    both_good(lab)
    holder(lab)


def iptables(lab, host, action, address):
    lab.on(host, "iptables", action, "INPUT", "-s", address, "-j", "DROP")
    lab.on(host, "iptables", action, "OUTPUT", "-d", address, "-j", "DROP")


# Every frame: what filters addresses lets ARP and neighbour discovery through, with which a host that is cut off goes on to claim the address.
CUT = """
add table netdev cut
add chain netdev cut from { type filter hook ingress device eth0 priority 0; policy drop; }
add chain netdev cut to { type filter hook egress device eth0 priority 0; policy drop; }
"""


def versions(lab):
    """The servers' own words."""
    texts = {"MySQL": lab.sql("db0", "SELECT VERSION()")[0][0], "ProxySQL": lab.on("proxy", "proxysql", "--version")}
    found = [(name, re.search(r"\d+(?:\.\d+)+", text)) for name, text in texts.items()]
    return ", ".join(f"{name} {match[0] if match else 'unknown'}" for name, match in found)


def machine():
    """Its load now."""
    return round(os.getloadavg()[0], 1)


def finish(lab, load, before, seconds, **more):
    """The load's report, with what is measured: the versions, and the load of the machine before and after it."""
    return load.finish(seconds, versions=versions(lab), load=[before, machine()], **more)


# Each: what is done to the proxy that has the address, and how it is undone.
FAULTS = {
    "killed": (kill, start_again),
    "frozen": (
        lambda lab, host: lab.on(host, "systemctl", "kill", "--signal=STOP", "proxysql"),
        lambda lab, host: lab.on(host, "systemctl", "kill", "--signal=CONT", "proxysql"),
    ),
    # Without the second command its network, with the address, would be there for as long as podman keeps it.
    "off": (
        lambda lab, host: lab.command("sh", "-c", f"lab/podman kill --signal KILL {host}; lab/podman container cleanup {host}"),
        lambda lab, host: lab.command("lab/host", "start", host),
    ),
    # From everything; the way that the test uses stays open.
    "cut_off": (
        lambda lab, host: lab.give(host, "nft -f -", CUT),
        lambda lab, host: lab.on(host, "nft", "delete", "table", "netdev", "cut"),
    ),
    # From each other; clients and members reach both.
    "cut_from_each_other": (
        lambda lab, host: iptables(lab, host, "-I", proxy_addresses(lab)[other(host)]),
        lambda lab, host: iptables(lab, host, "-D", proxy_addresses(lab)[other(host)]),
    ),
    # All of keepalived; systemd sends no more than the check does.
    "keepalived_hangs": (
        lambda lab, host: lab.on(host, "systemctl", "kill", "--signal=STOP", "proxysql-address"),
        lambda lab, host: lab.on(host, "systemctl", "kill", "--signal=CONT", "proxysql-address"),
    ),
    "without_members": (
        lambda lab, host: lab.on(host, "iptables", "-I", "OUTPUT", "-p", "tcp", "--dport", "3306", "-j", "DROP"),
        lambda lab, host: lab.on(host, "iptables", "-D", "OUTPUT", "-p", "tcp", "--dport", "3306", "-j", "DROP"),
    ),
}  # fmt: skip


def try_fault(lab, fault, address, name, runs):
    """A fault of the proxy that has the addresses, so many times, under load of clients that know this address only."""
    inject, undo = FAULTS[fault]
    for run in range(runs):
        both_good(lab)
        before = holder(lab)
        load, busy = Load(lab, f"address_{name}", REPORTS, CLIENTS), machine()
        load.start(options=("--host", address, *OPTIONS))
        try:
            with watched(lab, address) as watch:
                time.sleep(1)
                since = time.time()
                inject(lab, before)
                try:
                    time.sleep(6)
                finally:
                    healed = time.time()
                    undo(lab, before)
                both_good(lab)
                holder(lab)
                time.sleep(2)
        finally:
            load.stop()
        split = watch.longest(2)
        report = finish(
            lab, load, busy, 8, taken=watch.taken(other(before), since), split=split, none=watch.longest(0), run=run
        )
        if fault == "cut_from_each_other":
            # Both serve, and it stays where it is.
            moves = [hosts for at, hosts in watch.changes if since < at < healed]
            assert report["taken"] is None or len(moves) > 1, watch.changes
        elif fault == "keepalived_hangs" and report["taken"] is None:
            # The check has started it again sooner than the other one took over.
            assert watch.changes[-2][1] == [before], watch.changes
        else:
            assert report["taken"] is not None, watch.changes
        assert not report["lost_rows"] and report["same_transactions"] and report["checksums_agree"], report
        assert report["longest_gap_of_all"] <= 2, report
        assert split <= 1, watch.changes


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_proxy_with_the_address(lab, shared, fault, request):
    try_fault(lab, fault, shared, fault, request.config.getoption("--runs"))


@pytest.fixture(scope="module")
def shared6(lab, shared):
    """An IPv6 address beside the other one."""
    six = address6_of(lab)
    if not six:
        pytest.skip("the lab has no IPv6")
    limit = ("--limit", ",".join(PROXIES))
    listening = {"mysql-interfaces": "0.0.0.0:6033;[::]:6033"}
    both = {"proxysql_virtual_address": [shared, six], "proxysql_variables": listening}
    run = lab.site(*INVENTORY, *limit, "-e", json.dumps(both))
    assert run.code == 0, run
    yield six
    listening["mysql-interfaces"] = "0.0.0.0:6033"
    run = lab.site(*INVENTORY, *limit, "-e", json.dumps({"proxysql_variables": listening}))
    assert run.code == 0, run


@pytest.mark.parametrize("fault", ["killed", "cut_off"])
def test_a_fault_under_load_on_the_ipv6_address(lab, shared6, fault, request):
    try_fault(lab, fault, shared6, f"ipv6_{fault}", request.config.getoption("--runs"))


def test_a_planned_restart_hands_the_address_over(lab, shared):
    """A restart by the role: a variable that ProxySQL takes when it starts only. The address goes to the one proxy, then to the other."""
    before = holder(lab)
    load, busy = Load(lab, "address_restart", REPORTS, CLIENTS), machine()
    load.start(options=("--host", shared, *OPTIONS))
    seconds = 0.0
    try:
        with watched(lab) as watch:
            for proxy in (before, other(before)):
                variables = json.dumps({"proxysql_variables": {"mysql-threads": 3}})
                run = lab.site(*INVENTORY, "--limit", proxy, "-e", variables)
                assert run.code == 0 and run.changed[proxy], run
                seconds += run.seconds
                both_good(lab)
                assert holders(lab) == [other(proxy)]
    finally:
        load.stop()
    report = finish(lab, load, busy, seconds, split=watch.longest(2), none=watch.longest(0))
    assert report["passed"], report
    # A client whose first packet meets the move sends it again after a second.
    assert report["longest_gap_of_all"] <= 1 and report["longest_gap"] <= 1.5, report
    assert watch.longest(2) <= 1 and watch.longest(0) <= 1, watch.changes
    run = lab.site(*INVENTORY, "--limit", ",".join(PROXIES), "-e", '{"proxysql_variables": {"mysql-threads": 4}}')
    assert run.code == 0, run


NAME = "proxies.lab.example"
# Clients that know both proxies instead: a list of hosts, or a name with two addresses, of which PyMySQL tries one after the other.
WAYS = {
    "list": lambda first, second: ("--host", first, "--also", f"{second}:6033"),
    "name": lambda first, second: ("--host", NAME),
}


@pytest.mark.parametrize("fault", ["killed", "off"])
@pytest.mark.parametrize("way", WAYS)
def test_clients_that_know_both_proxies(lab, shared, way, fault):
    inject, undo = FAULTS[fault]
    addresses = proxy_addresses(lab)
    lines = "".join(f"{address} {NAME}\n" for address in addresses.values())
    lab.give(CLIENTS, "cp /etc/hosts /root/hosts; cat >>/etc/hosts", lines)
    # Where all clients of the name, and half of those with a list, begin.
    first = lab.on(
        CLIENTS, "python3", "-c", f"import socket; print(socket.getaddrinfo('{NAME}', 6033)[0][4][0])"
    ).strip()
    host = next(name for name, address in addresses.items() if address == first)
    load, busy = Load(lab, f"address_{way}_{fault}", REPORTS, CLIENTS), machine()
    load.start(options=(*WAYS[way](first, addresses[other(host)]), *OPTIONS))
    try:
        time.sleep(1)
        inject(lab, host)
        try:
            time.sleep(6)
        finally:
            undo(lab, host)
        both_good(lab)
        time.sleep(2)
    finally:
        load.stop()
        lab.on(CLIENTS, "sh", "-c", "cat /root/hosts >/etc/hosts; rm /root/hosts")
    report = finish(lab, load, busy, 9)
    assert not report["lost_rows"] and report["same_transactions"] and report["checksums_agree"], report
    # An address that nobody has costs the time limit for connecting.
    assert report["longest_gap"] <= 4, report


def test_with_preemption_the_first_proxy_takes_it_back(lab, shared):
    limit = ("--limit", ",".join(PROXIES), "--tags", "proxysql_virtual_address")
    assert lab.site(*INVENTORY, *limit, "-e", '{"proxysql_virtual_preempt": true}').code == 0
    try:
        first = PROXIES[0]
        wait_for(lambda: holders(lab) == [first], 20, "the first one has it", every=0.1)
        load, busy = Load(lab, "address_preempt", REPORTS, CLIENTS), machine()
        load.start(options=("--host", shared, *OPTIONS))
        try:
            with watched(lab) as watch:
                kill(lab, first)
                wait_for(lambda: holders(lab) == [other(first)], 10, "the second one has it", every=0.1)
                time.sleep(2)
                since = time.time()
                start_again(lab, first)
                wait_for(lambda: holders(lab) == [first], 30, "the first one has it again", every=0.1)
                time.sleep(2)
        finally:
            load.stop()
        report = finish(
            lab, load, busy, 8, back=watch.taken(first, since), split=watch.longest(2), none=watch.longest(0)
        )
        assert not report["lost_rows"] and report["same_transactions"] and report["checksums_agree"], report
        assert report["longest_gap_of_all"] <= 2 and watch.longest(2) <= 1, report
    finally:
        assert lab.site(*INVENTORY, *limit).code == 0


def test_a_controller_that_dies_leaves_no_proxy_without_the_address(lab, shared):
    """The lease of a restart ends with the process that holds it."""
    before = holder(lab)
    script = "import fcntl, time; f = open('/run/proxysql-address/lease', 'w'); fcntl.flock(f, fcntl.LOCK_EX); time.sleep(60)"
    lab.on(before, "systemd-run", "--quiet", "--collect", "--unit=distdb-lease", "python3", "-c", script)
    try:
        wait_for(lambda: holders(lab) == [other(before)], 5, "the address has gone to the other proxy", every=0.1)
    finally:
        lab.on(before, "systemctl", "kill", "--signal=KILL", "distdb-lease")
    both_good(lab)
    assert holder(lab) == other(before), "it stays there: preemption is off"


def test_the_address_stays_when_no_proxy_is_good(lab, shared):
    before = holder(lab)
    with ThreadPoolExecutor() as pool:
        # At about the same time: one proxy may be good for as long as one member takes writes.
        list(pool.map(lambda member: lab.sql(member, "SET GLOBAL super_read_only = ON"), lab.members))
    try:
        with watched(lab) as watch:
            time.sleep(5)
    finally:
        for member in lab.members:
            lab.sql(member, "SET GLOBAL super_read_only = OFF")
            lab.sql(member, "SET GLOBAL read_only = OFF")
    assert [hosts for _at, hosts in watch.changes[:-1]] == [[before]], watch.changes


def test_status_names_two_proxies_that_have_it(lab, shared):
    before = holder(lab)
    # Without its check the one that has it does not show itself to the members.
    lab.on(before, "systemctl", "stop", "proxysql-address-check")
    iptables(lab, before, "-I", proxy_addresses(lab)[other(before)])
    try:
        wait_for(lambda: len(holders(lab)) == 2, 10, "both have the address", every=0.1)
        run = lab.site(*INVENTORY, playbook="playbooks/status.yml")
    finally:
        iptables(lab, before, "-D", proxy_addresses(lab)[other(before)])
        lab.on(before, "systemctl", "start", "proxysql-address-check")
    assert "split: they do not hear each other" in run.flat, run


def test_a_password_and_both_kinds_of_addresses(lab, shared):
    """Last: with VRRP's password, which no output has; and back."""
    six = address6_of(lab)
    if not six:
        pytest.skip("the lab has no IPv6")
    more = {
        "proxysql_virtual_address": [shared, six],
        "proxysql_virtual_secret": "pa55-vrr",
        "proxysql_variables": {"mysql-interfaces": "0.0.0.0:6033;[::]:6033"},
    }
    for arguments in (("-vvv", "--diff"), ()):
        run = lab.site(*INVENTORY, "--limit", ",".join(PROXIES), "-e", json.dumps(more), *arguments)
        assert run.code == 0, run
        if arguments:
            # Ansible itself shows what is given by -e.
            shown = run.output.replace(json.dumps(more), "")
            for secret in (more["proxysql_virtual_secret"], lab.secrets()["proxysql_monitor_password"]):
                assert shown.count(secret) == 0, [line for line in shown.splitlines() if secret in line]
    assert not any(run.changed.values()), run
    both_good(lab)
    assert holder(lab) == wait_for(lambda: "".join(holders(lab, six)), 20, "the IPv6 address is there", every=0.1)
    with watched(lab, six) as watch:
        before = holder(lab)
        kill(lab, before)
        time.sleep(3)
        start_again(lab, before)
    assert [hosts for _at, hosts in watch.changes if hosts][-1] == [other(before)], watch.changes
    run = lab.site(
        *INVENTORY, "--limit", ",".join(PROXIES), "-e", '{"proxysql_variables": {"mysql-interfaces": "0.0.0.0:6033"}}'
    )
    assert run.code == 0, run
