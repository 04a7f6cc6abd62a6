"""
What it is worth for later that a provider has read a prompt now.

A conversation that goes on is read again, and costs less where it is cached.
Whoever looks at one request alone sends a long prompt to the one who reads it
for the least, and every later turn there too, which pays the full rate each time.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from .affinity import Affinity
from .plan import Candidate


def with_prospects(
    candidates: Sequence[Candidate],
    affinity: Affinity,
    model: str,
    input_tokens: int,
    output_tokens: int,
) -> list[Candidate]:
    """
    The candidates, with what each is expected to save of later turns:
    for each turn, what it costs less to have such a prompt read by one who has
    it in the cache than by the cheapest who does not.
    """
    turns = affinity.turns_ahead(model)
    if not turns:
        return list(candidates)
    anew = min(
        (each.rates.expected_sats(input_tokens, output_tokens) for each in candidates),
        default=0.0,
    )

    def judged(candidate: Candidate) -> Candidate:
        if not candidate.rates.rewards_caching:
            return candidate
        cached = affinity.once_read(model, candidate.name, input_tokens)
        again = candidate.rates.expected_sats(input_tokens, output_tokens, cached)
        if again >= anew:
            return candidate
        return evolve(candidate, later_saves=turns * (anew - again))

    return list(map(judged, candidates))
