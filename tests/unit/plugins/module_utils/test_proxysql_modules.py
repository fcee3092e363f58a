# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ProxySQL modules from their options to their answer, on the model of an admin interface."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
import threading

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from ansible.module_utils.testing import patch_module_args
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql import (
    clients,
    config,
    look,
    read,
    ready,
    virtual,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import AdminError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import Server
from ansible_collections.distdb.mysql_ha.plugins.modules import (
    proxysql_config,
    proxysql_hostgroup,
    proxysql_hostgroup_info,
    proxysql_restart,
)
from proxysql_model import Model

pytestmark = [pytest.mark.unit]

GROUP = {"writer_hostgroup": 2, "backup_writer_hostgroup": 4, "reader_hostgroup": 3, "offline_hostgroup": 1}
SERVERS = [{"hostname": name} for name in "abc"]
ALL = {
    "variables": {"mysql-max_connections": 4096, "mysql-have_ssl": True},
    "secret_variables": {"mysql-monitor_password": "hidden-monitor"},
    "optional_variables": {"mysql-of_another_version": 1},
    "users": [{"username": "shop", "password": "hidden-shop", "default_hostgroup": 2}],
    "query_rules": [{"rule_id": 10, "active": True, "match_digest": "^SELECT", "destination_hostgroup": 3}],
    "peers": [{"hostname": "proxy1"}, {"hostname": "proxy2"}],
    "hostgroups": [dict(GROUP, max_writers=3, writer_is_also_reader=1, servers=SERVERS)],
}


@pytest.fixture
def model(monkeypatch):
    made = Model()
    made.variables(
        mysql_max_connections="2048", mysql_have_ssl="false", mysql_monitor_password="old", mysql_threads="4",
        mysql_monitor_enabled="true",
    )  # fmt: skip
    for module in (config, look, proxysql_hostgroup):
        monkeypatch.setattr(module, "Admin", lambda params: made)
    return made


@pytest.fixture
def run(capsys, model):
    """Runs a module; gives its answer. The statements of the model are those of the last run."""

    def work(module, check=False, **options):
        model.statements.clear()
        arguments = {
            "login_user": "radmin",
            "login_password": "admin-Secret-1",
            "_ansible_check_mode": check,
            "_ansible_diff": True,
        }
        with patch_module_args({**arguments, **options}), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return work


# ---- proxysql_config ----------------------------------------------------------------------------------------------------


def test_one_task_writes_everything_once(run, model):
    foreseen = run(proxysql_config, check=True, **ALL)
    assert foreseen["changed"] and model.statements == []
    done = run(proxysql_config, **ALL)
    assert done["statements"] == foreseen["statements"] and done["proxysql_version"] == model.version
    assert (done["memory_changed"], done["runtime_changed"], done["disk_changed"]) == (True, True, True)
    for layer in ("main.", "disk.", "runtime_"):
        assert ("mysql-max_connections", "4096") in model.rows(layer + "global_variables")
        assert {row[0] for row in model.rows(layer + "proxysql_servers")} == {"proxy1", "proxy2"}
    again = run(proxysql_config, **ALL)
    assert not again["changed"] and again["statements"] == [] and "diff" not in again


def test_no_secret_is_in_statements_and_diffs(run):
    answer = json.dumps(run(proxysql_config, **ALL))
    assert "hidden" not in answer.replace(json.dumps(ALL), "") and "********" in answer
    assert "mysql_users in memory" in answer and "mysql-monitor_password" in answer


def test_servers_and_their_groups_are_there_before_users_and_rules_send_to_them(run):
    loads = [text for text in run(proxysql_config, **ALL)["statements"] if text.startswith("LOAD")]
    assert loads.index("LOAD MYSQL SERVERS TO RUNTIME") < loads.index("LOAD MYSQL USERS TO RUNTIME")
    assert loads.index("LOAD MYSQL SERVERS TO RUNTIME") < loads.index("LOAD MYSQL QUERY RULES TO RUNTIME")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"variables": {"mysql-unknown": 1}}, "has no variable mysql-unknown"),
        ({"variables": {"mysql-threads": [1]}}, "the value of mysql-threads is not allowed"),
        ({"users": [{"username": "a", "password": "x"}] * 2}, "may be listed once"),
        ({"query_rules": [{"rule_id": 1, "match_pattern": "x"}]}, "has no column match_pattern"),
        ({"hostgroups": [GROUP, GROUP]}, "listed twice"),
        ({"hostgroups": [GROUP], "drain_timeout": -1}, "drain_timeout is -1"),
    ],
)
def test_one_wrong_option_and_nothing_is_written(run, model, options, words):
    before = model.everything()
    answer = run(proxysql_config, **{**ALL, **options})
    assert answer["failed"] and words in answer["msg"]
    assert model.statements == [] and model.everything() == before


