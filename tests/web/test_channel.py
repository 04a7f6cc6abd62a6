"""
Tests for L{arbstr.web.channel}.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from arbstr.web.channel import CONNECTIONS, Channel
from arbstr.web.clients import Clients
from arbstr.web.site import ArbstrRequest, make_site

HEAD = b"POST /x HTTP/1.1\r\nHost: localhost\r\n"


class Echo(Resource):
    """
    Answers every request with its body.
    """

    isLeaf = True

    def render(self, request: ArbstrRequest) -> bytes:
        """
        See L{IResource.render}.
        """
        request.setHeader("Content-Length", str(len(request.content.getvalue())))
        return request.content.getvalue()


class OpenGate:
    """
    Lets everything pass.
    """

    def admit(self, request: ArbstrRequest) -> None:
        """
        See L{Gate.admit<arbstr.web.site.Gate.admit>}.
        """

    def refused(self, request: ArbstrRequest, error: object) -> None:
        """
        See L{Gate.refused<arbstr.web.site.Gate.refused>}.
        """


class Transport(StringTransport):
    """
    A connection that remembers whether it was cut, and how often it was asked
    where it comes from.
    """

    aborting = False
    asked = 0

    def getHost(self) -> Any:
        self.asked += 1
        return super().getHost()

    def abortConnection(self) -> None:
        self.aborting = True


class ChannelTestCase(SynchronousTestCase):
    """
    One connection.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.site = make_site(Echo(), OpenGate(), 1000, self.clock)
        self.transport = Transport()
        channel = self.site.buildProtocol(None)
        assert isinstance(channel, Channel)
        self.channel = channel
        self.channel.makeConnection(self.transport)

    def send(self, *data: bytes) -> None:
        """
        The client sends pieces.
        """
        for piece in data:
            self.channel.dataReceived(piece)

    def assert_refused(self, status: int, code: str | None = None) -> str:
        """
        The last answer is an error in JSON, and the connection is closed.

        @return: what the error says.
        """
        head, _, body = self.transport.value().rpartition(b"\r\n\r\n")
        lines = head.split(b"HTTP/1.1 ")[-1].split(b"\r\n")
        self.assertEqual(int(lines[0].split()[0]), status)
        self.assertIn(b"Content-Length: %d" % len(body), lines)
        self.assertIn(b"Content-Type: application/json", lines)
        self.assertIn(b"Connection: close", lines)
        self.assertTrue(any(each.startswith(b"X-Arbstr-Request-Id") for each in lines))
        error = json.load(BytesIO(body))["error"]
        self.assertEqual(
            (error["type"], error["code"]), ("invalid_request_error", code)
        )
        self.assertTrue(self.transport.disconnecting)
        return str(error["message"])


class DeadlineTests(ChannelTestCase):
    """
    A drip is no reason to wait for ever.
    """

    def test_head(self) -> None:
        """
        It has ten seconds, from its first byte on.
        """
        self.clock.advance(30)
        self.send(b"GET /")
        for _ in range(9):
            self.clock.advance(1)
            self.send(b"x")
        self.assertEqual(self.transport.value(), b"")
        self.clock.advance(1)
        self.assertIn("head", self.assert_refused(408, "request_timeout"))

    def test_body(self) -> None:
        """
        It has a minute, whatever the head took.
        """
        self.send(HEAD[:5])
        self.clock.advance(9)
        self.send(HEAD[5:] + b"Content-Length: 100\r\n\r\n")
        for _ in range(59):
            self.clock.advance(1)
            self.send(b"x")
        self.assertEqual(self.transport.value(), b"")
        self.clock.advance(1)
        self.assertIn("body", self.assert_refused(408, "request_timeout"))

    def test_chunks(self) -> None:
        """
        Though nobody said how long it is.
        """
        self.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        self.clock.advance(30)
        self.send(b"1\r\n")
        self.clock.advance(30)
        self.assert_refused(408, "request_timeout")

    def test_each_has_its_own(self) -> None:
        """
        What came late does not shorten the time of what comes next.
        """
        self.send(HEAD)
        self.clock.advance(9)
        self.send(b"Content-Length: 0\r\n\r\n" + HEAD)
        self.clock.advance(9)
        self.send(b"Content-Length: 2\r\n\r\nok")
        self.assertTrue(self.transport.value().endswith(b"\r\n\r\nok"))

    def test_nothing_is_left(self) -> None:
        """
        Between requests only the connection itself is timed.
        """
        self.send(HEAD + b"Content-Length: 2\r\n\r\n", b"ok")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_client_leaves(self) -> None:
        """
        Nothing waits for the rest.
        """
        self.send(HEAD)
        self.channel.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])


