"""
Rates, usage and costs.

Rates are sats per 1,000,000 tokens, C{base_fee} is sats per request, and 1 sat
is 1000 millisats (msats).
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from functools import cached_property

from attrs import define, frozen

_MILLION = Decimal(1_000_000)


@define
class Usage:
    """
    Tokens that a provider reported, or that we estimated.

    @ivar input: all prompt tokens, the cached ones among them.
    @ivar cached: those of C{input} that came from the provider's cache.
    @ivar output: all completion tokens, the reasoning ones among them.
    @ivar reasoning: those of C{output} that went into reasoning.
    @ivar estimated: nobody reported them, they were counted from the text.
    """

    input: int
    output: int
    cached: int = 0
    reasoning: int = 0
    estimated: bool = False


@frozen
class Rates:
    """
    What a provider charges for a model.
    """

    input: float
    output: float
    cached_input: float
    base_fee: float = 0.0

    @property
    def rewards_caching(self) -> bool:
        """
        Whether cached tokens cost less than others.
        """
        return self.cached_input < self.input

    def expected_sats(
        self, input_tokens: int, output_tokens: float, cached_tokens: int = 0
    ) -> float:
        """
        What so many tokens are expected to cost: for ranking, not for books.

        @param cached_tokens: those of C{input_tokens} that come from the cache.
        """
        tokens = (input_tokens - cached_tokens) * self.input
        tokens += cached_tokens * self.cached_input + output_tokens * self.output
        return tokens / 1_000_000 + self.base_fee

    def cost(self, usage: Usage) -> Decimal:
        """
        The exact cost in sats: cached tokens are charged once, at their own
        rate, and reasoning tokens as the output they are part of.
        """
        input_rate, cached_rate, output_rate, base_fee = self._exactly
        cached = min(usage.cached, usage.input)
        tokens = (
            (usage.input - cached) * input_rate
            + cached * cached_rate
            + usage.output * output_rate
        )
        return tokens / _MILLION + base_fee

    @cached_property
    def _exactly(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """
        The rates of input, cached input and output, and the fee, as they were
        written.  Only what is served is ever booked, but that again and again.
        """
        return (
            _exact(self.input),
            _exact(self.cached_input),
            _exact(self.output),
            _exact(self.base_fee),
        )


def to_msats(sats: Decimal) -> int:
    """
    Whole millisats, rounded up.
    """
    return int((sats * 1000).to_integral_value(ROUND_CEILING))


def _exact(number: float) -> Decimal:
    """
    The decimal number that was written in the configuration: the shortest one
    that reads back as this float.
    """
    return Decimal(repr(number))
