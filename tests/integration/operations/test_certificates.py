# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates are renewed, come from another CA, and replace those that servers made for themselves, under load and without a restart."""

from __future__ import annotations

import hashlib
import json
import ssl
from pathlib import Path

import pytest
from support import kill_in
from support_certificates import CA, DAY

pytestmark = [
    pytest.mark.operations,
    pytest.mark.claim(
        "Certificates change under load: no statement fails, no server is restarted, and all members serve the new ones."
    ),
]

RENEW = "playbooks/renew_certificates.yml"
OF_PROXY = "/etc/proxysql-tls/cert.pem"
# What the proxy trusts, as clients do that were given the same file.
CA_OF_PROXY = "/etc/proxysql-tls/members-ca.pem"
# What the proxy shows is signed by this one, also where members have certificates of another.
OWN_CA_OF_PROXY = "/etc/proxysql-tls/ca.pem"
GIVEN = {kind: f"/etc/mysql/given-{kind}.pem" for kind in ("ca", "cert", "key")}
NEW = ("-e", "mysql_gr_tls_renew_days=400")
UPTIME = "SELECT VARIABLE_VALUE FROM performance_schema.global_status WHERE VARIABLE_NAME = 'Uptime'"
# In the lab's network: the certificate that a member's port for the group's own traffic serves.
SERVED = """
import hashlib, socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
with socket.create_connection((sys.argv[1], 33061), 5) as plain, context.wrap_socket(plain) as secure:
    print(hashlib.sha256(secure.getpeercert(True)).hexdigest())
"""


def fingerprint(text):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN") :])).hexdigest()


def served(lab):
    """By member, of the group's own channel: from its neighbour, which the group admits."""
    found = {}
    for member, neighbour in zip(lab.members, [*lab.members[1:], lab.members[0]]):
        found[member] = lab.on(neighbour, "python3", "-c", SERVED, lab.address(member)).strip()
    return found


def on_disk(lab, cert="/etc/mysql/gr-cert.pem"):
    return {member: fingerprint(lab.on(member, "cat", cert)) for member in lab.members}


def started(lab):
    return [float(lab.sql(member, UPTIME)[0][0]) for member in lab.members]


def changed(lab, under_load, *arguments, name, ca=CA_OF_PROXY, cert="/etc/mysql/gr-cert.pem"):
    """Under load; no server was restarted, the members are one group, and their channel serves what is on disk (cert). ca: clients connect for each
    statement, and verify the proxy by this CA file that the role keeps on its host, and by its address."""
    before = started(lab)
    options = ("--ca", ca, "--host", lab.variable("proxy", "proxysql_address"), "--reconnect") if ca else ()
    run = under_load(RENEW, *arguments, name=name, options=options)
    assert all(now > then for now, then in zip(started(lab), before)), "a server was restarted"
    lab.one_group()
    assert served(lab) == on_disk(lab, cert)
    return run


def modes(lab):
    return {lab.sql(member, "SELECT @@group_replication_ssl_mode")[0][0] for member in lab.members}


def test_renewal(lab, under_load):
    before = on_disk(lab)
    changed(lab, under_load, *NEW, name="renew_certificates")
    after = on_disk(lab)
    assert not set(before.values()) & set(after.values())
    again = lab.site(playbook=RENEW)
    assert again.code == 0 and set(again.changed.values()) == {0}, again
    assert on_disk(lab) == after


def test_another_ca(lab, under_load):
    """Clients get the new CA before the proxies show its certificates, and the former one is not forgotten before that."""
    cas = [lab.on(member, "cat", "/etc/mysql/gr-ca.pem") for member in lab.members]
    of_proxy = lab.on("proxy", "cat", OF_PROXY)
    changed(lab, under_load, "-e", "operations_new_ca=true", name="renew_certificates_new_ca")
    both = lab.on("db0", "cat", "/etc/mysql/gr-ca.pem")
    assert both.count("BEGIN CERTIFICATE") == 2 and cas[0].strip() in both
    assert lab.on("proxy", "cat", OF_PROXY) == of_proxy
    early = lab.site("-e", "operations_discard_old=true", playbook=RENEW)
    assert early.code != 0 and "proxy has a certificate of the former CA still" in early.flat, early
    changed(lab, under_load, name="renew_certificates_of_proxies")
    assert lab.on("proxy", "cat", OF_PROXY) != of_proxy
    changed(lab, under_load, "-e", "operations_discard_old=true", name="renew_certificates_discard_old")
    one = lab.on("db0", "cat", "/etc/mysql/gr-ca.pem")
    assert one.count("BEGIN CERTIFICATE") == 1 and one.strip() not in cas[0]


def give(lab, ca, names):
    """Certificates of this CA for these addresses, by member, as an operator puts them on the hosts."""
    for member, name in names.items():
        pair = ca.issue(member, name, ends=300 * DAY)
        texts = {"ca": ca.text, **{kind: Path(path).read_text() for kind, path in zip(("cert", "key"), pair)}}
        for kind, text in texts.items():
            lab.give(member, f"umask 077; cat >{GIVEN[kind]}; chown mysql: {GIVEN[kind]}", text)


