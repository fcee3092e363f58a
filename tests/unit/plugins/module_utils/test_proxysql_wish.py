# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task says about groups and servers: what is refused, in which words, and how names are kept."""

from __future__ import annotations

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.desired import desired_group, desired_server
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import Server, show_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.rows import literal

GOOD = dict(writer_hostgroup=2, backup_writer_hostgroup=4, reader_hostgroup=3, offline_hostgroup=1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(writer_hostgroup=None), "writer_hostgroup is missing"),
        (dict(writer_hostgroup=-1), "writer_hostgroup is -1; allowed are whole numbers from 0"),
        (dict(reader_hostgroup=None), "reader_hostgroup is missing for the group with writer_hostgroup 2"),
        (dict(reader_hostgroup=0), "reader_hostgroup is 0 .*allowed are whole numbers from 1"),
        (dict(reader_hostgroup=4), "reader_hostgroup is 4 .*the same as backup_writer_hostgroup"),
        (dict(offline_hostgroup=2), "offline_hostgroup is 2 .*the same as writer_hostgroup"),
        (dict(max_writers=-1), "max_writers is -1"),
        (dict(writer_is_also_reader=3), "writer_is_also_reader is 3 .*from 0 to 2"),
        (dict(max_transactions_behind=-5), "max_transactions_behind is -5"),
        (dict(comment="two\nlines"), "comment has a control character"),
        (dict(exclusive=True), "exclusive is true but servers is not given"),
        (dict(servers=[dict(hostname="a"), dict(hostname="a", port=3306)]), "servers lists a:3306 twice"),
        (dict(servers=[dict(hostname="::1"), dict(hostname="[0:0::1]")]), r"servers lists \[::1\]:3306 twice"),
    ],
)
def test_a_wrong_group_is_refused_in_one_sentence(change, words):
    with pytest.raises(Refusal, match=words) as caught:
        desired_group(dict(GOOD, **change))
    assert str(caught.value).count(". ") == 0 and str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (dict(), "hostname is missing"),
        (dict(hostname="a b"), "hostname is 'a b'"),
        (dict(hostname="10.0.0.300"), "hostname is '10.0.0.300'"),
        (dict(hostname="10.0.0"), "hostname is '10.0.0'"),
        (dict(hostname="-a"), "hostname is '-a'"),
        (dict(hostname="a'; DROP"), "hostname is"),
        (dict(hostname="a", port=0), "port is 0 for server a:0; allowed are whole numbers from 1 to 65535"),
        (dict(hostname="a", port=65536), "port is 65536"),
        (dict(hostname="/run/x.sock", port=3306), "port is 3306 for server /run/x.sock"),
        (dict(hostname="a", port=3306, gtid_port=3306), "gtid_port is 3306 .*must differ"),
        (dict(hostname="a", weight=-1), "weight is -1 for server a:3306"),
        (dict(hostname="a", weight=10000001), "weight is 10000001"),
        (dict(hostname="a", compression=2), "compression is 2"),
        (dict(hostname="a", max_replication_lag=126144001), "max_replication_lag is 126144001"),
        (dict(hostname="a", status="SHUNNED"), "status is 'SHUNNED' .*ONLINE, OFFLINE_SOFT, OFFLINE_HARD"),
        (dict(hostname="a", comment="a\0b"), "comment has a control character"),
    ],
)
def test_a_wrong_server_is_refused_in_one_sentence(server, words):
    with pytest.raises(Refusal, match=words):
        desired_server(server)


@pytest.mark.parametrize(
    ("hostname", "kept", "shown"),
    [
        ("db0", "db0", "db0:3306"),
        ("DB0.Example.com.", "db0.example.com", "db0.example.com:3306"),
        ("192.0.2.1", "192.0.2.1", "192.0.2.1:3306"),
        ("2001:DB8::1", "2001:db8::1", "[2001:db8::1]:3306"),
        ("[2001:db8:0::1]", "2001:db8::1", "[2001:db8::1]:3306"),
        ("my_host", "my_host", "my_host:3306"),
    ],
)
def test_names_and_addresses(hostname, kept, shown):
    address, row = desired_server(dict(hostname=hostname))
    assert address == (kept, 3306) and row == Server()
    assert show_address(address) == shown


def test_a_socket_has_port_0():
    assert desired_server(dict(hostname="/run/mysqld/x.sock"))[0] == ("/run/mysqld/x.sock", 0)


def test_numbers_as_text_are_numbers():
    wish = desired_group(
        dict(GOOD, max_writers="3", servers=[dict(hostname="a", port="3307", weight="5", use_ssl=True)])
    )
    assert wish.group.max_writers == 3 and wish.servers == {("a", 3307): Server(weight=5, use_ssl=1)}


def test_quoting_is_sqlite_s():
    assert literal("it's \\' \\") == "'it''s \\'' \\'"
    assert literal(True) == "1" and literal(-3) == "-3"
