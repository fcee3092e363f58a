# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who does an internship where, and who looks after it.

Every primary key is a UUID that the form carries: sending the same form twice cannot make two rows, so that a request
whose answer was lost may simply be repeated. No foreign key cascades in the database: Group Replication refuses that
where every member takes writes.
"""

from __future__ import annotations

import uuid

from django.core.exceptions import ValidationError
from django.db import models


class Record(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)

    class Meta:
        abstract = True

    # The fields that the list shows.
    shown: tuple = ()

    def cells(self):
        return [self.label(name) for name in self.shown]

    def label(self, name):
        choice = getattr(self, f"get_{name}_display", None)
        return choice() if choice else getattr(self, name)


class Student(Record):
    number = models.CharField("student number", max_length=20, unique=True)
    name = models.CharField(max_length=100)
    email = models.EmailField("e-mail")
    programme = models.CharField(max_length=100)
    shown = ("number", "name", "email", "programme")

    class Meta:
        ordering = ["number"]

    def __str__(self):
        return f"{self.name} ({self.number})"


class Company(Record):
    name = models.CharField(max_length=100, unique=True)
    city = models.CharField(max_length=100)
    contact = models.EmailField("contact e-mail")
    shown = ("name", "city", "contact")

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "companies"

    def __str__(self):
        return self.name


class Supervisor(Record):
    name = models.CharField(max_length=100)
    email = models.EmailField("e-mail", unique=True)
    department = models.CharField(max_length=100)
    shown = ("name", "email", "department")

    class Meta:
        ordering = ["name"]

    def __str__(self):
        return self.name


class Internship(Record):
    class Status(models.TextChoices):
        PLANNED = "planned", "Planned"
        RUNNING = "running", "Running"
        FINISHED = "finished", "Finished"
        STOPPED = "stopped", "Stopped early"

    student = models.ForeignKey(Student, models.PROTECT)
    company = models.ForeignKey(Company, models.PROTECT)
    supervisor = models.ForeignKey(Supervisor, models.PROTECT)
    title = models.CharField(max_length=200)
    begins = models.DateField("first day")
    ends = models.DateField("last day")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PLANNED)
    notes = models.TextField(blank=True)
    shown = ("title", "student", "company", "supervisor", "begins", "ends", "status")

    class Meta:
        ordering = ["-begins", "title"]

    def __str__(self):
        return self.title

    def clean(self):
        if self.begins and self.ends and self.ends < self.begins:
            raise ValidationError({"ends": "The last day is before the first."})
