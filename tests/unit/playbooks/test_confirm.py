# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The question of destructive playbooks, with and without a terminal, and which playbooks have it."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import time
from pathlib import Path

import pytest
import yaml
from support_plays import ENVIRONMENT, PROGRAM, by_case, play_book, run_plays

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "A destructive playbook goes on only with its cluster's name, given or typed, and shows its plan, in check mode, too."
    ),
]
ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = ROOT / "playbooks"
# What each of them says in docs/reference/playbooks.md is read by the last tests.
DESTRUCTIVE = ["fail_over_site", "fence", "force_quorum", "remove_member", "remove_proxy", "restore"]
REQUESTING = [
    "add_member",
    "recover",
    "replace_member",
    "replicate_from",
    "rotate_passwords",
    "site",
    "standby_site",
    "switch_mode",
]


def play(name: str, clusters: list[str], **more: object) -> dict:
    """A play that asks as a destructive playbook does, and shows whether it goes on."""
    return {
        "name": f"case {name}.", "hosts": "localhost", "gather_facts": False, "connection": "local", "any_errors_fatal": True,
        "vars_files": [str(PLAYBOOKS / "vars/operations.yml")],
        "vars": {"operations_does": ["its tables are dropped"], **more},
        "tasks": [
            {"ansible.builtin.set_fact": {"operations_targets": {"clusters": [{"name": cluster} for cluster in clusters]}}},
            {
                "block": [
                    {"ansible.builtin.import_tasks": str(PLAYBOOKS / "tasks/confirm.yml")},
                    {"ansible.builtin.debug": {"msg": "it is done"}},
                ],
                "rescue": [{"ansible.builtin.debug": {"msg": "refused with {{ ansible_failed_result.msg }}"}}],
            }
        ],
    }  # fmt: skip


CASES = [
    play("nothing given", ["alpha"]),
    play("another name", ["alpha"], confirm="beta"),
    play("the name", ["alpha"], confirm="alpha", operations_measured_as="remove_member"),
    play("asked for before", ["alpha"]),
    play("two clusters, one asked for before", ["alpha", "beta"]),
    play("two clusters", ["alpha", "beta"], confirm=["beta", "alpha"]),
    play("nothing to ask", ["gamma"], operations_asks=[]),
    play("one of two is asked for", ["gamma", "delta"], operations_asks=["gamma"], confirm="gamma"),
]


@pytest.fixture(scope="module")
def without_terminal(tmp_path_factory):
    return by_case(run_plays(tmp_path_factory.mktemp("confirm"), CASES))


@pytest.fixture(scope="module")
def in_check_mode(tmp_path_factory):
    return by_case(run_plays(tmp_path_factory.mktemp("confirm"), CASES, "--check"))


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("nothing given", "refused with confirm: '' is not allowed (allowed: alpha, the name of the cluster"),
        ("another name", "refused with confirm: 'beta' is not allowed (allowed: alpha"),
        ("two clusters, one asked for before", "refused with confirm: '' is not allowed (allowed: alpha,beta"),
        ("the name", "it is done"),
        ("asked for before", "it is done"),
        ("two clusters", "it is done"),
        ("nothing to ask", "it is done"),
        ("one of two is asked for", "it is done"),
    ],
)
def test_without_a_terminal_the_name_decides(without_terminal, case, words):
    found = without_terminal[case]
    assert words in found
    assert ("it is done" in found) is (words == "it is done")
    assert ("its tables are dropped." in found) is (case != "nothing to ask"), "the plan is shown, whatever was given"


def test_the_plan_has_the_measured_time_or_says_that_there_is_none(without_terminal):
    assert "Time: 13 s for one of five members under load, on two cores (docs/measurements/failover.md)." in without_terminal["the name"]  # fmt: skip
    assert "Time: not measured." in without_terminal["another name"]


def test_check_mode_shows_the_plan_and_asks_nothing(in_check_mode):
    assert (
        "its tables are dropped." in in_check_mode["nothing given"] and "it is done" in in_check_mode["nothing given"]
    )
    assert "it is done" in in_check_mode["two clusters"]
    # Nobody was asked, so nothing is remembered; a wrong name is found out before the real run.
    assert "refused with confirm: 'beta' is not allowed" in in_check_mode["another name"]


def at_a_terminal(folder: Path, plays: list[dict], answer: str) -> str:
    """The output in a terminal in which this is typed at the first question."""
    path = folder / "play.yml"
    path.write_text(yaml.safe_dump(plays, sort_keys=False))
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        os.execve(PROGRAM[0], [*PROGRAM, "-i", "localhost,", str(path)], ENVIRONMENT)
    seen, end, typed = b"", time.monotonic() + 240, 0.0
    while time.monotonic() < end:
        # Input that comes before the question is thrown away.
        if seen.count(b"to go on") == 1 and b"Check the name" not in seen and time.monotonic() > typed + 10:
            os.write(terminal, answer.encode() + b"\r")
            typed = time.monotonic()
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            seen += os.read(terminal, 65536)
        except OSError:  # It has ended.
            break
    else:
        os.kill(child, signal.SIGKILL)
    os.close(terminal)
    os.waitpid(child, 0)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode())


