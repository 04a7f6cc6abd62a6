"""
Tests for L{arbstr.flood}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, Logger, LogLevel, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

import arbstr.flood as module
from arbstr.flood import Flood
from arbstr.logs import format_text, request_context

FAILED = "{provider} failed ({kind}): {reason}"


@implementer(ILogObserver)
class Told:
    """
    Remembers what it is told.
    """

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.written: list[str] = []

    def __call__(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        self.written.append(format_text(event) or "")

    @property
    def lines(self) -> list[str]:
        """
        The messages.
        """
        return [formatEvent(event) for event in self.events]


class FloodTests(SynchronousTestCase):
    """
    L{Flood} holds back what has just been said.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.told = Told()
        self.flood = Flood(self.told, self.clock)
        self.log = Logger("arbstr.test", observer=self.flood)

    def warn(self, reason: object = "boom", **about: str) -> None:
        """
        A provider has failed.
        """
        self.log.warn(
            FAILED, reason=reason, **{"provider": "a", "kind": "5xx", **about}
        )

    def warn_often(self, times: int) -> None:
        """
        It has failed so often, each time for another reason.
        """
        for number in range(times):
            self.warn(number)

    def test_first_is_told_at_once(self) -> None:
        self.warn()
        self.assertEqual(self.told.lines, ["a failed (5xx): boom"])

    def test_rest_is_told_after_a_second(self) -> None:
        """
        In one line: the latest, and how many more there were.
        """
        self.warn_often(19)
        self.clock.advance(0.9)
        self.assertEqual(self.told.lines, ["a failed (5xx): 0"])
        self.clock.advance(0.1)
        self.assertEqual(
            self.told.lines[1:], ["a failed (5xx): 18 … (17 more like it)"]
        )

    def test_second_alone(self) -> None:
        """
        One that is held back is told as it is.
        """
        self.warn_often(2)
        self.clock.advance(1)
        self.assertEqual(self.told.lines[1:], ["a failed (5xx): 1"])

    def test_at_most_one_a_second(self) -> None:
        """
        However long it goes on, and none is left out of the counts.
        """
        for _ in range(80):
            self.warn_often(3)
            self.clock.advance(1 / 8)
        self.assertEqual(len(self.told.events), 11)
        more = [event.get("more", 0) for event in self.told.events]
        self.assertEqual(sum(more) + len(more), 240)

    def test_told_at_once_after_a_quiet_second(self) -> None:
        self.warn()
        self.clock.advance(1)
        self.warn()
        self.assertEqual(len(self.told.events), 2)

    def test_sorts(self) -> None:
        """
        Other providers, other kinds and other words are other warnings.
        """
        self.warn()
        self.warn(provider="b")
        self.warn(kind="timeout")
        self.log.warn("other words of {provider}", provider="a")
        self.assertEqual(len(self.told.events), 4)

    def test_about_nobody(self) -> None:
        """
        Warnings that have no kind may all be different.
        """
        for name in ("listen", "database", "workers"):
            self.log.warn("{name} has changed", name=name)
        self.assertEqual(len(self.told.events), 3)

    def test_no_warnings(self) -> None:
        """
        Lines of requests and errors are all told.
        """
        for _ in range(3):
            for level in (LogLevel.debug, LogLevel.info, LogLevel.error):
                self.log.emit(level, "again", provider="a")
        self.assertEqual(len(self.told.events), 9)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_others(self) -> None:
        """
        What is not ours passes.
        """
        log = Logger("twisted.web", observer=self.flood)
        for _ in range(3):
            log.warn("again", provider="a")
        self.assertEqual(len(self.told.events), 3)

    def test_request_id(self) -> None:
        """
        What was held back still belongs to its request.
        """
        for request_id in ("r1", "r2"):
            with request_context(request_id):
                self.warn()
        with request_context("r3"):
            self.clock.advance(1)
        self.assertIn(" [r2] ", self.told.written[-1])

    def test_bounded(self) -> None:
        """
        Of very many sorts some are taken for one.
        """
        self.patch(module, "_MOST", 10)
        for number in range(100):
            self.warn(provider=str(number))
        self.assertEqual(len(self.told.events), 11)
        self.assertEqual(len(self.clock.getDelayedCalls()), 11)
        self.clock.advance(1)
        self.assertEqual(
            self.told.lines[11:], ["99 failed (5xx): boom … (88 more like it)"]
        )

    def test_nothing_is_kept(self) -> None:
        """
        When it is over, nothing is left of it.
        """
        self.warn_often(3)
        self.clock.advance(1)
        self.clock.advance(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_flush(self) -> None:
        """
        At the end, what is held back is told at once.
        """
        self.warn_often(3)
        self.flood.flush()
        self.assertEqual(self.told.lines[1:], ["a failed (5xx): 2 … (1 more like it)"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
