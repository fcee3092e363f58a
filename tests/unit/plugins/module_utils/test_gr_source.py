# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A group is made from a server outside of it, and takes over from it: every row of both tables, and both modules from options to answer."""

from __future__ import annotations

import json

import pymysql
import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import lease
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import Data, Schema, Source, Tables
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import Inbound
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard.watch import Watch
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.source import (
    NEEDED,
    SourceFacts,
    source_problems,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs import cut_over, provision
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.cut_over import decide_cut_over
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.provision import decide_provision
from ansible_collections.distdb.mysql_ha.plugins.modules import (
    group_replication_cut_over,
    group_replication_fence,
    group_replication_info,
    group_replication_provision,
)
from gr_model import GROUP, MEMBERS, change, gone, group_of
from gr_servers import Server, Session, rehearsed

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("The source of a group takes writes again whenever the group does not take over from it."),
]

PROVISION, CUT_OVER, INFO = group_replication_provision, group_replication_cut_over, group_replication_info
DB0, DB1, DB2 = MEMBERS
THREE = dict.fromkeys(MEMBERS, "ONLINE")
S = "5f22f846-9922-4139-b2b7-097d185a93cb"
SHOP = Data([Schema("shop", 2, 10, 16384, "2026-11-25 10:00")])
GOOD = SourceFacts(
    "src:3306", list(NEEDED), "9.7.4", S, 9, f"{S}:1-9", "ON", "ON", True, "ROW", "0", clone_active=True, tls=True,
    login_plugin="auth_socket", data=SHOP,
)  # fmt: skip
WISH = {
    "source_user": "adopt", "login_user": "root", "login_password": False, "event_scheduler": "ON", "server_ids": [130, 131, 132],
    "update_everywhere": False, "group_name": GROUP,
}  # fmt: skip
HELD = {"persisted": {"skip_replica_start": "ON"}}


def blank(**changes):
    """Three servers that are set up and in no group; changes of the first one."""
    return change(group_of({}), DB0, **changes)


PROVISIONS = [
    ("not_asked", {**group_of({}), DB0: gone(DB0, "no socket")}, {}, "refuse", "no socket"),
    ("interrupted", change(group_of(THREE), DB0, **HELD), {"super_read_only": True}, "refuse", "distdb.mysql_ha.cut_over finishes it"),
    ("begun", change(group_of(THREE), DB0, **HELD), {}, "unchanged", "has been begun"),
    ("in_group", group_of(THREE), {}, "refuse", "db0:3306, db1:3306, db2:3306: already in a group"),
    ("in_group", group_of({DB1: "ONLINE"}), {}, "refuse", "db1:3306: already in a group"),
    ("unasked", {**blank(), DB2: gone(DB2)}, {}, "refuse", "db2:3306 could not be asked"),
    ("was_member", blank(gtid_executed=f"{S}:1-5,{GROUP}:1-3", **HELD), {}, "refuse", "distdb.mysql_ha.recover"),
    ("others_hold", change(blank(), DB1, gtid_executed=f"{S}:1"), {}, "refuse", "db1:3306 has transactions"),
    ("unsuitable_source", blank(), {"gtid_mode": "OFF"}, "refuse", "src:3306 cannot be the source of this group: gtid_mode is OFF"),
    ("copied", blank(gtid_executed=f"{S}:1-5", data=SHOP, **HELD), {}, "unchanged", "holds the data of src:3306"),
    ("copied", blank(data=SHOP, **HELD), {"gtid_executed": ""}, "unchanged", "holds the data of src:3306"),
    ("copied_only", blank(gtid_executed=f"{S}:1-9", data=SHOP), {}, "hold", "no replication channel"),
    ("holds", blank(gtid_executed=f"{S}:1-10", data=SHOP), {}, "refuse", f"(shop (about 10 rows, 16.0 KiB, last change 2026-11-25 10:00); {S}:1-10)"),
    ("holds", blank(data=SHOP._replace(schemas=[SHOP.schemas[0]._replace(name="other")])), {}, "refuse", "data of its own (other"),
    ("clone", blank(), {}, "clone", "it gets the data of src:3306: shop (about 10 rows"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "facts", "source", "action", "words"), PROVISIONS)
def test_rule_of_provisioning(rule, facts, source, action, words):
    decision = decide_provision(MEMBERS, facts, DB0, GOOD._replace(**source), WISH)
    assert (decision.rule, decision.action) == (rule, action), decision
    assert words in decision.reason


