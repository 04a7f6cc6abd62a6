"""
How good a provider may be: the highest tier that may serve a request.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from attrs import frozen

from arbstr.config.model import ProviderSettings, RoutingSettings, Tier

#: From the weakest to the best.
TIERS: tuple[Tier, ...] = get_args(Tier)

_RANKS = {tier: rank for rank, tier in enumerate(TIERS)}

#: What a client may say in place of the scorer.
OVERRIDES: dict[str, Tier] = {"low": "local", "medium": "standard", "high": "frontier"}


@frozen
class Limit:
    """
    Who may serve, as far as the tier goes.

    @ivar highest: the highest tier that may; C{None} is no limit.
    @ivar reason: what says so.
    """

    highest: Tier | None
    reason: str

    def allows(self, tier: Tier) -> bool:
        """
        Whether a provider of this tier may.
        """
        return self.highest is None or not is_above(tier, self.highest)


NO_LIMIT = Limit(None, "tiers are off")


class Thresholds:
    """
    Sets the limit for each request.  Pure.
    """

    def __init__(
        self, settings: RoutingSettings, providers: Iterable[ProviderSettings]
    ) -> None:
        self._low = settings.complexity_threshold_low
        self._high = settings.complexity_threshold_high
        self._none: Limit | None = None
        if settings.tiers == "off":
            self._none = NO_LIMIT
        elif settings.tiers == "auto" and all(
            each.tier == "standard" for each in providers
        ):
            self._none = Limit(None, "every provider is of the tier standard")

    def limit(self, score: float, told: str | None, provider: str | None) -> Limit:
        """
        The limit for a request.  There is none where tiers are off, or where
        the client names the provider: it wants that one's answer.

        @param score: how complex the scorer takes it to be.
        @param told: what the client says instead, one of L{OVERRIDES};
            anything else leaves it to the scorer.
        @param provider: the one that the client names, if it names one.
        """
        if self._none is not None:
            return self._none
        if provider is not None:
            return Limit(None, "X-Arbstr-Provider names who is to serve")
        told = overriding(told)
        if told is not None:
            return Limit(OVERRIDES[told], f"X-Arbstr-Complexity: {told}")
        return Limit(self._tier(score), f"complexity {round(score, 3):g}")

    def _tier(self, score: float) -> Tier:
        if score < self._low:
            return "local"
        return "frontier" if score > self._high else "standard"


def overriding(told: str | None) -> str | None:
    """
    Which of L{OVERRIDES} a client says, if it says one.
    """
    if told is None:
        return None
    told = told.strip().lower()
    return told if told in OVERRIDES else None


def is_above(tier: Tier, other: Tier) -> bool:
    """
    Whether a tier is better than another.
    """
    return _RANKS[tier] > _RANKS[other]
