"""
From what is remembered of a request to its row in the database.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from attrs import fields, frozen
from sqlalchemy import Connection, Executable, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from arbstr.keyring import hide
from arbstr.redact import escape

from .engines import reason
from .row import RequestLog
from .tables import DONE, IN_FLIGHT, requests

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MAX_INTEGER = 2**63 - 1

# Beyond it a billionth of a sat, as the sums count them, is no BIGINT any more.
_MAX_SATS = 9_000_000_000

# PostgreSQL refuses longer ones in an index.
_INDEXED_NAMES = ("model", "provider", "policy", "tier")
_LONGEST_NAME = 256

_COLUMNS = tuple(field.name for field in fields(RequestLog))


def _whole(value: int) -> int:
    return max(min(value, _MAX_INTEGER), -_MAX_INTEGER)


def _text(value: str) -> str:
    return escape(hide(value))


def _name(value: str) -> str:
    return _text(value)[:_LONGEST_NAME]


def _sats(value: Decimal) -> float | None:
    return float(value) if abs(value) <= _MAX_SATS else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _moment(value: datetime) -> int:
    return (value - _EPOCH) // _MILLISECOND


def _attempts(value: list[dict[str, object]]) -> list[dict[str, object]]:
    return [
        {
            name: _text(each) if isinstance(each, str) else each
            for name, each in attempt.items()
        }
        for attempt in value
    ]


# How a column's values are brought to what it can hold, by what they are.  Of
# those that are not here arbstr itself makes the values.
_CONVERTERS: dict[str, Callable[[Any], object]] = {
    "int": _whole,
    "int | None": _whole,
    "float | None": _finite,
    "str | None": _text,
    "Decimal | None": _sats,
    "datetime": _moment,
    "tuple[AttemptRow, ...]": _attempts,
}
_CONVERSIONS = [
    (each.name, _CONVERTERS[str(each.type)])
    for each in fields(RequestLog)
    if str(each.type) in _CONVERTERS and each.name not in _INDEXED_NAMES
] + [(name, _name) for name in _INDEXED_NAMES]


@frozen
class Entry:
    """
    A row on its way to the database.

    @ivar ended: C{False} while the request is in flight.
    """

    row: RequestLog
    ended: bool

    def values(self) -> dict[str, object]:
        """
        By column, without any secret.  What no column can hold is brought to
        what one can: people and providers choose some of these.
        """
        values = self.row.as_mapping()
        for name, convert in _CONVERSIONS:
            value = values[name]
            if value is not None:
                values[name] = convert(value)
        values["state"] = DONE if self.ended else IN_FLIGHT
        if not self.ended:
            values["latency_ms"] = None
        return values


def write_all(connection: Connection, entries: Iterable[Entry]) -> None:
    """
    Add rows, or complete those that are there.
    """
    statement = _upsert(connection.dialect.name)
    connection.execute(statement, [entry.values() for entry in entries])


@cache
def _upsert(dialect: str) -> Executable:
    insert = (sqlite if dialect == "sqlite" else postgresql).insert
    statement = insert(requests)
    upsert: Executable = statement.on_conflict_do_update(
        index_elements=["request_id"],
        set_={name: statement.excluded[name] for name in (*_COLUMNS, "state")},
    )
    return upsert


def write_each(connection: Connection, entries: Iterable[Entry]) -> dict[str, str]:
    """
    Add or complete what can be.

    @return: what was wrong with the others, by request id.
    """
    refused = {}
    for entry in entries:
        try:
            with connection.begin_nested():
                write_all(connection, [entry])
        except Exception as error:
            if not is_about_a_row(error):
                raise
            refused[entry.row.request_id] = reason(error)
    return refused


def is_about_a_row(error: BaseException) -> bool:
    """
    Whether a row is to blame, so that to try it again is of no use; else it is
    the database.
    """
    if isinstance(error, DBAPIError):
        return isinstance(error, (IntegrityError, DataError))
    return isinstance(error, (StatementError, ValueError, TypeError, OverflowError))


def delete_some(connection: Connection, before_ms: int, limit: int) -> int:
    """
    Remove the oldest rows.

    @param before_ms: only what was accepted earlier, since the epoch.
    @return: how many these were, at most C{limit}.
    """
    oldest = (
        select(requests.c.id)
        .where(requests.c.timestamp < before_ms)
        .order_by(requests.c.timestamp)
        .limit(limit)
    )
    return connection.execute(
        delete(requests).where(requests.c.id.in_(oldest))
    ).rowcount
