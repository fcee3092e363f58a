# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS: contexts for connections, and why a member cannot reach the others, which the server itself does not write down.

Private to this collection.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from typing import Mapping, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import AddressError, parse_address

# Long enough for a handshake on a slow link, short enough to be waited for after a failed start.
HANDSHAKE = 3.0
REFUSAL = 1.0  # from TLS 1.3 on, the other side refuses a client's certificate after the handshake
_EMPTY = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # it needs no host name, and talks to nobody


def forget_errors() -> None:
    """Forget what OpenSSL has noted of connections that broke in this thread.

    Python 3.14 on OpenSSL 3.4 and newer takes that for an error of the next connection that the thread reads from, and of each one after that, well as
    they are (https://github.com/python/cpython/issues/148594). It clears such notes where a TLS session begins.
    """
    _EMPTY.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)


class OwnFiles(NamedTuple):
    """The files and the mode with which a member talks to the others."""

    mode: str
    ca: str
    cert: str
    key: str


def tls_context(
    ca_cert: str | None = None,
    client_cert: str | None = None,
    client_key: str | None = None,
    check_hostname: bool | None = None,
) -> ssl.SSLContext:
    """A TLS context: the server's certificate is verified exactly when a CA is given."""
    context = ssl.create_default_context(cafile=ca_cert) if ca_cert else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_cert:
        context.check_hostname = check_hostname is not False
        context.verify_mode = ssl.CERT_REQUIRED
        # Certificates that mysqld generates lack the key usage extension that newer OpenSSL wants in strict mode.
        if hasattr(ssl, "VERIFY_X509_STRICT"):
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if client_cert:
        context.load_cert_chain(client_cert, client_key or None)
    return context


def tls_reason(text: str) -> str:
    """What OpenSSL says, without its own names and places: 'certificate verify failed: certificate has expired'."""
    shown = re.sub(r"\[(?:SSL|X509|PEM)[^\]]*\]\s*", "", text)
    shown = re.sub(r"\s*\(_ssl\.c:\d+\)", "", shown)
    return re.sub(r"^\(?\d+, ['\"]?|['\"]?\)$", "", shown).strip() or text


def days_left(ends: str, now: float) -> int | None:
    """For how many whole days a certificate is valid that ends then, as the server says it ('Oct 23 10:00:00 2036 GMT'); None where it has none."""
    try:
        return int((ssl.cert_time_to_seconds(ends) - now) // 86400)
    except ValueError:
        return None


def communication_stack(settings: Mapping[str, str]) -> str:
    """By which a server with these settings talks to its group; those without a choice (before 8.0.27) have XCOM."""
    return (settings.get("group_replication_communication_stack") or "XCOM").upper()


def own_files(settings: Mapping[str, str], variables: Mapping[str, str | None]) -> OwnFiles | None:
    """The files of this member; None where TLS is off or goes another way (the communication stack MYSQL has the server's own)."""
    mode = (settings.get("group_replication_ssl_mode") or "DISABLED").upper()
    if mode == "DISABLED" or communication_stack(settings) != "XCOM":
        return None
    datadir = variables.get("datadir") or ""
    paths = [os.path.join(datadir, variables.get(name) or "") for name in ("ssl_ca", "ssl_cert", "ssl_key")]
    return OwnFiles(mode, *paths)


def handshake_trouble(files: OwnFiles, group_address: str) -> str:
    """Why a TLS connection like the server's own to another member's group port fails; '' where it does not."""
    try:
        host, port = parse_address(group_address, 33061, "group_replication_local_address")
        verified = files.mode in ("VERIFY_CA", "VERIFY_IDENTITY")
        context = tls_context(
            files.ca if verified else None, files.cert, files.key, check_hostname=files.mode == "VERIFY_IDENTITY"
        )
    except (AddressError, OSError):
        return ""  # the module may not read the server's files: nothing is known
    try:
        with socket.create_connection((host, port), HANDSHAKE) as plain, context.wrap_socket(
            plain, server_hostname=host
        ) as secure:
            secure.settimeout(REFUSAL)
            secure.recv(1)
    except ssl.SSLError as error:
        return tls_reason(str(error))
    except (OSError, ValueError):
        pass  # a member that says nothing after the handshake is content; one that does not answer is no matter of TLS
    return ""
