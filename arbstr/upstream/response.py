"""
A provider's response: its head, and its body as it comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, cast

from twisted.internet.interfaces import IProtocol, IPushProducer, ITransport
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse
from zope.interface import implementer

from arbstr.headers import read_headers

from .parser import RawHeader

#: How a body ends that is whole.
WHOLE = Failure(ResponseDone())


class Line(Protocol):
    """
    The connection that a body comes on.
    """

    def pause(self) -> None:
        """
        Read no more of it for now.
        """

    def resume(self) -> None:
        """
        Read on.
        """

    def abort(self) -> None:
        """
        Cut it.
        """


@implementer(IResponse, IPushProducer)
class Response:
    """
    What treq is given.  It stands between the connection and whoever reads the
    body, and lets go of the connection as soon as the body has ended.

    @ivar code: the status.
    @ivar length: of the body in bytes, or C{UNKNOWN_LENGTH}.
    @ivar first: by names in lower case, the first header of each: for those who
        want few of them.
    """

    version = (b"HTTP", 1, 1)
    phrase = b""
    request: Any = None
    previousResponse: IResponse | None = None

    def __init__(
        self,
        code: int,
        headers: list[RawHeader],
        first: Mapping[bytes, bytes],
        line: Line,
    ) -> None:
        self.code = code
        self.first = first
        self._raw = headers
        self._headers: Headers | None = None
        self._line: Line | None = line
        self._receiver: IProtocol | None = None
        self._waiting: list[bytes] = []
        self._end: Failure | None = None

    @property
    def headers(self) -> Headers:
        """
        All of them.
        """
        if self._headers is None:
            self._headers = read_headers(self._raw)
        return self._headers

    @property
    def length(self) -> int | str:
        """
        See L{IResponse}.
        """
        told = self.first.get(b"content-length")
        return UNKNOWN_LENGTH if told is None else int(told)

    @property
    def complete(self) -> bool:
        """
        All that there is of it has come already.
        """
        return self._end is not None

    def take(self, most: int) -> bytes | None:
        """
        All of the body at once, which needs no reader: small ones come with the
        head.

        @return: C{None} where there is more to come, it did not end well or has
            over so many bytes: then it is to be read.
        """
        if self._end is not WHOLE:
            return None
        body = b"".join(self._waiting)
        if len(body) > most:
            return None
        self._waiting = []
        return body

    def setPreviousResponse(self, response: IResponse) -> None:
        """
        See L{IResponse}; redirects are not followed.
        """
        self.previousResponse = response

    def deliverBody(self, protocol: IProtocol) -> None:
        """
        See L{IResponse}: this is who reads the body.
        """
        self._receiver = protocol
        # First: whoever is given what waited may want no more for now.
        self.resumeProducing()
        protocol.makeConnection(cast(ITransport, self))
        waiting, self._waiting = self._waiting, []
        if waiting:
            protocol.dataReceived(b"".join(waiting))
        if self._end is not None:
            self._tell_end(self._end)

    def received(self, data: bytes) -> None:
        """
        A piece of the body has come.  Nobody reads it yet: then it has to wait,
        and the provider with it.
        """
        if self._receiver is not None:
            self._receiver.dataReceived(data)
        else:
            self._waiting.append(data)

    def hold(self) -> None:
        """
        All that has come was handed on: where nobody reads, read no more.
        """
        if self._receiver is None and self._line is not None:
            self._line.pause()

    def detach(self) -> None:
        """
        The connection has other things to do.
        """
        self._line = None

    def ended(self, reason: Failure) -> None:
        """
        Nothing more will come, as with L{IProtocol.connectionLost}.
        """
        self._line = None
        self._end = reason
        self._tell_end(reason)

    def _tell_end(self, reason: Failure) -> None:
        # Each knows the other: left so, they would wait for the collector of
        # garbage, which takes a twentieth of a request's time.
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.connectionLost(reason)

    def pauseProducing(self) -> None:
        """
        See L{IPushProducer}.
        """
        if self._line is not None:
            self._line.pause()

    def resumeProducing(self) -> None:
        """
        See L{IPushProducer}.
        """
        if self._line is not None:
            self._line.resume()

    def stopProducing(self) -> None:
        """
        Nobody wants the rest: the connection is cut.
        """
        if self._line is not None:
            self._line.abort()

    loseConnection = abortConnection = stopProducing
