"""
All circuit breakers, and the choice among several.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from arbstr.config.model import CircuitSettings

from .breaker import CircuitBreaker, CircuitSnapshot, CircuitState
from .choice import Choice, take
from .permit import AllCircuitsOpen, Outbox, Permit


class Named(Protocol):
    """
    Anything with a provider's name.
    """

    @property
    def name(self) -> str:
        """
        The name that the registry knows the provider by.
        """


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
        self._breakers: dict[str, CircuitBreaker] = {}
        self.configure(names, settings)

    def configure(self, names: Iterable[str], settings: CircuitSettings) -> None:
        """
        Know these providers from now on.  Breakers of those that were known stay
        as they are, with whoever waits; what they do next follows the settings.
        The others are forgotten: permits that they gave can still be told their
        outcomes.
        """
        self._never_trips = settings.model_copy(
            update={"failure_threshold": sys.maxsize}
        )
        self._breakers = {name: self._known(name, settings) for name in names}

    def acquire_permit(self, name: str) -> Deferred[Permit]:
        """
        Asks for a permit for one provider.  While a probe is in flight, waits
        for its verdict.

        @return: fires with the permit, or fails with L{CircuitOpen
            <arbstr.circuit.permit.CircuitOpen>}.  Cancelling it gives up the
            place in the queue.
        """
        breaker = self._find(name)
        choice = Choice(
            ((name, breaker),),
            lambda retry_at: breaker.refusal(),
            self._clock,
            self._outbox,
        )
        return choice.start(timeout=None).addCallback(lambda answer: answer[1])

    def take_first(self, candidates: Iterable[N]) -> tuple[N, Permit] | None:
        """
        One permit for the best of several providers, without waiting: for the
        first whose probe is due, so that recovery is noticed soon; else for the
        first that is closed.

        @param candidates: the providers, best first.
        @return: the candidate and its permit; C{None} where L{acquire_first}
            would wait or fail.
        """
        with self._outbox:
            return take([(each, self._find(each.name)) for each in candidates])

    def acquire_first(
        self, candidates: Iterable[N], model: str, timeout: float | None = None
    ) -> Deferred[tuple[N, Permit]]:
        """
        Asks for one permit for the best of several providers: as L{take_first}
        does; else, while probes are in flight, for the first to become available.

        @param candidates: the providers, best first.
        @param model: the model that was asked for; it goes into the error.
        @param timeout: how many seconds to wait at most; C{None} is no limit.
        @return: fires with the candidate and its permit, or fails with
            L{AllCircuitsOpen<arbstr.circuit.permit.AllCircuitsOpen>}.
            Cancelling it gives up its place in all queues.
        """
        choice = Choice(
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

    def _known(self, name: str, settings: CircuitSettings) -> CircuitBreaker:
        breaker = self._breakers.get(name)
        if breaker is None:
            return self._new_breaker(name, settings=settings)
        breaker.settings = settings
        return breaker

    def _find(self, name: str) -> CircuitBreaker:
        """
        The provider's breaker; for an unknown name one that never trips.
        """
        known = self._breakers.get(name)
        return known or self._new_breaker(name, settings=self._never_trips)
