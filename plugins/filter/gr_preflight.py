# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_preflight
short_description: What stands against making a host a member of its group
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the role P(distdb.mysql_ha.mysql_gr#role) before it changes anything. A pure function of the declared members, of what was seen on
    the hosts that take part in the play, and of the role's variables.
  - It asks nobody itself.
positional: probes, wishes
options:
  _input:
    description: The declared members, as P(distdb.mysql_ha.gr_members#filter) makes them.
    type: list
    elements: dict
    required: true
  probes:
    description: What the role's probe saw, by host; hosts outside the play are missing.
    type: dict
    required: true
  wishes:
    description: >-
      The role's variables for this host, without their prefix, and what the role works out itself (see roles/mysql_gr/tasks/preflight.yml).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Look for what stands against it
  ansible.builtin.set_fact:
    found: "{{ members | distdb.mysql_ha.gr_preflight(probes, wishes) }}"
"""

RETURN = r"""
_value:
  description: >-
    C(problems): sentences, none when all is well; C(new_uuid): hosts whose server shares its C(server_uuid) with another one and holds no
    data of a group, so that it can be given a new one.
  type: dict
"""

import ipaddress
import re
import uuid

from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_settings import gr_settings, to_bytes
from ansible_collections.distdb.mysql_ha.plugins.module_utils.gr_versions import VersionError, check_version

LARGEST_GROUP = 9
IN_GROUP = ("ONLINE", "RECOVERING")
# What CHANGE REPLICATION SOURCE takes; MySQL cuts nothing off, it refuses.
LONGEST_RECOVERY_PASSWORD = 32
LONGEST_ACCOUNT = 32
CHECKSUM = re.compile(r"^(sha256:[0-9a-fA-F]{64}|sha512:[0-9a-fA-F]{128})$")
# Options that follow from variables of the role: written elsewhere they would contradict them.
OWN_OPTIONS = {
    "server_id": "mysql_gr_server_id",
    "port": "mysql_gr_port",
    "report_port": "mysql_gr_port",
    "report_host": "mysql_gr_address",
    "bind_address": "mysql_gr_bind_address",
    "group_name": "mysql_gr_group_name",
    "local_address": "mysql_gr_address and mysql_gr_local_port",
    "group_seeds": "the members in the inventory",
    "ip_allowlist": "the members in the inventory",
    "single_primary_mode": "mysql_gr_single_primary",
    "enforce_update_everywhere_checks": "mysql_gr_single_primary",
    "start_on_boot": "mysql_gr_start_on_boot",
    "ssl_mode": "mysql_gr_ssl_mode",
    "recovery_use_ssl": "nothing: the recovery channel always uses TLS",
}


def listed(names):
    names = [str(name) for name in names]
    return names[0] if len(names) == 1 else "{0} and {1}".format(", ".join(names[:-1]), names[-1])


def shared(pairs):
    """(value, names) for every value that more than one name has."""
    found = {}
    for name, value in pairs:
        found.setdefault(value, []).append(name)
    return [(value, names) for value, names in found.items() if len(names) > 1]


def member_problems(members, inventory_group):
    if not members:
        return ["mysql_gr_inventory_group: the inventory group {0!r} has no hosts.".format(inventory_group)]
    problems = []
    if len(members) > LARGEST_GROUP:
        problems.append(
            "{0} members are declared in the inventory group {1!r}; a group has at most {2}.".format(
                len(members), inventory_group, LARGEST_GROUP
            )
        )
    for member in members:
        problems += address_problems(member, len(members))
        for option in ("port", "local_port"):
            value = member[option]
            if not isinstance(value, int) or not 1 <= value <= 65535:
                problems.append(
                    "mysql_gr_{0} of {1} is {2!r}; allowed is a port from 1 to 65535.".format(
                        option, member["name"], value
                    )
                )
        if member["port"] == member["local_port"]:
            problems.append(
                "mysql_gr_port and mysql_gr_local_port of {0} are both {1}; they must differ.".format(
                    member["name"], member["port"]
                )
            )
        value = member["server_id"]
        if value is None:
            problems.append(
                "mysql_gr_server_id of {0} is missing; allowed is a number from 1 to 4294967295.".format(member["name"])
            )
        elif not isinstance(value, int) or not 1 <= value <= 4294967295:
            problems.append(
                "mysql_gr_server_id of {0} is {1!r}; allowed is a number from 1 to 4294967295.".format(
                    member["name"], value
                )
            )
    for value, names in shared((m["name"], m["server_id"]) for m in members if m["server_id"] is not None):
        problems.append(
            "mysql_gr_server_id {0} belongs to {1}; every member needs a number of its own.".format(
                value, listed(names)
            )
        )
    for what in ("sql", "group"):
        for value, names in shared((m["name"], m[what]) for m in members if m["kind"] != "invalid"):
            problems.append(
                "{0} is the address of {1} (mysql_gr_address); every member needs an address of its own.".format(
                    value, listed(names)
                )
            )
    return problems


def address_problems(member, size):
    named = "mysql_gr_address of {0} is {1!r}".format(member["name"], member["address"])
    if member["kind"] == "invalid":
        return ["{0}; allowed is an IPv4 address, an IPv6 address, or a host name, without a port.".format(named)]
    if member["kind"] == "name":
        if size > 1 and member["address"].split(".")[0] == "localhost":
            return ["{0}; the other members cannot reach it there.".format(named)]
        return []
    address = ipaddress.ip_address(member["address"].partition("%")[0])
    if address.is_multicast or address.is_unspecified or member["address"] == "255.255.255.255":
        return ["{0}, which is no address of a host.".format(named)]
    if member["kind"] == "ipv6" and address.is_link_local:
        return ["{0}, a link-local address, which a group cannot use.".format(named)]
    if size > 1 and address.is_loopback:
        return ["{0}; the other members cannot reach it there.".format(named)]
    return []


def is_uuid(text):
    try:
        return str(uuid.UUID(str(text))) == str(text).lower() and int(uuid.UUID(str(text))) != 0
    except ValueError:
        return False


def variable_problems(wishes):
    problems = []
    if not is_uuid(wishes["group_name"]):
        problems.append(
            "mysql_gr_group_name is {0!r}; allowed is a UUID such as 8f22f846-9922-4139-b2b7-097d185a93cb (uuidgen makes one).".format(
                wishes["group_name"]
            )
        )
    for variable, value in wishes["secrets"].items():
        if not str(value or ""):
            problems.append("{0} is missing or empty; no password has a default.".format(variable))
    if len(str(wishes["secrets"].get("mysql_gr_recovery_password") or "")) > LONGEST_RECOVERY_PASSWORD:
        problems.append(
            "mysql_gr_recovery_password is too long; the replication channel takes at most {0} characters.".format(
                LONGEST_RECOVERY_PASSWORD
            )
        )
    for variable, value in wishes["accounts"].items():
        if not value or len(str(value)) > LONGEST_ACCOUNT:
            problems.append("{0} is {1!r}; allowed are 1 to {2} characters.".format(variable, value, LONGEST_ACCOUNT))
    for value, names in shared(wishes["accounts"].items()):
        problems.append(
            "{0} are both {1!r}; each account has its own task and needs its own name.".format(listed(names), value)
        )
    problems += user_problems(wishes)
    tls = wishes["tls"]
    if tls["mode"] != "REQUIRED" and not tls["ca"]:
        problems.append("mysql_gr_ssl_mode is {0!r}, which needs mysql_gr_tls_ca.".format(tls["mode"]))
    if bool(tls["cert"]) != bool(tls["key"]):
        problems.append("mysql_gr_tls_cert and mysql_gr_tls_key belong together; only one of them is set.")
    if wishes["forks"] < len(wishes["acting"]):
        problems.append(
            "{0} members take part in this play, but Ansible works on {1} hosts at a time, and members wait for each other: run with"
            " --forks {0} or more.".format(len(wishes["acting"]), wishes["forks"])
        )
    if wishes["install_method"] == "package":
        problems += package_problems(wishes["packages"])
    if wishes["install_method"] == "repository" and wishes["series"] not in wishes["series_known"]:
        problems.append(
            "mysql_gr_series is {0!r}; allowed are {1}.".format(
                wishes["series"], listed(sorted(wishes["series_known"]))
            )
        )
    for option in wishes["settings"] or {}:
        name = re.sub(r"^(loose_)?(group_replication_)?", "", str(option).replace("-", "_"))
        if name in OWN_OPTIONS:
            problems.append("mysql_gr_settings contains {0}, which follows from {1}.".format(option, OWN_OPTIONS[name]))
    return problems


def user_problems(wishes):
    problems = []
    for index, user in enumerate(wishes["users"] or []):
        named = "mysql_gr_users[{0}]".format(index)
        if not user.get("name"):
            problems.append("{0}.name is missing.".format(named))
        elif len(str(user["name"])) > LONGEST_ACCOUNT:
            problems.append(
                "{0}.name is {1!r}; allowed are 1 to {2} characters.".format(named, user["name"], LONGEST_ACCOUNT)
            )
        if user.get("state", "present") == "present" and not str(user.get("password") or ""):
            problems.append(
                "{0}.password ({1}) is missing or empty; no password has a default.".format(
                    named, user.get("name", "without a name")
                )
            )
        for variable, value in wishes["accounts"].items():
            if user.get("name") == value:
                problems.append(
                    "{0}.name is {1!r}, which is also {2}; each account needs its own name.".format(
                        named, value, variable
                    )
                )
    return problems


def package_problems(packages):
    if not packages:
        return ["mysql_gr_packages is empty; mysql_gr_install_method package needs the package files."]
    problems = []
    for index, package in enumerate(packages):
        named = "mysql_gr_packages[{0}]".format(index)
        if bool(package.get("url")) == bool(package.get("path")):
            problems.append("{0} needs either url or path.".format(named))
        if not CHECKSUM.match(str(package.get("checksum") or "")):
            problems.append("{0} needs a checksum, written sha256:… or sha512:… in hexadecimal digits.".format(named))
    return problems


def in_group(probe):
    return probe.get("sql", {}).get("state") in IN_GROUP


def uuid_findings(probes):
    """(problems, hosts that need a new uuid) from servers that share their server_uuid, as machines cloned from one another do."""
    problems, renew = [], []
    pairs = (
        (host, (probe.get("sql", {}).get("uuid") or probe["uuid"]).lower()) for host, probe in sorted(probes.items())
    )
    for value, hosts in shared(pair for pair in pairs if pair[1]):
        holders = [
            h
            for h in hosts
            if probes[h]["relay_logs"] or probes[h].get("sql", {}).get("has_transactions") or in_group(probes[h])
        ]
        unknown = [h for h in hosts if h not in holders and not probes[h].get("sql", {}).get("uuid")]
        named = "server_uuid {0} belongs to the servers of {1} (machines cloned from one another?)".format(
            value, listed(hosts)
        )
        if len(holders) > 1:
            problems.append(
                "{0}, and {1} hold data of a group: only one of them can keep it; set the others up anew.".format(
                    named, listed(holders)
                )
            )
        elif unknown:
            problems.append(
                "{0}, and the server of {1} does not run, so that it cannot be seen whether it holds data of a group:"
                " start it and run again.".format(named, listed(unknown))
            )
        else:
            keep = holders[0] if holders else hosts[0]
            renew += [h for h in hosts if h != keep]
    return problems, renew


def host_problems(member, probe, wishes):
    """What stands against this host, as it was seen."""
    problems = []
    name = member["name"]
    families = [probe["os"]["id"]] + list(probe["os"]["like"])
    if not {"debian", "ubuntu"} & set(families):
        return ["{0} runs {1}; supported are the families of Debian and Ubuntu.".format(name, probe["os"]["name"])]
    if tuple(probe["python"]) < (3, 8):
        problems.append("{0} has Python {1}; needed is 3.8 or newer.".format(name, ".".join(map(str, probe["python"]))))
    for package in ("mariadb-server", "mariadb-server-core"):
        if probe["packages"].get(package):
            problems.append(
                "{0} has the package {1}; MariaDB has no Group Replication and shares files with MySQL: remove it first.".format(
                    name, package
                )
            )
            break
    if probe["address_is_local"] is False:
        problems.append(
            "mysql_gr_address of {0} is {1!r}, which is not an address of that host.".format(name, member["address"])
        )
    problems += port_problems(member, probe)
    if wishes["install_method"] == "package" and not probe["packages"].get("python3-pymysql"):
        names = [
            str(package.get("path") or package.get("url") or "").rpartition("/")[2] for package in wishes["packages"]
        ]
        if not any(file.startswith("python3-pymysql") for file in names):
            problems.append("{0} has no python3-pymysql, and mysql_gr_packages does not bring it.".format(name))
    version = probe["version"]
    if not version and not probe["installed"]:
        if wishes["install_method"] == "distribution" and probe["package_lists"]:
            problems.append(
                "{0} runs {1}, whose package lists have no mysql-server: set mysql_gr_install_method to repository or"
                " package.".format(name, probe["os"]["name"])
            )
        version = wishes["version_expected"]
    problems += settings_problems(name, version, wishes)
    needed = (
        to_bytes(wishes["memory"]["base"])
        + to_bytes(wishes["memory"]["buffer_pool"])
        + to_bytes(wishes["memory"]["message_cache"])
    )
    if probe["memory"] and probe["memory"] < needed:
        problems.append(
            "{0} has {1} MB of memory, and the settings need about {2} MB (buffer pool {3}, message cache {4}, the server itself {5}):"
            " give it more, or set mysql_gr_machine to small or smaller sizes.".format(
                name,
                probe["memory"] >> 20,
                needed >> 20,
                wishes["memory"]["buffer_pool"],
                wishes["memory"]["message_cache"],
                wishes["memory"]["base"],
            )
        )
    return problems + server_problems(name, probe, wishes)


def port_problems(member, probe):
    problems = []
    for used in probe["ports"]:
        option = "mysql_gr_port" if used["port"] == member["port"] else "mysql_gr_local_port"
        if used["process"] != "mysqld":
            problems.append(
                "{0} of {1} is {2}, which {3} uses there.".format(
                    option, member["name"], used["port"], used["process"] or "another program"
                )
            )
        elif probe["service"]["active"] not in ("active", "activating", "deactivating", "reloading"):
            problems.append(
                "{0} of {1} is {2}, which a mysqld uses there that the service does not run.".format(
                    option, member["name"], used["port"]
                )
            )
    return problems


def settings_problems(name, version, wishes):
    if not version:
        return []
    try:
        check_version(version)
        gr_settings(version, wishes["strict"], wishes["preferred"], wishes["extra"])
    except (VersionError, AnsibleFilterError) as error:
        return ["{0}: {1}.".format(name, str(error).rstrip("."))]
    return []


def server_problems(name, probe, wishes):
    sql = probe["sql"]
    if sql.get("error"):
        return [
            "The server of {0} runs but could not be asked as {1!r} through {2}: {3}".format(
                name, wishes["login_user"], wishes["login_unix_socket"], sql["error"]
            )
        ]
    if not in_group(probe):
        return []
    problems = []
    if sql["group_name"].lower() != str(wishes["group_name"]).lower():
        problems.append(
            "{0} is {1} in the group {2}, but mysql_gr_group_name is {3!r}.".format(
                name, sql["state"], sql["group_name"], wishes["group_name"]
            )
        )
    if sql["single_primary"] is not None and sql["single_primary"] is not bool(wishes["single_primary"]):
        modes = {True: "single-primary", False: "multi-primary"}
        problems.append(
            "The group of {0} runs in {1} mode, but mysql_gr_single_primary asks for {2} mode: a restart cannot change it; switch the"
            " running group with the module group_replication_primary first.".format(
                name, modes[sql["single_primary"]], modes[bool(wishes["single_primary"])]
            )
        )
    return problems


def gr_preflight(members, probes, wishes):
    problems = member_problems(members, wishes["inventory_group"]) + variable_problems(wishes)
    found, renew = uuid_findings(probes)
    problems += found
    if len({str(group).lower() for group in wishes["group_names"].values()}) > 1:
        problems.append(
            "mysql_gr_group_name differs between {0}, which form one group.".format(
                listed(sorted(wishes["group_names"]))
            )
        )
    for member in members:
        if member["name"] == wishes["host"] and member["name"] in probes:
            problems += host_problems(member, probes[member["name"]], wishes)
    return {"problems": problems, "new_uuid": renew}


class FilterModule:
    def filters(self):
        return {"gr_preflight": gr_preflight}
