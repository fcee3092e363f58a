# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clone: replace the managed server's data by a donor's. The server restarts itself at the end.

Private to this collection.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Callable

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import parse_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import operation, progress
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import (
    ER_CLONE_RESTART,
    Connection,
    ServerError,
    login_connection,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.statements import statement
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.troubles import service_trouble
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils._service import ErrorLog, last_words, state_of

if TYPE_CHECKING:
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.member import Member

# A donor clones one server at a time; its refusal comes inside of the error of this server.
BUSY = "Donor Error: 3634"
OF_A_CLONE = ("CLONE ", "SET GLOBAL clone_valid_donor_list", "SET GLOBAL read_only", "SET GLOBAL super_read_only")
_STATUS = "SELECT STATE AS state, ERROR_MESSAGE AS message FROM performance_schema.clone_status"
_PROGRESS = (
    "SELECT STAGE AS stage, STATE AS state, ESTIMATE AS estimate, DATA AS data FROM performance_schema.clone_progress"
)


class Background(threading.Thread):
    """A statement that takes long, on a connection of its own; error is what became of it."""

    def __init__(self, run_it: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self.run_it = run_it
        self.error: ServerError | None = None

    def run(self) -> None:
        """Run it."""
        try:
            self.run_it()
        except ServerError as error:
            self.error = error
        except Exception as error:  # it must not get lost with its thread
            self.error = ServerError(f"{type(error).__name__}: {error}")


class Cloner:
    """Clones the managed server, for one run."""

    def __init__(self, run: Member) -> None:
        self.run = run
        self.turn = run.turn
        self.thread: Background | None = None

    def clone(self, donor: str) -> None:
        """Begin, and wait for the end."""
        run, mine = self.run, self.run.mine
        host, port = parse_address(donor)
        if mine.state == "ERROR":
            run.starter.stop()
        self.turn.closed = [name for name in ("read_only", "super_read_only") if getattr(mine, name)]
        if self.turn.closed:
            run.run_statement("SET GLOBAL read_only = OFF")
        self.turn.clone_from, self.turn.own_clone = donor, True
        try:
            if not mine.clone_active:
                run.execute("install_clone_plugin")
            run.run_statement("SET GLOBAL clone_valid_donor_list = %s", (donor,))
            connection = self.extra_connection()
        except ServerError as error:
            raise self.failed(error) from None
        text = statement(mine.version, "clone_instance", port=port)
        user, password = run.donor_account or (run.wish["recovery_user"], run.params.get("recovery_password"))
        words = (user, host, password)
        if run.check_mode:
            run.run_statement(text, words, (2,))
            return
        self.thread = Background(lambda: connection.run(text, words, (2,)))
        self.thread.start()
        self.wait()

    def extra_connection(self) -> Connection:
        """Another connection to this server, open."""
        if self.run.check_mode:
            return self.run.local
        return login_connection(self.run.params, self.run.recorder).open()

    def wait(self, local: Connection | None = None) -> None:
        """Wait until the clone into this server has ended and the server, which restarts itself then, answers again."""
        connection = local or self.run.local
        while True:
            runs = self.thread is not None and self.thread.is_alive()
            error = self.thread.error if self.thread is not None and not runs else None
            if error is not None and not error.lost:
                if BUSY in str(error) and self.run.left() > 0:
                    self.later(connection)
                    return
                raise self.failed(error)
            text = f"CLONE of {self.turn.clone_from}: the server restarts"
            state = message = ""
            answered = True
            try:
                for row in connection.query(_STATUS):
                    state, message = row["state"], row["message"]
                if state == "In Progress":
                    text = progress.clone_text(self.turn.clone_from, connection.query(_PROGRESS))
            except ServerError:
                # Of whatever kind: on its way down and up, a server refuses in several ways.
                connection.close()
                answered = False
                self.watch_service()
            if answered and not runs and state != "In Progress":
                # After the failed clone of somebody else, the next look decides.
                if state == "Failed" and self.turn.own_clone:
                    if BUSY in message and self.run.left() > 0:
                        self.later(connection)
                        return
                    raise self.failed(message, connection)
                self.thread, self.turn.clone_from, self.turn.own_clone, self.turn.closed = None, "", False, []
                return
            if self.run.left() <= 0:
                raise Refusal(
                    f"timeout: after {self.run.timeout} seconds still waiting: {text}{progress.GOES_ON}"
                    + ("" if answered else " (where nothing restarts mysqld after a clone, start it)")
                )
            if state == "In Progress" or not answered:
                self.turn.pause(text)
            time.sleep(operation.POLL)

    def watch_service(self) -> None:
        """Fail at once when the service of the server that does not answer has given up, or is started again and again."""
        service, path = self.run.params.get("service"), self.run.params.get("error_log")
        if not service:
            return
        state = state_of(service)
        self.turn.heard = self.turn.heard or [state.restarts, ErrorLog(path).offset]
        restarts, offset = self.turn.heard
        trouble = service_trouble(state, restarts)
        if trouble:
            words = last_words(service, ErrorLog(path, offset).text())
            raise Refusal(
                f"cloned from {self.turn.clone_from}, and the server does not come back: {trouble}: {'; '.join(words)}",
                error_log=words,
            )

    def later(self, connection: Connection) -> None:
        """The donor clones another member: back to the loop, which chooses anew."""
        text = f"CLONE of {self.turn.clone_from}: it clones another member first"
        for name in self.turn.closed:
            connection.run(f"SET GLOBAL {name} = ON")
        statements = self.run.recorder.statements
        while statements and statements[-1].startswith(OF_A_CLONE):
            statements.pop()
        self.thread, self.turn.clone_from, self.turn.own_clone, self.turn.closed = None, "", False, []
        self.turn.pause(text)
        time.sleep(operation.POLL)

    def failed(self, error: ServerError | str, local: Connection | None = None) -> Refusal:
        """A Refusal, after the server takes no writes again where it took none before."""
        donor = self.turn.clone_from
        if isinstance(error, ServerError) and error.code == ER_CLONE_RESTART:
            return Refusal(f"cloned from {donor}, but nothing restarts this mysqld: start it and run again")
        connection = local or self.run.local
        for name in self.turn.closed:
            connection.run(f"SET GLOBAL {name} = ON")
        log = self.run.starter.error_log() if hasattr(self.run, "cluster") else []
        return Refusal(f"clone from {donor} failed: {error}", error_log=log)
