"""
Who has been tried for a request, whose turn is next, and what the client is
told when nobody's is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from attrs import define, field

from arbstr.errors import ApiError, out_of_time, provider_error
from arbstr.routing.plan import Candidate
from arbstr.upstream.failures import AttemptFailed

# Timers run on the reactor's clock, which is not quite the deadline's.
_SLACK_SECONDS = 0.01


@define
class Tries:
    """
    The attempts for one request, by what came of them.

    @ivar steps: the plan's candidates, and then its reserves.
    @ivar deadline: the clock's time when the request's budget is used up.
    @ivar most: how many attempts may be made.
    @ivar made: how many have been.
    @ivar comebacks: how often it came back to providers tried before.
    @ivar charged: providers whose breaker this request has cost a failure.
    """

    steps: list[Sequence[Candidate]]
    deadline: float
    most: int
    made: int = 0
    comebacks: int = 0
    charged: set[str] = field(factory=set)
    _failures: dict[str, AttemptFailed] = field(factory=dict)

    @property
    def order(self) -> list[Candidate]:
        """
        Those that may still be asked.
        """
        return list(chain.from_iterable(self.steps))

    def make(self, candidate: Candidate) -> None:
        """
        An attempt is made.  It is the last word on the tiers below: this request
        does not come down to them again.
        """
        self.made += 1
        while all(each.name != candidate.name for each in self.steps[0]):
            del self.steps[0]

    def failed(self, candidate: Candidate, failure: AttemptFailed) -> None:
        """
        An attempt has come to nothing.
        """
        # Taken out first, so that the last one is the latest.
        self._failures.pop(candidate.name, None)
        self._failures[candidate.name] = failure

    @property
    def any_failed(self) -> bool:
        """
        There has been an attempt.
        """
        return bool(self._failures)

    def untried(self, candidates: Iterable[Candidate]) -> list[Candidate]:
        """
        Those of them that had no attempt yet.
        """
        return [each for each in candidates if each.name not in self._failures]

    def open_to_any(self) -> list[Candidate]:
        """
        Those that had none, and those that might do better by now.
        """
        return [
            each
            for each in self.order
            if each.name not in self._failures or self._failures[each.name].is_retryable
        ]

    def time_is_up(self, now: float) -> bool:
        """
        The budget is used up.
        """
        return now >= self.deadline - _SLACK_SECONDS

    def is_over(self, now: float) -> bool:
        """
        After a failure: no further attempt is to be made.
        """
        _, last = self._last()
        return (
            last.content_sent
            or last.is_clients
            or self.made == self.most
            or self.time_is_up(now)
            or not self.open_to_any()
        )

    def verdict(self, now: float) -> ApiError:
        """
        What the client is told when no attempt is left.
        """
        name, last = self._last()
        if last.content_sent:
            return provider_error(f"The answer broke off: {name}: {last}")
        if last.is_clients or last.passes_on:
            error = _pass_on(last)
        elif last.kind == "timeout" or self.time_is_up(now):
            error = out_of_time(f"No provider answered in time: {self._story()}")
        else:
            error = provider_error(f"No provider answered: {self._story()}")
        if last.retry_after is not None:
            error.headers["Retry-After"] = last.retry_after
        if self.made > 1 or (self.most > 1 and not last.is_clients):
            _discourage(error)
        return error

    def _last(self) -> tuple[str, AttemptFailed]:
        return list(self._failures.items())[-1]

    def _story(self) -> str:
        return "; ".join(f"{name}: {why}" for name, why in self._failures.items())


def _discourage(error: ApiError) -> None:
    """
    OpenAI's SDKs try again by themselves: where we have tried whatever can be
    tried, that would only multiply it, unless somebody said when it is worth
    it.
    """
    if "Retry-After" not in error.headers:
        error.headers["x-should-retry"] = "false"


def _pass_on(failure: AttemptFailed) -> ApiError:
    """
    A provider's own answer.
    """
    error = ApiError(
        failure.message,
        status=failure.status or 502,
        type="rate_limit_error" if failure.status == 429 else "invalid_request_error",
    )
    if failure.reply is not None and failure.reply.json is not None:
        error.raw = failure.reply.body
    return error