@pytest.mark.parametrize(
    ("source", "wish", "words"),
    [
        ({"privileges": ["SELECT"]}, {}, "account adopt lacks EVENT, BACKUP_ADMIN, REPLICATION SLAVE, SYSTEM_VARIABLES_ADMIN"),
        ({"version": "5.7.44"}, {}, "no clone plugin"),
        ({"version": "8.4.7"}, {}, "runs MySQL 8.4.7 and this server 9.7.4-2"),
        ({"clone_active": False}, {}, "INSTALL PLUGIN clone"),
        ({"gtid_mode": "ON_PERMISSIVE"}, {}, "Ongoing_anonymous_transaction_count"),
        ({"enforce_gtid_consistency": "WARN"}, {}, "needed: ON"),
        ({"log_bin": False}, {}, "binary log is off"),
        ({"binlog_format": "STATEMENT"}, {}, "needed: ROW"),
        ({"tls": False}, {}, "does not offer TLS"),
        ({"server_id": 131}, {}, "its server_id is 131"),
        ({"server_id": 0}, {}, "its server_id is 0"),
        ({"lower_case_table_names": "1"}, {}, "lower_case_table_names is 1 there and 0 here"),
        ({"in_group": True}, {}, "adopt the group in place"),
        ({"data": SHOP._replace(cluster_metadata=True)}, {}, "adopt the group in place"),
        ({"data": SHOP._replace(sources=[Source("up:3306", "")])}, {}, "it replicates from up:3306"),
        ({"data": SHOP._replace(without_key=Tables(1, ["shop.log"]))}, {}, "1 without a primary key: shop.log"),
        ({"data": SHOP._replace(cascading=Tables(1, ["shop.line"]))}, {"update_everywhere": True}, "shop.line"),
        ({"events": Tables(1, ["shop.nightly"])}, {}, "shop.nightly (set mysql_gr_settings: {event_scheduler: 'OFF'}"),
        ({"login_plugin": None}, {}, "no account root@localhost"),
        ({"login_plugin": "caching_sha2_password"}, {}, "set mysql_gr_login_password"),
    ],
)  # fmt: skip
def test_what_stands_against_a_source(source, wish, words):
    (problem,) = source_problems(GOOD._replace(**source), blank()[DB0], {**WISH, **wish})
    assert words in problem


def test_a_server_that_cannot_hold_its_channel_back_is_no_member_to_begin_with():
    (problem,) = source_problems(GOOD._replace(version="8.0.20"), blank(version="8.0.20")[DB0], WISH)
    assert "has no skip_replica_start" in problem


@pytest.mark.parametrize(
    ("source", "wish"),
    [
        ({}, {}),
        ({"data": SHOP._replace(cascading=Tables(1, ["shop.line"]))}, {}),
        ({"events": Tables(1, ["shop.nightly"])}, {"event_scheduler": "OFF"}),
        ({"login_plugin": "caching_sha2_password"}, {"login_password": True}),
        ({"binlog_format": ""}, {}),
    ],
)
def test_what_does_not(source, wish):
    assert source_problems(GOOD._replace(**source), blank()[DB0], {**WISH, **wish}) == []


CHANNEL = Inbound("source", "src:3306", S)
CLOSED = {"read_only": True, "super_read_only": True}


def replicating(channel=CHANNEL, executed=f"{S}:1-9", **changes):
    """A group whose first member replicates from the source."""
    found = {"inbound": [channel] if channel else [], "gtid_executed": executed, **CLOSED, **HELD, **changes}
    return change(group_of(THREE), DB0, **found)


