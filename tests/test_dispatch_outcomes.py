"""
Tests for L{arbstr.dispatch}: what clients and circuit breakers are told.
"""

from __future__ import annotations

from errno import EMFILE

from twisted.internet.error import ConnectBindError, ConnectionRefusedError

from arbstr.circuit import CircuitState
from arbstr.config.model import CircuitSettings
from tests.dispatching import (
    BACKOFF,
    OPEN_SECONDS,
    TOTAL,
    Dispatched,
    DispatchTestCase,
    refusal,
)
from tests.fakes import provider

INVALID_MODEL = {"error": {"message": "no such model", "type": "invalid_model"}}


class ErrorTests(DispatchTestCase):
    """
    What the client is told.
    """

    def test_clients_own_fault(self) -> None:
        """
        It gets the provider's answer unchanged, at once.
        """
        raw = b'{"error": {"message": "no such role"}, "more":  1}'
        dispatched = self.dispatch("alpha", "beta")
        self.last.answer(422, raw)
        error = self.assert_error(dispatched, 422, "HTTP 422: no such role")
        self.assertEqual(error.raw, raw)
        self.assertEqual(error.headers, {})
        self.assertEqual(self.asked, ["alpha"])

    def test_clients_own_fault_after_a_retry(self) -> None:
        """
        Trying again has been done already.
        """
        dispatched = self.dispatch("alpha", "beta")
        self.last.answer(500, refusal())
        self.last.answer(422, refusal("no such role"))
        error = self.assert_error(dispatched, 422, "HTTP 422: no such role")
        self.assertEqual(error.headers, {"x-should-retry": "false"})

    def test_clients_own_fault_not_json(self) -> None:
        """
        What is not JSON is replaced.
        """
        dispatched = self.dispatch("alpha")
        self.last.answer(413, b"too large")
        error = self.assert_error(dispatched, 413, "HTTP 413: too large")
        self.assertIsNone(error.raw)
        self.assertEqual(error.type, "invalid_request_error")

    def test_clients_own_fault_too_long(self) -> None:
        """
        So is what is over 64 KiB.
        """
        dispatched = self.dispatch("alpha")
        body = self.last.begin(422)
        body.send(b" " * (64 * 1024 + 1))
        self.assertIsNone(self.assert_error(dispatched, 422, "HTTP 422").raw)
        self.assertEqual(body.calls, ["stop"])

    def test_too_many_requests(self) -> None:
        """
        With no candidate left, the client learns when to come again.
        """
        self.configure(max_attempts=2)
        dispatched = self.dispatch("alpha", "beta")
        self.last.answer(500, refusal())
        self.last.answer(429, refusal("slow down"), Retry_After="17")
        error = self.assert_error(dispatched, 429, "HTTP 429: slow down")
        self.assertEqual(error.type, "rate_limit_error")
        self.assertEqual(error.headers, {"Retry-After": "17"})
        self.assertIn(b"slow down", error.raw or b"")

    def test_too_many_requests_for_ever(self) -> None:
        """
        Where nobody says when, it should not try by itself.
        """
        self.configure(max_attempts=2)
        dispatched = self.dispatch("alpha")
        self.fail_all(dispatched, 429)
        error = self.assert_error(dispatched, 429, "HTTP 429: boom")
        self.assertEqual(error.headers, {"x-should-retry": "false"})

    def test_model_not_found(self) -> None:
        """
        Nobody has it.
        """
        dispatched = self.dispatch("alpha")
        self.last.answer(400, INVALID_MODEL)
        self.assertIsNotNone(
            self.assert_error(dispatched, 400, "HTTP 400: no such model").raw
        )

    def assert_not_the_clients(self, status: int) -> None:
        """
        The client gets a 502, and none of what the provider said.
        """
        dispatched = self.dispatch("alpha")
        self.last.answer(status, refusal())
        error = self.assert_error(
            dispatched, 502, f"No provider answered: alpha: HTTP {status}: boom"
        )
        self.assertEqual((error.type, error.code), ("upstream_error", "provider_error"))
        self.assertIsNone(error.raw)

    def test_key_rejected(self) -> None:
        """
        The client's own key is not meant.
        """
        self.assert_not_the_clients(401)

    def test_balance_used_up(self) -> None:
        """
        Nor is its balance.
        """
        self.assert_not_the_clients(402)

    def test_forbidden(self) -> None:
        """
        Nor are its permissions.
        """
        self.assert_not_the_clients(403)

    def test_all_failed(self) -> None:
        """
        The error says what became of each, and that trying again is ours.
        """
        dispatched = self.dispatch("alpha", "beta")
        self.last.answer(200, b"<html>")
        self.last.fail(ConnectionRefusedError())
        self.clock.advance(BACKOFF[0])
        self.last.answer(500, refusal())
        error = self.assert_error(
            dispatched,
            502,
            "No provider answered: alpha: HTTP 200 with a body that is not a JSON "
            "object; beta: HTTP 500: boom",
        )
        self.assertEqual(error.headers, {"x-should-retry": "false"})

    def test_latest_failure_decides(self) -> None:
        """
        Whatever came of the same provider before.
        """
        dispatched = self.dispatch("alpha", "beta")
        self.last.answer(500, refusal())
        self.last.answer(500, refusal())
        self.clock.advance(BACKOFF[0])
        self.last.answer(429, refusal("slow down"))
        self.assert_error(dispatched, 429, "HTTP 429: slow down")

    def test_silence(self) -> None:
        """
        It is a gateway's time-out even before our own budget is used up.
        """
        self.configure(max_attempts=1)
        dispatched = self.dispatch_to([provider("alpha", timeouts={"first_byte": 1})])
        self.clock.advance(1)
        self.assert_fails(dispatched, 504)

    def test_out_of_time(self) -> None:
        """
        Trying again would take as long again.
        """
        dispatched = self.dispatch("alpha")
        self.clock.advance(TOTAL)
        error = self.assert_fails(dispatched, 504)
        self.assertEqual(error.headers, {"x-should-retry": "false"})

    def test_single_attempt(self) -> None:
        """
        Where we try only once, the client may try again.
        """
        self.configure(max_attempts=1)
        dispatched = self.dispatch("alpha")
        self.last.answer(500, refusal())
        error = self.assert_error(
            dispatched, 502, "No provider answered: alpha: HTTP 500: boom"
        )
        self.assertEqual(error.headers, {})

    def test_all_circuits_open(self) -> None:
        """
        The client learns when the first of them may be probed.
        """
        self.circuits.trip("alpha")
        self.clock.advance(10)
        self.circuits.trip("beta")
        error = self.assert_error(
            self.dispatch("beta", "alpha"),
            503,
            "All providers have open circuits for model 'gpt-4o'",
        )
        self.assertEqual(error.code, "circuit_open")
        self.assertEqual(error.retry_after, OPEN_SECONDS - 10)
        self.assertEqual(self.asked, [])


