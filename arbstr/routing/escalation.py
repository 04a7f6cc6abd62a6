"""
The way up: who may serve at once, and who if nobody of those can.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .plan import Candidate
from .tiers import TIERS, Limit


def climb(candidates: Sequence[Candidate], limit: Limit) -> list[list[Candidate]]:
    """
    The candidates in the order of their turn: first those that the limit
    allows, then those of each tier above, upwards.  Nobody is left out, and
    what has nobody in it is.
    """
    if limit.highest is None:
        return [list(candidates)] if candidates else []
    steps = [[each for each in candidates if limit.allows(each.provider.tier)]]
    steps += (
        [each for each in candidates if each.provider.tier == tier]
        for tier in TIERS
        if not limit.allows(tier)
    )
    return [step for step in steps if step]


def too_good(candidates: Iterable[Candidate], limit: Limit) -> dict[str, str]:
    """
    Who is above the limit, and why that counts.
    """
    return {
        each.name: f"tier {each.provider.tier} is above what {limit.reason} allows "
        f"({limit.highest})"
        for each in candidates
        if not limit.allows(each.provider.tier)
    }
