# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as a whole: its metadata agree with each other and with its files."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SECRET = re.compile(r"(password|secret)s?$")

pytestmark = [
    pytest.mark.skipif(
        not (ROOT / ".git").exists(), reason="the checkout is looked at, not an installed collection or a copy"
    ),
    pytest.mark.unit,
    pytest.mark.claim("Metadata, files and archive of the collection agree; no password has a default."),
]


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [
        ROOT / name
        for name in listing.split("\0")
        if name and (ROOT / name).is_file() and not (ROOT / name).is_symlink()
    ]


def load(path: str) -> dict:
    return yaml.safe_load((ROOT / path).read_text())


def modules() -> set[str]:
    return {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}


def test_requirements_are_the_dependencies_of_the_collection():
    wanted = {entry["name"]: entry["version"] for entry in load("requirements.yml")["collections"]}
    assert wanted == load("galaxy.yml")["dependencies"]


# They look at or install on a host and do not have the options of the group's members.
HOST_MODULES = {
    "apt_packages",
    "firewall_ports",
    "group_replication_host_info",
    "group_replication_upgrade_check",
    "mysql_backup_info",
    "mysql_backup_run",
    "mysql_account_info",
    "mysqld_content_info",
    "mysqld_data_directory",
    "mysqld_options_check",
    "mysqld_service",
    "proxysql_virtual_address_info",
    "tls_files_info",
}


def test_every_module_is_in_exactly_one_action_group():
    groups = load("meta/runtime.yml")["action_groups"]
    named = [name for group in groups.values() for name in group]
    assert sorted(named) == sorted(modules() - HOST_MODULES)


def test_no_role_and_no_playbook_compares_versions():
    """What differs between versions is data (plugin_utils/server_options.py, module_utils), asked for by a filter."""
    compares = re.compile(r"\bis version\b|\bversion_compare\b|is version\(")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked()
        if {"roles", "playbooks"} & set(path.relative_to(ROOT).parts) and path.suffix in (".yml", ".j2")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if compares.search(line)
    ]
    assert found == []


def test_collections_used_are_declared():
    """A name like ansible.mysql.mysql_user in a role or playbook needs its collection in galaxy.yml."""
    declared = set(load("galaxy.yml")["dependencies"]) | {"ansible.builtin", "distdb.mysql_ha"}
    used = set()
    for path in [*ROOT.glob("roles/**/*.yml"), *ROOT.glob("playbooks/**/*.yml")]:
        used |= set(re.findall(r"^\s*(?:- )?([a-z_]+\.[a-z_]+)\.[a-z_]+:", path.read_text(), re.MULTILINE))
    assert used, "roles use collections"
    assert used <= declared


def tasks(node) -> list[dict]:
    """Every mapping in a play or a list of tasks, however deep."""
    if isinstance(node, list):
        return [found for item in node for found in tasks(item)]
    if isinstance(node, dict):
        return [node, *(found for value in node.values() for found in tasks(value))]
    return []


def test_no_password_is_in_an_environment_or_a_command_line():
    """`environment` stands in the command line of the shell that runs a module, and in the output of -vvv; so do arguments."""
    found = []
    for path in tracked():
        if path.suffix != ".yml" or not {"roles", "playbooks", "examples"} & set(path.relative_to(ROOT).parts):
            continue
        for task in tasks(yaml.load(path.read_text(), Loader=yaml.BaseLoader)):
            shown = [task.get("environment")]
            for module in ("ansible.builtin.command", "ansible.builtin.shell"):
                command = task.get(module)
                shown += [command.get("argv"), command.get("cmd")] if isinstance(command, dict) else [command]
            if re.search(r"password\b|MYSQL_PWD", str(shown)):
                found.append(f"{path.relative_to(ROOT)}: {task.get('name')}")
    assert found == []


@pytest.mark.parametrize("role", sorted(path.name for path in (ROOT / "roles").glob("*")))
def test_no_password_of_a_role_has_a_default(role):
    defaults = load(f"roles/{role}/defaults/main.yml")
    specs = load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    found = {name: value for name, value in defaults.items() if SECRET.search(name)}
    assert all(value in ("", None, []) for value in found.values()), found
    assert any(SECRET.search(name) for name in specs), "the role has passwords"


@pytest.mark.parametrize(
    "path",
    sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("plugins/*/*.py")),
    ids=lambda path: Path(path).stem,
)
def test_documentation_in_python_files_is_yaml(path):
    for node in ast.parse((ROOT / path).read_text()).body:
        names = {target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)}
        if names & {"DOCUMENTATION", "EXAMPLES", "RETURN"}:
            assert yaml.safe_load(ast.literal_eval(node.value)), names


