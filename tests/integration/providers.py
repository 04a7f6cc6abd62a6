"""
Providers for tests: real sockets, and a script that says byte by byte what
comes out of them.

A script is called with the connection and the request, once for each request::

    def too_short(connection, request):
        connection.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 9\\r\\n\\r\\nhalf")
        connection.cut()
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

USAGE = {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}


@frozen
class Received:
    """
    A request as it reached a provider.

    @ivar headers: by lower-case name.
    @ivar head: the lines of the head as they came.
    """

    line: str
    headers: dict[str, str]
    body: bytes
    head: tuple[str, ...] = ()

    def json(self) -> Any:
        """
        The body, decoded.
        """
        return json.loads(self.body)


class Connection(Protocol):
    """
    One connection to a fake provider.

    @ivar lost: fires when it has gone.
    """

    def __init__(self, provider: FakeProvider) -> None:
        self.lost: Deferred[None] = Deferred()
        self._provider = provider
        self._buffer = b""

    def connectionMade(self) -> None:
        self._provider.connections.append(self)
        self._provider.connected += 1
        # What is written apart is sent apart, and at once.
        cast(ITCPTransport, self.transport).setTcpNoDelay(True)
        self.write(self._provider.greeting)

    def dataReceived(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (each.partition(":") for each in lines)
        }
        length = int(headers.get("content-length", "0"))
        if len(rest) >= length:
            self._buffer = rest[length:]
            received = Received(line, headers, rest[:length], tuple(lines))
            self._provider.received(self, received)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._provider.connections.remove(self)
        self.lost.callback(None)

    @property
    def is_open(self) -> bool:
        """
        Neither side has closed it.
        """
        return self in self._provider.connections

    def write(self, data: bytes) -> None:
        """
        Send bytes.
        """
        cast(ITCPTransport, self.transport).write(data)

    def close(self) -> None:
        """
        Close after what has been written.
        """
        cast(ITCPTransport, self.transport).loseConnection()

    def cut(self) -> None:
        """
        Close after what has been written; the answer just is not whole.
        """
        self.close()

    def reset(self) -> None:
        """
        Close with a TCP reset.
        """
        cast(ITCPTransport, self.transport).abortConnection()


Script = Callable[[Connection, Received], None]


@define(eq=False)
class FakeProvider:
    """
    A provider that does what its script says.

    @ivar tls: its certificate, if it speaks TLS.
    @ivar greeting: what it says before anybody has asked.
    @ivar requests: all that have come, in order.
    @ivar connections: those that are open.
    @ivar connected: how many there have been.
    """

    name: str
    script: Script
    tls: IOpenSSLServerConnectionCreator | None = None
    greeting: bytes = b""
    requests: list[Received] = field(factory=list)
    connections: list[Connection] = field(factory=list)
    connected: int = 0
    _port: Any = None
    _number: int = 0
    _listening: bool = False
    _waiting: list[tuple[int, Deferred[None]]] = field(factory=list)

    def start(self, reactor: Any) -> None:
        """
        Listen: at first on a random port, and then on that one.
        """
        plain = Factory.forProtocol(lambda: Connection(self))
        plain.noisy = False
        factory: IProtocolFactory = plain
        if self.tls is not None:
            factory = TLSMemoryBIOFactory(self.tls, False, plain)
            factory.noisy = False
        self._port = reactor.listenTCP(self._number, factory, interface="127.0.0.1")
        self._number = self._port.getHost().port
        self._listening = True

    @property
    def url(self) -> str:
        """
        The base URL to configure.
        """
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._number}/v1"

    def recover(self, reactor: Any) -> None:
        """
        From now on, be there and serve.
        """
        self.script = serves
        if not self._listening:
            self.start(reactor)

    async def stop(self) -> None:
        """
        Close everything.
        """
        self._listening = False
        await maybeDeferred(self._port.stopListening)
        for connection in list(self.connections):
            connection.reset()
            await connection.lost

    def asked(self, times: int = 1) -> Deferred[None]:
        """
        Fires when so many requests have come.
        """
        waiting: Deferred[None] = Deferred()
        self._waiting.append((times, waiting))
        self._check()
        return waiting

    def received(self, connection: Connection, request: Received) -> None:
        """
        A request is complete.
        """
        self.requests.append(request)
        self.script(connection, request)
        self._check()

    def _check(self) -> None:
        count = len(self.requests)
        ready = [deferred for times, deferred in self._waiting if times <= count]
        self._waiting = [each for each in self._waiting if each[0] > count]
        for deferred in ready:
            deferred.callback(None)


def http(status: int, body: bytes, *headers: str, reason: str = "Whatever") -> bytes:
    """
    A whole response.
    """
    lines = [f"HTTP/1.1 {status} {reason}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answers(status: int, value: object, *headers: str) -> Script:
    """
    Answers every request with the same JSON.
    """
    whole = http(
        status, json.dumps(value).encode(), "Content-Type: application/json", *headers
    )
    return lambda connection, _: connection.write(whole)


def completion(text: str = "Hello!", usage: object = USAGE) -> dict[str, Any]:
    """
    A chat completion.
    """
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "whatever",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage,
    }


def fails(status: int = 500, message: str = "boom") -> Script:
    """
    Refuses every request.
    """
    return answers(status, {"error": {"message": message, "type": "x", "code": None}})


def is_silent(connection: Connection, request: Received) -> None:
    """
    Takes the request and says nothing.
    """


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    b"Transfer-Encoding: chunked\r\nX-Request-Id: up-1\r\n\r\n"
)


def chunk(data: bytes) -> bytes:
    """
    One chunk of a chunked body; the empty one ends it.
    """
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(value: object) -> bytes:
    """
    One event.
    """
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(content: str | None = None, finish: str | None = None) -> bytes:
    """
    One event of a chat stream.
    """
    change = {} if content is None else {"content": content}
    choice = {"index": 0, "delta": change, "finish_reason": finish}
    return event({"object": "chat.completion.chunk", "choices": [choice]})


FIRST = event({"choices": [{"index": 0, "delta": {"role": "assistant"}}]})
LAST = event({"choices": [], "usage": USAGE})
DONE = b"data: [DONE]\n\n"
WHOLE = (FIRST, delta("Hel"), delta("lo!"), delta(finish="stop"), LAST, DONE)


def streams(*events: bytes, end: bool = True) -> Script:
    """
    Answers every request with a stream, one chunk an event.

    @param end: whether the body ends as HTTP wants it to; if not, the
        connection is closed.
    """

    def script(connection: Connection, request: Received) -> None:
        connection.write(STREAM_HEAD + b"".join(map(chunk, events)))
        if end:
            connection.write(chunk(b""))
        else:
            connection.cut()

    return script


def begins_a_stream(connection: Connection, request: Received) -> None:
    """
    Answers with the beginning of a stream; the rest is up to the test.
    """
    connection.write(STREAM_HEAD + chunk(FIRST) + chunk(delta("Hel")))


def serves(connection: Connection, request: Received) -> None:
    """
    A healthy provider, buffered and streaming.
    """
    if request.json().get("stream"):
        streams(*WHOLE)(connection, request)
    else:
        answers(200, completion())(connection, request)