def given(ca_of_proxies=None):
    """Variables of a cluster with certificates that are given."""
    variables = {"mysql_gr_tls": "given", **{f"mysql_gr_tls_{kind}": path for kind, path in GIVEN.items()}}
    return ("-e", json.dumps({**variables, "proxysql_backend_tls_ca": ca_of_proxies.path if ca_of_proxies else ""}))


def unchanged(lab, *arguments):
    run = lab.site(*arguments)
    assert run.code == 0 and set(run.changed.values()) == {0}, run


def trusted(lab):
    """The CAs by which the proxy verifies members."""
    return lab.on("proxy", "cat", CA_OF_PROXY)


def test_a_move_to_certificates_that_are_given(lab, under_load, tmp_path):
    ca = CA(tmp_path, "company")
    names = {member: lab.address(member) for member in lab.members}
    give(lab, ca, {**names, "db1": "192.0.2.9"})
    wrong = lab.site(*given(ca), playbook=RENEW)
    assert wrong.code != 0 and "mysql_gr_tls_cert of db1 does not work" in wrong.flat and names["db1"] in wrong.flat
    give(lab, ca, names)
    # The proxy would verify the members by the own CA, or by one that has not signed their certificates.
    for arguments, words in [
        (given(), "proxysql_backend_tls_ca is empty"),
        (given(CA(tmp_path, "another")), "which lacks the CA"),
    ]:
        refused = lab.site(*arguments, playbook=RENEW)
        assert refused.code != 0 and words in refused.flat and set(refused.changed.values()) == {0}, refused
    unchanged(lab)
    refused = lab.site(*given(ca))
    assert refused.code != 0 and "renew_certificates" in refused.flat, refused
    run = changed(lab, under_load, *given(ca), name="renew_certificates_given", ca=OWN_CA_OF_PROXY, cert=GIVEN["cert"])
    assert "proxy: distdb.mysql_ha.proxysql : Trust what members are going to show, too" in run.what_changed
    assert (modes(lab), trusted(lab)) == ({"REQUIRED"}, ca.text)
    unchanged(lab, *given(ca))


def test_new_ones_of_another_ca_in_their_place(lab, under_load, tmp_path):
    """In the same files; the proxy trusts this CA before members show what it has signed."""
    ca, before = CA(tmp_path, "successor"), trusted(lab)
    give(lab, ca, {member: lab.address(member) for member in lab.members})
    changed(lab, under_load, *given(ca), name="renew_certificates_given_again", ca=OWN_CA_OF_PROXY, cert=GIVEN["cert"])
    assert trusted(lab) == ca.text != before
    unchanged(lab, *given(ca))


OWN = ("-e", "mysql_gr_tls=own_ca")


def test_a_move_whose_controller_was_killed_is_ended_by_the_next_run(lab, under_load):
    """Back to the own CA, which clients of the proxy trust all the time. Killed where the servers have read their certificates, and where a member has
    left the group, which is brought back first."""
    own = trusted(lab)
    kill_in(lab, RENEW, "distdb.mysql_ha.mysql_gr : Note which certificate it has read", 1, *OWN)
    refused = lab.site(*OWN)
    assert refused.code != 0 and "is being moved to other certificates" in refused.flat, refused
    kill_in(lab, RENEW, "distdb.mysql_ha.mysql_gr : Leave the group for a moment", 2, *OWN)
    refused = lab.site(*OWN)
    assert refused.code != 0 and "is being moved to other certificates" in refused.flat, refused
    back = lab.site(*OWN, playbook="playbooks/recover.yml")
    assert back.code == 0, back
    lab.one_group()
    changed(lab, under_load, *OWN, name="renew_certificates_killed", ca=OWN_CA_OF_PROXY)
    assert modes(lab) == {"VERIFY_IDENTITY"}
    assert trusted(lab) == lab.on("db0", "cat", "/etc/mysql/gr-ca.pem") != own
    unchanged(lab)


@pytest.fixture
def servers_own(lab):
    """A cluster with the certificates that its servers made for themselves; afterwards one with an own CA again."""
    lab.down()
    lab.up()
    run = lab.site("-e", "mysql_gr_tls=server")
    assert run.code == 0, run
    assert modes(lab) == {"REQUIRED"}
    yield
    assert modes(lab) == {"VERIFY_IDENTITY"}


def test_a_move_from_the_servers_own_certificates(lab, servers_own, under_load):
    stays = lab.site()
    assert stays.code == 0 and set(stays.changed.values()) == {0}, stays
    refused = lab.site("-e", "mysql_gr_tls=own_ca")
    assert refused.code != 0 and "renew_certificates" in refused.flat, refused
    changed(lab, under_load, "-e", "mysql_gr_tls=own_ca", name="renew_certificates_move", ca=None)
    assert modes(lab) == {"VERIFY_IDENTITY"}
    # Proxies and monitors verify the members from now on.
    then = lab.site()
    assert then.code == 0, then
    again = lab.site()
    assert again.code == 0 and set(again.changed.values()) == {0}, again
