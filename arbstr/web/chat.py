"""
The main job: C{POST /v1/chat/completions}.
"""

from __future__ import annotations

import math
from decimal import Decimal

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from arbstr.dispatch import Dispatcher
from arbstr.errors import (
    ApiError,
    bad_request,
    client_left,
    provider_error,
    server_error,
    shutting_down,
)
from arbstr.exchange import Exchange
from arbstr.ledger.writer import Ledger
from arbstr.logs import request_context
from arbstr.routing.observation import understand
from arbstr.routing.plan import RouteRequest
from arbstr.routing.router import Router
from arbstr.upstream.client import Call
from arbstr.upstream.failures import Reply
from arbstr.upstream.wire import ChatRequest

from .downstream import ClientStream
from .inflight import InFlight
from .respond import JSON_TYPE, hang_up, prepare, prepare_error, send
from .site import ArbstrRequest

# Of the client's headers, those that providers may see.
_FORWARDED = (
    b"accept",
    b"content-type",
    b"openai-beta",
    b"traceparent",
    b"tracestate",
)


@frozen
class Chat:
    """
    Serves chat completions.
    """

    router: Router
    dispatcher: Dispatcher
    ledger: Ledger
    in_flight: InFlight
    clock: IReactorTime

    _log = Logger()

    def handle(self, request: ArbstrRequest) -> Deferred[None]:
        """
        Serve one request, to its very end.
        """
        return self.in_flight.run(self._serve(request))

    async def _serve(self, request: ArbstrRequest) -> None:
        exchange = Exchange.begin(request.request_id, self.clock)
        stream = ClientStream(request, lambda: _stream_headers(exchange), self.clock)
        failure: ApiError | None = None
        with request_context(request.request_id):
            try:
                await self._answer(request, exchange, stream)
            except ApiError as error:
                failure = error
            except CancelledError:
                failure = client_left() if stream.gone else shutting_down()
            except Exception:
                self._log.failure("A bug of arbstr's own")
                failure = server_error()
            try:
                if failure is not None and not stream.gone:
                    _tell(failure, request, exchange, stream)
            finally:
                self._remember(exchange, failure)
            if stream.opened and failure is not None:
                await stream.closed()

    def _remember(self, exchange: Exchange, failure: ApiError | None) -> None:
        """
        The request has ended: into the books with it, and learn from it.
        """
        row = exchange.row(failure)
        self.ledger.record(row)
        seen = understand(row)
        if seen is not None:
            self.router.learned.observe(seen)
        plan, served, usage = exchange.plan, exchange.candidate, exchange.usage
        if plan is not None and served is not None and usage is not None:
            self.router.affinity.observe(plan.model, plan.prefixes, served.name, usage)

    async def _answer(
        self, request: ArbstrRequest, exchange: Exchange, stream: ClientStream
    ) -> None:
        chat = ChatRequest.parse(request.content.getvalue())
        exchange.model, exchange.streaming = chat.model, chat.stream
        exchange.asked = route_request(chat, request)
        exchange.plan = self.router.plan(exchange.asked)
        self.ledger.begin(exchange.request_id, exchange.begun_row)
        call = Call(chat, exchange.request_id, _forwarded(request, chat))
        reply = await self.dispatcher.run(exchange.plan, call, exchange, stream)
        if reply is None:
            stream.end()
        elif stream.opened:
            # The headers went out for a provider that has failed since.
            raise provider_error("The provider that took over did not stream")
        else:
            _send_reply(reply, request, exchange)


def route_request(chat: ChatRequest, request: ArbstrRequest) -> RouteRequest:
    """
    What routing needs to know of a request: its body and its headers.
    """
    return RouteRequest(
        model=chat.model,
        input_tokens=chat.input_tokens,
        output_cap=chat.output_cap,
        choices=chat.choices,
        last_user_text=chat.last_user_text,
        policy=request.getHeader("X-Arbstr-Policy"),
        provider=request.getHeader("X-Arbstr-Provider"),
        max_cost_sats=_max_cost(request),
        images=chat.images,
        prefixes=chat.prefixes,
        messages=chat.messages,
        complexity=request.getHeader("X-Arbstr-Complexity"),
    )


