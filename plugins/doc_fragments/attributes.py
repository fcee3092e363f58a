# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes that modules declare."""

from __future__ import annotations


class ModuleDocFragment:
    """check_mode, diff_mode, idempotent."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in C(check_mode)), when in diff mode.
  idempotent:
    description: When run twice in a row with the same arguments, the second run finds nothing to change.
"""

    # Of what changes something, and of what only looks.
    FULL = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

    LOOKS = r"""
options: {}
attributes:
  check_mode:
    support: full
    details: Does not change anything.
  diff_mode:
    support: none
  idempotent:
    support: full
"""
