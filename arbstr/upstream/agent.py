"""
The agent that treq sends requests with.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IPushProducer,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from twisted.web.client import URI
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from arbstr.config.hosts import is_link_local

from .connection import Connection, NeverAnswered
from .pool import Pool
from .response import Response

# Where requests go is known from the configuration; this is for mistakes.
_MOST_TARGETS = 4096
_ENCODING = b"content-encoding"


class EncodedResponse(Exception):
    """
    A provider compressed its answer though it was asked not to.
    """


@implementer(IBodyProducer)
@define
class Body:
    """
    A request's body.  It is in memory as it is: there is nothing to be produced.
    """

    data: bytes = field(repr=False)

    @property
    def length(self) -> int:
        """
        How many bytes there are.
        """
        return len(self.data)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """
        See L{IBodyProducer.startProducing}.
        """
        consumer.write(self.data)
        return succeed(None)

    def pauseProducing(self) -> None:
        """
        There is nothing left to pause.
        """

    def resumeProducing(self) -> None:
        """
        There is nothing left to resume.
        """

    def stopProducing(self) -> None:
        """
        There is nothing left to stop.
        """


class _Origin(NamedTuple):
    """
    Whose connections may be used for a request.
    """

    scheme: bytes
    host: bytes
    port: int


@frozen
class _Target:
    """
    Where a request goes.

    @ivar path: the request's target.
    @ivar host: the Host header.
    """

    origin: _Origin
    path: bytes
    host: bytes
    endpoint: IStreamClientEndpoint

    def request(self, method: bytes, headers: Headers, body: bytes | None) -> bytes:
        """
        A whole request.
        """
        lines = [
            b"%s: %s\r\n" % (name, value)
            for name, values in headers.getAllRawHeaders()
            if name != b"Accept-Encoding"
            for value in values
        ]
        length = b"" if body is None else b"Content-Length: %d\r\n" % len(body)
        return b"".join(
            (
                b"%s %s HTTP/1.1\r\nHost: %s\r\n" % (method, self.path, self.host),
                *lines,
                # Nothing is ever inflated: a few kilobytes of gzip may be
                # hundreds of megabytes.
                b"Accept-Encoding: identity\r\n%s\r\n" % length,
                body or b"",
            )
        )


@define
class _ConnectionFactory(Factory):
    """
    Makes one connection, and says nothing of it in the log.
    """

    _pool: Pool
    _origin: _Origin
    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> Connection:
        """
        See L{Factory.buildProtocol}.

        @raise ConnectError: the name led to an address that no provider has.
        """
        if is_link_local(getattr(addr, "host", "")):
            raise ConnectError(string="the address is link-local")
        return Connection(self._pool, self._origin)


@implementer(IAgent)
@define
class LeanAgent:
    """
    Sends GET and POST requests over HTTP/1.1.  It has none of the rest that
    twisted.web's agent has: no proxies, no redirects, no compression.

    @ivar _connect_seconds: how long a connection may take to be made.
    """

    _reactor: Any
    _tls_policy: IPolicyForHTTPS
    _pool: Pool
    _connect_seconds: float
    _targets: dict[bytes, _Target] = field(factory=dict)

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """
        See L{IAgent.request}.  A request into an idle connection that the
        provider has closed meanwhile is sent again over a new one.

        @param bodyProducer: a L{Body}.
        """
        target = self._target(uri)
        body = None if bodyProducer is None else cast(Body, bodyProducer).data
        data = target.request(method, headers or Headers(), body)
        connection = self._pool.take(target.origin)
        if connection is None:
            return self._send_anew(target, data)
        return connection.send(data).addCallbacks(
            _refuse_encoded, self._send_again, errbackArgs=(target, data)
        )

    def _send_anew(self, target: _Target, data: bytes) -> Deferred[IResponse]:
        sent = self._connect(target).addCallback(lambda made: made.send(data))
        return sent.addCallback(_refuse_encoded)

    def _connect(self, target: _Target) -> Deferred[Connection]:
        """
        A new connection.  Who gives it up is told so, whatever the endpoint
        makes of that: a name that was not found, for instance, would pass for a
        failure of the provider, and the next one would be asked for a client that
        has left.
        """

        def give_up(made: Deferred[Connection]) -> None:
            made.errback(CancelledError())
            connecting.cancel()

        def stands(connection: Connection) -> None:
            if made.called:
                connection.abort()
            else:
                made.callback(connection)

        def failed(reason: Failure) -> None:
            if not made.called:
                made.errback(reason)

        made: Deferred[Connection] = Deferred(give_up)
        connecting: Deferred[Any] = target.endpoint.connect(
            _ConnectionFactory(self._pool, target.origin)
        )
        connecting.addCallbacks(stands, failed)
        return made

    def _send_again(
        self, reason: Failure, target: _Target, data: bytes
    ) -> Deferred[IResponse]:
        reason.trap(NeverAnswered)
        return self._send_anew(target, data)

    def _target(self, uri: bytes) -> _Target:
        target = self._targets.get(uri)
        if target is None:
            if len(self._targets) >= _MOST_TARGETS:
                self._targets.clear()
            target = self._targets[uri] = self._read(URI.fromBytes(uri))
        return target

    def _read(self, uri: URI) -> _Target:
        """
        How to get there: by name, and over TLS always verified.
        """
        origin = _Origin(uri.scheme, uri.host, uri.port)
        endpoint: IStreamClientEndpoint = HostnameEndpoint(
            self._reactor, uri.host.strip(b"[]"), uri.port, self._connect_seconds
        )
        usual = uri.port == (443 if uri.scheme == b"https" else 80)
        if uri.scheme == b"https":
            creator = self._tls_policy.creatorForNetloc(uri.host, uri.port)
            endpoint = wrapClientTLS(creator, endpoint)
        host = uri.host if usual else b"%s:%d" % (uri.host, uri.port)
        return _Target(origin, uri.originForm, host, endpoint)


def _refuse_encoded(response: Response) -> IResponse:
    if _ENCODING not in response.first:
        return response
    encodings = response.headers.getRawHeaders(_ENCODING, [])
    if any(encoding.strip().lower() != b"identity" for encoding in encodings):
        discard(response)
        raise EncodedResponse(b", ".join(encodings).decode("latin-1"))
    return response


class _Discarding(Protocol):
    """
    Reads nothing and cuts the connection.
    """

    def connectionMade(self) -> None:
        transport: IPushProducer = self.transport  # type: ignore[assignment]
        transport.stopProducing()


def discard(response: IResponse) -> None:
    """
    Give up a response whose body nobody wants: its connection is cut.
    """
    response.deliverBody(_Discarding())
