# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each connection between members, to one that shows a certificate of another CA, of another name, an expired one, or none: refused."""

from __future__ import annotations

import datetime
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509
from gr_scenario import wait_for
from support_certificates import CA, DAY

pytestmark = [
    pytest.mark.members,
    pytest.mark.integration,
    pytest.mark.claim(
        "A member with a certificate that does not verify is refused by the others, on every connection."
    ),
]

INFO = {"module": "distdb.mysql_ha.group_replication_info", "bootstrap_options": False}
VARIABLES = (
    "ssl_ca",
    "ssl_cert",
    "ssl_key",
    "clone_ssl_ca",
    "group_replication_ssl_mode",
    "group_replication_communication_stack",
    "group_replication_local_address",
    "group_replication_group_seeds",
    "group_replication_recovery_ssl_ca",
    "group_replication_recovery_ssl_verify_server_cert",
    "group_replication_recovery_retry_count",
    "group_replication_recovery_reconnect_interval",
)
NEVER_A_MEMBER = "192.0.2.9"


class Authority(CA):
    def pair(self, address, valid=9 * DAY):
        """The texts of a certificate and its key."""
        made = self.issue("member", address, ends=valid)
        return tuple(Path(path).read_text(encoding="utf-8") for path in made)


class Certified:
    """A server whose certificate a test chooses."""

    def __init__(self, server, number):
        self.server, self.number = server, number
        self.host = server.address.rpartition(":")[0]
        self.before = server.sql("SELECT " + ", ".join(f"@@GLOBAL.{name} AS {name}" for name in VARIABLES))[0]

    def path(self, part):
        """As the server sees it, and as a module on its host does."""
        if hasattr(self.server, "on"):
            return f"/etc/mysql/test-{part}.pem", f"/etc/mysql/test-{part}.pem"
        return f"{self.server.dir}/test-{part}.pem", self.server.host_path(f"test-{part}.pem")

    def write(self, part, text):
        inside, outside = self.path(part)
        if hasattr(self.server, "on"):
            self.server.on("sh", "-c", f"umask 077; cat >{outside}; chown mysql: {outside}", text=text)
        else:
            with open(outside, "w", encoding="utf-8") as out:
                out.write(text)
        return inside

    def trust(self, ca, mode="VERIFY_IDENTITY"):
        """Verify others by this CA."""
        self.server.sql(f"SET GLOBAL ssl_ca = '{self.write('trust', ca.text)}'")
        self.server.sql(f"SET GLOBAL clone_ssl_ca = '{self.path('trust')[0]}'")
        self.server.sql(f"SET GLOBAL group_replication_ssl_mode = '{mode}'")

    def show(self, ca, pair):
        """Show this certificate to others, in SQL connections now and in the group's at the next start of Group Replication."""
        for part, text in zip(("ca", "cert", "key"), (ca.text, *pair)):
            self.server.sql(f"SET GLOBAL ssl_{part} = '{self.write(part, text)}'")
        # It refuses one that ssl_ca has not signed.
        self.server.sql("ALTER INSTANCE RELOAD TLS")

    def show_as(self, kind, authorities, short):
        """A certificate that is bad in this way, or a good one; an expired one is good for this short time."""
        own, another = authorities
        ca = another if kind == "wrong CA" else own
        name = NEVER_A_MEMBER if kind == "wrong name" else self.host
        pair = ca.pair(name, short if kind == "expired" else 9 * DAY)
        self.show(ca, pair)
        return pair

    def without_tls(self):
        """It goes on in plain text where its certificate is unusable."""
        self.write("cert", "")
        self.server.sql("ALTER INSTANCE RELOAD TLS NO ROLLBACK ON ERROR")

    def restore(self):
        """As it was; a mode of the group's own traffic needs that the member is out."""
        for name, value in self.before.items():
            quoted = "DEFAULT" if value in (None, "") else value if value.isdigit() else repr(value)
            self.server.sql(f"SET GLOBAL {name} = {quoted}")
        self.server.sql("ALTER INSTANCE RELOAD TLS")


@pytest.fixture(scope="module")
def group(session_group):
    """Three servers with a table that are in no group; afterwards they are one again."""
    session_group.formed()
    session_group.made = [Certified(server, number) for number, server in enumerate(session_group.servers)]
    alone(session_group)
    yield session_group
    alone(session_group)
    for one in session_group.made:
        one.restore()
    session_group.formed()


def alone(group):
    for server in group.servers:
        server.sql("STOP GROUP_REPLICATION")


@pytest.fixture
def certified(group):
    """The servers, with a way to give them certificates."""
    yield group.made
    alone(group)
    for one in group.made:
        one.restore()


@pytest.fixture(scope="module")
def authorities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("authorities")
    return Authority(folder, "own"), Authority(folder, "another")


