# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the site playbook refuses, on a converged cluster: one sentence that names it, and nothing changed."""

from __future__ import annotations

import pytest

pytestmark = [
    pytest.mark.integration,
    pytest.mark.usefixtures("converged"),
    pytest.mark.claim("The site playbook refuses bad input in one sentence, before it changes anything."),
]


def refused(run, *words: str) -> None:
    assert run.code != 0, run
    for word in words:
        assert word in run.flat, f"{word!r} is not in the output\n{run}"
    assert set(run.changed.values()) <= {0}, run


# A run names everything that its step finds, so each run is given several of them. Name: options of the run, and (setting, words of its sentence) of each.
ON_PROXIES = ("--limit", "proxy")
RUNS: dict[str, tuple[tuple[str, ...], list[tuple[str, tuple[str, ...]]]]] = {
    "members": (
        (),
        [
            ("mysql_gr_recovery_password=", ("mysql_gr_recovery_password",)),
            ("mysql_gr_peer_password=", ("mysql_gr_peer_password",)),
            ("mysql_gr_group_name=simkp", ("mysql_gr_group_name is 'simkp'", "UUID")),
            ("mysql_gr_address=999.1.2.3", ("mysql_gr_address of db0 is '999.1.2.3'",)),
            ("mysql_gr_server_id=130", ("mysql_gr_server_id 130 belongs to",)),
            (
                "mysql_gr_consistency=EVENTUAL",
                ("mysql_gr_consistency is EVENTUAL", "mysql_gr_writers is all", "mysql_gr_writers_exceptions"),
            ),
        ],
    ),
    "words": (
        (),
        [
            ("mysql_gr_install_method=magic", ("mysql_gr_install_method", "magic", "distribution")),
            ("mysql_gr_port=seventy", ("mysql_gr_port", "seventy")),
        ],
    ),
    "no choice": ((), [("mysql_gr_writers=two", ("mysql_gr_writers is 'two'", "one, primary, all"))]),
    "another choice": (
        (),
        [
            (
                "mysql_gr_writers=one",
                ("runs as mysql_gr_writers all", "mysql_gr_writers is 'one'", "distdb.mysql_ha.switch_mode"),
            )
        ],
    ),
    "renamed": (
        (),
        [("mysql_gr_single_primary=true", ("mysql_gr_single_primary is set, which mysql_gr_writers has replaced",))],
    ),
    "accounts": (
        ("--tags", "proxysql_accounts"),
        [("proxysql_monitor_password=", ("proxysql_monitor_password",))],
    ),
    "words of proxies": (
        ON_PROXIES,
        [("proxysql_install_method=magic", ("proxysql_install_method", "magic", "preinstalled"))],
    ),
    "proxies": (
        ON_PROXIES,
        [
            ("proxysql_admin_password=", ("proxysql_admin_password",)),
            (
                "proxysql_max_writers=4",
                ("proxysql_max_writers is 4 for writer hostgroup 2", "mysql_gr_writers is all", "1 to 3"),
            ),
            ("proxysql_connect_timeout=5", ("proxysql_connect_timeout", "5", "10 to 120000")),
        ],
    ),
}


@pytest.fixture(scope="module", params=RUNS)
def refusal(lab, request):
    options, settings = RUNS[request.param]
    given = [argument for setting, _words in settings for argument in ("-e", setting)]
    return request.param, lab.site(*options, *given)


def sentences(run) -> str:
    """What the run fails with, and nothing else that it says."""
    said = " ".join(" ".join(part.split("\n\n")[0].split()) for part in run.output.split("fatal: [")[1:])
    # In a text that YAML puts between single quotes, its own are doubled.
    return said.replace("''", "'")


def test_bad_input_is_named_with_its_value(refusal):
    name, run = refusal
    refused(run)
    said = sentences(run)
    missing = [(setting, word) for setting, words in RUNS[name][1] for word in words if word not in said]
    assert not missing, run


def test_a_duplicate_server_uuid_is_refused_where_the_server_holds_group_data(lab):
    donor, twin = lab.members[0], lab.members[1]
    own = lab.on(twin, "cat", "/var/lib/mysql/auto.cnf")
    copied = lab.on(donor, "cat", "/var/lib/mysql/auto.cnf")
    uuid = copied.split("server-uuid=")[1].split()[0]
    try:
        lab.on(twin, "sh", "-c", f"printf '%s' '{copied}' > /var/lib/mysql/auto.cnf")
        lab.on(twin, "systemctl", "restart", "mysql")
        refused(lab.site(), "server_uuid", uuid)
    finally:
        lab.on(twin, "sh", "-c", f"printf '%s' '{own}' > /var/lib/mysql/auto.cnf")
        # Killed, and started again by systemd: one that is stopped while it tries to join waits a minute for that try to end.
        lab.on(twin, "systemctl", "kill", "--signal=KILL", "mysql")
    run = lab.site()
    assert run.code == 0, run
    lab.one_group()


def test_versions_that_do_not_work_together_are_refused(lab):
    """ProxySQL 2.7.1 as released never places members of MySQL 9: refused before it is installed."""
    lab.on("proxy", "systemctl", "stop", "proxysql")
    wish = (
        '{"proxysql_install_method": "repository", "proxysql_version": "2.7.1", "proxysql_allow_version_pair": false}'
    )
    try:
        mysql = lab.sql(lab.members[0], "SELECT REGEXP_SUBSTR(VERSION(), '^[0-9.]+')")[0][0]
        refused(lab.site("-e", wish), "ProxySQL 2.7.1", f"MySQL {mysql}", "issues/4954", "proxysql_allow_version_pair")
    finally:
        lab.on("proxy", "systemctl", "start", "proxysql")
