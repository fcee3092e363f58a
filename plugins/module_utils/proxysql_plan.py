# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be done so that ProxySQL's three layers say what a playbook wants. No I/O here.

Words: a *group* is one row of mysql_group_replication_hostgroups, known by its writer hostgroup. *Memory* is what the admin tables
hold, *runtime* what the proxy works by, *disk* what it starts from. *Loaded* servers are the rows of memory at the last LOAD; *placed*
servers are where the monitor has them now. A server is *configured* in one hostgroup and *placed* in others, so runtime is compared
through the loaded rows, never through the placed ones.
"""

from __future__ import annotations

from typing import Any, Dict, Iterable, NamedTuple, Sequence, Tuple

from ansible_collections.distdb.mysql_ha.plugins.module_utils._address import INVALID, classify, join_address

ServerKey = Tuple[int, str, int]  # hostgroup, hostname, port
Address = Tuple[str, int]

ROLES = ("writer", "backup_writer", "reader", "offline")
CONFIGURED_IN = ("auto",) + ROLES
STATUSES = ("ONLINE", "OFFLINE_SOFT", "OFFLINE_HARD")

LOAD = "LOAD MYSQL SERVERS TO RUNTIME"
SAVE = "SAVE MYSQL SERVERS TO DISK"
GROUP_TABLE = "mysql_group_replication_hostgroups"
SERVER_TABLE = "mysql_servers"

# One INSERT stays well below SQLite's limit of 1,000,000 bytes.
_MAX_STATEMENT = 400000


class Group(NamedTuple):
    writer_hostgroup: int
    backup_writer_hostgroup: int
    reader_hostgroup: int
    offline_hostgroup: int
    active: int
    max_writers: int
    writer_is_also_reader: int
    max_transactions_behind: int
    comment: str

    @property
    def numbers(self) -> tuple[int, int, int, int]:
        return self[:4]

    def role_of(self, hostgroup: int) -> str | None:
        return ROLES[self.numbers.index(hostgroup)] if hostgroup in self.numbers else None

    def number_of(self, role: str) -> int:
        return self.numbers[ROLES.index(role)]


class Server(NamedTuple):
    """The columns of mysql_servers beside its key."""

    gtid_port: int = 0
    status: str = "ONLINE"
    weight: int = 1
    compression: int = 0
    max_connections: int = 1000
    max_replication_lag: int = 0
    use_ssl: int = 0
    max_latency_ms: int = 0
    comment: str = ""


class Layer(NamedTuple):
    groups: dict[int, Group]
    servers: dict[ServerKey, Server]


class Wish(NamedTuple):
    """What a task says about one group."""

    writer_hostgroup: int
    group: Group | None  # None: absent
    servers: dict[Address, Server] | None = None  # None: the task says nothing about servers
    exclusive: bool = False
    configured_in: str = "auto"
    keep_servers: bool = False


class Facts(NamedTuple):
    """The state of one ProxySQL. Placed rows are None until a LOAD needs them (needs_places)."""

    memory: Layer
    runtime: Layer  # its groups, and the servers as they were loaded
    disk: Layer
    placed: dict[ServerKey, Server] | None
    monitor_enabled: bool = True


class Step(NamedTuple):
    kind: str  # write | load | drain | save | wait
    statements: tuple[str, ...] = ()
    servers: tuple[Address, ...] = ()


class Plan(NamedTuple):
    target: Layer
    memory_changed: bool
    runtime_changed: bool
    disk_changed: bool
    steps: tuple[Step, ...]
    warnings: tuple[str, ...]

    @property
    def changed(self) -> bool:
        return self.memory_changed or self.runtime_changed or self.disk_changed

    @property
    def statements(self) -> list[str]:
        return [statement for step in self.steps for statement in step.statements]


class WishError(ValueError):
    """The wish is wrong in itself or conflicts with another row; the text is for the user."""


# ---- the wish -------------------------------------------------------------------------------------------------------

_RANGES = {
    "gtid_port": (0, 65535),
    "weight": (0, 10000000),
    "peers.weight": (0, 2**31 - 1),
    "compression": (0, 1),
    "max_connections": (0, 2**31 - 1),
    "max_replication_lag": (0, 126144000),
    "max_latency_ms": (0, 2**31 - 1),
    "writer_hostgroup": (0, 2**31 - 1),
    "backup_writer_hostgroup": (0, 2**31 - 1),
    "reader_hostgroup": (1, 2**31 - 1),
    "offline_hostgroup": (0, 2**31 - 1),
    "max_writers": (0, 2**31 - 1),
    "writer_is_also_reader": (0, 2),
    "max_transactions_behind": (0, 2**31 - 1),
}


def _in_range(option: str, value: Any, where: str = "") -> int:
    low, high = _RANGES[option]
    number = int(value)
    if not low <= number <= high:
        raise WishError(
            "{0} is {1}{2}; allowed are whole numbers from {3} to {4}.".format(option, number, where, low, high)
        )
    return number


def _text(option: str, value: str | None, where: str) -> str:
    text = value or ""
    if any(ord(char) < 32 or ord(char) == 127 for char in text):
        raise WishError("{0} has a control character in it{1}; allowed is one line of text.".format(option, where))
    return text


def clean_hostname(hostname: str) -> str:
    """A name, an address, or the path of a socket, as ProxySQL keeps it; brackets around an IPv6 address are taken off."""
    text = (hostname or "").strip()
    if text.startswith("/"):
        return _text("hostname", text, "")
    host = classify(text)
    if host.kind == INVALID:
        raise WishError(
            "hostname is {0!r}; allowed are a host name, an IPv4 or IPv6 address, or the path of a socket.".format(
                hostname
            )
        )
    return host.text


def wish_server(options: dict[str, Any]) -> tuple[Address, Server]:
    if not options.get("hostname"):
        raise WishError("hostname is missing in an entry of servers; it must name the server.")
    hostname = clean_hostname(options["hostname"])
    default_port = 0 if hostname.startswith("/") else 3306
    port = default_port if options.get("port") is None else int(options["port"])
    where = " for server {0}".format(show_address((hostname, port)))
    if hostname.startswith("/"):
        if port != 0:
            raise WishError("port is {0}{1}; with the path of a socket only 0 is allowed.".format(port, where))
    elif not 1 <= port <= 65535:
        raise WishError("port is {0}{1}; allowed are whole numbers from 1 to 65535.".format(port, where))
    columns = {}
    for name, default in Server._field_defaults.items():
        value = options.get(name)
        if value is None:
            columns[name] = default
        elif name == "status":
            if value not in STATUSES:
                raise WishError("status is {0!r}{1}; allowed are {2}.".format(value, where, ", ".join(STATUSES)))
            columns[name] = value
        elif name == "comment":
            columns[name] = _text(name, value, where)
        elif name == "use_ssl":
            columns[name] = int(value)
        else:
            columns[name] = _in_range(name, value, where)
    if columns["gtid_port"] and columns["gtid_port"] == port:
        raise WishError("gtid_port is {0}{1}; it must differ from port.".format(port, where))
    return (hostname, port), Server(**columns)


def wish_group(options: dict[str, Any]) -> Wish:
    """A Wish from a module's options (one group); WishError says what is wrong."""
    if options.get("writer_hostgroup") is None:
        raise WishError("writer_hostgroup is missing; it names the group and must be given.")
    writer = _in_range("writer_hostgroup", options["writer_hostgroup"])
    where = " for the group with writer_hostgroup {0}".format(writer)
    configured_in = options.get("servers_hostgroup") or "auto"
    servers = None
    if options.get("servers") is not None:
        servers = {}
        for entry in options["servers"]:
            address, server = wish_server(entry)
            if address in servers:
                raise WishError(
                    "servers lists {0} twice{1}; each server may be listed once.".format(show_address(address), where)
                )
            servers[address] = server
    exclusive = bool(options.get("exclusive"))
    if exclusive and servers is None:
        raise WishError(
            "exclusive is true but servers is not given{0}; list the servers that are to stay, or [] for none.".format(
                where
            )
        )

    if options.get("state") == "absent":
        return Wish(writer, None, None, False, configured_in, bool(options.get("keep_servers")))

    numbers = {}
    for name in Group._fields[:4]:
        if options.get(name) is None:
            raise WishError("{0} is missing{1}; a group needs all four hostgroups.".format(name, where))
        numbers[name] = _in_range(name, options[name], where)
    for position, name in enumerate(Group._fields[:4]):
        for other in Group._fields[:position]:
            if numbers[other] == numbers[name]:
                raise WishError(
                    "{0} is {1}{2}, the same as {3}; the four hostgroups must differ.".format(
                        name, numbers[name], where, other
                    )
                )

    def given(name: str, default: int) -> int:
        return _in_range(name, default if options.get(name) is None else options[name], where)

    active = options.get("active")
    group = Group(
        active=1 if active is None else int(active),
        max_writers=given("max_writers", 1),
        writer_is_also_reader=given("writer_is_also_reader", 0),
        max_transactions_behind=given("max_transactions_behind", 0),
        comment=_text("comment", options.get("comment"), where),
        **numbers,
    )
    return Wish(writer, group, servers, exclusive, configured_in)


