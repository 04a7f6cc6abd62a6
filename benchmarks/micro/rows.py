"""
Books that are empty, and books of years.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from statistics import median

from attrs import frozen

from ..compare.scenarios import QUESTION, body
from ..many_rows import fill
from ..markdown import markdown
from ..native.tools import Load
from ..processes import megabytes
from .bench import Bench

_ROWS = (0, 1_000_000)
_ROUNDS = 3


@frozen
class _Books:
    count: int

    def __call__(self, directory: Path) -> None:
        if self.count:
            fill(directory / "arbstr.db", self.count)


def rows(bench: Bench) -> str:
    """
    What a request costs by the rows that are in the log already, in turns.
    """
    load = Load(bench.written("buffered", body(QUESTION)), 32)
    lines = [("rows", "CPU µs a request", "p50, ms", "p99, ms", "start, s", "MB")]
    with ExitStack() as stack:
        daemons = [
            stack.enter_context(bench.daemon(prepare=_Books(count))) for count in _ROWS
        ]
        costs = [[bench.ask(each, load) for each in daemons] for _ in range(_ROUNDS)]
        for count, daemon, of_one in zip(
            _ROWS, daemons, zip(*costs, strict=True), strict=True
        ):
            lines.append(
                (
                    f"{count:,}",
                    f"{median(each.processor for each in of_one):,.0f}",
                    f"{median(each.report.p50 for each in of_one) / 1000:.2f}",
                    f"{median(each.report.p99 for each in of_one) / 1000:.2f}",
                    f"{daemon.start_seconds:.2f}",
                    f"{megabytes(daemon.pid):.1f}",
                )
            )
    return markdown(lines)
