# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every row of the decision table, and the diagnosis, without a server."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import member_rules, site_rules
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import Data, Schema, Source, Tables, mark_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.diagnosis import diagnose
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import Stats
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.guard import rules as guard_rules
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.member_rules import decide
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs import (
    cut_over,
    fence,
    primary,
    protocol,
    provision,
    quorum,
    restart,
)
from gr_model import GROUP, MEMBERS, OTHER_GROUP, UUIDS, change, entry, facts_of, gone, group_of, outage, said

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "Every rule of the decision tables has facts that reach it, and the documented tables are those rules."
    ),
]

DB0, DB1, DB2 = MEMBERS
U0, U1, U2 = (UUIDS[address] for address in MEMBERS)
THREE = dict.fromkeys(MEMBERS, "ONLINE")
TWO = {DB0: "ONLINE", DB1: "ONLINE"}
FLAG = "group_replication_bootstrap_group"
DOCS = Path(__file__).resolve().parents[4] / "docs" / "reference" / "decisions.md"


def changed(facts, address, **changes):
    """The facts with one member's changed."""
    facts[address] = facts[address]._replace(**changes)
    return facts


def cut(reachable, unreachable):
    """One side of a partition: `reachable` see themselves ONLINE and the others UNREACHABLE."""
    view = {UUIDS[a]: entry(a) for a in reachable}
    view.update({UUIDS[a]: entry(a, "UNREACHABLE") for a in unreachable})
    return {a: facts_of(a, state="ONLINE", role="PRIMARY", view=dict(view)) for a in reachable}


def two_groups():
    facts = group_of(TWO)
    facts[DB2] = facts_of(DB2, state="ONLINE", view={U2: entry(DB2)})
    return facts


def no_clone_donor(facts):
    for address in (DB0, DB1):
        change(facts, address, clone_active=False)
    return facts


def with_settings(facts, address, **settings):
    return changed(facts, address, settings=dict(facts[address].settings, **settings))


SETS = dict(gtid_executed=f"{GROUP}:1-9")
ERRANT = dict(gtid_executed=f"{GROUP}:1-5,{U2}:1-2")
PURGED = dict(gtid_executed=f"{GROUP}:1-9", gtid_purged=f"{GROUP}:1-5")

EVERYWHERE = "group_replication_enforce_update_everywhere_checks"
APP = Schema("app", 3, 1000, 98304, "2026-11-25 10:00")
GROWN = Data(schemas=[APP], history="it has not one transaction with a GTID", proven=True)
DOUBTFUL = Data(schemas=[APP], history="it cannot be seen when its first binary log was begun")
BAD_TABLES = GROWN._replace(other_engines=Tables(12, [f"app.t{n} (MyISAM)" for n in range(10)]))
KEYLESS = Data(schemas=[APP], without_key=Tables(1, ["app.k"]))
CASCADES = Data(schemas=[APP], cascading=Tables(1, ["app.c"]))


def one_purged(state="OFFLINE", **of_db1):
    """db0 is the group and has purged what the blank db2 needs; db1 is not ONLINE."""
    facts = group_of({DB0: "ONLINE", **({DB1: state} if state != "OFFLINE" else {})}, **PURGED)
    return changed(changed(facts, DB1, gtid_purged="", **of_db1), DB2, gtid_executed="", gtid_purged="")


def two_with_data(*sets):
    facts = outage(*[*sets, "", "", ""][:3])
    change(facts, DB0, data=GROWN)
    return change(facts, DB1, data=GROWN._replace(schemas=[APP._replace(name="shop")]))


