# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""lab/enter, lab/podman, the secrets, and how commands say what is wrong."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import subprocess

import pytest
import yaml
from conftest import CLEAN_ENV, ROOT, Lab

pytestmark = [
    pytest.mark.integration,
    pytest.mark.claim("The lab's commands pass everything through and name what is wrong."),
]

# -- lab/enter --------------------------------------------------------------------------------


def test_enter_keeps_the_directory_and_puts_the_virtual_environment_first(lab, tmp_path):
    inside = lab.run("enter", "sh", "-c", 'pwd; echo "$PATH"', cwd=tmp_path).stdout.splitlines()
    assert inside[0] == str(tmp_path)
    assert inside[1].startswith(f"{ROOT}/.venv/bin:")
    assert lab.run("enter", "python", "-c", "import sys; print(sys.prefix)").stdout == f"{ROOT}/.venv\n"


def test_enter_passes_arguments_and_exit_code_and_standard_input(lab):
    assert lab.run("enter", "printf", "%s|", "a b", "", "$HOME", "'").stdout == "a b||$HOME|'|"
    assert lab.run("enter", "sh", "-c", "exit 7", check=False).returncode == 7
    command = [str(ROOT / "lab/enter"), "cat"]
    echoed = subprocess.run(
        command, input="typed", capture_output=True, text=True, env={**CLEAN_ENV, "LAB_NAME": "test"}, check=False
    )
    assert echoed.stdout == "typed"


def test_enter_inside_of_the_lab_is_the_same_place(lab):
    nested = lab.run("enter", ROOT / "lab/enter", "readlink", "/proc/self/ns/net").stdout
    assert nested == lab.run("enter", "readlink", "/proc/self/ns/net").stdout


def test_enter_works_with_every_standard_stream_closed(lab, tmp_path):
    script = f'LAB_NAME=test "{ROOT}/lab/enter" touch "{tmp_path}/made" <&- >&- 2>&-'
    subprocess.run(["sh", "-c", script], check=True, env=CLEAN_ENV)
    assert (tmp_path / "made").exists()


# -- lab/podman -------------------------------------------------------------------------------


