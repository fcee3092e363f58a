# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The installer of packages and package files, with an apt-get and a dpkg that write down how they are called."""

from __future__ import annotations

import hashlib
import json

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.distdb.mysql_ha.plugins.modules import apt_packages

CHECKSUM = "sha256:" + hashlib.sha256(b"a package").hexdigest()
APT_GET = """#!/bin/sh
case " $* " in
    *" --simulate "*) echo "simulate ${{*##*install}}" ;;
    *) echo "install ${{*##*install}}, policy: $(tail -n 1 {folder}/policy)" ;;
esac >>{folder}/calls
cat {folder}/plan
test ! -e {folder}/broken_once || case " $* " in
    *" --simulate "*) ;;
    *) rm {folder}/broken_once; mkdir -p {folder}/data/mysql; touch {folder}/data/ibdata1; exit 100 ;;
esac
test ! -e {folder}/broken || case " $* " in *" --simulate "*) ;; *) cat {folder}/broken; exit 100 ;; esac
"""
DPKG = """#!/bin/sh
echo "dpkg $1, policy: $(tail -n 1 {folder}/policy)" >>{folder}/calls
"""
BROKEN = """Unpacking mysql-server-9.7 (9.7.4-2) ...
Setting up mysql-common (5.8) ...
Setting up mysql-server-9.7 (9.7.4-2) ...
ERROR: Unable to start MySQL server:
dpkg: error processing package mysql-server-9.7 (--configure):
 installed mysql-server-9.7 package post-installation script subprocess returned error exit status 1
dpkg: dependency problems prevent configuration of mysql-server
Errors were encountered while processing:
 mysql-server-9.7
"""


class Ended(Exception):
    """The module's answer."""


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host with one package file; call(**parameters) gives the module's answer."""
    (tmp_path / "bin").mkdir()
    for name, text in (("apt-get", APT_GET), ("dpkg", DPKG)):
        (tmp_path / "bin" / name).write_text(text.format(folder=tmp_path))
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "plan").write_text("Inst mysql-server (9.7.4)\nConf mysql-server (9.7.4)\n")
    (tmp_path / "a.deb").write_bytes(b"a package")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    no_starts = apt_packages.no_starts
    monkeypatch.setattr(apt_packages, "no_starts", lambda: no_starts(str(tmp_path / "policy")))
    monkeypatch.setattr(apt_packages, "half_installed", (tmp_path / "half").exists)

    def ended(module, **answer):
        raise Ended(answer)

    monkeypatch.setattr(basic.AnsibleModule, "exit_json", ended)
    monkeypatch.setattr(basic.AnsibleModule, "fail_json", lambda module, **answer: ended(module, failed=True, **answer))

    def call(check_mode=False, name="a.deb", checksum=CHECKSUM, **parameters):
        parameters.setdefault("files", {str(tmp_path / name): checksum})
        arguments = {"ANSIBLE_MODULE_ARGS": dict(parameters, _ansible_check_mode=check_mode)}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps(arguments)))
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        with pytest.raises(Ended) as found:
            apt_packages.main()
        return found.value.args[0]

    return tmp_path, call


def calls(folder):
    path = folder / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_verified_names_files_that_are_lacking_or_other_ones(host):
    folder, call = host
    assert call(state="verified")["lacking"] == []
    assert call(state="verified", checksum="sha256:" + "0" * 64)["lacking"] == [str(folder / "a.deb")]
    assert call(state="verified", name="b.deb")["lacking"] == [str(folder / "b.deb")]
    sha512 = "sha512:" + hashlib.sha512(b"a package").hexdigest().upper()
    assert call(state="verified", checksum=sha512)["lacking"] == []
    assert calls(folder) == []


@pytest.mark.parametrize("wrong", [{"checksum": "sha256:" + "0" * 64}, {"name": "b.deb"}])
def test_nothing_is_installed_with_another_file(host, wrong):
    folder, call = host
    answer = call(**wrong)
    assert answer["failed"] and "nothing is installed" in answer["msg"]
    assert calls(folder) == []


def test_names_and_files_are_installed_in_one_call_without_starting_services(host):
    folder, call = host
    answer = call(names=["python3-pymysql"])
    assert answer["changed"] and answer["packages"] == ["mysql-server"]
    wanted = f"python3-pymysql {folder / 'a.deb'}"
    assert calls(folder) == [f"simulate  {wanted}", f"install  {wanted}, policy: exit 101"]
    assert not (folder / "policy").exists()


