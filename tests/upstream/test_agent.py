"""
Tests for L{arbstr.upstream.agent}.
"""

from __future__ import annotations

from typing import cast

from attrs import define
from treq.response import _Response
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IResolutionReceiver,
)
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import BrowserLikePolicyForHTTPS, ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from arbstr.upstream.agent import EncodedResponse, discard
from arbstr.upstream.body import BodyLimits, Collector
from arbstr.upstream.connections import Connections

URL = "http://alpha:8000/v1/models"
ADDRESS = IPv4Address("TCP", "127.0.0.1", 8000)


class Transport(StringTransport):
    """
    A TCP connection, as far as TLS wants to see one.
    """

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass


@implementer(IHostnameResolver)
class NeverFinds:
    """
    Looks names up for ever.
    """

    def resolveHostName(
        self, resolutionReceiver: IResolutionReceiver, *_: object, **__: object
    ) -> IHostResolution:
        resolution = cast(IHostResolution, Resolution())
        resolutionReceiver.resolutionBegan(resolution)
        return resolution


class Resolution:
    """
    One of these.
    """

    def cancel(self) -> None:
        """
        Nobody waits for it any more.
        """


@define
class Line:
    """
    The provider's end of a connection.
    """

    _protocol: IProtocol
    transport: StringTransport

    def request(self) -> bytes:
        """
        What was sent since the last time.
        """
        sent: bytes = self.transport.value()
        self.transport.clear()
        return sent

    def answer(
        self, *headers: bytes, body: bytes = b"{}", length: int | None = None
    ) -> None:
        """
        Send a response.

        @param length: that of the whole body, if this is not all of it.
        """
        announced = b"Content-Length: %d" % (length or len(body))
        head = b"\r\n".join((b"HTTP/1.1 200 OK", announced, *headers))
        self._protocol.dataReceived(head + b"\r\n\r\n" + body)

    def lose(self) -> None:
        """
        The connection is gone.
        """
        self._protocol.connectionLost(Failure(ResponseDone()))


