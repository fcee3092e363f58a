# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against an upgrade of a server is found before it is touched, and a group's protocol is raised once nobody needs the older one."""

from __future__ import annotations

import pymysql
import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import upgrade_data, upgrade_facts
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.diagnosis import diagnose, upgrade_under_way
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.upgrade_rules import (
    Account,
    Setting,
    Space,
    Table,
    Upgrade,
    changes_series,
    checks_for,
    first_names,
    judge,
    plain,
    protocol_for,
    way,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.protocol import PROTOCOL, decide_protocol
from ansible_collections.distdb.mysql_ha.plugins.modules import (
    group_replication_protocol,
    group_replication_upgrade_check,
)
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.server_options import OPTIONS
from gr_model import MEMBERS, change, gone, group_of
from gr_servers import NAMES
from test_gr_verbs import view_versions

pytestmark = [pytest.mark.unit]

DB0, DB1, DB2 = MEMBERS
FILE = "/etc/mysql/my.cnf"
NATIVE = "mysql_native_password"


# ---- the way -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("current", "wanted", "words"),
    [
        ("8.0.30", "8.4.8-1", ""),
        ("8.4.8", "8.4.8+repack1-1", ""),
        ("8.4.8", "9.7.4-2", ""),
        ("9.1.0", "9.7.4", ""),
        ("8.0.30", "9.7.4", "upgrade to 8.4 first"),
        ("5.7.44", "9.7.4", "upgrade to 8.0 and then 8.4 first"),
        ("8.4.8", "8.4.7", "cannot be downgraded"),
        ("8.4.8", "8.0.44", "cannot be downgraded"),
    ],
)
def test_way(current, wanted, words):
    assert words in way(current, wanted) if words else way(current, wanted) == ""
    found = judge(Upgrade(current, wanted, [Setting("expire_logs_days", "3", FILE)]))
    assert not words or found.problems == [way(current, wanted)]


def test_what_changes_a_series():
    assert changes_series("8.0.30", "8.4.8") and not changes_series("8.4.7", "8.4.8-1")


# ---- options -------------------------------------------------------------------------------------------------------------
def options(*settings, current="8.0.30", wanted="8.4.8"):
    return judge(Upgrade(current, wanted, [Setting(*setting) for setting in settings]))


@pytest.mark.parametrize(
    ("name", "current", "wanted", "refused"),
    [
        ("expire_logs_days", "8.0.30", "8.4.8", "use binlog_expire_logs_seconds"),
        ("default_authentication_plugin", "8.0.30", "8.4.8", "use authentication_policy"),
        ("skip_character_set_client_handshake", "8.0.30", "8.4.8", "remove it"),
        ("expire_logs_days", "8.0.30", "8.0.44", ""),
        ("expire_logs_days", "8.4.7", "8.4.8", ""),
        ("mysql_native_password", "8.4.8", "9.7.4", "has no such option and does not start with it"),
        ("mysql_native_password", "8.0.30", "8.4.8", ""),
        ("replica_parallel_type", "8.4.8", "9.7.4", "remove it"),
        ("max_connections", "8.0.30", "8.4.8", ""),
        ("skip_replica_start", "8.0.30", "8.4.8", ""),
    ],
)
def test_an_option_that_goes_away_is_refused(name, current, wanted, refused):
    problems = options((name, "1", FILE), current=current, wanted=wanted).problems
    assert len(problems) == bool(refused)
    if refused:
        assert problems[0].startswith(f"{name} in {FILE}: MySQL ") and refused in problems[0]


def test_what_the_newer_server_ignores_is_a_warning():
    found = options(("loose_expire_logs_days", "3", FILE), ("master_info_repository", "TABLE", "mysqld-auto.cnf", True))
    assert found.problems == []
    assert "because of loose-" in found.warnings[0] and "RESET PERSIST master_info_repository" in found.warnings[1]


