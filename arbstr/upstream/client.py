"""
One attempt at one provider: what is sent, how long it may take, and how its
outcome is to be understood.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence

from attrs import define, field
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.web.http_headers import Headers

from arbstr import __version__
from arbstr.headers import read_headers
from arbstr.keyring import hide
from arbstr.redact import redact
from arbstr.routing.plan import Candidate

from . import strict
from .agent import Body, EncodedResponse, discard
from .body import BodyLimits, Collector
from .connections import Connections
from .cost import COST_HEADER
from .failures import AttemptFailed, Head, Reply, describe, read_error
from .parser import MalformedResponse
from .patience import Patience
from .response import Response
from .wire import ChatRequest

USER_AGENT = f"arbstr/{__version__}"
_USER_AGENT = (b"user-agent", USER_AGENT.encode("ascii"))

# This machine has no descriptors, ports or memory left for a connection.
_SHORTAGES = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM}
)
_LARGEST_JSON = 32 * 1024 * 1024
_LARGEST_ERROR = 64 * 1024


# What is made for every request is not frozen: that takes thrice the time.
@define
class Call:
    """
    What is sent for one request, whichever provider it goes to.

    @ivar path: below the provider's base URL.
    @ivar headers: those of the client's headers that providers may see, as they
        were read.
    """

    request: ChatRequest
    request_id: str
    headers: Sequence[tuple[bytes, bytes]]
    path: str = "/chat/completions"


@define
class Opened:
    """
    A provider's 2xx response whose body has not been read.

    @ivar deadline: the clock's time when the attempt has lasted long enough.
    """

    head: Head
    deadline: float
    idle: float
    response: Response = field(repr=False)


class ProviderClient:
    """
    Sends requests to providers.
    """

    def __init__(self, connections: Connections, clock: IReactorTime) -> None:
        self._connections = connections
        self._clock = clock
        self._patience = Patience(clock)

    async def send(self, candidate: Candidate, call: Call, budget: float) -> Opened:
        """
        Send a request and wait for a 2xx response's headers.

        @param budget: seconds that the request has left.
        @raise AttemptFailed: anything else came, or nothing in time.
        """
        provider = candidate.provider
        timeouts = provider.timeouts
        started = self._clock.seconds()
        body = call.request.encode(
            candidate.offer.upstream_model, routstr=provider.kind == "routstr"
        )
        sending = self._connections.client(timeouts.connect).post(
            f"{provider.url}{call.path}",
            data=Body(body),
            headers=_request_headers(candidate, call),
        )
        limit = max(0.0, min(timeouts.first_byte, timeouts.total, budget))
        wait = self._patience.begin(limit, sending.cancel)
        try:
            response = await sending
        except Exception as reason:
            raise (_no_answer(limit) if wait.in_vain else understand(reason)) from None
        finally:
            self._patience.end(wait)
        opened = Opened(
            head=_read_head(response),
            deadline=started + timeouts.total,
            idle=timeouts.idle,
            response=response,
        )
        if not 200 <= opened.head.status <= 299:
            raise await self._refused(opened, budget)
        return opened

    async def read(self, opened: Opened, budget: float) -> Reply:
        """
        Read a buffered answer.

        @param budget: seconds that the request has left.
        @raise AttemptFailed: it is not a whole JSON answer.
        """
        body = await self._collect(opened, budget, _LARGEST_JSON)
        answer = strict.parse(body)
        if not isinstance(answer, dict):
            raise AttemptFailed(
                "protocol",
                f"HTTP {opened.head.status} with a body that is not a JSON object",
                status=opened.head.status,
            )
        if answer.get("error"):
            message = redact(read_error(answer).message or "no message")
            raise AttemptFailed(
                "protocol",
                f"HTTP {opened.head.status} with an error: {message}",
                status=opened.head.status,
            )
        return Reply(opened.head, body, answer)

    def limits(self, opened: Opened, budget: float | None = None) -> BodyLimits:
        """
        What the body of a response is held to.
        """
        left = opened.deadline - self._clock.seconds()
        if budget is not None:
            left = min(left, budget)
        return BodyLimits(idle=opened.idle, total=max(0.0, left))

    async def _collect(self, opened: Opened, budget: float, limit: int) -> bytes:
        body = opened.response.take(limit)
        if body is not None:
            return body
        collector = Collector(self._clock, self.limits(opened, budget), limit)
        opened.response.deliverBody(collector)
        await collector.finished
        return collector.body()

    async def _refused(self, opened: Opened, budget: float) -> AttemptFailed:
        """
        What a response other than 2xx amounts to.
        """
        status = opened.head.status
        if not 400 <= status <= 599:
            discard(opened.response)
            redirect = 300 <= status <= 399
            why = (
                "redirects are not followed" if redirect else "there is no such status"
            )
            return AttemptFailed("protocol", f"HTTP {status}: {why}", status=status)
        try:
            body = await self._collect(opened, budget, _LARGEST_ERROR)
        except AttemptFailed:
            # The status alone says enough.
            body = b""
        reply = Reply(opened.head, body, strict.parse(body))
        return AttemptFailed(
            "4xx" if 400 <= status <= 499 else "5xx",
            describe(status, reply),
            status=status,
            reply=reply,
        )


def _request_headers(candidate: Candidate, call: Call) -> Headers:
    pairs = [
        _USER_AGENT,
        *call.headers,
        (b"idempotency-key", call.request_id.encode("ascii")),
    ]
    key = candidate.provider.api_key
    if key is not None:
        secret = key.get_secret_value().encode("ascii")
        pairs.append((b"authorization", b"Bearer " + secret))
    return read_headers(pairs)


def _read_head(response: Response) -> Head:
    """
    What is passed on of the headers.
    """
    get = response.first.get
    return Head(
        status=response.code,
        content_type=_text(get(b"content-type")) or "",
        retry_after=_text(get(b"retry-after")),
        processing_ms=_text(get(b"openai-processing-ms")),
        request_id=_text(
            get(b"x-request-id")
            or get(b"x-routstr-request-id")
            or get(b"x-generation-id")
        ),
        cost_msats=_text(get(COST_HEADER)),
    )


def _text(value: bytes | None) -> str | None:
    """
    A header's value, fit to be passed on: some servers give requests back what
    they came with, keys among it.
    """
    return None if value is None else hide(value.decode("utf-8", "replace"))


def _no_answer(seconds: float) -> AttemptFailed:
    return AttemptFailed("timeout", f"no answer within {seconds:g} seconds")


def understand(reason: Exception) -> Exception:
    """
    What went wrong before there was a response.

    @return: an L{AttemptFailed}, or C{CancelledError} where it was us who gave
        up: that says nothing about the provider.
    """
    if isinstance(reason, (AttemptFailed, CancelledError)):
        return reason
    text = redact(str(reason) or type(reason).__name__)
    if isinstance(reason, EncodedResponse):
        return AttemptFailed("protocol", f"answered with Content-Encoding: {text}")
    if isinstance(reason, MalformedResponse):
        return AttemptFailed("protocol", f"malformed response: {text}")
    if isinstance(reason, error.TimeoutError):
        return AttemptFailed("timeout", "could not connect in time")
    if isinstance(reason, SSL.Error):
        return AttemptFailed("connect", f"TLS: {_tls_reasons(reason)}")
    if isinstance(reason, VerificationError):
        return AttemptFailed("connect", "TLS: the certificate is for another name")
    if isinstance(reason, error.DNSLookupError):
        return AttemptFailed("connect", f"DNS: {text}")
    if isinstance(reason, error.ConnectError):
        return AttemptFailed("connect", text, ours=reason.osError in _SHORTAGES)
    if isinstance(reason, (error.ConnectionClosed, OSError)):
        return AttemptFailed("connect", text)
    return AttemptFailed("protocol", f"{type(reason).__name__}: {text}")


def _tls_reasons(cause: SSL.Error) -> str:
    reasons = cause.args[0] if cause.args else ()
    if isinstance(reasons, (list, tuple)):
        return "; ".join(str(entry[-1]) for entry in reasons) or "failed"
    return str(reasons)
