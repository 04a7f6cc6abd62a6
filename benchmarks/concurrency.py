"""
Many requests at once: C{python -m benchmarks.concurrency [ROUNDS]}.

The daemon runs in a process of its own on its built-in mock providers.  Every
answer is looked at, and so is what is left of it all in the daemon once the
clients have gone.  Anything wrong is told, and the exit code is 1.
"""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any

from attrs import define, field
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater, react

from tests.integration.process import DaemonProcess

from .daemon import http_client, running, stopped

_ROUNDS = 5
_REQUEST_SECONDS = 60
# Connections between the daemon and its providers are kept for 50 seconds.
_SETTLE_SECONDS = 90


@define
class Phase:
    """
    One way of asking much at once, and what came of it.

    @ivar buffered: requests at once that want their answer whole.
    @ivar streaming: requests at once that want it streamed.
    @ivar took: the seconds that each good answer took.
    @ivar wrong: what the others were.
    @ivar seconds: how long all of it took.
    @ivar processor: the daemon's seconds of processor time meanwhile; the mock
        providers' are among them.
    """

    name: str
    buffered: int
    streaming: int
    took: list[float] = field(factory=list)
    wrong: list[str] = field(factory=list)
    seconds: float = 0.0
    processor: float = 0.0

    def row(self) -> str:
        """
        The line of the table.
        """
        took = self.took if len(self.took) > 1 else [math.nan, math.nan]
        cuts = [1000 * each for each in quantiles(took, n=100)]
        return (
            f"{self.name:<10} {self.buffered:>8} {self.streaming:>9} "
            f"{len(self.took):>8} {len(self.wrong):>5} "
            f"{len(self.took) / self.seconds:>7.0f} {cuts[49]:>7.0f} {cuts[94]:>7.0f} "
            f"{1000 * max(took):>7.0f} "
            f"{1000 * self.processor / len(took):>7.1f}"
        )


HEADINGS = (
    f"{'':<10} {'buffered':>8} {'streaming':>9} {'answers':>8} {'wrong':>5} "
    f"{'per s':>7} {'p50 ms':>7} {'p95 ms':>7} {'max ms':>7} "
    f"{'CPU ms':>7}"
)


@define
class Load:
    """
    The clients, all in this process.
    """

    url: str
    client: HTTPClient
    pid: int

    async def run(self, phase: Phase, rounds: int) -> None:
        """
        Ask as the phase says, wait for all the answers, and again.
        """
        wants = [False] * phase.buffered + [True] * phase.streaming
        began, busy = time.monotonic(), processor_seconds(self.pid)
        for _ in range(rounds):
            asked = [
                Deferred.fromCoroutine(self._ask(stream, phase)) for stream in wants
            ]
            await gatherResults(asked)
        phase.seconds = time.monotonic() - began
        phase.processor = processor_seconds(self.pid) - busy

    async def _ask(self, stream: bool, phase: Phase) -> None:
        began = time.monotonic()
        messages = [{"role": "user", "content": "Hi"}]
        try:
            response = await self.client.post(
                self.url,
                json={"model": "gpt-4o", "messages": messages, "stream": stream},
                timeout=_REQUEST_SECONDS,
            )
            body = await response.content()
        except Exception as error:
            phase.wrong.append(repr(error))
            return
        whole = b"data: [DONE]\n\n" if stream else b"}"
        if response.code == 200 and b'"stop"' in body and body.endswith(whole):
            phase.took.append(time.monotonic() - began)
        else:
            phase.wrong.append(f"{response.code}: {body[-300:]!r}")


@define
class Holdings:
    """
    What the daemon's process holds.
    """

    descriptors: int
    megabytes: float

    @classmethod
    def of(cls, pid: int) -> Holdings:
        """
        What it holds now.
        """
        process = Path(f"/proc/{pid}")
        resident = int(process.joinpath("statm").read_text().split()[1])
        return cls(
            descriptors=len(os.listdir(process / "fd")),
            megabytes=resident * os.sysconf("SC_PAGE_SIZE") / 1e6,
        )


def processor_seconds(pid: int) -> float:
    """
    What a process has used of the processors' time so far.
    """
    # The name in parentheses may hold spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    return (user + system) / os.sysconf("SC_CLK_TCK")


async def settled(reactor: Any, process: DaemonProcess, before: Holdings) -> Holdings:
    """
    Wait until the daemon has as many descriptors as before, or for so long
    that it never will.
    """
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        now = Holdings.of(process.pid)
        if now.descriptors <= before.descriptors or time.monotonic() > deadline:
            return now
        await deferLater(reactor, 0.5)


async def measure(
    reactor: Any, process: DaemonProcess, phases: Sequence[Phase], rounds: int
) -> tuple[Holdings, Holdings]:
    """
    Run all phases.

    @return: what the daemon held before and after.
    """
    url = f"http://127.0.0.1:{process.listening_port()}/v1/chat/completions"
    before = Holdings.of(process.pid)
    async with http_client(reactor) as client:
        load = Load(url, client, process.pid)
        for phase in phases:
            await load.run(phase, rounds)
    return before, await settled(reactor, process, before)


async def main(reactor: Any, rounds: str = str(_ROUNDS)) -> None:
    """
    Measure and tell.

    @raise SystemExit: something was wrong.
    """
    # Together they stay below the daemon's own limit of 256.
    phases = [
        Phase("buffered", 200, 0),
        Phase("streaming", 0, 100),
        Phase("both", 150, 100),
    ]
    with tempfile.TemporaryDirectory() as directory:
        async with running(Path(directory), "--mock") as process:
            before, after = await measure(reactor, process, phases, int(rounds))
            ended_badly = await stopped(process)
    print(HEADINGS)
    for phase in phases:
        print(phase.row())
    print(f"descriptors {before.descriptors} -> {after.descriptors}")
    print(f"resident    {before.megabytes:.0f} MB -> {after.megabytes:.0f} MB")
    wrong = [what for phase in phases for what in phase.wrong]
    if after.descriptors > before.descriptors:
        wrong.append("Descriptors did not come back")
    wrong += ended_badly
    if wrong:
        sys.exit("\n".join(wrong[:20]))


if __name__ == "__main__":
    react(
        lambda reactor, *arguments: Deferred.fromCoroutine(main(reactor, *arguments)),
        sys.argv[1:],
    )
