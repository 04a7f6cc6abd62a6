"""
The world in which requests meet the registry under test.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from arbstr.circuit import (
    AllCircuitsOpen,
    CircuitBreakerRegistry,
    CircuitOpen,
    Permit,
)
from arbstr.config.model import CircuitSettings

from .fixture import Candidate
from .world import (
    MULTIPLIER,
    NAMES,
    OPEN_SECONDS,
    OPEN_SECONDS_MAX,
    THRESHOLD,
    Answer,
    Circuit,
    Outcome,
    Request,
    World,
)


class RealWorld(World):
    """
    The registry under test.

    @ivar permits: those that are still held or streaming.
    @ivar problems: errors that belong to no answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.permits: dict[int, Permit] = {}
        self.deferreds: dict[int, Deferred[None]] = {}
        self.problems: list[Failure] = []
        self.registry = CircuitBreakerRegistry(
            NAMES,
            CircuitSettings(
                failure_threshold=THRESHOLD,
                open_seconds=OPEN_SECONDS,
                open_multiplier=MULTIPLIER,
                open_seconds_max=OPEN_SECONDS_MAX,
            ),
            self.clock,
            jitter=lambda: 0,
        )

    def send(self, number: int, request: Request) -> None:
        def granted(permit: Permit) -> None:
            kind = "probe" if permit.is_probe else "normal"
            self.permits[number] = permit
            self.told(number, Answer(kind, permit.provider))

        def refused(failure: Failure) -> None:
            if isinstance(failure.value, CircuitOpen | AllCircuitsOpen):
                self.told(number, Answer("refused", retry_at=failure.value.retry_at))
            else:
                failure.trap(CancelledError)
                self.told(number, Answer("cancelled"))

        deferred = self.acquire(request).addCallbacks(granted, refused)
        self.deferreds[number] = deferred.addErrback(self.problems.append)

    def acquire(self, request: Request) -> Deferred[Permit]:
        """
        Asks in one of the two ways.
        """
        if request.is_single:
            [name] = request.names
            return self.registry.acquire_permit(name)
        candidates = [Candidate(name) for name in request.names]
        chosen = self.registry.acquire_first(candidates, "gpt-4o", request.timeout)
        return chosen.addCallback(lambda answer: answer[1])

    def tell(self, number: int, outcome: Outcome) -> None:
        permit = self.permits[number]
        if outcome is not Outcome.SUCCESS:
            del self.permits[number]
        match outcome:
            case Outcome.SUCCESS:
                permit.success()
            case Outcome.FAILURE:
                permit.failure("5xx", "test")
            case Outcome.RELEASE:
                permit.release()
            case Outcome.INCONCLUSIVE:
                permit.inconclusive("404")

    def tell_stream(self, number: int, outcome: Outcome) -> None:
        permit = self.permits.pop(number)
        if outcome is Outcome.SUCCESS:
            permit.stream_completed()
        else:
            permit.stream_failed("protocol", "test")

    def lose(self, number: int) -> None:
        del self.permits[number]
        self.clock.advance(0)

    def cancel(self, number: int) -> None:
        self.deferreds[number].cancel()

    def record(self, name: str, outcome: Outcome, *, is_stream: bool) -> None:
        match outcome, is_stream:
            case Outcome.SUCCESS, False:
                self.registry.record_success(name)
            case Outcome.SUCCESS, True:
                self.registry.record_stream_success(name)
            case _, False:
                self.registry.record_failure(name, "5xx", "test")
            case _, True:
                self.registry.record_stream_failure(name, "protocol", "test")

    def pass_time(self, seconds: float, *, reactor_is_late: bool = False) -> None:
        if reactor_is_late:
            self.clock.rightNow += seconds
        else:
            self.clock.advance(seconds)

    def circuits(self) -> dict[str, Circuit]:
        return {
            name: Circuit(
                state=seen.state,
                failures=seen.failure_count,
                stream_failures=seen.stream_failure_count,
                trips=seen.trip_count,
                retry_at=seen.retry_at,
            )
            for name, seen in self.registry.snapshots().items()
        }
