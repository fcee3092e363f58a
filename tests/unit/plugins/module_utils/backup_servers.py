# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that has tables, and a place in a directory without rclone."""

from __future__ import annotations

import contextlib
import os
import re
import shutil

from ansible_collections.distdb.mysql_ha.plugins.module_utils._backup.place import MISSING, Entry, Place, PlaceError


class TableServer:
    """Answers what is asked for rows, checksums and GTIDs. tables: schema.table to rows and checksum, or to an error."""

    def __init__(self, tables, executed):
        self.tables, self.executed = tables, executed
        self.statements = []

    def query(self, text, args=None):
        self.statements.append(text if not args else text % tuple(args))
        if "information_schema.TABLES" in text:
            return [dict(zip("st", name.split(".", 1))) for name in sorted(self.tables)]
        if "SCHEMATA" in text:
            return [{"s": schema} for schema in sorted({name.split(".")[0] for name in self.tables})]
        named = re.search(r"`((?:[^`]|``)+)`\.`((?:[^`]|``)+)`$", text)
        if named:
            value = self.tables[f"{named[1]}.{named[2]}".replace("``", "`")]
            if isinstance(value, Exception):
                raise value
            return [{"checksum": value[1]}] if text.startswith("CHECKSUM") else [{"n": value[0]}]
        if "gtid_executed" in text:
            return [{"g": self.executed}]
        return []


class DirectoryPlace(Place):
    """A place whose objects are files. lies: bytes that every object seems to lack."""

    lies = 0

    def list(self, prefix=""):
        found = []
        for at, _folders, names in os.walk(os.path.join(self.directory, prefix)):
            for name in names:
                path = os.path.join(at, name)
                found.append(Entry(os.path.relpath(path, self.directory), os.path.getsize(path) - self.lies))
        return sorted(found)

    def read(self, path):
        if not os.path.exists(os.path.join(self.directory, path)):
            raise PlaceError(MISSING, f"{path} is not there")
        with open(os.path.join(self.directory, path), "rb") as source:
            return source.read()

    def write(self, path, data):
        os.makedirs(os.path.dirname(os.path.join(self.directory, path)), exist_ok=True)
        with open(os.path.join(self.directory, path), "wb") as out:
            out.write(data)

    @contextlib.contextmanager
    def put_stream(self, path, expected=0):
        os.makedirs(os.path.dirname(os.path.join(self.directory, path)), exist_ok=True)
        with open(os.path.join(self.directory, path), "wb") as out:
            yield out

    @contextlib.contextmanager
    def get_stream(self, path, offset=0):
        with open(os.path.join(self.directory, path), "rb") as source:
            source.seek(offset)
            yield source

    def delete_below(self, prefix):
        shutil.rmtree(os.path.join(self.directory, prefix), ignore_errors=True)

    def free(self):
        return None
