# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from django.db import migrations, models

from ..models import CASCADE


def key():
    return models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Author",
            [
                ("id", key()),
                ("name", models.CharField(max_length=100, unique=True)),
                ("credit", models.IntegerField(default=0)),
                ("about", models.JSONField(default=dict)),
                ("since", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            "Tag",
            [
                ("id", key()),
                ("name", models.CharField(max_length=100, unique=True)),
            ],
        ),
        migrations.CreateModel(
            "Book",
            [
                ("id", key()),
                ("author", models.ForeignKey("shop.Author", CASCADE, related_name="books")),
                ("title", models.CharField(max_length=100)),
                ("cost", models.DecimalField(max_digits=8, decimal_places=2, default=0)),
                ("tags", models.ManyToManyField("shop.Tag")),
            ],
        ),
    ]
