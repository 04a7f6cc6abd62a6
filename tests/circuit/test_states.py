"""
One circuit: what it does in each state, and what moves it to another.
"""

from __future__ import annotations

from twisted.logger import capturedLogs

from arbstr.circuit import CircuitSnapshot, CircuitState, Permit

from .fixture import CLOSED, HALF_OPEN, OPEN, OPEN_SECONDS, CircuitTestCase


class ClosedTests(CircuitTestCase):
    """
    Everything goes through; failures are counted.
    """

    def test_values_on_the_wire(self) -> None:
        """
        Clients see these three words.
        """
        self.assertEqual(
            [state.value for state in CircuitState], ["closed", "open", "half_open"]
        )

    def test_starts_closed(self) -> None:
        """
        A provider is trusted until it fails.
        """
        self.assert_state("a", CLOSED)

    def test_normal_permit_at_once(self) -> None:
        """
        Whoever asks gets a normal permit.
        """
        permit = self.acquire("a")
        self.assertEqual((permit.provider, permit.is_probe), ("a", False))

    def test_stays_closed_below_the_threshold(self) -> None:
        """
        Two failures in a row are not enough.
        """
        for _ in range(2):
            self.acquire("a").failure("5xx", "test")
        self.assert_state("a", CLOSED)
        self.assertEqual(self.registry.failure_count("a"), 2)
        self.assertEqual(self.registry.trip_count("a"), 0)

    def test_opens_at_the_threshold(self) -> None:
        """
        The third failure in a row trips the circuit.
        """
        for _ in range(3):
            self.acquire("a").failure("5xx", "test")
        self.assert_state("a", OPEN)
        self.assertEqual(self.registry.failure_count("a"), 3)
        self.assertEqual(self.registry.trip_count("a"), 1)

    def test_threshold_is_a_setting(self) -> None:
        """
        C{failure_threshold} failures are what it takes.
        """
        self.configure(failure_threshold=1)
        self.registry.record_failure("a", "5xx", "test")
        self.assert_state("a", OPEN)

    def test_success_ends_the_row(self) -> None:
        """
        Only failures in a row count.
        """
        self.registry.record_failure("a", "5xx", "test")
        self.registry.record_failure("a", "5xx", "test")
        self.registry.record_success("a")
        self.registry.record_failure("a", "5xx", "test")
        self.assert_state("a", CLOSED)
        self.assertEqual(self.registry.failure_count("a"), 1)

    def test_providers_are_apart(self) -> None:
        """
        One provider's failures are not another's.
        """
        self.trip("a")
        self.assert_state("b", CLOSED)


class OpenTests(CircuitTestCase):
    """
    Nothing goes through until the time has passed.
    """

    def test_refuses_at_once(self) -> None:
        """
        The refusal says who, why and until when.
        """
        self.clock.advance(1000)
        self.trip("a")
        error = self.assert_refused(self.registry.acquire_permit("a"))
        self.assertEqual(
            (error.provider, error.reason, error.retry_at), ("a", "5xx: test", 1030)
        )
        self.assertEqual(str(error), "The circuit of provider 'a' is open: 5xx: test")

    def test_retry_at(self) -> None:
        """
        It is C{open_seconds} after the trip, on the clock's own scale.
        """
        self.clock.advance(1000)
        self.trip("a")
        self.assertEqual(self.registry.retry_at("a"), 1030)

    def test_retry_at_only_while_open(self) -> None:
        """
        There is nothing to wait for otherwise.
        """
        self.assertIsNone(self.registry.retry_at("a"))
        self.half_open("a")
        self.assertIsNone(self.registry.retry_at("a"))

    def test_open_until_the_last_moment(self) -> None:
        """
        Just before its time it is still open.
        """
        self.trip("a")
        self.clock.advance(OPEN_SECONDS - 0.001)
        self.assert_refused(self.registry.acquire_permit("a"))

    def test_no_timer_runs(self) -> None:
        """
        The change to half-open is made by whoever looks next.
        """
        self.trip("a")
        self.assert_no_timers()

    def test_outcomes_by_name_are_ignored(self) -> None:
        """
        Late news neither lengthens nor ends it.
        """
        self.trip("a")
        before = self.registry.snapshots()
        self.clock.advance(10)
        self.registry.record_failure("a", "timeout", "late")
        self.registry.record_stream_failure("a", "timeout", "late")
        self.registry.record_success("a")
        self.registry.record_stream_success("a")
        self.assertEqual(self.registry.snapshots(), before)


