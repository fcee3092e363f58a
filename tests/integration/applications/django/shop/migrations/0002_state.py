# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from django.db import migrations, models


def first_tags(apps, editor):
    tag = apps.get_model("shop", "Tag")
    tag.objects.bulk_create([tag(name=name, uses=1) for name in ("first", "second", "third")])


class Migration(migrations.Migration):
    """Tables that the migration before made are changed, and written to, at once."""

    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.RenameField("Book", "cost", "price"),
        migrations.AddField("Book", "state", models.CharField(max_length=10, default="draft", db_index=True)),
        migrations.AddField("Tag", "uses", models.PositiveIntegerField(default=0)),
        migrations.RunPython(first_tags, migrations.RunPython.noop),
    ]
