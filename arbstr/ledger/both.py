"""
Rows for two purposes: one line each in the log for people who watch, and the
database for reports.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from twisted.internet.defer import Deferred

from .row import RequestLog
from .writer import Ledger


@frozen
class Both:
    """
    Gives every row to two ledgers.

    @ivar log: takes rows at once.
    @ivar books: what is waited for, and what health tells of.
    """

    log: Ledger
    books: Ledger

    def begin(self, request_id: str, make_row: Callable[[], RequestLog]) -> None:
        """
        See L{Ledger.begin}.
        """
        self.log.begin(request_id, make_row)
        self.books.begin(request_id, make_row)

    def record(self, row: RequestLog) -> None:
        """
        See L{Ledger.record}.
        """
        self.log.record(row)
        self.books.record(row)

    def drain(self) -> Deferred[None]:
        """
        See L{Ledger.drain}.
        """
        return self.books.drain()

    def status(self) -> dict[str, object]:
        """
        See L{Ledger.status}.
        """
        return self.books.status()
