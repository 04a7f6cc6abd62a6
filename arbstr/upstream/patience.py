"""
How long others are waited for.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define
from twisted.internet.interfaces import IDelayedCall, IReactorTime


@define(eq=False)
class Wait:
    """
    One of them is waited for.

    @ivar until: the clock's time when it has taken too long.
    @ivar in_vain: it has.
    """

    until: float
    _give_up: Callable[[], object]
    in_vain: bool = False

    def give_up(self) -> None:
        """
        It has taken too long.
        """
        self.in_vain = True
        self._give_up()


class Patience:
    """
    One timer for all that is waited for, each for its own time.  Nearly all of
    it comes long before, so that a timer for each would be started only to be
    stopped: there is one as long as anything is waited for, and when it comes
    too early it looks again.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waits: set[Wait] = set()
        self._timer: IDelayedCall | None = None
        self._next = 0.0

    def begin(self, seconds: float, give_up: Callable[[], object]) -> Wait:
        """
        Wait for so long.

        @param give_up: called when it has taken too long.
        """
        wait = Wait(self._clock.seconds() + seconds, give_up)
        self._waits.add(wait)
        if self._timer is None:
            self._start(wait.until, seconds)
        elif wait.until < self._next:
            self._timer.cancel()
            self._start(wait.until, seconds)
        return wait

    def end(self, wait: Wait) -> None:
        """
        It has come, or is not waited for any more.
        """
        self._waits.discard(wait)
        if not self._waits and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self, moment: float, seconds: float) -> None:
        self._next = moment
        self._timer = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._clock.seconds()
        over = {wait for wait in self._waits if wait.until <= now}
        self._waits -= over
        if self._waits:
            first = min(wait.until for wait in self._waits)
            self._start(first, first - now)
        for wait in over:
            wait.give_up()
