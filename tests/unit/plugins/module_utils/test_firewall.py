# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is admitted: rules from what the inventory names, what is there, and what changes; one owner's rules, and nobody else's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.distdb.mysql_ha.plugins.module_utils._firewall import nftables as nft
from ansible_collections.distdb.mysql_ha.plugins.module_utils._firewall import ufw
from ansible_collections.distdb.mysql_ha.plugins.module_utils._firewall.firewalld import lasting, policies
from ansible_collections.distdb.mysql_ha.plugins.module_utils._firewall.rules import (
    Ours,
    Rule,
    difference,
    wanted_rules,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.modules import firewall_ports
from firewall_models import Firewalld, Nftables, Ufw

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "The rules of one owner become the wanted ones in each firewall; rules of others are left alone."
    ),
]

OWNER = "mysql_gr of alpha"
MEMBER = {"source": "192.0.2.131", "port": 33061}
SQL = {"source": "192.0.2.131", "port": 3306}
SQL6 = {"source": "2001:DB8:0::131", "port": 3306}
EVERYONE = {"source": "any", "port": 3306}
PEER = {"source": "192.0.2.128", "protocol": "vrrp"}
NAMES = {"db1.example.com": ["192.0.2.131", "2001:db8::131"], "me.example.com": ["127.0.1.1"]}
MINE = OWNER.encode().hex()


def rules(*entries):
    return wanted_rules(entries, lambda name: NAMES.get(name, []))


@pytest.fixture
def ports(capsys, monkeypatch, tmp_path):
    """Runs the module on a host; gives what it returned."""

    def work(host, *admitted, failed=False, check=False, **options):
        monkeypatch.setattr(firewall_ports, "run", host.run)
        monkeypatch.setattr(firewall_ports, "read", host.read)
        monkeypatch.setattr(firewall_ports, "resolve", lambda name: NAMES.get(name, []))
        monkeypatch.setattr(firewall_ports.Ports, "write", lambda _self, path, text: host.files.update({path: text}))
        host.calls.clear()
        kind = type(host).__name__.lower()
        wish = dict(firewall=kind, owner=OWNER, ports=[3306, 33061], admitted=list(admitted))
        with patch_module_args({**wish, **options, "_ansible_check_mode": check}), pytest.raises(SystemExit):
            firewall_ports.main()
        result = json.loads(capsys.readouterr().out)
        assert result.get("failed", False) is failed, result
        return result

    return work


class TestWanted:
    def test_a_source_is_in_its_shortest_form_and_each_rule_there_once(self):
        assert rules(SQL6, SQL6, {"source": "192.0.2.0/24", "port": 1}, {"source": "192.0.2.9/32", "port": 1}) == [
            Rule("ipv6", "2001:db8::131", "tcp", 3306),
            Rule("ipv4", "192.0.2.0/24", "tcp", 1),
            Rule("ipv4", "192.0.2.9", "tcp", 1),
        ]

    def test_everyone_is_everyone_of_both_kinds(self):
        both = [Rule("ipv4", "", "tcp", 3306), Rule("ipv6", "", "tcp", 3306)]
        assert rules(EVERYONE) == both
        assert rules({"source": "0.0.0.0/0", "port": 3306}, {"source": "::/0", "port": 3306}) == both

    def test_a_name_counts_for_the_addresses_that_it_has(self):
        assert [rule.source for rule in rules({"source": "db1.example.com", "port": 3306})] == NAMES["db1.example.com"]

    @pytest.mark.parametrize(
        ("source", "why"),
        [
            ("nowhere.example.com", "this host does not resolve it"),
            ("me.example.com", "this host does not resolve it to an address of another one"),
            ("192.0.2.300", "an address, a network"),
            ("192.0.2.7/24", "host bits set"),
            ("db1.example.com/24", "an address, a network"),
            ("", "an address, a network"),
        ],
    )
    def test_what_is_no_source_is_refused_in_one_sentence(self, source, why):
        with pytest.raises(Refusal, match=f"admitted: '{source}' is not allowed .*{why}"):
            rules({"source": source, "port": 3306})

    @pytest.mark.parametrize("entry", [{"port": 0}, {"port": 65536}, {"port": 5, "protocol": "vrrp"}])
    def test_a_port_that_its_protocol_does_not_have_is_refused(self, entry):
        with pytest.raises(Refusal, match="port .* is not allowed with"):
            rules({"source": "192.0.2.1", **entry})

    def test_the_difference_leaves_alone_what_others_have_written(self):
        one, two, three = rules(MEMBER, SQL, SQL6)
        change = difference([one, two], Ours({three}, {three}), {two})
        assert change == ([one], [three])
        # In force now, and gone after a restart: written again.
        assert difference([one], Ours(set(), {one})) == ([one], [])


