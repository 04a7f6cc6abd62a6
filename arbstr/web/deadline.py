"""
One timer for one deadline after another.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Deadline:
    """
    A moment that is put off again and again.  To put it off costs no timer: one
    that comes too early looks again.

    @param passed: called when it has passed.
    """

    def __init__(self, clock: IReactorTime, passed: Callable[[], None]) -> None:
        self._clock = clock
        self._passed = passed
        self._at = math.inf
        self._timer: IDelayedCall | None = None

    @property
    def is_set(self) -> bool:
        """
        There is one.
        """
        return self._at < math.inf

    def set(self, seconds: float) -> None:
        """
        It is so many seconds away.
        """
        self._at = self._clock.seconds() + seconds
        if self._timer is None or self._timer.getTime() > self._at:
            self.stop()
            self._start(seconds)

    def clear(self) -> None:
        """
        There is none for now.
        """
        self._at = math.inf

    def stop(self) -> None:
        """
        Leave no timer.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self, seconds: float) -> None:
        self._timer = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        left = self._at - self._clock.seconds()
        if left == math.inf:
            return
        if left > 0:
            self._start(left)
        else:
            self._at = math.inf
            self._passed()
