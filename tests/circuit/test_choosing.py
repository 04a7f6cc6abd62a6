"""
The choice among several providers.
"""

from __future__ import annotations

from arbstr.circuit import Permit

from .fixture import CLOSED, HALF_OPEN, OPEN_SECONDS, Candidate, CircuitTestCase


class AtOnceTests(CircuitTestCase):
    """
    Choices that need no waiting.
    """

    def test_first_closed(self) -> None:
        """
        The candidates' order decides among closed circuits.
        """
        self.assert_chosen(self.choose("b", "a"), "b", is_probe=False)

    def test_skips_open(self) -> None:
        """
        An open circuit is passed over.
        """
        self.trip("a")
        self.assert_chosen(self.choose("a", "b"), "b", is_probe=False)

    def test_due_probe_comes_before_closed(self) -> None:
        """
        Recovery is noticed by the first request that could use it.
        """
        self.half_open("b")
        self.assert_chosen(self.choose("a", "b"), "b", is_probe=True)

    def test_first_due_probe(self) -> None:
        """
        The candidates' order decides among due probes.
        """
        self.half_open("a", "b")
        self.assert_chosen(self.choose("c", "b", "a"), "b", is_probe=True)

    def test_probe_in_flight_does_not_hold_up(self) -> None:
        """
        A healthy candidate is never kept waiting behind somebody's probe.
        """
        self.hold_probe("a")
        self.assert_chosen(self.choose("a", "b"), "b", is_probe=False)
        self.assert_no_timers()

    def test_only_one_permit_is_taken(self) -> None:
        """
        Nothing is held of candidates that are not chosen.
        """
        self.half_open("a", "b")
        self.assert_chosen(self.choose("a", "b"), "a", is_probe=True)
        self.assertTrue(self.acquire("b").is_probe)

    def test_unknown_candidate(self) -> None:
        """
        It counts as closed.
        """
        self.trip("a")
        self.assert_chosen(self.choose("a", "unknown"), "unknown", is_probe=False)

    def test_candidate_itself_is_answered(self) -> None:
        """
        Not something that looks like it.
        """
        choice = self.choose("a")
        candidate, _ = self.successResultOf(choice)
        self.assertIsInstance(candidate, Candidate)

    def test_all_open(self) -> None:
        """
        The error names the model and the earliest time.
        """
        self.trip("a")
        self.clock.advance(10)
        self.trip("b")
        error = self.assert_all_open(self.choose("b", "a"))
        self.assertEqual((error.model, error.retry_at), ("gpt-4o", 30))
        self.assertEqual(
            str(error), "All providers have open circuits for model 'gpt-4o'"
        )

    def test_no_candidates(self) -> None:
        """
        There is nothing to wait for.
        """
        self.clock.advance(7)
        self.assertEqual(self.assert_all_open(self.choose()).retry_at, 7)