# rule, facts, me, wish, expected action, words in the reason
PRESENT = [
    ("not_asked", {**group_of(TWO), DB2: gone(DB2, "no socket")}, DB2, {}, "refuse", "no socket"),
    ("unsuitable", changed(group_of(TWO), DB2, version_error="server version 'x' is MariaDB"), DB2, {}, "refuse", "MariaDB"),
    ("unsuitable", changed(group_of(TWO), DB2, plugin_active=False), DB2, {}, "refuse", "plugin group_replication is not active"),
    ("unsuitable", changed(group_of(TWO), DB2, group_name=""), DB2, {}, "refuse", "group_replication_group_name is not set"),
    ("unsuitable", changed(group_of(TWO), DB2, gtid_mode="OFF"), DB2, {}, "refuse", "gtid_mode is OFF"),
    ("unsuitable", changed(group_of(TWO), DB2, enforce_gtid_consistency="WARN"), DB2, {}, "refuse", "enforce_gtid_consistency is WARN"),
    ("unsuitable", changed(group_of(TWO), DB2, log_bin=False), DB2, {}, "refuse", "binary log is off"),
    ("wrong_group_name", group_of(TWO), DB2, {"group_name": OTHER_GROUP}, "refuse", OTHER_GROUP),
    ("wrong_group_name", group_of(THREE), DB0, {"group_name": OTHER_GROUP}, "refuse", OTHER_GROUP),
    ("duplicate", changed(group_of(TWO), DB2, server_uuid=U0), DB2, {}, "refuse", f"same server_uuid {U0}"),
    ("duplicate", changed(group_of(TWO), DB2, server_id=130), DB2, {}, "refuse", "same server_id 130"),
    ("online", changed(group_of(THREE), DB1, server_id=130), DB0, {}, "unchanged", "already ONLINE"),
    ("recovering", changed(group_of({DB0: "ONLINE", DB1: "RECOVERING"}), DB1, server_id=130), DB1, {}, "wait", "RECOVERING"),
    ("duplicate", changed(group_of(TWO), DB1, server_id=130), DB2, {}, "refuse", "a server_id of its own and restart it"),
    ("different_data", two_with_data(), DB0, {}, "refuse", f"{DB0} has app (about 1,000 rows, 96.0 KiB, last change 2026-11-25 10:00); {DB1} has shop"),
    ("different_data", two_with_data(), DB2, {"clone": "reprovision", "recovery_user": "repl"}, "refuse", "servers have different data"),
    ("different_data", two_with_data(f"{U0}:1-7"), DB1, {}, "refuse", f"{DB0} has app"),
    ("different_data", two_with_data(f"{U0}:1-7", f"{U1}:1-7"), DB1, {}, "refuse", f"{DB0} has app"),
    ("unlogged", changed(outage(f"{U0}:1", "", ""), DB1, data=GROWN), DB1, {}, "refuse", "schemas and not one transaction: app"),
    ("unlogged", changed(group_of(TWO, **SETS), DB2, gtid_executed="", data=GROWN), DB2, {}, "refuse", "clone=reprovision"),
    ("unlogged_clone", changed(group_of(TWO, **SETS), DB2, gtid_executed="", data=GROWN), DB2,
     {"clone": "reprovision", "recovery_user": "repl"}, "clone", "lost is: app (about 1,000 rows"),
    ("bootstrap", changed(outage(f"{GROUP}:1", "", ""), DB0, data=GROWN), DB0, {}, "bootstrap", "everybody's"),
    ("tables", changed(outage("", "", ""), DB1, data=BAD_TABLES), DB1, {}, "refuse", "12 not of InnoDB: app.t0 (MyISAM), app.t1 (MyISAM)"),
    ("tables", changed(outage("", "", ""), DB1, data=BAD_TABLES), DB2, {}, "refuse", "and 2 more (ALTER TABLE … ENGINE=InnoDB"),
    ("tables", changed(outage("", f"{U1}:1-9", ""), DB1, data=KEYLESS), DB0, {}, "refuse", "1 without a primary key: app.k"),
    ("tables", changed(outage("", f"{U1}:1-9", ""), DB1, data=CASCADES), DB0, {}, "refuse", "1 with a foreign key that cascades: app.c"),
    ("bootstrap", with_settings(changed(outage(f"{U0}:1-9", "", ""), DB0, data=CASCADES), DB0, **{EVERYWHERE: "OFF"}), DB0, {}, "bootstrap", ""),
    # Tables made since: a group that was there before comes back.
    ("bootstrap", changed(outage(f"{GROUP}:1-9", f"{GROUP}:1-9", ""), DB0, data=KEYLESS), DB0, {}, "bootstrap", ""),
    ("outside_history", changed(outage("", "", ""), DB1, data=GROWN), DB1, {}, "refuse",
     f"{DB1} has app (about 1,000 rows, 96.0 KiB, last change 2026-11-25 10:00), and its GTID history does not account for them: it has not one"),
    ("outside_history", changed(outage("", "", ""), DB1, data=GROWN), DB0, {}, "refuse", "clone=when_needed lets them be cloned"),
    ("outside_history", changed(outage("", "", ""), DB1, data=GROWN), DB0, {"gtid_set_is_complete": True}, "refuse", "not one transaction"),
    ("outside_history", changed(outage("", f"{U1}:1-9", ""), DB1, data=DOUBTFUL), DB0, {}, "refuse", "gtid_set_is_complete, if every transaction"),
    ("outside_history", changed(outage("", "", ""), DB1, data=GROWN, clone_active=False), DB0, {"clone": "when_needed", "recovery_user": "repl"},
     "refuse", "the clone plugin is not active there"),
    ("bootstrap", changed(outage("", f"{U1}:1-9", ""), DB1, data=DOUBTFUL), DB1, {"gtid_set_is_complete": True}, "bootstrap", ""),
    ("mark", changed(outage("", "", ""), DB1, data=GROWN), DB1, {"clone": "when_needed", "recovery_user": "repl"}, "mark", "that no binary log has"),
    ("other_seed", changed(outage("", "", ""), DB1, data=GROWN), DB0, {"clone": "when_needed", "recovery_user": "repl"}, "wait_for_seed", DB1),
    ("bootstrap", changed(outage("", mark_of(U1), ""), DB1, data=GROWN, gtid_purged=mark_of(U1)), DB1, {"clone": "when_needed"}, "bootstrap", ""),
    ("outside_clone", changed(group_of(TWO, data=GROWN, **SETS), DB2, gtid_executed="", data=Data()), DB2,
     {"clone": "when_needed", "recovery_user": "repl", "data": {}}, "clone", "does not account for its data"),
    ("outside", changed(group_of(TWO, data=GROWN, **SETS), DB2, gtid_executed="", data=Data()), DB2, {"data": {}}, "refuse",
     "would join without them"),
    ("outside", changed(group_of(TWO, **SETS), DB2, gtid_executed=""), DB2, {"data": {}}, "refuse", "nobody looked at the data of its members"),
    ("join", changed(group_of(TWO, **SETS), DB2, gtid_executed=""), DB2, {"data": {}, "gtid_set_is_complete": True}, "join", ""),
    ("join", changed(group_of(TWO, data=Data(), **SETS), DB2, gtid_executed=""), DB2, {"data": {}}, "join", ""),
    ("innodb_cluster", changed(group_of(TWO), DB2, data=Data(cluster_metadata=True)), DB2, {}, "refuse", "dba.dropMetadataSchema()"),
    ("replica", changed(outage("", "", ""), DB2, data=Data(sources=[Source(DB0, "")])), DB2, {}, "refuse", f"replicates from {DB0}"),
    ("cloning", changed(group_of({DB0: "ONLINE"}), DB1, cloning_from=DB0), DB1, {"clone": "reprovision"}, "wait", DB0),
    ("flag_under_lock", changed(outage("", "", ""), DB0, bootstrap_flag=True, lock_held_by_other=True, lock_holder="gr_peer@x (connection 7)"),
     DB1, {}, "wait", "lock held by gr_peer@x (connection 7)"),
    ("flag_under_lock", changed(outage("", "", ""), DB0, bootstrap_flag=True, lock_held_by_other=True), DB0, {}, "wait", DB0),
    ("flag_mine", changed(outage("", "", ""), DB0, persisted={FLAG: "ON"}), DB0, {}, "refuse", "RESET PERSIST"),
    ("flag_mine", changed(group_of(THREE), DB0, persisted={FLAG: "ON"}), DB0, {}, "refuse", "RESET PERSIST"),
    ("flag_mine", changed(outage("", "", ""), DB0, bootstrap_flag=True, bootstrap_flag_source="GLOBAL /etc/my.cnf"), DB0, {}, "refuse",
     "/etc/my.cnf"),
    ("flag_leftover", changed(outage("", "", ""), DB0, bootstrap_flag=True, bootstrap_flag_source="DYNAMIC"), DB0, {}, "reset_flag", "left ON"),
    ("flag_leftover", changed(group_of(THREE), DB0, bootstrap_flag=True, bootstrap_flag_source="DYNAMIC"), DB0, {}, "reset_flag", "left ON"),
    ("split_brain", two_groups(), DB0, {}, "refuse", "SPLIT_BRAIN"),
    ("split_brain", two_groups(), DB2, {}, "refuse", f"{DB0}, {DB1} | {DB2}"),
    ("cut_off", {**cut([DB0], [DB1, DB2]), DB1: gone(DB1), DB2: gone(DB2)}, DB0, {}, "refuse", "sees 1 of 3"),
    ("cut_off", {**cut([DB0], [DB1, DB2]), **cut([DB1, DB2], [DB0])}, DB0, {}, "refuse", "NO_QUORUM"),
    ("online", group_of(THREE), DB0, {}, "unchanged", "already ONLINE"),
    ("online", group_of(THREE), DB0, {"group_name": GROUP}, "unchanged", "already ONLINE"),
    ("online", {**cut([DB0, DB1], [DB2]), DB2: gone(DB2)}, DB0, {}, "unchanged", "already ONLINE"),
    ("online", {**group_of({DB0: "ONLINE"}), DB1: gone(DB1), DB2: gone(DB2)}, DB0, {}, "unchanged", "already ONLINE"),
    ("recovering", group_of({DB0: "ONLINE", DB1: "RECOVERING"}), DB1, {}, "wait", "RECOVERING"),
    ("foreign_group", changed(group_of({DB0: "ONLINE"}), DB0, group_name=OTHER_GROUP), DB1, {}, "refuse", OTHER_GROUP),
    ("foreign_group", changed(group_of({DB0: "ONLINE"}), DB0, group_name=UUIDS[DB0]), DB1, {}, "refuse", UUIDS[DB0]),
    ("no_quorum", {**cut([DB0], [DB1, DB2]), DB1: facts_of(DB1), DB2: facts_of(DB2)}, DB1, {}, "refuse", "NO_QUORUM"),
    ("only_recovering", group_of({DB0: "RECOVERING"}), DB1, {}, "wait", DB0),
    ("starting", changed(outage("", "", ""), DB0, starting=True), DB0, {}, "wait", "under way"),
    ("starting", changed(group_of(TWO), DB2, starting=True), DB2, {}, "wait", "under way"),
    ("version", changed(group_of(TWO), DB2, version="8.0.36"), DB2, {}, "refuse", "older than the group's oldest"),
    ("settings", with_settings(group_of(TWO), DB2, group_replication_gtid_assignment_block_size="1"), DB2, {}, "refuse",
     "group_replication_gtid_assignment_block_size is 1, the group has 1000000"),
    ("errant_clone", changed(group_of(TWO, **SETS), DB2, **ERRANT), DB2, {"clone": "reprovision", "recovery_user": "repl"}, "clone",
     f"{U2}:1-2"),
    ("errant", changed(group_of(TWO, **SETS), DB2, **ERRANT), DB2, {}, "refuse", f"lacks: {U2}:1-2; clone=reprovision"),
    ("errant", changed(group_of(TWO, **SETS), DB2, **ERRANT), DB2, {"clone": "when_needed", "recovery_user": "repl"}, "refuse", f"{U2}:1-2"),
    ("errant", changed(group_of(TWO, **SETS), DB2, **ERRANT), DB2, {"clone": "reprovision"}, "refuse", "recovery_user"),
    ("errant", no_clone_donor(changed(group_of(TWO, **SETS), DB2, **ERRANT)), DB2, {"clone": "reprovision", "recovery_user": "repl"},
     "refuse", "no ONLINE member has the clone plugin active"),
    ("errant", changed(group_of(TWO, **SETS), DB2, received=f"{U2}:7"), DB2, {}, "refuse", f"{U2}:7"),
    ("donor_joins", one_purged(gtid_executed=f"{GROUP}:1-8"), DB2, {}, "wait", DB1),
    ("donor_joins", one_purged("RECOVERING", gtid_executed=f"{GROUP}:1-5"), DB2, {"clone": "when_needed", "recovery_user": "repl"}, "wait", DB1),
    # It has not got them, has purged them, too, or has what the group has not.
    ("purged", one_purged(gtid_executed=f"{GROUP}:1-4"), DB2, {}, "refuse", f"{GROUP}:1-5"),
    ("purged", changed(one_purged(gtid_executed=f"{GROUP}:1-8"), DB1, gtid_purged=f"{GROUP}:1-2"), DB2, {}, "refuse", f"{GROUP}:1-5"),
    ("purged", one_purged(gtid_executed=f"{GROUP}:1-8,{U1}:1"), DB2, {}, "refuse", f"{GROUP}:1-5"),
    ("purged_clone", changed(group_of(TWO, **PURGED), DB2, gtid_executed="", gtid_purged=""), DB2,
     {"clone": "when_needed", "recovery_user": "repl"}, "clone", f"{GROUP}:1-5"),
    ("purged", changed(group_of(TWO, **PURGED), DB2, gtid_executed="", gtid_purged=""), DB2, {}, "refuse", f"{GROUP}:1-5"),
    ("purged", changed(group_of(TWO, **PURGED), DB2, gtid_executed="", gtid_purged=""), DB2, {}, "refuse", "clone=when_needed would provision it"),
    ("purged_clone", changed(group_of(TWO, **PURGED), DB2, gtid_executed="", gtid_purged=""), DB2,
     {"clone": "when_needed", "recovery_user": "repl"}, "clone", f"by a clone of {DB0}"),
    ("unlogged", no_clone_donor(changed(group_of(TWO, **SETS), DB2, gtid_executed="", data=GROWN)), DB2,
     {"clone": "reprovision", "recovery_user": "repl"}, "refuse", "not one transaction"),
    ("purged", no_clone_donor(changed(group_of(TWO, **PURGED), DB2, gtid_executed="", gtid_purged="")), DB2,
     {"clone": "when_needed", "recovery_user": "repl"}, "refuse", "cannot be cloned"),
    ("join", group_of(TWO), DB2, {}, "join", f"{DB0}, {DB1} ONLINE"),
    ("join", group_of(TWO, **SETS), DB2, {"clone": "when_needed", "recovery_user": "repl"}, "join", "alive"),
    ("join", group_of({DB0: "ONLINE", DB1: "ONLINE", DB2: "ERROR"}), DB2, {}, "join", "alive"),
    ("join", {**group_of({DB0: "ONLINE"}), DB1: gone(DB1)}, DB2, {}, "join", "alive"),
    ("join", changed(group_of(TWO, **PURGED), DB2, gtid_executed=f"{GROUP}:1-6", gtid_purged=""), DB2, {}, "join", "alive"),
    ("join", changed(group_of(TWO, **PURGED), DB1, gtid_purged=""), DB2, {}, "join", "alive"),
    ("join", changed(group_of(TWO, version="8.4.0"), DB2, version="9.7.4"), DB2, {}, "join", "alive"),
    ("join", with_settings(changed(group_of(TWO), DB2, version="8.0.36"), DB2, group_replication_allow_local_lower_version_join="ON"),
     DB2, {}, "join", "alive"),
    ("unasked", {**outage("", "", ""), DB2: gone(DB2)}, DB0, {}, "refuse", f"{DB2} could not be asked"),
    ("unasked", {**outage("", "", ""), DB1: gone(DB1), DB2: gone(DB2)}, DB0, {"bootstrap_without": [DB2]}, "refuse",
     f"{DB1} could not be asked"),
    ("flag_lasting_elsewhere", changed(outage("", "", ""), DB2, persisted={FLAG: "ON"}), DB0, {}, "refuse", "RESET PERSIST"),
    ("flag_elsewhere_acting", changed(outage("", "", ""), DB2, bootstrap_flag=True, bootstrap_flag_source="DYNAMIC"), DB0, {}, "wait", DB2),
    ("flag_elsewhere", changed(outage("", "", ""), DB2, bootstrap_flag=True, bootstrap_flag_source="DYNAMIC"), DB0,
     {"acting": [DB0, DB1]}, "refuse", DB2),
    ("configured_otherwise", changed(outage("", "", ""), DB2, group_name=OTHER_GROUP), DB0, {}, "refuse", OTHER_GROUP),
    ("configured_otherwise", changed(outage("", "", ""), DB2, group_name=UUIDS[DB0]), DB0, {}, "refuse", UUIDS[DB0]),
    ("sees_others", changed(group_of({DB1: "ERROR"}), DB1, view={U1: entry(DB1, "ERROR"), U0: entry("db9:3306")}), DB2, {}, "refuse", "db9:3306"),
    # Members that it has lost sight of are no living ones.
    ("bootstrap", changed(group_of({DB0: "ERROR"}), DB0, view={U0: entry(DB0, "ERROR"), "ffffffff-0000-0000-0000-000000000000":
                                                               entry("db9:3306", "UNREACHABLE")}), DB0, {}, "bootstrap", ""),
    ("unasked", {**outage("", "", ""), DB2: gone(DB2)}, DB0, {}, "refuse", f"({DB2} does not answer (timed out))"),
    ("unlogged_clone", changed(group_of(TWO, **SETS), DB2, gtid_executed="", data=GROWN), DB2,
     {"clone": "reprovision", "recovery_user": "repl"}, "clone", f"by a clone of {DB0}"),
    ("sees_others", changed(group_of({DB0: "ERROR"}), DB0, view={U0: entry(DB0, "ERROR"), "ffffffff-0000-0000-0000-000000000000":
                                                                 entry("db9:3306")}), DB1, {}, "refuse", "db9:3306"),
    ("conflict", outage(f"{U0}:1", f"{U1}:1", ""), DB0, {}, "refuse", f"(alone: {U0}:1)"),
    ("guards_start", changed(outage("", "", ""), DB1, said=said()), DB0, {}, "refuse", f"keeps the guards of {DB1}, {DB2} from"),
    ("bootstrap", changed(outage("", "", ""), DB1, said=said(state="left")), DB0, {}, "bootstrap", ""),
    ("bootstrap", changed(outage("", "", ""), DB1, said=said(promise=(DB0, "claim"))), DB0, {}, "bootstrap", ""),
    ("bootstrap", changed(outage("", "", ""), DB1, said=said(evidence="all")), DB0, {}, "bootstrap", ""),
    ("unmarked", changed(group_of({DB0: "ONLINE", DB1: "ONLINE"}), DB0, said=said(mark="claim")), DB2, {}, "wait", f"{DB0} has just started"),
    ("not_acting", outage(f"{U0}:1", f"{U0}:1-2", ""), DB0, {"acting": [DB0]}, "refuse", f"only {DB1}"),
    ("not_acting", changed(outage(f"{U0}:1", f"{U0}:1-2", ""), DB1, gtid_mode="OFF"), DB0, {}, "refuse", f"only {DB1}"),
    ("not_acting", outage("", "", ""), DB0, {"acting": [DB0], "bootstrap_from": DB1}, "refuse", f"only {DB1}"),
    ("other_seed", outage("", "", ""), DB1, {}, "wait_for_seed", DB0),
    ("other_seed", outage(f"{U0}:1", f"{U0}:1-2", ""), DB0, {}, "wait_for_seed", DB1),
    ("other_seed", changed(outage("", "", ""), DB1, version="8.4.0"), DB0, {}, "wait_for_seed", DB1),
    ("other_seed", outage(f"{U0}:1", f"{U1}:1", ""), DB0, {"bootstrap_from": DB1}, "wait_for_seed", DB1),
    ("bootstrap", outage("", "", ""), DB0, {}, "bootstrap", "every declared member was asked"),
    ("bootstrap", outage("", "", ""), DB1, {"acting": [DB1, DB2]}, "bootstrap", "asked"),
    ("bootstrap", outage(f"{U0}:1", f"{U0}:1-2", ""), DB1, {}, "bootstrap", "asked"),
    ("bootstrap", changed(outage(f"{U0}:1", f"{U0}:1", ""), DB2, received=f"{U0}:1-3"), DB2, {}, "bootstrap", "asked"),
    ("bootstrap", {**outage("", "", ""), DB2: gone(DB2)}, DB0, {"bootstrap_without": [DB2]}, "bootstrap", "asked"),
    ("bootstrap", outage(f"{U0}:1", f"{U1}:1", ""), DB1, {"bootstrap_from": DB1}, "bootstrap", "asked"),
    ("bootstrap", group_of(dict.fromkeys(MEMBERS, "ERROR")), DB0, {}, "bootstrap", "asked"),
]  # fmt: skip

