"""
Permits: what each outcome means.
"""

from __future__ import annotations

from collections.abc import Callable

from arbstr.circuit import Permit, PermitAlreadyResolved, ProbeGuard

from .fixture import CLOSED, OPEN, CircuitTestCase

FAILURES = ["5xx", "connect", "protocol", "timeout"]


class NormalPermitTests(CircuitTestCase):
    """
    What outcomes mean for a closed circuit.
    """

    def test_success(self) -> None:
        """
        A 2xx ends the row of failures.
        """
        self.registry.record_failure("a", "5xx", "test")
        self.acquire("a").success()
        self.assertEqual(self.registry.failure_count("a"), 0)

    def test_failures(self) -> None:
        """
        Every kind of failure counts.
        """
        self.configure(failure_threshold=10)
        for error_type in FAILURES:
            self.acquire("a").failure(error_type, "test")
        self.assertEqual(self.registry.failure_count("a"), len(FAILURES))
        self.assertEqual(self.registry.snapshots()["a"].last_error, "timeout: test")

    def test_inconclusive(self) -> None:
        """
        A 4xx leaves the circuit as it is.
        """
        self.registry.record_failure("a", "5xx", "test")
        before = self.registry.snapshots()
        self.acquire("a").inconclusive("404")
        self.assertEqual(self.registry.snapshots(), before)

    def test_release(self) -> None:
        """
        A client that left leaves the circuit as it is.
        """
        self.registry.record_failure("a", "5xx", "test")
        before = self.registry.snapshots()
        self.acquire("a").release()
        self.assertEqual(self.registry.snapshots(), before)


class ProbeTests(CircuitTestCase):
    """
    What outcomes mean for a half-open circuit.
    """

    def test_is_a_guard(self) -> None:
        """
        A probe's permit is the kind that cannot get lost.
        """
        self.assertIsInstance(self.probe("a"), ProbeGuard)

    def test_success(self) -> None:
        """
        A 2xx closes the circuit.
        """
        self.probe("a").success()
        self.assert_state("a", CLOSED)

    def test_failures(self) -> None:
        """
        Every kind of failure opens it again.
        """
        self.half_open("a")
        for error_type in FAILURES:
            self.acquire("a").failure(error_type, "test")
            self.assert_state("a", OPEN)
            self.clock.advance(30)
        self.assertEqual(self.registry.snapshots()["a"].last_error, "timeout: test")

    def test_inconclusive(self) -> None:
        """
        A 4xx proves nothing, so the circuit opens again.
        """
        self.probe("a").inconclusive("404 Not Found")
        self.assert_state("a", OPEN)
        self.assertEqual(
            self.registry.snapshots()["a"].last_error, "non_5xx: 404 Not Found"
        )

    def test_release(self) -> None:
        """
        A client that left says nothing: the slot is free for the next.
        """
        self.probe("a").release()
        self.assertTrue(self.acquire("a").is_probe)


class ResolutionTests(CircuitTestCase):
    """
    A permit is resolved exactly once.
    """

    def test_resolved(self) -> None:
        """
        A permit knows whether it has been.
        """
        permit = self.acquire("a")
        self.assertFalse(permit.resolved)
        permit.release()
        self.assertTrue(permit.resolved)

    def test_a_second_time_raises(self) -> None:
        """
        Whatever came first and whatever comes second.
        """
        outcomes: list[Callable[[Permit], None]] = [
            Permit.success,
            Permit.release,
            lambda permit: permit.failure("5xx", "test"),
            lambda permit: permit.inconclusive("404"),
        ]
        for first in outcomes:
            for second in outcomes:
                permit = self.acquire("b")
                first(permit)
                self.assertRaises(PermitAlreadyResolved, second, permit)
                self.registry.record_success("b")

    def test_a_second_time_changes_nothing(self) -> None:
        """
        The error is all that happens.
        """
        probe = self.probe("a")
        probe.success()
        self.assertRaises(PermitAlreadyResolved, probe.failure, "5xx", "test")
        self.assert_state("a", CLOSED)


