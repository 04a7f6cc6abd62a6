"""
Rates that are off by a thousand: of figures for 1,000 tokens where those for a
million are expected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .model import ProviderSettings
from .problems import Path, Problem

_LEAST_SATS = 100
_THOUSAND = 1000

# Models that nobody sells for so little.
_FRONTIER = re.compile(
    r"(?:^|[/\s])(?:gpt-[4-9]|chatgpt-|o[1-9](?!\w)|claude|gemini-[\w.]+-pro|grok)",
    re.IGNORECASE,
)


def per_thousand(providers: Iterable[ProviderSettings]) -> Iterator[Problem]:
    """
    The output rates that look like it: of paid models of the tier frontier, or
    of such a name, elsewhere than on one's own machine.
    """
    for position, provider in enumerate(providers):
        if provider.tier == "local":
            continue
        path = ("providers", position)
        frontier = provider.tier == "frontier"
        suspects = [
            (number, model)
            for number, model in enumerate(provider.models)
            if frontier or _FRONTIER.search(f"{model.name} {model.upstream or ''}")
        ]
        for number, model in suspects:
            place = (*path, "models", number, "output_rate")
            yield from _look_at(model.output_rate, place)
        if frontier or any(model.output_rate is None for _, model in suspects):
            yield from _look_at(provider.output_rate, (*path, "output_rate"))


def _look_at(rate: float | None, path: Path) -> Iterator[Problem]:
    if rate is not None and 0 < rate < _LEAST_SATS:
        yield Problem(
            path,
            f"expected sats per 1,000,000 tokens, found {rate:g}, which looks like "
            f"a rate for 1,000; that would be {rate * _THOUSAND:g} here",
        )
