"""
What can be learned from one completed request.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from attrs import define

# Among the 4xx with which a request may end, those that are not its own fault.
_NOT_THE_REQUESTS = frozenset({404, 408, 429, 499})
_LARGEST = 2**53
# The client left, the time that others had left was too short, or we failed.
_TELLS_NOTHING = frozenset({"cancelled", "cut_short", "error"})
# The fields of a row and of an attempt, of which any may be missing in the log.
_UNKNOWN = dict.fromkeys(
    (
        "model",
        "policy",
        "input_chars",
        "input_tokens",
        "output_tokens",
        "choices",
        "tokens_estimated",
        "error_status",
        "provider",
        "outcome",
        "duration_ms",
        "first_byte_ms",
    )
)


@define
class AttemptSample:
    """
    One attempt at one provider.

    @ivar success: C{None} where the outcome says nothing about the provider.
    @ivar first_byte_seconds: how long it took to answer; of an attempt that
        failed, how long it was waited for.
    """

    provider: str
    success: bool | None
    first_byte_seconds: float | None = None


@define
class Observation:
    """
    A completed request.

    @ivar input_chars: how long the prompt was, see
        L{arbstr.routing.plan.RouteRequest.input_chars}.
    @ivar input_tokens: what the provider reported, never an estimate.
    @ivar output_tokens: likewise, over all choices.
    """

    model: str
    policy: str | None = None
    input_chars: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    choices: int = 1
    attempts: tuple[AttemptSample, ...] = ()


def read_row(row: Mapping[str, object]) -> Observation | None:
    """
    Understand a request as it is read from the log.

    @param row: the fields that L{understand} looks at, by their names.  What is
        missing or of the wrong type is unknown.
    @return: C{None} if it tells nothing.
    """
    attempts = row.get("attempts")
    named = map(_named, attempts) if isinstance(attempts, list | tuple) else ()
    return understand(_named({**row, "attempts": tuple(named)}))


def understand(row: Any) -> Observation | None:
    """
    Understand a request that has completed.

    @param row: an L{arbstr.ledger.row.RequestLog}, or something that has its
        C{model}, C{policy}, C{input_chars}, C{input_tokens}, C{output_tokens},
        C{choices}, C{tokens_estimated}, C{error_status} and C{attempts}: a sequence
        of what has C{provider}, C{outcome}, C{duration_ms} and C{first_byte_ms}.
    @return: C{None} if it tells nothing.
    """
    model, policy, attempts = row.model, row.policy, row.attempts
    if not isinstance(model, str) or not attempts:
        # Nobody was asked: the model may be any name that a client made up.
        return None
    failure = row.error_status
    if attempts[-1].outcome == "4xx" and _is_the_requests_fault(failure):
        # It is refused wherever it goes.
        attempts = attempts[:-1]
    samples = map(_read_attempt, attempts)
    reported = not row.tokens_estimated
    return Observation(
        model,
        policy if isinstance(policy, str) else None,
        _count(row.input_chars),
        _count(row.input_tokens) if reported else None,
        _count(row.output_tokens) if reported and failure is None else None,
        _count(row.choices) or 1,
        tuple([sample for sample in samples if sample is not None]),
    )


def _read_attempt(attempt: Any) -> AttemptSample | None:
    provider, outcome = attempt.provider, attempt.outcome
    if not isinstance(provider, str) or not isinstance(outcome, str):
        return None
    success = None if outcome in _TELLS_NOTHING else outcome == "ok"
    waited = _count(attempt.first_byte_ms)
    if waited is None and success is False:
        waited = _count(attempt.duration_ms)
    return AttemptSample(provider, success, None if waited is None else waited / 1000)


def _is_the_requests_fault(error_status: object) -> bool:
    status = _count(error_status) or 0
    return 400 <= status <= 499 and status not in _NOT_THE_REQUESTS


def _count(value: object) -> int | None:
    """
    A whole number of something.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # The comparison is false for NaN.
    return int(value) if 0 <= value <= _LARGEST else None


def _named(fields: object) -> SimpleNamespace:
    """
    The values of a mapping by their names; anything else has none.
    """
    told = fields if isinstance(fields, Mapping) else {}
    return SimpleNamespace(**{**_UNKNOWN, **told})
