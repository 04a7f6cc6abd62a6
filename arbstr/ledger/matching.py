"""
Which rows a question is about.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen
from sqlalchemy import ColumnElement, Connection, func, null, select

from arbstr.errors import ApiError

from .query import Filters
from .tables import IN_FLIGHT, requests

_NAMED = ("model", "provider", "policy")
_FLAGS = ("success", "streaming")


@frozen
class Known:
    """
    The configured names: reports tell of them even where the log has nothing.
    """

    models: Sequence[str] = ()
    providers: Sequence[str] = ()
    tiers: Sequence[str] = ()
    policies: Sequence[str] = ()

    def of(self, column: str) -> Sequence[str]:
        """
        The configured names among what a column may hold.
        """
        return {
            "model": self.models,
            "provider": self.providers,
            "tier": self.tiers,
            "policy": self.policies,
        }.get(column, ())


@frozen
class Matching:
    """
    The rows that count, as conditions.

    @ivar names: for each filtered column the spellings that the log has.
    """

    _filters: Filters
    _names: dict[str, list[str]] = field(factory=dict)

    @classmethod
    def find(cls, connection: Connection, filters: Filters, known: Known) -> Matching:
        """
        @raise ApiError: the model or the provider is neither configured nor
            in the log.
        """
        names = {}
        for column in _NAMED:
            name = getattr(filters, column)
            if name is None:
                continue
            names[column] = _spellings(connection, column, name)
            configured = {each.casefold() for each in known.of(column)}
            if not names[column] and name.casefold() not in configured:
                _refuse_unknown(column, name)
        return cls(filters, names)

    def conditions(self, *, indexed: bool = True) -> list[ColumnElement[bool]]:
        """
        @param indexed: C{False} keeps the database from reading the rows by
            an index of one of these columns, so that it takes that of the
            order, and sorts nothing.
        """

        def column(name: str) -> ColumnElement[object]:
            plain = requests.c[name]
            return plain if indexed else func.nullif(plain, null(), type_=plain.type)

        # The few open rows are looked up apart: with a condition on the state,
        # no index by itself would tell whether a row counts.
        is_open = select(requests.c.id).where(requests.c.state == IN_FLIGHT)
        timestamp = column("timestamp")
        found: list[ColumnElement[bool]] = [
            timestamp >= self._filters.since,
            timestamp < self._filters.until,
            requests.c.id.not_in(is_open),
        ]
        for name, spellings in self._names.items():
            found.append(column(name).in_(spellings))
        for name in _FLAGS:
            flag = getattr(self._filters, name)
            if flag is not None:
                found.append(column(name) == flag)
        return found


def _refuse_unknown(column: str, name: str) -> None:
    if column == "policy":
        # Nobody promises that a policy is known: there is just nothing of it.
        return
    raise ApiError(
        f"The {column} '{name}' is neither configured nor in the log",
        status=404,
        type="invalid_request_error",
        param=column,
        code=f"{column}_not_found",
    )


def _spellings(connection: Connection, column: str, name: str) -> list[str]:
    """
    How the log spells a name, whatever the case.  Each step of the recursion
    is one look into the column's index, so that a long log with few names is
    read in no time.
    """
    plain = requests.c[column]
    first = select(func.min(plain).label("name")).cte("names", recursive=True)
    following = select(func.min(plain)).where(plain > first.c.name).scalar_subquery()
    every = first.union_all(
        select(following.correlate(first)).where(first.c.name.is_not(None))
    )
    found = connection.scalars(select(every.c.name).where(every.c.name.is_not(None)))
    wanted = name.casefold()
    return [each for each in found if each.casefold() == wanted]
