#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: proxysql_tls
short_description: Give ProxySQL the certificate that its clients see, without a restart
version_added: 1.0.0
author:
  - distdb contributors (@distdb)
description:
  - Puts a certificate, its key and its CA where ProxySQL reads them, and has it read them (C(PROXYSQL RELOAD TLS)). New connections get the new certificate;
    those that are there go on.
  - Refuses files that a client which trusts the CA would refuse - a certificate that has expired or that the CA has not signed, the key of another one.
  - Looks at what clients see before and after. Files that ProxySQL has not read yet are read; if it does not take them, the old ones are put back, since it
    does not start with bad ones.
  - ProxySQL shows the first certificate of O(cert) and the first one of O(ca), and no others.
extends_documentation_fragment:
  - distdb.mysql_ha.proxysql
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  ca:
    description: Path on this host of the certificates (PEM) of the CAs, the one that signed O(cert) first.
    type: path
    required: true
  cert:
    description: Path on this host of the certificate (PEM).
    type: path
    required: true
  key:
    description: Path on this host of its key (PEM).
    type: path
    required: true
  datadir:
    description: ProxySQL's data directory.
    type: path
    default: /var/lib/proxysql
  names:
    description: Names and addresses by which clients reach this proxy. One that is not in the certificate gives a warning.
    type: list
    elements: str
    default: []
  running:
    description: Whether ProxySQL runs. Otherwise the files are only written.
    type: bool
    default: true
  user:
    description: User that ProxySQL runs as.
    type: str
    default: proxysql
  group:
    description: Group of the files.
    type: str
    default: proxysql
seealso:
  - module: distdb.mysql_ha.proxysql_config
"""

EXAMPLES = r"""
- name: A renewed certificate
  distdb.mysql_ha.proxysql_tls:
    login_user: radmin
    login_password: "{{ proxysql_admin_password }}"
    ca: /etc/proxysql-tls/ca.pem
    cert: /etc/proxysql-tls/cert.pem
    key: /etc/proxysql-tls/key.pem
    names: [db.example.com, 192.0.2.10]
"""

RETURN = r"""
written:
  description: Which of C(ca), C(cert) and C(key) differed.
  returned: success
  type: list
  elements: str
  sample: [cert, key]
restart_needed:
  description: Whether ProxySQL reads the files when it starts only (before 2.3.0).
  returned: success
  type: bool
  sample: false
names_missing:
  description: Those of O(names) that the certificate does not have.
  returned: success
  type: list
  elements: str
  sample: []
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._certificates import Files, trouble
from ansible_collections.distdb.mysql_ha.plugins.module_utils._outcome import Refusal, conclude
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.admin import PYMYSQL_ERROR, Admin
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.specs import connection_spec
from ansible_collections.distdb.mysql_ha.plugins.module_utils._proxysql.tls import (
    Owner,
    Running,
    fingerprint,
    missing_names,
    present,
    read_files,
    take,
)


def give(module: Any) -> dict[str, Any]:
    params = module.params
    files = Files(params["ca"], params["cert"], params["key"])
    into = Files(*(os.path.join(params["datadir"], f"proxysql-{part}.pem") for part in Files._fields))
    wanted = read_files(files)
    problem = trouble(files, mutual=False)
    if problem:
        raise Refusal(f"cert: {problem} (allowed: a certificate that a client which trusts {files.ca} accepts).")
    before = present(into)
    owner = Owner(params["user"], params["group"])
    if params["running"]:
        with Admin(params) as admin:
            result = take(wanted, into, owner, Running(admin), module.check_mode)
    else:
        result = take(wanted, into, owner, None, module.check_mode)
    result["names_missing"] = missing_names(files, params["names"])
    for name in result["names_missing"]:
        module.warn(
            f"The certificate {files.cert} is not for {name}: clients that come by it and verify the name refuse it."
        )
    if module._diff and result["changed"]:
        result["diff"] = dict(
            before_header=into.cert,
            after_header=into.cert,
            before=f"SHA-256 {fingerprint(before.get('cert', b''))}\n",
            after=f"SHA-256 {fingerprint(wanted['cert'])}\n",
        )
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            connection_spec(),
            ca=dict(type="path", required=True),
            cert=dict(type="path", required=True),
            # A path: what is in the file is a secret.
            key=dict(type="path", required=True, no_log=False),
            datadir=dict(type="path", default="/var/lib/proxysql"),
            names=dict(type="list", elements="str", default=[]),
            running=dict(type="bool", default=True),
            user=dict(type="str", default="proxysql"),
            group=dict(type="str", default="proxysql"),
        ),
        supports_check_mode=True,
    )
    conclude(module, lambda: give(module), pymysql_error=PYMYSQL_ERROR if module.params["running"] else None)


if __name__ == "__main__":
    main()
