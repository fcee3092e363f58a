# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What destructive playbooks ask, and when they ask."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.filter.ops_confirmation import UNMEASURED, ops_confirmation
from ansible_collections.distdb.mysql_ha.plugins.filter.ops_requests import ops_requests

TWO = [
    {"name": "alpha", "all": ["db0", "db1", "db2"], "members": ["db0", "db1", "db2"], "lead": "db0"},
    {"name": "beta", "all": ["db3", "db4"], "members": ["db4"], "lead": "db4"},
]


@pytest.mark.parametrize("given", ["alpha", " alpha ", ["alpha"], ("alpha", "alpha"), "alpha,"])
def test_the_name_of_the_cluster_is_enough(given):
    found = ops_confirmation(["alpha"], given)
    assert found["given"] and found["problem"] == ""


@pytest.mark.parametrize(
    ("given", "shown"),
    [("", ""), (None, ""), ([], ""), ("beta", "beta"), ("Alpha", "Alpha"), (True, "True"), ("alpha,beta", "alpha,beta"), (["", "yes"], "yes")],
)  # fmt: skip
def test_anything_else_is_refused_in_one_sentence(given, shown):
    found = ops_confirmation(["alpha"], given)
    assert found["given"] is bool(shown)
    assert found["problem"] == (
        f"confirm: '{shown}' is not allowed (allowed: alpha, the name of the cluster that this run changes, as -e confirm=alpha); nothing was changed."
    )


@pytest.mark.parametrize(
    ("given", "right"),
    [("alpha,beta", True), ("beta, alpha", True), (["beta", "alpha"], True), ("alpha", False), ("beta", False), ("alpha,beta,gamma", False)],
)  # fmt: skip
def test_of_several_clusters_each_is_named(given, right):
    problem = ops_confirmation(["alpha", "beta"], given)["problem"]
    assert (problem == "") is right
    assert right or "allowed: alpha,beta, the names of the clusters that this run changes" in problem


def test_the_plan_says_what_is_done_and_how_long_it_took():
    measured = {"took": "13 s", "where": "in the lab", "page": "docs/measurements/failover.md"}
    found = ops_confirmation(["alpha"], "", ["db2 leaves", "its data stay"], measured)
    assert found["names"] == "alpha"
    assert found["plan"] == [
        "This run changes cluster alpha:", "- db2 leaves.", "- its data stay.", "Time: 13 s in the lab (docs/measurements/failover.md).",
    ]  # fmt: skip
    assert ops_confirmation(["alpha", "beta"], "", "one sentence")["plan"] == [
        "This run changes clusters alpha, beta:", "- one sentence.", UNMEASURED,
    ]  # fmt: skip


def test_nothing_is_asked_where_nothing_is_requested():
    facts = {host: {"mysql_gr_clone": "when_needed", "mysql_gr_bootstrap_from": ""} for host in ("db0", "db1", "db2", "db3", "db4")}  # fmt: skip
    facts["db0"] = {"mysql_gr_bootstrap_without": []}
    # It is no member of this run.
    facts["db3"] = {"mysql_gr_clone": "reprovision"}
    assert ops_requests(TWO, facts) == {"clusters": [], "hosts": [], "does": []}
    assert ops_requests([], {}) == {"clusters": [], "hosts": [], "does": []}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("mysql_gr_clone", "reprovision", "where db4 has transactions that the group lacks, its data are deleted"),
        ("mysql_gr_bootstrap_from", "192.0.2.133", "mysql_gr_bootstrap_from=192.0.2.133: after a complete outage"),
        ("mysql_gr_bootstrap_without", ["192.0.2.133", "x"], "mysql_gr_bootstrap_without=192.0.2.133, x: a group is started"),
        ("mysql_gr_bootstrap_without", "192.0.2.133", "mysql_gr_bootstrap_without=192.0.2.133: a group is started"),
    ],
)  # fmt: skip
def test_what_may_give_data_up_is_asked_for_in_its_cluster_alone(name, value, words):
    facts = {host: {} for host in ("db0", "db1", "db2", "db3")}
    found = ops_requests(TWO, {**facts, "db4": {name: value}})
    assert found["clusters"] == ["beta"] and found["hosts"] == ["db4"]
    assert len(found["does"]) == 1 and words in found["does"][0]


def test_a_value_that_every_member_has_is_said_once():
    facts = {host: {"mysql_gr_bootstrap_from": "192.0.2.130", "mysql_gr_clone": "reprovision"} for host in ("db0", "db1", "db2", "db3", "db4")}  # fmt: skip
    found = ops_requests(TWO, facts)
    assert found["clusters"] == ["alpha", "beta"] and len(found["does"]) == 4
    assert "where db0 or db1 or db2 has" in found["does"][0] and "from=192.0.2.130:" in found["does"][1]
