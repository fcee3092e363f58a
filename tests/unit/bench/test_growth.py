# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bench/growth says of its records, its recorded clusters, and how it counts."""

from __future__ import annotations

import json
import os
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim(
        "How times grow is said by the newest record of each size; recorded clusters are told from real ones, and rounds to hosts are counted one by one."
    ),
]  # fmt: skip

BOTH = {"run": "1", "at": 1795800000, "load": [1.0, 2.5]}
MEMBERS = {
    **BOTH, "step": "members", "size": 5, "site": 80.0, "again": 20.0, "changed": 0, "what_changed": [], "status": [4.0, 9.0, 5.0],
    "info": {"slowest": 0.9, "alone": 0.4}, "proxy": {"online": [3.0], "placed": [0.2], "gone": [0.3]},
    "guard": {"cpu": 4.5, "status": 0.05, "metrics": 0.3}, "versions": "MySQL 9.7.4",
    "rounds": {"by_host": {"db0": 14, "db1": 11, "proxy": 9}, "by_task": {"Look": {"db0": 2, "db1": 1}, "Write": {"proxy": 3}}},
}  # fmt: skip
STATUS = {
    **BOTH,
    "step": "status",
    "clusters": 1,
    "real": 0,
    "hosts": 4,
    "seconds": [4.0],
    "cpu": [3.0],
    "memory": 90.0,
    "answer": 0.5,
}
MANY = {**STATUS, "clusters": 20, "hosts": 80, "seconds": [7.0, 30.0, 8.0], "cpu": [16.0], "memory": 120.0}
SITES = {
    **BOTH,
    "step": "sites",
    "real": 2,
    "hosts": 8,
    "site": 120.0,
    "again": 31.0,
    "changed": 0,
    "what_changed": [],
    "versions": "MySQL 9.7.4",
}
COMPUTE = {**BOTH, "step": "compute", "clusters": 5, "milliseconds": {"targets": 1.5, "report": 8.5}, "memory": 60.0}
ROWS = {
    **BOTH,
    "step": "rows",
    "rows": 100,
    "milliseconds": {"preflight": 1.0, "configuration": 0.5, "first": 6.0, "again": 7.0},
    "memory": 58.0,
}
PROXYSQL = {**BOTH, "step": "proxysql", "rows": 100, "first": 12.0, "again": 9.0, "changed": 0, "what_changed": []}
ALL = [MEMBERS, STATUS, MANY, SITES, COMPUTE, ROWS, PROXYSQL]


@pytest.fixture(scope="module")
def report(growth):
    return growth.report


@pytest.fixture(scope="module")
def recorded(growth):
    return growth.recorded


# -- tables ------------------------------------------------------------------------------------------------------------
def test_each_step_has_its_line(report):
    page = report.page(ALL)
    assert (
        "| 5 | 80.0 s | 20.0 s | 0 | 5.0 s | 0.40 s | 0.90 s | 3.00 s | 0.20 s | 4.5 ms | 0.05 s | 0.30 s | 1.0 to 2.5 |"
        in page
    )
    assert "| 2 | 8 | 120.0 s | 31.0 s | 0 | 1.0 to 2.5 |" in page
    assert "| 5 | 1.50 ms | 8.50 ms | 10.0 ms | 2.0 ms | 60 MB |" in page
    assert "| 100 | 1.0 ms | 0.5 ms | 6.0 ms | 7.0 ms | 58 MB | 12.0 s | 9.0 s | 0 |" in page
    assert report.MISSING not in page


def test_what_was_not_measured_is_said(report):
    assert report.page([]).count(report.MISSING) == 6
    assert "| 100 | 1.0 ms | 0.5 ms | 6.0 ms | 7.0 ms | 58 MB | – | – | – |" in report.page([ROWS])


def test_of_what_was_measured_again_the_newest_counts(report):
    page = report.page([*ALL, {**MEMBERS, "site": 61.0}, {**MEMBERS, "size": 9, "site": 99.0}])
    lines = [line.split(" | ")[:2] for line in page.splitlines() if " s | 20.0 s | 0 | 5.0 s |" in line]
    assert lines == [["| 5", "61.0 s"], ["| 9", "99.0 s"]]


@pytest.mark.parametrize(("seconds", "word"), [(8.0, "2.0 times as long: met"), (8.4, "2.1 times as long: missed")])
def test_twenty_clusters_are_compared_with_one(report, seconds, word):
    page = report.page([STATUS, {**MANY, "seconds": [seconds]}])
    assert word in page
    assert "| 20 | 0 | 20 | 80 |" in page and "| 200 ms |" in page