CUTS = [
    ("not_asked", {**group_of(THREE), DB0: gone(DB0, "no socket")}, {}, "refuse", "no socket"),
    ("not_primary", blank(), {}, "refuse", "this server is OFFLINE"),
    ("not_primary", replicating(role="SECONDARY"), {}, "refuse", "this server is ONLINE SECONDARY"),
    ("done", replicating(None, persisted={}, read_only=False, super_read_only=False), CLOSED, "unchanged", "has everything"),
    ("not_begun", group_of(THREE), {}, "refuse", "does not replicate from src:3306"),
    ("not_begun", replicating(None, persisted={}), CLOSED, "refuse", "does not replicate from src:3306"),
    ("not_begun", replicating(None, f"{S}:1-8"), CLOSED, "refuse", "does not replicate from src:3306"),
    ("other_source", replicating(CHANNEL._replace(address="old:3306")), {}, "refuse", "leads to old:3306"),
    ("other_source", replicating(CHANNEL._replace(source_uuid=GROUP)), {}, "refuse", f"server_uuid {GROUP}"),
    ("stopped", replicating(CHANNEL._replace(receiver="OFF")), {}, "refuse", "receiver OFF, applier ON): no error. Nothing was changed"),
    ("stopped", replicating(CHANNEL._replace(error="Duplicate entry"), f"{S}:1-8"), CLOSED, "refuse", "Duplicate entry"),
    ("cut_over", replicating(), {}, "cut_over", "takes over from src:3306"),
    ("cut_over", replicating(executed=f"{S}:1-3"), {}, "cut_over", "takes over"),
    # A run that was interrupted: after the channel was stopped, and after it was reset.
    ("cut_over", replicating(CHANNEL._replace(receiver="OFF", applier="OFF")), CLOSED, "cut_over", "takes over"),
    ("cut_over", replicating(None), CLOSED, "cut_over", "takes over"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "facts", "source", "action", "words"), CUTS)
def test_rule_of_the_cut_over(rule, facts, source, action, words):
    decision = decide_cut_over(MEMBERS, facts, DB0, GOOD._replace(**source))
    assert (decision.rule, decision.action) == (rule, action), decision
    assert words in decision.reason


def test_every_rule_has_facts_that_reach_it():
    assert {rule.name for rule in provision.PROVISION.rules} == {case[0] for case in PROVISIONS}
    assert {rule.name for rule in cut_over.CUT_OVER.rules} == {case[0] for case in CUTS}


# ---- the modules --------------------------------------------------------------------------------------------------------
FROM = {"source": "src", "source_user": "adopt", "source_password": "source-Secret-1"}


@pytest.fixture
def source(world):
    """A server with data, outside of the group."""
    made = world.servers["src"] = Server("src", 9, f"{S}:1-9")
    made.privileges, made.schemas = list(NEEDED), ["shop"]
    values = {
        "version": "9.7.4",
        "server_uuid": S,
        "server_id": "9",
        "gtid_mode": "ON",
        "enforce_gtid_consistency": "ON",
        "log_bin": "ON",
    }
    made.variables.update(values)
    made.uuid = S
    return made


def test_a_blank_server_is_cloned_once(run, world, source):
    foreseen, done = rehearsed(run, PROVISION, **FROM)
    assert done["decision"] == "clone" and done["source"] == {"host": "src", "port": 3306}
    assert done["statements"] == [
        "SET GLOBAL clone_valid_donor_list = 'src:3306'",
        "CLONE INSTANCE FROM 'adopt'@'src':3306 IDENTIFIED BY '********' REQUIRE SSL",
        "SET PERSIST_ONLY skip_replica_start = 'ON'",
    ]
    assert world.servers["db0"].persisted == {"skip_replica_start": "ON"}
    assert [text for text in source.statements if "SESSION" not in text] == []
    again = run(PROVISION, **FROM)
    assert not again["changed"] and again["rule"] == "copied"
    assert "source-Secret-1" not in str([foreseen, done, again])


def test_a_clone_of_a_source_is_verified_by_the_sources_ca(run, world, source):
    world.servers["db0"].clone_ca = "/etc/mysql/gr-ca.pem"
    done = run(PROVISION, **FROM)
    assert done["statements"][0] == "SET GLOBAL clone_ssl_ca = ''"


def test_after_a_clone_that_failed_the_members_ca_counts_again(run, world, source):
    server = world.servers["db0"]
    server.clone_ca = "/etc/mysql/gr-ca.pem"
    world.refused["CLONE INSTANCE"] = pymysql.err.OperationalError(3862, "Clone Donor Error: Connect failed")
    assert run(PROVISION, **FROM)["failed"]
    assert server.clone_ca == "/etc/mysql/gr-ca.pem"


