# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CAs and certificates for tests, as files of a folder."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class Pair(NamedTuple):
    cert: str
    key: str


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class CA:
    def __init__(self, folder: Path, name: str):
        self.folder, self.name, self.path = folder, name, str(folder / f"{name}.pem")
        self._key = ec.generate_private_key(ec.SECP256R1())
        signing = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self.cert = self._sign(name, self._key.public_key(), 3650 * DAY, x509.BasicConstraints(True, None), signing)
        self.text = self.cert.public_bytes(serialization.Encoding.PEM).decode()
        Path(self.path).write_text(self.text, encoding="utf-8")

    def _sign(self, subject, public_key, ends, *extensions):
        now = datetime.datetime.now(datetime.timezone.utc)
        made = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(self.name))
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * DAY)
            .not_valid_after(now + ends)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False)
        )
        for extension in extensions:
            made = made.add_extension(extension, not isinstance(extension, x509.SubjectAlternativeName))
        return made.sign(self._key, hashes.SHA256())

    def issue(self, name: str, *names: str, ends: datetime.timedelta = 30 * DAY) -> Pair:
        """A certificate for these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert = self._sign(
            name, key.public_key(), ends, x509.SubjectAlternativeName([_alternative(entry) for entry in names])
        )
        pair = Pair(str(self.folder / f"{name}-cert.pem"), str(self.folder / f"{name}-key.pem"))
        Path(pair.cert).write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        Path(pair.key).write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return pair