def test_real_clusters_are_compared_with_a_real_one(report):
    real = {**STATUS, "real": 1, "seconds": [2.0]}
    page = report.page([STATUS, real, MANY, {**MANY, "real": 1}])
    assert "Target, 0 real, 20 recorded: 20 clusters take at most 2 times as long as one. They take 2.0 times" in page
    assert "Target, 1 real, 19 recorded: 20 clusters take at most 2 times as long as one. They take 4.0 times" in page
    assert "| 20 | 1 | 19 | 80 | 8.0 s | 4.0 |" in page


@pytest.mark.parametrize(("most", "word"), [(12, "met"), (13, "missed")])
def test_the_host_with_the_most_rounds_decides(report, most, word):
    rounds = {"by_host": {"db0": most, "db1": 8, "proxy": 9}, "by_task": MEMBERS["rounds"]["by_task"]}
    page = report.page([{**MEMBERS, "rounds": rounds}])
    assert f"| 5 | 8 to {most} | 9 | 12: {word} |" in page
    assert "| Write | – | 3 |" in page and "| Look | 2 | – |" in page
    assert page.index("| Write |") < page.index("| Look |")


def test_the_page_and_the_plot_are_what_the_records_say(growth, report, plan):
    page = growth.PAGE.read_text()
    assert plan.renewed(page, report.page(growth.kept())) == page
    assert report.plot(growth.kept()) == growth.PLOT.read_text()


# -- plot --------------------------------------------------------------------------------------------------------------
def shapes(picture, kind):
    return list(ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}" + kind))


def test_the_plot_has_a_line_for_what_there_is(report):
    more = [
        {**MEMBERS, "size": 9, "site": 160.0},
        {**ROWS, "rows": 1000, "milliseconds": {"first": 60.0, "again": 70.0}},
    ]
    assert len(shapes(report.plot([]), "polyline")) == 0
    assert report.plot([]).count(report.MISSING) == 4
    picture = report.plot([*ALL, *more])
    # Site, site again and status; seconds and processor time; the same per host; two plans.
    assert len(shapes(picture, "polyline")) == 3 + 2 + 1 + 2
    assert report.MISSING not in picture


def test_what_takes_longer_stands_higher(report):
    panel = report.Panel("t", "x", [report.Line("l", [(3.0, 10.0), (9.0, 20.0), (5.0, 20.0)])])
    circles = [line for line in report.drawn(panel, 0, 0) if line.startswith("<circle")]
    (x0, y0), (x1, y1), (x2, y2) = ((float(one.get("cx")), float(one.get("cy"))) for one in map(ET.fromstring, circles))
    assert x0 < x1 < x2 <= report.WIDTH - report.RIGHT and y0 > y1 == y2 >= report.TOP
    # The scale begins with zero: twice the time is twice as high.
    floor = report.HEIGHT - report.BOTTOM
    assert floor - y1 == pytest.approx(2 * (floor - y0), abs=0.2)


def test_tenfold_rows_are_equally_far_apart(report):
    place = report.scale([10, 100, 1000], True)
    assert [round(place(value), 3) for value in (10, 100, 1000)] == [0, 0.5, 1]
    assert report.scale([10], True)(10) == 0


@pytest.mark.parametrize(("value", "end"), [(0, 1), (0.7, 1), (1.1, 2), (2.0, 2), (34, 50), (51, 100), (160, 200)])
def test_a_scale_ends_with_a_round_number(report, value, end):
    assert report.nice(value) == end


def test_the_plot_has_a_ground_of_its_own_and_loads_nothing(report):
    picture = report.plot(ALL)
    assert f'fill="{report.GROUND}"' in picture
    assert "href" not in picture and "style" not in picture and picture.count("http") == 1


# -- recorded clusters -------------------------------------------------------------------------------------------------
def test_recorded_clusters_share_nothing(recorded):
    groups, hostvars = recorded.variables_of(recorded.inventory(20))
    assert len(groups["mysql_gr"]) == 60 and len(groups["proxysql"]) == 20
    members = [hostvars[host] for host in groups["mysql_gr"]]
    assert len({one["mysql_gr_address"] for one in members}) == 60
    assert len({one["mysql_gr_group_name"] for one in members}) == 20
    assert all(one["mysql_gr_address"].startswith("198.18.") and one["ansible_connection"] == "local" for one in members)  # fmt: skip
    assert all(one["growth_recorded"] for one in hostvars.values())


