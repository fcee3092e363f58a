# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from django.urls import path

from internships import views

urlpatterns = [
    path("", views.home, name="home"),
    path("health", views.health, name="health"),
    path("<slug:kind>/", views.rows, name="list"),
    path("<slug:kind>/new", views.add, name="add"),
    path("<slug:kind>/<uuid:key>", views.edit, name="edit"),
]
