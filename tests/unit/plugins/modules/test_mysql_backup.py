# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that call mysql-gr-backup, with a program that says what it is told to; and what a server holds, with such a client."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup_program import target_arguments
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.modules import mysql_backup_info, mysql_backup_run, mysqld_content_info

pytestmark = pytest.mark.unit

GROUP = "8f22f846-9922-4139-b2b7-097d185a93cb"
GTID = f"{GROUP}:4711"
PROGRAM = """#!/bin/sh
echo "$@" >>{folder}/arguments
cat >{folder}/stdin
cat {folder}/output
cat {folder}/errors >&2
exit $(cat {folder}/code)
"""


@pytest.fixture
def call(tmp_path, monkeypatch):
    (tmp_path / "program").write_text(PROGRAM.replace("{folder}", str(tmp_path)))
    (tmp_path / "program").chmod(0o755)

    def ended(module, **answer):
        raise SystemExit(json.dumps(answer))

    monkeypatch.setattr(basic.AnsibleModule, "exit_json", ended)
    monkeypatch.setattr(basic.AnsibleModule, "fail_json", lambda module, **answer: ended(module, failed=True, **answer))
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)

    def work(module, output="{}", errors="", code=0, check_mode=False, **options):
        for name, text in (
            ("output", output),
            ("errors", errors),
            ("code", str(code)),
            ("arguments", ""),
            ("stdin", ""),
        ):
            (tmp_path / name).write_text(text)
        arguments = {"program": str(tmp_path / "program"), **options} if module is not mysqld_content_info else options
        own = {
            "_ansible_check_mode": check_mode,
            "_ansible_remote_tmp": str(tmp_path),
            "_ansible_keep_remote_files": False,
        }
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, **own}})))
        with pytest.raises(SystemExit) as end:
            module.main()
        answer = json.loads(str(end.value))
        answer["called"] = (tmp_path / "arguments").read_text().splitlines()
        answer["stdin"] = (tmp_path / "stdin").read_text()
        return answer

    work.folder = tmp_path
    return work


@pytest.mark.parametrize(
    ("target", "arguments"),
    [
        ("latest", ["--latest"]),
        (f"before:{GTID}", ["--before", GTID]),
        (f"gtid:{GROUP}:1-5:7,\n {GROUP}:tag:1", ["--after", f"{GROUP}:1-5:7,{GROUP}:tag:1"]),
        ("time:2026-11-27T17:00:00.5Z", ["--time", "2026-11-27T17:00:00.5Z"]),
    ],
)
def test_a_target_is_said_in_the_programs_words(target, arguments):
    assert target_arguments(target) == arguments


@pytest.mark.parametrize(
    "target",
    [
        "",
        "now",
        "before:",
        f"before:{GROUP}:1-5",
        "gtid:x",
        "time:2026-11-27 17:00",
        "time:2026-11-27T17:00:00",
        "latest:x",
    ],
)
def test_another_target_is_refused(target):
    with pytest.raises(
        Refusal, match="target: '.*' is not allowed .allowed: latest, gtid:SET, before:UUID:NUMBER, time:"
    ):
        target_arguments(target)


@pytest.mark.parametrize(
    ("options", "called"),
    [
        ({}, "list --json"),
        ({"what": "status"}, "status --json"),
        ({"what": "check"}, "check --json"),
        ({"what": "check", "full": "F1", "deep": True}, "check F1 --deep --json"),
        ({"what": "plan"}, "plan --latest --json"),
        (
            {"what": "plan", "target": f"before:{GTID}", "full": "F1", "timeline": 2},
            f"plan --before {GTID} --full F1 --timeline 2 --json",
        ),
    ],
)
def test_the_program_is_asked(call, options, called):
    done = call(mysql_backup_info, '{"a": 1}', **options)
    assert done["called"] == [called] and done["answer"] == {"a": 1} and done["well"] and not done["changed"]


def test_an_alarm_is_an_answer(call):
    done = call(mysql_backup_info, '{"state": "alarm"}', code=1, what="status")
    assert done["answer"] == {"state": "alarm"} and not done["well"]


def test_its_sentence_is_the_modules(call):
    done = call(mysql_backup_info, "", "looking\nmysql-gr-backup: the place is gone\n", 1)
    assert done["failed"] and done["msg"] == "the place is gone" and done["code"] == 1
    assert "said nothing" in call(mysql_backup_info, "no json", "", 3)["msg"]


def test_a_failure_as_json_is_a_failure(call):
    done = call(
        mysql_backup_info,
        '{"failed": true, "msg": "the place is full", "kind": "full"}',
        "mysql-gr-backup: the place is full",
        1,
    )
    assert done["failed"] and done["msg"] == "the place is full" and done["kind"] == "full"


def test_a_host_without_the_program_says_so(call):
    done = call(mysql_backup_info, program="/no/such/mysql-gr-backup")
    assert done["failed"] and "there is no /no/such/mysql-gr-backup" in done["msg"]


