# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The place where backups are: a directory, or any storage that rclone knows, by the same few operations.

No secret is ever an argument of a process: what a remote needs is in rclone's configuration file.

Private to this collection.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import subprocess
import tempfile
from typing import IO, Any, Callable, Iterable, Iterator, NamedTuple, Sequence

from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

FULL, GONE, DENIED, MISSING, SLOW = "full", "gone", "denied", "missing", "slow"

# What rclone and the systems below it say, in small letters, in the order in which it is looked for.
_SAID = (
    (FULL, ("no space left", "remaining disk space", "quota", "insufficientstorage", "insufficient storage", "storagefull", "xminiostoragefull", "error 507")),
    (DENIED, (
        "permission denied", "accessdenied", "access denied", "forbidden", "signaturedoesnotmatch", "invalidaccesskeyid", "unable to authenticate",
        "read-only file system", "unauthorized",
    )),
    (GONE, ("nosuchbucket", "didn't find section in config file", "connection refused", "input/output error", "no such host")),
    (MISSING, ("not found", "nosuchkey", "doesn't exist", "no such file")),
    (SLOW, ("timeout", "deadline exceeded", "timed out")),
)  # fmt: skip
_DIRECTORY_NOT_FOUND, _FILE_NOT_FOUND = 3, 4

PATIENCE = 60.0  # seconds for a small operation
SLOWEST = 128 << 10  # bytes per second, below which a place is called slow
BLOCK = 1 << 20
_F_SETPIPE_SZ = 1031  # fcntl has it from Python 3.10 on
_PARTS = 9000  # an object of S3 has at most 10000
_PART = 8 << 20

Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


class PlaceError(Refusal):
    """The place did not do what was asked. kind: full, gone, denied, missing or slow."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Entry(NamedTuple):
    """An object: its path in the place, and its size."""

    path: str
    size: int


def widened(*pipes: IO[bytes] | int | None) -> None:
    """Have pipes hold a whole block. By default it is 64 KiB, and each pass through such a pipe costs nearly as much as what is done to its bytes."""
    for pipe in pipes:
        if pipe is not None:
            with contextlib.suppress(OSError):  # more than this account may have
                fcntl.fcntl(pipe, _F_SETPIPE_SZ, BLOCK)


def kind_of_failure(code: int, said: str) -> str:
    """What kind of failure it is, by rclone's exit status and what it says."""
    text = said.lower()
    for kind, words in _SAID:
        if any(word in text for word in words):
            return kind
    return MISSING if code in (_DIRECTORY_NOT_FOUND, _FILE_NOT_FOUND) else GONE


