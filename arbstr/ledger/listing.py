"""
The log, a page at a time.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from attrs import frozen
from sqlalchemy import ColumnElement, Connection, Row, func, select

from .matching import Known, Matching
from .query import ListingQuery, rfc_3339
from .tables import IN_FLIGHT, INTERRUPTED, requests

# As many rows may be sorted for a page.  Of more, the order's index is read.
SORTED_AT_MOST = 10_000


def listing(
    connection: Connection, query: ListingQuery, known: Known
) -> dict[str, object]:
    """
    The body of C{GET /v1/requests}.  Rows without the value that they are
    sorted by come last, in either order.

    @raise ApiError: the model or the provider is neither configured nor in
        the log.
    """
    matching = Matching.find(connection, query.filters, known)
    total = _count(connection, matching.conditions())
    ids = _page(connection, query, matching, total)
    found = connection.execute(select(requests).where(requests.c.id.in_(ids)))
    rows = {row.id: row for row in found}
    return {
        "data": [_told(rows[each]) for each in ids if each in rows],
        "page": query.page,
        "per_page": query.per_page,
        "total": total,
        "total_pages": -(-total // query.per_page),
        "since": rfc_3339(query.filters.since),
        "until": rfc_3339(query.filters.until),
    }


def one(connection: Connection, request_id: str) -> dict[str, object] | None:
    """
    The body of C{GET /v1/requests/ID}.

    @return: C{None} if there is none, or if it is not over yet.
    """
    try:
        wanted = str(UUID(request_id))
    except ValueError:
        return None
    row = connection.execute(
        select(requests).where(
            requests.c.request_id == wanted, requests.c.state != IN_FLIGHT
        )
    ).one_or_none()
    return None if row is None else _told(row)


def _count(connection: Connection, where: list[ColumnElement[bool]]) -> int:
    counted = select(func.count()).select_from(requests).where(*where)
    return connection.execute(counted).scalar_one()


def _page(
    connection: Connection, query: ListingQuery, matching: Matching, total: int
) -> list[int]:
    """
    The ids of a page's rows, in order.  The databases disagree on where nulls
    are sorted, so those that have a value and those that do not are read
    apart: all of the former come first.
    """
    start = (query.page - 1) * query.per_page
    end = min(start + query.per_page, total)
    if start >= end:
        return []
    key = requests.c[query.sort]
    down = query.order == "desc"
    if not key.nullable:
        every = _Ordered(connection, matching.conditions(), key, down, total)
        return every.part(start, end)
    where = matching.conditions(indexed=total <= SORTED_AT_MOST)
    without = [*where, key.is_(None)]
    nulls = _count(connection, without)
    valued = total - nulls
    first = _Ordered(connection, [*where, key.is_not(None)], key, down, valued)
    last = _Ordered(connection, without, key, down, nulls)
    return first.part(start, end) + last.part(start - valued, end - valued)


@frozen
class _Ordered:
    """
    An ordered list of ids in the database.

    @ivar down: from the greatest to the least.
    @ivar total: how many there are.
    """

    _connection: Connection
    _where: list[ColumnElement[bool]]
    _key: ColumnElement[Any]
    _down: bool
    _total: int

    def part(self, start: int, end: int) -> list[int]:
        """
        Those from C{start} to before C{end}, as far as there are any, read
        from the nearer end of the list.
        """
        start, end = max(0, start), min(end, self._total)
        if start >= end:
            return []
        from_end = self._total - end < start
        skipped = self._total - end if from_end else start
        order: list[ColumnElement[Any]] = [self._key, requests.c.id]
        if self._down != from_end:
            order = [each.desc() for each in order]
        found = self._connection.scalars(
            select(requests.c.id)
            .where(*self._where)
            .order_by(*order)
            .offset(skipped)
            .limit(end - start)
        ).all()
        return list(reversed(found) if from_end else found)


def _told(row: Row[Any]) -> dict[str, object]:
    told: dict[str, object] = {
        "id": row.id,
        "request_id": row.request_id,
        "timestamp": rfc_3339(row.timestamp),
        "model": row.model,
        "provider": row.provider,
        "policy": row.policy,
        "tier": row.tier,
        "streaming": row.streaming,
        "success": row.success,
        "tokens": {
            "input": row.input_tokens,
            "cached": row.cached_tokens,
            "output": row.output_tokens,
            "reasoning": row.reasoning_tokens,
            "estimated": row.tokens_estimated,
        },
        "cost": {
            "sats": row.cost_sats,
            "provider_sats": row.provider_cost_sats,
            "baseline_sats": row.baseline_cost_sats,
        },
        "timing": {
            "latency_ms": row.latency_ms,
            "ttft_ms": row.ttft_ms,
            "stream_duration_ms": row.stream_duration_ms,
        },
        "attempts": row.attempts,
    }
    if not row.success:
        message = row.error_message
        if row.state == INTERRUPTED:
            message = message or INTERRUPTED
        told["error"] = {"status": row.error_status, "message": message}
    return told
