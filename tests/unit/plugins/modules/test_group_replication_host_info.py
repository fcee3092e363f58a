# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of a host."""

from __future__ import annotations

import hashlib
import json
import os
import socket

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.distdb.mysql_ha.plugins.module_utils import _host, _sockets
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import seen_by_client
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import Done, Login
from ansible_collections.distdb.mysql_ha.plugins.modules import group_replication_host_info as host_info
from ansible_collections.distdb.mysql_ha.plugins.modules import tls_files_info

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
    assert _host.look_at(str(path)) is None
    path.write_text("x")
    path.chmod(0o640)
    assert _host.look_at(str(path))[:2] == [hashlib.sha1(b"x").hexdigest(), "0640"]


def test_other_files_are_seen_with_a_certificate(tmp_path, capsys):
    there, missing = tmp_path / "there", str(tmp_path / "missing")
    there.write_text("x")
    parts = {part: str(tmp_path / part) for part in ("ca", "cert", "key")}
    with patch_module_args({**parts, "files": [str(there), missing]}), pytest.raises(SystemExit):
        tls_files_info.main()
    answer = json.loads(capsys.readouterr().out)
    assert answer["files"][str(there)][0] == hashlib.sha1(b"x").hexdigest() and answer["files"][missing] is None
    assert answer["tls"]["cert_checksum"] is None and answer["tls"]["problem"]


LOGIN = Login("/nowhere", "root", "geheim")
ROW = "u\t9.7.4\tu:1,\\nv:1-2\t\t0\tONLINE\tOFF\tON\tg\tXCOM\tca.pem\tcert.pem\tkey.pem\tREQUIRED\tdb0.lab 3306,2001:db8::1 3307\n"


def test_a_server_that_cannot_be_asked_says_why(monkeypatch):
    failed = Done(1, "", "mysql: [Warning] x\nERROR 2002 (HY000): no server\n")
    monkeypatch.setattr(_host, "run", lambda *command, **options: failed)
    assert host_info.ask_server(LOGIN) == {"error": "ERROR 2002 (HY000): no server"}


def test_what_a_server_says_of_itself(monkeypatch):
    monkeypatch.setattr(_host, "run", lambda *command, **options: Done(0, ROW, ""))
    found = host_info.ask_server(LOGIN)
    assert found["update_everywhere_checks"] is True
    assert found["single_primary"] is False and found["has_transactions"] is True and found["read_only"] is False
    assert found["gtid_executed"] == "u:1,v:1-2" and found["gtid_purged"] == ""
    assert found["communication_stack"] == "XCOM"
    assert found["seen"] == [["db0.lab", "3306"], ["2001:db8::1", "3307"]]


def test_data_that_cannot_be_seen_is_not_no_data(monkeypatch):
    monkeypatch.setattr(_host, "run", lambda *command, **options: Done(1, "", "ERROR 1045 (28000): Access denied\n"))
    assert seen_by_client(LOGIN) == (None, "ERROR 1045 (28000): Access denied")
    monkeypatch.setattr(_host, "run", lambda *command, **options: Done(0, "1\n", ""))
    assert seen_by_client(LOGIN)[0] is None


def test_the_password_is_in_no_command_line_and_no_environment(monkeypatch):
    seen = []

    def run(command, **options):
        seen.append((command, options))
        return Done(1, "", "x")

    monkeypatch.setattr(_host, "run", run)
    host_info.ask_server(LOGIN)
    command, options = seen[0]
    assert not [word for word in command if "geheim" in word] and "env" not in options
    assert command[1] == "--defaults-file=/dev/stdin"
    assert options["stdin"] == '[client]\npassword="geheim"\n'


def test_a_password_of_any_characters_is_one_value_of_an_option_file():
    assert _host.client_options("a\\b\"c'#$ d") == '[client]\npassword="a\\\\b\\"c\'#$ d"\n'


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


def test_who_listens_on_a_port_is_found_by_its_socket():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        (found,) = _sockets.ports_in_use([port])
    with open("/proc/self/comm", encoding="utf-8") as own:
        assert found == {"port": port, "process": own.read().strip()}
    assert _sockets.ports_in_use([port]) == [] and _sockets.owner("0") == ""


ANSWERS = {
    "dpkg-query": "mysql-server\tii \t1:9.7.4-2\n",
    "systemctl": "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNeedDaemonReload=no\n",
    "mysql": ROW,
    "apt-cache": "mysql-server:\n  Installed: (none)\n  Candidate: 1:9.7.4-2\n",
}


@pytest.fixture
def look(monkeypatch, capsys, tmp_path):
    """Runs the module on a host whose programs answer as given; None: there is no such program."""

    def work(**answers):
        known = {**ANSWERS, **answers}

        def run(command, **_more):
            output = known.get(command[0])
            return _host.Done(0, output, "") if output is not None else _host.Done(_host.NO_SUCH_PROGRAM, "", "none")

        monkeypatch.setattr(_host, "run", run)
        monkeypatch.setattr(host_info, "run", run)
        options = {
            "address": "127.0.0.1",
            "candidate": "mysql-server",
            "datadir": str(tmp_path),
            "names": ["localhost"],
        }
        options["files"] = [str(tmp_path / "auto.cnf"), str(tmp_path / "none")]
        with patch_module_args(options), pytest.raises(SystemExit):
            host_info.main()
        return json.loads(capsys.readouterr().out)["host"]

    return work


def test_a_member_that_runs(look, tmp_path):
    (tmp_path / "auto.cnf").write_text("[auto]\nserver-uuid=u-u-i-d\n")
    os.chmod(tmp_path / "auto.cnf", 0o640)
    (tmp_path / "relay-bin-group_replication_applier.000001").touch()
    host = look()
    assert host["installed"] and host["version"] == "9.7.4-2" and host["uuid"] == "u-u-i-d"
    assert host["service"] == {"exists": True, "active": "active", "enabled": True, "reload": False}
    assert host["relay_logs"] == ["relay-bin"] and host["memory"] > 0 and host["address_is_local"] is True
    assert host["files"][str(tmp_path / "auto.cnf")][1] == "0640" and host["files"][str(tmp_path / "none")] is None
    assert host["sql"]["has_transactions"] is True and host["sql"]["read_only"] is False
    assert host["sql"]["state"] == "ONLINE" and ["db0.lab", "3306"] in host["sql"]["seen"]
    assert host["resolved"]["localhost"]


def test_a_blank_host_says_what_it_would_get(look):
    host = look(**{"dpkg-query": "bash\tii \t5\n", "systemctl": "", "mysql": None})
    assert not host["installed"] and host["version"] == "9.7.4-2" and host["sql"] == {} and host["uuid"] == ""
    assert look(**{"dpkg-query": "", "apt-cache": "  Candidate: (none)\n"})["version"] == ""


def test_a_server_without_a_package_is_known_by_its_program(look):
    host = look(**{"dpkg-query": "", "/usr/sbin/mysqld": "/usr/sbin/mysqld  Ver 8.4.6 for Linux on x86_64"})
    assert host["installed"] and host["version"] == "8.4.6"


def test_a_server_that_does_not_answer_says_why(look):
    assert "error" in look(mysql=None)["sql"]
