# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificate that ProxySQL shows to clients: whether files are good for it, which one it shows, and how new files are taken."""

from __future__ import annotations

import contextlib
import grp
import hashlib
import os
import pwd
import re
import socket
import ssl
import struct
from typing import Any, Callable, Dict, Iterable, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import AddressError, parse_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._certificates import Files, issuer_ends, parse, trouble
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.tls import tls_context, tls_reason
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import read
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import Admin, AdminError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.clients import ANYWHERE, INTERFACES
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.greeting import read_packet
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.rows import Statement
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.versions import has_feature, parse_version

FIRST = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
RELOAD = "PROXYSQL RELOAD TLS"
HAVE_TLS = "SELECT variable_value AS value FROM runtime_global_variables WHERE variable_name = 'mysql-have_ssl'"
PARTS = ("ca", "cert", "key")
TIMEOUT = 3.0
# PROTOCOL_41, SSL, SECURE_CONNECTION
CLIENT_SSL = 0x0800
ASK_TLS = struct.pack("<IIB23x", 0x0200 | CLIENT_SSL | 0x8000, 1 << 24, 45)


Contents = Dict[str, bytes]
# Where TLS is not offered although it is to be; no fingerprint is like that.
NO_TLS = "no TLS"


# ---- files ----------------------------------------------------------------------------------------------------------


def read_files(files: Files) -> Contents:
    found = {}
    for part, path in files._asdict().items():
        try:
            with open(path, "rb") as source:
                found[part] = source.read()
        except OSError as error:
            raise Refusal(f"{part}: {path} cannot be read ({error.strerror}).") from error
    return found


def fingerprint(pem: bytes) -> str:
    """Of the first certificate, the one that ProxySQL takes; "" where there is none."""
    found = FIRST.search(pem.decode("ascii", "replace"))
    with contextlib.suppress(ValueError):
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(found[0])).hexdigest() if found else ""
    return ""


def missing_names(files: Files, names: Iterable[str]) -> list[str]:
    """Those for which clients that verify the name refuse the certificate."""
    return [name for name in dict.fromkeys(names) if name and trouble(files, name, mutual=False)]


# ---- the running program --------------------------------------------------------------------------------------------


def first_answer(interfaces: str, ask: Callable[[str, int], Any]) -> tuple[Any, str]:
    """What is answered at the first address of mysql-interfaces that takes a connection, or None and why none does."""
    reason = "mysql-interfaces has no address"
    for interface in filter(None, map(str.strip, interfaces.split(";"))):
        if interface.startswith("/"):
            continue
        try:
            address = parse_address(interface, 6033, "mysql-interfaces")
            return ask(ANYWHERE.get(address.host, address.host), address.port), ""
        except (OSError, ValueError, AddressError) as error:
            reason = str(error)
    return None, reason


def served(interfaces: str) -> str:
    """Fingerprint of the certificate that clients see, or NO_TLS."""
    shown, reason = first_answer(interfaces, shown_by)
    if reason:
        raise AdminError("unreachable", f"ProxySQL's certificate cannot be seen: {reason}.")
    return hashlib.sha256(shown).hexdigest() if shown else NO_TLS


def shown_by(host: str, port: int) -> bytes:
    """The certificate as DER; empty where TLS is not offered."""
    secure = open_tls(host, port, tls_context())
    if secure is None:
        return b""
    with secure:
        return secure.getpeercert(True) or b""


def certificate_state(interfaces: str, ca: str) -> dict[str, Any]:
    """What clients that trust the CA see: when the certificate and its CA's end (in seconds since 1970), or why they refuse it."""

    def ends(host: str, port: int) -> tuple[int, int | None] | None:
        secure = open_tls(host, port, tls_context(ca, check_hostname=False))
        if secure is None:
            return None
        with secure:
            shown = parse(secure.getpeercert(True) or b"")
            return int(shown.expires), issuer_ends(shown, read(ca))

    found, reason = first_answer(interfaces, ends)
    expires, ca_expires = found or (None, None)
    problem = tls_reason(reason) if reason else "" if expires else "TLS is not offered"
    return dict(expires=expires, ca_expires=ca_expires, problem=problem)


