"""
Tests for L{arbstr.ledger.writer.DatabaseLedger}: rows of requests in flight.
"""

from __future__ import annotations

from typing import Any

from attrs import define
from twisted.internet.task import Clock

from arbstr.ledger.writer import BATCH

from .databases import a_row
from .writing import LOCKED, WriterTestCase


@define
class Stopped:
    """
    A clock whose timers go off while it stands still.
    """

    _timers: Clock
    _now: float

    def seconds(self) -> float:
        """
        See L{IReactorTime.seconds}.
        """
        return self._now

    def callLater(self, *args: Any, **kw: Any) -> Any:
        """
        See L{IReactorTime.callLater}.
        """
        return self._timers.callLater(*args, **kw)


class BegunTests(WriterTestCase):
    """
    A row is begun when its request is accepted, and completed at the end.
    """

    def test_in_flight(self) -> None:
        """
        What has begun is there before it has ended.
        """
        self.begin("r1")
        self.clock.advance(0.25)
        self.assertEqual(self.database.rows(), [("r1", "in_flight")])

    def test_completed(self) -> None:
        """
        The end of a request completes its row.
        """
        self.begin("r1")
        self.clock.advance(0.25)
        self.record(1)
        self.clock.advance(0.25)
        self.assertEqual(self.database.rows(), [("r1", "done")])

    def test_coalesced(self) -> None:
        """
        A request that ends before its begin is written is written once, in its
        place.
        """
        for number in (1, 2):
            self.begin(f"r{number}")
        self.record(1)
        self.assertEqual(self.status("waiting"), 2)
        self.clock.advance(0.25)
        self.assertEqual(self.database.rows(), [("r1", "done"), ("r2", "in_flight")])

    def test_begun_lately(self) -> None:
        """
        What has just begun is left for the next time, which is soon enough for
        it.
        """
        self.record(1)
        self.clock.advance(0.12)
        self.begin("r2")
        self.clock.advance(0.03)
        self.assertEqual(self.database.rows(), [("r1", "done")])
        self.clock.advance(0.12)
        self.assertEqual(self.database.rows(), [("r1", "done"), ("r2", "in_flight")])

    def test_ends_soon(self) -> None:
        """
        If it has ended by then, nobody makes the row of its beginning.
        """
        self.record(1)
        self.clock.advance(0.12)
        self.ledger.begin("r2", self.fail)
        self.clock.advance(0.03)
        self.record(2)
        self.clock.advance(0.12)
        self.assertEqual(self.database.rows(), [("r1", "done"), ("r2", "done")])
        self.assertEqual(self.database.attempts, 2)

    def test_begun_lately_and_drained(self) -> None:
        """
        A drain leaves nothing.
        """
        self.begin("r1")
        self.successResultOf(self.ledger.drain())
        self.assertEqual(self.database.rows(), [("r1", "in_flight")])

    def test_clock_put_forward(self) -> None:
        """
        The wall clock, by which timers go off, has passed over the time for which
        what has just begun is left: it is left all the same, and nothing is wrong.
        """
        now = self.clock.seconds()
        self.patch(self.ledger, "_clock", Stopped(self.clock, now))
        self.begin("r1")
        self.clock.advance(0.25)
        self.assertEqual((self.database.attempts, self.status("error")), (0, None))
        self.patch(self.ledger, "_clock", self.clock)
        self.clock.advance(0.25)
        self.assertEqual(self.database.rows(), [("r1", "in_flight")])

    def test_many_begun(self) -> None:
        """
        Nor does a full batch.
        """
        for number in range(BATCH):
            self.begin(f"r{number}")
        self.assertEqual(self.database.sizes, [BATCH])

    def test_what_is_known(self) -> None:
        """
        A row that is begun tells what is known when it is written.
        """
        known = {"model": "gpt-4o"}
        self.ledger.begin("r1", lambda: a_row("r1", **known))
        known["model"] = "o3"
        self.clock.advance(0.25)
        self.assertEqual(self.database.models(), ["o3"])

    def test_ends_while_its_begin_is_being_written(self) -> None:
        """
        What is being written cannot be changed any more: the end follows.
        """
        self.database.held = []
        self.begin("r1")
        self.clock.advance(0.25)
        self.record(1)
        self.database.release()
        self.assertEqual(self.database.rows(), [("r1", "in_flight")])
        self.clock.advance(0.25)
        self.database.release()
        self.assertEqual(self.database.rows(), [("r1", "done")])

    def test_ends_while_its_begin_fails(self) -> None:
        """
        A begin that could not be written does not come after the end.
        """
        self.database.held = []
        self.begin("r1")
        self.clock.advance(0.25)
        self.record(1)
        self.database.error = LOCKED
        self.database.release()
        self.assertEqual(self.status("waiting"), 1)
        self.database.error, self.database.held = None, None
        self.clock.advance(0.5)
        self.assertEqual(self.database.rows(), [("r1", "done")])