def test_what_fails_on_the_way_is_put_back_and_said(run, model):
    before = model.everything()
    model.fail_at = 8
    answer = run(proxysql_config, **ALL)
    assert answer["failed"] and "broken on purpose" in answer["msg"] and "Put back to what it was" in answer["msg"]
    assert model.everything() == before


def test_exclusive_tables_lose_what_the_task_does_not_list(run, model):
    run(proxysql_config, **ALL)
    other = dict(GROUP, writer_hostgroup=12, backup_writer_hostgroup=14, reader_hostgroup=13, offline_hostgroup=11)
    answer = run(
        proxysql_config,
        users=[],
        hostgroups=[other],
        exclusive=["users", "hostgroups"],
        drain_timeout=0,
        allow_no_writer=True,
    )
    assert answer["changed"] and model.rows("mysql_users") == set() == model.rows("runtime_mysql_users")
    assert {row[0] for row in model.rows("mysql_group_replication_hostgroups")} == {12}
    assert model.rows("mysql_query_rules"), "a table that is not named stays"


def test_a_reload_loads_what_does_not_differ_and_says_so(run):
    run(proxysql_config, **ALL)
    answer = run(proxysql_config, reload=["users", "hostgroups", "mysql_variables"], hostgroups=ALL["hostgroups"])
    loads = [text for text in answer["statements"] if text.startswith("LOAD")]
    assert answer["runtime_changed"] and not answer["disk_changed"]
    assert [text.split(" TO ")[0] for text in loads if "SERVERS" not in text] == [
        "LOAD MYSQL VARIABLES",
        "LOAD MYSQL USERS",
    ]
    assert any("SERVERS" in text for text in loads)


def test_a_variable_for_the_next_start_is_saved_and_named(run, model):
    answer = run(proxysql_config, variables={"mysql-threads": 2})
    assert answer["restart_needed"] == ["mysql-threads"]
    assert ("mysql-threads", "2") in model.rows("disk.global_variables")


def test_rules_with_the_task_s_own_comment_are_its_own(run, model):
    mine, other = {"rule_id": 20, "comment": "mine: b"}, {"rule_id": 30, "comment": "theirs"}
    run(proxysql_config, query_rules=[mine, other])
    run(proxysql_config, query_rules_comment="mine:")
    assert {row[0] for row in model.rows("mysql_query_rules")} == {30}


# ---- proxysql_hostgroup -------------------------------------------------------------------------------------------------


def test_a_group_comes_stays_and_goes(run, model):
    options = dict(GROUP, max_writers=3, servers=SERVERS, exclusive=True)
    assert run(proxysql_hostgroup, **options)["changed"]
    assert not run(proxysql_hostgroup, **options)["changed"]
    assert {row[1] for row in model.rows("disk.mysql_servers")} == set("abc")
    gone = run(proxysql_hostgroup, writer_hostgroup=2, state="absent", drain_timeout=0)
    assert gone["changed"] and model.rows("mysql_servers") == set() == model.rows("disk.mysql_servers")
    assert "diff" in gone


def test_several_groups_or_one_of_them(run):
    assert "mutually exclusive" in run(proxysql_hostgroup, hostgroups=[GROUP], **GROUP)["msg"]
    assert "one of the following is required" in run(proxysql_hostgroup)["msg"]


# ---- proxysql_hostgroup_info --------------------------------------------------------------------------------------------


def placed(run, model, **checks):
    """A converged proxy in front of three writers, as its monitor leaves it; checks: what differs for a server."""
    run(proxysql_config, **ALL)
    model.unplace()
    for name in "abc":
        model.place(2, name)
        model.place(3, name)
        model.checked(name, **checks.get(name, {}))


