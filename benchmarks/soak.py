"""
Half an hour of trouble: C{python -m benchmarks.soak [MINUTES]}.

The daemon runs in a process of its own, keeps its books in a file, and is asked
at a steady rate.  Of a hundred answers one is broken by the provider, in one of
the ways that the tests know, and of a hundred clients one leaves.  A row is
printed each minute.  The exit code is 1 if the daemon grows, keeps descriptors,
loses a row, or logs an error.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater, react

from tests.integration.process import DaemonProcess

from .asking import MODELS, Answer, Clients
from .booked import Books
from .concurrency import Holdings, settled
from .daemon import http_client, running, stopped
from .outside import entry, outside, written
from .rest import at_rest
from .unsteady import SHARE, Unsteady, leave

RATE = 50

_MINUTES = 30
_SAMPLE_SECONDS = 1
_ROW_SECONDS = 60
# Of the whole time: what a daemon learns at first is no leak.
_WARM_UP = 0.2
_WINDOW = 0.1
_MOST_GROWTH = 0.05
_LEAVES_EACH = round(1 / SHARE)
_HEADINGS = (
    *("minute", "requests", "good", "failed", "broken", "left", "open"),
    *("p50 ms", "p99 ms", "RSS MB", "fds"),
)


@define
class Soak:
    """
    The load, and what is seen of the daemon meanwhile.

    @ivar seconds: how long it lasts.
    @ivar left: how many clients have left.
    @ivar samples: what the daemon held, a sample a second.
    """

    reactor: Any
    process: DaemonProcess
    clients: Clients
    provider: Unsteady
    seconds: float
    sent: int = 0
    left: int = 0
    samples: list[Holdings] = field(factory=list)
    wrong: list[str] = field(factory=list)
    _took: list[float] = field(factory=list)
    _asking: set[Deferred[None]] = field(factory=set)

    async def run(self) -> None:
        """
        Ask all the time, and look.
        """
        began = time.monotonic()
        sampled = told = 0
        while (passed := time.monotonic() - began) < self.seconds:
            while self.sent < passed * RATE:
                self._ask()
            if passed >= sampled * _SAMPLE_SECONDS:
                sampled += 1
                self.samples.append(Holdings.of(self.process.pid))
            if passed >= (told + 1) * _ROW_SECONDS:
                told += 1
                self._tell(told)
            await deferLater(self.reactor, 1 / RATE)
        await DeferredList(list(self._asking))
        self._tell("end")

    def growth(self) -> float:
        """
        By how much it grew since it was warm.
        """
        sizes = [sample.megabytes for sample in self.samples]
        warm, window = (round(len(sizes) * share) for share in (_WARM_UP, _WINDOW))
        before = median(sizes[warm : warm + max(1, window)])
        return median(sizes[-max(1, window) :]) / before - 1

    def _ask(self) -> None:
        self.sent += 1
        leaves = self.sent % _LEAVES_EACH == 0
        asking = Deferred.fromCoroutine(
            self._leave(self.sent // _LEAVES_EACH) if leaves else self._wait(self.sent)
        )
        self._asking.add(asking)
        asking.addBoth(lambda _: self._asking.discard(asking))

    async def _wait(self, number: int) -> None:
        began = time.monotonic()
        answer = await self.clients.ask(number)
        self._took.append(time.monotonic() - began)
        self.clients.answers.append(answer)
        if answer.request_id is None:
            self.wrong.append(f"Request {number} was not answered")
        elif answer.status not in (200, 502, 504):
            self.wrong.append(f"Request {number} was answered {answer.status}")

    async def _leave(self, number: int) -> None:
        try:
            await leave(
                self.reactor, self.process.listening_port(), number, self.provider
            )
        except Exception as error:
            self.wrong.append(f"A client could not leave: {error!r}")
        self.left += 1

    def _tell(self, minute: object) -> None:
        answers, now = self.clients.answers, self.samples[-1]
        took = self._took if len(self._took) > 1 else [0.0, 0.0]
        cuts = [1000 * each for each in quantiles(took, n=100)]
        self._took = []
        print(
            _row(
                *(minute, self.sent, sum(answer.good for answer in answers)),
                *(sum(answer.status != 200 for answer in answers), _broken(answers)),
                *(self.left, len(self._asking), f"{cuts[49]:.0f}", f"{cuts[98]:.0f}"),
                *(f"{now.megabytes:.1f}", now.descriptors),
            ),
            flush=True,
        )


def _broken(answers: list[Answer]) -> int:
    return sum(answer.status == 200 and not answer.whole for answer in answers)


def _row(*cells: object) -> str:
    return "".join(f"{cell!s:>9}" for cell in cells)


def _configured(directory: Path, url: str) -> Path:
    timeouts = {"connect": 5, "first_byte": 2, "idle": 2, "total": 30}
    names = ("first", "second", "third")
    return written(
        directory,
        [entry(name, url, MODELS, timeouts=timeouts) for name in names],
        retry={"max_attempts": 2, "backoff_seconds": [0.05]},
        streaming={"failover": True},
    )


async def _soak(reactor: Any, directory: Path, seconds: float) -> list[str]:
    unsteady = Unsteady()
    async with outside(reactor, unsteady) as provider:
        config = _configured(directory, provider.url)
        async with running(directory, "--config", str(config)) as process:
            before = await at_rest(reactor, process, MODELS[0])
            print(_row(*_HEADINGS), flush=True)
            async with http_client(reactor) as client:
                clients = Clients.of(process, client)
                soak = Soak(reactor, process, clients, unsteady, seconds)
                await soak.run()
            after = await settled(reactor, process, before)
            wrong = soak.wrong + await stopped(process)
    books = Books.read(directory / "books.db")
    # One more was sent so that the daemon could be looked at at rest.
    asked = soak.sent + 1
    print(f"broken by the provider: {unsteady.broken.total()}", dict(unsteady.broken))
    print(f"requests {asked}, rows {books.count}, integrity {books.integrity}")
    print(f"descriptors {before.descriptors} -> {after.descriptors}")
    print(f"growth of the resident set since warm: {soak.growth():+.1%}")
    wrong += books.wrong()
    if books.count != asked or books.without_row(clients.answers):
        wrong.append(f"{asked} requests, but {books.count} rows")
    if after.descriptors > before.descriptors:
        wrong.append("Descriptors did not come back")
    if soak.growth() > _MOST_GROWTH:
        wrong.append(f"It grew by {soak.growth():.1%}")
    return wrong


async def main(reactor: Any, minutes: str = str(_MINUTES)) -> None:
    """
    Soak, and tell.

    @raise SystemExit: something was wrong.
    """
    with tempfile.TemporaryDirectory() as directory:
        wrong = await _soak(reactor, Path(directory), 60 * float(minutes))
    if wrong:
        sys.exit("\n".join(wrong[:20]))


if __name__ == "__main__":
    react(
        lambda reactor, *arguments: Deferred.fromCoroutine(main(reactor, *arguments)),
        sys.argv[1:],
    )
