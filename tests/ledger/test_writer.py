"""
Tests for L{arbstr.ledger.writer}.
"""

from __future__ import annotations

from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from arbstr.ledger.writer import LogLedger

from .test_row import REFUSED, SERVED


class LogLedgerTests(SynchronousTestCase):
    """
    L{LogLedger} writes rows to the log.
    """

    def test_record(self) -> None:
        """
        Each row is an event, with the line for people, the row for programs
        and the id of the request.
        """
        ledger = LogLedger()
        with capturedLogs() as events:
            ledger.record(SERVED)
            ledger.record(REFUSED)
        self.assertEqual([event["request_id"] for event in events], ["r2", "r1"])
        self.assertEqual(events[0]["log_level"], LogLevel.info)
        self.assertEqual(formatEvent(events[0]), SERVED.summary())
        self.assertEqual(events[0]["row"], SERVED)

    def test_disabled(self) -> None:
        """
        Where requests are not to be logged, nothing is.
        """
        with capturedLogs() as events:
            LogLedger(enabled=False).record(SERVED)
        self.assertEqual(events, [])

    def test_drain(self) -> None:
        """
        There is nothing to wait for.
        """
        self.assertIsNone(self.successResultOf(LogLedger().drain()))

    def test_begin(self) -> None:
        """
        What has only begun is not told yet.
        """
        with capturedLogs() as events:
            LogLedger().begin("r2", lambda: SERVED)
        self.assertEqual(events, [])

    def test_status(self) -> None:
        """
        Nothing ever waits or is lost.
        """
        self.assertEqual(
            LogLedger().status(),
            {"kind": "log", "waiting": 0, "dropped": 0, "error": None},
        )
