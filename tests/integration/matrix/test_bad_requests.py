"""
Clients that speak no HTTP, several kinds of it at once, or too much.

To add what a client sends, add a line to the table: it is tried at once and in
pieces, with another request behind it that must not be answered.
"""

from __future__ import annotations

import json

from attrs import frozen
from twisted.internet.task import deferLater

from ..faults import for_each
from ..harness import DaemonTestCase, reactor
from ..wire import RawClient

GET = b"GET /health HTTP/1.1\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Type: application/json\r\n"
HOST = b"Host: localhost\r\n"
FIVE = b"Content-Length: 5\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
NO_CHUNKS = b"\r\n0\r\n\r\n"
TE = b"Transfer-Encoding"
SMUGGLED = GET + HOST + b"\r\n"
PIECE = 7


@frozen
class Bad:
    """
    What a client sends.

    @ivar name: as the table of inputs has it.
    @ivar status: what it is answered with.
    """

    name: str
    status: int
    sent: bytes


NO_REQUESTS = (
    Bad("garbage", 400, b"garbage\r\n\r\n"),
    Bad("TLS where there is none", 400, b"\x16\x03\x01\x02\x00\x01\r\n\r\n"),
    Bad("HTTP/2", 400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Bad("HTTP/0.9", 400, b"GET /health\r\n\r\n"),
    Bad("HTTP/3.7", 400, b"GET /health HTTP/3.7\r\n" + HOST + b"\r\n"),
    Bad("space in the path", 400, b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n"),
    Bad("no Host", 400, GET + b"\r\n"),
    Bad("two Hosts", 400, GET + HOST + b"Host: evil.example\r\n\r\n"),
    Bad("two equal Hosts", 400, GET + HOST * 2 + b"\r\n"),
    Bad("obs-fold", 400, GET + HOST + b"A: b\r\n c: d\r\n\r\n"),
    Bad("obs-fold with a tab", 400, GET + HOST + b"A: b\r\n\tc\r\n\r\n"),
    Bad("obs-fold of the Host", 400, GET + b"Host:\r\n localhost\r\n\r\n"),
    Bad("obs-fold before any header", 400, GET + b" A: b\r\n" + HOST + b"\r\n"),
    Bad("CR in a header", 400, GET + HOST + b"A: b\rc: d\r\n\r\n"),
    Bad("NUL in a header", 400, GET + HOST + b"A: b\0c\r\n\r\n"),
    Bad("NUL in a header's name", 400, GET + HOST + b"A\0: b\r\n\r\n"),
    Bad("LF without CR", 400, GET + HOST + b"A: b\nC: d\r\n\r\n"),
    Bad("space before the colon", 400, GET + HOST + b"A : b\r\n\r\n"),
    Bad("header without a colon", 400, GET + HOST + b"what\r\n\r\n"),
    Bad("header without a name", 400, GET + HOST + b": b\r\n\r\n"),
)

SMUGGLING = (
    Bad("CL and TE", 400, POST + HOST + FIVE + CHUNKED + NO_CHUNKS),
    Bad("TE and CL", 400, POST + HOST + CHUNKED + FIVE + NO_CHUNKS),
    Bad("CL twice", 400, POST + HOST + FIVE + b"Content-Length: 6\r\n\r\n"),
    Bad("CL twice the same", 400, POST + HOST + FIVE * 2 + b"\r\n"),
    Bad("CL of a list", 400, POST + HOST + b"Content-Length: 5, 5\r\n\r\n"),
    Bad("CL with a sign", 400, POST + HOST + b"Content-Length: +5\r\n\r\n"),
    Bad("CL below zero", 400, POST + HOST + b"Content-Length: -5\r\n\r\n"),
    Bad("CL in hex", 400, POST + HOST + b"Content-Length: 0x5\r\n\r\n"),
    Bad("CL of nothing", 400, POST + HOST + b"Content-Length:\r\n\r\n"),
    Bad("CL beyond belief", 400, POST + HOST + b"Content-Length: %d\r\n\r\n" % 10**30),
    Bad("TE twice", 400, POST + HOST + CHUNKED * 2 + NO_CHUNKS),
    Bad(
        "TE of a list",
        400,
        POST + HOST + b"TE: x\r\n" + CHUNKED[:-2] + b", gzip\r\n\r\n",
    ),
    Bad("TE gzip", 400, POST + HOST + TE + b": gzip, chunked" + NO_CHUNKS),
    Bad("TE identity", 400, POST + HOST + FIVE + TE + b": identity\r\n\r\n"),
    Bad("TE obscured", 400, POST + HOST + TE + b": xchunked" + NO_CHUNKS),
    Bad("TE with a tab", 400, POST + HOST + TE + b":\x0bchunked" + NO_CHUNKS),
    Bad("TE with a space", 400, POST + HOST + TE + b" : chunked" + NO_CHUNKS),
    Bad(
        "TE in HTTP/1.0",
        400,
        POST.replace(b"1.1", b"1.0") + HOST + CHUNKED + NO_CHUNKS,
    ),
    Bad("negative chunk size", 400, POST + HOST + CHUNKED + b"\r\n-5\r\n12345\r\n"),
    Bad("chunk size in hex", 400, POST + HOST + CHUNKED + b"\r\n0x5\r\n12345\r\n"),
    Bad("chunk size of letters", 400, POST + HOST + CHUNKED + b"\r\nzz\r\n12345\r\n"),
    Bad("huge chunk size", 400, POST + HOST + CHUNKED + b"\r\n" + b"f" * 17 + b"\r\n"),
    Bad("chunk longer than it says", 400, POST + HOST + CHUNKED + b"\r\n1\r\nab\r\n"),
)

TOO_MUCH = (
    Bad("long header", 431, GET + HOST + b"A: " + b"b" * 17_000 + b"\r\n\r\n"),
    Bad("long header name", 431, GET + HOST + b"a" * 17_000 + b": b\r\n\r\n"),
    Bad("long path", 431, b"GET /" + b"a" * 17_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    Bad("long headers", 431, GET + HOST + b"A: %b\r\n" % (b"b" * 999) * 17 + b"\r\n"),
    Bad("more than 100 headers", 431, GET + HOST + b"A: b\r\n" * 101 + b"\r\n"),
)


@for_each(NO_REQUESTS, SMUGGLING, TOO_MUCH)
class BadRequestTests(DaemonTestCase):
    """
    It is told so in JSON, and nothing that it sends is looked at any more.
    """

    def setUp(self) -> None:
        super().setUp()
        self.alpha = self.provider("alpha")
        self.start()

    async def check_at_once(self, bad: Bad) -> None:
        """
        All of it comes in one piece.
        """
        self.assert_refused(await self.exchange(bad.sent + SMUGGLED), bad)

    async def check_in_pieces(self, bad: Bad) -> None:
        """
        A few bytes at a time.
        """
        client = await self.connect()
        client.socket.setTcpNoDelay(True)
        whole = bad.sent + SMUGGLED
        for at in range(0, len(whole), PIECE):
            client.socket.write(whole[at : at + PIECE])
            await deferLater(reactor, 0)
        await client.lost
        self.assert_refused(client, bad)

    def assert_refused(self, client: RawClient, bad: Bad) -> None:
        """
        There is one answer, and it is an error.
        """
        head, _, body = client.data.partition(b"\r\n\r\n")
        lines = head.decode("ascii").split("\r\n")
        self.assertEqual(int(lines[0].split()[1]), bad.status)
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(headers["content-length"], str(len(body)))
        self.assertEqual(headers["connection"], "close")
        self.assertIn("x-arbstr-request-id", headers)
        error = json.loads(body)["error"]
        self.assertEqual(error["type"], "invalid_request_error")
        self.assertEqual(self.alpha.requests, [])
        self.assertEqual(self.ledger.rows, [])
