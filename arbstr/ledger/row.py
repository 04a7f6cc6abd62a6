"""
What is remembered of a request.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from attrs import define, fields, frozen


@frozen
class AttemptRow:
    """
    One attempt at one provider.

    @ivar outcome: C{ok}, or what kind of failure it was.
    @ivar first_byte_ms: from its start to the first content of a stream, or to
        the headers of a whole answer.
    @ivar start_ms: since the request was accepted.
    """

    provider: str
    start_ms: int
    duration_ms: int
    outcome: str
    first_byte_ms: int | None = None

    def as_mapping(self) -> dict[str, object]:
        """
        By the names of the fields.
        """
        return {name: getattr(self, name) for name in _ATTEMPT_FIELDS}


# Not frozen, though nobody changes one: that would take three times as long to
# make, and there is one for every request.
@define
class RequestLog:
    """
    One request, however it ended.  Costs are in sats, times in milliseconds;
    C{None} means unknown.

    @ivar request_id: the UUID that every answer carries.
    @ivar timestamp: when it was accepted, UTC.
    @ivar provider: who served it, or who was tried last.
    @ivar tokens_estimated: nobody reported usage; the counts are ours.
    @ivar choices: how many answers were asked for.
    @ivar input_chars: how long the prompt was.
    @ivar output_cap: how many output tokens it allowed.
    @ivar wanted_provider: the only provider that the client would have.
    @ivar wanted_complexity: what the client said that it was: low, medium or
        high.
    @ivar max_cost_sats: the most that it would have it cost.
    @ivar baseline_cost_sats: the same tokens at the dearest candidate.
    @ivar ttft_ms: until the first content of a stream went out.
    @ivar success: the client got a whole answer.
    @ivar error_status: the HTTP status that tells what went wrong: what the
        client got, or 499 where it had left.
    """

    request_id: str
    timestamp: datetime
    streaming: bool
    success: bool
    latency_ms: int
    model: str | None = None
    provider: str | None = None
    policy: str | None = None
    tier: str | None = None
    complexity_score: float | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    tokens_estimated: bool = False
    choices: int = 1
    input_chars: int | None = None
    output_cap: int | None = None
    wanted_provider: str | None = None
    wanted_complexity: str | None = None
    max_cost_sats: float | None = None
    cost_sats: Decimal | None = None
    provider_cost_sats: Decimal | None = None
    baseline_cost_sats: Decimal | None = None
    ttft_ms: int | None = None
    stream_duration_ms: int | None = None
    error_status: int | None = None
    error_message: str | None = None
    attempts: tuple[AttemptRow, ...] = ()
    upstream_request_id: str | None = None

    def summary(self) -> str:
        """
        One line for people.
        """
        told = [
            "ok" if self.success else f"{self.error_status}",
            f"model={self.model}",
            f"provider={self.provider}",
        ]
        if self.output_tokens is not None:
            about = "~" if self.tokens_estimated else ""
            told.append(f"tokens={about}{self.input_tokens}+{self.output_tokens}")
        if self.cost_sats is not None:
            told.append(f"sats={float(self.cost_sats):g}")
        told.append(f"ms={self.latency_ms}")
        if self.ttft_ms is not None:
            told.append(f"ttft_ms={self.ttft_ms}")
        if len(self.attempts) > 1:
            tries = " ".join(
                f"{each.provider}:{each.outcome}" for each in self.attempts
            )
            told.append(f"attempts=({tries})")
        if self.error_message is not None:
            told.append(f"error={self.error_message!r}")
        return " ".join(told)

    def as_mapping(self) -> dict[str, object]:
        """
        The row and its attempts by the names of their fields.
        """
        row: dict[str, object] = {name: getattr(self, name) for name in FIELDS}
        row["attempts"] = [each.as_mapping() for each in self.attempts]
        return row

    def as_json(self) -> dict[str, object]:
        """
        The row as JSON has it: sats as numbers, the time in RFC 3339.
        """
        row = self.as_mapping()
        row["timestamp"] = self.timestamp.isoformat()
        for name in _SATS:
            sats: Decimal | None = getattr(self, name)
            row[name] = None if sats is None else float(sats)
        return row


# Looked up once: there is a row for every request.
FIELDS = tuple(each.name for each in fields(RequestLog))
_ATTEMPT_FIELDS = tuple(each.name for each in fields(AttemptRow))
_SATS = [each.name for each in fields(RequestLog) if "Decimal" in str(each.type)]