def check_wishes(wishes: Sequence[Wish]) -> None:
    seen: dict[int, bool] = {}
    owner: dict[Address, int] = {}
    for wish in wishes:
        if wish.writer_hostgroup in seen:
            raise WishError(
                "writer_hostgroup {0} is listed twice in hostgroups; each group may be listed once.".format(
                    wish.writer_hostgroup
                )
            )
        seen[wish.writer_hostgroup] = True
        for address in wish.servers or ():
            if address in owner:
                raise WishError(
                    "server {0} is listed for the groups with writer_hostgroup {1} and {2}; ProxySQL's monitor follows a server in one "
                    "group only.".format(show_address(address), owner[address], wish.writer_hostgroup)
                )
            owner[address] = wish.writer_hostgroup


Peers = Dict[Address, Tuple[int, str]]  # peers of ProxySQL's own cluster: weight and comment


def wish_peers(options: Sequence[dict[str, Any]]) -> Peers:
    """Rows of proxysql_servers from a module's options."""
    peers: Peers = {}
    for entry in options:
        hostname = clean_hostname(entry["hostname"])
        address = (hostname, int(entry["port"]))
        where = " for peer {0}".format(show_address(address))
        if hostname.startswith("/"):
            raise WishError("hostname is {0!r} in peers; allowed are a host name and an address.".format(hostname))
        if not 1 <= address[1] <= 65535:
            raise WishError("port is {0}{1}; allowed are whole numbers from 1 to 65535.".format(address[1], where))
        if address in peers:
            raise WishError("peers lists {0} twice; each peer may be listed once.".format(show_address(address)))
        peers[address] = (_in_range("peers.weight", entry["weight"], where), _text("comment", entry["comment"], where))
    return peers


