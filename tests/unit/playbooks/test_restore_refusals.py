# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What restore refuses, in its own words: its tasks alone, in plays on this machine, with what members and backups would have said."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from support_plays import by_case, run_plays

ROOT = Path(__file__).resolve().parents[3]
CLUSTER = {
    "name": "shop",
    "all": ["localhost", "db1"],
    "members": ["localhost", "db1"],
    "proxies": [],
    "backup_hosts": ["backup1", "db1"],
    "lead": "localhost",
}
RUN = {
    "clusters": [CLUSTER],
    "members": CLUSTER["members"],
    "backup_problems": [],
    "backup_hosts": CLUSTER["backup_hosts"],
    "proxies": [],
    "problems": [],
}
FULL = {"id": "F1", "encrypted": True, "data": 1 << 30}
ONLINE = {"cluster": {"state": "ONLINE", "undeclared": []}}
COUNTED = {"query_result": [[{"tables": 3}]]}
HERE = {"stage": "none", "used": 4096, "free": 8 << 30, "beside": "/var/lib/mysql.next-x"}
PLANNED = {"answer": {"full": "F1", "bytes": 1 << 20, "timeline": 1, "steps": []}}
WHOLE = {
    "operations_planned": PLANNED,
    "operations_listed": {"answer": {"timelines": [{"fulls": [{**FULL, "id": "F0"}, FULL]}]}},
    "operations_checked": {"well": True, "answer": {"problems": []}},
    "operations_directory_seen": HERE,
    "operations_identity": "/some/key",
}
POINT, CAN, DATA, FORMER, RESTORE = (
    "Check from what, and to which point",
    "Check that there can be backups",
    "Ask for the name of the cluster, where data are replaced",
    "Check that no server stays in the former group",
    "Refuse what cannot be restored",
)

