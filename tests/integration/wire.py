"""
The client's side of HTTP, for tests.
"""

from __future__ import annotations

import json
from typing import Any, cast

from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer, IPushProducer, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer


@implementer(IBodyProducer)
class Body:
    """
    A request's body.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length = len(data)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._data)
        return succeed(None)

    def pauseProducing(self) -> None:
        pass

    def resumeProducing(self) -> None:
        pass

    def stopProducing(self) -> None:
        pass


class Collected(Protocol):
    """
    A response's body, as far as it came.

    @ivar done: fires when no more will come, with whether it was whole.
    """

    def __init__(self) -> None:
        self.done: Deferred[bool] = Deferred()
        self._pieces: list[bytes] = []

    @property
    def data(self) -> bytes:
        """
        All that has come.
        """
        self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]

    def dataReceived(self, data: bytes) -> None:
        self._pieces.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.done.callback(reason.check(ResponseDone) is not None)


@frozen
class Answer:
    """
    What a client got.
    """

    status: int
    headers: Headers
    body: bytes
    whole: bool = True

    def header(self, name: str) -> str | None:
        """
        The only value of a header.
        """
        values = self.headers.getRawHeaders(name, [])
        assert len(values) <= 1, f"{name}: {values}"
        return values[0] if values else None

    def json(self) -> Any:
        """
        The body, decoded.
        """
        return json.loads(self.body)

    def error(self) -> dict[str, Any]:
        """
        The OpenAI-shaped error in the body.
        """
        error: dict[str, Any] = self.json()["error"]
        return error


@frozen
class Begun:
    """
    An answer whose body is still coming.
    """

    status: int
    headers: Headers
    body: Collected

    async def ended(self) -> Answer:
        """
        Wait for the rest of it.
        """
        whole = await self.body.done
        return Answer(self.status, self.headers, self.body.data, whole)

    @property
    def reading(self) -> IPushProducer:
        """
        What can be paused, resumed and stopped.
        """
        return cast(IPushProducer, self.body.transport)

    def leave(self) -> None:
        """
        Hang up without having read all of it.
        """
        self.reading.stopProducing()


class RawClient(Protocol):
    """
    A client that writes bytes, and keeps those that come.

    @ivar data: what has come so far.
    @ivar lost: fires when the connection has gone.
    """

    def __init__(self) -> None:
        self.data = b""
        self.lost: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(None)

    @property
    def socket(self) -> ITCPTransport:
        """
        The connection.
        """
        return cast(ITCPTransport, self.transport)

    def stop_reading(self) -> None:
        """
        Let the daemon's bytes pile up.
        """
        cast(IPushProducer, self.transport).pauseProducing()

    def read_on(self) -> None:
        """
        Take them.
        """
        cast(IPushProducer, self.transport).resumeProducing()

    def hang_up(self) -> Deferred[None]:
        """
        Leave, if the daemon has not.
        """
        self.socket.abortConnection()
        gone: Deferred[None] = Deferred()
        self.lost.addCallback(gone.callback)
        return gone
