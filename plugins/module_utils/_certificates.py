# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates as files of a host: whether a pair of certificate and key works with a CA, until when, and whether a server has read it.

With Python's standard library alone, since a host has nothing else. Whether the pair works is tried by a handshake in memory, as both client and
server, so that OpenSSL itself says it.

Private to this collection.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import os
import re
import ssl
from typing import Any, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.tls import tls_context, tls_reason
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import checksum_of, read

PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
UTC = datetime.timezone.utc


class Files(NamedTuple):
    """Paths of a CA (or several, one after the other), a certificate and its key."""

    ca: str
    cert: str
    key: str


class Certificate(NamedTuple):
    """What is read from a certificate without a library for it."""

    issuer: bytes
    subject: bytes
    expires: float  # seconds since 1970


def _element(data: bytes, at: int) -> tuple[int, bytes, int]:
    """(tag, content, where the next one begins) of the DER element at this place."""
    tag, length, start = data[at], data[at + 1], at + 2
    if length & 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(data[start : start + count], "big"), start + count
    if start + length > len(data):
        raise ValueError("it is cut off")
    return tag, data[start : start + length], start + length


def _time(tag: int, content: bytes) -> float:
    text = content.decode("ascii")
    if tag == 0x17:  # UTCTime has two digits of the year: RFC 5280, 4.1.2.5.1
        text = ("20" if int(text[:2]) < 50 else "19") + text
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def parse(der: bytes) -> Certificate:
    """Issuer, subject and end of a certificate; ValueError for what is none."""
    try:
        body = _element(_element(der, 0)[1], 0)[1]
        parts: list[tuple[int, bytes]] = []
        at = 0
        while at < len(body) and len(parts) < 6:
            tag, content, at = _element(body, at)
            if tag != 0xA0:  # the version, which may be missing
                parts.append((tag, content))
        _serial, _algorithm, issuer, validity, subject = parts[:5]
        _tag, _content, after = _element(validity[1], 0)
        tag, content, _end = _element(validity[1], after)
        return Certificate(issuer[1], subject[1], _time(tag, content))
    except (IndexError, ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"no certificate ({error})") from None


def certificates(text: str) -> list[Certificate]:
    """The certificates in the text of a PEM file, those left out that cannot be read."""
    found = []
    for block in PEM.findall(text):
        try:
            found.append(parse(base64.b64decode(block)))
        except ValueError:
            continue
    return found


def issuer_ends(certificate: Certificate, ca: str) -> int | None:
    """When the certificate of its CA ends, by the text of a CA file; the later one, where it has two of this name. None where it has none."""
    found = [one.expires for one in certificates(ca) if one.subject == certificate.issuer]
    return int(max(found)) if found else None


def whole_days(ends: float, now: float) -> int:
    """For how many whole days what ends then is valid; less than 0 where it is over."""
    return int((ends - now) // 86400)


def united(*texts: str) -> str:
    """The certificates of all these PEM files, each once and in their order."""
    return "".join(dict.fromkeys(block + "\n" for text in texts for block in blocks(text)))


def blocks(text: str) -> list[str]:
    """Certificates of a PEM file, written one way."""
    found = []
    for block in PEM.findall(text):
        body = "".join(block.split())
        lines = [body[at : at + 64] for at in range(0, len(body), 64)]
        found.append("\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----"]))
    return list(dict.fromkeys(found))


def issuers(cert: str, ca: str) -> list[str]:
    """The blocks of a CA file by which the certificate is verified: its issuer, the issuer of that, and so on, by their names. Of several with one name,
    all: by which of them it is cannot be said without a library."""
    pool = [(block, parsed) for block in blocks(ca) for parsed in certificates(block)]
    waiting = certificates(cert)[:1]
    found: list[str] = []
    while waiting:
        issuer = waiting.pop().issuer
        for block, parsed in pool:
            if parsed.subject == issuer and block not in found:
                found.append(block)
                waiting.append(parsed)
    return found