# name of the case: task, what is known, what is said; "" where nothing is refused
CASES = {
    "neither": (POINT, {}, "operations_backup is '' and operations_target is '', for shop; allowed is one of them"),
    "both": (POINT, {"operations_backup": "/x", "operations_target": "latest"}, "allowed is one of them"),
    "no point": (POINT, {"operations_target": "yesterday"}, "operations_target is 'yesterday'"),
    "two clusters": (
        POINT, {"operations_target": "latest", "operations_run": {**RUN, "clusters": [CLUSTER, {**CLUSTER, "name": "other"}]}},
        "for shop, other; allowed is one of them"),
    "a dump of two": (POINT, {"operations_backup": "/x", "operations_run": {**RUN, "clusters": [CLUSTER, CLUSTER]}}, ""),
    "a point": (POINT, {"operations_target": "before:8f22f846-9922-4139-b2b7-097d185a93cb:4711"}, ""),
    "no place": (CAN, {"operations_here": {**CLUSTER, "backup_hosts": []}}, "mysql_backup_place is not set for shop; there are no physical backups of it."),
    "wrong seed": (CAN, {"operations_plan_now": {"seed": "backup1"}}, "operations_seed: 'backup1' is not allowed (allowed: localhost, db1)"),
    "no key file": (CAN, {"operations_identity": "/no/such"}, "operations_identity: there is no file '/no/such' on the control node"),
    "place elsewhere": (
        CAN, {"mysql_backup_place": "/srv/backup"},
        "mysql_backup_place: /srv/backup is a directory of backup1, db1, which localhost does not have"),
    "place here": (CAN, {"mysql_backup_place": "/srv/backup", "operations_plan_now": {"seed": "db1"}}, ""),
    "limit": (
        CAN, {"operations_run": {**RUN, "backup_hosts": ["db1"]}},
        "--limit leaves out backup1, which makes backups and has to stand still while shop is restored."),
    "two sites": (
        CAN, {"mysql_gr_other_site": "beta"},
        "mysql_gr_other_site: shop and beta are two sites, and the other one would keep what is lost here, under numbers that come again"),
    "bad hosts": (CAN, {"operations_run": {**RUN, "backup_problems": ["backup7 is nobody."]}}, "backup7 is nobody."),
    "stranger": (
        FORMER, {"mysql_gr_status": {"cluster": {"undeclared": ["192.0.2.9:3306 (u) ONLINE"]}}},
        "The group has members that the inventory does not declare (192.0.2.9:3306 (u) ONLINE)"),
    "no stranger": (FORMER, {"mysql_gr_status": ONLINE}, ""),
    "a down server is no stranger": (FORMER, {"mysql_gr_status": {"msg": "no answer"}}, ""),
    "data": (DATA, {"mysql_gr_status": ONLINE, "operations_tables": COUNTED}, "asks shop: the data of localhost (3 tables) are replaced"),
    "no tables": (DATA, {"mysql_gr_status": ONLINE, "operations_tables": {"query_result": [[{"tables": 0}]]}}, "asks :"),
    "a down server": (DATA, {"mysql_gr_status": {"msg": "x"}, "operations_tables": {"skipped": True}},
                      "asks shop: the data of localhost (a server that cannot be asked) are replaced"),
    "blank": (DATA, {"mysql_gr_status": {"msg": "x"}, "operations_tables": {"skipped": True}, "operations_directory_seen": {**HERE, "used": 0}}, "asks :"),
    "taken up": (DATA, {"mysql_gr_status": {"msg": "x"}, "operations_tables": {"skipped": True}, "operations_directory_seen": {**HERE, "stage": "done"}},
                 "asks :"),
    "well": (RESTORE, {}, ""),
    "damaged": (RESTORE, {"operations_checked": {"well": False, "answer": {"problems": [{"path": "p", "problem": "piece 2 is missing"}]}}},
                "Backup F1 is damaged, and nothing is restored: piece 2 is missing."),
    "no key": (RESTORE, {"operations_identity": ""}, "Backup F1 is encrypted; operations_identity is needed"),
    "no room": (RESTORE, {"operations_directory_seen": {**HERE, "free": 1 << 20}},
                "localhost has 1.00 MB free for /var/lib/mysql.next-x, and 1.20 GB are needed"),
}  # fmt: skip


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What Ansible prints, by case."""
    found = {}
    for path in (ROOT / "playbooks/restore.yml", ROOT / "playbooks/plays/restore_cluster.yml"):
        for play in yaml.safe_load(path.read_text()):
            for task in play.get("tasks", []):
                for one in [task, *task.get("block", [])]:
                    found[one["name"]] = one
    base = {
        "operations_run": RUN,
        "operations_plan_now": {"seed": "localhost"},
        "operations_here": CLUSTER,
        "operations_directory_seen": HERE,
    }
    book = []
    # Facts that are set go before variables of later plays.
    for name, (task, known, _sentence) in sorted(CASES.items(), key=lambda item: item[1][0] == DATA):
        given = {**base, **(WHOLE if task == RESTORE else {}), **known}
        tasks = [{**found[task], "ignore_errors": True, "vars": {**given, **found[task].get("vars", {})}}]
        if task == DATA:
            # What members have seen is read from their facts; the question has tests of its own.
            alone = {**CLUSTER, "all": ["localhost"]}
            asked = {
                "ansible.builtin.debug": {"msg": "asks {{ operations_asks | join }}: {{ operations_does | first }}"}
            }
            tasks = [
                {"ansible.builtin.set_fact": {"operations_directory_seen": HERE, **known}},
                {**asked, "vars": {"operations_here": alone, "operations_target": "latest", **found[task]["vars"]}},
            ]
        book.append(
            {
                "name": f"case {name}.", "hosts": "localhost", "gather_facts": False, "connection": "local",
                "vars_files": [str(ROOT / "playbooks/vars/operations.yml")],
                "tasks": tasks,
            }
        )  # fmt: skip
    return by_case(run_plays(tmp_path_factory.mktemp("restore"), book, hosts="localhost,db1,"))


@pytest.mark.parametrize("case", CASES)
def test_what_is_refused_and_how(said, case):
    sentence = CASES[case][2]
    if CASES[case][0] == DATA:
        assert sentence in said[case]
    elif sentence:
        assert sentence in said[case] and "fatal: [localhost]" in said[case]
    else:
        assert "fatal" not in said[case]
