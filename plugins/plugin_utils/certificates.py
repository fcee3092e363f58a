# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose certificates a cluster has, which a host needs, and what stands against them. Pure functions; nobody is asked.

Control node only: certificates are read by the library cryptography, which community.crypto needs there, too.

Private to this collection.
"""

from __future__ import annotations

import datetime
import re
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import IPV4, IPV6, NAME, classify
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.preflight_hosts import in_group

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
except ImportError:
    x509 = None  # type: ignore[assignment]

AUTO, OWN_CA, GIVEN, SERVER = "auto", "own_ca", "given", "server"
KINDS = (AUTO, OWN_CA, GIVEN, SERVER)
RENEW = "distdb.mysql_ha.renew_certificates"
DAY = 86400
SHORTEST_PASSPHRASE = 12  # a file that may be copied can be tried without limit
Probe = Mapping[str, Any]


def existing(probe: Probe, config_file: str) -> bool:
    """Whether this host's server is more than a blank one of a new cluster: a member, one that was, one that the role has set up, or one with data."""
    held = (probe.get("data") or {}).get("schemas") or (probe.get("files") or {}).get(config_file)
    return bool(in_group(probe) or probe.get("relay_logs") or held)


def choose(
    wanted: str, given: Mapping[str, str], made: bool, probes: Mapping[str, Probe], config_file: str = ""
) -> str:
    """Whose certificates: own_ca, given or server. auto never moves a cluster that is there: it has what its servers have. made: whether there
    is a CA of this cluster on the control node. Without probes, nobody was looked at: what is known then is what the control node has."""
    if wanted != AUTO:
        return wanted
    if any(given.values()):
        return GIVEN
    if made:
        return OWN_CA
    return OWN_CA if probes and not any(existing(probe, config_file) for probe in probes.values()) else SERVER


class Wish(NamedTuple):
    """The role's variables about certificates, and what the control node has."""

    wanted: str
    kind: str
    mode: str
    given: Mapping[str, str]
    directory: str
    made: bool
    passphrase: Any
    days_left: int
    # A move to other certificates was begun; a renewal looks at it, and at all that a renewal is there for.
    moving: bool = False
    renewing: bool = False


def library_problems(kind: str) -> list[str]:
    if kind == OWN_CA and x509 is None:
        return [
            "The Python library cryptography is missing on the control node, which certificates of an own CA need (mysql_gr_tls own_ca, the default of"
            " a new cluster); install it for the Python that runs Ansible, or set mysql_gr_tls to given or server."
        ]
    return []


def wish_problems(wish: Wish) -> list[str]:
    """What stands against the variables themselves."""
    if wish.wanted not in KINDS:
        return [f"mysql_gr_tls is {wish.wanted!r}; allowed are {', '.join(KINDS[:-1])} and {KINDS[-1]}."]
    problems = library_problems(wish.kind)
    given = {name: path for name, path in wish.given.items() if path}
    if wish.kind == GIVEN:
        if bool(wish.given["cert"]) != bool(wish.given["key"]):
            problems.append("mysql_gr_tls_cert and mysql_gr_tls_key belong together; only one of them is set.")
        elif not wish.given["ca"]:
            problems.append(
                "mysql_gr_tls_ca is empty, and mysql_gr_tls_cert and mysql_gr_tls_key are set: members could not verify each other. Set all three."
                if given
                else "mysql_gr_tls is 'given', and mysql_gr_tls_ca, mysql_gr_tls_cert and mysql_gr_tls_key are empty: set them to files on the hosts."
            )
    elif given:
        named = " and ".join(f"mysql_gr_tls_{name}" for name in given)
        problems.append(
            f"mysql_gr_tls is {wish.kind!r}, which does not use {named}: set mysql_gr_tls to given, or leave them out."
        )
    if wish.kind == SERVER and wish.mode not in ("auto", "REQUIRED"):
        problems.append(
            f"mysql_gr_ssl_mode is {wish.mode!r}, and the members have the certificates that their servers make for themselves, which nobody can verify:"
            " set mysql_gr_tls to own_ca or given."
        )
    if wish.kind == OWN_CA:
        problems += passphrase_problems(wish)
    return problems


