# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: proxysql_preflight
short_description: What stands against configuring a proxy as the variables say
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.proxysql#role) before it changes anything. A function of the role's variables and of the inventory;
    no server is asked. Package files on the control node are read for their checksum.
positional: host, peers, hosts, hostvars, groups
options:
  _input:
    description: The role's variables by their full names. A missing one counts as not set.
    type: dict
    required: true
  host:
    description: The proxy's name in the inventory.
    type: str
    required: true
  peers:
    description: The hosts of the inventory group C(proxysql_inventory_group).
    type: list
    elements: str
    required: true
  hosts:
    description: Hosts of the inventory among which the members of the groups are; what their C(mysql_gr_writers) says is not to be contradicted.
    type: list
    elements: str
    default: []
  hostvars:
    description: Ansible's C(hostvars).
    type: dict
    default: {}
  groups:
    description: Names of the inventory's groups, which may stand for their hosts.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Refuse what cannot work, before anything is changed
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join(' ') }}"
  vars:
    problems: "{{ variables | distdb.mysql_ha.proxysql_preflight(inventory_hostname, groups.proxysql) }}"
"""

RETURN = r"""
_value:
  description: One sentence for each thing that cannot work; none when all is well.
  type: list
  elements: str
"""

import re
from typing import Any, Iterator, Sequence

from ansible_collections.distdb.mysql_ha.plugins.filter.gr_members import gr_members
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.desired import check_desired, desired_group
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.model import Layer
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.target import check_conflicts, resolve
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.firewall import sources_problems
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.monitoring import endpoint_problems, path_problems
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.package_files import package_problems
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.proxy_tls import certificate_problems
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.virtual_address import virtual_problems
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.writers import DEFAULT, Cluster, proxy_problems

SECRET = re.compile(r"password|credentials")
# How ProxySQL keeps a password that it is to read as a hash: of mysql_native_password, and of caching_sha2_password.
NATIVE_HASH = re.compile(r"\*[0-9A-Fa-f]{40}")
SHA2_HASH = re.compile(r"\$A\$0.{66}", re.DOTALL | re.IGNORECASE)
# Rules from this id on belong to proxysql_read_write_split.
OWN_RULES = 90000
NETWORKS = ("fast", "patient")
MILLISECONDS = {
    "proxysql_monitor_interval": (100, 604800000),
    "proxysql_monitor_timeout": (100, 600000),
    "proxysql_connect_timeout": (10, 120000),
}
# Variables that follow from variables of the role: written elsewhere they would contradict them.
OWN_VARIABLES = {
    "admin-admin_credentials": "proxysql_admin_user and proxysql_admin_password",
    "admin-stats_credentials": "proxysql_stats_user and proxysql_stats_password",
}


def text(value: Any) -> str:
    return "" if value is None else str(value)


def true(value: Any) -> bool:
    return value if isinstance(value, bool) else text(value).lower() in ("1", "yes", "true", "on", "y", "t")


def number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def present(entry: dict[str, Any]) -> bool:
    return (entry.get("state") or "present") == "present"


def password_problem(option: str, value: Any, hashes: bool = False) -> str:
    """Why ProxySQL would not let in whoever uses this password, or ""; hashes: a complete hash is meant as one."""
    if not isinstance(value, str):
        return f"{option} is {type(value).__name__}, not text; put it in quotation marks."
    if NATIVE_HASH.fullmatch(value) or SHA2_HASH.fullmatch(value):
        return "" if hashes else f"{option} has the form of a hash, which ProxySQL compares as one; choose another one."
    if value.startswith("*"):
        return f"{option} begins with *, by which ProxySQL knows a hash; choose one that begins otherwise."
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        return f"{option} has a control character in it; choose one without."
    return ""


def password_problems(settings: dict[str, Any], credentials: dict[str, Any]) -> Iterator[str]:
    for option in ("proxysql_admin_password", "proxysql_monitor_password"):
        if not text(settings.get(option)):
            yield f"{option} is not set; it has no default, give it a value (in a vault)."
    for option, value in credentials.items():
        if re.search("[:;]", text(value)):
            yield f"{option} has a : or ; in it, which separate credentials in ProxySQL; choose one without."
        if "password" in option and text(value):
            yield password_problem(option, value)
    if (text(settings["proxysql_admin_user"]), text(settings.get("proxysql_admin_password"))) == ("admin", "admin"):
        yield "proxysql_admin_password is the default that ProxySQL comes with; choose another one."
    if settings["proxysql_admin_user"] == settings["proxysql_stats_user"]:
        yield f"proxysql_admin_user and proxysql_stats_user are both {settings['proxysql_admin_user']}; they must differ."


def cluster_problems(settings: dict[str, Any], host: str, peers: Sequence[str]) -> Iterator[str]:
    user, bind, address = (
        settings["proxysql_cluster_user"],
        settings["proxysql_admin_bind"],
        settings["proxysql_address"],
    )
    if not text(settings.get("proxysql_cluster_password")):
        yield "proxysql_cluster_password is not set; with proxysql_cluster it is needed, give it a value (in a vault)."
    if user in ("admin", settings["proxysql_admin_user"], settings["proxysql_stats_user"]):
        yield (
            f"proxysql_cluster_user is {user}; it must differ from proxysql_admin_user, proxysql_stats_user and admin, which ProxySQL "
            "lets in from its own host only."
        )
    if host not in peers:
        yield (
            f"proxysql_cluster is true and {host} is not in the inventory group {settings['proxysql_inventory_group']} "
            "(proxysql_inventory_group), whose hosts are the peers."
        )
    if not {address, "0.0.0.0", "::"} & set(bind):
        yield (
            f"proxysql_admin_bind ({', '.join(bind)}) does not have proxysql_address ({address}); the other proxies of the cluster could "
            "not reach this one."
        )


def address_problems(settings: dict[str, Any]) -> Iterator[str]:
    bind, login = settings["proxysql_admin_bind"], settings["proxysql_admin_login_host"]
    if not bind:
        yield "proxysql_admin_bind is empty; list the addresses on which the admin interface is to listen, 127.0.0.1 among them."
    elif not {login, "0.0.0.0", "::"} & set(bind):
        yield (
            f"proxysql_admin_bind ({', '.join(bind)}) does not have proxysql_admin_login_host ({login}); the role could not reach the "
            "admin interface."
        )
    for option in ("proxysql_port", "proxysql_admin_port"):
        port = number(settings[option])
        if port is None or not 0 < port < 65536:
            yield f"{option} is {settings[option]}; allowed are whole numbers from 1 to 65535."
    if number(settings["proxysql_port"]) == number(settings["proxysql_admin_port"]):
        yield f"proxysql_port and proxysql_admin_port are both {settings['proxysql_port']}; they must differ."


def monitor_problems(settings: dict[str, Any]) -> Iterator[str]:
    network = settings["proxysql_network"]
    if network not in NETWORKS:
        yield f"proxysql_network is {network}; allowed are {', '.join(NETWORKS)}."
    for option, (low, high) in MILLISECONDS.items():
        value = number(settings[option])
        if value is None or not low <= value <= high:
            yield f"{option} is {settings[option]}; allowed are {low} to {high} milliseconds."
    value = number(settings["proxysql_monitor_max_timeouts"])
    if value is None or not 1 <= value <= 10:
        yield f"proxysql_monitor_max_timeouts is {settings['proxysql_monitor_max_timeouts']}; allowed are 1 to 10."


def hostgroup_problems(settings: dict[str, Any]) -> Iterator[str]:
    groups = settings["proxysql_hostgroups"]
    if not groups:
        yield "proxysql_hostgroups is empty; list at least one group."
    for group in groups:
        if present(group) and not group.get("servers"):
            inventory_group = settings["proxysql_mysql_inventory_group"]
            yield (
                f"the group with writer_hostgroup {group.get('writer_hostgroup', '?')} in proxysql_hostgroups has no servers; is the "
                f"inventory group {inventory_group} (proxysql_mysql_inventory_group) empty?"
            )
    try:
        desired = [desired_group(dict(group)) for group in groups]
        check_desired(desired)
        check_conflicts(desired, resolve(desired, Layer({}, {})))
    except Refusal as error:
        yield f"proxysql_hostgroups: {error}"
    except (TypeError, ValueError) as error:
        yield f"proxysql_hostgroups: an entry has a value of the wrong kind ({error})."


def user_problems(users: Sequence[dict[str, Any]]) -> Iterator[str]:
    for user in users:
        if present(user):
            option = f"password of {user['username']} in proxysql_users"
            if not text(user.get("password")):
                yield f"password is not set for {user['username']} in proxysql_users; it has no default, give it a value (in a vault)."
            else:
                yield password_problem(option, user["password"], hashes=True)


def rule_problems(rules: Sequence[dict[str, Any]]) -> Iterator[str]:
    for rule in rules:
        rule_id = number(rule.get("rule_id"))
        if rule_id is None or not 0 < rule_id < OWN_RULES:
            yield f"an entry of proxysql_query_rules has the rule_id {rule.get('rule_id', '(none)')}; allowed are 1 to {OWN_RULES - 1}."


def variable_problems(variables: dict[str, Any]) -> Iterator[str]:
    for name, value in variables.items():
        if not re.match("(mysql|pgsql|admin)-", name) or not text(value):
            shown = "…" if SECRET.search(name) else value
            yield (
                f'proxysql_variables has {name} with the value "{shown}"; allowed are variables that begin with mysql-, pgsql- or admin-, '
                "with a value that is not empty."
            )
        if name in OWN_VARIABLES:
            yield f"proxysql_variables has {name}; set it by {OWN_VARIABLES[name]}."


def packages_problems(settings: dict[str, Any]) -> Iterator[str]:
    if settings["proxysql_install_method"] == "package":
        needed = " with proxysql_install_method package"
        yield from package_problems("proxysql_package", settings["proxysql_package"] or {}, needed)
    if settings["proxysql_library_package"]:
        yield from package_problems("proxysql_library_package", settings["proxysql_library_package"])


def firewall_problems(settings: dict[str, Any], known: Sequence[str]) -> Iterator[str]:
    if (settings.get("proxysql_firewall") or "none") != "none":
        for option in ("proxysql_firewall_clients", "proxysql_firewall_admin_clients"):
            yield from sources_problems(settings[option], option, known)


def monitoring_problems(settings: dict[str, Any]) -> list[str]:
    """What stands against proxysql_monitoring."""
    if not true(settings.get("proxysql_monitoring")):
        return []
    problems = list(path_problems("proxysql_monitoring_textfiles", settings.get("proxysql_monitoring_textfiles")))
    if not true(settings.get("proxysql_monitoring_exporters")):
        return problems
    return problems + endpoint_problems(
        {name: settings.get(f"proxysql_monitoring_{name}") for name in ("hosts", "user", "password")}, "proxysql"
    )


def clusters(hosts: Sequence[str], hostvars: Any) -> dict[str, Cluster]:
    """What the inventory says of the cluster of each declared member, by its SQL address."""
    declared = [host for host in hosts if text(hostvars[host].get("mysql_gr_server_id"))]
    return {
        member["sql"]: Cluster(
            hostvars[member["name"]].get("mysql_gr_writers") or DEFAULT,
            hostvars[member["name"]].get("mysql_gr_writers_exceptions") or (),
        )
        for member in gr_members(declared, hostvars)
    }


def proxysql_preflight(
    settings: dict[str, Any],
    host: str,
    peers: Sequence[str],
    hosts: Sequence[str] = (),
    hostvars: Any = None,
    groups: Sequence[str] = (),
) -> list[str]:
    clustered = true(settings["proxysql_cluster"])
    names = ["proxysql_admin_user", "proxysql_admin_password", "proxysql_stats_user", "proxysql_stats_password"]
    names += ["proxysql_cluster_user", "proxysql_cluster_password"] if clustered else []
    bad_groups = list(hostgroup_problems(settings))
    found = [
        *password_problems(settings, {name: settings.get(name) for name in names}),
        *(cluster_problems(settings, host, peers) if clustered else ()),
        *address_problems(settings),
        *certificate_problems(settings),
        *monitor_problems(settings),
        *bad_groups,
        *user_problems(settings["proxysql_users"]),
        *(() if bad_groups else proxy_problems(settings, clusters(hosts, hostvars))),
        *rule_problems(settings["proxysql_query_rules"]),
        *variable_problems(settings["proxysql_variables"]),
        *packages_problems(settings),
        *firewall_problems(settings, [*groups, *hosts]),
        *monitoring_problems(settings),
        *virtual_problems(settings, host, peers, hosts, hostvars),
    ]
    return [sentence for sentence in found if sentence]


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"proxysql_preflight": proxysql_preflight}
