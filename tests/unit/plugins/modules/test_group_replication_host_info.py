# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of a host."""

from __future__ import annotations

import hashlib

from ansible_collections.distdb.mysql_ha.plugins.module_utils import _host, _sockets
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import Done, Login
from ansible_collections.distdb.mysql_ha.plugins.modules import group_replication_host_info as host_info

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 821FD50A:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 51203 1 0000000000000000 100 0 0 10 0
   1: 821FD50A:9C40 831FD50A:0CEA 01 00000000:00000000 00:00000000 00000000   999        0 51299 1 0000000000000000 20 4 30 10 -1
"""


def test_only_sockets_that_listen_count():
    assert _sockets.listening(TCP) == [(3306, "51203")]


def test_os_release():
    found = host_info.parse_os_release(
        'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\nPRETTY_NAME="Ubuntu 24.04"\n'
    )
    assert found == {
        "id": "ubuntu",
        "like": ["debian"],
        "family": "debian",
        "version": "24.04",
        "codename": "noble",
        "name": "Ubuntu 24.04",
    }


def test_addresses_of_this_host():
    assert _sockets.is_local("127.0.0.1") is True
    assert _sockets.is_local("192.0.2.1") is False
    assert _sockets.is_local("db0.example.com") is None


def test_uuid_and_relay_logs_of_a_data_directory(tmp_path):
    assert host_info.uuid_of(str(tmp_path)) == ""
    assert host_info.relay_logs(str(tmp_path)) == []
    (tmp_path / "auto.cnf").write_text("[auto]\nserver-uuid=5027942c-e646-11f1-8004-02fc00000001\n")
    (tmp_path / "db0-relay-bin-group_replication_applier.000001").write_text("")
    (tmp_path / "db0-relay-bin-group_replication_applier.index").write_text("")
    assert host_info.uuid_of(str(tmp_path)) == "5027942c-e646-11f1-8004-02fc00000001"
    assert host_info.relay_logs(str(tmp_path)) == ["db0-relay-bin"]


def test_a_file_is_seen_with_its_rights(tmp_path):
    path = tmp_path / "file"
    assert host_info.look_at(str(path)) is None
    path.write_text("x")
    path.chmod(0o640)
    assert host_info.look_at(str(path))[:2] == [hashlib.sha1(b"x").hexdigest(), "0640"]


LOGIN = Login("/nowhere", "root", "geheim")
ROW = "u\t9.7.4\t1\t0\tONLINE\tOFF\tON\tg\tdb0.lab 3306,2001:db8::1 3307\n"


def test_a_server_that_cannot_be_asked_says_why(monkeypatch):
    failed = Done(1, "", "mysql: [Warning] x\nERROR 2002 (HY000): no server\n")
    monkeypatch.setattr(_host, "run", lambda *command, **options: failed)
    assert host_info.ask_server(LOGIN) == {"error": "ERROR 2002 (HY000): no server"}


def test_what_a_server_says_of_itself(monkeypatch):
    monkeypatch.setattr(_host, "run", lambda *command, **options: Done(0, ROW, ""))
    found = host_info.ask_server(LOGIN)
    assert found["update_everywhere_checks"] is True
    assert found["single_primary"] is False and found["has_transactions"] is True and found["read_only"] is False
    assert found["seen"] == [["db0.lab", "3306"], ["2001:db8::1", "3307"]]


def test_the_password_is_not_in_the_process_list(monkeypatch):
    seen = []

    def run(command, **options):
        seen.append((command, options))
        return Done(1, "", "x")

    monkeypatch.setattr(_host, "run", run)
    host_info.ask_server(LOGIN)
    command, options = seen[0]
    assert not [word for word in command if "geheim" in word]
    assert options["env"] == {"MYSQL_PWD": "geheim"}


def test_commands_that_are_not_there_or_do_not_end():
    assert _host.run(["/no/such/program"]).code == _host.NO_SUCH_PROGRAM
    assert _host.run(["sleep", "5"], timeout=0.1).code == _host.NO_ANSWER
    assert _host.run(["cat"], stdin="x").output == "x"


def test_packages_and_what_was_left_half_configured():
    listing = "mysql-server\tiU \t9.7.4-2\nmysql-server-core\tii \t9.7.4-2\npython3-pymysql\tii \t1.1\nbash\tii \t5\nmariadb-server\trc \t1\n"
    found = host_info.parse_packages(["mysql", "mariadb"], listing)
    assert found.versions == {"mysql-server-core": "9.7.4-2", "python3-pymysql": "1.1"}
    assert found.half_installed == ["mysql-server"]


def test_names():
    assert _sockets.resolve("localhost")
    assert _sockets.resolve("no-such-host.invalid") == []
    assert _sockets.is_own("localhost") is True
    assert _sockets.is_own("no-such-host.invalid") is None
    assert _sockets.is_own("192.0.2.1") is False
