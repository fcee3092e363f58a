# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates are renewed, come from another CA, and replace those that servers made for themselves, under load and without a restart."""

from __future__ import annotations

import hashlib
import ssl

import pytest

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


def on_disk(lab):
    return {member: fingerprint(lab.on(member, "cat", "/etc/mysql/gr-cert.pem")) for member in lab.members}


def started(lab):
    return [float(lab.sql(member, UPTIME)[0][0]) for member in lab.members]


def changed(lab, under_load, *arguments, name, verified=True):
    """Under load; no server was restarted, the members are one group, and their channel serves what is on disk. verified: clients connect for each
    statement, and verify the proxy by the CA file that the role keeps on its host, and by its address."""
    before = started(lab)
    options = (
        ("--ca", CA_OF_PROXY, "--host", lab.variable("proxy", "proxysql_address"), "--reconnect") if verified else ()
    )
    run = under_load(RENEW, *arguments, name=name, options=options)
    assert all(now > then for now, then in zip(started(lab), before)), "a server was restarted"
    lab.one_group()
    assert served(lab) == on_disk(lab)
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
    changed(lab, under_load, "-e", "mysql_gr_tls=own_ca", name="renew_certificates_move", verified=False)
    assert modes(lab) == {"VERIFY_IDENTITY"}
    # Proxies and monitors verify the members from now on.
    then = lab.site()
    assert then.code == 0, then
    again = lab.site()
    assert again.code == 0 and set(again.changed.values()) == {0}, again
