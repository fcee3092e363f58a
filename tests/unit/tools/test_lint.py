# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make lint` runs: each check finds what it is for, and pre-commit runs the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the tools are no part of the collection")


@pytest.fixture
def words(tool, tmp_path, monkeypatch):
    module = tool("words")
    monkeypatch.setattr(module, "ROOT", tmp_path)

    def find(name: str, text: str) -> list[tuple[int, str]]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return [(found.line, found.word) for found in module.findings([path])]

    return find


def test_a_word_of_another_field_is_found_in_a_page_but_not_in_its_code(words):
    text = "# A page\n\nThe layer is mended, and `mended` is code.\n\n```console\nmended\n```\n\nAs you WISH.\n"
    assert words("page.md", text) == [(3, "mended"), (9, "WISH")]


def test_a_word_is_found_in_descriptions_of_variables(words):
    text = "argument_specs:\n  main:\n    options:\n      wish:\n        description:\n          - Brings along a key.\n        default: mended\n"
    assert words("meta/argument_specs.yml", text) == [(6, "Brings along")]


def test_a_word_is_found_in_a_modules_documentation_but_not_in_its_code(words):
    text = 'DOCUMENTATION = r"""\nmodule: x\ndescription:\n  - The wish of C(wish).\n"""\nwish = "mended"\n'
    assert words("x.py", text) == [(4, "wish")]


def test_a_word_is_found_in_a_tasks_name(words):
    text = "- name: Mend the layer\n  debug:\n    msg: mended\n"
    assert words("tasks/main.yml", text) == [(1, "Mend")]


def test_pre_commit_runs_what_make_lint_runs(tool):
    lint = tool("run_tests").LINT
    slow = {"ansible-playbook", "tools/vagrant-validate", "tools/promtool-check"}
    wanted = {" ".join(command) for command in lint if command[0] not in slow and command[0] != "check-jsonschema"}
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    found = {hook["entry"].replace(".venv/bin/", "") for hook in hooks}
    assert {entry for entry in found if not entry.startswith("check-jsonschema")} == wanted


TEST_FILE = """
import pytest
pytestmark = [pytest.mark.operations, pytest.mark.claim("Nothing is lost.", minutes=3)]

@pytest.mark.long
@pytest.mark.claim("Not even then.")
def test_one(): ...
"""


def test_the_table_of_tests_is_made_from_their_markers(tool, tmp_path, monkeypatch):
    module = tool("test_table")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(TEST_FILE)
    (tmp_path / "tests" / "test_silent.py").write_text("def test_two(): ...\n")
    text, silent = module.table()
    assert text.splitlines()[2:] == [
        "| Nothing is lost. | `test_it.py` | `make operations` | root, the lab | 3 |",
        "| Not even then. | `test_it.py::test_one` | `make test-long` | root, the lab | – |",
    ]
    assert silent == ["tests/test_silent.py"]


def test_a_claim_without_a_suite_is_refused(tool, tmp_path, monkeypatch):
    module = tool("test_table")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    (tmp_path / "tests").mkdir()
    path = tmp_path / "tests" / "test_it.py"
    path.write_text(TEST_FILE.replace("operations", "members").replace("@pytest.mark.long", ""))
    with pytest.raises(SystemExit, match="a claim needs the marker of a suite"):
        list(module.rows(path))
