"""
treq's clients, which share one pool of connections.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

from hyperlink import EncodedURL
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.web.client import BrowserLikePolicyForHTTPS
from twisted.web.http_headers import Headers
from twisted.web.iweb import IPolicyForHTTPS

from .agent import Body, LeanAgent
from .pool import Pool
from .response import Response

_MOST_URLS = 4096


class LeanClient(HTTPClient):
    """
    treq's client without what providers are never asked with.  It keeps and sends
    no cookies: they are not for the next client.  It follows no redirect, as with
    C{allow_redirects=False}, keeps no body for a second reader, as with
    C{unbuffered=True}, and inflates nothing.  Even where all of that is switched
    off, treq wraps every request and response in something for each of these, and
    reads every URL anew, which takes a twentieth of a request's time.

    Of a request's options it has the headers and the body.
    """

    def request(  # type: ignore[override]
        self,
        method: str,
        url: str,
        *,
        headers: Headers | None = None,
        data: Body | None = None,
        _stacklevel: int = 2,
    ) -> Deferred[Response]:
        """
        See L{HTTPClient.request}.

        @return: the response as the agent gives it.
        """
        verb = method.encode("ascii").upper()
        sent = self._agent.request(verb, _wire(url), headers, data)
        return cast("Deferred[Response]", sent)


@lru_cache(_MOST_URLS)
def _wire(url: str) -> bytes:
    """
    A URL as it goes on the wire.
    """
    return EncodedURL.from_text(url).to_uri().to_text().encode("ascii")


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
        self._pool = Pool(reactor)
        self._clients: dict[float, LeanClient] = {}

    def client(self, connect_seconds: float) -> LeanClient:
        """
        A client that gives up connecting after so many seconds.
        """
        if connect_seconds not in self._clients:
            agent = LeanAgent(
                self._reactor, self._tls_policy, self._pool, connect_seconds
            )
            self._clients[connect_seconds] = LeanClient(agent)
        return self._clients[connect_seconds]

    def close(self) -> Deferred[None]:
        """
        Close the idle connections, and wait until all are gone.
        """
        return self._pool.close()
