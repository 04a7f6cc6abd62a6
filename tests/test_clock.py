"""
Tests for L{arbstr.clock}.
"""

from __future__ import annotations

import time

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from arbstr.clock import MonotonicClock


class MonotonicClockTests(SynchronousTestCase):
    """
    L{MonotonicClock} has the reactor's timers, but a time of its own.
    """

    def setUp(self) -> None:
        self.reactor = Clock()
        self.clock = MonotonicClock(self.reactor)

    def test_interface(self) -> None:
        """
        It can be used wherever a reactor's clock can.
        """
        self.assertTrue(verifyObject(IReactorTime, self.clock))

    def test_seconds(self) -> None:
        """
        Its time is the monotonic one, whatever the reactor's does.
        """
        self.reactor.advance(1_000_000)
        before = time.monotonic()
        seconds = self.clock.seconds()
        self.assertTrue(before <= seconds <= time.monotonic())

    def test_timers(self) -> None:
        """
        Its timers are the reactor's.
        """
        calls: list[tuple[object, ...]] = []
        call = self.clock.callLater(5, lambda *args, **kw: calls.append((args, kw)), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [call])
        self.reactor.advance(4)
        self.assertEqual(calls, [])
        self.reactor.advance(1)
        self.assertEqual(calls, [((1,), {})])
        self.assertEqual(self.clock.getDelayedCalls(), [])
