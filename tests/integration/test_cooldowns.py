"""
Providers that refuse are left alone for a while, and their circuits untouched.
"""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from typing import Any

from .harness import MODEL, DaemonTestCase, chat, coroutine
from .providers import answers, serves

LONGER_THAN_ANY = 3601


def refuses(status: int, *headers: str, code: str | None = None) -> Any:
    """
    Refuses every request.
    """
    error = {"message": "no", "type": "x", "code": code}
    return answers(status, {"error": error}, *headers)


class CoolDownTests(DaemonTestCase):
    """
    Of a provider that was the first in turn.
    """

    async def assert_left_alone(self, script: Any, *, only_model: bool = False) -> None:
        """
        The next provider serves this request and the next; once it has cooled
        down, the first is asked again.
        """
        alpha, beta = self.provider("alpha", script), self.provider("beta", serves)
        self.start()
        for stream in (False, True):
            answer = await self.ask(chat(stream=stream))
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.header("X-Arbstr-Provider"), "beta")
        self.assertEqual((len(alpha.requests), len(beta.requests)), (1, 2))
        health = (await self.get("/health")).json()["providers"]["alpha"]
        self.assertEqual((health["state"], health["trip_count"]), ("closed", 0))
        self.assertEqual(health["cooling_until"] is None, only_model)
        (shown, _) = (await self.get("/providers")).json()["providers"]
        self.assertIsNotNone(shown["models"][0]["cooling_until"])
        self.clock.skip(LONGER_THAN_ANY)
        self.assertEqual((await self.ask()).status, 200)
        self.assertEqual(len(alpha.requests), 2)

    @coroutine
    async def test_rate_limit(self) -> None:
        """
        Without a word on how long.
        """
        await self.assert_left_alone(refuses(429))

    @coroutine
    async def test_rate_limit_in_seconds(self) -> None:
        """
        With a number.
        """
        await self.assert_left_alone(refuses(429, "Retry-After: 20"))

    @coroutine
    async def test_rate_limit_until_a_date(self) -> None:
        """
        With a date.
        """
        when = formatdate(time.time() + 200, usegmt=True)
        await self.assert_left_alone(refuses(429, f"Retry-After: {when}"))

    @coroutine
    async def test_key_refused(self) -> None:
        """
        Ours, not the client's.
        """
        await self.assert_left_alone(refuses(401))

    @coroutine
    async def test_no_balance(self) -> None:
        """
        Of ours.
        """
        await self.assert_left_alone(refuses(402))

    @coroutine
    async def test_forbidden(self) -> None:
        """
        To us.
        """
        await self.assert_left_alone(refuses(403))

    @coroutine
    async def test_model_gone(self) -> None:
        """
        Only that is left alone.
        """
        await self.assert_left_alone(refuses(404), only_model=True)

    @coroutine
    async def test_model_gone_by_another_name(self) -> None:
        """
        Some say it with 400.
        """
        script = refuses(400, code="model_not_found")
        await self.assert_left_alone(script, only_model=True)

    @coroutine
    async def test_overloaded(self) -> None:
        """
        A 503 that says for how long.
        """
        await self.assert_left_alone(refuses(503, "Retry-After: 200"))

    @coroutine
    async def test_all_cooling(self) -> None:
        """
        Who comes later learns when to come again, without anybody being asked.
        """
        alpha = self.provider("alpha", refuses(429, "Retry-After: 200"))
        self.start()
        first = await self.ask()
        self.assertEqual((first.status, first.header("Retry-After")), (429, "200"))
        answer = await self.ask()
        self.assertEqual(answer.status, 429)
        self.assertIn(int(answer.header("Retry-After") or 0), range(190, 201))
        self.assertIsNotNone(answer.header("X-Arbstr-Request-Id"))
        error = answer.json()["error"]
        self.assertEqual(error["type"], "rate_limit_error")
        self.assertIn(f"All providers of model '{MODEL}' are cooling", error["message"])
        self.assertEqual(len(alpha.requests), 1)

    @coroutine
    async def test_explained(self) -> None:
        """
        By the route that explains.
        """
        self.provider("alpha", refuses(401))
        self.start()
        self.assertEqual((await self.ask()).status, 502)
        told = await self.request(
            "POST",
            "/v1/route",
            json.dumps(chat()).encode(),
            {"Content-Type": "application/json"},
        )
        (alpha,) = told.json()["providers"]
        self.assertIsNotNone(alpha["cooling_until"])
