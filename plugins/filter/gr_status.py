# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: gr_status
short_description: One row per declared member or placed server, from what the info modules said
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the playbook C(distdb.mysql_ha.status). Takes the answers of M(distdb.mysql_ha.group_replication_info) or
    M(distdb.mysql_ha.proxysql_hostgroup_info) by host, those that failed included, and makes rows for P(distdb.mysql_ha.gr_table#filter).
positional: kind
options:
  _input:
    description: Registered results by host. A host that did not answer has its failed result, or none.
    type: dict
    required: true
  kind:
    description: >-
      V(members), with the answers of members of one group, V(servers) or V(certificates), with the answers of proxies, or V(shared), with a dict by
      proxy - C(addresses), those that it shares with others, and C(answer), of M(distdb.mysql_ha.proxysql_virtual_address_info).
    type: str
    choices: [members, servers, certificates, shared]
    required: true
  addresses:
    description: For V(members), SQL address by host.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Rows of a group
  ansible.builtin.debug:
    msg: "{{ {'db0': cluster} | distdb.mysql_ha.gr_status('members', addresses={'db0': '192.0.2.130:3306'}) }}"
"""

RETURN = r"""
_value:
  description: >-
    For V(members), C(member), C(address), C(state), C(role), C(version), C(behind) (transactions that are not applied yet), C(certificate) and C(ca) (for
    how long the member's and its CA's are valid) and C(remark); for V(servers), C(proxy), C(server), C(hostgroup), C(status) and C(remark); for
    V(certificates), C(proxy), C(certificate), C(ca) and C(remark); for V(shared), C(address), C(proxies) (those that have it) and C(remark).
  type: list
  elements: dict
"""

import time
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import format_address
from ansible_collections.distdb.mysql_ha.plugins.module_utils._certificates import whole_days
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.virtual import host_of
from ansible_collections.distdb.mysql_ha.plugins.plugin_utils.status_answers import (
    SOON,
    Answer,
    Row,
    guards_remark,
    short,
    why_not,
    witness,
)


def member_rows(results: dict[str, Answer], addresses: dict[str, str]) -> list[Row]:
    cluster = witness(results)
    rows = []
    for host, result in results.items():
        address = addresses.get(host, "")
        seen = cluster["members"].get(address, {})
        own = ((result or {}).get("cluster") or {}).get("members", {}).get(address, {})
        remark = seen.get("why") or own.get("why") or "; ".join((own or seen).get("replicates_from") or [])
        remark = "; ".join(filter(None, [remark, guards_remark((result or {}).get("guard") or {})]))
        if not result or not result.get("cluster"):
            remark = why_not(result)
        rows.append(
            {
                "member": host,
                "address": address,
                "state": seen.get("state") or own.get("state") or "UNKNOWN",
                "role": own.get("role") or seen.get("role"),
                "version": own.get("version") or seen.get("version"),
                # What a member has not applied yet, it knows best itself.
                "behind": own.get("transactions_behind", seen.get("transactions_behind")),
                "certificate": valid_for((result or {}).get("certificate") or {}),
                "ca": valid_for((result or {}).get("certificate") or {}, "ca_days_left"),
                "remark": short(remark),
            }
        )
    return rows + remark_rows(cluster)


def valid_for(certificate: Row, which: str = "days_left") -> str:
    """For how long the certificate is valid that the member shows to others, or its CA's."""
    days = certificate.get(which)
    return "" if days is None else "expired" if days < 0 else f"{days} days"


def remark_rows(cluster: Row) -> list[Row]:
    """Members that the group has and the inventory has not, and what else an operator should know."""
    rows = []
    for text in cluster.get("undeclared", []):
        # host:port (uuid) STATE
        address, _uuid, state = text.split(" ")
        rows.append({"member": "?", "address": address, "state": state, "remark": "not declared in the inventory"})
    for text in cluster.get("warnings", []):
        if not text.startswith("members of the group that are not declared"):
            rows.append({"member": "", "remark": short(text)})
    return rows


def certificate_remark(certificate: Row, days: dict[str, int]) -> str:
    """What an operator should know of the certificate that clients see. days: for how many it and its CA's are valid."""
    if certificate.get("problem"):
        return f"clients that verify refuse its certificate: {certificate['problem']}"
    if days["expires"] < SOON:
        return f"its certificate for clients ends in {days['expires']} days: run distdb.mysql_ha.renew_certificates"
    of_ca = days.get("ca_expires", SOON)
    return f"the CA of its certificate ends in {of_ca} days: another one is needed" if of_ca < SOON else ""


def server_rows(results: dict[str, Answer]) -> list[Row]:
    rows = []
    for host, result in results.items():
        if not result or not result.get("reachable"):
            remark = (result or {}).get("error") or why_not(result)
            rows.append({"proxy": host, "server": "", "hostgroup": "", "status": "UNKNOWN", "remark": short(remark)})
            continue
        for place in result["placement"]:
            remark = (place.get("check") or {}).get("error") or place.get("ping_error") or ""
            for where in place["hostgroups"]:
                rows.append(
                    {
                        "proxy": host,
                        "server": format_address(place["hostname"], place["port"]),
                        "hostgroup": f"{where['hostgroup']} {where['role']}",
                        "status": where["status"],
                        "remark": short(remark),
                    }
                )
    return rows


def certificate_rows(results: dict[str, Answer]) -> list[Row]:
    """One row for each proxy whose certificate was looked at."""
    rows = []
    for host, result in results.items():
        certificate = (result or {}).get("certificate")
        if certificate:
            now = time.time()
            days = {
                name: whole_days(certificate[name], now)
                for name in ("expires", "ca_expires")
                if certificate.get(name) is not None
            }
            rows.append(
                {
                    "proxy": host,
                    "certificate": valid_for(days, "expires"),
                    "ca": valid_for(days, "ca_expires"),
                    "remark": short(certificate_remark(certificate, days)),
                }
            )
    return rows


def shared_rows(results: dict[str, Row]) -> list[Row]:
    """One row for each address that proxies share: which of them have it, and what is wrong with that."""
    sharing: dict[str, list[str]] = {}
    for host, result in results.items():
        for address in result["addresses"]:
            sharing.setdefault(host_of(str(address)), []).append(host)
    answers = {host: result.get("answer") or {} for host, result in results.items()}
    rows = []
    for address, hosts in sharing.items():
        silent = [host for host in hosts if "held" not in answers[host]]
        holders = [host for host in hosts if address in answers[host].get("held", [])]
        remarks = [f"{host}: {why_not(answers[host])}" for host in silent]
        if len(holders) > 1:
            remarks.insert(0, "split: they do not hear each other's VRRP, or keepalived hangs on one of them")
        elif not holders and not silent:
            remarks.insert(0, "no proxy has it: is the service proxysql-address active there?")
        for host in hosts:
            state = answers[host].get("state", {})
            if state.get("value", 0) != 0:
                remarks.append(f"{host} is not good: {state.get('reason')}")
            elif host not in silent and not state:
                remarks.append(f"{host} has no check")
        rows.append({"address": address, "proxies": ", ".join(holders) or "none", "remark": short("; ".join(remarks))})
    return rows


def gr_status(results: dict[str, Any], kind: str, addresses: dict[str, str] | None = None) -> list[Row]:
    if kind == "members":
        return member_rows(results, addresses or {})
    if kind == "servers":
        return server_rows(results)
    if kind == "certificates":
        return certificate_rows(results)
    if kind == "shared":
        return shared_rows(results)
    raise AnsibleFilterError(f"gr_status: kind is {kind!r}; allowed are members, servers, certificates and shared.")


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"gr_status": gr_status}
