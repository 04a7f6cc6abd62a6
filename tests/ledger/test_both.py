"""
Tests for L{arbstr.ledger.both}.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from arbstr.ledger.both import Both
from arbstr.ledger.row import RequestLog

from .test_row import SERVED


@define
class Recorded:
    """
    A ledger that only remembers what it was told.
    """

    name: str
    calls: list[tuple[str, RequestLog]] = field(factory=list)
    drained: Deferred[None] = field(factory=Deferred)

    def begin(self, request_id: str, make_row: Callable[[], RequestLog]) -> None:
        self.calls.append((f"begin {request_id}", make_row()))

    def record(self, row: RequestLog) -> None:
        self.calls.append(("record", row))

    def drain(self) -> Deferred[None]:
        return self.drained

    def status(self) -> dict[str, object]:
        return {"kind": self.name}


class BothTests(SynchronousTestCase):
    """
    L{Both} gives rows to the log and to the books.
    """

    def setUp(self) -> None:
        self.log, self.books = Recorded("log"), Recorded("books")
        self.both = Both(self.log, self.books)

    def test_rows(self) -> None:
        """
        Each gets every row, when it begins and when it has ended.
        """
        self.both.begin("r2", lambda: SERVED)
        self.both.record(SERVED)
        expected = [("begin r2", SERVED), ("record", SERVED)]
        self.assertEqual((self.log.calls, self.books.calls), (expected, expected))

    def test_drain(self) -> None:
        """
        The books are waited for: the log never lags behind.
        """
        drained = self.both.drain()
        self.assertNoResult(drained)
        self.books.drained.callback(None)
        self.assertIsNone(self.successResultOf(drained))

    def test_status(self) -> None:
        """
        It is the books' that people want to know.
        """
        self.assertEqual(self.both.status(), {"kind": "books"})
