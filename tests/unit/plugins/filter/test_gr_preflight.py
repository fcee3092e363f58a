# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every refusal of the role's preflight, each with the words an operator needs; and the case in which there is none."""

from __future__ import annotations

import copy

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_members import gr_members
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_preflight import gr_preflight
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import Data, Schema, Tables
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils import networks
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.account_hosts import admits
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.preflight_hosts import uuid_findings
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.preflight_variables import is_uuid, listed

GROUP = "8f22f846-9922-4139-b2b7-097d185a93cb"
HOSTS = {f"db{n}": {"mysql_gr_address": f"192.0.2.13{n}", "mysql_gr_server_id": 130 + n} for n in range(3)}
PROBE = {
    "os": {"id": "debian", "like": [], "family": "debian", "version": "12", "codename": "bookworm", "name": "Debian GNU/Linux 12"},
    "memory": 2 << 30, "python": [3, 11], "address_is_local": True, "ports": [], "package_lists": True, "installed": False,
    "packages": {}, "half_installed": [], "resolved": {}, "files": {},
    "service": {"exists": False, "active": "inactive", "enabled": False, "reload": False}, "version": "9.7.4-2", "uuid": "", "relay_logs": [], "sql": {},
}  # fmt: skip
SQL = {
    "uuid": "",
    "version": "9.7.4",
    "has_transactions": False,
    "read_only": False,
    "state": "",
    "single_primary": False,
    "update_everywhere_checks": False,
    "group_name": GROUP,
}
TLS = {
    "wanted": "auto", "kind": "server", "mode": "auto", "given": {"ca": "", "cert": "", "key": ""}, "directory": "/tls", "made": False,
    "passphrase": "", "days_left": 3,
}  # fmt: skip
WISHES = {
    "host": "db0", "inventory_group": "mysql_gr", "acting": ["db0", "db1", "db2"], "forks": 10, "group_name": GROUP,
    "group_names": {"db0": GROUP, "db1": GROUP, "db2": GROUP},
    "communication_stack": "auto", "communication_stacks": ["auto"], "stack": "XCOM",
    "writers": "one", "writers_exceptions": [], "consistency": "BEFORE",
    "secrets": {"mysql_gr_recovery_password": "a" * 32, "mysql_gr_peer_password": "b"},
    "login_password": "", "paths": {"mysql_gr_config_file": "/etc/mysql/mysql.conf.d/zz-mysql-gr.cnf"}, "families": ["debian"],
    "users": [{"name": "simkpuser", "password": "d"}],
    "accounts": {"mysql_gr_recovery_user": "repl", "mysql_gr_peer_user": "gr_peer"}, "account_hosts": ["%"], "hardening": [],
    "expected_accounts": [{"name": "monitor", "host": "%"}], "settings_of": {"db0": {}, "db1": {}, "db2": {}},
    "install_method": "distribution", "repository_key": "", "repository_key_text": "",
    "series": "8.4", "series_known": ["8.0", "8.4"], "version_expected": "", "packages": [], "settings": {},
    "firewall": "none", "firewall_clients": [], "expected_clients": [], "firewall_names": ["mysql_gr", "db0"],
    "guard": "false", "guard_evidence": "all", "guard_evidences": ["all"],
    "start_on_boot": True,
    "strict": {"server_id": 130, "single_primary_mode": False}, "preferred": {"member_expel_timeout": 0}, "extra": {"max_connections": 151},
    "memory": {"base": "540M", "buffer_pool": "128M", "message_cache": "256M"},
    "tls": TLS, "tls_files": {"ca": "", "cert": "", "key": ""}, "tls_own": {"cert": "/etc/mysql/gr-cert.pem"}, "tls_seen": {}, "now": 0.0,
    "login_user": "root", "login_unix_socket": "/run/mysqld/mysqld.sock",
}  # fmt: skip


SITES = {"other_site": "south", "other_sites": ["south"], "site_password": "c", "writers": "primary"}


def look(hosts=None, probe=None, **wishes):
    """The findings for db0; probe changes what was seen on it."""
    hosts = HOSTS if hosts is None else hosts
    probes = {host: copy.deepcopy(PROBE) for host in hosts}
    for number, host in enumerate(probes):
        probes[host]["uuid"] = f"0000000{number}-e646-11f1-8004-02fc00000001"
    if "db0" in probes:
        probes["db0"].update(probe or {})
    return gr_preflight(gr_members(list(hosts), hosts), probes, dict(WISHES, **wishes))


def problems(*arguments, **wishes):
    return look(*arguments, **wishes)["problems"]


def with_host(host, **variables):
    return dict(HOSTS, **{host: dict(HOSTS[host], **variables)})


def test_nothing_stands_against_blank_hosts():
    assert look() == {"problems": [], "warnings": [], "new_uuid": []}


