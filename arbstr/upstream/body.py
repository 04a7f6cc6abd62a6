"""
Reading a provider's response body, within limits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import cast

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from .failures import AttemptFailed
from .parser import MalformedResponse


@frozen
class BodyLimits:
    """
    What a body is held to, in seconds.

    @ivar idle: between any two pieces of it.
    @ivar total: for all that is left of it.
    """

    idle: float
    total: float


class BodyReceiver(Protocol, ABC):
    """
    Receives one body.

    @ivar finished: fires once when the body has ended, or fails with
        L{AttemptFailed}.  Cancelling it cuts the provider's connection.
    """

    def __init__(self, clock: IReactorTime, limits: BodyLimits) -> None:
        self.finished: Deferred[None] = Deferred(self._cancelled)
        self._clock = clock
        self._limits = limits
        self._left = limits.total
        self._deadline = self._heard = 0.0
        self._over = False
        self._connected = False
        self._idle_call: IDelayedCall | None = None
        self._total_call: IDelayedCall | None = None

    @abstractmethod
    def received(self, data: bytes) -> None:
        """
        A piece of the body.
        """

    def ended(self) -> None:
        """
        The body ended as HTTP wants it to.  What it was is for the subclass to
        judge: some servers end a broken answer cleanly.
        """
        self.finish()

    def finish(self, failure: Exception | None = None) -> None:
        """
        Nothing more of the body matters: fire C{finished}, and if the
        provider has not finished sending, cut its connection.
        """
        if self._over:
            return
        self._stop()
        if failure is None:
            self.finished.callback(None)
        else:
            self.finished.errback(failure)

    def connectionMade(self) -> None:
        """
        The response's headers have been read; its body follows.
        """
        self._connected = True
        # What is all there already is not waited for.
        if not getattr(self.transport, "complete", False):
            self._start_timers()

    def dataReceived(self, data: bytes) -> None:
        """
        See L{IProtocol.dataReceived}.
        """
        if self._over:
            return
        self._heard = self._clock.seconds()
        self.received(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{IProtocol.connectionLost}.
        """
        self._connected = False
        if self._over:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.ended()
        elif reason.check(MalformedResponse):
            self.finish(
                AttemptFailed("protocol", f"malformed response: {reason.value}")
            )
        else:
            self.finish(AttemptFailed("connect", "the connection was lost midway"))

    def hold_limits(self) -> None:
        """
        The provider is being held up by us: that is not its fault.
        """
        if self._over or self._idle_call is None:
            return
        self._left = max(0.0, self._deadline - self._clock.seconds())
        self._stop_timers()

    def resume_limits(self) -> None:
        """
        The provider may send again.
        """
        if not self._over and self._idle_call is None:
            self._start_timers()

    def _look(self) -> None:
        """
        Has nothing come for too long?  To put the timer off for every piece would
        cost more than to look again.
        """
        self._idle_call = None
        idle = self._limits.idle
        left = self._heard + idle - self._clock.seconds()
        if left > 0:
            self._idle_call = self._clock.callLater(left, self._look)
        else:
            why = f"nothing came for {idle:g} seconds"
            self.finish(AttemptFailed("timeout", why))

    def _too_long(self) -> None:
        self._total_call = None
        self.finish(AttemptFailed("timeout", "the answer took too long"))

    def _cancelled(self, finished: Deferred[None]) -> None:
        self._stop()

    def _start_timers(self) -> None:
        self._heard = self._clock.seconds()
        self._deadline = self._heard + self._left
        self._idle_call = self._clock.callLater(self._limits.idle, self._look)
        self._total_call = self._clock.callLater(self._left, self._too_long)

    def _stop_timers(self) -> None:
        for call in (self._idle_call, self._total_call):
            if call is not None:
                call.cancel()
        self._idle_call = self._total_call = None

    def _stop(self) -> None:
        self._over = True
        self._stop_timers()
        if self._connected:
            self._connected = False
            cast(IPushProducer, self.transport).stopProducing()


class Collector(BodyReceiver):
    """
    Keeps the body, up to a limit.

    @ivar limit: bytes; a longer body is a failure.
    """

    def __init__(self, clock: IReactorTime, limits: BodyLimits, limit: int) -> None:
        super().__init__(clock, limits)
        self._limit = limit
        self._size = 0
        self._pieces: list[bytes] = []

    def received(self, data: bytes) -> None:
        """
        Keep it.
        """
        self._size += len(data)
        if self._size > self._limit:
            self.finish(
                AttemptFailed(
                    "protocol", f"the answer is over {self._limit} bytes long"
                )
            )
        else:
            self._pieces.append(data)

    def body(self) -> bytes:
        """
        All that has come.
        """
        return b"".join(self._pieces)
