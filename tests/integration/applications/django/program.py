# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An application on Django's database layer: migrations, checks, migrations back. Exits 0, or prints what failed and exits 1.

    python program.py plain|prepared [SECONDS [ATTEMPTS]]

plain is PyMySQL, prepared is Connector/Python with server-side prepared statements. The database comes from APP_HOST,
APP_PORT, APP_USER, APP_PASSWORD, APP_DATABASE. With SECONDS the checks repeat for so long. Django repeats nothing by
itself: with ATTEMPTS, a check that fails is tried again by tenacity, as Celery does with a failed task; the last line says
how often that happened.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import uuid
import warnings

import django
import pymysql
import tenacity
from django.conf import settings

ENGINES = {"plain": "django.db.backends.mysql", "prepared": "prepared"}


def configure(kind):
    if kind == "plain":
        # The version of mysqlclient that Django asks for; PyMySQL has the same interface.
        pymysql.version_info = (2, 2, 4, "final", 0)
        pymysql.install_as_MySQLdb()
    database = {
        "ENGINE": ENGINES[kind],
        **{name: os.environ[f"APP_{name}"] for name in ("HOST", "PORT", "USER", "PASSWORD")},
        "NAME": os.environ["APP_DATABASE"],
        "OPTIONS": {"charset": "utf8mb4"},
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }
    settings.configure(
        DATABASES={"default": database, "other": database},
        INSTALLED_APPS=["shop"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()


if __name__ == "__main__":
    configure(sys.argv[1])

from django.core.management import call_command  # noqa: E402
from django.db import DatabaseError, IntegrityError, connection, connections, models, transaction  # noqa: E402
from django.db.models import Count, F, Sum  # noqa: E402
from shop.models import CASCADE, Author, Book, Tag  # noqa: E402

# What made a worker begin its transaction again; empty while no writer changes.
REPEATED = []


class Expected(Exception):
    pass


def same(wanted, found, what):
    if wanted != found:
        raise AssertionError(f"{what}: {found!r} instead of {wanted!r}")


def author(**fields):
    return Author.objects.create(name=uuid.uuid4().hex, **fields)


def outcome(work):
    """What this gives, or the number of MySQL's error with which it fails."""
    try:
        return work()
    except DatabaseError as problem:
        return problem.args[0]


def read_after_write():
    made = author(credit=5, about={"sizes": [1, 2], "colour": "grün"})
    read = Author.objects.get(pk=made.pk)
    same((made.name, 5, made.about), (read.name, read.credit, read.about), "author")
    read.credit = 6
    read.save()
    same(1, Author.objects.filter(pk=made.pk).update(credit=F("credit") + 4), "rows changed")
    made.refresh_from_db()
    same(10, made.credit, "credit")
    same(
        True, Author.objects.filter(pk=made.pk, about__colour="grün", since__gt="2020-01-01T00:00Z").exists(), "exists"
    )
    made.delete()
    same(False, Author.objects.filter(name=read.name).exists(), "exists after delete")


def relations():
    made = author()
    books = Book.objects.bulk_create(
        [Book(author=made, title=title, price="1.50") for title in ("one", "two", "three")]
    )
    books = list(made.books.order_by("pk"))
    books[0].tags.set(Tag.objects.order_by("pk")[:3])
    books[0].tags.remove(books[0].tags.order_by("pk").last())
    read = (
        Author.objects.prefetch_related("books__tags")
        .annotate(count=Count("books"), sum=Sum("books__price"))
        .get(pk=made.pk)
    )
    same((3, "4.50"), (read.count, str(read.sum)), "books and their sum")
    same([2, 0, 0], sorted((len(book.tags.all()) for book in read.books.all()), reverse=True), "tags")
    same(["one"], list(Book.objects.filter(author=made, tags__name="first").values_list("title", flat=True)), "titles")
    same(3, len(Book.objects.select_related("author").in_bulk([book.pk for book in books])), "books in bulk")


def transactions():
    made, done = author(), []
    try:
        with transaction.atomic():
            made.books.create(title="never")
            transaction.on_commit(lambda: done.append("never"))
            raise Expected
    except Expected:
        same(0, made.books.count(), "books after a rollback")
    with transaction.atomic(durable=True):
        made.books.create(title="kept")
        transaction.on_commit(lambda: done.append(made.books.count()))
    same([1], done, "books seen on commit")


def savepoints():
    made = author()
    with transaction.atomic():
        made.books.create(title="outer")
        try:
            with transaction.atomic():
                made.books.create(title="inner")
                raise Expected
        except Expected:
            same(1, made.books.count(), "books after a rollback to the savepoint")
        try:
            with transaction.atomic():
                Author.objects.create(name=made.name)
        except IntegrityError as problem:
            same(1062, problem.args[0], "error of a second one")
        with transaction.atomic():
            made.books.create(title="second inner")
    same(["outer", "second inner"], list(made.books.order_by("pk").values_list("title", flat=True)), "titles")


def upserts():
    name = uuid.uuid4().hex
    for uses in (1, 7):
        Tag.objects.bulk_create([Tag(name=name, uses=uses)], update_conflicts=True, update_fields=["uses"])
    same(7, Tag.objects.get(name=name).uses, "uses")
    Tag.objects.bulk_create([Tag(name=name, uses=9)], ignore_conflicts=True)
    tag, created = Tag.objects.update_or_create(name=name, defaults={"uses": F("uses") + 1})
    same(False, created, "created")
    same((tag, False), Tag.objects.get_or_create(name=name), "tag")
    same(8, Tag.objects.get(name=name).uses, "uses")
    tag.delete()


def many_rows():
    made = author()
    Book.objects.bulk_create([Book(author=made, title=f"book {number}") for number in range(60)], batch_size=25)
    seen = 0
    for book in made.books.iterator(chunk_size=25):
        book.state = "public"
        book.save(update_fields=["state"])
        seen += 1
    same((60, 60), (seen, made.books.filter(state="public").count()), "books seen and changed")
    same(60, made.books.filter(state="public").delete()[0], "books deleted")


def cascades():
    made = author()
    book = made.books.create(title="with tags")
    same(
        1452,
        outcome(lambda: Book.objects.create(author_id=made.pk + 10**9, title="of nobody")),
        "error of a book of nobody",
    )
    # The row itself, without Django's own deletion of what hangs on it: the key has ON DELETE CASCADE.
    if CASCADE is not models.CASCADE:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM shop_author WHERE id = %s", [made.pk])
    made.delete()
    same(False, Book.objects.filter(pk=book.pk).exists(), "books of a deleted author")


def add_credit(pk, nowait, locked):
    """One transaction of a worker, from its beginning again after a conflict: InnoDB's deadlock, and what Group Replication says of a row that another
    member changed."""
    while True:
        try:
            with transaction.atomic():
                row = Author.objects.select_for_update(nowait=nowait).get(pk=pk)
                locked()
                row.credit += 1
                row.save()
            return
        except DatabaseError as problem:
            if problem.args[0] not in (1213, 1180, 3101):
                raise
            REPEATED.append(problem.args[0])


def locks():
    """A lock excludes another worker, who tries again until it gets it, and no update is lost.

    While the proxy changes the writer the other is kept waiting. It may get the lock on the next writer: then the later commit conflicts.
    """
    made = author(credit=1)
    answers, connected, begin, answered = [], *(threading.Event() for _name in range(3))

    def worker():
        try:
            Author.objects.count()
            connected.set()
            begin.wait()
            while not answers or answers[-1] == 3572:
                answers.append(outcome(lambda: add_credit(made.pk, True, answered.set)))
                answered.set()
        finally:
            connection.close()

    other = threading.Thread(target=worker, daemon=True)
    other.start()
    connected.wait(30)

    def locked():
        if not begin.is_set():
            begin.set()
            # Not for ever: the proxy waits for this transaction, and the other for the proxy.
            answered.wait(0.4)
            if answers[:1] != [3572]:
                REPEATED.append("no refusal")

    add_credit(made.pk, False, locked)
    other.join()
    same(None, answers[-1], "end of the other worker")
    same(3, Author.objects.using("other").get(pk=made.pk).credit, "credit of two workers")


def counter():
    made = author()
    for number in range(10):
        using = ("default", "other")[number % 2]
        with transaction.atomic(using=using):
            row = Author.objects.using(using).select_for_update().get(pk=made.pk)
            row.credit += 1
            row.save()
    made.refresh_from_db()
    same(10, made.credit, "credit")


def closed_connection():
    made = author()
    connection.close()
    same(made, Author.objects.get(pk=made.pk), "author")


CHECKS = (
    read_after_write, relations, transactions, savepoints, upserts, many_rows, cascades, locks, counter, closed_connection,
)  # fmt: skip


class Tally:
    def __init__(self, attempts):
        self.attempts = attempts
        self.checks = self.failed = self.retries = 0

    def again(self, _state):
        self.retries += 1
        # As a worker, which begins each task with connections that are in no transaction.
        connections.close_all()

    def run(self, name, work, attempts):
        self.checks += 1
        try:
            tenacity.Retrying(
                stop=tenacity.stop_after_attempt(attempts),
                wait=tenacity.wait_fixed(0.5),
                before_sleep=self.again,
                reraise=True,
            )(work)
        except (Exception, SystemExit) as problem:
            self.failed += 1
            print(f"{name}: {type(problem).__name__}: {problem}")


def main(_kind, seconds=0, attempts=1):
    tally = Tally(attempts)
    tally.run("migrations", lambda: call_command("migrate", verbosity=0, interactive=False), 1)
    tally.run(
        "no migration is missing",
        lambda: call_command("makemigrations", check_changes=True, dry_run=True, verbosity=0),
        1,
    )
    until = time.monotonic() + seconds
    while not tally.failed:
        for check in CHECKS:
            tally.run(check.__name__, check, attempts)
        if time.monotonic() > until:
            break
    tally.run("migrations back", lambda: call_command("migrate", "shop", "zero", verbosity=0), 1)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE django_migrations")
    same([], [name for name in connection.introspection.table_names() if name.startswith("shop_")], "tables")
    print(json.dumps({"checks": tally.checks, "failed": tally.failed, "retries": tally.retries + len(REPEATED)}))
    return 1 if tally.failed else 0


if __name__ == "__main__":
    # A table without rows that a statement would have changed is no fault.
    warnings.simplefilter("ignore")
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])))
