"""
Forgets what is old.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from .engines import Writes, reason
from .rows import delete_some

_HOUR = 3600
_DAY = 24 * _HOUR
_PAUSE_SECONDS = 0.1  # in which rows that wait get their turn


async def delete_older(
    database: Writes, clock: IReactorTime, before_ms: int, batch: int = 1000
) -> int:
    """
    Delete rows, a few at a time, so that new ones need not wait for long.

    @param before_ms: only what was accepted earlier, since the epoch.
    @param batch: how many in one transaction.
    @return: how many these were.
    """
    count = 0
    while True:
        some = await database.write(
            partial(delete_some, before_ms=before_ms, limit=batch)
        )
        count += some
        if some < batch:
            return count
        await deferLater(clock, _PAUSE_SECONDS)


class Retention:
    """
    Once at the start and then once an hour, deletes what is too old.

    @param keep_days: how long rows are kept.
    @param now: wall time, seconds since the epoch.
    """

    _log = Logger()

    def __init__(
        self,
        database: Writes,
        clock: IReactorTime,
        keep_days: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keep_seconds = keep_days * _DAY
        self._now = now
        self._running: Deferred[None] | None = None
        self._hourly = LoopingCall(self._delete)
        self._hourly.clock = clock

    def start(self) -> None:
        """
        Begin.
        """
        self._hourly.start(_HOUR).addErrback(
            lambda failure: self._log.failure("Deleting of old rows ended", failure)
        )

    def stop(self) -> None:
        """
        End, even between two batches.
        """
        if self._hourly.running:
            self._hourly.stop()
        if self._running is not None:
            self._running.cancel()

    def _delete(self) -> Deferred[None]:
        self._running = Deferred.fromCoroutine(self._delete_old())
        return self._running.addBoth(self._ended)

    def _ended(self, result: Any) -> None:
        self._running = None

    async def _delete_old(self) -> None:
        before_ms = round((self._now() - self._keep_seconds) * 1000)
        try:
            count = await delete_older(self._database, self._clock, before_ms)
        except CancelledError:
            return
        except Exception as error:
            self._log.warn("Cannot delete old rows: {error}", error=reason(error))
            return
        if count:
            self._log.info("Deleted {count} old rows", count=count)
