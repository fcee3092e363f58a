#!/usr/bin/python
# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate of a host, as it was found."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tls_files_info
short_description: Whether a host's certificate works with its key and its CA, and until when
version_added: 1.1.0
description:
  - Changes nothing. Needs Python's standard library only.
  - Used by the entry point C(certificate) of the role P(distdb.mysql_ha.mysql_gr#role).
options:
  ca:
    description: File with one or more CA certificates.
    type: path
    required: true
  cert:
    description: File with the certificate.
    type: path
    required: true
  key:
    description: File with the certificate's private key.
    type: path
    required: true
  name:
    description: Name or address that the certificate has to have. Empty looks at no name.
    type: str
    default: ""
  service:
    description: Name of a MySQL server's systemd service, of which to say whether it has read the files. Empty looks at none.
    type: str
    default: ""
  marks:
    description: Where the role notes which files that server has read after its start.
    type: path
    default: /run/mysql-gr-tls.json
  files:
    description: Other files of which to say what they are, in the same look.
    type: list
    elements: path
    default: []
extends_documentation_fragment:
  - distdb.mysql_ha.attributes
  - distdb.mysql_ha.attributes.looks
author:
  - distdb contributors (@distdb)
"""

EXAMPLES = r"""
- name: Look at a certificate
  distdb.mysql_ha.tls_files_info:
    ca: /etc/mysql/gr-ca.pem
    cert: /etc/mysql/gr-cert.pem
    key: /etc/mysql/gr-key.pem
    name: 192.0.2.130
  register: seen

- name: It works
  ansible.builtin.assert:
    that: not seen.tls.problem
"""

RETURN = r"""
tls:
  description: What was seen.
  returned: success
  type: dict
  contains:
    problem:
      description: Why a connection in which both sides have this certificate fails, as OpenSSL says it; empty where it works.
      type: str
    expires:
      description: When the certificate ends, in seconds since 1970; null without one.
      type: int
    ca_expires:
      description: When the certificate of its CA ends; null where the CA is not in O(ca).
      type: int
    digest:
      description: A checksum of the three files together; empty where one is missing.
      type: str
    ca_checksum:
      description: SHA-1 of O(ca); null without it.
      type: str
    cert_checksum:
      description: SHA-1 of O(cert); null without it.
      type: str
    started:
      description: When the process of O(service) was started, in seconds since 1970; 0 where it does not run.
      type: float
    read:
      description: Whether that server has read the files as they are (C(main)), and whether its group's own channel has (C(group)).
      type: dict
files:
  description: For each path of O(files) its SHA-1, mode, owner and group; null without it.
  returned: success
  type: dict
  sample: {"/etc/proxysql-tls/members-ca.pem": ["da39a3ee5e6b4b0d3255bfef95601890afd80709", "0644", "root", "proxysql"]}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.distdb.mysql_ha.plugins.module_utils._certificates import Files, read_by, seen
from ansible_collections.distdb.mysql_ha.plugins.module_utils._host import look_at, run


def main_process(service: str) -> int:
    """The main process of a service; 0 where it does not run."""
    answer = run(["systemctl", "show", service, "--property=MainPID", "--value"]).output.strip()
    return int(answer) if answer.isdigit() else 0


def main() -> None:
    module = AnsibleModule(
        argument_spec=dict(
            ca=dict(type="path", required=True),
            cert=dict(type="path", required=True),
            # A path: what is in the file is a secret.
            key=dict(type="path", required=True, no_log=False),
            name=dict(type="str", default=""),
            service=dict(type="str", default=""),
            marks=dict(type="path", default="/run/mysql-gr-tls.json"),
            files=dict(type="list", elements="path", default=[]),
        ),
        supports_check_mode=True,
    )
    wanted = module.params
    files = Files(wanted["ca"], wanted["cert"], wanted["key"])
    pid = main_process(wanted["service"]) if wanted["service"] else 0
    module.exit_json(
        changed=False,
        tls={**seen(files, wanted["name"]), **read_by(files, pid, wanted["marks"])},
        files={path: look_at(path) for path in wanted["files"]},
    )


if __name__ == "__main__":
    main()