class TestUfw:
    def test_named_sources_go_first_and_everyone_last_and_a_second_run_changes_nothing(self, ports):
        deny = "deny tcp 3306 0.0.0.0/0 any 198.51.100.0/24 in"
        host = Ufw(deny)
        found = ports(host, MEMBER, SQL, SQL6, EVERYONE, PEER)
        assert found["added"][0] == "tcp 33061 from 192.0.2.131" and found["changed"]
        assert host.rules[4] == [
            f"allow tcp 33061 0.0.0.0/0 any 192.0.2.131 in comment={MINE}",
            f"allow tcp 3306 0.0.0.0/0 any 192.0.2.131 in comment={MINE}",
            f"allow vrrp any 0.0.0.0/0 any 192.0.2.128 in comment={MINE}",
            deny,
            f"allow tcp 3306 0.0.0.0/0 any 0.0.0.0/0 in comment={MINE}",
        ]
        assert len(host.rules[6]) == 2
        again = ports(host, MEMBER, SQL, SQL6, EVERYONE, PEER)
        assert not again["changed"] and host.calls == ["ufw version"]

    def test_what_is_no_longer_wanted_is_closed_and_what_others_wrote_stays(self, ports):
        mine = f"allow tcp 3306 0.0.0.0/0 any 192.0.2.132 in comment={MINE}"
        others = [
            "allow tcp 3306 0.0.0.0/0 any 192.0.2.7 in",
            f"allow tcp 3306 0.0.0.0/0 any 192.0.2.8 in comment={'mysql_gr of beta'.encode().hex()}",
            "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in",
            "allow any any 0.0.0.0/0 any 192.0.2.9 in_eth0",
            "allow tcp 80,443 0.0.0.0/0 any 0.0.0.0/0 in",
        ]
        host = Ufw(mine, *others)
        found = ports(host)
        assert found["removed"] == ["tcp 3306 from 192.0.2.132"] and host.rules[4] == others
        assert found["diff"]["before"] == "tcp 3306 from 192.0.2.132\n" and found["diff"]["after"] == ""

    def test_a_rule_that_somebody_else_has_written_already_is_not_taken_over(self, ports):
        other = "allow tcp 3306 0.0.0.0/0 any 192.0.2.131 in"
        host = Ufw(other)
        assert not ports(host, SQL)["changed"] and host.rules[4] == [other]
        assert not ports(host)["changed"] and host.rules[4] == [other]

    def test_a_deny_that_somebody_has_written_for_the_same_packets_is_not_replaced(self, ports):
        deny = "deny tcp 3306 0.0.0.0/0 any 0.0.0.0/0 in"
        host = Ufw(deny)
        said = ports(host, SQL, EVERYONE, failed=True)["msg"]
        assert "tcp 3306 from any (ipv4) is not allowed here" in said and "deny" in said
        assert host.rules[4] == [deny] and not host.rules[6]

    def test_rules_of_an_earlier_version_are_known_by_their_comment_and_port(self, ports):
        old = "mysql_gr".encode().hex()
        other = f"allow tcp 3307 0.0.0.0/0 any 0.0.0.0/0 in comment={old}"
        host = Ufw(f"allow tcp 3306 0.0.0.0/0 any 0.0.0.0/0 in comment={old}", other)
        ports(host, SQL, former_owners=["mysql_gr"])
        assert host.rules[4] == [f"allow tcp 3306 0.0.0.0/0 any 192.0.2.131 in comment={MINE}", other]

    def test_check_mode_asks_ufw_and_changes_nothing(self, ports):
        host = Ufw()
        assert ports(host, SQL, check=True)["changed"] and host.rules[4] == []
        assert all("--dry-run" in call for call in host.calls[1:])

    def test_what_ufw_does_not_know_is_refused_before_the_first_rule(self, ports):
        host = Ufw()
        host.refuses = "vrrp"
        assert "Unsupported protocol" in ports(host, SQL, PEER, failed=True)["msg"]
        assert host.rules[4] == []

    def test_a_host_without_ufw_is_refused(self, ports):
        host = Ufw()
        host.missing = ("ufw",)
        assert ports(host, SQL, failed=True)["msg"].startswith(
            "firewall: ufw is not allowed here, since it is not installed"
        )

    def test_a_rule_of_a_form_that_is_not_ours_is_nobodys(self):
        assert ufw.parse("### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 OpenSSH - in\n", "ipv4") == [
            (None, "allow", "")
        ]


