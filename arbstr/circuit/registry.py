"""
All circuit breakers, and the choice among several.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Generic, Protocol, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from arbstr.config.model import CircuitSettings

from .breaker import CircuitBreaker, CircuitSnapshot, CircuitState
from .permit import AllCircuitsOpen, Outbox, Permit, Waiter


class Named(Protocol):
    """
    Anything with a provider's name.
    """

    @property
    def name(self) -> str:
        """
        The name that the registry knows the provider by.
        """


C = TypeVar("C")
N = TypeVar("N", bound=Named)


class CircuitBreakerRegistry:
    """
    One breaker for each provider.  Breakers are opt-in: a name that is not
    known here always gets a normal permit, and its outcomes are forgotten.
    """

    def __init__(
        self,
        names: Iterable[str],
        settings: CircuitSettings,
        clock: IReactorTime,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """
        @param jitter: a random number from 0 to 1 at each call.
        """
        self._clock = clock
        self._outbox = Outbox()
        self._new_breaker = partial(
            CircuitBreaker, clock=clock, jitter=jitter, outbox=self._outbox
        )
        self._never_trips = settings.model_copy(
            update={"failure_threshold": sys.maxsize}
        )
        self._breakers = {
            name: self._new_breaker(name, settings=settings) for name in names
        }

    def acquire_permit(self, name: str) -> Deferred[Permit]:
        """
        Asks for a permit for one provider.  While a probe is in flight, waits
        for its verdict.

        @return: fires with the permit, or fails with L{CircuitOpen
            <arbstr.circuit.permit.CircuitOpen>}.  Cancelling it gives up the
            place in the queue.
        """
        breaker = self._find(name)
        choice = _Choice(
            ((name, breaker),),
            lambda retry_at: breaker.refusal(),
            self._clock,
            self._outbox,
        )
        return choice.start(timeout=None).addCallback(lambda answer: answer[1])

    def acquire_first(
        self, candidates: Iterable[N], model: str, timeout: float | None = None
    ) -> Deferred[tuple[N, Permit]]:
        """
        Asks for one permit for the best of several providers: the first whose
        probe is due, so that recovery is noticed soon; else the first that is
        closed; else, while probes are in flight, the first to become available.

        @param candidates: the providers, best first.
        @param model: the model that was asked for; it goes into the error.
        @param timeout: how many seconds to wait at most; C{None} is no limit.
        @return: fires with the candidate and its permit, or fails with
            L{AllCircuitsOpen<arbstr.circuit.permit.AllCircuitsOpen>}.
            Cancelling it gives up its place in all queues.
        """
        choice = _Choice(
            tuple((each, self._find(each.name)) for each in candidates),
            partial(AllCircuitsOpen, model),
            self._clock,
            self._outbox,
        )
        return choice.start(timeout)

    def record_success(self, name: str) -> None:
        """
        A normal request to the provider succeeded.  Like every outcome that is
        recorded by name, ignored unless the circuit is closed.
        """
        self._find(name).record_success()

    def record_failure(self, name: str, error_type: str, message: str) -> None:
        """
        A normal request to the provider failed.
        """
        self._find(name).record_failure(error_type, message)

    def record_stream_success(self, name: str) -> None:
        """
        A stream from the provider came to its end.
        """
        self._find(name).record_stream_success()

    def record_stream_failure(self, name: str, error_type: str, message: str) -> None:
        """
        A stream from the provider broke off or stalled after its 2xx.
        """
        self._find(name).record_stream_failure(error_type, message)

    def state(self, name: str) -> CircuitState:
        """
        What the next request to the provider meets.
        """
        return self._find(name).state

    def failure_count(self, name: str) -> int:
        """
        The provider's failures in a row while closed.
        """
        return self._find(name).snapshot().failure_count

    def trip_count(self, name: str) -> int:
        """
        How often the provider's circuit went from closed to open.
        """
        return self._find(name).snapshot().trip_count

    def retry_at(self, name: str) -> float | None:
        """
        When the provider's open circuit may be probed, in seconds of the
        injected clock; C{None} if it is not open.
        """
        return self._find(name).retry_at

    def snapshots(self) -> dict[str, CircuitSnapshot]:
        """
        Every known circuit, by its provider's name.
        """
        return {name: each.snapshot() for name, each in self._breakers.items()}

    def _find(self, name: str) -> CircuitBreaker:
        """
        The provider's breaker; for an unknown name one that never trips.
        """
        known = self._breakers.get(name)
        return known or self._new_breaker(name, settings=self._never_trips)


@define(eq=False)
class _Choice(Generic[C]):
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
            taken = self._take()
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

    def _take(self) -> tuple[C, Permit] | None:
        """
        The first that has a probe due, else the first that is closed.
        """
        for state in (CircuitState.HALF_OPEN, CircuitState.CLOSED):
            for candidate, breaker in self._pairs:
                if breaker.state is state:
                    permit = breaker.try_acquire()
                    if permit is not None:
                        return candidate, permit
        return None

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


def _stop(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
