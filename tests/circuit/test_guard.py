"""
Permits that nobody resolves: they resolve themselves.
"""

from __future__ import annotations

import gc

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.web.client import ResponseNeverReceived

from arbstr.circuit import Permit

from .fixture import CLOSED, HALF_OPEN, OPEN, CircuitTestCase


class ContextManagerTests(CircuitTestCase):
    """
    A permit that is left unresolved resolves itself.
    """

    def leave(self, permit: Permit, error: BaseException | None = None) -> None:
        """
        Leaves a permit's block, by an exception if one is given.
        """
        try:
            with permit:
                if error is not None:
                    raise error
        except BaseException as raised:
            self.assertIs(raised, error)
        self.assertTrue(permit.resolved)

    def assert_slot_is_passed(self, error: BaseException) -> None:
        """
        Leaving a probe by this error makes the next waiter the probe.
        """
        probe = self.probe("a")
        waiter = self.wait("a")
        self.leave(probe, error)
        self.assert_permit(waiter, is_probe=True)

    def test_resolved_inside(self) -> None:
        """
        Then there is nothing left to do.
        """
        probe = self.probe("a")
        with probe as permit:
            self.assertIs(permit, probe)
            permit.success()
        self.assert_state("a", CLOSED)

    def test_resolved_before_an_error(self) -> None:
        """
        An error that comes later says nothing new.
        """
        probe = self.probe("a")
        probe.success()
        self.leave(probe, ValueError())
        self.assert_state("a", CLOSED)

    def test_probe_left_by_cancellation(self) -> None:
        """
        A client that leaves says nothing about a provider.
        """
        self.assert_slot_is_passed(CancelledError())

    def test_probe_left_by_wrapped_cancellation(self) -> None:
        """
        This is how an HTTP client reports it.
        """
        self.assert_slot_is_passed(ResponseNeverReceived([Failure(CancelledError())]))

    def test_probe_left_by_a_wrapped_error(self) -> None:
        """
        Not everything that an HTTP client wraps is a cancellation.
        """
        error = ResponseNeverReceived([Failure(ConnectionRefusedError())])
        self.leave(self.probe("a"), error)
        self.assert_state("a", OPEN)

    def test_probe_left_by_an_error(self) -> None:
        """
        It counts as a failure that says how the probe was left.
        """
        self.leave(self.probe("a"), ValueError())
        self.assert_state("a", OPEN)
        self.assertEqual(
            self.registry.snapshots()["a"].last_error,
            "dropped: the probe was left unresolved by ValueError",
        )

    def test_probe_left_silently(self) -> None:
        """
        Forgetting the outcome might hide a failure.
        """
        self.leave(self.probe("a"))
        self.assert_state("a", OPEN)
        self.assertEqual(
            self.registry.snapshots()["a"].last_error,
            "dropped: the probe was left unresolved",
        )

    def test_probe_of_a_closed_coroutine(self) -> None:
        """
        The slot is passed on in a turn of its own: the garbage collector closes
        coroutines at any moment.
        """
        probe = self.probe("a")
        waiter = self.wait("a")

        async def hold() -> None:
            with probe:
                await Deferred[None]()

        coroutine = hold()
        coroutine.send(None)
        coroutine.close()
        self.assertTrue(probe.resolved)
        self.assertNoResult(waiter)
        self.clock.advance(0)
        self.assert_permit(waiter, is_probe=True)

    def test_normal_permit_left_in_any_way(self) -> None:
        """
        It is released.
        """
        self.registry.record_failure("a", "5xx", "test")
        before = self.registry.snapshots()
        for error in (None, ValueError(), CancelledError(), GeneratorExit()):
            self.leave(self.acquire("a"), error)
        self.assertEqual(self.registry.snapshots(), before)
        self.assert_no_timers()

    def test_cancelled_request(self) -> None:
        """
        The whole way: a request that is cancelled while it holds the probe.
        """
        self.half_open("a")

        async def request() -> None:
            with await self.registry.acquire_permit("a"):
                await Deferred[None]()

        holder = Deferred.fromCoroutine(request())
        waiter = self.wait("a")
        holder.cancel()
        self.assert_cancelled(holder)
        self.assert_permit(waiter, is_probe=True)


class ForgottenTests(CircuitTestCase):
    """
    The last net: permits that are collected unresolved.
    """

    def test_probe(self) -> None:
        """
        It fails, in a turn of its own, with a warning, and nobody waits for it
        any longer.
        """
        probe = self.probe("a")
        waiter = self.wait("a")
        with capturedLogs() as events:
            del probe
            gc.collect()
            self.clock.advance(0)
        self.assert_refused(waiter)
        self.assert_state("a", OPEN)
        [event] = events
        self.assertEqual(
            (event["log_level"].name, event["provider"], event["error_type"]),
            ("warn", "a", "dropped"),
        )

    def test_probe_in_a_cycle(self) -> None:
        """
        Whenever the collector finds it.
        """
        cycle: list[object] = [self.probe("a")]
        cycle.append(cycle)
        del cycle
        gc.collect()
        self.clock.advance(0)
        self.assert_state("a", OPEN)

    def test_probe_that_was_waited_for(self) -> None:
        """
        The registry itself makes no cycle, so the collector is not needed.
        """
        self.hold_probe("a")
        self.trip("b")
        choice = self.wait_for_first("a", "b", timeout=100)
        self.clock.advance(30)
        self.assert_chosen(choice, "b", is_probe=True)
        gc.disable()
        self.addCleanup(gc.enable)
        del choice
        self.clock.advance(0)
        self.assert_state("b", OPEN)

    def test_probe_that_nobody_took(self) -> None:
        """
        The answer to a request that no longer looks at it.
        """
        self.half_open("a")
        self.registry.acquire_permit("a")
        gc.collect()
        self.clock.advance(0)
        self.assert_state("a", OPEN)

    def test_resolved_probe(self) -> None:
        """
        There is nothing to forget.
        """
        probe = self.probe("a")
        probe.release()
        del probe
        gc.collect()
        self.assert_no_timers()
        self.assert_state("a", HALF_OPEN)

    def test_normal_permit(self) -> None:
        """
        It holds nothing that could leak.
        """
        before = self.registry.snapshots()
        self.acquire("a")
        gc.collect()
        self.assert_no_timers()
        self.assertEqual(self.registry.snapshots(), before)