def _max_cost(request: ArbstrRequest) -> float | None:
    name = "X-Arbstr-Max-Cost-Sats"
    given = request.getHeader(name)
    if given is None:
        return None
    try:
        limit = float(given)
    except ValueError:
        limit = math.nan
    if not 0 <= limit < math.inf:
        raise bad_request(
            f"{name}: expected a number of sats, found '{given}'", param=name
        )
    return limit


def _forwarded(request: ArbstrRequest, chat: ChatRequest) -> list[tuple[bytes, bytes]]:
    get = request.requestHeaders.getRawHeaders
    # What this header names is for the next hop only, and that is us.
    connection = b" ".join(get(b"Connection", ()))
    ours = connection.lower().replace(b",", b" ").split()
    found = {
        name: values[-1]
        for name in _FORWARDED
        if (values := get(name)) and name not in ours
    }
    kind = b"text/event-stream" if chat.stream else b"application/json"
    return [(b"accept", found.pop(b"accept", kind)), *found.items()]


def _tell(
    failure: ApiError, request: ArbstrRequest, exchange: Exchange, stream: ClientStream
) -> None:
    """
    Let the client know, in whichever way is still open.
    """
    if stream.opened and exchange.stream is not None:
        stream.break_off(exchange.stream.interrupt(failure.body()))
    elif request.startedWriting:
        # Half of something else has gone out: it cannot be mended any more.
        hang_up(request)
    else:
        headers = _served_by(exchange) if failure.raw is not None else {}
        send(request, prepare_error(request, failure, headers | _told(exchange)))


def _send_reply(reply: Reply, request: ArbstrRequest, exchange: Exchange) -> None:
    headers = _served_by(exchange) | _told(exchange)
    cost = exchange.cost()
    if cost is not None and exchange.usage is not None:
        headers["X-Arbstr-Cost-Sats"] = _decimal(cost)
    head = reply.head
    # It was read as JSON, whether or not its provider says so.
    kind = head.content_type or JSON_TYPE
    body = prepare(request, head.status, reply.body, kind, headers)
    send(request, body)


def _stream_headers(exchange: Exchange) -> dict[str, str]:
    headers = {
        "Content-Type": exchange.head.content_type if exchange.head else "",
        "Cache-Control": "no-cache",
        "X-Accel-Buffering": "no",
        "X-Arbstr-Streaming": "true",
    }
    return headers | _served_by(exchange) | _story(exchange)


def _served_by(exchange: Exchange) -> dict[str, str]:
    headers = {}
    if exchange.candidate is not None:
        headers["X-Arbstr-Provider"] = exchange.candidate.name
        headers["X-Arbstr-Tier"] = exchange.candidate.provider.tier
    if exchange.head is not None and exchange.head.request_id is not None:
        headers["X-Upstream-Request-Id"] = exchange.head.request_id
    if exchange.head is not None and exchange.head.processing_ms is not None:
        headers["openai-processing-ms"] = exchange.head.processing_ms
    return headers


def _told(exchange: Exchange) -> dict[str, str]:
    return {"X-Arbstr-Latency-Ms": str(exchange.latency_ms())} | _story(exchange)


def _story(exchange: Exchange) -> dict[str, str]:
    """
    What is told of every request, however it ends.
    """
    score, retries = exchange.complexity_score(), exchange.retries()
    headers = {}
    if score is not None:
        headers["X-Arbstr-Complexity-Score"] = f"{score:.3f}"
    if retries is not None:
        headers["X-Arbstr-Retries"] = retries
    return headers


def _decimal(cost: Decimal) -> str:
    """
    Sats without exponent and without trailing zeros.
    """
    text = f"{cost:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
