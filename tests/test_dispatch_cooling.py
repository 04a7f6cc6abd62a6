"""
Tests for L{arbstr.turns}: providers that are cooling down.
"""

from __future__ import annotations

from arbstr.circuit import CircuitState
from arbstr.config.model import CircuitSettings

from .dispatching import TOTAL, DispatchTestCase, refusal


class CoolingTests(DispatchTestCase):
    """
    A provider that refused is left alone.
    """

    def refuse(self, status: int, retry_after: str | None = None) -> None:
        """
        The only candidate refuses a request, which ends with that.
        """
        dispatched = self.dispatch("alpha")
        headers = {} if retry_after is None else {"Retry_After": retry_after}
        self.last.answer(status, refusal("no"), **headers)
        self.assert_fails(dispatched, status if status in (404, 429) else 502)

    def test_left_alone(self) -> None:
        """
        The next request goes to the next candidate.
        """
        self.refuse(401)
        dispatched = self.dispatch("alpha", "beta")
        self.assertEqual(self.asked, ["alpha", "beta"])
        self.serve()
        self.assert_served(dispatched, by="beta")

    def test_until_it_is_over(self) -> None:
        """
        Then it is the first again.
        """
        self.refuse(401)
        self.clock.advance(300)
        dispatched = self.dispatch("alpha", "beta")
        self.serve()
        self.assert_served(dispatched, by="alpha")

    def test_comes_back(self) -> None:
        """
        The same request waits for it, if there is time.
        """
        dispatched = self.dispatch("alpha")
        self.last.answer(429, refusal(), Retry_After="7")
        self.clock.advance(6.99)
        self.assertEqual(self.asked, ["alpha"])
        self.clock.advance(0.01)
        self.serve()
        self.assert_served(dispatched, by="alpha")

    def test_no_time_to_wait(self) -> None:
        """
        The client gets the provider's own answer, at once.
        """
        dispatched = self.dispatch("alpha")
        self.last.answer(429, refusal("slow down"), Retry_After=f"{TOTAL}")
        error = self.assert_fails(dispatched, 429)
        self.assertEqual(error.headers["Retry-After"], f"{TOTAL}")
        self.assertIn(b"slow down", error.raw or b"")

    def test_another_request_waits(self) -> None:
        """
        Though it has tried nobody yet.
        """
        self.refuse(429, "40")
        self.clock.advance(15)
        dispatched = self.dispatch("alpha")
        self.assertEqual(self.asked, ["alpha"])
        self.clock.advance(25)
        self.serve()
        self.assert_served(dispatched, by="alpha")

    def test_all_cooling(self) -> None:
        """
        Who cannot wait so long is told for how long: as long as it takes until
        the first is back, for whose reason it fails.
        """
        self.refuse(429, "100")
        self.clock.advance(10)
        error = self.assert_fails(self.dispatch("alpha"), 429)
        self.assertEqual((error.type, error.retry_after), ("rate_limit_error", 90))
        self.assertIn("alpha: HTTP 429", error.message)
        self.assertEqual(self.asked, ["alpha"])

    def test_key_refused(self) -> None:
        """
        That is not the client's fault.
        """
        self.refuse(401)
        error = self.assert_fails(self.dispatch("alpha"), 502)
        self.assertEqual((error.code, error.retry_after), ("provider_error", 300))

    def test_model_gone(self) -> None:
        """
        The client asked for something that is not there.
        """
        self.refuse(404)
        error = self.assert_fails(self.dispatch("alpha"), 404)
        self.assertEqual((error.code, error.retry_after), ("model_not_found", 300))

    def test_overloaded(self) -> None:
        """
        A 503 that says for how long is a failure all the same.
        """
        self.refuse(503, "100")
        self.assertEqual(self.circuits.failure_count("alpha"), 1)
        error = self.assert_fails(self.dispatch("alpha"), 502)
        self.assertEqual(error.retry_after, 100)

    def test_circuit_is_left_as_it_is(self) -> None:
        """
        However often it is refused.
        """
        for _ in range(4):
            self.refuse(429, "300")
            self.clock.advance(300)
        self.assertIs(self.circuits.state("alpha"), CircuitState.CLOSED)
        self.assertEqual(self.circuits.failure_count("alpha"), 0)

    def test_rest_of_the_candidates_open(self) -> None:
        """
        Those that are cooling are waited for, too.
        """
        self.refuse(429, "40")
        self.clock.advance(15)
        self.circuits.trip("beta")
        dispatched = self.dispatch("alpha", "beta")
        self.clock.advance(25)
        self.serve()
        self.assert_served(dispatched, by="alpha")

    def test_client_leaves(self) -> None:
        """
        Nobody is waited for any more.
        """
        self.refuse(429, "40")
        self.clock.advance(15)
        dispatched = self.dispatch("alpha")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assert_cancels(dispatched)


class RetryBudgetTests(DispatchTestCase):
    """
    When everything fails, not everything is tried again.
    """

    def test_used_up(self) -> None:
        """
        A request then ends with its first failure.
        """
        self.configure(circuit=CircuitSettings(failure_threshold=1000))
        for _ in range(30):
            dispatched = self.dispatch("alpha", "beta")
            self.last.answer(500, refusal())
            self.serve()
            self.assert_served(dispatched, by="beta")
        dispatched = self.dispatch("alpha", "beta")
        self.last.answer(500, refusal())
        self.assert_fails(dispatched, 502)
        self.assertEqual(self.asked[-1], "alpha")
