"""
Tests for L{arbstr.upstream.connections}, and with it of the pool.
"""

from __future__ import annotations

from typing import Any, cast

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
)
from twisted.web.http_headers import Headers
from zope.interface import implementer

from arbstr.upstream.agent import Body, discard
from arbstr.upstream.connections import Connections

from .connecting import URL, ConnectionsTestCase


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


class RequestTests(ConnectionsTestCase):
    """
    What goes to the provider.
    """

    def test_get(self) -> None:
        self.get()
        self.assertEqual(
            self.connect().request(),
            b"GET /v1/models HTTP/1.1\r\n"
            b"Host: alpha:8000\r\n"
            b"Accept-Encoding: identity\r\n"
            b"\r\n",
        )

    def test_post(self) -> None:
        """
        The body goes along with its length, and headers as they were given.
        """
        headers = Headers({"X-A": ["1", "2"], "content-type": ["text/plain"]})
        client = self.connections.client(5)
        client.post("http://alpha/", data=Body(b"what"), headers=headers)
        self.assertEqual(
            self.connect().request(),
            b"POST / HTTP/1.1\r\n"
            b"Host: alpha\r\n"
            b"X-A: 1\r\n"
            b"X-A: 2\r\n"
            b"Content-Type: text/plain\r\n"
            b"Accept-Encoding: identity\r\n"
            b"Content-Length: 4\r\n"
            b"\r\n"
            b"what",
        )

    def test_empty_body(self) -> None:
        """
        It has a length, too.
        """
        self.connections.client(5).post(URL, data=Body(b""))
        self.assertIn(b"\r\nContent-Length: 0\r\n\r\n", self.connect().request())

    def test_international(self) -> None:
        """
        A URL is written for machines.
        """
        self.get("http://b\xfccher/v1/caf\xe9?x=\u20ac")
        self.assertTrue(
            self.connect()
            .request()
            .startswith(
                b"GET /v1/caf%C3%A9?x=%E2%82%AC HTTP/1.1\r\nHost: xn--bcher-kva\r\n"
            )
        )

    def test_treqs_client(self) -> None:
        """
        It is treq's, and takes none of the options that it leaves out.
        """
        client: Any = self.connections.client(5)
        self.assertIsInstance(client, HTTPClient)
        for option in ("cookies", "params", "files", "auth", "allow_redirects"):
            with self.assertRaisesRegex(TypeError, option):
                client.get(URL, **{option: True})

    def test_redirects_are_answers(self) -> None:
        """
        They are not followed.
        """
        getting = self.get()
        line = self.connect()
        line.request()
        line.answer(b"Location: http://beta/", status=b"302 Found")
        self.assertEqual(self.successResultOf(getting).code, 302)
        self.assertEqual(line.request(), b"")
        self.assertEqual(len(self.reactor.tcpClients), 1)


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