def rewrite_peers(before: Peers, after: Peers) -> list[str]:
    gone = [address for address in sorted(before) if after.get(address) != before[address]]
    new = [address + after[address] for address in sorted(after) if before.get(address) != after[address]]
    return _chunks("DELETE FROM proxysql_servers WHERE (hostname,port) IN (VALUES ", ")", _tuples(gone)) + _chunks(
        "INSERT INTO proxysql_servers (hostname,port,weight,comment) VALUES ", "", _tuples(new)
    )


# ---- the target -----------------------------------------------------------------------------------------------------


def configured_hostgroup(group: Group, configured_in: str, servers: int) -> int:
    """The hostgroup in which a server's row is kept in memory and on disk.

    A proxy that starts, or a LOAD by somebody else, uses this place until the monitor's first check. Where every member may write
    that is the writer hostgroup; otherwise the reader hostgroup, since a write must not reach a read-only member. Without a monitor
    nobody would move them, so then it is the writer hostgroup too.
    """
    if configured_in == "auto":
        configured_in = "writer" if not group.active or group.max_writers >= servers else "reader"
    return group.number_of(configured_in)


def _scope(wishes: Sequence[Wish], layers: Sequence[Layer]) -> list[int]:
    """All hostgroup numbers that the declared groups have in any layer, or are to have."""
    numbers = set()
    for wish in wishes:
        numbers.add(wish.writer_hostgroup)
        if wish.group:
            numbers.update(wish.group.numbers)
        for layer in layers:
            if wish.writer_hostgroup in layer.groups:
                numbers.update(layer.groups[wish.writer_hostgroup].numbers)
    return sorted(numbers)


