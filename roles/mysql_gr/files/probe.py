# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role has to know of a host before it changes anything, in one look. Changes nothing.

Reads its questions as JSON from standard input and prints its answers as JSON. Needs Python's standard library only,
since on a blank host there is nothing else; a server that runs is asked through the client that comes with it.
"""

from __future__ import annotations

import glob
import grp
import hashlib
import json
import os
import pwd
import socket
import subprocess
import sys

SQL = (
    "SELECT @@server_uuid, @@version, @@global.gtid_executed <> '', @@global.super_read_only,"
    " IFNULL((SELECT member_state FROM performance_schema.replication_group_members WHERE member_id = @@server_uuid), ''),"
    " IFNULL((SELECT variable_value FROM performance_schema.global_variables"
    " WHERE variable_name = 'group_replication_single_primary_mode'), ''),"
    " IFNULL((SELECT variable_value FROM performance_schema.global_variables"
    " WHERE variable_name = 'group_replication_group_name'), '')"
)
SQL_COLUMNS = ("uuid", "version", "has_transactions", "read_only", "state", "single_primary", "group_name")


def run(*command, timeout=20, env=None):
    """(exit code, standard output, standard error); code 127 when there is no such program, 124 when it did not end."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False,
            env=dict(os.environ, LC_ALL="C", **(env or {})),
        )  # fmt: skip
    except FileNotFoundError:
        return 127, "", "there is no %s" % command[0]
    except subprocess.TimeoutExpired:
        return 124, "", "%s gave no answer within %d s" % (command[0], timeout)
    return done.returncode, done.stdout, done.stderr


def read(path, limit=1 << 20):
    try:
        with open(path, encoding="utf-8", errors="replace") as source:
            return source.read(limit)
    except OSError:
        return ""


def parse_os_release(text):
    found = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals:
            found[name.strip()] = value.strip().strip("\"'")
    return {
        "id": found.get("ID", ""),
        "like": found.get("ID_LIKE", "").split(),
        "version": found.get("VERSION_ID", ""),
        "codename": found.get("VERSION_CODENAME", ""),
        "name": found.get("PRETTY_NAME", found.get("ID", "unknown")),
    }