def test_deprecated_options_and_values_are_warnings():
    found = options(("slave_parallel_workers", "0", FILE), wanted="9.7.4", current="8.4.8")
    assert found.problems == []
    assert "MySQL 9.0.0 does not take this value" in found.warnings[0]
    assert found.warnings[1].endswith("is deprecated from MySQL 8.0.26 on; use replica_parallel_workers")
    # Known already where it runs: said again, since it is still to be done.
    assert "binlog_format" in options(("binlog_format", "ROW", FILE), current="8.4.7").warnings[0]


@pytest.mark.parametrize("name", ["loose_ssl", "skip_ssl", "maximum_ssl", "disable_ssl"])
def test_a_prefix_does_not_hide_an_option(name):
    assert plain(name) == "ssl"


def test_a_prefix_is_part_of_some_names():
    assert plain("skip_slave_start") == "skip_slave_start" and plain("skip_name_resolve") == "skip_name_resolve"


def test_what_the_role_would_not_write_any_more_is_in_this_table_too():
    """plugin_utils/server_options.py has what the role writes; this table is for what users wrote. They agree."""
    for option in OPTIONS.values():
        for (_since, name), (until, _next) in zip(option.names, option.names[1:]):
            if _next is None:
                assert upgrade_data.REMOVED[name].since == until, name


def test_an_option_has_one_spelling():
    for name in (*upgrade_data.REMOVED, *upgrade_data.DEPRECATED):
        assert name == name.lower().replace("-", "_")


# ---- accounts ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("current", "wanted", "setting", "refused", "warned"),
    [
        ("8.0.30", "8.0.44", None, 0, 0),
        ("8.0.30", "8.4.8", None, 1, 0),
        ("8.0.30", "8.4.8", ("loose_mysql_native_password", "ON", FILE), 0, 1),
        ("8.0.30", "8.4.8", ("loose_mysql_native_password", "OFF", FILE), 1, 0),
        ("8.4.8", "9.7.4", ("loose_mysql_native_password", "ON", FILE), 1, 0),
    ],
)
def test_an_account_that_could_not_log_in_any_more_is_refused(current, wanted, setting, refused, warned):
    account = Account("'shop'@'%'", NATIVE)
    found = judge(
        Upgrade(
            current,
            wanted,
            [Setting(*setting)] if setting else [],
            [account, Account("'new'@'%'", "caching_sha2_password")],
        )
    )
    named = [text for text in found.problems if "'shop'@'%'" in text]
    assert len(named) == refused and not any("'new'" in text for text in found.problems)
    assert sum("'shop'@'%'" in text for text in found.warnings) == warned
    assert all("caching_sha2_password" in text for text in named)


def test_of_many_the_first_ten_are_named_and_how_many_there_are():
    accounts = [Account(f"u{number}", NATIVE) for number in range(12)]
    text = judge(Upgrade("8.0.30", "8.4.8", accounts=accounts)).problems[0]
    assert "u9 and 2 more (12 in all)" in text and "u10" not in text
    assert first_names(["a", "b"]) == "a, b"


# ---- objects, tables, disks ----------------------------------------------------------------------------------------------
def test_what_is_asked_depends_on_the_versions():
    asked = {check.name for check in checks_for("8.0.30", "8.4.8")}
    assert {"foreign_keys", "auto_increment_types", "prefix_partitions", "reserved_words", "keyring_plugins"} <= asked
    assert (
        "shared_tablespaces" in {check.name for check in checks_for("5.7.44", "8.0.30")}
        and "shared_tablespaces" not in asked
    )
    assert checks_for("8.4.7", "8.4.8") == []


@pytest.mark.parametrize(
    ("current", "wanted", "there", "absent"),
    [
        ("5.7.44", "8.0.30", "RANK", "FULL"),
        ("8.0.30", "8.4.8", "INTERSECT", "LIBRARY"),
        ("8.4.8", "9.7.4", "LIBRARY", "QUALIFY"),
        ("9.2.0", "9.7.4", "EXTERNAL", "LIBRARY"),
        # Reserved in 9.6 only.
        ("8.4.8", "9.7.4", "EXTERNAL", "SETS"),
    ],
)
def test_words_that_become_reserved_are_looked_for_wherever_a_name_stands(current, wanted, there, absent):
    asked = [check.sql for check in checks_for(current, wanted) if check.name == "reserved_words"]
    assert any(f"'{there}'" in sql for sql in asked) and not any(f"'{absent}'" in sql for sql in asked)
    places = ("SCHEMATA", "TABLES", "COLUMNS", "ROUTINES", "TRIGGERS", "EVENTS")
    assert all(f" FROM information_schema.{place} " in sql for sql in asked for place in places)