def test_nothing_stands_against_networks_of_clients():
    clients = ["192.0.2.0/24", "192.0.2.9", "2001:db8::/32", "2001:db8::7", "0.0.0.0/0", "any", "mysql_gr", "db0"]
    assert problems(firewall="ufw", firewall_clients=clients) == []


def test_without_netaddr_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(networks, "netaddr", None)
    with pytest.raises(AnsibleFilterError, match="netaddr is missing on the control node"):
        problems()


def test_nothing_stands_against_a_member_that_is_up():
    running = {"installed": True, "service": {"exists": True, "active": "active", "enabled": True},
               "ports": [{"port": 3306, "process": "mysqld"}, {"port": 33061, "process": "mysqld"}], "sql": dict(SQL, state="ONLINE")}  # fmt: skip
    assert look(probe=running)["problems"] == []


def test_hosts_outside_of_the_play_are_only_declared():
    members = gr_members(list(HOSTS), HOSTS)
    assert gr_preflight(members, {"db0": copy.deepcopy(PROBE)}, dict(WISHES, acting=["db0"]))["problems"] == []


@pytest.mark.parametrize(
    ("hosts", "words"),
    [
        (with_host("db1", mysql_gr_server_id=130), ["mysql_gr_server_id 130", "db0 and db1"]),
        (with_host("db1", mysql_gr_server_id=None), ["mysql_gr_server_id of db1 is missing"]),
        (with_host("db1", mysql_gr_server_id=0), ["mysql_gr_server_id of db1 is 0", "4294967295"]),
        (with_host("db1", mysql_gr_server_id="x"), ["mysql_gr_server_id of db1 is 'x'"]),
        (with_host("db1", mysql_gr_address="999.1.2.3"), ["mysql_gr_address of db1 is '999.1.2.3'", "IPv4"]),
        (
            with_host("db1", mysql_gr_address="192.0.2.130"),
            ["192.0.2.130:3306 is the address of db0 and db1", "192.0.2.130:33061"],
        ),
        (with_host("db1", mysql_gr_address="127.0.0.1"), ["127.0.0.1", "cannot reach it"]),
        (with_host("db1", mysql_gr_address="localhost"), ["localhost", "cannot reach it"]),
        (with_host("db1", mysql_gr_address="0.0.0.0"), ["no address of a host"]),
        (with_host("db1", mysql_gr_address="ff02::1"), ["no address of a host"]),
        (with_host("db1", mysql_gr_address="fe80::1"), ["link-local"]),
        (with_host("db1", mysql_gr_port=70000), ["mysql_gr_port of db1 is 70000", "65535"]),
        (with_host("db1", mysql_gr_local_port=3306), ["both 3306"]),
        (
            {f"db{n}": {"mysql_gr_address": f"192.0.2.{n}", "mysql_gr_server_id": n} for n in range(1, 11)},
            ["10 members", "at most 9"],
        ),
        ({}, ["has no hosts"]),
    ],
)
def test_bad_members(hosts, words):
    found = "\n".join(problems(hosts))
    for word in words:
        assert word in found


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"group_name": "simkp"}, ["mysql_gr_group_name is 'simkp'", "UUID"]),
        ({"group_name": "00000000-0000-0000-0000-000000000000"}, ["UUID"]),
        ({"group_name": GROUP.replace("-", "")}, ["UUID"]),
        ({"group_names": {"db0": GROUP, "db1": "other"}}, ["mysql_gr_group_name differs between db0 and db1"]),
        (
            {"communication_stacks": ["MYSQL", "auto"]},
            ["mysql_gr_communication_stack is MYSQL and auto on members of one group"],
        ),
        (
            {"settings": {"group_replication_communication_stack": "MYSQL"}},
            ["which follows from mysql_gr_communication_stack"],
        ),
        ({"guard": "full", "start_on_boot": False}, ["mysql_gr_guard is 'full', and mysql_gr_start_on_boot is false"]),
        (
            {"guard": "full", "guard_evidence": "most"},
            ["mysql_gr_guard_evidence is 'most'; allowed are all and majority."],
        ),
        ({**SITES, "writers": "one"}, ["mysql_gr_other_site is 'south', and mysql_gr_writers is 'one'"]),
        ({**SITES, "other_sites": ["all", "west"]}, ["mysql_gr_other_site is 'south'; allowed is the inventory group"]),
        ({**SITES, "site_password": ""}, ["mysql_gr_site_password is missing or empty"]),
        ({**SITES, "site_password": "x" * 33}, ["mysql_gr_site_password is too long"]),
        ({**SITES, "settings": {"init-file": "/x"}}, ["contains init_file, which follows from mysql_gr_other_site"]),
        (
            {"guard": "rejoin", "guard_evidence": "majority"},
            ["mysql_gr_guard_evidence is 'majority', and mysql_gr_guard is 'rejoin'"],
        ),
        (
            {"guard": "full", "guard_evidences": ["all", "majority"]},
            ["mysql_gr_guard_evidence differs between members (all and majority); all need the same."],
        ),
        ({"secrets": {"mysql_gr_peer_password": ""}}, ["mysql_gr_peer_password is missing or empty"]),
        (
            {"secrets": {"mysql_gr_peer_password": ["a", "b"]}},
            ["mysql_gr_peer_password is a list; allowed is a string"],
        ),
        ({"secrets": {"mysql_gr_peer_password": {"a": 1}}}, ["mysql_gr_peer_password is a dict; allowed is a string"]),
        ({"users": [{"name": "app", "password": ["x"]}]}, ["mysql_gr_users[0].password (app) is a list"]),
        ({"login_password": "a\n[client]\nhost=x"}, ["mysql_gr_login_password contains a line break"]),
        ({"users": [{"name": "o'brien", "password": "x"}]}, ["without quotes and backslashes"]),
        (
            {"firewall": "ufw", "firewall_clients": "192.0.2.0/24"},
            ["mysql_gr_firewall_clients: '192.0.2.0/24' is not allowed", "a list of"],
        ),
        (
            {"firewall": "ufw", "firewall_clients": ["192.0.2.0/24", "192.0.2.300"]},
            ["mysql_gr_firewall_clients: '192.0.2.300' is not allowed"],
        ),
        ({"firewall": "ufw", "firewall_clients": ["192.0.2"]}, ["mysql_gr_firewall_clients: '192.0.2' is not allowed"]),
        (
            {"firewall": "ufw", "firewall_clients": ["app.example.com"]},
            ["mysql_gr_firewall_clients: 'app.example.com' is not allowed"],
        ),
        ({"firewall": "ufw", "expected_clients": ["proxy9"]}, ["mysql_gr_expected_clients: 'proxy9' is not allowed"]),
        ({"firewall": "firewalld", "firewall_clients": [10]}, ["mysql_gr_firewall_clients: 10 is not allowed"]),
        ({"firewall": "ufw", "firewall_clients": ["192.0.2.7/24"]}, ["allowed: 192.0.2.0/24"]),
        ({"firewall": "ufw", "firewall_clients": ["2001:db8::1/32"]}, ["allowed: 2001:db8::/32"]),
        (
            {"paths": {"mysql_gr_config_file": "/etc/my $(reboot).cnf"}},
            ["mysql_gr_config_file is '/etc/my $(reboot).cnf'", "absolute path"],
        ),
        ({"secrets": {"mysql_gr_recovery_password": "x" * 33}}, ["mysql_gr_recovery_password is too long", "32"]),
        ({"users": [{"name": "simkpuser"}]}, ["mysql_gr_users[0].password (simkpuser) is missing"]),
        ({"users": [{"password": "x"}]}, ["mysql_gr_users[0].name is missing"]),
        (
            {"users": [{"name": "repl", "password": "x"}]},
            ["mysql_gr_users[0].name is 'repl'", "mysql_gr_recovery_user"],
        ),
        (
            {"accounts": {"mysql_gr_recovery_user": "a", "mysql_gr_peer_user": "a"}},
            ["mysql_gr_recovery_user and mysql_gr_peer_user are both 'a'"],
        ),
        ({"accounts": {"mysql_gr_peer_user": "a" * 33}}, ["1 to 32 characters"]),
        (
            {"tls": {**TLS, "mode": "VERIFY_CA"}},
            ["mysql_gr_ssl_mode is 'VERIFY_CA'", "nobody can verify", "own_ca or given"],
        ),
        (
            {"tls": {**TLS, "kind": "given", "given": {"ca": "/a", "cert": "/c", "key": ""}}},
            ["mysql_gr_tls_cert and mysql_gr_tls_key belong together"],
        ),
        ({"forks": 2}, ["3 members", "2 hosts at a time", "--forks 3"]),
        ({"install_method": "package"}, ["mysql_gr_packages is empty"]),
        (
            {"install_method": "package", "packages": [{"path": "/a/python3-pymysql.deb", "checksum": "md5:1"}]},
            ['mysql_gr_packages[0].checksum is "md5:1"', "sha256:, sha384: or sha512:"],
        ),
        ({"install_method": "package", "packages": [{"checksum": "sha256:" + "0" * 64}]}, ["either url or path"]),
        (
            {"install_method": "package", "packages": [{"path": "/a/mysql.deb", "checksum": "sha256:" + "0" * 64}]},
            ["has no python3-pymysql"],
        ),
        (
            {"install_method": "repository", "repository_key": "/no/such", "repository_key_text": None},
            ["mysql_gr_repository_key is '/no/such'", "public key"],
        ),
        ({"install_method": "repository", "series": "5.7"}, ["mysql_gr_series is '5.7'", "8.0 and 8.4"]),
        ({"settings": {"loose-group_replication-single-primary-mode": "ON"}}, ["mysql_gr_writers"]),
        ({"settings": {"group_replication_consistency": "EVENTUAL"}}, ["mysql_gr_writers and mysql_gr_consistency"]),
        ({"writers": "both"}, ["mysql_gr_writers is 'both'; allowed are one, primary, all."]),
        (
            {"writers": "all", "consistency": "BEFORE_ON_PRIMARY_FAILOVER"},
            [
                "mysql_gr_consistency is BEFORE_ON_PRIMARY_FAILOVER, but mysql_gr_writers is all",
                "allowed is BEFORE (or",
            ],
        ),
        ({"writers_exceptions": ["mysql_gr_port"]}, ["mysql_gr_writers_exceptions contains 'mysql_gr_port'"]),
        ({"settings": {"server-id": 1}}, ["mysql_gr_settings contains server-id", "mysql_gr_server_id"]),
        ({"preferred": {"member_expel_timeout": "long"}}, ["db0", "member_expel_timeout", "'long' is not allowed"]),
        ({"extra": {"group_replication_bootstrap_group": "ON"}}, ["never written into a file"]),
        (
            {"memory": {"base": "540M", "buffer_pool": "banana", "message_cache": "256M"}},
            ["mysql_gr_innodb_buffer_pool_size is 'banana'; allowed is a size such as 128M"],
        ),
        (
            {
                "memory": {"base": "540M", "buffer_pool": ["1G"], "message_cache": "256M"},
                "settings": {"innodb-buffer-pool-size": ["1G"]},
            },
            ["mysql_gr_settings: innodb_buffer_pool_size is ['1G']; allowed is a size"],
        ),
        (
            {"memory": {"base": "540M", "buffer_pool": "8G", "message_cache": "256M"}},
            ["2048 MB of memory", "buffer pool 8G", "mysql_gr_machine"],
        ),
    ],
)
def test_bad_variables(wishes, words):
    found = "\n".join(problems(**wishes))
    for word in words:
        assert word in found


