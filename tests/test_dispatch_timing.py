"""
Tests for L{arbstr.dispatch}: the back-off and the deadline.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.error import ConnectionRefusedError

from arbstr.circuit import CircuitState
from arbstr.config.model import CircuitSettings, ProviderSettings
from arbstr.errors import ApiError
from tests.dispatching import BACKOFF, OPEN_SECONDS, TOTAL, DispatchTestCase, refusal
from tests.fakes import Sent, provider


class BackOffTests(DispatchTestCase):
    """
    When all were tried, those that might do better are tried again.
    """

    def assert_comes_back(self, fail: Callable[[Sent], object]) -> None:
        """
        The only candidate is asked again after a back-off.
        """
        dispatched = self.dispatch("alpha")
        fail(self.last)
        self.clock.advance(BACKOFF[0] - 0.01)
        self.assertEqual(self.asked, ["alpha"])
        self.clock.advance(0.01)
        self.assertEqual(self.asked, ["alpha", "alpha"])
        self.serve()
        self.assert_served(dispatched, by="alpha")

    def assert_gives_up(self, status: int, body: object = None) -> None:
        """
        The only candidate is not asked again.
        """
        dispatched = self.dispatch("alpha")
        self.last.answer(status, body or refusal())
        self.failureResultOf(dispatched, ApiError)
        self.assertEqual(self.asked, ["alpha"])

    def test_server_error(self) -> None:
        """
        It may have recovered.
        """
        self.assert_comes_back(lambda sent: sent.answer(503, refusal()))

    def test_request_timeout(self) -> None:
        """
        It may be faster.
        """
        self.assert_comes_back(lambda sent: sent.answer(408, refusal()))

    def test_connection(self) -> None:
        """
        Somebody may be there.
        """
        self.assert_comes_back(lambda sent: sent.fail(ConnectionRefusedError()))

    def test_silence(self) -> None:
        """
        It may say something.
        """
        slow = provider("alpha", timeouts={"first_byte": 5})
        dispatched = self.dispatch_to([slow])
        self.clock.advance(5)
        self.clock.advance(BACKOFF[0])
        self.assertEqual(self.asked, ["alpha", "alpha"])
        self.serve()
        self.assert_served(dispatched, by="alpha")

    def test_nonsense(self) -> None:
        """
        A provider that talks nonsense is not asked again.
        """
        self.assert_gives_up(200, b"<html>")

    def test_key_rejected(self) -> None:
        """
        Our key will not get better.
        """
        self.assert_gives_up(401)

    def test_balance_used_up(self) -> None:
        """
        Nor will our balance.
        """
        self.assert_gives_up(402)

    def test_forbidden(self) -> None:
        """
        Nor our account.
        """
        self.assert_gives_up(403)

    def test_not_found(self) -> None:
        """
        Nor will it have the model.
        """
        self.assert_gives_up(404)

    def test_only_to_those_who_may_do_better(self) -> None:
        """
        The first candidate is passed over for the second.
        """
        dispatched = self.dispatch("alpha", "beta")
        self.last.answer(200, b"<html>")
        self.last.answer(500, refusal())
        self.clock.advance(BACKOFF[0])
        self.assertEqual(self.asked, ["alpha", "beta", "beta"])
        self.serve()
        self.assert_served(dispatched, by="beta")

    def test_untried_with_open_circuit(self) -> None:
        """
        Those that cannot be tried do not keep it from coming back.
        """
        self.circuits.trip("beta")
        dispatched = self.dispatch("alpha", "beta")
        self.last.answer(500, refusal())
        self.clock.advance(BACKOFF[0])
        self.assertEqual(self.asked, ["alpha", "alpha"])
        self.serve()
        self.assert_served(dispatched, by="alpha")

    def test_full_jitter(self) -> None:
        """
        At most half of a back-off is left out.
        """
        self.jitter = 1.0
        dispatched = self.dispatch("alpha")
        self.last.answer(500, refusal())
        self.clock.advance(BACKOFF[0] / 2 - 0.01)
        self.assertEqual(self.asked, ["alpha"])
        self.clock.advance(0.01)
        self.assertEqual(self.asked, ["alpha", "alpha"])
        self.assert_cancels(dispatched)

    def test_growing(self) -> None:
        """
        Each back-off is the next of those configured; the last is repeated.
        """
        self.configure(max_attempts=6)
        dispatched = self.dispatch("alpha")
        for delay in (1, 2, 4, 4):
            attempts = len(self.asked)
            self.last.answer(500, refusal())
            self.clock.advance(delay - 0.01)
            self.assertEqual(len(self.asked), attempts)
            self.clock.advance(0.01)
            self.assertEqual(len(self.asked), attempts + 1)
        self.assert_cancels(dispatched)

    def test_most_attempts(self) -> None:
        """
        C{max_attempts} counts all of them.
        """
        dispatched = self.dispatch("alpha", "beta")
        self.fail_all(dispatched)
        self.assert_fails(dispatched, 502)
        self.assertEqual(self.asked, ["alpha", "beta", "alpha"])

    def test_fewer_attempts_than_candidates(self) -> None:
        """
        Then not everybody's turn comes.
        """
        self.configure(max_attempts=1)
        dispatched = self.dispatch("alpha", "beta")
        self.fail_all(dispatched)
        self.assert_fails(dispatched, 502)
        self.assertEqual(self.asked, ["alpha"])

    def test_tripped_meanwhile(self) -> None:
        """
        If its own failure opened the circuit, that failure is what is told.
        """
        self.configure(circuit=CircuitSettings(failure_threshold=1))
        dispatched = self.dispatch("alpha")
        self.last.answer(500, refusal())
        self.clock.advance(BACKOFF[0])
        self.assert_error(
            dispatched, 502, "No provider answered: alpha: HTTP 500: boom"
        )


class DeadlineTests(DispatchTestCase):
    """
    One budget for all of a request.
    """

    def test_silence(self) -> None:
        """
        A provider that says nothing uses it up.
        """
        dispatched = self.dispatch("alpha", "beta")
        self.clock.advance(TOTAL)
        error = self.assert_error(
            dispatched,
            504,
            "No provider answered in time: alpha: no answer within 30 seconds",
        )
        self.assertEqual((error.type, error.code), ("upstream_error", "timeout"))
        self.assertEqual(self.asked, ["alpha"])

    def test_slow_body(self) -> None:
        """
        So does one that never comes to an end.
        """
        dispatched = self.dispatch("alpha")
        body = self.last.begin(200)
        self.clock.advance(TOTAL - 1)
        body.send(b" ")
        self.clock.advance(1)
        self.assert_error(
            dispatched,
            504,
            "No provider answered in time: alpha: the answer took too long",
        )
        self.assertEqual(body.calls, ["stop"])

    def test_slow_refusal(self) -> None:
        """
        Even the body of an error; its status says enough.
        """
        self.configure(max_attempts=1, total_seconds=10)
        dispatched = self.dispatch("alpha")
        body = self.last.begin(422)
        self.clock.advance(10)
        self.assert_error(dispatched, 422, "HTTP 422")
        self.assertEqual(body.calls, ["stop"])

    def test_back_off_does_not_fit(self) -> None:
        """
        There is no point in waiting for nothing: the last failure stands.
        """
        self.configure(total_seconds=1)
        dispatched = self.dispatch("alpha")
        self.last.answer(500, refusal())
        self.assert_error(
            dispatched, 502, "No provider answered: alpha: HTTP 500: boom"
        )

    def test_counted_from_acceptance(self) -> None:
        """
        What the request has waited for before counts.
        """
        dispatched = self.dispatch("alpha", waited=10)
        self.clock.advance(TOTAL - 10)
        self.assert_fails(dispatched, 504)

    def test_waiting_for_a_probe(self) -> None:
        """
        A probe is waited for no longer than that.
        """
        probe = self.circuits.hold_probe("alpha", self.clock)
        dispatched = self.dispatch("alpha")
        self.clock.advance(TOTAL)
        self.assert_error(
            dispatched, 503, "All providers have open circuits for model 'gpt-4o'"
        )
        self.assertEqual(self.asked, [])
        probe.release()

    def test_silence_counts(self) -> None:
        """
        A provider that had most of the time has failed.
        """
        dispatched = self.dispatch("alpha")
        self.clock.advance(TOTAL)
        self.assert_fails(dispatched, 504)
        self.assertEqual(self.circuits.failure_count("alpha"), 1)

    def test_cut_short(self) -> None:
        """
        One that got only the rest of it has not.
        """
        slow = provider("alpha", timeouts={"first_byte": 20})
        dispatched = self.dispatch_to([slow, provider("beta")])
        self.clock.advance(20)
        self.clock.advance(TOTAL - 20)
        self.assert_error(
            dispatched,
            504,
            "No provider answered in time: alpha: no answer within 20 seconds; "
            "beta: no answer within 10 seconds",
        )
        self.assertEqual(self.circuits.failure_count("alpha"), 1)
        self.assertEqual(self.circuits.failure_count("beta"), 0)

    def test_half_the_time(self) -> None:
        """
        Half of it is enough.
        """
        slow = provider("alpha", timeouts={"first_byte": TOTAL / 2})
        dispatched = self.dispatch_to([slow, provider("beta")])
        self.clock.advance(TOTAL / 2)
        self.clock.advance(TOTAL / 2)
        self.assert_fails(dispatched, 504)
        self.assertEqual(self.circuits.failure_count("beta"), 1)

    def test_failed_at_the_last_moment(self) -> None:
        """
        The client is told of the time, but the provider has failed by itself.
        """
        slow = provider("alpha", timeouts={"first_byte": 20})
        dispatched = self.dispatch_to([slow, provider("beta")])
        self.clock.advance(20)
        self.clock.advance(9.995)
        self.last.answer(500, refusal())
        self.assert_fails(dispatched, 504)
        self.assertEqual(self.circuits.failure_count("beta"), 1)

    def test_probe_cut_short(self) -> None:
        """
        A probe that got no time to speak of has still proved nothing good.
        """
        self.circuits.trip("beta")
        self.clock.advance(OPEN_SECONDS - 10)
        slow = provider("alpha", timeouts={"first_byte": 20})
        dispatched = self.dispatch_to([slow, provider("beta")])
        self.clock.advance(20)
        self.assertEqual(self.asked, ["alpha", "beta"])
        self.clock.advance(10)
        self.assert_fails(dispatched, 504)
        self.assertIs(self.circuits.state("beta"), CircuitState.OPEN)

    def test_own_timeout_counts(self) -> None:
        """
        One that missed its own, shorter time-out has failed.
        """
        quick = provider("alpha", timeouts={"first_byte": 1})
        self.assert_served_by_beta_after_silence(quick)
        self.assertEqual(self.circuits.failure_count("alpha"), 1)

    def assert_served_by_beta_after_silence(self, first: ProviderSettings) -> None:
        """
        The first provider says nothing, the second serves.
        """
        dispatched = self.dispatch_to([first, provider("beta")])
        self.clock.advance(first.timeouts.first_byte)
        self.serve()
        self.assert_served(dispatched, by="beta")
