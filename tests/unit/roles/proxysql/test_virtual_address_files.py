# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role writes for the address that proxies share."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest
import yaml

ROLE = Path(__file__).resolve().parents[4] / "roles" / "proxysql"
VARS = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
PLAN = dict(
    own="192.0.2.129", peers=["192.0.2.127", "192.0.2.128"], advertised=["192.0.2.10/32"], excluded=[], router_id=10,
    priority=254, version=3, advert=0.25, watchdog=5,
)  # fmt: skip


def rendered(name, secret="", **changes):
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLE / "templates"), undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    variables = {name: value for name, value in VARS.items() if name.startswith("_proxysql_virtual_")}
    return environment.get_template(name).render(
        **variables,
        _proxysql_virtual={**PLAN, **changes},
        _proxysql_virtual_seen=dict(interface="eth0", keepalived="/usr/sbin/keepalived"),
        proxysql_virtual_secret=secret,
    )


def lines(text):
    return [line.strip() for line in text.splitlines()]


def test_vrrp_goes_to_the_other_proxies_alone_and_follows_the_check():
    found = lines(rendered("proxysql-address.conf.j2"))
    assert found[found.index("unicast_peer {") + 1 : found.index("check_unicast_src")] == [
        "192.0.2.127",
        "192.0.2.128",
        "}",
    ]
    for line in ("unicast_src_ip 192.0.2.129", "virtual_router_id 10", "priority 254", "version 3", "advert_int 0.25",
                 "interface eth0", "192.0.2.10/32", 'file "/run/proxysql-address/priority"', "state BACKUP"):  # fmt: skip
        assert line in found
    assert not {"authentication {", "virtual_ipaddress_excluded {", "nopreempt"} & set(found)
    assert found.count("}") == sum(line.endswith("{") for line in found)


def test_the_last_proxy_has_no_peer_and_no_unicast():
    found = lines(rendered("proxysql-address.conf.j2", peers=[]))
    assert not [line for line in found if "unicast" in line and not line.startswith("#")]
    assert "192.0.2.10/32" in found and found.count("}") == sum(line.endswith("{") for line in found)


def test_a_password_and_addresses_of_the_other_kind():
    found = lines(rendered("proxysql-address.conf.j2", "s3cret", version=2, advert=1, excluded=["2001:db8::10/128"]))
    assert found[found.index("authentication {") + 1 :][:2] == ["auth_type PASS", "auth_pass s3cret"]
    assert found[found.index("virtual_ipaddress_excluded {") + 1] == "2001:db8::10/128"


def test_a_keepalived_that_was_killed_leaves_no_address():
    found = lines(rendered("proxysql-address.service.j2", excluded=["2001:db8::10/128"]))
    for address in ("192.0.2.10/32", "2001:db8::10/128"):
        assert f"ExecStopPost=-/sbin/ip address del {address} dev eth0" in found
    assert not [line for line in found if "keepalived.conf " in line]


@pytest.mark.parametrize("name", ["proxysql-address.service.j2", "proxysql-address-check.service.j2"])
def test_no_secret_is_in_a_service(name):
    text = rendered(name, "s3cret", version=2)
    assert "s3cret" not in text and "Restart=always" in text


def test_every_file_that_is_written_is_removed():
    tasks = yaml.safe_load((ROLE / "tasks" / "virtual_address.yml").read_text())
    written = [
        task.get("ansible.builtin.copy", task.get("ansible.builtin.template", {})).get("dest")
        for task in tasks[0]["block"]
    ]
    paths = [VARS.get(path.strip("{} "), path) for path in VARS["_proxysql_virtual_paths"]]
    items = [item["dest"] for task in tasks[0]["block"] for item in task.get("loop", [])]
    written = [VARS.get(dest.strip("{} "), dest) for dest in [*written, *items] if dest and dest != "{{ item.dest }}"]
    for dest in written:
        assert dest in paths
