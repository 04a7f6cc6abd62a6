"""
Tests for L{arbstr.upstream.patience}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from arbstr.upstream.patience import Patience, Wait


class PatienceTests(SynchronousTestCase):
    """
    L{Patience} with each of those that are waited for.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.patience = Patience(self.clock)
        self.given_up: list[str] = []

    def begin(self, name: str, seconds: float) -> Wait:
        """
        Wait for somebody.
        """
        return self.patience.begin(seconds, lambda: self.given_up.append(name))

    def assert_given_up(self, *names: str, after: float) -> None:
        """
        So many seconds from now it is these, and just before it was none.
        """
        self.given_up.clear()
        self.clock.advance(after - 0.25)
        self.assertEqual(self.given_up, [])
        self.clock.advance(0.25)
        self.assertCountEqual(self.given_up, names)

    def assert_no_timer(self) -> None:
        """
        Nothing is left behind.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_long(self) -> None:
        wait = self.begin("alpha", 3)
        self.assertFalse(wait.in_vain)
        self.assert_given_up("alpha", after=3)
        self.assertTrue(wait.in_vain)
        self.assert_no_timer()

    def test_in_time(self) -> None:
        wait = self.begin("alpha", 3)
        self.clock.advance(2)
        self.patience.end(wait)
        self.assert_no_timer()
        self.assertFalse(wait.in_vain)

    def test_one_timer(self) -> None:
        """
        However many they are, and it stays for the others when one has come.
        """
        waits = [self.begin("alpha", 3) for _ in range(9)]
        (timer,) = self.clock.getDelayedCalls()
        self.patience.end(waits[0])
        self.begin("beta", 4)
        self.assertEqual(self.clock.getDelayedCalls(), [timer])

    def test_looks_again(self) -> None:
        """
        The one that the timer was for has come; the next one's time counts.
        """
        wait = self.begin("alpha", 3)
        self.clock.advance(2)
        self.begin("beta", 3)
        self.patience.end(wait)
        self.assert_given_up("beta", after=3)
        self.assert_no_timer()

    def test_sooner(self) -> None:
        """
        Who comes last may be the first to take too long.
        """
        self.begin("alpha", 5)
        self.clock.advance(1)
        self.begin("beta", 1)
        self.assert_given_up("beta", after=1)
        self.assert_given_up("alpha", after=3)
        self.assert_no_timer()

    def test_together(self) -> None:
        """
        Several may have taken too long at the same time.
        """
        self.begin("alpha", 3)
        self.begin("beta", 3)
        self.assert_given_up("alpha", "beta", after=3)
        self.assert_no_timer()

    def test_no_time_at_all(self) -> None:
        self.begin("alpha", 0)
        self.clock.advance(0)
        self.assertEqual(self.given_up, ["alpha"])

    def test_ended_afterwards(self) -> None:
        """
        Who was given up is told of as everybody else.
        """
        wait = self.begin("alpha", 3)
        self.begin("beta", 5)
        self.clock.advance(3)
        self.patience.end(wait)
        self.assert_given_up("beta", after=2)

    def test_another_in_its_place(self) -> None:
        """
        Giving one up may be the reason to wait for the next.
        """
        self.patience.begin(3, lambda: self.begin("beta", 2))
        self.begin("alpha", 9)
        self.clock.advance(3)
        self.assert_given_up("beta", after=2)
        self.assert_given_up("alpha", after=4)
        self.assert_no_timer()