ACTIVE = {"exists": True, "active": "active", "enabled": True}


def test_the_stack_of_a_running_group_and_the_declared_one():
    running = {"service": ACTIVE, "sql": dict(SQL, state="ONLINE", communication_stack="XCOM")}
    assert problems(probe=running, communication_stack="XCOM") == problems(probe=running) == []
    assert "set auto, or stop the servers" in problems(probe=running, communication_stack="MYSQL", stack="MYSQL")[0]


def test_with_the_stack_mysql_the_port_of_the_group_does_not_count():
    taken = {"ports": [{"port": 33061, "process": "nginx"}]}
    same = with_host("db0", mysql_gr_local_port=3306)
    assert len(problems(probe=taken)) == len(problems(same)) == 1
    assert problems(probe=taken, stack="MYSQL") == problems(same, stack="MYSQL") == []


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (
            {"os": {"id": "fedora", "like": [], "family": "redhat", "name": "Fedora Linux 43"}},
            ["db0 runs Fedora Linux 43", "Debian and Ubuntu"],
        ),
        ({"python": [3, 7]}, ["Python 3.7", "3.8"]),
        ({"packages": {"mariadb-server": "1:11.8"}}, ["mariadb-server", "no Group Replication"]),
        ({"address_is_local": False}, ["192.0.2.130", "not an address of that host"]),
        ({"ports": [{"port": 3306, "process": "nginx"}]}, ["mysql_gr_port of db0 is 3306, which nginx uses"]),
        (
            {"ports": [{"port": 33061, "process": ""}]},
            ["mysql_gr_local_port of db0 is 33061, which another program uses"],
        ),
        ({"ports": [{"port": 3306, "process": "mysqld"}]}, ["a mysqld uses there that the service does not run"]),
        ({"version": ""}, ["package lists have no mysql-server", "repository or package"]),
        ({"version": "5.7.10", "installed": True}, ["5.7.10 has no Group Replication"]),
        ({"version": "11.8.3-MariaDB", "installed": True}, ["MariaDB"]),
        ({"memory": 512 << 20}, ["512 MB of memory", "about 924 MB"]),
        (
            {"service": ACTIVE, "sql": {"error": "ERROR 1045 (28000): Access denied"}},
            ["could not be asked as 'root'", "Access denied"],
        ),
        (
            {"service": ACTIVE, "sql": dict(SQL, state="ONLINE", group_name="aaaaaaaa-0000-4139-b2b7-097d185a93cb")},
            ["ONLINE in the group aaaaaaaa"],
        ),
        (
            {"service": ACTIVE, "sql": dict(SQL, state="ONLINE", single_primary=True)},
            ["runs as mysql_gr_writers primary", "mysql_gr_writers is 'one'", "distdb.mysql_ha.switch_mode"],
        ),
        (
            {"service": ACTIVE, "sql": dict(SQL, state="ONLINE", update_everywhere_checks=True)},
            ["runs as mysql_gr_writers all", "mysql_gr_writers is 'one'"],
        ),
        (
            {
                "service": ACTIVE,
                "sql": dict(SQL, state="ONLINE", seen=[["192.0.2.130", "3306"], ["192.0.2.139", "3306"]]),
            },
            [
                "192.0.2.139:3306 is a member of the group and not declared",
                "'mysql_gr'",
                "distdb.mysql_ha.remove_member",
            ],
        ),
    ],
)
def test_bad_hosts(probe, words):
    found = "\n".join(problems(probe=probe))
    for word in words:
        assert word in found


