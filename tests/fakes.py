"""
Stand-ins that several test modules share: a provider's connection, an agent
whose answers are scripted, a client that takes a stream.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IConsumer, IProtocol, IPushProducer, ITransport
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from arbstr.config.model import ProviderSettings
from arbstr.ledger.row import RequestLog
from arbstr.routing.catalog import Offer
from arbstr.routing.money import Rates
from arbstr.routing.plan import Candidate, Plan
from arbstr.upstream.connections import Connections, LeanClient
from arbstr.upstream.response import Response
from arbstr.upstream.wire import ChatRequest

MODEL = "gpt-4o"


@implementer(IPushProducer)
@define(eq=False)
class ProviderBody:
    """
    A response's body while a provider sends it.

    @ivar calls: what its reader did to the connection: C{pause}, C{resume},
        C{stop}.
    """

    _reader: IProtocol
    calls: list[str] = field(factory=list)

    def begin(self) -> None:
        """
        The headers have been read.
        """
        self._reader.makeConnection(cast(ITransport, self))

    def send(self, data: bytes) -> None:
        """
        A piece of it comes.
        """
        self._reader.dataReceived(data)

    def end(self, reason: BaseException | None = None) -> None:
        """
        It ends: well, unless there is another reason.
        """
        self._reader.connectionLost(Failure(reason or ResponseDone()))

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


class NoLine:
    """
    What a L{FakeResponse} comes on.
    """

    def pause(self) -> None:
        raise AssertionError("somebody reads the body")

    resume = abort = pause


class FakeResponse(Response):
    """
    A response whose body comes when the test says so.
    """

    _read_by: ProviderBody | None = None

    @property
    def body(self) -> ProviderBody:
        """
        What the reader of the body sees.
        """
        assert self._read_by is not None, "nobody reads the body"
        return self._read_by

    def deliverBody(self, protocol: IProtocol) -> None:
        self._read_by = ProviderBody(protocol)
        self._read_by.begin()


@define(eq=False)
class Sent:
    """
    A request on its way to a provider.

    @ivar cancelled: it was given up before it was answered.
    """

    url: str
    headers: Headers
    body: bytes
    cancelled: bool = False
    response: Deferred[IResponse] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.response = Deferred(self._cancel)

    @property
    def provider(self) -> str:
        """
        Who is asked: the providers' hosts have their names.
        """
        return self.url.split("/")[2]

    def begin(self, status: int, **headers: str) -> ProviderBody:
        """
        The response's headers come.

        @param headers: underscores stand for hyphens.
        """
        named = {
            name.replace("_", "-").lower().encode(): value.encode()
            for name, value in headers.items()
        }
        response = FakeResponse(status, [*named.items()], named, NoLine())
        self.response.callback(response)
        return response.body

    def answer(self, status: int, value: object, **headers: str) -> None:
        """
        A whole response comes; its body is JSON, unless it is bytes.
        """
        body = self.begin(status, content_type="application/json", **headers)
        body.send(value if isinstance(value, bytes) else json.dumps(value).encode())
        body.end()

    def stream(self, *pieces: bytes) -> ProviderBody:
        """
        A stream begins.
        """
        body = self.begin(200, content_type="text/event-stream; charset=utf-8")
        for piece in pieces:
            body.send(piece)
        return body

    def fail(self, reason: BaseException) -> None:
        """
        There is no response.
        """
        self.response.errback(Failure(reason))

    def _cancel(self, response: Deferred[IResponse]) -> None:
        self.cancelled = True
        response.errback(CancelledError())


@implementer(IConsumer)
@define
class _Buffer:
    data: bytes = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def registerProducer(self, producer: object, streaming: bool) -> None:
        raise AssertionError("a request's body is written at once")

    def unregisterProducer(self) -> None:
        raise AssertionError("a request's body is written at once")


@implementer(IAgent)
@define(eq=False)
class FakeAgent:
    """
    Sends nothing; the test answers in the providers' place.

    @ivar requests: all that were sent, in order.
    """

    requests: list[Sent] = field(factory=list)

    @property
    def asked(self) -> list[str]:
        """
        Who was asked, in order.
        """
        return [each.provider for each in self.requests]

    @property
    def last(self) -> Sent:
        """
        The latest request.
        """
        return self.requests[-1]

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        buffer = _Buffer()
        if bodyProducer is not None:
            bodyProducer.startProducing(buffer)
        sent = Sent(uri.decode("ascii"), headers or Headers(), buffer.data)
        self.requests.append(sent)
        return sent.response


class FakeConnections(Connections):
    """
    Connections that end at an agent of the test's.
    """

    def __init__(self, agent: IAgent) -> None:
        self._only = LeanClient(agent)

    def client(self, connect_seconds: float) -> LeanClient:
        return self._only


@define(eq=False)
class FakeDownstream:
    """
    A client that takes a stream.

    @ivar calls: what was done with it: C{open}, C{attach}, C{write}, C{detach}.
    @ivar data: all that was written.
    @ivar producer: who is told when the client is slow.
    """

    calls: list[str] = field(factory=list)
    data: bytes = b""
    producer: IPushProducer | None = None

    def open(self) -> None:
        self.calls.append("open")

    def write(self, data: bytes) -> None:
        self.calls.append("write")
        self.data += data

    def attach(self, producer: IPushProducer) -> None:
        assert self.producer is None, "a producer is attached already"
        self.calls.append("attach")
        self.producer = producer

    def detach(self) -> None:
        assert self.producer is not None, "no producer is attached"
        self.calls.append("detach")
        self.producer = None


def provider(name: str, **settings: Any) -> ProviderSettings:
    """
    A provider whose host has its name.
    """
    return ProviderSettings(name=name, url=f"http://{name}/v1", **settings)


def plan(*providers: ProviderSettings) -> Plan:
    """
    A plan to try these providers in this order.
    """
    rates = Rates(input=1000, output=1000, cached_input=1000)
    candidates = tuple(
        Candidate(Offer(each, MODEL, MODEL, rates), 1.0) for each in providers
    )
    return Plan(
        model=MODEL,
        candidates=candidates,
        baseline=candidates[-1],
        strategy="cheapest",
        policy=None,
        policy_reason="none",
        input_tokens=10,
        output_tokens=20,
    )


def chat_request(content: str = "Hi", **fields: Any) -> ChatRequest:
    """
    A chat completion request.
    """
    messages = [{"role": "user", "content": content}]
    body = {"model": MODEL, "messages": messages, **fields}
    return ChatRequest.parse(json.dumps(body).encode())


@define
class ListLedger:
    """
    Keeps the rows in a list.
    """

    rows: list[RequestLog] = field(factory=list)
    error: str | None = None

    def record(self, row: RequestLog) -> None:
        self.rows.append(row)

    def begin(self, request_id: str, make_row: Callable[[], RequestLog]) -> None:
        pass

    def drain(self) -> Deferred[None]:
        return succeed(None)

    def status(self) -> dict[str, object]:
        return {"kind": "list", "waiting": 0, "dropped": 0, "error": self.error}
