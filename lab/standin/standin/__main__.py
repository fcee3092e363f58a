# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python3 -m standin -D DATADIR [-c CONFIG] [--initial]: runs the stand-in in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket

from . import VERSION


def tell_systemd():
    """READY=1, for Type=notify."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(b"READY=1", address.replace("@", "\0", 1))


async def run(args):
    # Only to serve: compiling them takes a second of processor time, which --version does not need.
    from . import wire
    from .admin import Admin, AdminSession
    from .hostgroups import Hostgroups
    from .monitor import Monitor
    from .store import Store
    from .tls import Frontend
    from .traffic import Session, Traffic

    store = Store(args.datadir, args.config, args.initial)
    hostgroups = Hostgroups()
    monitor = Monitor(store, hostgroups)
    traffic = Traffic(store, hostgroups)
    tls = Frontend(args.datadir)
    admin = Admin(store, hostgroups, monitor, traffic, tls)
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    admin_port = wire.Listener(lambda r, w: AdminSession(r, w, admin))
    client_port = wire.Listener(
        lambda r, w: Session(r, w, traffic, tls.context if store.flag("mysql-have_ssl") else None)
    )
    await admin_port.listen(store.values["admin-mysql_ifaces"])
    await client_port.listen(store.values["mysql-interfaces"])
    # What 3.0 opens for PostgreSQL. Nothing is behind it here: who connects is sent away.
    others = {name: wire.Listener(wire.Nobody) for name in ("admin-pgsql_ifaces", "pgsql-interfaces")}
    for name, listener in others.items():
        await listener.listen(store.values[name])
    tasks = set()

    def rebind():
        tasks.add(asyncio.ensure_future(admin_port.listen(store.values["admin-mysql_ifaces"])))
        tasks.add(asyncio.ensure_future(others["admin-pgsql_ifaces"].listen(store.values["admin-pgsql_ifaces"])))

    store.on_load["ADMIN VARIABLES"] = rebind
    monitor.start()
    tell_systemd()
    logging.info("ProxySQL stand-in %s (not a proxy for use) is ready", VERSION)
    await stop.wait()


def main():
    parser = argparse.ArgumentParser(
        prog="standin", description="Stand-in for ProxySQL in the lab. Not a proxy for use."
    )
    parser.add_argument("-D", "--datadir", default="/var/lib/proxysql")
    parser.add_argument("-c", "--config", default="/etc/proxysql.cnf")
    parser.add_argument("-f", "--foreground", action="store_true", help="always so")
    parser.add_argument(
        "--initial", action="store_true", help="start from the config file, not from the stored configuration"
    )
    parser.add_argument(
        "-V", "--version", action="version", version=f"ProxySQL version {VERSION}, a stand-in, not ProxySQL"
    )
    args = parser.parse_args()
    os.umask(0o027)  # the stored configuration holds passwords
    logging.basicConfig(level=logging.INFO, format="%(asctime)s [%(levelname)s] %(name)s: %(message)s")
    asyncio.run(run(args))
    os._exit(0)  # threads waiting for a frozen server must not hold up the end


if __name__ == "__main__":
    main()
