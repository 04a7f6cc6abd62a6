"""
Why a candidate has its place in the order, for people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from attrs import frozen

from arbstr.config.model import Strategy

from .plan import Candidate
from .strategy import weighed


@frozen
class _Measure:
    """
    What a strategy goes by.

    @ivar name: what it is.
    @ivar value: a candidate's, given what a second is worth.
    @ivar shown: the same for people.
    @ivar tie: what decides where it is the same.
    """

    name: str
    value: Callable[[Candidate, float], float | None]
    shown: Callable[[Candidate, float], str]
    tie: str = "by name"


def because(
    strategy: Strategy, sats_per_second: float, ranked: Sequence[Candidate]
) -> list[str]:
    """
    For each of those that a strategy has put in this order, what speaks for
    its place: the first is compared with the second, any other with the one
    before it.

    @param sats_per_second: what a second less of waiting is worth.
    """
    measure = _MEASURES[strategy]

    def told(candidate: Candidate) -> str:
        return measure.shown(candidate, sats_per_second)

    def compared(place: int) -> str:
        this = ranked[place]
        if len(ranked) == 1:
            return f"{measure.name} {told(this)}"
        other = ranked[place - 1 if place else 1]
        values = [measure.value(each, sats_per_second) for each in (this, other)]
        if values[0] == values[1]:
            return f"{measure.name} {told(this)} like {other.name}: {measure.tie}"
        return f"{measure.name} {told(this)} against {told(other)} of {other.name}"

    return [compared(place) for place in range(len(ranked))]


def _seconds(candidate: Candidate, _: float) -> float | None:
    service = candidate.service
    # Beside the unknown there are those that have never answered.
    if service is None:
        return -1
    return service.first_byte_seconds


def _shown_seconds(candidate: Candidate, _: float) -> str:
    service = candidate.service
    if service is None:
        return "not known yet"
    seconds = service.first_byte_seconds
    return "never seen" if seconds is None else f"after {seconds:.3f} s"


def _shown_cost(candidate: Candidate) -> str:
    cost = f"{candidate.expected_sats:g} sats"
    if not candidate.later_saves:
        return cost
    return f"{cost} (less {candidate.later_saves:g} that it saves later)"


def _shown_turn(candidate: Candidate, _: float) -> str:
    return f"number {candidate.last_turn}" if candidate.last_turn else "none yet"


_COST = _Measure(
    "expected cost",
    lambda each, _: each.price,
    lambda each, _: _shown_cost(each),
)

_MEASURES: Mapping[Strategy, _Measure] = {
    "cheapest": _COST,
    "lowest_cost": _COST,
    "lowest_latency": _Measure(
        "first byte", _seconds, _shown_seconds, tie="by cost, then by name"
    ),
    "round_robin": _Measure("last turn", lambda each, _: each.last_turn, _shown_turn),
    "balanced": _Measure(
        "cost with failures and waiting",
        weighed,
        lambda each, sats_per_second: f"{weighed(each, sats_per_second):g} sats",
    ),
}
