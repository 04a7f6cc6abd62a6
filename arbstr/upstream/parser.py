"""
Reads a provider's responses, one after another.

The bytes are read by llhttp, strictly: two lengths, a length beside chunks, a
chunk of negative size or a status that is no number are errors.  What llhttp
has no limit for has one here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

#: A header as it was sent, its name in lower case.
RawHeader = tuple[bytes, bytes]

_LONGEST_HEADER = 16 * 1024
_MOST_HEADERS = 200
_LONGEST_HEAD = 128 * 1024
_MOST_INTERIM = 20

_LENGTH, _CODING = b"content-length", b"transfer-encoding"
_NONE: Mapping[bytes, bytes] = {}


class MalformedResponse(Exception):
    """
    What a provider sent is no HTTP, or too much of it.
    """


class ResponseParser:
    """
    One connection's responses.  Interim ones are skipped.

    @ivar silent: nothing has come since the request was sent.
    @ivar status: of the response; C{None} until its head is complete.
    @ivar headers: of the response.
    @ivar first: the first of them under each name.
    @ivar complete: the response has come to its end.
    @ivar reusable: and the connection may be used again.
    @ivar delimited: the response itself says where its end is.
    @ivar fault: what is wrong with it; nothing more is to be read then.
    """

    silent: bool
    status: int | None
    headers: list[RawHeader]
    first: Mapping[bytes, bytes]
    complete: bool
    reusable: bool
    delimited: bool
    fault: MalformedResponse | None
    _pieces: list[bytes]
    _head_size: int
    _interim: int
    _barren: int

    def __init__(self) -> None:
        self._parser: Any = HttpResponseParser(self)
        self.begin()

    def begin(self) -> None:
        """
        The next response is awaited.
        """
        self.silent = True
        self.status = None
        self.headers = []
        self.first = _NONE
        self.complete = self.reusable = self.delimited = False
        self._pieces = []
        self._head_size = self._interim = self._barren = 0
        self.fault = None

    def feed(self, data: bytes) -> bytes:
        """
        Read on.

        @return: what of it belongs to the body.
        """
        self.silent = False
        if self.status is None:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._refuse("it wants to speak another protocol")
        except HttpParserError as error:
            # What comes after a response does not spoil it.
            self.reusable = False
            if not self.complete:
                self._refuse(str(error))
        pieces = self._pieces
        if len(pieces) == 1:
            self._barren = 0
            return pieces.pop()
        if pieces:
            self._barren = 0
            self._pieces = []
        elif self.status is None:
            self._limit(self._head_size, "a head")
        elif not self.complete:
            # Trailers, say, of which there is no end either.
            self._barren += len(data)
            self._limit(self._barren, "what is no body")
        return b"".join(pieces)

    def stop(self) -> None:
        """
        Nothing more will be read.
        """
        # It refers to this.
        self._parser = None

    def on_message_begin(self) -> None:
        """
        The parser has found the beginning of a response.  If it is not the one
        that was asked for, the connection is of no use any more.
        """
        if self.complete:
            self.reusable = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """
        The parser has read a header, or a trailer.
        """
        if self.status is None:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """
        The parser has read a head.
        """
        if self.status is not None:
            return
        status = self._parser.get_status_code()
        if not self._parser.get_http_version().startswith("1."):
            self._refuse("a version other than HTTP/1.1")
        self._check_headers()
        if 100 <= status <= 199:
            self._interim += 1
            self.headers = []
            if self._interim > _MOST_INTERIM:
                self._refuse(f"more than {_MOST_INTERIM} interim responses")
        else:
            self.status = status
            self.delimited = _LENGTH in self.first or _CODING in self.first

    def on_body(self, data: bytes) -> None:
        """
        The parser has read a piece of the body.
        """
        if not self.complete:
            self._pieces.append(data)

    def on_message_complete(self) -> None:
        """
        The parser has read a response to its end.
        """
        if self.status is not None and not self.complete:
            self.complete = True
            self.reusable = self._parser.should_keep_alive()

    def _check_headers(self) -> None:
        headers = self.headers
        # The first one comes last, and stays.
        self.first = dict(reversed(headers))
        if len(headers) > _MOST_HEADERS:
            self._refuse(f"more than {_MOST_HEADERS} headers")
        # Most heads are shorter than one of their headers may be.
        if self._head_size > _LONGEST_HEADER and any(
            len(name) + len(value) > _LONGEST_HEADER for name, value in headers
        ):
            self._refuse(f"a header of over {_LONGEST_HEADER} bytes")
        if _CODING in self.first and any(
            name == _CODING and value.strip().lower() != b"chunked"
            for name, value in headers
        ):
            self._refuse("a Transfer-Encoding other than chunked")

    def _limit(self, size: int, what: str) -> None:
        if size > _LONGEST_HEAD:
            self._refuse(f"{what} of over {_LONGEST_HEAD} bytes")

    def _refuse(self, what: str) -> None:
        self.fault = self.fault or MalformedResponse(what)
