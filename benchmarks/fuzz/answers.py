"""
What a daemon may answer: well-formed HTTP, well-formed JSON, whole streams or
broken ones that say so.
"""

from __future__ import annotations

import json
import re
from typing import Any

from attrs import frozen

from .reference import understood
from .targets import Wrong

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) [\x20-\x7e]*\r\n")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\x20-\x7e\x80-\xff\t]*)\r\n")
_CHUNK = re.compile(rb"([0-9a-fA-F]+)\r\n")
_UUID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_BODY = {204, 304}
_NEVER = 500


class Unfinished(Exception):
    """
    More is to come.
    """


@frozen
class Answer:
    """
    One response.

    @ivar headers: by lower-case name, each with its values.
    @ivar whole: the body came to its end.
    """

    status: int
    headers: dict[bytes, list[bytes]]
    body: bytes
    whole: bool

    def header(self, name: bytes) -> bytes:
        """
        The only value of a header; empty without one.

        @raise Wrong: there are several.
        """
        values = self.headers.get(name, [b""])
        if len(values) != 1:
            raise Wrong(f"{len(values)} headers {name!r}")
        return values[0]

    @property
    def streamed(self) -> bool:
        """
        It is an event stream.
        """
        return self.header(b"content-type").startswith(b"text/event-stream")

    def check(self) -> None:
        """
        See that it is one that the daemon may give.

        @raise Wrong: it is not.
        """
        if not 200 <= self.status <= 599 or self.status == _NEVER:
            raise Wrong(f"Status {self.status}")
        if not _UUID.fullmatch(self.header(b"x-arbstr-request-id")):
            raise Wrong("No request id")
        if self.streamed and self.status == 200:
            self._check_stream()
        elif not self.whole:
            raise Wrong("It broke off")
        elif self.header(b"content-type").startswith(b"application/json"):
            self._check_json()
        elif self.status >= 400:
            raise Wrong("An error that is no JSON")

    def _check_json(self) -> None:
        if not self.body:
            # Of HEAD: it speaks of a body that does not come.
            return
        value = _json(self.body)
        # What a provider says of the client's own fault passes as it came.
        passed = b"x-arbstr-provider" in self.headers
        if self.status >= 400 and not passed and not _is_error(value):
            raise Wrong("An error of another shape")

    def _check_stream(self) -> None:
        seen = understood(self.body)
        if None in seen:
            raise Wrong("A client would stumble over its events")
        ending = seen[-1] if seen else None
        if self.whole and ending != "[DONE]":
            raise Wrong("A whole stream without its end")
        if not self.whole and not _is_error(ending):
            raise Wrong("A broken stream that does not say so")


def read(data: bytes, closed: bool, heads: bool = False) -> list[Answer]:
    """
    All the answers on one connection.

    @param closed: no more will come.
    @param heads: requests among those answered may have been for heads only.
    @raise Unfinished: more must come.
    @raise Wrong: it is no HTTP.
    """
    answers = []
    place = 0
    while place < len(data):
        answer, place = _read_one(data, place, closed, heads)
        if answer.status != 100:
            answers.append(answer)
    return answers


def _read_one(data: bytes, place: int, closed: bool, heads: bool) -> tuple[Answer, int]:
    end = data.find(b"\r\n\r\n", place)
    if end < 0:
        if not closed and len(data) - place < 65536:
            raise Unfinished
        raise Wrong(f"No head: {data[place : place + 200]!r}")
    line = _STATUS_LINE.match(data, place)
    if line is None:
        raise Wrong(f"No status line: {data[place : place + 200]!r}")
    status, headers = int(line[1]), dict[bytes, list[bytes]]()
    place = line.end()
    while place < end + 2:
        header = _HEADER.match(data, place)
        if header is None:
            raise Wrong(f"No header: {data[place : place + 200]!r}")
        headers.setdefault(header[1].lower(), []).append(header[2])
        place = header.end()
    place = end + 4
    if status < 200 or status in _NO_BODY:
        return Answer(status, headers, b"", True), place
    if heads and (place == len(data) or _STATUS_LINE.match(data, place)):
        return Answer(status, headers, b"", True), place
    body, place, whole = _read_body(data, place, headers)
    if not whole and not closed:
        raise Unfinished
    streamed = b"text/event-stream" in b"".join(headers.get(b"content-type", []))
    if b"transfer-encoding" not in headers and b"content-length" not in headers:
        # It ends with the connection: what it says tells whether it is whole.
        whole = body.endswith(b"data: [DONE]\n\n") if streamed else True
    return Answer(status, headers, body, whole), place


def _read_body(
    data: bytes, place: int, headers: dict[bytes, list[bytes]]
) -> tuple[bytes, int, bool]:
    """
    @return: the body, where it ends, and whether that is its end.
    """
    lengths = headers.get(b"content-length", [])
    codings = headers.get(b"transfer-encoding", [])
    if len(lengths) + len(codings) > 1:
        raise Wrong("Several ways to tell the body's length")
    if lengths:
        if not lengths[0].isdigit():
            raise Wrong(f"Content-Length {lengths[0]!r}")
        end = place + int(lengths[0])
        return data[place:end], min(end, len(data)), end <= len(data)
    if not codings:
        return data[place:], len(data), False
    body = b""
    while (size := _CHUNK.match(data, place)) is not None:
        length = int(size[1], 16)
        end = size.end() + length
        if data[end : end + 2] != b"\r\n"[: max(0, len(data) - end)]:
            raise Wrong(f"A chunk without its end: {data[end : end + 20]!r}")
        body += data[size.end() : end]
        place = end + 2
        if not length:
            return body, place, place <= len(data)
        if place > len(data):
            break
    if place < len(data) and b"\r\n" in data[place:]:
        raise Wrong(f"No chunk: {data[place : place + 50]!r}")
    return body, len(data), False


def _json(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8"))
    except ValueError as error:
        raise Wrong(f"A body that is no JSON: {error}") from None


def _is_error(value: object) -> bool:
    error = value.get("error") if isinstance(value, dict) else None
    return isinstance(error, dict) and {"message", "type", "param", "code"} <= set(
        error
    )