def resolve(wishes: Sequence[Wish], memory: Layer, runtime: Layer | None = None, disk: Layer | None = None) -> Layer:
    """What memory is to hold in the end. Rows of other groups stay as they are."""
    groups = dict(memory.groups)
    servers = dict(memory.servers)
    for wish in wishes:
        if wish.group is None:
            # The numbers that it has in any layer: one run takes all of it away, also where others are loaded or saved later.
            gone = {
                number
                for layer in (memory, runtime, disk)
                if layer is not None and wish.writer_hostgroup in layer.groups
                for number in layer.groups[wish.writer_hostgroup].numbers
            }
            groups.pop(wish.writer_hostgroup, None)
            if not wish.keep_servers:
                taken = {number for group in groups.values() for number in group.numbers}
                servers = {key: row for key, row in servers.items() if key[0] not in gone or key[0] in taken}
            continue
        groups[wish.writer_hostgroup] = wish.group
    for wish in wishes:
        if wish.group is None:
            continue
        old = memory.groups.get(wish.writer_hostgroup)
        if old is not None and old.numbers != wish.group.numbers:
            # The group's other rows go with it to its new numbers; a number that another group now has is not touched.
            taken = {number for group in groups.values() if group is not wish.group for number in group.numbers}
            moved = {}
            for key in [key for key in servers if key[0] in old.numbers and key[0] not in taken]:
                row = servers.pop(key)
                moved[(wish.group.number_of(old.role_of(key[0])),) + key[1:]] = row
            servers.update(moved)
        if wish.servers is None:
            continue
        mine = set(wish.group.numbers)
        servers = {
            key: row
            for key, row in servers.items()
            if key[0] not in mine or (key[1:] not in wish.servers and not wish.exclusive)
        }
        others = {key[1:] for key in servers if key[0] in mine}
        place = configured_hostgroup(wish.group, wish.configured_in, len(wish.servers) + len(others))
        for address, row in wish.servers.items():
            servers[(place,) + address] = row
    return Layer(groups, servers)


def check_conflicts(wishes: Sequence[Wish], target: Layer, foreign: dict[int, str] | None = None) -> None:
    """Refuse what ProxySQL would drop with a line in its log only, or follow in one of two places.

    foreign: hostgroup number → name of another table of ProxySQL's that uses it.
    """
    owner: dict[int, tuple[str, int]] = {}
    for writer in sorted(target.groups):
        group = target.groups[writer]
        for role, number in zip(ROLES, group.numbers):
            if number in owner:
                raise WishError(
                    "hostgroup {0} is the {1} hostgroup of the group with writer_hostgroup {2} and the {3} hostgroup of the group with "
                    "writer_hostgroup {4}; a hostgroup may belong to one group only.".format(
                        number, role, writer, owner[number][0], owner[number][1]
                    )
                )
            owner[number] = (role, writer)
    declared = {wish.writer_hostgroup for wish in wishes if wish.group}
    for number, table in sorted((foreign or {}).items()):
        if number in owner and owner[number][1] in declared:
            raise WishError(
                "hostgroup {0} is the {1} hostgroup of the group with writer_hostgroup {2} and is used in {3} too; a hostgroup may be "
                "managed by one table only.".format(number, owner[number][0], owner[number][1], table)
            )
    seen: dict[Address, tuple[int, ServerKey]] = {}
    for key in sorted(target.servers):
        if key[0] not in owner:
            continue
        writer = owner[key[0]][1]
        first, other = seen.setdefault(key[1:], (writer, key))
        if first != writer and (first in declared or writer in declared):
            raise WishError(
                "server {0} is configured in the groups with writer_hostgroup {1} and {2}; ProxySQL's monitor follows a server in one "
                "group only.".format(show_address(key[1:]), first, writer)
            )
        # The monitor moves rows between the hostgroups of a group: which of the two it has in the end would be chance.
        if writer in declared and target.servers[key] != target.servers[other]:
            raise WishError(
                "server {0} is configured in the hostgroups {1} and {2} of the group with writer_hostgroup {3} with different columns; list "
                "it in servers, or remove one of the rows.".format(show_address(key[1:]), other[0], key[0], writer)
            )