@pytest.mark.parametrize(
    ("version", "refused"), [("5.7.44", True), ("8.0.11", False), ("", False), ("11.8.3-MariaDB", False)]
)
def test_a_guard_needs_a_server_that_persists_variables(version, refused):
    found = "\n".join(problems(probe={"version": version, "installed": True}, guard="rejoin"))
    assert ("mysql_gr_guard 'rejoin' needs 8.0.11" in found) == refused


NAMED = {f"db{n}": {"mysql_gr_address": f"DB{n}.lab", "mysql_gr_server_id": 130 + n} for n in range(3)}
RESOLVED = {f"db{n}.lab": [f"192.0.2.13{n}"] for n in range(3)}


@pytest.mark.parametrize(
    ("resolved", "words"),
    [
        (
            {"db0.lab": ["127.0.1.1"]},
            "mysql_gr_address of db0 is 'db0.lab', which is 127.0.1.1 on db0 itself, where no other member reaches it",
        ),
        ({"db0.lab": ["::1", "192.0.2.130"]}, "which is ::1 on db0 itself"),
        ({"db0.lab": []}, "which db0 itself cannot resolve"),
        ({"db2.lab": []}, "db0 cannot resolve 'db2.lab', the mysql_gr_address of db2"),
        ({"db2.lab": ["127.0.0.1"]}, "'db2.lab', the mysql_gr_address of db2, is 127.0.0.1 on db0"),
    ],
)
def test_names_are_resolved_where_they_matter(resolved, words):
    found = problems(NAMED, {"resolved": {**RESOLVED, **resolved}})
    assert len(found) == 1 and words in found[0], found
    assert problems(NAMED, {"resolved": RESOLVED}) == []


