# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters of three that exist as recorded answers only: their inventory, and what the control node computes of them.

    recorded.py compute CLUSTERS        times of the filters that status and site use, as JSON
    recorded.py rows ROWS               times of proxysql_config's plan for so many users and query rules, as JSON

Both are programs of their own, so that their peak memory is that of one count.

For the playbook itself there is a copy of the collection that is made of links (`overlay`). Only its two info modules have an action plugin each, which puts
module and arguments together as for any host and then returns the recorded answer: no connection, no server. All else is the collection's own code.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterable

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOLDER = ROOT / ".cache" / "growth"
COLLECTIONS = FOLDER / "collections"
UNIT = ROOT / "tests" / "unit"
# The modules that status runs on hosts of clusters.
ASKED = ("group_replication_info", "proxysql_hostgroup_info")
MEMBERS = 3
# Each filter is called so many times; the fastest counts: other work on the machine only adds.
CALLS = 3
RECORDED = re.compile(r"192\.0\.2\.(13[0-2])\b")
GROUP = "8f22f846-9922-4139-b2b7-097d185a93cb"
NOW = 1795800000.0


# -- who there is ------------------------------------------------------------------------------------------------------
def name_of(cluster: int) -> str:
    return f"c{cluster:02}"


def group_name(cluster: int) -> str:
    """The UUID of a group; the first one's is the recorded one."""
    return GROUP if cluster == 1 else f"{cluster:08x}{GROUP[8:]}"


def hosts_of(cluster: int) -> list[str]:
    return [f"{name_of(cluster)}m{number}" for number in range(MEMBERS)]


def proxy_of(cluster: int) -> str:
    return f"{name_of(cluster)}p"


def address(cluster: int, last: int) -> str:
    """Of the network for benchmarks (RFC 2544): nothing answers there."""
    return f"198.18.{cluster}.{last}"


def real_hosts(cluster: int) -> tuple[list[str], str]:
    """Members and proxy of the lab that form this cluster, by the lab's names."""
    first = (cluster - 1) * MEMBERS
    members = [f"db{number}" for number in range(first, first + MEMBERS)]
    return members, "proxy" if cluster == 1 else f"proxy{cluster - 1}"


def member_variables(cluster: int) -> dict[str, str]:
    return {"mysql_gr_inventory_group": name_of(cluster), "mysql_gr_group_name": group_name(cluster)}


def recorded_variables(host: str, seconds: float) -> dict[str, Any]:
    """Of a host that nobody connects to."""
    return {
        "ansible_connection": "local",
        "ansible_python_interpreter": "/usr/bin/python3",
        "growth_recorded": str(FOLDER / "answers" / f"{host}.json"),
        "growth_seconds": seconds,
    }


def inventory(clusters: int, real: int = 0, seconds: float = 0.0) -> dict[str, Any]:
    """Clusters of three with a proxy each. The first ones are hosts of the lab (beside inventories/lab), the others are recorded.

    Everything is a variable of its host: those of inventories/lab/group_vars would win over what this file says of groups.
    """
    groups: dict[str, Any] = {}
    proxies: dict[str, Any] = {}
    for cluster in range(1, clusters + 1):
        own = member_variables(cluster)
        if cluster <= real:
            names, proxy = real_hosts(cluster)
            groups[name_of(cluster)] = {
                "hosts": {name: {**own, "mysql_gr_server_id": 130 + int(name[2:])} for name in names}
            }
            proxies[proxy] = {"proxysql_address": f"{{{{ lab_prefix }}}}.{130 - cluster}"}
        else:
            own.update(
                mysql_gr_recovery_password="Recovery-pass.1", mysql_gr_peer_password="Peer-pass.1",
                mysql_gr_tls_directory=str(FOLDER / "tls" / name_of(cluster)), mysql_gr_tls_ca_passphrase="Passphrase.1",
            )  # fmt: skip
            groups[name_of(cluster)] = {
                "hosts": {
                    host: {**recorded_variables(host, seconds), **own, "mysql_gr_address": address(cluster, 130 + number), "mysql_gr_server_id": 130 + number}
                    for number, host in enumerate(hosts_of(cluster))
                }
            }  # fmt: skip
            proxy = proxy_of(cluster)
            proxies[proxy] = {**recorded_variables(proxy, seconds), "proxysql_address": address(cluster, 129),
                              "proxysql_admin_password": "Admin-pass.1", "proxysql_monitor_password": "Monitor-pass.1"}  # fmt: skip
        proxies[proxy]["proxysql_mysql_inventory_group"] = name_of(cluster)
    return {"all": {"children": {"mysql_gr": {"children": groups}, "proxysql": {"hosts": proxies}}}}