def test_info_shows_groups_servers_and_places_and_writes_nothing(run, model):
    placed(run, model)
    answer = run(proxysql_hostgroup_info)
    assert answer["reachable"] and not answer["changed"] and model.statements == []
    (shown,) = answer["memory"]
    assert shown["writer_hostgroup"] == 2 and shown["active"] is True
    assert [(server["hostname"], server["hostgroup"], server["use_ssl"]) for server in shown["servers"]] == [
        (name, 2, False) for name in "abc"
    ]
    assert answer["disk"] == answer["memory"]
    # As they were at the LOAD: new servers wait in the offline hostgroup.
    assert {server["hostgroup"] for server in answer["runtime"][0]["servers"]} == {1}
    first = answer["placement"][0]
    assert [place["role"] for place in first["hostgroups"]] == ["writer", "reader"]
    assert first["check"]["viable_candidate"] is True and first["check"]["checked_at"] == 1782000000.5
    assert answer["problems"] == []
    assert all(names == {"runtime": [], "disk": []} for names in answer["drift"].values())


def test_info_names_what_differs_between_layers_and_no_value(run, model):
    placed(run, model)
    model.db.execute("UPDATE main.mysql_servers SET weight=7 WHERE hostname='b'")
    model.db.execute("DELETE FROM disk.mysql_group_replication_hostgroups")
    model.db.execute("UPDATE main.mysql_users SET password='hidden-other'")
    answer = run(proxysql_hostgroup_info)
    assert answer["drift"]["mysql_servers"] == {"runtime": ["b:3306"], "disk": ["b:3306"]}
    assert answer["drift"]["mysql_group_replication_hostgroups"] == {"runtime": [], "disk": ["2"]}
    assert answer["drift"]["mysql_users"] == {"runtime": ["shop"], "disk": ["shop"]}
    assert "hidden" not in json.dumps(answer)


def test_info_of_other_groups_only(run, model):
    placed(run, model)
    answer = run(proxysql_hostgroup_info, writer_hostgroups=[12])
    assert (answer["memory"], answer["placement"]) == ([], [])
    assert answer["problems"] == ["the group with writer_hostgroup 12: there is no such group in memory"]


def test_waiting_for_places_fails_with_the_monitor_s_own_words(run, model):
    placed(run, model, b={"error": "timeout check", "read_only": "YES"})
    answer = run(proxysql_hostgroup_info, wait_placed=1)
    assert answer["failed"] and "After 1 s (wait_placed)" in answer["msg"] and "timeout check" in answer["msg"]
    assert len(answer["problems"]) == 1 and answer["placement"]


def test_waiting_ends_as_soon_as_the_monitor_has_moved_the_last_server(run, model, monkeypatch):
    placed(run, model)
    model.db.execute("UPDATE runtime_mysql_servers SET hostgroup_id=1 WHERE hostname='c' AND hostgroup_id=2")

    def moved(_seconds):
        model.db.execute("UPDATE runtime_mysql_servers SET hostgroup_id=2 WHERE hostgroup_id=1")

    monkeypatch.setattr(look.time, "sleep", moved)
    answer = run(proxysql_hostgroup_info, wait_placed=30)
    assert answer["problems"] == [] and not answer.get("failed")


def test_checksums_that_both_sides_know_are_compared(run, model):
    model.db.execute("INSERT INTO runtime_checksums_values VALUES ('mysql_users', '0x1'), ('mysql_servers', '0x2')")
    answer = run(proxysql_hostgroup_info, checksums={"mysql_users": "0x9", "mysql_servers": "0x8", "new": "0x7"})
    # The monitor changes mysql_servers on each proxy by itself.
    assert answer["checksums"] == {"mysql_users": "0x1"} and answer["checksums_differ"] == ["mysql_users"]


def refusing(monkeypatch, kind):
    def admin(_params):
        raise AdminError(kind, f"it is {kind}")

    monkeypatch.setattr(look, "Admin", admin)


@pytest.mark.parametrize("kind", ["denied", "unreachable"])
def test_a_proxy_that_does_not_answer_is_an_answer_if_the_task_says_so(run, monkeypatch, kind):
    refusing(monkeypatch, kind)
    answer = run(proxysql_hostgroup_info, unreachable_ok=True)
    assert (answer["reachable"], answer["denied"], answer["error"]) == (False, kind == "denied", f"it is {kind}")
    assert run(proxysql_hostgroup_info)["msg"] == f"it is {kind}"


def test_a_statement_that_is_refused_is_never_an_answer(run, monkeypatch):
    refusing(monkeypatch, "statement")
    assert run(proxysql_hostgroup_info, unreachable_ok=True)["failed"]


def test_without_pymysql_nothing_is_known(run, monkeypatch):
    monkeypatch.setattr(proxysql_hostgroup_info, "HAS_PYMYSQL", False)
    assert "PyMySQL" in run(proxysql_hostgroup_info)["msg"]
    answer = run(proxysql_hostgroup_info, unreachable_ok=True)
    assert not answer["reachable"] and "PyMySQL" in answer["error"]


