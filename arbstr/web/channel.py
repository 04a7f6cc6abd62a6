"""
A client's connection, below its requests: what is no HTTP, is too much of it, or
comes too slowly is refused in JSON, and the connection closed.
"""

from __future__ import annotations

import uuid
from typing import Any, cast

from twisted.internet.interfaces import IDelayedCall, ITransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from arbstr.errors import ApiError, bad_request, headers_too_large, over_limit, too_slow

from .respond import raw_error

CONNECTIONS = 512

_LINES = 16 * 1024
_HEADERS = 100
_HEAD_SECONDS = 10
_BODY_SECONDS = 60


class Channel(HTTPChannel):
    """
    Parses what one client sends.
    """

    maxHeaders = _HEADERS
    totalHeadersSize = _LINES
    MAX_LENGTH = _LINES

    # What there is time for: a part of a request that has begun to come.
    _awaited: str | None = None
    _deadline: IDelayedCall | None = None
    _refused = False

    def dataReceived(self, data: bytes) -> None:
        """
        See L{IProtocol.dataReceived}.
        """
        if not self._refused:
            super().dataReceived(data)  # type: ignore[no-untyped-call]
            self._watch()

    def lineReceived(self, line: bytes) -> None:
        """
        A line of the request's head.
        """
        if self._refused:
            return
        if self._receivedHeaderSize + len(line) > self.totalHeadersSize:
            self._refuse(headers_too_large(_LINES, _HEADERS))
        elif line[:1] in (b" ", b"\t"):
            self._refuse(bad_request("A header goes on in a second line"))
        else:
            super().lineReceived(line)  # type: ignore[no-untyped-call]

    def lineLengthExceeded(self, line: bytes) -> None:
        """
        A line of the head has no end.
        """
        self._refuse(headers_too_large(_LINES, _HEADERS))

    def headerReceived(self, line: bytes) -> bool:
        """
        A whole header.
        """
        if self._refused:
            return False
        if self._receivedHeaderCount >= self.maxHeaders:
            self._refuse(headers_too_large(_LINES, _HEADERS))
            return False
        name, _, value = line.partition(b":")
        if name.lower() == b"transfer-encoding" and value.strip().lower() != b"chunked":
            # Twisted would let "identity" pass, beside a length.
            self._refuse(bad_request("Transfer-Encoding: expected chunked"))
            return False
        return bool(super().headerReceived(line))  # type: ignore[no-untyped-call]

    def allHeadersReceived(self) -> None:
        """
        The head is complete.
        """
        hosts = self.requests[-1].requestHeaders.getRawHeaders(b"Host", [])
        if len(hosts) > 1 or (not hosts and self._version == b"HTTP/1.1"):
            self._refuse(bad_request(f"Expected one Host header, found {len(hosts)}"))
        else:
            super().allHeadersReceived()  # type: ignore[no-untyped-call]

    def allContentReceived(self) -> None:
        """
        The request is complete.
        """
        if not self._refused:
            self._stop_watching()
            super().allContentReceived()  # type: ignore[no-untyped-call]

    def requestDone(self, request: Any) -> None:
        """
        It has been answered; the next one may be here already.
        """
        super().requestDone(request)  # type: ignore[no-untyped-call]
        self._watch()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{IProtocol.connectionLost}.
        """
        self._stop_watching()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def _respondToBadRequestAndDisconnect(self) -> None:
        self._refuse(bad_request("This is not HTTP/1.1 as RFC 9112 has it"))

    def _watch(self) -> None:
        """
        Give what is incomplete some time, from its beginning.
        """
        awaited = None
        if self._handlingRequest or self._refused:
            pass
        elif not self.line_mode:
            awaited = "body"
        elif self.requests or self._buffer:
            awaited = "head"
        if awaited != self._awaited:
            self._stop_watching()
            self._awaited = awaited
            if awaited is not None:
                seconds = _BODY_SECONDS if awaited == "body" else _HEAD_SECONDS
                later = cast(Any, self.callLater)
                self._deadline = later(seconds, self._too_slow, seconds)

    def _stop_watching(self) -> None:
        self._awaited = None
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    def _too_slow(self, seconds: float) -> None:
        self._refuse(too_slow(f"The request's {self._awaited}", seconds))

    def _refuse(self, error: ApiError) -> None:
        """
        Answer, and close.  What has begun to be a request comes to nothing.
        """
        if self._refused:
            return
        self._refused = True
        self._stop_watching()
        name = self.requests[-1].request_id if self.requests else str(uuid.uuid4())
        cast(ITransport, self.transport).write(raw_error(error, name))
        self.loseConnection()  # type: ignore[no-untyped-call]


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
