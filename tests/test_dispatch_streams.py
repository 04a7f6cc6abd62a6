"""
Tests for L{arbstr.dispatch}: streams, and clients that leave.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.error import ConnectionRefusedError
from twisted.logger import capturedLogs, formatEvent

from arbstr.routing.money import Usage
from tests.dispatching import (
    BACKOFF,
    OPEN_SECONDS,
    TOTAL,
    Dispatched,
    DispatchTestCase,
    refusal,
)
from tests.fakes import ProviderBody
from tests.integration.providers import DONE, FIRST, LAST, delta, event

Step = Callable[[], object]


class StreamTests(DispatchTestCase):
    """
    Requests with C{stream: true}.
    """

    HELLO = delta("Hello!")

    def assert_streamed(self, dispatched: Dispatched, by: str) -> None:
        """
        The stream was relayed to its end.
        """
        self.assertIsNone(self.successResultOf(dispatched))
        self.assertEqual(self.asked[-1], by)
        self.assertTrue(self.downstream.data.startswith(FIRST + self.HELLO))
        self.assertTrue(self.downstream.data.endswith(DONE))

    def serve_stream(self) -> None:
        """
        The provider asked last streams well.
        """
        self.last.stream(FIRST, self.HELLO, DONE).end()

    def test_relayed(self) -> None:
        """
        What comes goes to the client.
        """
        dispatched = self.dispatch("alpha", stream=True)
        self.serve_stream()
        self.assert_streamed(dispatched, by="alpha")

    def test_facts(self) -> None:
        """
        Ours go with it, before the end.
        """
        self.dispatch("alpha", stream=True)
        self.last.stream(FIRST, self.HELLO, LAST, DONE).end()
        self.assertIn(
            b'\n\n: arbstr {"request_id":"r-1","provider":"alpha","cost_sats":0.03,',
            self.downstream.data,
        )

    def test_what_came_is_remembered(self) -> None:
        """
        It is charged for, even if it was not all.
        """
        dispatched = self.dispatch("alpha", stream=True)
        self.last.stream(FIRST, self.HELLO, LAST).end()
        self.assert_fails(dispatched, 502)
        self.assertEqual(self.exchange.usage, Usage(input=10, output=20))
        self.assertEqual(self.exchange.output_chars, len("Hello!"))

    def test_time_to_content(self) -> None:
        """
        Headers and empty deltas are not what the client waits for.
        """
        self.dispatch("alpha", stream=True)
        body = self.last.stream(FIRST)
        self.clock.advance(2)
        body.send(self.HELLO + DONE)
        body.end()
        self.assertEqual(self.exchange.first_content, 2)

    def test_unreadable_events_are_logged(self) -> None:
        """
        They are left out, but not in silence.
        """
        with capturedLogs() as events:
            self.dispatch("alpha", stream=True)
            self.last.stream(self.HELLO, b"event: ping\n\n", DONE).end()
        self.assertEqual(
            [formatEvent(each) for each in events],
            ["alpha sent 1 stream events that no client could read"],
        )

    def test_nothing_to_log(self) -> None:
        """
        A stream without them is not worth a line.
        """
        with capturedLogs() as events:
            self.dispatch("alpha", stream=True)
            self.serve_stream()
        self.assertEqual(events, [])

    def test_answered_without_a_stream(self) -> None:
        """
        An answer is judged by its own content type.
        """
        dispatched = self.dispatch("alpha", stream=True)
        self.serve()
        self.assert_served(dispatched, by="alpha")
        self.assertEqual(self.downstream.calls, [])

    def test_one_attempt(self) -> None:
        """
        Without failover there is no second.
        """
        self.configure(failover=False)
        dispatched = self.dispatch("alpha", "beta", stream=True)
        self.last.answer(500, refusal())
        error = self.assert_error(
            dispatched, 502, "No provider answered: alpha: HTTP 500: boom"
        )
        self.assertEqual(self.asked, ["alpha"])
        self.assertEqual(error.headers, {})

    def test_one_attempt_broken_off(self) -> None:
        """
        Not even before any content.
        """
        self.configure(failover=False)
        dispatched = self.dispatch("alpha", "beta", stream=True)
        self.last.stream(FIRST).end()
        self.assert_error(
            dispatched, 502, "No provider answered: alpha: the stream broke off"
        )
        self.assertEqual(self.asked, ["alpha"])

    def test_failover_before_headers(self) -> None:
        """
        As for any other request.
        """
        dispatched = self.dispatch("alpha", "beta", stream=True)
        self.last.answer(500, refusal())
        self.serve_stream()
        self.assert_streamed(dispatched, by="beta")

    def test_failover_before_content(self) -> None:
        """
        The client has seen nothing of the first.
        """
        dispatched = self.dispatch("alpha", "beta", stream=True)
        self.last.stream(FIRST).end()
        self.serve_stream()
        self.assert_streamed(dispatched, by="beta")
        self.assertEqual(self.downstream.calls.count("open"), 1)

    def test_failover_after_error_event(self) -> None:
        """
        An error before any content is not the client's to see.
        """
        dispatched = self.dispatch("alpha", "beta", stream=True)
        self.last.stream(FIRST, event(refusal()))
        self.serve_stream()
        self.assert_streamed(dispatched, by="beta")
        self.assertNotIn(b"boom", self.downstream.data)

    def test_no_failover_after_content(self) -> None:
        """
        Two halves of different answers are none.
        """
        dispatched = self.dispatch("alpha", "beta", stream=True)
        self.last.stream(FIRST, self.HELLO).end()
        self.assert_error(
            dispatched, 502, "The answer broke off: alpha: the stream broke off"
        )
        self.assertEqual(self.asked, ["alpha"])

    def test_silence(self) -> None:
        """
        The budget bounds the time to the headers...
        """
        dispatched = self.dispatch("alpha", stream=True)
        self.clock.advance(TOTAL)
        self.assert_fails(dispatched, 504)

    def test_long(self) -> None:
        """
        ...and not the stream.
        """
        dispatched = self.dispatch("alpha", stream=True)
        body = self.last.stream(FIRST, self.HELLO)
        self.clock.advance(TOTAL)
        body.send(DONE)
        body.end()
        self.assert_streamed(dispatched, by="alpha")

    def test_headers_are_a_success(self) -> None:
        """
        At once, before any of the body.
        """
        self.circuits.record_failure("alpha", "5xx", "test")
        dispatched = self.dispatch("alpha", stream=True)
        self.last.stream()
        self.assertEqual(self.circuits.failure_count("alpha"), 0)
        self.assert_cancels(dispatched)

    def stream_failures(self) -> int:
        """
        How many streams in a row have died after their headers.
        """
        return self.circuits.snapshots()["alpha"].stream_failure_count

    def test_broken_off_is_counted_apart(self) -> None:
        """
        Headers end a row of failures, but not one of broken streams.
        """
        for _ in range(2):
            dispatched = self.dispatch("alpha", stream=True)
            self.last.stream(FIRST, self.HELLO).end()
            self.assert_fails(dispatched, 502)
        self.assertEqual(self.circuits.failure_count("alpha"), 0)
        self.assertEqual(self.stream_failures(), 2)

    def test_whole_stream_ends_the_row(self) -> None:
        """
        What a 2xx does for failures, a whole stream does for broken ones.
        """
        self.circuits.record_stream_failure("alpha", "connect", "test")
        self.dispatch("alpha", stream=True)
        self.serve_stream()
        self.assertEqual(self.stream_failures(), 0)

    def test_one_failure_a_request(self) -> None:
        """
        Before and after the headers taken together.
        """
        dispatched = self.dispatch("alpha", stream=True)
        self.last.answer(500, refusal())
        self.clock.advance(BACKOFF[0])
        self.last.stream(FIRST, self.HELLO).end()
        self.assert_fails(dispatched, 502)
        self.assertEqual(self.stream_failures(), 0)


class CancellationTests(DispatchTestCase):
    """
    The client leaves.
    """

    def test_while_waiting_for_a_permit(self) -> None:
        """
        The place in the queue is given up.
        """
        probe = self.circuits.hold_probe("alpha", self.clock)
        self.assert_cancels(self.dispatch("alpha"))
        probe.success()
        self.assertEqual(self.asked, [])

    def test_before_headers(self) -> None:
        """
        The request is given up.
        """
        self.assert_cancels(self.dispatch("alpha", "beta"))
        self.assertTrue(self.last.cancelled)
        self.assertEqual(self.asked, ["alpha"])

    def test_in_the_body(self) -> None:
        """
        The provider's connection is cut.
        """
        dispatched = self.dispatch("alpha", "beta")
        body = self.last.begin(200)
        body.send(b"{")
        self.assert_cancels(dispatched)
        self.assertEqual(body.calls, ["stop"])
        self.assertEqual(self.asked, ["alpha"])

    def test_in_the_body_of_a_refusal(self) -> None:
        """
        That, too, is only half an answer.
        """
        dispatched = self.dispatch("alpha", "beta")
        body = self.last.begin(500)
        self.assert_cancels(dispatched)
        self.assertEqual(body.calls, ["stop"])
        self.assertEqual(self.asked, ["alpha"])

    def test_in_a_stream_before_content(self) -> None:
        """
        Nothing is sent to who is not there.
        """
        dispatched = self.dispatch("alpha", "beta", stream=True)
        body = self.last.stream(FIRST)
        self.assert_cancels(dispatched)
        self.assertEqual(body.calls, ["stop"])
        self.assertEqual(self.downstream.calls, [])
        self.assertEqual(self.asked, ["alpha"])

    def test_in_a_stream(self) -> None:
        """
        The provider's connection is cut, the client's side let go.
        """
        dispatched = self.dispatch("alpha", "beta", stream=True)
        body = self.last.stream(FIRST, delta("Hello!"))
        self.assert_cancels(dispatched)
        self.assertEqual(body.calls, ["stop"])
        self.assertIsNone(self.downstream.producer)

    def test_in_a_stream_that_is_done(self) -> None:
        """
        The answer was whole: it is a stream that came to its end.
        """
        self.circuits.record_stream_failure("alpha", "connect", "test")
        dispatched = self.dispatch("alpha", stream=True)
        self.last.stream(FIRST, delta("Hello!"), DONE)
        dispatched.cancel()
        self.assertIsNone(self.successResultOf(dispatched))
        self.assertEqual(self.circuits.snapshots()["alpha"].stream_failure_count, 0)

    def test_during_back_off(self) -> None:
        """
        Nobody is asked again; the failure before it stands.
        """
        dispatched = self.dispatch("alpha")
        self.last.answer(500, refusal())
        self.assert_cancels(dispatched)
        self.clock.advance(max(BACKOFF))
        self.assertEqual(self.asked, ["alpha"])
        self.assertEqual(self.circuits.failure_count("alpha"), 1)

    def test_probe(self) -> None:
        """
        The next request gets the probe.
        """
        self.circuits.trip("alpha")
        self.clock.advance(OPEN_SECONDS)
        self.assert_cancels(self.dispatch("alpha"))
        with self.successResultOf(self.circuits.acquire_permit("alpha")) as permit:
            self.assertTrue(permit.is_probe)
            permit.release()
        self.assertEqual(self.circuits.trip_count("alpha"), 1)

    def steps(self) -> list[Step]:
        """
        A request that comes to wait for everything there is, step by step.
        """
        probe = self.circuits.hold_probe("alpha", self.clock)
        bodies: list[ProviderBody] = []
        return [
            probe.success,
            lambda: bodies.append(self.last.begin(500)),
            lambda: bodies[-1].end(),
            lambda: self.clock.advance(BACKOFF[0]),
            lambda: self.last.fail(ConnectionRefusedError()),
            lambda: self.clock.advance(BACKOFF[1]),
            lambda: bodies.append(self.last.stream(FIRST)),
            lambda: bodies[-1].send(delta("Hello!")),
        ]

    def test_at_every_step(self) -> None:
        """
        Wherever a request with a long story is, it can be left.
        """
        for count in range(len(self.steps()) + 1):
            self.setUp()
            steps = self.steps()
            dispatched = self.dispatch("alpha", stream=True)
            for step in steps[:count]:
                step()
            self.assert_cancels(dispatched)
            self.tearDown()

    def test_attempt_is_remembered(self) -> None:
        """
        It is no failed attempt.
        """
        self.assert_cancels(self.dispatch("alpha"))
        self.assertEqual(self.exchange.attempts[0].outcome, "cancelled")
        self.assertIsNone(self.exchange.retries())