ABSENT = [
    ("leave", group_of(THREE), DB2, {"group_name": GROUP}, "leave", "majority"),
    ("not_asked", {**group_of(TWO), DB2: gone(DB2, "no socket")}, DB2, {}, "refuse", "no socket"),
    ("leave_wrong_name", group_of(THREE), DB0, {"group_name": OTHER_GROUP}, "refuse", OTHER_GROUP),
    ("leave_starting", changed(outage("", "", ""), DB0, starting=True), DB0, {}, "wait", "under way"),
    ("out", changed(group_of(TWO), DB2, start_on_boot=False), DB2, {}, "unchanged", "in no group"),
    ("out_until_guard", changed(group_of(TWO), DB2, start_on_boot=False), DB2, {"guarded": True}, "stay_out", "the guard of its host"),
    ("out_until_boot", group_of(TWO), DB2, {}, "stay_out", "start_on_boot is ON"),
    ("leave_error", group_of({DB0: "ONLINE", DB1: "ONLINE", DB2: "ERROR"}), DB2, {}, "leave", "ERROR"),
    ("leave_error", changed(group_of({DB0: "ONLINE", DB2: "ERROR"}), DB2, start_on_boot=False), DB2, {}, "leave", "ERROR"),
    ("last_member", group_of({DB0: "ONLINE"}), DB0, {}, "refuse", "last ONLINE member"),
    ("last_member", group_of({DB0: "ONLINE", DB1: "RECOVERING"}), DB0, {}, "refuse", "last ONLINE member"),
    ("last_member", group_of({DB0: "ONLINE", DB1: "ERROR"}), DB0, {}, "refuse", "last ONLINE member"),
    ("quorum", {**changed(group_of(TWO), DB0, view={U0: entry(DB0), U1: entry(DB1, "UNREACHABLE")}), DB1: gone(DB1)}, DB0,
     {"allow_last_member": True}, "refuse", "0 of 1"),
    ("quorum", {**cut([DB0, DB1], [DB2]), DB2: gone(DB2)}, DB0, {}, "refuse", "1 of 2"),
    ("leave", group_of(THREE), DB0, {}, "leave", "keep their majority"),
    ("leave", group_of(TWO), DB0, {}, "leave", "keep their majority"),
    ("leave", group_of({DB0: "ONLINE"}), DB0, {"allow_last_member": True}, "leave", ""),
    ("leave", {**cut([DB0, DB1], [DB2]), DB2: gone(DB2)}, DB0, {"allow_quorum_loss": True}, "leave", ""),
]  # fmt: skip