def test_at_a_terminal_the_name_is_typed_once(tmp_path):
    found = by_case(at_a_terminal(tmp_path, [CASES[0], CASES[3]], "alpha"))
    assert "Type the name of what this run changes (alpha)" in found["nothing given"]
    assert "it is done" in found["nothing given"] and "it is done" in found["asked for before"]
    assert "to go on" not in found["asked for before"]


def test_at_a_terminal_anything_else_ends_it(tmp_path):
    found = by_case(at_a_terminal(tmp_path, CASES[:1], "yes"))["nothing given"]
    assert "refused with confirm: 'yes' is not allowed (allowed: alpha" in found and "it is done" not in found


def task_of(playbook: str) -> dict:
    """The task that asks, of a playbook, with its variables."""
    tasks = [
        task for play in yaml.safe_load((PLAYBOOKS / f"{playbook}.yml").read_text()) for task in play.get("tasks", [])
    ]
    task = next(task for task in tasks if task.get("ansible.builtin.import_tasks") == "tasks/confirm.yml")
    return {**task, "ansible.builtin.import_tasks": str(PLAYBOOKS / "tasks/confirm.yml")}


ALPHA = {
    "name": "alpha",
    "all": ["db0", "db1", "db2"],
    "members": ["db0", "db1", "db2"],
    "lead": "db0",
    "proxies": ["proxy1", "proxy2"],
}
BETA = {"name": "beta", "all": ["db3", "db4"], "members": ["db3", "db4"], "lead": "db3", "proxies": ["proxy1"]}
TABLES = "{{ {'db0': 4, 'db1': 4, 'db2': 4}[inventory_hostname] | default(0) }}"
PLANS = {
    "restore": (
        [ALPHA, BETA],
        {
            "operations_backup": "/srv/monday", "operations_wanted": {"schemas": ["app", "shop"], "at": "2026-11-27T17:00:00Z"},
            "operations_tables": {"query_result": [[{"tables": TABLES}]]},
        },
        ["changes cluster alpha:", "the schemas app, shop of alpha are dropped, with 4 tables, on every member, and replaced by those of the backup"
         " /srv/monday, made 2026-11-27T17:00:00Z."],
    ),
    "force_quorum": (
        [ALPHA], {"operations_lost": ["db1", "db2"]},
        ["changes cluster alpha:", "db1, db2 is given up: transactions that no other member has are lost.", "a group of db0 goes on;"],
    ),
    "remove_member": (
        [BETA], {"operations_member": "db4"},
        ["changes cluster beta:", "db4 is drained and leaves the group, which then has 1 of 2 members: db3.", "the group may lose 0 of them", "Time: 13 s"],
    ),
    "remove_proxy": (
        [ALPHA, BETA], {"operations_proxy": "proxy1", "others": ["proxy2"]},
        ["changes clusters alpha, beta:", "proxy1 takes no more clients;", "the applications are left with proxy2."],
    ),
    "fail_over_site": (
        [BETA], {"operations_site": "beta", "operations_give_up": "alpha"},
        ["changes cluster beta:", "beta takes writes, and alpha is given up.", "what alpha committed and beta has not received is lost."],
    ),
    "fence": (
        [ALPHA], {"operations_fence": "all"},
        ["applications are disconnected from db0, db1, db2 and not admitted until distdb.mysql_ha.unfence."],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    """What each destructive playbook shows, by its own templates."""
    plays = []
    for name, (clusters, facts, _words) in PLANS.items():
        members = [host for entry in clusters for host in entry["members"]]
        targets = {"clusters": clusters, "members": members, "leads": [entry["lead"] for entry in clusters]}
        plays.append(
            {
                "name": f"case {name}.", "hosts": members, "gather_facts": False, "connection": "local",
                "vars_files": [str(PLAYBOOKS / "vars/operations.yml")],
                "vars": {key: value for key, value in facts.items() if key not in ("operations_tables", "operations_wanted")},
                "tasks": [
                    {
                        "ansible.builtin.set_fact": {"operations_targets": targets},
                        "delegate_to": "localhost", "delegate_facts": True, "run_once": True,
                    },
                    {"ansible.builtin.set_fact": {"_case": name, **facts}},
                    task_of(name),
                ],
            }
        )  # fmt: skip
    folder = tmp_path_factory.mktemp("plans")
    (folder / "hosts.yml").write_text(
        yaml.safe_dump({"all": {"hosts": dict.fromkeys(["db0", "db1", "db2", "db3", "db4"])}})
    )
    return by_case(run_plays(folder, plays, "--check", "--inventory", str(folder / "hosts.yml")))


@pytest.mark.parametrize("name", PLANS)
def test_the_plan_of_each_playbook(plans, name):
    for words in PLANS[name][2]:
        assert words in plans[name]
    assert name != "restore" or "beta" not in plans[name]


MEMBERS = {"db0": {"mysql_gr_address": "192.0.2.130"}, "db1": {"mysql_gr_address": "192.0.2.131"}}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "ASK [Find nothing to ask]"),
        (
            ["-e", "mysql_gr_clone=reprovision"],
            "confirm: '' is not allowed (allowed: mysql_gr, the name of the cluster",
        ),
        (["-e", "mysql_gr_bootstrap_from=192.0.2.130", "-e", "confirm=mysql_gr"], "ASK [Find nothing to ask]"),
    ],
)
def test_a_request_that_may_give_data_up_is_asked_about(tmp_path, arguments, words):
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"children": {"mysql_gr": {"hosts": MEMBERS}}}}))
    (tmp_path / "play.yml").write_text(
        f"- import_playbook: {PLAYBOOKS}/plays/targets.yml\n- import_playbook: {PLAYBOOKS}/plays/requests.yml\n"
        "- hosts: all\n  gather_facts: false\n  tasks: [{name: Find nothing to ask, ansible.builtin.debug: {msg: done}}]\n"
    )
    done = play_book("-i", "hosts.yml", "play.yml", "--tags", "all", *arguments, folder=tmp_path)
    text = " ".join(done.stdout.replace("''", "'").split())
    assert words in text, done.stdout + done.stderr
    assert (done.returncode == 0) is ("ASK [Find nothing to ask]" in text)
    assert ("Show the plan" in text) is bool(arguments)


