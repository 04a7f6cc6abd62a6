"""
Where rows go.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from .row import RequestLog


class Ledger(Protocol):
    """
    Keeps the rows.
    """

    def record(self, row: RequestLog) -> None:
        """
        Take a row.  Returns at once.
        """

    def drain(self) -> Deferred[None]:
        """
        Fires when every row taken so far is where it belongs.
        """


class LogLedger:
    """
    Writes each row as one structured line of the log.

    @param enabled: C{False} where requests are not to be logged.
    """

    _log = Logger()

    def __init__(self, enabled: bool = True) -> None:
        self._enabled = enabled

    def record(self, row: RequestLog) -> None:
        """
        See L{Ledger.record}.
        """
        if self._enabled:
            self._log.info(
                "{summary}",
                summary=row.summary(),
                row=row.as_json(),
                request_id=row.request_id,
            )

    def drain(self) -> Deferred[None]:
        """
        See L{Ledger.drain}.
        """
        return succeed(None)
