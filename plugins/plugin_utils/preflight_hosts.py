# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against hosts, as they were seen, becoming or staying members. Pure functions; nobody is asked.

Private to this collection.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import format_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.facts import writers
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.versions import (
    VersionError,
    check_version,
    has_persist,
)
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils import communication_stack, monitoring
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.networks import ip_address
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.option_lines import option_lines, to_bytes
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.preflight_variables import listed, shared
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.server_options import plain_name
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.writers import CHOICES

Probe = Dict[str, Any]
IN_GROUP = ("ONLINE", "RECOVERING")
OLDEST_PYTHON = (3, 8)


def in_group(probe: Mapping[str, Any]) -> bool:
    return (probe.get("sql") or {}).get("state") in IN_GROUP


def uuid_findings(probes: dict[str, Probe]) -> tuple[list[str], list[str]]:
    """(problems, hosts that need a new uuid) from servers that share their server_uuid, as machines cloned from one another do."""
    problems: list[str] = []
    renew: list[str] = []
    pairs = (
        (host, (probe.get("sql", {}).get("uuid") or probe["uuid"]).lower()) for host, probe in sorted(probes.items())
    )
    for value, hosts in shared(pair for pair in pairs if pair[1]):
        holders = [
            h
            for h in hosts
            if probes[h]["relay_logs"]
            or probes[h].get("sql", {}).get("has_transactions")
            or (probes[h].get("data") or {}).get("schemas")
            or in_group(probes[h])
        ]
        unknown = [h for h in hosts if h not in holders and not probes[h].get("sql", {}).get("uuid")]
        named = f"server_uuid {value} belongs to the servers of {listed(hosts)} (machines cloned from one another?)"
        if len(holders) > 1:
            problems.append(
                f"{named}, and {listed(holders)} hold data of a group: only one of them can keep it; set the others up anew."
            )
        elif unknown:
            problems.append(
                f"{named}, and the server of {listed(unknown)} does not run, so that it cannot be seen whether it holds data of a group:"
                " start it and run again."
            )
        else:
            keep = holders[0] if holders else hosts[0]
            renew += [h for h in hosts if h != keep]
    return problems, renew


def guard_problems(name: str, version: str, wishes: dict[str, Any]) -> list[str]:
    """What stands against a guard. A member that is taken out says so to it by a persisted variable."""
    try:
        if wishes["guard"] == "false" or not version or has_persist(version):
            return []
    except VersionError:
        return []  # said elsewhere
    return [f"{name} has MySQL {version}; mysql_gr_guard {wishes['guard']!r} needs 8.0.11 or newer."]


def host_problems(
    member: dict[str, Any], members: list[dict[str, Any]], probe: Probe, wishes: dict[str, Any]
) -> list[str]:
    """What stands against this host, as it was seen."""
    name = member["name"]
    if probe["os"]["family"] not in wishes["families"]:
        return [f"{name} runs {probe['os']['name']}; supported are the families of Debian and Ubuntu."]
    problems = []
    if tuple(probe["python"]) < OLDEST_PYTHON:
        problems.append(f"{name} has Python {'.'.join(map(str, probe['python']))}; needed is 3.8 or newer.")
    mariadb = [package for package in ("mariadb-server", "mariadb-server-core") if probe["packages"].get(package)]
    if mariadb:
        problems.append(
            f"{name} has the package {mariadb[0]}; MariaDB has no Group Replication and shares files with MySQL: remove it first."
        )
    if probe["address_is_local"] is False:
        problems.append(f"mysql_gr_address of {name} is {member['address']!r}, which is not an address of that host.")
    problems += name_problems(member, members, probe)
    problems += port_problems(member, probe, wishes["stack"])
    problems += exporter_problems(name, probe, wishes)
    problems += package_problems(name, probe, wishes)
    problems += settings_problems(name, probe["version"] or wishes["version_expected"], wishes)
    problems += guard_problems(name, probe["version"] or wishes["version_expected"], wishes)
    problems += memory_problems(name, probe, wishes)
    problems += server_problems(name, probe, wishes)
    return problems + undeclared_problems(members, probe, wishes)


def name_problems(member: dict[str, Any], members: list[dict[str, Any]], probe: Probe) -> list[str]:
    """Names of members that do not lead from this host to where the member is."""
    if len(members) == 1:
        return []
    name = member["name"]
    problems = []
    for other in members:
        if other["kind"] != "name":
            continue
        found = probe["resolved"].get(other["address"], [])
        loopback = [text for text in found if ip_address(text).is_loopback()]
        if other is member:
            named = f"mysql_gr_address of {name} is {member['address']!r}, which"
            if not found:
                problems.append(f"{named} {name} itself cannot resolve.")
            elif loopback:
                problems.append(
                    f"{named} is {loopback[0]} on {name} itself, where no other member reaches it (see its /etc/hosts)."
                )
        elif not found:
            problems.append(f"{name} cannot resolve {other['address']!r}, the mysql_gr_address of {other['name']}.")
        elif loopback:
            problems.append(
                f"{other['address']!r}, the mysql_gr_address of {other['name']}, is {loopback[0]} on {name} (see its /etc/hosts)."
            )
    return problems


