# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What leaves the host: compressed by zstd, then encrypted by age, with size and SHA-256 of what is stored.

On hosts that make backups are public keys only. The identity, which opens them, is on the host of a restore, while it runs.

Private to this collection.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import tempfile
import threading
from typing import IO, Iterator, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.manifest import Stored
from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import (
    BLOCK,
    MISSING,
    Place,
    PlaceError,
    widened,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

ENCRYPTED, PLAIN = ".zst.age", ".zst"


class EnvelopeError(Refusal):
    """Something cannot be compressed, encrypted or opened."""


def ending(encrypted: bool) -> str:
    """The end of the name of what is stored."""
    return ENCRYPTED if encrypted else PLAIN


def _last_line(said: IO[bytes]) -> str:
    said.seek(0)
    lines = [line.strip() for line in said.read().decode("utf-8", "replace").splitlines() if line.strip()]
    # age ends with where to report bugs.
    lines = [line for line in lines if "report unexpected" not in line]
    return lines[-1] if lines else "no reason given"


@contextlib.contextmanager
def _chain(commands: Sequence[Sequence[str]], first: int | IO[bytes]) -> Iterator[IO[bytes]]:
    """Processes of which each reads what the one before it writes; what the last one writes. EnvelopeError when one fails."""
    with contextlib.ExitStack() as stack:
        running: list[tuple[subprocess.Popen[bytes], IO[bytes]]] = []
        source: int | IO[bytes] = first
        try:
            for command in commands:
                said = stack.enter_context(tempfile.TemporaryFile())
                try:
                    process = subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE, stderr=said)
                except OSError as error:
                    raise EnvelopeError(f"{command[0]} cannot be started ({error.strerror})") from None
                if running:
                    # Else the one before would not notice that its reader ended.
                    assert running[-1][0].stdout
                    running[-1][0].stdout.close()
                running.append((process, said))
                assert process.stdout
                widened(process.stdout)
                source = process.stdout
            assert not isinstance(source, int)
            yield source
            source.close()
            for process, _said in running:
                process.wait()
        except BaseException:
            for process, _said in running:
                process.kill()
                process.wait()
                if process.stdout:
                    process.stdout.close()
            raise
        # One that only lost its reader or its source is not the reason.
        failed = [(process, said) for process, said in running if process.returncode]
        failed.sort(key=lambda pair: pair[0].returncode < 0)
        if failed:
            reason, words = failed[0]
            assert isinstance(reason.args, (list, tuple))
            raise EnvelopeError(f"{reason.args[0]} failed: {_last_line(words)}")


class Sealer:
    """Compresses, and encrypts to the recipients; without one it does not encrypt."""

    def __init__(self, recipients: Sequence[str], level: int = 3) -> None:
        self.encrypted = bool(recipients)
        self._commands = [["zstd", "-q", "-c", f"-{level}"]]
        if recipients:
            self._commands.append(["age", *(part for key in recipients for part in ("-r", key))])

    @property
    def ending(self) -> str:
        return ending(self.encrypted)

    def seal(self, source: IO[bytes], target: IO[bytes]) -> Stored:
        """All of a source (any object with read) into a target (any with write)."""
        read_end, write_end = os.pipe()
        widened(write_end)
        raw, failed = [0], []

        def feed() -> None:
            try:
                with open(write_end, "wb") as out:
                    while True:
                        block = source.read(BLOCK)
                        if not block:
                            return
                        out.write(block)
                        raw[0] += len(block)
            except BrokenPipeError:
                pass  # the first process ended, and says why
            except Exception as error:  # of the source; it belongs to who reads the result
                failed.append(error)

        feeder = threading.Thread(target=feed, daemon=True)
        digest, size = hashlib.sha256(), 0
        with open(read_end, "rb") as first:
            with _chain(self._commands, first) as stored:
                first.close()
                feeder.start()
                while True:
                    block = stored.read(BLOCK)
                    if not block:
                        break
                    digest.update(block)
                    size += len(block)
                    target.write(block)
            feeder.join()
        if failed:
            raise failed[0]
        return Stored(size, digest.hexdigest(), raw[0])


def digest_of(path: str) -> hashlib._Hash:
    """The SHA-256 of a file, to go on with."""
    digest = hashlib.sha256()
    with open(path, "rb") as source:
        for block in iter(lambda: source.read(BLOCK), b""):
            digest.update(block)
    return digest


def sha256_of(path: str) -> str:
    """The SHA-256 of a file."""
    return digest_of(path).hexdigest()


def fetch(place: Place, path: str, target: str, size: int, sha256: str) -> None:
    """An object into a file, exactly as it was stored. What is there already is taken up, and never trusted."""
    if os.path.exists(target) and os.path.getsize(target) == size and sha256_of(target) == sha256:
        return
    part = target + ".part"
    have = os.path.getsize(part) if os.path.exists(part) else 0
    if have > size:
        os.unlink(part)
        have = 0
    digest = digest_of(part) if have else hashlib.sha256()
    if have < size or not size:
        with open(part, "ab") as out, place.get_stream(path, have) as source:
            for block in iter(lambda: source.read(BLOCK), b""):
                out.write(block)
                digest.update(block)
    found = os.path.getsize(part)
    if found < size:
        raise PlaceError(MISSING, f"{path}: {found} of {size} bytes are in the place")
    if found > size or digest.hexdigest() != sha256:
        os.unlink(part)
        raise EnvelopeError(f"{path}: damaged: its SHA-256 is not what its record says")
    os.replace(part, target)


@contextlib.contextmanager
def opened(path: str, identity_file: str | None, encrypted: bool) -> Iterator[IO[bytes]]:
    """What is in the envelope of a stored file, to be read to its end."""
    if encrypted and not identity_file:
        raise EnvelopeError(f"{path}: is encrypted; the identity that opens it is needed")
    commands = [["age", "-d", "-i", str(identity_file)]] if encrypted else []
    with open(path, "rb") as first, _chain([*commands, ["zstd", "-q", "-d", "-c"]], first) as raw:
        yield raw
        if raw.read(1):
            raise EnvelopeError(f"{path}: was not read to its end")
