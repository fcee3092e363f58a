# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ops_targets
short_description: The clusters, members and proxies that a run works on
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the playbooks of this collection. Finds the clusters of the inventory (the hosts of C(mysql_gr) by their C(mysql_gr_inventory_group)),
    the members among the hosts of this run, and the proxies that serve each cluster.
  - A proxy serves a cluster when its C(proxysql_hostgroups), or C(proxysql_servers), name one of its members, or else when its
    C(proxysql_mysql_inventory_group) does. A proxy that defines them by variables that only its own play knows is taken to serve every cluster.
options:
  _input:
    description: The inventory's C(groups).
    type: dict
    required: true
  hostvars:
    description: Variables by host.
    type: dict
    required: true
  hosts:
    description: The hosts of this run, C(ansible_play_hosts_all) of a play on all hosts. C(--limit) is in it.
    type: list
    elements: str
    required: true
  scope:
    description:
      - V(members) - the run works on any members of a cluster.
      - V(cluster) - the run works on whole clusters; a cluster of which C(--limit) leaves members out is refused.
      - V(any) - the run looks only; it needs a member or a proxy.
    type: str
    choices: [members, cluster, any]
    default: members
  cluster:
    description: Name of the one cluster that is meant, or a list of names. Empty means every cluster that has a member in this run.
    type: raw
    default: ""
  named:
    description:
      - An option that names members, as a dict with C(option) (its name) and C(hosts). Their clusters are the ones that are meant.
      - With C(kind=proxies) it names proxies that are taken away. The clusters that they serve are meant, and each of these has to keep another proxy.
    type: dict
  absent_ok:
    description: Whether the members of O(named) may be outside of this run.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show which proxies serve the cluster alpha
  ansible.builtin.debug:
    msg: "{{ (groups | distdb.mysql_ha.ops_targets(hostvars, ansible_play_hosts_all, cluster='alpha')).proxies }}"
"""

RETURN = r"""
_value:
  description: >-
    C(problems) (sentences; nothing is to be done where there is one), C(clusters) (a list of dicts with C(name), C(all) (every member), C(members)
    (those of this run), C(lead) (the first of them), C(proxies) and C(backup_hosts) (of its C(mysql_backup_hosts), all members by default; none without a
    C(mysql_backup_place))), of all these clusters together C(members), C(leads) and C(proxies), and C(backup_hosts) (those of this run) with
    C(backup_problems) (sentences about them).
  type: dict