class CircuitTests(DispatchTestCase):
    """
    What the breakers are told.
    """

    def test_one_failure_a_request(self) -> None:
        """
        However often the provider was tried.
        """
        dispatched = self.dispatch("alpha")
        self.fail_all(dispatched)
        self.assert_fails(dispatched, 502)
        self.assertEqual(self.asked, ["alpha"] * 3)
        self.assertEqual(self.circuits.failure_count("alpha"), 1)

    def test_each_its_own(self) -> None:
        """
        One failure for each provider that failed.
        """
        dispatched = self.dispatch("alpha", "beta")
        self.fail_all(dispatched)
        self.assert_fails(dispatched, 502)
        self.assertEqual(self.circuits.failure_count("alpha"), 1)
        self.assertEqual(self.circuits.failure_count("beta"), 1)

    def test_success(self) -> None:
        """
        It ends a row of failures.
        """
        self.circuits.record_failure("alpha", "5xx", "test")
        dispatched = self.dispatch("alpha")
        self.last.answer(500, refusal())
        self.assertEqual(self.circuits.failure_count("alpha"), 2)
        self.clock.advance(BACKOFF[0])
        self.serve()
        self.assert_served(dispatched, by="alpha")
        self.assertEqual(self.circuits.failure_count("alpha"), 0)

    def test_no_success_before_the_body(self) -> None:
        """
        A buffered answer counts when it is whole.
        """
        self.circuits.record_failure("alpha", "5xx", "test")
        dispatched = self.dispatch("alpha")
        body = self.last.begin(200)
        self.assertEqual(self.circuits.failure_count("alpha"), 1)
        body.send(b"{}")
        body.end()
        self.successResultOf(dispatched)
        self.assertEqual(self.circuits.failure_count("alpha"), 0)

    def test_nonsense_is_a_failure(self) -> None:
        """
        A 200 that is no answer.
        """
        dispatched = self.dispatch("alpha")
        self.last.answer(200, b"[]")
        self.assert_fails(dispatched, 502)
        self.assertEqual(self.circuits.failure_count("alpha"), 1)

    def test_shortage_of_our_own(self) -> None:
        """
        That this machine has no descriptor left says nothing about a provider.
        """
        dispatched = self.dispatch("alpha")
        for delay in (*BACKOFF[:2], 0):
            self.last.fail(ConnectBindError(EMFILE, "Too many open files"))
            self.clock.advance(delay)
        self.assert_fails(dispatched, 502)
        self.assertEqual(self.asked, ["alpha"] * 3)
        self.assertEqual(self.circuits.failure_count("alpha"), 0)

    def test_4xx_changes_nothing(self) -> None:
        """
        Neither for better nor for worse.
        """
        self.circuits.record_failure("alpha", "5xx", "test")
        for status, told in ((400, 400), (401, 502), (404, 404), (429, 429)):
            dispatched = self.dispatch("alpha")
            self.fail_all(dispatched, status)
            self.assert_fails(dispatched, told)
            # Until it has cooled down.
            self.clock.advance(300)
        self.assertEqual(self.circuits.failure_count("alpha"), 1)

    def probe(self) -> Dispatched:
        """
        A request that is the probe of a half-open circuit.
        """
        self.circuits.trip("alpha")
        self.clock.advance(OPEN_SECONDS)
        return self.dispatch("alpha")

    def test_probe_that_could_not_be_sent(self) -> None:
        """
        The next request is the probe.
        """
        dispatched = self.probe()
        self.last.fail(ConnectBindError(EMFILE, "Too many open files"))
        self.clock.advance(BACKOFF[0])
        self.serve()
        self.assert_served(dispatched, by="alpha")
        self.assertIs(self.circuits.state("alpha"), CircuitState.CLOSED)

    def test_probe_succeeds(self) -> None:
        """
        The circuit is closed.
        """
        dispatched = self.probe()
        self.serve()
        self.assert_served(dispatched, by="alpha")
        self.assertIs(self.circuits.state("alpha"), CircuitState.CLOSED)

    def test_probe_fails(self) -> None:
        """
        The circuit is open again, and does not let the request come back.
        """
        dispatched = self.probe()
        self.last.answer(500, refusal())
        self.clock.advance(BACKOFF[0])
        self.assert_fails(dispatched, 502)
        self.assertEqual(self.asked, ["alpha"])
        self.assertIs(self.circuits.state("alpha"), CircuitState.OPEN)

    def test_comes_back_as_a_probe(self) -> None:
        """
        A request may probe the circuit that it has opened itself; then its
        outcome is the circuit's.
        """
        self.configure(
            circuit=CircuitSettings(failure_threshold=1, open_seconds=0.5),
            max_attempts=2,
        )
        dispatched = self.dispatch("alpha")
        self.last.answer(500, refusal())
        self.clock.advance(BACKOFF[0])
        self.assertIs(self.circuits.state("alpha"), CircuitState.HALF_OPEN)
        self.last.answer(500, refusal())
        self.assert_fails(dispatched, 502)
        self.assertIs(self.circuits.state("alpha"), CircuitState.OPEN)

    def test_probe_answered_4xx(self) -> None:
        """
        It has proved nothing.
        """
        dispatched = self.probe()
        self.last.answer(422, refusal())
        self.assert_fails(dispatched, 422)
        circuit = self.circuits.snapshots()["alpha"]
        self.assertIs(circuit.state, CircuitState.OPEN)
        self.assertEqual(circuit.last_error, "non_5xx: HTTP 422: boom")

    def test_waits_for_a_probe(self) -> None:
        """
        Somebody else's probe decides.
        """
        probe = self.circuits.hold_probe("alpha", self.clock)
        dispatched = self.dispatch("alpha")
        self.assertEqual(self.asked, [])
        probe.success()
        self.serve()
        self.assert_served(dispatched, by="alpha")
