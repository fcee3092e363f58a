# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who writes: what belongs to each choice, and every contradiction in one sentence, by both roles."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_writers import gr_writers
from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_preflight import clusters
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import writers
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.option_lines import option_lines
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.writers import (
    CHOICES,
    DEFAULT,
    LEVELS,
    READ_YOUR_WRITES,
    Cluster,
    member_problems,
    proxy_problems,
)

HOSTS = {
    f"db{number}": {"mysql_gr_address": f"192.0.2.13{number}", "mysql_gr_server_id": 130 + number}
    for number in range(3)
}
SERVERS = [dict(hostname=f"192.0.2.13{number}", port=3306) for number in range(3)]
GROUP = dict(writer_hostgroup=2, backup_writer_hostgroup=4, reader_hostgroup=3, max_writers=1, servers=SERVERS)
SETTINGS = dict(
    proxysql_hostgroups=[GROUP],
    proxysql_read_write_split=False,
    proxysql_users=[dict(username="app", default_hostgroup=2), dict(username="reports", default_hostgroup=3)],
)


def at_the_proxy(choice, *exceptions, **changes):
    behind = {f"192.0.2.13{number}:3306": Cluster(choice, exceptions) for number in range(3)}
    return list(proxy_problems(dict(SETTINGS, **changes), behind))


def group(**changes):
    return dict(proxysql_hostgroups=[dict(GROUP, **changes)])


def test_the_default_is_one_writer():
    assert DEFAULT == "one"
    assert gr_writers("one", 3)["max_writers"] == gr_writers("primary", 3)["max_writers"] == 1
    assert [gr_writers("all", members)["max_writers"] for members in (0, 1, 3)] == [1, 1, 3]


@pytest.mark.parametrize("choice", CHOICES.values(), ids=list(CHOICES))
def test_a_choice_is_known_again_in_a_running_group_and_is_an_option_file_that_the_server_takes(choice):
    assert writers(choice.single_primary, choice.update_everywhere_checks) == choice.name
    option_lines(
        "8.4.6",
        {"single_primary_mode": choice.single_primary, "enforce_update_everywhere_checks": choice.update_everywhere_checks},
        {"consistency": choice.consistency, "member_expel_timeout": choice.member_expel_timeout},
    )  # fmt: skip
    # Several members are used at once only where the server checks for it, and where a session sees on each what it wrote on another.
    assert not choice.all_write or (choice.update_everywhere_checks and choice.consistency in READ_YOUR_WRITES)


def test_a_name_that_is_no_choice_is_refused():
    with pytest.raises(AnsibleFilterError, match="mysql_gr_writers is 'two'; allowed are one, primary, all."):
        gr_writers("two")
    assert member_problems("two", "BEFORE", []) == ["mysql_gr_writers is 'two'; allowed are one, primary, all."]
    assert at_the_proxy("two") == ["mysql_gr_writers is 'two'; allowed are one, primary, all."]


@pytest.mark.parametrize("level", ["EVENTUAL", "BEFORE_ON_PRIMARY_FAILOVER"])
@pytest.mark.parametrize(("name", "harm"), [("all", "what it wrote on another"), ("one", "the writer that takes over")])
def test_sessions_read_what_was_committed_elsewhere(name, harm, level):
    (sentence,) = member_problems(name, level, [])
    assert f"mysql_gr_consistency is {level}, but mysql_gr_writers is {name}, where" in sentence and harm in sentence
    assert "or list mysql_gr_consistency in mysql_gr_writers_exceptions" in sentence
    assert member_problems(name, level, ["mysql_gr_consistency"]) == []
    assert [problem for good in LEVELS[name] for problem in member_problems(name, good, [])] == []


@pytest.mark.parametrize("level", ["AFTER", "BEFORE_AND_AFTER"])
def test_where_all_write_no_write_waits_for_the_others(level):
    (sentence,) = member_problems("all", level, [])
    assert f"mysql_gr_consistency is {level}, but mysql_gr_writers is all, where" in sentence
    assert "the whole group stands still" in sentence and "allowed is BEFORE (or list" in sentence
    assert member_problems("all", level, ["mysql_gr_consistency"]) == []
    assert member_problems("one", level, []) == member_problems("primary", level, []) == []


@pytest.mark.parametrize("level", ["EVENTUAL", "BEFORE_ON_PRIMARY_FAILOVER", "BEFORE"])
def test_an_elected_primary_may_have_any_level(level):
    assert member_problems("primary", level, []) == []


@pytest.mark.parametrize(
    ("choice", "good", "bad"), [("one", (1,), (0, 2)), ("primary", (1,), (3,)), ("all", (1, 3), (0, 4))]
)
def test_writers_at_the_proxies(choice, good, bad):
    assert [problem for number in good for problem in at_the_proxy(choice, **group(max_writers=number))] == []
    for number in bad:
        (sentence,) = at_the_proxy(choice, **group(max_writers=number))
        assert f"proxysql_max_writers is {number} for writer hostgroup 2, but mysql_gr_writers is {choice}" in sentence
        assert at_the_proxy(choice, "proxysql_max_writers", **group(max_writers=number)) == []


@pytest.mark.parametrize("split", [True, "yes"])
def test_a_read_write_split_where_all_write(split):
    (sentence,) = at_the_proxy("all", **group(max_writers=3), proxysql_read_write_split=split)
    assert "proxysql_read_write_split is true, but mysql_gr_writers is all" in sentence
    assert (
        at_the_proxy("all", "proxysql_read_write_split", **group(max_writers=3), proxysql_read_write_split=split) == []
    )
    assert at_the_proxy("one", proxysql_read_write_split=split) == []


def test_a_user_of_the_backup_writers():
    users = dict(
        proxysql_users=[
            dict(username="app", default_hostgroup="4"),
            dict(username="old", default_hostgroup=4, state="absent"),
        ]
    )
    (sentence,) = at_the_proxy("one", **users)
    assert (
        "default_hostgroup of app in proxysql_users is 4, the backup writers, but mysql_gr_writers is one" in sentence
    )
    assert at_the_proxy("one", "proxysql_users", **users) == []


def test_groups_of_other_servers_and_absent_ones_are_left_alone():
    assert at_the_proxy("one", **group(max_writers=9, servers=[dict(hostname="198.51.100.1")])) == []
    assert at_the_proxy("one", **group(max_writers=9, state="absent")) == []


def test_each_cluster_behind_a_proxy_has_its_own_choice():
    hostvars = dict(HOSTS, proxy={}, db1=dict(HOSTS["db1"], mysql_gr_writers="all", mysql_gr_writers_exceptions=["x"]))
    found = clusters(list(hostvars), hostvars)
    assert found == {
        "192.0.2.130:3306": ("one", ()), "192.0.2.131:3306": ("all", ["x"]), "192.0.2.132:3306": ("one", ()),
    }  # fmt: skip
    groups = [dict(GROUP, max_writers=3, servers=[server]) for server in SERVERS]
    sentences = list(proxy_problems(dict(SETTINGS, proxysql_hostgroups=groups), found))
    assert [sentence.rpartition("mysql_gr_writers is ")[2][:3] for sentence in sentences] == ["one", "all", "one"]