class WaitingTests(CircuitTestCase):
    """
    Choices that wait for the probes of others.
    """

    def two_probes(self) -> tuple[Permit, Permit]:
        """
        The probes of C{a} and C{b}, both in flight.
        """
        self.half_open("a", "b")
        return self.acquire("a"), self.acquire("b")

    def test_first_probe_that_succeeds(self) -> None:
        """
        Not the first in the candidates' order.
        """
        _, probe_b = self.two_probes()
        choice = self.wait_for_first("a", "b")
        probe_b.success()
        self.assert_chosen(choice, "b", is_probe=False)

    def test_leaves_the_other_queues(self) -> None:
        """
        A slot that is handed on later goes to somebody who still waits.
        """
        probe_a, probe_b = self.two_probes()
        choice = self.wait_for_first("a", "b")
        later = self.wait("a")
        probe_b.success()
        probe_a.release()
        self.assert_permit(later, is_probe=True)
        self.assert_chosen(choice, "b", is_probe=False)

    def test_slot_is_handed_over(self) -> None:
        """
        A released probe goes to the first who waits.
        """
        _, probe_b = self.two_probes()
        choice = self.wait_for_first("a", "b")
        probe_b.release()
        self.assert_chosen(choice, "b", is_probe=True)

    def test_one_failed_probe_is_not_the_end(self) -> None:
        """
        The others are still worth waiting for.
        """
        probe_a, probe_b = self.two_probes()
        choice = self.wait_for_first("a", "b")
        probe_a.failure("5xx", "test")
        self.assertNoResult(choice)
        probe_b.success()
        self.assert_chosen(choice, "b", is_probe=False)
        self.assert_no_timers()

    def test_all_probes_failed(self) -> None:
        """
        Then all circuits are open.
        """
        probe_a, probe_b = self.two_probes()
        choice = self.wait_for_first("a", "b")
        probe_a.failure("5xx", "test")
        self.clock.advance(10)
        probe_b.failure("5xx", "test")
        self.assertEqual(self.assert_all_open(choice).retry_at, 60)
        self.assert_no_timers()

    def test_open_candidate_becomes_due(self) -> None:
        """
        It is probed the moment its time comes.
        """
        self.hold_probe("a")
        self.trip("b")
        choice = self.wait_for_first("a", "b")
        self.clock.advance(OPEN_SECONDS - 1)
        self.assertNoResult(choice)
        self.clock.advance(1)
        probe = self.assert_chosen(choice, "b", is_probe=True)
        self.assert_no_timers()
        probe.release()

    def test_failed_candidate_becomes_due_again(self) -> None:
        """
        One whose probe failed during the wait is watched like any other.
        """
        probe_a, _ = self.two_probes()
        choice = self.wait_for_first("a", "b")
        probe_a.failure("5xx", "test")
        self.clock.advance(OPEN_SECONDS)
        self.assert_chosen(choice, "a", is_probe=True)

    def test_joins_a_probe_that_another_took(self) -> None:
        """
        A candidate whose time came for somebody else is waited for as well.
        """
        self.hold_probe("a")
        self.trip("b")
        first = self.wait_for_first("a", "b")
        second = self.wait_for_first("a", "b")
        self.clock.advance(OPEN_SECONDS)
        probe_b = self.assert_chosen(first, "b", is_probe=True)
        self.assertNoResult(second)
        probe_b.success()
        self.assert_chosen(second, "b", is_probe=False)

    def test_who_waits_comes_before_who_comes(self) -> None:
        """
        Even if the reactor is late: the newcomer finds the due probe given to
        the one who has waited for it.
        """
        self.hold_probe("a")
        self.trip("b")
        choice = self.wait_for_first("a", "b")
        self.clock.rightNow += OPEN_SECONDS
        newcomer = self.wait("b")
        probe_b = self.assert_chosen(choice, "b", is_probe=True)
        probe_b.success()
        self.assert_permit(newcomer, is_probe=False)

    def test_due_when_the_last_probe_fails(self) -> None:
        """
        If the reactor is late, a candidate whose time has come is found by
        looking again, before giving up.
        """
        probe = self.probe("a")
        self.trip("b")
        choice = self.wait_for_first("a", "b")
        self.clock.rightNow += OPEN_SECONDS
        probe.failure("5xx", "test")
        self.assert_chosen(choice, "b", is_probe=True)

    def test_several_due_when_the_last_probe_fails(self) -> None:
        """
        Each who looks again takes the best of its own candidates that is left.
        """
        probe = self.probe("b")
        self.trip("a", "c")
        first = self.wait_for_first("b", "c", "a")
        second = self.wait_for_first("a", "b")
        self.clock.rightNow += OPEN_SECONDS
        probe.failure("5xx", "test")
        probes = [
            self.assert_chosen(first, "c", is_probe=True),
            self.assert_chosen(second, "a", is_probe=True),
        ]
        self.assert_no_timers()
        for each in probes:
            each.release()

    def test_order_among_waiters(self) -> None:
        """
        Who waits for one and who waits for several stand in the same queue.
        """
        probe_a, _ = self.two_probes()
        first = self.wait("a")
        second = self.wait_for_first("b", "a")
        third = self.wait("a")
        probe_a.release()
        self.assert_permit(first, is_probe=True).release()
        self.assert_chosen(second, "a", is_probe=True).release()
        self.assert_permit(third, is_probe=True)

    def test_same_provider_twice(self) -> None:
        """
        Two candidates of one provider take one place in its queue.
        """
        probe = self.probe("a")
        choice = self.wait_for_first("a", "a")
        probe.success()
        self.assert_chosen(choice, "a", is_probe=False)


