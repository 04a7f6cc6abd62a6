"""
From what is remembered of a request to its row in the database.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from operator import attrgetter
from typing import Any

import orjson
from attrs import fields, frozen
from sqlalchemy import Connection, delete, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from arbstr.keyring import hide
from arbstr.redact import escape

from .engines import reason
from .row import FIELDS, RequestLog
from .tables import DONE, IN_FLIGHT, requests

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MAX_INTEGER = 2**63 - 1

# Beyond it a billionth of a sat, as the sums count them, is no BIGINT any more.
_MAX_SATS = 9_000_000_000

# PostgreSQL refuses longer ones in an index.
_INDEXED_NAMES = ("model", "provider", "policy", "tier")
_LONGEST_NAME = 256

# What a row in the database consists of, in this order.
COLUMNS = (*FIELDS, "state")


def _whole(value: int) -> int:
    return max(min(value, _MAX_INTEGER), -_MAX_INTEGER)


def _text(value: str) -> str:
    return escape(hide(value))


def _sats(value: Decimal) -> float | None:
    return float(value) if abs(value) <= _MAX_SATS else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _moment(value: datetime) -> int:
    return (value - _EPOCH) // _MILLISECOND


# How values are brought to what a column can hold, by what they are, besides
# whole numbers and texts.  Of those that are not here arbstr itself makes the
# values.
_CONVERTERS: dict[str, Callable[[Any], object]] = {
    "float | None": _finite,
    "Decimal | None": _sats,
    "datetime": _moment,
}


def _places(*kinds: str) -> list[int]:
    """
    Where in a row there are values of these types.
    """
    types = [str(each.type) for each in fields(RequestLog)]
    return [place for place, kind in enumerate(types) if kind in kinds]


_NUMBERS = _places("int", "int | None")
_TEXTS = _places("str | None")
_INDEXED = [COLUMNS.index(name) for name in _INDEXED_NAMES]
_CONVERSIONS = [
    (place, convert) for kind, convert in _CONVERTERS.items() for place in _places(kind)
]
_LATENCY = COLUMNS.index("latency_ms")
_ATTEMPTS = COLUMNS.index("attempts")
_values = attrgetter(*FIELDS)


@frozen
class Entry:
    """
    A row on its way to the database.

    @ivar ended: C{False} while the request is in flight.
    """

    row: RequestLog
    ended: bool

    def values(self) -> list[Any]:
        """
        As L{COLUMNS}, without any secret.  What no column can hold is brought to
        what one can: people and providers choose some of these.
        """
        values = [*_values(self.row), DONE if self.ended else IN_FLIGHT]
        attempts = [each.as_mapping() for each in self.row.attempts]
        if not self._is_clean(values):
            for place in _TEXTS:
                if values[place] is not None:
                    values[place] = _text(values[place])
            attempts = [_clean(each) for each in attempts]
        values[_ATTEMPTS] = orjson.dumps(attempts).decode()
        for place in _INDEXED:
            if values[place] is not None:
                values[place] = values[place][:_LONGEST_NAME]
        for place in _NUMBERS:
            value = values[place]
            if value is not None and not -_MAX_INTEGER <= value <= _MAX_INTEGER:
                values[place] = _whole(value)
        for place, convert in _CONVERSIONS:
            if values[place] is not None:
                values[place] = convert(values[place])
        if not self.ended:
            values[_LATENCY] = None
        return values

    def _is_clean(self, values: list[Any]) -> bool:
        """
        Whether there is nothing to be hidden or escaped.  One look at all texts
        together is cheaper than one at each, and nearly always enough.
        """
        texts = [values[place] for place in _TEXTS if values[place] is not None]
        for attempt in self.row.attempts:
            texts += (attempt.provider, attempt.outcome)
        text = " ".join(texts)
        return _text(text) == text


def _clean(attempt: dict[str, object]) -> dict[str, object]:
    return {
        name: _text(each) if isinstance(each, str) else each
        for name, each in attempt.items()
    }


def write_all(connection: Connection, entries: Iterable[Entry]) -> None:
    """
    Add rows, or complete those that are there.
    """
    # The driver takes the values as they are.  SQLAlchemy would look at each one,
    # which takes as long again as writing them does.
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    rows = [tuple(entry.values()) for entry in entries]
    connection.exec_driver_sql(_upsert(mark), rows)


@cache
def _upsert(mark: str) -> str:
    """
    The statement that adds a row, or completes the one that is there.

    @param mark: stands for a value.
    """
    marks = ", ".join(mark for _ in COLUMNS)
    changes = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS)
    return (
        f"INSERT INTO {requests.name} ({', '.join(COLUMNS)}) VALUES ({marks}) "
        f"ON CONFLICT (request_id) DO UPDATE SET {changes}"
    )


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