def test_every_question_is_one_query_with_a_name_and_a_sentence():
    for check in upgrade_data.CHECKS:
        assert check.sql.startswith("SELECT ") and " AS name FROM " in check.sql and ";" not in check.sql, check.name
        assert check.sentence.format(names="x") != check.sentence


@pytest.mark.parametrize("refuse", [True, False])
def test_objects_are_named(refuse):
    check = next(one for one in checks_for("8.0.30", "8.4.8") if one.refuse == refuse)
    found = judge(Upgrade("8.0.30", "8.4.8", found=[(check, ["shop.a"])]))
    texts = found.problems if refuse else found.warnings
    assert len(texts) == 1 and "shop.a" in texts[0] and len(found.problems) == refuse
    assert judge(Upgrade("8.0.30", "8.4.8", found=[(check, [])])) == ([], [])


def test_what_check_table_says():
    tables = [
        Table("shop.a", "error", "Table upgrade required"),
        Table("shop.b", "Error", "Table upgrade required"),
        Table("shop.c", "warning", "old"),
    ]
    found = judge(Upgrade("8.0.30", "8.4.8", tables=[*tables, Table("shop.d", "note", "fine")], unchecked=7))
    assert found.problems == ["shop.a, shop.b: CHECK TABLE … FOR UPGRADE says: Table upgrade required"]
    assert found.warnings[0].startswith("shop.c:") and found.warnings[1].startswith("7 tables were not checked")


def test_room_on_the_disks():
    found = judge(Upgrade("8.4.7", "8.4.8", space=[Space("/var", 1 << 20), Space("/usr", 1 << 31)], needed=1 << 30))
    assert found.problems == ["/var has 1 MiB free; the upgrade needs 1024"]


# ---- gathering -----------------------------------------------------------------------------------------------------------
class Connection:
    """A server that answers; what it was asked."""

    def __init__(self, version="8.0.30", datadir="/"):
        self.version, self.datadir, self.asked = version, datadir, []
        self.tables = [{"place": "shop", "name": "a`b"}, {"place": "shop", "name": "c"}]
        self.says = {}

    def query(self, text):
        self.asked.append(text)
        if text.startswith("SELECT VERSION()"):
            return [{"version": self.version, "datadir": self.datadir}]
        if "persisted_variables" in text:
            return [{"name": "new", "value": "ON"}]
        if "variables_info" in text:
            return [{"name": "old", "value": "ON"}]
        if "mysql.user" in text:
            return [{"name": "'a'@'%'", "plugin": NATIVE}]
        if "AS place" in text:
            return self.tables
        if text.startswith("CHECK TABLE"):
            said = next((rows for name, rows in self.says.items() if name in text), ("status", "OK"))
            return [{"msg_type": said[0], "msg_text": said[1]}]
        if "SUB_PART" in text:
            return [{"name": "shop.c"}]
        return []


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "conf.d"
    folder.mkdir()
    (tmp_path / "my.cnf").write_text(f"[client]\nport=1\n!includedir {folder}\n")
    (folder / "a.cnf").write_text(
        "[mysqld]\nloose-expire-logs-days = 3\n[mysqld-8.0]\nold = 1\n[mysqld-8.4]\nnew = 1\n"
    )
    return [str(tmp_path / "my.cnf")]


def test_options_are_read_as_the_newer_server_reads_them(files):
    found = upgrade_facts.gather_settings(Connection(), "8.0.30", "8.4.8", files)
    assert [(one.name, one.value, one.persisted) for one in found] == [
        ("loose_expire_logs_days", "3", False), ("new", "1", False), ("new", "ON", True), ("old", "ON", False),
    ]  # fmt: skip
    assert found[0].where.endswith("conf.d/a.cnf") and found[3].where == "the command line"
    # Nothing is persisted by 5.7.
    assert len(upgrade_facts.gather_settings(Connection(), "5.7.44", "8.0.30", files)) == 2


