# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that outlive the loss of a member.

Every page of this application may be asked for again: reading changes nothing, editing writes the values of the form,
and adding carries the new row's primary key. So a request that met a database error of the passing kind is done again,
in a new session, which the proxy puts on another member.
"""

from __future__ import annotations

import functools
import time

from django.db import Error, connection, transaction
from django.shortcuts import render

# Seconds from the first error after which no new attempt is made.
PATIENCE = 20.0
PAUSE = 0.2

PASSING = {
    1040,  # too many connections
    1053,  # server shutdown in progress
    1180,  # error during COMMIT: the group did not certify the transaction
    1205,  # lock wait timeout
    1213,  # deadlock
    1290,  # the member is read-only
    1317,  # the statement was interrupted
    1836,  # the member is read-only
    2003,  # cannot connect
    2006,  # server has gone away
    2013,  # lost connection during query
    2055,  # lost connection
    3032,  # the server is in offline mode
    3097,  # the member left the group while the statement waited for it
    3098,  # the group's checks refuse the table for now
    3100,  # the transaction was rolled back: the member cannot replicate
    3101,  # the transaction conflicts with one of another member
    3796,  # the consistency wait failed
    3797,  # the consistency wait failed
    9001,  # ProxySQL found no member in time
}


def passing(error):
    """Whether the same request may succeed in a while. PyMySQL reports a session closed under it as code 0."""
    code = error.args[0] if error.args else None
    return code in PASSING or code == 0


def again(view):
    """A view in one transaction, done again while the database is in trouble; in the end an honest page."""

    @functools.wraps(view)
    def attempts(request, *arguments, **named):
        deadline = None
        while True:
            try:
                with transaction.atomic():
                    return view(request, *arguments, **named)
            except Error as error:
                if not passing(error):
                    raise
                now = time.monotonic()
                deadline = deadline or now + PATIENCE
                if now > deadline:
                    return render(request, "internships/unavailable.html", status=503)
            finally:
                # Also after success: the request's session ends here, not in the next request.
                connection.close()
            time.sleep(PAUSE)

    return attempts