def run(case, state):
    rule, facts, me, wish, action, words = case
    wish = dict(wish, state=state)
    decision = decide(MEMBERS, facts, me, wish.pop("acting", None), wish)
    assert (decision.rule, decision.action) == (rule, action), decision.reason
    assert words in decision.reason, decision.reason
    assert "{" not in decision.reason
    assert "\n" not in decision.reason
    return decision


@pytest.mark.parametrize("case", PRESENT, ids=lambda case: case[0])
def test_present(case):
    run(case, "present")


@pytest.mark.parametrize("case", ABSENT, ids=lambda case: case[0])
def test_absent(case):
    run(case, "absent")


def test_every_row_of_the_table_has_a_case():
    assert {rule.name for rule in member_rules.PRESENT.rules} == {case[0] for case in PRESENT}
    assert {rule.name for rule in member_rules.ABSENT.rules} == {case[0] for case in ABSENT}
    assert {rule.action for rule in member_rules.PRESENT.rules + member_rules.ABSENT.rules} <= set(member_rules.ACTIONS)


@pytest.mark.parametrize("state", ["OFFLINE", "ERROR"])
def test_only_a_member_in_error_is_stopped_before_it_bootstraps(state):
    facts = outage("", "", "")
    facts[DB0] = facts[DB0]._replace(state=state)
    found = decide(MEMBERS, facts, DB0)
    assert (found.action, found.details["stop_first"]) == ("bootstrap", state == "ERROR")