class TimeoutTests(CircuitTestCase):
    """
    Waiting is limited by the request's own deadline.
    """

    def setUp(self) -> None:
        super().setUp()
        self.held = self.probe("a")

    def test_runs_out(self) -> None:
        """
        Then the request is told the earliest time of those that are open.
        """
        self.trip("b")
        choice = self.wait_for_first("a", "b", timeout=5)
        self.clock.advance(4)
        self.assertNoResult(choice)
        self.clock.advance(1)
        self.assertEqual(self.assert_all_open(choice).retry_at, 60)
        self.assert_no_timers()

    def test_none_is_open(self) -> None:
        """
        With probes in flight only, it is worth asking again at any time.
        """
        choice = self.wait_for_first("a", timeout=5)
        self.clock.advance(5)
        self.assertEqual(self.assert_all_open(choice).retry_at, 35)

    def test_leaves_the_queue(self) -> None:
        """
        Whoever comes next is not kept from the slot.
        """
        self.wait_for_first("a", timeout=5).addErrback(lambda _: None)
        later = self.wait("a")
        self.clock.advance(5)
        self.held.release()
        self.assert_permit(later, is_probe=True)

    def test_in_time(self) -> None:
        """
        A choice that was made leaves no timer.
        """
        choice = self.wait_for_first("a", timeout=5)
        self.held.success()
        self.assert_chosen(choice, "a", is_probe=False)
        self.assert_no_timers()

    def test_used_up(self) -> None:
        """
        A deadline that has passed is no reason to refuse what is there.
        """
        self.assert_chosen(self.choose("b", timeout=-1), "b", is_probe=False)

    def test_used_up_waiting(self) -> None:
        """
        But it is one not to wait.
        """
        choice = self.choose("a", timeout=-1)
        self.clock.advance(0)
        self.assert_all_open(choice)


class CancellationTests(CircuitTestCase):
    """
    A client that leaves while it waits.
    """

    def test_leaves_all_queues(self) -> None:
        """
        Nobody else's place changes, and no timer is left.
        """
        self.half_open("a", "b")
        probes = [self.acquire("a"), self.acquire("b")]
        self.trip("c")
        choice = self.wait_for_first("a", "b", "c", timeout=100)
        others = [self.wait("a"), self.wait("b")]
        choice.cancel()
        self.assert_cancelled(choice)
        self.assert_no_timers()
        for probe, other in zip(probes, others, strict=True):
            probe.release()
            self.assert_permit(other, is_probe=True)

    def test_probe_goes_on(self) -> None:
        """
        The probe that was waited for is somebody else's.
        """
        probe = self.probe("a")
        choice = self.wait_for_first("a")
        choice.cancel()
        self.assert_cancelled(choice)
        self.assert_state("a", HALF_OPEN)
        probe.success()
        self.assert_state("a", CLOSED)

    def test_after_the_choice(self) -> None:
        """
        Cancelling too late changes nothing: the permit is its holder's.
        """
        self.half_open("a")
        choice = self.choose("a")
        choice.cancel()
        permit = self.assert_chosen(choice, "a", is_probe=True)
        self.assertFalse(permit.resolved)
