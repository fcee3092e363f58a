# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every play."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from support_plays import play_book

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted(
    path
    for folder in ("playbooks", "playbooks/plays", "bench/failover", "examples/simkp")
    for path in (ROOT / folder).glob("*.yml")
    if path.name != "faults.yml"
)
SHIPPED = sorted((ROOT / "playbooks").rglob("*.yml"))
DOCUMENTED = (ROOT / "docs/reference/playbooks.md").read_text()


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_play_that_ends_at_an_error_ends_the_run_at_an_unreachable_host_too(path):
    for play in yaml.safe_load(path.read_text()):
        assert play.get("any_errors_fatal", False) == ("max_fail_percentage" in play), play["name"]
        assert play.get("max_fail_percentage", 0) == 0


def words(path: Path) -> set[str]:
    """Names in a file, apart from its comments."""
    text = "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
    return set(re.findall(r"(?<![\w.-])[a-z_]\w*", text))


@pytest.mark.parametrize("path", SHIPPED, ids=[str(path.relative_to(ROOT)) for path in SHIPPED])
def test_a_playbook_uses_public_names_only(path):
    assert {word for word in words(path) if word.startswith(("_mysql_gr", "_proxysql"))} == set()


@pytest.mark.parametrize("path", SHIPPED, ids=[str(path.relative_to(ROOT)) for path in SHIPPED])
def test_a_playbook_asks_for_its_hosts_and_not_for_the_first_of_a_group(path):
    assert not re.search(r"groups\.(mysql_gr|proxysql)\b|groups\[", path.read_text())


def test_what_a_user_can_set_is_documented():
    """Variables that playbooks read and do not set themselves."""
    text = "".join(path.read_text() for path in SHIPPED)
    made = set(re.findall(r"^ *(?:register: )?(operations_\w+):?", text, re.MULTILINE))
    read = {word for path in SHIPPED for word in words(path) if word.startswith("operations_")}
    assert sorted(word for word in read - made if f"`{word}" not in DOCUMENTED) == []


def test_messages_name_what_a_user_of_the_collection_types():
    for path in SHIPPED:
        assert not re.search(r"(?<![\w/.])playbooks/\w+\.yml", path.read_text()), path


def test_an_unreachable_host_ends_the_run(tmp_path):
    """With any_errors_fatal alone the second play went on (ansible-core 2.21)."""
    (tmp_path / "inventory.yml").write_text(
        "all: {children: {members: {hosts: {there: {ansible_connection: local}, gone: {ansible_connection: ssh, ansible_host: 127.0.0.1,"
        " ansible_port: 1}}}, proxies: {hosts: {proxy: {ansible_connection: local}}}}}"
    )
    tasks = "gather_facts: false\n  tasks: [{ansible.builtin.ping: {}}]"
    (tmp_path / "play.yml").write_text(
        f"- hosts: members\n  any_errors_fatal: true\n  max_fail_percentage: 0\n  {tasks}\n- hosts: proxies\n  {tasks}\n"
    )
    done = play_book("-i", "inventory.yml", "play.yml", folder=tmp_path)
    assert done.returncode != 0
    assert "UNREACHABLE" in done.stdout and "PLAY [proxies]" not in done.stdout
