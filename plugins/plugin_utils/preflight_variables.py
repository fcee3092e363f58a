# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands against the inventory and the variables of the role mysql_gr. No server is asked.

Private to this collection.
"""

from __future__ import annotations

import re
import uuid
from typing import Any, Dict, Iterable, List

from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.said import EVIDENCE, MAJORITY
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils import writers
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.firewall import sources_problems
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.hardening import hardening_problems
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.monitoring import (
    account_password_problems,
    endpoint_problems,
)
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.networks import ip_address
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.package_files import package_problems

LARGEST_GROUP = 9
# What CHANGE REPLICATION SOURCE takes; MySQL cuts nothing off, it refuses.
LONGEST_RECOVERY_PASSWORD = 32
LONGEST_ACCOUNT = 32
# What MySQL can require of a client's certificate and connection, besides TLS itself.
TLS_REQUIRES = ("x509", "subject", "issuer", "cipher")
# They stand in unit files and option files without quoting.
PATH = re.compile(r"^/[A-Za-z0-9._@+/-]+$")
# Addresses, names, and what MySQL takes besides: wildcards and netmasks.
HOST_PART = re.compile(r"^[A-Za-z0-9._:%/-]+$")
Members = List[Dict[str, Any]]
Wishes = Dict[str, Any]
# Options that follow from variables of the role: written elsewhere they would contradict them.
OWN_OPTIONS = {
    "server_id": "mysql_gr_server_id",
    "port": "mysql_gr_port",
    "report_port": "mysql_gr_port",
    "report_host": "mysql_gr_address",
    "bind_address": "mysql_gr_bind_address",
    "group_name": "mysql_gr_group_name",
    "local_address": "mysql_gr_address and mysql_gr_local_port",
    "communication_stack": "mysql_gr_communication_stack",
    "group_seeds": "the members in the inventory",
    "ip_allowlist": "the members in the inventory",
    "single_primary_mode": "mysql_gr_writers",
    "enforce_update_everywhere_checks": "mysql_gr_writers",
    "consistency": "mysql_gr_writers and mysql_gr_consistency",
    "member_expel_timeout": "mysql_gr_writers and mysql_gr_member_expel_timeout",
    "start_on_boot": "mysql_gr_start_on_boot",
    "ssl_mode": "mysql_gr_tls and mysql_gr_ssl_mode",
    "recovery_use_ssl": "nothing: the recovery channel always uses TLS",
}


def listed(names: Iterable[Any]) -> str:
    words = [str(name) for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def shared(pairs: Iterable[tuple[Any, Any]]) -> list[tuple[Any, list[Any]]]:
    """(value, names) for every value that more than one name has."""
    found: dict[Any, list[Any]] = {}
    for name, value in pairs:
        found.setdefault(value, []).append(name)
    return [(value, names) for value, names in found.items() if len(names) > 1]


def evidence_problems(guard: str, evidence: str, evidences: list[str]) -> list[str]:
    """What stands against mysql_gr_guard_evidence."""
    if evidence not in EVIDENCE:
        return [f"mysql_gr_guard_evidence is {evidence!r}; allowed are {listed(EVIDENCE)}."]
    problems = []
    if len(evidences) > 1:
        problems.append(f"mysql_gr_guard_evidence differs between members ({listed(evidences)}); all need the same.")
    if evidence == MAJORITY and guard != "full":
        problems.append(
            f"mysql_gr_guard_evidence is 'majority', and mysql_gr_guard is {guard!r}; only a guard that is 'full' starts a group."
        )
    return problems


def site_problems(wishes: Wishes) -> list[str]:
    """What stands against mysql_gr_other_site."""
    other = wishes.get("other_site")
    if not other:
        return []
    problems = []
    if other not in wishes["other_sites"]:
        problems.append(
            f"mysql_gr_other_site is {other!r}; allowed is the inventory group of another cluster of this inventory."
        )
    if wishes["writers"] != "primary":
        problems.append(
            f"mysql_gr_other_site is {other!r}, and mysql_gr_writers is {wishes['writers']!r}: in multi-primary mode members open themselves. Allowed is "
            "'primary'."
        )
    problems += secret_problems("mysql_gr_site_password", wishes["site_password"])
    if len(str(wishes["site_password"] or "")) > LONGEST_RECOVERY_PASSWORD:
        problems.append(
            f"mysql_gr_site_password is too long; the replication channel takes at most {LONGEST_RECOVERY_PASSWORD} characters."
        )
    if any(str(option).replace("-", "_") == "init_file" for option in wishes["settings"] or {}):
        problems.append("mysql_gr_settings contains init_file, which follows from mysql_gr_other_site.")
    return problems


def monitoring_problems(wishes: Wishes) -> list[str]:
    """What stands against mysql_gr_monitoring."""
    wanted = wishes.get("monitoring") or {}
    if len(wanted.get("all", [])) > 1:
        return [
            f"mysql_gr_monitoring is {listed(wanted['all'])} on members of one group; it has to be the same on all."
        ]
    if not wanted.get("on"):
        return []
    problems = list(account_password_problems("mysql_gr_exporter_password", wanted["account_password"]))
    if not wanted["exporters"]:
        return problems
    if wishes["tls"]["kind"] == "server":
        problems.append(
            "mysql_gr_monitoring is true, and mysql_gr_tls is 'server': exporters show the member's certificate, which has to be one that can be verified."
            " Allowed are own_ca and given (the playbook distdb.mysql_ha.renew_certificates moves a running group), or mysql_gr_monitoring_exporters false."
        )
    return problems + endpoint_problems(wanted, "mysql_gr")


def member_problems(members: Members, inventory_group: str, stack: str = "XCOM") -> list[str]:
    if not members:
        return [f"mysql_gr_inventory_group: the inventory group {inventory_group!r} has no hosts."]
    problems = []
    if len(members) > LARGEST_GROUP:
        problems.append(
            f"{len(members)} members are declared in the inventory group {inventory_group!r}; a group has at most {LARGEST_GROUP}."
        )
    for member in members:
        name = member["name"]
        problems += address_problems(member, len(members))
        for option in ("port", "local_port"):
            value = member[option]
            if not isinstance(value, int) or not 1 <= value <= 65535:
                problems.append(f"mysql_gr_{option} of {name} is {value!r}; allowed is a port from 1 to 65535.")
        if member["port"] == member["local_port"] and stack == "XCOM":
            problems.append(
                f"mysql_gr_port and mysql_gr_local_port of {name} are both {member['port']}; they must differ."
            )
        value = member["server_id"]
        if value is None:
            problems.append(f"mysql_gr_server_id of {name} is missing; allowed is a number from 1 to 4294967295.")
        elif not isinstance(value, int) or not 1 <= value <= 4294967295:
            problems.append(f"mysql_gr_server_id of {name} is {value!r}; allowed is a number from 1 to 4294967295.")
    for value, names in shared((m["name"], m["server_id"]) for m in members if m["server_id"] is not None):
        problems.append(
            f"mysql_gr_server_id {value} belongs to {listed(names)}; every member needs a number of its own."
        )
    for what in ("sql", "group"):
        for value, names in shared((m["name"], m[what]) for m in members if m["kind"] != "invalid"):
            problems.append(
                f"{value} is the address of {listed(names)} (mysql_gr_address); every member needs an address of its own."
            )
    return problems


def address_problems(member: dict[str, Any], size: int) -> list[str]:
    named = f"mysql_gr_address of {member['name']} is {member['address']!r}"
    if member["kind"] == "invalid":
        return [f"{named}; allowed is an IPv4 address, an IPv6 address, or a host name, without a port."]
    if member["kind"] == "name":
        if size > 1 and member["address"].split(".")[0] == "localhost":
            return [f"{named}; the other members cannot reach it there."]
        return []
    address = ip_address(member["address"])
    if address.is_multicast() or int(address) == 0 or member["address"] == "255.255.255.255":
        return [f"{named}, which is no address of a host."]
    if member["kind"] == "ipv6" and address.is_link_local():
        return [f"{named}, a link-local address, which a group cannot use."]
    if size > 1 and address.is_loopback():
        return [f"{named}; the other members cannot reach it there."]
    return []


def is_uuid(text: object) -> bool:
    try:
        return str(uuid.UUID(str(text))) == str(text).lower() and int(uuid.UUID(str(text))) != 0
    except ValueError:
        return False


def secret_problems(named: str, value: object) -> list[str]:
    """What stands against a password; it is not shown itself."""
    if value is None or value == "":
        return [f"{named} is missing or empty; no password has a default."]
    if isinstance(value, (list, tuple, dict, bool)):
        return [f"{named} is a {type(value).__name__}; allowed is a string."]
    if re.search(r"[\r\n\0]", str(value)):
        return [f"{named} contains a line break; allowed is a string of one line."]
    return []


def variable_problems(wishes: Wishes) -> list[str]:
    problems = []
    if len({str(group).lower() for group in wishes["group_names"].values()}) > 1:
        problems.append(
            f"mysql_gr_group_name differs between {listed(sorted(wishes['group_names']))}, which form one group."
        )
    if len(wishes["communication_stacks"]) > 1:
        problems.append(
            f"mysql_gr_communication_stack is {listed(wishes['communication_stacks'])} on members of one group; it has to be the same on all."
        )
    if not is_uuid(wishes["group_name"]):
        problems.append(
            f"mysql_gr_group_name is {wishes['group_name']!r}; allowed is a UUID such as 8f22f846-9922-4139-b2b7-097d185a93cb (uuidgen makes one)."
        )
    for variable, value in wishes["secrets"].items():
        problems += secret_problems(variable, value)
    if wishes["login_password"]:
        problems += secret_problems("mysql_gr_login_password", wishes["login_password"])
    if len(str(wishes["secrets"].get("mysql_gr_recovery_password") or "")) > LONGEST_RECOVERY_PASSWORD:
        problems.append(
            f"mysql_gr_recovery_password is too long; the replication channel takes at most {LONGEST_RECOVERY_PASSWORD} characters."
        )
    for variable, value in wishes["accounts"].items():
        if not value or len(str(value)) > LONGEST_ACCOUNT:
            problems.append(f"{variable} is {value!r}; allowed are 1 to {LONGEST_ACCOUNT} characters.")
        elif re.search(r"[\\'\"`\r\n]", str(value)):
            problems.append(f"{variable} is {value!r}; allowed are names without quotes and backslashes.")
    for value, names in shared(wishes["accounts"].items()):
        problems.append(f"{listed(names)} are both {value!r}; each account has its own task and needs its own name.")
    for host in wishes["account_hosts"]:
        if not isinstance(host, str) or not HOST_PART.match(host):
            problems.append(
                f"mysql_gr_account_host: {host!r} is not allowed (allowed: a host part of an account, or a list of them)"
            )
    problems += account_problems(wishes["users"], "mysql_gr_users", wishes["accounts"])
    for variable, value in wishes["paths"].items():
        if not PATH.match(str(value)):
            problems.append(f"{variable} is {value!r}; allowed is an absolute path of letters, digits and . _ - @ + /.")
    if wishes["firewall"] != "none":
        for option in ("firewall_clients", "expected_clients"):
            problems += sources_problems(wishes[option], f"mysql_gr_{option}", wishes["firewall_names"])
    acting = len(wishes["acting"])
    if wishes["forks"] < acting:
        problems.append(
            f"{acting} members take part in this play, but Ansible works on {wishes['forks']} hosts at a time, and members wait for each other:"
            f" run with --forks {acting} or more."
        )
    if wishes["guard"] != "false" and not wishes["start_on_boot"]:
        problems.append(
            f"mysql_gr_guard is {wishes['guard']!r}, and mysql_gr_start_on_boot is false: a guard brings members back at boot, too. Allowed is false, or"
            " mysql_gr_start_on_boot true."
        )
    problems += evidence_problems(wishes["guard"], wishes["guard_evidence"], wishes["guard_evidences"])
    problems += site_problems(wishes)
    problems += monitoring_problems(wishes)
    if wishes["install_method"] == "package":
        if not wishes["packages"]:
            problems.append("mysql_gr_packages is empty; mysql_gr_install_method package needs the package files.")
        for index, package in enumerate(wishes["packages"] or ()):
            problems += package_problems(f"mysql_gr_packages[{index}]", package)
    key, text = wishes["repository_key"], wishes["repository_key_text"]
    if wishes["install_method"] == "repository" and key and "-----BEGIN PGP PUBLIC KEY BLOCK-----" not in (text or ""):
        problems.append(
            f"mysql_gr_repository_key is {key!r}; allowed is a file on the control node with an ASCII-armored public key."
        )
    if wishes["install_method"] == "repository" and wishes["series"] not in wishes["series_known"]:
        problems.append(
            f"mysql_gr_series is {wishes['series']!r}; allowed are {listed(sorted(wishes['series_known']))}."
        )
    problems += hardening_problems(wishes["hardening"], wishes["settings"])
    problems += writers.member_problems(wishes["writers"], wishes["consistency"], wishes["writers_exceptions"])
    for option in wishes["settings"] or {}:
        name = re.sub(r"^(loose_)?(group_replication_)?", "", str(option).replace("-", "_"))
        if name in OWN_OPTIONS:
            problems.append(f"mysql_gr_settings contains {option}, which follows from {OWN_OPTIONS[name]}.")
    return problems


def certificate_problems(named: str, required: Any) -> list[str]:
    """What stands against an account's requirements on its client's certificate."""
    if required is None:
        return []
    if not isinstance(required, dict) or not required or not set(required) <= set(TLS_REQUIRES):
        return [f"{named} is {required!r}; allowed is a dict with some of {listed(TLS_REQUIRES)}."]
    # X509 has no value in the statement, whatever it is given here.
    return [
        f"{named}.{name} is {value!r}; allowed is {'true' if name == 'x509' else 'text'}."
        for name, value in required.items()
        if (value is not True if name == "x509" else not isinstance(value, str) or not value)
    ]


def host_problems(named: str, user: dict[str, Any]) -> list[str]:
    """What stands against the host parts of an account."""
    problems = []
    for option, form in (
        ("host", "a host part, or a list of them"),
        ("from_hosts", "a list of addresses and names of hosts"),
    ):
        value = user.get(option)
        if value is None or value == [] and (user.get("from_hosts") or user.get("host")):
            continue
        hosts = [value] if option == "host" and isinstance(value, str) else value
        if (
            not isinstance(hosts, list)
            or not hosts
            or not all(isinstance(h, str) and HOST_PART.match(h) for h in hosts)
        ):
            problems.append(f"{named}.{option} is {value!r}; allowed is {form}.")
    return problems


def account_problems(accounts: list[dict[str, Any]], option: str, taken: dict[str, Any]) -> list[str]:
    """What stands against accounts to be written; taken: names by the variables that have them already."""
    problems = []
    for index, user in enumerate(accounts or []):
        named = f"{option}[{index}]"
        if not user.get("name"):
            problems.append(f"{named}.name is missing.")
        elif len(str(user["name"])) > LONGEST_ACCOUNT:
            problems.append(f"{named}.name is {user['name']!r}; allowed are 1 to {LONGEST_ACCOUNT} characters.")
        elif re.search(r"[\\'\"`]", str(user["name"])):
            problems.append(f"{named}.name is {user['name']!r}; allowed are names without quotes and backslashes.")
        if user.get("state", "present") == "present":
            problems += secret_problems(
                f"{named}.password ({user.get('name', 'without a name')})", user.get("password")
            )
        problems += host_problems(named, user)
        problems += certificate_problems(f"{named}.tls_requires", user.get("tls_requires"))
        for variable, value in taken.items():
            if user.get("name") == value:
                problems.append(
                    f"{named}.name is {value!r}, which is also {variable}; each account needs its own name."
                )
    return problems
