"""
Tests for L{arbstr.circuit.budget}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from arbstr.circuit import RetryBudget


class RetryBudgetTests(SynchronousTestCase):
    """
    Retries are a share of the requests.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.budget = RetryBudget(self.clock)

    def retries(self) -> int:
        """
        How many are granted until one is not.
        """
        count = 0
        while self.budget.retry():
            count += 1
        return count

    def request(self, times: int) -> None:
        """
        So many requests come.
        """
        for _ in range(times):
            self.budget.request()

    def test_least(self) -> None:
        """
        Three a second over ten seconds, however few requests there are.
        """
        self.request(1)
        self.assertEqual(self.retries(), 30)

    def test_share(self) -> None:
        """
        A fifth of many requests.
        """
        self.request(1000)
        self.assertEqual(self.retries(), 200)

    def test_window(self) -> None:
        """
        What is ten seconds past does not count any more.
        """
        self.request(1000)
        self.retries()
        self.clock.advance(9)
        self.assertEqual(self.retries(), 0)
        self.clock.advance(1)
        self.assertEqual(self.retries(), 30)
