"""
Tests for what L{benchmarks.compare} makes of its measurements.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.compare.figures import p50, rate
from benchmarks.compare.results import DIRECT, OURS, Life, Measurement, Results
from benchmarks.compare.scenarios import SCENARIOS
from benchmarks.compare.table import table
from benchmarks.compare.targets import reached
from benchmarks.native.tools import Report

ONE = SCENARIOS[0]
WELL = Report(
    rate=100,
    measured=300,
    p50=2000,
    p99=3000,
    first_p50=1000,
    first_p99=1500,
    sent=350,
    finished=350,
    lost=0,
    unsent=0,
    bad_status=0,
    without_done=0,
    reconnects=0,
)


def measurement(proxy: str, number: int = 1, **report: Any) -> Measurement:
    """
    One in which all was well, save for what is given.
    """
    return Measurement(number, proxy, ONE.key, evolve(WELL, **report), 250)


class ResultsTests(SynchronousTestCase):
    """
    Figures of all rounds.
    """

    def test_median(self) -> None:
        """
        The figure of several rounds is their median.
        """
        rates = enumerate([100, 900, 300], 1)
        results = Results(
            measurements=[measurement(OURS, n, rate=each) for n, each in rates]
        )

        self.assertEqual(300, results.median(OURS, ONE.key, rate))

    def test_not_measured(self) -> None:
        """
        There is no figure of a proxy that was not measured.
        """
        self.assertIsNone(Results().median("nginx", ONE.key, rate))

    def test_too_slow(self) -> None:
        """
        A round in which nothing could be measured is left out.
        """
        results = Results(measurements=[measurement(OURS, measured=0)])

        self.assertIsNone(results.median(OURS, ONE.key, rate))

    def test_added(self) -> None:
        """
        What a proxy adds is told by the direct call of the same round.
        """
        results = Results(
            measurements=[
                measurement(DIRECT, 1, p50=1000),
                measurement(OURS, 1, p50=1500),
                measurement(DIRECT, 2, p50=7000),
                measurement(OURS, 2, p50=7500),
            ]
        )

        self.assertEqual(0.5, results.added(OURS, ONE.key, p50))

    def test_all_well(self) -> None:
        """
        Where every request was answered well, nothing is told.
        """
        self.assertEqual([], list(Results(measurements=[measurement(OURS)]).wrong()))

    def test_wrong(self) -> None:
        """
        Every kind of wrong answer is told, with its count.
        """
        wrong = measurement(
            OURS, bad_status=1, lost=2, without_done=3, finished=WELL.sent - 2
        )

        told = list(Results(measurements=[wrong]).wrong())

        self.assertEqual(
            [
                "arbstr, c1, round 1: 2 of 350 requests lost",
                "arbstr, c1, round 1: 1 of 350 requests non-2xx",
                "arbstr, c1, round 1: 3 of 350 requests without [DONE]",
            ],
            told,
        )

    def test_disappeared(self) -> None:
        """
        Requests that were neither answered nor lost are told, too.
        """
        wrong = measurement(OURS, finished=WELL.sent - 7)

        told = list(Results(measurements=[wrong]).wrong())

        self.assertEqual(
            ["arbstr, c1, round 1: 7 of 350 requests unaccounted for"], told
        )


class TableTests(SynchronousTestCase):
    """
    Figures side by side.
    """

    def lines(self, *measurements: Measurement) -> list[list[str]]:
        """
        The cells of the table of these.
        """
        results = Results({OURS: "1", "nginx": "2"}, measurements=[*measurements])
        told = table(results, [ONE])
        return [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in told.splitlines()
        ]

    def test_ratio(self) -> None:
        """
        arbstr's figure is divided by that of every other proxy.
        """
        head, _, rates, *_ = self.lines(
            measurement(DIRECT, rate=5000),
            measurement(OURS, rate=100),
            measurement("nginx", rate=400),
        )

        self.assertEqual(["", DIRECT, OURS, "nginx", "÷ nginx"], head)
        self.assertEqual(
            ["1 connection: requests/s", "5,000", "100", "400", "0.25"], rates
        )

    def test_overloaded(self) -> None:
        """
        A star marks who could not keep up with the rate asked for.
        """
        _, _, rates, *_ = self.lines(
            measurement(OURS), measurement("nginx", rate=400, unsent=1)
        )

        self.assertEqual(["-", "100", "400*", "0.25"], rates[1:])

    def test_missing(self) -> None:
        """
        There is no ratio to a proxy that was not measured.
        """
        _, _, rates, *_ = self.lines(measurement(OURS))

        self.assertEqual(["-", "100", "-", "-"], rates[1:])


class TargetTests(SynchronousTestCase):
    """
    What is aimed at.
    """

    def verdict(self, ours: float, title: str) -> str:
        """
        What is said of a target where LiteLLM needs 100 MB and 1 second.
        """
        results = Results(
            lives=[Life(1, OURS, 1, 1, ours), Life(1, "litellm", 1, 1, 100)]
        )
        (line,) = [each for each in reached(results).splitlines() if title in each]
        return line.strip("| ").rpartition("|")[2].strip()

    def test_reached(self) -> None:
        """
        A ratio that is the limit is good enough.
        """
        self.assertEqual("reached", self.verdict(25, "memory loaded"))

    def test_not_reached(self) -> None:
        """
        A ratio beyond the limit is not.
        """
        self.assertEqual("not reached", self.verdict(26, "memory loaded"))

    def test_unknown(self) -> None:
        """
        Without a measurement nothing is claimed.
        """
        self.assertEqual("not measured", self.verdict(25, "streams/s at 16 ÷ LiteLLM"))
