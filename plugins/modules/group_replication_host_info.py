#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of a host that is to carry a member, in one look."""

from __future__ import annotations

DOCUMENTATION = r"""
module: group_replication_host_info
short_description: Facts of a host that is, or is to become, a member of a group
version_added: 1.0.0
description:
  - Everything that has to be known of a host before MySQL is installed or configured there, in one call.
  - Changes nothing. Needs Python's standard library only, since on a blank host there is nothing else. A running server is queried by the
    client program that is installed with it.
  - Used by the role P(distdb.mysql_ha.mysql_gr#role).
options:
  address:
    description: Address of the member, without a port.
    type: str
    required: true
  names:
    description: Host names to resolve on this host.
    type: list
    elements: str
    default: []
  peers:
    description: Hosts to which this one connects, by address or by name.
    type: list
    elements: str
    default: []
  ports:
    description: TCP ports of which to say which process listens on them.
    type: list
    elements: int
    default: []
  packages:
    description: Texts that the names of packages contain whose installed version to look up.
    type: list
    elements: str
    default: [mysql, mariadb]
  candidate:
    description: Package whose available version to look up where no server is installed.
    type: str
    default: ""
  service:
    description: Name of the server's systemd service.
    type: str
    default: mysql
  datadir:
    description: Data directory of the server.
    type: path
    default: /var/lib/mysql
  files:
    description: Files of which to report checksum, mode, owner and group.
    type: list
    elements: path
    default: []
  accounts:
    description: Names of accounts that are to be made, of which to say which a running server has already.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.looks
  - distdb.mysql_ha.mysql.client
seealso:
  - module: distdb.mysql_ha.group_replication_info
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: Look at the host
  distdb.mysql_ha.group_replication_host_info:
    address: 192.0.2.130
    ports: [3306, 33061]
  register: seen

- name: It has room for a server
  ansible.builtin.assert:
    that: seen.host.memory >= 1073741824
"""

RETURN = r"""
host:
  description: What was seen.
  returned: success
  type: dict
  contains:
    os:
      description: >-
        C(id), C(like), C(version), C(codename) and C(name) of the operating system, from C(/etc/os-release), and C(family), V(debian) or V(redhat),
        else its id.
      type: dict
    memory:
      description: Bytes of memory that a server on this host can have - the machine's, or what its control group allows. 0 where it is not known.
      type: int
    python:
      description: The first two numbers of the version of Python that runs the module.
      type: list
      elements: int
    address_is_local:
      description: Whether O(address), or an address that the name has, is one of this host's; null where the name does not resolve.
      type: bool
    resolved:
      description: For each of O(names), the addresses that it has on this host; none where it does not resolve.
      type: dict
    sources:
      description: The addresses that this host takes for connections to O(peers), as its routes are now. Nothing is sent.
      type: list
      elements: str
    ports:
      description: Those of O(ports) that are in use, each with C(port) and C(process).
      type: list
      elements: dict
    packages:
      description: Version by name of the packages that are installed and match O(packages).
      type: dict
    half_installed:
      description: Packages that an installation that failed has left unpacked and not configured.
      type: list
      elements: str
    package_lists:
      description: Whether the package manager has lists to look packages up in.
      type: bool
    service:
      description: C(exists), C(active) (systemd's ActiveState), C(enabled), and C(reload) - whether systemd has to read its files again.
      type: dict
    installed:
      description: Whether a server is installed.
      type: bool
    version:
      description: The server's version, installed or available; C('') where there is neither.
      type: str
    uuid:
      description: The server's uuid in its data directory; C('') without one.
      type: str
    relay_logs:
      description: Names that relay logs of the group's applier channel begin with; none on a server that was never a member.
      type: list
      elements: str
    hostname:
      description: The name that the host has for itself.
      type: str
    files:
      description: For each of O(files), checksum (SHA-1), mode, owner and group; null where it does not exist.
      type: dict
    sql:
      description: >-
        What the running server says of itself - C(uuid), C(version), C(has_transactions), C(gtid_executed), C(gtid_purged), C(read_only), C(state),
        C(single_primary), C(update_everywhere_checks), C(group_name), C(communication_stack) (empty before 8.0.27), C(ssl_ca), C(ssl_cert),
        C(ssl_key), C(ssl_mode) (of the group's own traffic) and C(seen) (host and port of each member that it sees), or C(error); empty where no
        server runs.
      type: dict
    data:
      description: >-
        What the server holds - C(schemas) (each with C(name), C(tables), and about how many C(rows) and C(bytes), and when it was C(changed)),
        C(other_engines), C(without_key) and C(cascading) (tables that are not InnoDB's, have no primary key, or a foreign key that cascades; C(number)
        and the C(first) ten), C(sources) (from whom it replicates), C(cluster_metadata) (whether it belongs to an InnoDB Cluster), and C(history),
        why its GTID history does not account for its data, with C(proven), whether that is proven. Null where it could not be seen. Of a running
        server also C(brings) - C(accounts) (name, host part and whether it is locked, of O(accounts)), C(definers) (views, routines, triggers and
        events whose definer is no account) and C(events) (those that are enabled).
      type: dict
    data_error:
      description: Why RV(host.data) could not be seen.
      type: str
"""

