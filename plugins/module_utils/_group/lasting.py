# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server keeps beyond its next start: the recovery channel's account, variables, and whether it comes back at boot.

Private to this collection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.connection import ServerError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import RECOVERY_CHANNEL
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import has_persist

if TYPE_CHECKING:
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.verbs.member import Member

BOOT = "group_replication_start_on_boot"
_ACCOUNT = "SELECT User_name AS user, User_password AS password FROM mysql.slave_master_info WHERE Channel_name = %s"


class Lasting:
    """Sets it on the managed server, for one run."""

    def __init__(self, run: Member) -> None:
        self.run = run
        self.account_given = False

    def credentials(self) -> None:
        """Give the recovery channel its account, when it has another one."""
        user, password = self.run.wish["recovery_user"], self.run.params.get("recovery_password")
        if not user or self.run.check_mode and self.account_given:
            return
        try:
            rows = self.run.local.query(_ACCOUNT, (RECOVERY_CHANNEL,))
        except ServerError as error:
            if error.lost:
                raise
            rows = []  # repository kept in a file (5.7): cannot be compared, so it is set
        if not rows or (rows[0]["user"], rows[0]["password"]) != (user, password):
            self.run.execute("change_recovery_credentials", (user, password), secrets=(1,))
            self.account_given = True

    def set_variable(self, name: str, value: str) -> None:
        """Set a global variable so that it lasts, where the version can do that."""
        if has_persist(self.run.mine.version):
            self.run.execute("set_persist", (value,), name=name)
        else:
            self.run.run_statement(f"SET GLOBAL {name} = %s", (value,))

    def start_at_boot(self) -> None:
        """state=absent persisted start_on_boot=OFF; a present member shall come back after a reboot."""
        if self.run.mine.persisted.get(BOOT) == "OFF":
            self.run.execute("reset_persist", name=BOOT)

    def keep_out(self) -> None:
        """See to it that the server does not come back at its next boot, where the version can do that."""
        if not has_persist(self.run.mine.version):
            self.run.warn(
                f"MySQL {self.run.mine.version} cannot persist variables: write {BOOT}=OFF into its configuration, or the member comes back at its "
                "next boot"
            )
        self.set_variable(BOOT, "OFF")
