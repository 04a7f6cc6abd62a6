"""
Whether the books hold what clients were told, whatever happens to the daemon:

    python -m benchmarks.books load [REQUESTS]
    python -m benchmarks.books sigterm [TIMES]
    python -m benchmarks.books kill9 [TIMES]
    python -m benchmarks.books full [BYTES]

The daemon runs in a process of its own, on mock providers that fail at times,
and keeps its books in a file.  C{full} mounts a small file system for it, which
only root can do, with so many bytes free at first.  Anything wrong is told, and
the exit code is 1; 2 where it could not be tried.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from arbstr.ledger.writer import FLUSH_SECONDS

from .asking import Answer, Clients
from .booked import Books, total
from .daemon import http_client, running, stopped
from .full_disk import CannotTry, full
from .mocks import configured

AT_ONCE = 64

_USAGE = 2


async def load(reactor: Any, directory: Path, requests: int) -> list[str]:
    """
    So many requests as fast as they are answered, then SIGTERM.
    """
    config = configured(directory, attempts=1)
    async with (
        http_client(reactor) as client,
        running(directory, "--config", str(config)) as process,
    ):
        clients = Clients.of(process, client)
        began = time.monotonic()
        await clients.run(iter(range(requests)), AT_ONCE)
        seconds = time.monotonic() - began
        wrong = await stopped(process)
    books = Books.read(directory / "books.db")
    print(_figure("requests per second", f"{requests / seconds:.0f}"))
    if len(clients.answers) != requests:
        wrong.append(f"{len(clients.answers)} of {requests} requests came to an end")
    return wrong + books.wrong() + _differences(clients.answers, books)


def _differences(answers: Sequence[Answer], books: Books) -> list[str]:
    """
    Print what clients were told, and what the books say.

    @return: in what they differ.
    """
    costs = {answer.request_id: answer.cost for answer in answers}
    broken = {answer.request_id for answer in answers if not answer.whole}
    estimates = [row for row in books.rows.values() if row.estimated]
    differing = [
        row
        for row in books.rows.values()
        if not row.estimated and row.cost != costs.get(row.request_id)
    ]
    told, kept = total(costs.values()), books.sats(estimated=False)
    answered = sum(answer.request_id is not None for answer in answers)
    missing, unheard = books.without_row(answers), books.unheard(answers)
    for name, figure in {
        "requests": len(answers),
        "answered": answered,
        "of these failed": sum(not answer.good for answer in answers),
        "rows": books.count,
        "answers without a row": len(missing),
        "rows without an answer": len(unheard),
        "sats that clients were told": told,
        "sats in rows": kept,
        "rows of another cost than told": len(differing),
        "rows of broken streams, estimated": len(estimates),
        "sats in these": books.sats(estimated=True),
    }.items():
        print(_figure(name, figure))
    wrong = []
    if not len(answers) == answered == books.count:
        wrong.append("There are not as many answers and rows as requests")
    if missing or unheard:
        wrong.append("Answers and rows are not of the same requests")
    if told != kept or differing or not told:
        wrong.append("The costs are not the same")
    if not {row.request_id for row in estimates} <= broken:
        wrong.append("Costs of whole answers are estimates")
    return wrong


async def sigterm(reactor: Any, directory: Path, times: int) -> list[str]:
    """
    SIGTERM in the middle of load.
    """
    print(_line("", "answered", "failed", "unheard", "rows", "missing"))
    wrong = []
    for number in range(times):
        place = directory / str(number)
        place.mkdir()
        wrong += await _terminated(reactor, place, number)
    return wrong


async def _terminated(reactor: Any, directory: Path, number: int) -> list[str]:
    config = configured(directory, attempts=3)
    async with (
        http_client(reactor) as client,
        running(directory, "--config", str(config)) as process,
    ):
        clients = Clients.of(process, client)
        asking = clients.run(count(), AT_ONCE)
        await _some_time(reactor, clients, number)
        wrong = await stopped(process)
        await asking
    answers, books = clients.answers, Books.read(directory / "books.db")
    answered = [answer for answer in answers if answer.request_id is not None]
    missing, unheard = books.without_row(answers), books.unheard(answers)
    failed = sum(not answer.good for answer in answered)
    print(_line(number, len(answered), failed, len(unheard), books.count, len(missing)))
    wrong += books.wrong()
    if missing:
        wrong.append(f"Round {number}: {len(missing)} answers have no finished row")
    # A head can be lost on its way, but only to a client that got none.
    if len(unheard) > len(answers) - len(answered):
        wrong.append(f"Round {number}: rows of requests that nobody sent")
    if not any(answer.good for answer in answers):
        wrong.append(f"Round {number}: nothing was answered")
    return wrong


async def kill9(reactor: Any, directory: Path, times: int) -> list[str]:
    """
    SIGKILL in the middle of load, and a restart.
    """
    print(
        _line("", "answered", "rows", "open", "lost", "due")
        + f" {'oldest lost ms':>15}"
    )
    wrong = []
    for number in range(times):
        place = directory / str(number)
        place.mkdir()
        wrong += await _killed(reactor, place, number)
    return wrong


async def _killed(reactor: Any, directory: Path, number: int) -> list[str]:
    config = configured(directory, attempts=3)
    async with (
        http_client(reactor) as client,
        running(directory, "--config", str(config)) as process,
    ):
        clients = Clients.of(process, client)
        asking = clients.run(count(), AT_ONCE)
        await _some_time(reactor, clients, number)
        killed = time.monotonic()
        await process.kill()
        await asking
    async with running(directory, "--config", str(config)) as process:
        wrong = await stopped(process)
    answers, books = clients.answers, Books.read(directory / "books.db")
    lost = books.without_row(answers)
    due = [answer for answer in lost if killed - answer.ended > FLUSH_SECONDS]
    oldest = max((killed - answer.ended for answer in lost), default=0.0)
    answered = sum(answer.request_id is not None for answer in answers)
    opened = books.count - len(books.finished())
    print(
        _line(number, answered, books.count, opened, len(lost), len(due))
        + f" {1000 * oldest:>15.0f}"
    )
    wrong += books.wrong()
    if due:
        wrong.append(f"Round {number}: {len(due)} rows were due and are not there")
    if not books.finished():
        wrong.append(f"Round {number}: no row was there before the kill")
    return wrong


async def _some_time(reactor: Any, clients: Clients, number: int) -> None:
    """
    Wait until rows of answers are due, and a while.
    """
    while not clients.answers:
        await deferLater(reactor, 0.01)
    await deferLater(reactor, 2 * FLUSH_SECONDS + random.Random(number).random())


def _figure(name: str, figure: object) -> str:
    return f"{name:<34} {figure!s:>18}"


def _line(name: object, *cells: object) -> str:
    return f"{name!s:<5}" + "".join(f" {cell!s:>9}" for cell in cells)


_Command = Callable[[Any, Path, int], Coroutine[Deferred[Any], Any, list[str]]]
_COMMANDS: dict[str, tuple[_Command, int]] = {
    "load": (load, 10_000),
    "sigterm": (sigterm, 20),
    "kill9": (kill9, 20),
    "full": (full, 500_000),
}


async def main(reactor: Any, name: str = "", times: str | None = None) -> None:
    """
    Try one thing, and tell.

    @raise SystemExit: something was wrong.
    """
    if name not in _COMMANDS:
        print(__doc__, file=sys.stderr)
        sys.exit(_USAGE)
    command, default = _COMMANDS[name]
    with tempfile.TemporaryDirectory() as directory:
        try:
            wrong = await command(reactor, Path(directory), int(times or default))
        except CannotTry as error:
            print(error, file=sys.stderr)
            sys.exit(_USAGE)
    if wrong:
        sys.exit("\n".join(wrong[:20]))


if __name__ == "__main__":
    react(
        lambda reactor, *arguments: Deferred.fromCoroutine(main(reactor, *arguments)),
        sys.argv[1:],
    )