# ---- comparing ------------------------------------------------------------------------------------------------------


def collapse(layer: Layer, writers: Iterable[int], scope: Iterable[int]) -> dict[tuple[Any, ...], tuple[Server, ...]]:
    """Servers by group instead of by hostgroup: what does not depend on where they are placed.

    As ProxySQL's own checksum does, SHUNNED counts as ONLINE and OFFLINE_HARD as not there.
    """
    writers = set(writers)
    scope = set(scope)
    owner = {number: writer for writer, group in layer.groups.items() if writer in writers for number in group.numbers}
    # What is in the hostgroups of a group that is not declared is that group's, and its monitor moves it.
    scope -= {number for writer, group in layer.groups.items() if writer not in writers for number in group.numbers}
    found: dict[tuple[Any, ...], set] = {}
    for (hostgroup, hostname, port), row in layer.servers.items():
        if (hostgroup not in owner and hostgroup not in scope) or row.status == "OFFLINE_HARD":
            continue
        place = ("group", owner[hostgroup]) if hostgroup in owner else ("hostgroup", hostgroup)
        if row.status == "SHUNNED":
            row = row._replace(status="ONLINE")
        found.setdefault(place + (hostname, port), set()).add(row)
    return {key: tuple(sorted(rows)) for key, rows in found.items()}


def _part(layer: Layer, writers: Iterable[int], scope: Iterable[int]) -> Layer:
    scope = set(scope)
    return Layer(
        {writer: layer.groups[writer] for writer in writers if writer in layer.groups},
        {key: row for key, row in layer.servers.items() if key[0] in scope},
    )


def differs_in_runtime(wishes: Sequence[Wish], target: Layer, runtime: Layer, scope: Sequence[int]) -> bool:
    writers = [wish.writer_hostgroup for wish in wishes]
    if _part(target, writers, ()).groups != _part(runtime, writers, ()).groups:
        return True
    return collapse(target, writers, scope) != collapse(runtime, writers, scope)


# ---- what is loaded -------------------------------------------------------------------------------------------------


def loading_layer(wishes: Sequence[Wish], target: Layer, facts: Facts) -> Layer:
    """What memory holds at the moment of a LOAD, so that the LOAD moves nobody.

    A LOAD puts every server where memory has it until the monitor's next check, and drops the connections of all other places. So
    memory takes over the places that the monitor has found, for every group in the table, for the length of one LOAD. A server that
    the monitor has not judged yet waits in the offline hostgroup: nothing is sent to it unproved.
    """
    declared = {wish.writer_hostgroup for wish in wishes}
    owner = {number: group for group in target.groups.values() for number in group.numbers}
    placed: dict[Address, list[ServerKey]] = {}
    for key, row in facts.placed.items():
        if row.status != "OFFLINE_HARD":
            placed.setdefault(key[1:], []).append(key)
    servers: dict[ServerKey, Server] = {}
    for key in sorted(target.servers):
        row = target.servers[key]
        group = owner.get(key[0])
        before = facts.runtime.groups.get(group.writer_hostgroup) if group else None
        moved_by_monitor = (
            facts.monitor_enabled and group is not None and (group.active or (before is not None and before.active))
        )
        if not moved_by_monitor or row.status == "OFFLINE_HARD":
            servers[key] = row
            continue
        numbers = before or group
        places = [group.number_of(numbers.role_of(at[0])) for at in placed.get(key[1:], ()) if numbers.role_of(at[0])]
        for place in places or [group.offline_hostgroup if group.active else key[0]]:
            at = (place,) + key[1:]
            servers[at] = target.servers.get(at, servers.get(at, row))  # the row of that place, where there is one
    for writer in declared & set(target.groups):
        if facts.monitor_enabled and target.groups[writer].active:
            _settle(target.groups[writer], servers)
    return Layer(dict(target.groups), servers)