def test_podman_exec_passes_everything_through(lab):
    command = [str(ROOT / "lab/podman"), "exec", "-i", "db0", "/bin/sh", "-c", "cat; echo error >&2; exit 9"]
    done = subprocess.run(
        command,
        input="text",
        capture_output=True,
        text=True,
        env={**CLEAN_ENV, "LAB_NAME": "test", "SECRET": "x"},
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("text", "error\n", 9)


def test_podman_exec_does_not_carry_the_controllers_environment(lab):
    names = {line.split("=")[0] for line in lab.run("podman", "exec", "db0", "env", SECRET="x").stdout.splitlines()}
    assert names == {"PATH", "HOME", "LANG", "container"}


def test_podman_exec_has_the_rights_that_the_hosts_services_have(lab):
    capabilities = "grep -E 'Cap(Eff|Bnd)' /proc/{}/status"
    assert lab.on("db0", capabilities.format("self")) == lab.on("db0", capabilities.format("1"))


def test_podman_copies_files_both_ways(lab, tmp_path):
    content = bytes(range(256)) * 1000
    (tmp_path / "there").write_bytes(content)
    lab.run("podman", "cp", "--pause=false", tmp_path / "there", "db0:/root/copied file")
    assert lab.on("db0", "stat -c %a,%s '/root/copied file'") == f"600,{len(content)}"
    lab.run("podman", "cp", "--pause=false", "db0:/root/copied file", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content
    failed = lab.run("podman", "cp", "--pause=false", tmp_path / "there", "db0:/no/such/directory/file", check=False)
    assert failed.returncode != 0


@pytest.mark.parametrize("inside", [False, True])
def test_podman_itself_is_the_labs(lab, inside):
    words = ["enter", "podman"] if inside else ["podman"]
    assert set(lab.run(*words, "ps", "--format", "{{.Names}}").stdout.split()) == {"db0", "db1"}


def test_podman_first_on_path_does_not_call_itself(lab):
    listed = subprocess.run(
        ["podman", "ps", "--format", "{{.Names}}"], capture_output=True, text=True, timeout=30,
        env={**CLEAN_ENV, "LAB_NAME": "test", "PATH": f"{ROOT}/lab:{os.environ['PATH']}"}, check=False,
    )  # fmt: skip
    assert set(listed.stdout.split()) == {"db0", "db1"}


def test_podman_names_a_host_that_is_not_there(lab):
    done = lab.run("podman", "exec", "db8", "true", check=False)
    assert (done.returncode, done.stderr) == (125, "no such container: db8 is not up\n")


@pytest.mark.parametrize("inside", [False, True])
def test_ansible_reaches_the_hosts(lab, inside, tmp_path):
    """With a module, a copied and a fetched file; the inventory's own connection settings."""
    (tmp_path / "play.yml").write_text(
        yaml.safe_dump(
            [
                {
                    "hosts": "db0,db1",
                    "gather_facts": False,
                    "tasks": [
                        {
                            "ansible.builtin.copy": {
                                "dest": "/root/name",
                                "content": "{{ inventory_hostname }}",
                                "mode": "0640",
                            }
                        },
                        {"ansible.builtin.fetch": {"src": "/root/name", "dest": f"{tmp_path}/fetched/"}},
                        {"ansible.builtin.file": {"path": "/root/name", "state": "absent"}},
                    ],
                }
            ]
        )
    )
    command = [str(ROOT / ".venv/bin/ansible-playbook"), "-i", "inventories/lab", str(tmp_path / "play.yml")]
    done = subprocess.run(
        [str(ROOT / "lab/enter"), *command] if inside else command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        env={**CLEAN_ENV, "LAB_NAME": "test", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for host in ("db0", "db1"):
        assert (tmp_path / "fetched" / host / "root/name").read_text() == host


def test_playbooks_create_and_destroy_hosts(tmp_path):
    """As molecule uses them; in a lab of their own, with hosts named by the caller."""
    lab = Lab(name="play")
    names = '{"lab_name": "play", "lab_hosts": ["db0"]}'

    def changed(playbook: str) -> str:
        done = subprocess.run(
            [str(ROOT / ".venv/bin/ansible-playbook"), "-i", "inventories/lab", "-e", names, f"lab/{playbook}.yml"],
            cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            env={**CLEAN_ENV, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return re.search(r"changed=(\d+)", done.stdout)[1]

    try:
        assert [changed("create"), changed("create")] == ["1", "0"]
        assert lab.on("db0", "hostname") == "db0"
        assert [changed("destroy"), changed("destroy")] == ["1", "0"]
        assert lab.processes() == []
    finally:
        lab.down()


# -- secrets ----------------------------------------------------------------------------------


def test_secrets_are_random_private_and_kept(checkout):
    lab = Lab(checkout)
    path = checkout / "inventories/lab/group_vars/all/secrets.yml"
    lab.run("secrets")
    first = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    values = yaml.safe_load(first)
    assert set(values) == {
        "mysql_gr_recovery_password", "mysql_gr_peer_password", "proxysql_admin_password",
        "proxysql_monitor_password", "lab_app_password", "mysql_gr_tls_ca_passphrase",
    }  # fmt: skip
    assert all(isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value) for value in values.values())
    assert len(set(values.values())) == len(values)
    lab.run("secrets")
    assert path.read_text() == first
    path.write_text("\n".join(line for line in first.splitlines() if "ca_passphrase" not in line) + "\n")
    lab.run("secrets")
    added = yaml.safe_load(path.read_text())
    assert {**added, "mysql_gr_tls_ca_passphrase": ""} == {**values, "mysql_gr_tls_ca_passphrase": ""}
    assert added["mysql_gr_tls_ca_passphrase"] not in ("", values["mysql_gr_tls_ca_passphrase"])
    path.unlink()
    lab.run("secrets")
    assert not set(yaml.safe_load(path.read_text()).values()) & set(values.values())


@pytest.mark.parametrize(
    "path",
    ["inventories/lab/group_vars/all/secrets.yml", "inventories/lab/group_vars/proxysql/generated.yml", ".lab/x"],
)
def test_what_the_lab_writes_is_ignored_by_git(path):
    assert subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT, check=False).returncode == 0


# -- sentences --------------------------------------------------------------------------------


def sentence(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("LAB_NAME", "../x", "LAB_NAME is '../x'; allowed are up to 31 small letters, digits and dashes."),
        (
            "LAB_SUBNET",
            "192.168.16.0/24",
            "LAB_SUBNET is 192.168.16.0/24, which belongs to the Vagrant machines; choose another /24 network.",
        ),
        (
            "LAB_SUBNET",
            "10.0.2.0/24",
            "LAB_SUBNET is 10.0.2.0/24, which the lab's uplink uses itself; choose another /24 network.",
        ),
        (
            "LAB_SUBNET",
            "10.300.1.0/24",
            "LAB_SUBNET is '10.300.1.0/24'; allowed is an IPv4 /24 network such as 10.213.16.0/24.",
        ),
        (
            "LAB_SUBNET",
            "10.1.1.0/16",
            "LAB_SUBNET is '10.1.1.0/16'; allowed is an IPv4 /24 network such as 10.213.16.0/24.",
        ),
        (
            "LAB_SUBNET6",
            "fd00::1",
            "LAB_SUBNET6 is 'fd00::1'; allowed is an IPv6 /64 network that ends in ::/64, or none.",
        ),
        ("LAB_DISK", "big", "LAB_DISK is 'big'; allowed is a size such as 4G or 800M, or 0 for no limit."),
        ("LAB_MEMORY", "-1", "LAB_MEMORY is '-1'; allowed is a size such as 2G or 800M, or 0 for no limit."),
        ("LAB_CACHE", "here", "LAB_CACHE is 'here'; allowed is an absolute path."),
    ],
)
def test_a_bad_setting_is_named_with_what_is_allowed(setting, value, expected):
    environment = {"LAB_NAME": "bad", setting: value}
    done = subprocess.run(
        [str(ROOT / "lab/up")], capture_output=True, text=True, env={**CLEAN_ENV, **environment}, check=False
    )
    assert sentence(done) == f"lab: {expected}"
    assert not (ROOT / ".lab/labs/bad/run").exists()


def in_a_mount_namespace(prepare: str, command: str, **env: str) -> subprocess.CompletedProcess:
    """Run a command on a machine that looks different."""
    return subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-ec", f"{prepare}\n{command}"], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, env={**CLEAN_ENV, "LAB_NAME": "bad", **env}, check=False,
    )  # fmt: skip


UP = shlex.quote(str(ROOT / "lab/up"))


def test_up_says_that_it_needs_root():
    # The checkout may lie where other users cannot look, so it is shown at a place where they can.
    show = f"mount --bind {shlex.quote(str(ROOT))} /mnt"
    done = in_a_mount_namespace(show, "exec setpriv --reuid=65534 --regid=65534 --clear-groups /mnt/lab/up")
    assert sentence(done) == "lab: the lab needs root (namespaces, mounts, debootstrap); run it with sudo."


def test_up_says_which_packages_are_missing():
    hide = 'for tool in debootstrap slirp4netns; do mount --bind /dev/null "$(command -v $tool)"; done'
    assert (
        sentence(in_a_mount_namespace(hide, UP))
        == "lab: missing Debian packages: debootstrap slirp4netns; lab/setup installs them."
    )


def test_up_says_that_namespaces_are_not_allowed():
    done = in_a_mount_namespace("", f"exec setpriv --bounding-set -sys_admin {UP}")
    assert (
        sentence(done)
        == "lab: this machine does not allow new namespaces (unshare: Operation not permitted); the lab needs them."
    )


def test_up_says_that_there_is_no_tun_device():
    done = in_a_mount_namespace("mount -t tmpfs none /dev/net", UP)
    assert sentence(done) == "lab: there is no /dev/net/tun, which the lab's uplink (slirp4netns) needs."


def test_up_says_that_the_disk_is_too_small(tmp_path):
    done = in_a_mount_namespace(f"mount -t tmpfs -o size=100m none {tmp_path}", UP, LAB_CACHE=f"{tmp_path}/cache")
    expected = r"lab: \S+/cache has (99|100) MB free; the lab needs 6144 MB \(set LAB_CACHE to use another disk\)\."
    assert re.fullmatch(expected, sentence(done))


def test_up_says_that_the_machine_allows_too_few_inotify_instances(lab, tmp_path):
    """The lab is up already: only what a new host needs is looked at."""
    (tmp_path / "limit").write_text("10\n")
    hide = f"mount --bind {tmp_path}/limit /proc/sys/fs/inotify/max_user_instances"
    done = in_a_mount_namespace(hide, f"{UP} db7", LAB_NAME="test")
    expected = (
        r"lab: \d+ of this machine's 10 inotify instances are in use and 1 more hosts need 6; "
        r"raise the limit: sysctl -w fs\.inotify\.max_user_instances=512"
    )
    assert re.fullmatch(expected, sentence(done))


def test_a_running_lab_refuses_another_subnet(lab):
    done = lab.run("up", "db0", check=False, LAB_SUBNET="10.99.0.0/24")
    assert (
        sentence(done)
        == "lab: the lab is up with the network 10.213.16.0/24; run lab/down before changing LAB_SUBNET to 10.99.0.0/24."
    )


# -- where the image comes from ---------------------------------------------------------------

DEB822 = """
# comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/x.gpg

Types: deb
URIs: http://security.example/
Suites: bookworm-security
Components: main
"""


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"sources.list.d/debian.sources": DEB822}, "http://mirror.example/debian sid main /usr/share/keyrings/x.gpg"),
        (
            {
                "sources.list": "deb-src http://a.example bookworm main\ndeb [arch=amd64 signed-by=/k.gpg] https://b.example/d bookworm main contrib\n"
            },
            "https://b.example/d sid main /k.gpg",
        ),
        (
            {
                "sources.list.d/a.list": "deb http://other.example/ nodistro main\n",
                "sources.list.d/b.list": "deb http://c.example/d bookworm main\n",
            },
            "http://c.example/d sid main -",
        ),
        (
            {
                "sources.list.d/d.sources": "Enabled: no\n" + DEB822.lstrip("\n#coment "),
                "sources.list": "deb http://e.example/ bookworm main\n",
            },
            "http://e.example/ sid main -",
        ),
    ],
)
def test_the_mirror_is_the_machines_own(tmp_path, sources, expected):
    for name, content in sources.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "os-release").write_text("ID=debian\nVERSION_CODENAME=bookworm\n")
    prepare = f"mount --bind {tmp_path}/os-release /etc/os-release; mount --bind {tmp_path} /etc/apt"
    done = in_a_mount_namespace(prepare, f"{shlex.quote(str(ROOT / 'lab/image'))} --source")
    assert (done.returncode, done.stdout.strip()) == (0, expected), done.stderr


