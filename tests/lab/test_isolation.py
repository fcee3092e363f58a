# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab touches nothing of the machine, leaves nothing behind, and does not meet another checkout's lab."""

from __future__ import annotations

import http.server
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from conftest import CLEAN_ENV, Lab, wait_for

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim("The lab touches nothing of the machine and leaves nothing behind."),
]


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def machine(lab: Lab) -> dict[str, object]:
    """What a lab could leave on the machine."""
    mounts = Path("/proc/self/mounts").read_text()
    return {
        "network interfaces": output("ip", "-o", "-4", "address") + output("ip", "-o", "link").replace("\\", ""),
        "routes": output("ip", "route"),
        "packet filter": output("iptables-save", "-t", "nat").split("\n")[1:-2],
        "mounts": sorted(
            line for line in mounts.splitlines() if str(lab.root) in line or "netns" in line or "containers" in line
        ),
        "loop devices": [
            line for line in output("losetup", "--list", "--noheadings").splitlines() if str(lab.state) in line
        ],
        "shared memory": sorted(os.listdir("/dev/shm")),
        "podman's directories": [
            path for path in ("/run/libpod", "/run/crun", "/run/containers") if os.path.exists(path)
        ],
        "processes": lab.processes(),
    }


def control_groups(lab: Lab) -> str:
    """The lab's directories in the machine's cgroup v2 tree, seen through a mount of our own."""
    script = f"mount -t tmpfs t /mnt && mkdir /mnt/c && mount -t cgroup2 c /mnt/c && find /mnt/c -name '{lab.group}'"
    return output("unshare", "--mount", "--propagation", "private", "sh", "-c", script)


def test_the_machine_is_not_touched_and_nothing_is_left(checkout):
    lab = Lab(checkout)
    before = machine(lab)
    assert before["processes"] == []
    lab.up("db0", LAB_PREPARE="0")
    during = machine(lab)
    assert len(during.pop("processes")) > 5
    assert during.pop("loop devices") or not before["loop devices"]
    for what, value in during.items():
        assert value == before[what], f"the running lab changed the machine's {what}"
    assert control_groups(lab)
    lab.down()
    assert machine(lab) == before
    assert control_groups(lab) == ""
    assert [path.name for path in lab.state.iterdir()] == ["up.lock"]


def test_killing_the_first_process_ends_everything_and_up_starts_again(checkout):
    lab = Lab(checkout, "killed")
    lab.up("db0")
    running = lab.processes()
    os.kill(lab.holder, signal.SIGKILL)
    wait_for(lambda: not lab.processes(), f"the lab's processes ({len(running)}) end with the first one")
    refused = lab.run("enter", "true", check=False)
    assert refused.returncode == 1
    assert refused.stderr == "lab: the lab killed is not up; lab/up starts it.\n"
    lab.up("db0")
    assert lab.on("db0", "hostname") == "db0"


def test_two_checkouts_with_the_same_subnet_and_names_do_not_meet(lab, checkout):
    other = Lab(checkout)
    other.up("db0", "db1", LAB_PREPARE="0")
    assert other.on("db0", "ip -4 -o address show dev eth0 | grep -o '10[.0-9]*' | head -n 1") == "10.213.16.130"
    for one, text in ((lab, "first"), (other, "second")):
        one.service(
            "db1", "who", f"cd /root && echo {text} >who && exec python3 -m http.server 8000 --bind 10.213.16.131"
        )
    fetch = (
        "python3 -c \"import urllib.request as u; print(u.urlopen('http://10.213.16.131:8000/who').read().decode())\""
    )
    for one, text in ((lab, "first"), (other, "second")):
        wait_for(lambda one=one: one.on("db1", "ss -Hltn sport = 8000"), "the service listens")
        assert one.on("db0", fetch) == text
    other.on("db1", "systemctl kill -s KILL who")
    other.down()
    assert lab.on("db1", "systemctl is-active who") == "active"
    assert lab.on("db0", fetch) == "first"
    lab.on("db1", "systemctl stop who")
    assert "db0" in lab.run("enter", "podman", "ps", "--format", "{{.Names}}").stdout


def test_clean_of_another_checkout_keeps_the_image_in_use(lab, checkout):
    image = lab.run("image", "--path").stdout.strip()
    done = Lab(checkout).run("clean")
    assert f"kept, another checkout uses it: {image}" in done.stderr
    assert Path(image, "usr/bin/python3").exists()
    assert not (checkout / ".lab").exists()


def test_the_lab_cannot_reach_the_machines_loopback(lab):
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f":{server.server_port}/"
        assert output("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1{url}") == "200"
        for address in ("127.0.0.1", "10.0.2.2"):
            done = lab.run("enter", "curl", "-s", "--max-time", "3", f"http://{address}{url}", check=False)
            assert done.returncode in (7, 28), f"{address} answered inside the lab"
    finally:
        server.shutdown()


def test_the_lab_comes_up_on_a_machine_with_cgroup_v2_only(checkout):
    """And without overlay below its directory: .lab is on an overlay itself here, where only a disk of its own helps."""
    script = """
        mkdir -p "$1/o" && cd "$1" && mkdir o/lower o/upper o/work o/top
        mount -t overlay -o lowerdir=o/lower,upperdir=o/upper,workdir=o/work overlay o/top
        cp -r lab inventories o/top/
        umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup
        [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]
        cd o/top
        trap lab/down EXIT
        lab/up db0
        lab/podman exec db0 systemctl is-system-running
    """
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "sh", str(checkout)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**CLEAN_ENV, "LAB_PREPARE": "0"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == "running"
