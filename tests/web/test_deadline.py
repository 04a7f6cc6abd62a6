"""
Tests for L{arbstr.web.deadline}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from arbstr.web.deadline import Deadline


class DeadlineTests(SynchronousTestCase):
    """
    A moment that can be put off.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.passed: list[float] = []
        self.deadline = Deadline(
            self.clock, lambda: self.passed.append(self.clock.seconds())
        )

    def test_passes(self) -> None:
        """
        Once.
        """
        self.deadline.set(5)
        self.assertTrue(self.deadline.is_set)
        self.clock.pump([1] * 20)
        self.assertEqual(self.passed, [5])
        self.assertFalse(self.deadline.is_set)

    def test_put_off(self) -> None:
        """
        It costs no timer.
        """
        self.deadline.set(5)
        (timer,) = self.clock.getDelayedCalls()
        self.clock.advance(3)
        self.deadline.set(5)
        self.assertEqual(self.clock.getDelayedCalls(), [timer])
        self.clock.pump([1] * 20)
        self.assertEqual(self.passed, [8])

    def test_brought_forward(self) -> None:
        self.deadline.set(60)
        self.deadline.set(5)
        self.clock.pump([1] * 20)
        self.assertEqual(self.passed, [5])

    def test_cleared(self) -> None:
        """
        A timer that is left over does nothing, nor does it stay.
        """
        self.deadline.set(5)
        self.deadline.clear()
        self.clock.advance(5)
        self.assertEqual((self.passed, self.clock.getDelayedCalls()), ([], []))

    def test_stopped(self) -> None:
        self.deadline.set(5)
        self.deadline.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
