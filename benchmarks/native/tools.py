"""
Run the load generator and the provider.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from attrs import frozen

from ..processes import ended, free_port, reachable
from .build import Tools

_SLOWEST_SECONDS = 120


@frozen
class Load:
    """
    How to ask.

    @ivar body: the file with the body of every request.
    @ivar connections: at most so many requests are in flight.
    @ivar per_second: send so many, whether or not others were answered; 0: every
        connection sends its next request when it has its answer.
    @ivar streams: answers end with C{[DONE]}.
    """

    body: Path
    connections: int
    per_second: float = 0
    streams: bool = False


@frozen
class Report:
    """
    What the load generator tells, times in microseconds.

    @ivar rate: answers a second, from when it was warm to the last one.
    @ivar measured: the requests that the times are of: those sent when it was
        warm.
    @ivar p50: the median time to the end of an answer.
    @ivar p99: the time that one in a hundred takes longer than.
    @ivar first_p50: the median time to the first byte of a body.
    @ivar first_p99: likewise.
    @ivar sent: all requests, those to warm up among them.
    @ivar finished: all answers.
    @ivar lost: requests whose connection ended, or that nothing came of.
    @ivar unsent: requests that were due when all connections were busy.
    @ivar bad_status: answers other than 2xx.
    @ivar without_done: streams that ended without C{[DONE]}.
    @ivar reconnects: connections that were opened anew.
    """

    rate: float
    measured: int
    p50: float
    p99: float
    first_p50: float
    first_p99: float
    sent: int
    finished: int
    lost: int
    unsent: int
    bad_status: int
    without_done: int
    reconnects: int

    @property
    def wrong(self) -> dict[str, int]:
        """
        How much of it was no answer, by what it was instead; empty if all was
        well.
        """
        counts = {
            "lost": self.lost,
            "non-2xx": self.bad_status,
            "without [DONE]": self.without_done,
            "unaccounted for": self.sent - self.finished - self.lost,
        }
        return {what: count for what, count in counts.items() if count}


def ask(
    tools: Tools,
    port: int,
    load: Load,
    seconds: float,
    warm_seconds: float,
    headers: Sequence[str] = (),
    most: int | None = None,
) -> Report:
    """
    Send requests to a port of the loopback interface for some time.

    @param headers: what to send beside the usual, each C{Name: value}.
    @param most: stop earlier if so many requests have been sent.
    @raise RuntimeError: the generator itself failed, such as where nobody
        listens.
    """
    timing = ["-s", str(seconds), "-w", str(warm_seconds)]
    timing += [] if most is None else ["-n", str(most)]
    run = subprocess.run(
        [*_command(tools, port, load, headers), *timing],
        capture_output=True,
        text=True,
        timeout=seconds + warm_seconds + _SLOWEST_SECONDS,
    )
    if run.returncode:
        raise RuntimeError(f"The load generator failed: {run.stderr.strip()}")
    return Report(**json.loads(run.stdout))


@contextmanager
def asking(
    tools: Tools, port: int, load: Load, seconds: float, headers: Sequence[str] = ()
) -> Iterator[None]:
    """
    Send requests until the end, or for so many seconds.
    """
    command = [*_command(tools, port, load, headers), "-s", str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        ended(process)


@contextmanager
def provider(tools: Tools) -> Iterator[int]:
    """
    A provider that serves on a port of the loopback interface until the end.
    """
    port = free_port()
    process = subprocess.Popen([str(tools.provider), str(port)])
    try:
        reachable(port, process)
        yield port
    finally:
        ended(process)


def served(port: int) -> int:
    """
    How many completions the provider has served.
    """
    with urlopen(f"http://127.0.0.1:{port}/") as answer:
        count: int = json.load(answer)["served"]
    return count


def _command(
    tools: Tools, port: int, load: Load, headers: Sequence[str]
) -> Sequence[str]:
    command = [str(tools.load), "-p", str(port), "-b", str(load.body)]
    command += ["-c", str(load.connections), "-r", str(load.per_second)]
    command += ["-S"] if load.streams else []
    for header in headers:
        command += ["-H", header]
    return command
