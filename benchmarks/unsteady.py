"""
A provider that breaks its answers at times, and clients that leave.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from random import Random
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.error import TimeoutError as TimedOut

from tests.integration.broken_streams import BROKEN
from tests.integration.providers import (
    Connection,
    Received,
    begins_a_stream,
    fails,
    is_silent,
    serves,
)

from .asking import MODELS
from .fuzz.conversation import Conversation
from .fuzz.exchanges import post

SHARE = 0.01
"""
Of all answers that are broken, and of all clients that leave.
"""

_SEED = 6
_LEAVER = re.compile(rb'"leaver-([0-9]+)"')
_PATIENCE_SECONDS = 30


@define
class Unsteady:
    """
    The script of that provider.

    @ivar broken: how often it broke an answer, by the way in which it did.
    """

    broken: Counter[str] = field(factory=Counter)
    _arrived: dict[int, Deferred[None]] = field(factory=dict)
    _chance: Random = field(factory=lambda: Random(_SEED))

    def arrives(self, number: int) -> Deferred[None]:
        """
        Fires when the request of a client that will leave has come.
        """
        return self._arrived.setdefault(number, Deferred())

    def __call__(self, connection: Connection, request: Received) -> None:
        """
        Answer, or break.
        """
        leaver = _LEAVER.search(request.body)
        if leaver is not None:
            arrived = self._arrived.pop(int(leaver[1]), None)
            (begins_a_stream if int(leaver[1]) % 2 else is_silent)(connection, request)
            if arrived is not None:
                arrived.callback(None)
        elif self._chance.random() >= SHARE:
            serves(connection, request)
        else:
            name = self._chance.choice(list(BROKEN))
            streamed = "event-stream" in request.headers.get("accept", "")
            self.broken[name] += 1
            (BROKEN[name] if streamed else fails(502))(connection, request)


async def leave(reactor: Any, port: int, number: int, provider: Unsteady) -> None:
    """
    Ask for a stream, and leave: every second time before anything has come, else
    in the middle of it.

    @raise TimedOut: nothing came.
    """
    body = {
        "model": MODELS[0],
        "messages": [{"role": "user", "content": "Hi"}],
        "user": f"leaver-{number}",
        "stream": True,
    }
    arrived = provider.arrives(number)
    conversation = await Conversation.with_port(reactor, port)
    try:
        conversation.socket.write(post(json.dumps(body).encode()))
        if number % 2:
            if not await conversation.more(reactor, _PATIENCE_SECONDS):
                raise TimedOut
        else:
            await arrived.addTimeout(_PATIENCE_SECONDS, reactor)
    finally:
        conversation.socket.abortConnection()
