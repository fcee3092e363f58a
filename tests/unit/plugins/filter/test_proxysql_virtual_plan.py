# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The address that proxies share: every refusal, and what each proxy is configured with."""

from __future__ import annotations

import re

import pytest
from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_virtual_plan import FilterModule
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.virtual_address import virtual_problems
from jinja2.exceptions import UndefinedError

virtual_plan = FilterModule().filters()["proxysql_virtual_plan"]
PROXIES = ["proxy", "proxy2"]
SETTINGS = dict(
    proxysql_virtual_address="192.0.2.10",
    proxysql_virtual_interface="",
    proxysql_virtual_preempt=False,
    proxysql_virtual_router_id="",
    proxysql_virtual_secret="",
    proxysql_bind="0.0.0.0",
    proxysql_port="6033",
    proxysql_variables={},
    proxysql_network="fast",
    proxysql_inventory_group="proxysql",
    proxysql_monitor_interval="250",
    proxysql_monitor_user="monitor",
    proxysql_users=[dict(username="app")],
    proxysql_hostgroups=[dict(writer_hostgroup=12, state="absent"), dict(writer_hostgroup=2)],
)
BOTH = {"mysql-interfaces": "0.0.0.0:6033;[::]:6033"}


def hostvars(changes, others):
    """What the inventory says; the options of the role that are in it are the same for both proxies, but for others: {host: {option: value}}."""
    found = {
        "db0": dict(mysql_gr_address="192.0.2.130"),
        "proxy": dict(proxysql_address="192.0.2.129"),
        "proxy2": dict(ansible_host="192.0.2.127"),
    }
    for host in PROXIES:
        found[host].update(proxysql_virtual_address=SETTINGS["proxysql_virtual_address"], **{})
        found[host].update(changes)
    for host, options in others.items():
        found.setdefault(host, {}).update(options)
    return found


def problems(others=None, host="proxy", peers=None, **changes):
    known = hostvars(changes, others or {})
    return virtual_problems({**SETTINGS, **changes}, host, peers or PROXIES, list(known), known)


def plan(host="proxy", peers=None, others=None, **changes):
    known = hostvars(changes, others or {})
    assert not virtual_problems({**SETTINGS, **changes}, host, peers or PROXIES, list(known), known)
    return virtual_plan({**SETTINGS, **changes}, host, peers or PROXIES, known)


def test_nothing_is_asked_of_proxies_that_share_no_address():
    for empty in ("", None, []):
        assert virtual_problems({"proxysql_virtual_address": empty}, "proxy", [], [], None) == []
        assert virtual_plan({"proxysql_virtual_address": empty}, "proxy", [], None) == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(proxysql_virtual_address="192.0.2.300"), "proxysql_virtual_address: '192.0.2.300' is not allowed"),
        (dict(proxysql_virtual_address="db.example.com"), "'db.example.com' is not allowed"),
        (dict(proxysql_virtual_address=["192.0.2.10/33"]), "'192.0.2.10/33' is not allowed"),
        (dict(proxysql_virtual_address=["192.0.2.10/0"]), "'192.0.2.10/0' is not allowed"),
        (dict(proxysql_virtual_address=["192.0.2.10/x"]), "'192.0.2.10/x' is not allowed"),
        (dict(proxysql_virtual_address={"a": 1}), "is not allowed"),
        (dict(proxysql_virtual_address=10), "proxysql_virtual_address: 10 is not allowed"),
        (dict(proxysql_virtual_address="127.0.0.5"), "is a loopback address"),
        (dict(proxysql_virtual_address="224.0.0.5"), "is a multicast address"),
        (dict(proxysql_virtual_address="fe80::5"), "is a link-local address"),
        (dict(proxysql_virtual_address="::"), "is no host's address"),
        (dict(proxysql_virtual_address=["192.0.2.10", "192.0.2.10/24"]), "192.0.2.10 is listed twice"),
        (dict(proxysql_virtual_address="192.0.2.129"), r"192.0.2.129 is the address of proxy \(proxysql_address\)"),
        (dict(proxysql_virtual_address="192.0.2.127"), r"is the address of proxy2 \(ansible_host\)"),
        (dict(proxysql_virtual_address="192.0.2.130"), r"is the address of db0 \(mysql_gr_address\)"),
        (dict(proxysql_virtual_router_id=0), "proxysql_virtual_router_id is 0; allowed are 1 to 255"),
        (dict(proxysql_virtual_router_id="256"), "proxysql_virtual_router_id is 256"),
        (dict(proxysql_virtual_router_id=True), "proxysql_virtual_router_id is True"),
        (dict(proxysql_virtual_router_id="one"), "proxysql_virtual_router_id is one"),
        (dict(proxysql_virtual_interface="eth0; x"), "proxysql_virtual_interface is eth0; x"),
        (dict(proxysql_virtual_address="2001:db8::10"), "has no address of the kind of proxysql_address"),
        (dict(proxysql_bind="192.0.2.129"), "proxysql_bind is 192.0.2.129; with .* has to listen on 0.0.0.0"),
        (dict(proxysql_virtual_address=["192.0.2.10", "2001:db8::10"]), "has to listen on ::"),
    ],
)
def test_what_cannot_work_is_refused_in_words(changes, words):
    found = " ".join(problems(**changes))
    assert re.search(words, found), found


@pytest.mark.parametrize("secret", ["nine-char", "a b", 'a"b', "pässwör", 1234, ["x"]])
def test_a_secret_that_vrrp_has_no_room_for_is_refused_and_not_shown(secret):
    (found,) = problems(proxysql_virtual_secret=secret)
    assert "proxysql_virtual_secret is not allowed" in found and str(secret) not in found