def test_a_service_that_has_ended_is_not_waited_for(run, monkeypatch):
    refusing(monkeypatch, "unreachable")
    ended = "Result=exit-code\nExecMainStatus=1\nActiveState=failed\nSubState=failed\n"
    monkeypatch.setattr(
        "ansible.module_utils.basic.AnsibleModule.run_command",
        lambda _self, command, **_more: (0, ended if "systemctl" in command[0] else "cannot bind\n", ""),
    )
    answer = run(proxysql_hostgroup_info, wait_reachable=60, service="proxysql", unreachable_ok=True)
    assert answer["failed"] and "the service proxysql is failed" in answer["msg"] and "cannot bind" in answer["msg"]


def test_an_admin_interface_that_stays_away_ends_the_wait(run, monkeypatch):
    refusing(monkeypatch, "unreachable")
    monkeypatch.setattr(look.time, "sleep", lambda _seconds: None)
    answer = run(proxysql_hostgroup_info, wait_reachable=1, unreachable_ok=True)
    assert answer["failed"] and "waited for 1 s (wait_reachable)" in answer["msg"]


def test_an_admin_interface_that_refuses_the_credentials_has_answered(run, monkeypatch):
    refusing(monkeypatch, "denied")
    answer = run(proxysql_hostgroup_info, wait_reachable=60, unreachable_ok=True)
    assert answer["denied"] and not answer.get("failed")


def test_versions_of_members_are_asked_without_an_account(run, monkeypatch):
    def greeting(host, port, _timeout):
        if host == "gone":
            raise OSError("refused")
        return f"8.4.{port - 3300}"

    monkeypatch.setattr(proxysql_hostgroup_info, "server_version", greeting)
    answer = run(proxysql_hostgroup_info, probe_members=["A", "b:3307", "gone"])
    assert answer["member_versions"] == {"a:3306": "8.4.6", "b:3307": "8.4.7"}
    assert answer["member_errors"] == {"gone:3306": "refused"}
    assert "probe_members: 'a b' is not allowed" in run(proxysql_hostgroup_info, probe_members=["a b"])["msg"]


@pytest.mark.parametrize("option", ["wait_placed", "wait_checksums", "wait_reachable"])
def test_a_wait_has_a_length(run, option):
    assert (
        f"{option} is -1; allowed are whole numbers of seconds from 0."
        in run(proxysql_hostgroup_info, **{option: -1})["msg"]
    )


# ---- older and other versions ---------------------------------------------------------------------------------------------


def moved(model):
    """The monitor has moved a server since the LOAD."""
    model.put("", groups=[(2, 4, 3, 1, 1, 3, 1, 100, "")], servers=[(2, "a", 3306, *Server())])
    model.load()
    model.db.execute("UPDATE runtime_mysql_servers SET hostgroup_id=3")
    return model


def test_the_servers_of_the_last_load_are_those_of_the_peers_where_the_version_has_them(model):
    moved(model)
    assert list(read.read_loaded(model)) == [(2, "a", 3306)]
    model.version = "2.5.5"
    assert list(read.read_loaded(model)) == [(3, "a", 3306)]


@pytest.mark.parametrize(("error", "known"), [("near PROXY_SELECT: syntax error", True), ("disk I/O error", False)])
def test_a_program_that_says_it_is_newer_and_does_not_know_the_peers_query(model, monkeypatch, error, known):
    moved(model)
    query = model.query

    def answer(statement):
        if statement == read.LOADED_SERVERS:
            raise AdminError("statement", error)
        return query(statement)

    monkeypatch.setattr(model, "query", answer)
    if known:
        assert list(read.read_loaded(model)) == [(3, "a", 3306)]
    else:
        with pytest.raises(AdminError, match=error):
            read.read_loaded(model)


def test_hostgroups_of_other_tables_are_known_and_a_version_without_such_a_table_has_none(model):
    model.db.execute("INSERT INTO mysql_galera_hostgroups VALUES (22, 24, 23, 21)")
    assert read.read_foreign(model) == dict.fromkeys((21, 22, 23, 24), "mysql_galera_hostgroups")
    model.db.execute("DROP TABLE mysql_aws_aurora_hostgroups")
    assert read.read_foreign(model) == {}


# ---- proxysql_restart ---------------------------------------------------------------------------------------------------


class Visitor:
    """A connection to a port for clients, and whether it is open."""

    def __init__(self, done):
        done.append("knock")
        self.done = done

    def close(self):
        self.done.append("leave")


