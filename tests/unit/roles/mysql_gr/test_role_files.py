# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's own files: the probe's reading of a host, and MySQL's release key."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
from pathlib import Path

import yaml

ROLE = Path(__file__).resolve().parents[4] / "roles" / "mysql_gr"


def load_probe():
    spec = importlib.util.spec_from_file_location("mysql_gr_probe", ROLE / "files" / "probe.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


probe = load_probe()

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 821FD50A:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 51203 1 0000000000000000 100 0 0 10 0
   1: 821FD50A:9C40 831FD50A:0CEA 01 00000000:00000000 00:00000000 00000000   999        0 51299 1 0000000000000000 20 4 30 10 -1
"""


def test_only_sockets_that_listen_count():
    assert probe.listening(TCP) == [(3306, "51203")]


def test_os_release():
    found = probe.parse_os_release(
        'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\nPRETTY_NAME="Ubuntu 24.04"\n'
    )
    assert found == {
        "id": "ubuntu",
        "like": ["debian"],
        "version": "24.04",
        "codename": "noble",
        "name": "Ubuntu 24.04",
    }


def test_addresses_of_this_host():
    assert probe.is_local("127.0.0.1") is True
    assert probe.is_local("192.0.2.1") is False
    assert probe.is_local("db0.example.com") is None


def test_uuid_and_relay_logs_of_a_data_directory(tmp_path):
    assert probe.uuid_of(str(tmp_path)) == ""
    assert probe.relay_logs(str(tmp_path)) == []
    (tmp_path / "auto.cnf").write_text("[auto]\nserver-uuid=5027942c-e646-11f1-8004-02fc00000001\n")
    (tmp_path / "db0-relay-bin-group_replication_applier.000001").write_text("")
    (tmp_path / "db0-relay-bin-group_replication_applier.index").write_text("")
    assert probe.uuid_of(str(tmp_path)) == "5027942c-e646-11f1-8004-02fc00000001"
    assert probe.relay_logs(str(tmp_path)) == ["db0-relay-bin"]


def test_a_file_is_seen_with_its_rights(tmp_path):
    path = tmp_path / "file"
    assert probe.look_at(str(path)) is None
    path.write_text("x")
    path.chmod(0o640)
    assert probe.look_at(str(path))[:2] == [hashlib.sha1(b"x").hexdigest(), "0640"]


def test_a_server_that_cannot_be_asked_says_why(monkeypatch):
    question = {"login_unix_socket": "/nowhere", "login_user": "root", "login_password": ""}
    monkeypatch.setattr(
        probe, "run", lambda *command, **options: (1, "", "mysql: [Warning] x\nERROR 2002 (HY000): no server\n")
    )
    assert probe.ask_server(question) == {"error": "ERROR 2002 (HY000): no server"}
    monkeypatch.setattr(probe, "run", lambda *command, **options: (0, "u\t9.7.4\t1\t0\tONLINE\tOFF\tg\n", ""))
    assert probe.ask_server(question)["single_primary"] is False
    assert probe.ask_server(question)["has_transactions"] is True


def test_the_password_is_not_in_the_process_list(monkeypatch):
    seen = []

    def run(*command, **options):
        seen.append((command, options))
        return 1, "", "x"

    monkeypatch.setattr(probe, "run", run)
    probe.ask_server({"login_unix_socket": "/s", "login_user": "root", "login_password": "geheim"})
    command, options = seen[0]
    assert not [word for word in command if "geheim" in word]
    assert options["env"] == {"MYSQL_PWD": "geheim"}


def test_the_release_key_is_the_pinned_one():
    """RFC 4880: the fingerprint is the SHA-1 of 0x99, the length and the body of the public key packet; the armor has a CRC-24."""
    armor = (
        (ROLE / "files" / "mysql-release.asc").read_text().split("\n\n", 1)[1].split("\n-----END", 1)[0].splitlines()
    )
    data = base64.b64decode("".join(armor[:-1]))
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _bit in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    assert base64.b64decode(armor[-1][1:]) == crc.to_bytes(3, "big")
    assert data[0] == 0x99
    length = int.from_bytes(data[1:3], "big")
    fingerprint = hashlib.sha1(b"\x99" + data[1 : 3 + length]).hexdigest().upper()
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    assert fingerprint == variables["_mysql_gr_repository_key_fingerprint"]