def package_problems(name: str, probe: Probe, wishes: dict[str, Any]) -> list[str]:
    problems = []
    if wishes["install_method"] == "package" and not probe["packages"].get("python3-pymysql"):
        files = [
            str(package.get("path") or package.get("url") or "").rpartition("/")[2] for package in wishes["packages"]
        ]
        if not any(file.startswith("python3-pymysql") for file in files):
            problems.append(f"{name} has no python3-pymysql, and mysql_gr_packages does not contain it.")
    if not probe["version"] and wishes["install_method"] == "distribution" and probe["package_lists"]:
        problems.append(
            f"{name} runs {probe['os']['name']}, whose package lists have no mysql-server: set mysql_gr_install_method to repository or package."
        )
    return problems


def memory_problems(name: str, probe: Probe, wishes: dict[str, Any]) -> list[str]:
    sizes = wishes["memory"]
    needed = 0
    for size in ("base", "buffer_pool", "message_cache"):
        bytes_ = to_bytes(sizes[size])
        if not re.match(r"^\d+$", str(bytes_)):
            own = "innodb_buffer_pool_size" in {plain_name(option) for option in wishes["settings"] or {}}
            option = {
                "buffer_pool": "mysql_gr_settings: innodb_buffer_pool_size"
                if own
                else "mysql_gr_innodb_buffer_pool_size",
                "message_cache": "mysql_gr_message_cache_size",
            }.get(size, size)
            return [f"{option} is {sizes[size]!r}; allowed is a size such as 128M."]
        needed += int(bytes_)
    if not probe["memory"] or probe["memory"] >= needed:
        return []
    return [
        f"{name} has {probe['memory'] >> 20} MB of memory, and the settings need about {needed >> 20} MB (buffer pool {sizes['buffer_pool']},"
        f" message cache {sizes['message_cache']}, the server itself {sizes['base']}): give it more, or set mysql_gr_machine to small or smaller sizes."
    ]


def port_problems(member: dict[str, Any], probe: Probe, stack: str) -> list[str]:
    problems = []
    for used in probe["ports"]:
        if used["port"] not in (member["port"], member["local_port"]):
            continue  # an exporter's
        if used["port"] != member["port"] and stack != "XCOM":
            continue  # no port of the group's own is opened
        option = "mysql_gr_port" if used["port"] == member["port"] else "mysql_gr_local_port"
        if used["process"] != "mysqld":
            problems.append(
                f"{option} of {member['name']} is {used['port']}, which {used['process'] or 'another program'} uses there."
            )
        elif probe["service"]["active"] not in ("active", "activating", "deactivating", "reloading"):
            problems.append(
                f"{option} of {member['name']} is {used['port']}, which a mysqld uses there that the service does not run."
            )
    return problems


def exporter_problems(name: str, probe: Probe, wishes: dict[str, Any]) -> list[str]:
    """What stands against exporters on this host."""
    wanted = wishes.get("monitoring") or {}
    if not wanted.get("on") or not wanted["exporters"]:
        return []
    used = {found["port"]: found["process"] for found in probe["ports"]}
    return monitoring.port_problems(name, used, wanted["there"], "mysql_gr", monitoring.PORTS)


def settings_problems(name: str, version: str, wishes: dict[str, Any]) -> list[str]:
    if not version:
        return []
    try:
        check_version(version)
        option_lines(version, wishes["strict"], wishes["preferred"], wishes["extra"])
    except VersionError as error:
        return [f"{name}: {str(error).rstrip('.')}."]
    return []


def undeclared_problems(members: list[dict[str, Any]], probe: Probe, wishes: dict[str, Any]) -> list[str]:
    """Members of the living group that the inventory does not know: nothing that is done here would count with them."""
    if not in_group(probe):
        return []
    declared = {member["sql"] for member in members}
    seen = [format_address(host, port) for host, port in probe["sql"].get("seen", [])]
    return [
        f"{address} is a member of the group and not declared in the inventory group {wishes['inventory_group']!r}: declare it, or declare it for"
        " the last time and remove it with the playbook distdb.mysql_ha.remove_member."
        for address in seen
        if address not in declared
    ]


def server_problems(name: str, probe: Probe, wishes: dict[str, Any]) -> list[str]:
    sql = probe["sql"]
    if sql.get("error"):
        return [
            f"The server of {name} runs but could not be asked as {wishes['login_user']!r} through {wishes['login_unix_socket']}: {sql['error']}"
        ]
    if not in_group(probe):
        return []
    problems = []
    if sql["group_name"].lower() != str(wishes["group_name"]).lower():
        problems.append(
            f"{name} is {sql['state']} in the group {sql['group_name']}, but mysql_gr_group_name is {wishes['group_name']!r}."
        )
    if sql["single_primary"] is not None:
        running = writers(sql["single_primary"], bool(sql["update_everywhere_checks"]))
        if running != wishes["writers"]:
            problems.append(
                f"The group of {name} runs as mysql_gr_writers {running} ({CHOICES[running].described}), but mysql_gr_writers is"
                f" {wishes['writers']!r}: the playbook distdb.mysql_ha.switch_mode moves a running group, this one does not."
            )
    return problems + communication_stack.problems(name, probe, wishes["communication_stack"])