def test_a_group_of_one_may_be_known_by_a_loopback_address():
    assert problems({"db0": NAMED["db0"]}, {"resolved": {"db0.lab": ["127.0.1.1"]}}, acting=["db0"]) == []


def test_a_member_that_is_declared_by_another_spelling_is_declared():
    seen = [["DB1.LAB", "3306"], ["db2.lab", "3306"]]
    assert problems(NAMED, {"resolved": RESOLVED, "sql": dict(SQL, state="ONLINE", seen=seen)}) == []


def test_lists_that_were_not_fetched_say_nothing_about_packages():
    assert problems(probe={"version": "", "package_lists": False}) == []


def test_an_account_to_remove_needs_no_password():
    assert problems(users=[{"name": "old", "state": "absent"}]) == []


def twins(**changes):
    """Servers of db0 and db1 with one uuid; changes by host."""
    probes = {host: dict(copy.deepcopy(PROBE), uuid="AAAAAAAA-e646-11f1-8004-02fc00000001") for host in ("db0", "db1")}
    for host, change in changes.items():
        probes[host].update(change)
    return probes


def test_clones_without_data_get_new_uuids_all_but_one():
    asked = {"service": ACTIVE, "sql": dict(SQL, uuid="aaaaaaaa-e646-11f1-8004-02fc00000001")}
    assert uuid_findings(twins(db0=asked, db1=asked)) == ([], ["db1"])


def test_the_one_with_data_keeps_its_uuid():
    empty = {"service": ACTIVE, "sql": dict(SQL, uuid="aaaaaaaa-e646-11f1-8004-02fc00000001")}
    assert uuid_findings(twins(db0=empty, db1={"relay_logs": ["relay-bin"]})) == ([], ["db0"])


@pytest.mark.parametrize(
    "data",
    [{"relay_logs": ["relay-bin"]}, {"sql": dict(SQL, has_transactions=True)}, {"sql": dict(SQL, state="ONLINE")}],
)
def test_two_with_data_are_refused(data):
    found, renew = uuid_findings(twins(db0=data, db1=data))
    assert renew == []
    assert "server_uuid aaaaaaaa-e646-11f1-8004-02fc00000001" in found[0]
    assert "db0 and db1 hold data" in found[0]


