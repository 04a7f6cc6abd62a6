"""
Connections to a provider that a test plays.
"""

from __future__ import annotations

from typing import cast

from attrs import define
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers

from arbstr.upstream.body import BodyLimits, Collector
from arbstr.upstream.connections import Connections
from arbstr.upstream.response import Response

URL = "http://alpha:8000/v1/models"
ADDRESS = IPv4Address("TCP", "127.0.0.1", 8000)


class Transport(StringTransport):
    """
    A TCP connection, as far as TLS wants to see one.
    """

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass


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
        self,
        *headers: bytes,
        body: bytes = b"{}",
        length: int | None = None,
        status: bytes = b"200 OK",
    ) -> None:
        """
        Send a response.

        @param length: that of the whole body, if this is not all of it.
        """
        announced = b"Content-Length: %d" % (length or len(body))
        head = b"\r\n".join((b"HTTP/1.1 " + status, announced, *headers))
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
    ) -> Deferred[Response]:
        """
        Send a request.
        """
        client = self.connections.client(connect_seconds)
        return cast("Deferred[Response]", client.get(url, headers=headers))

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

    def read(self, getting: Deferred[Response]) -> bytes:
        """
        The body of a response that has come.
        """
        limits = BodyLimits(idle=1, total=1)
        collector = Collector(self.reactor, limits, limit=1000)
        self.successResultOf(getting).deliverBody(collector)
        self.successResultOf(collector.finished)
        return collector.body()
