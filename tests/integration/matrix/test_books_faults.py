"""
What the machine does to the books: requests do not notice.
"""

from __future__ import annotations

import resource
import sqlite3
from contextlib import closing
from typing import Any

from tests.ledger.databases import OnSqlite

from ..books import WithBooks
from ..harness import DaemonTestCase, coroutine
from ..providers import serves
from ..test_restart import FileTestCase


class BooksTests(FileTestCase):
    """
    The database fails while the daemon serves: it serves on, and says so.
    """

    async def fails(self) -> None:
        """
        Requests are served, and their rows wait.
        """
        for _ in range(3):
            self.assertEqual((await self.ask()).status, 200)
        while (await self.told("/health"))["ledger"]["error"] is None:
            self.assertEqual((await self.ask()).status, 200)
        self.assertGreater((await self.told("/health"))["ledger"]["waiting"], 0)

    async def recovers(self) -> None:
        """
        No row is lost.
        """
        await self.written_down()
        health = await self.told("/health")
        self.assertEqual(
            (health["ledger"]["error"], health["ledger"]["dropped"]), (None, 0)
        )
        asked = len(self.providers["alpha"].requests)
        self.assertEqual((await self.told("/v1/requests"))["total"], asked)

    @coroutine
    async def test_locked(self) -> None:
        """
        By another process, which takes its time.
        """
        self.provider("alpha")
        process = await self.serve_books()
        await self.ask()
        await self.written_down()
        with closing(sqlite3.connect(self.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await self.fails()
            other.execute("ROLLBACK")
        await self.recovers()
        await self.terminated(process)

    @coroutine
    async def test_full(self) -> None:
        """
        No file may grow.
        """
        self.provider("alpha")
        process = await self.serve_books()
        await self.ask()
        await self.written_down()
        limit = resource.RLIMIT_FSIZE
        _, hard = resource.prlimit(process.pid, limit)
        resource.prlimit(process.pid, limit, (1, hard))
        await self.fails()
        resource.prlimit(process.pid, limit, (hard, hard))
        await self.recovers()
        await self.terminated(process)

    @coroutine
    async def test_gone(self) -> None:
        """
        Somebody moved the file away, and thinks better of it.
        """
        self.provider("alpha")
        process = await self.serve_books()
        await self.ask()
        await self.written_down()
        aside = self.file.rename(self.file.with_name("aside.db"))
        await self.fails()
        aside.rename(self.file)
        await self.recovers()
        await self.terminated(process)


class ReadOnlyTests(OnSqlite, WithBooks, DaemonTestCase):
    """
    The database can be read, and no more.
    """

    @coroutine
    async def test_read_only(self) -> None:
        """
        Reports are answered, rows wait.
        """
        self.serve(serves)
        # The one that writes.
        driver: Any = await self.books.write(
            lambda connection: connection.connection.dbapi_connection
        )
        driver.execute("PRAGMA query_only = 1")
        for _ in range(3):
            self.assertEqual((await self.ask()).status, 200)
        await self.soon(lambda: self.daemon.ledger.status()["error"] is not None)
        self.assertIn("readonly database", str(self.daemon.ledger.status()["error"]))
        self.assertEqual((await self.get("/health")).json()["ledger"]["waiting"], 3)
        self.assertEqual((await self.get("/v1/requests")).json()["total"], 0)
        driver.execute("PRAGMA query_only = 0")
        self.assertEqual(len(await self.rows()), 3)
