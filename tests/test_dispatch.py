"""
Tests for L{arbstr.dispatch}: who is tried, and who next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.logger import capturedLogs, formatEvent

from arbstr.config.model import RetrySettings, StreamingSettings
from arbstr.routing.money import Usage
from tests.dispatching import DispatchTestCase, refusal
from tests.fakes import Sent, provider
from tests.integration.providers import DONE, FIRST, completion

INVALID_MODEL = {"error": {"message": "no such model", "type": "invalid_model"}}
NO_MODEL = {"error": {"message": "no such model", "code": "model_not_found"}}


class ConfigureTests(DispatchTestCase):
    """
    Other settings while requests are on their way.
    """

    def change(self, failover: bool = True, **retry: Any) -> None:
        """
        The configuration changes.
        """
        self.dispatcher.configure(
            RetrySettings(**retry), StreamingSettings(failover=failover), None
        )

    def test_attempts(self) -> None:
        self.change(max_attempts=1)
        dispatched = self.dispatch("alpha", "beta")
        self.last.answer(500, refusal())
        self.assert_fails(dispatched, 502)
        self.assertEqual(self.asked, ["alpha"])

    def test_requests_on_their_way(self) -> None:
        """
        They may make as many attempts as when they came.
        """
        dispatched = self.dispatch("alpha", "beta")
        self.change(max_attempts=1)
        self.last.answer(500, refusal())
        self.serve()
        self.assert_served(dispatched, by="beta")

    def test_back_off(self) -> None:
        self.change(backoff_seconds=[7])
        dispatched = self.dispatch("alpha")
        self.last.answer(500, refusal())
        self.clock.advance(6.9)
        self.assertEqual(self.asked, ["alpha"])
        self.clock.advance(0.1)
        self.serve()
        self.assert_served(dispatched, by="alpha")

    def test_failover_of_streams(self) -> None:
        self.change(failover=False)
        dispatched = self.dispatch("alpha", "beta", stream=True)
        self.last.answer(500, refusal())
        self.assert_fails(dispatched, 502)
        self.assertEqual(self.asked, ["alpha"])


class OrderTests(DispatchTestCase):
    """
    Who is tried, and who next.
    """

    def test_first_candidate(self) -> None:
        """
        The plan's order is followed.
        """
        dispatched = self.dispatch("beta", "alpha")
        self.assertEqual(self.asked, ["beta"])
        self.serve()
        self.assert_served(dispatched, by="beta")

    def test_open_circuit_is_skipped(self) -> None:
        """
        A provider that is down is not asked.
        """
        self.circuits.trip("alpha")
        dispatched = self.dispatch("alpha", "beta")
        self.assertEqual(self.asked, ["beta"])
        self.serve()
        self.assert_served(dispatched, by="beta")

    def test_others_first(self) -> None:
        """
        Nobody is asked twice before everybody was asked once.
        """
        dispatched = self.dispatch("alpha", "beta", "gamma")
        self.last.answer(500, refusal())
        self.last.answer(500, refusal())
        self.assertEqual(self.asked, ["alpha", "beta", "gamma"])
        self.assertEqual(self.clock.seconds(), 0)
        self.serve()
        self.assert_served(dispatched, by="gamma")

    def test_attempts_are_remembered(self) -> None:
        """
        The exchange can tell what happened.
        """
        self.dispatch("alpha", "beta")
        self.last.answer(500, refusal())
        self.clock.advance(2)
        self.serve()
        told = [
            (each.provider, each.started, each.ended, each.outcome)
            for each in self.exchange.attempts
        ]
        self.assertEqual(told, [("alpha", 0, 0, "5xx"), ("beta", 0, 2, "ok")])

    def test_answer_is_remembered(self) -> None:
        """
        The row and the response's headers are made of it.
        """
        self.dispatch("alpha")
        self.last.answer(200, completion(), x_request_id="up-1")
        self.assertEqual(self.exchange.usage, Usage(input=10, output=20))
        self.assertEqual(self.exchange.output_chars, len("Hello!"))
        assert self.exchange.head is not None
        self.assertEqual(self.exchange.head.request_id, "up-1")

    def test_failure_is_logged(self) -> None:
        """
        Whoever runs the daemon wants to know which provider is unwell.
        """
        with capturedLogs() as events:
            dispatched = self.dispatch("alpha")
            self.last.answer(401, refusal())
        self.assert_fails(dispatched, 502)
        self.assertEqual(
            [formatEvent(each) for each in events],
            ["alpha failed (4xx): HTTP 401: boom"],
        )

    def test_failover_is_for_streams(self) -> None:
        """
        Other requests go on to the next candidate in any case.
        """
        self.configure(failover=False)
        dispatched = self.dispatch("alpha", "beta")
        self.last.answer(500, refusal())
        self.serve()
        self.assert_served(dispatched, by="beta")

    def test_story(self) -> None:
        """
        Failures are counted by provider in order of the first.
        """
        dispatched = self.dispatch("alpha", "beta")
        self.fail_all(dispatched)
        self.assert_fails(dispatched, 502)
        self.assertEqual(self.exchange.retries(), "2/alpha, 1/beta")

    def test_full_provider_is_skipped(self) -> None:
        """
        One with as many requests in flight as it may have.
        """
        small = provider("alpha", max_in_flight=1)
        first = self.dispatch_to([small])
        second = self.dispatch_to([small, provider("beta")])
        self.assertEqual(self.asked, ["alpha", "beta"])
        self.serve()
        self.assert_served(second, by="beta")
        self.agent.requests[0].answer(200, completion())
        self.successResultOf(first)

    def test_all_full(self) -> None:
        """
        One of our own limits.
        """
        small = provider("alpha", max_in_flight=1)
        first = self.dispatch_to([small])
        error = self.assert_fails(self.dispatch_to([small]), 429)
        self.assertEqual(error.retry_after, 1)
        self.assert_cancels(first)

    def test_rest_full(self) -> None:
        """
        Those that have no room are not waited for.
        """
        small = provider("beta", max_in_flight=1)
        first = self.dispatch_to([small])
        dispatched = self.dispatch_to([provider("alpha"), small])
        self.last.answer(500, refusal())
        self.assert_error(
            dispatched, 502, "No provider answered: alpha: HTTP 500: boom"
        )
        self.assert_cancels(first)

    def test_no_longer_full(self) -> None:
        """
        However a request ends, its place is free again.
        """
        small = provider("alpha", max_in_flight=1)
        self.assert_cancels(self.dispatch_to([small]))
        dispatched = self.dispatch_to([small])
        self.assert_fails(self.dispatch_to([small]), 429)
        self.serve()
        self.assert_served(dispatched, by="alpha")


class NextCandidateTests(DispatchTestCase):
    """
    What makes it go on to the next candidate, at once.
    """

    def assert_goes_on(self, fail: Callable[[Sent], object]) -> None:
        """
        After such a failure the next candidate serves.
        """
        dispatched = self.dispatch("alpha", "beta")
        fail(self.last)
        self.assertEqual(self.asked, ["alpha", "beta"])
        self.assertEqual(self.clock.seconds(), 0)
        self.serve()
        self.assert_served(dispatched, by="beta")

    def assert_goes_on_after(self, status: int, body: object = None) -> None:
        """
        After such an answer the next candidate serves.
        """
        self.assert_goes_on(lambda sent: sent.answer(status, body or refusal()))

    def test_key_rejected(self) -> None:
        """
        It is our key.
        """
        self.assert_goes_on_after(401)

    def test_balance_used_up(self) -> None:
        """
        It is our balance.
        """
        self.assert_goes_on_after(402)

    def test_forbidden(self) -> None:
        """
        It is our account.
        """
        self.assert_goes_on_after(403)

    def test_not_found(self) -> None:
        """
        It does not have the model after all.
        """
        self.assert_goes_on_after(404)

    def test_invalid_model(self) -> None:
        """
        Routstr nodes say it with a 400.
        """
        self.assert_goes_on_after(400, INVALID_MODEL)

    def test_model_not_found(self) -> None:
        """
        Others do so with a code.
        """
        self.assert_goes_on_after(400, NO_MODEL)

    def test_request_timeout(self) -> None:
        """
        The provider did not get the request in time.
        """
        self.assert_goes_on_after(408)

    def test_too_many_requests(self) -> None:
        """
        It is our account's limit there.
        """
        self.assert_goes_on_after(429)

    def test_server_error(self) -> None:
        """
        It has failed.
        """
        self.assert_goes_on_after(500)

    def test_redirect(self) -> None:
        """
        Never followed.
        """
        self.assert_goes_on(lambda sent: sent.begin(302))

    def test_not_json(self) -> None:
        """
        A 200 whose body is no answer.
        """
        self.assert_goes_on_after(200, b"<html>")

    def test_stream_nobody_asked_for(self) -> None:
        """
        It is no answer either.
        """
        self.assert_goes_on(lambda sent: sent.stream(FIRST, DONE).end())

    def test_error_in_200(self) -> None:
        """
        A 200 whose body is an error.
        """
        self.assert_goes_on_after(200, refusal())

    def test_refused_connection(self) -> None:
        """
        Nobody is there.
        """
        self.assert_goes_on(lambda sent: sent.fail(ConnectionRefusedError()))

    def test_cut_body(self) -> None:
        """
        The answer was not whole.
        """

        def cut(sent: Sent) -> None:
            body = sent.begin(200)
            body.send(b"{")
            body.end(ConnectionLost())

        self.assert_goes_on(cut)

    def test_silence(self) -> None:
        """
        Nothing came in time.
        """
        slow = provider("alpha", timeouts={"first_byte": 20})
        dispatched = self.dispatch_to([slow, provider("beta")])
        self.clock.advance(20)
        self.assertTrue(self.agent.requests[0].cancelled)
        self.assertEqual(self.asked, ["alpha", "beta"])
        self.serve()
        self.assert_served(dispatched, by="beta")
