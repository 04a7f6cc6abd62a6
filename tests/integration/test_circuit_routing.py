"""
Circuits as a client sees them: over real sockets, buffered and streaming.
"""

from __future__ import annotations

from uuid import UUID

from twisted.internet.defer import Deferred, gatherResults

from arbstr.circuit.breaker import CircuitState

from .harness import Answer, DaemonTestCase, chat, coroutine
from .providers import (
    FIRST,
    STREAM_HEAD,
    Connection,
    Received,
    chunk,
    completion,
    delta,
    fails,
    http,
    is_silent,
    serves,
    streams,
)


class CircuitRoutingTests(DaemonTestCase):
    """
    What an open, a closed and a half-open circuit mean for a request.
    """

    def assert_all_open(self, answer: Answer) -> None:
        self.assertEqual(answer.status, 503)
        self.assertEqual(
            answer.error()["message"],
            "All providers have open circuits for model 'gpt-4o'",
        )
        self.assertEqual(answer.error()["code"], "circuit_open")
        self.assertIn(answer.header("Retry-After"), ("29", "30"))

    def start_two(self) -> None:
        self.provider("alpha")
        self.provider("beta")
        self.start()

    @coroutine
    async def test_non_streaming_503_all_circuits_open(self) -> None:
        self.start_two()
        self.trip("alpha")
        self.trip("beta")
        self.assert_all_open(await self.ask())
        self.assertEqual(self.providers["alpha"].requests, [])
        self.assertEqual(self.providers["beta"].requests, [])

    @coroutine
    async def test_streaming_503_all_circuits_open(self) -> None:
        self.start_two()
        self.trip("alpha")
        self.trip("beta")
        self.assert_all_open(await self.ask(chat(stream=True)))

    @coroutine
    async def test_503_has_request_id_header(self) -> None:
        self.start_two()
        self.trip("alpha")
        self.trip("beta")
        answer = await self.ask()
        request_id = answer.header("X-Arbstr-Request-Id")
        self.assertEqual(str(UUID(request_id)), request_id)
        self.assertEqual(answer.header("X-Request-Id"), request_id)
        self.assertEqual(self.ledger.rows[0].request_id, request_id)

    @coroutine
    async def test_non_streaming_skips_open_circuit(self) -> None:
        self.start_two()
        self.trip("alpha")
        answer = await self.ask()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.header("X-Arbstr-Provider"), "beta")
        self.assertEqual(self.providers["alpha"].requests, [])

    @coroutine
    async def test_streaming_skips_open_circuit(self) -> None:
        self.start_two()
        self.trip("alpha")
        answer = await self.ask(chat(stream=True))
        self.assertEqual(answer.header("X-Arbstr-Provider"), "beta")
        self.assertTrue(answer.body.endswith(b"data: [DONE]\n\n"))
        self.assertEqual(self.providers["alpha"].requests, [])

    @coroutine
    async def test_circuit_records_failure_on_5xx(self) -> None:
        self.provider("alpha", fails(500))
        self.start()
        answer = await self.ask()
        self.assertEqual(answer.status, 502)
        # Tried three times, but one request is worth one failure.
        self.assertEqual(len(self.providers["alpha"].requests), 3)
        self.assertEqual(self.daemon.circuits.failure_count("alpha"), 1)

    @coroutine
    async def test_streaming_records_failure_on_5xx(self) -> None:
        self.provider("alpha", fails(503))
        self.start(streaming={"failover": False})
        answer = await self.ask(chat(stream=True))
        self.assertEqual(answer.status, 502)
        self.assertEqual(len(self.providers["alpha"].requests), 1)
        self.assertEqual(self.daemon.circuits.failure_count("alpha"), 1)

    @coroutine
    async def test_third_failure_trips(self) -> None:
        self.provider("alpha", fails(500))
        self.start()
        for _ in range(3):
            await self.ask()
        self.assertEqual(self.daemon.circuits.state("alpha"), CircuitState.OPEN)
        self.assert_all_open(await self.ask())

    @coroutine
    async def test_circuit_stays_closed_on_4xx(self) -> None:
        self.provider("alpha", fails(422, "no such role"))
        self.provider("beta")
        self.start()
        for number in range(1, 5):
            answer = await self.ask(chat(stream=number % 2 == 0))
            self.assertEqual(answer.status, 422)
            self.assertEqual(answer.error()["message"], "no such role")
            self.assertEqual(len(self.providers["alpha"].requests), number)
        self.assertEqual(self.providers["beta"].requests, [])
        self.assertEqual(self.daemon.circuits.state("alpha"), CircuitState.CLOSED)
        self.assertEqual(self.daemon.circuits.failure_count("alpha"), 0)

    @coroutine
    async def test_non_streaming_records_success(self) -> None:
        self.start_two()
        self.daemon.circuits.record_failure("alpha", "5xx", "test")
        self.daemon.circuits.record_failure("alpha", "5xx", "test")
        await self.ask()
        self.assertEqual(self.daemon.circuits.failure_count("alpha"), 0)

    @coroutine
    async def test_streaming_records_success(self) -> None:
        self.start_two()
        self.daemon.circuits.record_failure("alpha", "5xx", "test")
        await self.ask(chat(stream=True))
        self.assertEqual(self.daemon.circuits.failure_count("alpha"), 0)

    @coroutine
    async def test_health_tells_circuits(self) -> None:
        self.start_two()
        self.trip("alpha")
        health = await self.get("/health")
        self.assertEqual((health.status, health.json()["status"]), (200, "degraded"))
        self.assertEqual(health.json()["providers"]["alpha"]["state"], "open")
        self.assertEqual(health.json()["providers"]["alpha"]["trip_count"], 1)
        self.trip("beta")
        health = await self.get("/health")
        self.assertEqual((health.status, health.json()["status"]), (503, "unhealthy"))