def _settle(group: Group, servers: dict[ServerKey, Server]) -> None:
    """Share writers between writer and backup writer hostgroup as the monitor does.

    The monitor does it only when it moves a server, so a new max_writers, or a drained writer, would wait for that.
    """

    def ordered(role: str) -> list[ServerKey]:
        keys = [
            key
            for key, row in servers.items()
            if key[0] == group.number_of(role) and row.status in ("ONLINE", "SHUNNED")
        ]
        return sorted(keys, key=lambda key: (servers[key].weight, key[1], key[2]), reverse=True)

    def move(key: ServerKey, role: str) -> None:
        servers[(group.number_of(role),) + key[1:]] = servers.pop(key)

    writers, backups = ordered("writer"), ordered("backup_writer")
    for key in writers[group.max_writers :]:
        move(key, "backup_writer")
    for key in backups[: max(0, group.max_writers - len(writers))]:
        move(key, "writer")


def _online_writers(group: Group, servers: dict[ServerKey, Server]) -> list[Address]:
    return sorted(
        key[1:] for key, row in servers.items() if key[0] == group.writer_hostgroup and row.status == "ONLINE"
    )


def writers_lost(wishes: Sequence[Wish], loading: Layer, facts: Facts) -> list[str]:
    """Groups that have a writer now and would have none after the LOAD, as sentences."""
    problems = []
    for wish in wishes:
        before = facts.runtime.groups.get(wish.writer_hostgroup)
        if wish.group is None or before is None:
            continue
        had = _online_writers(before, facts.placed)
        if had and not _online_writers(wish.group, loading.servers):
            problems.append(
                "the group with writer_hostgroup {0} would be left without an ONLINE writer ({1} now); make another member a writer first, "
                "or set allow_no_writer to true.".format(
                    wish.writer_hostgroup, ", ".join(show_address(address) for address in had)
                )
            )
    return problems


def draining_layer(wishes: Sequence[Wish], loading: Layer, facts: Facts) -> tuple[Layer, tuple[Address, ...]]:
    """The layer to load first, in which servers about to go are OFFLINE_SOFT, and these servers.

    A server that leaves runtime loses its used connections, and the statements on them; OFFLINE_SOFT lets them end.
    """
    servers = dict(loading.servers)
    leaving = set()
    for wish in wishes:
        before = facts.runtime.groups.get(wish.writer_hostgroup)
        if wish.group is None or before is None:
            continue
        staying = {
            key[1:]
            for key, row in loading.servers.items()
            if key[0] in wish.group.numbers and row.status != "OFFLINE_HARD"
        }
        for key, row in facts.placed.items():
            role = before.role_of(key[0])
            if role in (None, "offline") or row.status == "OFFLINE_HARD" or key[1:] in staying:
                continue
            leaving.add(key[1:])
            servers[(wish.group.number_of(role),) + key[1:]] = row._replace(status="OFFLINE_SOFT")
    for key in [key for key, row in servers.items() if row.status == "OFFLINE_HARD" and key[1:] in leaving]:
        del servers[key]
    return Layer(loading.groups, servers), tuple(sorted(leaving))


# ---- statements -----------------------------------------------------------------------------------------------------


def literal(value: Any) -> str:
    """An SQLite literal. Not the client library's quoting: that is MySQL's, and SQLite knows no backslash."""
    if isinstance(value, int):
        return str(int(value))
    return "'" + value.replace("'", "''") + "'"


