# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files for AWX and Event-Driven Ansible fit the playbooks, and are what these programs take."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))
SURVEYS = sorted((ROOT / "extensions/awx/surveys").glob("*.json"))
PAGE = ROOT / "docs/reference/playbooks.md"
BLANK = (
    "operations_cluster",
    "confirm",
    "operations_backup",
    "operations_target",
    "operations_identity",
    "operations_schema",
    "operations_table",
)
# AWX's question types and the type of their default.
TYPES = {
    "text": str,
    "textarea": str,
    "password": str,
    "multiplechoice": str,
    "multiselect": str,
    "integer": int,
    "float": float,
}

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "Each playbook has a survey that AWX accepts, and its questions are variables that the playbook reads."
    ),
]


def test_each_playbook_has_a_survey():
    assert [path.stem for path in SURVEYS] == PLAYBOOKS


def read(name: str) -> str:
    """A playbook with everything of this collection that it imports from its own folders."""
    text = (ROOT / "playbooks" / name).read_text()
    here = Path(name).parent
    for found in re.findall(r"(?:import_playbook|import_tasks|include_tasks): (\S+\.yml)", text):
        path = (ROOT / "playbooks" / here / found).resolve().relative_to(ROOT / "playbooks")
        text += read(str(path))
    return text


@pytest.mark.parametrize("path", SURVEYS, ids=[path.stem for path in SURVEYS])
def test_a_survey_asks_for_what_its_playbook_reads(path):
    survey = json.loads(path.read_text())
    assert survey["name"] == path.stem
    text = read(f"{path.stem}.yml") + (ROOT / "playbooks/vars/operations.yml").read_text()
    for question in survey["spec"]:
        assert re.search(rf"\b{question['variable']}\b", text), question["variable"]
        assert f"`{question['variable']}`" in PAGE.read_text()


@pytest.mark.parametrize("path", SURVEYS, ids=[path.stem for path in SURVEYS])
def test_awx_accepts_it(path):
    """What JobTemplateSurveySpec of AWX 24 checks."""
    survey = json.loads(path.read_text())
    assert set(survey) == {"name", "description", "spec"} and survey["spec"]
    variables = [question["variable"] for question in survey["spec"]]
    assert len(variables) == len(set(variables))
    for question in survey["spec"]:
        kind, default = question["type"], question["default"]
        assert isinstance(question["required"], bool) and question["question_name"]
        assert default == "" or isinstance(default, TYPES[kind])
        assert all(isinstance(question[limit], int) for limit in ("min", "max") if limit in question)
        if kind in ("multiplechoice", "multiselect"):
            assert question["choices"] and (default == "" or default in question["choices"])
        if kind == "integer":
            assert question["min"] <= default <= question["max"]
        # A blank answer is given to the playbook as an empty string, which these take for none.
        if not question["required"]:
            assert kind == "text" and question["min"] == 0 and question["variable"] in BLANK


def test_a_survey_of_a_playbook_that_always_asks_wants_the_name():
    section = PAGE.read_text().partition("## Playbooks that ask")[2].partition("\n## ")[0]
    always = {
        name
        for row in re.findall(r"^\| (.*) \| always \|$", section, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    wanted = {
        path.stem
        for path in SURVEYS
        for q in json.loads(path.read_text())["spec"]
        if q["variable"] == "confirm" and q["required"]
    }
    assert wanted == always and always


def test_choices_are_what_the_playbook_allows():
    questions = {(path.stem, q["variable"]): q for path in SURVEYS for q in json.loads(path.read_text())["spec"]}
    allowed = re.search(r"\(allowed: (.*?)\)", (ROOT / "playbooks/fence.yml").read_text())[1].split(", ")
    assert questions["fence", "operations_fence"]["choices"] == allowed
    for (_playbook, variable), question in questions.items():
        if question["type"] == "multiselect":
            assert variable in ("operations_members", "operations_lost")
            assert all(choice.startswith("EDIT: ") for choice in question["choices"]), (
                "to be replaced by the user's hosts"
            )


def test_the_rulebook_runs_playbooks_that_exist_and_locks_them():
    (ruleset,) = yaml.safe_load((ROOT / "extensions/eda/rulebooks/recover.yml").read_text())
    assert ruleset["execution_strategy"] == "sequential"
    (source,) = ruleset["sources"]
    # No default: who has no token and no certificate does not start it.
    for option in ("token", "certfile", "keyfile"):
        assert "default" not in source["eda.builtin.webhook"][option]
    runs = [rule["action"]["run_playbook"] for rule in ruleset["rules"] if "run_playbook" in rule["action"]]
    assert [run["name"] for run in runs] == ["distdb.mysql_ha.rehearse_recover", "distdb.mysql_ha.recover"]
    assert all(run["name"].rpartition(".")[2] in PLAYBOOKS and run["lock"] for run in runs)
    # What an alert says becomes a variable, which Ansible would take for a template.
    assert '.labels.cluster is match("^[A-Za-z0-9_][A-Za-z0-9_.-]*$")' in ruleset["rules"][0]["condition"]
    assert all(set(run["extra_vars"]) == {"operations_cluster"} for run in runs)
