"""
Reports on many rows: C{python -m benchmarks.reports [ROWS]}.

How long each takes, how SQLite looks for a page, and what requests that are
proxied meanwhile notice of it: the same client asks with and without somebody
who reads reports all the time, in turns.  The exit code is 1 if a page is
sorted in memory, or a request fails.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from sqlalchemy import create_engine, event
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from arbstr.ledger.listing import listing
from arbstr.ledger.matching import Known
from arbstr.ledger.query import ORDERS, SORTS, parse_listing

from .asking import MODELS
from .daemon import http_client, running, stopped
from .many_rows import fill
from .mocks import configured

_ROWS = 1_000_000
_TIMES = 3
_ROUNDS = 5
_REQUESTS = 100
_RANGE = "range=last_30d"
_SORTING = "TEMP B-TREE FOR ORDER BY"


def _pages(rows: int) -> Iterator[dict[str, str]]:
    """
    The first and the last page in every order.
    """
    for sort in SORTS:
        for order in ORDERS:
            for page in (1, rows // 20):
                yield {
                    "range": "last_30d",
                    "sort": sort,
                    "order": order,
                    "page": str(page),
                }


async def _time_reports(client: HTTPClient, url: str, rows: int) -> None:
    stats = [f"stats?{_RANGE}", f"stats?{_RANGE}&group_by=model"]
    pages = [
        "requests?" + "&".join(f"{name}={value}" for name, value in page.items())
        for page in _pages(rows)
    ]
    print(f"{'report':<66} {'median ms':>10}")
    for report in stats + pages:
        took = [await _seconds(client, f"{url}/v1/{report}") for _ in range(_TIMES)]
        print(f"{report:<66} {1000 * median(took):>10.0f}")


async def _seconds(client: HTTPClient, url: str) -> float:
    began = time.monotonic()
    response = await client.get(url)
    body = await response.content()
    if response.code != 200:
        sys.exit(f"{url}: {response.code} {body!r}")
    return time.monotonic() - began


def _plans(path: Path, rows: int) -> list[str]:
    """
    Print how SQLite goes about every statement of a page.

    @return: those that sort.
    """
    engine = create_engine(f"sqlite:///{path}")
    asked: dict[str, Any] = {}

    def remember(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        asked[statement] = values

    sorting = []
    with engine.connect() as connection:
        for page in _pages(rows):
            asked.clear()
            event.listen(engine, "before_cursor_execute", remember)
            listing(connection, parse_listing(page, _now_ms()), Known())
            event.remove(engine, "before_cursor_execute", remember)
            print(f"{page['sort']} {page['order']} page {page['page']}")
            for statement, values in asked.items():
                plan = connection.exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {statement}", values
                )
                told = [step.detail for step in plan]
                print(*(f"    {step}" for step in told), sep="\n")
                sorting += [statement for step in told if _SORTING in step]
    engine.dispose()
    return [f"This is sorted in memory: {each}" for each in sorting]


async def _compare(client: HTTPClient, url: str) -> list[str]:
    """
    Print what requests take while reports are read, against what they take
    else.
    """
    alone: list[float] = []
    beside: list[float] = []
    wrong = []
    for number in range(1, _ROUNDS + 1):
        wrong += await _ask(client, url, alone)
        reading = Deferred.fromCoroutine(
            _read_on(client, url, beside, number * _REQUESTS)
        )
        wrong += await _ask(client, url, beside)
        await reading
    print(f"{'proxied request, ms':<34} {'alone':>8} {'reports':>8} {'ratio':>6}")
    for name, percent in (("median", 50), ("p95", 95)):
        figures = [1000 * _percentile(each, percent) for each in (alone, beside)]
        ratio = figures[1] / figures[0]
        print(f"{name:<34} {figures[0]:>8.1f} {figures[1]:>8.1f} {ratio:>6.2f}")
    return wrong


async def _read_on(
    client: HTTPClient, url: str, took: Sequence[float], enough: int
) -> None:
    """
    Read reports until so many requests have been timed.
    """
    while len(took) < enough:
        await _seconds(client, f"{url}/v1/stats?{_RANGE}&group_by=model")


async def _ask(client: HTTPClient, url: str, took: list[float]) -> list[str]:
    wrong = []
    for number in range(_REQUESTS):
        body = {
            "model": MODELS[number % len(MODELS)],
            "messages": [{"role": "user", "content": f"{random.random()}"}],
        }
        began = time.monotonic()
        response = await client.post(f"{url}/v1/chat/completions", json=body)
        await response.content()
        took.append(time.monotonic() - began)
        if response.code != 200:
            wrong.append(f"A request was answered {response.code}")
    return wrong


def _percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100)[percent - 1]


def _now_ms() -> int:
    return round(time.time() * 1000)


async def main(reactor: Any, rows: str = str(_ROWS)) -> None:
    """
    Fill books, and read them.

    @raise SystemExit: something was wrong.
    """
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        books = directory / "books.db"
        fill(books, int(rows))
        print(f"{rows} rows, {books.stat().st_size / 1e6:.0f} MB")
        wrong = _plans(books, int(rows))
        config = configured(directory, attempts=1, failure_rate=0)
        async with (
            http_client(reactor) as client,
            running(directory, "--config", str(config)) as process,
        ):
            url = f"http://127.0.0.1:{process.listening_port()}"
            await _time_reports(client, url, int(rows))
            wrong += await _compare(client, url)
            wrong += await stopped(process)
    if wrong:
        sys.exit("\n".join(wrong[:20]))


if __name__ == "__main__":
    react(
        lambda reactor, *arguments: Deferred.fromCoroutine(main(reactor, *arguments)),
        sys.argv[1:],
    )