def _tuples(rows: Iterable[Sequence[Any]]) -> list[str]:
    return ["(" + ",".join(literal(value) for value in row) + ")" for row in rows]


def _chunks(head: str, tail: str, values: list[str]) -> list[str]:
    statements, chunk, size = [], [], 0
    for value in values:
        if chunk and size + len(value) > _MAX_STATEMENT:
            statements.append(head + ",".join(chunk) + tail)
            chunk, size = [], 0
        chunk.append(value)
        size += len(value) + 1
    if chunk:
        statements.append(head + ",".join(chunk) + tail)
    return statements


def rewrite(before: Layer, after: Layer) -> list[str]:
    """Statements that turn memory from one state into the other: whole rows, all DELETEs of a table before its INSERTs."""
    statements: list[str] = []
    gone = [writer for writer in sorted(before.groups) if after.groups.get(writer) != before.groups[writer]]
    new = [after.groups[writer] for writer in sorted(after.groups) if before.groups.get(writer) != after.groups[writer]]
    if gone:
        statements.append(
            "DELETE FROM {0} WHERE writer_hostgroup IN ({1})".format(GROUP_TABLE, ",".join(map(literal, gone)))
        )
    statements += _chunks(
        "INSERT INTO {0} ({1}) VALUES ".format(GROUP_TABLE, ",".join(Group._fields)), "", _tuples(new)
    )
    gone = [key for key in sorted(before.servers) if after.servers.get(key) != before.servers[key]]
    new = [
        key + tuple(after.servers[key])
        for key in sorted(after.servers)
        if before.servers.get(key) != after.servers[key]
    ]
    columns = "hostgroup_id,hostname,port"
    statements += _chunks("DELETE FROM {0} WHERE ({1}) IN (VALUES ".format(SERVER_TABLE, columns), ")", _tuples(gone))
    statements += _chunks(
        "INSERT INTO {0} ({1},{2}) VALUES ".format(SERVER_TABLE, columns, ",".join(Server._fields)), "", _tuples(new)
    )
    return statements


def _unloaded_others(facts: Facts, writers: Sequence[int]) -> list[str]:
    """Servers of groups that the task says nothing about, in memory but not loaded: a LOAD is always for the whole table."""
    everywhere = {key[0] for key in facts.memory.servers}
    memory = collapse(facts.memory, facts.memory.groups, everywhere)
    loaded = collapse(facts.runtime, facts.runtime.groups, everywhere)
    declared = {
        number
        for layer in facts[:3]
        for writer in writers
        if writer in layer.groups
        for number in layer.groups[writer].numbers
    }
    return sorted(
        show_address(key[2:])
        for key, rows in memory.items()
        if key[1] not in declared and key[1] not in writers and loaded.get(key) != rows
    )


def _write(before: Layer, after: Layer) -> list[Step]:
    statements = rewrite(before, after)
    return [Step("write", tuple(statements))] if statements else []


def needs_places(wishes: Sequence[Wish], facts: Facts) -> bool:
    """Whether runtime differs, so that a plan with a LOAD will ask where the servers are placed."""
    target = resolve(wishes, facts.memory, facts.runtime, facts.disk)
    return differs_in_runtime(wishes, target, facts.runtime, _scope(wishes, facts[:3]))


