"""
What is asked, and how often.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from ..native.tools import Load

# For rates that do not depend on answers: more than are ever in flight at a
# proxy that keeps up.
_ENOUGH = 160

BUFFERED = "buffered"
STREAM = "stream"
PACED = "paced"

_SYSTEM = "You are a helpful assistant that answers briefly."
QUESTION = (
    "Hello! Please tell me which of the following sentences is the shortest one, and "
    "explain why you think so in at most two lines."
)
STREAMS: Mapping[str, object] = {
    "stream": True,
    "stream_options": {"include_usage": True},
}
# The provider takes this for its own pace: 50 ms to the first chunk, then 10 ms
# from each to the next.
_PACE = "mock-pace:50:10 "


@frozen
class Scenario:
    """
    One way of asking.

    @ivar key: its name for C{--scenarios} and in JSON.
    @ivar title: its name in tables.
    @ivar kind: of the request, one of L{bodies}.
    @ivar connections: how many ask at once.
    @ivar per_second: requests a second, 0: as many as are answered.
    """

    key: str
    title: str
    kind: str
    connections: int
    per_second: int = 0

    def load(self, directory: Path) -> Load:
        """
        The same for the load generator.

        @param directory: where the L{bodies} are.
        """
        return Load(
            directory / self.kind,
            self.connections,
            self.per_second,
            self.kind != BUFFERED,
        )


SCENARIOS = (
    Scenario("c1", "1 connection", BUFFERED, 1),
    Scenario("c32", "32 connections", BUFFERED, 32),
    Scenario("c256", "256 connections", BUFFERED, 256),
    Scenario("r50", "50 requests/s", BUFFERED, _ENOUGH, 50),
    Scenario("r500", "500 requests/s", BUFFERED, _ENOUGH, 500),
    Scenario("s1", "1 stream at once", STREAM, 1),
    Scenario("s16", "16 streams at once", STREAM, 16),
    Scenario("p20", "20 paced streams/s", PACED, _ENOUGH, 20),
    Scenario("p200", "200 paced streams/s", PACED, _ENOUGH, 200),
)


def bodies(directory: Path) -> Mapping[str, bytes]:
    """
    Write the body of every kind of request into a file of its name.

    @return: the bodies by the kind of request.
    """
    written = {
        BUFFERED: body(QUESTION),
        STREAM: body(QUESTION, **STREAMS),
        PACED: body(_PACE + QUESTION, **STREAMS),
    }
    for kind, content in written.items():
        (directory / kind).write_bytes(content)
    return written


def body(question: str, **more: object) -> bytes:
    """
    A request for a chat completion.

    @param more: members beside the usual ones.
    """
    request = {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": _SYSTEM},
            {"role": "user", "content": question},
        ],
        "temperature": 0.7,
        "max_tokens": 256,
        **more,
    }
    return json.dumps(request).encode()
