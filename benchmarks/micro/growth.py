"""
Memory over many requests.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..compare.scenarios import QUESTION, STREAMS, body
from ..markdown import markdown
from ..native.tools import Load
from ..processes import megabytes
from .bench import Bench

_WARM_UP = 20_000
_REQUESTS = 100_000
_STEPS = 5
# Every fifth is a stream.
_STREAMED = 5
_AT_ONCE = 32
_SETTLE_SECONDS = 2
_MOST_MEGABYTES = 5


def growth(bench: Bench) -> str:
    """
    Resident memory after each fifth of 100,000 requests, when it was warm.
    """
    buffered = Load(bench.written("buffered", body(QUESTION)), _AT_ONCE)
    streamed = Load(
        bench.written("streamed", body(QUESTION, **STREAMS)), _AT_ONCE, streams=True
    )
    lines: list[Sequence[str]] = [
        ("requests", "memory, MB", "CPU µs a request", "a stream")
    ]
    with bench.daemon() as daemon:

        def step(count: int) -> tuple[float, str, str]:
            streams = count // _STREAMED
            costs = [
                bench.ask(daemon, buffered, count - streams),
                bench.ask(daemon, streamed, streams),
            ]
            time.sleep(_SETTLE_SECONDS)
            memory = megabytes(daemon.pid)
            request, stream = (f"{each.processor:,.0f}" for each in costs)
            return memory, request, stream

        first, *told = step(_WARM_UP)
        lines.append(("warm-up", f"{first:.1f}", *told))
        last = first
        for number in range(1, _STEPS + 1):
            last, *told = step(_REQUESTS // _STEPS)
            done = number * _REQUESTS // _STEPS
            lines.append((f"{done:,}", f"{last:.1f}", *told))
    if last - first > _MOST_MEGABYTES:
        bench.wrong.append(
            f"{_REQUESTS:,} requests: memory grew by {last - first:.1f} MB, expected "
            f"{_MOST_MEGABYTES} MB at most"
        )
    return markdown(lines)