# -- what they answer --------------------------------------------------------------------------------------------------
def load(path: Path) -> Any:
    """A program or a test file of this checkout as a module, under a name of its own."""
    spec = importlib.util.spec_from_file_location(f"growth_{path.stem}", path)
    assert spec and spec.loader, path
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def moved(text: str, cluster: int) -> str:
    """What was recorded, as this cluster says it."""
    return RECORDED.sub(lambda found: address(cluster, int(found[1])), text).replace(GROUP, group_name(cluster))


def answers(cluster: int) -> dict[str, Any]:
    """What the members and the proxy of a cluster that is well answer, by host."""
    status = load(ROOT / "tests" / "support_status.py")
    found = json.loads(moved(json.dumps(status.answers("well")), cluster))
    named = {host: found[recorded] for host, recorded in zip(hosts_of(cluster), status.HOSTS)}
    return {**named, proxy_of(cluster): json.loads(moved(json.dumps(status.proxy(proxy_of(cluster))), cluster))}


def write_answers(clusters: Iterable[int]) -> None:
    folder = FOLDER / "answers"
    folder.mkdir(parents=True, exist_ok=True)
    for cluster in clusters:
        for host, answer in answers(cluster).items():
            (folder / f"{host}.json").write_text(json.dumps(answer))


def write_inventory(clusters: int, real: int, seconds: float) -> Path:
    """The file, with the answers that belong to it."""
    write_answers(range(real + 1, clusters + 1))
    # In this folder, from which inventories/lab's variables find the lab as from their own.
    path = FOLDER / f"clusters-{clusters}-{real}.json"
    path.write_text(json.dumps(inventory(clusters, real, seconds), indent=1))
    return path


def overlay() -> Path:
    """The collection as links, its info modules with an action plugin each; the path for ANSIBLE_COLLECTIONS_PATH."""
    target = COLLECTIONS / "ansible_collections" / "distdb" / "mysql_ha"
    shutil.rmtree(COLLECTIONS, ignore_errors=True)
    (target / "plugins" / "action").mkdir(parents=True)
    for name in ("galaxy.yml", "meta", "playbooks", "roles"):
        (target / name).symlink_to(ROOT / name)
    for entry in (ROOT / "plugins").iterdir():
        if entry.name not in ("action", "__pycache__"):
            (target / "plugins" / entry.name).symlink_to(entry)
    for entry in (ROOT / "plugins" / "action").glob("*.py"):
        (target / "plugins" / "action" / entry.name).symlink_to(entry)
    for name in ASKED:
        (target / "plugins" / "action" / f"{name}.py").symlink_to(HERE / "plugins" / "action" / "recorded.py")
    return COLLECTIONS


# -- what the control node computes ------------------------------------------------------------------------------------
def variables_of(made: dict[str, Any]) -> tuple[dict[str, list[str]], dict[str, dict[str, Any]]]:
    """groups and hostvars, as a play has them."""
    groups: dict[str, list[str]] = {"mysql_gr": []}
    hostvars: dict[str, dict[str, Any]] = {}
    children = made["all"]["children"]
    for name, group in children["mysql_gr"]["children"].items():
        groups[name] = list(group["hosts"])
        groups["mysql_gr"] += groups[name]
        hostvars.update(group["hosts"])
    groups["proxysql"] = list(children["proxysql"]["hosts"])
    hostvars.update(children["proxysql"]["hosts"])
    groups["all"] = list(hostvars)
    return groups, hostvars


