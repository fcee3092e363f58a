# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connector/Python's own backend for Django, with server-side prepared statements for all that reads or changes rows by parameters."""

from __future__ import annotations

from mysql.connector.django import base, features


class DatabaseFeatures(features.DatabaseFeatures):
    # An unread result is in the way of the next statement of its session.
    can_use_chunked_reads = False


class Cursor(base.CursorWrapper):
    def __init__(self, connection):
        super().__init__(connection.cursor())
        self.session = connection

    def execute(self, query, args=None):
        # A definition cannot have parameters on the server: DEFAULT ? is an error.
        data = query.startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))
        # One of them at a time: each reads what the other left unread in its own way.
        self.cursor.close()
        self.cursor = self.session.cursor(prepared=bool(args and data))
        return super().execute(query, args)


class DatabaseWrapper(base.DatabaseWrapper):
    features_class = DatabaseFeatures

    def create_cursor(self, name=None):
        return Cursor(self.connection)