def sentence(said: str) -> str:
    """Why rclone failed, by its own words, without their time, and without the part of an address that may be a signature."""
    lines = [
        re.sub(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d (ERROR|NOTICE|CRITICAL|Fatal error)? *:? *", "", line)
        for line in said.splitlines()
    ]
    lines = [re.sub(r"\?[^ \"']*", "", line).strip() for line in lines if line.strip()]
    return next(
        (line for line in reversed(lines) if line.startswith("Failed")), lines[-1] if lines else "rclone says nothing"
    )


class Place:
    """Objects below one folder. Paths are relative to it, with '/'."""

    def __init__(self, remote: str, config_file: str | None = None, bandwidth: int = 0, run: Run | None = None) -> None:
        self.remote = remote.rstrip("/") or "/"
        self.directory = self.remote if remote.startswith("/") else None
        # An object that has to be there: a directory whose file system is not mounted is not the place.
        self.mark: str | None = None
        self._run = run or subprocess.run
        self._renames: bool | None = None
        self._options = [
            "--config",
            config_file or "",
            "--contimeout",
            "10s",
            "--timeout",
            "30s",
            "--retries",
            "1",
            "--low-level-retries",
            "3",
            "--stats",
            "0",
        ]
        self._limited = bandwidth > 0
        if bandwidth:
            self._options += ["--bwlimit", f"{bandwidth}M"]
        self._environment = dict(os.environ)
        # rclone's S3 fails where this is set, and has an option of its own instead.
        bundle = self._environment.pop("AWS_CA_BUNDLE", None)
        if bundle:
            self._options += ["--ca-cert", bundle]

    def at_once(self, most: int) -> int:
        """Objects to write or read at the same time: each is an rclone of its own, which keeps the bandwidth by itself."""
        return 1 if self._limited else most

    # -- rclone ------------------------------------------------------------------------------------------------------
    def at(self, path: str) -> str:
        """A path as rclone takes it."""
        if path.startswith("/") or ".." in path.split("/"):
            raise ValueError(f"'{path}' is no path in a place")
        joint = "" if self.remote.endswith((":", "/")) or not path else "/"
        return f"{self.remote}{joint}{path}"

    def _command(self, *arguments: str) -> list[str]:
        return ["rclone", arguments[0], *self._options, *arguments[1:]]

    def _failure(self, what: str, code: int, said: str) -> PlaceError:
        kind = kind_of_failure(code, said)
        # What is written is not there because the place went.
        kind = GONE if kind == MISSING and what.startswith("write") else kind
        return PlaceError(kind, f"place {self.remote}: {what}: {sentence(said)}")

    def _do(self, what: str, arguments: Sequence[str], data: bytes | None = None, patience: float = PATIENCE) -> bytes:
        """Run rclone to its end; what it writes."""
        try:
            done = self._run(
                self._command(*arguments),
                input=b"" if data is None else data,
                capture_output=True,
                timeout=patience,
                check=False,
                env=self._environment,
            )
        except subprocess.TimeoutExpired:
            raise PlaceError(SLOW, f"place {self.remote}: {what}: no answer within {patience:.0f} s") from None
        except OSError as error:
            raise PlaceError(GONE, f"place {self.remote}: rclone cannot be started ({error.strerror})") from None
        if done.returncode:
            raise self._failure(what, done.returncode, done.stderr.decode("utf-8", "replace"))
        return done.stdout

    def there(self) -> None:
        """PlaceError where a directory is not there, or is not the one that it was."""
        if self.directory and not os.path.isdir(self.directory):
            raise PlaceError(GONE, f"place {self.remote}: the directory is not there")
        if self.directory and self.mark and not os.path.isfile(os.path.join(self.directory, self.mark)):
            raise PlaceError(
                GONE, f"place {self.remote}: {self.mark} is not there any more (is its file system mounted?)"
            )

    def _kept(self, paths: Iterable[str]) -> None:
        """Files of a directory outlast a power cut; other storages see to that themselves."""
        if not self.directory:
            return
        for path in paths:
            for name in (path, os.path.dirname(path)):
                try:
                    found = os.open(os.path.join(self.directory, name), os.O_RDONLY)
                except OSError as error:
                    raise PlaceError(GONE, f"place {self.remote}: {name}: {error.strerror}") from None
                try:
                    os.fsync(found)
                except OSError as error:
                    raise PlaceError(GONE, f"place {self.remote}: {name}: {error.strerror}") from None
                finally:
                    os.close(found)

    # -- reading -----------------------------------------------------------------------------------------------------
    def list(self, prefix: str = "") -> list[Entry]:
        """All objects below a prefix; none where there is no such folder."""
        self.there()
        arguments = ["lsjson", "-R", "--files-only", "--no-modtime", "--no-mimetype", "--fast-list", self.at(prefix)]
        try:
            found = json.loads(self._do("list", arguments, patience=5 * PATIENCE))
        except PlaceError as error:
            if error.kind != MISSING:
                raise
            return []
        above = f"{prefix}/" if prefix else ""
        return sorted(Entry(above + one["Path"], int(one["Size"])) for one in found)

    def read(self, path: str) -> bytes:
        """A small object."""
        self.there()
        found = self._do(f"read {path}", ["cat", self.at(path)])
        # To rclone, what is not in a bucket is an empty folder.
        if not found and not any(entry.path == path for entry in self.list(os.path.dirname(path))):
            raise PlaceError(MISSING, f"place {self.remote}: read {path}: object not found")
        return found

    @contextlib.contextmanager
    def get_stream(self, path: str, offset: int = 0) -> Iterator[IO[bytes]]:
        """An object as a stream, which is read to its end."""
        self.there()
        with self._started(
            f"read {path}", "cat", "--offset", str(offset), self.at(path), stdout=subprocess.PIPE
        ) as process:
            assert process.stdout
            yield process.stdout

    def mirror(self, prefix: str, directory: str) -> None:
        """Bring a directory in line with all records (*.json) below a prefix. They never change, so that only new ones are read."""
        self.there()
        os.makedirs(directory, mode=0o700, exist_ok=True)
        arguments = [
            "sync",
            "--size-only",
            "--fast-list",
            "--filter",
            "- /hosts/**",
            "--filter",
            "+ *.json",
            "--filter",
            "- *",
            self.at(prefix),
            directory,
        ]
        try:
            self._do("read the records", arguments, patience=10 * PATIENCE)
        except PlaceError as error:
            if error.kind != MISSING or self.list(prefix):
                raise

    def free(self) -> int | None:
        """Bytes that are free, where the storage knows."""
        self.there()
        try:
            found = json.loads(self._do("ask for the free space", ["about", "--json", self.at("")]))
        except (PlaceError, ValueError):
            return None
        return int(found["free"]) if "free" in found else None

    # -- writing -----------------------------------------------------------------------------------------------------
    def renames(self) -> bool:
        """Whether an object may be seen while it is written, so that it has to be renamed at its end."""
        if self._renames is None:
            found = json.loads(self._do("ask for its features", ["backend", "features", self.at("")]))
            self._renames = not found["Features"]["BucketBased"]
        return self._renames

    def write(self, path: str, data: bytes) -> None:
        """A small object, whole or not at all; what is there is replaced."""
        self.there()
        if not self.renames():
            self._do(f"write {path}", ["rcat", self.at(path)], data)
            return
        self._do(f"write {path}", ["rcat", self.at(path + ".partial")], data)
        self._kept([path + ".partial"])
        self._do(f"write {path}", ["moveto", self.at(path + ".partial"), self.at(path)])
        self._kept([path])

    @contextlib.contextmanager
    def put_stream(self, path: str, expected: int = 0) -> Iterator[IO[bytes]]:
        """A file to write an object to. It is there once this ends; after an exception it is not. expected: bytes, about."""
        self.there()
        part = max(_PART, expected // _PARTS)
        try:
            with self._started(
                f"write {path}", "rcat", "--s3-chunk-size", f"{part}B", self.at(path), stdin=subprocess.PIPE
            ) as process:
                assert process.stdin
                yield process.stdin
            self.there()
            self._kept([path])
        except BaseException:
            # Also where the place went, and it was made on the disk below.
            with contextlib.suppress(PlaceError):
                self._do(f"delete {path}", ["delete", self.at(path)])
            raise

    def copy_in(self, directory: str, prefix: str) -> None:
        """All files of a directory, one after the other in the order of their times, as objects below a prefix."""
        self.there()
        files = [os.path.join(at, name) for at, _folders, names in os.walk(directory) for name in names]
        if not files:
            return
        patience = PATIENCE + sum(os.path.getsize(name) for name in files) / SLOWEST
        ordered = ["--transfers", "1", "--check-first", "--order-by", "modtime,ascending", "--no-check-dest"]
        self._do("write", ["copy", *ordered, directory, self.at(prefix)], patience=patience)
        above = f"{prefix}/" if prefix else ""
        self._kept(above + os.path.relpath(name, directory) for name in files)

    def delete(self, paths: Iterable[str]) -> None:
        """Objects; one that is not there is no failure."""
        paths = list(paths)
        if not paths:
            return
        self.there()
        for path in paths:
            self.at(path)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".list") as names:
            names.write("".join(f"/{path}\n" for path in paths))
            names.flush()
            # One after the other takes its time in far places.
            patience = PATIENCE + len(paths)
            try:
                self._do("delete", ["delete", "--files-from-raw", names.name, self.at("")], patience=patience)
            except PlaceError as error:
                if error.kind != MISSING:
                    raise

    def delete_below(self, prefix: str) -> None:
        """All objects below a prefix, and its folder."""
        if not prefix.strip("/"):
            raise ValueError("a place is not deleted as a whole")
        self.there()
        try:
            self._do(f"delete {prefix}", ["purge", self.at(prefix)], patience=10 * PATIENCE)
        except PlaceError as error:
            if error.kind != MISSING:
                raise

    # -- streams -----------------------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def _started(self, what: str, *arguments: str, **pipes: Any) -> Iterator[subprocess.Popen[bytes]]:
        """rclone beside the block; PlaceError when it fails, and it is ended when the block does."""
        with tempfile.TemporaryFile() as said:
            try:
                process = subprocess.Popen(
                    self._command(*arguments),
                    stderr=said,
                    env=self._environment,
                    **{"stdin": subprocess.DEVNULL, **pipes},
                )
            except OSError as error:
                raise PlaceError(GONE, f"place {self.remote}: rclone cannot be started ({error.strerror})") from None
            widened(process.stdin, process.stdout)
            try:
                try:
                    yield process
                    if process.stdin:
                        process.stdin.close()
                    if process.stdout:
                        process.stdout.close()
                except BrokenPipeError:
                    pass  # it ended, and says why
                code = process.wait()
            except BaseException:
                process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired, OSError):
                    process.wait(5)
                for pipe in (process.stdin, process.stdout):
                    # What is left in a buffer has nowhere to go.
                    with contextlib.suppress(OSError):
                        if pipe:
                            pipe.close()
                raise
            if code:
                said.seek(0)
                raise self._failure(what, code, said.read().decode("utf-8", "replace"))