def test_sanity_tests_ignore_nothing():
    assert not list((ROOT / "tests" / "sanity").glob("ignore*"))


def test_every_source_file_says_its_licence():
    suffixes = {".py", ".yml", ".sh", ""}
    silent = []
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        if (
            path.suffix not in suffixes
            or name.startswith(("changelogs/", "collections/", "LICENSE"))
            or path.name.startswith(".")
        ):
            continue
        head = path.read_text(errors="replace")[:600]
        if path.suffix == "" and not head.startswith("#"):
            continue
        if "SPDX-License-Identifier: GPL-3.0-or-later" not in head:
            silent.append(name)
    assert not silent


def test_no_registry_or_mirror_is_named():
    """Packages come from wherever the machine is set up to get them."""
    hosts = re.compile(
        r"\b(?:deb|security|archive|ftp|snapshot)\.(?:debian|ubuntu)\.\w+|\bpypi\.(?:org|python\.org)|files\.pythonhosted|registry\.npmjs"
    )
    named = [
        path.relative_to(ROOT).as_posix()
        for path in tracked()
        if path != Path(__file__) and hosts.search(path.read_text(errors="replace"))
    ]
    assert not named


def test_the_collection_builds_and_installs(tmp_path):
    subprocess.run(
        ["ansible-galaxy", "collection", "build", "--output-path", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    archive = next(tmp_path.glob("distdb-mysql_ha-*.tar.gz"))
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    for wanted in (
        "plugins/modules",
        "plugins/module_utils",
        "roles/mysql_gr/tasks/main.yml",
        "roles/proxysql/tasks/main.yml",
        "playbooks/site.yml",
        "meta/runtime.yml",
        "LICENSE",
    ):
        assert wanted in names
    for name in names:
        assert not name.startswith(
            (
                "lab/",
                "tests",
                "molecule",
                "Vagrantfile",
                "ansible.cfg",
                ".venv",
                ".lab",
                ".git",
                "inventories",
                "examples",
                "tools",
                "collections",
            )
        ), name
    target = tmp_path / "collections"
    command = ["ansible-galaxy", "collection", "install", "--no-deps", "--collections-path", str(target), str(archive)]
    # As for somebody who has no checkout: with this one's ansible.cfg, the collection would be there already.
    environment = {name: value for name, value in os.environ.items() if name != "ANSIBLE_CONFIG"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    installed = json.loads((target / "ansible_collections" / "distdb" / "mysql_ha" / "MANIFEST.json").read_text())
    assert installed["collection_info"]["version"] == load("galaxy.yml")["version"]


@pytest.fixture(scope="module")
def documented():
    """What ansible-doc says of every module, fragments included."""
    names = [f"distdb.mysql_ha.{name}" for name in sorted(modules())]
    done = subprocess.run(
        ["ansible-doc", "--type", "module", "--json", *names], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", sorted(modules()))
def test_a_module_documents_its_options(name, documented, monkeypatch):
    module = importlib.import_module(f"ansible_collections.distdb.mysql_ha.plugins.modules.{name}")
    specs = []

    def keep(argument_spec, **_others):
        specs.append(argument_spec)
        raise SystemExit

    monkeypatch.setattr(module, "AnsibleModule", keep)
    with pytest.raises(SystemExit):
        module.main()
    said = documented[f"distdb.mysql_ha.{name}"]["doc"]["options"]
    assert {option: (text["type"], text.get("default")) for option, text in said.items()} == {
        option: (spec.get("type", "str"), spec.get("default")) for option, spec in specs[0].items()
    }


def test_changelog_entries_begin_with_what_changed():
    """In one style: a module by its name alone, `NAME role`, `NAME playbook`, `NAME filter` (several with commas), or `collection`."""
    style = re.compile(r"collection - |([a-z_]+\*?(?:(?:, | and )[a-z_]+)*)( role| playbook| filter)?s? - ")
    wrong = []
    for path in (ROOT / "changelogs" / "fragments").glob("*.yml"):
        for entry in [entry for section in load(str(path.relative_to(ROOT))).values() for entry in section]:
            found = style.match(entry)
            names = re.split(", | and ", found[1]) if found and found[1] and not found[2] else []
            if not found or any(not list((ROOT / "plugins" / "modules").glob(f"{name}.py")) for name in names):
                wrong.append(entry[:70])
    assert not wrong


def test_files_and_classes_of_plugins_stay_small():
    """A file that needs more is two; a class with more methods does two things."""
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        text = path.read_text()
        assert len(text.splitlines()) <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                methods = [item.name for item in node.body if isinstance(item, ast.FunctionDef)]
                assert len(methods) <= 20, (path, node.name, len(methods))