def test_each_cluster_answers_for_itself(recorded):
    first, other = recorded.answers(1), recorded.answers(7)
    assert list(other) == ["c07m0", "c07m1", "c07m2", "c07p"]
    _groups, hostvars = recorded.variables_of(recorded.inventory(7))
    for host in recorded.hosts_of(7):
        cluster = other[host]["cluster"]
        assert other[host]["address"] == f"{hostvars[host]['mysql_gr_address']}:3306"
        assert cluster["group_name"] == hostvars[host]["mysql_gr_group_name"]
        assert all(address.startswith("198.18.7.") for address in cluster["members"])
    assert "192.0.2." not in json.dumps(other) and recorded.GROUP not in json.dumps(other)
    assert first["c01m0"]["cluster"]["group_name"] == recorded.GROUP
    assert [one["hostname"] for one in other["c07p"]["placement"]] == ["198.18.7.130", "198.18.7.131", "198.18.7.132"]


def test_real_clusters_are_hosts_of_the_lab(recorded):
    groups, hostvars = recorded.variables_of(recorded.inventory(3, 2))
    assert groups["c02"] == ["db3", "db4", "db5"] and groups["proxysql"] == ["proxy", "proxy1", "c03p"]
    real = [hostvars[host] for host in (*groups["c01"], *groups["c02"], "proxy", "proxy1")]
    # A host of the lab is connected to: nothing recorded is taken for what it says.
    assert not any(name.startswith(("growth_", "ansible_")) for one in real for name in one)
    assert hostvars["db4"]["mysql_gr_server_id"] == 134 and hostvars["db4"]["mysql_gr_inventory_group"] == "c02"
    # As lab/lib.sh numbers them.
    assert hostvars["proxy1"]["proxysql_address"] == "{{ lab_prefix }}.128"
    assert hostvars["proxy1"]["proxysql_mysql_inventory_group"] == "c02"


def test_what_is_computed_is_of_clusters_that_are_well(recorded, monkeypatch):
    monkeypatch.setattr(recorded, "CALLS", 1)
    found = recorded.compute(2)["milliseconds"]
    assert {"targets", "tables", "report", "preflight of members", "configuration of proxies"} <= set(found)
    # A recorded member that is not ONLINE is no time of a cluster that is well.
    told = recorded.answers
    monkeypatch.setattr(recorded, "answers", lambda number: json.loads(json.dumps(told(number)).replace('"ONLINE"', '"ERROR"')))  # fmt: skip
    with pytest.raises(AssertionError):
        recorded.compute(2)


def test_the_second_plan_for_users_and_rules_is_empty(recorded, monkeypatch):
    monkeypatch.setattr(recorded, "CALLS", 1)
    assert set(recorded.rows(3)["milliseconds"]) == {"preflight", "configuration", "first", "again"}
    # A plan that has nothing to do would be no measurement.
    monkeypatch.setattr(recorded, "users", lambda count: [])
    with pytest.raises(AssertionError):
        recorded.rows(3)


def test_the_overlay_is_the_collection_with_two_action_plugins_more(recorded, monkeypatch, tmp_path):
    monkeypatch.setattr(recorded, "COLLECTIONS", tmp_path / "made")
    recorded.overlay()
    plugins = recorded.overlay() / "ansible_collections/distdb/mysql_ha/plugins"
    own = {path.name for path in (ROOT / "plugins/action").glob("*.py")}
    assert {path.name for path in (plugins / "action").iterdir()} == {*own, *(f"{name}.py" for name in recorded.ASKED)}
    for folder in ("modules", "filter", "module_utils", "plugin_utils"):
        assert (plugins / folder).resolve() == ROOT / "plugins" / folder
    assert (plugins.parent / "roles").resolve() == ROOT / "roles"


