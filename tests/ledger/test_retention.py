"""
Tests for L{arbstr.ledger.retention}.
"""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from arbstr.ledger.retention import Retention, delete_older
from arbstr.ledger.rows import Entry, write_all

from .databases import a_row
from .writing import LOCKED, FakeDatabase

HOUR = 3600
DAY = 24 * HOUR


class RetentionTests(SynchronousTestCase):
    """
    What is old is deleted, a little at a time.
    """

    def setUp(self) -> None:
        """
        Keep what five requests left, one in each hour since the epoch.
        """
        self.clock = Clock()
        self.database = FakeDatabase()
        entries = [
            Entry(
                a_row(f"r{hour}", timestamp=datetime(1970, 1, 1, hour, tzinfo=UTC)),
                True,
            )
            for hour in range(5)
        ]
        self.database.write(lambda connection: write_all(connection, entries))

    def left(self) -> list[str]:
        """
        The ids of the requests that are still known.
        """
        return [request_id for request_id, _ in self.database.rows()]

    def retention(self) -> Retention:
        """
        Keep one day, at three o'clock of the second day and later.
        """
        retention = Retention(
            self.database, self.clock, 1, lambda: DAY + 3 * 3600 + self.clock.seconds()
        )
        self.addCleanup(retention.stop)
        return retention

    def test_batches(self) -> None:
        """
        The oldest go first; between batches there is a pause for others.
        """
        deleting = Deferred.fromCoroutine(
            delete_older(self.database, self.clock, 4 * 3_600_000, batch=2)
        )
        self.assertEqual(self.left(), ["r2", "r3", "r4"])
        self.clock.advance(0.1)
        self.assertEqual(self.left(), ["r4"])
        self.clock.advance(0.1)
        self.assertEqual(self.successResultOf(deleting), 4)

    def test_at_start(self) -> None:
        """
        What is too old at the start goes; the moment itself is kept.
        """
        self.retention().start()
        self.assertEqual(self.left(), ["r3", "r4"])

    def test_hourly(self) -> None:
        """
        With each hour another is too old.
        """
        self.retention().start()
        self.clock.advance(HOUR)
        self.assertEqual(self.left(), ["r4"])

    def test_goes_on_after_an_error(self) -> None:
        """
        A database that cannot be written is tried again an hour later.
        """
        self.database.error = LOCKED
        with capturedLogs() as events:
            self.retention().start()
        self.assertEqual(events[0]["log_format"], "Cannot delete old rows: {error}")
        self.database.error = None
        self.clock.advance(HOUR)
        self.assertEqual(self.left(), ["r4"])

    def test_stopped(self) -> None:
        """
        Once stopped it leaves no timer, even between two batches.
        """
        self.database.held = []
        retention = self.retention()
        retention.start()
        retention.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
