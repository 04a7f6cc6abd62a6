"""
The requests that are being served.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime


class InFlight:
    """
    Knows every request that is being served, so that a drain can wait for them
    and in the end cancel them.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._serving: set[Deferred[None]] = set()
        self._cancelled: set[Deferred[None]] = set()
        self._drained: Deferred[None] | None = None

    def __len__(self) -> int:
        return len(self._serving)

    def run(self, serving: Coroutine[Deferred[Any], Any, None]) -> Deferred[None]:
        """
        Serve a request.

        @return: what the coroutine comes to; cancelling it cancels that.
        """
        deferred = Deferred.fromCoroutine(serving)
        if not deferred.called:
            self._serving.add(deferred)
            deferred.addBoth(self._done, deferred)
        return deferred

    def drain(self, grace_seconds: float) -> Deferred[None]:
        """
        Wait until nothing is being served; after the grace, cancel what is.
        """
        if not self._serving:
            return succeed(None)
        self._drained = Deferred()
        timer = self._clock.callLater(grace_seconds, self.cancel)
        return self._drained.addBoth(_stop_timer, timer)

    def cancel(self) -> bool:
        """
        Cut short whatever is being served.  What has been cut short before is
        left alone: it is telling its client.

        @return: whether there was anything.
        """
        due = self._serving - self._cancelled
        self._cancelled |= due
        for deferred in due:
            deferred.cancel()
        return bool(due)

    def _done(self, result: object, deferred: Deferred[None]) -> object:
        self._serving.discard(deferred)
        if self._drained is not None and not self._serving:
            drained, self._drained = self._drained, None
            drained.callback(None)
        return result


def _stop_timer(result: None, timer: IDelayedCall) -> None:
    if timer.active():
        timer.cancel()
