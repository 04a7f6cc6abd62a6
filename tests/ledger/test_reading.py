"""
Tests for L{arbstr.ledger.reading}: questions that are taken back.
"""

from __future__ import annotations

from threading import Event

from sqlalchemy import Connection, func, select, text
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from arbstr.ledger.database import Database
from arbstr.ledger.engines import DatabaseError
from arbstr.ledger.reading import Question, TooManyReads
from arbstr.ledger.tables import requests
from tests.integration.harness import coroutine, reactor

from .databases import Mixin, OnDatabase, OnPostgres, OnSqlite, adding, states

ENDLESS = text(
    "WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number) "
    "SELECT COUNT(*) FROM number"
)


def endless(connection: Connection) -> object:
    """
    Asks for what the database would never have found.
    """
    return connection.execute(ENDLESS).scalar()


class ReadingContract(OnDatabase, Mixin):
    """
    What every kind of database does.
    """

    timeout = 20

    def setUp(self) -> None:
        self.books: Database = self.database(self.new_url())

    def ask(self, times: int) -> list[Deferred[object]]:
        return [self.books.read(endless) for _ in range(times)]

    async def take_back(self, asked: list[Deferred[object]]) -> None:
        for each in asked:
            each.cancel()
        for each in asked:
            await self.assertFailure(each, CancelledError)

    @coroutine
    async def test_taken_back(self) -> None:
        """
        The thread is free for the next at once.
        """
        await self.take_back(self.ask(10))
        self.assertEqual(await self.books.read(states), [])

    @coroutine
    async def test_too_many(self) -> None:
        """
        No more than sixteen may wait.
        """
        asked = self.ask(16)
        await self.assertFailure(self.books.read(states), TooManyReads)
        await self.take_back(asked)

    @coroutine
    async def test_closed(self) -> None:
        """
        The end does not wait for what would never have come.
        """
        asked = self.ask(3)
        for each in asked:
            each.addErrback(lambda _: None)
        await self.books.close()
        self.assertEqual(await gatherResults(asked), [None] * 3)

    @coroutine
    async def test_one_view(self) -> None:
        """
        What is committed meanwhile is not seen by half of a report.
        """
        count = select(func.count()).select_from(requests)

        def twice(connection: Connection) -> list[object]:
            first = connection.execute(count).scalar()
            reactor.callFromThread(write)
            written.wait()
            return [first, connection.execute(count).scalar()]

        written = Event()

        def write() -> None:
            self.books.write(adding("r1")).addBoth(lambda _: written.set())

        self.assertEqual(await self.books.read(twice), [0, 0])
        self.assertEqual(await self.books.read(states), [("r1", "done")])


class SqliteReadingTests(ReadingContract, OnSqlite, TestCase):
    """
    In a file.
    """


class PostgresReadingTests(ReadingContract, OnPostgres, TestCase):
    """
    On a server.
    """


class QuestionTests(SynchronousTestCase):
    """
    A question by itself.
    """

    def test_taken_back_before(self) -> None:
        """
        The database is not even asked.
        """
        question = Question()
        question.take_back()
        with self.assertRaises(DatabaseError):
            question.begin(None)  # type: ignore[arg-type]