def test_a_twin_that_cannot_be_asked_is_refused():
    asked = {"service": ACTIVE, "sql": dict(SQL, uuid="aaaaaaaa-e646-11f1-8004-02fc00000001")}
    found, renew = uuid_findings(twins(db0=asked))
    assert renew == []
    assert "the server of db1 does not run" in found[0]


def test_servers_without_a_uuid_are_no_twins():
    assert uuid_findings({"db0": copy.deepcopy(PROBE), "db1": copy.deepcopy(PROBE)}) == ([], [])


# -- what the servers hold ------------------------------------------------------------------------------------------------
NOTHING = Data().as_dict()
SHOP = Data(
    schemas=[Schema("shop", 2, 1000, 98304, "2026-11-25 10:00")],
    history="it has not one transaction with a GTID",
    proven=True,
)


def held(host="db0", data_wishes=None, **by_host):
    """Problems for that host; by_host: Data, or changes of what was seen."""
    return found_of(host, data_wishes, **by_host)["problems"]


def found_of(host, data_wishes, **by_host):
    probes = {name: dict(copy.deepcopy(PROBE), data=NOTHING) for name in HOSTS}
    for name, seen in by_host.items():
        running = {
            "installed": True,
            "service": ACTIVE,
            "sql": dict(SQL, uuid=f"0000000{name[2]}-e646-11f1-8004-02fc00000001"),
        }
        probes[name].update(running)
        probes[name].update(seen if isinstance(seen, dict) else {"data": seen.as_dict()})
    wishes = {
        **WISHES,
        "host": host,
        "clone": "never",
        "gtid_set_is_complete": False,
        "bootstrap_without": [],
        "bootstrap_from": "",
        **(data_wishes or {}),
    }
    return gr_preflight(gr_members(list(HOSTS), HOSTS), probes, wishes)


def test_a_server_whose_history_does_not_account_for_its_data_is_refused_in_the_words_of_the_role():
    (said,) = held(db1=SHOP)
    assert said.startswith(
        "db1 has shop (about 1,000 rows, 96.0 KiB, last change 2026-11-25 10:00), and its GTID history does not account for them"
    )
    assert "mysql_gr_clone=when_needed" in said
    assert held("db1", db1=SHOP) == [said] == held("db2", db1=SHOP)
    assert held(db1=SHOP, data_wishes={"clone": "when_needed"}) == []


def test_two_servers_with_different_data_are_both_named():
    (said,) = held(db1=SHOP, db2=SHOP._replace(schemas=[Schema("crm", 1, 7, 16384, "2026-11-01 10:00")]))
    assert "db1 has shop (about 1,000 rows" in said and "db2 has crm (about 7 rows" in said


@pytest.mark.parametrize(("single", "said"), [(True, ""), (False, "1 with a foreign key that cascades: shop.c")])
def test_cascades_count_where_every_member_writes(single, said):
    cascades = Data(schemas=SHOP.schemas, cascading=Tables(1, ["shop.c"]))
    found = held(
        db1=cascades,
        data_wishes={
            "clone": "when_needed",
            "strict": {"server_id": 130, "single_primary_mode": False, "enforce_update_everywhere_checks": not single},
        },
    )
    assert said in "".join(found) and bool(found) is bool(said)


def test_tables_of_a_member_that_is_online_are_no_refusal():
    keyless = Data(schemas=SHOP.schemas, without_key=Tables(1, ["shop.t"]))
    assert "shop.t" in held(db1=keyless)[0]
    assert (
        held(
            "db1",
            db1={"data": keyless.as_dict(), "sql": dict(SQL, uuid="u1", state="ONLINE", gtid_executed=f"{GROUP}:1-9")},
        )
        == []
    )


def test_an_innodb_cluster_is_refused_also_while_it_is_online():
    metadata = Data(cluster_metadata=True)
    online = {"data": metadata.as_dict(), "sql": dict(SQL, uuid="u1", state="ONLINE")}
    assert "dba.dropMetadataSchema()" in held("db1", db1=metadata)[0]
    assert "dba.dropMetadataSchema()" in held("db1", db1=online)[0]


def test_what_could_not_be_seen_is_not_nothing():
    assert held("db1", db1={"data": None, "data_error": "ERROR 1146"}) == [
        "What the server of db1 holds could not be seen: ERROR 1146"
    ]


def test_a_blank_host_is_told_of_the_living_groups_data():
    online = {"data": SHOP.as_dict(), "sql": dict(SQL, uuid="u1", state="ONLINE", gtid_executed=f"{GROUP}:1-9")}
    (said,) = held("db0", db1=online)
    assert said.startswith(
        "db0: the group's history does not account for its data, and this server would join without them: db1 has shop"
    )


