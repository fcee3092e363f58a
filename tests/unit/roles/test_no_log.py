# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""no_log where a task's output would hold a secret, and only there: what is hidden without need hides errors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("Tasks hide their output where it would hold a secret, and nowhere else."),
]

ROOT = Path(__file__).resolve().parents[3]
ROLES = ("mysql_backup", "mysql_gr", "proxysql")
# Keywords of a task whose content is not shown: how it is run, and variables of what it includes.
UNSEEN = {"name", "when", "module_defaults", "vars", "tags", "register", "until", "retries", "delay", "changed_when", "failed_when", "no_log", "check_mode",
          "delegate_to", "delegate_facts", "become", "diff", "loop_control", "ignore_unreachable", "any_errors_fatal", "run_once", "notify", "args",
          "apply", "timeout"}  # fmt: skip
# Actions that show nothing of what they are given but text that they make.
SILENT = (
    "include_tasks",
    "import_tasks",
    "include_role",
    "import_role",
    "include_vars",
    "assert",
    "fail",
    "debug",
    "meta",
)
# Made from secrets, without one in it: sentences, names, paths, whether something differs.
TELLS = {
    "_mysql_gr_found": "what stands against the run; the filter names variables and never shows a secret (test_gr_preflight.py)",
    "_mysql_gr_problems": "the same",
    "_mysql_gr_wishes": "only the filter gr_preflight sees it",
    "problems": "sentences",
    "_mysql_gr_guard_wanted": "paths",
    "_mysql_gr_guard_changed": "paths",
    "_mysql_gr_metrics_differ": "paths",
    "_mysql_gr_metrics_changed": "paths",
    "_proxysql_virtual": "addresses, ports and priorities",
    "_mysql_gr_rest": "names and hosts",
    "_mysql_gr_names": "names and hosts",
    "_mysql_gr_new": "names and hosts",
    "_mysql_gr_double": "names and hosts",
    "_mysql_gr_absent": "names and hosts",
    "_proxysql_old_probe": "versions, by the number of the credentials",
    "_proxysql_setting_names": "names",
    "_mysql_gr_service_reload": "a truth value",
    "names": "names of hosts",
    "_mysql_gr_stack": "a word, of what the hosts' servers say",
}
# Variables that hold secrets, which their text does not show.
HOLD = {
    "_proxysql_settings",  # variables by their names
    "_mysql_backup_remotes_text",  # a template
    "_mysql_gr_exporters_web_text",  # a template
    "_mysql_gr_exporter_login_text",  # a template
}
# Tasks that show nothing of the secrets from which their arguments are made.
SHOWN = {
    ("ca.yml", "Make its key"): "community.crypto masks the passphrase",
    ("ca.yml", "Ask for its certificate"): "the same",
    ("ca.yml", "Sign it by itself"): "the same",
    ("configure.yml", "Write the file for a first start"): "addresses only: no secret belongs into it",
    ("preflight.yml", "Decide how this proxy takes part in the shared address"): "addresses, ports and priorities",
    ("peers.yml", "Decide how this proxy takes part in the shared address"): "the same",
    ("probe.yml", "Look for credentials that still hold"): "the loop is over their numbers",
    ("service.yml", "Remove what the service no longer has"): "files without a text",
    ("prune_accounts.yml", "See at which hosts there are accounts of these names"): "names of accounts",
}
# Options that Ansible masks by itself, since the module's specification says no_log.
MASKED = {
    "login_password",
    "peer_password",
    "recovery_password",
    "source_password",
    "password",
    "secret_variables",
    "users",
    "monitor_password",
}


class Loader(yaml.SafeLoader):
    """Reads !vault and !unsafe as text."""


Loader.add_multi_constructor("!", lambda loader, _suffix, node: loader.construct_scalar(node))


def options(tree: Any) -> Iterator[tuple[str, dict]]:
    """(name, specification) of every option, nested ones too."""
    if isinstance(tree, dict):
        for name, value in (tree.get("options") or {}).items() if isinstance(tree.get("options"), dict) else ():
            yield name, value
        for value in tree.values():
            yield from options(value)


def names_in(text: object) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", str(text)))


SECRET_NAME = re.compile(r"(password|secret|credentials)$")


def specs(role: str) -> list[tuple[str, dict]]:
    return list(options(yaml.load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(), Loader)))


