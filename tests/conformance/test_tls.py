# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS: what a proxy makes of members' certificates, for statements and for its monitor, and what clients see of the proxy's own."""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import pymysql
import pytest
import targets
from support_certificates import CA, DAY
from support_tls_member import TlsMember
from targets import wait_for

APP, MONITOR = ("app", "app-secret"), ("monitor", "monitor-secret")
TLS, PLAIN = "TLS", "plain text"
NO_ISSUER = "TLS/SSL error: unable to get local issuer certificate"
EXPIRED = "TLS/SSL error: certificate has expired"

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.claim(
        "ProxySQL refuses members with a wrong CA or an expired certificate, clients refuse such a proxy, and new certificates and CAs cut nobody off."
    ),
    pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("tls")
    # A real ProxySQL that is started as root reads them as root; one that runs already may be another user.
    for path in (made, *made.parents[:2]):
        path.chmod(0o755)
    return made


@pytest.fixture(scope="module")
def ca(folder):
    return CA(folder, "ca")


@pytest.fixture(scope="module")
def other_ca(folder):
    return CA(folder, "other-ca")


@pytest.fixture(scope="module")
def kinds(ca, other_ca):
    """What members can have, and the highest version of TLS."""
    return {
        "good": (ca.issue("good", "127.0.0.1"), None),
        "wrong CA": (other_ca.issue("wrong-ca", "127.0.0.1"), None),
        "wrong name": (ca.issue("wrong-name", "db9.example.com"), None),
        "expired": (ca.issue("expired", "127.0.0.1", ends=-DAY), None),
        "no TLS": (None, None),
        "TLS 1.1": (ca.issue("old", "127.0.0.1"), ssl.TLSVersion.TLSv1_1),
    }


@pytest.fixture
def members(kinds):
    """A member of each kind, on ports of its own in each test: a monitor may still be at work on those of the last one."""
    made = {kind: TlsMember(*what) for kind, what in kinds.items()}
    yield made
    for member in made.values():
        member.close()


@pytest.fixture
def fronted(proxy, members):
    """A proxy with each member in a hostgroup of its own, use_ssl on."""
    for hostgroup, member in enumerate(members.values(), 10):
        proxy.run(
            "INSERT INTO mysql_servers (hostgroup_id, hostname, port, use_ssl) VALUES"
            f" ({hostgroup}, '127.0.0.1', {member.port}, 1)"
        )
        proxy.run(
            "INSERT INTO mysql_query_rules (rule_id, active, match_pattern, destination_hostgroup, apply) VALUES"
            f" ({hostgroup}, 1, 'member {hostgroup}\\b', {hostgroup}, 1)"
        )
    proxy.run("INSERT INTO mysql_users (username, password, default_hostgroup) VALUES ('{}', '{}', 10)".format(*APP))
    proxy.set(
        monitor_username=MONITOR[0],
        monitor_password=MONITOR[1],
        monitor_connect_interval=500,
        connect_retries_on_failure=0,
        connect_timeout_server_max=2000,
        shun_recovery_time_sec=1,
    )
    return proxy


def load(proxy):
    for settings in ("MYSQL SERVERS", "MYSQL USERS", "MYSQL QUERY RULES"):
        proxy.run(f"LOAD {settings} TO RUNTIME")


def by_rows(proxy, member_list, **columns):
    for member in member_list:
        names, values = ", ".join(columns), ", ".join(f"'{value}'" for value in columns.values())
        proxy.run(
            f"INSERT INTO mysql_servers_ssl_params (hostname, port, {names}) VALUES ('127.0.0.1', {member.port}, {values})"
        )


def statement(proxy, hostgroup: int) -> str:
    """By what the answer came, or the error."""
    connection = proxy.connect(*APP, proxy.port)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT /* member {hostgroup} */ 1")
            return cursor.fetchone()[0]
    except pymysql.MySQLError as error:
        return error.args[1]
    finally:
        connection.close()


def monitored(proxy, member) -> str:
    """By what the monitor logged in last, or its error."""

    def seen():
        rows = proxy.rows(
            f"SELECT connect_error FROM monitor.mysql_server_connect_log WHERE port={member.port} ORDER BY time_start_us DESC LIMIT 1"
        )
        if rows and rows[0][0]:
            return rows[0][0]
        logins = [encrypted for user, encrypted in member.logins if user == MONITOR[0]]
        return (TLS if logins[-1] else PLAIN) if rows and logins else None

    return wait_for(seen, 10, "the monitor's connect check")


def seen_of(proxy, members):
    return {
        kind: (statement(proxy, hostgroup), monitored(proxy, member))
        for hostgroup, (kind, member) in enumerate(members.items(), 10)
    }