def passphrase_problems(wish: Wish) -> list[str]:
    text = wish.passphrase
    if text is None or text == "":
        return [
            "mysql_gr_tls_ca_passphrase is missing or empty; it encrypts the key of the cluster's CA"
            f" ({wish.directory}/ca.key on the control node), and has no default. With mysql_gr_tls server, members have certificates that nobody"
            " can verify."
        ]
    if not isinstance(text, str) or len(text) < SHORTEST_PASSPHRASE or re.search(r"[\r\n\0]", text):
        return [
            f"mysql_gr_tls_ca_passphrase is not allowed; allowed is a string of one line and at least {SHORTEST_PASSPHRASE} characters."
        ]
    return []


def evidence_problems(wish: Wish, declared: Sequence[str], probes: Mapping[str, Probe], own_cert: str) -> list[str]:
    """What the hosts say against what was chosen: where it cannot be seen whose certificates a cluster has, nothing is chosen."""
    if wish.made or wish.wanted not in (AUTO, OWN_CA):
        return []
    unseen = [name for name in declared if name not in probes]
    holders = sorted(name for name, probe in probes.items() if (probe.get("sql") or {}).get("ssl_cert") == own_cert)
    if holders:
        return [
            f"The servers of {', '.join(holders)} have certificates of a CA that is not in {wish.directory} (mysql_gr_tls_directory): bring that directory"
            " from the control node that made it."
        ]
    if wish.kind != OWN_CA:
        return []
    if any(in_group(probe) for probe in probes.values()):
        return [
            f"mysql_gr_tls is own_ca, and the members of the running group have other certificates: the playbook {RENEW} moves them, one member at a"
            " time; this one does not."
        ]
    if unseen:
        return [
            f"mysql_gr_tls is {wish.wanted}, and {', '.join(unseen)} take no part in this run: whether the cluster is new, and gets certificates of an own"
            " CA, cannot be seen. Run on all members, or set mysql_gr_tls to server or given."
        ]
    return []


def member_problems(wish: Wish, name: str, probe: Probe, files: Mapping[str, str]) -> list[str]:
    """A member of a living group that has other certificates than the chosen ones."""
    sql = probe.get("sql") or {}
    if not in_group(probe) or "ssl_cert" not in sql or (wish.kind == OWN_CA and not wish.made):
        return []
    runs = {part: sql.get(f"ssl_{part}") or "" for part in ("ca", "cert", "key")}
    if wish.kind != SERVER and any(files[part] and runs[part] != files[part] for part in runs):
        return [
            f"{name} is {sql['state']} and has the certificate {runs['cert']}, but mysql_gr_tls is {wish.kind!r} ({files['cert'] or files['ca']}): the"
            f" playbook {RENEW} moves a running group, one member at a time; this one does not."
        ]
    return []


def file_problems(wish: Wish, name: str, seen: Mapping[str, Any] | None, now: float) -> list[str]:
    """What stands against the certificate that is on a host. Of an own CA, one that is missing or does not work is made anew."""
    if not seen:
        return []
    new = f"put a new one there and run the playbook {RENEW}"
    problems = ending(name, seen, now, wish.days_left, OWN_HINTS if wish.kind == OWN_CA else Hints(new, new))
    if wish.kind == GIVEN and not problems and seen.get("problem"):
        problems.append(f"mysql_gr_tls_cert of {name} does not work: {seen['problem']}.")
    return problems


class Hints(NamedTuple):
    """What to do when a certificate, or its CA's, ends."""

    cert: str
    ca: str


OWN_HINTS = Hints(f"run the playbook {RENEW}", f"run the playbook {RENEW} with operations_new_ca=true")


def ending(name: str, seen: Mapping[str, Any], now: float, days_left: int, hints: Hints) -> list[str]:
    """Certificates that end within so many days."""
    problems = []
    parts = (("certificate", seen.get("expires"), hints.cert), ("CA's certificate", seen.get("ca_expires"), hints.ca))
    for what, when, hint in parts:
        if when is not None and when - now < days_left * DAY:
            ends = "has expired on" if when <= now else "expires on"
            problems.append(f"The {what} of {name} {ends} {day(when)}: {hint}.")
    return problems


