# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against backups, from where they are made, what their hosts have answered, and the report of a drill."""

from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter.backup_addresses import backup_addresses
from ansible_collections.distdb.mysql_ha.plugins.filter.backup_drill_report import backup_drill_report
from ansible_collections.distdb.mysql_ha.plugins.filter.backup_preflight import backup_preflight
from ansible_collections.distdb.mysql_ha.plugins.filter.ops_backups import ops_backups
from ansible_collections.distdb.mysql_ha.plugins.filter.ops_differences import ops_differences

pytestmark = [
    pytest.mark.unit,
    pytest.mark.claim("What people set wrong for backups is refused in one sentence, before anything is changed."),
]

KEY = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
WELL = {
    "cluster": "shop",
    "hosts": ["backup1", "db0"],
    "place": "store:backups/shop",
    "shared": False,
    "remotes": {"store": {"type": "sftp", "host": "192.0.2.10", "port": 22}},
    "encrypt_to": [KEY],
    "user": "gr_backup",
    "password": "pa'ss\\word",
    "level": 3,
    "every": 86400,
    "fulls": 7,
    "days": "14",
    "bandwidth": 0,
    "place_bandwidth": 50,
    "directory": "/var/lib/mysql-gr-backup",
    "spool_limit": "2G",
    "reserve": "512M",
    "drill_schedule": "",
    "drill_identity": "",
    "inventory_group": "mysql_gr",
    "members": ["db0", "db1"],
}
MEMBER = {"mysql_gr_group_name": "8f22f846-9922-4139-b2b7-097d185a93cb", "mysql_gr_clone": "when_needed"}
HOSTVARS = {"db0": MEMBER, "db1": MEMBER, "backup1": {}}


def said(hostvars=HOSTVARS, **wrong):
    return backup_preflight({**WELL, **wrong}, hostvars)