def test_no_mirror_is_said(tmp_path):
    (tmp_path / "sources.list").write_text("deb http://other.example/ nodistro main\n")
    (tmp_path / "os-release").write_text("ID=debian\nVERSION_CODENAME=bookworm\n")
    prepare = f"mount --bind {tmp_path}/os-release /etc/os-release; mount --bind {tmp_path} /etc/apt"
    done = in_a_mount_namespace(prepare, f"{shlex.quote(str(ROOT / 'lab/image'))} --source")
    assert (
        sentence(done)
        == "lab: found no entry for bookworm in /etc/apt/sources.list*; set LAB_MIRROR to the URL of a Debian mirror."
    )


def test_the_image_changes_with_its_inputs_only():
    def path(**env: str) -> str:
        return Lab().run("image", "--path", **env).stdout

    assert path() == path(LAB_DISK="1G", LAB_SUBNET="10.9.9.0/24")
    assert len({path(), path(LAB_SUITE="trixie"), path(LAB_MIRROR="http://mirror.example/debian")}) == 3


# -- which ProxySQL ---------------------------------------------------------------------------


@pytest.fixture
def proxysql(checkout, tmp_path):
    """lab/proxysql in a checkout with nothing chosen, on a machine whose curl answers as the test says."""

    def ask(answers: bool = False, **env: str) -> subprocess.CompletedProcess:
        curl = tmp_path / "bin" / "curl"
        curl.parent.mkdir(exist_ok=True)
        curl.write_text(f"#!/bin/sh\nprintf 200\nexit {0 if answers else 28}\n")
        curl.chmod(0o755)
        return Lab(checkout).run("proxysql", check=False, PATH=f"{curl.parent}:{os.environ['PATH']}", **env)

    return ask


