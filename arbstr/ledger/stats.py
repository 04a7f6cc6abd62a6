"""
Totals over the log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Subquery,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.exc import OperationalError

from .matching import Known, Matching
from .query import StatsQuery, rfc_3339
from .tables import SATS_DECIMALS, requests

_UNITS_PER_SAT = 10**SATS_DECIMALS
_HOUR_MS = 3_600_000
_PERIODS_MS = {"hour": _HOUR_MS, "day": 24 * _HOUR_MS}
_PERCENTILES = (50, 95)
_SUMMED = ("cost", "savings", "input_tokens", "output_tokens", "latency_ms")
_PART = 10**9

# What SQLite says of a sum that is no 64-bit number.  PostgreSQL's have no end.
_OVERFLOW = "integer overflow"

# Where each grouping is told, and what rows are told under that have no name.
_SECTIONS = {
    "model": "models",
    "provider": "providers",
    "tier": "tiers",
    "policy": "policies",
    "hour": "hours",
    "day": "days",
}
_NAMELESS = {
    "model": "unknown",
    "provider": "none",
    "tier": "unknown",
    "policy": "none",
}

_Totals = dict[str, dict[str, Any]]


def stats(connection: Connection, query: StatsQuery, known: Known) -> dict[str, object]:
    """
    The body of C{GET /v1/stats}.  Sums are exact to the last digit that is
    kept; percentiles are by nearest rank over the requests that have the time
    in question, and null where none has.

    @raise ApiError: the model or the provider is neither configured nor in
        the log.
    """
    filters = query.filters
    matching = Matching.find(connection, filters, known)
    totals, groups = _totals(connection, matching, query.group_by)
    answer: dict[str, object] = {
        "since": rfc_3339(filters.since),
        "until": rfc_3339(filters.until),
        **totals,
    }
    if query.group_by is not None:
        answer[_SECTIONS[query.group_by]] = _told(groups, query.group_by, known)
    if totals["counts"]["total"] == 0:
        answer["empty"] = True
        answer["message"] = "No requests in this range"
    return answer


def _told(groups: dict[Any, _Totals], group_by: str, known: Known) -> dict[str, object]:
    """
    The groups under the names that people know them by, in order.
    """
    period = _PERIODS_MS.get(group_by)
    if period is not None:
        return {rfc_3339(each * period): groups[each] for each in sorted(groups)}
    zeroed = {name: _told_totals([]) for name in known.of(group_by)}
    named = zeroed | groups
    return {name: named[name] for name in sorted(named)}


def _totals(
    connection: Connection, matching: Matching, group_by: str | None
) -> tuple[_Totals, dict[Any, _Totals]]:
    """
    The totals of everything, and those of each group, if there are any.
    """
    rows = _rows(matching, group_by)
    keys = [] if group_by is None else [rows.c.key]
    # Whole numbers: what the groups add up to is exactly the total.
    sums = _summed_up(connection, rows, keys)
    everything = _told_totals(sums)
    groups = {row.key: _told_totals([row]) for row in sums} if keys else {}
    for column in ("latency_ms", "ttft_ms"):
        for row in connection.execute(_percentiles(rows, [], column)):
            _tell_percentiles(everything, row, column)
        if keys:
            for row in connection.execute(_percentiles(rows, keys, column)):
                _tell_percentiles(groups[row.key], row, column)
    return everything, groups


def _tell_percentiles(totals: _Totals, row: Row[Any], column: str) -> None:
    for percent in _PERCENTILES:
        totals["performance"][f"p{percent}_{column}"] = getattr(row, f"p{percent}")


def _rows(matching: Matching, group_by: str | None) -> Subquery:
    """
    The rows that count, with what is added up.
    """
    plain = requests.c
    columns = [
        plain.success,
        plain.streaming,
        plain.input_tokens,
        plain.output_tokens,
        plain.latency_ms,
        plain.ttft_ms,
        _units(plain.cost_sats).label("cost"),
        (_units(plain.baseline_cost_sats) - _units(plain.cost_sats)).label("savings"),
    ]
    if group_by is not None:
        columns.append(_group(group_by).label("key"))
    return select(*columns).where(*matching.conditions()).subquery("matching")


def _group(group_by: str) -> ColumnElement[Any]:
    if group_by in _PERIODS_MS:
        return requests.c.timestamp // _PERIODS_MS[group_by]
    return func.coalesce(requests.c[group_by], _NAMELESS[group_by])


def _units(sats: ColumnElement[float]) -> ColumnElement[int]:
    """
    Sats in units of the last digit that is kept: whole numbers add up exactly.
    """
    return cast(func.round(sats * float(_UNITS_PER_SAT)), BigInteger)


def _summed_up(
    connection: Connection, rows: Subquery, keys: Sequence[ColumnElement[Any]]
) -> Sequence[Row[Any]]:
    try:
        return connection.execute(_sums(rows, keys, _sum)).all()
    except OperationalError as error:
        if _OVERFLOW not in str(error.orig):
            raise
    return connection.execute(_sums(rows, keys, _sum_in_parts)).all()


def _sums(
    rows: Subquery,
    keys: Sequence[ColumnElement[Any]],
    add_up: Callable[[ColumnElement[int]], list[ColumnElement[int]]],
) -> Any:
    columns = rows.c
    return select(
        *keys,
        func.count().label("total"),
        func.count().filter(columns.success).label("success"),
        func.count().filter(columns.streaming).label("streaming"),
        func.count(columns.latency_ms).label("latencies"),
        *(part for name in _SUMMED for part in add_up(columns[name])),
    ).group_by(*keys)


def _sum(column: ColumnElement[int]) -> list[ColumnElement[int]]:
    """
    A sum as its high part, which is nothing, and its low one.
    """
    return [
        literal(0).label(f"{column.key}_high"),
        func.sum(column).label(f"{column.key}_low"),
    ]


def _sum_in_parts(column: ColumnElement[int]) -> list[ColumnElement[int]]:
    """
    The high and the low part of a sum, each added up by itself, which takes
    twice as long: one row with an absurd number in it, such as a provider may
    report, must not overflow.
    """
    return [
        func.sum(column // _PART).label(f"{column.key}_high"),
        func.sum(column % _PART).label(f"{column.key}_low"),
    ]


def _percentiles(
    rows: Subquery, keys: Sequence[ColumnElement[Any]], column: str
) -> Any:
    """
    By nearest rank: the least value that so many percent of the values do not
    exceed.  Counting each value first leaves few of them to rank.
    """
    value = rows.c[column]
    counted = (
        select(*keys, value.label("value"), func.count().label("times"))
        .where(value.is_not(None))
        .group_by(*keys, value)
        .subquery("counted")
    )
    partition = [counted.c.key] if keys else None
    ranked = select(
        counted,
        func.sum(counted.c.times)
        .over(partition_by=partition, order_by=counted.c.value)
        .label("rank"),
        func.sum(counted.c.times).over(partition_by=partition).label("number"),
    ).subquery("ranked")
    grouped = [ranked.c.key] if keys else []
    return select(
        *grouped,
        *(
            func.min(ranked.c.value)
            .filter(ranked.c.rank * 100 >= ranked.c.number * percent)
            .label(f"p{percent}")
            for percent in _PERCENTILES
        ),
    ).group_by(*grouped)


def _told_totals(rows: Sequence[Row[Any]]) -> _Totals:
    """
    @param rows: of L{_sums}; none where there is no traffic.
    """

    def number(name: str) -> int:
        return sum(int(getattr(row, name) or 0) for row in rows)

    def summed(name: str) -> int:
        return number(f"{name}_high") * _PART + number(f"{name}_low")

    total, success, latencies = map(number, ("total", "success", "latencies"))
    average = round(summed("latency_ms") / latencies, 3) if latencies else None
    return {
        "counts": {
            "total": total,
            "success": success,
            "error": total - success,
            "streaming": number("streaming"),
        },
        "costs": {
            "total_cost_sats": _sats(summed("cost")),
            "total_input_tokens": summed("input_tokens"),
            "total_output_tokens": summed("output_tokens"),
            "total_savings_sats": _sats(summed("savings")),
        },
        "performance": {
            "avg_latency_ms": average,
            "p50_latency_ms": None,
            "p95_latency_ms": None,
            "p50_ttft_ms": None,
            "p95_ttft_ms": None,
        },
    }


def _sats(units: int) -> float:
    return float(Decimal(units) / _UNITS_PER_SAT)
