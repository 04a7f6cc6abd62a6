"""
The HTTP server below the resource tree: requests whose bodies stay in memory
and within the limit.
"""

from __future__ import annotations

import re
from functools import lru_cache
from io import BytesIO
from time import time
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from twisted.web.http import datetimeToString, parse_qs
from twisted.web.resource import IResource
from twisted.web.server import Site

from arbstr.errors import ApiError, body_too_large, server_error
from arbstr.headers import last_text, read_headers, set_headers
from arbstr.ids import new_id
from arbstr.quiet import QuietSite

from .answer import AnsweredRequest
from .channel import Channel
from .parser import Head
from .respond import hang_up, prepare_error, raw_error, send

# How long a client may go on sending a body that was refused, so that it gets
# to read the refusal before the connection is reset.
_LINGER_SECONDS = 1
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]*)(.*)", re.DOTALL)


class Gate(Protocol):
    """
    Decides by a request's headers whether its body is wanted.
    """

    def admit(self, request: ArbstrRequest) -> ApiError | None:
        """
        Why it is not; C{None} if it is.
        """

    def refused(self, request: ArbstrRequest, error: ApiError) -> None:
        """
        The client has been told so.
        """


class ArbstrRequest(AnsweredRequest):
    """
    One request.

    @ivar request_id: the UUID that every answer to it carries.
    @ivar admitted: the gate has let it in by its headers.
    @ivar serving: what is being done for it; a client that leaves cancels it.
    """

    gate: Gate
    max_body_bytes: int
    content: BytesIO
    admitted = False
    serving: Deferred[Any] | None = None
    _refused = False
    _closing: IDelayedCall | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.request_id = new_id()

    @property
    def is_refused(self) -> bool:
        """
        It was answered before its body had come.
        """
        return self._refused

    def begin(self, head: Head) -> None:
        """
        The head has been read.
        """
        self.requestHeaders = read_headers(head.headers)
        self.method, self.uri, self.clientproto = head.method, head.target, head.version
        absolute = None if head.target[:1] == b"/" else _ABSOLUTE.fullmatch(head.target)
        if absolute is not None:
            # As for a proxy; then this is the host, whatever the header says.
            self.requestHeaders.setRawHeaders(b"Host", [absolute[1]])
            self.uri = b"/" + absolute[2].removeprefix(b"/")
        self.path = self.uri.partition(b"?")[0]

    def getHeader(self, key: Any) -> Any:
        """
        The last value of a header; as text, it never fails to decode.
        """
        if isinstance(key, bytes):
            return super().getHeader(key)
        return last_text(self.requestHeaders, key)

    def readable_path(self) -> str:
        """
        The path without percent signs.

        @raise UnicodeDecodeError: it is not UTF-8.
        """
        return unquote_to_bytes(self.path).decode("utf-8")

    def getRequestHostname(self) -> bytes:
        """
        The routes are the same under every name, and Klein stumbles over names
        that cannot be one.
        """
        return b"localhost"

    def gotLength(self, length: int | None) -> None:
        """
        The headers are complete: this is how long the body says it is.
        """
        self.content = BytesIO()
        if length == 0:
            return
        error = self.gate.admit(self)
        if error is None and length is not None and length > self.max_body_bytes:
            error = body_too_large(self.max_body_bytes)
        if error is not None:
            self._refuse(error)
        self.admitted = error is None

    def handleContentChunk(self, data: bytes) -> None:
        """
        A piece of the body.
        """
        if self._refused:
            return
        self.content.write(data)
        if self.content.tell() > self.max_body_bytes:
            self._refuse(body_too_large(self.max_body_bytes))

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """
        All of the body is here.
        """
        if self._refused:
            self.channel.loseConnection()
            return
        self.content.seek(0)
        self.method, self.uri, self.clientproto = command, path, version
        self.path, _, query = path.partition(b"?")
        self.args = parse_qs(query, True) if query else {}
        self.process()

    def process(self) -> None:
        """
        All is here: the one resource that there is decides.
        """
        self.site = self.channel.site
        told = {
            "Date": _date(int(time())),
            "X-Arbstr-Request-Id": self.request_id,
            "X-Request-Id": self.request_id,
        }
        set_headers(self.responseHeaders, told)
        try:
            self.render(self.site.resource)  # type: ignore[no-untyped-call]
        except Exception:
            self._log.failure("A bug of arbstr's own", request_id=self.request_id)
            if self.is_over:
                return
            if self.startedWriting:
                hang_up(self)
            else:
                send(self, prepare_error(self, server_error()))

    def connectionLost(self, reason: Failure) -> None:
        """
        The client is gone.
        """
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        super().connectionLost(reason)
        if self.serving is not None:
            self.serving.cancel()

    def _refuse(self, error: ApiError) -> None:
        """
        Answer before the body has come, and take no more of it.
        """
        self._refused = True
        self.content = BytesIO()
        # Nor should the client be told to go on with it.
        self.requestHeaders.removeHeader(b"Expect")
        self.channel.write(raw_error(error, self.request_id))
        self._closing = self.channel.callLater(
            _LINGER_SECONDS, self.channel.loseConnection
        )
        self.gate.refused(self, error)


@lru_cache(maxsize=1)
def _date(seconds: int) -> str:
    return str(datetimeToString(seconds), "ascii")


def make_site(
    root: IResource, gate: Gate, max_body_bytes: int, reactor: Any = None
) -> Site:
    """
    The factory of the server's connections.

    @param reactor: times them out.
    """

    class GatedRequest(ArbstrRequest):
        pass

    GatedRequest.gate = gate
    GatedRequest.max_body_bytes = max_body_bytes
    return _Site(root, requestFactory=GatedRequest, reactor=reactor)


class _Site(QuietSite):
    protocol = Channel  # type: ignore[assignment]
