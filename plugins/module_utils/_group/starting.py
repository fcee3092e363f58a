# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""START GROUP_REPLICATION: what goes before it, what may pass, and why it has no success, in the server's own words or where it has none in ours.

Private to this collection.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import operation
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import (
    ACCOUNT_REFUSED,
    ER_GR_COMMAND_FAILURE,
    ER_GR_NOT_CONFIGURED,
    ER_GR_RUNNING,
    ServerError,
    peer_connection,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import RECOVERY_CHANNEL, ApplierError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.situation import is_live
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.statements import RECEIVERS
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.tls import (
    communication_stack,
    handshake_trouble,
    own_files,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.troubles import (
    DISK_FULL_LOGGED,
    applier_trouble,
    disk_trouble,
    donor_trouble,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import parse_version, stays_read_only
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal

if TYPE_CHECKING:
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.member import Member

MOST_FAILED_STARTS = 5
LASTING = 5  # seconds for which an error stays that no new try takes away
OPENED_WITHIN = 5  # seconds after which a member that is ONLINE is not going to open itself any more
# What the error log says when a START may have success later ...
PASSING = (
    "old incarnation",
    "previous instance",
    "another member",
    "is already leaving or joining",
    "already a member",
    "being removed",
    "timeout on wait for view",
    "unable to join the group",
)
# ... and when it never will.
FATAL = (
    "contains transactions not present",
    "has more transactions",
    "incompatible",
    "not compatible",
    "ip_allowlist",
    "allowlist",
    "differs from",
    "different configuration",
    "cannot join",
    "too many members",
)
_CLOSED = "SELECT @@GLOBAL.super_read_only AS closed"
_ERROR_LOG = (
    "SELECT LOGGED AS logged, PRIO AS prio, ERROR_CODE AS code, DATA AS data FROM performance_schema.error_log "
    "WHERE LOGGED >= COALESCE(%s, NOW() - INTERVAL 60 SECOND) AND PRIO IN ('Error', 'Warning') ORDER BY LOGGED DESC LIMIT %s"
)


class Starter:
    """Starts the managed server in its group, for one run."""

    def __init__(self, run: Member) -> None:
        self.run = run
        self.turn = run.turn
        self.closed_now = False
        self.error_seen: ApplierError | None = None
        self.error_since = 0.0
        self.look_at_disk = 0.0

    def prepare(self) -> None:
        """No writes before a START: a member that does not get into its group would take them from whoever connects to it, and they would keep
        it out for good. The START opens it again when it has success; one that fails leaves it as it was before.

        Looked at anew, since what was seen may be seconds old by now: a server that joins by itself, or that another run has started, opens
        itself when it is ONLINE, and would stay closed if it were closed after that."""
        taken = not self.run.check_mode and self.run.local.query(RECEIVERS)[0]["receivers"]
        self.closed_now = not self.run.mine.super_read_only and not taken
        if self.closed_now:
            self.run.run_statement("SET GLOBAL super_read_only = ON")
        self.turn.started_at = str(self.run.local.query("SELECT NOW(6) AS now")[0]["now"])

    def wait_for_expulsion(self) -> bool:
        """Wait until the living group no longer lists this server's previous incarnation. False when the group changed."""
        others = [address for address in self.run.cluster.members if address != self.run.me]
        while self.run.left() > 0 and not self.run.check_mode:
            living = [facts for facts in self.run.cluster.gather(others).values() if is_live(facts)]
            if not living:
                return False
            if not any(self.run.mine.server_uuid in facts.view for facts in living):
                return True
            self.turn.pause("the group still lists this server's previous incarnation")
            time.sleep(operation.POLL)
        if self.run.check_mode:
            return True
        raise Refusal(
            "timeout: the group still lists the previous incarnation of this server; it is expelled after "
            "group_replication_member_expel_timeout, and only by a majority: see that the other members are ONLINE, and run again"
        )

    def start(self) -> None:
        """START GROUP_REPLICATION on a living group; errors that mean "not yet" return."""
        self.prepare()
        try:
            self.run.execute("start_group_replication")
        except ServerError as error:
            trouble = self.tls_trouble() or self.account_trouble() if error.code == ER_GR_NOT_CONFIGURED else ""
            passes = error.code == ER_GR_NOT_CONFIGURED and not trouble and self.may_pass()
            if error.code not in (ER_GR_COMMAND_FAILURE, ER_GR_RUNNING) and not passes:
                raise self.start_failed(error, trouble) from None
            self.turn.closed_for_another |= self.closed_now and not passes
            self.run.recorder.statements.pop()
            time.sleep(operation.POLL)

    def bootstrap(self) -> bool:
        """START with the bootstrap flag, which goes off whatever happens. False when another START or STOP was under way."""
        self.prepare()
        flag = "SET GLOBAL group_replication_bootstrap_group = "
        try:
            self.run.run_statement(flag + "ON")
            self.run.execute("start_group_replication")
        except ServerError as error:
            if error.code in (ER_GR_COMMAND_FAILURE, ER_GR_RUNNING):
                self.turn.closed_for_another |= self.closed_now
                return False
            raise self.start_failed(error) from None
        finally:
            self.run.local.run(flag + "OFF")
        return True

    def reopen(self) -> None:
        """Open an ONLINE primary that prepare() closed in the moment in which another START had success. A fence is not touched: it is there
        before, and prepare() closes nothing then. Nor is a member that is newer than others of a multi-primary group: MySQL keeps it read-only."""
        mine = self.run.mine
        if not self.turn.closed_for_another or mine.state != "ONLINE" or mine.role != "PRIMARY":
            return
        versions = [parse_version(entry.version) for entry in mine.view.values() if entry.version]
        if versions and stays_read_only(mine.version, min(versions)):
            return
        end = time.monotonic() + OPENED_WITHIN
        while self.run.local.query(_CLOSED)[0]["closed"]:
            if time.monotonic() >= end:
                # Both, since super_read_only has switched read_only on, too.
                self.run.run_statement("SET GLOBAL read_only = OFF")
                break
            time.sleep(operation.POLL)
        self.turn.closed_for_another = False

    def stop(self) -> None:
        """STOP GROUP_REPLICATION, as soon as no other START or STOP is executing."""
        while True:
            try:
                self.run.execute("stop_group_replication")
                return
            except ServerError as error:
                if error.code != ER_GR_COMMAND_FAILURE or self.run.left() <= 0:
                    raise
                self.run.recorder.statements.pop()
                time.sleep(operation.POLL)

    # -- why it has no success -----------------------------------------------------------------------------------------
    def may_pass(self) -> bool:
        """Whether a failed START is due to something that passes: the group still knows the previous incarnation, or was changing."""
        # Every START writes that localhost was added to the allowlist: no refusal.
        text = "\n".join(line for line in self.error_log() if "Automatically adding" not in line).lower()
        if any(word in text for word in FATAL):
            return False
        self.turn.failed_starts += 1
        return self.turn.failed_starts <= MOST_FAILED_STARTS and any(word in text for word in PASSING)

    def tls_trouble(self) -> str:
        """Why the members that are ONLINE cannot be reached by TLS with this server's files, or ''. The server itself writes it nowhere."""
        run, mine = self.run, self.run.mine
        prefix = "admin_" if mine.settings.get("group_replication_tls_source") == "MYSQL_ADMIN" else ""
        names = ", ".join(f"@@GLOBAL.{prefix}{name} AS {name}" for name in ("ssl_ca", "ssl_cert", "ssl_key"))
        rows = run.local.query(f"SELECT {names}, @@GLOBAL.datadir AS datadir")
        files = own_files(mine.settings, rows[0]) if rows else None
        for address, theirs in run.facts.items():
            if files and theirs.local_address and address != run.me and theirs.state == "ONLINE":
                trouble = handshake_trouble(files, theirs.local_address)
                if trouble:
                    return f"TLS between this server and {theirs.local_address} fails: {trouble}"
        return ""

    def account_trouble(self) -> str:
        """With the communication stack MYSQL: why the recovery account does not get to this server or to one that is ONLINE, or ''. The server itself
        connects to both by it, to itself first, and writes only that it failed."""
        run, settings = self.run, self.run.mine.settings
        user, password = run.wish["recovery_user"], run.params.get("recovery_password")
        if communication_stack(settings) != "MYSQL" or not user:
            return ""
        mode = settings.get("group_replication_ssl_mode") or ""
        ca = settings.get("group_replication_recovery_ssl_ca") or None if mode.startswith("VERIFY") else None
        others = [a for a, theirs in sorted(run.facts.items()) if theirs.state == "ONLINE" and a != run.me]
        for address in (run.me, *others):
            try:
                peer_connection(address, user, password, ca, check_hostname=mode == "VERIFY_IDENTITY").open().close()
            except ServerError as error:
                # One that does not answer, or has no connection left, is no matter of the account.
                if error.code in ACCOUNT_REFUSED or "no TLS" in str(error):
                    return f"the group's connections are those of the recovery account: {error}"
        return ""

    def failed(self, text: str) -> Refusal:
        """A Refusal that carries what the server's error log says."""
        log = self.error_log()
        return Refusal(text + (". The error log says: " + " | ".join(log[-5:]) if log else ""), error_log=log)

    def bootstrap_failed(self, state: str) -> Refusal:
        """A Refusal for a member that is in no group any more after it was told to bootstrap one."""
        return self.failed(f"after the bootstrap this member is {state}")

    def start_failed(self, error: ServerError, trouble: str = "") -> Refusal:
        """A Refusal for a START GROUP_REPLICATION that the server refused."""
        return self.failed(f"START GROUP_REPLICATION failed: {trouble or error}")

    # -- once it is started --------------------------------------------------------------------------------------------
    def watch(self) -> None:
        """Fail at once when no waiting helps: the donor refuses, this server cannot apply what it gets, or has no room for it. Without room nothing
        is stopped: a STOP would wait for space, too."""
        mine = self.run.mine
        if mine.state == "ONLINE" or not mine.reachable:
            return
        trouble = ""
        if mine.state == "RECOVERING":
            trouble = donor_trouble(mine.channels.get(RECOVERY_CHANNEL), self.run.wish["recovery_user"])
        if mine.applier_error is not None and not trouble and self.lasts(mine.applier_error):
            trouble = applier_trouble(mine.applier_error)
        if trouble:
            full = self.full_disk() if mine.state == "RECOVERING" else ""
            if full:
                raise Refusal(f"{full}; {trouble}", error_log=self.error_log())
            if self.turn.started_at and mine.state == "RECOVERING":
                # This run started it: do not leave a member behind that cannot recover.
                self.stop()
            raise Refusal(trouble, error_log=self.error_log())
        if mine.state == "RECOVERING" and time.monotonic() >= self.look_at_disk:
            self.look_at_disk = time.monotonic() + LASTING
            trouble = self.full_disk()
            if trouble:
                raise Refusal(trouble, error_log=self.error_log())

    def lasts(self, error: ApplierError) -> bool:
        """Whether this is an error of the START at hand. Of a START that was not this run's: whether the error stays while the member recovers; one
        from before goes away when the channel is started."""
        if self.turn.started_at:
            return error.at >= self.turn.started_at
        if self.run.mine.state != "RECOVERING":
            return False
        if self.error_seen != error:
            self.error_seen, self.error_since = error, time.monotonic()
        return time.monotonic() - self.error_since >= LASTING

    def full_disk(self) -> str:
        """What the server says of a full disk that it waits for, or ''."""
        try:
            rows = self.run.local.query(DISK_FULL_LOGGED)
        except ServerError as error:
            if error.lost:
                raise
            return ""  # before 8.0.22 there is no such table
        try:
            space = os.statvfs(self.run.mine.datadir)
            free: int | None = space.f_bavail * space.f_frsize
        except OSError:
            free = None  # a server of another host
        return disk_trouble(rows[0]["data"] if rows else "", free)

    def error_log(self, lines: int = 20) -> list[str]:
        """The last lines of this server's error log since the START: from its own table, else from the file."""
        path = self.run.params.get("error_log")
        if not path:
            try:
                rows = self.run.local.query(_ERROR_LOG, (self.turn.started_at or None, lines))
                return ["{logged} [{prio}] [{code}] {data}".format(**row) for row in reversed(rows)]
            except ServerError:
                path = self.run.mine.log_error
                if path.startswith("."):
                    path = os.path.join(self.run.mine.datadir, path)
        try:
            with open(path, "rb") as source:
                source.seek(0, os.SEEK_END)
                source.seek(max(0, source.tell() - 65536))
                return source.read().decode("utf-8", "replace").splitlines()[-lines:]
        except OSError:
            return []