@pytest.fixture
def restart(run, model, monkeypatch):
    """Runs the module; the clients that are connected each time it looks (one of them is the module), the peers of its cluster, and what is refused."""

    def work(seen, peers=0, refused="", systemctl=(0, "", ""), renew=60.0, writers=(), **options):
        said, done, placed = iter(seen), [], iter(writers)

        def write():
            if (count := next(placed)) is None:
                raise AdminError("statement", "ProxySQL has ended")
            return {"writers": str(count)}

        answers = {
            clients.PEERS: lambda: {"peers": str(peers)},
            clients.LIMIT: lambda: {"value": "2048"},
            clients.INTERFACES: lambda: {"value": "0.0.0.0:6033"},
            ready.WRITERS: write,
            clients.CONNECTED: lambda: {"Variable_Value": str(next(said))},
        }

        def execute(statement):
            if refused and refused in statement.text:
                raise AdminError("statement", "ProxySQL MySQL module is already paused, impossible to pause")
            done.append(statement.text)

        def query(text):
            if refused == text:
                raise AdminError("statement", "ProxySQL has ended")
            return [answers[text]()]

        def command(_module, words, **_more):
            done.append(" ".join(words))
            return systemctl if words[0] == "systemctl" else (0, "no space left", "")

        monkeypatch.setattr(model, "execute", execute)
        monkeypatch.setattr(model, "query", query)
        monkeypatch.setattr(clients, "POLL", 0)
        monkeypatch.setattr(clients, "RENEW", renew)
        monkeypatch.setattr(clients, "knock", lambda _interfaces: Visitor(done))
        monkeypatch.setattr(proxysql_restart, "Admin", lambda params: model)
        monkeypatch.setattr(proxysql_restart.AnsibleModule, "run_command", command)
        return run(proxysql_restart, **options), done

    return work


CLOSED = ["SET mysql-max_connections = 1", clients.LOAD, "SET mysql-max_connections = 2048", "knock"]
# Memory, too: what put it back may be what was refused.
OPENED = ["SET mysql-max_connections = 2048", clients.LOAD, "leave"]


def test_a_proxy_is_restarted_when_its_clients_have_gone(restart):
    answer, done = restart([3, 2, 1])
    assert answer["changed"] and answer["clients"] == 0
    # Its own connection lasts until nobody else can connect.
    assert done == [*CLOSED, "systemctl restart proxysql", "leave"]


def test_a_proxy_that_is_taken_away_is_stopped_when_its_clients_have_gone(restart):
    answer, done = restart([2, 1], state="stopped")
    assert answer["changed"] and done == [*CLOSED, "systemctl stop proxysql", "leave"]
    answer, _done = restart([1], state="stopped", systemctl=(1, "", "no such unit"))
    assert answer["failed"] and "proxysql could not be stopped: no such unit" in answer["msg"]


def test_a_proxy_whose_clients_stay_is_restarted_after_a_while(restart):
    answer, done = restart([4], clients_timeout=0, service="px")
    assert answer["clients"] == 3 and done[-2:] == ["systemctl restart px", "leave"]


def test_who_keeps_the_others_out_comes_anew_before_it_is_sent_away(restart):
    _answer, done = restart([2, 1], renew=-1.0)
    assert done == [*CLOSED, "knock", "leave", "systemctl restart proxysql", "leave"]


def test_in_a_cluster_no_variable_is_changed_that_the_others_would_take_over(restart):
    answer, done = restart([0], peers=2)
    assert answer["clients"] == 0 and done == ["PROXYSQL PAUSE", "systemctl restart proxysql"]


def test_a_pause_of_an_interrupted_run_is_no_problem(restart):
    answer, done = restart([0], peers=1, refused="PAUSE")
    assert answer["changed"] and done == ["systemctl restart proxysql"]


def test_a_proxy_that_cannot_be_asked_takes_clients_again(restart):
    answer, done = restart([], refused=clients.CONNECTED)
    assert answer["failed"] and done == [*CLOSED, *OPENED]


