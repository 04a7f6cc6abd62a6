"""
Tests for L{arbstr.routing.strategy}.
"""

from __future__ import annotations

from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from arbstr.config.model import Strategy
from arbstr.routing.strategy import STRATEGIES, cheapest

from .market import candidate


class StrategyTests(SynchronousTestCase):
    """
    Strategies put candidates in order.
    """

    def test_cheapest(self) -> None:
        """
        The least expected cost comes first.
        """
        ordered = cheapest([candidate("a", 3), candidate("b", 1), candidate("c", 2)])
        self.assertEqual([each.name for each in ordered], ["b", "c", "a"])

    def test_ties(self) -> None:
        """
        Equal costs are ordered by name.
        """
        ordered = cheapest([candidate("c", 1), candidate("a", 1), candidate("b", 1)])
        self.assertEqual([each.name for each in ordered], ["a", "b", "c"])

    def test_every_strategy(self) -> None:
        """
        There is an order for every strategy that can be configured, and
        C{lowest_cost} is another name for C{cheapest}.
        """
        self.assertEqual(set(STRATEGIES), set(get_args(Strategy)))
        self.assertIs(STRATEGIES["lowest_cost"], STRATEGIES["cheapest"])
