# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A data directory as tars of about one size, so that a restore is resumable, and one schema needs few of them.

Private to this collection.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from typing import IO, Iterator, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import widened
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

SIZE = 1 << 30

# Schemas of the server itself: they are in the first piece, with the data dictionary, undo and redo logs.
OWN = ("mysql", "sys", "performance_schema", "#innodb_redo")
# What a server makes again, or what must not be the same on two of them.
LEFT_OUT = ("auto.cnf", "#innodb_temp", "#clone", "ibtmp1", "mysqld-auto.cnf", "binlog.index")
LEFT_OUT_ENDINGS = (".pem", ".dblwr", ".err", ".pid", ".sock", ".lock")


class PieceError(Refusal):
    """Files cannot be packed or unpacked."""


def is_left_out(path: str) -> bool:
    """Whether a file, by its path in the data directory, is not stored."""
    top, below, _rest = path.partition("/")
    return top in LEFT_OUT or (not below and top.endswith(LEFT_OUT_ENDINGS))


def files_of(datadir: str) -> list[tuple[str, int]]:
    """The files that are stored, with their sizes, in the order of their paths. Empty folders end with '/': a schema may have no table."""
    found = []
    for at, folders, names in os.walk(datadir):
        folders.sort()
        above = os.path.relpath(at, datadir)
        prefix = "" if above == "." else above + "/"
        if prefix and not names and not folders and not is_left_out(prefix):
            found.append((prefix, 0))
        for name in names:
            if not is_left_out(prefix + name):
                found.append((prefix + name, os.path.getsize(os.path.join(at, name))))
    return sorted(found)


def grouped(files: Sequence[tuple[str, int]], size: int = SIZE) -> list[list[str]]:
    """The files of each piece: first what every restore needs, then the schemas one after the other; a file that is larger is alone."""
    first = [path for path, _bytes in files if "/" not in path or path.split("/")[0] in OWN]
    pieces, last = [first], 0
    taken = set(first)
    for path, length in files:
        if path in taken:
            continue
        if len(pieces) == 1 or last + length > size:
            pieces.append([])
            last = 0
        pieces[-1].append(path)
        last += length
    return pieces


def of_schemas(pieces: Sequence[Sequence[str]], schemas: Sequence[str]) -> list[int]:
    """The numbers of the pieces (0 is the first) that hold these schemas."""
    if not all(schema.isascii() for schema in schemas):
        return list(range(len(pieces)))
    folders = {folder_of(schema) for schema in schemas}
    return [
        number
        for number, files in enumerate(pieces)
        if number == 0 or any(path.split("/")[0] in folders for path in files)
    ]


def folder_of(schema: str) -> str:
    """The folder of a schema with an ASCII name: what is no letter, digit or '_' is '@' and four hexadecimal digits."""
    return "".join(one if one.isalnum() or one == "_" else f"@{ord(one):04x}" for one in schema)


class _Tar:
    """What tar writes; its failure is one of who reads."""

    def __init__(self, process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
        self._process, self._said = process, said

    def read(self, size: int = -1) -> bytes:
        assert self._process.stdout
        block = self._process.stdout.read(size)
        if not block:
            _ended(self._process, self._said)
        return block


def _ended(process: subprocess.Popen[bytes], said: IO[bytes]) -> None:
    if process.wait():
        said.seek(0)
        lines = said.read().decode("utf-8", "replace").strip().splitlines()
        raise PieceError(f"tar failed: {lines[0] if lines else process.returncode}")


@contextlib.contextmanager
def packed(datadir: str, files: Sequence[str]) -> Iterator[IO[bytes]]:
    """A tar of these files, to be read."""
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as names:
        names.write(b"".join(path.rstrip("/").encode("utf-8", "surrogateescape") + b"\0" for path in files))
        names.seek(0)
        command = [
            "tar",
            "--create",
            "--file=-",
            f"--directory={datadir}",
            "--no-recursion",
            "--sparse",
            "--numeric-owner",
            "--null",
            "--verbatim-files-from",
        ]
        try:
            process = subprocess.Popen([*command, "--files-from=-"], stdin=names, stdout=subprocess.PIPE, stderr=said)
        except OSError as error:
            raise PieceError(f"tar cannot be started ({error.strerror})") from None
        widened(process.stdout)
        try:
            yield _Tar(process, said)  # type: ignore[misc]
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def unpack(source: IO[bytes], datadir: str) -> None:
    """The files of a tar into a data directory; what is there already is written again."""
    with tempfile.TemporaryFile() as said:
        command = [
            "tar",
            "--extract",
            "--file=-",
            f"--directory={datadir}",
            "--no-same-owner",
            "--no-same-permissions",
            "--overwrite",
        ]
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
        except OSError as error:
            raise PieceError(f"tar cannot be started ({error.strerror})") from None
        assert process.stdin
        widened(process.stdin)
        try:
            for block in iter(lambda: source.read(1 << 20), b""):
                # tar may end before the last bytes, which hold nothing; the source is read to its end all the same.
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(block)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        _ended(process, said)