class TestFirewalld:
    def test_policies_are_made_once_and_edited_without_a_reload_later(self, ports):
        host = Firewalld()
        named, everyone = policies(OWNER)
        assert ports(host, SQL, SQL6, PEER, EVERYONE)["changed"] and host.reloads == 1
        assert host.now[named]["priority"] == "-110" and host.now[everyone]["priority"] == "110"
        assert host.now[named]["rules"] == {
            'rule family="ipv4" source address="192.0.2.131" port port="3306" protocol="tcp" accept',
            'rule family="ipv6" source address="2001:db8::131" port port="3306" protocol="tcp" accept',
            'rule family="ipv4" source address="192.0.2.128" protocol value="vrrp" accept',
        }
        assert host.now[everyone]["rules"] == {
            f'rule family="{family}" port port="3306" protocol="tcp" accept' for family in ("ipv4", "ipv6")
        }
        assert not ports(host, SQL, SQL6, PEER, EVERYONE)["changed"]
        found = ports(host, SQL6)
        assert len(found["removed"]) == 4 and host.reloads == 1
        assert host.now == host.kept and len(host.now[named]["rules"]) == 1 and not host.now[everyone]["rules"]

    def test_a_policy_that_a_killed_run_left_half_made_is_completed(self, ports):
        host = Firewalld()
        host.kept[next(iter(policies(OWNER)))] = dict(priority="-1", ingress="", egress="", rules=set())
        ports(host, SQL)
        assert not ports(host, SQL)["changed"] and host.reloads == 1

    def test_a_rule_that_is_in_force_only_until_the_next_start_is_written_and_one_that_is_only_kept_is_closed(
        self, ports
    ):
        host = Firewalld()
        ports(host, SQL)
        name = next(iter(policies(OWNER)))
        host.kept[name]["rules"].clear()
        host.kept[name]["rules"].add(
            'rule family="ipv4" source address="192.0.2.9" port port="3306" protocol="tcp" accept'
        )
        host.kept[name]["rules"].add("rule service name=ssh accept")
        assert ports(host, SQL)["removed"] == ["tcp 3306 from 192.0.2.9"]
        assert host.kept[name]["rules"] - host.now[name]["rules"] == {"rule service name=ssh accept"}
        assert not ports(host, SQL)["changed"]

    def test_a_reload_that_would_lose_rules_of_others_is_refused(self, ports):
        host = Firewalld()
        host.zones[True] += "  ports: 8080/tcp\n"
        assert "has to be reloaded for a new policy" in ports(host, SQL, failed=True)["msg"]
        assert not host.kept

    def test_check_mode_changes_nothing(self, ports):
        host = Firewalld()
        assert ports(host, SQL, check=True)["changed"] and not host.kept

    def test_one_that_does_not_run_or_is_not_there_is_refused(self, ports):
        assert "it is not running" in ports(Firewalld(running=False), SQL, failed=True)["msg"]
        host = Firewalld()
        host.missing = ("firewall-cmd",)
        assert "it is not installed" in ports(host, SQL, failed=True)["msg"]

    def test_one_without_policies_is_refused(self, ports, monkeypatch):
        host = Firewalld()
        answer = host.answer
        unknown = type(host.run(["true"]))(2, "", "unrecognized arguments: --info-policy")
        monkeypatch.setattr(
            host, "answer", lambda words, stdin: unknown if "--info" in str(words) else answer(words, stdin)
        )
        assert "firewalld 0.9 and later" in ports(host, SQL, failed=True)["msg"]

    def test_a_command_that_fails_is_named(self, ports, monkeypatch):
        host = Firewalld()
        answer = host.answer
        failed = type(host.run(["true"]))(13, "", "Error: COMMAND_FAILED")
        monkeypatch.setattr(
            host, "answer", lambda words, stdin: failed if "--new" in str(words) else answer(words, stdin)
        )
        assert "COMMAND_FAILED" in ports(host, SQL, failed=True)["msg"]

    def test_names_of_policies_are_short_enough(self):
        assert max(map(len, policies("x" * 100))) <= 17

    def test_what_is_true_of_a_running_one_only_is_not_compared(self):
        running = "public (default, active)\n  interfaces: eth0\n  ports: \n\nha-1 (active)\n  ports: 1/tcp\n"
        assert lasting(running, ["ha-1"]) == lasting("public (default)\n  interfaces: \n  ports: \n", ["ha-1"])


