"""
Other providers and other settings while circuits are in use.
"""

from __future__ import annotations

from typing import Any

from arbstr.circuit import AllCircuitsOpen
from arbstr.config.model import CircuitSettings

from .fixture import CLOSED, HALF_OPEN, OPEN, OPEN_SECONDS, CircuitTestCase


class ConfigureTests(CircuitTestCase):
    """
    C{a} and C{b} stay known, C{c} is forgotten, C{d} is new.
    """

    def change(self, **settings: Any) -> None:
        """
        The configuration changes.
        """
        self.registry.configure(["d", "b", "a"], CircuitSettings(**settings))

    def test_in_the_new_order(self) -> None:
        self.change()
        self.assertEqual(list(self.registry.snapshots()), ["d", "b", "a"])

    def test_open_stays_open(self) -> None:
        """
        For the rest of its time, not anew.
        """
        self.trip("a")
        self.clock.advance(OPEN_SECONDS - 1)
        self.change()
        self.assert_state("a", OPEN)
        self.assertEqual(self.registry.trip_count("a"), 1)
        self.clock.advance(1)
        self.assert_state("a", HALF_OPEN)

    def test_failures_still_count(self) -> None:
        self.registry.record_failure("a", "5xx", "test")
        self.registry.record_failure("a", "5xx", "test")
        self.change()
        self.registry.record_failure("a", "5xx", "test")
        self.assert_state("a", OPEN)

    def test_permits_of_before_count(self) -> None:
        permit = self.acquire("a")
        self.change(failure_threshold=1)
        permit.failure("5xx", "test")
        self.assert_state("a", OPEN)

    def test_probe_in_flight(self) -> None:
        """
        Its verdict is still the circuit's, and nobody gets a second one.
        """
        probe = self.probe("a")
        self.change()
        waiter = self.wait("a")
        probe.success()
        self.assert_state("a", CLOSED)
        self.successResultOf(waiter).release()

    def test_who_waited_before(self) -> None:
        probe = self.probe("a")
        waiter = self.wait("a")
        self.change()
        probe.success()
        self.successResultOf(waiter).release()

    def test_threshold(self) -> None:
        self.change(failure_threshold=1)
        self.registry.record_failure("a", "5xx", "test")
        self.assert_state("a", OPEN)

    def test_threshold_below_what_was_counted(self) -> None:
        """
        Failures of the past open nothing: the next one does.
        """
        self.registry.record_failure("a", "5xx", "test")
        self.registry.record_failure("a", "5xx", "test")
        self.change(failure_threshold=1)
        self.assert_state("a", CLOSED)
        self.registry.record_failure("a", "5xx", "test")
        self.assert_state("a", OPEN)

    def test_open_seconds(self) -> None:
        """
        The next opening lasts as long as they say.
        """
        self.change(open_seconds=5)
        self.trip("a")
        self.assertEqual(self.registry.retry_at("a"), 5)

    def test_new_one(self) -> None:
        self.change()
        self.assert_state("d", CLOSED)
        self.trip("d")
        self.assert_state("d", OPEN)

    def test_forgotten_one_never_trips(self) -> None:
        self.trip("c")
        self.change()
        self.trip("c")
        self.assert_state("c", CLOSED)
        self.assertNotIn("c", self.registry.snapshots())

    def test_outcomes_for_a_forgotten_one(self) -> None:
        """
        They change nothing, not even for one of the same name that comes later.
        """
        permits = [self.acquire("c") for _ in range(3)]
        self.change()
        self.registry.configure(["c"], CircuitSettings())
        for permit in permits:
            permit.failure("5xx", "test")
        self.assert_state("c", CLOSED)
        self.assertEqual(self.registry.failure_count("c"), 0)

    def test_who_waits_for_a_forgotten_one(self) -> None:
        """
        The verdict comes as if nothing had happened.
        """
        probe = self.probe("c")
        waiter = self.wait("c")
        self.change()
        probe.success()
        self.successResultOf(waiter).release()

    def test_who_waits_for_a_forgotten_one_in_vain(self) -> None:
        probe = self.probe("c")
        choice = self.wait_for_first("c")
        self.change()
        probe.failure("5xx", "test")
        self.failureResultOf(choice, AllCircuitsOpen)
        self.assert_no_timers()
