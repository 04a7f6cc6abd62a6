"""
Bodies that are too large, or just large.
"""

from __future__ import annotations

import json
from uuid import UUID

from ..aftermath import descriptors
from ..harness import chat, coroutine
from ..providers import Connection, Received, chunk, serves
from ..telling import ErrorTestCase


class TooLargeTests(ErrorTestCase):
    """
    Bodies over C{server.max_body_bytes}.
    """

    HEAD = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\n"
    )

    def start_limited(self) -> None:
        self.start_healthy(server={"max_body_bytes": 1000})

    def assert_refused(self, answer: bytes) -> None:
        """
        It is the whole answer, and it says what it has to.
        """
        head, _, body = answer.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        self.assertEqual(status, "HTTP/1.1 413 Request Entity Too Large")
        headers = dict(line.lower().split(": ") for line in lines)
        self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(headers["content-length"], str(len(body)))
        self.assertEqual(headers["connection"], "close")
        request_id = headers["x-arbstr-request-id"]
        self.assertEqual(str(UUID(request_id)), request_id)
        self.assertEqual(headers["x-request-id"], request_id)
        self.assertEqual(
            json.loads(body)["error"],
            {
                "message": "The body is over 1000 bytes long",
                "type": "invalid_request_error",
                "param": None,
                "code": None,
            },
        )
        self.assertEqual(self.providers["alpha"].requests, [])

    @coroutine
    async def test_announced(self) -> None:
        """
        It is refused before it has come.
        """
        self.start_limited()
        client = await self.connect()
        client.socket.write(self.HEAD + b"Content-Length: 1001\r\n\r\n")
        await self.soon(lambda: client.data.endswith(b"}}"))
        self.assert_refused(client.data)

    @coroutine
    async def test_announced_and_sent(self) -> None:
        """
        The connection is closed once it has all come, and whatever follows is
        not taken for another request.
        """
        self.start_limited()
        client = await self.exchange(
            self.HEAD + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001,
            b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        )
        self.assert_refused(client.data)

    @coroutine
    async def test_chunked(self) -> None:
        """
        It is refused as soon as it is known.
        """
        self.start_limited()
        client = await self.connect()
        part = b"200\r\n" + b"x" * 512 + b"\r\n"
        client.socket.write(self.HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + part)
        client.socket.write(part)
        await self.soon(lambda: client.data.endswith(b"}}"))
        self.assert_refused(client.data)

    @coroutine
    async def test_exactly_as_large_as_allowed(self) -> None:
        self.start_limited()
        body = json.dumps(chat()).encode().ljust(1000)
        self.assertEqual((await self.post(body)).status, 200)

    @coroutine
    async def test_chunks_that_are_never_too_large_each(self) -> None:
        """
        Nor does it help to hide the size in extensions.
        """
        self.start_limited()
        client = await self.connect()
        client.socket.write(self.HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        client.socket.write(b"1;x=%b\r\nx\r\n" % (b"y" * 100) * 1001)
        await client.lost
        self.assertTrue(client.data.startswith(b"HTTP/1.1 413 "), client.data)


class SpoolingTests(ErrorTestCase):
    """
    Bodies stay in memory: nobody can fill the disk.
    """

    HEAD = TooLargeTests.HEAD
    BODY = json.dumps(chat()).encode().ljust(1_000_000)

    def files(self) -> set[str]:
        """
        The files that are open.
        """
        return {name for name in descriptors() if name.startswith("/")}

    async def is_not_spooled(self, announced: bytes, body: bytes) -> None:
        """
        While the provider is being asked, the body is in no file.
        """
        open_then: list[set[str]] = []

        def script(connection: Connection, request: Received) -> None:
            open_then.append(self.files())
            serves(connection, request)

        alpha = self.provider("alpha", script)
        self.start()
        before = self.files()
        client = await self.exchange(
            self.HEAD + announced + b"\r\nConnection: close\r\n\r\n", body
        )
        self.assertTrue(client.data.startswith(b"HTTP/1.1 200 "), client.data[:100])
        self.assertEqual([files - before for files in open_then], [set()])
        self.assertEqual(alpha.requests[0].body, self.BODY)

    @coroutine
    async def test_announced(self) -> None:
        """
        A megabyte.
        """
        length = b"Content-Length: %d" % len(self.BODY)
        await self.is_not_spooled(length, self.BODY)

    @coroutine
    async def test_chunked(self) -> None:
        """
        Nobody knows how much there will be.
        """
        body = chunk(self.BODY[:500_000]) + chunk(self.BODY[500_000:]) + chunk(b"")
        await self.is_not_spooled(b"Transfer-Encoding: chunked", body)
