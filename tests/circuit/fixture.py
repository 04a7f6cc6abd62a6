"""
What the tests of circuits share: a registry on a clock that they move.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from arbstr.circuit import (
    AllCircuitsOpen,
    CircuitBreakerRegistry,
    CircuitOpen,
    CircuitState,
    Permit,
)
from arbstr.config.model import CircuitSettings

CLOSED = CircuitState.CLOSED
OPEN = CircuitState.OPEN
HALF_OPEN = CircuitState.HALF_OPEN

THRESHOLD = 3
OPEN_SECONDS = 30


@frozen
class Candidate:
    """
    The least that can be chosen among.
    """

    name: str


Choice = Deferred[tuple[Candidate, Permit]]


class CircuitTestCase(SynchronousTestCase):
    """
    Three providers, C{a}, C{b} and C{c}, with the default settings.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.jitter = 0.0
        self.configure()

    def configure(self, **settings: Any) -> None:
        """
        Starts anew with other settings.
        """
        self.registry = CircuitBreakerRegistry(
            ["a", "b", "c"],
            CircuitSettings(**settings),
            self.clock,
            jitter=lambda: self.jitter,
        )

    def trip(self, *names: str) -> None:
        """
        Opens closed circuits.
        """
        for name in names:
            for _ in range(THRESHOLD):
                self.registry.record_failure(name, "5xx", "test")

    def half_open(self, *names: str) -> None:
        """
        Opens closed circuits and lets their time pass.
        """
        self.trip(*names)
        self.clock.advance(OPEN_SECONDS)

    def acquire(self, name: str) -> Permit:
        """
        A permit that is to be had at once.
        """
        return self.successResultOf(self.registry.acquire_permit(name))

    def probe(self, name: str) -> Permit:
        """
        The probe of a closed circuit, after it has tripped and waited.
        """
        self.half_open(name)
        return self.acquire(name)

    def hold_probe(self, name: str) -> None:
        """
        Lets somebody hold the probe to the end of the test.
        """
        self.addCleanup(self.probe(name).release)

    def wait(self, name: str) -> Deferred[Permit]:
        """
        Somebody who has to wait for a permit.
        """
        waiter = self.registry.acquire_permit(name)
        self.assertNoResult(waiter)
        return waiter

    def choose(self, *names: str, timeout: float | None = None) -> Choice:
        """
        A choice among several.
        """
        candidates = [Candidate(name) for name in names]
        return self.registry.acquire_first(candidates, "gpt-4o", timeout)

    def wait_for_first(self, *names: str, timeout: float | None = None) -> Choice:
        """
        Somebody who has to wait for a choice among several.
        """
        choice = self.choose(*names, timeout=timeout)
        self.assertNoResult(choice)
        return choice

    def assert_chosen(self, choice: Choice, name: str, *, is_probe: bool) -> Permit:
        """
        The choice was made, and it was this one.
        """
        candidate, permit = self.successResultOf(choice)
        self.assertEqual(
            (candidate.name, permit.provider, permit.is_probe), (name, name, is_probe)
        )
        return permit

    def assert_permit(self, waiter: Deferred[Permit], *, is_probe: bool) -> Permit:
        """
        The wait is over, with this kind of permit.
        """
        permit = self.successResultOf(waiter)
        self.assertEqual(permit.is_probe, is_probe)
        return permit

    def assert_refused(self, waiter: Deferred[Permit]) -> CircuitOpen:
        """
        There was no permit.
        """
        error = self.failureResultOf(waiter, CircuitOpen).value
        assert isinstance(error, CircuitOpen)
        return error

    def assert_all_open(self, choice: Choice) -> AllCircuitsOpen:
        """
        There was nothing to choose.
        """
        error = self.failureResultOf(choice, AllCircuitsOpen).value
        assert isinstance(error, AllCircuitsOpen)
        return error

    def assert_cancelled(self, waiter: Deferred[Any]) -> None:
        """
        The wait was given up.
        """
        self.failureResultOf(waiter, CancelledError)

    def assert_state(self, name: str, state: CircuitState) -> None:
        """
        The circuit is in this state.
        """
        self.assertIs(self.registry.state(name), state)

    def assert_no_timers(self) -> None:
        """
        Nothing is left on the clock.
        """
        self.assertEqual(self.clock.getDelayedCalls(), [])
