"""
SIGTERM with 100 streams open: C{python -m benchmarks.streams_sigterm [ROUNDS]}.

In half of the rounds all streams end within the daemon's grace, in the others
only some do.  Each must end with C{[DONE]} or with an error event, and have its
row, and the daemon must exit with 0.  The exit code is 1 if any of it fails.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater, react

from tests.integration.providers import (
    DONE,
    FIRST,
    LAST,
    STREAM_HEAD,
    Connection,
    Received,
    chunk,
    delta,
)

from .booked import Books
from .daemon import running, stopped
from .fuzz.answers import Answer, read
from .fuzz.conversation import Conversation
from .fuzz.exchanges import MODEL, chat, post
from .fuzz.targets import Wrong
from .outside import entry, outside, written

STREAMS = 100

_ROUNDS = 20
_LONG_GRACE, _SHORT_GRACE = 15, 2.0
_EVENT_SECONDS = 0.1
# Of each stream, so that with the short grace some end and some do not.
_LEAST_SECONDS, _MOST_SECONDS = 1.5, 4.0
_PATIENCE_SECONDS = 30


class _Slow:
    """
    The script of a provider whose streams take their time, from when all of them
    have begun.
    """

    def __init__(self, reactor: Any, seed: int) -> None:
        self._reactor = reactor
        self._chance = Random(seed)
        self._waiting: list[tuple[Connection, int]] = []

    def __call__(self, connection: Connection, request: Received) -> None:
        """
        Stream.
        """
        seconds = self._chance.uniform(_LEAST_SECONDS, _MOST_SECONDS)
        events = round(seconds / _EVENT_SECONDS)
        connection.write(STREAM_HEAD + chunk(FIRST) + chunk(delta("First ")))
        self._waiting.append((connection, events))
        if len(self._waiting) == STREAMS:
            for each in self._waiting:
                Deferred.fromCoroutine(self._stream(*each))

    async def _stream(self, connection: Connection, events: int) -> None:
        for number in range(events):
            await deferLater(self._reactor, _EVENT_SECONDS)
            if connection.lost.called:
                return
            connection.write(chunk(delta(f"word {number} ")))
        ending = (delta(finish="stop"), LAST, DONE, b"")
        connection.write(b"".join(map(chunk, ending)))


async def _first_bytes(reactor: Any, port: int, number: int) -> Conversation:
    """
    Ask for a stream, and wait until it has begun.

    @raise Wrong: it does not.
    """
    conversation = await Conversation.with_port(reactor, port)
    conversation.socket.write(post(chat(number, stream=True)))
    while b'"content"' not in conversation.data:
        if conversation.closed or not await conversation.more(
            reactor, _PATIENCE_SECONDS
        ):
            raise Wrong(f"A stream did not begin: {bytes(conversation.data)!r}")
    return conversation


async def _last_bytes(reactor: Any, conversation: Conversation) -> Answer:
    """
    Wait until the connection is closed.

    @raise Wrong: it is not, or the stream neither looks whole nor tells of an
        error.
    """
    while not conversation.closed:
        if not await conversation.more(reactor, _PATIENCE_SECONDS):
            raise Wrong("A stream is still open")
    (answer,) = read(bytes(conversation.data), closed=True)
    answer.check()
    return answer


async def _round(reactor: Any, directory: Path, number: int) -> list[str]:
    grace = _SHORT_GRACE if number % 2 else _LONG_GRACE
    wrong: list[str] = []
    answers: list[Answer] = []

    async def finish(conversation: Conversation) -> None:
        try:
            answers.append(await _last_bytes(reactor, conversation))
        except (Wrong, ValueError) as error:
            wrong.append(f"Round {number}: {error}")

    async with outside(reactor, _Slow(reactor, number)) as provider:
        config = written(
            directory,
            [entry("outside", provider.url, [MODEL])],
            server={"shutdown_grace_seconds": grace},
        )
        async with running(directory, "--config", str(config)) as process:
            port = process.listening_port()
            open_streams = await gatherResults(
                [
                    Deferred.fromCoroutine(_first_bytes(reactor, port, each))
                    for each in range(STREAMS)
                ]
            )
            finishing = [
                Deferred.fromCoroutine(finish(conversation))
                for conversation in open_streams
            ]
            began = time.monotonic()
            wrong += await stopped(process)
            seconds = time.monotonic() - began
            await gatherResults(finishing)
    books = Books.read(directory / "books.db")
    whole = sum(answer.whole for answer in answers)
    broken = len(answers) - whole
    print(
        f"{number:<5} {grace:>7} {len(open_streams):>7} {whole:>7} {broken:>7} "
        f"{books.count:>7} {seconds:>8.1f}",
        flush=True,
    )
    wrong += books.wrong()
    if len(books.finished()) != STREAMS:
        wrong.append(f"Round {number}: {len(books.finished())} finished rows")
    if grace == _LONG_GRACE and broken:
        wrong.append(f"Round {number}: {broken} streams were cut within the grace")
    return wrong


async def main(reactor: Any, rounds: str = str(_ROUNDS)) -> None:
    """
    Stop it so often, and tell.

    @raise SystemExit: something was wrong.
    """
    wrong = []
    good = 0
    print("round   grace streams    done  errors    rows  seconds")
    for number in range(int(rounds)):
        with tempfile.TemporaryDirectory() as directory:
            found = await _round(reactor, Path(directory), number)
        good += not found
        wrong += found
    print(f"{good} of {rounds} rounds as they should be")
    if wrong:
        sys.exit("\n".join(wrong[:20]))


if __name__ == "__main__":
    react(
        lambda reactor, *arguments: Deferred.fromCoroutine(main(reactor, *arguments)),
        sys.argv[1:],
    )
