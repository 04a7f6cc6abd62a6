"""
Books in a file, from one process to the next.
"""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

from .harness import chat, coroutine
from .process import DaemonProcess, ProcessTestCase
from .providers import begins_a_stream, serves


class FileTestCase(ProcessTestCase):
    """
    Daemons that share a file.
    """

    def setUp(self) -> None:
        super().setUp()
        self.file = Path(self.mktemp()).absolute()

    async def serve_books(self, **sections: Any) -> DaemonProcess:
        """
        Run a daemon, with all providers added so far.
        """
        return await self.serve("--config", self.with_books(**sections))

    def with_books(self, **sections: Any) -> str:
        """
        A configuration that names the file.
        """
        return self.written(database={"url": f"sqlite:///{self.file}"}, **sections)

    async def told(self, path: str) -> Any:
        """
        What a route answers.
        """
        answer = await self.get(path)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    async def written_down(self) -> None:
        """
        Wait until no row waits for the database.
        """
        while (await self.told("/health"))["ledger"]["waiting"]:
            pass

    async def terminated(self, process: DaemonProcess) -> None:
        """
        Stop a daemon as a supervisor does.
        """
        process.signal("TERM")
        self.assertEqual(await process.exited(), 0)


class RestartTests(FileTestCase):
    """
    What one process wrote the next one reads.
    """

    @coroutine
    async def test_rows_survive(self) -> None:
        """
        With those of the last moment, in a file for its owner only.
        """
        self.provider("alpha")
        process = await self.serve_books()
        self.assertEqual(stat.S_IMODE(self.file.stat().st_mode), 0o600)
        await self.ask()
        await self.ask(chat(stream=True))
        await self.written_down()
        before = await self.told("/v1/requests")
        last = await self.ask()
        await self.terminated(process)
        await self.serve_books()
        after = await self.told("/v1/requests")
        self.assertEqual(after["total"], 3)
        self.assertEqual(after["data"][1:], before["data"])
        self.assertEqual(
            after["data"][0]["request_id"], last.header("X-Arbstr-Request-Id")
        )

    @coroutine
    async def test_killed(self) -> None:
        """
        What was in flight is told to have been interrupted.
        """
        self.provider("alpha", begins_a_stream)
        process = await self.serve_books()
        begun = await self.begin_stream()
        (request_id,) = begun.headers.getRawHeaders("X-Arbstr-Request-Id", [])
        await self.written_down()
        self.assertEqual((await self.told("/v1/requests"))["data"], [])
        await process.kill()
        await begun.ended()
        await self.serve_books()
        (row,) = (await self.told("/v1/requests"))["data"]
        self.assertEqual((row["request_id"], row["success"]), (request_id, False))
        self.assertEqual(row["error"], {"status": None, "message": "interrupted"})
        self.assertEqual(await self.told(f"/v1/requests/{request_id}"), row)
        counts = (await self.told("/v1/stats"))["counts"]
        self.assertEqual((counts["total"], counts["error"]), (1, 1))

    @coroutine
    async def test_mock_keeps_books_in_memory(self) -> None:
        """
        To try arbstr leaves no file.
        """
        process = await self.serve("--mock")
        await self.ask()
        await self.written_down()
        self.assertEqual((await self.told("/v1/requests"))["total"], 1)
        self.assertEqual(list(process.directory.iterdir()), [])
        await self.terminated(process)
        self.assertEqual(list(process.directory.iterdir()), [])


class RefusedTests(FileTestCase):
    """
    A file that cannot be used is left as it is; the daemon does not start.
    """

    def setUp(self) -> None:
        super().setUp()
        self.provider("alpha", serves)

    async def refused(self) -> str:
        """
        The line that says why.
        """
        process = self.spawn("--config", self.with_books())
        self.assertEqual(await process.exited(), 1)
        self.assertNotIn("Traceback", process.everything)
        (line,) = (
            line for line in process.everything.splitlines() if str(self.file) in line
        )
        return line

    @coroutine
    async def test_damaged(self) -> None:
        garbage = b"This is no database." * 1000
        self.file.write_bytes(garbage)
        self.assertIn("file is not a database", await self.refused())
        self.assertEqual(self.file.read_bytes(), garbage)

    @coroutine
    async def test_newer(self) -> None:
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
            connection.execute("INSERT INTO alembic_version VALUES ('r9999')")
            connection.commit()
        before = self.file.read_bytes()
        self.assertIn("r9999, of a newer version of arbstr", await self.refused())
        self.assertEqual(self.file.read_bytes(), before)

    @coroutine
    async def test_read_only_directory(self) -> None:
        """
        Where not even root may create a file.
        """
        self.file = Path("/sys/arbstr.db")
        self.assertIn("cannot create it: ", await self.refused())

    @coroutine
    async def test_no_directory(self) -> None:
        self.file = self.file / "arbstr.db"
        line = await self.refused()
        self.assertIn(f"there is no directory {self.file.parent}", line)
