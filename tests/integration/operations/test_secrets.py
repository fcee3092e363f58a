# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords and keys while they change: rotation and renewal as verbose as they get, and every host and the control node searched afterwards."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

import pytest
from support_load import rotation
from support_secrets import HERE, KEPT, search_here, search_host, stray, watched

pytestmark = [
    pytest.mark.operations,
    pytest.mark.claim(
        "Rotation of passwords and renewal of certificates, as verbose as they get, leave no password, passphrase or key where it is not needed.",
    ),
]

KEY_FILES = {"db": "/etc/mysql/gr-key.pem", "proxy": "/etc/proxysql-tls/key.pem"}


class Recorded:
    """Runs whose output, log and facts are kept, on members that log each statement; then the search for texts (name by text)."""

    def __init__(self, lab, folder):
        self.lab, self.folder, self.hosts = lab, folder, (*lab.members, "proxy")
        self.output, self.began, self.planted = "", time.time() - 1, secrets.token_hex(16)

    def play(self, playbook, texts, *arguments):
        """Nothing is seen of them while it runs, and the output has none."""
        with watched(self.lab, self.hosts, texts) as seen:
            run = self.lab.site(*arguments, "-vvv", "--diff", playbook=f"playbooks/{playbook}.yml", timeout=900)
        assert run.code == 0, run
        assert seen == dict.fromkeys((*self.hosts, HERE), [])
        self.output += run.output
        return run

    def search(self, texts, kept=KEPT):
        """They are where they are kept, for who needs them, and nowhere else; what is planted on each host, and here, is found."""
        texts = {**texts, self.planted: "planted"}
        for host in self.hosts:
            self.lab.give(host, "cat >/etc/planted; systemd-cat cat /etc/planted; journalctl --sync", self.planted)
        (self.folder / "planted").write_text(self.planted)
        try:
            found = {host: search_host(self.lab, host, texts, self.began) for host in self.hosts}
            # The runs' own variables are given in a file.
            apart = [
                self.folder / "given",
                *(Path(os.environ[name]) for name in ("TESTS_BESIDE",) if name in os.environ),
            ]
            here = search_here([self.folder, Path.home() / ".ansible", Path("/tmp")], apart, texts, self.began)
        finally:
            for host in self.hosts:
                self.lab.on(host, "rm", "-f", "/etc/planted")
        for host in self.hosts:
            places = {place for name, place, _mode in found[host] if name == "planted"}
            assert {"/etc/planted", "journal"} <= places, host
            others = [entry for entry in found[host] if entry[0] != "planted"]
            assert others, f"{host} has what it needs"
            assert stray(others, kept["proxy" if host == "proxy" else "db"]) == [], host
        # Twice, where the folder is in /tmp.
        assert {place for name, place, _mode in here if name == "planted"} == {str(self.folder / "planted")}
        assert [entry for entry in here if entry[0] != "planted"] == []
        assert [name for text, name in texts.items() if text in self.output] == []
        assert (self.folder / "run.log").stat().st_size > 100_000


@pytest.fixture
def recorded(lab, tmp_path, monkeypatch):
    kept = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "cache"),
            "ANSIBLE_LOG_PATH": str(tmp_path / "run.log")}  # fmt: skip
    for name, value in kept.items():
        monkeypatch.setitem(lab.env, name, value)
    (tmp_path / "given").mkdir()
    for member in lab.members:
        lab.sql(member, "SET GLOBAL general_log_file = '/var/log/mysql/general.log'; SET GLOBAL general_log = ON")
    yield Recorded(lab, tmp_path)
    for member in lab.members:
        lab.sql(member, "SET GLOBAL general_log = OFF")


def test_rotation_shows_neither_the_old_nor_the_new_passwords(lab, recorded):
    old, new, forward, back = rotation(lab, recorded.folder / "given")
    discard = ("-e", "operations_discard_old=true")
    texts = {str(word): f"{age} {name}" for age, words in (("old", old), ("new", new)) for name, word in words.items()}
    try:
        recorded.play("rotate_passwords", texts, *forward)
        recorded.play("rotate_passwords", texts, *forward, *discard)
        recorded.search(texts)
    finally:
        runs = [
            lab.site(*arguments, playbook="playbooks/rotate_passwords.yml", timeout=900)
            for arguments in (back, (*back, *discard))
        ]
    assert [run.code for run in runs] == [0, 0], runs


def test_renewal_shows_neither_passphrase_nor_keys(lab, recorded):
    """Keys are known afterwards only: of each, the first line of its text, in which the key begins."""
    texts = {str(word): name for name, word in lab.secrets().items()}
    recorded.play("renew_certificates", texts, "-e", "mysql_gr_tls_renew_days=400")
    files = {host: KEY_FILES["proxy" if host == "proxy" else "db"] for host in recorded.hosts}
    keys = {lab.on(host, "sed", "-n", "2p", path).strip(): f"key of {host}" for host, path in files.items()}
    assert len(keys) == len(files) and all(len(line) > 16 for line in keys)
    assert "PRIVATE KEY" not in recorded.output
    recorded.search({**texts, **keys}, {kind: f"{KEPT[kind]}|{path}" for kind, path in KEY_FILES.items()})
    of_ca = Path(lab.variable("db0", "mysql_gr_tls_directory")) / "ca.key"
    assert of_ca.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----") and of_ca.stat().st_mode & 0o077 == 0