@pytest.mark.parametrize("how", ["mysql-ssl_p2s_ca", "mysql_servers_ssl_params"])
def test_a_member_s_certificate_is_verified_but_not_its_name_and_plain_text_is_taken(fronted, members, ca, how):
    if how == "mysql-ssl_p2s_ca":
        fronted.set(ssl_p2s_ca=ca.path)
    else:
        by_rows(fronted, members.values(), ssl_ca=ca.path, ssl_capath=Path(ca.path).parent)
    load(fronted)
    seen = seen_of(fronted, members)
    old = seen.pop("TLS 1.1")
    assert seen == {
        "good": (TLS, TLS),
        "wrong CA": (NO_ISSUER, NO_ISSUER),
        # What ProxySQL cannot do: docs/reference/proxysql-tls.md says so.
        "wrong name": (TLS, TLS),
        "expired": (EXPIRED, EXPIRED),
        "no TLS": (PLAIN, PLAIN),
    }
    assert all(text.startswith("TLS/SSL error: ") for text in old)
    assert not members["wrong CA"].logins and not members["expired"].logins, "a password was on its way"


def test_without_a_ca_every_certificate_is_taken(fronted, members):
    load(fronted)
    seen = seen_of(fronted, members)
    assert {kind for kind, found in seen.items() if found == (TLS, TLS)} == {
        "good",
        "wrong CA",
        "wrong name",
        "expired",
    }


def test_a_file_that_is_missing_lets_nobody_through(fronted, members, folder):
    by_rows(fronted, [members["good"]], ssl_ca=folder / "missing.pem")
    load(fronted)
    assert "error" in statement(fronted, 10) and "error" in monitored(fronted, members["good"])
    assert not members["good"].logins


def test_a_row_for_an_account_goes_before_the_one_for_all(fronted, members, ca, other_ca):
    member, capath = members["wrong CA"], Path(ca.path).parent
    by_rows(fronted, [member], ssl_ca=ca.path, ssl_capath=capath)
    by_rows(fronted, [member], username=APP[0], ssl_ca=other_ca.path, ssl_capath=capath)
    load(fronted)
    assert (statement(fronted, 11), monitored(fronted, member)) == (TLS, NO_ISSUER)


def test_a_ca_is_exchanged_in_two_steps_without_a_statement_to_the_proxy(fronted, members, ca, other_ca, folder):
    file = folder / "exchanged.pem"
    before, after = members["good"], members["wrong CA"]
    file.write_text(ca.text)
    by_rows(fronted, [before, after], ssl_ca=file, ssl_capath=folder)
    load(fronted)
    assert (statement(fronted, 10), statement(fronted, 11)) == (TLS, NO_ISSUER)
    connection = fronted.connect(*APP, fronted.port)
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT /* member 10 */ 1")
        # Both, while members get certificates of the new one; then the new one alone.
        file.write_text(ca.text + other_ca.text)
        after.logins.clear()
        assert (statement(fronted, 10), statement(fronted, 11), monitored(fronted, after)) == (TLS, TLS, TLS)
        file.write_text(other_ca.text)
        cursor.execute("SELECT /* member 10 */ 1")
        assert cursor.fetchone() == (TLS,), "a connection that is there goes on"
    connection.close()
    before.cut()
    before.logins.clear()
    wait_for(lambda: statement(fronted, 10) == NO_ISSUER, 10, "the old CA is not trusted any more")
    assert statement(fronted, 11) == TLS and not before.logins


# ---- clients → proxy ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def own(proxy_kind, request):
    """A proxy of this file's own, whose certificate it changes."""
    if proxy_kind == "given":
        pytest.skip("the files of a ProxySQL that runs already are not changed")
    program = request.config.getoption("--proxysql-bin")
    made = targets.standin() if proxy_kind == "standin" else targets.program(program)
    made.run("INSERT INTO mysql_users (username, password, use_ssl) VALUES ('{}', '{}', 1)".format(*APP))
    made.run("LOAD MYSQL USERS TO RUNTIME")
    yield made
    made.stop()


def give(proxy, ca, pair):
    for name, path in (("ca", ca.path), ("cert", pair.cert), ("key", pair.key)):
        shutil.copy(path, proxy.datadir / f"proxysql-{name}.pem")


def visit(proxy, ca=None, **more):
    """Log in as a client that verifies CA and name."""
    context = ssl.create_default_context(cafile=ca.path if ca else None)
    for name, value in more.items():
        setattr(context, name, value)
    return proxy.connect(*APP, proxy.port, ssl=context)


def test_clients_verify_the_proxy(own, ca, other_ca):
    give(own, ca, ca.issue("proxy", "127.0.0.1"))
    own.run("PROXYSQL RELOAD TLS")
    visit(own, ca).close()
    with pytest.raises(pymysql.OperationalError, match="certificate verify failed: (unable to get|self-signed)"):
        visit(own, other_ca)
    with pytest.raises(pymysql.OperationalError, match="SSL is required"):
        own.connect(*APP, own.port, ssl_disabled=True)


