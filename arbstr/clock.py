"""
A clock that does not jump, and how moments are told.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from attrs import frozen
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer


@implementer(IReactorTime)
@frozen
class MonotonicClock:
    """
    The reactor's timers with a monotonic C{seconds()}: the reactor's own is
    wall time, and an adjusted wall clock must not open, close or lengthen
    anything.
    """

    _reactor: IReactorTime

    def seconds(self) -> float:
        """
        Seconds since an arbitrary moment.
        """
        return time.monotonic()

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object, **kw: object
    ) -> IDelayedCall:
        """
        See L{IReactorTime.callLater}.
        """
        return self._reactor.callLater(delay, callable, *args, **kw)

    def getDelayedCalls(self) -> list[IDelayedCall]:
        """
        See L{IReactorTime.getDelayedCalls}.
        """
        return list(self._reactor.getDelayedCalls())


def rfc3339(moment: float) -> str:
    """
    A moment for people and programs, such as C{2026-11-22T10:00:00Z}.

    @param moment: seconds since the epoch.
    """
    told = datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
    return told.replace("+00:00", "Z")
