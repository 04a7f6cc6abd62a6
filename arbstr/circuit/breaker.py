"""
One provider's circuit breaker.

A closed circuit lets every request through and counts failures in a row.  At
the threshold it opens: nothing goes through for a while.  Then it is half-open:
one request, the probe, finds out for all others, who wait in order.

Failures of streams after their 2xx are counted apart, because a 2xx ends a row
of failures: a provider that always cuts its streams would never trip.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from enum import StrEnum

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from arbstr.config.model import CircuitSettings

from .permit import CircuitOpen, Outbox, Permit, ProbeGuard, Waiter

_JITTER = 0.1
"""
By which share, at most, a grown open time is shortened.
"""


class CircuitState(StrEnum):
    """
    What a circuit does with requests; the values are what clients see.
    """

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@frozen
class CircuitSnapshot:
    """
    A circuit at one moment.

    @ivar failure_count: failures in a row while closed.
    @ivar stream_failure_count: streams in a row that failed after their 2xx.
    @ivar trip_count: how often the circuit went from closed to open.
    @ivar retry_at: when an open circuit may be probed, in seconds of the
        injected clock; C{None} if it is not open.
    @ivar last_error: the latest failure that counted.
    """

    state: CircuitState
    failure_count: int
    stream_failure_count: int
    trip_count: int
    retry_at: float | None
    last_error: str | None


@define(eq=False)
class CircuitBreaker:
    """
    The state machine.  It issues permits and is told by them.

    @ivar provider: the provider's name.
    @ivar settings: what its next steps follow.
    @ivar probing: whether a probe is in flight.
    """

    log = Logger()

    provider: str
    settings: CircuitSettings
    _clock: IReactorTime
    _jitter: Callable[[], float]
    _outbox: Outbox
    probing: bool = field(default=False, init=False)
    _failures: int = field(default=0, init=False)
    _stream_failures: int = field(default=0, init=False)
    _trips: int = field(default=0, init=False)
    _last_error: str | None = field(default=None, init=False)
    _open_until: float | None = field(default=None, init=False)
    _open_seconds: float | None = field(default=None, init=False)
    _waiters: deque[Waiter] = field(factory=deque, init=False)

    @property
    def state(self) -> CircuitState:
        """
        What the next request meets.  No timer runs: an open circuit is
        half-open as soon as it is looked at after its time.
        """
        if self._open_until is None:
            return CircuitState.CLOSED
        if self._clock.seconds() < self._open_until:
            return CircuitState.OPEN
        return CircuitState.HALF_OPEN

    @property
    def retry_at(self) -> float | None:
        """
        When an open circuit may be probed; C{None} if it is not open.
        """
        return self._open_until if self.state is CircuitState.OPEN else None

    def snapshot(self) -> CircuitSnapshot:
        """
        All that there is to be seen.
        """
        return CircuitSnapshot(
            state=self.state,
            failure_count=self._failures,
            stream_failure_count=self._stream_failures,
            trip_count=self._trips,
            retry_at=self.retry_at,
            last_error=self._last_error,
        )

    def try_acquire(self) -> Permit | None:
        """
        A normal permit if closed, the probe if one is due that nobody has waited
        for, else C{None}.
        """
        self.offer_probe()
        if self.state is CircuitState.CLOSED:
            return Permit(self.provider, self, self._trips)
        return self._start_probe() if self._probe_is_due() else None

    def offer_probe(self) -> None:
        """
        Gives the probe, if one is due, to the first in the queue.
        """
        if self._waiters and self._probe_is_due():
            self._waiters.popleft().granted(self._start_probe())

    def refusal(self) -> CircuitOpen:
        """
        What to tell a request that got no permit.
        """
        retry_at = self._clock.seconds() if self.retry_at is None else self.retry_at
        return CircuitOpen(self.provider, self._last_error or "", retry_at)

    def enqueue(self, waiter: Waiter) -> None:
        """
        Puts a waiter last in the queue.
        """
        self._waiters.append(waiter)

    def withdraw(self, waiter: Waiter) -> None:
        """
        Takes out a waiter that was granted nothing here.
        """
        self._waiters.remove(waiter)

    def record_success(self) -> None:
        """
        A normal request succeeded.  Ignored unless closed.
        """
        if self.state is CircuitState.CLOSED:
            self._failures = 0
            self._open_seconds = None

    def record_failure(self, error_type: str, message: str) -> None:
        """
        A normal request failed.  Ignored unless closed.
        """
        if self.state is CircuitState.CLOSED:
            self._failures += 1
            self._count(self._failures, error_type, message)

    def record_stream_success(self) -> None:
        """
        A stream came to its end.  Ignored unless closed.
        """
        if self.state is CircuitState.CLOSED:
            self._stream_failures = 0

    def record_stream_failure(self, error_type: str, message: str) -> None:
        """
        A stream broke off or stalled after its 2xx.  Ignored unless closed.
        """
        if self.state is CircuitState.CLOSED:
            self._stream_failures += 1
            self._count(self._stream_failures, error_type, message)

    def succeeded(self, permit: Permit) -> None:
        """
        The provider served the permit's request.
        """
        if permit.is_probe:
            self._close()
        elif permit.generation == self._trips:
            self.record_success()

    def failed(self, permit: Permit, error_type: str, message: str) -> None:
        """
        The provider failed the permit's request.
        """
        if permit.is_probe:
            self._open(error_type, message)
        elif permit.generation == self._trips:
            self.record_failure(error_type, message)

    def released(self, permit: Permit) -> None:
        """
        Nothing was learnt.  A probe slot goes to the next waiter.
        """
        if permit.is_probe:
            self.probing = False
            self.offer_probe()

    def stream_completed(self, permit: Permit) -> None:
        """
        The stream that followed a permit's success came to its end.
        """
        if permit.generation == self._trips:
            self.record_stream_success()

    def stream_failed(self, permit: Permit, error_type: str, message: str) -> None:
        """
        The stream that followed a permit's success broke off or stalled.
        """
        if permit.generation == self._trips:
            self.record_stream_failure(error_type, message)

    def soon(self, call: Callable[[], object]) -> None:
        """
        Makes a call in a reactor turn of its own.
        """
        self._clock.callLater(0, call)

    def _count(self, in_a_row: int, error_type: str, message: str) -> None:
        self._last_error = f"{error_type}: {message}"
        if in_a_row >= self.settings.failure_threshold:
            self._trips += 1
            self._open(error_type, message)

    def _probe_is_due(self) -> bool:
        return self.state is CircuitState.HALF_OPEN and not self.probing

    def _start_probe(self) -> ProbeGuard:
        self.probing = True
        # Only a verdict ends this, even if somebody sets the clock back.
        self._open_until = -math.inf
        self.log.info("probing the circuit of {provider}", provider=self.provider)
        return ProbeGuard(self.provider, self, self._trips)

    def _open(self, error_type: str, message: str) -> None:
        seconds = self._next_open_seconds()
        self._open_until = self._clock.seconds() + seconds
        self._last_error = f"{error_type}: {message}"
        self.probing = False
        self.log.warn(
            "opened the circuit of {provider} for {seconds:g} s after "
            "{error_type}: {reason}",
            provider=self.provider,
            seconds=seconds,
            error_type=error_type,
            reason=message,
        )
        with self._outbox:
            for waiter in tuple(self._waiters):
                waiter.reconsider()

    def _close(self) -> None:
        self._open_until = None
        self._failures = self._stream_failures = 0
        self.probing = False
        self.log.info(
            "closed the circuit of {provider}: it has recovered",
            provider=self.provider,
        )
        with self._outbox:
            while self._waiters:
                permit = Permit(self.provider, self, self._trips)
                self._waiters.popleft().granted(permit)

    def _next_open_seconds(self) -> float:
        """
        C{open_seconds}; at each further opening without a success in between,
        C{open_multiplier} times the one before, up to C{open_seconds_max}, and
        with jitter.  Step by step, because a power would overflow in a long
        outage.
        """
        settings = self.settings
        if self._open_seconds is None or settings.open_multiplier == 1:
            self._open_seconds = settings.open_seconds
            return self._open_seconds
        longest = max(settings.open_seconds, settings.open_seconds_max)
        self._open_seconds = min(self._open_seconds * settings.open_multiplier, longest)
        return self._open_seconds * (1 - _JITTER * self._jitter())