def secrets() -> set[str]:
    """Variables that hold a secret, or are made from one."""
    found = set(HOLD)
    made: list[tuple[str, str]] = []
    for role in ROLES:
        known = [(name, spec) for name, spec in specs(role) if name.startswith(f"{role}_")]
        found |= {name for name, spec in known if spec.get("no_log")}
        # Lists of accounts.
        found |= {name for name, spec in known if any(inner.get("no_log") for _name, inner in options(spec))}
        made += [
            (name, str(value))
            for name, value in yaml.load((ROOT / "roles" / role / "vars" / "main.yml").read_text(), Loader).items()
        ]
    for path in files():
        for task, around in tasks(plays(path)):
            given = {**around, **(task.get("vars") or {}), **(task.get("ansible.builtin.set_fact") or {})}
            made += [
                (name, str(value))
                for name, value in given.items()
                if name.startswith(("_", "mysql_backup", "mysql_gr", "proxysql", "operations"))
            ]
            if makes_a_key(task):
                found.add(task["register"])
            # Results of a loop hold its items.
            if task.get("register") and task.get("loop"):
                made.append((task["register"], str(task["loop"])))
    made = [(name, text) for name, text in made if name not in TELLS]
    before: set[str] = set()
    while found != before:
        before = set(found)
        found |= {name for name, text in made if names_in(text) & found}
    return found


def plays(path: Path) -> list:
    content = yaml.load(path.read_text(), Loader)
    return content if isinstance(content, list) else []


def tasks(entries: Any, below: dict | None = None) -> Iterator[tuple[dict, dict]]:
    """(task, variables of the blocks around it)."""
    for entry in entries or []:
        around = {**(below or {}), **(entry.get("vars") or {})}
        inner = [
            entry.get(part)
            for part in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks")
            if entry.get(part)
        ]
        if inner:
            for part in inner:
                yield from tasks(part, around)
        elif "import_playbook" not in entry and "ansible.builtin.import_playbook" not in entry:
            yield entry, around


def files() -> list[Path]:
    return sorted([*(ROOT / "roles").glob("*/tasks/*.yml"), *(ROOT / "playbooks").rglob("*.yml")])


def makes_a_key(task: dict) -> bool:
    return any(action.endswith(".openssl_privatekey_pipe") for action in task)


def holds(task: dict, around: dict, known: set[str]) -> bool:
    """Whether what this task shows may hold a secret."""
    local = {
        name
        for name, value in {**around, **(task.get("vars") or {})}.items()
        if names_in(value) & known and name not in TELLS
    }
    known = known | local
    if names_in(task.get("loop")) & known:
        known = known | {"item"}
    if makes_a_key(task):
        return True
    for action, arguments in task.items():
        # The collection's own modules mask what their specifications call no_log; what their tests hold.
        if action in UNSEEN or action == "loop" or action.rpartition(".")[2] in SILENT or action.startswith("distdb."):
            continue
        given = arguments if isinstance(arguments, dict) else {"": arguments}
        if any(option not in MASKED and names_in(value) & known for option, value in given.items()):
            return True
        if action.endswith(".template") and names_in(template(given["src"])) & known:
            return True
    return "item" in known  # a loop shows its items


def template(name: str) -> str:
    return "".join(
        " ".join(re.findall(r"{[{%].*?[%}]}", path.read_text()))
        for path in (ROOT / "roles").glob(f"*/templates/{name}")
    )


def every() -> list[tuple[Path, dict, dict]]:
    return [(path, task, around) for path in files() for task, around in tasks(plays(path))]


def test_every_option_that_is_a_secret_says_so():
    named = {
        (role, name)
        for role in ROLES
        for name, spec in specs(role)
        if SECRET_NAME.search(name) and not spec.get("no_log")
    }
    assert named == set()


def test_what_would_show_a_secret_is_hidden():
    known = secrets()
    assert {
        "mysql_gr_peer_password",
        "_mysql_gr_wait_options_text",
        "_mysql_gr_technical_accounts",
        "proxysql_monitor_password",
    } <= known
    shown = {
        (path.name, task["name"])
        for path, task, around in every()
        if holds(task, around, known) and not task.get("no_log")
    }
    assert shown == set(SHOWN)


def test_nothing_else_is_hidden():
    known = secrets()
    hidden = {
        (path.name, task["name"])
        for path, task, around in every()
        if task.get("no_log") and not holds(task, around, known)
    }
    assert hidden == set()


@pytest.mark.parametrize(
    ("task", "found"),
    [
        ({"ansible.builtin.copy": {"content": "{{ mysql_gr_peer_password }}"}}, True),
        ({"ansible.builtin.copy": {"content": "{{ text }}"}, "vars": {"text": "{{ _mysql_gr_wait_options_text }}"}}, True),
        ({"ansible.builtin.command": {"argv": ["true", "{{ item.name }}"]}, "loop": "{{ mysql_gr_users }}"}, True),
        ({"ansible.builtin.template": {"src": "leave.cnf.j2"}}, True),
        ({"ansible.mysql.mysql_query": {"login_password": "{{ mysql_gr_login_password }}", "query": "SELECT 1"}}, False),
        ({"ansible.builtin.assert": {"that": "mysql_gr_peer_password | length > 0"}}, False),
        ({"ansible.builtin.copy": {"content": "x"}, "when": "mysql_gr_peer_password is defined"}, False),
    ],
)  # fmt: skip
def test_a_task_that_shows_a_secret_is_found(task, found):
    assert holds(task, {}, secrets()) is found