def make_plan(
    wishes: Sequence[Wish],
    facts: Facts,
    load_to_runtime: bool = True,
    save_to_disk: bool = True,
    drain: bool = True,
    wait_drained: bool = False,
    allow_no_writer: bool = False,
    foreign: dict[int, str] | None = None,
    reload: bool = False,
) -> Plan:
    """Compare wish, memory, runtime and disk, each by itself, and say what to do. WishError: refused, nothing may be written."""
    check_wishes(wishes)
    target = resolve(wishes, facts.memory, facts.runtime, facts.disk)
    check_conflicts(wishes, target, foreign)
    writers = [wish.writer_hostgroup for wish in wishes]
    scope = _scope(wishes, (facts.memory, facts.runtime, facts.disk))

    memory_changed = target != facts.memory
    runtime_changed = load_to_runtime and (reload or differs_in_runtime(wishes, target, facts.runtime, scope))
    disk_changed = save_to_disk and _part(target, writers, scope) != _part(facts.disk, writers, scope)
    warnings: list[str] = []
    steps: list[Step] = []
    at = facts.memory

    if runtime_changed:
        final = loading_layer(wishes, target, facts)
        lost = writers_lost(wishes, final, facts)
        if lost and not allow_no_writer:
            raise WishError("Refused: " + " ".join(lost))
        warnings += lost
        first, leaving = draining_layer(wishes, final, facts)
        if drain and leaving:
            asked = {key for key, row in facts.placed.items() if key[1:] in leaving and row.status != "OFFLINE_SOFT"}
            if asked:
                steps += _write(at, first) + [Step("load", (LOAD,))]
                at = first
            steps.append(Step("drain", servers=leaving))
        steps += _write(at, final) + [Step("load", (LOAD,))]
        at = final
        others = _unloaded_others(facts, writers)
        if others:
            warnings.append(
                "The LOAD took along rows of others that were not loaded yet: {0}.".format(", ".join(others))
            )
    steps += _write(at, target)
    if disk_changed:
        steps.append(Step("save", (SAVE,)))
    soft = sorted({key[1:] for key, row in target.servers.items() if key[0] in scope and row.status == "OFFLINE_SOFT"})
    if wait_drained and soft and load_to_runtime:
        steps.append(Step("wait", servers=tuple(soft)))
    return Plan(target, memory_changed, runtime_changed, disk_changed, tuple(steps), tuple(warnings))


# ---- showing --------------------------------------------------------------------------------------------------------


def show_address(address: Sequence[Any]) -> str:
    hostname, port = address[0], address[1]
    return hostname if hostname.startswith("/") else join_address(hostname, port)


def describe(layer: Layer, wishes: Sequence[Wish], scope: Sequence[int], by_group: bool = False) -> str:
    """The declared part of a layer, one row a line; by_group leaves the place out, as for runtime."""
    writers = [wish.writer_hostgroup for wish in wishes]
    part = _part(layer, writers, scope)
    lines = []
    for writer in sorted(part.groups):
        group = part.groups[writer]
        lines.append(
            "group " + " ".join("{0}={1}".format(name, literal(value)) for name, value in zip(Group._fields, group))
        )
    if by_group:
        for key, rows in sorted(collapse(layer, writers, scope).items(), key=lambda item: str(item[0])):
            for row in rows:
                lines.append("server {0} {1} {2} {3}".format(key[0], key[1], show_address(key[2:]), _columns(row)))
    else:
        for key in sorted(part.servers):
            lines.append(
                "server hostgroup {0} {1} {2}".format(key[0], show_address(key[1:]), _columns(part.servers[key]))
            )
    return "".join(line + "\n" for line in lines)


def _columns(row: Server) -> str:
    return " ".join("{0}={1}".format(name, literal(value)) for name, value in zip(Server._fields, row))


def layer_diffs(
    wishes: Sequence[Wish], facts: Facts, plan: Plan, load_to_runtime: bool = True, save_to_disk: bool = True
) -> list[dict[str, str]]:
    """Ansible's diff, one entry per layer that differs."""
    scope = _scope(wishes, (facts.memory, facts.runtime, facts.disk))
    layers = [("memory", facts.memory, plan.memory_changed, False)]
    if load_to_runtime:
        layers.append(("runtime", facts.runtime, plan.runtime_changed, True))
    if save_to_disk:
        layers.append(("disk", facts.disk, plan.disk_changed, False))
    diffs = []
    for name, layer, changed, by_group in layers:
        if changed:
            diffs.append(
                {
                    "before_header": name,
                    "after_header": name,
                    "before": describe(layer, wishes, scope, by_group),
                    "after": describe(plan.target, wishes, scope, by_group),
                }
            )
    return diffs