def test_an_account_that_lacks_a_privilege_is_refused_before_anything_is_asked_with_it(run, source):
    source.privileges.remove("EVENT")
    answer = run(PROVISION, **FROM)
    assert answer["failed"] and "account adopt lacks EVENT there" in answer["msg"] and answer["statements"] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"source": "db1"}, "source: 'db1:3306' is not allowed"),
        ({"source": "a:b:c"}, "source: 'a:b:c' is not allowed"),
        ({"source_password": "x" * 33}, "source_password"),
        ({"source_password": "it's"}, "source_password"),
        ({"timeout": 0}, "timeout: 0 is not allowed"),
    ],
)
@pytest.mark.parametrize("module", [PROVISION, CUT_OVER])
def test_bad_options_are_named(run, source, module, options, words):
    answer = run(module, **{**FROM, **options})
    assert answer["failed"] and words in answer["msg"]


def test_what_is_waited_for_at_a_closed_source_has_a_limit(run, source):
    answer = run(CUT_OVER, closed_timeout=0, **FROM)
    assert "closed_timeout: 0 is not allowed (allowed: 1 to 3600 seconds)" in answer["msg"]


@pytest.fixture
def channel(world, source):
    """The group replicates from it, and takes no writes."""
    world.group("db0", "db1", "db2")
    db0 = world.servers["db0"]
    db0.gtid_executed, db0.persisted = source.gtid_executed, {"skip_replica_start": "ON"}
    db0.globals.update(read_only=1, super_read_only=1)
    row = {"channel": "source", "host": "src", "port": 3306, "source_uuid": S, "receiver": "ON", "applier": "ON", "received": f"{S}:1-12",
           "receiver_error": None, "applier_error": None}  # fmt: skip
    db0.inbound = [row]
    return db0


CUT = [
    "src:3306: SET GLOBAL super_read_only = ON",
    "STOP REPLICA FOR CHANNEL 'source'",
    "SET GLOBAL read_only = OFF",
    "RESET REPLICA ALL FOR CHANNEL 'source'",
    "RESET PERSIST IF EXISTS skip_replica_start",
    "src:3306: SET PERSIST super_read_only = ON",
]


def test_info_says_from_where_a_member_replicates(run, channel):
    assert run(INFO)["cluster"]["members"]["db0:3306"]["replicates_from"] == [
        "replicates from src:3306, 3 transactions behind"
    ]


def test_the_group_takes_over_once(run, channel, source):
    _foreseen, done = rehearsed(run, CUT_OVER, **FROM)
    assert done["statements"] == CUT and 0 <= done["closed_for"] < 5
    assert source.globals["super_read_only"] == 1 and channel.globals["super_read_only"] == 0 and channel.inbound == []
    assert done["before"]["replicates_from"] and not done["after"]["replicates_from"]
    again = run(CUT_OVER, **FROM)
    assert not again["changed"] and again["rule"] == "done" and again["statements"] == []


def test_a_run_that_was_interrupted_is_finished(run, channel, source):
    source.globals.update(read_only=1, super_read_only=1)
    channel.inbound = []
    answer = run(CUT_OVER, **FROM)
    assert answer["statements"] == [CUT[2], *CUT[4:]]


def test_the_source_takes_writes_again_when_its_last_transaction_does_not_come(
    run, world, channel, source, monkeypatch
):
    def arrived(server, gtids):
        return not source.globals["super_read_only"]

    monkeypatch.setattr(world, "arrived", arrived)
    answer = run(CUT_OVER, closed_timeout=1, **FROM)
    assert (
        answer["failed"]
        and "did not come within 1 seconds (closed_timeout); src:3306 takes writes again, and the group takes none"
        in answer["msg"]
    )
    assert source.globals["super_read_only"] == 0 and source.globals["read_only"] == 0
    assert channel.globals["super_read_only"] == 1 and channel.inbound[0]["applier"] == "ON"
    assert answer["statements"] == [CUT[0], "src:3306: SET GLOBAL read_only = OFF"]


def test_a_source_that_was_read_only_before_is_so_again(run, world, channel, source):
    source.globals["read_only"] = 1
    world.refused["STOP REPLICA"] = pymysql.err.OperationalError(3081, "cannot be stopped")
    answer = run(CUT_OVER, **FROM)
    assert (
        "cannot be stopped" in answer["msg"]
        and answer["statements"][-1] == "src:3306: SET GLOBAL super_read_only = OFF"
    )