"""

from typing import Any, Mapping, NamedTuple, Sequence

from ansible.errors import AnsibleError, AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.filter.gr_members import gr_members
from jinja2.exceptions import UndefinedError

SCOPES = ("members", "cluster", "any")


class Cluster(NamedTuple):
    name: str
    all: list[str]
    members: list[str]
    proxies: list[str]
    backup_hosts: list[str] = []

    @property
    def lead(self) -> str:
        return self.members[0] if self.members else ""


def value(hostvars: Mapping[str, Any], host: str, name: str, default: Any = None) -> Any:
    found = hostvars[host].get(name)
    return default if found is None or found == "" else found


def serves(
    groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Any], proxy: str, members: Sequence[str]
) -> bool:
    """Whether this proxy stands in front of the cluster that these members form."""
    try:
        wanted = value(hostvars, proxy, "proxysql_hostgroups")
        servers = value(hostvars, proxy, "proxysql_servers")
        if wanted is not None:
            servers = [server for group in wanted for server in group.get("servers") or []]
        if servers is not None:
            declared = {(member["address"], int(member["port"])) for member in gr_members(members, hostvars)}
            return any(
                (str(server["hostname"]).strip("[]").lower(), int(server.get("port") or 3306)) in declared
                for server in servers
            )
        named = value(hostvars, proxy, "proxysql_mysql_inventory_group") or value(
            hostvars, proxy, "mysql_gr_inventory_group", "mysql_gr"
        )
    except (AnsibleError, UndefinedError, KeyError, TypeError, ValueError):
        # It is configured by what only its own play knows. To leave it out could cost statements; to ask it costs a second.
        return True
    return any(member in groups.get(named, []) for member in members)


def backup_hosts(groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Any], members: Sequence[str]) -> list[str]:
    """The hosts that make the backups of the cluster that these members form, in their order: the first one that is up does. None without a place."""
    if not members or value(hostvars, members[0], "mysql_backup_place") is None:
        return []
    named = value(hostvars, members[0], "mysql_backup_hosts") or list(members)
    named = [named] if isinstance(named, str) else named
    return list(dict.fromkeys(host for name in named for host in groups.get(name, [name])))


def backup_problems(meant: Sequence[Cluster], known: Sequence[Cluster], everyone: Sequence[str]) -> list[str]:
    """Sentences on hosts that cannot make the backups of these clusters."""
    found = []
    for entry in meant:
        for host in entry.backup_hosts:
            others = [
                other.name for other in known if other.name != entry.name and host in other.backup_hosts + other.all
            ]
            if host not in everyone:
                found.append(
                    f"mysql_backup_hosts: '{host}' is not allowed (allowed: names of hosts and groups of the inventory)"
                )
            elif others:
                found.append(
                    f"mysql_backup_hosts: {host} is not allowed for cluster {entry.name}, as it belongs to {', '.join(others)} (allowed: hosts of one "
                    f"cluster, or of none)"
                )  # fmt: skip
    return found


def find_clusters(
    groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Any], hosts: Sequence[str]
) -> list[Cluster]:
    everyone = list(groups.get("mysql_gr", []))
    # In the inventory's order.
    names = list(dict.fromkeys(str(value(hostvars, host, "mysql_gr_inventory_group", "mysql_gr")) for host in everyone))
    found = []
    for name in names:
        members = [host for host in groups.get(name, []) if host in everyone]
        proxies = [proxy for proxy in groups.get("proxysql", []) if serves(groups, hostvars, proxy, members)]
        here = [host for host in members if host in hosts]
        found.append(Cluster(name, members, here, proxies, backup_hosts(groups, hostvars, members)))
    return found


def problems_of(
    known: Sequence[Cluster],
    meant: Sequence[Cluster],
    scope: str,
    wanted: Sequence[str],
    named: Mapping[str, Any],
    absent_ok: bool,
) -> list[str]:
    if not known:
        return ["The inventory group mysql_gr has no hosts; the members of every cluster belong into it."]
    names = ", ".join(entry.name for entry in known)
    for name in wanted:
        if name not in [entry.name for entry in known]:
            return [f"operations_cluster: '{name}' is not allowed (allowed: {names})"]
    everyone = [host for entry in known if not wanted or entry.name in wanted for host in entry.all]
    if isinstance(named.get("hosts"), str):
        return [f"{named['option']}: '{named['hosts']}' is not allowed (allowed: a list of {', '.join(everyone)})"]
    for host in named.get("hosts") or []:
        if host not in everyone:
            return [f"{named['option']}: '{host}' is not allowed (allowed: {', '.join(everyone)})"]
    if not any(entry.members for entry in meant):
        where = (
            f"cluster {', '.join(wanted)}"
            if wanted
            else f"clusters {names}"
            if len(known) > 1
            else "inventory group mysql_gr"
        )
        return [f"No host of this run is a member of the {where}; --limit has to name members, or nothing be limited."]
    for host in named.get("hosts") or []:
        if not absent_ok and not any(host in entry.members for entry in meant):
            return [f"{named['option']}: '{host}' is outside of --limit, which keeps it from being changed."]
    for entry in meant:
        left = [host for host in entry.all if host not in entry.members]
        if scope == "cluster" and left:
            return [f"--limit leaves out {', '.join(left)} of cluster {entry.name}, and this playbook works on all members of a cluster "
                    f"(-e operations_cluster=NAME chooses one cluster of several)."]  # fmt: skip
    return []


def proxy_problems(
    known: Sequence[Cluster],
    wanted: Sequence[str],
    named: Mapping[str, Any],
    everyone: Sequence[str],
    hosts: Sequence[str],
) -> list[str]:
    """What stands against a playbook that takes the named proxy away. Whatever the limit is, a cluster keeps one."""
    option, names = named["option"], named["hosts"]
    # Beside another one in each cluster that it serves.
    spare = [proxy for proxy in everyone if all(entry.proxies != [proxy] for entry in known)]
    allowed = ", ".join(spare) or "none, until there is another proxy"
    for name in wanted:
        if name not in [entry.name for entry in known]:
            return [
                f"operations_cluster: '{name}' is not allowed (allowed: {', '.join(entry.name for entry in known)})"
            ]
    for proxy in names:
        if proxy not in everyone:
            return [f"{option}: '{proxy}' is not allowed (allowed: {allowed})"]
        serving = [entry for entry in known if proxy in entry.proxies]
        for entry in serving:
            if entry.proxies == [proxy]:
                return [
                    f"{option}: {proxy} is the only proxy of cluster {entry.name}, of which at least one has to stay (allowed: {allowed})."
                ]
            if wanted and entry.name not in wanted:
                return [
                    f"operations_cluster leaves out {entry.name}, which {proxy} serves, too; leave operations_cluster out."
                ]
        if proxy not in hosts:
            return [f"{option}: '{proxy}' is outside of --limit, which keeps it from being changed."]
    return []


def proxy_targets(
    groups: Mapping[str, Sequence[str]],
    known: Sequence[Cluster],
    hosts: Sequence[str],
    wanted: Sequence[str],
    named: Mapping[str, Any],
) -> dict[str, Any]:
    """Where a playbook names proxies: all of the inventory's that are in the run (the others know them), and the clusters that they serve."""
    everyone = list(groups.get("proxysql", []))
    meant = [entry for entry in known if any(proxy in entry.proxies for proxy in named["hosts"])]
    problems = proxy_problems(known, wanted, named, everyone, hosts)
    return result(problems, meant, [proxy for proxy in everyone if proxy in hosts])


