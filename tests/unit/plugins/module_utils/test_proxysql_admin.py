# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The login of the admin interface, from options and an option file."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql import admin


@pytest.mark.parametrize(
    ("text", "user", "password"),
    [
        ("[client]\nuser=me\npassword=p%w\n", "me", "p%w"),
        ("[client]\nuser=\"me\"\npassword='p w'\n!includedir /x\n[mysqld]\nskip-name-resolve\n", "me", "p w"),
    ],
)
def test_a_config_file(tmp_path, text, user, password):
    path = tmp_path / "my.cnf"
    path.write_text(text)
    params = dict(config_file=str(path), login_host="h", login_port=6032, connect_timeout=1)
    made = admin.Admin(params)
    assert (made.user, made._password) == (user, password)
    assert admin.Admin(dict(params, login_user="other")).user == "other"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("[other]\n", "no section"),
        ("[client]\nhost=x\n", "login_user is not set"),
        ("no section\n", "cannot be read"),
    ],
)
def test_a_config_file_that_does_not_help_is_said(tmp_path, text, words):
    path = tmp_path / "my.cnf"
    if text is not None:
        path.write_text(text)
    with pytest.raises(admin.AdminError, match=words):
        admin.Admin(dict(config_file=str(path), login_host="h", login_port=6032, connect_timeout=1))
