# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's installer of package files, with an apt-get that writes down how it is called."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[4] / "roles" / "mysql_gr" / "files" / "install_files.py"
CHECKSUM = "sha256:" + hashlib.sha256(b"a package").hexdigest()
APT_GET = """#!/bin/sh
case " $* " in
    *" --simulate "*) echo simulate ;;
    *) echo "install, policy: $(tail -n 1 {folder}/policy)" ;;
esac >>{folder}/calls
cat {folder}/plan
test ! -e {folder}/broken || case " $* " in *" --simulate "*) ;; *) exit 100 ;; esac
"""


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host with one package file; call(action) runs the program there."""
    spec = importlib.util.spec_from_file_location("mysql_gr_install_files", FILE)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "apt-get").write_text(APT_GET.format(folder=tmp_path))
    (tmp_path / "bin" / "apt-get").chmod(0o755)
    (tmp_path / "plan").write_text("Inst mysql-server (9.7.4)\nConf mysql-server (9.7.4)\n")
    (tmp_path / "a.deb").write_bytes(b"a package")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(program, "POLICY", str(tmp_path / "policy"))

    def call(action, checksum=CHECKSUM, name="a.deb"):
        question = json.dumps({"action": action, "files": {str(tmp_path / name): checksum}})
        monkeypatch.setattr(program.sys, "stdin", io.StringIO(question))
        monkeypatch.setattr(program.sys, "stdout", io.StringIO())
        program.main()
        return json.loads(program.sys.stdout.getvalue() or "null")

    return tmp_path, call


def calls(folder):
    path = folder / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_look_names_files_that_are_lacking_or_other_ones(host):
    folder, call = host
    assert call("look") == {"lacking": []}
    assert call("look", checksum="sha256:" + "0" * 64) == {"lacking": [str(folder / "a.deb")]}
    assert call("look", name="b.deb") == {"lacking": [str(folder / "b.deb")]}
    assert call("look", checksum="sha512:" + hashlib.sha512(b"a package").hexdigest().upper()) == {"lacking": []}
    assert calls(folder) == []


@pytest.mark.parametrize("wrong", [{"checksum": "sha256:" + "0" * 64}, {"name": "b.deb"}])
def test_nothing_is_installed_with_another_file(host, wrong):
    folder, call = host
    with pytest.raises(SystemExit, match="not there, or another checksum; nothing is installed"):
        call("install", **wrong)
    assert calls(folder) == []


def test_services_are_kept_from_starting_while_packages_are_installed(host):
    folder, call = host
    call("install")
    assert calls(folder) == ["install, policy: exit 101"]
    assert not (folder / "policy").exists()


@pytest.mark.parametrize("broken", [False, True])
def test_a_policy_of_the_hosts_own_is_put_back(host, broken):
    folder, call = host
    (folder / "policy").write_text("the host's own")
    if broken:
        (folder / "broken").touch()
        with pytest.raises(SystemExit):
            call("install")
    else:
        call("install")
    assert "install, policy: exit 101" in calls(folder)
    assert (folder / "policy").read_text() == "the host's own"


def test_a_plan_only_simulates(host):
    folder, call = host
    assert call("plan") == {"packages": ["mysql-server"]}
    assert calls(folder) == ["simulate"]


def test_what_is_installed_already_is_not_in_the_plan(host):
    folder, call = host
    (folder / "plan").write_text("mysql-server is already the newest version (9.7.4).\n")
    assert call("plan") == {"packages": []}
