# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings; what depends on the place comes from the environment (templates/simkp.env.j2)."""

from __future__ import annotations

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ["SIMKP_SECRET_KEY"]
DEBUG = False
ALLOWED_HOSTS = os.environ["SIMKP_ALLOWED_HOSTS"].split(",")

INSTALLED_APPS = ["internships"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "simkp.urls"
WSGI_APPLICATION = "simkp.wsgi.application"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Served over plain HTTP, where browsers refuse this header.
SECURE_CROSS_ORIGIN_OPENER_POLICY = None
LANGUAGE_CODE = "en"
USE_TZ = True
TIME_ZONE = "UTC"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.mysql",
        "HOST": os.environ["SIMKP_DB_HOST"],
        "PORT": os.environ["SIMKP_DB_PORT"],
        "NAME": os.environ["SIMKP_DB_NAME"],
        "USER": os.environ["SIMKP_DB_USER"],
        "PASSWORD": os.environ["SIMKP_DB_PASSWORD"],
        # The proxy keeps the connections to the members. A session of its own for every request costs a
        # millisecond, and none outlives a member or is pinned to one when that is drained.
        "CONN_MAX_AGE": 0,
        "OPTIONS": {
            "charset": "utf8mb4",
            "connect_timeout": 5,
            # Longer than the proxy itself waits for a member (mysql-connect_timeout_server_max, 10 s).
            "read_timeout": 15,
            "write_timeout": 15,
        },
    }
}
# With several writers the page after a change can come from another member than the change itself. With BEFORE a
# member first applies all that the group has agreed on: everybody reads what was written. Empty: the server's own.
if os.environ.get("SIMKP_DB_CONSISTENCY"):
    DATABASES["default"]["OPTIONS"]["init_command"] = "SET SESSION group_replication_consistency = '{}'".format(
        os.environ["SIMKP_DB_CONSISTENCY"]
    )
