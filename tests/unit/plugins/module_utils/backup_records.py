# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of backups for tests."""

from __future__ import annotations

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import Full, Segment

GROUP = "8f22f846-9922-4139-b2b7-097d185a93cb"
SETTINGS = {
    "format": 1,
    "cluster": "shop",
    "group_name": GROUP,
    "host": "db2",
    "hosts": ["db1", "db2"],
    "members": {"db1": "10.0.0.1:3306", "db2": "10.0.0.2:3306"},
    "tls": {"ca": None, "check_hostname": False},
    "clone": {"user": "gr_backup", "password": "Clone-Secret.1", "bandwidth": 0},
    "stream": {"user": "gr_backup", "password": "Stream-Secret.1"},
    "place": {"remote": "/srv/backup", "config_file": None, "bandwidth": 0},
    "encrypt_to": [],
    "level": 3,
    "keep": {"fulls": 7, "days": 14},
    "every": 86400,
    "directory": "/var/lib/mysql-gr-backup",
    "spool_limit": 1 << 30,
    "reserve": 1 << 30,
    "mysqld": ["/usr/sbin/mysqld"],
    "mysqlbinlog": ["/usr/bin/mysqlbinlog"],
    "user": "mysql",
}


def full(number, gtids, **more):
    """A full backup."""
    values = dict(
        id=number, cluster="shop", group_name=GROUP, timeline=1, gtids=gtids, at=0.0, ended=0.0, host="db2", donor="db1", donor_uuid="", mysql="9.7.4",
        encrypted=False, data=100, pieces=[], tables={}, variables={},
    )  # fmt: skip
    return Full(**{**values, **more})


def segment(source, number, previous, gtids, **more):
    """A binary log file, or a part of one."""
    file = f"binlog.{number:06d}"
    values = dict(
        path=f"logs/{source}/{file}-0.db2.zst", source=source, member="db1", host="db2", file=file, created=0, start=0, end=100, complete=True,
        previous=previous, gtids=gtids, first=None, last=None, mysql="9.7.4", encrypted=False, size=50, sha256="", at=0.0,
    )  # fmt: skip
    return Segment(**{**values, **more})
