# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: one sentence that names the option, its value and what is allowed, before any server is asked."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import connection, operation
from ansible_collections.distdb.mysql_ha.plugins.modules import (
    group_replication_bootstrap,
    group_replication_cut_over,
    group_replication_fence,
    group_replication_force_quorum,
    group_replication_info,
    group_replication_primary,
    group_replication_provision,
    group_replication_restart,
    group_replication_site,
)

BOOTSTRAP, INFO, PRIMARY = group_replication_bootstrap, group_replication_info, group_replication_primary
FENCE, QUORUM = group_replication_fence, group_replication_force_quorum
RESTART = group_replication_restart
FROM = {"source": "192.0.2.9", "source_user": "adopt", "source_password": "source-Secret-1"}
# What a module cannot do without.
NEEDED = {
    BOOTSTRAP: {},
    INFO: {},
    PRIMARY: {"mode": "multi_primary"},
    FENCE: {"fence": "writes"},
    QUORUM: {"lost_members": ["192.0.2.2"]},
    RESTART: {},
    group_replication_provision: FROM,
    group_replication_cut_over: FROM,
    group_replication_site: {
        "state": "standby",
        "group_name": "8f22f846-9922-4139-b2b7-097d185a93cb",
        "other_group": "5f22f846-9922-4139-b2b7-097d185a93cb",
        "other_name": "south",
        "other_members": ["192.0.2.5"],
        "site_user": "gr_site",
        "site_password": "site-Secret-1",
    },  # fmt: skip
}
UUID = "8f22f846-9922-4139-b2b7-097d185a93cb"
GOOD = {
    "members": ["192.0.2.1", "192.0.2.2"],
    "member": "192.0.2.1",
    "config_file": "",
    "login_unix_socket": "/nonexistent/mysqld.sock",
}
PEER = {"peer_user": "gr_peer", "peer_password": "peer-Secret-1"}


def run(capsys, module, **changes):
    """Exit code and answer of the module; None takes an option away."""
    arguments = {name: value for name, value in {**GOOD, **NEEDED[module], **changes}.items() if value is not None}
    with patch_module_args(arguments), pytest.raises(SystemExit) as ended:
        module.main()
    return ended.value.code, json.loads(capsys.readouterr().out)


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    """Any attempt to connect is an error of the test."""

    def connect(self):
        raise AssertionError(f"{self.where} was asked before the options were checked")

    monkeypatch.setattr(connection.Connection, "open", connect)