def until_expired(pair):
    ends = x509.load_pem_x509_certificate(pair[0].encode()).not_valid_after_utc
    wait_for(lambda: datetime.datetime.now(datetime.timezone.utc) > ends, 30, "the certificate expires")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("wrong CA", "certificate verify failed"),
        ("wrong name", "certificate verify failed: IP address mismatch"),
        ("expired", "certificate has expired"),
        ("plain text", "does not offer TLS"),
    ],
)
def test_a_question_to_a_peer(group, certified, authorities, kind, words):
    asked, asking = certified[0], certified[1]
    pair = asked.show_as(kind, authorities, datetime.timedelta(seconds=4))
    asking.write("trust", authorities[0].text)
    if kind == "expired":
        until_expired(pair)
    if kind == "plain text":
        asked.without_tls()
    report = group.call("db1", peer_ca_cert=asking.path("trust")[1], **INFO)["db1"]
    assert not report.get("failed"), report.get("msg")
    seen = report["cluster"]["members"][asked.server.address]
    assert seen["kind"] == "unreachable" and words in seen["why"], seen


def test_a_question_to_a_peer_that_verifies_is_answered(group, certified, authorities):
    own, _another = authorities
    certified[0].show(own, own.pair(certified[0].host))
    certified[1].write("trust", own.text)
    report = group.call("db1", peer_ca_cert=certified[1].path("trust")[1], **INFO)["db1"]
    assert report["cluster"]["members"][certified[0].server.address]["kind"] != "unreachable", report


def clone(recipient, donor, group):
    host, port = donor.address.rpartition(":")[::2]
    recipient.sql("SET GLOBAL super_read_only = OFF")
    recipient.sql(f"SET GLOBAL clone_valid_donor_list = '{donor.address}'")
    try:
        recipient.sql(
            f"CLONE INSTANCE FROM repl@'{host}':{port} IDENTIFIED BY '{group.backend.repl_password}' REQUIRE SSL"
        )
    except Exception as error:  # of PyMySQL, or of the client program
        return str(error)
    return ""


def test_a_clone(group, certified, authorities):
    own, another = authorities
    donor, recipient = certified[0], certified[2]
    recipient.trust(own)
    donor.show(another, another.pair(donor.host))
    assert "certificate verify failed" in clone(recipient.server, donor.server, group)
    pair = own.pair(donor.host, datetime.timedelta(seconds=4))
    donor.show(own, pair)
    until_expired(pair)
    assert "certificate verify failed" in clone(recipient.server, donor.server, group)
    donor.without_tls()
    assert "SSL" in clone(recipient.server, donor.server, group)
    assert recipient.server.sql("SELECT COUNT(*) AS n FROM scenario.t"), "its data are there still"


def start(server, bootstrap=False):
    """'' where Group Replication starts, else why not. A start that reaches nobody takes a minute."""
    try:
        if bootstrap:
            server.sql("SET GLOBAL group_replication_bootstrap_group = ON")
        server.sql("START GROUP_REPLICATION")
    except Exception as error:
        return str(error)
    finally:
        if bootstrap:
            server.sql("SET GLOBAL group_replication_bootstrap_group = OFF")
    return ""


def recovers_by(ca, joiner):
    """The joiner's connection to its donor is verified by this CA and the donor's name."""
    joiner.server.sql(f"SET GLOBAL group_replication_recovery_ssl_ca = '{joiner.write('trust', ca.text)}'")
    joiner.server.sql("SET GLOBAL group_replication_recovery_ssl_verify_server_cert = ON")
    joiner.server.sql("SET GLOBAL group_replication_recovery_retry_count = 1")
    joiner.server.sql("SET GLOBAL group_replication_recovery_reconnect_interval = 1")


@pytest.fixture(params=["XCOM", "MYSQL"])
def on_stack(certified, authorities, request):
    """The servers with this communication stack; with MYSQL the group's traffic comes to the port for SQL."""
    if request.param == "MYSQL":
        seeds = ",".join(one.server.address for one in certified)
        for one in certified:
            one.server.sql("SET GLOBAL group_replication_communication_stack = 'MYSQL'")
            one.server.sql(f"SET GLOBAL group_replication_local_address = '{one.server.address}'")
            one.server.sql(f"SET GLOBAL group_replication_group_seeds = '{seeds}'")
            recovers_by(authorities[0], one)
    return certified


def assert_both_are_refused(certified):
    """By a group that is one member."""
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(start, [joiner.server for joiner in certified[1:]]))
    view = certified[0].server.sql("SELECT member_state AS state FROM performance_schema.replication_group_members")
    assert [row["state"] for row in view] == ["ONLINE"], view
    assert all("3092" in answer for answer in answers), answers


