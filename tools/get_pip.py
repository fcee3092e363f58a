# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bootstrap script for ansible-test's own virtual environments, where its download of get-pip cannot be reached.

Does what get-pip does, from what the machine has: the pip that comes with the Python, which then installs the wanted
version (arguments, as for get-pip) from wherever pip is set up to get it.
"""

from __future__ import annotations

import os
import subprocess
import sys

subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
os.execv(sys.executable, [sys.executable, "-m", "pip", "install", "--quiet", *wanted])
