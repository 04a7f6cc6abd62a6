"""
What asking for a permit leads to: a place in a queue, then a refusal or a
permit, which its holder tells the outcome to.

A permit is resolved exactly once, by L{Permit.success}, L{Permit.failure} or
L{Permit.release}.  As a context manager it resolves itself if its holder did
not, so that the one probe slot of a half-open circuit can never leak.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Self, TypeVar

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.web.client import (
    RequestTransmissionFailed,
    ResponseFailed,
    ResponseNeverReceived,
)

if TYPE_CHECKING:
    from .breaker import CircuitBreaker

T = TypeVar("T")

_WRAPPERS = (RequestTransmissionFailed, ResponseFailed, ResponseNeverReceived)


class PermitAlreadyResolved(RuntimeError):
    """
    A permit was told its outcome twice: a programming error.
    """


@define(eq=False)
class CircuitOpen(Exception):
    """
    The provider is not to be asked now.

    @ivar reason: the failure that opened the circuit.
    @ivar retry_at: when it may be probed, in seconds of the injected clock.
    """

    provider: str
    reason: str
    retry_at: float

    def __str__(self) -> str:
        return f"The circuit of provider '{self.provider}' is open: {self.reason}"


@define(eq=False)
class AllCircuitsOpen(Exception):
    """
    None of a request's providers is to be asked now.

    @ivar model: the model that was asked for.
    @ivar retry_at: when the first of them may be, in seconds of the injected
        clock.
    """

    model: str
    retry_at: float

    def __str__(self) -> str:
        return f"All providers have open circuits for model '{self.model}'"


@define(eq=False)
class Permit:
    """
    Leave to send one request to one provider.

    @ivar provider: the provider's name.
    @ivar generation: how often the circuit had tripped when this was issued.
        The outcome of a permit from before a trip changes nothing after it.
    @ivar resolved: whether the outcome is known.
    """

    is_probe: ClassVar[bool] = False

    provider: str
    _breaker: CircuitBreaker = field(repr=False)
    generation: int
    resolved: bool = field(default=False, init=False)
    _succeeded: bool = field(default=False, init=False)
    _stream_ended: bool = field(default=False, init=False)

    def success(self) -> None:
        """
        The provider served the request; of a stream, it sent the 2xx headers.

        @raise PermitAlreadyResolved: the outcome was told before.
        """
        self._resolve()
        self._succeeded = True
        self._breaker.succeeded(self)

    def failure(self, error_type: str, message: str) -> None:
        """
        The provider failed.

        @param error_type: C{5xx}, C{connect}, C{protocol} or C{timeout}.
        @param message: what exactly happened, for the log and for C{/health}.
        @raise PermitAlreadyResolved: the outcome was told before.
        """
        self._resolve()
        self._breaker.failed(self, error_type, message)

    def release(self) -> None:
        """
        Nothing was learnt: the client left, or the attempt was never made.

        @raise PermitAlreadyResolved: the outcome was told before.
        """
        self._resolve()
        self._breaker.released(self)

    def inconclusive(self, message: str) -> None:
        """
        The provider answered 4xx: it is alive, but has not shown that it can
        serve.  That leaves a closed circuit alone and is not enough for a probe.

        @param message: what exactly it answered.
        @raise PermitAlreadyResolved: the outcome was told before.
        """
        if self.is_probe:
            self.failure("non_5xx", message)
        else:
            self.release()

    def stream_completed(self) -> None:
        """
        The stream came to its end.  To be told once, after L{success}.

        @raise PermitAlreadyResolved: the stream's end was told before.
        @raise RuntimeError: there was no success.
        """
        self._end_stream()
        self._breaker.stream_completed(self)

    def stream_failed(self, error_type: str, message: str) -> None:
        """
        The stream broke off or stalled.  To be told once, after L{success}.

        @raise PermitAlreadyResolved: the stream's end was told before.
        @raise RuntimeError: there was no success.
        """
        self._end_stream()
        self._breaker.stream_failed(self, error_type, message)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """
        Resolves the permit if its holder did not.  A holder that was cancelled
        says nothing about the provider; one that forgot might hide a failure.
        """
        if self.resolved:
            return
        if not self.is_probe or _is_cancellation(error):
            self.release()
        elif isinstance(error, GeneratorExit):
            # The garbage collector closes a forgotten coroutine at any moment,
            # even while the breaker is between two steps.
            self.resolved = True
            self._breaker.soon(lambda: self._breaker.released(self))
        else:
            left_by = "" if kind is None else f" by {kind.__name__}"
            self.failure("dropped", f"the probe was left unresolved{left_by}")

    def _resolve(self) -> None:
        if self.resolved:
            raise PermitAlreadyResolved(
                f"the permit for '{self.provider}' was told its outcome before; "
                "tell it once"
            )
        self.resolved = True

    def _end_stream(self) -> None:
        if not self._succeeded:
            raise RuntimeError(
                f"the permit for '{self.provider}' has no stream that could end; "
                "call success() first"
            )
        if self._stream_ended:
            raise PermitAlreadyResolved(
                f"the permit for '{self.provider}' was told the end of its stream "
                "before; tell it once"
            )
        self._stream_ended = True


@define(eq=False)
class ProbeGuard(Permit):
    """
    The one permit of a half-open circuit.  Its outcome is the circuit's, and
    others wait for it, so even a forgotten one reports: as a failure.
    """

    is_probe: ClassVar[bool] = True

    def __del__(self) -> None:
        if not self.resolved:
            self.resolved = True
            # Not at once: the collector runs at any moment, even while the
            # breaker is between two steps.
            self._breaker.soon(
                lambda: self._breaker.failed(
                    self, "dropped", "the probe was forgotten unresolved"
                )
            )


@frozen(eq=False, repr=False)
class Waiter:
    """
    A place in a breaker's queue, for the next probe or the verdict of the one
    in flight.  Neither function runs anybody else's code: they post to the
    L{Outbox}.

    @ivar granted: takes the probe, or a normal permit if the probe succeeded.
        The place is gone.
    @ivar reconsider: the probe failed.  The place is kept until it is withdrawn.
    """

    granted: Callable[[Permit], None]
    reconsider: Callable[[], None]


@define(eq=False)
class Outbox:
    """
    Fires Deferreds only when all state is as it should be.

    Callbacks re-enter.  What is posted inside C{with outbox:} is fired when the
    outermost such block ends, one after the other, never one inside another's
    callbacks.
    """

    _letters: deque[Callable[[], None]] = field(factory=deque, init=False)
    _depth: int = field(default=0, init=False)

    def post(self, deferred: Deferred[T], outcome: T | Failure) -> None:
        """
        Fires C{deferred} soon, unless it has been cancelled by then.
        """

        def deliver() -> None:
            if not deferred.called:
                deferred.callback(outcome)

        with self:
            self._letters.append(deliver)

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            # Not left before all are out, so that callbacks find it entered.
            while self._depth == 1 and self._letters:
                self._letters.popleft()()
        finally:
            self._depth -= 1


def _is_cancellation(error: BaseException | None) -> bool:
    """
    Whether a request ended because somebody cancelled it.  An HTTP client
    wraps the cancellation.
    """
    if isinstance(error, _WRAPPERS):
        return any(reason.check(CancelledError) for reason in error.reasons)
    return isinstance(error, CancelledError)
