"""
Tests for L{arbstr.ledger.writer.DatabaseLedger}: batches, real databases.
"""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import OperationalError
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from arbstr.ledger.rows import delete_some
from arbstr.ledger.writer import BATCH, DatabaseLedger
from tests.integration.harness import coroutine

from .databases import Mixin, OnDatabase, OnPostgres, OnSqlite, a_row, states
from .writing import WriterTestCase


class BatchTests(WriterTestCase):
    """
    Rows are written together, in order.
    """

    def test_after_a_moment(self) -> None:
        """
        Rows are written soon enough after the first of them to be there within
        a quarter of a second, in one transaction.
        """
        self.record(1)
        self.clock.advance(0.1)
        self.record(2)
        self.assertEqual(self.database.rows(), [])
        self.clock.advance(0.05)
        self.assertEqual(self.database.rows(), [("r1", "done"), ("r2", "done")])
        self.assertEqual(self.database.sizes, [2])

    def test_during_a_write(self) -> None:
        """
        Rows that come while others are being written wait no longer for that.
        """
        self.database.held = []
        self.record(1)
        self.clock.advance(0.15)
        self.record(2)
        self.clock.advance(0.1)
        self.database.release()
        self.clock.advance(0.05)
        self.database.release()
        self.assertEqual(self.database.rows(), [("r1", "done"), ("r2", "done")])

    def test_when_many(self) -> None:
        """
        As soon as a batch is full it is written.
        """
        self.record(*range(BATCH - 1))
        self.assertEqual(self.database.sizes, [])
        self.record(BATCH)
        self.assertEqual(self.database.sizes, [BATCH])

    def test_nothing_to_write(self) -> None:
        """
        Without rows no timer runs, before and after.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.record(1)
        self.clock.advance(0.25)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_at_a_time(self) -> None:
        """
        While a batch is being written the next ones wait; then they follow,
        in order and in batches.
        """
        self.database.held = []
        self.record(*range(2 * BATCH + 100))
        self.assertEqual(self.database.attempts, 1)
        self.assertEqual(self.status("waiting"), 2 * BATCH + 100)
        self.database.release()
        self.database.release()
        self.assertEqual(self.database.sizes, [BATCH, BATCH])
        self.clock.advance(0.25)
        self.database.release()
        self.assertEqual(
            [request_id for request_id, _ in self.database.rows()],
            [f"r{number}" for number in range(2 * BATCH + 100)],
        )

    def test_drained_at_once(self) -> None:
        """
        A drain does not wait for the moment.
        """
        self.record(1)
        self.assertIsNone(self.successResultOf(self.ledger.drain()))
        self.assertEqual(self.database.rows(), [("r1", "done")])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_drained_in_batches(self) -> None:
        """
        A drain waits for the batch that is being written and for all others.
        """
        self.database.held = []
        self.record(*range(BATCH + 1))
        drained = self.ledger.drain()
        self.database.release()
        self.assertNoResult(drained)
        self.database.release()
        self.assertIsNone(self.successResultOf(drained))
        self.assertEqual(self.database.sizes, [BATCH, 1])

    def test_drained_empty(self) -> None:
        """
        Without rows there is nothing to wait for.
        """
        self.assertIsNone(self.successResultOf(self.ledger.drain()))
        self.assertEqual(self.database.attempts, 0)


class RealWriterContract(OnDatabase, Mixin):
    """
    With a real database and its threads.
    """

    @coroutine
    async def test_written(self) -> None:
        """
        Rows arrive, each once.
        """
        database = self.database(self.new_url())
        ledger = DatabaseLedger(database, Clock())
        for number in range(2 * BATCH):
            ledger.begin(f"r{number}", partial(a_row, f"r{number}"))
        for number in range(2 * BATCH):
            ledger.record(a_row(f"r{number}"))
        await ledger.drain()
        self.assertEqual(
            await database.read(states),
            [(f"r{number}", "done") for number in range(2 * BATCH)],
        )

    @coroutine
    async def test_bad_row(self) -> None:
        """
        A row that cannot be written is lost by itself.
        """
        database = self.database(self.new_url())
        ledger = DatabaseLedger(database, Clock())
        for row in (a_row("r1"), a_row("bad", streaming=None), a_row("r2")):
            ledger.record(row)
        await ledger.drain()
        self.assertEqual(await database.read(states), [("r1", "done"), ("r2", "done")])

    @coroutine
    async def test_locked(self) -> None:
        """
        While somebody else holds a lock rows wait; then they arrive.
        """
        url = self.new_url()
        database, clock = self.database(url), Clock()
        ledger = DatabaseLedger(database, clock)
        with self.locked(url):
            ledger.record(a_row("r1"))
            clock.advance(0.25)
            # It follows the row in the writer's thread.
            follower = database.write(partial(delete_some, before_ms=0, limit=1))
            await self.assertFailure(follower, OperationalError)
            self.assertIsNotNone(ledger.status()["error"])
        await ledger.drain()
        self.assertEqual(await database.read(states), [("r1", "done")])

    def locked(self, url: str) -> Connection:
        """
        Somebody else's connection, which holds a lock until it is left.
        """
        engine = create_engine(url)
        self.addCleanup(engine.dispose)
        connection = engine.connect()
        connection.exec_driver_sql(self.lock)
        return connection


class SqliteWriterTests(RealWriterContract, OnSqlite, TestCase):
    """
    On SQLite.
    """


class PostgresWriterTests(RealWriterContract, OnPostgres, TestCase):
    """
    On PostgreSQL.
    """