@pytest.mark.parametrize(
    ("module", "changes", "words"),
    [
        (module, changes, words)
        for module in NEEDED
        for changes, words in [
            ({"members": None}, "members"),
            ({"members": []}, "members: an empty list is not allowed"),
            ({"members": ["a b"]}, "members: 'a b' is not allowed (allowed: host or host:port"),
            ({"members": ["192.0.2.1:x"]}, "members: '192.0.2.1:x' is not allowed"),
            ({"members": ["192.0.2.1:0"]}, "members: port 0 of '192.0.2.1:0' is not allowed (allowed: 1 to 65535)"),
            ({"members": ["192.0.2.1:65536"]}, "port 65536"),
            ({"members": ["2001:db8::1"]}, "an IPv6 address in brackets"),
            ({"members": ["[2001:db8::1"]}, "an IPv6 address in brackets"),
            ({"members": ["192.0.2.1", "192.0.2.1:3306"]}, "members: '192.0.2.1:3306' is named twice"),
            ({"members": ["DB0", "db0"]}, "members: 'db0:3306' is named twice"),
            ({"member": "192.0.2.9"}, "member: '192.0.2.9:3306' is not allowed (allowed: one of members"),
            ({"member": "192.0.2.1:3307"}, "member: '192.0.2.1:3307' is not allowed"),
            ({"peer_connect_timeout": 0}, "peer_connect_timeout: 0 is not allowed (allowed: 1 to 3600 seconds)"),
            ({"peer_connect_timeout": "soon"}, "peer_connect_timeout"),
            ({"connect_timeout": 3601}, "connect_timeout: 3601 is not allowed (allowed: 1 to 3600 seconds)"),
            ({"login_port": 70000}, "login_port: 70000 is not allowed (allowed: 1 to 65535)"),
            ({"peer_user": "gr_peer"}, "peer_password: must be given together with peer_user"),
            ({"peer_password": "x"}, "peer_user: must be given together with peer_password"),
            ({"client_key": "/nonexistent"}, "client_cert: must be given together with client_key"),
            ({"check_hostname": "perhaps"}, "check_hostname"),
        ]
    ]
    + [
        (BOOTSTRAP, {"state": "here"}, "state"),
        (BOOTSTRAP, {"clone": "always"}, "clone"),
        (BOOTSTRAP, {"group_name": "my group"}, "group_name: 'my group' is not allowed (allowed: a UUID"),
        (BOOTSTRAP, {"group_name": UUID.replace("-", "")}, "group_name"),
        (INFO, {"group_name": UUID + "0"}, "group_name"),
        (BOOTSTRAP, {"timeout": 0}, "timeout: 0 is not allowed (allowed: 1 to 86400 seconds)"),
        (BOOTSTRAP, {"timeout": -1}, "timeout: -1 is not allowed"),
        (BOOTSTRAP, {"acting_members": ["192.0.2.7"]}, "acting_members: '192.0.2.7:3306' is not allowed (allowed: one of members"),
        (BOOTSTRAP, {"acting_members": ["192.0.2.2"]}, "acting_members: '192.0.2.2:3306' is not allowed (allowed: a list with this server"),
        (BOOTSTRAP, {"acting_members": []}, "acting_members"),
        (BOOTSTRAP, {"recovery_user": "repl"}, "recovery_password: must be given together with recovery_user"),
        (BOOTSTRAP, {"recovery_password": "x"}, "recovery_user: must be given together with recovery_password"),
        (BOOTSTRAP, {"clone": "when_needed"}, "recovery_user: must be given with clone=when_needed"),
        (BOOTSTRAP, {"clone": "reprovision"}, "recovery_user: must be given with clone=reprovision"),
        (BOOTSTRAP, {"bootstrap_without": ["192.0.2.7"]}, "bootstrap_without: '192.0.2.7:3306' is not allowed"),
        (BOOTSTRAP, {"bootstrap_without": ["192.0.2.1"]}, "bootstrap_without: '192.0.2.1:3306' is not allowed (allowed: members other than"),
        (BOOTSTRAP, {"bootstrap_from": "192.0.2.7"}, "bootstrap_from: '192.0.2.7:3306' is not allowed"),
        (BOOTSTRAP, {"bootstrap_from": "192.0.2.2", "bootstrap_without": ["192.0.2.2"]}, "allowed: a member not in bootstrap_without"),
        (BOOTSTRAP, {"members": [f"192.0.2.{n}" for n in range(1, 11)]}, "members: 10 members are not allowed (allowed: at most 9"),
        (BOOTSTRAP, {"state": "absent", "clone": "reprovision", "recovery_user": "r", "recovery_password": "x"},
         "clone: 'reprovision' is not allowed with state=absent"),
        (BOOTSTRAP, {"state": "absent", "bootstrap_from": "192.0.2.2"}, "bootstrap_from: is not allowed with state=absent"),
        (BOOTSTRAP, {"allow_last_member": True}, "allow_last_member: is not allowed with state=present"),
        (BOOTSTRAP, {"hold_until": "/run/go"}, "hold_until: is not allowed with state=present"),
        (BOOTSTRAP, {"allow_quorum_loss": True}, "allow_quorum_loss: is not allowed with state=present"),
        (BOOTSTRAP, {"no_such_option": 1}, "no_such_option"),
        (PRIMARY, {"mode": None}, "mode: must be given, or primary, or both"),
        (PRIMARY, {"mode": "both"}, "mode"),
        (PRIMARY, {"mode": "multi_primary", "primary": "192.0.2.1"}, "primary: is not allowed together with mode=multi_primary"),
        (PRIMARY, {"mode": None, "primary": "192.0.2.7"}, "primary: '192.0.2.7:3306' is not allowed (allowed: one of members"),
        (PRIMARY, {"mode": None, "primary": "192.0.2.1", "running_transactions_timeout": 3601},
         "running_transactions_timeout: 3601 is not allowed (allowed: 0 to 3600 seconds)"),
        (PRIMARY, {"mode": "multi_primary", "timeout": 0}, "timeout: 0 is not allowed"),
        (FENCE, {"fence": None}, "fence"),
        (FENCE, {"fence": "reads"}, "fence"),
        (RESTART, {"first": "192.0.2.7"}, "first: '192.0.2.7:3306' is not allowed (allowed: one of members"),
        (RESTART, {"timeout": 0}, "timeout: 0 is not allowed"),
        (QUORUM, {"lost_members": None}, "lost_members"),
        (QUORUM, {"lost_members": []}, "lost_members: an empty list is not allowed"),
        (QUORUM, {"lost_members": ["a b"]}, "lost_members: 'a b' is not allowed"),
        (QUORUM, {"lost_members": ["192.0.2.2", "192.0.2.2:3306"]}, "lost_members: '192.0.2.2:3306' is named twice"),
        (QUORUM, {"timeout": 0}, "timeout: 0 is not allowed"),
    ],
)  # fmt: skip
def test_one_clear_sentence(capsys, module, changes, words):
    code, answer = run(capsys, module, **changes)
    assert code == 1
    assert answer["failed"]
    assert words in answer["msg"]
    assert "\n" not in answer["msg"].strip()
    assert "Traceback" not in answer["msg"]
    assert not answer.get("changed")


@pytest.mark.parametrize("module", NEEDED)
def test_good_input_gets_as_far_as_the_server(capsys, module):
    """The test above can fail: with good input, a server is asked."""
    if module is INFO:
        # Here an unreachable server is an answer.
        code, answer = run(capsys, module, **PEER)
        assert code == 0
        assert "was asked before" in answer["member"]["error"]
        return
    code, answer = run(capsys, module, **PEER)
    assert code == 1
    assert "was asked before" in answer["msg"]


@pytest.mark.parametrize(("module", "changes"), [(RESTART, {}), (BOOTSTRAP, {"state": "absent"})])
def test_who_may_wait_for_a_file(capsys, module, changes):
    _code, answer = run(capsys, module, hold_until="/run/go", **PEER, **changes)
    assert "was asked before" in answer["msg"]


@pytest.mark.parametrize("module", NEEDED)
def test_secrets_are_not_in_the_answer(capsys, module):
    _code, answer = run(capsys, module, login_password="login-Secret-1", **PEER)
    text = json.dumps(answer)
    assert "login-Secret-1" not in text
    assert "peer-Secret-1" not in text


@pytest.mark.parametrize("module", NEEDED)
def test_without_pymysql_it_says_what_is_missing(capsys, monkeypatch, module):
    monkeypatch.setattr(
        group_replication_info if module is INFO else operation, "PYMYSQL_ERROR", "no module named pymysql"
    )
    code, answer = run(capsys, module)
    assert code == 1
    assert "PyMySQL" in answer["msg"]
