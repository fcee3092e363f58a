# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests of this folder need a converged lab and minutes: they run only when asked for.

DISTDB_FAILOVER=1 python -m pytest tests/integration/operations
"""

from __future__ import annotations

import os

collect_ignore_glob = [] if os.environ.get("DISTDB_FAILOVER") else ["test_*.py"]