def test_all_is_gathered(files):
    connection = Connection()
    upgrade = upgrade_facts.gather_upgrade(connection, "8.4.8", files, 60, ["/", "/no/such/place"], 5)
    assert upgrade.accounts == [Account("'a'@'%'", NATIVE)] and upgrade.needed == 5 << 20
    assert [place.path for place in upgrade.space] == ["/"] and upgrade.space[0].free > 0
    assert "CHECK TABLE `shop`.`a``b` FOR UPGRADE" in connection.asked
    assert any(names for _check, names in upgrade.found)
    assert (upgrade.tables, upgrade.unchecked) == ([], 0)


def test_a_table_that_somebody_holds_counts_as_not_checked():
    connection = Connection()
    connection.says = {
        "`c`": ("Error", "Lock wait timeout exceeded; try restarting transaction"),
        "a``b": ("warning", "old"),
    }
    assert upgrade_facts.check_tables(connection, 60) == ([Table("shop.a`b", "warning", "old")], 1)


def test_tables_are_checked_for_so_long_and_only_where_the_series_changes(monkeypatch):
    clock = iter([0, 0, 100])
    monkeypatch.setattr(upgrade_facts.time, "monotonic", lambda: next(clock))
    assert upgrade_facts.check_tables(Connection(), 60) == ([], 1)
    monkeypatch.undo()
    for version, seconds in (("8.4.7", 60), ("8.0.30", 0)):
        connection = Connection(version)
        upgrade_facts.gather_upgrade(connection, "8.4.8", [], seconds, [], 0)
        assert not any(text.startswith("CHECK TABLE") for text in connection.asked)


def test_where_there_is_no_way_nothing_more_is_asked():
    connection = Connection("8.4.8")
    assert upgrade_facts.gather_upgrade(connection, "8.0.44", [], 60, ["/"], 0) == Upgrade("8.4.8", "8.0.44")
    assert len(connection.asked) == 1


# ---- the module ----------------------------------------------------------------------------------------------------------
def asked(monkeypatch, connection, **params):
    wanted = {
        "to_version": "8.4.8-1", "option_files": [], "check_tables_timeout": 60, "directories": ["/"], "free_space": 0,
        "connect_timeout": 30, **params,
    }  # fmt: skip
    connection.close = lambda: None
    monkeypatch.setattr(group_replication_upgrade_check, "login_connection", lambda _params: connection)
    return group_replication_upgrade_check.look(wanted)


def test_the_module_says_what_stands_against_it(monkeypatch):
    answer = asked(monkeypatch, Connection())
    assert answer["version"] == "8.0.30" and not answer["changed"]
    assert "'a'@'%'" in answer["problems"][-2] or any("'a'@'%'" in text for text in answer["problems"])
    assert answer["checked"][:3] == ["options", "accounts", "free space"] and answer["checked"][-1].startswith(
        "CHECK TABLE"
    )
    answer = asked(monkeypatch, Connection("8.4.8"), to_version="8.0.30")
    assert len(answer["problems"]) == 1 and answer["checked"] == []


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"to_version": "new"}, "to_version: 'new' is not allowed"),
        ({"check_tables_timeout": -1}, "check_tables_timeout: -1 is not allowed"),
        ({"free_space": -1}, "free_space: -1 is not allowed"),
    ],
)
def test_the_module_refuses_bad_options(monkeypatch, params, words):
    with pytest.raises(Exception, match=words):
        asked(monkeypatch, Connection(), **params)


def test_the_module_refuses_mariadb(monkeypatch):
    with pytest.raises(Exception, match="MariaDB"):
        asked(monkeypatch, Connection("10.11.2-MariaDB"))


