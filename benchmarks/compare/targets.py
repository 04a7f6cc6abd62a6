"""
What is aimed at, and what of it was reached.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from ..markdown import markdown
from .figures import first, loaded, p50, p99, processor, rate, start_seconds
from .results import OURS, Life, Measurement, Results

LITELLM, NGINX, PORTKEY = "litellm", "nginx", "portkey"


@frozen
class Target:
    """
    A ratio that is aimed at.

    @ivar title: of what it is.
    @ivar at_least: it should be C{limit} or more, not less.
    """

    title: str
    measured: Callable[[Results], float | None]
    limit: float
    at_least: bool = False

    def told(self, results: Results) -> tuple[str, str, str]:
        """
        What is aimed at, the ratio, and whether it was reached.
        """
        ratio = self.measured(results)
        sign = "≥" if self.at_least else "≤"
        if ratio is None:
            measured, verdict = "-", "not measured"
        else:
            met = ratio >= self.limit if self.at_least else ratio <= self.limit
            measured, verdict = f"{ratio:.4g}", "reached" if met else "not reached"
        return f"{self.title} {sign} {self.limit:g}", measured, verdict


def reached(results: Results) -> str:
    """
    Every target with what was measured, in Markdown.
    """
    lines = [each.told(results) for each in TARGETS]
    return markdown([("target", "measured", ""), *lines])


def _of(
    scenario: str, value: Callable[[Measurement], float], peer: str
) -> Callable[[Results], float | None]:
    return lambda results: _ratio(
        results.median(OURS, scenario, value), results.median(peer, scenario, value)
    )


def _of_added(
    scenario: str, value: Callable[[Measurement], float], peer: str
) -> Callable[[Results], float | None]:
    return lambda results: _ratio(
        results.added(OURS, scenario, value), results.added(peer, scenario, value)
    )


def _of_lives(
    value: Callable[[Life], float], peer: str
) -> Callable[[Results], float | None]:
    return lambda results: _ratio(
        results.of_lives(OURS, value), results.of_lives(peer, value)
    )


def _spread(results: Results) -> float | None:
    return _ratio(results.median(OURS, "c32", p99), results.median(OURS, "c32", p50))


def _ratio(ours: float | None, theirs: float | None) -> float | None:
    return None if not theirs or ours is None else ours / theirs


TARGETS = (
    Target("requests/s at 32 ÷ LiteLLM", _of("c32", rate, LITELLM), 15, True),
    Target("requests/s at 32 ÷ Portkey", _of("c32", rate, PORTKEY), 1.5, True),
    Target("requests/s at 32 ÷ nginx", _of("c32", rate, NGINX), 0.03, True),
    Target("CPU µs a request ÷ nginx", _of("c32", processor, NGINX), 35),
    Target("added p50 at 1 ÷ nginx", _of_added("c1", p50, NGINX), 5),
    Target("added p50 at 1 ÷ LiteLLM", _of_added("c1", p50, LITELLM), 0.1),
    Target("p99 ÷ p50 at 32", _spread, 3),
    Target("streams/s at 16 ÷ LiteLLM", _of("s16", rate, LITELLM), 30, True),
    Target("streams/s at 16 ÷ Portkey", _of("s16", rate, PORTKEY), 2, True),
    Target("added to first chunk ÷ nginx", _of_added("p20", first, NGINX), 12),
    Target("added to first chunk ÷ LiteLLM", _of_added("p20", first, LITELLM), 0.15),
    Target("memory loaded ÷ LiteLLM", _of_lives(loaded, LITELLM), 0.25),
    Target("start ÷ LiteLLM", _of_lives(start_seconds, LITELLM), 0.15),
)
