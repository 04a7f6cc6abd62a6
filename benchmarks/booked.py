"""
What a daemon left in its books, compared with what its clients were told.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from attrs import frozen

from arbstr.ledger.tables import DONE, IN_FLIGHT

from .asking import Answer


@frozen
class Row:
    """
    One row, as far as it matters here.
    """

    request_id: str
    state: str
    cost: Decimal | None
    estimated: bool


@frozen
class Books:
    """
    All rows.

    @ivar rows: by request id.
    @ivar count: how many there are.
    @ivar integrity: what SQLite says of the file; C{ok} if it is sound.
    """

    rows: dict[str, Row]
    count: int
    integrity: str

    @classmethod
    def read(cls, path: Path) -> Books:
        """
        Read them with nothing of arbstr's own.
        """
        with closing(sqlite3.connect(path)) as connection:
            (integrity,) = connection.execute("PRAGMA integrity_check").fetchone()
            found = connection.execute(
                "SELECT request_id, state, cost_sats, tokens_estimated FROM requests"
            ).fetchall()
        rows = {
            name: Row(name, state, _exact(cost), bool(estimated))
            for name, state, cost, estimated in found
        }
        return cls(rows, len(found), integrity)

    def finished(self) -> set[str]:
        """
        The ids of the requests that came to an end.
        """
        return {row.request_id for row in self.rows.values() if row.state == DONE}

    def wrong(self) -> list[str]:
        """
        What is wrong with them whatever was asked.
        """
        in_flight = sum(row.state == IN_FLIGHT for row in self.rows.values())
        wrong = []
        if self.integrity != "ok":
            wrong.append(f"The database is damaged: {self.integrity}")
        if in_flight:
            wrong.append(f"{in_flight} rows are in flight for ever")
        if len(self.rows) != self.count:
            wrong.append("Requests have more than one row")
        return wrong

    def without_row(self, answers: Iterable[Answer]) -> list[Answer]:
        """
        Those answers that the books know nothing of, or not how they ended.
        """
        finished = self.finished()
        return [
            answer
            for answer in answers
            if answer.request_id is not None and answer.request_id not in finished
        ]

    def unheard(self, answers: Iterable[Answer]) -> set[str]:
        """
        The ids that no client was told.
        """
        return self.rows.keys() - {answer.request_id for answer in answers}

    def sats(self, estimated: bool) -> Decimal:
        """
        The sum of the costs of reported tokens, or of estimated ones.
        """
        return total(
            row.cost for row in self.rows.values() if row.estimated == estimated
        )


def total(costs: Iterable[Decimal | None]) -> Decimal:
    """
    The sum of those that there are.
    """
    return sum((cost for cost in costs if cost is not None), Decimal(0))


def _exact(cost: float | None) -> Decimal | None:
    # The shortest decimal that is this float is what was written.
    return None if cost is None else Decimal(repr(cost))