def open_tls(host: str, port: int, context: ssl.SSLContext) -> ssl.SSLSocket | None:
    """A connection whose handshake is done, where nobody has logged in; None where TLS is not offered."""
    plain = socket.create_connection((host, port), timeout=TIMEOUT)
    try:
        number, greeting = read_packet(plain)
        at = greeting.index(b"\0", 1) + 1 + 4 + 8 + 1 if greeting[:1] == b"\x0a" else 0
        if not at or not int.from_bytes(greeting[at : at + 2], "little") & CLIENT_SSL:
            plain.close()
            return None
        plain.sendall(struct.pack("<I", len(ASK_TLS))[:3] + bytes([number + 1]) + ASK_TLS)
        return context.wrap_socket(plain)
    except (OSError, ValueError):
        plain.close()
        raise


def read_interfaces(admin: Any) -> str:
    return "".join(str(row["value"]) for row in admin.query(INTERFACES))


class Running:
    """A ProxySQL that runs, and what it shows."""

    def __init__(self, admin: Admin) -> None:
        self.admin = admin

    def shows(self) -> str:
        """The fingerprint of what clients see; "" where they get no TLS."""
        if any(str(row["value"]).lower() in ("false", "0") for row in self.admin.query(HAVE_TLS)):
            return ""
        return served(read_interfaces(self.admin))

    @property
    def reloads(self) -> bool:
        return has_feature(parse_version(self.admin.version), "reload_tls")

    def reload(self) -> None:
        self.admin.execute(Statement.plain(RELOAD))


# ---- taking new files -----------------------------------------------------------------------------------------------


class Owner(NamedTuple):
    user: str
    group: str

    def ids(self) -> tuple[int, int]:
        try:
            return pwd.getpwnam(self.user).pw_uid, grp.getgrnam(self.group).gr_gid
        except KeyError as error:
            raise Refusal(f"owner: {error.args[0]} (allowed: a user and a group of this host).") from error


def write(path: str, content: bytes, ids: tuple[int, int]) -> None:
    """Whole or not at all, and never readable by others."""
    part = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as target:
        os.fchown(target.fileno(), *ids)
        target.write(content)
        os.fsync(target.fileno())
    os.replace(part, path)


def present(files: Files) -> Contents:
    """What is there."""
    found = {}
    for part, path in files._asdict().items():
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as source:
            found[part] = source.read()
    return found


def take(wanted: Contents, into: Files, owner: Owner, running: Running | None, check: bool) -> dict[str, Any]:
    """Put the files where ProxySQL reads them and have it read them. If it does not take them, the old ones are put back."""
    before = present(into)
    written = [part for part in PARTS if before.get(part) != wanted[part]]
    behind = running is not None and running.shows() not in ("", fingerprint(wanted["cert"]))
    result = dict(changed=bool(written or behind), written=written, restart_needed=False)
    if check or not result["changed"]:
        return result
    ids = owner.ids()
    for part in written:
        write(getattr(into, part), wanted[part], ids)
    if running is None:
        return result
    if not running.reloads:
        return {**result, "restart_needed": True}
    try:
        running.reload()
        if running.shows() not in ("", fingerprint(wanted["cert"])):
            raise AdminError("statement", f"ProxySQL shows another certificate than {into.cert}")
    except AdminError as error:
        back = put_back(before, written, into, ids, running.reload)
        raise AdminError(error.kind, f"{str(error).rstrip('.')}. {back}") from error
    return result


def put_back(
    before: Contents, written: list[str], into: Files, ids: tuple[int, int], reload: Callable[[], None]
) -> str:
    for part in written:
        if part in before:
            write(getattr(into, part), before[part], ids)
        else:
            os.unlink(getattr(into, part))
    with contextlib.suppress(AdminError):
        reload()
    return "The files are put back to what they were."