import glob
import socket
import sys
from typing import Any, NamedTuple, Sequence

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group import data
from ansible_collections.distdb.mysql_ha.plugins.module_utils._group.data import Data
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import Login, look_at, read, reason, run
from ansible_collections.distdb.mysql_ha.plugins.module_utils._server_files import relay_logs, uuid_of
from ansible_collections.distdb.mysql_ha.plugins.module_utils._sockets import is_own, ports_in_use, resolve, sources

SQL = (
    # Nine members with long names need more than the default.
    "SET SESSION group_concat_max_len = 65536;"
    " SELECT @@server_uuid, @@version, @@global.gtid_executed, @@global.gtid_purged, @@global.super_read_only,"
    " IFNULL((SELECT member_state FROM performance_schema.replication_group_members WHERE member_id = @@server_uuid), ''),"
    " IFNULL((SELECT variable_value FROM performance_schema.global_variables"
    " WHERE variable_name = 'group_replication_single_primary_mode'), ''),"
    " IFNULL((SELECT variable_value FROM performance_schema.global_variables"
    " WHERE variable_name = 'group_replication_enforce_update_everywhere_checks'), ''),"
    " IFNULL((SELECT variable_value FROM performance_schema.global_variables"
    " WHERE variable_name = 'group_replication_group_name'), ''),"
    " IFNULL((SELECT variable_value FROM performance_schema.global_variables"
    " WHERE variable_name = 'group_replication_communication_stack'), ''),"
    " IFNULL(@@global.ssl_ca, ''), IFNULL(@@global.ssl_cert, ''), IFNULL(@@global.ssl_key, ''),"
    " IFNULL((SELECT variable_value FROM performance_schema.global_variables"
    " WHERE variable_name = 'group_replication_ssl_mode'), ''),"
    " IFNULL((SELECT GROUP_CONCAT(CONCAT(member_host, ' ', member_port) ORDER BY member_host, member_port)"
    " FROM performance_schema.replication_group_members WHERE member_host <> ''), '')"
)
MODE = ("single_primary", "update_everywhere_checks")
LAST = ("group_name", "communication_stack", "ssl_ca", "ssl_cert", "ssl_key", "ssl_mode", "seen")
SQL_COLUMNS = ("uuid", "version", "gtid_executed", "gtid_purged", "read_only", "state", *MODE, *LAST)
FAMILIES = {"debian": "debian", "ubuntu": "debian", "rhel": "redhat", "fedora": "redhat", "centos": "redhat"}
SERVER_PACKAGES = ("mysql-community-server", "mysql-server")
INSTALLED = "ii"
# Unpacked, half configured, waiting for triggers: dpkg --configure finishes these.
UNFINISHED = ("iU", "iF", "iW", "it", "iH")


def parse_os_release(text: str) -> dict[str, Any]:
    found = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            found[name.strip()] = value.strip().strip("\"'")
    identifier = found.get("ID", "")
    like = found.get("ID_LIKE", "").split()
    return {
        "id": identifier,
        "like": like,
        "family": next((FAMILIES[name] for name in [identifier, *like] if name in FAMILIES), identifier),
        "version": found.get("VERSION_ID", ""),
        "codename": found.get("VERSION_CODENAME", ""),
        "name": found.get("PRETTY_NAME", found.get("ID", "unknown")),
    }


