"""
What the machine does to a daemon: it runs out of descriptors, and is told to end.
"""

from __future__ import annotations

import json
import os
import resource
import sqlite3
from contextlib import closing

from twisted.internet.defer import Deferred, gatherResults

from ..harness import chat, coroutine
from ..process import DaemonProcess
from ..providers import DONE, begins_a_stream, chunk, delta
from ..test_restart import FileTestCase
from ..wire import RawClient

HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
BODY = json.dumps(chat()).encode()
ASKED = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
) + BODY
EMFILE = "EMFILE encountered"
SPARE = 4
MANY = 40


class DescriptorTests(FileTestCase):
    """
    The process may have no more descriptors.
    """

    async def limited(self) -> tuple[DaemonProcess, RawClient]:
        """
        A daemon that may open a few more than it has, and a client that is
        connected to it already.
        """
        self.provider("alpha")
        process = await self.serve_books()
        await self.ask()
        await self.written_down()
        client = await self.connect()
        await self.is_answered(client)
        self.limit(process, len(os.listdir(f"/proc/{process.pid}/fd")) + SPARE)
        return process, client

    def limit(self, process: DaemonProcess, most: int) -> None:
        """
        Say how many descriptors the process may have.
        """
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (most, hard))

    async def is_answered(self, client: RawClient) -> None:
        """
        Ask for a sign of life, on a connection that is open.
        """
        before = client.data.count(b"\r\n\r\nok")
        client.socket.write(HEALTHZ)
        await self.soon(lambda: client.data.count(b"\r\n\r\nok") > before)

    async def exhaust(self, process: DaemonProcess) -> list[RawClient]:
        """
        Connect until there are none left.

        @return: those that are connected.
        """
        clients = [await self.connect() for _ in range(MANY)]
        for each in clients:
            each.socket.write(HEALTHZ)
        # Each is closed, or accepted.
        await self.soon(lambda: all(each.lost.called or each.data for each in clients))
        await process.logged(EMFILE)
        return [each for each in clients if not each.lost.called]

    @coroutine
    async def test_accepting_pauses_and_resumes(self) -> None:
        """
        New connections are closed; those that are open are served; and when
        some have gone there is room again.
        """
        process, client = await self.limited()
        connected = await self.exhaust(process)
        self.assertGreater(len(connected), 0)
        for each in (client, *connected):
            await self.is_answered(each)
        for each in connected:
            await each.hang_up()
        self.limit(process, 1000)
        self.assertEqual((await self.ask()).status, 200)
        process.signal("TERM")
        self.assertEqual(await process.exited(), 0)

    @coroutine
    async def test_no_busy_loop(self) -> None:
        """
        Nothing is tried again and again meanwhile.
        """
        process, client = await self.limited()
        await self.exhaust(process)
        for _ in range(200):
            await self.is_answered(client)
        self.assertLessEqual(process.log.count(EMFILE), MANY)

    @coroutine
    async def test_providers_are_not_to_blame(self) -> None:
        """
        That they cannot be asked says nothing about them.
        """
        process, client = await self.limited()
        (idle,) = self.providers["alpha"].connections
        idle.close()
        await idle.lost
        connected = await self.exhaust(process)
        client.socket.write(ASKED * 4)
        await self.soon(lambda: client.data.count(b"HTTP/1.1 50") == 4)
        for each in connected:
            await each.hang_up()
        self.limit(process, 1000)
        health = await self.told("/health")
        self.assertEqual(health["providers"]["alpha"]["state"], "closed")
        self.assertEqual((await self.ask()).status, 200)


class TerminationTests(FileTestCase):
    """
    SIGTERM with a hundred streams open.
    """

    STREAMS = 100

    @coroutine
    async def test_sigterm_with_100_streams(self) -> None:
        """
        Half of them finish in time; the others are told; all are in the books.
        """
        both = [self.provider(name, begins_a_stream) for name in ("alpha", "beta")]
        process = await self.serve_books(server={"shutdown_grace_seconds": 1})
        begun = await gatherResults(
            [Deferred.fromCoroutine(self.begin_stream()) for _ in range(self.STREAMS)]
        )
        process.signal("TERM")
        await process.logged(f"Draining {self.STREAMS} requests")
        rest = chunk(delta("lo!", finish="stop") + DONE) + chunk(b"")
        open_now = [each for provider in both for each in provider.connections]
        for connection in open_now[: self.STREAMS // 2]:
            connection.write(rest)
        answers = [await each.ended() for each in begun]
        whole = [answer for answer in answers if answer.whole]
        self.assertEqual(len(whole), self.STREAMS // 2)
        for answer in answers:
            self.assertEqual(answer.whole, answer.body.endswith(DONE))
            if not answer.whole:
                last = json.loads(answer.body.rpartition(b"data: ")[2])
                self.assertEqual(last["error"]["code"], "shutting_down")
        self.assertEqual(await process.exited(), 0)
        with closing(sqlite3.connect(self.file)) as books:
            rows = books.execute(
                "SELECT success, count(*) FROM requests GROUP BY success"
            )
            self.assertEqual(sorted(rows), [(0, 50), (1, 50)])
