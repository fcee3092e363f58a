# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TLS: the files in the data directory that clients see, and how a server's certificate is verified."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import ssl
import tempfile

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.S)
COLUMNS = ("ssl_ca", "ssl_cert", "ssl_key", "ssl_capath", "ssl_crl", "ssl_crlpath", "ssl_cipher")

NO_PEER = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Frontend:
    """What clients see. Where nobody has put ProxySQL's files there is no TLS: the stand-in makes no certificates."""

    def __init__(self, datadir: str):
        self.files = {name: os.path.join(datadir, f"proxysql-{name}.pem") for name in ("ca", "cert", "key")}
        self.context: ssl.SSLContext | None = None
        if self._present():
            self.load()

    def _present(self) -> int:
        return sum(os.access(path, os.R_OK) for path in self.files.values())

    def load(self) -> str:
        """Takes the files for new connections. Why not, where they are not good; then what was there before counts on."""
        if self._present() != len(self.files):
            return f"RELOAD TLS failed: {self._present()} TLS files are present. Expected: 3"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as chain:
                # As ProxySQL: the first certificate of either file, whatever else is in them.
                for name in ("cert", "ca"):
                    found = CERTIFICATE.search(_text(self.files[name]))
                    if not found:
                        return f"Error on PEM_read_bio_X509() for {self.files[name]}"
                    chain.write(found[0] if found[0].endswith("\n") else found[0] + "\n")
                chain.flush()
                context.load_cert_chain(chain.name, self.files["key"])
        except ssl.SSLError as error:
            if "mismatch" in str(error).lower():
                return "Unable to use SSL key"
            return "Unable to initialize SSL"
        self.context = context
        return ""


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as source:
        return source.read()


def towards(store, host: str, port: int, user: str) -> ssl.SSLContext:
    """By the row of mysql_servers_ssl_params for this account or for all, else by mysql-ssl_p2s_…. The name is never verified, as there."""
    row = store.server_tls.get((host, port, user)) or store.server_tls.get((host, port, ""))
    files = row or {name: store.values["mysql-ssl_p2s" + name[3:]] for name in COLUMNS}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if files["ssl_ca"] or files["ssl_capath"]:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(files["ssl_ca"] or None, files["ssl_capath"] or None)
    if files["ssl_cert"]:
        context.load_cert_chain(files["ssl_cert"], files["ssl_key"] or None)
    if files["ssl_cipher"]:
        context.set_ciphers(files["ssl_cipher"])
    return context


def forget_errors():
    """Empties OpenSSL's queue of errors in this thread. After a failure CPython may leave an entry there (python/cpython#148594, seen with 3.14), with which
    the next read on a healthy connection fails. The first step of a handshake empties the queue."""
    with contextlib.suppress(ssl.SSLError):
        NO_PEER.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="none").do_handshake()


async def accept(stream, context: ssl.SSLContext):
    """TLS on a connection whose client has asked for it. What it has sent since then is in the reader already, and belongs to the handshake."""
    early = bytes(stream.reader._buffer)
    stream.reader._buffer.clear()
    below = stream.writer.transport
    shake = asyncio.ensure_future(stream.start_tls(context))
    if early:
        while not shake.done() and below.get_protocol() is stream.writer._protocol:
            await asyncio.sleep(0)
        await asyncio.sleep(0)  # the handshake has begun now
        above = below.get_protocol()
        if hasattr(above, "get_buffer"):
            above.get_buffer(len(early))[: len(early)] = early
            above.buffer_updated(len(early))
        else:
            above.data_received(early)
    await shake