def _shake(*sides: ssl.SSLObject) -> None:
    """A handshake without a network; ssl.SSLError where one side refuses."""
    waiting = list(sides)
    for _turn in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
    if waiting:
        raise ssl.SSLError("the handshake did not end")


def trouble(files: Files, name: str = "", mutual: bool = True) -> str:
    """Why a connection to a server with this certificate fails, whose client trusts the CA and verifies this name (none: no name); '' where it works.
    mutual: the client has the same certificate, and the server verifies it, too."""
    for path in files:
        if not os.path.isfile(path):
            return f"{path} is no file"
    try:
        accepting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        accepting.load_cert_chain(files.cert, files.key)
    except (OSError, ValueError) as error:
        reason = tls_reason(str(error))
        return f"{files.key} is not the key of {files.cert}" if "mismatch" in reason else f"{files.cert}: {reason}"
    try:
        if mutual:
            accepting.load_verify_locations(files.ca)
            accepting.verify_mode = ssl.CERT_REQUIRED
        cert, key = (files.cert, files.key) if mutual else (None, None)
        calling = tls_context(files.ca, cert, key, check_hostname=bool(name))
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        _shake(
            calling.wrap_bio(back, there, server_hostname=name or None),
            accepting.wrap_bio(there, back, server_side=True),
        )
    except (OSError, ValueError) as error:
        return f"{files.cert}: {tls_reason(str(error))}"
    return ""


def process_start(pid: int) -> float:
    """When a process of this host was started, in seconds since 1970; 0 where there is none."""
    fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    uptime = read("/proc/uptime").split()
    booted = next((line.split()[1] for line in read("/proc/stat").splitlines() if line.startswith("btime ")), "")
    if len(fields) < 20 or not uptime or not booted:
        return 0.0
    return float(booted) + int(fields[19]) / os.sysconf("SC_CLK_TCK")


def digest(files: Files) -> str:
    """One checksum of all three files; '' where one is missing."""
    found = hashlib.sha256()
    for path in files:
        try:
            with open(path, "rb") as source:
                found.update(hashlib.sha256(source.read()).digest())
        except OSError:
            return ""
    return found.hexdigest()


def has_read(files: Files, started: float, marked: str | None) -> bool:
    """Whether a server that was started then has read these files as they are: it was told to read these (marked, their digest), or nothing is noted
    (None) and they are older than it."""
    try:
        newest = max(os.stat(path).st_ctime for path in files)
    except OSError:
        return False
    return bool(started) and (newest < started if marked is None else marked == digest(files))


def marks(path: str, started: float) -> dict[str, str]:
    """What the role has noted for the process that was started then: the digest by 'main' and 'group'; nothing for an earlier process."""
    try:
        noted = json.loads(read(path) or "{}")
        # The kernel counts both from the boot, whose time is rounded.
        if not isinstance(noted, dict) or abs(float(noted.get("started", 0)) - started) > 1:
            return {}
        return {name: str(noted[name]) for name in ("main", "group") if name in noted}
    except ValueError:
        return {}


def seen(files: Files, name: str) -> dict[str, Any]:
    """What is seen of the files, for a module's result."""
    own = certificates(read(files.cert))
    return {
        "problem": trouble(files, name),
        "expires": int(own[0].expires) if own else None,
        "ca_expires": issuer_ends(own[0], read(files.ca)) if own else None,
        "digest": digest(files),
        "ca_checksum": checksum_of(files.ca, "sha1"),
        "cert_checksum": checksum_of(files.cert, "sha1"),
    }


def read_by(files: Files, pid: int, marks_file: str) -> dict[str, Any]:
    """When this process was started, and whether it has read the files as they are: as a server ('main') and for the group's channel ('group')."""
    started = process_start(pid) if pid else 0.0
    noted = marks(marks_file, started) if started else {}
    return {
        "started": started,
        "read": {what: has_read(files, started, noted.get(what)) for what in ("main", "group")},
    }
