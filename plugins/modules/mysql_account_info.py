#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of many accounts differ from what is wanted, in one look."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mysql_account_info
short_description: See which of many accounts differ from what is wanted
version_added: 1.1.0
description:
  - Compares accounts with what is wanted, all in one look. An account of which this cannot be said for sure counts as one that differs - what is
    to be done with it is for M(ansible.mysql.mysql_user).
  - Used by the role P(distdb.mysql_ha.mysql_gr#role), so that a run over a thousand accounts that are as they should be takes no task for each.
options:
  accounts:
    description: The accounts, each at one host. What is not given is not compared, but for O(accounts[].tls_requires).
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the account.
        type: str
        required: true
      host:
        description: Its host part.
        type: str
        default: "%"
      plugin:
        description: Its authentication plugin.
        type: str
        default: caching_sha2_password
      hash:
        description: What the plugin stores of its password.
        type: str
      priv:
        description: Its privileges, as in M(ansible.mysql.mysql_user). C(ALL) on C(*.*) is not compared - the account differs.
        type: raw
      append_privs:
        description: Whether it may have other privileges, too.
        type: bool
        default: false
      tls_requires:
        description: What it requires of a connection, as in M(ansible.mysql.mysql_user). Without it, it must require nothing, as there.
        type: dict
      resource_limits:
        description: Its limits of resources, as in M(ansible.mysql.mysql_user).
        type: dict
      state:
        description: Whether it is to be there.
        type: str
        choices: [present, absent]
        default: present
  names:
    description: Names of which to list the accounts that the role wrote for O(group_name) at other hosts than those of O(accounts).
    type: list
    elements: str
    default: []
  group_name:
    description: UUID of the group; needed with O(names). The role's accounts are told by it from others.
    type: str
    default: ""
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.looks
  - distdb.mysql_ha.mysql.client
seealso:
  - module: ansible.mysql.mysql_user
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: See which accounts differ
  distdb.mysql_ha.mysql_account_info:
    accounts:
      - {name: app, host: 192.0.2.129, priv: "shop.*:ALL"}
      - {name: report, host: 192.0.2.129, priv: "shop.*:SELECT"}
  register: seen
"""

RETURN = r"""
differ:
  description: Positions in O(accounts), from 0, of those that are, or may be, another way.
  returned: success
  type: list
  elements: int
  sample: [1]
differences:
  description: Of each of them, what is not, or may not be, as it is wanted - V(account), V(password), V(tls), V(limits) or V(privileges).
  returned: success
  type: list
  elements: dict
  sample: [{"name": "report", "host": "192.0.2.129", "differs": "privileges"}]
others:
  description: Accounts of O(names) that the role wrote at other hosts, as name and host.
  returned: success
  type: list
  elements: list
  sample: [["app", "192.0.2.128"]]
"""

from typing import Any, Iterable

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._accounts import Account, Seen, differs, owner
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import Login, reason
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal, Result, conclude

COLUMNS = (
    "User", "Host", "plugin", "authentication_string", "ssl_type", "ssl_cipher", "x509_issuer", "x509_subject",
    "max_questions", "max_updates", "max_connections", "max_user_connections",
)  # fmt: skip
# As text in hexadecimal: they may hold anything, and HEX(100) would be 64. The salt of the role's own accounts is made of the group's name and theirs.
CELLS = ", ".join(f"HEX(COALESCE(CONCAT({name}), ''))" for name in COLUMNS)
ROWS = (
    f"SELECT {CELLS}, COALESCE(plugin = 'caching_sha2_password' AND SUBSTRING(authentication_string, 8, 20)"
    " = LEFT(SHA2(CONCAT(%s, '/', User, '@', Host), 256), 20), 0) FROM mysql.user WHERE User IN (%s)"
)
AT_ONCE = 500  # accounts in one command line of the client program
PATIENCE = 120


def in_hex(text: str) -> str:
    return f"X'{text.encode().hex()}'" if text else "''"


def quotable(text: str) -> bool:
    """Whether it is the same in quotes, whatever the server's sql_mode."""
    return not set(text) & set("'\"\\`\n")


def parts(things: list[Any]) -> Iterable[list[Any]]:
    return (things[start : start + AT_ONCE] for start in range(0, len(things), AT_ONCE))


def answer(login: Login, statement: str) -> list[str]:
    done = login.ask(statement, PATIENCE, raw=True)
    if done.code:
        raise Refusal(f"the server could not be asked which accounts it has: {reason(done)}")
    return done.output.splitlines()


def rows(login: Login, names: list[str], group: str) -> dict[Account, dict[str, str]]:
    """{(name, host): columns, and by_role, '1' for one that the role wrote}."""
    found = {}
    for some in parts(names):
        for line in answer(login, ROWS % (in_hex(group), ", ".join(map(in_hex, some)))):
            *cells, by_role = line.split("\t")
            row = {column: bytes.fromhex(cell).decode("utf-8", "replace") for column, cell in zip(COLUMNS, cells)}
            found[row["User"], row["Host"].lower()] = {**row, "by_role": by_role}
    return found


def grants(login: Login, accounts: list[Account]) -> dict[Account, tuple[str, ...]]:
    """{(name, host): lines of SHOW GRANTS}; one that is not there could not be told."""
    found: dict[Account, list[str]] = {account: [] for account in accounts}
    for some in parts([account for account in accounts if all(map(quotable, account))]):
        for line in answer(login, "; ".join(f"SHOW GRANTS FOR '{name}'@'{host}'" for name, host in some)):
            whose = owner(line)
            if whose is None:
                return {}
            found.setdefault((whose[0], whose[1].lower()), []).append(line)
    return {account: tuple(lines) for account, lines in found.items() if lines}


def look(params: Result) -> Result:
    if params["names"] and not params["group_name"]:
        raise Refusal("group_name: '' is not allowed with names (allowed: the UUID of the group)")
    wishes = [{**one, "host": one["host"].lower()} for one in params["accounts"]]
    wanted = {(one["name"], one["host"]) for one in wishes}
    login = Login.of(params)
    there = rows(login, sorted({*params["names"], *(name for name, _host in wanted)}), params["group_name"])
    lines = grants(login, sorted(wanted & there.keys()))
    found = []
    for number, one in enumerate(wishes):
        account = one["name"], one["host"]
        # Without a line, not even that it has no privileges, nothing is known of them.
        seen = Seen(there[account], lines.get(account, ("",))) if account in there else None
        what = differs(one, seen)
        if what:
            found.append((number, {"name": account[0], "host": account[1], "differs": what}))
    others = [
        [name, row["Host"]] for (name, host), row in sorted(there.items())
        if name in params["names"] and row["by_role"] == "1" and (name, host) not in wanted
    ]  # fmt: skip
    return {
        "changed": False,
        "differ": [number for number, _one in found],
        "differences": [one for _number, one in found],
        "others": others,
    }


def main() -> None:
    account = dict(
        name=dict(type="str", required=True),
        host=dict(type="str", default="%"),
        plugin=dict(type="str", default="caching_sha2_password"),
        hash=dict(type="str", no_log=True),
        priv=dict(type="raw"),
        append_privs=dict(type="bool", default=False),
        tls_requires=dict(type="dict"),
        resource_limits=dict(type="dict"),
        state=dict(type="str", default="present", choices=["present", "absent"]),
    )
    module = AnsibleModule(
        argument_spec=dict(
            **Login.options(),
            accounts=dict(type="list", elements="dict", required=True, options=account),
            names=dict(type="list", elements="str", default=[]),
            group_name=dict(type="str", default=""),
        ),
        supports_check_mode=True,
    )
    conclude(module, lambda: look(module.params))


if __name__ == "__main__":
    main()