# ---- a group of two versions ---------------------------------------------------------------------------------------------
def test_a_group_of_two_versions_says_so():
    facts = group_of(dict.fromkeys(MEMBERS, "ONLINE"))
    assert diagnose(MEMBERS, facts)["warnings"] == []
    for address, version in zip(MEMBERS, ("8.0.30", "8.0.30", "8.4.8")):
        change(facts, address, version=version, super_read_only=version == "8.4.8")
    report = diagnose(MEMBERS, facts)
    assert report["state"] == "ONLINE" and not report["uncertain"]
    assert report["warnings"] == [
        f"MySQL 8.0.30, 8.4.8 in one group; until all have 8.4.8, MySQL keeps {DB2} read-only in multi-primary mode "
        "(distdb.mysql_ha.rolling_upgrade goes on)"
    ]
    assert upgrade_under_way({"a": "8.4.7", "b": "8.4.8"}, ["b"]) == [
        "MySQL 8.4.7, 8.4.8 in one group (distdb.mysql_ha.rolling_upgrade goes on)"
    ]


# ---- the protocol --------------------------------------------------------------------------------------------------------
THREE = dict.fromkeys(MEMBERS, "ONLINE")
CASES = [
    ("not_asked", {**group_of(THREE), DB0: gone(DB0, "no socket")}, "", "refuse", "no socket"),
    ("not_online", group_of({DB1: "ONLINE"}), "", "refuse", "OFFLINE"),
    ("no_quorum", group_of({DB0: "ONLINE", DB1: "UNREACHABLE", DB2: "UNREACHABLE"}), "8.0.16", "refuse", "1 of 3"),
    ("one_only", view_versions(group_of(THREE), db1="8.0.15"), "", "unchanged", "8.0.15"),
    ("done", group_of(THREE), "8.0.27", "unchanged", "8.0.27"),
    ("done", view_versions(group_of(THREE), db1="8.0.26"), "8.0.16", "unchanged", "8.0.26"),
    ("absent", group_of({DB0: "ONLINE", DB1: "ONLINE"}), "8.0.16", "unchanged", DB2),
    ("absent", group_of({**THREE, DB2: "RECOVERING"}), "8.0.16", "unchanged", DB2),
    ("outdated", group_of(THREE), "8.0.16", "raise", "8.0.27"),
    ("outdated", {**group_of(THREE), DB2: gone(DB2)}, "5.7.14", "raise", "8.0.27"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_protocol(case):
    rule, facts, protocol, action, words = case
    decision = decide_protocol(MEMBERS, facts, DB0, {"protocol": protocol})
    assert (decision.rule, decision.action) == (rule, action), decision.reason
    assert words in decision.reason


def test_every_row_has_a_case():
    assert {rule.name for rule in PROTOCOL.rules} == {case[0] for case in CASES}


@pytest.mark.parametrize(
    ("lowest", "protocol"),
    [("5.7.44", "5.7.14"), ("8.0.15", "5.7.14"), ("8.0.26", "8.0.16"), ("8.0.27", "8.0.27"), ("26.7", "8.0.27")],
)
def test_protocol_of_a_version(lowest, protocol):
    assert protocol_for(lowest) == protocol


def test_the_module_raises_once(run, world):
    world.group(*NAMES)
    world.protocol = "8.0.16"
    answer = run(group_replication_protocol, check=True)
    assert answer["changed"] and answer["after"] == {"protocol": "8.0.27"} and world.protocol == "8.0.16"
    answer = run(group_replication_protocol)
    assert answer["changed"] and answer["before"] == {"protocol": "8.0.16"} and world.protocol == "8.0.27"
    assert answer["statements"] == ["SELECT group_replication_set_communication_protocol('8.0.27')"]
    answer = run(group_replication_protocol)
    assert not answer["changed"] and answer["decision"] == "unchanged"


def test_the_module_says_why_the_group_refuses(run, world):
    world.group(*NAMES)
    world.protocol = "8.0.16"
    world.refused["set_communication_protocol"] = pymysql.err.OperationalError(1123, "busy")
    assert "the group refuses: " in run(group_replication_protocol)["msg"]


def test_the_module_needs_an_online_member(run, world):
    assert "the protocol is raised through an ONLINE member" in run(group_replication_protocol)["msg"]