def test_join_says_what_goes_with_it():
    facts = group_of({DB0: "ONLINE", DB1: "ONLINE", DB2: "ERROR"})
    facts = with_settings(
        facts, DB2, group_replication_single_primary_mode="ON", group_replication_enforce_update_everywhere_checks="OFF"
    )
    for address in (DB0, DB1):
        facts[address].view[U2] = entry(DB2, "UNREACHABLE")
    details = decide(MEMBERS, facts, DB2).details
    assert details["stop_first"]
    back = group_of(TWO)
    for address in (DB0, DB1):
        back = with_settings(
            back,
            address,
            group_replication_single_primary_mode="ON",
            group_replication_enforce_update_everywhere_checks="OFF",
        )
    # The two may never be ON together, so what goes OFF goes first.
    assert [value for _name, value in decide(MEMBERS, back, DB2).details["adopt"]] == ["OFF", "ON"]
    assert details["old_incarnation"]
    assert details["adopt"] == [
        ("group_replication_single_primary_mode", "OFF"),
        ("group_replication_enforce_update_everywhere_checks", "ON"),
    ]


def test_clone_takes_a_secondary_that_mysql_admits_as_donor():
    facts = group_of(TWO, **SETS)
    change(facts, DB1, role="SECONDARY")
    change(facts, DB2, **ERRANT)
    wish = {"clone": "reprovision", "recovery_user": "repl"}
    assert decide(MEMBERS, facts, DB2, None, wish).details["donor"] == DB1
    change(facts, DB1, version="9.6.0")
    assert decide(MEMBERS, facts, DB2, None, wish).details["donor"] == DB0
    # Of one series, but one of the two is older than 8.0.37.
    for address, version in ((DB0, "8.0.36"), (DB1, "8.0.40"), (DB2, "8.0.36")):
        change(facts, address, version=version)
    assert decide(MEMBERS, facts, DB2, None, wish).details["donor"] == DB0


