"""
treq's clients, which share one pool of connections.
"""

from __future__ import annotations

from functools import lru_cache
from http.client import HTTPResponse
from typing import Any, cast
from urllib.request import Request as UrllibRequest

from hyperlink import EncodedURL
from treq.client import HTTPClient
from treq.cookies import IndexableCookieJar
from twisted.internet.defer import Deferred
from twisted.web.client import BrowserLikePolicyForHTTPS
from twisted.web.iweb import IPolicyForHTTPS

from .agent import LeanAgent
from .pool import Pool

_MOST_URLS = 4096


class _NoCookies(IndexableCookieJar):
    """
    A provider's cookies are not for the next client: none are kept, none are
    sent, and no time is spent on looking for them.
    """

    def add_cookie_header(self, request: UrllibRequest) -> None:
        """
        See L{http.cookiejar.CookieJar}.
        """

    def extract_cookies(self, response: HTTPResponse, request: UrllibRequest) -> None:
        """
        See L{http.cookiejar.CookieJar}.
        """


NO_COOKIES = _NoCookies()


class _ReadyURL(EncodedURL):
    """
    A URL as it goes on the wire.  treq would translate it for every request.
    """

    ready: str

    def to_uri(self) -> EncodedURL:
        """
        See L{EncodedURL.to_uri}.
        """
        return self

    def to_text(self, with_password: bool = False) -> str:
        """
        See L{EncodedURL.to_text}.
        """
        return self.ready


@lru_cache(_MOST_URLS)
def ready_url(text: str) -> EncodedURL:
    """
    A URL for treq that need not be read again the next time.
    """
    ready = EncodedURL.from_text(text).to_uri().to_text()
    url = cast(_ReadyURL, _ReadyURL.from_text(ready))
    url.ready = ready
    return url


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
        self._clients: dict[float, HTTPClient] = {}

    def client(self, connect_seconds: float) -> HTTPClient:
        """
        A client that gives up connecting after so many seconds.
        """
        if connect_seconds not in self._clients:
            agent = LeanAgent(
                self._reactor, self._tls_policy, self._pool, connect_seconds
            )
            self._clients[connect_seconds] = HTTPClient(agent, cookiejar=NO_COOKIES)
        return self._clients[connect_seconds]

    def close(self) -> Deferred[None]:
        """
        Close the idle connections, and wait until all are gone.
        """
        return self._pool.close()
