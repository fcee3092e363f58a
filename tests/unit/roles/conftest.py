# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that roles put on hosts are files, not modules of a package: they are loaded by path."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Callable

import pytest

ROLES = Path(__file__).resolve().parents[3] / "roles"


def load(file: str) -> ModuleType:
    """A file below roles/, anew for each test: tests replace what is in it."""
    path = ROLES / file
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def role_program() -> Callable[[str], ModuleType]:
    return load