def asking(word: str) -> list[str]:
    return sorted(path.stem for path in PLAYBOOKS.glob("*.yml") if word in path.read_text())


def test_which_playbooks_ask_is_documented():
    assert asking("import_tasks: tasks/confirm.yml") == DESTRUCTIVE
    assert asking("import_playbook: plays/requests.yml") == REQUESTING
    page = (ROOT / "docs/reference/playbooks.md").read_text()
    section = page.partition("## Playbooks that ask")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    first = sorted(name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1]))
    assert first == sorted(DESTRUCTIVE + REQUESTING)


def test_a_playbook_that_runs_site_or_joins_members_asks_before_its_first_change():
    for path in PLAYBOOKS.glob("*.yml"):
        text = path.read_text()
        if re.search(
            r"import_playbook: site\.yml|tasks_from: join\.yml|name: distdb\.mysql_ha\.mysql_gr\n(?! +tasks_from)",
            text,
        ):
            assert path.stem in REQUESTING, path
            plays = [play.get("ansible.builtin.import_playbook") for play in yaml.safe_load(text)]
            assert plays[:2] == ["plays/targets.yml", "plays/requests.yml"], path


def test_measured_times_are_those_of_their_pages():
    """Within a half: a page that is measured again need not change the plan for a second."""
    measured = yaml.safe_load((PLAYBOOKS / "vars/operations.yml").read_text())["operations_measured"]
    used = {
        match for path in PLAYBOOKS.rglob("*.yml") for match in re.findall(r"operations_measured_as: (\w+)$", path.read_text(), re.MULTILINE)
    }  # fmt: skip
    assert used == set(measured)
    for name, entry in measured.items():
        seconds = float(re.fullmatch(r"(\d+) s", entry["took"])[1])
        rows = [line for line in (ROOT / entry["page"]).read_text().splitlines() if line.startswith(f"| `{name}` |")]
        times = [float(re.search(r"\| (\d+) s \|$", row)[1]) for row in rows]
        assert times and all(seconds / 1.5 <= time <= seconds * 1.5 for time in times), (name, times)


def plays_that_ask():
    """Each play that asks for the name of a cluster, with its file."""
    for path in sorted((ROOT / "playbooks").rglob("*.yml")):
        for one in yaml.safe_load(path.read_text()) or [] if path.parent.name in ("playbooks", "plays") else []:
            if "tasks/confirm.yml" in yaml.safe_dump(one.get("tasks", [])):
                yield pytest.param(one, id=f"{path.stem}: {one['name']}")


@pytest.mark.parametrize("one", list(plays_that_ask()))
def test_a_play_that_asks_knows_the_run_s_clusters(one):
    """Without these variables the question itself fails."""
    assert [Path(name).name for name in one["vars_files"]] == ["operations.yml"]
