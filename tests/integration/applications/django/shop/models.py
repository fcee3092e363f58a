# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from django.db import models

# The database's own cascade, where this Django has it.
CASCADE = getattr(models, "DB_CASCADE", models.CASCADE)


class Author(models.Model):
    name = models.CharField(max_length=100, unique=True)
    credit = models.IntegerField(default=0)
    about = models.JSONField(default=dict)
    since = models.DateTimeField(auto_now_add=True)


class Tag(models.Model):
    name = models.CharField(max_length=100, unique=True)
    uses = models.PositiveIntegerField(default=0)


class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=CASCADE, related_name="books")
    title = models.CharField(max_length=100)
    price = models.DecimalField(max_digits=8, decimal_places=2, default=0)
    state = models.CharField(max_length=10, default="draft", db_index=True)
    tags = models.ManyToManyField(Tag)
