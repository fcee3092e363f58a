# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose certificates a proxy has, what stands against those that were given, and by which CA ProxySQL verifies which server. Nobody is asked.

Private to this collection.
"""

from __future__ import annotations

import os
from typing import Any, Iterator, Mapping, NamedTuple, Sequence

from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.distdb.mysql_ha.plugins.module_utils._certificates import (
    Files,
    blocks,
    issuers,
    seen,
    trouble,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.desired import clean_hostname
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.tls import fingerprint
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.versions import has_feature, parse_version
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.certificates import (
    AUTO,
    GIVEN,
    OWN_CA,
    OWN_HINTS,
    SERVER,
    Hints,
    ending,
)

# Rows of the role's are known by their comment.
OWN_ROWS = "distdb.mysql_ha"


def choose(wanted: str, given: Sequence[str], members: str, made: bool) -> str:
    """own_ca, given or server. members: whose certificates the members are to have; made: whether there is a CA of the cluster on the control node."""
    if wanted != AUTO:
        return wanted
    if any(given):
        return GIVEN
    return OWN_CA if made and members in (AUTO, OWN_CA) else SERVER


def certificate_problems(settings: Mapping[str, Any]) -> Iterator[str]:
    """What stands against the files that were given, which are on the control node."""
    names = ("ca", "cert", "key")
    files = {name: str(settings.get(f"proxysql_client_tls_{name}") or "") for name in names}
    backend = str(settings.get("proxysql_backend_tls_ca") or "")
    kind = settings.get("proxysql_tls") or AUTO
    if kind == GIVEN and not any(files.values()) and not backend:
        yield (
            "proxysql_tls is given and neither proxysql_client_tls_cert nor proxysql_backend_tls_ca is set; set one of them, or proxysql_tls to own_ca or"
            " server."
        )
    if kind in (OWN_CA, SERVER) and (any(files.values()) or backend):
        yield f"proxysql_tls is {kind} and proxysql_client_tls_cert or proxysql_backend_tls_ca is set; set proxysql_tls to given, or remove them."
    if any(files.values()) and not all(files.values()):
        yield "proxysql_client_tls_ca, proxysql_client_tls_cert and proxysql_client_tls_key are not all set; set all three or none."
    elif any(files.values()) and not boolean(settings["proxysql_client_tls"], strict=False):
        yield "proxysql_client_tls_cert is set and proxysql_client_tls is false; set it to true, or no certificate."
    elif all(files.values()):
        missing = [f"proxysql_client_tls_{name}" for name in names if not os.path.isfile(files[name])]
        if missing:
            yield f"{', '.join(missing)} names no file on the control node; give the path of a PEM file."
        else:
            problem = trouble(Files(**files), mutual=False)
            if problem:
                yield f"proxysql_client_tls_cert is not allowed, since clients that trust proxysql_client_tls_ca would refuse it: {problem}."
    if backend and not (os.path.isfile(backend) and fingerprint(_content(backend))):
        yield f"proxysql_backend_tls_ca is {backend}, which is no file with a certificate on the control node; give the path of a PEM file."
    if backend and not boolean(settings.get("proxysql_backend_tls", True), strict=False):
        yield "proxysql_backend_tls_ca is set and proxysql_backend_tls is false; set it to true, or no CA."


GIVEN_HINTS = Hints(
    "give another one by proxysql_client_tls_cert and proxysql_client_tls_key",
    "give certificates of another one by proxysql_client_tls_ca, proxysql_client_tls_cert and proxysql_client_tls_key",
)


def ending_problems(
    kind: str, name: str, there: Mapping[str, Any], given: Mapping[str, str], now: float, days_left: int
) -> list[str]:
    """A certificate for clients that ends soon. there: what was seen on the proxy's host; given: files on the control node, which this run copies."""
    if kind == GIVEN:
        return ending(name, seen(Files(**given), ""), now, days_left, GIVEN_HINTS) if all(given.values()) else []
    return ending(name, there, now, days_left, OWN_HINTS) if kind == OWN_CA else []


