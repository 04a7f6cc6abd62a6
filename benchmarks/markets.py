"""
Providers of one model, with base fees and cached rates.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from arbstr.config.model import Config

from .conversations import MODEL

#: By provider: sats per 1,000,000 tokens of input, of those of it that are
#: cached, and of output; sats per request.
Market = Mapping[str, tuple[float, float, float, float]]


def configured(market: Market) -> Config:
    """
    It as a configuration.
    """
    return Config.model_validate(
        {
            "providers": [
                {
                    "name": name,
                    "url": f"https://{name}.example/v1",
                    "input_rate": input_rate,
                    "cached_input_rate": cached,
                    "output_rate": output,
                    "base_fee": fee,
                    "models": [MODEL],
                }
                for name, (input_rate, cached, output, fee) in market.items()
            ]
        }
    )


def drawn(draw: random.Random) -> Market:
    """
    Five providers, most of which charge less for cached tokens.
    """
    market = {}
    for number in range(5):
        input_rate = round(draw.uniform(2000, 15_000))
        cached = round(input_rate * draw.choice((1, 0.5, 0.25, 0.1)))
        output = round(input_rate * draw.uniform(1.5, 5))
        fee = draw.choice((0.0, 0.0, 0.5, 1.0, 3.0, 5.0))
        market[f"provider-{number}"] = (input_rate, cached, output, fee)
    return market
