"""
A daemon, a provider and a load generator for each measurement.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field, frozen

from ..compare.ours import Arbstr
from ..compare.proxy import Proxy, Running, start
from ..compare.scenarios import BUFFERED, bodies
from ..native.build import Tools
from ..native.tools import Load, Report, ask
from ..processes import processor_seconds

_WARM_SECONDS = 0.5


@frozen
class Cost:
    """
    What requests have cost.

    @ivar report: the load generator's.
    @ivar processor: the daemon's microseconds of processor time for each answer.
    """

    report: Report
    processor: float


@define
class Bench:
    """
    Where measurements are made.

    @ivar core: the one that daemons run on.
    @ivar provider: the provider's port.
    @ivar directory: an empty one to write to.
    @ivar seconds: how long requests are sent, where it is not their number
        that matters.
    @ivar wrong: all that was wrong with answers, or is more than it may be.
    """

    tools: Tools
    core: int
    provider: int
    directory: Path
    seconds: float
    wrong: list[str] = field(factory=list)

    @contextmanager
    def daemon(
        self,
        proxy: Proxy | None = None,
        prepare: Callable[[Path], None] = lambda _: None,
    ) -> Iterator[Running]:
        """
        arbstr as a user would run it.

        @param proxy: in another way.
        @param prepare: is given the directory where it will run.
        """
        directory = Path(tempfile.mkdtemp(dir=self.directory))
        request = bodies(directory)[BUFFERED]
        prepare(directory)
        running = start(proxy or Arbstr(), directory, self.provider, self.core, request)
        try:
            yield running
        finally:
            running.stop()

    def ask(self, daemon: Running, load: Load, most: int | None = None) -> Cost:
        """
        Send requests, and see what they cost.

        @param most: so many of them, however long it takes.
        """
        before = processor_seconds(daemon.pid)
        seconds = self.seconds if most is None else 0.01 * most
        report = ask(
            self.tools, daemon.port, load, seconds, _WARM_SECONDS, daemon.headers, most
        )
        used = processor_seconds(daemon.pid) - before
        for what, count in report.wrong.items():
            self.wrong.append(f"{load.body.name}: {count} requests {what}")
        return Cost(report, 1e6 * used / max(report.finished, 1))

    def written(self, name: str, body: bytes) -> Path:
        """
        A file with the body of a request.
        """
        path = self.directory / name
        path.write_bytes(body)
        return path