def result(
    problems: list[str],
    clusters: Sequence[Cluster],
    proxies: list[str],
    hosts: Sequence[str] = (),
    backups: Sequence[str] = (),
) -> dict[str, Any]:
    return {
        "problems": problems,
        "clusters": [dict(entry._asdict(), lead=entry.lead) for entry in clusters],
        "members": [host for entry in clusters for host in entry.members],
        "leads": [entry.lead for entry in clusters if entry.lead],
        "proxies": proxies,
        "backup_hosts": [host for entry in clusters for host in entry.backup_hosts if host in hosts],
        "backup_problems": list(backups),
    }


def ops_targets(
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Any],
    hosts: Sequence[str],
    scope: str = "members",
    cluster: str | Sequence[str] = "",
    named: Mapping[str, Any] | None = None,
    absent_ok: bool = False,
) -> dict[str, Any]:
    if scope not in SCOPES:
        raise AnsibleFilterError(f"scope: '{scope}' is not allowed (allowed: {', '.join(SCOPES)})")
    named = named or {}
    known = find_clusters(groups, hostvars, hosts)
    wanted = [cluster] if isinstance(cluster, str) and cluster else list(cluster)
    if named.get("kind") == "proxies":
        return proxy_targets(groups, known, hosts, wanted, named)
    meant = [entry for entry in known if not wanted or entry.name in wanted]
    if named.get("hosts") and not isinstance(named["hosts"], str):
        meant = [entry for entry in meant if any(host in entry.all for host in named["hosts"])]
    chosen = [entry for entry in meant if entry.members]
    proxies = [host for host in groups.get("proxysql", []) if any(host in entry.proxies for entry in chosen)]
    if scope == "any":
        serving = [host for entry in meant for host in entry.proxies]
        here = [host for host in groups.get("proxysql", []) if host in hosts and (not wanted or host in serving)]
        backed = [host for entry in meant for host in entry.backup_hosts if host in hosts]
        problems = [] if (here and not wanted) or backed else problems_of(known, meant, scope, wanted, named, absent_ok)
        proxies = here
    else:
        problems = problems_of(known, meant, scope, wanted, named, absent_ok)
    if scope == "any":
        # Also clusters of which the run has backup hosts only.
        chosen = [entry for entry in meant if entry.members or any(host in hosts for host in entry.backup_hosts)]
    everyone = [host for names in groups.values() for host in names]
    return result(problems, chosen, proxies, hosts, backup_problems(meant, known, everyone))


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"ops_targets": ops_targets}
