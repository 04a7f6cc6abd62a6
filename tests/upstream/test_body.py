"""
Tests for L{arbstr.upstream.body}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from arbstr.upstream.body import BodyLimits, Collector
from arbstr.upstream.failures import AttemptFailed
from tests.fakes import ProviderBody

IDLE = 10
TOTAL = 60
LIMIT = 8


class CollectorTests(SynchronousTestCase):
    """
    A L{Collector}, and with it every L{BodyReceiver
    <arbstr.upstream.body.BodyReceiver>}.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        limits = BodyLimits(idle=IDLE, total=TOTAL)
        self.collector = Collector(self.clock, limits, LIMIT)
        self.body = ProviderBody(self.collector)
        self.body.begin()

    def tearDown(self) -> None:
        """
        However it ended, no timer is left.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def assert_collected(self, expected: bytes) -> None:
        """
        The body was read to its end, and the connection left alone.
        """
        self.assertIsNone(self.successResultOf(self.collector.finished))
        self.assertEqual(self.collector.body(), expected)
        self.assertEqual(self.body.calls, [])

    def assert_failed(self, kind: str, message: str) -> None:
        """
        It was not.
        """
        error = self.failureResultOf(self.collector.finished, AttemptFailed).value
        assert isinstance(error, AttemptFailed)
        self.assertEqual((error.kind, error.message), (kind, message))

    def assert_cut(self) -> None:
        """
        The provider's connection was cut, once.
        """
        self.assertEqual(self.body.calls, ["stop"])

    def test_pieces_are_joined(self) -> None:
        """
        The body is what came, in order.
        """
        self.body.send(b"ab")
        self.body.send(b"cd")
        self.assertNoResult(self.collector.finished)
        self.body.end(ResponseDone())
        self.assert_collected(b"abcd")

    def test_empty(self) -> None:
        """
        A body may be empty.
        """
        self.body.end(ResponseDone())
        self.assert_collected(b"")

    def test_potential_data_loss(self) -> None:
        """
        The end of the connection may be the end of the body.
        """
        self.body.send(b"abcd")
        self.body.end(PotentialDataLoss())
        self.assert_collected(b"abcd")

    def test_connection_lost(self) -> None:
        """
        A connection lost midway is a failure to connect, and needs no cut.
        """
        self.body.send(b"ab")
        self.body.end(ConnectionLost())
        self.assert_failed("connect", "the connection was lost midway")
        self.assertEqual(self.body.calls, [])

    def test_idle(self) -> None:
        """
        A body that stalls is given up after the idle time.
        """
        self.clock.advance(IDLE - 1)
        self.assertNoResult(self.collector.finished)
        self.clock.advance(1)
        self.assert_failed("timeout", "nothing came for 10 seconds")
        self.assert_cut()

    def test_any_byte_resets_idle(self) -> None:
        """
        A single byte is a sign of life.
        """
        self.clock.advance(IDLE - 1)
        self.body.send(b"x")
        self.clock.advance(IDLE - 1)
        self.assertNoResult(self.collector.finished)
        self.clock.advance(1)
        self.assert_failed("timeout", "nothing came for 10 seconds")

    def test_pieces_cost_no_timer(self) -> None:
        """
        However many come.
        """
        timers = self.clock.getDelayedCalls()
        for _ in range(9):
            self.clock.advance(1)
            self.body.send(b"")
        self.assertEqual(self.clock.getDelayedCalls(), timers)
        self.body.end()
        self.assert_collected(b"")

    def test_total(self) -> None:
        """
        A body that drips is given up after the total time.
        """
        for _ in range(6):
            self.clock.advance(IDLE - 1)
            self.body.send(b"x")
        self.assertNoResult(self.collector.finished)
        self.clock.advance(TOTAL - 6 * (IDLE - 1))
        self.assert_failed("timeout", "the answer took too long")
        self.assert_cut()

    def test_as_long_as_the_limit(self) -> None:
        """
        The limit itself is within it.
        """
        self.body.send(b"x" * LIMIT)
        self.body.end()
        self.assert_collected(b"x" * LIMIT)

    def test_over_the_limit(self) -> None:
        """
        One byte more is too many, and no more is taken.
        """
        self.body.send(b"x" * LIMIT)
        self.body.send(b"y")
        self.assert_failed("protocol", "the answer is over 8 bytes long")
        self.assert_cut()

    def test_nothing_is_kept_after_the_end(self) -> None:
        """
        What the connection had still buffered is ignored.
        """
        self.body.send(b"x" * (LIMIT + 1))
        self.body.send(b"y")
        self.assert_failed("protocol", "the answer is over 8 bytes long")
        self.assertEqual(self.collector.body(), b"")

    def test_connection_lost_after_the_end(self) -> None:
        """
        The end that a cut brings about is no second outcome.
        """
        self.clock.advance(IDLE)
        self.body.end(ConnectionLost())
        self.assert_failed("timeout", "nothing came for 10 seconds")
        self.assert_cut()

    def test_cancelled(self) -> None:
        """
        Cancelling cuts the provider's connection.
        """
        self.body.send(b"ab")
        self.collector.finished.cancel()
        self.failureResultOf(self.collector.finished, CancelledError)
        self.assert_cut()

    def test_connection_lost_after_cancellation(self) -> None:
        """
        Nothing more is done with a connection that was cut.
        """
        self.collector.finished.cancel()
        self.body.send(b"ab")
        self.body.end(ConnectionLost())
        self.failureResultOf(self.collector.finished, CancelledError)
        self.assertEqual(self.collector.body(), b"")
        self.assert_cut()

    def test_held_up_by_us(self) -> None:
        """
        While the provider may not send, its silence is not counted.
        """
        self.collector.hold_limits()
        self.clock.advance(IDLE + 1)
        self.assertNoResult(self.collector.finished)
        self.collector.resume_limits()
        self.clock.advance(IDLE - 1)
        self.assertNoResult(self.collector.finished)
        self.clock.advance(1)
        self.assert_failed("timeout", "nothing came for 10 seconds")

    def test_held_up_twice(self) -> None:
        """
        It makes no difference.
        """
        self.collector.hold_limits()
        self.collector.hold_limits()
        self.clock.advance(IDLE + 1)
        self.body.end()
        self.assert_collected(b"")

    def test_held_up_after_the_end(self) -> None:
        """
        Nor does it then.
        """
        self.body.end()
        self.collector.hold_limits()
        self.assert_collected(b"")

    def test_resumed_twice(self) -> None:
        """
        There is only ever one idle timer.
        """
        self.collector.resume_limits()
        self.body.end()
        self.assert_collected(b"")

    def test_resumed_after_the_end(self) -> None:
        """
        No timer is started for what is over.
        """
        self.collector.hold_limits()
        self.body.end()
        self.collector.resume_limits()
        self.assert_collected(b"")