class HalfOpenTests(DaemonTestCase):
    """
    One probe among many requests.
    """

    def hold(self, connection: Connection, request: Received) -> None:
        """
        A provider that answers when it is told to.
        """
        self.held.append((connection, request))

    def start_half_open(self) -> None:
        self.held: list[tuple[Connection, Received]] = []
        self.provider("alpha", self.hold)
        self.start()
        self.trip("alpha")
        self.clock.skip(31)

    def let_serve(self) -> None:
        """
        From now on the provider serves, beginning with what it holds.
        """
        self.providers["alpha"].script = serves
        for connection, request in self.held:
            serves(connection, request)

    async def many(self, stream: bool) -> list[Deferred[Answer]]:
        asking = [self.ask(chat(stream=stream)) for _ in range(20)]
        await self.soon(lambda: len(self.daemon.in_flight) == 20)
        await self.providers["alpha"].asked()
        return asking

    async def check_one_probe(self, stream: bool) -> None:
        self.start_half_open()
        asking = await self.many(stream)
        self.assertEqual(len(self.providers["alpha"].requests), 1)
        self.let_serve()
        answers = await gatherResults(asking)
        self.assertEqual([answer.status for answer in answers], [200] * 20)
        self.assertEqual(self.daemon.circuits.state("alpha"), CircuitState.CLOSED)

    @coroutine
    async def test_one_probe_others_wait_and_are_served(self) -> None:
        await self.check_one_probe(stream=False)

    @coroutine
    async def test_one_probe_others_wait_and_are_served_streaming(self) -> None:
        await self.check_one_probe(stream=True)

    @coroutine
    async def test_failed_probe_fails_those_who_wait(self) -> None:
        self.start_half_open()
        asking = await self.many(stream=False)
        for connection, _ in self.held:
            connection.write(http(500, b"{}"))
        statuses = sorted([(await each).status for each in asking])
        self.assertEqual(statuses, [502] + [503] * 19)
        self.assertEqual(len(self.providers["alpha"].requests), 1)

    @coroutine
    async def test_probe_whose_client_leaves_frees_the_slot(self) -> None:
        self.start_half_open()
        first = self.ask()
        await self.providers["alpha"].asked(1)
        second = self.ask()
        await self.soon(lambda: len(self.daemon.in_flight) == 2)
        (probe, _), *_ = self.held
        first.cancel()
        await probe.lost
        await self.failure_of(first)
        # The one that waited is the probe now.
        await self.providers["alpha"].asked(2)
        self.held.pop(0)
        self.let_serve()
        self.assertEqual((await second).status, 200)
        self.assertEqual(self.daemon.circuits.trip_count("alpha"), 1)
        self.assertEqual(self.daemon.circuits.state("alpha"), CircuitState.CLOSED)

    async def failure_of(self, asking: Deferred[Answer]) -> None:
        try:
            await asking
        except Exception:
            return
        self.fail("it was answered")

    @coroutine
    async def test_probe_answered_4xx_proves_nothing(self) -> None:
        self.provider("alpha", fails(422))
        self.start()
        self.trip("alpha")
        self.clock.skip(31)
        self.assertEqual((await self.ask()).status, 422)
        self.assertEqual(self.daemon.circuits.state("alpha"), CircuitState.OPEN)
        self.assertEqual((await self.ask()).status, 503)

    @coroutine
    async def test_healthy_candidate_does_not_wait_behind_a_probe(self) -> None:
        self.held = []
        self.provider("alpha", self.hold)
        self.provider("beta")
        self.start()
        self.trip("alpha")
        self.clock.skip(31)
        probing = self.ask()
        await self.providers["alpha"].asked()
        answer = await self.ask()
        self.assertEqual(answer.header("X-Arbstr-Provider"), "beta")
        self.let_serve()
        self.assertEqual((await probing).header("X-Arbstr-Provider"), "alpha")


