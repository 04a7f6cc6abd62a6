"""
The clients of a daemon that is fuzzed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from .adversary import Adversary
from .answers import Answer, Unfinished, read
from .conversation import Conversation
from .exchanges import HEALTHY, Exchanges, chat, get, post
from .mutation import split
from .targets import Wrong

_SEED = 5
_AT_ONCE = 48
_HEALTHY_EACH = 100
_MOST_WRONG = 20
_SHOWN = 1500
# The daemon waits for more when a mutated request seems to have no end: so do
# we, for a while.
_QUIET_SECONDS = 0.4
_ANSWER_SECONDS = 20


@define
class Session:
    """
    All the cases, and what came of them.

    @ivar cases: how many have been begun.
    @ivar counts: answers by status, and cases without one by what they were.
    @ivar slowest: the seconds that the slowest healthy request took.
    """

    reactor: Any
    port: int
    adversary: Adversary
    cases: int = 0
    counts: Counter[str] = field(factory=Counter)
    wrong: list[str] = field(factory=list)
    slowest: float = 0.0
    _idle: list[Conversation] = field(factory=list)
    _chance: Random = field(factory=lambda: Random(_SEED))
    _exchanges: Exchanges = field(init=False)

    @_exchanges.default
    def _make_exchanges(self) -> Exchanges:
        return Exchanges(self._chance)

    async def run(self, cases: Iterator[int], last: int) -> None:
        """
        Several at once, up to and with the last one.
        """
        some = islice(cases, last - self.cases)
        working = [Deferred.fromCoroutine(self._work(some)) for _ in range(_AT_ONCE)]
        await gatherResults(working, consumeErrors=True)
        for conversation in self._idle:
            conversation.socket.abortConnection()
        self._idle.clear()

    async def _work(self, cases: Iterator[int]) -> None:
        for number in cases:
            if len(self.wrong) >= _MOST_WRONG:
                break
            self.cases += 1
            if number % _HEALTHY_EACH == 0:
                await self._healthy(number)
            sent, reads, way = self._case(number)
            answers: list[Answer] = []
            told = b""
            try:
                answers, told = await self._talk(number, sent, reads, way)
                for answer in answers:
                    self.counts[str(answer.status)] += 1
                    answer.check()
            except Wrong as error:
                self._tell(number, str(error), sent, told)

    def _case(self, number: int) -> tuple[bytes, list[bytes], str]:
        """
        @return: what is sent, in which pieces, and what of it is special.
        """
        chance = self._chance
        chance.seed(f"{_SEED} {number}")
        if number % 2:
            sent, way = post(chat(number, chance.random() < 0.6)), "provider"
        else:
            sent, way = self._exchanges.request(number), "client"
            sent += get(b"/v1/models/%b" % _sentinel(number))
        reads = split(sent, chance) if chance.random() < 0.3 else [sent]
        if chance.random() < 0.02:
            way = chance.choice(("leaves", "half-closes"))
        return sent, reads, way

    async def _talk(
        self, number: int, sent: bytes, reads: list[bytes], way: str
    ) -> tuple[list[Answer], bytes]:
        conversation = await self._connection()
        for piece in reads:
            conversation.socket.write(piece)
            if len(reads) > 1:
                await deferLater(self.reactor, 0)
        if way == "leaves":
            self.counts["left"] += 1
            conversation.socket.abortConnection()
            return [], b""
        if way == "half-closes":
            self.counts["left"] += 1
            if not conversation.closed:
                conversation.socket.loseWriteConnection()
            await self._closed(conversation)
            return [], b""
        answers = await self._answers(conversation, number, way, b"HEAD" in sent)
        told = bytes(conversation.data)
        if conversation.closed and not told:
            if conversation.used:
                # It was being closed when it was taken for this case.
                return await self._talk(number, sent, reads, way)
            self._tell(number, "It was closed without a word", sent, told)
        if not conversation.closed:
            last = answers[-1] if answers else None
            if last is None or not _is_last(last, number, way):
                conversation.socket.abortConnection()
            elif b"close" not in last.header(b"connection"):
                conversation.data.clear()
                conversation.used = True
                self._idle.append(conversation)
        return answers, told

    async def _connection(self) -> Conversation:
        while self._idle:
            conversation = self._idle.pop()
            if not conversation.closed:
                return conversation
        return await Conversation.with_port(self.reactor, self.port)

    async def _answers(
        self, conversation: Conversation, number: int, way: str, heads: bool
    ) -> list[Answer]:
        patience = _QUIET_SECONDS if way == "client" else _ANSWER_SECONDS
        while True:
            try:
                answers = read(bytes(conversation.data), conversation.closed, heads)
            except Unfinished:
                answers = []
            except Wrong:
                conversation.socket.abortConnection()
                raise
            if conversation.closed or (answers and _is_last(answers[-1], number, way)):
                return answers
            if not await conversation.more(self.reactor, patience):
                if way != "client":
                    conversation.socket.abortConnection()
                    raise Wrong(f"No answer within {patience} seconds")
                self.counts["unfinished"] += 1
                return answers

    async def _healthy(self, number: int) -> None:
        """
        A request that has nothing to do with all this, on its own connection.
        """
        began = time.monotonic()
        sent = post(chat(number, number % (2 * _HEALTHY_EACH) == 0, HEALTHY))
        conversation = await Conversation.with_port(self.reactor, self.port)
        conversation.socket.write(sent)
        try:
            answer, *_ = await self._answers(conversation, number, "healthy", False)
            answer.check()
            if answer.status != 200 or not answer.whole:
                raise Wrong(f"It was answered {answer.status}")
        except Wrong as error:
            told = bytes(conversation.data)
            self._tell(number, f"A healthy request: {error}", sent, told)
        conversation.socket.abortConnection()
        self.counts["healthy"] += 1
        self.slowest = max(self.slowest, time.monotonic() - began)

    async def _closed(self, conversation: Conversation) -> None:
        while not conversation.closed:
            if not await conversation.more(self.reactor, _ANSWER_SECONDS):
                conversation.socket.abortConnection()
                raise Wrong("A connection that was half closed stays open")

    def _tell(self, number: int, what: str, sent: bytes, told: bytes) -> None:
        provider = b"\n    ".join(each[:_SHOWN] for each in self.adversary.sent(number))
        self.wrong.append(
            f"Case {number}: {what}\n  sent {sent[:_SHOWN]!r}\n"
            f"  answered {told[:_SHOWN]!r}\n  the provider {provider!r}"
        )


def _sentinel(number: int) -> bytes:
    return b"sentinel-%d" % number


def _is_last(answer: Answer, number: int, way: str) -> bool:
    return way != "client" or _sentinel(number) in answer.body
