"""
Streams as providers break them, and as they may look odd and yet be whole.

Each is a script, by the name under which it can be ordered as a model: see
L{by_model}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from twisted.internet.interfaces import IConsumer, IPullProducer
from zope.interface import implementer

from .providers import (
    DONE,
    FIRST,
    LAST,
    STREAM_HEAD,
    WHOLE,
    Connection,
    Received,
    Script,
    begins_a_stream,
    chunk,
    delta,
    event,
    fails,
    http,
    is_silent,
    streams,
)

_BEGUN = (FIRST, delta("Hel"), delta("lo!"))
_UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
_FAILED = {"error": {"message": "died", "type": "server_error", "code": 502}}


def _says(*pieces: bytes) -> Script:
    """
    Writes these bytes and closes the connection.
    """

    def script(connection: Connection, request: Received) -> None:
        connection.write(b"".join(pieces))
        connection.close()

    return script


@implementer(IPullProducer)
class _Reset:
    """
    Cuts a connection with a TCP reset, once what was written is under way.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._asked = 0

    def resumeProducing(self) -> None:
        """
        The first time this is since it is registered.
        """
        self._asked += 1
        if self._asked == 1:
            self._connection.write(STREAM_HEAD + b"".join(map(chunk, _BEGUN)))
        else:
            self._connection.reset()

    def stopProducing(self) -> None:
        """
        See L{IPullProducer.stopProducing}.
        """


def _resets(connection: Connection, request: Received) -> None:
    transport = cast(IConsumer, connection.transport)
    transport.registerProducer(_Reset(connection), False)


def _byte_by_byte(connection: Connection, request: Received) -> None:
    body = b"".join(WHOLE)
    pieces = [chunk(body[place : place + 1]) for place in range(len(body))]
    connection.write(STREAM_HEAD + b"".join(pieces) + chunk(b""))


BROKEN: Mapping[str, Script] = {
    "refused": fails(500),
    "silent": is_silent,
    "garbage instead of a status": _says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
    "a page": _says(http(200, b"<html>", "Content-Type: text/html")),
    "cut": streams(*_BEGUN, end=False),
    "cut before any event": streams(end=False),
    "reset": _resets,
    "stalled": begins_a_stream,
    "malformed chunk": _says(STREAM_HEAD, *map(chunk, _BEGUN), b"zz\r\n"),
    "shorter than its length": _says(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n",
        b"Content-Length: 999999\r\n\r\n",
        *_BEGUN,
    ),
    "closed without a finish": _says(_UNTIL_CLOSE, *_BEGUN),
    "ended without a finish": streams(*_BEGUN),
    "ended without any event": streams(),
    "one of two choices finished": streams(
        event({"choices": [{"index": 1, "delta": {"content": "Hi"}}]}),
        *_BEGUN,
        delta(finish="stop"),
    ),
    "an error event": streams(*_BEGUN, event(_FAILED)),
    "an error event first": streams(event(_FAILED)),
    "finished with an error": streams(*_BEGUN, delta(finish="error"), DONE),
}
"""
A client must be told of all of these.
"""

SOUND: Mapping[str, Script] = {
    "plain": streams(*WHOLE),
    "without usage": streams(*_BEGUN, delta(finish="stop"), DONE),
    "without [DONE]": streams(*_BEGUN, delta(finish="stop"), LAST),
    "closed after [DONE]": _says(_UNTIL_CLOSE, *WHOLE),
    "lines of CR and LF": streams(*(each.replace(b"\n", b"\r\n") for each in WHOLE)),
    "lines of CR": streams(*(each.replace(b"\n", b"\r") for each in WHOLE)),
    "byte by byte": _byte_by_byte,
    "comments": streams(b": wait\n\n", *WHOLE[:2], b": PROCESSING\n\n", *WHOLE[2:]),
    "events without data": streams(b"event: ping\n\n", b"retry: 1\n\n", *WHOLE),
    "an id": streams(b"id: 1\n" + WHOLE[0], *WHOLE[1:]),
    "data that is no JSON": streams(*WHOLE[:2], b"data: {oops\n\n", *WHOLE[2:]),
    "a byte order mark": streams(b"\xef\xbb\xbf" + WHOLE[0], *WHOLE[1:]),
    "no blank line at the end": streams(*_BEGUN, delta(finish="stop").rstrip(b"\n")),
    "more after [DONE]": streams(*WHOLE, b"data: {oops\n\n"),
}
"""
A client must get these to their ends.
"""


def by_model(connection: Connection, request: Received) -> None:
    """
    Answers as the model's name says.
    """
    model = json.loads(request.body)["model"]
    {**BROKEN, **SOUND}[model](connection, request)
