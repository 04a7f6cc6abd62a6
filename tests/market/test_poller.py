"""
Tests for L{arbstr.market.poller} and L{arbstr.market.report}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from arbstr.market.poller import Poller
from arbstr.market.report import Report

INTERVAL = 300.0


class PollerTests(SynchronousTestCase):
    """
    L{Poller}, in the middle of its jitter unless a test says otherwise.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.jitter = 0.5
        self.times: list[float] = []
        self.answer: Deferred[bool] | bool | Exception = True
        self.poller = Poller(self.ask, INTERVAL, self.clock, lambda: self.jitter)

    async def ask(self) -> bool:
        """
        As the test says.
        """
        self.times.append(self.clock.seconds())
        if isinstance(self.answer, Exception):
            raise self.answer
        if isinstance(self.answer, Deferred):
            return await self.answer
        return self.answer

    def run_for(self, seconds: int) -> None:
        """
        So much time passes.
        """
        self.clock.pump([1] * seconds)

    def test_not_at_once(self) -> None:
        """
        Whoever starts it does not wait for it.
        """
        self.poller.start()
        self.assertEqual(self.times, [])
        self.clock.advance(0)
        self.assertEqual(self.times, [0])

    def test_interval(self) -> None:
        """
        It counts from the end of one time to the next.
        """
        answer: Deferred[bool] = Deferred()
        self.answer = answer
        self.poller.start()
        self.run_for(100)
        self.assertTrue(self.poller.is_busy)
        answer.callback(True)
        self.assertFalse(self.poller.is_busy)
        self.run_for(301)
        self.assertEqual(self.times, [1, 400])

    def test_jitter(self) -> None:
        """
        A tenth of the interval, in both directions.
        """
        for self.jitter, expected in ((0.0, 270), (1.0, 330)):
            self.poller.stop()
            self.times.clear()
            self.setUp_poller()
            self.clock.advance(expected - 0.001)
            self.assertEqual(len(self.times), 1)
            self.clock.advance(0.002)
            self.assertEqual(len(self.times), 2)

    def setUp_poller(self) -> None:
        """
        Start anew.
        """
        self.poller = Poller(self.ask, INTERVAL, self.clock, lambda: self.jitter)
        self.poller.start()
        self.clock.advance(0)

    def test_failures(self) -> None:
        """
        After them it asks sooner, ever later, but never later than usual.
        """
        self.answer = False
        self.poller.start()
        self.clock.advance(0)
        self.run_for(1500)
        waits = [
            after - before
            for before, after in zip(self.times, self.times[1:], strict=False)
        ]
        self.assertEqual(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300])

    def test_success_after_failures(self) -> None:
        """
        Then the next failure is the first.
        """
        for self.answer in (False, False, True, False):
            if not self.times:
                self.poller.start()
            before = len(self.times)
            while len(self.times) == before:
                self.clock.advance(1)
        self.clock.advance(5)
        self.assertEqual(len(self.times), 5)

    def test_bug(self) -> None:
        """
        It goes on, and is told.
        """
        self.answer = ZeroDivisionError()
        self.poller.start()
        self.clock.advance(0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.answer = True
        self.clock.advance(5)
        self.assertEqual(len(self.times), 2)

    def test_stop(self) -> None:
        """
        Nothing is left, before the first time or between two.
        """
        self.poller.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.setUp_poller()
        self.poller.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop_while_asking(self) -> None:
        """
        It is broken off, without a word.
        """
        cancelled: list[object] = []
        self.answer = Deferred(cancelled.append)
        self.poller.start()
        self.clock.advance(0)
        self.poller.stop()
        self.assertEqual(cancelled, [self.answer])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ReportTests(SynchronousTestCase):
    """
    L{Report}.
    """

    def setUp(self) -> None:
        self.now = 1_773_144_000.0
        self.report = Report("the models of alpha", lambda: self.now)

    def told(self, *steps: str | None) -> list[str]:
        """
        What the log is told when these errors come one after the other, and
        successes where there are none.
        """
        with capturedLogs() as events:
            for error in steps:
                if error is None:
                    self.report.succeeded()
                else:
                    self.report.failed(error)
        return [formatEvent(each) for each in events]

    def test_once(self) -> None:
        """
        The same error is told once; another, and the end of them, as well.
        """
        self.assertEqual(
            self.told("HTTP 500", "HTTP 500", "HTTP 503", None, None, "HTTP 500"),
            [
                "the models of alpha: HTTP 500",
                "the models of alpha: HTTP 503",
                "the models of alpha: there is an answer again",
                "the models of alpha: HTTP 500",
            ],
        )

    def test_remark(self) -> None:
        """
        It is told once, too.
        """
        with capturedLogs() as events:
            for _ in range(2):
                self.report.succeeded("left out 1 of 2 models")
        self.assertEqual(
            [formatEvent(each) for each in events],
            ["the models of alpha: left out 1 of 2 models"],
        )
        self.assertEqual(self.report.as_json()["remark"], "left out 1 of 2 models")

    def test_json(self) -> None:
        """
        When it went well last, and what has been wrong since.
        """
        self.report.succeeded()
        self.now += 60
        self.report.failed("HTTP 500")
        self.assertEqual(
            self.report.as_json(),
            {
                "last_success_at": "2026-03-10T12:00:00Z",
                "last_error": "HTTP 500",
                "remark": None,
            },
        )

    def test_never(self) -> None:
        """
        Nobody has been asked yet.
        """
        self.assertEqual(
            self.report.as_json(),
            {"last_success_at": None, "last_error": None, "remark": None},
        )
