"""
How much of everything there may be at once.
"""

from __future__ import annotations

from arbstr.web import clients

from ..harness import StoppedClockTestCase, chat, coroutine
from ..providers import answers, completion, is_silent, serves
from ..telling import ErrorTestCase


class InFlightTests(ErrorTestCase):
    """
    C{server.max_in_flight}.
    """

    @coroutine
    async def test_too_many_in_flight(self) -> None:
        alpha = self.provider("alpha", is_silent)
        self.start(server={"max_in_flight": 1})
        first = self.ask()
        await alpha.asked()
        answer = await self.ask()
        self.assert_error(answer, 429, "rate_limit_error", message="1 requests")
        self.assertEqual(answer.header("Retry-After"), "1")
        self.assertEqual(len(alpha.requests), 1)
        (connection,) = alpha.connections
        answers(200, completion())(connection, alpha.requests[0])
        self.assertEqual((await first).status, 200)

    @coroutine
    async def test_limit_is_not_for_questions_about_us(self) -> None:
        alpha = self.provider("alpha", is_silent)
        self.start(server={"max_in_flight": 1})
        first = self.ask()
        await alpha.asked()
        self.assertEqual((await self.get("/health")).status, 200)
        serves(alpha.connections[0], alpha.requests[0])
        await first


class RateTests(ErrorTestCase, StoppedClockTestCase):
    """
    C{server.rate_limit_rps}.
    """

    @coroutine
    async def test_too_many_a_second(self) -> None:
        self.start_healthy(server={"rate_limit_rps": 2})
        statuses = [(await self.ask()).status for _ in range(2)]
        self.assertEqual(statuses, [200, 200])
        answer = await self.ask()
        self.assert_error(answer, 429, "rate_limit_error", message="a second")
        self.assertEqual(answer.header("Retry-After"), "1")
        self.stopped.advance(0.5)
        self.assertEqual((await self.ask()).status, 200)


class ProviderTests(ErrorTestCase):
    """
    C{max_in_flight} of a provider.
    """

    async def fills(self, stream: bool) -> None:
        """
        With nobody else to go to.
        """
        alpha = self.provider("alpha", is_silent)
        self.start({"alpha": {"max_in_flight": 2}})
        waiting = [self.ask(), self.ask()]
        await alpha.asked(2)
        answer = await self.ask(chat(stream))
        self.assert_error(answer, 429, "rate_limit_error", message="max_in_flight")
        self.assertEqual(answer.header("Retry-After"), "1")
        self.assertEqual(len(alpha.requests), 2)
        for connection, request in zip(alpha.connections, alpha.requests, strict=True):
            serves(connection, request)
        self.assertEqual([(await each).status for each in waiting], [200, 200])

    @coroutine
    async def test_too_many_at_a_provider_buffered(self) -> None:
        """
        A whole answer was asked for.
        """
        await self.fills(stream=False)

    @coroutine
    async def test_too_many_at_a_provider_streamed(self) -> None:
        """
        A stream was asked for.
        """
        await self.fills(stream=True)

    @coroutine
    async def test_another_takes_over(self) -> None:
        """
        Full is neither broken nor a failed attempt.
        """
        alpha = self.provider("alpha", is_silent)
        self.provider("beta")
        self.start({"alpha": {"max_in_flight": 1}})
        first = self.ask()
        await alpha.asked()
        answer = await self.ask()
        self.assertEqual(answer.header("X-Arbstr-Provider"), "beta")
        self.assertIsNone(answer.header("X-Arbstr-Retries"))
        self.assertEqual(self.daemon.circuits.failure_count("alpha"), 0)
        serves(alpha.connections[0], alpha.requests[0])
        self.assertEqual((await first).status, 200)


class ConnectionTests(ErrorTestCase):
    """
    Two may be open; 512 in earnest.
    """

    @coroutine
    async def test_too_many_connections(self) -> None:
        """
        The next one is told so; when one has gone there is room again.
        """
        self.patch(clients, "CONNECTIONS", 2)
        self.start_healthy()
        first, second = await self.connect(), await self.connect()
        # Connected is not yet accepted.
        for client in (first, second):
            client.socket.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await self.soon(lambda: b"ok" in first.data and b"ok" in second.data)
        third = await self.connect()
        await third.lost
        self.assertTrue(third.data.startswith(b"HTTP/1.1 429 "), third.data)
        self.assertIn(b"\r\nRetry-After: 1\r\n", third.data)
        self.assertIn(b'"type":"rate_limit_error"', third.data)
        await first.hang_up()
        await self.soon(lambda: len(self.clients.protocols) == 1)
        self.assertEqual((await self.ask()).status, 200)