@pytest.fixture
def check(tmp_path, monkeypatch):
    """A host with a check and a shared address, which goes, or stays; whether the lease was held each time that the module looked for the address."""
    monkeypatch.setattr(virtual, "DIRECTORY", str(tmp_path))
    monkeypatch.setattr(virtual, "POLL", 0)
    (tmp_path / "state.json").write_text('{"value": 0, "reason": "", "advert": 0}')
    looks = []

    def leased():
        with (tmp_path / "lease").open() as lease:
            try:
                fcntl.flock(lease, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def look(leaves=True, here=True):
        # Seconds until an address that stays is given up: an address that goes has all the time it needs.
        monkeypatch.setattr(virtual, "LATE", 30 if leaves else 0.05)

        def local(_run_command):
            looks.append(leased())
            stays = here and not (leaves and len(looks) > 2)
            return [{"ifname": "eth0", "addr_info": [{"local": "192.0.2.10"}] if stays else []}]

        monkeypatch.setattr(virtual, "interfaces", local)
        return looks, leased

    return look


def test_another_proxy_gets_the_address_before(restart, check):
    looks, leased = check()
    answer, done = restart([1], virtual_addresses=["192.0.2.10/24"])
    assert answer["handed_over"] and looks == [True, True, True] and not leased()
    assert done == [*CLOSED, "systemctl restart proxysql", "leave"]


def test_an_address_that_is_elsewhere_is_not_waited_for(restart, check):
    looks, _leased = check(here=False)
    answer, _done = restart([1], virtual_addresses=["192.0.2.10"])
    assert answer["handed_over"] and len(looks) == 2


def test_an_address_that_stays_is_no_reason_not_to_restart(restart, check):
    looks, leased = check(leaves=False)
    answer, done = restart([1], virtual_addresses=["192.0.2.10"])
    assert not answer["handed_over"] and len(looks) > 3 and not leased() and "systemctl restart proxysql" in done


def test_in_a_cluster_the_address_goes_before_the_ports_are_closed(restart, check):
    looks, _leased = check()
    answer, done = restart([0], peers=2, virtual_addresses=["192.0.2.10"])
    assert answer["handed_over"] and len(looks) == 3 and done == ["PROXYSQL PAUSE", "systemctl restart proxysql"]


def test_without_a_check_no_address_is_given(restart, check, tmp_path):
    looks, _leased = check()
    (tmp_path / "state.json").unlink()
    answer, done = restart([1], virtual_addresses=["192.0.2.10"])
    assert not answer["handed_over"] and looks == [] and "systemctl restart proxysql" in done


@pytest.mark.parametrize(
    ("before", "now", "was_good", "state", "words"),
    [
        (1, None, False, {}, "ProxySQL does not answer"),
        (2, 1, False, {}, "ProxySQL has 1 of 2 writers"),
        (1, 1, True, {"value": -50, "reason": "no answer"}, "the check of the shared address says: no answer"),
        (1, 1, True, {}, "the check of the shared address says: nothing"),
        (1, 2, True, {"value": 0}, ""),
        (0, 0, False, {"value": -50}, ""),
    ],
)
def test_what_a_restarted_proxy_lacks(before, now, was_good, state, words):
    assert ready.lacking(before, now, was_good, state) == words


def test_a_restart_ends_when_the_proxy_has_its_writers_again(restart, monkeypatch):
    answer, done = restart([1], writers=[3, None, 0, 3, 3], wait_ready=60)
    assert answer["changed"] and not answer.get("failed") and done[-2:] == ["systemctl restart proxysql", "leave"]
    answer, _done = restart([1], writers=[1, *[0] * 99], wait_ready=1)
    assert answer["failed"] and answer["changed"]
    assert answer["msg"] == "proxysql was restarted, and 1 s later (wait_ready) ProxySQL has 0 of 1 writers."


def test_a_restart_that_fails_has_the_journals_words(restart):
    answer, _done = restart([1], systemctl=(1, "", "Job failed."))
    assert answer["failed"] and "Job failed. The end of its journal: no space left" in answer["msg"]


def test_check_mode_restarts_nothing(restart):
    answer, done = restart([], check=True)
    assert answer["changed"] and done == []


def test_a_negative_timeout_is_refused(restart):
    answer, done = restart([], clients_timeout=-1)
    assert answer["msg"] == "clients_timeout is -1; allowed are whole numbers of seconds from 0." and done == []


@pytest.mark.parametrize("interfaces", ["nonsense:x;127.0.0.1:{port}", "0.0.0.0:{port};/nowhere"])
def test_the_first_address_that_greets_is_taken(interfaces):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet():
            with server.accept()[0] as client:
                client.sendall(b"8")

        thread = threading.Thread(target=greet)
        thread.start()
        made = clients.knock(interfaces.format(port=server.getsockname()[1]))
        thread.join()
    assert made is not None
    made.close()


def test_where_nobody_listens_nobody_is_held(tmp_path):
    assert clients.knock(f"{tmp_path}/absent.sock") is None
