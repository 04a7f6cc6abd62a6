"""
A clock for what would take hours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define
from twisted.internet import reactor as global_reactor
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

reactor: Any = global_reactor


@implementer(IReactorTime)
@define
class SkippingClock:
    """
    The reactor's clock, but hours can be skipped.  Timers are not hurried.
    """

    skipped: float = 0.0

    def seconds(self) -> float:
        return float(reactor.seconds()) + self.skipped

    def callLater(
        self, delay: float, callable: Callable[..., object], *args: object, **kw: object
    ) -> IDelayedCall:
        call: IDelayedCall = reactor.callLater(delay, callable, *args, **kw)
        return call

    def getDelayedCalls(self) -> list[IDelayedCall]:
        return list(reactor.getDelayedCalls())

    def skip(self, seconds: float) -> None:
        """
        So much time has passed.
        """
        self.skipped += seconds
