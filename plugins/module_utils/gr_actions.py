# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The few actions on servers, and the loop: gather, decide, act, until the wish holds or the time is over.

Private to this collection.
"""

from __future__ import annotations

import os
import threading
import time

from ansible_collections.distdb.mysql_ha.plugins.module_utils import gr_decision, gr_progress
from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import format_address, parse_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.tls import handshake_trouble, own_files
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils.gr_facts import RECOVERY_CHANNEL
from ansible_collections.distdb.mysql_ha.plugins.module_utils.gr_options import (
    check_cluster_options,
    check_range,
    check_some,
    check_uuid,
    close_cluster,
    open_cluster,
)
from ansible_collections.distdb.mysql_ha.plugins.module_utils.gr_versions import has_persist, statement
from ansible_collections.distdb.mysql_ha.plugins.module_utils.mysql_conn import (
    CR_SSL_ERROR,
    ER_CLONE_RESTART,
    ER_GR_COMMAND_FAILURE,
    ER_GR_NOT_CONFIGURED,
    ER_GR_RUNNING,
    MASK,
    Recorder,
    ServerError,
    login_connection,
)

POLL = 0.3  # seconds between two looks at a condition that is waited for
SETTLE = 1.5  # seconds after which a situation that may be the middle of a change is looked at again
GOES_ON = "; the server goes on by itself: run again to wait for it, with a longer timeout"


_CLONE_STATUS = "SELECT STATE AS state, ERROR_MESSAGE AS message FROM performance_schema.clone_status"
_CLONE_PROGRESS = (
    "SELECT STAGE AS stage, STATE AS state, ESTIMATE AS estimate, DATA AS data FROM performance_schema.clone_progress"
)


class Pause(Exception):
    """A turn is over while something is still waited for; str() says how far that is."""


class Background(threading.Thread):
    """A statement that takes long, on a connection of its own; error is what became of it."""

    def __init__(self, statement):
        super().__init__(daemon=True)
        self.statement = statement
        self.error = None

    def run(self):
        """Run it."""
        try:
            self.statement()
        except ServerError as error:
            self.error = error
        except Exception as error:  # it must not get lost with its thread
            self.error = ServerError(f"{type(error).__name__}: {error}")


def snapshot(facts):
    """What a user wants to see of one server before and after."""
    if not facts.get("reachable"):
        return {"state": "UNKNOWN", "error": facts.get("error", "")}
    members = [
        " ".join(filter(None, (format_address(entry["host"], entry["port"]), entry["state"], entry["role"])))
        for _uuid, entry in sorted(facts["view"].items(), key=lambda item: (item[1]["host"], item[1]["port"]))
    ]
    return {
        "state": facts["state"],
        "role": facts["role"],
        "group_name": facts["group_name"],
        "server_uuid": facts["server_uuid"],
        "version": facts["version"],
        "gtid_executed": facts["gtid_executed"],
        "members": members,
        "start_on_boot": facts["persisted"].get(
            "group_replication_start_on_boot", "ON" if facts["start_on_boot"] else "OFF"
        )
        == "ON",
    }


class Manager:
    """One run of group_replication_bootstrap on one server."""

    def __init__(self, params, check_mode=False, warn=None):
        self.params = params
        self.check_mode = check_mode
        self.warn = warn or (lambda text: None)
        self.recorder = Recorder()
        self.local = None
        self.cluster = None
        self.facts = {}
        self.me = None
        self.decision = None  # the last decision that mattered
        self.timeout = params.get("timeout") or 300
        self.deadline = time.monotonic() + 1
        self.warned = set()
        self.cloner = None
        self.go_on(params.get("turn") or {})

    # -- turns: a run that the action plugin splits, so that it can say in between how far it is ------------------------
    def go_on(self, turn):
        """Take up what the turn before has left."""
        self.turn_end = time.monotonic() + turn["seconds"] if turn.get("seconds") else None
        self.seconds_left = turn.get("left")
        self.before = turn.get("before") or {}
        self.changed = bool(turn.get("changed"))
        self.recorder.statements.extend(turn.get("statements") or [])
        if turn.get("decision"):
            self.decision = gr_decision.Decision(*turn["decision"], {}, False)
        self.started_at = turn.get("started_at")
        self.failed_starts = turn.get("failed_starts") or 0
        self.bootstrapped = bool(turn.get("bootstrapped"))
        self.clone_from = turn.get("clone_from") or ""
        self.own_clone = bool(turn.get("own_clone"))
        self.closed = turn.get("closed") or []
        self.most_left = turn.get("most_left") or 0

    def paused(self, text):
        """The result of a turn that is over before the run is."""
        turn = {
            "before": self.before,
            "changed": self.changed,
            "statements": self.recorder.statements,
            "decision": list(self.decision[:3]) if self.decision else None,
            "started_at": str(self.started_at) if self.started_at else None,
            "failed_starts": self.failed_starts,
            "bootstrapped": self.bootstrapped,
            "clone_from": self.clone_from,
            "own_clone": self.own_clone,
            "closed": self.closed,
            "most_left": self.most_left,
        }
        return {"changed": self.changed, "progress": text, "timeout": self.timeout, "turn": turn}

    def pause(self, text):
        """End this turn when its time is over."""
        if self.turn_over():
            raise Pause(text)

    def turn_over(self):
        """Whether something that is still waited for is the next turn's."""
        return self.turn_end is not None and time.monotonic() >= self.turn_end

    # -- preparation -------------------------------------------------------------------------------------------------
    def prepare(self):
        """Check the options, connect, ask everybody, find out which member this is."""
        params = self.params
        self.members, me = check_cluster_options(params)
        check_range(params, "timeout", 1, 86400)
        check_range(params, "progress", 0, 3600)
        acting = check_some(params, "acting_members", self.members)
        wish = {"state": params.get("state") or "present", "clone": params.get("clone") or "never"}
        for option in ("recovery_user", "allow_last_member", "allow_quorum_loss"):
            wish[option] = params.get(option)
        wish["group_name"] = check_uuid(params.get("group_name"))
        wish["bootstrap_without"] = check_some(params, "bootstrap_without", self.members)
        wish["bootstrap_from"] = (check_some(params, "bootstrap_from", self.members) or [None])[0]
        if wish["bootstrap_from"] and wish["bootstrap_from"] in (wish["bootstrap_without"] or []):
            raise Refusal(
                f"bootstrap_from: '{wish['bootstrap_from']}' is not allowed (allowed: a member not in bootstrap_without)"
            )
        if wish["state"] == "absent":
            if wish["clone"] != "never":
                raise Refusal(f"clone: '{wish['clone']}' is not allowed with state=absent (allowed: never)")
            for option in ("bootstrap_from", "bootstrap_without"):
                if params.get(option):
                    raise Refusal(f"{option}: is not allowed with state=absent (allowed: with state=present)")
        else:
            for option in ("allow_last_member", "allow_quorum_loss"):
                if params.get(option):
                    raise Refusal(f"{option}: is not allowed with state=present (allowed: with state=absent)")
        if me is not None and me in (wish["bootstrap_without"] or []):
            raise Refusal(f"bootstrap_without: '{me}' is not allowed (allowed: members other than this server)")
        if wish["clone"] != "never" and not params.get("recovery_user"):
            raise Refusal(f"recovery_user: must be given with clone={wish['clone']}")
        if params.get("recovery_user") and params.get("recovery_password") is None:
            raise Refusal("recovery_password: must be given together with recovery_user")
        if params.get("recovery_password") is not None and not params.get("recovery_user"):
            raise Refusal("recovery_user: must be given together with recovery_password")
        if len(self.members) > 9 and wish["state"] == "present":
            raise Refusal(
                f"members: {len(self.members)} members are not allowed (allowed: at most 9, the limit of a group)"
            )
        if acting == []:
            raise Refusal("acting_members: an empty list is not allowed (allowed: the members on which the task runs)")
        if me is not None and acting is not None and me not in acting:
            raise Refusal(
                f"acting_members: '{', '.join(acting)}' is not allowed (allowed: a list with this server, {me}, in it)"
            )
        self.wish = wish
        left = self.seconds_left
        self.deadline = time.monotonic() + (self.timeout if left is None else left)
        if self.clone_from:
            self.local = login_connection(params, self.recorder)
            try:
                self.await_clone()
            finally:
                self.local.close()
        self.cluster, self.facts, _name = open_cluster(params, self.recorder)
        self.local = self.cluster.local
        self.me = self.cluster.me
        self.acting = acting if acting is not None else list(self.members)
        if self.me not in self.acting:
            raise Refusal(
                f"acting_members: '{', '.join(self.acting)}' is not allowed (allowed: a list with this server, {self.me}, in it)"
            )
        return self.judge()

    # -- facts and decisions -----------------------------------------------------------------------------------------
    def look(self):
        """Gather the facts of all members and decide."""
        self.facts = self.cluster.gather()
        return self.judge()

    def judge(self):
        """Decide on the facts at hand."""
        for facts in self.facts.values():
            text = facts.get("version_warning")
            if text and text not in self.warned:
                self.warned.add(text)
                self.warn(text)
        return gr_decision.decide(self.members, self.facts, self.me, self.acting, self.wish)

    @property
    def mine(self):
        """The facts of this server."""
        return self.facts[self.me]

    @property
    def version(self):
        """The version of this server."""
        return self.mine["version"]

    def left(self):
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def run(self):
        """Do it; the result as a dict for exit_json. Raises Refusal or ServerError."""
        try:
            decision = self.prepare()
            self.before = self.before or snapshot(self.mine)
            self._loop(decision)
            if not self.check_mode:
                self.facts.update(self.cluster.gather([self.me]))
            return self.result()
        except Pause as pause:
            return self.paused(str(pause))
        finally:
            close_cluster(self.cluster)

    def _loop(self, decision):
        refused = None
        while True:
            action = decision.action
            if self.bootstrapped and self.mine.get("state") in ("ERROR", "OFFLINE"):
                raise self.bootstrap_failed(self.mine["state"])
            if action == "refuse":
                if decision.settle and not self.check_mode and refused != decision.rule:
                    # Perhaps the middle of a change: it must be seen twice.
                    refused = decision.rule
                    time.sleep(min(SETTLE, max(0.0, self.left())))
                    decision = self.look()
                    continue
                self.decision = decision
                raise Refusal(decision.reason)
            refused = None
            if action == "unchanged":
                self.decision = self.decision or decision
                self.repairs()
                return
            if gr_decision.ACTIONS[action]:
                self.decision = decision
            if self.check_mode:
                self.decision = decision
                self.rehearse(decision)
                return
            self.watch_applier()
            if self.left() <= 0:
                raise self.timed_out(decision)
            if decision.rule == "cloning":
                self.clone_from = decision.details["donor"]
                self.await_clone()
            elif action in ("wait", "wait_for_seed"):
                self.watch_recovery()
                self.pause(self.progress(decision))
                time.sleep(POLL)
            elif action == "reset_flag":
                self.reset_flag()
            elif action == "join":
                self.join(decision)
            elif action == "clone":
                self.clone(decision)
            elif action == "bootstrap":
                self.bootstrap()
            elif action == "leave":
                self.leave()
            elif action == "stay_out":
                self.stay_out()
            decision = self.look()

    def timed_out(self, decision):
        """A Refusal that says what was waited for, and why a START that this run tried had no success."""
        text = f"timeout: after {self.timeout} seconds still waiting: {self.progress(decision)}{self.waiting_hint(decision)}"
        if self.started_at is not None and self.mine.get("state") in ("OFFLINE", "ERROR"):
            return self.failed(text + "; START GROUP_REPLICATION had no success")
        return Refusal(text)

    def progress(self, decision):
        """What is waited for, and how far it is."""
        if self.mine.get("state") != "RECOVERING":
            return decision.reason
        left = gr_progress.transactions_left(self.facts, self.me)
        self.most_left = max(self.most_left, left)
        return gr_progress.recovery_text(left, self.most_left)

    def waiting_hint(self, decision):
        """What may be wrong when a wait ends without success, or what to do next."""
        if decision.rule == "recovering":
            error = self.mine.get("applier_error")
            return GOES_ON + (f" (its applier says: {error['message']})" if error else "")
        if decision.action == "wait_for_seed":
            return " (is the task running on {} at the same time? forks must be at least the number of members)".format(
                decision.details["seed"]
            )
        return ""

    def rehearse(self, decision):
        """Check mode: record the statements without running them."""
        if not gr_decision.ACTIONS[decision.action] and decision.action != "wait":
            return
        self.changed = True
        if decision.action in ("join", "bootstrap", "wait_for_seed", "wait"):
            self.credentials()
            if (
                decision.action != "wait"
                and not self.mine["super_read_only"]
                and not decision.details.get("stop_first")
            ):
                self.recorder.add("SET GLOBAL super_read_only = ON")
            if decision.details.get("stop_first"):
                self.execute("stop_group_replication")
            for name, value in decision.details.get("adopt") or ():
                self.set_variable(name, value)
            if decision.action == "bootstrap":
                self.recorder.add("SET GLOBAL group_replication_bootstrap_group = ON")
            if decision.action != "wait":
                self.execute("start_group_replication")
            if decision.action == "bootstrap":
                self.recorder.add("SET GLOBAL group_replication_bootstrap_group = OFF")
        elif decision.action == "clone":
            self.recorder.add(
                "CLONE INSTANCE FROM '{}'@{} IDENTIFIED BY '{}' REQUIRE SSL".format(
                    self.wish["recovery_user"], decision.details["donor"], MASK
                )
            )
            self.execute("start_group_replication")
        elif decision.action == "leave":
            self.execute("stop_group_replication")
            self.keep_out()
        elif decision.action == "stay_out":
            self.keep_out()
        elif decision.action == "reset_flag":
            self.recorder.add("SET GLOBAL group_replication_bootstrap_group = OFF")

    # -- statements --------------------------------------------------------------------------------------------------
    def execute(self, meaning, args=None, secrets=(), **words):
        """Run (in check mode only record) the statement of that meaning on this server."""
        text = statement(self.version, meaning, **words)
        if self.check_mode:
            self.recorder.add(self.local.masked(text, args, secrets))
            return []
        return self.local.run(text, args, secrets)

    def set_variable(self, name, value):
        """Set a global variable so that it lasts, where the version can do that."""
        if has_persist(self.version):
            self.execute("set_persist", (value,), name=name)
        else:
            text = f"SET GLOBAL {name} = %s"
            if self.check_mode:
                self.recorder.add(self.local.masked(text, (value,)))
            else:
                self.local.run(text, (value,))

    def credentials(self):
        """Give the recovery channel its account, when it has another one. True when something was (or would be) changed."""
        user, password = self.wish["recovery_user"], self.params.get("recovery_password")
        if not user:
            return False
        try:
            rows = self.local.query(
                "SELECT User_name AS user, User_password AS password FROM mysql.slave_master_info "
                "WHERE Channel_name = %s",
                (RECOVERY_CHANNEL,),
            )
        except ServerError as error:
            if error.lost:
                raise
            rows = []  # repository kept in a file (5.7): cannot be compared, so it is set
        if rows and rows[0]["user"] == user and rows[0]["password"] == password:
            return False
        self.execute("change_recovery_credentials", (user, password), secrets=(1,))
        self.changed = True
        return True

    def repairs(self):
        """What a member that is in the group already may still lack."""
        if self.wish["state"] == "absent":
            return
        self.credentials()
        self.start_at_boot()

    def start_at_boot(self):
        """state=absent persisted start_on_boot=OFF; a present member shall come back after a reboot."""
        if self.mine["persisted"].get("group_replication_start_on_boot") == "OFF":
            self.execute("reset_persist", name="group_replication_start_on_boot")
            self.changed = True

    def reset_flag(self):
        """Switch off a bootstrap flag that was left on."""
        self.local.run("SET GLOBAL group_replication_bootstrap_group = OFF")
        self.changed = True

    # -- join --------------------------------------------------------------------------------------------------------
    def join(self, decision):
        """START on a living group; returns to the loop, which waits until the member is ONLINE."""
        self.credentials()
        self.start_at_boot()
        if decision.details["stop_first"]:
            # First of all: it may be what takes this server off the group's list.
            self.stop()
        if decision.details["old_incarnation"] and not self.wait_for_expulsion():
            return
        for name, value in decision.details["adopt"]:
            self.set_variable(name, value)
            self.changed = True
        self.start_in_turn()

    def start_in_turn(self):
        """START while no other run joins a member of this group: the group's commits stand still while one joins, and for several times as long
        when two do at once. Without the lock, which is only a courtesy, it would be right, too."""
        online = [one for one in sorted(self.members) if one != self.me and self.facts[one].get("state") == "ONLINE"]
        try:
            # On one member, the same for all who see the same group; it needs no more than to be there for as long as the START takes.
            self.locked(self.start, online[:1], f"{self.cluster.lock}:join")
        except ServerError:
            # The member that was to hold the lock is gone: the loop looks at what there is now.
            time.sleep(POLL)

    def wait_for_expulsion(self):
        """Wait until the living group no longer lists this server's previous incarnation. False when the group changed."""
        uuid = (self.mine["server_uuid"] or "").lower()
        while self.left() > 0:
            facts = self.cluster.gather([address for address in self.members if address != self.me])
            online = [item for item in facts.values() if gr_decision.is_live(item)]
            if not online:
                return False
            if not any(uuid in item["view"] for item in online):
                return True
            self.pause("the group still lists this server's previous incarnation")
            time.sleep(POLL)
        raise Refusal(
            "timeout: the group still lists the previous incarnation of this server; it is expelled after "
            "group_replication_member_expel_timeout, and only by a majority: see that the other members are ONLINE, and run again"
        )

    def close_writes(self):
        """No writes before a START: a member that does not get into its group would take them from whoever connects to it, and they would keep it
        out for good. The START opens it again when it has success; one that fails leaves it as it was before."""
        if not self.mine["super_read_only"]:
            self.local.run("SET GLOBAL super_read_only = ON")
            self.changed = True

    def stop(self):
        """STOP GROUP_REPLICATION, waiting for another START or STOP to end first."""
        self.retrying("stop_group_replication")
        self.changed = True

    def start(self):
        """START GROUP_REPLICATION; errors that mean "not yet" return to the loop."""
        self.close_writes()
        self.started_at = self.now()
        try:
            self.local.run(statement(self.version, "start_group_replication"))
            self.changed = True
        except ServerError as error:
            if error.code in (ER_GR_COMMAND_FAILURE, ER_GR_RUNNING):
                time.sleep(POLL)
                return
            trouble = self.tls_trouble()
            if error.code == ER_GR_NOT_CONFIGURED and not trouble and self.may_pass():
                time.sleep(POLL)
                return
            raise self.start_failed(error, trouble) from None

    def tls_trouble(self):
        """Why the members that are ONLINE cannot be reached by TLS with this server's files, or ''. The server itself writes it nowhere."""
        prefix = "admin_" if self.mine["settings"].get("group_replication_tls_source") == "MYSQL_ADMIN" else ""
        names = ", ".join(f"@@GLOBAL.{prefix}{name} AS {name}" for name in ("ssl_ca", "ssl_cert", "ssl_key"))
        rows = self.local.query(f"SELECT {names}, @@GLOBAL.datadir AS datadir")
        files = own_files(self.mine["settings"], rows[0]) if rows else None
        for address in self.members:
            theirs = self.facts[address].get("local_address")
            if files and theirs and address != self.me and self.facts[address].get("state") == "ONLINE":
                trouble = handshake_trouble(files, theirs)
                if trouble:
                    return f"TLS between this server and {theirs} fails: {trouble}"
        return ""

    def may_pass(self):
        """Whether a failed START is due to something that passes: the group still knows the previous incarnation, or was changing."""
        # Every START writes that localhost was added to the allowlist: no refusal.
        text = "\n".join(line for line in self.error_log() if "Automatically adding" not in line)
        hints = (
            "old incarnation",
            "previous instance",
            "another member",
            "is already leaving or joining",
            "already a member",
            "being removed",
            "Timeout on wait for view",
            "unable to join the group",
        )
        fatal = (
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
        lower = text.lower()
        if any(word.lower() in lower for word in fatal):
            return False
        self.failed_starts += 1
        return self.failed_starts <= 5 and any(word.lower() in lower for word in hints)

    def failed(self, text):
        """A Refusal that carries what the server's error log says."""
        log = self.error_log()
        return Refusal(text + (". The error log says: " + " | ".join(log[-5:]) if log else ""), error_log=log)

    def start_failed(self, error, trouble=""):
        """A Refusal for a START GROUP_REPLICATION that the server refused."""
        return self.failed(f"START GROUP_REPLICATION failed: {trouble or error}")

    def watch_applier(self):
        """Fail at once when this server, started by this run, cannot apply the group's transactions: no further START would help."""
        error = self.mine.get("applier_error")
        if self.wish["state"] == "absent" or not error or self.started_at is None or error["at"] < str(self.started_at):
            return
        if self.mine["state"] == "ONLINE":
            return
        if self.mine["state"] == "RECOVERING":
            self.retrying("stop_group_replication")
        raise Refusal(
            f"this server cannot apply the group's transactions: {error['message']} (its data differ from the group's; clone=reprovision "
            "would replace them)",
            error_log=self.error_log(),
        )

    def watch_recovery(self):
        """While this member is RECOVERING: fail at once when its donor refuses the recovery account."""
        if self.mine.get("state") != "RECOVERING":
            return
        channel = self.mine["channels"].get(RECOVERY_CHANNEL) or {}
        number = int(channel.get("error_number") or 0)
        if number == CR_SSL_ERROR:
            self.stop_what_cannot_recover()
            raise Refusal(
                f"the recovery channel gets no TLS connection to its donor: {channel.get('error_message')}",
                error_log=self.error_log(),
            )
        if number in (1045, 1227, 2061, 3159) or (number and "Access denied" in (channel.get("error_message") or "")):
            self.stop_what_cannot_recover()
            raise Refusal(
                "the donor refuses the recovery account{}: {} (check recovery_user, recovery_password and that the account "
                "exists on every member)".format(
                    " '{}'".format(self.wish["recovery_user"]) if self.wish["recovery_user"] else "",
                    channel.get("error_message"),
                ),
                error_log=self.error_log(),
            )

    def stop_what_cannot_recover(self):
        """Do not leave a member behind that this run started and that cannot recover."""
        if self.started_at is not None:
            self.retrying("stop_group_replication")

    def retrying(self, meaning):
        """Run a START or STOP as soon as no other one is executing."""
        while True:
            try:
                self.execute(meaning)
                return
            except ServerError as error:
                if error.code != ER_GR_COMMAND_FAILURE or self.left() <= 0:
                    raise
                self.recorder.statements.pop()
                time.sleep(POLL)

    # -- bootstrap ---------------------------------------------------------------------------------------------------
    def locked(self, action, where=None, name=None):
        """Run action() while holding the lock on every declared member (or on these) that can be asked."""
        held = []
        name = name or self.cluster.lock
        try:
            # The same order everywhere: two controllers cannot wait for each other.
            for address in sorted(self.members) if where is None else where:
                if not self.facts[address].get("reachable"):
                    continue
                connection = self.cluster.connection(address)
                while True:
                    got = connection.query("SELECT GET_LOCK(%s, 2) AS got", (name,))[0]["got"]
                    if got == 1:
                        held.append(connection)
                        break
                    holder = self.lock_holder(connection, name)
                    if holder and holder[0] not in (self.params.get("peer_user"), connection.user, self.local.user):
                        raise Refusal(
                            f"the lock '{name}' on {address} is held by {holder[1]}, which is no account of a controller (peer_user, "
                            "login_user): end that session and run again"
                        )
                    by = f", by {holder[1]}" if holder else ""
                    if self.left() <= 0:
                        raise Refusal(f"timeout: another controller holds the lock '{name}' on {address}{by}")
                    self.pause(f"another run holds the lock '{name}' on {address}{by}")
            return action()
        finally:
            for connection in reversed(held):
                try:
                    connection.query("SELECT RELEASE_LOCK(%s) AS released", (name,))
                except ServerError:
                    connection.close()  # the lock ends with its connection

    @staticmethod
    def lock_holder(connection, name):
        """(user, 'user@host (connection n)') of who holds that lock, or None when nobody does any more."""
        rows = connection.query(
            "SELECT PROCESSLIST_ID AS id, PROCESSLIST_USER AS user, PROCESSLIST_HOST AS host FROM performance_schema.threads "
            "WHERE PROCESSLIST_ID = IS_USED_LOCK(%s)",
            (name,),
        )
        return (rows[0]["user"], "{user}@{host} (connection {id})".format(**rows[0])) if rows else None

    def bootstrap(self):
        """Bootstrap the group, if under the lock that is still the decision."""

        def under_lock():
            decision = self.look()
            if decision.action != "bootstrap":
                return
            self.decision = decision
            self.credentials()
            self.start_at_boot()
            if decision.details["stop_first"]:
                self.stop()
            self.close_writes()
            self.started_at = self.now()
            try:
                self.local.run("SET GLOBAL group_replication_bootstrap_group = ON")
                self.changed = True
                self.local.run(statement(self.version, "start_group_replication"))
            except ServerError as error:
                if error.code in (ER_GR_COMMAND_FAILURE, ER_GR_RUNNING):
                    return
                raise self.start_failed(error) from None
            finally:
                self.local.run("SET GLOBAL group_replication_bootstrap_group = OFF")
            self.wait_online()

        self.locked(under_lock)

    def wait_online(self):
        """Wait until this member is ONLINE (it applies what it had received before)."""
        while True:
            rows = self.local.query(
                "SELECT MEMBER_STATE AS state FROM performance_schema.replication_group_members "
                "WHERE MEMBER_ID = @@GLOBAL.server_uuid"
            )
            state = rows[0]["state"] if rows else "OFFLINE"
            if state == "ONLINE":
                return
            if state in ("ERROR", "OFFLINE"):
                raise self.bootstrap_failed(state)
            if self.left() <= 0:
                raise Refusal(
                    f"timeout: after the bootstrap this member is still {state}{GOES_ON}",
                    error_log=self.error_log(),
                )
            if self.turn_over():
                # It is a living group of its own now: nobody else bootstraps without the lock either.
                self.bootstrapped = True
                self.facts.update(self.cluster.gather([self.me]))
                raise Pause(self.progress(self.decision))
            time.sleep(POLL)

    def bootstrap_failed(self, state):
        """A Refusal for a member that is in no group any more after it was told to bootstrap one."""
        return self.failed(f"after the bootstrap this member is {state}")

    # -- clone -------------------------------------------------------------------------------------------------------
    def clone(self, decision):
        """Replace this server's data by a donor's; the server restarts itself."""
        donor = decision.details["donor"]
        host, port = parse_address(donor)
        self.credentials()
        if self.mine["state"] == "ERROR":
            self.stop()
        self.closed = [name for name in ("read_only", "super_read_only") if self.mine[name]]
        if self.closed:
            self.local.run("SET GLOBAL read_only = OFF")
        self.changed = True
        self.clone_from, self.own_clone = donor, True
        try:
            if not self.mine["clone_active"]:
                self.execute("install_clone_plugin")
            self.local.run("SET GLOBAL clone_valid_donor_list = %s", (donor,))
            connection = self.extra_connection()
        except ServerError as error:
            raise self.clone_failed(error) from None
        text = statement(self.version, "clone_instance", port=port)
        words = (self.wish["recovery_user"], host, self.params.get("recovery_password"))
        self.cloner = Background(lambda: connection.run(text, words, (2,)))
        self.cloner.start()
        self.await_clone()

    def extra_connection(self):
        """Another connection to this server, open."""
        return login_connection(self.params, self.recorder).open()

    def await_clone(self):
        """Wait until the clone into this server has ended and the server, which restarts itself then, answers again."""
        while True:
            statement_runs = self.cloner is not None and self.cloner.is_alive()
            error = self.cloner.error if self.cloner is not None and not statement_runs else None
            if error is not None and not error.lost:
                raise self.clone_failed(error)
            text = f"CLONE of {self.clone_from}: the server restarts"
            state = message = ""
            answered = True
            try:
                for row in self.local.query(_CLONE_STATUS):
                    state, message = row["state"], row["message"]
                if state == "In Progress":
                    text = gr_progress.clone_text(self.clone_from, self.local.query(_CLONE_PROGRESS))
            except ServerError:
                # Of whatever kind: on its way down and up, a server refuses in several ways.
                self.local.close()
                answered = False
            if answered and not statement_runs and state != "In Progress":
                # After the failed clone of somebody else, the next look decides.
                if state == "Failed" and self.own_clone:
                    raise self.clone_failed(message)
                self.cloner, self.clone_from, self.own_clone, self.closed = None, "", False, []
                return
            if self.left() <= 0:
                raise Refusal(
                    f"timeout: after {self.timeout} seconds still waiting: {text}{GOES_ON}"
                    + ("" if answered else " (where nothing restarts mysqld after a clone, start it)")
                )
            if state == "In Progress" or not answered:
                self.pause(text)
            time.sleep(POLL)

    def clone_failed(self, error):
        """A Refusal, after the server takes no writes again where it took none before."""
        donor = self.clone_from
        if getattr(error, "code", 0) == ER_CLONE_RESTART:
            return Refusal(f"cloned from {donor}, but nothing restarts this mysqld: start it and run again")
        for name in self.closed:
            self.local.run(f"SET GLOBAL {name} = ON")
        return Refusal(f"clone from {donor} failed: {error}", error_log=self.error_log())

    # -- leave -------------------------------------------------------------------------------------------------------
    def leave(self):
        """Leave the group, if under the lock that is still the decision; and stay out."""

        def under_lock():
            decision = self.look()
            if decision.action != "leave":
                return
            self.stop()
            self.keep_out()

        self.locked(under_lock)

    def stay_out(self):
        """Not in a group: see to it that it does not come back at the next boot."""
        self.keep_out()
        # The loop looks at the running value, which SET PERSIST has changed too.

    def keep_out(self):
        """Persist start_on_boot=OFF, where the version can."""
        if has_persist(self.version):
            self.execute("set_persist", ("OFF",), name="group_replication_start_on_boot")
        else:
            self.warn(
                f"MySQL {self.version} cannot persist variables: write group_replication_start_on_boot=OFF into its configuration, or the "
                "member comes back at its next boot"
            )
            text = "SET GLOBAL group_replication_start_on_boot = OFF"
            self.recorder.add(text) if self.check_mode else self.local.run(text)
        self.changed = True

    # -- reports -----------------------------------------------------------------------------------------------------
    def now(self):
        """The server's clock, for its error log."""
        return self.local.query("SELECT NOW(6) AS now")[0]["now"]

    def error_log(self, lines=20):
        """The last lines of this server's error log since the START: from its own table, else from the file."""
        path = self.params.get("error_log")
        if not path:
            try:
                rows = self.local.query(
                    "SELECT LOGGED AS logged, PRIO AS prio, ERROR_CODE AS code, DATA AS data FROM performance_schema.error_log "
                    "WHERE LOGGED >= COALESCE(%s, NOW() - INTERVAL 60 SECOND) AND PRIO IN ('Error', 'Warning') "
                    "ORDER BY LOGGED DESC LIMIT %s",
                    (self.started_at, lines),
                )
                return [
                    "{} [{}] [{}] {}".format(row["logged"], row["prio"], row["code"], row["data"])
                    for row in reversed(rows)
                ]
            except ServerError:
                mine = self.facts.get(self.me) or {}
                path = mine.get("log_error") or ""
                if path.startswith("."):
                    path = os.path.join(mine.get("datadir") or "", path)
        try:
            with open(path, "rb") as source:
                source.seek(0, os.SEEK_END)
                source.seek(max(0, source.tell() - 65536))
                return source.read().decode("utf-8", "replace").splitlines()[-lines:]
        except OSError:
            return []

    def result(self):
        """What the module returns."""
        after = snapshot(self.mine) if self.facts else {}
        if self.check_mode and self.changed and self.decision is not None:
            after = dict(self.before)
            if self.decision.action in ("join", "bootstrap", "wait_for_seed", "clone", "wait"):
                after["state"] = "ONLINE"
            elif self.decision.action in ("leave", "stay_out"):
                after.update(state="OFFLINE", members=[], role="", start_on_boot=False)
        return {
            "changed": self.changed,
            "decision": self.decision.action if self.decision else "",
            "rule": self.decision.rule if self.decision else "",
            "reason": self.decision.reason if self.decision else "",
            "before": self.before,
            "after": after,
            "statements": self.recorder.statements,
            "diff": {"before": comparable(self.before), "after": comparable(after)},
        }


def comparable(state):
    """The part of a snapshot that a diff shows (GTID sets grow by themselves)."""
    return {
        name: value
        for name, value in state.items()
        if name in ("state", "role", "group_name", "members", "start_on_boot")
    }
