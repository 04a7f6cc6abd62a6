"""
Clients that remember all that they were told.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from attrs import define, field, frozen
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, gatherResults

from tests.integration.process import DaemonProcess

MODELS = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4.5")

_SEED = 20
_SECONDS = 60
_MOST_TOKENS = 12
_FACTS = re.compile(rb"^: arbstr (\{.*\})$", re.M)


@frozen
class Answer:
    """
    What came of one request.

    @ivar request_id: C{None} if not even the head of a response came.
    @ivar status: the response's; 0 without one.
    @ivar whole: it came to its very end.
    @ivar cost: the sats it was told to cost, if it was told.
    @ivar ended: the monotonic time when nothing more came.
    """

    request_id: str | None
    status: int
    whole: bool
    cost: Decimal | None
    ended: float

    @property
    def good(self) -> bool:
        """
        It is what was asked for.
        """
        return self.status == 200 and self.whole


@define
class Clients:
    """
    Ask for completions, every second one streamed.

    @ivar url: of the daemon.
    @ivar answers: in the order in which they ended.
    """

    url: str
    client: HTTPClient
    answers: list[Answer] = field(factory=list)
    _chance: random.Random = field(factory=lambda: random.Random(_SEED))

    @classmethod
    def of(cls, process: DaemonProcess, client: HTTPClient) -> Clients:
        """
        Clients of a daemon, which have not asked anything yet.
        """
        return cls(f"http://127.0.0.1:{process.listening_port()}", client)

    def run(self, requests: Iterator[int], at_once: int) -> Deferred[Any]:
        """
        Ask until there are no more requests, or nobody who answers.

        @param requests: the number of each; shared by all clients.
        @param at_once: how many clients there are.
        """
        return gatherResults(
            [Deferred.fromCoroutine(self._ask_each(requests)) for _ in range(at_once)]
        )

    async def _ask_each(self, requests: Iterator[int]) -> None:
        for number in requests:
            answer = await self.ask(number)
            self.answers.append(answer)
            if answer.request_id is None:
                break

    async def ask(self, number: int) -> Answer:
        """
        Ask once, and read all that comes.

        @param number: odd ones are streamed.
        """
        stream = bool(number % 2)
        body = {
            "model": self._chance.choice(MODELS),
            "messages": [{"role": "user", "content": "Hi" * (1 + number % 97)}],
            "max_tokens": self._chance.randint(2, _MOST_TOKENS),
            "stream": stream,
        }
        request_id, status, whole, cost = None, 0, False, None
        try:
            response = await self.client.post(
                f"{self.url}/v1/chat/completions", json=body, timeout=_SECONDS
            )
            status = response.code
            (request_id,) = response.headers.getRawHeaders("X-Arbstr-Request-Id")
            (told,) = response.headers.getRawHeaders("X-Arbstr-Cost-Sats", [None])
            content = await response.content()
            whole = not stream or content.endswith(b"data: [DONE]\n\n")
            cost = _streamed_cost(content) if told is None else Decimal(told)
        except Exception:
            # What is missing says enough: to break things is what this is for.
            whole = False
        return Answer(request_id, status, whole, cost, time.monotonic())


def _streamed_cost(content: bytes) -> Decimal | None:
    facts = _FACTS.search(content)
    if facts is None:
        return None
    cost = json.loads(facts[1], parse_float=Decimal)["cost_sats"]
    return None if cost is None else Decimal(cost)