class TestNftables:
    def test_a_table_of_its_own_closes_the_ports_for_others(self, ports):
        host = Nftables()
        found = ports(host, MEMBER, SQL6, EVERYONE, PEER)
        text = host.files["/etc/nftables.d/mysql_gr_of_alpha.nft"]
        assert "\t\ttcp dport { 3306, 33061 } jump admitted\n" in text
        assert "\t\tip saddr 192.0.2.131 tcp dport 33061 accept\n" in text and "\t\tdrop\n" in text
        assert "\t\tmeta nfproto ipv6 tcp dport 3306 accept\n" in text
        # A table that accepts by default has nothing to say of it.
        assert "112" not in text
        assert host.files["/etc/nftables.conf"].endswith('flush ruleset\ninclude "/etc/nftables.d/*.nft"\n')
        assert found["diff"] == {"before": "", "after": text, "before_header": OWNER, "after_header": OWNER}
        again = ports(host, MEMBER, SQL6, EVERYONE, PEER)
        assert (again["changed"], again["added"], again["removed"]) == (False, [], [])

    def test_what_somebody_unloaded_or_changed_is_loaded_again(self, ports):
        host = Nftables()
        ports(host, SQL)
        host.loaded.clear()
        assert ports(host, SQL)["changed"] and host.loaded
        host.loaded["mysql_gr_of_alpha"] = host.loaded["mysql_gr_of_alpha"].replace("\t\tdrop\n", "")
        assert ports(host, SQL)["changed"] and "drop" in host.loaded["mysql_gr_of_alpha"]

    def test_an_owner_without_rules_has_closed_ports(self, ports):
        host = Nftables()
        ports(host, SQL)
        assert ports(host)["removed"] == ["tcp 3306 from 192.0.2.131"]
        assert "accept" not in host.loaded["mysql_gr_of_alpha"].split("admitted {")[1]
        assert not ports(host)["changed"]

    def test_where_the_hosts_own_chain_drops_it_is_to_be_named(self, ports):
        host = Nftables(policy="drop")
        assert (
            "chain: '' is not allowed here (allowed: inet filter input, which drops"
            in ports(host, SQL, failed=True)["msg"]
        )
        assert not host.loaded
        ports(host, SQL, PEER, chain="inet filter input")
        assert host.jumps == [("mysql_gr_of_alpha", "inet filter input")]
        assert host.branches["mysql_gr_of_alpha"] == [
            "ip saddr 192.0.2.131 tcp dport 3306 accept",
            "ip saddr 192.0.2.128 meta l4proto 112 accept",
        ]
        assert not ports(host, SQL, PEER, chain="inet filter input")["changed"]
        ports(host, SQL6, chain="inet filter input")
        assert len(host.jumps) == 1 and len(host.branches["mysql_gr_of_alpha"]) == 1

    def test_a_chain_that_is_not_named_any_more_loses_its_jump(self, ports):
        host = Nftables()
        ports(host, SQL, chain="inet filter input")
        ports(host, SQL)
        assert host.jumps == [("", "")] and not host.branches
        assert "jump mysql" not in host.files["/etc/nftables.d/mysql_gr_of_alpha.nft"]

    def test_a_chain_of_one_family_gets_the_rules_of_that_family(self):
        where = nft.place(OWNER, "ip filter INPUT", [3306])
        assert "ip6" not in nft.branch(where, rules(SQL, SQL6))
        assert nft.table(nft.place(OWNER, "", []), []).count("jump") == 0

    @pytest.mark.parametrize(
        "chain", ["input", "inet filter", "bridge filter input", "inet filter input; flush ruleset"]
    )
    def test_what_is_no_chain_is_refused(self, ports, chain):
        assert f"chain: '{chain}' is not allowed" in ports(Nftables(), SQL, chain=chain, failed=True)["msg"]

    def test_a_host_without_nftables_or_its_file_or_with_firewalld_is_refused(self, ports):
        host = Nftables()
        host.missing = ("nft",)
        assert "nftables is not allowed here" in ports(host, SQL, failed=True)["msg"]
        host = Nftables()
        host.files.clear()
        assert "nftables is not allowed here" in ports(host, SQL, failed=True)["msg"]
        host = Nftables()
        host.loaded["firewalld"] = ""
        assert "since firewalld runs" in ports(host, SQL, failed=True)["msg"]

    def test_what_nft_refuses_is_refused_before_a_file_is_written(self, ports):
        host = Nftables()
        host.refuses = "/dev/stdin:3:1-2: Error: syntax error\nmore"
        assert ports(host, SQL, failed=True)["msg"].endswith("Error: syntax error")
        assert list(host.files) == ["/etc/nftables.conf"]

    def test_a_listing_that_fails_is_not_an_empty_one(self, ports, monkeypatch):
        host = Nftables()
        failed = type(host.run(["true"]))(1, "", "Error: Operation not permitted")
        monkeypatch.setattr(
            host, "answer", lambda words, stdin: host.run(["true"]) if words == ["--version"] else failed
        )
        assert "Operation not permitted" in ports(host, SQL, failed=True)["msg"]

    def test_check_mode_changes_nothing_and_a_service_that_is_off_is_said(self, ports, monkeypatch):
        host, said = Nftables(), []
        host.enabled = False
        # Of several warnings in one process the module returns each text once.
        monkeypatch.setattr(firewall_ports.AnsibleModule, "warn", lambda _module, text: said.append(text))
        found = ports(host, SQL, check=True)
        assert found["changed"] and not host.loaded and "not enabled" in said[0]

    def test_an_include_that_is_there_is_known(self):
        for line in ('include "/etc/nftables.d/*.nft"', '  include "/etc/nftables.d/a.nft"'):
            assert nft.includes(f"flush ruleset\n{line}\n", "/etc/nftables.d/a.nft")
        assert not nft.includes('# include "/etc/nftables.d/*.nft"', "/etc/nftables.d/a.nft")


def test_an_owner_that_could_be_something_else_is_refused(ports):
    assert "owner: 'a;b' is not allowed" in ports(Ufw(), SQL, owner="a;b", failed=True)["msg"]


def test_names_are_resolved_on_the_host():
    assert "127.0.0.1" in firewall_ports.resolve("127.0.0.1")
    assert firewall_ports.resolve("no-such-name.invalid") == []


def test_a_file_is_written_whole(monkeypatch, tmp_path):
    class Module:
        tmpdir = str(tmp_path)

        def atomic_move(self, source, target):
            (tmp_path / "moved").write_text(f"{target}: {Path(source).read_text()}")

    run = object.__new__(firewall_ports.Ports)
    run.module = Module()
    run.write(str(tmp_path / "d" / "a.nft"), "text")
    assert (tmp_path / "moved").read_text() == f"{tmp_path}/d/a.nft: text"
