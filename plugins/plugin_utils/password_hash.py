# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What caching_sha2_password stores of a password: SHA-256 crypt (the public specification by Ulrich Drepper) behind MySQL's own head.

Made here, the server does not see the password itself, which no policy for people's passwords and no log then meets.

Private to this collection.
"""

from __future__ import annotations

import hashlib

DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SIZE = 32  # bytes of a SHA-256 digest
SALT = 20  # characters of MySQL's salt
STEP = 1000  # MySQL counts rounds in thousands
# The order in which the specification takes the digest's bytes, three at a time, four digits each; the last two make three digits.
TRIPLES = [(i * 21 % 30, (i * 21 + 10) % 30, (i * 21 + 20) % 30) for i in range(10)]


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def repeated(digest: bytes, length: int) -> bytes:
    return (digest * (length // SIZE + 1))[:length]


def digits(value: int, count: int) -> str:
    return "".join(DIGITS[value >> 6 * i & 63] for i in range(count))


def crypt(password: bytes, salt: bytes, rounds: int) -> str:
    """The 43 digits of SHA-256 crypt."""
    first = sha256(password, salt, password)
    parts = [password, salt, repeated(first, len(password))]
    length = len(password)
    while length:
        parts.append(first if length & 1 else password)
        length >>= 1
    digest = sha256(*parts)
    p = repeated(sha256(password * len(password)), len(password))
    s = repeated(sha256(salt * (16 + digest[0])), len(salt))
    for number in range(rounds):
        digest = sha256(
            p if number & 1 else digest, s if number % 3 else b"", p if number % 7 else b"", digest if number & 1 else p
        )
    text = "".join(digits(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in TRIPLES)
    return text + digits(digest[31] << 8 | digest[30], 3)


def stored(password: str, salt: str, rounds: int) -> str:
    """The authentication string of an account."""
    if len(salt) != SALT or not salt.isalnum():
        raise ValueError(f"a salt has {SALT} letters and digits")
    thousands = rounds // STEP
    if not 5 <= thousands <= 0xFFF:
        raise ValueError(f"caching_sha2_password_digest_rounds: {rounds} is not allowed (allowed: 5000 to 4095000)")
    return f"$A${thousands:03X}${salt}{crypt(password.encode(), salt.encode(), thousands * STEP)}"
