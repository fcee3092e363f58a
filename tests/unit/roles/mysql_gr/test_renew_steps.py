# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each step of a change of certificates does on a member: entry point renew of the role, whose questions to the host are answered here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml
from support_plays import play_book

pytestmark = [pytest.mark.unit]

ROLE = Path(__file__).resolve().parents[4] / "roles" / "mysql_gr"
MODE, VERIFY = "group_replication_ssl_mode", "group_replication_recovery_ssl_verify_server_cert"
# In place of what asks the host: the tasks set the facts that the play has in `answers`, and what is done is collected in `done`.
ANSWER = [{"ansible.builtin.set_fact": {"_answered": True}}]
NOTE = [{"ansible.builtin.set_fact": {"done": "{{ done | default([]) + ['%s'] }}"}}]


def note(what):
    return json.loads(json.dumps(NOTE) % what)


def role(folder):
    """The role's own file, and stand-ins for the files that it includes."""
    tasks = folder / "roles" / "renewed" / "tasks"
    tasks.mkdir(parents=True)
    steps = yaml.safe_load((ROLE / "tasks" / "renew.yml").read_text())
    for task in steps:
        if "ansible.mysql.mysql_variables" in task:
            task.pop("ansible.mysql.mysql_variables")
            task.pop("module_defaults")
            task["ansible.builtin.set_fact"] = {
                "was_set": "{{ was_set | default([]) + [item.key ~ '=' ~ item.value] }}"
            }
        if "block" in task:
            task["block"] = note("written")
    (tasks / "main.yml").write_text(yaml.safe_dump(steps, sort_keys=False))
    for name in ("renew_check", "look_tls"):
        (tasks / f"{name}.yml").write_text(yaml.safe_dump(ANSWER))
    for name in ("certificate", "reload_tls", "peer_options", "exporters_certificate"):
        (tasks / f"{name}.yml").write_text(yaml.safe_dump(note(name)))


CASES = {
    # name: (step, kind, is being moved, the server has these files, what it has read, new settings)
    # → (what is set, what is done, whether Group Replication is started anew)
    "own CA, nothing new": (
        ("trust", "own_ca", False, True, (True, True), {}),
        ([], ["certificate"], False),
    ),
    "another CA, which is trusted at once": (
        ("trust", "own_ca", False, True, (False, False), {}),
        ([], ["certificate", "reload_tls"], True),
    ),
    "given in the same files: not before the proxies trust them": (
        ("trust", "given", False, True, (False, False), {}),
        ([], [], False),
    ),
    "given in the same files, then": (
        ("issue", "given", False, True, (False, False), {}),
        ([], ["reload_tls", "peer_options", "exporters_certificate"], True),
    ),
    "a group that verifies stops that first": (
        ("trust", "given", True, False, (False, False), {MODE: "REQUIRED", VERIFY: "OFF", "ssl_cert": "/given"}),
        ([f"{MODE}=REQUIRED", f"{VERIFY}=OFF"], [], True),
    ),
    "then it gets the other certificates": (
        ("issue", "given", True, False, (False, True), {MODE: "REQUIRED", VERIFY: "OFF", "ssl_cert": "/given"}),
        (
            [f"{MODE}=REQUIRED", f"{VERIFY}=OFF", "ssl_cert=/given"],
            ["reload_tls", "written", "peer_options", "exporters_certificate"],
            True,
        ),
    ),
    "at the end nothing more": (
        ("verify", "given", True, False, (True, True), {}),
        ([], ["peer_options", "exporters_certificate"], False),
    ),
    "one that only encrypts is not started anew before": (
        ("trust", "own_ca", True, False, (False, False), {"ssl_cert": "/own", "clone_ssl_ca": "/own"}),
        ([], ["certificate"], False),
    ),
    "and verifies at the end": (
        ("verify", "own_ca", True, True, (True, True), {MODE: "VERIFY_IDENTITY", VERIFY: "ON"}),
        (
            [f"{MODE}=VERIFY_IDENTITY", f"{VERIFY}=ON"],
            ["certificate", "reload_tls", "written", "peer_options", "exporters_certificate"],
            True,
        ),
    ),
    "donors of clones alone need no new start": (
        ("issue", "own_ca", False, True, (True, True), {"clone_ssl_ca": "/own"}),
        (["clone_ssl_ca=/own"], ["certificate", "written", "peer_options", "exporters_certificate"], False),
    ),
}


def variables(step, kind, moves, same, read, new):
    own = {part: f"/own/{part}" for part in ("ca", "cert", "key")}
    return {
        "mysql_gr_renew_step": step,
        "_mysql_gr_tls": kind,
        "_mysql_gr_tls_moving": moves,
        "_mysql_gr_tls_same": same,
        "_mysql_gr_tls_files": own,
        "_mysql_gr_tls_names": [],
        "_mysql_gr_tls_seen": {"tls": {}},
        "_mysql_gr_trusted_text": "trusted",
        "_mysql_gr_live": {"variables": new},
        "_mysql_gr_in_group": True,
        "_mysql_gr_tls_now": {"tls": {"read": dict(zip(("main", "group"), read))}},
        "_mysql_gr_text": "new" if new else "old",
        "mysql_gr_renewal": {"kind": kind},
        "mysql_gr_tls_renew_days": 30,
        # Exporters, which have a copy, are there.
        "_mysql_gr_exporting": True,
        "_mysql_gr_monitoring_web_file": "/web.yml",
        "_mysql_gr_monitoring_directory": "/exporters",
        "_mysql_gr_probe": {"files": {"/web.yml": ["a"]}},
    }


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """What is known of each case after its step: all in one run."""
    folder = tmp_path_factory.mktemp("renew")
    role(folder)
    plays = [
        {
            "hosts": f"h{number}",
            "gather_facts": False,
            "vars": {**variables(*case), "_mysql_gr_loaded": "{{ 'old' | hash('sha1') }}"},
            "tasks": [
                {"ansible.builtin.include_role": {"name": "renewed"}},
                {"ansible.builtin.copy": {"content": KNOWN, "dest": str(folder / f"{number}.json"), "mode": "0600"}},
            ],
        }
        for number, (case, _expected) in enumerate(CASES.values())
    ]
    (folder / "play.yml").write_text(yaml.safe_dump(plays, sort_keys=False))
    hosts = {f"h{number}": {"ansible_connection": "local"} for number in range(len(CASES))}
    for host in hosts.values():
        host["ansible_python_interpreter"] = sys.executable
    (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    done = play_book("-i", "inventory.yml", "play.yml", folder=folder)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    return {name: json.loads((folder / f"{number}.json").read_text()) for number, name in enumerate(CASES)}


KNOWN = "{{ {'was_set': was_set | default([]), 'done': done | default([]), 'rejoin': mysql_gr_rejoin, 'renewal': mysql_gr_renewal} | to_json }}"


@pytest.mark.parametrize("name", CASES)
def test_a_step_does_what_is_due_in_it(ended, name):
    found, (_case, (was_set, done, rejoin)) = ended[name], CASES[name]
    assert (found["was_set"], found["done"], found["rejoin"]) == (was_set, done, rejoin)
    kind = CASES[name][0][1]
    assert found["renewal"] == {"kind": kind, **({"ca": "trusted"} if kind == "own_ca" else {})}
