"""
Reads a client's requests, one after another.

The bytes are read by llhttp, strictly: two lengths, a length beside chunks, a
header that goes on in a second line are errors.  What llhttp has no limit for,
or lets pass, is refused here.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from arbstr.errors import ApiError, bad_request, headers_too_large

LONGEST_HEAD = 16 * 1024
MOST_HEADERS = 100

_CODING, _LENGTH, _HOST = b"transfer-encoding", b"content-length", b"host"


class Head(NamedTuple):
    """
    A request up to its body.

    @ivar headers: names in lower case, in the order in which they came.
    @ivar length: of the body in bytes; C{None} if only its end will tell.
    @ivar stays: the client wants to use the connection again.
    """

    method: bytes
    target: bytes
    version: bytes
    headers: list[tuple[bytes, bytes]]
    length: int | None
    stays: bool


class End:
    """
    The end of a request.
    """


#: What requests come as: the head, pieces of the body, the end.
Part = Head | bytes | End

_END = End()


class RequestParser:
    """
    One connection's requests.

    @ivar parts: what has been read; whoever handles them takes them out.
    @ivar error: what is wrong with what came after these.  Nothing more is read.
    @ivar begun: how many requests have begun so far.
    """

    # The body's, of the request that is being read.
    _length: int | None

    def __init__(self) -> None:
        self.parts: deque[Part] = deque()
        self.error: ApiError | None = None
        self.begun = 0
        self._parser: Any = HttpRequestParser(self)
        self._complete = True
        self._resuming = False
        self._begin()

    @property
    def awaits(self) -> str | None:
        """
        What part of a request that has begun is still to come, C{head} or
        C{body}; C{None} between two requests.
        """
        if self._complete:
            return "body" if self._in_body else None
        return "head"

    def feed(self, data: bytes) -> None:
        """
        Read on.
        """
        while data and self.error is None:
            begun, parts = self.begun + (self.awaits is None), len(self.parts)
            try:
                self._parser.feed_data(data)
            except HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                if self._in_body:
                    self._resume_body()
                continue
            except HttpParserError:
                self._refuse(bad_request("This is not HTTP/1.1 as RFC 9112 has it"))
            if len(self.parts) > parts:
                self._size = 0
            elif self.begun == begun:
                # A head, or trailers behind a body, that began before the data.
                self._size += len(data)
                if self._size > LONGEST_HEAD:
                    self._refuse(headers_too_large(LONGEST_HEAD, MOST_HEADERS))
            break

    def stop(self) -> None:
        """
        Nothing more will be read.
        """
        # It refers to this.
        self._parser = None

    def on_message_begin(self) -> None:
        """
        The parser has found the beginning of a request.
        """
        if self._resuming:
            return
        self._begin()
        self._complete = False
        self.begun += 1

    def on_url(self, data: bytes) -> None:
        """
        The parser has read a piece of the target.
        """
        if not self._complete:
            self._target += data
            self._grow(len(data))

    def on_header(self, name: bytes, value: bytes) -> None:
        """
        The parser has read a header, or a trailer.
        """
        if self._complete:
            return
        self._headers.append((name.lower(), value.strip(b" \t")))
        self._grow(len(name) + len(value))

    def on_headers_complete(self) -> None:
        """
        The parser has read a head.
        """
        if self._resuming:
            return
        self._complete = self._in_body = True
        version = self._parser.get_http_version()
        method = self._parser.get_method()
        stays = version == "1.1" and self._parser.should_keep_alive()
        length = self._length = self._read_length(version)
        if self.error is None:
            self.parts.append(
                Head(
                    method=method,
                    target=self._target,
                    version=b"HTTP/" + version.encode("ascii"),
                    headers=self._headers,
                    length=length,
                    stays=stays and method != b"CONNECT",
                )
            )

    def on_body(self, data: bytes) -> None:
        """
        The parser has read a piece of a body.
        """
        if self.error is None:
            self.parts.append(data)

    def on_message_complete(self) -> None:
        """
        The parser has read a request to its end.
        """
        if self._parser.should_upgrade() and self._length != 0:
            # For llhttp, what follows is in the other protocol.
            return
        self._in_body = False
        if self.error is None:
            self.parts.append(_END)

    def _begin(self) -> None:
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._size = self._read = 0
        self._length = 0
        self._in_body = False

    def _grow(self, size: int) -> None:
        """
        There is more of a head.
        """
        self._read += size
        if self._read > LONGEST_HEAD or len(self._headers) > MOST_HEADERS:
            self._refuse(headers_too_large(LONGEST_HEAD, MOST_HEADERS))

    def _resume_body(self) -> None:
        """
        The client has offered to speak another protocol.  We speak none, so the
        body of its request comes in this one: another parser is brought to
        where it begins.
        """
        length = self._length
        told = (
            b"Transfer-Encoding: chunked"
            if length is None
            else b"Content-Length: %d" % length
        )
        self._parser = HttpRequestParser(self)
        self._resuming = True
        self._parser.feed_data(b"POST / HTTP/1.1\r\n" + told + b"\r\n\r\n")
        self._resuming = False

    def _read_length(self, version: str) -> int | None:
        """
        The body's, or what is wrong with the head.
        """
        length: int | None = 0
        hosts = codings = 0
        for name, value in self._headers:
            if name == _HOST:
                hosts += 1
            elif name == _LENGTH:
                length = int(value)
            elif name == _CODING:
                codings += 1
                length = None
                if value.lower() != b"chunked":
                    self._refuse(bad_request("Transfer-Encoding: expected chunked"))
        if version not in ("1.0", "1.1") or (codings and version == "1.0"):
            self._refuse(bad_request("This is not HTTP/1.1 as RFC 9112 has it"))
        elif codings > 1:
            self._refuse(bad_request("Transfer-Encoding: expected chunked, once"))
        elif hosts > 1 or (not hosts and version == "1.1"):
            self._refuse(bad_request(f"Expected one Host header, found {hosts}"))
        return length

    def _refuse(self, error: ApiError) -> None:
        self.error = self.error or error