def test_what_can_work_is_not_refused():
    assert said() == []
    assert said(place="/srv/backup", hosts=["backup1"], remotes={}) == []
    assert said(place="/srv/backup", shared=True) == []
    assert (
        said(drill_schedule="weekly", encrypt_to=[]) == []
        and said(drill_schedule="weekly", drill_identity="AGE-SECRET-KEY-1X") == []
    )
    assert said(encrypt_to=[]) == [] and said(encrypt_to=["ssh-ed25519 AAAAC3Nz me@there"]) == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"place": ""}, "mysql_backup_place: '' is not allowed (allowed: an absolute directory, or NAME:path with NAME in mysql_backup_remotes)"),
        ({"place": "backups"}, "mysql_backup_place: 'backups' is not allowed"),
        ({"place": "/srv/my backup"}, "mysql_backup_place: '/srv/my backup' is not allowed"),
        ({"place": "other:x"}, "mysql_backup_place: 'other' is not in mysql_backup_remotes (allowed: store)"),
        ({"place": "/srv/backup"}, "/srv/backup is a directory of each of backup1, db0 by itself"),
        ({"remotes": ["store"]}, "mysql_backup_remotes is not allowed"),
        ({"remotes": {"store": {"host": "x"}}}, "mysql_backup_remotes: 'store' has no type"),
        ({"remotes": {"store": {"type": "sftp", "key_pem": "a\nb"}}}, "mysql_backup_remotes: 'store' has an option of several lines"),
        ({"encrypt_to": None}, "mysql_backup_encrypt_to is not set; it has no default"),
        ({"encrypt_to": KEY}, "mysql_backup_encrypt_to is not allowed (allowed: a list of public keys"),
        ({"encrypt_to": ["age2abc"]}, "mysql_backup_encrypt_to: 'age2abc' is not allowed"),
        ({"encrypt_to": ["AGE-SECRET-KEY-1QQQ"]}, "mysql_backup_encrypt_to holds a secret key"),
        ({"user": "x" * 33}, "mysql_backup_user: '" + "x" * 33 + "' is not allowed (allowed: 1 to 32 characters)"),
        ({"password": ""}, "mysql_backup_password is not set; it has no default"),
        ({"password": "a\nb"}, "mysql_backup_password has a line break"),
        ({"level": 20}, "mysql_backup_level: '20' is not allowed (allowed: 1 to 19)"),
        ({"every": "daily"}, "mysql_backup_every: 'daily' is not allowed (allowed: 60 to 2678400 seconds)"),
        ({"fulls": 0}, "mysql_backup_keep_fulls: '0' is not allowed"),
        ({"days": -1}, "mysql_backup_keep_days: '-1' is not allowed"),
        ({"bandwidth": -5}, "mysql_backup_bandwidth: '-5' is not allowed"),
        ({"spool_limit": "much"}, "mysql_backup_spool_limit: 'much' is not allowed (allowed: a size such as 2G, at least 64M)"),
        ({"reserve": "1M"}, "mysql_backup_reserve: '1M' is not allowed"),
        ({"directory": "backup"}, "mysql_backup_directory: 'backup' is not allowed"),
        ({"drill_schedule": "weekly"}, "mysql_backup_drill_schedule: 'weekly' needs mysql_backup_drill_identity"),
        ({"drill_identity": "age1abc"}, "mysql_backup_drill_identity is not allowed"),
        ({"cluster": "../other"}, "mysql_backup_cluster: '../other' is not allowed (allowed: letters, digits and ._-, at most 64)"),
        ({"members": []}, "mysql_backup_inventory_group: the inventory group 'mysql_gr' has no hosts"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_said_in_one_sentence(wrong, sentence):
    found = said(**wrong)
    assert len(found) == 1 and sentence in found[0]


def test_the_group_has_to_be_one_that_can_be_cloned():
    found = said({**HOSTVARS, "db1": {**MEMBER, "mysql_gr_clone": "never"}})
    assert len(found) == 1 and "mysql_gr_clone: 'never' (db1) is not allowed with mysql_backup_place" in found[0]
    assert "(db0, db1)" in said({"db0": {"mysql_gr_group_name": "x"}, "db1": {}})[0]
    assert "mysql_gr_group_name of db0 is not set" in said({**HOSTVARS, "db0": {"mysql_gr_clone": "when_needed"}})[0]


def test_no_secret_is_shown():
    secret = "AGE-SECRET-KEY-1VERYSECRET"
    text = " ".join(
        said(
            encrypt_to=[secret],
            password="hidden\n",
            remotes={"store": {"type": "s3", "secret_access_key": "deep\nsecret"}},
        )
    )
    assert "VERYSECRET" not in text and "hidden" not in text and "deep" not in text


def test_backups_are_made_from_the_addresses_of_their_hosts():
    hostvars = {
        "db0": {"mysql_gr_address": "192.0.2.130", "ansible_host": "198.51.100.1"},
        "backup1": {"ansible_host": "2001:DB8::1"},
        "b2": {},
    }
    assert backup_addresses(["db0", "backup1", "b2", "b2"], hostvars) == ["192.0.2.130", "2001:db8::1", "b2"]


CLUSTER = {"name": "shop", "backup_hosts": ["backup1", "db0"]}
ALARM = {"what": "behind", "text": "the stream is 40 s behind"}
STATUS = {
    "state": "well",
    "alarms": [],
    "stream": {"state": "streaming", "source": "db1", "behind": 1},
    "place": {"reachable": True, "free": 3 << 30},
}
LISTED = {
    "timelines": [
        {
            "number": 2,
            "fulls": [
                {"id": "F1", "donor": "db1", "mysql": "9.7.4", "stored": 5 << 20, "whole": True, "until": "u:1-9", "until_time": "2026-11-27T17:00:00Z"},
                {"id": "F2", "donor": "db2", "mysql": "9.7.4", "stored": 100, "whole": False, "problem": "piece 2 is missing"},
            ],
            "gaps": [{"after": "F1", "missing": "u:10-12"}],
        }
    ],
    "damaged": [{"path": "x.json", "problem": "is no record"}],
}  # fmt: skip


def test_the_first_host_that_answers_is_asked():
    hostvars = {
        "backup1": {"operations_backup_status": {"unreachable": True}},
        "db0": {"operations_backup_status": {"answer": STATUS}},
    }
    found = ops_backups([CLUSTER], hostvars)
    assert found["askers"] == ["db0"] and found["problems"] == [] and found["alarms"] == []
    assert found["hosts"] == [
        {"host": "backup1", "stream": "UNKNOWN", "remark": "it could not be reached"},
        {"host": "db0", "stream": "streaming from db1", "behind": "1 s", "place": "3.0 GiB free", "remark": ""},
    ]


def test_a_cluster_without_a_host_to_ask_is_named():
    assert "No host that makes backups of shop can be asked (backup1: there is no program; db0: it was not asked)" in ops_backups(
        [CLUSTER], {"backup1": {"operations_backup_status": {"msg": "there is no program."}}, "db0": {}}
    )["problems"][0]  # fmt: skip
    assert "mysql_backup_place is not set for shop" in ops_backups([{**CLUSTER, "backup_hosts": []}], {})["problems"][0]


def test_backups_and_what_is_wrong_with_them_are_listed():
    checked = {"answer": {"ok": False, "problems": [{"path": "F1/piece-0001", "problem": "has another checksum"}]}}
    facts = {
        "operations_backup_status": {"answer": {**STATUS, "alarms": [ALARM]}},
        "operations_backups_listed": {"answer": LISTED},
        "operations_backups_checked": checked,
    }
    found = ops_backups([CLUSTER], {"backup1": facts, "db0": {}})
    assert [(row["full"], row["size"], row["restores"], row["remark"]) for row in found["fulls"]] == [
        ("F1", "5.0 MiB", "until 2026-11-27T17:00:00Z", "then u:10-12 is missing"),
        ("F2", "100 B", "nothing", "piece 2 is missing"),
    ]
    assert found["alarms"] == [
        "shop: the stream is 40 s behind",
        "shop: x.json: is no record",
        "shop: F1/piece-0001: has another checksum",
    ]
    assert found["hosts"][0]["remark"] == "the stream is 40 s behind"


def test_a_place_that_cannot_be_listed_is_an_alarm():
    facts = {"operations_backup_status": {"answer": STATUS}, "operations_backups_listed": {"failed": True, "msg": "the place is gone."},
             "operations_backups_checked": {"failed": True, "msg": "gone"}}  # fmt: skip
    found = ops_backups([CLUSTER], {"backup1": facts})
    assert found["alarms"] == [
        "shop: its backups could not be listed: the place is gone.",
        "shop: its backups could not be read: gone.",
    ]


DRILL = {
    "ok": True,
    "full": "F1",
    "until": "u:1-9",
    "tables": 3,
    "rows": 12,
    "seconds": {"fetch": 1.5, "replay": 2},
    "differences": [],
    "mysql": "9.7.4",
}


def test_the_report_of_a_drill_says_what_came_of_it():
    text = backup_drill_report(DRILL, "text", "shop")
    assert (
        text.splitlines()[0].startswith("The drill of shop passed")
        and "seconds: fetch 1.5, replay 2" in text
        and "mysql: 9.7.4" in text
    )
    failed = {**DRILL, "ok": False, "differences": ["a.b: 3 <rows> instead of 4"]}
    assert backup_drill_report(failed, "text", "shop").startswith(
        "The drill of shop FAILED"
    ) and "differs: a.b" in backup_drill_report(failed, "text", "shop")
    assert "3 &lt;rows&gt; instead" in backup_drill_report(failed, "html", "shop")
    assert json.loads(backup_drill_report(DRILL, "json", "shop"))["cluster"] == "shop"
    with pytest.raises(AnsibleFilterError, match="form: 'pdf' is not allowed"):
        backup_drill_report(DRILL, "pdf", "shop")


def test_tables_that_differ_are_named():
    wanted = {
        "a.b": {"rows": 3, "checksum": 7},
        "a.c": {"rows": 0, "checksum": None},
        "a.d": {"rows": 1, "checksum": 5},
    }
    assert ops_differences({**wanted, "a.c": {"rows": 0, "checksum": 0}}, wanted) == []
    counted = {name: {**table, "checksum": None} for name, table in wanted.items()}
    assert ops_differences(counted, wanted) == []
    found = {"a.b": {"rows": 2, "checksum": 7}, "a.d": {"rows": 1, "checksum": 6}, "a.e": {"rows": 1, "checksum": 1}}
    assert ops_differences(found, wanted) == [
        "a.b has 2 rows instead of 3",
        "a.c is missing",
        "a.d has another checksum",
        "a.e is there and was not",
    ]