# -- rounds ------------------------------------------------------------------------------------------------------------
def test_rounds_belong_to_the_task_that_has_begun(report):
    lines = ["task Look at the host", "round db0 exec", "round db1 exec", "ended db0 0.250", "task Write it", "round db0 exec", "round db0 cp",
             "ended db0 1.5", "ended db0 0.5"]  # fmt: skip
    found = report.rounds(lines)
    assert found["by_host"] == {"db0": 3, "db1": 1}
    assert found["by_task"] == {"Look at the host": {"db0": 1, "db1": 1}, "Write it": {"db0": 2}}
    assert found["seconds"] == {"Look at the host": {"db0": 0.25}, "Write it": {"db0": 2.0}}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["exec", "db0", "/bin/sh", "-c", "echo secret"], "round db0 exec\n"),
        (["exec", "-i", "db1", "/bin/sh", "-c", "exec proxy"], "round db1 exec\n"),
        (["cp", "--pause=false", "/tmp/a", "db2:/root/a"], "round db2 cp\n"),
        (["cp", "--pause=false", "proxy:/root/a", "/tmp/a"], "round proxy cp\n"),
        (["inspect", "db0"], ""),
    ],
)
def test_the_counting_podman_writes_host_and_kind_and_runs_the_lab_s(tmp_path, arguments, line):
    here = tmp_path / "bench/growth"
    here.mkdir(parents=True)
    (here / "podman").symlink_to(ROOT / "bench/growth/podman")
    (tmp_path / "lab").mkdir()
    program = tmp_path / "lab/podman"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n')
    program.chmod(0o755)
    rounds = tmp_path / "rounds"
    rounds.touch()
    done = subprocess.run(
        [str(here / "podman"), *arguments], env={**os.environ, "GROWTH_ROUNDS": str(rounds)}, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (7, arguments, "")
    assert rounds.read_text() == line


def test_the_slowest_tasks_are_those_of_the_last_profile(report, plan):
    output = (
        "TASKS RECAP *****\nold ---- 9.00s\nTASKS RECAP *****\nSaturday (0:00:00.024)       0:00:04.394 *****\n=====\n"
        "distdb.mysql_ha.mysql_gr : Query the cluster ------ 1.76s\nQuery the proxy --- 0.76s\nShow - all --- 0.10s\n"
    )
    assert plan.slowest(output, 2) == {"mysql_gr : Query the cluster": 1.76, "Query the proxy": 0.76}
    assert plan.slowest(output)["Show - all"] == 0.1 and "old" not in plan.slowest(output)
    page = report.page([STATUS, {**MANY, "slowest": {"Query the cluster": 1.76}}])
    assert "Of 20 clusters, 0 real, 20 recorded, these tasks take longest: Query the cluster 1.8 s." in page


# -- runs --------------------------------------------------------------------------------------------------------------
def test_a_run_goes_on_where_it_was(growth, monkeypatch, tmp_path):
    done = []
    monkeypatch.setattr(growth, "RECORDS", tmp_path / "growth.jsonl")
    monkeypatch.setattr(growth, "child", lambda *arguments: done.append(arguments[1]) or {"memory": 1.0})

    def measure(*arguments, name="1"):
        done.clear()
        growth.measure("compute", growth.parsed(["compute", *arguments]), name)
        return list(done)

    assert measure("--clusters", "1", "5") == ["1", "5"]
    assert measure("--clusters", "1", "5", "20") == ["20"]
    assert measure("--clusters", "5", "--again") == ["5"]
    assert measure("--clusters", "5", name="2") == ["5"]
    assert [one["run"] for one in growth.kept()] == ["1"] * 4 + ["2"]
    assert growth.run_of(growth.kept(), None) == "2" and growth.run_of(growth.kept(), "3") == "3"


@pytest.mark.parametrize(
    "arguments",
    [
        ["members", "--sizes", "10"],
        ["sites"],
        ["nothing"],
        ["--clusters", "1", "compute"],
        ["compute", "--clusters", "0"],
        ["proxysql", "--rows", "1001"],
    ],
)
def test_what_is_not_allowed_is_refused_before_anything_is_taken_down(growth, arguments, capsys):
    with pytest.raises(SystemExit):
        growth.parsed(arguments)
    assert "allowed" in capsys.readouterr().err


def test_a_cluster_of_nine_has_the_lab_s_hosts(growth):
    assert growth.more_members(5) == {
        "all": {
            "children": {
                "mysql_gr": {"hosts": {"db3": {"mysql_gr_server_id": 133}, "db4": {"mysql_gr_server_id": 134}}}
            }
        }
    }
    assert growth.lab_names(4, 2) == ["db0", "db1", "db2", "db3", "proxy", "proxy1"]


def test_a_program_that_fails_ends_the_bench(growth, tmp_path):
    log = tmp_path / "log"
    found = growth.used(["sh", "-c", "echo well"], dict(os.environ), log)
    assert found["memory"] > 0 and log.read_text() == "well\n"
    with pytest.raises(SystemExit, match="exit 3\nbroken"):
        growth.used(["sh", "-c", "echo broken; exit 3"], dict(os.environ), log)
