"""
Mutated HTTP against a running daemon, from its clients and from its provider.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.integration.process import DaemonProcess

from ..concurrency import Holdings, settled
from ..daemon import running, stopped
from ..outside import entry, outside, written
from ..rest import at_rest
from .adversary import Adversary
from .exchanges import HEALTHY, MODEL
from .session import Session

_SEED = 5
_PROVIDERS = 24
# Of all cases, before what the daemon holds is looked at first.
_WARM_UP = 0.2
_MOST_GROWTH = 0.1


async def http(reactor: Any, count: int) -> list[str]:
    """
    So many cases, half of them mutated by the client and half by the provider.

    @return: what was wrong.
    """
    adversary = Adversary(reactor, _PROVIDERS // 2, _SEED)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with outside(reactor, adversary) as provider:
            config = _configured(directory, provider.url.removesuffix("/v1"))
            async with running(directory, "--config", str(config)) as process:
                session = Session(reactor, process.listening_port(), adversary)
                wrong = await _measure(reactor, process, session, count)
                wrong += await stopped(process)
    return session.wrong + wrong


async def _measure(
    reactor: Any, process: DaemonProcess, session: Session, count: int
) -> list[str]:
    before = await at_rest(reactor, process, HEALTHY)
    cases = iter(range(1, count + 1))
    warm_up = round(_WARM_UP * count)
    began = time.monotonic()
    await session.run(cases, warm_up)
    warm = Holdings.of(process.pid)
    await session.run(cases, count)
    seconds = time.monotonic() - began
    loaded = Holdings.of(process.pid)
    after = await settled(reactor, process, before)
    growth = loaded.megabytes / warm.megabytes - 1
    for title, figure in _figures(session).items():
        print(f"{title:<34} {figure:>10}")
    print(f"{'cases per second':<34} {count / seconds:>10.0f}")
    print(f"{'slowest healthy request, ms':<34} {1000 * session.slowest:>10.0f}")
    print(f"descriptors {before.descriptors} -> {after.descriptors}")
    print(f"resident    {warm.megabytes:.0f} MB -> {loaded.megabytes:.0f} MB", end="")
    print(f" ({growth:+.1%} since {warm_up} cases)")
    wrong = []
    if after.descriptors > before.descriptors:
        wrong.append("Descriptors did not come back")
    if growth > _MOST_GROWTH:
        wrong.append(f"It grew by {growth:.1%}")
    return wrong


def _figures(session: Session) -> Mapping[str, int]:
    counts = session.counts
    answers = {
        f"answers {name}": counts[name] for name in sorted(counts) if name.isdigit()
    }
    return {
        "cases": session.cases,
        **answers,
        "requests without an end": counts["unfinished"],
        "clients that left": counts["left"],
        "healthy requests": counts["healthy"],
        "wrong": len(session.wrong),
    }


def _configured(directory: Path, url: str) -> Path:
    timeouts = {"connect": 5, "first_byte": 2, "idle": 2, "total": 10}
    names = [*(f"p{number}" for number in range(_PROVIDERS)), HEALTHY]
    providers = [
        entry(
            name,
            f"{url}/{name}/v1",
            [HEALTHY if name == HEALTHY else MODEL],
            timeouts=timeouts,
        )
        for name in names
    ]
    return written(
        directory,
        providers,
        server={"max_body_bytes": 1_000_000},
        retry={"max_attempts": 2, "backoff_seconds": [0.01], "total_seconds": 15},
        streaming={"failover": True},
        logging={"log_requests": False},
    )