def host_problems(
    members: Sequence[Mapping[str, Any]], probes: Mapping[str, Probe], wishes: Mapping[str, Any]
) -> list[str]:
    """What stands against this host's certificate, and against all of them."""
    wish, name = Wish(**wishes["tls"]), wishes["host"]
    problems = wish_problems(wish)
    if problems or (wish.renewing and wish.kind != GIVEN):
        return problems
    if wish.renewing:
        return file_problems(wish, name, wishes["tls_seen"], wishes["now"])
    if wish.moving:
        return [
            f"The group is being moved to other certificates ({wish.directory}/moving on the control node): run the playbook {RENEW} to the end first."
        ]
    problems = evidence_problems(wish, [member["name"] for member in members], probes, wishes["tls_own"]["cert"])
    if problems or name not in probes:
        return problems
    return member_problems(wish, name, probes[name], wishes["tls_files"]) + file_problems(
        wish, name, wishes["tls_seen"], wishes["now"]
    )


def day(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d")


# -- which certificate a host is to have


def alternative_names(names: Iterable[object]) -> list[str]:
    """DNS:… and IP:… of names and addresses, each once and in their order; what leads only to the host itself, and what is neither, left out."""
    found = []
    for name in names:
        kind, text = classify(name) if name not in (None, "") else ("", "")
        if kind in (IPV4, IPV6):
            if not text.startswith("127.") and text != "::1" and "%" not in text:
                found.append(f"IP:{text}")
        elif kind == NAME and text.split(".")[0] != "localhost" and "_" not in text:
            found.append(f"DNS:{text}")
    return list(dict.fromkeys(found))


def _ends(certificate: Any) -> float:
    if hasattr(certificate, "not_valid_after_utc"):
        return float(certificate.not_valid_after_utc.timestamp())
    return float(certificate.not_valid_after.replace(tzinfo=datetime.timezone.utc).timestamp())


def _names(certificate: Any) -> list[str]:
    try:
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [f"DNS:{name.lower()}" for name in held.get_values_for_type(x509.DNSName)] + [
        f"IP:{address}" for address in held.get_values_for_type(x509.IPAddress)
    ]


def signed_by(certificate: Any, ca: Any) -> bool:
    """Whether this CA (whose key is on an elliptic curve, as the role makes it) has signed the certificate."""
    try:
        ca.public_key().verify(
            certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(certificate.signature_hash_algorithm)
        )
    except (InvalidSignature, AttributeError, TypeError, ValueError):
        return False
    return bool(certificate.issuer == ca.subject)


def text_signed_by(certificate: str, ca: str) -> bool:
    """The same of their texts; what cannot be read is not."""
    if x509 is None:
        raise AnsibleFilterError(library_problems(OWN_CA)[0])
    try:
        return signed_by(*(x509.load_pem_x509_certificate(text.encode()) for text in (certificate, ca)))
    except ValueError:
        return False


def due(
    wanted: Sequence[str],
    ca_text: str,
    cert_text: str,
    seen: Mapping[str, Any],
    cert_checksum: str,
    now: float,
    renew_days: int | None = None,
) -> str:
    """Why a host needs a new certificate; '' where it needs none. cert_text: the one that was made for it last, cert_checksum its SHA-1; seen: what is on
    the host. renew_days: in a renewal, how many days it has to be valid still; in another run the age and the CA of one that works do not count."""
    if x509 is None:
        raise AnsibleFilterError(library_problems(OWN_CA)[0])
    if not cert_text:
        return "none was made for it yet"
    if seen.get("cert_checksum") != cert_checksum:
        return "it does not have the one that was made for it" if seen.get("cert_checksum") else "it has none"
    try:
        certificate = x509.load_pem_x509_certificate(cert_text.encode())
    except ValueError:
        return "the one that was made for it cannot be read"
    missing = [name for name in wanted if name not in _names(certificate)]
    if missing:
        return f"it lacks {', '.join(missing)}"
    if _ends(certificate) <= now:
        return f"it has expired on {day(_ends(certificate))}"
    if re.search("is no file|is not the key of", seen.get("problem") or ""):
        return str(seen["problem"])
    if renew_days is not None:
        if not text_signed_by(cert_text, ca_text):
            return "another CA has made it"
        if _ends(certificate) - now < renew_days * DAY:
            return f"it expires on {day(_ends(certificate))}"
    return ""