@pytest.mark.parametrize("broken", [False, True])
def test_a_policy_of_the_hosts_own_is_put_back(host, broken):
    folder, call = host
    (folder / "policy").write_text("the host's own")
    if broken:
        (folder / "broken").write_text(BROKEN)
    assert call().get("failed", False) is broken
    assert [line for line in calls(folder) if line.startswith("install") and "policy: exit 101" in line]
    assert (folder / "policy").read_text() == "the host's own"


def test_check_mode_only_simulates(host):
    folder, call = host
    answer = call(check_mode=True)
    assert answer["changed"] and answer["packages"] == ["mysql-server"]
    assert [line.split()[0] for line in calls(folder)] == ["simulate"]


def test_what_is_installed_already_changes_nothing(host):
    folder, call = host
    (folder / "plan").write_text("mysql-server is already the newest version (9.7.4).\n")
    answer = call()
    assert not answer["changed"] and answer["packages"] == []
    assert [line.split()[0] for line in calls(folder)] == ["simulate"]


def test_what_was_left_half_configured_is_finished_first(host):
    folder, call = host
    (folder / "half").touch()
    assert call(names=["mysql-server"], files={})["changed"]
    assert [line.split()[0] for line in calls(folder)] == ["dpkg", "simulate", "install"]
    assert "policy: exit 101" in calls(folder)[0]


def test_finishing_alone_is_a_change(host):
    folder, call = host
    (folder / "half").touch()
    assert call(files={})["changed"]
    assert calls(folder) == ["dpkg --configure, policy: exit 101"]


def test_a_configuration_step_that_fails_is_quoted_with_the_log(host):
    folder, call = host
    (folder / "broken").write_text(BROKEN)
    (folder / "error.log").write_text(
        "2026-11-25T18:00:00Z 0 [System] [MY-010116] [Server] mysqld (mysqld 9.7.4) starting as process 1\n"
        "2026-11-25T18:00:01Z 0 [ERROR] [MY-012271] [InnoDB] The innodb_system data file must be writable\n"
    )
    message = call(logs=[str(folder / "error.log"), "/no/such.log"])["msg"]
    assert "ERROR: Unable to start MySQL server" in message
    assert "returned error exit status 1" in message
    assert "The innodb_system data file must be writable" in message
    assert "Setting up mysql-common" not in message and "/no/such.log" not in message
    assert len(message) < 1000


@pytest.mark.parametrize("before", [None, (), ("lost+found",)])
def test_a_data_directory_that_was_empty_is_initialised_once_more(host, before):
    folder, call = host
    for name in before or ():
        (folder / "data" / name).mkdir(parents=True)
    if before == ():
        (folder / "data").mkdir()
    (folder / "broken_once").touch()
    answer = call(data_directory=str(folder / "data"))
    assert answer["changed"] and not answer.get("failed")
    assert [line.split()[0] for line in calls(folder)] == ["simulate", "install", "install"]
    assert [path.name for path in (folder / "data").iterdir()] == list(before or ())


def test_one_that_succeeds_is_not_repeated(host):
    folder, call = host
    assert call(data_directory=str(folder / "data"))["changed"]
    assert [line.split()[0] for line in calls(folder)] == ["simulate", "install"]


@pytest.mark.parametrize("directory", ["data", None])
def test_a_data_directory_with_data_is_never_touched(host, directory):
    folder, call = host
    (folder / "data").mkdir()
    (folder / "data" / "ibdata1").write_text("ours")
    (folder / "broken_once").touch()
    answer = call(**({"data_directory": str(folder / directory)} if directory else {}))
    assert answer["failed"]
    assert [line.split()[0] for line in calls(folder)] == ["simulate", "install"]
    assert {path.name for path in (folder / "data").iterdir()} >= {"ibdata1"}


def test_a_step_that_fails_twice_is_quoted(host):
    folder, call = host
    (folder / "broken_once").touch()
    (folder / "broken").write_text(BROKEN)
    assert "Unable to start MySQL server" in call(data_directory=str(folder / "data"))["msg"]
    assert [line.split()[0] for line in calls(folder)] == ["simulate", "install", "install"]


@pytest.mark.parametrize(
    ("status", "half"),
    [
        ("install ok installed", False),
        ("install ok half-configured", True),
        ("install ok unpacked", True),
        ("deinstall ok config-files", False),
    ],
)
def test_half_installed(status, half):
    text = f"Package: mysql-server-9.7\nStatus: {status}\nPriority: optional\n"
    assert apt_packages.half_installed(text) is half
