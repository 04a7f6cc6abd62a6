"""
Tests for L{arbstr.web.inflight}.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from arbstr.web.inflight import InFlight

GRACE = 30


class InFlightTests(SynchronousTestCase):
    """
    L{InFlight} knows what is being served, and drains.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.in_flight = InFlight(self.clock)
        self.left: list[str] = []

    def tearDown(self) -> None:
        """
        No timer is left.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def serve(self, answer: Deferred[None], name: str = "") -> None:
        """
        A request that takes until its answer is there.
        """
        try:
            await answer
        except CancelledError:
            self.left.append(name)
            raise

    def run_one(self, answer: Deferred[None], name: str = "") -> Deferred[None]:
        """
        Serve one request.
        """
        return self.in_flight.run(self.serve(answer, name))

    def test_counted_while_served(self) -> None:
        """
        Its length is the number of requests being served.
        """
        first: Deferred[None] = Deferred()
        second: Deferred[None] = Deferred()
        self.run_one(first)
        self.run_one(second)
        self.assertEqual(len(self.in_flight), 2)
        first.callback(None)
        self.assertEqual(len(self.in_flight), 1)
        second.callback(None)
        self.assertEqual(len(self.in_flight), 0)

    def test_served_at_once(self) -> None:
        """
        What needs no waiting was never in flight.
        """
        serving = self.run_one(succeed(None))
        self.successResultOf(serving)
        self.assertEqual(len(self.in_flight), 0)

    def test_failed(self) -> None:
        """
        A request that failed is not being served, and its failure is told.
        """
        answer: Deferred[None] = Deferred()
        serving = self.run_one(answer)
        answer.errback(ValueError("no"))
        self.failureResultOf(serving, ValueError)
        self.assertEqual(len(self.in_flight), 0)

    def test_cancelled(self) -> None:
        """
        Cancelling what was returned cancels the serving.
        """
        serving = self.run_one(Deferred(), "left")
        serving.cancel()
        self.failureResultOf(serving, CancelledError)
        self.assertEqual(self.left, ["left"])
        self.assertEqual(len(self.in_flight), 0)

    def test_nothing_to_drain(self) -> None:
        """
        With nothing being served, draining takes no time.
        """
        self.successResultOf(self.in_flight.drain(GRACE))

    def test_drain_waits(self) -> None:
        """
        Within the grace, everything may end by itself.
        """
        first: Deferred[None] = Deferred()
        second: Deferred[None] = Deferred()
        self.run_one(first)
        self.run_one(second)
        drained = self.in_flight.drain(GRACE)
        first.callback(None)
        self.assertNoResult(drained)
        second.callback(None)
        self.successResultOf(drained)
        self.assertEqual(self.left, [])

    def test_drain_cancels(self) -> None:
        """
        After the grace, what is left is cancelled.
        """
        serving = [self.run_one(Deferred(), name) for name in ("a", "b")]
        drained = self.in_flight.drain(GRACE)
        self.clock.advance(GRACE - 1)
        self.assertEqual(self.left, [])
        self.clock.advance(1)
        self.successResultOf(drained)
        self.assertEqual(sorted(self.left), ["a", "b"])
        for each in serving:
            self.failureResultOf(each, CancelledError)

    def test_drain_waits_for_the_cancelled(self) -> None:
        """
        Cancelling a request may take it a while: it has a client to tell.
        """
        told: Deferred[None] = Deferred()

        async def serve() -> None:
            try:
                await Deferred()
            except CancelledError:
                await told

        self.in_flight.run(serve())
        drained = self.in_flight.drain(GRACE)
        self.clock.advance(GRACE)
        self.assertNoResult(drained)
        told.callback(None)
        self.successResultOf(drained)

    def test_drain_hastened(self) -> None:
        """
        What is being served can be cut short before the grace is over.
        """
        serving = self.run_one(Deferred())
        drained = self.in_flight.drain(GRACE)
        self.assertTrue(self.in_flight.cancel())
        self.successResultOf(drained)
        self.failureResultOf(serving, CancelledError)

    def test_cut_short_once(self) -> None:
        """
        A request that was cut short is left to tell its client.
        """
        told: Deferred[None] = Deferred()

        async def serve() -> None:
            try:
                await Deferred()
            except CancelledError:
                await told

        serving = self.in_flight.run(serve())
        self.in_flight.cancel()
        self.assertFalse(self.in_flight.cancel())
        self.assertNoResult(serving)
        told.callback(None)
        self.successResultOf(serving)

    def test_nothing_to_cut_short(self) -> None:
        """
        Whoever asks is told so.
        """
        self.assertFalse(self.in_flight.cancel())

    def test_drain_waits_for_newcomers(self) -> None:
        """
        A request that was let in just before counts, too.
        """
        first: Deferred[None] = Deferred()
        second: Deferred[None] = Deferred()
        self.run_one(first)
        drained = self.in_flight.drain(GRACE)
        self.run_one(second)
        first.callback(None)
        self.assertNoResult(drained)
        second.callback(None)
        self.successResultOf(drained)
