# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options are checked before they are written: mysqld's words, and what the running server knows."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.distdb.mysql_ha.plugins.module_utils._error_log import error_lines, last_start
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import Done, Login
from ansible_collections.distdb.mysql_ha.plugins.module_utils._server_files import overridden
from ansible_collections.distdb.mysql_ha.plugins.modules import mysqld_options_check as check

# As mysqld 9.7.4 writes it.
UNKNOWN = """2026-11-25T18:12:49.845194Z 0 [ERROR] [MY-000067] [Server] unknown variable 'max_conections=200'.
2026-11-25T18:12:49.845236Z 0 [ERROR] [MY-010119] [Server] Aborting
"""
BANANA = """2026-11-25T18:12:51.535138Z 0 [ERROR] [MY-000058] [Server] Unknown suffix 'b' used for variable 'innodb-buffer-pool-size' (value 'banana').
2026-11-25T18:12:51.535173Z 0 [ERROR] [MY-000077] [Server] /usr/sbin/mysqld: Error while setting value 'banana' to 'innodb-buffer-pool-size'.
2026-11-25T18:12:51.535178Z 0 [ERROR] [MY-010746] [Server] Parsing options for plugin 'InnoDB' failed.
2026-11-25T18:12:51.544985Z 0 [ERROR] [MY-010119] [Server] Aborting
"""


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("max_connections = 200", ("max_connections", "200")),
        ("loose-group_replication_group_seeds = a:1,b:1", ("loose_group_replication_group_seeds", "a:1,b:1")),
        ('init_connect = "SET NAMES \\"x\\"; # \\\\"', ("init_connect", 'SET NAMES "x"; # \\')),
        ("skip_name_resolve = ", ("skip_name_resolve", "")),
    ],
)
def test_lines_are_read_as_mysqld_reads_them(line, option):
    assert check.parse_line(line) == option


def test_the_words_of_mysqld():
    assert check.reasons(Done(1, "", UNKNOWN)) == ["unknown variable 'max_conections=200'."]
    assert [text.split()[0] for text in check.reasons(Done(1, "", BANANA))] == ["Unknown", "/usr/sbin/mysqld:"]
    assert check.reasons(Done(1, "", "segmentation fault\n")) == ["segmentation fault"]
    assert check.reasons(Done(2, "", "")) == ["mysqld ended with code 2"]


def test_the_last_start_of_a_log_counts():
    start = "2026-11-25T18:00:00Z 0 [System] [MY-010116] [Server] mysqld (mysqld 9.7.4) starting as process 1\n"
    assert error_lines(last_start(start + UNKNOWN + start)) == []
    assert error_lines(last_start(start + start + UNKNOWN)) == ["unknown variable 'max_conections=200'."]
    assert error_lines(last_start(UNKNOWN)) == ["unknown variable 'max_conections=200'."]


class Server:
    """A running server that answers by statement."""

    def __init__(self, answers):
        self.answers = answers

    def ask(self, statement, timeout=20):
        for part, done in self.answers.items():
            if part in statement:
                return done
        raise AssertionError(statement)


@pytest.mark.parametrize(
    ("options", "found", "words"),
    [
        ({"lower_case_table_names": "1"}, "0\n", "lower_case_table_names=1: the data directory was made with 0"),
        ({"innodb_page_size": "8k"}, "16384\n", "innodb_page_size=8k"),
        ({"innodb_page_size": "16K"}, "16384\n", ""),
        ({"lower_case_table_names": "0"}, "0\n", ""),
        ({"max_connections": "1"}, "", ""),
    ],
)
def test_what_a_data_directory_has_for_good(options, found, words):
    problems = check.ask(Server({"@@GLOBAL": Done(0, found, "")}), options)
    assert bool(problems) is bool(words)
    assert not words or words in problems[0]


def test_a_time_zone_that_the_server_does_not_know():
    unknown = Done(1, "", "ERROR 1298 (HY000) at line 1: Unknown or incorrect time zone: 'Europe/Berlin'\n")
    problems = check.ask(Server({"time_zone = 'Europe/Berlin'": unknown}), {"default_time_zone": "Europe/Berlin"})
    assert "default_time_zone=Europe/Berlin: ERROR 1298" in problems[0]
    assert check.ask(Server({"time_zone = '+01:00'": Done(0, "", "")}), {"default_time_zone": "+01:00"}) == []


@pytest.fixture
def module(monkeypatch):
    def ended(module, **answer):
        raise SystemExit(json.dumps(answer))

    monkeypatch.setattr(basic.AnsibleModule, "exit_json", ended)
    monkeypatch.setattr(basic.AnsibleModule, "fail_json", lambda module, **answer: ended(module, failed=True, **answer))
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)

    def call(**parameters):
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps({"ANSIBLE_MODULE_ARGS": parameters})))
        with pytest.raises(SystemExit) as found:
            check.main()
        return json.loads(found.value.code)

    return call


