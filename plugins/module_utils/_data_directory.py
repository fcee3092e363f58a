# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data directory of a stopped server, and how another one takes its place: by names alone, nothing is copied.

A step that was interrupted is taken up where it was: what was set aside whole has a mark, and so has a directory that is in its place.

Private to this collection.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from typing import Any, Iterator, NamedTuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import read
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

# In a data directory that took the place of another one, until it is known to be good.
MARK = "mysql-gr-restored.json"
# In one that was set aside, once it is whole.
WHOLE = "mysql-gr-set-aside.json"
# What stays of a server whose data are others: its persisted variables, and certificates that it made by itself. Its uuid does not: with other
# data it is another server.
STAYS = re.compile(r"^(mysqld-auto\.cnf|[a-z_-]+\.pem)$")
UUID = "auto.cnf"


class Places(NamedTuple):
    """Where things are: the data directory, what was there before, where another one is made, so that it can be renamed, and a blank one."""

    path: str
    aside: str
    beside: str
    blank: str
    mounted: bool


def places(path: str, name: str) -> Places:
    """A file system that is mounted there cannot be renamed: then both are in it. mysqld looks at no name with a dot before it."""
    path = os.path.normpath(path)
    if os.path.ismount(path):
        return Places(path, f"{path}/.before-{name}", f"{path}/.next-{name}", f"{path}/.blank-{name}", True)
    # A profile of AppArmor lets mysqld make files below its data directory only.
    return Places(path, f"{path}.before-{name}", f"{path}.next-{name}", f"{path}/.blank-{name}", False)


def mark_of(directory: str, name: str) -> dict[str, Any]:
    """What a mark says; nothing where there is none."""
    try:
        found = json.loads(read(f"{directory}/{name}") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def write_mark(directory: str, name: str, text: dict[str, Any]) -> None:
    """Whole or not at all, and on the disk."""
    with open(f"{directory}/{name}.new", "w", encoding="utf-8") as target:
        json.dump(text, target)
        target.flush()
        os.fsync(target.fileno())
    os.replace(f"{directory}/{name}.new", f"{directory}/{name}")


def size_of(path: str) -> int:
    """Bytes on the disk below a directory, without what was set aside in it."""
    found = 0
    for folder, below, files in os.walk(path):
        below[:] = [name for name in below if not (folder == path and name.startswith("."))]
        for name in files:
            try:
                found += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except OSError:
                continue
    return found


def free_at(path: str) -> int:
    """Bytes that root can still write beside a path."""
    while not os.path.isdir(path) and path != "/":
        path = os.path.dirname(path)
    found = os.statvfs(path)
    return found.f_bfree * found.f_frsize


def same_file_system(one: str, other: str) -> bool:
    return os.stat(one).st_dev == os.stat(other).st_dev


def entries(path: str) -> Iterator[str]:
    """Names of a data directory's own; lost+found is the file system's."""
    for name in sorted(os.listdir(path)):
        if not name.startswith(".") and name != "lost+found":
            yield name


class Replacement:
    """One data directory takes the place of another one. Each step can be repeated."""

    def __init__(self, path: str, name: str) -> None:
        self.name = name
        self.places = places(path, name)

    def stage(self) -> str:
        """done: the other one is in its place; begun: what was there is set aside; none."""
        if mark_of(self.places.path, MARK).get("name") == self.name:
            return "done"
        return "begun" if self._is_aside() else "none"

    def _is_aside(self) -> bool:
        """Whether all that was there is set aside; of a directory that was renamed and has no mark yet, too."""
        here = self.places
        return bool(mark_of(here.aside, WHOLE)) or (os.path.isdir(here.aside) and not os.path.isdir(here.path))

    def set_aside(self) -> None:
        """The directory is empty then, or not there."""
        here = self.places
        if self._is_aside():
            return
        if here.mounted:
            os.makedirs(here.aside, exist_ok=True)
            self._like(here.aside, here.path)
            for name in entries(here.path):
                os.rename(f"{here.path}/{name}", f"{here.aside}/{name}")
        elif os.path.isdir(here.path):
            if os.path.lexists(here.aside):
                raise Refusal(
                    f"{here.aside} is there already, and {here.path} too; remove or rename one of them by hand."
                )
            os.rename(here.path, here.aside)
        else:
            return
        write_mark(here.aside, WHOLE, {"name": self.name})

    def put_back(self) -> None:
        """What was set aside, where nothing took its place."""
        here = self.places
        if not os.path.isdir(here.aside):
            return
        if os.path.lexists(f"{here.aside}/{WHOLE}"):
            os.unlink(f"{here.aside}/{WHOLE}")
        if here.mounted:
            for name in entries(here.aside):
                os.rename(f"{here.aside}/{name}", f"{here.path}/{name}")
            os.rmdir(here.aside)
        else:
            shutil.rmtree(here.path, ignore_errors=True)
            os.rename(here.aside, here.path)

    def take_place(self, source: str) -> None:
        """source is in the directory's place then, with what stays of the server."""
        here = self.places
        owner = os.stat(here.aside) if os.path.isdir(here.aside) else None
        os.makedirs(here.path, exist_ok=True)
        if not same_file_system(source, here.path):
            raise Refusal(
                f"{source} is on another file system than {here.path}, and would have to be copied; restore to {here.beside}."
            )
        for name in entries(source):
            os.rename(f"{source}/{name}", f"{here.path}/{name}")
        if os.path.isdir(here.aside):
            for name in filter(STAYS.match, os.listdir(here.aside)):
                shutil.copy2(f"{here.aside}/{name}", f"{here.path}/{name}")
        if os.path.lexists(f"{here.path}/{UUID}"):
            os.unlink(f"{here.path}/{UUID}")
        if owner is not None:
            self._own(owner)
        else:
            os.chmod(here.path, 0o750)
        write_mark(here.path, MARK, {"name": self.name})
        shutil.rmtree(source, ignore_errors=True)

    def finish(self, now: float, keep: bool = True) -> str:
        """The replacement is over: what was set aside gets a name by the time, or is removed. Where it is, if it is kept. The mark goes last."""
        here = self.places
        kept = f"{here.path}{'/' if here.mounted else ''}.old-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}"
        if os.path.isdir(here.aside):
            if keep:
                if os.path.lexists(f"{here.aside}/{WHOLE}"):
                    os.unlink(f"{here.aside}/{WHOLE}")
                os.rename(here.aside, kept)
            else:
                shutil.rmtree(here.aside)
        os.unlink(f"{here.path}/{MARK}")
        return kept if os.path.isdir(kept) else ""

    def _own(self, owner: os.stat_result) -> None:
        """Everything is the former owner's."""
        os.chmod(self.places.path, owner.st_mode & 0o7777)
        for folder, below, files in os.walk(self.places.path):
            if folder == self.places.path:
                below[:] = [name for name in below if not name.startswith(".")]
            for name in ["", *files]:
                os.chown(
                    os.path.join(folder, name) if name else folder, owner.st_uid, owner.st_gid, follow_symlinks=False
                )

    @staticmethod
    def _like(new: str, old: str) -> None:
        found = os.stat(old)
        os.chmod(new, found.st_mode & 0o7777)
        os.chown(new, found.st_uid, found.st_gid)
