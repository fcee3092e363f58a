# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ProxySQL's certificate for clients: which files are refused, how new ones are taken, and put back where ProxySQL does not take them."""

from __future__ import annotations

import grp
import os
import pwd
import stat
import time
from pathlib import Path

import pytest
from ansible_collections.distdb.mysql_ha.plugins.module_utils._certificates import Files, trouble
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql import tls
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import AdminError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.tls import Owner, Running, take

pytest.importorskip("cryptography")
from support_certificates import CA, DAY
from support_tls_member import TlsMember

pytestmark = [pytest.mark.unit]

ME = Owner(pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def ca(folder):
    return CA(folder, "ca")


@pytest.fixture(scope="module")
def other_ca(folder):
    return CA(folder, "other-ca")


@pytest.fixture(scope="module")
def good(ca):
    return Files(ca.path, *ca.issue("good", "db.example.com", "192.0.2.10", "2001:db8::1"))


class Admin:
    """The admin interface of a ProxySQL that shows the certificate in its folder as it was at the last reload."""

    def __init__(self, into, member, version="2.7.1", refuses=False, deaf=False):
        self.into, self.member, self.version, self.refuses, self.deaf = into, member, version, refuses, deaf
        self.reloads = 0

    def query(self, statement):
        if statement == tls.HAVE_TLS:
            return [{"value": "true" if self.member.pair else "false"}]
        return [{"value": f"127.0.0.1:{self.member.port};/run/proxysql.sock"}]

    def execute(self, statement):
        assert statement.text == "PROXYSQL RELOAD TLS"
        self.reloads += 1
        if self.refuses:
            raise AdminError("statement", "refused a statement (Unable to use SSL key)")
        if not self.deaf:
            read(self.into)


@pytest.fixture
def into(tmp_path, ca):
    """ProxySQL's own files, with an earlier certificate, and what it shows of them."""
    made = Files(*(str(tmp_path / f"proxysql-{part}.pem") for part in Files._fields))
    before = Files(ca.path, *ca.issue("before", "db.example.com"))
    for source, target in zip(before, made):
        Path(target).write_bytes(Path(source).read_bytes())
    return made


def read(into):
    """What a program has read of its files stays when they change."""
    for path in (into.cert, into.key):
        Path(path + ".read").write_bytes(Path(path).read_bytes())
    return into.cert + ".read", into.key + ".read"


@pytest.fixture
def member(into):
    made = TlsMember(read(into))
    yield made
    made.close()


def contents(files):
    return {part: Path(path).read_bytes() for part, path in files._asdict().items()}


def test_files_that_a_client_accepts(good):
    assert trouble(good, mutual=False) == "" and trouble(good, "192.0.2.10", mutual=False) == ""
    assert tls.missing_names(
        good, ["db.example.com", "192.0.2.10", "2001:db8::1", "", "192.0.2.11", "x.org", "x.org"]
    ) == [
        "192.0.2.11",
        "x.org",
    ]


def test_files_that_a_client_refuses(good, ca, other_ca, tmp_path):
    expired = Files(ca.path, *ca.issue("expired", "db.example.com", ends=-DAY))
    none = tmp_path / "none.pem"
    none.write_text("nothing\n")
    for files, problem in (
        (
            good._replace(ca=other_ca.path),
            f"{good.cert}: certificate verify failed: unable to get local issuer certificate",
        ),
        (expired, f"{expired.cert}: certificate verify failed: certificate has expired"),
        (good._replace(key=expired.key), f"{expired.key} is not the key of {good.cert}"),
    ):
        assert trouble(files, mutual=False) == problem
    assert trouble(good._replace(cert=str(none)), mutual=False).startswith(f"{none}: ")
    assert trouble(good._replace(ca=str(none)), mutual=False).startswith(f"{good.cert}: ")
    with pytest.raises(Refusal, match=r"key: /nowhere cannot be read \(No such file or directory\)."):
        tls.read_files(good._replace(key="/nowhere"))


def test_new_files_are_taken_once_and_are_nobody_else_s(good, into, member):
    admin = Admin(into, member)
    result = take(tls.read_files(good), into, ME, Running(admin), False)
    assert result == dict(changed=True, written=["cert", "key"], restart_needed=False)
    assert contents(into) == contents(good) and admin.reloads == 1
    assert {stat.S_IMODE(os.stat(path).st_mode) for path in (into.cert, into.key)} == {0o600}
    assert Running(admin).shows() == tls.fingerprint(Path(good.cert).read_bytes())
    again = take(tls.read_files(good), into, ME, Running(admin), False)
    assert again == dict(changed=False, written=[], restart_needed=False) and admin.reloads == 1


def test_files_that_were_written_and_not_read_are_read(good, into, member):
    """A run ended between the two."""
    admin = Admin(into, member)
    for source, target in zip(good, into):
        Path(target).write_bytes(Path(source).read_bytes())
    result = take(tls.read_files(good), into, ME, Running(admin), False)
    assert (result["changed"], result["written"], admin.reloads) == (True, [], 1)
    assert not take(tls.read_files(good), into, ME, Running(admin), False)["changed"]


def test_check_mode_writes_and_reads_nothing(good, into, member):
    before, admin = contents(into), Admin(into, member)
    assert take(tls.read_files(good), into, ME, Running(admin), True)["changed"]
    assert contents(into) == before and admin.reloads == 0


@pytest.mark.parametrize(
    "fault, problem", [(dict(refuses=True), "Unable to use SSL key"), (dict(deaf=True), "shows another certificate")]
)
def test_where_proxysql_does_not_take_them_the_old_files_are_put_back(good, into, member, fault, problem):
    before, admin = contents(into), Admin(into, member, **fault)
    os.unlink(into.ca)
    with pytest.raises(AdminError, match=f"{problem}.*The files are put back to what they were"):
        take(tls.read_files(good), into, ME, Running(admin), False)
    assert not os.path.exists(into.ca)
    assert {part: Path(getattr(into, part)).read_bytes() for part in ("cert", "key")} == {
        part: before[part] for part in ("cert", "key")
    }
    assert admin.reloads == 2


def test_an_old_version_has_to_be_restarted(good, into, member):
    admin = Admin(into, member, version="2.2.2")
    result = take(tls.read_files(good), into, ME, Running(admin), False)
    assert result["restart_needed"] and admin.reloads == 0 and contents(into) == contents(good)


def test_one_that_does_not_run_only_gets_the_files(good, into):
    assert take(tls.read_files(good), into, ME, None, False)["changed"] and contents(into) == contents(good)


def test_without_tls_towards_clients_nothing_is_looked_at(good, into, member):
    member.pair = None
    admin = Admin(into, member)
    take(tls.read_files(good), into, ME, Running(admin), False)
    assert admin.reloads == 1 and not take(tls.read_files(good), into, ME, Running(admin), False)["changed"]


def test_a_port_that_offers_no_tls_and_one_that_nobody_listens_on():
    plain = TlsMember()
    assert tls.served(f"127.0.0.1:{plain.port}") == tls.NO_TLS
    plain.close()
    with pytest.raises(AdminError, match="ProxySQL's certificate cannot be seen"):
        tls.served(f"127.0.0.1:{plain.port}")
    with pytest.raises(AdminError, match="mysql-interfaces has no address"):
        tls.served("/run/proxysql.sock")


def test_a_proxy_that_offers_no_tls_yet_reads_files_that_are_there(good, into, member):
    admin = Admin(into, member)
    for source, target in zip(good, into):
        Path(target).write_bytes(Path(source).read_bytes())
    admin.query = lambda statement, ask=admin.query: (
        [{"value": "true"}] if statement == tls.HAVE_TLS else ask(statement)
    )
    member.pair = None
    assert take(tls.read_files(good), into, ME, Running(admin), True)["changed"]


def test_a_user_that_is_not_there():
    with pytest.raises(Refusal, match="owner: .*no-such-user.*allowed: a user and a group of this host"):
        Owner("no-such-user", "root").ids()


def test_what_clients_see_until_when_or_why_not(good, ca, other_ca, folder):
    member = TlsMember((good.cert, good.key))
    where = f"/run/proxysql.sock;127.0.0.1:{member.port}"
    seen = tls.certificate_state(where, ca.path)
    assert seen["problem"] == "" and 29 * 86400 < seen["expires"] - time.time() < 31 * 86400
    assert 3649 * 86400 < seen["ca_expires"] - time.time() < 3651 * 86400
    refused = dict(
        expires=None, ca_expires=None, problem="certificate verify failed: unable to get local issuer certificate"
    )
    assert tls.certificate_state(where, other_ca.path) == refused
    member.pair = ca.issue("ended", "db.example.com", ends=-DAY)
    assert tls.certificate_state(where, ca.path)["problem"] == "certificate verify failed: certificate has expired"
    member.pair = None
    assert tls.certificate_state(where, ca.path) == dict(expires=None, ca_expires=None, problem="TLS is not offered")
    member.close()
    assert "refused" in tls.certificate_state(where, ca.path)["problem"]
