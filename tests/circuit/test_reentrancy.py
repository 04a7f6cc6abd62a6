"""
Callbacks that use the registry while it answers others.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from arbstr.circuit import Permit

from .fixture import CLOSED, HALF_OPEN, OPEN, OPEN_SECONDS, Candidate, CircuitTestCase


class ReentrancyTests(CircuitTestCase):
    """
    The answers come one after the other, each when all state is as it should be.
    """

    def test_state_has_changed_before_callbacks(self) -> None:
        """
        The first to be told sees the new state.
        """
        for outcome, state in [(Permit.success, CLOSED), (self.fail_permit, OPEN)]:
            probe = self.probe("a")
            seen = self.wait("a").addBoth(lambda _: self.registry.state("a"))
            outcome(probe)
            self.assertIs(self.successResultOf(seen), state)

    def fail_permit(self, permit: Permit) -> None:
        """
        What most callbacks here do.
        """
        permit.failure("5xx", "test")

    def test_waiters_trip_the_circuit_at_once(self) -> None:
        """
        Those behind them were admitted all the same, and are late.
        """
        probe = self.probe("a")
        hasty = [self.wait("a").addCallback(self.fail_permit) for _ in range(3)]
        patient = self.wait("a")
        probe.success()
        self.assert_state("a", OPEN)
        for waiter in hasty:
            self.assertIsNone(self.successResultOf(waiter))
        before = self.registry.snapshots()
        self.assert_permit(patient, is_probe=False).failure("5xx", "late")
        self.assertEqual(self.registry.snapshots(), before)

    def test_acquire_inside_a_callback(self) -> None:
        """
        Who asks again in a callback is answered at once.
        """
        probe = self.probe("a")
        again = self.wait("a").addCallback(lambda _: self.acquire("a"))
        probe.success()
        self.assert_permit(again, is_probe=False)

    def test_acquire_after_a_refusal(self) -> None:
        """
        Who asks again when refused meets the open circuit.
        """
        probe = self.probe("a")
        again = self.wait("a").addErrback(lambda _: self.registry.acquire_permit("a"))
        self.fail_permit(probe)
        self.assert_refused(again)

    def test_cancels_another_that_was_granted(self) -> None:
        """
        A permit on its way to somebody who leaves is released.
        """
        self.half_open("a")
        probe = self.acquire("a")
        victims: list[Deferred[Permit]] = []

        def pass_on_and_cancel(permit: Permit) -> None:
            permit.release()
            victims[0].cancel()

        self.wait("a").addCallback(pass_on_and_cancel)
        victims.append(self.wait("a"))
        heir = self.wait("a")
        probe.release()
        self.assert_cancelled(victims[0])
        self.assert_permit(heir, is_probe=True)

    def test_cancels_another_that_was_refused(self) -> None:
        """
        Whoever leaves before the refusal arrives is simply gone.
        """
        probe = self.probe("a")
        victims: list[Deferred[Permit]] = []
        self.wait("a").addErrback(lambda _: victims[0].cancel())
        victims.append(self.wait("a"))
        self.fail_permit(probe)
        self.assert_cancelled(victims[0])

    def test_long_chains(self) -> None:
        """
        Thousands who pass the slot on at once do not exhaust the stack.
        """
        probe = self.probe("a")
        waiters = [self.wait("a").addCallback(Permit.release) for _ in range(5000)]
        probe.release()
        for waiter in waiters:
            self.assertIsNone(self.successResultOf(waiter))
        self.assert_state("a", HALF_OPEN)
        self.assertTrue(self.acquire("a").is_probe)

    def test_choice_inside_a_callback(self) -> None:
        """
        A choice can be made while another is being answered.
        """
        probe = self.probe("a")
        inner = self.wait("a").addCallback(lambda _: self.choose("b", "a"))
        probe.success()
        candidate, _ = self.successResultOf(inner)
        self.assertEqual(candidate.name, "b")

    def test_newcomer_comes_before_what_it_sets_off(self) -> None:
        """
        If the reactor is late, a newcomer has the due probe handed to somebody
        who waits.  What that one asks for next comes after the newcomer.
        """
        self.hold_probe("a")
        self.trip("b")
        late: list[Deferred[Permit]] = []

        def ask_again(chosen: tuple[Candidate, Permit]) -> tuple[Candidate, Permit]:
            late.append(self.registry.acquire_permit("b"))
            return chosen

        choice = self.wait_for_first("a", "b").addCallback(ask_again)
        self.clock.rightNow += OPEN_SECONDS
        newcomer = self.wait("b")
        self.assert_chosen(choice, "b", is_probe=True).release()
        self.assert_permit(newcomer, is_probe=True).release()
        self.assert_permit(late[0], is_probe=True)