def memory():
    """Bytes of memory that a server on this host can have: the machine's, or what its control group allows."""
    total = 0
    for line in read("/proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            total = int(line.split()[1]) * 1024
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        limit = read(path).strip()
        if limit.isdigit():
            total = min(total, int(limit)) if total else int(limit)
    return total


def listening(text):
    """(port, inode) of every listening TCP socket in the text of /proc/net/tcp or tcp6."""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == "0A":
            found.append((int(fields[1].rsplit(":", 1)[1], 16), fields[9]))
    return found


def owner(inode):
    """Name of the process that holds a socket, or ''."""
    wanted = "socket:[%s]" % inode
    for entry in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(entry) == wanted:
                return read("/proc/%s/comm" % entry.split("/")[2]).strip()
        except OSError:
            continue
    return ""


def ports(wanted):
    """The wanted ports that are in use: [{port, process}]."""
    found = {}
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for port, inode in listening(read(path)):
            if port in wanted and port not in found:
                found[port] = owner(inode)
    return [{"port": port, "process": found[port]} for port in sorted(found)]


def is_local(address):
    """Whether the address is one of this host's: true, false, or None where it is a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, address)
        except OSError:
            continue
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.bind((address, 0))
        except OSError:
            return False
        return True
    return None


def packages(names):
    """Installed versions of packages by name; '' for one that is not installed."""
    found = dict.fromkeys(names, "")
    code, output, _errors = run("dpkg-query", "-W", "-f", "${Package}\t${db:Status-Abbrev}\t${Version}\n", *names)
    if code in (0, 1):
        for line in output.splitlines():
            fields = line.split("\t")
            if len(fields) == 3 and fields[1].startswith("ii") and fields[0] in found:
                found[fields[0]] = fields[2]
    return found


def server_version(installed):
    """The installed server's version: of its package, or what the program itself says; '' without a server."""
    for name in sorted(installed):
        if "server" in name and installed[name]:
            return installed[name].split(":")[-1]
    _code, output, _errors = run("/usr/sbin/mysqld", "--version")
    words = output.split()
    return words[words.index("Ver") + 1] if "Ver" in words[:-1] else ""


def candidate(package):
    """The version that apt would install, or ''."""
    _code, output, _errors = run("apt-cache", "policy", package, timeout=60)
    for line in output.splitlines():
        name, _colon, value = line.strip().partition(": ")
        if name == "Candidate" and value != "(none)":
            return value.strip().split(":")[-1]
    return ""


def service(name):
    properties = ("LoadState", "ActiveState", "UnitFileState", "NeedDaemonReload")
    _code, output, _errors = run("systemctl", "show", name, "--property=" + ",".join(properties))
    found = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    return {
        "exists": found.get("LoadState") == "loaded",
        "active": found.get("ActiveState", ""),
        "enabled": found.get("UnitFileState") == "enabled",
        "reload": found.get("NeedDaemonReload") == "yes",
    }


def look_at(path):
    """[checksum, mode, owner, group] of a file, or None without one."""
    try:
        found = os.stat(path)
        with open(path, "rb") as source:
            checksum = hashlib.sha1(source.read()).hexdigest()
    except OSError:
        return None
    names = []
    for number, names_of in ((found.st_uid, pwd.getpwuid), (found.st_gid, grp.getgrgid)):
        try:
            names.append(names_of(number)[0])
        except KeyError:
            names.append(str(number))
    return [checksum, "%04o" % (found.st_mode & 0o7777)] + names


def relay_logs(datadir):
    """Names that relay logs of the group's applier channel begin with; none on a server that never was a member."""
    files = glob.glob(os.path.join(glob.escape(datadir), "*-group_replication_applier.*"))
    return sorted({os.path.basename(name).rsplit("-group_replication_applier.", 1)[0] for name in files})


def uuid_of(datadir):
    for line in read(os.path.join(datadir, "auto.cnf")).splitlines():
        name, equals, value = line.partition("=")
        if equals and name.strip().replace("_", "-") == "server-uuid":
            return value.strip()
    return ""


def ask_server(question):
    """What the running server says of itself, or {'error': why it could not be asked}."""
    env = {"MYSQL_PWD": question["login_password"]} if question.get("login_password") else None
    code, output, errors = run(
        "mysql", "--batch", "--skip-column-names", "--connect-timeout=5", "--protocol=socket",
        "--socket=" + question["login_unix_socket"], "--user=" + question["login_user"], "--execute=" + SQL,
        env=env,
    )  # fmt: skip
    values = output.rstrip("\n").split("\t")
    if code != 0 or len(values) != len(SQL_COLUMNS):
        lines = [line for line in errors.splitlines() if line.strip() and "[Warning]" not in line]
        return {"error": lines[-1].strip() if lines else "the client ended with code %d" % code}
    found = dict(zip(SQL_COLUMNS, values))
    found["has_transactions"] = found["has_transactions"] == "1"
    found["read_only"] = found["read_only"] in ("1", "ON")
    found["single_primary"] = {"ON": True, "OFF": False}.get(found["single_primary"])
    return found


def main():
    question = json.load(sys.stdin)
    installed = packages(question["packages"])
    running = service(question["service"])
    version = server_version(installed)
    answer = {
        "os": parse_os_release(read("/etc/os-release")),
        "memory": memory(),
        "python": list(sys.version_info[:2]),
        "address_is_local": is_local(question["address"]),
        "ports": ports(question["ports"]),
        "packages": installed,
        "package_lists": bool(glob.glob("/var/lib/apt/lists/*_Packages*")),
        "service": running,
        "installed": bool(version),
        "version": version,
        "uuid": uuid_of(question["datadir"]),
        "relay_logs": relay_logs(question["datadir"]),
        "files": {path: look_at(path) for path in question["files"]},
        "settings_loaded": read(question["loaded_file"]).split(" ")[0].strip(),
        "sql": {},
    }
    if not version and question["ask_candidate"]:
        answer["version"] = candidate(question["ask_candidate"])
    if running["active"] in ("active", "reloading"):
        answer["sql"] = ask_server(question)
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
