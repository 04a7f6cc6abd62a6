"""
Generated requests, and a world that says what each costs at whichever provider.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from decimal import Decimal

from attrs import define, field, frozen

from arbstr.routing.catalog import Offer
from arbstr.routing.money import Usage
from arbstr.routing.prefixes import Part, Prefix, digest_prefixes

MODEL = "gpt-4o"

# A conversation begins every so many seconds; its turns are further apart.
_SECONDS_BETWEEN_STARTS = 10.0
_SECONDS_BETWEEN_TURNS = 90.0

# What arbstr makes of a prompt's length, when four of its characters are not
# quite a token and no prompt is like another.
_ESTIMATED = 0.9
_NOISE = 0.1

# How providers cache: what nobody has read for so many seconds is dropped, and
# what is short is not kept at all.
_CACHED_SECONDS = 400
_LEAST_CACHED = 1024
_CACHE_STEP = 128


@frozen
class Request:
    """
    One turn of a conversation.

    @ivar at: in seconds.
    @ivar input_tokens: as a provider counts them.
    @ivar estimate: as arbstr does.
    @ivar output_tokens: what the answer will have.
    @ivar prefixes: the beginnings of the prompt.
    """

    at: float
    conversation: int
    input_tokens: int
    estimate: int
    output_tokens: int
    output_cap: int | None
    prefixes: Sequence[Prefix]


def requests(number: int, seed: int, turns: int) -> list[Request]:
    """
    So many, in the order in which they come.  Half of the prompts begin with
    less than 400 tokens, a few with many thousands; so it is with answers.

    @param turns: that a conversation has on average.
    """
    draw = random.Random(seed)
    made = [
        turn
        for conversation in range(number)
        for turn in _turns(conversation, random.Random(draw.random()), turns)
    ]
    return sorted(made, key=lambda each: each.at)[:number]


def _turns(conversation: int, draw: random.Random, turns: int) -> Iterator[Request]:
    at = conversation * _SECONDS_BETWEEN_STARTS
    parts = [_part(conversation, 0, _length(draw, 400, 1.6, 100_000))]
    while True:
        tokens = sum(part.tokens for part in parts)
        noise = draw.uniform(1 - _NOISE, 1 + _NOISE)
        cap = draw.choice((None, None, 100, 500, 2000))
        wanted = _length(draw, 150, 1.2, 8000)
        output = wanted if cap is None else min(wanted, cap)
        yield Request(
            at=at,
            conversation=conversation,
            input_tokens=tokens,
            estimate=max(1, round(tokens * _ESTIMATED * noise)),
            output_tokens=output,
            output_cap=cap,
            prefixes=digest_prefixes(MODEL, 0, parts),
        )
        if draw.random() < 1 / turns:
            return
        at += draw.expovariate(1 / _SECONDS_BETWEEN_TURNS)
        parts.append(_part(conversation, len(parts), output))
        said = _length(draw, 80, 1.2, 20_000)
        parts.append(_part(conversation, len(parts), said))


def _part(conversation: int, number: int, tokens: int) -> Part:
    return Part({"content": f"{conversation}/{number}"}, tokens)


def _length(draw: random.Random, median: float, sigma: float, most: int) -> int:
    return min(max(1, round(median * draw.lognormvariate(0, sigma))), most)


@define
class World:
    """
    What the providers' caches hold.
    """

    _read: dict[tuple[str, int], tuple[float, int]] = field(factory=dict)

    def usage(self, request: Request, offer: Offer) -> Usage:
        """
        What a provider would report.
        """
        at, read = self._read.get((offer.name, request.conversation), (0.0, 0))
        cached = min(read, request.input_tokens)
        cached -= cached % _CACHE_STEP
        if (
            not offer.rates.rewards_caching
            or request.at - at > _CACHED_SECONDS
            or cached < _LEAST_CACHED
        ):
            cached = 0
        return Usage(request.input_tokens, request.output_tokens, cached)

    def cost(self, request: Request, offer: Offer) -> Decimal:
        """
        What it would cost in sats.
        """
        return offer.rates.cost(self.usage(request, offer))

    def serve(self, request: Request, offer: Offer) -> tuple[Usage, Decimal]:
        """
        Let a provider serve it.
        """
        usage, cost = self.usage(request, offer), self.cost(request, offer)
        self._read[offer.name, request.conversation] = (request.at, usage.input)
        return usage, cost
