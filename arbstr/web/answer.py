"""
How a request is answered: in as few pieces as can be.
"""

from __future__ import annotations

from typing import Any

from twisted.python.failure import Failure
from twisted.web.http import NO_BODY_CODES
from twisted.web.server import Request

from arbstr.headers import values_of

_LAST_CHUNK = b"0\r\n\r\n"


class AnsweredRequest(Request):
    """
    A request whose answer is written by ourselves.

    L{Request} would give the connection the head, each piece of the body and what
    frames it one by one.  It also knows of cookies, validators and encodings, of
    which no answer of ours has any.

    @ivar gone: the client has left.
    @ivar is_over: it has, or the answer is complete or was broken off: nothing more
        of it goes out.
    """

    channel: Any
    gone = is_over = False
    _bodiless = False

    def write(self, data: bytes) -> None:
        """
        Write a piece of the body, and before the first one the head.

        @raise RuntimeError: the answer is complete already.
        """
        if self.finished:
            raise RuntimeError("It has been answered already")
        if self.is_over:
            return
        head = b"" if self.startedWriting else self._begin_answer()
        if self._bodiless or not data:
            piece = head
        elif self.chunked:
            piece = b"%b%x\r\n%b\r\n" % (head, len(data), data)
        else:
            piece = head + data
        if piece:
            self.channel.write(piece)

    def finish(self) -> None:
        """
        The answer is complete.

        @raise RuntimeError: it was already, it was broken off, or the client has
            left.
        """
        if self.is_over:
            raise RuntimeError("There is no answer any more that could be finished")
        if not self.startedWriting:
            self.write(b"")
        if self.chunked:
            self.channel.write(_LAST_CHUNK)
        self.finished = self.is_over = True
        if self.producer is not None:
            self.unregisterProducer()  # type: ignore[no-untyped-call]
        del self.content
        ended, self.notifications = self.notifications, []
        for each in ended:
            each.callback(None)
        # The next request may begin at once.
        channel, self.channel = self.channel, None
        channel.requestDone(self)

    def loseConnection(self) -> None:
        """
        Break the answer off: what is written later, even its end, would make it
        look complete.
        """
        self.is_over = True
        super().loseConnection()  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure) -> None:
        """
        The client is gone.
        """
        self.gone = self.is_over = True
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def _begin_answer(self) -> bytes:
        """
        Decide how the body is framed.

        @return: the head.
        """
        self.startedWriting = 1
        headers = self.responseHeaders
        self._bodiless = self.method == b"HEAD" or self.code in NO_BODY_CODES
        if (
            self.clientproto == b"HTTP/1.1"
            and not self._bodiless
            and not values_of(headers, b"Content-Length")
        ):
            self.chunked = 1
            headers.setRawHeaders(b"Transfer-Encoding", [b"chunked"])
        lines = [
            b"%b: %b" % (name, value)
            for name, values in headers.getAllRawHeaders()
            for value in values
        ]
        first = b"%b %d %b" % (self.clientproto, self.code, self.code_message)
        return b"\r\n".join([first, *lines, b"", b""])
