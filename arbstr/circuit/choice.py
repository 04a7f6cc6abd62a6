"""
One request's choice among the circuits of its candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from .breaker import CircuitBreaker, CircuitState
from .permit import Outbox, Permit, Waiter

C = TypeVar("C")


@define(eq=False)
class Choice(Generic[C]):
    """
    One request's choice among its candidates.  If it has to wait, it waits in
    the queues of all of them at once.  All requests do so from their start to
    their end, so that every queue is in the order in which requests came.

    @ivar _pairs: the candidates, best first, each beside its breaker.
    @ivar _refusal: makes the error, of the time when to ask again.
    """

    _pairs: tuple[tuple[C, CircuitBreaker], ...]
    _refusal: Callable[[float], Exception]
    _clock: IReactorTime
    _outbox: Outbox
    _deferred: Deferred[tuple[C, Permit]] = field(init=False)
    _places: dict[CircuitBreaker, Waiter] = field(factory=dict, init=False)
    _alarm: IDelayedCall | None = field(default=None, init=False)
    _deadline: IDelayedCall | None = field(default=None, init=False)
    _permit: Permit | None = field(default=None, init=False)

    def start(self, timeout: float | None) -> Deferred[tuple[C, Permit]]:
        """
        Chooses at once if that is possible, else waits so many seconds at most.
        """
        with self._outbox:
            taken = take(self._pairs)
            if taken is not None:
                return succeed(taken)
            if not self._is_worth_waiting():
                return fail(self._error())
            self._deferred = Deferred(self._cancelled)
            self._queue_up()
            self._set_alarm()
            if timeout is not None:
                self._deadline = self._clock.callLater(max(0, timeout), self._give_up)
            return self._deferred

    def _is_worth_waiting(self) -> bool:
        return any(breaker.probing for _, breaker in self._pairs)

    def _queue_up(self) -> None:
        for candidate, breaker in self._pairs:
            if breaker not in self._places:
                granted = partial(self._granted, candidate, breaker)
                self._places[breaker] = Waiter(granted, self._look_again)
                breaker.enqueue(self._places[breaker])

    def _opens_at(self) -> float | None:
        times = [breaker.retry_at for _, breaker in self._pairs]
        return min((time for time in times if time is not None), default=None)

    def _set_alarm(self) -> None:
        _stop(self._alarm)
        opens_at = self._opens_at()
        if opens_at is not None:
            delay = opens_at - self._clock.seconds()
            self._alarm = self._clock.callLater(max(0, delay), self._look_again)

    def _look_again(self) -> None:
        """
        Takes what has become available, goes on waiting, or gives up.
        """
        with self._outbox:
            for _, breaker in self._pairs:
                if self._places:
                    breaker.offer_probe()
            if self._places:
                if self._is_worth_waiting():
                    self._set_alarm()
                else:
                    self._give_up()

    def _granted(self, candidate: C, breaker: CircuitBreaker, permit: Permit) -> None:
        del self._places[breaker]
        self._permit = permit
        self._leave()
        self._outbox.post(self._deferred, (candidate, permit))

    def _give_up(self) -> None:
        self._leave()
        self._outbox.post(self._deferred, Failure(self._error()))

    def _error(self) -> Exception:
        opens_at = self._opens_at()
        return self._refusal(self._clock.seconds() if opens_at is None else opens_at)

    def _cancelled(self, deferred: Deferred[tuple[C, Permit]]) -> None:
        self._leave()
        if self._permit is not None:
            # Granted, but cancelled by another's callback before it arrived.
            self._permit.release()

    def _leave(self) -> None:
        _stop(self._alarm)
        _stop(self._deadline)
        # A call that was made keeps its function, and so a permit, in a cycle.
        self._alarm = self._deadline = None
        for breaker, place in self._places.items():
            breaker.withdraw(place)
        self._places.clear()


def take(pairs: Sequence[tuple[C, CircuitBreaker]]) -> tuple[C, Permit] | None:
    """
    The first that has a probe due, else the first that is closed; C{None} where
    nobody may be asked now.
    """
    for state in (CircuitState.HALF_OPEN, CircuitState.CLOSED):
        for candidate, breaker in pairs:
            if breaker.state is state:
                permit = breaker.try_acquire()
                if permit is not None:
                    return candidate, permit
    return None


def _stop(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