class BrokenStreamTests(DaemonTestCase):
    """
    Streams that die after their 2xx.
    """

    @coroutine
    async def test_broken_stream_never_ends_in_done(self) -> None:
        self.provider("alpha", streams(FIRST, delta("Hel"), end=False))
        self.provider("beta")
        self.start()
        answer = await self.ask(chat(stream=True))
        self.assertEqual(answer.status, 200)
        self.assertIn(b"Hel", answer.body)
        self.assertNotIn(b"[DONE]", answer.body)
        self.assertIn(b'data: {"error":{"message":"The answer broke off', answer.body)
        self.assertFalse(answer.whole)
        self.assertEqual(self.providers["beta"].requests, [])
        self.assertFalse(self.ledger.rows[0].success)

    @coroutine
    async def test_cleanly_ended_but_incomplete_stream_is_broken(self) -> None:
        self.provider("alpha", streams(FIRST, delta("Hel"), end=True))
        self.start()
        answer = await self.ask(chat(stream=True))
        self.assertNotIn(b"[DONE]", answer.body)
        self.assertIn(b'"error"', answer.body)

    @coroutine
    async def test_stream_without_content_fails_over(self) -> None:
        self.provider("alpha", streams(b": processing\n\n", FIRST, end=False))
        self.provider("beta")
        self.start()
        answer = await self.ask(chat(stream=True))
        self.assertEqual(answer.header("X-Arbstr-Provider"), "beta")
        self.assertEqual(answer.header("X-Arbstr-Retries"), "1/alpha")
        self.assertTrue(answer.body.endswith(b"data: [DONE]\n\n"))

    @coroutine
    async def test_broken_streams_trip_although_each_began_with_200(self) -> None:
        self.provider("alpha", streams(FIRST, delta("Hel"), end=False))
        self.start()
        for _ in range(3):
            await self.ask(chat(stream=True))
        self.assertEqual(self.daemon.circuits.state("alpha"), CircuitState.OPEN)


class DepartureTests(DaemonTestCase):
    """
    The client leaves: the provider is told at once.
    """

    async def leave(self, stream: bool) -> None:
        """
        Ask, leave while the provider is at it, and see it hung up on.
        """
        asking = self.ask(chat(stream=stream))
        alpha = self.providers["alpha"]
        await alpha.asked()
        (connection,) = alpha.connections
        left = self.clock.seconds()
        asking.cancel()
        asking.addErrback(lambda _: None)
        await connection.lost
        self.assertLess(self.clock.seconds() - left, 1)
        await self.soon(lambda: len(self.ledger.rows) == 1)
        self.assertEqual(self.ledger.rows[0].error_status, 499)
        self.assertEqual(self.daemon.circuits.failure_count("alpha"), 0)

    @coroutine
    async def test_before_headers(self) -> None:
        self.provider("alpha", is_silent)
        self.start()
        await self.leave(stream=False)

    @coroutine
    async def test_before_headers_of_a_stream(self) -> None:
        self.provider("alpha", is_silent)
        self.start()
        await self.leave(stream=True)

    @coroutine
    async def test_in_a_buffered_body(self) -> None:
        half = http(200, str(completion()).encode())[:-10]
        self.provider("alpha", lambda connection, _: connection.write(half))
        self.start()
        await self.leave(stream=False)

    @coroutine
    async def test_in_a_stream(self) -> None:
        begun = STREAM_HEAD + chunk(FIRST) + chunk(delta("Hel"))
        self.provider("alpha", lambda connection, _: connection.write(begun))
        self.start()
        await self.leave(stream=True)
