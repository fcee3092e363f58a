# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alert rules, their tests and pages, and the dashboard: they belong together, and every series that they name exists."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.metrics import HELP

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "monitoring/prometheus"
BOARD = ROOT / "monitoring/grafana/mysql_ha.json"

pytestmark = [
    pytest.mark.skipif(not BOARD.exists() or not (ROOT / "docs").exists(), reason="the files are in the checkout"),
    pytest.mark.unit,
    pytest.mark.claim("Each alert has a test that fires, one that does not, and a page; series of rules and dashboard are those that real exporters gave."),
]  # fmt: skip

RULES = {}
TESTS = []
if BOARD.exists():
    for group in yaml.safe_load((FOLDER / "mysql_ha.rules.yml").read_text())["groups"]:
        RULES.update({one["alert"]: one for one in group["rules"]})
    # Two files, since one has one interval of evaluation: hours of seconds take long.
    TESTS = [
        one for path in sorted(FOLDER.glob("*.rules_test.yml")) for one in yaml.safe_load(path.read_text())["tests"]
    ]
    PANELS = [one for one in json.loads(BOARD.read_text())["panels"] if one["type"] != "row"]
PAGES = ROOT / "docs/runbooks"
# What Prometheus itself adds, and its scrape jobs.
ADDED = {"instance", "job", "cluster"}
OURS = {"group_name", "member", "state", "kind", "queue", "certificate", "decision", "rule"}
CONTROL = {"proxy", "cluster", "table", "layer", "part", "checksum", "certificate"}


def known() -> dict[str, set[str]]:
    """Labels by series: those that exporters gave, and our own."""
    found = {}
    for line in (Path(__file__).parents[1] / "fixtures/exporters.txt").read_text().splitlines():
        if not line.startswith("#"):
            name, _, labels = line.rstrip("}").partition("{")
            found[name] = set(filter(None, labels.split(","))) | ADDED
    for name in HELP:
        control = name.startswith(("mysql_gr_proxy_", "mysql_gr_backup_"))
        found[name] = (CONTROL if control else OURS) | ADDED
    found.update(up=ADDED, node_filesystem_size_bytes=found["node_filesystem_avail_bytes"])
    return found


SERIES = known()


def series(expression: str) -> list[tuple[str, str]]:
    """Names with their selectors."""
    return re.findall(r"\b((?:mysql|proxysql|node)_\w+|up)\b(?:\{([^}]*)\})?", re.sub(r'"[^"]*"', '""', expression))


def unknown(expression: str) -> list[str]:
    """Series and labels that do not exist."""
    wrong = []
    for name, selector in series(expression):
        if name not in SERIES:
            wrong.append(name)
            continue
        wrong += [f"{name}{{{label}}}" for label in re.findall(r"(\w+)\s*[=!]", selector) if label not in SERIES[name]]
    return wrong


def promtool() -> str:
    unpacked = ROOT / ".cache/promtool/usr/bin/promtool"
    found = shutil.which("promtool") or (str(unpacked) if unpacked.exists() else "")
    if not found:
        pytest.skip("promtool is missing (tools/promtool-check --install)")
    return found


@pytest.mark.parametrize("name", RULES)
def test_an_alert_has_a_page_that_says_the_same(name):
    rule = RULES[name]
    page = (PAGES / f"{name}.md").read_text()
    assert rule["annotations"]["runbook_url"].endswith(f"/docs/runbooks/{name}.md")
    after = f", after {rule['for']}" if "for" in rule else ""
    assert page.startswith(f"# {name}\n\n**Severity:** {rule['labels']['severity']}{after}.\n")
    for part in ("**Meaning:** ", "**Effect on applications:** ", "## Look", "## Do"):
        assert part in page
    assert f"| [{name}]({name}.md) | {rule['labels']['severity']} |" in (PAGES / "index.md").read_text()


@pytest.mark.parametrize("name", RULES)
def test_an_alert_has_tests_of_both_kinds(name):
    cases = [case for test in TESTS for case in test["alert_rule_test"] if case["alertname"] == name]
    assert [case for case in cases if case["exp_alerts"]], "one that fires"
    assert [case for case in cases if not case["exp_alerts"]], "one that does not"


def test_what_the_rulebook_answers_keeps_the_name_of_its_cluster():
    answered = [name for name, rule in RULES.items() if rule["labels"].get("answer") == "recover"]
    assert len(answered) > 3
    for name in answered:
        aggregated = re.findall(r"\b(?:by|on) \(([^)]*)\)", RULES[name]["expr"])
        assert all("cluster" in labels.split(", ") for labels in aggregated), name
        assert "recover" in (PAGES / f"{name}.md").read_text(), "its page says so, too"


def test_a_rule_that_was_taken_away_leaves_nothing_behind():
    assert {path.stem for path in PAGES.glob("*.md")} - {"index"} == set(RULES)
    assert {case["alertname"] for test in TESTS for case in test["alert_rule_test"]} == set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_series_of_an_alert_exist(name):
    assert series(RULES[name]["expr"]) and unknown(RULES[name]["expr"]) == []
    shown = set(re.findall(r"\$labels\.(\w+)", RULES[name]["annotations"]["summary"]))
    assert shown <= {label for one, _selector in series(RULES[name]["expr"]) for label in SERIES[one]}


def test_series_that_do_not_exist_are_found():
    assert unknown('sum(proxysql_gone{a="b"}) / mysql_up{state="x"} + mysql_gr_up{member="y"}') == ["proxysql_gone", "mysql_up{state}"]  # fmt: skip


def test_series_of_the_tests_exist():
    wrong = [bad for test in TESTS for one in test["input_series"] for bad in unknown(one["series"])]
    assert wrong == []


def test_the_dashboard_is_one():
    board = json.loads(BOARD.read_text())
    assert board["uid"] and board["title"] and board["schemaVersion"] >= 36
    identities = [panel["id"] for panel in board["panels"]]
    assert len(identities) == len(set(identities))
    taken = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    assert all(panel["datasource"]["uid"] == "${datasource}" and panel["targets"] for panel in PANELS)
    variables = {one["name"] for one in board["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(board))) - {"__rate_interval", "__all"} == variables


def test_series_of_the_dashboard_exist():
    expressions = [target["expr"] for panel in PANELS for target in panel["targets"]]
    assert len(expressions) > 30
    assert [bad for one in expressions for bad in unknown(one)] == []
    asked = re.findall(r"label_values\((\w+), (\w+)\)", BOARD.read_text())
    assert len(asked) == 6 and all(label in SERIES[name] for name, label in asked)


def test_every_metric_of_ours_is_documented():
    page = (ROOT / "docs/how-to/monitor.md").read_text()
    assert [name for name in HELP if f"`{name}" not in page] == []


def test_rules_fire_and_end_as_their_tests_say():
    command = [promtool(), "test", "rules", *(path.name for path in sorted(FOLDER.glob("*.rules_test.yml")))]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_queries_of_the_dashboard_are_promql(tmp_path):
    rules = [
        {"record": f"panel:{panel['id']}:{index}", "expr": re.sub(r"\$\w+", "5m", target["expr"])}
        for panel in PANELS
        for index, target in enumerate(panel["targets"])
    ]
    (tmp_path / "board.yml").write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}))
    command = [promtool(), "check", "rules", str(tmp_path / "board.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and f"{len(rules)} rules found" in done.stdout, done.stdout + done.stderr