def test_a_group_of_another_ca_or_another_name(on_stack, authorities):
    own, another = authorities
    for joiner, ca in ((on_stack[1], another), (on_stack[2], own)):
        joiner.show(own, own.pair(joiner.host))
        joiner.trust(ca)
        recovers_by(ca, joiner)
    on_stack[0].show(own, own.pair(NEVER_A_MEMBER))
    on_stack[0].server.sql("SET GLOBAL group_replication_ssl_mode = 'REQUIRED'")
    assert start(on_stack[0].server, bootstrap=True) == ""
    assert_both_are_refused(on_stack)


def test_a_group_whose_certificate_has_expired_and_a_joiner_without_tls(on_stack, authorities):
    own, _another = authorities
    on_stack[1].trust(own, mode="DISABLED")
    on_stack[2].show(own, own.pair(on_stack[2].host))
    on_stack[2].trust(own)
    pair = own.pair(on_stack[0].host, datetime.timedelta(seconds=8))
    on_stack[0].show(own, pair)
    on_stack[0].server.sql("SET GLOBAL group_replication_ssl_mode = 'REQUIRED'")
    assert start(on_stack[0].server, bootstrap=True) == ""
    until_expired(pair)
    assert_both_are_refused(on_stack)


def test_a_group_that_verifies_admits_who_verifies(on_stack, authorities):
    own, _another = authorities
    for one in on_stack:
        one.show(own, own.pair(one.host))
        one.trust(own)
        recovers_by(own, one)
    assert start(on_stack[0].server, bootstrap=True) == ""
    assert start(on_stack[1].server) == ""


def verified(members, ca):
    """They are a group whose members verify each other by this CA."""
    for one in members:
        one.show(ca, ca.pair(one.host))
        one.trust(ca)
        recovers_by(ca, one)
    for number, one in enumerate(members):
        assert start(one.server, bootstrap=number == 0) == ""


def again(group, one):
    """As the playbook renew_certificates starts Group Replication anew, which reads certificates and settings then."""
    one.server.sql("STOP GROUP_REPLICATION")
    failure = start(one.server)
    if not failure:
        wait_for(lambda: group.state(one.server) == "ONLINE", 60, "it is ONLINE again")
    return failure


def verifies_nobody(one):
    one.server.sql("SET GLOBAL group_replication_ssl_mode = 'REQUIRED'")
    one.server.sql("SET GLOBAL group_replication_recovery_ssl_verify_server_cert = OFF")


def test_a_group_that_verifies_refuses_the_first_that_moves_to_another_ca(group, on_stack, authorities):
    own, another = authorities
    verified(on_stack[:2], own)
    first = on_stack[1]
    verifies_nobody(first)
    first.show(another, another.pair(first.host))
    assert "3092" in again(group, first)


def test_a_group_moves_to_another_ca_when_its_members_verify_each_other_no_longer(group, on_stack, authorities):
    """The steps of the playbook renew_certificates, of which each is done on all members before the next one begins."""
    own, another = authorities
    members = on_stack[:2]
    verified(members, own)
    for one in members:
        verifies_nobody(one)
    assert [again(group, one) for one in members] == ["", ""]
    for one in members:
        one.show(another, another.pair(one.host))
        one.server.sql(f"SET GLOBAL group_replication_recovery_ssl_ca = '{one.write('trust', another.text)}'")
    assert [again(group, one) for one in members] == ["", ""]
    for one in members:
        one.trust(another)
        recovers_by(another, one)
    assert [again(group, one) for one in members] == ["", ""]
    assert [group.state(one.server) for one in members] == ["ONLINE", "ONLINE"]


def why_not_recovered(server):
    return server.sql(
        "SELECT last_error_message AS why FROM performance_schema.replication_connection_status WHERE channel_name = 'group_replication_recovery'"
    )[0]["why"]


@pytest.mark.parametrize("kind", ["wrong CA", "wrong name", "expired", "plain text", "good"])
def test_a_recovery_from_a_donor(group, certified, authorities, kind):
    """The group admits the joiner: its own traffic verifies nothing here. The donor holds a row that the joiner needs."""
    donor, joiner = certified[0], certified[1]
    for one in (donor, joiner):
        one.server.sql("SET GLOBAL group_replication_ssl_mode = 'DISABLED'")
    recovers_by(authorities[0], joiner)
    pair = donor.show_as(kind, authorities, datetime.timedelta(seconds=6))
    assert start(donor.server, bootstrap=True) == ""
    donor.server.sql("INSERT INTO scenario.t VALUES ()")
    if kind == "expired":
        until_expired(pair)
    if kind == "plain text":
        donor.without_tls()
    start(joiner.server)
    wait_for(lambda: group.state(joiner.server) != "RECOVERING", 60, "the joiner is in, or gives up")
    if kind == "good":
        assert group.state(joiner.server) == "ONLINE"
        return
    assert group.state(joiner.server) == "ERROR"
    why = why_not_recovered(joiner.server)
    assert ("SSL is required" if kind == "plain text" else "certificate") in why, why
