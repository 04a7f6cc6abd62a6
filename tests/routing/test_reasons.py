"""
Tests for L{arbstr.routing.reasons}.
"""

from __future__ import annotations

from typing import get_args

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.model import Strategy
from arbstr.routing.learned import Service
from arbstr.routing.plan import Candidate
from arbstr.routing.reasons import because

from .market import candidate


class ReasonTests(SynchronousTestCase):
    """
    What is said of each candidate's place.
    """

    def assert_because(
        self, strategy: Strategy, ranked: list[Candidate], *expected: str
    ) -> None:
        """
        This is said where a second is worth 2 sats.
        """
        self.assertEqual(because(strategy, 2, ranked), list(expected))

    def test_cost(self) -> None:
        """
        The first against the next, all others against the one before.
        """
        ranked = [candidate("a", 1.005), candidate("b", 3.01), candidate("c", 4)]
        for strategy in ("cheapest", "lowest_cost"):
            self.assert_because(
                strategy,
                ranked,
                "expected cost 1.005 sats against 3.01 sats of b",
                "expected cost 3.01 sats against 1.005 sats of a",
                "expected cost 4 sats against 3.01 sats of b",
            )

    def test_later_turns(self) -> None:
        """
        What costs more now and less later says so.
        """
        ranked = [evolve(candidate("a", 3), later_saves=2.5), candidate("b", 1)]
        self.assert_because(
            "cheapest",
            ranked,
            "expected cost 3 sats (less 2.5 that it saves later) against 1 sats of b",
            "expected cost 1 sats against 3 sats (less 2.5 that it saves later) of a",
        )

    def test_alone(self) -> None:
        """
        There is nobody to compare it with.
        """
        self.assert_because("cheapest", [candidate("a", 2)], "expected cost 2 sats")

    def test_nobody(self) -> None:
        """
        Or nobody at all.
        """
        self.assert_because("cheapest", [])

    def test_tie(self) -> None:
        """
        Where the measure is the same, what decided then.
        """
        self.assert_because(
            "cheapest",
            [candidate("a", 2), candidate("b", 2)],
            "expected cost 2 sats like b: by name",
            "expected cost 2 sats like a: by name",
        )

    def test_latency(self) -> None:
        """
        Seconds, as far as they are known.
        """
        self.assert_because(
            "lowest_latency",
            [
                candidate("a", 1),
                candidate("b", 2),
                candidate("c", 1, Service(0.25, 1)),
                candidate("d", 1, Service(None, 0.5)),
            ],
            "first byte not known yet like b: by cost, then by name",
            "first byte not known yet like a: by cost, then by name",
            "first byte after 0.250 s against not known yet of b",
            "first byte never seen against after 0.250 s of c",
        )

    def test_turns(self) -> None:
        """
        Whose turn it was.
        """
        self.assert_because(
            "round_robin",
            [candidate("a"), candidate("b", last_turn=7)],
            "last turn none yet against number 7 of b",
            "last turn number 7 against none yet of a",
        )

    def test_balanced(self) -> None:
        """
        What it comes to.
        """
        self.assert_because(
            "balanced",
            [candidate("a", 1, Service(1, 0.5)), candidate("b", 5)],
            "cost with failures and waiting 4 sats against 5 sats of b",
            "cost with failures and waiting 5 sats against 4 sats of a",
        )

    def test_every_strategy(self) -> None:
        """
        Each has something to say.
        """
        for strategy in get_args(Strategy):
            self.assertEqual(len(because(strategy, 1, [candidate("a")])), 1)