# -- what a server brings along that was never a member -------------------------------------------------------------------
NONE, LOGGED = Tables(), dict(SQL, uuid="u1", gtid_executed="00000001-e646-11f1-8004-02fc00000001:1-9")


def brought(accounts=(), definers=NONE, events=NONE, seen=None, **data_wishes):
    """(problems, warnings) for db1, whose server has this."""
    brings = {"accounts": [list(a) for a in accounts], "definers": definers._asdict(), "events": events._asdict()}
    data = {**Data(schemas=SHOP.schemas).as_dict(), "brings": brings}
    found = found_of("db1", data_wishes, db1={"data": data, "sql": LOGGED, **(seen or {})})
    return "\n".join(found["problems"]), "\n".join(found["warnings"])


@pytest.mark.parametrize(
    ("account", "problem", "warning"),
    [
        (("repl", "%", False), "", "db1: the role takes repl@% over: another password"),
        (("monitor", "%", False), "", "the role takes monitor@% over"),
        (("repl", "%", True), "db1: the role needs repl@%, locked or a role: ALTER USER … ACCOUNT UNLOCK", ""),
        (("repl", "192.0.2.%", False), "MySQL would take repl@192.0.2.% for members that log in as repl, gr_peer", ""),
        (("gr_peer", "192.0.2.13_", False), "gr_peer@192.0.2.13_", ""),
        (("gr_peer", "192.0.2.128/255.255.255.128", False), "gr_peer@192.0.2.128/255.255.255.128", ""),
        (("", "192.0.2.131", False), "(no name)@192.0.2.131", ""),
        # Nobody of the group comes from there.
        (("repl", "198.51.100.%", False), "", "db1: the role removes repl@198.51.100.%, since it has repl, gr_peer at the members' own addresses"),
        (("repl", "198.51.100.0/no", False), "", "the role removes repl@198.51.100.0/no"),
        (("repl", "198.51.100.%", True), "", ""),
        (("repl", "localhost", False), "", ""),
        (("", "localhost", False), "", ""),
        (("", "%", False), "", ""),
        # Where a proxy comes from is not known here.
        (("monitor", "198.51.100.7", False), "", "MySQL takes monitor@198.51.100.7, whose host part is more exact, for who comes from there as monitor"),
        (("monitor", "192.0.2.131", False), "", "MySQL takes monitor@192.0.2.131"),
        (("", "198.51.100.7", False), "", "MySQL takes (no name)@198.51.100.7"),
    ],
)  # fmt: skip
def test_accounts_with_the_names_of_the_roles(account, problem, warning):
    problems, warnings = brought([account])
    assert problem in problems and bool(problem) is bool(problems)
    assert warning in warnings and bool(warning) is bool(warnings)


def test_a_less_exact_account_is_not_in_the_way():
    problems, warnings = brought([("repl", "%", True), ("repl", "192.0.%", False)], account_hosts=["192.0.2.%"])
    assert not problems and "the role removes repl@192.0.%" in warnings and "repl@%" not in warnings
    assert "repl@192.0.2._3_" in brought([("repl", "192.0.2._3_", False)], account_hosts=["192.0.2.%"])[0]


@pytest.mark.parametrize(
    ("pattern", "address", "whether"),
    [
        ("db%.LAB", "DB0.lab", True),
        ("192.0.2.7/255.255.255.0", "192.0.2.130", True),
        ("192.0.2.0/24", "192.0.3.1", False),
        ("192.0.2.0/24", "db0.lab", False),
        ("192_0.2.1", "192.0.2.10", False),
    ],
)
def test_whom_a_host_part_admits(pattern, address, whether):
    assert admits(pattern, address) is whether


def test_definers_that_are_no_accounts_are_counted():
    _problems, warnings = brought(definers=Tables(12, ["shop.v (gone@%)"]))
    assert "as their definer is no account (12: shop.v (gone@%) and 11 more)" in warnings


EVENTS = Tables(1, ["shop.purge"])


@pytest.mark.parametrize(
    ("wishes", "problem", "warning"),
    [
        ({"clone": "when_needed"}, "db1: it has enabled events (1: shop.purge), and so have its clones", ""),
        ({"clone": "when_needed", "settings_of": {"db0": {"event-scheduler": "OFF"}, "db1": {}}}, "(db1 has none)", ""),
        ({"clone": "when_needed", "settings_of": {"db0": {"event_scheduler": "OFF"}, "db1": {"event_scheduler": "ON"}}}, "", ""),
        ({"clone": "when_needed", "writers": "primary", "consistency": "BEFORE_ON_PRIMARY_FAILOVER"}, "", ""),
        ({"clone": "never"}, "", "others get them REPLICA_SIDE_DISABLED"),
    ],
)  # fmt: skip
def test_an_event_runs_once(wishes, problem, warning):
    problems, warnings = brought(events=EVENTS, **wishes)
    assert problem in problems and bool(problem) is bool(problems)
    assert warning in warnings and bool(warning) is bool(warnings)


