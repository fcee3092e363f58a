# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: proxysql_wanted
short_description: What ProxySQL is to hold, from the variables of the role
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.proxysql#role). A pure function of its variables, which P(distdb.mysql_ha.proxysql_preflight#filter) has
    checked.
positional: version, backend_ca
options:
  _input:
    description: The role's variables by their full names.
    type: dict
    required: true
  version:
    description: ProxySQL's version, for tables that it may not have. An unknown one counts as a current one.
    type: str
    default: ""
  backend_ca:
    description: Path on the proxy's host of the CAs by which members are verified; empty where they are not.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: The rules that the role makes
  ansible.builtin.debug:
    msg: "{{ (variables | distdb.mysql_ha.proxysql_wanted).query_rules }}"
"""

RETURN = r"""
_value:
  description: >-
    C(members), the servers of all groups as C(host:port); C(variables), C(secret_variables), C(optional_variables), C(users), C(query_rules) and
    C(servers_tls) (null where this version has no such table), as options of M(distdb.mysql_ha.proxysql_config); C(own_variables) and
    C(own_secret_variables), those that a proxy does not copy from others.
  type: dict
"""

import re
from typing import Any

from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_preflight import present, true
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.desired import clean_hostname
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import show_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.tables import SECRET_VARIABLE
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils import proxy_tls

# A list without entries: nothing listens, nobody is let in. An empty value would not be taken, or would open the default port.
NONE = ";"
# A rule of the role's is known by its comment: with the preset off again, it is removed.
SPLIT = "distdb.mysql_ha read/write split"
FIRST_SPLIT_RULE = 90000
# What a proxy sets by itself before it follows another one: by the admin variables peers find each other, the others are not copied.
OWN = re.compile(r"(admin-|pgsql-|mysql-(interfaces|threads|stacksize)$)")


def listen(address: str, port: Any) -> str:
    return show_address((address, int(port)))


def members(groups: list[dict[str, Any]]) -> list[str]:
    """Every server once, without sockets."""
    found = []
    for group in groups:
        for server in group.get("servers") or []:
            if not str(server["hostname"]).startswith("/"):
                found.append(show_address((clean_hostname(server["hostname"]), int(server.get("port") or 3306))))
    return list(dict.fromkeys(found))


def credentials(*pairs: tuple[Any, Any]) -> str:
    return ";".join(f"{user}:{password}" for user, password in pairs if password) or NONE


def secret_variables(settings: dict[str, Any]) -> dict[str, Any]:
    clustered = true(settings["proxysql_cluster"])
    admins = [(settings["proxysql_admin_user"], settings["proxysql_admin_password"])]
    if clustered:
        admins.append((settings["proxysql_cluster_user"], settings["proxysql_cluster_password"]))
    return {
        "mysql-monitor_password": settings["proxysql_monitor_password"],
        "admin-admin_credentials": credentials(*admins),
        "admin-stats_credentials": credentials((settings["proxysql_stats_user"], settings["proxysql_stats_password"])),
        **({"admin-cluster_password": settings["proxysql_cluster_password"]} if clustered else {}),
    }


def plain_variables(settings: dict[str, Any]) -> dict[str, Any]:
    admin_port = settings["proxysql_admin_port"]
    found = {
        "admin-mysql_ifaces": ";".join(listen(address, admin_port) for address in settings["proxysql_admin_bind"]),
        "mysql-interfaces": listen(settings["proxysql_bind"], settings["proxysql_port"]),
        "mysql-have_ssl": true(settings["proxysql_client_tls"]),
        "mysql-monitor_username": settings["proxysql_monitor_user"],
        "mysql-monitor_groupreplication_healthcheck_interval": settings["proxysql_monitor_interval"],
        "mysql-monitor_groupreplication_healthcheck_timeout": settings["proxysql_monitor_timeout"],
        "mysql-monitor_groupreplication_healthcheck_max_timeout_count": settings["proxysql_monitor_max_timeouts"],
        "mysql-connect_timeout_server": settings["proxysql_connect_timeout"],
        # A statement whose connection is lost may have been executed, or be executed later, when a frozen member goes on: repeated, it would be
        # executed twice, and nobody told.
        "mysql-query_retries_on_failure": 0,
    }
    if true(settings["proxysql_cluster"]):
        found["admin-cluster_username"] = settings["proxysql_cluster_user"]
        found["admin-cluster_mysql_servers_sync_algorithm"] = 2
    return found


def users(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The accounts; those without a hostgroup get the writers', where there is one group, and those that say nothing of TLS what all have to."""
    groups = [group for group in settings["proxysql_hostgroups"] if present(group)]
    preset: dict[str, Any] = {"default_hostgroup": int(groups[0]["writer_hostgroup"])} if len(groups) == 1 else {}
    if true(settings.get("proxysql_client_tls_required", False)):
        preset["use_ssl"] = True
    return [
        {**user, **{name: value for name, value in preset.items() if user.get(name) is None}} if present(user) else user
        for user in settings["proxysql_users"]
    ]


def split_rules(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Two rules for each account whose hostgroup is a writer's: statements that lock rows go there, other reads to the reader hostgroup."""
    if not true(settings["proxysql_read_write_split"]):
        return []
    readers = {
        int(group["writer_hostgroup"]): int(group["reader_hostgroup"])
        for group in settings["proxysql_hostgroups"]
        if present(group)
    }
    rules: list[dict[str, Any]] = []
    for user in users(settings):
        writer = int(user.get("default_hostgroup") or 0)
        if not present(user) or writer not in readers:
            continue
        for match, hostgroup in (
            ("^SELECT.*(FOR UPDATE|FOR SHARE|LOCK IN SHARE MODE)", writer),
            ("^SELECT", readers[writer]),
        ):
            rules.append(
                dict(
                    rule_id=FIRST_SPLIT_RULE + len(rules),
                    active=True,
                    apply=True,
                    username=user["username"],
                    match_digest=match,
                    destination_hostgroup=hostgroup,
                    comment=SPLIT,
                )
            )
    return rules


def proxysql_wanted(settings: dict[str, Any], version: str = "", backend_ca: str = "") -> dict[str, Any]:
    groups = [group for group in settings["proxysql_hostgroups"] if present(group)]
    more = settings["proxysql_variables"]
    secret = {**secret_variables(settings), **{name: more[name] for name in more if SECRET_VARIABLE.search(name)}}
    tls = proxy_tls.variables(settings, backend_ca)
    plain = {
        **plain_variables(settings),
        **tls,
        **{name: more[name] for name in more if not SECRET_VARIABLE.search(name)},
    }
    # Since 3.0 ProxySQL speaks PostgreSQL, too, on all addresses if it is not told otherwise.
    closed = {name: NONE for name in ("admin-pgsql_ifaces", "pgsql-interfaces") if name not in more}
    return dict(
        members=members(settings["proxysql_hostgroups"]),
        none=NONE,
        variables=plain,
        secret_variables=secret,
        optional_variables=closed,
        own_variables={name: value for name, value in plain.items() if OWN.match(name)},
        own_secret_variables={name: value for name, value in secret.items() if OWN.match(name)},
        users=users(settings),
        query_rules=[*settings["proxysql_query_rules"], *split_rules(settings)],
        query_rules_comment=SPLIT,
        servers_tls=proxy_tls.servers_tls(groups, settings.get("proxysql_servers_tls") or [], backend_ca, version),
        servers_tls_comment=proxy_tls.OWN_ROWS,
    )


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"proxysql_wanted": proxysql_wanted}
