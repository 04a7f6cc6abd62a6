"""
A client's connection, below its requests: what is no HTTP, is too much of it, or
comes too slowly is refused in JSON, and the connection closed.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.interfaces import IAddress, ITCPTransport, ITransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from arbstr.errors import ApiError, over_limit, too_slow
from arbstr.headers import first_of
from arbstr.ids import new_id
from arbstr.sending import unsent, write_now

from .deadline import Deadline
from .parser import End, Head, Part, RequestParser
from .respond import raw_error

CONNECTIONS = 512

_SECONDS = {"head": 10, "body": 60, None: 60}
# How long an answer may lie here of which the client reads nothing.
_STALL_SECONDS = 60
# Of what comes behind a request before that has been answered.  To stop reading
# would keep us from noticing that the client leaves.
_MOST_BEHIND = 64 * 1024


class Channel(HTTPChannel):
    """
    Hands on what one client sends.  Of Twisted's channel it has the life of a
    connection; requests are read by llhttp, one at a time, and none while the
    client does not read what it was answered before.
    """

    _log = Logger()

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._parser = RequestParser()
        self._behind = bytearray()
        # Handling what was read; reading no more; the socket is full; closing.
        self._busy = self._deaf = self._full = self._leaving = False
        # What there is time for, and how much had not been sent at its begin.
        self._awaited: tuple[str | None, int] | None = None
        self._unsent = 0
        self._deadline: Deadline
        # The connection below what keeps an account of it.
        self._socket: ITransport

    def connectionMade(self) -> None:
        """
        See L{IProtocol.connectionMade}.
        """
        below = self.transport
        if isinstance(below, ProtocolWrapper):
            below = below.transport
        self._socket = cast(ITransport, below)
        # Every request has them, and the kernel need not be asked each time.
        self._peer, self._host = self._socket.getPeer(), self._socket.getHost()
        # Twisted's own time-out is defeated by a drip.
        self.timeOut = None
        super().connectionMade()  # type: ignore[no-untyped-call]
        self._deadline = Deadline(cast(Any, self.factory).reactor, self._time_is_up)
        self._watch()

    def dataReceived(self, data: bytes) -> None:
        """
        See L{IProtocol.dataReceived}.
        """
        if self._deaf:
            return
        if self._handlingRequest or self._full:
            self._behind += data
            if len(self._behind) > _MOST_BEHIND:
                self._deaf = True
                self._transport.abortConnection()
        else:
            self._parser.feed(data)
            self._go_on()

    def requestDone(self, request: Any) -> None:
        """
        It has been answered; the next one may be here already.
        """
        del self.requests[0]
        self._handlingRequest = False
        self._hold()
        if self.persistent:
            self._go_on()
        else:
            self.loseConnection()

    def pauseProducing(self) -> None:
        """
        The client does not read what it is answered.
        """
        self._full = True
        if self._requestProducer is not None:
            self._requestProducer.pauseProducing()
        self._hold()
        self._watch()

    def resumeProducing(self) -> None:
        """
        It does again.
        """
        self._full = False
        self._networkProducer.resumeProducing()
        if self._requestProducer is not None:
            self._requestProducer.resumeProducing()
        self._go_on()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{IProtocol.connectionLost}.
        """
        self._deadline.stop()
        self._deaf = True
        self._parser.stop()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def write(self, data: bytes) -> None:
        """
        See L{HTTPChannel.write}.
        """
        write_now(self._socket, data)

    def getPeer(self) -> IAddress:
        """
        See L{HTTPChannel.getPeer}.
        """
        return self._peer

    def getHost(self) -> IAddress:
        """
        See L{HTTPChannel.getHost}.
        """
        return self._host

    def loseConnection(self) -> None:
        """
        See L{HTTPChannel.loseConnection}.  A client that does not read the rest
        is not waited for for ever.
        """
        self._deaf = self._leaving = True
        super().loseConnection()  # type: ignore[no-untyped-call]
        self._watch()

    def _hold(self) -> None:
        """
        Who does not read its answers is not read either.  While one is being
        made that goes on, so that we notice when the client leaves.
        """
        if self._full and not self._handlingRequest:
            self._networkProducer.pauseProducing()

    def _go_on(self) -> None:
        """
        Handle what has been read, up to the end of a request.
        """
        if self._busy:
            # It was answered at once; who handles it goes on.
            return
        self._busy = True
        try:
            self._handle_all()
        except Exception:
            self._log.failure("A bug of arbstr's own")
            self._deaf = True
            self._transport.abortConnection()
        finally:
            self._busy = False
        waits = self._parser.parts or self._handlingRequest or self._full
        if self._parser.error is not None and not waits:
            self._refuse(self._parser.error)
        self._watch()

    def _handle_all(self) -> None:
        parts = self._parser.parts
        while not (self._handlingRequest or self._deaf or self._full):
            if parts:
                self._handle(parts.popleft())
            elif self._behind:
                behind, self._behind = self._behind, bytearray()
                self._parser.feed(bytes(behind))
            else:
                break

    def _handle(self, part: Part) -> None:
        if isinstance(part, Head):
            self._begin(part)
        elif isinstance(part, End):
            self._handlingRequest = True
            request = self.requests[-1]
            request.requestReceived(request.method, request.uri, request.clientproto)
        else:
            self.requests[-1].handleContentChunk(part)

    def _begin(self, head: Head) -> None:
        request = cast(Any, self.requestFactory)(self)
        self.requests.append(request)
        request.begin(head)
        self.persistent = head.stays
        if not head.stays and head.version == b"HTTP/1.1":
            request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        request.gotLength(head.length)
        expected = first_of(request.requestHeaders, b"Expect")
        if expected.lower() == b"100-continue" and head.version == b"HTTP/1.1":
            self._send100Continue()  # type: ignore[no-untyped-call]

    def _watch(self) -> None:
        """
        Give what is incomplete some time, from its beginning.
        """
        if self._leaving or (self._full and not self._handlingRequest):
            awaited: tuple[str | None, int] = ("reader", 0)
        elif self._handlingRequest or self._deaf:
            self._deadline.clear()
            return
        else:
            awaited = self._parser.awaits, self._parser.begun
        if awaited != self._awaited or not self._deadline.is_set:
            self._awaited = awaited
            self._await()

    def _await(self) -> None:
        assert self._awaited is not None
        self._unsent = unsent(self._socket)
        self._deadline.set(_SECONDS.get(self._awaited[0], _STALL_SECONDS))

    def _time_is_up(self) -> None:
        assert self._awaited is not None
        part, _ = self._awaited
        if part in ("head", "body"):
            self._refuse(too_slow(f"The request's {part}", _SECONDS[part]))
        elif unsent(self._socket) < self._unsent:
            # It reads, if slowly.
            self._await()
        elif part is None and not self._unsent:
            self.loseConnection()
        else:
            self._transport.abortConnection()

    @property
    def _transport(self) -> ITCPTransport:
        return cast(ITCPTransport, self.transport)

    def _refuse(self, error: ApiError) -> None:
        """
        Answer, and close.  What has begun to be a request comes to nothing.
        """
        if self._deaf:
            return
        name = self.requests[-1].request_id if self.requests else new_id()
        # Of whose body nothing was wanted has been answered already.
        if not (self.requests and self.requests[-1].is_refused):
            self._log.warn(
                "Refused {status}: {reason}",
                status=error.status,
                reason=error.message,
                request_id=name,
            )
            self._transport.write(raw_error(error, name))
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
        transport.write(raw_error(error, new_id()))
        transport.loseConnection()
