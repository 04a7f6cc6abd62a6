"""
Tests for L{arbstr.ledger.writer.DatabaseLedger} while the database cannot be
written.
"""

from __future__ import annotations

from twisted.logger import capturedLogs

from arbstr.ledger.writer import BATCH, BOUND, DRAIN_SECONDS

from .databases import a_row
from .writing import LOCKED, WriterTestCase


class FaultTests(WriterTestCase):
    """
    Rows wait while the database cannot be written.
    """

    def test_rows_wait(self) -> None:
        """
        Nothing is lost, and order is kept.
        """
        self.database.error = LOCKED
        self.record(1)
        self.clock.advance(0.25)
        self.record(2)
        self.assertEqual(self.status("waiting"), 2)
        self.database.error = None
        self.clock.advance(0.5)
        self.assertEqual(self.database.rows(), [("r1", "done"), ("r2", "done")])
        self.assertEqual(self.status("dropped"), 0)

    def test_backs_off(self) -> None:
        """
        Each further attempt is later, up to four seconds.
        """
        self.database.error = LOCKED
        self.record(1)
        moments = []
        for tick in range(1, 20 * 4 + 1):
            before = self.database.attempts
            self.clock.advance(0.25)
            if self.database.attempts > before:
                moments.append(tick / 4)
        self.assertEqual(moments, [0.25, 0.75, 1.75, 3.75, 7.75, 11.75, 15.75, 19.75])

    def test_no_hurry_while_away(self) -> None:
        """
        Many rows do not make it try more often.
        """
        self.database.error = LOCKED
        self.record(1)
        self.clock.advance(0.25)
        self.record(*range(2, 2 * BATCH))
        self.assertEqual(self.database.attempts, 1)

    def test_told(self) -> None:
        """
        What keeps rows waiting is shown while it does.
        """
        self.database.error = LOCKED
        self.record(1)
        self.clock.advance(0.25)
        self.assertEqual(
            self.ledger.status(),
            {
                "kind": "database",
                "waiting": 1,
                "dropped": 0,
                "error": "database is locked",
            },
        )
        self.database.error = None
        self.clock.advance(0.5)
        self.assertIsNone(self.status("error"))

    def test_logged_once(self) -> None:
        """
        The log says when it begins and when it ends.
        """
        self.database.error = LOCKED
        with capturedLogs() as events:
            self.record(1)
            self.clock.pump([0.25] * 20)
            self.database.error = None
            self.clock.pump([0.25] * 20)
        self.assertEqual(
            [event["log_format"] for event in events],
            [
                "Cannot write to the database {name}: {error}; {count} rows wait",
                "Writing to {name} again",
            ],
        )

    def test_bound(self) -> None:
        """
        When no more can wait what comes is lost, and counted.
        """
        self.fill()
        self.record(BOUND, BOUND + 1)
        self.assertEqual((self.status("waiting"), self.status("dropped")), (BOUND, 2))

    def test_bound_counts_what_is_being_written(self) -> None:
        """
        A batch that is being written may come back.
        """
        self.database.held = []
        self.record(*range(BOUND + 1))
        self.assertEqual(self.status("dropped"), 1)

    def test_bound_and_begun(self) -> None:
        """
        What cannot begin to wait is not lost: it comes again at its end.
        """
        self.fill()
        self.begin("late")
        self.assertEqual(self.status("dropped"), 0)

    def test_bound_and_completed(self) -> None:
        """
        A request that waits already has its place.
        """
        self.database.error = LOCKED
        self.begin("r0")
        self.record(*range(1, BOUND))
        self.record(0)
        self.assertEqual(self.status("dropped"), 0)

    def test_an_end_takes_the_place_of_a_beginning(self) -> None:
        """
        What is known of a request at its end is worth more than what another,
        which comes again, began with.
        """
        self.database.error = LOCKED
        self.begin("begun")
        self.record(*range(BOUND))
        self.assertEqual(self.status("dropped"), 0)
        self.database.error = None
        self.clock.advance(60)
        self.assertNotIn("begun", dict(self.database.rows()))
        self.assertEqual(len(self.database.rows()), BOUND)

    def test_losses_are_logged_once_a_second(self) -> None:
        """
        However many rows are lost.
        """
        self.fill()
        with capturedLogs() as events:
            self.record(*range(BOUND, BOUND + 5))
            self.clock.advance(1)
            self.record(*range(BOUND + 5, BOUND + 10))
        told = [event["dropped"] for event in events if "dropped" in event]
        self.assertEqual(told, [1, 6])

    def test_bad_row(self) -> None:
        """
        A row that cannot be written is lost by itself: those beside it are
        written, and nothing waits.
        """
        self.record(1)
        self.ledger.record(a_row("bad", streaming=None))
        self.record(2)
        self.clock.advance(0.25)
        self.assertEqual(self.database.rows(), [("r1", "done"), ("r2", "done")])
        self.assertEqual((self.status("waiting"), self.status("dropped")), (0, 1))
        self.assertIsNone(self.status("error"))

    def test_bad_begin(self) -> None:
        """
        A request of which neither begin nor end can be written is one loss.
        """
        bad = a_row("bad", streaming=None)
        self.ledger.begin("bad", lambda: bad)
        self.clock.advance(0.25)
        self.ledger.record(bad)
        self.clock.advance(0.25)
        self.assertEqual(self.status("dropped"), 1)

    def test_drain_tries_again(self) -> None:
        """
        A drain waits for a database that comes back.
        """
        self.database.error = LOCKED
        self.record(1)
        drained = self.ledger.drain()
        self.clock.pump([0.25] * 8)
        self.assertNoResult(drained)
        self.database.error = None
        self.clock.advance(0.25)
        self.assertIsNone(self.successResultOf(drained))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_drain_gives_up(self) -> None:
        """
        A drain does not wait for ever: what it leaves is lost, and counted.
        """
        self.database.error = LOCKED
        self.record(1, 2)
        drained = self.ledger.drain()
        self.clock.pump([0.25] * round(DRAIN_SECONDS / 0.25))
        self.assertIsNone(self.successResultOf(drained))
        self.assertEqual((self.status("waiting"), self.status("dropped")), (0, 2))

    def test_drain_gives_up_on_silence(self) -> None:
        """
        Nor does it wait for a database that does not answer.
        """
        self.database.held = []
        self.record(1)
        drained = self.ledger.drain()
        self.clock.advance(DRAIN_SECONDS)
        self.assertIsNone(self.successResultOf(drained))
        self.assertEqual(self.status("dropped"), 1)
