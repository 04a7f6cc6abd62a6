"""
Clients that take their time to ask: a drip is no reason to wait for ever.
"""

from __future__ import annotations

from itertools import cycle

from twisted.internet.task import deferLater

from arbstr.web import channel

from ..harness import DaemonTestCase, coroutine, reactor
from ..wire import RawClient

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
BODY = HEAD + b"Content-Type: application/json\r\n"
# Seconds; ten and sixty in earnest.
SOON = 0.05


class DripTests(DaemonTestCase):
    """
    There is a deadline, which no byte puts off.
    """

    def setUp(self) -> None:
        super().setUp()
        self.provider("alpha")
        self.start()

    async def drips(self, begin: bytes, drip: bytes) -> RawClient:
        """
        Send this again and again, a byte at a time, until the connection is
        closed.
        """
        client = await self.connect()
        client.socket.write(begin)
        for byte in cycle(drip):
            if client.lost.called:
                break
            client.socket.write(bytes([byte]))
            await deferLater(reactor, 0)
        return client

    async def is_cut(self, part: bytes, begin: bytes, drip: bytes) -> None:
        """
        The client is told, and the connection closed.
        """
        client = await self.drips(begin, drip)
        self.assertTrue(client.data.startswith(b"HTTP/1.1 408 "), client.data)
        self.assertIn(b"\r\nContent-Type: application/json\r\n", client.data)
        self.assertIn(b"The request's %b was not complete" % part, client.data)
        self.assertEqual(self.providers["alpha"].requests, [])

    @coroutine
    async def test_slow_headers(self) -> None:
        """
        Ten seconds for all of them.
        """
        self.patch(channel, "_SECONDS", {**channel._SECONDS, "head": SOON})
        await self.is_cut(b"head", HEAD, b"a")

    @coroutine
    async def test_slow_body(self) -> None:
        """
        A minute for all of it.
        """
        self.patch(channel, "_SECONDS", {**channel._SECONDS, "body": SOON})
        await self.is_cut(b"body", BODY + b"Content-Length: 1000000\r\n\r\n", b" ")

    @coroutine
    async def test_slow_chunks(self) -> None:
        """
        However long it is.
        """
        self.patch(channel, "_SECONDS", {**channel._SECONDS, "body": SOON})
        chunked = BODY + b"Transfer-Encoding: chunked\r\n\r\n"
        await self.is_cut(b"body", chunked, b"1\r\n \r\n")

    @coroutine
    async def test_slow_to_begin(self) -> None:
        """
        One that asks nothing at all is not told anything.
        """
        self.patch(channel, "_SECONDS", {**channel._SECONDS, None: SOON})
        client = await self.connect()
        await client.lost
        self.assertEqual(client.data, b"")


class TooMuchTests(DaemonTestCase):
    """
    Clients that do not stop.
    """

    def setUp(self) -> None:
        super().setUp()
        self.provider("alpha")
        self.start()

    @coroutine
    async def test_headers_of_a_megabyte(self) -> None:
        """
        The client gets to read why its connection is closed.
        """
        client = await self.exchange(HEAD + b"A: " + b"b" * 4_000_000)
        self.assertTrue(client.data.startswith(b"HTTP/1.1 431 "), client.data)

    @coroutine
    async def test_garbage_of_a_megabyte(self) -> None:
        """
        Though it began to be wrong long ago.
        """
        client = await self.exchange(b"\0" * 4_000_000)
        self.assertTrue(client.data.startswith(b"HTTP/1.1 400 "), client.data)
