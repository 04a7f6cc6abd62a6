"""
Tests for L{arbstr.web.answer}.
"""

from __future__ import annotations

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from arbstr.web.site import ArbstrRequest

from .incoming import Incoming


class Waiting(Resource):
    """
    Leaves the answer to the test.
    """

    isLeaf = True

    def render(self, request: ArbstrRequest) -> int:
        return NOT_DONE_YET


class AnswerTests(SynchronousTestCase):
    """
    What is written, and in how many pieces.
    """

    def ask(self, method: str = "GET", version: bytes = b"HTTP/1.1") -> None:
        """
        A request that waits to be answered.
        """
        self.incoming = Incoming.make(Waiting(), version=version).receive(method, "/")
        self.request = self.incoming.request
        self.pieces: list[bytes] = []
        self.patch(StringTransport, "write", lambda _, data: self.pieces.append(data))

    def answer(self, *body: bytes, length: int | None = None, code: int = 200) -> bytes:
        """
        Answer with these pieces.

        @return: what has been written.
        """
        self.request.setResponseCode(code)
        if length is not None:
            self.request.setHeader("Content-Length", str(length))
        for piece in body:
            self.request.write(piece)
        self.request.finish()
        return b"".join(self.pieces)

    def assert_body(self, written: bytes, body: bytes) -> bytes:
        """
        @return: the head.
        """
        head, end, found = written.partition(b"\r\n\r\n")
        self.assertEqual((end, found), (b"\r\n\r\n", body))
        return head

    def test_known_length(self) -> None:
        """
        Head and body go out together.
        """
        self.ask()
        head = self.assert_body(self.answer(b"body", length=4), b"body")
        self.assertEqual(len(self.pieces), 1)
        lines = head.split(b"\r\n")
        self.assertEqual(lines[0], b"HTTP/1.1 200 OK")
        self.assertIn(b"Content-Length: 4", lines)
        self.assertNotIn(b"chunked", head)

    def test_chunks(self) -> None:
        """
        Each goes out with what frames it.
        """
        self.ask()
        written = self.answer(b"", b"x" * 17, b"", b"y")
        chunks = b"11\r\n" + b"x" * 17 + b"\r\n1\r\ny\r\n0\r\n\r\n"
        head = self.assert_body(written, chunks)
        self.assertIn(b"\r\nTransfer-Encoding: chunked", head)
        self.assertEqual(len(self.pieces), 4)

    def test_first_chunk(self) -> None:
        """
        Nor is the head on its own where there is something already.
        """
        self.ask()
        self.assert_body(self.answer(b"x"), b"1\r\nx\r\n0\r\n\r\n")
        self.assertEqual(len(self.pieces), 2)

    def test_older_version(self) -> None:
        """
        HTTP/1.0 has no chunks: the connection's end is the body's.
        """
        self.ask(version=b"HTTP/1.0")
        head = self.assert_body(self.answer(b"x", b"y"), b"xy")
        self.assertTrue(head.startswith(b"HTTP/1.0 200 OK"))
        self.assertNotIn(b"Transfer-Encoding", head)

    def test_nothing(self) -> None:
        self.ask()
        self.assert_body(self.answer(), b"0\r\n\r\n")

    def test_no_body(self) -> None:
        """
        Some answers must not have any, whatever is written.
        """
        for method, code in (("HEAD", 200), ("GET", 204), ("GET", 304)):
            self.ask(method)
            head = self.assert_body(self.answer(b"x", b"y", code=code), b"")
            self.assertNotIn(b"Transfer-Encoding", head)
            self.ask(method)
            self.assert_body(self.answer(b"xy", length=2, code=code), b"")

    def test_identified(self) -> None:
        """
        Every answer tells when it was made, and of what request it is.
        """
        self.ask()
        head = self.assert_body(self.answer(b"x", length=1), b"x")
        identity = self.request.request_id.encode()
        for line in (b"Date: ", b"X-Request-Id: %b\r\n", b"X-Arbstr-Request-Id: %b"):
            self.assertIn(line.replace(b"%b", identity), head)


class EndTests(SynchronousTestCase):
    """
    When there is nobody left to answer.
    """

    def setUp(self) -> None:
        self.incoming = Incoming.make(Waiting()).receive("GET", "/")
        self.request = self.incoming.request

    def test_complete(self) -> None:
        """
        Nothing can be added.
        """
        ended = self.request.notifyFinish()
        self.assertFalse(self.request.is_over)
        self.request.finish()
        self.assertTrue(self.request.is_over)
        self.assertIsNone(self.successResultOf(ended))
        written = self.incoming.transport.value()
        self.assertRaises(RuntimeError, self.request.write, b"x")
        self.assertRaises(RuntimeError, self.request.finish)
        self.assertEqual(self.incoming.transport.value(), written)

    def test_client_leaves(self) -> None:
        """
        What is written then goes nowhere, and an answer cannot be completed.
        """
        self.request.write(b"x")
        written = self.incoming.transport.value()
        self.incoming.leave()
        self.assertTrue(self.request.is_over)
        self.request.write(b"y")
        self.assertRaises(RuntimeError, self.request.finish)
        self.assertEqual(self.incoming.transport.value(), written)

    def test_broken_off(self) -> None:
        """
        Nothing more goes out, least of all an end.
        """
        self.request.write(b"x")
        written = self.incoming.transport.value()
        self.request.loseConnection()
        self.assertTrue(self.request.is_over)
        self.request.write(b"y")
        self.assertRaises(RuntimeError, self.request.finish)
        self.assertEqual(self.incoming.transport.value(), written)

    def test_forgotten_producer(self) -> None:
        """
        It does not get in the way of the next one.
        """
        self.request.registerProducer(object(), True)
        self.request.finish()
        self.assertIsNone(self.incoming.transport.producer)