class ConnectionsTestCase(SynchronousTestCase):
    """
    Connections on a reactor that only remembers.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.connections = Connections(self.reactor)

    def get(
        self, url: str = URL, headers: Headers | None = None, connect_seconds: float = 5
    ) -> Deferred[_Response]:
        """
        Send a request.
        """
        client = self.connections.client(connect_seconds)
        return client.get(url, headers=headers, unbuffered=True, allow_redirects=False)

    def connect(self) -> Line:
        """
        The provider accepts the latest connection.
        """
        factory = self.reactor.tcpClients[-1][2]
        protocol = factory.buildProtocol(ADDRESS)
        assert protocol is not None
        transport = Transport(lenient=True)
        protocol.makeConnection(transport)
        return Line(protocol, transport)

    def read(self, getting: Deferred[_Response]) -> bytes:
        """
        The body of a response that has come.
        """
        limits = BodyLimits(idle=1, total=1)
        collector = Collector(self.reactor, limits, limit=1000)
        self.successResultOf(getting).deliverBody(collector)
        self.successResultOf(collector.finished)
        return collector.body()


class EncodingTests(ConnectionsTestCase):
    """
    Nothing is ever inflated.
    """

    def assert_refused(self, *headers: bytes) -> None:
        """
        A response with these headers is a failure, and its connection is cut.
        """
        getting = self.get()
        line = self.connect()
        line.answer(*headers, body=b"\x1f\x8b", length=100)
        self.failureResultOf(getting, EncodedResponse)
        self.assertTrue(line.transport.disconnected)

    def test_identity_is_asked_for(self) -> None:
        """
        treq would ask for gzip by itself.
        """
        self.get()
        request = self.connect().request()
        self.assertIn(b"\r\nAccept-Encoding: identity\r\n", request)
        self.assertNotIn(b"gzip", request)

    def test_identity_overrides(self) -> None:
        """
        Whatever the caller would have asked for.
        """
        headers = Headers({"Accept-Encoding": ["br", "gzip"]})
        self.get(headers=headers)
        request = self.connect().request()
        self.assertEqual(request.lower().count(b"accept-encoding:"), 1)
        self.assertIn(b"\r\nAccept-Encoding: identity\r\n", request)

    def test_other_headers_pass(self) -> None:
        """
        The caller's headers are sent, and left as they are.
        """
        headers = Headers({"OpenAI-Beta": ["x=1"]})
        self.get(headers=headers)
        self.assertIn(b"x=1", self.connect().request())
        self.assertEqual(headers, Headers({"OpenAI-Beta": ["x=1"]}))

    def test_gzip_is_refused(self) -> None:
        """
        A few kilobytes of it may be hundreds of megabytes.
        """
        self.assert_refused(b"Content-Encoding: gzip")

    def test_among_others(self) -> None:
        """
        One encoding is enough.
        """
        self.assert_refused(b"Content-Encoding: identity, gzip")

    def test_in_a_second_header(self) -> None:
        """
        Wherever it stands.
        """
        self.assert_refused(b"Content-Encoding: identity", b"Content-Encoding: br")

    def test_identity_is_accepted(self) -> None:
        """
        Some servers say that they did nothing.
        """
        getting = self.get()
        self.connect().answer(b"Content-Encoding: Identity")
        self.assertEqual(self.read(getting), b"{}")


class ConnectionTests(ConnectionsTestCase):
    """
    How connections are made, kept and cut.
    """

    def test_no_cookies_are_kept(self) -> None:
        """
        A provider's cookies are not for the next client.
        """
        getting = self.get()
        line = self.connect()
        line.answer(b"Set-Cookie: session=1; Path=/")
        self.read(getting)
        line.request()
        self.get()
        request = line.request()
        self.assertTrue(request.startswith(b"GET /v1/models HTTP/1.1\r\n"))
        self.assertNotIn(b"cookie", request.lower())

    def test_connection_is_kept(self) -> None:
        """
        A body that was read to its end leaves a connection for the next
        request, however long that one would wait for a connection.
        """
        getting = self.get()
        self.connect().answer()
        self.read(getting)
        self.get(connect_seconds=9)
        self.assertEqual(len(self.reactor.tcpClients), 1)

    def test_many_connections_are_kept(self) -> None:
        """
        Requests that come at once need not connect the next time.
        """
        for getting, line in [(self.get(), self.connect()) for _ in range(64)]:
            line.answer()
            self.read(getting)
        for _ in range(64):
            self.get()
        self.assertEqual(len(self.reactor.tcpClients), 64)

    def test_idle_connection_is_closed(self) -> None:
        """
        Before the provider does so, perhaps while a request is sent.
        """
        getting = self.get()
        line = self.connect()
        line.answer()
        self.read(getting)
        self.reactor.advance(3)
        self.assertFalse(line.transport.disconnecting)
        self.reactor.advance(1)
        self.assertTrue(line.transport.disconnecting)

    def test_connect_seconds(self) -> None:
        """
        Each provider has its own patience.
        """
        self.get(connect_seconds=3)
        self.get(connect_seconds=7)
        patience = [timeout for *_, timeout, _ in self.reactor.tcpClients]
        self.assertEqual(patience, [3, 7])

    def test_given_up_while_connecting(self) -> None:
        """
        That is not the provider's failure.
        """
        getting = self.get()
        getting.cancel()
        self.failureResultOf(getting, CancelledError)

    def test_given_up_while_the_name_is_looked_up(self) -> None:
        """
        Nor is that, though the name was not found.
        """
        self.reactor.installNameResolver(NeverFinds())
        self.connections = Connections(self.reactor)
        getting = self.get()
        getting.cancel()
        self.failureResultOf(getting, CancelledError)

    def test_client_is_kept(self) -> None:
        """
        One is enough for each time-out.
        """
        client = self.connections.client(5)
        self.assertIs(self.connections.client(5), client)
        self.assertIsNot(self.connections.client(6), client)

    def test_discarded_body_is_cut(self) -> None:
        """
        A body that nobody wants is not read.
        """
        getting = self.get()
        line = self.connect()
        line.answer(body=b"half", length=100)
        discard(self.successResultOf(getting))
        self.assertTrue(line.transport.disconnected)

    def test_close(self) -> None:
        """
        Closing waits for the idle connections to be closed.
        """
        getting = self.get()
        line = self.connect()
        line.answer()
        self.read(getting)
        closing = self.connections.close()
        self.assertTrue(line.transport.disconnecting)
        self.assertNoResult(closing)
        line.lose()
        self.successResultOf(closing)


@implementer(IPolicyForHTTPS)
class Recording(BrowserLikePolicyForHTTPS):
    """
    Remembers whose certificates were to be verified.
    """

    def __init__(self) -> None:
        super().__init__()
        self.verified: list[tuple[bytes, int]] = []

    def creatorForNetloc(
        self, hostname: bytes, port: int
    ) -> IOpenSSLClientConnectionCreator:
        self.verified.append((hostname, port))
        return super().creatorForNetloc(hostname, port)


class VerificationTests(ConnectionsTestCase):
    """
    TLS is verified by the name in the URL.
    """

    def setUp(self) -> None:
        super().setUp()
        self.policy = Recording()
        self.connections = Connections(self.reactor, self.policy)

    def test_https(self) -> None:
        """
        The name is the one that was configured.
        """
        self.get("https://alpha/v1/models")
        self.assertEqual(self.policy.verified, [(b"alpha", 443)])
        self.assert_handshake(self.connect().request())

    def test_verified_by_default(self) -> None:
        """
        Nobody has to ask for it.
        """
        self.connections = Connections(self.reactor)
        self.get("https://alpha/v1/models")
        self.assert_handshake(self.connect().request())

    def assert_handshake(self, sent: bytes) -> None:
        """
        It begins with a TLS handshake, which names the server.
        """
        self.assertEqual(sent[:2], b"\x16\x03")
        self.assertIn(b"alpha", sent)

    def test_http(self) -> None:
        """
        There is nothing to verify.
        """
        self.get("http://alpha/v1/models")
        self.assertEqual(self.policy.verified, [])
