"""
What happens to one request, from its acceptance to its row in the ledger.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType

from attrs import Factory, define
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from arbstr.errors import ApiError
from arbstr.ledger.row import AttemptRow, RequestLog
from arbstr.redact import redact
from arbstr.routing.logged import write_request
from arbstr.routing.money import Rates, Usage
from arbstr.routing.plan import Candidate, Plan, RouteRequest
from arbstr.routing.tokens import estimate_text
from arbstr.upstream.failures import AttemptFailed, Head
from arbstr.upstream.stream import ChatStream

_LAST_DIGIT = Decimal("1e-9")


@define
class Attempt:
    """
    One attempt at one provider; times are the clock's.  As a context manager it
    notices how it ends.
    """

    provider: str
    started: float
    _clock: IReactorTime
    first_byte: float | None = None
    ended: float | None = None
    outcome: str | None = None

    @property
    def failed(self) -> bool:
        """
        It came to nothing, and not because the client left.
        """
        return self.outcome not in (None, "ok", "cancelled")

    def __enter__(self) -> None:
        """
        It has begun already.
        """

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.ended = self._clock.seconds()
        if error is None:
            self.outcome = "ok"
        elif isinstance(error, AttemptFailed):
            self.outcome = error.kind
        elif isinstance(error, (ApiError, CancelledError)):
            self.outcome = "cancelled"
        elif isinstance(error, Exception):
            self.outcome = "error"


@define(eq=False)
class Exchange:
    """
    One request's story, told while it happens.

    @ivar accepted: the clock's time when the request came.
    @ivar asked: what routing was told of it.
    @ivar candidate: who serves, or was tried last.
    @ivar head: what that provider's response said before its body.
    @ivar stream: the stream that the client is given, if it is.
    @ivar usage: what the provider reported, or C{None} so far.
    @ivar provider_cost: what the provider says that it cost, in sats.
    @ivar output_chars: characters of the answer so far.
    @ivar first_content: when the first content of a stream went out.
    """

    request_id: str
    accepted: float
    timestamp: datetime
    _clock: IReactorTime
    model: str | None = None
    streaming: bool = False
    asked: RouteRequest | None = None
    plan: Plan | None = None
    candidate: Candidate | None = None
    head: Head | None = None
    stream: ChatStream | None = None
    usage: Usage | None = None
    provider_cost: Decimal | None = None
    output_chars: int = 0
    first_content: float | None = None
    attempts: list[Attempt] = Factory(list)

    @classmethod
    def begin(cls, request_id: str, clock: IReactorTime) -> Exchange:
        """
        A request has come.
        """
        return cls(
            request_id=request_id,
            accepted=clock.seconds(),
            timestamp=datetime.now(UTC),
            clock=clock,
        )

    def attempt(self, candidate: Candidate) -> Attempt:
        """
        Remember an attempt, as a context manager, and how it ends.
        """
        self.candidate = candidate
        self.head = None
        self.saw(None, 0)
        self.provider_cost = None
        attempt = Attempt(candidate.name, self._clock.seconds(), self._clock)
        self.attempts.append(attempt)
        return attempt

    def saw(self, usage: Usage | None, output_chars: int) -> None:
        """
        So much of the answer has come.
        """
        self.usage = usage
        self.output_chars = output_chars

    def content_started(self) -> None:
        """
        The first content of a stream goes out.
        """
        self.first_content = self._clock.seconds()
        self.answer_started()

    def answer_started(self) -> None:
        """
        The provider has begun to answer.
        """
        self.attempts[-1].first_byte = self._clock.seconds()

    def latency_ms(self) -> int:
        """
        Milliseconds since the request came.
        """
        return self._ms(self._clock.seconds()) or 0

    def best_usage(self) -> Usage | None:
        """
        The usage that was reported; else an estimate, once there was any
        answer.
        """
        if self.usage is not None or self.plan is None or not self.output_chars:
            return self.usage
        return Usage(
            input=self.plan.input_tokens,
            output=estimate_text(self.output_chars),
            estimated=True,
        )

    def cost(self) -> Decimal | None:
        """
        What it cost in sats at the serving provider's rates.
        """
        return None if self.candidate is None else self._at(self.candidate.rates)

    def known_cost(self) -> float | None:
        """
        The cost to tell the client: that of reported usage, not of estimates.
        """
        cost = self.cost()
        return None if cost is None or self.usage is None else float(cost)

    def retries(self) -> str | None:
        """
        Failed attempts per provider in order of first failure, such as
        C{2/alpha, 1/beta}; C{None} without any.
        """
        counts: dict[str, int] = {}
        for attempt in self.attempts:
            if attempt.failed:
                counts[attempt.provider] = counts.get(attempt.provider, 0) + 1
        told = ", ".join(f"{count}/{name}" for name, count in counts.items())
        return told or None

    def complexity_score(self) -> float | None:
        """
        How complex the router takes it to be, from 0 to 1.
        """
        judged = None if self.plan is None else self.plan.complexity
        return None if judged is None else judged.score

    def facts(self) -> dict[str, object]:
        """
        What arbstr says of a stream in the stream itself.
        """
        served, score = self.candidate, self.complexity_score()
        return {
            "request_id": self.request_id,
            "provider": None if served is None else served.name,
            "cost_sats": self.known_cost(),
            "latency_ms": self.latency_ms(),
            "complexity_score": None if score is None else round(score, 3),
            "tier": None if served is None else served.provider.tier,
        }

    def begun_row(self) -> RequestLog:
        """
        The row while the request is in flight.
        """
        return RequestLog(
            request_id=self.request_id,
            timestamp=self.timestamp,
            streaming=self.streaming,
            success=False,
            latency_ms=0,
            model=self.model,
            policy=None if self.plan is None else self.plan.policy,
            complexity_score=self.complexity_score(),
        )

    def row(self, failure: ApiError | None) -> RequestLog:
        """
        The row for the ledger.

        @param failure: what the client was told instead of a whole answer.
        """
        usage = self.best_usage()
        served, plan = self.candidate, self.plan
        latency, ttft = self.latency_ms(), self._ms(self.first_content)
        return RequestLog(
            request_id=self.request_id,
            timestamp=self.timestamp,
            streaming=self.streaming,
            success=failure is None,
            latency_ms=latency,
            model=self.model,
            provider=None if served is None else served.name,
            policy=None if plan is None else plan.policy,
            tier=None if served is None else served.provider.tier,
            complexity_score=self.complexity_score(),
            input_tokens=None if usage is None else usage.input,
            cached_tokens=None if usage is None else usage.cached,
            output_tokens=None if usage is None else usage.output,
            reasoning_tokens=None if usage is None else usage.reasoning,
            tokens_estimated=usage is not None and usage.estimated,
            cost_sats=self.cost(),
            provider_cost_sats=_rounded(self.provider_cost),
            baseline_cost_sats=None if plan is None else self._at(plan.baseline.rates),
            ttft_ms=ttft,
            stream_duration_ms=None if ttft is None else latency - ttft,
            **write_request(self.asked, plan is not None),
            error_status=None if failure is None else failure.status,
            error_message=None if failure is None else redact(failure.message),
            attempts=tuple(map(self._attempt_row, self.attempts)),
            upstream_request_id=None if self.head is None else self.head.request_id,
        )

    def _at(self, rates: Rates) -> Decimal | None:
        usage = self.best_usage()
        return None if usage is None else _rounded(rates.cost(usage))

    def _ms(self, moment: float | None) -> int | None:
        return None if moment is None else round((moment - self.accepted) * 1000)

    def _attempt_row(self, attempt: Attempt) -> AttemptRow:
        ended = self._clock.seconds() if attempt.ended is None else attempt.ended
        return AttemptRow(
            provider=attempt.provider,
            start_ms=self._ms(attempt.started) or 0,
            duration_ms=round((ended - attempt.started) * 1000),
            outcome=attempt.outcome or "cancelled",
            first_byte_ms=(
                None
                if attempt.first_byte is None
                else round((attempt.first_byte - attempt.started) * 1000)
            ),
        )


def _rounded(sats: Decimal | None) -> Decimal | None:
    """
    To the last digit that the books keep: headers, rows and sums agree.
    """
    return None if sats is None else sats.quantize(_LAST_DIGIT)
