# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each host is as isolated as a machine, and as blank."""

from __future__ import annotations

import pytest
from conftest import wait_for

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim("Each lab host is as isolated as a machine, and as blank."),
]

HOSTS = ("db0", "db1")
ADDRESSES = {"db0": ("10.213.16.130", "fd00:db:16::130"), "db1": ("10.213.16.131", "fd00:db:16::131")}


@pytest.mark.parametrize("host", HOSTS)
def test_hosts_are_blank_and_running(lab, host):
    assert lab.on(host, "systemctl is-system-running") == "running"
    assert lab.on(host, "hostname") == host
    assert lab.on(host, "command -v mysqld mysql proxysql || echo none", check=False) == "none"
    assert int(lab.on(host, "ls /var/lib/apt/lists | grep -c Packages")) >= 1
    lab.on(host, "apt-cache show mysql-server >/dev/null && python3 -c 'import apt'")


@pytest.mark.parametrize(
    ("what", "script"),
    [
        ("network namespace", "readlink /proc/1/ns/net"),
        ("process namespace", "readlink /proc/1/ns/pid"),
        ("control group", "stat -c %i /sys/fs/cgroup"),
        ("machine number", "cat /etc/machine-id"),
        ("disk", "stat -c %d /"),
        ("address", "ip -4 -o address show dev eth0"),
    ],
)
def test_what_a_host_has_of_its_own(lab, what, script):
    values = [lab.on(host, script) for host in HOSTS]
    assert all(values)
    assert len(set(values)) == len(HOSTS), f"the hosts share one {what}"


def test_commands_run_in_the_hosts_own_control_group(lab):
    """Not in the lab's: a frozen host answers no command, and what a command leaves behind ends with the host."""
    assert lab.on("db0", "tail -n 1 /proc/self/cgroup") == "0::/exec"


def test_hosts_know_and_reach_each_other(lab):
    listener = "import socket,sys; s=socket.create_server((sys.argv[1],7000),family=int(sys.argv[2])); s.accept()"
    client = "import socket,sys; print(socket.create_connection((sys.argv[1],7000),5).getpeername()[0])"
    addresses = lab.on("db0", "getent ahosts db1 | cut -d' ' -f1 | sort -u").split()
    assert set(addresses) == set(ADDRESSES["db1"])
    for address, family in zip(ADDRESSES["db1"], (2, 10)):
        lab.on(
            "db1", f'systemd-run --quiet --collect --unit=listener{family} python3 -c "{listener}" {address} {family}'
        )
        wait_for(lambda: lab.on("db1", "ss -Hltn sport = 7000"), "db1 listens")
        assert lab.on("db0", f'python3 -c "{client}" {address}') == address
        wait_for(lambda: not lab.on("db1", "ss -Hltn sport = 7000"), "the listener on db1 has ended")


def test_killing_a_service_on_one_host_ends_it_there_only(lab):
    for host in HOSTS:
        lab.service(host, "killed", "exec sleep 1000")
    before = lab.on("db1", "systemctl show --value -p MainPID killed")
    lab.on("db0", "systemctl kill -s KILL killed")
    wait_for(lambda: lab.on("db0", "systemctl is-active killed", check=False) != "active", "killed ends on db0")
    assert lab.on("db1", "systemctl is-active killed") == "active"
    assert lab.on("db1", "systemctl show --value -p MainPID killed") == before
    lab.on("db1", "systemctl stop killed")


@pytest.mark.parametrize(
    ("freeze", "thaw"), [("systemctl freeze", "systemctl thaw"), ("systemctl kill -s STOP", "systemctl kill -s CONT")]
)
def test_freezing_a_service_on_one_host_freezes_it_there_only(lab, freeze, thaw):
    for host in HOSTS:
        lab.service(host, "counter", "while :; do echo >>/root/count; sleep 0.05; done")

    def lines(host):
        return int(lab.on(host, "wc -l </root/count"))

    wait_for(lambda: lab.on("db0", "test -s /root/count && echo yes", check=False), "db0 counts")
    lab.on("db0", f"{freeze} counter")
    frozen, other = lines("db0"), lines("db1")
    wait_for(lambda: lines("db1") > other + 5, "db1 counts on")
    assert lines("db0") == frozen
    lab.on("db0", f"{thaw} counter")
    wait_for(lambda: lines("db0") > frozen, "db0 counts again")
    for host in HOSTS:
        lab.on(host, "systemctl stop counter; rm /root/count")


def test_a_full_disk_on_one_host_leaves_the_others_room(lab):
    full = lab.on("db0", "dd if=/dev/zero of=/root/fill bs=1M count=4000 2>&1 | grep -o 'No space left'")
    assert full == "No space left"
    lab.on("db1", "dd if=/dev/zero of=/root/fill bs=1M count=50 2>/dev/null && rm /root/fill")
    lab.on("db0", "rm /root/fill && echo room >/root/room")


def test_a_host_that_was_switched_off_comes_back_with_its_disk(lab):
    lab.on("db0", "echo kept >/root/kept")
    group = lab.on("db0", "stat -c %i /sys/fs/cgroup")
    lab.run("host", "stop", "db0")
    refused = lab.run("podman", "exec", "db0", "true", check=False)
    assert refused.returncode == 125
    assert "no such container: db0 is not up" in refused.stderr
    lab.on("db1", "true")
    lab.up("db0", "db1")
    assert lab.on("db0", "cat /root/kept") == "kept"
    assert lab.on("db0", "stat -c %i /sys/fs/cgroup") == group, "it came back in another control group"


def test_more_hosts_can_come_and_go(lab):
    lab.up("db4", "proxy1", "other")
    numbers = {"db4": 134, "proxy1": 128, "other": 200}
    for host, number in numbers.items():
        assert f"10.213.16.{number}/24" in lab.on(host, "ip -4 -o address show dev eth0")
        assert lab.on("db0", f"getent ahostsv4 {host} | head -n 1 | cut -d' ' -f1") == f"10.213.16.{number}"
    lab.down(*numbers)
    assert lab.on("db0", "getent hosts db4 || echo unknown", check=False) == "unknown"
    assert lab.on("db0", "getent hosts db1 >/dev/null && echo known") == "known"


def test_the_beginning_of_a_containers_id_is_no_host(lab):
    """As db3 can be one, podman would take another host's container for this one: it would not be made, and its removal would remove the other."""
    ids = lab.run("podman", "ps", "--all", "--no-trunc", "--format", "{{.ID}}").stdout.split()
    names = [one[:12] for one in ids if one[0].isalpha()]
    for name in names:
        assert lab.run("podman", "container", "exists", name, check=False).returncode == 0
        done = lab.run("host", "start", name, check=False)
        assert done.returncode != 0 and f"there is no host {name}" in done.stderr, done
        lab.run("host", "remove", name)
    assert lab.run("podman", "ps", "--all", "--no-trunc", "--format", "{{.ID}}").stdout.split() == ids
    if not names:
        pytest.skip("no id begins with a letter")


def test_up_again_changes_nothing(lab):
    def identity():
        return lab.run("enter", "podman", "ps", "--format", "{{.Names}} {{.ID}} {{.StartedAt}}").stdout

    before = identity()
    assert "created: none" in lab.run("up", "db0", "db1").stderr
    assert identity() == before