def test_no_rule_is_a_refusal():
    assert decide(MEMBERS, outage("", "", ""), DB0, rules=[]).action == "refuse"


# -- diagnosis ---------------------------------------------------------------------------------------------------------
def kinds(report):
    return [report["members"][address]["kind"] for address in MEMBERS]


@pytest.mark.parametrize(
    ("name", "facts", "state", "uncertain", "expected"),
    [
        ("all there", group_of(THREE, **SETS), "ONLINE", False, ["member"] * 3),
        ("one stopped", group_of(TWO, **SETS), "ONLINE_PARTIAL", False, ["member", "member", "rejoinable"]),
        ("one new", changed(group_of(TWO, **SETS), DB2, gtid_executed=""), "ONLINE_PARTIAL", False, ["member", "member", "joinable"]),
        ("one in ERROR", group_of({**TWO, DB2: "ERROR"}), "ONLINE_PARTIAL", False, ["member", "member", "rejoinable"]),
        ("one recovering", group_of({**TWO, DB2: "RECOVERING"}), "ONLINE_PARTIAL", False, ["member"] * 3),
        ("one errant", changed(group_of(TWO, **SETS), DB2, **ERRANT), "ONLINE_PARTIAL", False, ["member", "member", "broken"]),
        ("one without donor", changed(group_of(TWO, **PURGED), DB2, gtid_executed="", gtid_purged=""), "ONLINE_PARTIAL", False,
         ["member", "member", "broken"]),
        ("one too old", changed(group_of(TWO), DB2, version="8.0.36"), "ONLINE_PARTIAL", False, ["member", "member", "unsuitable"]),
        ("one set up differently", with_settings(group_of(TWO), DB2, lower_case_table_names="1"), "ONLINE_PARTIAL", False,
         ["member", "member", "unsuitable"]),
        ("one without GTIDs", changed(group_of(TWO), DB2, gtid_mode="OFF"), "ONLINE_PARTIAL", False, ["member", "member", "unsuitable"]),
        ("one of another group", changed(group_of(TWO), DB2, group_name=OTHER_GROUP), "ONLINE_PARTIAL", False,
         ["member", "member", "unsuitable"]),
        ("a copy", changed(group_of(TWO), DB2, server_id=130), "ONLINE_PARTIAL", False, ["member", "member", "unsuitable"]),
        ("one unreachable", {**cut([DB0, DB1], [DB2]), DB2: gone(DB2)}, "ONLINE_PARTIAL", True, ["member", "member", "unreachable"]),
        ("one not asked, but ONLINE", {**group_of(THREE), DB2: gone(DB2)}, "ONLINE", True, ["member", "member", "unreachable"]),
        ("nobody", outage("", "", ""), "OFFLINE", False, ["joinable"] * 3),
        ("outage", outage(f"{GROUP}:1-3", f"{GROUP}:1-2", ""), "OFFLINE", False, ["rejoinable", "rejoinable", "joinable"]),
        ("outage in conflict", outage(f"{GROUP}:1,{U0}:1", f"{GROUP}:1,{U1}:1", f"{GROUP}:1"), "OFFLINE", False,
         ["broken", "broken", "rejoinable"]),
        ("outage, one unreachable", {**outage("", "", ""), DB2: gone(DB2)}, "OFFLINE", True, ["joinable", "joinable", "unreachable"]),
        ("minority", {**cut([DB0], [DB1, DB2]), DB1: facts_of(DB1), DB2: facts_of(DB2)}, "NO_QUORUM", False,
         ["member", "joinable", "joinable"]),
        ("minority beside the majority", {**cut([DB0], [DB1, DB2]), **cut([DB1, DB2], [DB0])}, "ONLINE_PARTIAL", False,
         ["rejoinable", "member", "member"]),
        ("two groups", two_groups(), "SPLIT_BRAIN", False, ["member"] * 3),
        ("forming", group_of({DB0: "RECOVERING"}), "OFFLINE", True, ["member", "joinable", "joinable"]),
    ],
)  # fmt: skip
def test_diagnosis(name, facts, state, uncertain, expected):
    report = diagnose(MEMBERS, facts, GROUP)
    assert (report["state"], report["uncertain"]) == (state, uncertain), report["uncertain_because"]
    if name == "minority beside the majority":
        # Cut off, yet ONLINE in its own eyes: the group has not expelled it yet.
        assert any("cut off" in text for text in report["warnings"])
        assert kinds(report)[1:] == expected[1:]
        return
    assert kinds(report) == expected
    if "unreachable" in expected:
        assert report["members"][DB2]["why"]
        assert "could not be asked" in report["uncertain_because"][0]


