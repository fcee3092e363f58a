# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.distdb.mysql_ha.plugins.filter.gr_downloads import gr_downloads

URIS = """\
Reading package lists...
'http://mirror.example/pool/m/mysql/mysql-server-core_9.7.4-2_amd64.deb' mysql-server-core_9.7.4-2_amd64.deb 20971520 SHA256:aa
'http://mirror.example/pool/p/python/python3-pymysql_1.1.1-2_all.deb' python3-pymysql_1.1.1-2_all.deb 40960 SHA256:bb
'http://mirror.example/pool/m/mysql/mysql-client-core_1%3a9.7.4-2_amd64.deb' mysql-client-core_1%3a9.7.4-2_amd64.deb 2097152 SHA512:cc
"""


def test_large_packages_one_by_one_and_what_is_left_after_each():
    rows = gr_downloads(URIS)
    assert [row["package"] for row in rows] == ["mysql-server-core=9.7.4-2", "mysql-client-core=1:9.7.4-2"]
    assert rows[1]["file"] == "mysql-client-core_1%3a9.7.4-2_amd64.deb"
    assert [row["progress"] for row in rows] == [
        "mysql-server-core, 20.0 MiB; 2.0 MiB of 22.0 MiB left",
        "mysql-client-core, 2.0 MiB; 40.0 KiB of 22.0 MiB left",
    ]


def test_nothing_to_download():
    assert gr_downloads("") == []
    assert gr_downloads("mysql-server is already the newest version (9.7.4-2).\n") == []