@pytest.mark.parametrize(
    "names, ends, problem",
    [(("proxy9.example.com",), DAY, "IP address mismatch"), (("127.0.0.1",), -DAY, "certificate has expired")],
)
def test_clients_refuse_a_wrong_name_and_an_expired_certificate(own, ca, names, ends, problem):
    give(own, ca, ca.issue("bad-proxy", *names, ends=ends))
    own.run("PROXYSQL RELOAD TLS")
    with pytest.raises(pymysql.OperationalError, match=problem):
        visit(own, ca)


def test_clients_get_tls_1_2_at_least(own, ca):
    give(own, ca, ca.issue("proxy", "127.0.0.1"))
    own.run("PROXYSQL RELOAD TLS")
    for version, good in (
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ):
        context = ssl.create_default_context(cafile=ca.path)
        if not good:
            context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        if good:
            own.connect(*APP, own.port, ssl=context).close()
        else:
            with pytest.raises(pymysql.OperationalError):
                own.connect(*APP, own.port, ssl=context)


def test_a_new_certificate_is_taken_without_a_restart_and_without_cutting_anybody_off(own, ca, other_ca):
    give(own, ca, ca.issue("proxy", "127.0.0.1"))
    own.run("PROXYSQL RELOAD TLS")
    before = visit(own, ca)
    give(own, other_ca, other_ca.issue("renewed", "127.0.0.1"))
    visit(own, ca).close()  # files alone change nothing
    own.run("PROXYSQL RELOAD TLS")
    with pytest.raises(pymysql.OperationalError, match="certificate verify failed"):
        visit(own, ca)
    visit(own, other_ca).close()
    before.ping(reconnect=False)
    before.close()


def test_files_that_do_not_fit_are_not_taken(own, ca):
    good = ca.issue("proxy", "127.0.0.1")
    give(own, ca, good)
    own.run("PROXYSQL RELOAD TLS")
    shutil.copy(ca.issue("stranger", "127.0.0.1").key, own.datadir / "proxysql-key.pem")
    assert "Unable to use SSL key" in own.refused("PROXYSQL RELOAD TLS")[1]
    visit(own, ca).close()
    (own.datadir / "proxysql-key.pem").unlink()
    assert "2 TLS files are present. Expected: 3" in own.refused("PROXYSQL RELOAD TLS")[1]
    visit(own, ca).close()


# ---- the role -------------------------------------------------------------------------------------------------------


def playbook(proxy, folder, name, **variables):
    login = {"host": proxy.host, "port": proxy.admin_port, "user": proxy.user, "password": proxy.password}
    given = {
        f"conformance_{key}": value for key, value in {**login, "application_port": proxy.port, **variables}.items()
    }
    file, directory = folder / "variables.json", {"_proxysql_tls_directory": str(proxy.datadir / "tls")}
    file.write_text(
        json.dumps({**given, "ansible_python_interpreter": sys.executable, "_proxysql_account": "root", **directory})
    )
    paths = {"ANSIBLE_CONFIG": targets.ROOT / "ansible.cfg", "ANSIBLE_COLLECTIONS_PATH": targets.ROOT / "collections"}
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "-e", f"@{file}", Path(__file__).parent / name],
        cwd=targets.ROOT, env={**os.environ, **{key: str(path) for key, path in paths.items()}}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_the_role_gives_renews_and_verifies(own, ca, kinds, folder):
    """Its own tasks: certificates for clients, renewed without a restart, and the CA by which members are verified."""
    member = TlsMember(kinds["good"][0])
    pairs = {name: ca.issue(name, "127.0.0.1") for name in ("first", "renewed")}
    files = {name: dict(ca=ca.path, cert=pair.cert, key=pair.key) for name, pair in pairs.items()}
    own.run("DELETE FROM mysql_users")
    playbook(own, folder, "tls.yml", datadir=str(own.datadir), member_port=member.port, files=files)
    assert (own.datadir / "proxysql-cert.pem").read_text() == Path(pairs["renewed"].cert).read_text()
    visit(own, ca).close()
    with pytest.raises(pymysql.OperationalError, match="SSL is required"):
        own.connect(*APP, own.port, ssl_disabled=True)
    own_ca = str(own.datadir / "tls" / "members-ca.pem")
    for layer in ("", "runtime_", "disk."):
        assert own.rows(f"SELECT hostname, port, ssl_ca, ssl_capath FROM {layer}mysql_servers_ssl_params") == [
            ("127.0.0.1", str(member.port), own_ca, str(own.datadir / "tls"))
        ]
        assert own.rows(f"SELECT use_ssl FROM {layer}mysql_servers") == [("1",)]
    connection = visit(own, ca)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (TLS,)
    connection.close()
    member.close()