def test_a_source_that_was_closed_before_stays_so(run, world, channel, source):
    source.globals.update(read_only=1, super_read_only=1)
    world.refused["STOP REPLICA"] = pymysql.err.OperationalError(3081, "cannot be stopped")
    answer = run(CUT_OVER, **FROM)
    assert "took no writes before and takes none now" in answer["msg"] and source.globals["super_read_only"] == 1


def test_a_source_that_cannot_be_opened_again_is_named(run, world, channel, source):
    world.refused["STOP REPLICA"] = pymysql.err.OperationalError(3081, "cannot be stopped")
    world.refused["SET GLOBAL read_only = OFF"] = pymysql.err.OperationalError(1227, "denied")
    answer = run(CUT_OVER, **FROM)
    assert "src:3306 could not be made to take writes again" in answer["msg"]


def test_a_long_statement_at_the_source_keeps_it_open(run, world, channel, source):
    world.refused["SET GLOBAL super_read_only = ON"] = pymysql.err.OperationalError(1205, "Lock wait timeout exceeded")
    answer = run(CUT_OVER, **FROM)
    assert "Lock wait timeout exceeded; src:3306 takes writes again" in answer["msg"]
    assert channel.globals["super_read_only"] == 1


def test_a_channel_that_does_not_keep_up_is_waited_for_while_the_source_is_open(
    run, world, channel, source, monkeypatch
):
    monkeypatch.setattr(world, "arrived", lambda server, gtids: False)
    source.gtid_executed = f"{S}:1-20"
    answer = run(CUT_OVER, timeout=1, **FROM)
    assert "does not keep up with src:3306: 11 transactions are missing. Nothing was changed" in answer["msg"]
    assert answer["statements"] == [] and source.globals["super_read_only"] == 0


def test_a_source_that_would_open_at_its_next_start_is_a_warning(run, world, channel, source, monkeypatch):
    warned = []
    monkeypatch.setattr("ansible.module_utils.basic.AnsibleModule.warn", lambda _module, text: warned.append(text))
    world.refused["SET PERSIST super_read_only"] = pymysql.err.OperationalError(1227, "denied")
    assert run(CUT_OVER, **FROM)["changed"]
    assert "would take writes again after a restart" in warned[0]


# -- beside a guard ----------------------------------------------------------------------------------------------------
@pytest.fixture(name="guarded")
def fixture_guarded(tmp_path, monkeypatch):
    """db0's host has a guard."""
    for name in ("KEPT", "RUN"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(lease, name, tmp_path / name)
    monkeypatch.setattr(lease, "OPTIONS", tmp_path / "options.json")
    options = {
        "members": ["db0", "db1", "db2"], "member": "db0", "group_name": GROUP, "mode": "full", "service": "none", "login_unix_socket": "/sockets/db0",
        "peer_user": "gr_peer", "peer_password": "peer-Secret-1", "datadir": str(tmp_path),
    }  # fmt: skip
    lease.OPTIONS.write_text(json.dumps(options))
    return Watch("1.0.0", lambda text: None)


@pytest.mark.parametrize("module", [PROVISION, CUT_OVER])
def test_the_guard_stands_aside_while_the_module_works(request, run, world, source, guarded, module):
    request.getfixturevalue("channel" if module is CUT_OVER else "source")
    free = []
    real = Session.change

    def change(session, text, args):
        with lease.guards_turn() as mine:
            free.append(mine)
        return real(session, text, args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Session, "change", change)
        assert run(module, **FROM)["changed"]
    assert free and not any(free), "from the first statement that changes something to the last"


def test_the_guard_begins_no_group_with_what_was_copied(run, world, source, guarded):
    """Its first start is the playbook's, also when the playbook is interrupted after the copy."""
    assert run(PROVISION, **FROM)["changed"]
    guarded.turn()
    assert guarded.decision.rule == "never_begun" and not world.members


def test_between_replicate_from_and_cut_over_the_guard_lets_no_writes_in(run, world, channel, source, guarded):
    """A START would: the group is fenced, and its guards stand aside until the cut-over has ended the fence."""
    run(group_replication_fence, fence="writes")
    channel.state, channel.gtid_executed = "OFFLINE", f"{channel.gtid_executed},{GROUP}:1-3"
    for name in ("db1", "db2"):
        world.servers[name].gtid_executed = channel.gtid_executed
    world.members.remove("db0")
    guarded.turn()
    assert guarded.decision.rule == "fenced"
    run(group_replication_fence, fence="none")
    guarded.turn()
    assert "db0" in world.members
