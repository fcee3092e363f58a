# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows to begin with. Their keys follow from their names: seeding twice changes nothing."""

from __future__ import annotations

import datetime
import uuid

from django.core.management.base import BaseCommand
from django.db import transaction

from internships.models import Company, Internship, Student, Supervisor

SPACE = uuid.UUID("5d3a1f0e-6f0b-5b9e-9a53-0c1f4c6e2b10")
STUDENTS = [
    "Ana Duarte",
    "Bilal Haddad",
    "Chen Wei",
    "Dewi Lestari",
    "Emil Novak",
    "Fatou Diop",
    "Greta Lind",
    "Hugo Paz",
]
COMPANIES = [("Harbour Logistics", "Surabaya"), ("Northlight Energy", "Tampere"), ("Riverbank Software", "Porto")]
SUPERVISORS = [("Ines Moreau", "Informatics"), ("Joko Santoso", "Industrial engineering"), ("Karin Berg", "Statistics")]
TITLES = ["Route planning", "Meter data cleaning", "Test automation", "Stock forecast"]
FIRST_DAY = datetime.date(2026, 2, 2)


def key(*words):
    return uuid.uuid5(SPACE, "/".join(map(str, words)))


def mail(name, domain):
    return name.lower().replace(" ", ".") + "@" + domain


def rows():
    """(model, primary key, values) in the order of their references."""
    for index, name in enumerate(STUDENTS):
        yield Student, key("student", index), {
            "number": f"S{1001 + index}", "name": name, "email": mail(name, "students.example"),
            "programme": ("Informatics", "Statistics")[index % 2],
        }  # fmt: skip
    for index, (name, city) in enumerate(COMPANIES):
        contact = mail(name.split()[0], "companies.example")
        yield Company, key("company", index), {"name": name, "city": city, "contact": contact}
    for index, (name, department) in enumerate(SUPERVISORS):
        values = {"name": name, "email": mail(name, "university.example"), "department": department}
        yield Supervisor, key("supervisor", index), values
    for index, _name in enumerate(STUDENTS):
        begins = FIRST_DAY + datetime.timedelta(weeks=2 * index)
        yield Internship, key("internship", index), {
            "student_id": key("student", index), "company_id": key("company", index % len(COMPANIES)),
            "supervisor_id": key("supervisor", index % len(SUPERVISORS)), "title": TITLES[index % len(TITLES)],
            "begins": begins, "ends": begins + datetime.timedelta(weeks=12),
            "status": Internship.Status.RUNNING if index < 4 else Internship.Status.PLANNED,
        }  # fmt: skip


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args, **options):
        created = 0
        with transaction.atomic():
            for model, primary_key, values in rows():
                _row, new = model.objects.get_or_create(pk=primary_key, defaults=values)
                created += new
        self.stdout.write(f"{created} rows created")