def fastest(what: Callable[[], Any]) -> tuple[float, Any]:
    """Milliseconds, and what came of it."""
    best, made = float("inf"), None
    for _call in range(CALLS):
        began = time.perf_counter()
        made = what()
        best = min(best, time.perf_counter() - began)
    return best * 1000, made


def peak() -> float:
    """The largest resident size of this process so far, in MB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def site_preflight(name: str, hosts: list[str], hostvars: dict[str, Any], wishes: Any, host: str) -> dict[str, Any]:
    """What the role's preflight finds for one member, by the facts of its unit tests."""
    from ansible_collections.distdb.mysql_ha.plugins.filter.gr_members import gr_members
    from ansible_collections.distdb.mysql_ha.plugins.filter.gr_preflight import gr_preflight

    running = {"installed": True, "service": {"exists": True, "active": "active", "enabled": True}}
    probes = {
        one: {**wishes.PROBE, **running, "uuid": f"0000000{number}-e646-11f1-8004-02fc00000001",
              "sql": {**wishes.SQL, "state": "ONLINE", "group_name": hostvars[one]["mysql_gr_group_name"]}}
        for number, one in enumerate(hosts)
    }  # fmt: skip
    group = hostvars[host]["mysql_gr_group_name"]
    asked = {**wishes.WISHES, "host": host, "inventory_group": name, "acting": hosts, "group_name": group, "group_names": dict.fromkeys(hosts, group),
             "settings_of": {one: {} for one in hosts}, "firewall_names": [name, *hosts]}  # fmt: skip
    return gr_preflight(gr_members(hosts, hostvars), probes, asked)


def compute(clusters: int) -> dict[str, Any]:
    """Milliseconds of each step for all clusters together. Fails where a step says something else than of clusters that are well."""
    from ansible_collections.distdb.mysql_ha.plugins.filter.gr_members import gr_members
    from ansible_collections.distdb.mysql_ha.plugins.filter.gr_status import gr_status
    from ansible_collections.distdb.mysql_ha.plugins.filter.gr_status_metrics import gr_status_metrics
    from ansible_collections.distdb.mysql_ha.plugins.filter.gr_status_page import gr_status_page
    from ansible_collections.distdb.mysql_ha.plugins.filter.gr_status_report import gr_status_report
    from ansible_collections.distdb.mysql_ha.plugins.filter.gr_table import gr_table
    from ansible_collections.distdb.mysql_ha.plugins.filter.ops_targets import ops_targets
    from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_preflight import proxysql_preflight
    from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_wanted import proxysql_wanted

    members_facts = load(UNIT / "plugins/filter/test_gr_preflight.py")
    proxy_facts = load(UNIT / "plugins/filter/test_proxysql_preflight.py")
    wanted_facts = load(UNIT / "plugins/filter/test_proxysql_wanted.py")
    groups, hostvars = variables_of(inventory(clusters))
    took: dict[str, float] = {}

    def step(name: str, what: Callable[[], Any]) -> Any:
        took[name], made = fastest(what)
        return made

    targets = step("targets", lambda: ops_targets(groups, hostvars, groups["all"], scope="any"))
    assert not targets["problems"] and len(targets["clusters"]) == clusters, targets["problems"]
    everyone = targets["members"]
    addresses = step(
        "addresses", lambda: {host: one["sql"] for host, one in zip(everyone, gr_members(everyone, hostvars))}
    )
    told = {number: answers(number) for number in range(1, clusters + 1)}
    members = {name_of(n): {host: one[host] for host in hosts_of(n)} for n, one in told.items()}
    proxies = {proxy_of(n): one[proxy_of(n)] for n, one in told.items()}

    def tables() -> list[str]:
        columns = ["member", "address", "state", "role", "version", "behind", "certificate", "ca", "remark"]
        shown = [gr_table(gr_status(one, "members", addresses), columns) for one in members.values()]
        return [*shown, gr_table(gr_status(proxies, "servers"), ["proxy", "server", "hostgroup", "status", "remark"])]

    assert sum(text.count("ONLINE") for text in step("tables", tables)) == clusters * MEMBERS * 3
    report = step("report", lambda: gr_status_report(targets["clusters"], members, addresses, proxies, [], now=NOW))
    assert report["status"] == 0, report["summary"]
    step("page", lambda: gr_status_page(report))
    step("metrics", lambda: gr_status_metrics(report))

    def preflight() -> list[str]:
        found = []
        for name in members:
            for host in groups[name]:
                found += site_preflight(name, groups[name], hostvars, members_facts, host)["problems"]
        return found

    def proxy_preflight() -> list[str]:
        found: list[str] = []
        for proxy in groups["proxysql"]:
            found += proxysql_preflight(proxy_facts.GOOD, proxy, groups["proxysql"])
        return found

    problems = step("preflight of members", preflight)
    assert not problems, problems[0]
    problems = step("preflight of proxies", proxy_preflight)
    assert not problems, problems[0]
    step("configuration of proxies", lambda: [proxysql_wanted(wanted_facts.SETTINGS) for _one in groups["proxysql"]])
    return {"milliseconds": {name: round(value, 2) for name, value in took.items()}, "memory": peak()}