def test_diagnosis_shows_errant_transactions_settings_and_strangers():
    facts = with_settings(
        changed(group_of(TWO, **SETS), DB2, **ERRANT), DB2, group_replication_single_primary_mode="ON"
    )
    for address in (DB0, DB1):
        facts[address].view["ffffffff-0000-0000-0000-000000000000"] = entry("db9:3306")
        change(
            facts, address, stats={UUIDS[address]: Stats(transactions_to_certify=2, transactions_behind=4, conflicts=0)}
        )
    report = diagnose(MEMBERS, facts)
    assert report["group_name"] == GROUP
    assert report["members"][DB2]["errant"] == f"{U2}:1-2"
    assert report["members"][DB2]["differing_settings"] == ["group_replication_single_primary_mode: ON, group: OFF"]
    assert report["members"][DB0]["transactions_behind"] == 4
    assert report["members"][DB0]["transactions_to_certify"] == 2
    assert report["undeclared"] == ["db9:3306 (ffffffff-0000-0000-0000-000000000000) ONLINE"]
    assert report["mode"] == "multi_primary"
    assert report["primaries"] == [DB0, DB1]
    assert any("not declared" in text for text in report["warnings"])


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"group_replication_communication_stack": "MYSQL"}, "MYSQL"),
        ({"group_replication_communication_stack": "xcom"}, "XCOM"),
        # Before 8.0.27.
        ({"group_replication_communication_stack": ""}, "XCOM"),
    ],
)
def test_diagnosis_says_by_what_the_group_talks(settings, shown):
    facts = with_settings(group_of(THREE), DB0, **settings)
    assert diagnose(MEMBERS, facts)["communication_stack"] == shown
    assert diagnose(MEMBERS, outage("", "", ""))["communication_stack"] == ""


