"""
Where rows go.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger, LogLevel

from .engines import Writes, reason
from .row import RequestLog
from .rows import is_about_a_row, write_all, write_each
from .waiting import WaitingRows

FLUSH_SECONDS = 0.25
BATCH = 500
BOUND = 10_000
DRAIN_SECONDS = 10.0

# Of the seconds until a row is in the database, those that writing it may take
# while the processor is busy.
_WRITING_SECONDS = 0.1

# What has begun so lately is left for the next time: it may end before, and then
# is written once, not twice.
_YOUNG_SECONDS = 0.05

_BACKOFF_DOUBLINGS = 4
_SECONDS_BETWEEN_WARNINGS = 1.0
_INFO = LogLevel.info


class Ledger(Protocol):
    """
    Keeps the rows.
    """

    def begin(self, request_id: str, make_row: Callable[[], RequestLog]) -> None:
        """
        A request was accepted.  Returns at once.

        @param make_row: makes its row; called when that is to be written, and
            not at all if the request has ended by then.
        """

    def record(self, row: RequestLog) -> None:
        """
        Take the row of a request that has ended.  Returns at once.
        """

    def drain(self) -> Deferred[None]:
        """
        Fires when every row taken so far is where it belongs, or lost.
        """

    def status(self) -> dict[str, object]:
        """
        For C{/health}: the C{kind}, how many rows are C{waiting} and how many
        were C{dropped}, and the C{error} that keeps them waiting, if one does.
        """


class LogLedger:
    """
    Writes each row as one structured line of the log.

    @ivar enabled: C{False} where requests are not to be logged.
    """

    _log = Logger()

    def __init__(self, enabled: bool = True) -> None:
        self.enabled = enabled

    def begin(self, request_id: str, make_row: Callable[[], RequestLog]) -> None:
        """
        See L{Ledger.begin}.  The log tells only what has ended.
        """

    def record(self, row: RequestLog) -> None:
        """
        See L{Ledger.record}.
        """
        if self.enabled:
            # What `info` would do, without looking for mistakes each time.
            log = self._log
            log.observer(
                {
                    "log_logger": log,
                    "log_level": _INFO,
                    "log_namespace": log.namespace,
                    "log_source": self,
                    "log_format": "{summary()}",
                    "log_time": time.time(),
                    "summary": row.summary,
                    "row": row,
                    "request_id": row.request_id,
                }
            )

    def drain(self) -> Deferred[None]:
        """
        See L{Ledger.drain}.
        """
        return succeed(None)

    def status(self) -> dict[str, object]:
        """
        See L{Ledger.status}.
        """
        return {"kind": "log", "waiting": 0, "dropped": 0, "error": None}


class DatabaseLedger:
    """
    Writes rows to a database: in batches, in order, one batch at a time.  While
    the database cannot be written rows wait; only what there is no room for
    is lost, and counted.

    @param clock: all intervals are measured by it.
    """

    _log = Logger()

    def __init__(self, database: Writes, clock: IReactorTime) -> None:
        self._database = database
        self._clock = clock
        self._rows = WaitingRows(BOUND)
        self._timer: IDelayedCall | None = None
        self._writing = False
        self._failures = 0
        self._error: str | None = None
        self._dropped = 0
        self._warned_at = float("-inf")
        self._draining: list[Deferred[None]] = []
        self._give_up_timer: IDelayedCall | None = None

    def begin(self, request_id: str, make_row: Callable[[], RequestLog]) -> None:
        """
        See L{Ledger.begin}.  Without room for it nothing is lost yet: the row
        comes again, complete.
        """
        self._rows.begin(request_id, make_row, self._clock.seconds())
        self._schedule()

    def record(self, row: RequestLog) -> None:
        """
        See L{Ledger.record}.
        """
        if not self._rows.end(row, self._clock.seconds()):
            self._drop(1, f"{BOUND} are waiting already")
        self._schedule()

    def drain(self) -> Deferred[None]:
        """
        See L{Ledger.drain}.  What cannot be written in L{DRAIN_SECONDS} is lost.
        """
        if not self._rows:
            return succeed(None)
        drained: Deferred[None] = Deferred(self._draining.remove)
        self._draining.append(drained)
        if self._give_up_timer is None:
            self._give_up_timer = self._clock.callLater(DRAIN_SECONDS, self._give_up)
        self._flush()
        return drained

    def status(self) -> dict[str, object]:
        """
        See L{Ledger.status}.
        """
        return {
            "kind": "database",
            "waiting": len(self._rows),
            "dropped": self._dropped,
            "error": self._error,
        }

    def _schedule(self) -> None:
        """
        See to it that rows that wait are written.
        """
        if self._writing or not self._rows:
            return
        hurry = self._rows.queued >= BATCH or bool(self._draining)
        if hurry and not self._failures:
            self._flush()
        elif self._timer is None:
            self._timer = self._clock.callLater(self._delay(), self._flush)

    def _delay(self) -> float:
        if self._draining:
            return FLUSH_SECONDS
        if not self._failures:
            waited = self._clock.seconds() - self._rows.oldest
            return max(0.0, FLUSH_SECONDS - _WRITING_SECONDS - waited)
        doublings = min(self._failures, _BACKOFF_DOUBLINGS)
        return float(FLUSH_SECONDS * 2**doublings)

    def _flush(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if self._rows.queued and not self._writing:
            self._writing = True
            Deferred.fromCoroutine(self._write()).addErrback(
                lambda failure: self._log.failure("Writing rows ended", failure)
            )

    async def _write(self) -> None:
        try:
            await self._write_batch()
            while not self._failures and self._at_once():
                await self._write_batch()
        finally:
            self._writing = False
        if not self._rows:
            self._drained()
        self._schedule()

    def _at_once(self) -> bool:
        return self._rows.queued >= BATCH or bool(self._draining and self._rows)

    async def _write_batch(self) -> None:
        try:
            young = 0.0 if self._at_once() else _YOUNG_SECONDS
            entries = self._rows.take(BATCH, self._clock.seconds() - young)
            if not entries:
                # The timer is of the wall clock, which somebody has put forward.
                return
            try:
                await self._database.write(partial(write_all, entries=entries))
            except Exception as error:
                if not is_about_a_row(error):
                    raise
                refused = await self._database.write(
                    partial(write_each, entries=entries)
                )
                for entry in entries:
                    if entry.ended and entry.row.request_id in refused:
                        self._drop(1, refused[entry.row.request_id])
        except Exception as error:
            self._rows.put_back()
            self._failed(error)
        else:
            self._rows.written()
            self._succeeded()

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        self._error, before = reason(error), self._error
        if self._error != before:
            self._log.warn(
                "Cannot write to the database {name}: {error}; {count} rows wait",
                name=self._database.name,
                error=self._error,
                count=len(self._rows),
            )

    def _succeeded(self) -> None:
        if self._error is not None:
            self._log.info("Writing to {name} again", name=self._database.name)
        self._failures = 0
        self._error = None

    def _drop(self, count: int, why: str) -> None:
        self._dropped += count
        now = self._clock.seconds()
        if now - self._warned_at >= _SECONDS_BETWEEN_WARNINGS:
            self._warned_at = now
            self._log.error(
                "Rows of requests are lost, {dropped} so far: {why}",
                dropped=self._dropped,
                why=why,
            )

    def _give_up(self) -> None:
        self._give_up_timer = None
        lost = self._rows.clear()
        self._warned_at = float("-inf")
        self._drop(lost, self._error or "the database does not answer")
        self._drained()

    def _drained(self) -> None:
        waiting, self._draining = self._draining, []
        if self._give_up_timer is not None:
            self._give_up_timer.cancel()
            self._give_up_timer = None
        for each in waiting:
            each.callback(None)