# -- many users and rules ----------------------------------------------------------------------------------------------
def users(count: int, state: str = "present") -> list[dict[str, Any]]:
    gone = {} if state == "present" else {"state": state}
    return [
        {"username": f"growth{number:04}", "password": f"Growth-pass.{number}", "default_hostgroup": 2, **gone}
        for number in range(1, count + 1)
    ]


def rules(count: int, state: str = "present") -> list[dict[str, Any]]:
    gone = {} if state == "present" else {"state": state}
    return [
        {"rule_id": 10000 + number, "active": True, "match_digest": f"^SELECT.*growth{number:04} ", "destination_hostgroup": 3, "apply": True, **gone}
        for number in range(1, count + 1)
    ]  # fmt: skip


def rows(count: int) -> dict[str, Any]:
    """Milliseconds in which the role's filters and the module decide, on the unit tests' model of ProxySQL's tables; LOAD and SAVE are not in them."""
    from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_preflight import proxysql_preflight
    from ansible_collections.distdb.mysql_ha.plugins.filter.proxysql_wanted import proxysql_wanted
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.carry_out import carry_out
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.config import plan_tables
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.parts import Layers, statements_of
    from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.specs import config_spec

    good = load(UNIT / "plugins/filter/test_proxysql_preflight.py").GOOD
    settings = load(UNIT / "plugins/filter/test_proxysql_wanted.py").SETTINGS
    model = load(UNIT / "plugins/module_utils/proxysql_model.py").Model()
    made = {"proxysql_users": users(count), "proxysql_query_rules": rules(count)}
    checked, problems = fastest(lambda: proxysql_preflight({**good, **made}, "proxy", ["proxy"]))
    assert not problems, problems[0]
    wanting, wanted = fastest(lambda: proxysql_wanted({**settings, **made}))
    params = {name: option.get("default") for name, option in config_spec().items()}
    params.update(users=wanted["users"], query_rules=wanted["query_rules"], reload=[], exclusive=[])
    first, parts = fastest(lambda: plan_tables(model, params, Layers(True, True)))
    assert len(statements_of(list(parts.values()))) >= 6, statements_of(list(parts.values()))
    carry_out(model, list(parts.values()), 0)
    again, parts = fastest(lambda: plan_tables(model, params, Layers(True, True)))
    assert statements_of(list(parts.values())) == []
    took = {"preflight": checked, "configuration": wanting, "first": first, "again": again}
    return {"milliseconds": {name: round(value, 2) for name, value in took.items()}, "memory": peak()}


def main(arguments: list[str]) -> int:
    known = {"compute": compute, "rows": rows}
    if len(arguments) != 2 or arguments[0] not in known or not arguments[1].isdigit():
        print(__doc__, file=sys.stderr)
        return 2
    os.environ.setdefault("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))
    from ansible.plugins.loader import init_plugin_loader

    # From here on this checkout can be imported by its name.
    init_plugin_loader()
    print(json.dumps(known[arguments[0]](int(arguments[1]))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
