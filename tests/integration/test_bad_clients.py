"""
What a client may send that is no request, over real sockets: it is told so in
JSON, and nobody else notices.
"""

from __future__ import annotations

import json
from typing import Any

from .harness import DaemonTestCase, coroutine
from .providers import serves

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"


class BadClientTests(DaemonTestCase):
    """
    One that speaks no HTTP, or several kinds of it at once.
    """

    def setUp(self) -> None:
        super().setUp()
        self.provider("alpha", serves)
        self.start()

    async def assert_refused(self, status: int, *sent: bytes) -> Any:
        """
        The answer is an error, and the connection closed; others are served,
        and nothing is left of it.
        """
        client = await self.exchange(*sent)
        head, _, body = client.data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        self.assertEqual(int(lines[0].split()[1]), status)
        self.assertTrue(any(each.startswith(b"X-Arbstr-Request-Id:") for each in lines))
        error = json.loads(body)["error"]
        self.assertEqual(error["type"], "invalid_request_error")
        self.assertEqual((await self.ask()).status, 200)
        self.assertEqual(len(self.daemon.in_flight), 0)
        return error

    @coroutine
    async def test_garbage(self) -> None:
        """
        Such as TLS where there is none.
        """
        await self.assert_refused(400, b"\x16\x03\x01\x02\x00\x01\r\n\r\n")

    @coroutine
    async def test_no_host(self) -> None:
        """
        HTTP/1.1 wants one.
        """
        await self.assert_refused(400, b"GET /health HTTP/1.1\r\n\r\n")

    @coroutine
    async def test_two_hosts(self) -> None:
        """
        One may be checked, and the other be meant.
        """
        await self.assert_refused(400, HEAD + b"Host: evil.example\r\n\r\n")

    @coroutine
    async def test_folded_header(self) -> None:
        """
        Some would read two headers.
        """
        await self.assert_refused(400, HEAD + b"A: b\r\n c: d\r\n\r\n")

    @coroutine
    async def test_smuggling(self) -> None:
        """
        Two lengths, and a request in what only one of them leaves over.
        """
        await self.assert_refused(
            400,
            HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        )

    @coroutine
    async def test_bad_chunk(self) -> None:
        """
        A size that is none.
        """
        json_body = b"Content-Type: application/json\r\n"
        chunked = b"Transfer-Encoding: chunked\r\n\r\n-5\r\n"
        await self.assert_refused(400, HEAD + json_body + chunked)

    @coroutine
    async def test_large_headers(self) -> None:
        """
        More than 16 KiB.
        """
        await self.assert_refused(431, HEAD + b"A: " + b"b" * 17_000 + b"\r\n\r\n")

    @coroutine
    async def test_many_headers(self) -> None:
        """
        More than a hundred.
        """
        await self.assert_refused(431, HEAD + b"A: b\r\n" * 101 + b"\r\n")

    @coroutine
    async def test_options_of_everything(self) -> None:
        """
        There is no such route.
        """
        head = b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        await self.assert_refused(404, head)