class LateOutcomeTests(CircuitTestCase):
    """
    Outcomes of requests that were admitted before a trip.
    """

    def setUp(self) -> None:
        super().setUp()
        self.old = [self.acquire("a") for _ in range(4)]
        self.streaming = [self.acquire("a") for _ in range(4)]
        for permit in self.streaming:
            permit.success()

    def report(self) -> None:
        """
        Tells all the outcomes: failures enough for another trip, and successes
        enough to hide one.
        """
        for permit in self.old[:3]:
            permit.failure("timeout", "late")
        self.old[3].success()
        for permit in self.streaming[:3]:
            permit.stream_failed("timeout", "late")
        self.streaming[3].stream_completed()

    def assert_report_changes_nothing(self) -> None:
        """
        All is as before when the late outcomes are in.
        """
        before = self.registry.snapshots()
        self.report()
        self.assertEqual(self.registry.snapshots(), before)

    def test_while_open(self) -> None:
        """
        They do not lengthen the open time.
        """
        self.trip("a")
        self.clock.advance(10)
        self.assert_report_changes_nothing()

    def test_while_half_open(self) -> None:
        """
        They do not judge in the probe's place.
        """
        self.hold_probe("a")
        waiter = self.wait("a")
        self.assert_report_changes_nothing()
        self.assertNoResult(waiter)

    def test_after_recovery(self) -> None:
        """
        They do not re-open a circuit that has just closed, nor count towards
        it, nor end a row of new failures.
        """
        self.probe("a").success()
        self.registry.record_failure("a", "5xx", "new")
        self.registry.record_stream_failure("a", "protocol", "new")
        self.assert_report_changes_nothing()


class StreamTests(CircuitTestCase):
    """
    Streams that die after their 2xx have a counter of their own.
    """

    def stream(self) -> Permit:
        """
        A permit whose stream has begun.
        """
        permit = self.acquire("a")
        permit.success()
        return permit

    def test_cut_streams_trip(self) -> None:
        """
        Although a 2xx came before each.
        """
        for _ in range(3):
            self.assert_state("a", CLOSED)
            self.stream().stream_failed("protocol", "cut off")
        self.assert_state("a", OPEN)
        self.assertEqual(self.registry.trip_count("a"), 1)

    def test_completed_stream_ends_the_row(self) -> None:
        """
        Only streams that fail in a row count.
        """
        for _ in range(2):
            self.stream().stream_failed("protocol", "cut off")
        self.stream().stream_completed()
        self.assertEqual(self.registry.snapshots()["a"].stream_failure_count, 0)
        self.stream().stream_failed("protocol", "cut off")
        self.assert_state("a", CLOSED)

    def test_by_name(self) -> None:
        """
        The same, for those without a permit.
        """
        for _ in range(2):
            self.registry.record_stream_failure("a", "protocol", "cut off")
        self.registry.record_stream_success("a")
        for _ in range(2):
            self.registry.record_stream_failure("a", "protocol", "cut off")
        self.assert_state("a", CLOSED)
        self.registry.record_stream_failure("a", "protocol", "cut off")
        self.assert_state("a", OPEN)

    def test_counters_are_apart(self) -> None:
        """
        Two failures of one kind and two of the other are not three in a row.
        """
        for _ in range(2):
            self.registry.record_stream_failure("a", "protocol", "cut off")
            self.registry.record_failure("a", "5xx", "test")
        self.assert_state("a", CLOSED)

    def test_recovery_starts_afresh(self) -> None:
        """
        Streams that failed before a trip do not count after it.
        """
        for _ in range(3):
            self.registry.record_stream_failure("a", "protocol", "cut off")
        self.clock.advance(30)
        self.acquire("a").success()
        self.registry.record_stream_failure("a", "protocol", "cut off")
        self.assert_state("a", CLOSED)

    def test_probe_has_succeeded_already(self) -> None:
        """
        A probe's stream that breaks off counts like any other.
        """
        probe = self.probe("a")
        probe.success()
        probe.stream_failed("protocol", "cut off")
        self.assert_state("a", CLOSED)
        self.assertEqual(self.registry.snapshots()["a"].stream_failure_count, 1)

    def test_end_is_told_once(self) -> None:
        """
        A stream ends in one way.
        """
        permit = self.stream()
        permit.stream_completed()
        self.assertRaises(PermitAlreadyResolved, permit.stream_completed)
        self.assertRaises(PermitAlreadyResolved, permit.stream_failed, "protocol", "x")

    def test_end_needs_a_success(self) -> None:
        """
        What never began cannot end.
        """
        failed = self.acquire("a")
        failed.failure("5xx", "test")
        for permit in (failed, self.acquire("a")):
            self.assertRaises(RuntimeError, permit.stream_completed)
            self.assertRaises(RuntimeError, permit.stream_failed, "protocol", "x")
