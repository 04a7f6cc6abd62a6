"""
Tests for L{arbstr.ledger.sqlite}.
"""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError
from twisted.trial.unittest import TestCase

from arbstr.ledger.database import Database, DatabaseError
from tests.integration.harness import coroutine, reactor

from .databases import OnSqlite, adding, states


class FileTests(OnSqlite, TestCase):
    """
    SQLite's files.
    """

    def setUp(self) -> None:
        """
        Think of a name.
        """
        self.path = Path(self.mktemp())

    def refused(self) -> str:
        """
        What is said when the file cannot be opened.
        """
        database = Database(f"sqlite:///{self.path}", reactor)
        return str(self.assertRaises(DatabaseError, database.open))

    def opened(self) -> Database:
        """
        The file as a database.
        """
        return self.database(f"sqlite:///{self.path}")

    @coroutine
    async def test_private(self) -> None:
        """
        The file and those beside it are for their owner only.
        """
        database = self.opened()
        await database.write(adding("r1"))
        modes = {
            each.name.removeprefix(self.path.name): stat.S_IMODE(each.stat().st_mode)
            for each in self.path.parent.glob(f"{self.path.name}*")
        }
        self.assertEqual(modes, {"": 0o600, "-wal": 0o600, "-shm": 0o600})

    @coroutine
    async def test_pragmas(self) -> None:
        """
        There is a write-ahead log, and foreign keys are kept.
        """

        def pragmas(connection: Connection) -> list[object]:
            names = ("journal_mode", "foreign_keys", "synchronous")
            return [connection.scalar(text(f"PRAGMA {name}")) for name in names]

        database = self.opened()
        self.assertEqual(await database.write(pragmas), ["wal", 1, 1])
        self.assertEqual(await database.read(pragmas), ["wal", 1, 1])

    def test_no_directory(self) -> None:
        """
        Directories are not made up.
        """
        self.path = self.path / "arbstr.db"
        self.assertIn(
            f"there is no directory {self.path.parent.absolute()}", self.refused()
        )

    def test_garbage(self) -> None:
        """
        A file that is no database is refused and not touched.
        """
        self.path.write_bytes(b"garbage " * 1000)
        self.assertIn(f"database {self.path}: file is not a database", self.refused())
        self.assertEqual(self.path.read_bytes(), b"garbage " * 1000)

    @coroutine
    async def test_damaged(self) -> None:
        """
        A database that was overwritten in its middle is refused, and not
        touched.
        """
        database = self.opened()
        await database.write(adding(*(f"r{number}" for number in range(500))))
        await database.close()
        content = self.path.read_bytes()
        half = len(content) // 2
        damaged = content[:half] + b"\xff" * 20_000 + content[half + 20_000 :]
        self.path.write_bytes(damaged)
        self.assertIn("it is damaged", self.refused())
        self.assertEqual(self.path.read_bytes(), damaged)

    def test_newer_leaves_no_traces(self) -> None:
        """
        A refused file keeps its journal mode and gets no files beside it.
        """
        with sqlite3.connect(self.path) as connection:
            connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
            connection.execute("INSERT INTO alembic_version VALUES ('r9999')")
        connection.close()
        content = self.path.read_bytes()
        self.assertIn("r9999", self.refused())
        self.assertEqual(self.path.read_bytes(), content)
        self.assertEqual(list(self.path.parent.glob(f"{self.path.name}-*")), [])

    @coroutine
    async def test_removed(self) -> None:
        """
        While the file is gone nothing is written; once it is back all goes on.
        """
        database = self.opened()
        aside = self.path.rename(self.mktemp())
        error = await self.assertFailure(database.write(adding("r1")), DatabaseError)
        self.assertIn("No such file", str(error))
        aside.rename(self.path)
        await database.write(adding("r1"))
        self.assertEqual(await database.read(states), [("r1", "done")])

    @coroutine
    async def test_replaced(self) -> None:
        """
        Nothing is written to a file that is not there any more under its name.
        """
        database = self.opened()
        self.path.rename(self.mktemp())
        self.path.touch()
        error = await self.assertFailure(database.write(adding("r1")), DatabaseError)
        self.assertIn("it is another file", str(error))

    @coroutine
    async def test_locked(self) -> None:
        """
        Somebody else's lock is an error after a moment, and only while it is
        held.
        """
        database = self.opened()
        other = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN EXCLUSIVE")
        await self.assertFailure(database.write(adding("r1")), OperationalError)
        other.execute("ROLLBACK")
        await database.write(adding("r1"))
        self.assertEqual(await database.read(states), [("r1", "done")])

    @coroutine
    async def test_full(self) -> None:
        """
        When there is room again all goes on, with an empty log at first: what
        failed has lengthened it.
        """

        def limit(pages: int) -> Callable[[Connection], object]:
            return lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

        database = self.opened()
        await database.write(limit(40))
        many = adding(*(f"r{number}" for number in range(500)))
        await self.assertFailure(database.write(many), OperationalError)
        await database.write(limit(10_000))
        log = self.path.with_name(f"{self.path.name}-wal")
        self.assertEqual(log.stat().st_size, 0)
        await database.write(many)
        self.assertEqual(len(await database.read(states)), 500)

    @coroutine
    async def test_statements_hide_values(self) -> None:
        """
        An error's text holds nothing of what was to be written.
        """

        def wrong(connection: Connection) -> object:
            return connection.execute(text("SELECT nothing WHERE 1 = :a"), {"a": "x9"})

        database = self.opened()
        error = await self.assertFailure(database.write(wrong), OperationalError)
        self.assertNotIn("x9", str(error))
