"""
The one pool of connections to providers, and the agents that use it.
"""

from __future__ import annotations

from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast

from attrs import frozen
from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IPushProducer,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.client import (
    URI,
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
    _RetryingHTTP11ClientProtocol,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import (
    IAgent,
    IAgentEndpointFactory,
    IBodyProducer,
    IPolicyForHTTPS,
    IResponse,
)
from zope.interface import implementer

# Idle connections kept for each provider, and for how long: less than the five
# seconds after which uvicorn and Node close theirs, lest a request is sent into
# a closing one.
_IDLE_CONNECTIONS = 64
_IDLE_SECONDS = 4


class EncodedResponse(Exception):
    """
    A provider compressed its answer though it was asked not to.
    """


class _AbortingTransport(ProtocolWrapper):
    """
    A provider's connection that is cut when it is stopped.  TLS would wait for
    the provider's consent otherwise, and it would go on sending meanwhile.
    """

    def stopProducing(self) -> None:
        """
        Nothing more is wanted from this provider on this connection.
        """
        cast(ITCPTransport, self.transport).abortConnection()


def _unwrap(connected: IProtocol) -> IProtocol:
    wrapped: IProtocol = cast(ProtocolWrapper, connected).wrappedProtocol
    return wrapped


class _AbortingFactory(WrappingFactory):
    protocol = _AbortingTransport

    def doStart(self) -> None:
        """
        Say nothing of every connection that is made...
        """

    def doStop(self) -> None:
        """
        ...nor of its end.
        """


@implementer(IStreamClientEndpoint)
@frozen
class _AbortingEndpoint:
    """
    An endpoint whose connections are L{_AbortingTransport}s.
    """

    _endpoint: IStreamClientEndpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        See L{IStreamClientEndpoint.connect}.
        """
        factory = _AbortingFactory(protocolFactory)  # type: ignore[no-untyped-call]
        return self._endpoint.connect(factory).addCallback(_unwrap)


@implementer(IAgentEndpointFactory)
@frozen
class _EndpointFactory:
    """
    Says how to connect to a provider: by name, and over TLS always verified.
    """

    _reactor: Any
    _tls_policy: IPolicyForHTTPS
    _connect_seconds: float

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """
        See L{IAgentEndpointFactory.endpointForURI}.
        """
        endpoint: IStreamClientEndpoint = HostnameEndpoint(
            self._reactor, uri.host.strip(b"[]"), uri.port, self._connect_seconds
        )
        if uri.scheme == b"https":
            creator = self._tls_policy.creatorForNetloc(uri.host, uri.port)
            endpoint = wrapClientTLS(creator, endpoint)
        return _AbortingEndpoint(endpoint)


class _SentAgain(_RetryingHTTP11ClientProtocol):
    """
    A connection that was idle: if the provider has closed it meanwhile and not
    a byte of an answer comes, the request is sent once more, over a new one.
    Twisted does so only for requests without a body; ours can be read twice.
    """

    def _shouldRetry(
        self, method: bytes, exception: Exception, bodyProducer: object
    ) -> bool:
        return bool(super()._shouldRetry(b"GET", exception, None))  # type: ignore[no-untyped-call]


class _Pool(HTTPConnectionPool):
    def getConnection(self, key: Any, endpoint: IStreamClientEndpoint) -> Any:
        """
        See L{HTTPConnectionPool.getConnection}.
        """

        def send_again(connection: Any) -> Any:
            if not isinstance(connection, _RetryingHTTP11ClientProtocol):
                return connection
            return _SentAgain(connection._clientProtocol, connection._newConnection)  # type: ignore[no-untyped-call]

        return super().getConnection(key, endpoint).addCallback(send_again)


@implementer(IAgent)
@frozen
class _IdentityAgent:
    """
    Sees to it that nothing is ever inflated: treq would ask for gzip by
    itself, and turn a few kilobytes of it into hundreds of megabytes.
    """

    _agent: IAgent

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """
        See L{IAgent.request}.
        """
        headers = Headers() if headers is None else headers.copy()
        headers.setRawHeaders(b"Accept-Encoding", [b"identity"])
        sent = self._agent.request(method, uri, headers, bodyProducer)
        return sent.addCallback(_refuse_encoded)


def _refuse_encoded(response: IResponse) -> IResponse:
    encodings = response.headers.getRawHeaders(b"Content-Encoding", [])
    if any(encoding.strip().lower() != b"identity" for encoding in encodings):
        discard(response)
        raise EncodedResponse(b", ".join(encodings).decode("latin-1"))
    return response


class _Discarding(Protocol):
    """
    Reads nothing and cuts the connection.
    """

    def connectionMade(self) -> None:
        cast(IPushProducer, self.transport).stopProducing()


def discard(response: IResponse) -> None:
    """
    Give up a response whose body nobody wants: its connection is cut.
    """
    response.deliverBody(_Discarding())


class Connections:
    """
    HTTP clients that share one pool.

    @param reactor: where connections are made.
    @param tls_policy: what certificates are trusted; by default those that
        the platform trusts.
    """

    def __init__(self, reactor: Any, tls_policy: IPolicyForHTTPS | None = None) -> None:
        self._reactor = reactor
        self._tls_policy = tls_policy or BrowserLikePolicyForHTTPS()
        self._pool = _Pool(reactor, persistent=True)  # type: ignore[no-untyped-call]
        self._pool.maxPersistentPerHost = _IDLE_CONNECTIONS
        self._pool.cachedConnectionTimeout = _IDLE_SECONDS
        self._clients: dict[float, HTTPClient] = {}

    def client(self, connect_seconds: float) -> HTTPClient:
        """
        A client that gives up connecting after so many seconds.
        """
        if connect_seconds not in self._clients:
            factory = _EndpointFactory(self._reactor, self._tls_policy, connect_seconds)
            agent = Agent.usingEndpointFactory(self._reactor, factory, pool=self._pool)
            self._clients[connect_seconds] = HTTPClient(
                _IdentityAgent(agent), cookiejar=_no_cookies()
            )
        return self._clients[connect_seconds]

    def close(self) -> Deferred[None]:
        """
        Close the idle connections.
        """
        closing: Deferred[None] = self._pool.closeCachedConnections()  # type: ignore[no-untyped-call]
        return closing


def _no_cookies() -> IndexableCookieJar:
    """
    A jar that keeps nothing: a provider's cookies are not for the next client.
    """
    return IndexableCookieJar(DefaultCookiePolicy(allowed_domains=[]))
