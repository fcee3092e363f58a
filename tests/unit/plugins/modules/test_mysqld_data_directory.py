# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A data directory takes another one's place, and a run that was interrupted anywhere is taken up."""

from __future__ import annotations

import getpass
import json
import os

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common.text.converters import to_bytes
from ansible_collections.distdb.mysql_ha.plugins.module_utils import _data_directory
from ansible_collections.distdb.mysql_ha.plugins.modules import mysqld_data_directory

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("A restore sets the former data aside and loses nothing of them, wherever it is interrupted."),
]

# A mysqld that initialises: it notes its statements, or fails.
MYSQLD = r"""#!/bin/sh
for word in "$@"; do
    case "$word" in --datadir=*) to=${word#--datadir=} ;; --init-file=*) script=${word#--init-file=} ;; esac
done
test ! -e {folder}/failing || { echo "2026 0 [ERROR] [MY-1] [Server] no room" >&2; exit 1; }
cp "$script" {folder}/statements
echo "$@" >{folder}/arguments
echo blank >"$to/ibdata1"
echo another >"$to/server-cert.pem"
"""


@pytest.fixture
def host(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    state = tmp_path / "state"
    state.write_text("ActiveState=inactive\n")
    for name, text in (
        ("systemctl", f"#!/bin/sh\ncat {state}\n"),
        ("mysqld", MYSQLD.replace("{folder}", str(tmp_path))),
    ):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(mysqld_data_directory, "FOLDER", str(tmp_path))

    def ended(module, **answer):
        raise SystemExit(json.dumps(answer))

    monkeypatch.setattr(basic.AnsibleModule, "exit_json", ended)
    monkeypatch.setattr(basic.AnsibleModule, "fail_json", lambda module, **answer: ended(module, failed=True, **answer))
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    datadir = tmp_path / "mysql"
    datadir.mkdir()
    for name in ("ibdata1", "auto.cnf", "mysqld-auto.cnf", "server-cert.pem", ".hidden"):
        (datadir / name).write_text(f"old {name}")
    (datadir / "shop").mkdir()
    (datadir / "shop" / "orders.ibd").write_text("old rows")

    class Host:
        path = datadir
        folder = tmp_path

        def call(self, check_mode=False, **options):
            given = {"path": str(datadir), "name": "monday", "user": getpass.getuser(), **options}
            arguments = {
                "ANSIBLE_MODULE_ARGS": {
                    **given,
                    "_ansible_check_mode": check_mode,
                    "_ansible_remote_tmp": str(tmp_path),
                    "_ansible_keep_remote_files": False,
                }
            }
            monkeypatch.setattr(basic, "_ANSIBLE_ARGS", to_bytes(json.dumps(arguments)))
            with pytest.raises(SystemExit) as end:
                mysqld_data_directory.main()
            return json.loads(str(end.value))

        def restored(self):
            """What a restore has made, where the module says."""
            there = tmp_path / os.path.relpath(self.call()["beside"], tmp_path)
            (there / "shop").mkdir(parents=True)
            (there / "ibdata1").write_text("new ibdata1")
            (there / "auto.cnf").write_text("of a private server")
            (there / "shop" / "orders.ibd").write_text("new rows")
            return there

        def run(self, text):
            state.write_text(text)

        def mounted(self):
            monkeypatch.setattr(_data_directory.os.path, "ismount", lambda path: str(path) == str(datadir))

    return Host()


def new(host):
    return (host.path / "shop" / "orders.ibd").read_text() == "new rows"


@pytest.mark.parametrize("mounted", [False, True])
def test_another_one_takes_its_place_and_the_former_one_stays(host, mounted):
    if mounted:
        host.mounted()
    source = host.restored()
    done = host.call(state="replaced", source=str(source))
    assert done["changed"] and new(host) and not source.exists()
    # It is another server with this one's settings.
    assert not (host.path / "auto.cnf").exists()
    assert (host.path / "mysqld-auto.cnf").read_text() == "old mysqld-auto.cnf" and (
        host.path / "server-cert.pem"
    ).exists()
    aside = host.folder / os.path.relpath(done["aside"], host.folder)
    assert (aside / "shop" / "orders.ibd").read_text() == "old rows" and (aside / "auto.cnf").exists()
    again = host.call(state="replaced", source=str(source))
    assert not again["changed"] and again["stage"] == "done" and new(host)
    end = host.call(state="finished")
    kept = host.folder / os.path.relpath(end["kept"], host.folder)
    assert end["changed"] and (kept / "shop" / "orders.ibd").read_text() == "old rows" and not aside.exists()
    assert sorted(os.listdir(kept)) == sorted(
        ["auto.cnf", "ibdata1", "mysqld-auto.cnf", "server-cert.pem", "shop"] + ([] if mounted else [".hidden"])
    )
    assert not host.call(state="finished")["changed"]
    # The same name again is another replacement.
    assert host.call()["stage"] == "none"


@pytest.mark.parametrize("mounted", [False, True])
@pytest.mark.parametrize(
    ("what", "step"), [*(("rename", step) for step in range(1, 12)), ("replace", 1), ("replace", 2)]
)
def test_an_interrupted_one_is_taken_up(host, monkeypatch, mounted, what, step):
    """The power fails at each rename, and before each mark."""
    if mounted:
        host.mounted()
    source = host.restored()
    count, rename = [0], getattr(os, what)

    def failing(*names):
        count[0] += 1
        if count[0] == step:
            raise KeyboardInterrupt
        rename(*names)

    with monkeypatch.context() as power:
        power.setattr(_data_directory.os, what, failing)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            options = {
                "path": str(host.path),
                "name": "monday",
                "state": "replaced",
                "source": str(source),
                "service": "mysql",
                "keep": True,
            }
            mysqld_data_directory.work_on(options, False, 0)
            raise SystemExit  # it has no so many
    done = host.call(state="replaced", source=str(source))
    assert "failed" not in done and new(host) and host.call()["stage"] == "done"
    aside = host.folder / os.path.relpath(done["aside"], host.folder)
    assert (aside / "shop" / "orders.ibd").read_text() == "old rows" and (
        aside / "ibdata1"
    ).read_text() == "old ibdata1"


@pytest.mark.parametrize("mounted", [False, True])
def test_a_blank_one_takes_its_place(host, mounted):
    if mounted:
        host.mounted()
    done = host.call(state="replaced", login_user="o'p", login_password="a\\b'c")
    assert done["changed"] and (host.path / "ibdata1").read_text() == "blank\n" and not (host.path / "shop").exists()
    # Without a transaction, whatever its option file says.
    assert "--skip-log-bin" in (host.folder / "arguments").read_text().split()
    # It shows the certificate that it has shown before.
    assert (host.path / "server-cert.pem").read_text() == "old server-cert.pem"
    statements = (host.folder / "statements").read_text().splitlines()
    assert (
        statements[0] == "CREATE USER IF NOT EXISTS 'o''p'@'localhost';"
        and "IDENTIFIED BY 'a\\\\b''c';" in statements[1]
    )
    assert not list(host.folder.glob(".gr-first-*"))


@pytest.mark.parametrize("mounted", [False, True])
def test_what_was_set_aside_comes_back_where_no_blank_one_can_be_made(host, mounted):
    if mounted:
        host.mounted()
    (host.folder / "failing").touch()
    done = host.call(state="replaced")
    assert "no room" in done["msg"] and (host.path / "shop" / "orders.ibd").read_text() == "old rows"
    assert host.call()["stage"] == "none"


def test_nothing_is_done_while_the_server_runs(host):
    host.run("ActiveState=active\n")
    done = host.call(state="replaced")
    assert "the server mysql runs" in done["msg"] and (host.path / "shop" / "orders.ibd").exists()


def test_a_source_has_to_be_there(host):
    assert "source: there is no directory /no/such" in host.call(state="replaced", source="/no/such")["msg"]
    assert (host.path / "ibdata1").read_text() == "old ibdata1"


def test_check_mode_changes_nothing_and_says_what_would_be(host):
    source = host.restored()
    done = host.call(check_mode=True, state="replaced", source=str(source))
    assert (
        done["changed"]
        and str(source) in done["diff"]["after"]
        and (host.path / "ibdata1").read_text() == "old ibdata1"
    )


def test_a_directory_of_an_unknown_run_is_in_the_way(host):
    source = host.restored()
    os.mkdir(host.call()["aside"])
    assert "is there already" in host.call(state="replaced", source=str(source))["msg"]
    assert (host.path / "ibdata1").read_text() == "old ibdata1"


def test_what_was_set_aside_can_be_removed(host):
    done = host.call(state="replaced", source=str(host.restored()))
    end = host.call(state="finished", keep=False)
    assert end["kept"] == "" and not os.path.exists(done["aside"]) and new(host)


def test_it_says_how_large_it_is_and_what_is_free(host):
    seen = host.call()
    assert seen["used"] > 0 and seen["free"] > 0 and not seen["running"] and not seen["changed"]
