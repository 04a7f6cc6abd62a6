"""
SIGTERM: what is in flight finishes, what is new is refused, and nothing waits
for ever.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ConnectionRefusedError
from twisted.web.client import Agent, HTTPConnectionPool

from .harness import chat, coroutine, reactor
from .process import DaemonProcess, ProcessTestCase
from .providers import (
    DONE,
    FakeProvider,
    begins_a_stream,
    chunk,
    delta,
    http,
    is_silent,
)
from .wire import Answer


def ends_its_streams(provider: FakeProvider) -> None:
    """
    The rest of every stream that a provider has begun.
    """
    rest = delta("lo!", finish="stop") + DONE
    for connection in provider.connections:
        connection.write(chunk(rest) + chunk(b""))


class DrainTests(ProcessTestCase):
    """
    The daemon is asked to end.
    """

    def setUp(self) -> None:
        super().setUp()
        self.pool = HTTPConnectionPool(reactor, persistent=True)
        self.addCleanup(self.pool.closeCachedConnections)

    async def serve_streams(self, count: int, **server: Any) -> DaemonProcess:
        """
        Start a daemon that has streams under way.
        """
        self.provider("alpha", begins_a_stream)
        process = await self.serve("--config", self.written(server=server))
        self.begun = await gatherResults(
            [Deferred.fromCoroutine(self.begin_stream()) for _ in range(count)]
        )
        return process

    async def ends(self) -> list[Answer]:
        """
        What became of the streams.
        """
        return [await begun.ended() for begun in self.begun]

    def assert_cut_short(self, answer: Answer) -> None:
        self.assertFalse(answer.whole)
        self.assertNotIn(DONE, answer.body)
        last = json.loads(answer.body.split(b"data: ")[-1])
        self.assertEqual(last["error"]["code"], "shutting_down")

    @coroutine
    async def test_idle_connections_are_not_waited_for(self) -> None:
        """
        With nothing in flight it ends at once.
        """
        self.provider("alpha")
        server = {"shutdown_grace_seconds": 3600}
        process = await self.serve("--config", self.written(server=server))
        self._agent = Agent(reactor, pool=self.pool)
        await self.get("/healthz")
        process.signal("TERM")
        self.assertEqual(await process.exited(), 0)

    @coroutine
    async def test_streams_finish(self) -> None:
        process = await self.serve_streams(5)
        process.signal("TERM")
        await process.logged("Draining 5 requests")
        ends_its_streams(self.providers["alpha"])
        for answer in await self.ends():
            self.assertTrue(answer.whole)
            self.assertTrue(answer.body.endswith(DONE))
        self.assertEqual(await process.exited(), 0)
        self.assertEqual(process.log.count(" ok model=gpt-4o "), 5)

    @coroutine
    async def test_buffered_answer_finishes(self) -> None:
        provider = self.provider("alpha", is_silent)
        process = await self.serve("--config", self.written())
        asked = self.ask()
        await provider.asked()
        process.signal("TERM")
        await process.logged("Draining 1 requests")
        provider.connections[0].write(http(200, b'{"choices": []}'))
        self.assertEqual((await asked).status, 200)
        self.assertEqual(await process.exited(), 0)

    @coroutine
    async def test_new_connections_are_refused(self) -> None:
        process = await self.serve_streams(1)
        process.signal("TERM")
        await process.logged("Draining")
        with self.assertRaises(ConnectionRefusedError):
            await self.get("/healthz")

    @coroutine
    async def test_kept_alive_connections_get_503(self) -> None:
        process = await self.serve_streams(1)
        self._agent = Agent(reactor, pool=self.pool)
        await self.get("/healthz")
        process.signal("TERM")
        await process.logged("Draining")
        answer = await self.ask()
        self.assertEqual(answer.status, 503)
        self.assertEqual(answer.error()["code"], "shutting_down")
        self.assertEqual(answer.header("Retry-After"), "1")

    @coroutine
    async def test_streams_that_outlast_the_grace(self) -> None:
        process = await self.serve_streams(3, shutdown_grace_seconds=0.1)
        process.signal("TERM")
        for answer in await self.ends():
            self.assert_cut_short(answer)
        self.assertEqual(await process.exited(), 0)
        self.assertEqual(process.log.count(" 503 model=gpt-4o "), 3)
        self.assertLessEqual(process.levels(), {"info", "warn"})

    @coroutine
    async def test_second_signal_hastens(self) -> None:
        process = await self.serve_streams(1, shutdown_grace_seconds=3600)
        process.signal("TERM")
        await process.logged("Draining")
        process.signal("TERM")
        for answer in await self.ends():
            self.assert_cut_short(answer)
        self.assertEqual(await process.exited(), 0)
        self.assertLessEqual(process.levels(), {"info", "warn"})

    @coroutine
    async def test_slow_reader_gets_all(self) -> None:
        """
        What has been written to a client is sent before the process ends.
        """
        provider = self.provider("alpha", is_silent)
        process = await self.serve("--config", self.written())
        body = json.dumps(chat()).encode()
        client = await self.connect()
        client.stop_reading()
        client.socket.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        await provider.asked()
        answer = json.dumps({"choices": [], "padding": "x" * 20_000_000}).encode()
        process.signal("TERM")
        await process.logged("Draining")
        provider.connections[0].write(http(200, answer))
        await process.logged(" ok model=gpt-4o ")
        client.read_on()
        await client.lost
        self.assertTrue(client.data.endswith(answer))
        self.assertEqual(await process.exited(), 0)
