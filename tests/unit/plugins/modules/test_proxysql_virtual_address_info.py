# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a host has the shared address, on which interface it belongs, what its check says, with an ip that says what it is told to."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql import virtual
from ansible_collections.distdb.mysql_ha.plugins.modules import proxysql_virtual_address_info

LINKS = [
    {"ifname": "lo", "addr_info": [{"local": "127.0.0.1"}]},
    {"ifname": "eth0", "addr_info": [{"local": "192.0.2.129"}, {"local": "192.0.2.10"}, {"local": "2001:db8::10"}, {}]},
    {"ifname": "eth1"},
]


@pytest.fixture
def look(capsys, monkeypatch, tmp_path):
    """Runs the module on a host with these links; state: what its check has written."""

    def work(state=None, links=LINKS, code=0, changed=(), **options):
        old = [f"{tmp_path}/{name}.sum" for name in changed]
        monkeypatch.setattr(virtual, "DIRECTORY", str(tmp_path))
        if state is not None:
            (tmp_path / "state.json").write_text(state)
        monkeypatch.setattr(
            proxysql_virtual_address_info.AnsibleModule,
            "run_command",
            lambda _module, words: (
                (int(words[-1] in old), "", "") if words[0] == "sha1sum" else (code, json.dumps(links), "")
            ),
        )
        with patch_module_args(options), pytest.raises(SystemExit):
            proxysql_virtual_address_info.main()
        return json.loads(capsys.readouterr().out)

    return work


def test_the_addresses_that_are_here_and_their_interface(look):
    found = look(own="192.0.2.129", addresses=["192.0.2.10/24", "2001:DB8::10", "192.0.2.11"])
    assert (found["held"], found["interface"], found["problems"]) == (["192.0.2.10", "2001:db8::10"], "eth0", [])
    assert found["state"] == {} and found["changed"] is False


def test_without_an_own_address_no_interface_is_looked_for(look):
    assert (look()["interface"], look()["problems"]) == ("", [])


def test_another_interface_may_be_named_if_there_is_one(look):
    assert look(own="192.0.2.129", interface="eth1")["interface"] == "eth1"
    found = look(own="192.0.2.129", interface="eth7")
    assert found["problems"] == [
        "proxysql_virtual_interface is eth7, which this host does not have; it has eth0, eth1, lo."
    ]


@pytest.mark.parametrize("code", [0, 1])
def test_an_own_address_that_is_elsewhere_is_a_problem(look, code):
    (problem,) = look(own="198.51.100.1", code=code)["problems"]
    assert "proxysql_address is 198.51.100.1, which this host does not have" in problem


@pytest.mark.parametrize(
    ("state", "found"),
    [
        ('{"value": 0, "reason": ""}', {"value": 0, "reason": ""}),
        ('{"value": -100, "reason": "refused"}', {"value": -100, "reason": "refused"}),
        ("half of", {}),
        ("[]", {}),
    ],
)
def test_what_the_check_said_last(look, state, found):
    assert look(state=state)["state"] == found


def test_a_check_that_is_not_good_is_waited_for(look):
    assert look(state='{"value": -100, "reason": "x"}', wait_good=1)["state"]["value"] == -100
    assert look(state='{"value": 0, "reason": ""}', wait_good=60)["state"]["value"] == 0


def test_what_was_started_by_other_files(look):
    assert look()["outdated"] == []
    assert look(changed=["conf", "check"])["outdated"] == ["check", "conf"]
