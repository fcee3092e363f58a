# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server is started and watched, with a systemctl that says what it is told to."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.distdb.mysql_ha.plugins.modules import mysqld_service

# `show` gives one line of the file `states` after the other, the last one again and again; a start that fails writes its log.
SYSTEMCTL = r"""#!/bin/sh
case " $* " in
    *" show "*)
        head -n 1 {folder}/states | tr ' ' '\n'
        test "$(wc -l <{folder}/states)" -eq 1 || sed -i 1d {folder}/states ;;
    *) echo "$*" >>{folder}/calls; test ! -e {folder}/failing || cat {folder}/failing >>{folder}/error.log ;;
esac
"""
UP = "ActiveState=active SubState=running ActiveEnterTimestampMonotonic=100 Job="
UP_AGAIN = "ActiveState=active SubState=running ActiveEnterTimestampMonotonic=200 Job="
STOPPING = "ActiveState=deactivating SubState=stop-sigterm ActiveEnterTimestampMonotonic=100 Job=7"
STARTING = "ActiveState=activating SubState=start ActiveEnterTimestampMonotonic=100 Job=7"
DOWN = "ActiveState=inactive SubState=dead ActiveEnterTimestampMonotonic=100 Job="
FAILED = "ActiveState=failed SubState=failed ActiveEnterTimestampMonotonic=100 Job="
LOOP = "ActiveState=activating SubState=auto-restart ActiveEnterTimestampMonotonic=100 Job="
START = "2026-11-25T18:42:20Z 0 [System] [MY-010116] [Server] mysqld (mysqld 9.7.4) starting as process 1\n"
ABORT = (
    START + "2026-11-25T18:42:21Z 0 [ERROR] [MY-010455] [Server] Failed to open the bootstrap file /no/such/file\n"
    "2026-11-25T18:42:21Z 0 [ERROR] [MY-010119] [Server] Aborting\n"
)


@pytest.fixture
def service(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    for name, text in (("systemctl", SYSTEMCTL), ("journalctl", "#!/bin/sh\necho the words of $1\n")):
        (tmp_path / "bin" / name).write_text(text.replace("{folder}", str(tmp_path)))
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(mysqld_service, "POLL", 0.01)
    # Of an earlier start: it is not this one's.
    (tmp_path / "error.log").write_text(START + "2026-11-25T18:00:00Z 0 [ERROR] [MY-000067] [Server] of yesterday\n")

    def ended(module, **answer):
        raise SystemExit(json.dumps(answer))

    monkeypatch.setattr(basic.AnsibleModule, "exit_json", ended)
    monkeypatch.setattr(basic.AnsibleModule, "fail_json", lambda module, **answer: ended(module, failed=True, **answer))
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)

    def call(*states, failing="", check_mode=False, **parameters):
        (tmp_path / "states").write_text("".join(f"{state}\n" for state in states))
        if failing:
            (tmp_path / "failing").write_text(failing)
        parameters = {"error_log": str(tmp_path / "error.log"), "grace": 0, **parameters}
        arguments = {"ANSIBLE_MODULE_ARGS": dict(parameters, _ansible_check_mode=check_mode)}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps(arguments)))
        with pytest.raises(SystemExit) as found:
            mysqld_service.main()
        calls = tmp_path / "calls"
        return json.loads(found.value.code), calls.read_text().splitlines() if calls.exists() else []

    return call


def test_one_that_runs_is_left_alone(service):
    assert service(UP) == ({"changed": False}, [])


def test_one_that_is_down_is_started(service):
    answer, calls = service(DOWN, STARTING, UP_AGAIN)
    assert answer == {"changed": True}
    assert calls == ["reset-failed mysql", "--no-block start mysql"]


def test_a_restart_is_over_when_the_server_is_up_again_not_while_the_old_one_is(service):
    answer, calls = service(UP, UP, STOPPING, STARTING, UP_AGAIN, state="restarted")
    assert answer == {"changed": True}
    assert calls[-1] == "--no-block restart mysql"


def test_check_mode_only_says_it(service):
    assert service(DOWN, check_mode=True) == ({"changed": True}, [])


@pytest.mark.parametrize("last", [FAILED, LOOP])
def test_one_that_ends_is_quoted_and_left_stopped(service, last):
    answer, calls = service(UP, STOPPING, STARTING, last, failing=ABORT, state="restarted", grace=60)
    assert answer["failed"] and answer["errors"] == ["Failed to open the bootstrap file /no/such/file"]
    assert "ended while it started" in answer["msg"] and "of yesterday" not in answer["msg"]
    assert "kill --signal=KILL mysql" in calls and calls[-1] == "stop mysql"


def test_one_that_hangs_after_it_has_given_up_is_killed(service):
    """As MySQL 9.7.4 with Group Replication does where init_file is missing."""
    answer, calls = service(UP, STARTING, failing=ABORT, state="restarted")
    assert "gave its start up and does not end" in answer["msg"] and "/no/such/file" in answer["msg"]
    assert calls[-3:] == ["--no-block stop mysql", "kill --signal=KILL mysql", "stop mysql"]


def test_one_that_takes_too_long(service):
    answer, _calls = service(DOWN, STARTING, timeout=0)
    assert "was not up within 0 s: the words of _SYSTEMD_UNIT=mysql.service" in answer["msg"]