def test_what_belongs_to_the_role_or_to_a_group_already_is_no_news():
    ours = {"files": {"/etc/mysql/mysql.conf.d/zz-mysql-gr.cnf": ["sum", "0640", "root", "mysql"]}}
    online = {"sql": dict(SQL, uuid="u1", state="ONLINE", gtid_executed=f"{GROUP}:1-9")}
    everything = {"accounts": [("repl", "%", True)], "definers": EVENTS, "events": EVENTS, "clone": "when_needed"}
    assert brought(seen=ours, **everything) == brought(seen=online, **everything) == ("", "")


def test_of_data_that_a_living_group_replaces_only_accounts_matter():
    brings = {"accounts": [["repl", "%", True]], "definers": EVENTS._asdict(), "events": EVENTS._asdict()}
    online = {"data": SHOP.as_dict(), "sql": dict(SQL, uuid="u0", state="ONLINE", gtid_executed=f"{GROUP}:1-9")}
    ours = {"data": {**SHOP.as_dict(), "brings": brings}, "sql": LOGGED}
    found = found_of("db1", {"clone": "reprovision"}, db0=online, db1=ours)
    assert "the role needs repl@%" in "".join(found["problems"]) and "events" not in str(found)


def test_words():
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert is_uuid(GROUP.upper())
    assert not is_uuid("x")


def test_one_of_two_sites_is_set_up():
    assert problems(**SITES, strict={"server_id": 130, "single_primary_mode": True}) == []


MONITORING = {
    "on": True, "all": [True], "exporters": True, "hosts": ["192.0.2.200"], "user": "prometheus", "password": "scrape", "account_password": "account",
    "there": False,
}  # fmt: skip
OWN = dict(TLS, kind="own_ca", passphrase="a" * 12, made=True)


def monitored(probe=None, tls=OWN, **changes):
    return problems(probe=probe, tls=tls, monitoring=dict(MONITORING, **changes))


def test_nothing_stands_against_monitoring():
    assert monitored() == [] and monitored(on=False, password="", account_password="") == []
    assert monitored(exporters=False, hosts=[], password="", tls=TLS) == []
    assert problems(monitoring={"all": [False]}) == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (dict(all=[False, True]), "mysql_gr_monitoring is False and True on members of one group; it has to be the same on all."),
        (dict(hosts=[]), "mysql_gr_monitoring_hosts is empty; allowed are the addresses and networks of the hosts that scrape the exporters."),
        (dict(hosts=["any"]), "mysql_gr_monitoring_hosts: 'any' is not allowed (allowed: a list of addresses and networks"),
        (dict(hosts=["192.0.2.7/24"]), "mysql_gr_monitoring_hosts: '192.0.2.7/24' is not allowed (it has bits beyond its prefix; allowed: 192.0.2.0/24)"),
        (dict(user="a b"), "mysql_gr_monitoring_user is 'a b'; allowed are 1 to 64 letters, digits and . _ -."),
        (dict(password=""), "mysql_gr_monitoring_password is missing or empty; no password has a default."),
        (dict(password=7), "mysql_gr_monitoring_password is a int; allowed is a string."),
        (dict(password="ä" * 37), "mysql_gr_monitoring_password is not allowed (allowed: one line of at most 72 bytes)"),
        (dict(account_password=None), "mysql_gr_exporter_password is missing or empty; no password has a default."),
        (dict(account_password=[1]), "mysql_gr_exporter_password is a list; allowed is a string."),
        (dict(account_password="a#b"), "mysql_gr_exporter_password has a character that the exporter's option file cannot hold (allowed: ASCII"),
        (dict(tls=TLS), "mysql_gr_monitoring is true, and mysql_gr_tls is 'server': exporters show the member's certificate"),
    ],
)  # fmt: skip
def test_what_stands_against_monitoring_is_said_in_one_sentence(changes, sentence):
    found = monitored(**changes)
    assert len(found) == 1 and found[0].startswith(sentence), found


def test_a_port_that_another_program_has_is_no_exporters():
    used = [{"port": 9100, "process": "node_exporter"}, {"port": 9104, "process": "prometheus-mysq"}]
    first, second = monitored(probe={"ports": used})
    assert first.startswith(
        "db0: port 9100, which prometheus-node-exporter is to have, is used by node_exporter; stop and disable that"
    )
    assert "mysql_gr_monitoring_exporters to false" in second
    assert monitored(probe={"ports": used[1:]}, there=True) == []
    assert len(monitored(probe={"ports": [{"port": 9100, "process": ""}]}, there=True)) == 1
    assert monitored(probe={"ports": used}, exporters=False) == []
