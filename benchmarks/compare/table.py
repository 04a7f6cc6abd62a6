"""
Medians and ratios, in Markdown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from attrs import frozen

from ..markdown import markdown
from .figures import (
    first,
    first_p99,
    idle,
    loaded,
    p50,
    p99,
    processor,
    rate,
    start_seconds,
)
from .results import DIRECT, OURS, Measurement, Results
from .scenarios import BUFFERED, PACED, Scenario

Value = Callable[[str], float | None]


@frozen
class Row:
    """
    One figure of every proxy.

    @ivar value: takes a proxy's name.
    @ivar overloaded: takes a proxy's name.
    """

    title: str
    value: Value
    digits: int = 0
    overloaded: Callable[[str], bool] = lambda _: False


def _rows(results: Results, scenarios: Sequence[Scenario]) -> Iterator[Row]:
    for scenario in scenarios:
        yield from _scenario_rows(results, scenario)
    yield Row("memory idle, MB", lambda p: results.of_lives(p, idle), 1)
    yield Row("memory loaded, MB", lambda p: results.of_lives(p, loaded), 1)
    yield Row("start, s", lambda p: results.of_lives(p, start_seconds), 2)


def _scenario_rows(results: Results, scenario: Scenario) -> Iterator[Row]:
    key = scenario.key
    noun = "requests" if scenario.kind == BUFFERED else "streams"

    def median_of(what: str, value: Callable[[Measurement], float], digits: int) -> Row:
        return Row(
            f"{scenario.title}: {what}",
            lambda proxy: results.median(proxy, key, value),
            digits,
            lambda proxy: results.overloaded(proxy, key),
        )

    def added(what: str, value: Callable[[Measurement], float]) -> Row:
        return Row(
            f"{scenario.title}: {what}",
            lambda proxy: results.added(proxy, key, value),
            2,
            lambda proxy: results.overloaded(proxy, key),
        )

    if not scenario.per_second:
        yield median_of(f"{noun}/s", rate, 0)
    if scenario.kind == BUFFERED:
        yield median_of("p50, ms", p50, 2)
        if scenario.connections == 1:
            yield added("added p50, ms", p50)
        else:
            yield median_of("p99, ms", p99, 2)
    else:
        yield median_of("first chunk p50, ms", first, 2)
        if scenario.kind == PACED:
            yield added("added to first chunk, ms", first)
            yield median_of("first chunk p99, ms", first_p99, 2)
    yield median_of(f"CPU µs a {noun[:-1]}", processor, 0)


def table(results: Results, scenarios: Sequence[Scenario]) -> str:
    """
    One row for each figure: what it is of every proxy, and what arbstr's is
    divided by each of the others'.  A star marks who could not keep up with the
    rate that was asked for.
    """
    names = list(results.versions)
    others = [name for name in names if name != OURS]
    lines = [["", DIRECT, *names, *(f"÷ {name}" for name in others)]]
    for row in _rows(results, scenarios):
        ours = row.value(OURS)
        figures = [_told(row, name) for name in [DIRECT, *names]]
        ratios = [_ratio(ours, row.value(name)) for name in others]
        lines.append([row.title, *figures, *ratios])
    return markdown(lines)


def _told(row: Row, name: str) -> str:
    value = row.value(name)
    if value is None or (name == DIRECT and "CPU" in row.title):
        return "-"
    return f"{value:,.{row.digits}f}{'*' if row.overloaded(name) else ''}"


def _ratio(ours: float | None, theirs: float | None) -> str:
    return "-" if not ours or not theirs else f"{ours / theirs:.3g}"