def test_the_last_proxy_keeps_the_address():
    found = plan(others={"proxy2": dict(proxysql_virtual_address="")})
    assert found["peers"] == found["check"]["peers"] == [] and found["addresses"] == ["192.0.2.10"]
    assert plan(peers=["proxy"])["peers"] == []


def test_who_is_not_in_the_inventory_group_shares_nothing():
    (found,) = problems(peers=["other"], others={"other": {}})
    assert found == "proxysql_virtual_address: proxy is no host of the inventory group proxysql, whose hosts share it."


def test_a_part_of_the_addresses_cannot_be_shared():
    others = {"proxy3": dict(proxysql_virtual_address=["192.0.2.10", "192.0.2.11"])}
    found = problems(others=others, peers=[*PROXIES, "proxy3"])
    assert found == [
        "proxysql_virtual_address of proxy3 is 192.0.2.10, 192.0.2.11; proxies share all of their addresses (192.0.2.10) or none."
    ]


def test_two_clusters_with_one_number_are_refused():
    beta = dict(proxysql_virtual_address="198.51.100.10")
    (found,) = problems(others={"beta1": beta})
    assert found.startswith("proxysql_virtual_router_id is 10 for 192.0.2.10 and, of beta1, for 198.51.100.10")
    assert problems(others={"beta1": dict(beta, proxysql_virtual_router_id=11)}) == []
    assert problems(others={"beta1": dict(proxysql_virtual_address="198.51.100.11")}) == []


@pytest.mark.parametrize(
    "option", ["proxysql_virtual_router_id", "proxysql_virtual_preempt", "proxysql_virtual_secret"]
)
def test_proxies_that_differ_are_refused(option):
    found = problems(others={"proxy2": {option: 7}})
    assert found == [f"{option} of proxy2 and proxy differ; proxies that share an address need the same."]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("proxy-2.example.com", "is proxy-2.example.com, a name"),
        ("300.1.1.1", "no address"),
        ("2001:db8::2", "are IPv4 and IPv6"),
    ],
)
def test_vrrp_needs_addresses_of_one_kind(address, words):
    (found,) = problems(others={"proxy2": dict(proxysql_address=address)})
    assert words in found


def test_a_password_does_not_go_with_ipv6():
    others = {"proxy": dict(proxysql_address="2001:db8::1"), "proxy2": dict(proxysql_address="2001:db8::2")}
    six = dict(proxysql_virtual_address="2001:db8::10/64", proxysql_bind="::")
    assert problems(others=others, **six) == []
    (found,) = problems(others=others, proxysql_virtual_secret="secret", **six)
    assert "VRRP has passwords with IPv4 only" in found
    made = plan(others=others, **six)
    assert (made["advertised"], made["excluded"], made["check"]["own"]) == (["2001:db8::10/64"], [], "[::1]:6033")


def test_the_plan_of_two_proxies():
    first, second = plan(), plan("proxy2")
    assert (first["own"], first["peers"]) == ("192.0.2.129", ["192.0.2.127"])
    assert (second["own"], second["peers"]) == ("192.0.2.127", ["192.0.2.129"])
    assert first["router_id"] == second["router_id"] == 10
    assert (first["version"], first["advert"], first["advertised"], first["excluded"]) == (
        3,
        0.25,
        ["192.0.2.10/32"],
        [],
    )
    assert first["check"] == dict(
        own="127.0.0.1:6033",
        peers=["192.0.2.127:6033"],
        name="192.0.2.129",
        others=["192.0.2.127"],
        address="192.0.2.10",
        router_id=10,
        user="monitor",
        hostgroup=2,
        interval=0.25,
        timeout=0.5,
        again=0.4,
        advert=0.25,
    )
    assert first["user"] == dict(
        username="monitor", default_hostgroup=2, comment="the check of distdb.mysql_ha's virtual address"
    )


def test_who_has_the_address_keeps_it_unless_the_first_one_is_to_have_it():
    assert [plan(host)["priority"] for host in PROXIES] == [254, 254]
    assert [plan(host, proxysql_virtual_preempt=True)["priority"] for host in PROXIES] == [254, 253]


def test_addresses_of_the_other_kind_go_along():
    made = plan(proxysql_virtual_address=["2001:db8::ff00", "192.0.2.10/24"], proxysql_variables=BOTH)
    assert (made["advertised"], made["excluded"]) == (["192.0.2.10/24"], ["2001:db8::ff00/128"])
    # The last number of the first address; 0 is none.
    assert made["router_id"] == 255
    assert plan(proxysql_virtual_router_id="51")["router_id"] == 51


def test_a_password_is_of_the_older_vrrp_which_counts_in_seconds():
    made = plan(proxysql_virtual_secret="secret")
    assert (made["version"], made["advert"], made["check"]["advert"]) == (2, 1, 1)


def test_a_patient_network_has_patient_checks():
    made = plan(proxysql_network="patient", proxysql_monitor_interval=2000)
    assert (made["advert"], made["check"]["interval"], made["check"]["timeout"], made["watchdog"]) == (1, 0.5, 1.5, 11)


def test_an_account_that_the_inventory_has_is_left_alone():
    assert plan(proxysql_users=[dict(username="monitor")])["user"] == {}


class OwnPlay(dict):
    """Variables of a host of which one is known in its own play only."""

    def get(self, name, default=None):
        if name == "mysql_gr_address":
            raise UndefinedError("'cluster_network' is undefined")
        return super().get(name, default)


def test_what_only_another_play_knows_is_no_problem():
    known = dict(hostvars({}, {}), db0=OwnPlay())
    assert virtual_problems(SETTINGS, "proxy", PROXIES, list(known), known) == []


def test_peers_are_asked_on_their_own_port():
    assert plan(others={"proxy2": dict(proxysql_port=3306)})["check"]["peers"] == ["192.0.2.127:3306"]
