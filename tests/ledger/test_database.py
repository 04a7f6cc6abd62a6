"""
Tests for L{arbstr.ledger.database}.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from unittest import mock

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.defer import CancelledError, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from arbstr.ledger.database import Database, DatabaseError
from tests.integration.harness import coroutine, reactor

from .databases import Mixin, OnDatabase, OnPostgres, OnSqlite, adding, states


def thread(connection: Connection) -> threading.Thread:
    """
    Where queries and changes run.
    """
    return threading.current_thread()


class DatabaseContract(OnDatabase, Mixin):
    """
    What every kind of database does.
    """

    @coroutine
    async def test_read_what_was_written(self) -> None:
        """
        What a write committed the next read sees.
        """
        database = self.database(self.new_url())
        await database.write(adding("r1"))
        self.assertEqual(await database.read(states), [("r1", "done")])

    @coroutine
    async def test_rolled_back(self) -> None:
        """
        Nothing remains of a change that raised, and its error arrives.
        """
        database = self.database(self.new_url())

        def fails(connection: Connection) -> None:
            adding("r1")(connection)
            raise KeyError("on purpose")

        await self.assertFailure(database.write(fails), KeyError)
        self.assertEqual(await database.read(states), [])

    @coroutine
    async def test_one_writer(self) -> None:
        """
        All changes are made in one thread, which is not the reactor's.
        """
        database = self.database(self.new_url())
        threads = await gatherResults([database.write(thread) for _ in range(10)])
        self.assertEqual(len(set(threads)), 1)
        self.assertNotIn(threading.current_thread(), threads)

    @coroutine
    async def test_results_arrive_in_the_reactor(self) -> None:
        """
        Whoever waits for a result goes on in the reactor's thread.
        """
        database = self.database(self.new_url())
        await database.read(states)
        self.assertIs(threading.current_thread(), threading.main_thread())

    @coroutine
    async def test_cancelled(self) -> None:
        """
        Who does not wait any more is told so, and does not disturb others.
        """
        database = self.database(self.new_url())
        waiting = database.write(adding("r1"))
        waiting.cancel()
        await self.assertFailure(waiting, CancelledError)
        await database.write(adding("r2"))
        self.assertEqual(len(await database.read(states)), 2)

    @coroutine
    async def test_interrupted(self) -> None:
        """
        What was in flight when the process died is marked when the next one
        opens the database; what had ended is not.
        """
        url = self.new_url()
        dying = self.database(url)
        await dying.write(adding("r1", ended=False))
        await dying.write(adding("r2"))
        self.assertEqual(
            await self.database(url).read(states),
            [("r1", "interrupted"), ("r2", "done")],
        )

    @coroutine
    async def test_closing_waits(self) -> None:
        """
        What has been asked for is done before the database is closed.
        """
        url = self.new_url()
        database = self.database(url)
        written = database.write(adding("r1"))
        await database.close()
        self.assertIsNone(self.successResultOf(written))

    @coroutine
    async def test_closed(self) -> None:
        """
        A closed database says so.
        """
        database = self.database(self.new_url())
        await database.close()
        error = await self.assertFailure(database.read(states), DatabaseError)
        self.assertEqual(str(error), f"database {database.name}: it is not open")


class SeparateReaders(OnDatabase, Mixin):
    """
    Where reading has threads of its own.
    """

    @coroutine
    async def test_readers_do_not_write(self) -> None:
        """
        A query cannot change anything.
        """
        database = self.database(self.new_url())
        await self.assertFailure(database.read(adding("r1")), SQLAlchemyError)
        self.assertEqual(await database.read(states), [])

    @coroutine
    async def test_readers_do_not_wait(self) -> None:
        """
        While a change is being made readers see what was there before.
        """
        database = self.database(self.new_url())
        release = threading.Event()

        def slowly(connection: Connection) -> bool:
            adding("r1")(connection)
            return release.wait(10)

        written = database.write(slowly)
        self.assertEqual(await database.read(states), [])
        self.assertNoResult(written)
        release.set()
        self.assertTrue(await written)


class SqliteTests(DatabaseContract, SeparateReaders, OnSqlite, TestCase):
    """
    In a file.
    """


class PostgresTests(DatabaseContract, SeparateReaders, OnPostgres, TestCase):
    """
    On a server.
    """

    @coroutine
    async def test_connects_again(self) -> None:
        """
        When the server has cut connections off, new ones are made.
        """
        database = self.database(self.new_url())
        await database.write(adding("r1"))
        others = text(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        cut_off = await database.read(lambda connection: connection.scalar(others))
        self.assertEqual(cut_off, 1)
        await database.write(adding("r2"))
        self.assertEqual(len(await database.read(states)), 2)


class MemoryTests(TestCase):
    """
    C{sqlite://} is a database that ends with the process.
    """

    @coroutine
    async def test_shared(self) -> None:
        """
        Readers and the writer see the same one.
        """
        database = Database("sqlite://", reactor)
        database.open()
        self.addCleanup(database.close)
        await database.write(adding("r1"))
        self.assertEqual(await database.read(states), [("r1", "done")])


class RefusedTests(SynchronousTestCase):
    """
    What cannot be a database.
    """

    def test_urls(self) -> None:
        """
        Other URLs are refused, and not quoted back.
        """
        for url in (
            "mysql://u:hunter2@h/d",
            "postgresql://u:hunter2@h/d",
            "sqlite://hunter2/d",
            "sqlite:///d?hunter2=1",
            "hunter2",
        ):
            error = self.assertRaises(DatabaseError, Database, url, reactor)
            self.assertIn("expected sqlite:///FILE or postgresql+psycopg:", str(error))
            self.assertNotIn("hunter2", str(error))

    def test_driver_missing(self) -> None:
        """
        Without PostgreSQL's driver one is told what to install.
        """
        database = Database("postgresql+psycopg://u:hunter2@h/d", reactor)
        with mock.patch.dict(sys.modules, {"psycopg": None}):
            error = self.assertRaises(DatabaseError, database.open)
        self.assertIn("pip install 'arbstr[postgres]'", str(error))
        self.assertNotIn("hunter2", str(error))

    def test_server_away(self) -> None:
        """
        A server that does not answer is named, without the password.
        """
        url = f"postgresql+psycopg://u:hunter2@/d?host={Path(self.mktemp()).absolute()}"
        database = Database(url, reactor)
        error = self.assertRaises(DatabaseError, database.open)
        self.assertIn("database postgresql+psycopg://u:***@/d: connection", str(error))
        self.assertNotIn("hunter2", str(error))
