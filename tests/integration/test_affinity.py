"""
Conversations that go back to whom they are cached at, or do not.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field

from arbstr.routing.affinity import CACHED_SECONDS

from .harness import chat, coroutine
from .providers import WHOLE, Connection, Received, answers, completion, event, streams
from .test_learning import Asking

# For a prompt of less than 500 tokens alpha is cheaper, and for a longer one
# beta, as far as list prices go.
RATES = {
    "alpha": {"input_rate": 10_000, "cached_input_rate": 1000, "output_rate": 1000},
    "beta": {"input_rate": 8000, "output_rate": 1000, "base_fee": 1},
}
# Its tokens add 0.01 sats at either provider.
LIMIT = 10


def message(tokens: int, role: str = "user", topic: str = "x") -> dict[str, str]:
    """
    One that is so long by arbstr's own estimate.
    """
    return {"role": role, "content": topic * (4 * tokens - 16)}


def counted(messages: list[dict[str, str]]) -> int:
    """
    The tokens of a prompt, as both sides count.
    """
    return sum(len(each["content"]) // 4 + 4 for each in messages)


@define
class Caching:
    """
    A provider that has every prompt in its cache that it has read.
    """

    read: list[list[dict[str, str]]] = field(factory=list)

    def __call__(self, connection: Connection, request: Received) -> None:
        """
        Answer, with the usage.
        """
        body = request.json()
        messages = body["messages"]
        hits = [each for each in self.read if messages[: len(each)] == each]
        self.read.append(messages)
        usage = {
            "prompt_tokens": counted(messages),
            "completion_tokens": LIMIT,
            "prompt_tokens_details": {
                "cached_tokens": max(map(counted, hits), default=0)
            },
        }
        if body.get("stream"):
            last = event({"choices": [], "usage": usage})
            streams(*WHOLE[:-1], last, WHOLE[-1])(connection, request)
        else:
            answers(200, completion(usage=usage))(connection, request)


class AffinityTests(Asking):
    """
    Two providers; one of them charges a tenth for what it has cached.
    """

    def setUp(self) -> None:
        super().setUp()
        self.messages: list[dict[str, str]] = []

    def caching(self) -> None:
        """
        Start the daemon between two providers with caches.
        """
        self.provider("alpha", Caching())
        self.provider("beta", Caching())
        self.start(RATES)

    async def turn(self, tokens: int, **fields: Any) -> str | None:
        """
        Say something more.

        @return: who answered.
        """
        self.messages.append(message(tokens))
        answer = await self.ask(
            chat(messages=self.messages, max_tokens=LIMIT, **fields)
        )
        self.assertEqual(answer.status, 200, answer.body)
        return answer.header("X-Arbstr-Provider")

    async def told(self, tokens: int) -> dict[str, Any]:
        """
        What is told of alpha if one said something more.
        """
        messages = [*self.messages, message(tokens)]
        route = await self.explained("/v1/route", messages=messages, max_tokens=LIMIT)
        told: dict[str, Any] = {each["name"]: each for each in route["providers"]}
        return dict(told["alpha"])

    @coroutine
    async def test_goes_back(self) -> None:
        """
        After 400 tokens 600 more cost 0.6 x 10 + 0.4 x 1 sats where these are
        cached, and 1 x 8 + 1 elsewhere.
        """
        self.caching()
        self.assertEqual(await self.turn(300), "alpha")
        self.assertEqual(await self.turn(100), "alpha")
        alpha = await self.told(600)
        self.assertEqual((alpha["rank"], alpha["expected_cached_tokens"]), (1, 400))
        self.assertAlmostEqual(alpha["expected_cost_sats"], 6.41)
        self.assertAlmostEqual(alpha["cache_saves_sats"], 3.6)
        self.assertEqual(await self.turn(600), "alpha")
        self.assertEqual(float(self.ledger.rows[-1].cost_sats or 0), 6.41)

    @coroutine
    async def test_other_conversation(self) -> None:
        """
        Of another one, just as long, nothing is cached: it goes where it is
        cheaper.
        """
        self.caching()
        await self.turn(300)
        await self.turn(100)
        self.messages = [message(400, topic="y")]
        self.assertEqual(await self.turn(600), "beta")

    @coroutine
    async def test_moves(self) -> None:
        """
        1900 tokens more cost 19 + 0.4 sats there, and 18.4 + 1 elsewhere:
        from there on it is not worth it.
        """
        self.caching()
        await self.turn(300)
        await self.turn(100)
        self.assertEqual((await self.told(1800))["rank"], 1)
        self.assertEqual((await self.told(2000))["rank"], 2)
        self.assertEqual(await self.turn(2000), "beta")

    @coroutine
    async def test_nothing_is_cached_for_ever(self) -> None:
        """
        After a pause it is as if the conversation were new.
        """
        self.caching()
        await self.turn(300)
        await self.turn(100)
        self.clock.skip(CACHED_SECONDS)
        self.assertEqual((await self.told(600))["expected_cached_tokens"], 0)
        self.assertEqual(await self.turn(600), "beta")

    @coroutine
    async def test_never_reported(self) -> None:
        """
        Who reports no cached tokens earns nothing by a rate for them.
        """
        silent = answers(
            200, completion(usage={"prompt_tokens": 400, "completion_tokens": LIMIT})
        )
        self.provider("alpha", silent)
        self.provider("beta", silent)
        self.start(RATES)
        await self.turn(300)
        await self.turn(100)
        self.assertEqual(await self.turn(600), "beta")

    @coroutine
    async def test_streams(self) -> None:
        """
        Streams report their usage at the end, and count as well.
        """
        self.caching()
        await self.turn(300, stream=True)
        await self.turn(100, stream=True)
        self.assertEqual(await self.turn(600, stream=True), "alpha")

    @coroutine
    async def test_cost(self) -> None:
        """
        C{/v1/cost} counts on the cache, too.
        """
        self.caching()
        await self.turn(300)
        await self.turn(100)
        messages = [*self.messages, message(600)]
        cost = await self.explained("/v1/cost", messages=messages, max_tokens=LIMIT)
        self.assertEqual(
            (cost["provider"], cost["estimated_cached_tokens"]), ("alpha", 400)
        )
        self.assertAlmostEqual(cost["estimated_cost_sats"], 6.41)
