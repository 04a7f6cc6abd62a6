"""
A provider that answers with mutated exchanges.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from tests.integration.providers import Connection, Received, fails, serves

from .exchanges import HEALTHY, Exchanges
from .mutation import split

_CASE = re.compile(rb'"case-([0-9]+)"')
_PLACE = re.compile(r"/(\w+)/v1/")
# What has the daemon leave a provider alone for a while.
_COOLING = re.compile(rb"HTTP/1\.[01] +(401|402|403|404|429|503)\b")
_REMEMBERED = 512


class Adversary:
    """
    The script of that provider.  It stands for several, told apart by their
    paths, of which it lets at most so many be left alone at a time.

    @param most_cooling: how many.
    @param seed: of all that it does; what it does for one case does not depend
        on other cases.
    """

    def __init__(self, reactor: Any, most_cooling: int, seed: int) -> None:
        self._reactor = reactor
        self._most = most_cooling
        self._seed = seed
        self._cooling: set[str] = set()
        self._sent: OrderedDict[int, list[bytes]] = OrderedDict()
        self._chance = Random(seed)
        self._exchanges = Exchanges(self._chance)

    def sent(self, number: int) -> list[bytes]:
        """
        What it answered in a case, if that was not long ago.
        """
        return self._sent.get(number, [])

    def __call__(self, connection: Connection, request: Received) -> None:
        """
        Answer.
        """
        place = _PLACE.search(request.line)
        name = "" if place is None else place[1]
        if name == HEALTHY:
            serves(connection, request)
            return
        found = _CASE.search(request.body)
        number = int(found[1]) if found else -1
        if found:
            self._chance.seed(f"{self._seed} {number} {len(self.sent(number))}")
        stream = "event-stream" in request.headers.get("accept", "")
        data, framed = self._exchanges.response(stream)
        if _COOLING.match(data):
            if name not in self._cooling and len(self._cooling) >= self._most:
                fails()(connection, request)
                return
            self._cooling.add(name)
        self._remember(number, data)
        pieces = split(data, self._chance) if self._chance.random() < 0.5 else [data]
        end = "open" if framed else self._end()
        Deferred.fromCoroutine(self._send(connection, pieces, end))

    def _end(self) -> str:
        way = self._chance.random()
        return "close" if way < 0.8 else "reset" if way < 0.98 else "stall"

    async def _send(
        self, connection: Connection, pieces: list[bytes], end: str
    ) -> None:
        for piece in pieces:
            if connection.lost.called:
                return
            connection.write(piece)
            if len(pieces) > 1:
                await deferLater(self._reactor, 0)
        if end == "close":
            connection.close()
        elif end == "reset":
            connection.reset()

    def _remember(self, number: int, data: bytes) -> None:
        self._sent.setdefault(number, []).append(data)
        if len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)
