"""
A client's connection, below its requests: what is no HTTP, is too much of it, or
comes too slowly is refused in JSON, and the connection closed.
"""

from __future__ import annotations

import math
import uuid
from typing import Any, cast

from twisted.internet.interfaces import IDelayedCall, ITransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers

from arbstr.errors import ApiError, over_limit, too_slow
from arbstr.headers import read_headers
from arbstr.sending import write_now

from .parser import End, Head, RequestParser
from .respond import raw_error

CONNECTIONS = 512

_HEAD_SECONDS = 10
_BODY_SECONDS = 60
_IDLE_SECONDS = 60


class Channel(HTTPChannel):
    """
    Hands on what one client sends.  Of Twisted's channel it has the answers and
    the back-pressure; requests are read by llhttp.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._parser = RequestParser()
        self._busy = self._refused = False
        # What there is time for, of which request, and until when by the
        # reactor's clock.
        self._awaited: tuple[str | None, int] = (None, 0)
        self._until = math.inf
        self._timer: IDelayedCall | None = None
        self._head: Head
        # Of an answer, what is to be written with the first of its body.
        self._held = b""

    def connectionMade(self) -> None:
        """
        See L{IProtocol.connectionMade}.
        """
        super().connectionMade()  # type: ignore[no-untyped-call]
        # Its time-out is defeated by a drip.
        self.setTimeout(None)  # type: ignore[no-untyped-call]
        self._watch()

    def dataReceived(self, data: bytes) -> None:
        """
        See L{IProtocol.dataReceived}.
        """
        if self._refused:
            return
        if self._handlingRequest:
            # It waits until the request before it has been answered.
            super().rawDataReceived(data)
        else:
            self._parser.feed(data)
            self._go_on()

    def requestDone(self, request: Any) -> None:
        """
        It has been answered; the next one may be here already.
        """
        self.write(b"")
        data = b"".join(self._dataBuffer)
        self._dataBuffer = []
        super().requestDone(request)  # type: ignore[no-untyped-call]
        if data and not self._handlingRequest:
            self._parser.feed(data)
        self._go_on()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{IProtocol.connectionLost}.
        """
        self._stop_timer()
        self._refused = True
        self._parser.stop()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def writeHeaders(
        self, version: bytes, code: bytes, reason: bytes, headers: Headers
    ) -> None:
        """
        See L{HTTPChannel.writeHeaders}.  Where the length is known all of the
        body comes next, and both are written together.
        """
        lines = [b"%s %s %s\r\n" % (version, code, reason)]
        for name, values in headers.getAllRawHeaders():
            lines += [b"%s: %s\r\n" % (name, value) for value in values]
        lines.append(b"\r\n")
        self._held = b"".join(lines)
        if not headers.hasHeader(b"Content-Length"):
            self.write(b"")

    def write(self, data: bytes) -> None:
        """
        See L{HTTPChannel.write}.
        """
        held, self._held = self._held, b""
        if held:
            write_now(self._socket, held + data)
        else:
            super().write(data)  # type: ignore[no-untyped-call]

    def loseConnection(self) -> None:
        """
        See L{HTTPChannel.loseConnection}.
        """
        self.write(b"")
        super().loseConnection()  # type: ignore[no-untyped-call]

    def setLineMode(self, extra: bytes = b"") -> None:
        """
        Twisted's own parser is not used.
        """

    def _go_on(self) -> None:
        """
        Handle what has been read, up to the end of a request.
        """
        if self._busy:
            # It was answered at once; who handles it goes on.
            return
        self._busy = True
        parts = self._parser.parts
        while parts and not self._handlingRequest and not self._refused:
            part = parts.popleft()
            if isinstance(part, Head):
                self._begin(part)
            elif isinstance(part, End):
                self._end()
            else:
                self.requests[-1].handleContentChunk(part)
        self._busy = False
        error = self._parser.error
        if error is not None and not self._handlingRequest:
            self._refuse(error)
        self._watch()

    def _begin(self, head: Head) -> None:
        request = self.requestFactory(self)
        self.requests.append(request)
        request.requestHeaders = read_headers(head.headers)
        request.parseCookies()
        self._head = head
        self.persistent = head.stays
        if not head.stays and head.version == b"HTTP/1.1":
            request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        request.gotLength(head.length)
        expected = request.requestHeaders.getRawHeaders(b"Expect", [b""])
        if expected[0].lower() == b"100-continue" and head.version == b"HTTP/1.1":
            self._send100Continue()  # type: ignore[no-untyped-call]

    def _end(self) -> None:
        self._handlingRequest = True
        head = self._head
        self.requests[-1].requestReceived(head.method, head.target, head.version)

    def _watch(self) -> None:
        """
        Give what is incomplete some time, from its beginning.
        """
        if self._refused:
            return
        if self._handlingRequest:
            self._awaited, self._until = (None, 0), math.inf
            return
        awaited = self._parser.awaits, self._parser.begun
        if awaited == self._awaited and self._until < math.inf:
            return
        self._awaited = awaited
        seconds = self._seconds()
        self._until = self._now() + seconds
        # A timer that comes too early looks again, so that one request after
        # the other need not set one.
        if self._timer is None or self._timer.getTime() > self._until:
            self._stop_timer()
            self._timer = cast(Any, self.callLater)(seconds, self._time_is_up)

    def _seconds(self) -> float:
        match self._awaited[0]:
            case "head":
                return _HEAD_SECONDS
            case "body":
                return _BODY_SECONDS
            case _:
                return _IDLE_SECONDS

    @property
    def _socket(self) -> ITransport:
        """
        The connection below what keeps an account of it.
        """
        transport = self.transport
        if isinstance(transport, ProtocolWrapper):
            transport = transport.transport
        return cast(ITransport, transport)

    def _now(self) -> float:
        return float(cast(Any, self.factory).reactor.seconds())

    def _time_is_up(self) -> None:
        self._timer = None
        left = self._until - self._now()
        if left == math.inf:
            return
        if left > 0:
            self._timer = cast(Any, self.callLater)(left, self._time_is_up)
        elif self._awaited[0] is None:
            self.timeoutConnection()  # type: ignore[no-untyped-call]
        else:
            part = f"The request's {self._awaited[0]}"
            self._refuse(too_slow(part, self._seconds()))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, error: ApiError) -> None:
        """
        Answer, and close.  What has begun to be a request comes to nothing.
        """
        if self._refused:
            return
        self._refused = True
        self._stop_timer()
        name = self.requests[-1].request_id if self.requests else str(uuid.uuid4())
        cast(ITransport, self.transport).write(raw_error(error, name))
        self.loseConnection()


class FullHouse(Protocol):
    """
    A connection too many.
    """

    def connectionMade(self) -> None:
        """
        Say so, and close.
        """
        error = over_limit(f"{CONNECTIONS} connections are open already", 1)
        transport = cast(ITransport, self.transport)
        transport.write(raw_error(error, str(uuid.uuid4())))
        transport.loseConnection()