@pytest.mark.parametrize(
    ("options", "called"),
    [
        ({"command": "full"}, "full --now --json"),
        ({"command": "restore", "to": "/x", "target": f"before:{GTID}"}, f"restore --before {GTID} --to /x --json"),
        ({"command": "restore", "to": "/x", "full": "F1", "timeline": 2, "identity": "AGE"},
         "restore --latest --full F1 --timeline 2 --to /x --identity - --json"),
        ({"command": "restore", "to": "/x", "checksums": True}, "restore --latest --to /x --checksums --json"),
        ({"command": "full", "checksums": True}, "full --now --checksums --json"),
        ({"command": "extract", "to": "/x", "schema": "shop"}, "extract --latest --to /x --schema shop --json"),
        ({"command": "extract", "to": "/x", "table": "shop.a"}, "extract --latest --to /x --table shop.a --json"),
        ({"command": "drill", "identity": "AGE"}, "drill --identity - --json"),
        ({"command": "timeline", "timeline": 1, "gtid": GTID}, f"timeline new --parent 1 --fork {GTID} --json"),
    ],
)  # fmt: skip
def test_the_program_is_run(call, options, called):
    done = call(mysql_backup_run, '{"ok": true}', **options)
    assert done["called"] == [called] and done["changed"] and done["stdin"] == options.get("identity", "")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"command": "restore"}, "to: is needed for command restore"),
        ({"command": "extract", "to": "/x"}, "schema, table: one of them is needed"),
        ({"command": "extract", "to": "/x", "schema": "a", "table": "a.b"}, "schema, table: one of them is needed"),
        ({"command": "timeline"}, "gtid, timeline: both are needed"),
        ({"command": "restore", "to": "/x", "target": "yesterday"}, "target: 'yesterday' is not allowed"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_run(call, options, sentence):
    done = call(mysql_backup_run, **options)
    assert done["failed"] and sentence in done["msg"] and done["called"] == []


def test_nothing_to_do_is_no_change(call):
    assert not call(mysql_backup_run, '{"nothing": "backup1 makes it"}', command="full")["changed"]


def test_check_mode_plans_and_does_nothing(call):
    done = call(
        mysql_backup_run,
        '{"full": "F1"}',
        command="restore",
        to="/x",
        target=f"before:{GTID}",
        identity="AGE",
        check_mode=True,
    )
    assert (
        done["called"] == [f"plan --before {GTID} --json"]
        and done["changed"]
        and done["answer"] == {"full": "F1"}
        and done["stdin"] == ""
    )
    assert call(mysql_backup_run, command="full", check_mode=True)["called"] == []
    refused = call(
        mysql_backup_run,
        "",
        "mysql-gr-backup: no full backup reaches it",
        1,
        command="restore",
        to="/x",
        check_mode=True,
    )
    assert refused["failed"] and refused["msg"] == "no full backup reaches it"


MYSQL = r"""#!/bin/sh
for word in "$@"; do case "$word" in --execute=*) sql=${word#--execute=} ;; esac; done
case "$sql" in
    *information_schema*) printf '73686f70\t6f6064\n73686f70\t62\n' ;;
    "SELECT COUNT(*) FROM \`shop\`.\`o\`\`d\`") echo 3 ;;
    "SELECT COUNT(*)"*) echo 0 ;;
    "CHECKSUM TABLE \`shop\`.\`b\`") printf 'shop.b\t%s\n' "$(cat {folder}/checksum)" ;;
    "CHECKSUM TABLE"*) printf 'shop.o\t4711\n' ;;
    *) echo "what is $sql" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def server(call, monkeypatch):
    (call.folder / "mysql").write_text(MYSQL.replace("{folder}", str(call.folder)))
    (call.folder / "mysql").chmod(0o755)
    (call.folder / "checksum").write_text("0")
    monkeypatch.setenv("PATH", f"{call.folder}:/usr/bin:/bin")
    return call


def test_what_a_server_holds_is_counted(server):
    done = server(mysqld_content_info)
    assert (
        done["tables"] == {"shop.o`d": {"rows": 3, "checksum": 4711}, "shop.b": {"rows": 0, "checksum": 0}}
        and not done["changed"]
    )


def test_a_server_is_read_without_checksums(server):
    (server.folder / "checksum").write_text("NULL")
    tables = server(mysqld_content_info, checksums=False, sessions=1)["tables"]
    assert tables == {"shop.o`d": {"rows": 3, "checksum": None}, "shop.b": {"rows": 0, "checksum": None}}


def test_no_session_reads_nothing(server):
    assert (
        server(mysqld_content_info, sessions=0)["msg"] == "sessions: 0 is not allowed (allowed: an integer, at least 1)"
    )


def test_a_table_that_cannot_be_read_is_no_table_without_rows(server):
    (server.folder / "checksum").write_text("NULL")
    assert "shop.b has no checksum" in server(mysqld_content_info)["msg"]


def test_a_server_that_does_not_answer_is_said(server):
    (server.folder / "mysql").write_text("#!/bin/sh\necho 'ERROR 2002 (HY000): no server' >&2; exit 1\n")
    assert (
        "the server could not be asked what it holds: ERROR 2002 (HY000): no server"
        in server(mysqld_content_info)["msg"]
    )
