"""
In which order the candidates are tried.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from arbstr.config.model import Strategy

from .plan import Candidate

Order = Callable[[Iterable[Candidate]], list[Candidate]]

# Even who always fails keeps a price that can be compared.
_LEAST_SUCCESS = 0.01


def cheapest(candidates: Iterable[Candidate]) -> list[Candidate]:
    """
    By the expected cost of this very request, less what it saves of later turns;
    ties by name.
    """
    return sorted(candidates, key=lambda each: (each.price, each.name))


def lowest_latency(candidates: Iterable[Candidate]) -> list[Candidate]:
    """
    By the time to the first byte: first those of whom nothing is known, last
    those that have never answered; ties by cost, then by name.
    """
    return sorted(candidates, key=lambda each: (_seconds(each), each.price, each.name))


def round_robin(candidates: Iterable[Candidate]) -> list[Candidate]:
    """
    By turns: first who has waited longest for one; ties by name.
    """
    return sorted(candidates, key=lambda each: (each.last_turn, each.name))


def balanced(sats_per_second: float) -> Order:
    """
    By the price that L{weighed} finds; ties by name.

    @param sats_per_second: what a second less of waiting is worth.
    """
    return lambda candidates: sorted(
        candidates, key=lambda each: (weighed(each, sats_per_second), each.name)
    )


def weighed(candidate: Candidate, sats_per_second: float) -> float:
    """
    What a candidate should cost until it has succeeded, and what waiting for it
    is worth, in sats.  Of whom nothing is known, the best is expected.
    """
    service = candidate.service
    if service is None:
        return candidate.price
    sats = candidate.expected_sats / max(service.success_rate, _LEAST_SUCCESS)
    waiting = sats_per_second * (service.first_byte_seconds or 0)
    return sats - candidate.later_saves + waiting


#: What each strategy does, given what a second is worth, see L{balanced}.
STRATEGIES: Mapping[Strategy, Callable[[float], Order]] = {
    "cheapest": lambda _: cheapest,
    "lowest_cost": lambda _: cheapest,
    "lowest_latency": lambda _: lowest_latency,
    "round_robin": lambda _: round_robin,
    "balanced": balanced,
}


def _seconds(candidate: Candidate) -> float:
    service = candidate.service
    if service is None:
        return -math.inf
    seconds = service.first_byte_seconds
    return math.inf if seconds is None else seconds
