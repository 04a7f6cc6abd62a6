"""
What can be learned from one completed request.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

# Among the 4xx with which a request may end, those that are not its own fault.
_NOT_THE_REQUESTS = frozenset({404, 408, 429, 499})
_LARGEST = 2**53
# The client left, the time that others had left was too short, or we failed.
_TELLS_NOTHING = frozenset({"cancelled", "cut_short", "error"})


@frozen
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


@frozen
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
    Understand a request as the log has it.

    @param row: of the request log's fields, C{model}, C{policy},
        C{input_chars}, C{input_tokens}, C{output_tokens},
        C{choices}, C{tokens_estimated}, C{error_status} and C{attempts}: a list of
        C{provider}, C{outcome}, C{duration_ms} and C{first_byte_ms}.  What is
        missing or of the wrong type is unknown.
    @return: C{None} if it tells nothing.
    """
    model, policy, attempts = row.get("model"), row.get("policy"), row.get("attempts")
    if not isinstance(model, str) or not isinstance(attempts, list | tuple):
        return None
    if not attempts:
        # Nobody was asked: the model may be any name that a client made up.
        return None
    samples = [_read_attempt(each) for each in attempts if isinstance(each, Mapping)]
    if samples and _is_the_requests_fault(row, attempts[-1]):
        # It is refused wherever it goes.
        samples.pop()
    reported = not row.get("tokens_estimated")
    whole = reported and row.get("error_status") is None
    return Observation(
        model=model,
        policy=policy if isinstance(policy, str) else None,
        input_chars=_count(row.get("input_chars")),
        input_tokens=_count(row.get("input_tokens")) if reported else None,
        output_tokens=_count(row.get("output_tokens")) if whole else None,
        choices=_count(row.get("choices")) or 1,
        attempts=tuple(sample for sample in samples if sample is not None),
    )


def _read_attempt(attempt: Mapping[str, object]) -> AttemptSample | None:
    provider, outcome = attempt.get("provider"), attempt.get("outcome")
    if not isinstance(provider, str) or not isinstance(outcome, str):
        return None
    success = None if outcome in _TELLS_NOTHING else outcome == "ok"
    waited = _count(attempt.get("first_byte_ms"))
    if waited is None and success is False:
        waited = _count(attempt.get("duration_ms"))
    return AttemptSample(provider, success, None if waited is None else waited / 1000)


def _is_the_requests_fault(row: Mapping[str, object], last: object) -> bool:
    status = _count(row.get("error_status")) or 0
    refused = isinstance(last, Mapping) and last.get("outcome") == "4xx"
    return refused and 400 <= status <= 499 and status not in _NOT_THE_REQUESTS


def _count(value: object) -> int | None:
    """
    A whole number of something.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # The comparison is false for NaN.
    return int(value) if 0 <= value <= _LARGEST else None
