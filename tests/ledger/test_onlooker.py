"""
Tests for L{arbstr.ledger.onlooker}.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from unittest import mock

from sqlalchemy import create_engine, make_url
from twisted.trial.unittest import SynchronousTestCase, TestCase

from arbstr.ledger import migrations, onlooker
from arbstr.ledger.engines import DatabaseError
from arbstr.ledger.onlooker import Onlooker
from arbstr.ledger.rows import Entry, write_all
from tests.integration.harness import coroutine

from .databases import Mixin, OnDatabase, OnPostgres, OnSqlite, a_row, adding

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OnlookerContract(OnDatabase, Mixin):
    """
    Reads beside a daemon that has the database open.
    """

    def setUp(self) -> None:
        self.url = self.new_url()
        self.books = self.database(self.url)

    def onlooker(self) -> Onlooker:
        """
        Who looks at it.
        """
        looking = Onlooker(self.url)
        self.addCleanup(looking.close)
        return looking

    async def add(self, *moments: int, ended: bool = True) -> None:
        """
        Requests that came so many milliseconds after the epoch.
        """
        entries = [
            Entry(
                a_row(f"r{each}", timestamp=EPOCH + timedelta(milliseconds=each)),
                ended,
            )
            for each in moments
        ]
        await self.books.write(partial(write_all, entries=entries))

    def seen(self, since: int = 0, until: int = 1000) -> list[int]:
        """
        When the requests came that are told.
        """
        rows = self.onlooker().finished(since, until)
        return [row["timestamp"] for row in rows]

    @coroutine
    async def test_oldest_first(self) -> None:
        """
        Requests come in the order in which they came.
        """
        await self.add(30, 10, 20)
        self.assertEqual(self.seen(), [10, 20, 30])

    @coroutine
    async def test_range(self) -> None:
        """
        A range holds its first moment and not its last.
        """
        await self.add(10, 20, 30)
        self.assertEqual(self.seen(10, 30), [10, 20])

    @coroutine
    async def test_pages(self) -> None:
        """
        However few are read at a time, each comes once.
        """
        moments = [1, 2, 3, 4, 5, 6, 7]
        await self.add(*moments)
        for size in (1, 2, 7, 8):
            with mock.patch.object(onlooker, "_PAGE", size):
                self.assertEqual(self.seen(), moments)

    @coroutine
    async def test_same_moment(self) -> None:
        """
        So do those that came at the same time.
        """
        await self.books.write(adding("a", "b", "c"))
        with mock.patch.object(onlooker, "_PAGE", 1):
            rows = list(self.onlooker().finished(0, 2**60))
        self.assertEqual(len({row["id"] for row in rows}), 3)

    @coroutine
    async def test_in_flight(self) -> None:
        """
        What is not over does not count.
        """
        await self.add(10)
        await self.add(20, ended=False)
        self.assertEqual(self.seen(), [10])

    @coroutine
    async def test_values(self) -> None:
        """
        A row has what is needed to replay it.
        """
        row = a_row("r1", wanted_provider="alpha", wanted_complexity="low")
        await self.books.write(partial(write_all, entries=[Entry(row, True)]))
        (seen,) = self.onlooker().finished(0, 2**60)
        self.assertEqual(set(seen), set(onlooker.COLUMNS))
        self.assertEqual(
            (seen["wanted_provider"], seen["wanted_complexity"]), ("alpha", "low")
        )
        self.assertEqual((seen["cost_sats"], seen["success"]), (0.125, True))
        self.assertEqual(seen["attempts"][0]["provider"], "alpha")

    @coroutine
    async def test_goes_on(self) -> None:
        """
        Who looks keeps nobody from writing, not even between two pages.
        """
        await self.add(10, 20)
        with mock.patch.object(onlooker, "_PAGE", 1):
            rows = self.onlooker().finished(0, 1000)
            self.assertEqual(next(rows)["timestamp"], 10)
            await self.add(30)
            self.assertEqual([row["timestamp"] for row in rows], [20, 30])

    def refused(self, url: str) -> str:
        """
        What is said where a database cannot be looked at.
        """
        return str(self.assertRaises(DatabaseError, Onlooker, url))

    def prepared(self, revision: str) -> str:
        """
        A database of another version.
        """
        url = self.new_url()
        engine = create_engine(url)
        with engine.begin() as connection:
            migrations.upgrade(connection, "r0001")
            connection.exec_driver_sql(
                f"UPDATE alembic_version SET version_num = '{revision}'"
            )
        engine.dispose()
        return url

    def test_newer(self) -> None:
        """
        A schema that a later version made is not understood.
        """
        self.assertIn(
            "its schema is r9999, of a newer", self.refused(self.prepared("r9999"))
        )

    def test_older(self) -> None:
        """
        One that the daemon of this version has not seen yet is left as it is.
        """
        url = self.prepared("r0001")
        for _ in range(2):
            self.assertIn("its schema is r0001, expected r0002", self.refused(url))

    def test_empty(self) -> None:
        """
        What has no tables has no books.
        """
        url = self.new_url()
        engine = create_engine(url)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE other (x INTEGER)")
        engine.dispose()
        self.assertIn("its schema is none of arbstr", self.refused(url))


class SqliteOnlookerTests(OnlookerContract, OnSqlite, TestCase):
    """
    On SQLite.
    """


class PostgresOnlookerTests(OnlookerContract, OnPostgres, TestCase):
    """
    On PostgreSQL.
    """

    def test_not_there(self) -> None:
        """
        A server without such a database says so, without the password.
        """
        url = make_url(self.url).set(database="nobody", password="hush")
        error = self.refused(url.render_as_string(hide_password=False))
        self.assertIn('database "nobody" does not exist', error)
        self.assertNotIn("hush", error)


class FileTests(SynchronousTestCase):
    """
    SQLite's files are looked at without a trace.
    """

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def fill(self) -> None:
        """
        Books that nobody has open.
        """
        engine = create_engine(f"sqlite:///{self.path}")
        with engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            migrations.upgrade(connection)
            adding("r1")(connection)
        engine.dispose()

    def rows(self) -> int:
        """
        How many rows there are to see.
        """
        with closing(Onlooker(f"sqlite:///{self.path}")) as looking:
            return len(list(looking.finished(0, 2**60)))

    def refused(self, url: str | None = None) -> str:
        """
        What is said where there is nothing to look at.
        """
        error = self.assertRaises(
            DatabaseError, Onlooker, url or f"sqlite:///{self.path}"
        )
        return str(error)

    def beside(self) -> list[str]:
        """
        The files of that name.
        """
        return [each.name for each in self.path.parent.glob(f"{self.path.name}*")]

    def test_no_daemon(self) -> None:
        """
        Where no daemon runs no file is made beside it, and it stays as it is.
        """
        self.fill()
        before = self.path.read_bytes()
        self.assertEqual(self.rows(), 1)
        self.assertEqual(self.beside(), [self.path.name])
        self.assertEqual(self.path.read_bytes(), before)

    def test_missing(self) -> None:
        """
        What is not there is not made.
        """
        self.assertIn(
            f"database {self.path.absolute()}: there is no such file", self.refused()
        )
        self.assertEqual(self.beside(), [])

    def test_no_database(self) -> None:
        """
        Another file is none.
        """
        self.path.write_text("Dear diary, " * 100)
        self.assertIn("file is not a database", self.refused())

    def test_in_memory(self) -> None:
        """
        What only a daemon's memory holds cannot be seen from here.
        """
        self.assertIn("only the daemon itself can read it", self.refused("sqlite://"))

    def test_another_kind(self) -> None:
        """
        Other databases are not understood, and not told with their passwords.
        """
        error = self.refused("mysql://me:secret@host/books")
        self.assertIn("expected sqlite:///FILE or", error)
        self.assertNotIn("secret", error)

    def test_locked(self) -> None:
        """
        Who has it for himself keeps others from looking, but not for ever.
        """
        self.fill()
        with (
            closing(sqlite3.connect(self.path)) as other,
            mock.patch.object(onlooker, "_BUSY_SECONDS", 0.05),
        ):
            other.execute("PRAGMA locking_mode = EXCLUSIVE")
            other.execute("UPDATE requests SET choices = 2")
            other.commit()
            self.assertIn("database is locked", self.refused())