def memory() -> int:
    total = 0
    for line in read("/proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            total = int(line.split()[1]) * 1024
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        limit = read(path).strip()
        if limit.isdigit():
            total = min(total, int(limit)) if total else int(limit)
    return total


class Packages(NamedTuple):
    versions: dict[str, str]
    half_installed: list[str]


def parse_packages(texts: Sequence[str], listing: str) -> Packages:
    """From what dpkg-query wrote: package, status and version by tab."""
    versions = {}
    half = []
    for line in listing.splitlines():
        fields = line.split("\t")
        if len(fields) != 3:
            continue
        name, status, version = fields
        if status.startswith(INSTALLED) and any(text in name for text in texts):
            versions[name] = version
        elif status.startswith(UNFINISHED):
            half.append(name)
    return Packages(versions, half)


def packages(texts: Sequence[str]) -> Packages:
    done = run(["dpkg-query", "-W", "-f", "${Package}\\t${db:Status-Abbrev}\\t${Version}\\n"])
    return parse_packages(texts, done.output)


def server_version(installed: dict[str, str]) -> str:
    """The installed server's version: of its package, or what the program itself says; '' without a server."""
    for name in SERVER_PACKAGES:
        if name in installed:
            return installed[name].split(":")[-1]
    words = run(["/usr/sbin/mysqld", "--version"]).output.split()
    return words[words.index("Ver") + 1] if "Ver" in words[:-1] else ""


def candidate_version(package: str) -> str:
    """The version that apt would install, or ''."""
    for line in run(["apt-cache", "policy", package], timeout=60).output.splitlines():
        name, _colon, value = line.strip().partition(": ")
        if name == "Candidate" and value != "(none)":
            return value.strip().split(":")[-1]
    return ""


def service_state(name: str) -> dict[str, Any]:
    properties = "LoadState,ActiveState,UnitFileState,NeedDaemonReload"
    lines = run(["systemctl", "show", name, f"--property={properties}"]).output.splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    return {
        "exists": found.get("LoadState") == "loaded",
        "active": found.get("ActiveState", ""),
        "enabled": found.get("UnitFileState") == "enabled",
        "reload": found.get("NeedDaemonReload") == "yes",
    }


def ask_server(login: Login) -> dict[str, Any]:
    """What the running server says of itself, or {'error': why it could not be asked}."""
    done = login.ask(SQL)
    values = done.output.rstrip("\n").split("\t")
    if done.code != 0 or len(values) != len(SQL_COLUMNS):
        return {"error": reason(done)}
    found: dict[str, Any] = dict(zip(SQL_COLUMNS, values))
    for name in ("gtid_executed", "gtid_purged"):
        found[name] = found[name].replace("\\n", "")
    found["has_transactions"] = bool(found["gtid_executed"])
    found["read_only"] = found["read_only"] in ("1", "ON")
    found.update((name, {"ON": True, "OFF": False}.get(found[name])) for name in MODE)
    found["seen"] = [pair.split(" ") for pair in found["seen"].split(",") if pair]
    return found


def look(wanted: dict[str, Any]) -> dict[str, Any]:
    """Everything, for the module's parameters."""
    found = packages(wanted["packages"])
    running = service_state(wanted["service"])
    version = server_version(found.versions)
    answer = {
        "os": parse_os_release(read("/etc/os-release")),
        "memory": memory(),
        "python": list(sys.version_info[:2]),
        "address_is_local": is_own(wanted["address"]),
        "resolved": {name: resolve(name) for name in wanted["names"]},
        "sources": sources(wanted["peers"]),
        "ports": ports_in_use(wanted["ports"]),
        "packages": found.versions,
        "half_installed": found.half_installed,
        "package_lists": bool(glob.glob("/var/lib/apt/lists/*_Packages*")),
        "service": running,
        "installed": bool(version),
        "version": version,
        "uuid": uuid_of(wanted["datadir"]),
        "relay_logs": relay_logs(wanted["datadir"]),
        "files": {path: look_at(path) for path in wanted["files"]},
        "hostname": socket.gethostname(),
        "sql": {},
        "data": None if version else Data().as_dict(),
        "data_error": "the server does not run" if version else "",
    }
    if not version and wanted["candidate"]:
        answer["version"] = candidate_version(wanted["candidate"])
    if running["active"] in ("active", "reloading"):
        login = Login.of(wanted)
        answer["sql"] = ask_server(login)
        answer["data"], answer["data_error"] = data.seen_by_client(login, wanted["accounts"])
    return answer


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            address=dict(type="str", required=True),
            names=dict(type="list", elements="str", default=[]),
            peers=dict(type="list", elements="str", default=[]),
            ports=dict(type="list", elements="int", default=[]),
            packages=dict(type="list", elements="str", default=["mysql", "mariadb"]),
            candidate=dict(type="str", default=""),
            service=dict(type="str", default="mysql"),
            datadir=dict(type="path", default="/var/lib/mysql"),
            files=dict(type="list", elements="path", default=[]),
            accounts=dict(type="list", elements="str", default=[]),
            **Login.options(),
        ),
        supports_check_mode=True,
    )
    module.exit_json(changed=False, host=look(module.params))


if __name__ == "__main__":
    main()
