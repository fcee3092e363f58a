# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ops_backups
short_description: What hosts that make backups have answered, as tables and sentences
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Used by the playbooks of this collection.
options:
  _input:
    description: Clusters, as P(distdb.mysql_ha.ops_targets#filter) returns them.
    type: list
    elements: dict
    required: true
  hostvars:
    description: >-
      Variables by host, with the registered results C(operations_backup_status), C(operations_backups_listed) and C(operations_backups_checked) of
      M(distdb.mysql_ha.mysql_backup_info).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show which hosts can be asked
  ansible.builtin.debug:
    msg: "{{ (hostvars.localhost.operations_targets.clusters | distdb.mysql_ha.ops_backups(hostvars)).askers }}"
"""

RETURN = r"""
_value:
  description: >-
    C(askers) (of each cluster the first of its backup hosts that answered), C(problems) (sentences about clusters without one), C(fulls) (a row for each full
    backup), C(hosts) (a row for each host that makes backups) and C(alarms) (sentences on what is wrong).
  type: dict
"""

from typing import Any, Dict, Iterator, Mapping, Sequence

Row = Dict[str, Any]
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size(number: Any) -> str:
    """Bytes, for people."""
    value = float(number or 0)
    for unit in UNITS:
        if value < 1024 or unit == UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return ""


def result(hostvars: Mapping[str, Any], host: str, name: str) -> Mapping[str, Any]:
    """A registered result; empty where there is none."""
    found = hostvars[host].get(name) if host in hostvars else None
    return found if isinstance(found, Mapping) else {}


def answer(hostvars: Mapping[str, Any], host: str, name: str) -> Mapping[str, Any]:
    return result(hostvars, host, name).get("answer") or {}


def why(found: Mapping[str, Any]) -> str:
    if found.get("unreachable"):
        return "it could not be reached"
    return str(found.get("msg") or "it was not asked").rstrip(".")


def asker(cluster: Mapping[str, Any], hostvars: Mapping[str, Any]) -> str:
    """The first host that answered, or ''."""
    return next((host for host in cluster["backup_hosts"] if answer(hostvars, host, "operations_backup_status")), "")


def full_rows(listed: Mapping[str, Any]) -> Iterator[Row]:
    for timeline in listed.get("timelines") or []:
        gaps = {gap["after"]: gap["missing"] for gap in timeline.get("gaps") or []}
        for full in timeline["fulls"]:
            remark = full.get("problem") or ""
            if full["id"] in gaps:
                remark = f"then {gaps[full['id']]} is missing"
            until = full.get("until_time") or full.get("until")
            yield {
                "timeline": timeline["number"],
                "full": full["id"],
                "size": size(full.get("stored")),
                "member": full.get("donor"),
                "mysql": full.get("mysql"),
                "restores": f"until {until}"
                if full.get("whole", True) and until
                else "nothing"
                if not full.get("whole", True)
                else "itself",
                "remark": remark,
            }


def host_row(host: str, found: Mapping[str, Any]) -> Row:
    said = found.get("answer") or {}
    if not said:
        return {"host": host, "stream": "UNKNOWN", "remark": why(found)}
    stream, place = said.get("stream") or {}, said.get("place") or {}
    behind = stream.get("behind")
    return {
        "host": host,
        "stream": f"{stream.get('state') or 'none'}{' from ' + stream['source'] if stream.get('source') else ''}",
        "behind": "" if behind is None else f"{behind} s",
        "place": "UNREACHED"
        if not place.get("reachable", True)
        else size(place["free"]) + " free"
        if place.get("free") is not None
        else "there",
        "remark": "; ".join(alarm["text"] for alarm in said.get("alarms") or []),
    }


def alarms(cluster: Mapping[str, Any], hostvars: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong. One host that is down is none, as long as another one answers and finds everything well."""
    name, host = cluster["name"], asker(cluster, hostvars)
    if not host:
        return
    for alarm in answer(hostvars, host, "operations_backup_status").get("alarms") or []:
        yield f"{name}: {alarm['text']}"
    listed = result(hostvars, host, "operations_backups_listed")
    if listed and not listed.get("answer"):
        yield f"{name}: its backups could not be listed: {why(listed)}."
    for damaged in (listed.get("answer") or {}).get("damaged") or []:
        yield f"{name}: {damaged['path']}: {damaged['problem']}"
    checked = result(hostvars, host, "operations_backups_checked")
    if checked and not checked.get("answer") and not checked.get("skipped"):
        yield f"{name}: its backups could not be read: {why(checked)}."
    for problem in (checked.get("answer") or {}).get("problems") or []:
        yield f"{name}: {problem['path']}: {problem['problem']}"


def problems(cluster: Mapping[str, Any], hostvars: Mapping[str, Any]) -> Iterator[str]:
    name = cluster["name"]
    if not cluster["backup_hosts"]:
        yield f"mysql_backup_place is not set for {name}; there are no physical backups of it."
    elif not asker(cluster, hostvars):
        said = [
            f"{host}: {why(result(hostvars, host, 'operations_backup_status'))}" for host in cluster["backup_hosts"]
        ]
        yield f"No host that makes backups of {name} can be asked ({'; '.join(said)}); distdb.mysql_ha.site sets them up."


def ops_backups(clusters: Sequence[Mapping[str, Any]], hostvars: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"askers": [], "problems": [], "fulls": [], "hosts": [], "alarms": []}
    for cluster in clusters:
        host = asker(cluster, hostvars)
        found["askers"] += [host] if host else []
        found["problems"] += problems(cluster, hostvars)
        found["fulls"] += full_rows(answer(hostvars, host, "operations_backups_listed")) if host else []
        found["hosts"] += [
            host_row(one, result(hostvars, one, "operations_backup_status")) for one in cluster["backup_hosts"]
        ]
        found["alarms"] += dict.fromkeys(alarms(cluster, hostvars))
    return found


class FilterModule:
    def filters(self) -> dict[str, Any]:
        return {"ops_backups": ops_backups}