def test_mysqld_is_given_the_options_on_its_command_line(module, tmp_path):
    program = tmp_path / "mysqld"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/arguments\n')
    program.chmod(0o755)
    answer = module(lines=["port = 1", 'x = "a # b"'], mysqld=str(program), running=False)
    assert answer == {"changed": False, "problems": [], "overridden": [], "current": [], "persisted": []}
    assert (tmp_path / "arguments").read_text().splitlines() == [
        "--no-defaults", "--user=mysql", "--port=1", "--x=a # b", "--validate-config",
    ]  # fmt: skip
    program.write_text(f'#!/bin/sh\necho "{UNKNOWN.splitlines()[0]}" >&2\nexit 1\n')
    assert module(lines=["port = 1"], mysqld=str(program), running=False)["problems"]
    missing = module(lines=[], mysqld=str(tmp_path / "none"))
    assert missing["failed"] and "does not exist on this host" in missing["msg"]


@pytest.fixture
def files(tmp_path):
    """Writes option files, given by name and text; overridden() of lines that are to be in m.d/zz.cnf."""
    folder = tmp_path / "m.d"
    folder.mkdir()

    def write(lines, **texts):
        main = f"!includedir {tmp_path}/none/\n!includedir {folder}/\n" + texts.pop("main", "")
        (tmp_path / "my.cnf").write_text(main)
        for name, text in texts.items():
            (folder / name.replace("_", ".")).write_text(text)
        found = overridden(lines, str(folder / "zz.cnf"), [str(tmp_path / "absent.cnf"), str(tmp_path / "my.cnf")])
        return [text.replace(str(tmp_path), "") for text in found]

    return write


LINES = [
    "max_connections = 151",
    "loose-group_replication_autorejoin_tries = 3",
    "log_bin = binlog",
    "plugin_load_add = a.so",
    "port = 1",
    "skip_name_resolve = ON",
]


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ({"zzz_cnf": "[mysqld]\nmax-connections = 500 # many\n"}, ["max_connections = 500 in /m.d/zzz.cnf (wanted: 151)"]),
        ({"main": "[server]\nloose_group-replication-autorejoin_tries=0"}, ["group_replication_autorejoin_tries = 0 in /my.cnf (wanted: 3)"]),
        ({"zzz_cnf": "[mysqld-9.7]\nskip-log-bin"}, ["log_bin = OFF in /m.d/zzz.cnf (wanted: binlog)"]),
        ({"zzz_cnf": "[mysqld]\nport=2", "main": "[mysqld]\nport = '1'\n"}, []),
        # Read before ours, of another program, of another kind of file, the same, and what adds up.
        ({"a_cnf": "[mysqld]\nport=2", "zz_cnf": "[mysqld]\nport=3", "zzz_cnf": "[client]\nport=4\n"}, []),
        ({"zzz_txt": "[mysqld]\nport=2", "zzzz_cnf": "[mysqld]\nmax_connections=151\nplugin_load_add=b.so\n\n# port=4\nskip-name-resolve\n"}, []),
    ],
)  # fmt: skip
def test_a_file_that_is_read_later_counts(files, texts, found):
    assert files(LINES, **texts) == found


def test_files_that_include_each_other_come_to_an_end(tmp_path):
    (tmp_path / "my.cnf").write_text(f"!include {tmp_path}/my.cnf\n")
    assert overridden(LINES, str(tmp_path / "zz.cnf"), [str(tmp_path / "my.cnf")]) == []


def test_login_is_what_it_says():
    assert Login("/s", "root").password == ""


def test_what_a_server_runs_with_is_compared_line_by_line():
    lines = [
        "port = 3306", "innodb_buffer_pool_size = 128M", "loose-group_replication_start_on_boot = OFF", "loose-group_replication_member_weight = 50",
        "plugin_load_add = group_replication.so", "plugin_load_add = mysql_clone.so", "mysqlx = OFF", "log_bin = binlog", "no_such_option = 1",
    ]  # fmt: skip
    variables = {
        "port": "3306", "innodb_buffer_pool_size": "134217728", "group_replication_start_on_boot": "0", "group_replication_member_weight": "60",
        "log_bin": "ON", "log_bin_basename": "/var/lib/mysql/binlog",
    }  # fmt: skip
    assert check.running_lines(lines, variables, ["group_replication", "InnoDB"]) == [
        *lines[:3],
        "group_replication_member_weight = 60",
        "plugin_load_add = group_replication.so",
        "mysqlx = OFF",
        "log_bin = binlog",
    ]
    assert "mysqlx = OFF" not in check.running_lines(lines, variables, ["mysqlx"])


def test_a_server_that_cannot_be_asked_runs_with_nothing_known(monkeypatch):
    monkeypatch.setattr(Login, "ask", lambda login, text: Done(1, "", "no"))
    assert check.look_at_running(Login("/s", "root"), ["port = 3306"]) == ([], [])


def test_what_is_persisted_of_the_lines_is_named(monkeypatch):
    answers = {"SHOW": "port\t3306\n", "SELECT PLUGIN": "InnoDB\n", "SELECT VARIABLE": "port\nmax_connections\n"}
    monkeypatch.setattr(
        Login, "ask", lambda login, text: Done(0, next(a for n, a in answers.items() if text.startswith(n)), "")
    )
    assert check.look_at_running(Login("/s", "root"), ["port = 3306"]) == (["port = 3306"], ["port"])