class Verifier(NamedTuple):
    """By what a proxy verifies members: its variables, the content of proxysql_backend_tls_ca, and whether it does so now."""

    wanted: str
    client_cert: str
    backend_ca: str
    backend_text: str
    verifies: bool


def trust_problems(proxy: Verifier, members: Mapping[str, Mapping[str, str]]) -> list[str]:
    """What stands against certificates that members are going to show: a proxy that verifies members would take none of them for one in the end.
    members: kind, ca and cert (texts; of an own CA that is not made yet there is none) of each."""
    kinds = {str(member["kind"]) for member in members.values()}
    of_members = kinds.pop() if len(kinds) == 1 else AUTO
    kind = choose(proxy.wanted, [proxy.client_cert, proxy.backend_ca], of_members, of_members == OWN_CA)
    if of_members == SERVER or (kind == SERVER and (proxy.wanted == SERVER or not proxy.verifies)):
        return []
    if kind == SERVER or (kind == OWN_CA and of_members == GIVEN):
        return [
            f"mysql_gr_tls of the members is {of_members}, proxysql_tls is {proxy.wanted} and proxysql_backend_tls_ca is empty, so that the proxy would"
            " refuse the members: set proxysql_tls to given and proxysql_backend_tls_ca to a file on the control node with the CA that has signed the"
            " members' certificates, or proxysql_tls to server, which verifies nobody."
        ]
    if not proxy.backend_ca:
        return []
    there = blocks(proxy.backend_text)
    strange = [
        name
        for name, member in members.items()
        if not set(issuers(member["cert"], member["ca"]) or blocks(member["ca"]) or [""]) <= set(there)
    ]
    if not strange:
        return []
    hint = (
        "leave it out, and the proxies use the cluster's own CA (mysql_gr_tls own_ca)"
        if of_members == OWN_CA
        else "add the certificates that are in mysql_gr_tls_ca there"
    )
    return [
        f"proxysql_backend_tls_ca is {proxy.backend_ca}, which lacks the CA of the certificates that {', '.join(strange)} are to show; the proxy would refuse"
        f" these members: {hint}."
    ]


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as source:
            return source.read()
    except OSError:
        return b""


def variables(settings: Mapping[str, Any], backend_ca: str) -> dict[str, str]:
    """By which CA servers are verified that have no row of their own, such as those that the monitor discovers, and all before 2.6.0.

    With a folder set, too, ProxySQL reads the file for each connection. Without it a CA once read is trusted until the next start, for every server.
    """
    if backend_ca:
        return {"mysql-ssl_p2s_ca": backend_ca, "mysql-ssl_p2s_capath": os.path.dirname(backend_ca)}
    if settings.get("proxysql_tls") == SERVER:
        return {"mysql-ssl_p2s_ca": "", "mysql-ssl_p2s_capath": ""}
    return {}


def servers_tls(
    groups: Sequence[Mapping[str, Any]], further: Sequence[dict[str, Any]], backend_ca: str, version: str
) -> list[dict[str, Any]] | None:
    """Rows of mysql_servers_ssl_params, those that the user gives before the role's; None where ProxySQL has no such table."""
    if not has_feature(parse_version(version), "servers_tls") and not further:
        return None
    rows: dict[tuple[str, int, str], dict[str, Any]] = {}
    for group in groups:
        for server in group.get("servers") or [] if backend_ca else []:
            name, port = str(server["hostname"]), int(server.get("port") or 3306)
            if boolean(server.get("use_ssl") or False, strict=False) and not name.startswith("/"):
                rows[(clean_hostname(name), port, "")] = dict(
                    hostname=clean_hostname(name),
                    port=port,
                    ssl_ca=backend_ca,
                    ssl_capath=os.path.dirname(backend_ca),
                    comment=OWN_ROWS,
                )
    for entry in further:
        rows[(clean_hostname(str(entry["hostname"])), int(entry.get("port") or 3306), entry.get("username") or "")] = {
            "comment": OWN_ROWS,
            **entry,
        }
    return list(rows.values())
