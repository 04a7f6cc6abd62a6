"""
How much of everything there may be at once.
"""

from __future__ import annotations

from ..harness import StoppedClockTestCase, coroutine
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