class HalfOpenTests(CircuitTestCase):
    """
    One request finds out for all others.
    """

    def test_reads_half_open_without_a_caller(self) -> None:
        """
        An idle daemon does not call a circuit open for ever.
        """
        self.half_open("a")
        self.assert_state("a", HALF_OPEN)

    def test_first_caller_is_the_probe(self) -> None:
        """
        It gets the one probe permit.
        """
        self.half_open("a")
        self.assertTrue(self.acquire("a").is_probe)

    def test_later_callers_wait(self) -> None:
        """
        Nobody else goes through before the verdict, and no timer runs.
        """
        self.hold_probe("a")
        self.wait("a")
        self.assert_state("a", HALF_OPEN)
        self.assert_no_timers()

    def test_probe_success_closes(self) -> None:
        """
        The circuit starts afresh, and its trip is remembered.
        """
        self.probe("a").success()
        self.assert_state("a", CLOSED)
        self.assertEqual(self.registry.failure_count("a"), 0)
        self.assertEqual(self.registry.trip_count("a"), 1)

    def test_probe_success_admits_every_waiter(self) -> None:
        """
        They all get normal permits, in the order in which they came.
        """
        probe = self.probe("a")
        admitted: list[Permit] = []
        waiters = [self.wait("a").addCallback(admitted.append) for _ in range(3)]
        admitted_by = [
            waiter.addCallback(lambda _: len(admitted)) for waiter in waiters
        ]
        probe.success()
        self.assertEqual([permit.is_probe for permit in admitted], [False] * 3)
        self.assertEqual(
            [self.successResultOf(each) for each in admitted_by], [1, 2, 3]
        )

    def test_probe_failure_opens_with_a_fresh_timer(self) -> None:
        """
        The open time starts again.  It is the same trip that goes on.
        """
        probe = self.probe("a")
        self.clock.advance(5)
        probe.failure("timeout", "still down")
        self.assert_state("a", OPEN)
        self.assertEqual(
            self.registry.retry_at("a"), self.clock.seconds() + OPEN_SECONDS
        )
        self.assertEqual(self.registry.trip_count("a"), 1)

    def test_probe_failure_refuses_every_waiter(self) -> None:
        """
        They are told what the probe found.
        """
        probe = self.probe("a")
        waiters = [self.wait("a") for _ in range(3)]
        probe.failure("timeout", "still down")
        for waiter in waiters:
            error = self.assert_refused(waiter)
            self.assertEqual(error.reason, "timeout: still down")
            self.assertEqual(error.retry_at, self.registry.retry_at("a"))

    def test_probe_release_passes_the_slot(self) -> None:
        """
        The next waiter becomes the probe; the others go on waiting.
        """
        probe = self.probe("a")
        first, second = self.wait("a"), self.wait("a")
        probe.release()
        self.assert_permit(first, is_probe=True)
        self.assertNoResult(second)

    def test_probe_release_without_waiters(self) -> None:
        """
        The next caller becomes the probe.
        """
        self.probe("a").release()
        self.assert_state("a", HALF_OPEN)
        self.assertTrue(self.acquire("a").is_probe)

    def test_cancelled_waiter_disturbs_nobody(self) -> None:
        """
        The others keep their order.
        """
        probe = self.probe("a")
        first, second, third = (self.wait("a") for _ in range(3))
        second.cancel()
        self.assert_cancelled(second)
        probe.release()
        next_probe = self.assert_permit(first, is_probe=True)
        self.assertNoResult(third)
        next_probe.release()
        self.assert_permit(third, is_probe=True)

    def test_outcomes_by_name_are_ignored(self) -> None:
        """
        Only the probe decides.
        """
        self.hold_probe("a")
        waiter = self.wait("a")
        before = self.registry.snapshots()
        self.registry.record_success("a")
        self.trip("a")
        self.assertEqual(self.registry.snapshots(), before)
        self.assertNoResult(waiter)

    def test_clock_set_back(self) -> None:
        """
        A probe that is released after the clock was set back leaves nobody
        waiting in a circuit that is open again.
        """
        probe = self.probe("a")
        waiter = self.wait("a")
        self.clock.rightNow -= 3600
        probe.release()
        self.assert_permit(waiter, is_probe=True)


class ReportTests(CircuitTestCase):
    """
    What C{/health} and the log say.
    """

    def test_snapshots(self) -> None:
        """
        Every known provider is in them.
        """
        self.registry.record_stream_failure("b", "protocol", "cut off")
        self.trip("a")
        healthy = CircuitSnapshot(
            state=CLOSED,
            failure_count=0,
            stream_failure_count=0,
            trip_count=0,
            retry_at=None,
            last_error=None,
        )
        self.assertEqual(
            self.registry.snapshots(),
            {
                "a": CircuitSnapshot(
                    state=OPEN,
                    failure_count=3,
                    stream_failure_count=0,
                    trip_count=1,
                    retry_at=30,
                    last_error="5xx: test",
                ),
                "b": CircuitSnapshot(
                    state=CLOSED,
                    failure_count=0,
                    stream_failure_count=1,
                    trip_count=0,
                    retry_at=None,
                    last_error="protocol: cut off",
                ),
                "c": healthy,
            },
        )

    def test_unknown_name(self) -> None:
        """
        Breakers are opt-in: an unknown provider is always let through, and
        nothing about it is kept.
        """
        for _ in range(5):
            self.acquire("unknown").failure("5xx", "test")
        self.trip("unknown")
        self.assert_state("unknown", CLOSED)
        self.assertEqual(self.registry.failure_count("unknown"), 0)
        self.assertEqual(self.registry.trip_count("unknown"), 0)
        self.assertIsNone(self.registry.retry_at("unknown"))
        self.assertNotIn("unknown", self.registry.snapshots())
        self.assertFalse(self.acquire("unknown").is_probe)

    def test_log(self) -> None:
        """
        A trip is a warning with its cause; probes and recovery are news.
        """
        with capturedLogs() as events:
            self.probe("a").success()
        self.assertEqual(
            [event["log_level"].name for event in events], ["warn", "info", "info"]
        )
        self.assertEqual(
            [event["log_format"].format(**event) for event in events],
            [
                "opened the circuit of a for 30 s after 5xx: test",
                "probing the circuit of a",
                "closed the circuit of a: it has recovered",
            ],
        )
