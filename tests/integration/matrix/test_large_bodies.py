"""
Bodies that are too large, or just large.
"""

from __future__ import annotations

import json
from uuid import UUID

from ..harness import chat, coroutine
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
