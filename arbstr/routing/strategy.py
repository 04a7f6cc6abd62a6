"""
In which order the candidates are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from .plan import Candidate

Order = Callable[[Iterable[Candidate]], list[Candidate]]


def cheapest(candidates: Iterable[Candidate]) -> list[Candidate]:
    """
    By the expected cost of this very request; ties by name.
    """
    return sorted(candidates, key=lambda each: (each.expected_sats, each.name))


STRATEGIES: Mapping[str, Order] = {"cheapest": cheapest, "lowest_cost": cheapest}