def test_diagnosis_with_a_member_that_lives_in_another_group():
    facts = {**group_of({DB0: "ONLINE"}), DB1: changed(group_of({DB1: "ONLINE"}), DB1, group_name=OTHER_GROUP)[DB1]}
    report = diagnose(MEMBERS, facts, GROUP)
    assert report["members"][DB0]["kind"] == "member"
    assert report["members"][DB1]["kind"] == "unsuitable"
    assert report["members"][DB1]["why"].startswith(f"this server's group_replication_group_name is {OTHER_GROUP}")
    assert report["members"][DB2]["kind"] == "joinable"
    assert any(OTHER_GROUP in text for text in report["warnings"])
    assert decide(MEMBERS, facts, DB2, MEMBERS, {"group_name": GROUP}).rule == "foreign_group"


def test_diagnosis_while_views_differ_is_uncertain():
    facts = group_of(THREE)
    facts[DB0].view[U1] = entry(DB1, "UNREACHABLE")
    facts[DB0].view[U2] = entry(DB2, "UNREACHABLE")
    report = diagnose(MEMBERS, facts)
    assert report["uncertain"]
    assert "views differ" in report["uncertain_because"][0]


# -- the table in the docs ---------------------------------------------------------------------------------------------
def rendered():
    """docs/reference/decisions.md as it follows from the rules."""
    text = DOCS.read_text(encoding="utf-8") if DOCS.exists() else ""
    for name, table in (
        ("present", member_rules.PRESENT),
        ("absent", member_rules.ABSENT),
        ("primary", primary.PRIMARY),
        ("protocol", protocol.PROTOCOL),
        ("quorum", quorum.QUORUM),
        ("restart", restart.RESTART),
        ("fence", fence.FENCE),
        ("provision", provision.PROVISION),
        ("cut_over", cut_over.CUT_OVER),
        ("site_primary", site_rules.WRITES),
        ("site_closed", site_rules.CLOSES),
        ("site_standby", site_rules.FOLLOWS),
        ("guard", guard_rules.GUARD),
    ):
        lines = ["| # | rule | situation | decision | reason given | seen twice |", "|---|---|---|---|---|---|"]
        for number, rule in enumerate(table.rules, 1):
            reason = rule.reason.replace("{", "<").replace("}", ">")
            lines.append(
                f"| {number} | `{rule.name}` | {rule.situation} | **{rule.action}** | {reason} | {'yes' if rule.settle else ''} |"
            )
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        head, _begin, rest = text.partition(begin)
        _old, _end, tail = rest.partition(end)
        text = head + begin + "\n" + "\n".join(lines) + "\n" + end + tail
    return text


def test_docs_have_the_table_of_the_code():
    """WRITE_DOCS=1 writes the tables anew."""
    if os.environ.get("WRITE_DOCS"):
        DOCS.write_text(rendered(), encoding="utf-8")
    assert DOCS.read_text(encoding="utf-8") == rendered()
