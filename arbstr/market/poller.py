"""
Doing something again and again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

# After a failure it is tried again sooner.
_FIRST_SECONDS = 5


class Poller:
    """
    Asks at once and then in intervals, which vary by a tenth, so that not
    everybody asks at the same time; after failures sooner, in 5 seconds and then
    twice as long each time in a row.

    @param ask: one time; answers whether it went well.
    @param interval: seconds between the end of one time and the next.
    @param jitter: a random number in 0…1.
    """

    _log = Logger()

    def __init__(
        self,
        ask: Callable[[], Coroutine[Deferred[Any], Any, bool]],
        interval: float,
        clock: IReactorTime,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._ask = ask
        self._interval = interval
        self._clock = clock
        self._jitter = jitter
        self._soon = _FIRST_SECONDS
        self._call: IDelayedCall | None = None
        self._asking: Deferred[Any] | None = None
        self._stopped = False

    @property
    def is_busy(self) -> bool:
        """
        Somebody is being asked.
        """
        return self._asking is not None

    def start(self) -> None:
        """
        Begin, in the next turn of the reactor.
        """
        self._call = self._clock.callLater(0, self._run)

    def stop(self) -> None:
        """
        Ask no more, and break off what is being asked.
        """
        self._stopped = True
        if self._call is not None:
            self._call.cancel()
            self._call = None
        if self._asking is not None:
            self._asking.cancel()

    def _run(self) -> None:
        self._call = None
        asking = Deferred.fromCoroutine(self._ask())
        self._asking = asking
        asking.addErrback(self._broke).addCallback(self._ended)

    def _broke(self, failure: Failure) -> bool:
        if not failure.check(CancelledError):
            self._log.failure("A bug of arbstr's own", failure)
        return False

    def _ended(self, went_well: bool) -> None:
        self._asking = None
        if self._stopped:
            return
        if went_well:
            self._soon = _FIRST_SECONDS
            seconds = self._interval
        else:
            seconds = min(self._soon, self._interval)
            self._soon = min(2 * self._soon, 3600)
        seconds *= 0.9 + 0.2 * self._jitter()
        self._call = self._clock.callLater(seconds, self._run)


class Watcher:
    """
    Somebody who asks again and again, by a L{Poller}.
    """

    _poller: Poller

    @property
    def is_busy(self) -> bool:
        """
        It is being asked.
        """
        return self._poller.is_busy

    def start(self) -> None:
        """
        Ask now, and then in intervals.
        """
        self._poller.start()

    def stop(self) -> None:
        """
        Ask no more.
        """
        self._poller.stop()
