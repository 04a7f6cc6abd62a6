"""
What a request has to pass before anything looks at it.
"""

from __future__ import annotations

import hashlib
import hmac

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET

from arbstr.config.listen import interface
from arbstr.config.model import ServerSettings
from arbstr.errors import (
    ApiError,
    bad_request,
    not_authenticated,
    not_json,
    not_permitted,
    over_limit,
    shutting_down,
)
from arbstr.exchange import Exchange
from arbstr.headers import first_of, values_of
from arbstr.ledger.writer import Ledger

from .inflight import InFlight
from .names import Host, canonical, is_foreign_fetch, is_ours, name_of
from .respond import prepare_error, send
from .site import ArbstrRequest

_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
_ANY_HOST = "*"
_MAIN_JOB = b"/v1/chat/completions"
_STRANGERS = frozenset({401, 403})
_BEARER = b"bearer "
_JSON = b"application/json"


class TokenBucket:
    """
    Lets so many requests a second pass, and as many at once.

    @ivar rate: per second; 0 lets everything pass.
    """

    def __init__(self, rate: float, clock: IReactorTime) -> None:
        self.rate = rate
        self._size = max(1.0, rate)
        self._tokens = self._size
        self._clock = clock
        self._filled = clock.seconds()

    def wait(self) -> float:
        """
        Take a token.

        @return: 0, or the seconds after which there will be one.
        """
        if not self.rate:
            return 0.0
        now = self._clock.seconds()
        gained = (now - self._filled) * self.rate
        self._tokens = min(self._size, self._tokens + gained)
        self._filled = now
        if self._tokens < 1:
            return (1 - self._tokens) / self.rate
        self._tokens -= 1
        return 0.0


class Guard(Resource):
    """
    The root of the tree: refuses what must not go further, and leaves the rest
    to the application.
    """

    isLeaf = True
    _log = Logger()

    def __init__(
        self,
        application: IResource,
        settings: ServerSettings,
        in_flight: InFlight,
        ledger: Ledger,
        clock: IReactorTime,
    ) -> None:
        Resource.__init__(self)
        self._ledger = ledger
        self._clock = clock
        self._application = application
        self._in_flight = in_flight
        self._bucket = TokenBucket(settings.rate_limit_rps, clock)
        self._closed = False
        self.configure(settings)

    def configure(self, settings: ServerSettings) -> None:
        """
        Let pass by other settings from now on.  What has passed has passed.
        """
        self._most = settings.max_in_flight
        if settings.rate_limit_rps != self._bucket.rate:
            # Another size, and so a full one: nobody is refused for the past.
            self._bucket = TokenBucket(settings.rate_limit_rps, self._clock)
        token = settings.auth_token
        self._token = (
            None if token is None else _digest(token.get_secret_value().encode())
        )
        listening = (interface(each) for each in settings.listen)
        self._hosts = {*_LOCAL_NAMES, *(canonical(each) for each in listening if each)}
        self._hosts |= {name_of(each) for each in settings.allowed_hosts}

    def close(self) -> None:
        """
        Take nothing new from now on.
        """
        self._closed = True

    def render(self, request: ArbstrRequest) -> int:
        """
        See L{IResource.render}.
        """
        error = self._refusal(request)
        if error is not None:
            send(request, prepare_error(request, error))
            self.refused(request, error)
        else:
            self._application.render(request)
        return NOT_DONE_YET

    def admit(self, request: ArbstrRequest) -> ApiError | None:
        """
        Why a request is refused for its headers; C{None} if it is not.
        """
        if self._closed:
            return shutting_down()
        return (
            self._wrong_host(request)
            or self._foreign_origin(request)
            or self._unauthenticated(request)
        )

    def refused(self, request: ArbstrRequest, error: ApiError) -> None:
        """
        Remember a request that went no further.  Those of strangers are told to
        the log only: they could fill the books.
        """
        if request.method != b"POST" or request.path != _MAIN_JOB:
            return
        if error.status in _STRANGERS:
            self._log.warn(
                "Refused {status}: {reason}",
                status=error.status,
                reason=error.message,
                request_id=request.request_id,
            )
            return
        exchange = Exchange.begin(request.request_id, self._clock)
        self._ledger.record(exchange.row(error))

    def _refusal(self, request: ArbstrRequest) -> ApiError | None:
        if request.path == b"/healthz" and request.method in (b"GET", b"HEAD"):
            return shutting_down() if self._closed else self._wrong_host(request)
        if self._closed:
            return shutting_down()
        return (
            (None if request.admitted else self.admit(request))
            or self._unreadable_path(request)
            or (self._unfit_post(request) if request.method == b"POST" else None)
        )

    def _wrong_host(self, request: ArbstrRequest) -> ApiError | None:
        host = request.getHeader("Host")
        if host is None or _ANY_HOST in self._hosts:
            return None
        named = Host.parse(host)
        if named is not None and named.name in self._hosts:
            return None
        return not_permitted(
            f"Host '{host}' is not a name of this server; server.allowed_hosts says "
            "which are"
        )

    def _unreadable_path(self, request: ArbstrRequest) -> ApiError | None:
        try:
            request.readable_path()
        except UnicodeDecodeError:
            # No route could be looked for: that would pass for a bug of ours.
            return bad_request("The path is not UTF-8")
        return None

    def _foreign_origin(self, request: ArbstrRequest) -> ApiError | None:
        origins = values_of(request.requestHeaders, b"Origin")
        for origin in (each.decode("utf-8", "replace") for each in origins):
            if not is_ours(origin, request.getHeader("Host"), self._hosts):
                return not_permitted(
                    f"Requests from pages of origin '{origin}' are refused"
                )
        # Browsers leave the origin out where a page only wants an image, say.
        site = None if origins else request.getHeader("Sec-Fetch-Site")
        if site is None:
            return None
        mode = request.getHeader("Sec-Fetch-Mode")
        if is_foreign_fetch(site, mode, request.method):
            return not_permitted("Requests from pages of other sites are refused")
        return None

    def _unauthenticated(self, request: ArbstrRequest) -> ApiError | None:
        if self._token is None:
            return None
        given = first_of(request.requestHeaders, b"Authorization")
        if given[: len(_BEARER)].lower() == _BEARER:
            token = given[len(_BEARER) :].strip()
            if hmac.compare_digest(_digest(token), self._token):
                return None
        return not_authenticated()

    def _unfit_post(self, request: ArbstrRequest) -> ApiError | None:
        kind = first_of(request.requestHeaders, b"Content-Type")
        if kind.partition(b";")[0].strip().lower() != _JSON:
            return not_json()
        if len(self._in_flight) >= self._most:
            return over_limit(f"{self._most} requests are in flight already", 1)
        wait = self._bucket.wait()
        if wait:
            return over_limit("Too many requests a second", wait)
        return None


def _digest(token: bytes) -> bytes:
    # Of those that will do the one that is ready soonest.
    return hashlib.blake2s(token).digest()
