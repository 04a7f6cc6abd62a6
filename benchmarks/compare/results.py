"""
What was measured, and what in it was wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median

from attrs import Factory, asdict, define, field, frozen

from ..native.tools import Report

DIRECT = "direct"
OURS = "arbstr"


@frozen
class Measurement:
    """
    One scenario of one proxy in one round.

    @ivar processor: microseconds of processor time for each answer; 0 for the
        direct call.
    """

    round: int
    proxy: str
    scenario: str
    report: Report
    processor: float


@frozen
class Life:
    """
    One proxy in one round.

    @ivar start_seconds: from the start of the program to the first answer.
    @ivar idle_megabytes: resident memory after that.
    @ivar loaded_megabytes: the most after any scenario.
    """

    round: int
    proxy: str
    start_seconds: float
    idle_megabytes: float
    loaded_megabytes: float


@define
class Results:
    """
    Everything of one run.

    @ivar versions: of the proxies, in the order of tables.
    @ivar missing: why proxies are not among them.
    """

    versions: dict[str, str] = Factory(dict)
    missing: dict[str, str] = Factory(dict)
    measurements: list[Measurement] = field(factory=list)
    lives: list[Life] = field(factory=list)

    def median(
        self, proxy: str, scenario: str, value: Callable[[Measurement], float]
    ) -> float | None:
        """
        The median of all rounds, if there were any.
        """
        values = [value(each) for each in self.of(proxy, scenario)]
        return median(values) if values else None

    def added(
        self, proxy: str, scenario: str, value: Callable[[Measurement], float]
    ) -> float | None:
        """
        By how much a proxy's is above the direct call's of the same round, as
        the median of all rounds.
        """
        direct = {each.round: value(each) for each in self.of(DIRECT, scenario)}
        values = [
            value(each) - direct[each.round]
            for each in self.of(proxy, scenario)
            if each.round in direct
        ]
        return median(values) if values and proxy != DIRECT else None

    def of_lives(self, proxy: str, value: Callable[[Life], float]) -> float | None:
        """
        The median of all rounds, if there were any.
        """
        values = [value(each) for each in self.lives if each.proxy == proxy]
        return median(values) if values else None

    def of(self, proxy: str, scenario: str) -> list[Measurement]:
        """
        One measurement a round, less those that ended before anything could be
        measured.
        """
        return [
            each
            for each in self.measurements
            if (each.proxy, each.scenario) == (proxy, scenario) and each.report.measured
        ]

    def overloaded(self, proxy: str, scenario: str) -> bool:
        """
        Requests were due that could not be sent any more.
        """
        return any(each.report.unsent for each in self.of(proxy, scenario))

    def wrong(self) -> Iterator[str]:
        """
        What was no answer, one line for each scenario of each round.
        """
        for each in self.measurements:
            for what, count in each.report.wrong.items():
                yield (
                    f"{each.proxy}, {each.scenario}, round {each.round}: "
                    f"{count} of {each.report.sent} requests {what}"
                )

    def as_json(self) -> dict[str, object]:
        """
        All of it, for a file.
        """
        return asdict(self)