def test_a_proxysql_given_by_hand_comes_first(proxysql, tmp_path):
    (tmp_path / "p.deb").write_bytes(b"!<arch>\n")
    chosen = json.loads(proxysql(answers=True, LAB_PROXYSQL_DEB=str(tmp_path / "p.deb")).stdout)
    assert (chosen["kind"], chosen["file"]) == ("package", str(tmp_path / "p.deb"))
    chosen = json.loads(proxysql(answers=True, LAB_PROXYSQL_BIN="/bin/true").stdout)
    assert (chosen["kind"], chosen["libs"]) == ("binary", "")
    assert "real" in chosen["words"]


@pytest.mark.parametrize(("answers", "kind"), [(True, "repository"), (False, "standin")])
def test_upstreams_repository_is_taken_when_it_answers(proxysql, answers, kind):
    assert json.loads(proxysql(answers=answers).stdout)["kind"] == kind


def test_the_stand_in_can_be_forbidden(proxysql):
    refused = proxysql(answers=False, LAB_PROXYSQL_REAL="1")
    assert refused.returncode != 0
    assert "LAB_PROXYSQL_REAL=1 forbids the stand-in" in refused.stderr
    assert json.loads(proxysql(answers=True, LAB_PROXYSQL_REAL="1").stdout)["kind"] == "repository"


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (
            {"LAB_PROXYSQL_DEB": "/none.deb"},
            "LAB_PROXYSQL_DEB is '/none.deb', which is not a readable file; it must be ProxySQL's Debian package.",
        ),
        ({"LAB_PROXYSQL_DEB": "/etc/passwd"}, "LAB_PROXYSQL_DEB is '/etc/passwd', which is not a Debian package."),
        (
            {"LAB_PROXYSQL_BIN": "/etc/passwd"},
            "LAB_PROXYSQL_BIN is '/etc/passwd', which is not a program for Linux (ELF).",
        ),
        (
            {"LAB_PROXYSQL_BIN": "/bin/true", "LAB_PROXYSQL_DEB": "/x"},
            "LAB_PROXYSQL_DEB and LAB_PROXYSQL_BIN are both set; set one of them.",
        ),
    ],
)
def test_a_proxysql_that_cannot_be_used_is_refused(proxysql, env, expected):
    assert sentence(proxysql(**env)) == f"lab: {expected}"