class RefusalTests(ChannelTestCase):
    """
    What is no request of ours.
    """

    def test_no_http(self) -> None:
        """
        Every way to say nothing that can be understood, or two things at once.
        """
        heads = {
            "garbage": b"garbage\r\n\r\n",
            "no version": b"GET /\r\n\r\n",
            "tls": b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
            "no host": b"GET / HTTP/1.1\r\n\r\n",
            "two hosts": HEAD + b"Host: localhost\r\n\r\n",
            "folded": HEAD + b"A: b\r\n c\r\n\r\n",
            "folded host": HEAD + b"\tevil\r\n\r\n",
            "no colon": HEAD + b"what\r\n\r\n",
            "space in a name": HEAD + b"A : b\r\n\r\n",
            "nul": HEAD + b"A: b\x00c\r\n\r\n",
            "bare cr": HEAD + b"A: b\rc\r\n\r\n",
            "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "lengths": HEAD + b"Content-Length: 1, 2\r\n\r\n",
            "sign": HEAD + b"Content-Length: +1\r\n\r\n",
            "negative": HEAD + b"Content-Length: -1\r\n\r\n",
            "hex": HEAD + b"Content-Length: 0x1\r\n\r\n",
            "length and chunks": HEAD
            + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "chunks and length": HEAD
            + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            "chunked twice": HEAD
            + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "other encoding": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
            "identity": HEAD
            + b"Content-Length: 1\r\nTransfer-Encoding: identity\r\n\r\n",
            "obscured": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n",
            "chunk size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
            "no chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        }
        for name, head in heads.items():
            with self.subTest(name):
                self.setUp()
                self.send(head, HEAD + b"Content-Length: 2\r\n\r\nok")
                self.assert_refused(400)
                self.assertEqual(self.transport.value().count(b"HTTP/1.1 4"), 1)
                self.assertNotIn(b"HTTP/1.1 200", self.transport.value())

    def test_byte_by_byte(self) -> None:
        """
        However it comes.
        """
        self.send(*(bytes([byte]) for byte in b"garbage\r\n\r\n"))
        self.assert_refused(400)

    def test_long_line(self) -> None:
        """
        With and without an end.
        """
        for end in (b"", b"\r\n\r\n"):
            self.setUp()
            self.send(HEAD + b"A: " + b"b" * 17_000 + end)
            self.assert_refused(431)

    def test_long_lines(self) -> None:
        """
        Altogether.
        """
        self.send(HEAD + b"".join(b"A: %s\r\n" % (b"b" * 1000) for _ in range(17)))
        self.assert_refused(431)

    def test_many_headers(self) -> None:
        """
        However short.
        """
        self.send(HEAD + b"A: b\r\n" * 100 + b"\r\n")
        self.assert_refused(431)

    def test_as_many_as_there_may_be(self) -> None:
        """
        The host is one of them.
        """
        self.send(HEAD + b"A: b\r\n" * 99 + b"\r\n")
        self.assertTrue(self.transport.value().startswith(b"HTTP/1.1 200"))

    def test_after_a_good_one(self) -> None:
        """
        What was asked before is answered.
        """
        self.send(HEAD + b"Content-Length: 2\r\n\r\nok" + b"garbage\r\n\r\n")
        self.assert_refused(400)
        self.assertTrue(self.transport.value().startswith(b"HTTP/1.1 200 OK"))


class AddressTests(ChannelTestCase):
    """
    Where a connection comes from and leads to does not change.
    """

    def test_asked_once(self) -> None:
        """
        However many requests come over it.
        """
        self.send(HEAD + b"\r\n", HEAD + b"\r\n")
        self.assertEqual(self.transport.value().count(b"HTTP/1.1 200"), 2)
        self.assertEqual(self.transport.asked, 1)
        self.assertEqual(self.channel.getHost(), self.transport.getHost())
        self.assertEqual(self.channel.getPeer(), self.transport.getPeer())


class FlowTests(ChannelTestCase):
    """
    Who does not read what it is answered does not fill our memory.
    """

    ASKED = HEAD + b"Content-Length: 2\r\n\r\nok"

    def test_no_further_request(self) -> None:
        """
        None is handled until what was answered has been read.
        """
        self.channel.pauseProducing()
        self.send(self.ASKED * 2)
        self.assertEqual(self.transport.value(), b"")
        self.channel.resumeProducing()
        self.assertEqual(self.transport.value().count(b"HTTP/1.1 200"), 2)

    def test_reads_no_more(self) -> None:
        self.channel.pauseProducing()
        self.assertEqual(self.transport.producerState, "paused")
        self.channel.resumeProducing()
        self.assertEqual(self.transport.producerState, "producing")

    def test_too_much_behind(self) -> None:
        """
        What comes while nothing can be handled is kept, but not all of it.
        """
        self.channel.pauseProducing()
        self.send(b"x" * 60_000)
        self.assertFalse(self.transport.aborting)
        self.send(b"x" * 10_000)
        self.assertTrue(self.transport.aborting)

    def test_never_read(self) -> None:
        """
        A minute without progress is enough.
        """
        self.channel.pauseProducing()
        self.clock.advance(59)
        self.assertFalse(self.transport.aborting)
        self.clock.advance(1)
        self.assertTrue(self.transport.aborting)

    def test_never_read_in_the_end(self) -> None:
        """
        Nor is a connection that is to be closed left open for ever.
        """
        self.send(self.ASKED.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        self.assertTrue(self.transport.disconnecting)
        self.clock.advance(60)
        self.assertTrue(self.transport.aborting)

    def test_broken_handler(self) -> None:
        """
        A bug in what handles a request leaves no connection that hangs.
        """
        self.patch(self.site.requestFactory, "begin", lambda *_: 1 / 0)
        self.send(self.ASKED)
        self.assertTrue(self.transport.aborting)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_refused_once(self) -> None:
        """
        Of whose body nothing was wanted is not answered once more.
        """
        self.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        self.send(b"500\r\n" + b"x" * 0x500 + b"\r\n", b"nonsense\r\n")
        self.assertEqual(self.transport.value().count(b"HTTP/1.1"), 1)
        self.assertIn(b"HTTP/1.1 413", self.transport.value())


class FullHouseTests(SynchronousTestCase):
    """
    So many connections, and no more.
    """

    def test_one_too_many(self) -> None:
        """
        It is told so; when another has gone there is room again.
        """
        clock = Clock()
        clients = Clients(make_site(Echo(), OpenGate(), 1000, clock), clock)
        connections = []
        for _ in range(CONNECTIONS + 1):
            connection, transport = clients.buildProtocol(None), StringTransport()
            connection.makeConnection(transport)
            connections.append((connection, transport))
        self.assertEqual(connections[-2][1].value(), b"")
        told = connections[-1][1].value()
        self.assertTrue(told.startswith(b"HTTP/1.1 429 "), told)
        self.assertIn(b"\r\nRetry-After: 1\r\n", told)
        self.assertTrue(connections[-1][1].disconnecting)
        connections[0][0].connectionLost(Failure(ConnectionDone()))
        connection, transport = clients.buildProtocol(None), StringTransport()
        connection.makeConnection(transport)
        self.assertEqual(transport.value(), b"")
        for each, _ in [*connections[1:-1], (connection, None)]:
            each.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_closing(self) -> None:
        """
        A channel that is closed produces no more: Twisted would not close a
        connection on which somebody does.
        """
        clock = Clock()
        clients = Clients(make_site(Echo(), OpenGate(), 1000, clock), clock)
        connection, transport = clients.buildProtocol(None), StringTransport()
        connection.makeConnection(transport)
        self.assertIsNotNone(transport.producer)
        clients.close(5)
        self.assertTrue(transport.disconnecting)
        self.assertIsNone(transport.producer)
        connection.connectionLost(Failure(ConnectionDone()))