def test_a_given_program_becomes_the_service_and_stays_the_choice(checkout):
    """The program only has to start here: sleep takes the place of ProxySQL."""
    lab = Lab(checkout)
    said = lab.run("up", "proxy", LAB_PROXYSQL_BIN="/usr/bin/sleep").stderr.splitlines()
    assert said[-1] == "ProxySQL in this lab is real: the program /usr/bin/sleep, given by LAB_PROXYSQL_BIN."
    variables = yaml.safe_load((checkout / "inventories/lab/group_vars/proxysql/generated.yml").read_text())
    assert variables == {
        "proxysql_install_method": "preinstalled",
        "proxysql_allow_version_pair": True,
        "proxysql_allow_vulnerable_version": True,
    }
    assert lab.on("proxy", "stat -c %U:%G:%a /etc/proxysql.cnf /var/lib/proxysql | tr '\\n' ' '").split() == [
        "root:proxysql:640",
        "proxysql:proxysql:755",
    ]
    assert lab.on("proxy", "systemctl is-active proxysql", check=False) == "inactive"
    assert lab.on("proxy", "systemctl show -p LoadState --value proxysql") == "loaded"

    again = lab.run("up", "proxy").stderr.splitlines()
    assert len(again) == 1, "the second run prepared the proxy again"
    playbook = [
        str(checkout / ".venv/bin/ansible-playbook"),
        "-i",
        "inventories/lab",
        "--limit",
        "localhost,proxy",
        "lab/prepare.yml",
    ]
    done = subprocess.run(
        playbook,
        cwd=checkout,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**CLEAN_ENV, "LAB_NAME": ""},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.findall(r"changed=(\d+)", done.stdout) == ["0", "0"]

    (checkout / "p.deb").write_bytes(b"!<arch>\n")
    other = lab.run("up", "proxy", check=False, LAB_PROXYSQL_DEB=str(checkout / "p.deb"))
    assert other.returncode == 1
    assert other.stderr.splitlines()[-1] == (
        "lab: the proxy host of this lab was made with ProxySQL of kind 'binary'; run lab/down before choosing 'package'."
    )
