"""
What requests teach, and what C{/v1/cost} and C{/v1/route} make of it.
"""

from __future__ import annotations

import json
from typing import Any

from arbstr.routing.learned import ENOUGH_SAMPLES

from .harness import DaemonTestCase, chat, coroutine
from .providers import answers, completion, fails
from .test_restart import FileTestCase

USAGE = {"prompt_tokens": 10, "completion_tokens": 7}
BRIEF = answers(200, completion(usage=USAGE))


class Asking(DaemonTestCase):
    """
    Asks what would happen.
    """

    async def explained(self, path: str, **fields: Any) -> Any:
        """
        What is said of a chat completion.
        """
        answer = await self.request(
            "POST",
            path,
            json.dumps(chat(**fields)).encode(),
            {"Content-Type": "application/json"},
        )
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    async def ask_enough(self) -> None:
        """
        So many requests that their mean is used.
        """
        for _ in range(ENOUGH_SAMPLES):
            await self.ask()


class LearningTests(Asking):
    """
    In one process.
    """

    @coroutine
    async def test_length_of_answers(self) -> None:
        """
        Estimates follow it, and so do expected costs.
        """
        self.provider("alpha", BRIEF)
        self.start()
        before = await self.explained("/v1/cost")
        self.assertNotEqual(before["estimated_output_tokens"], 7)
        await self.ask_enough()
        after = await self.explained("/v1/cost")
        self.assertEqual(after["estimated_output_tokens"], 7)
        self.assertLess(after["estimated_cost_sats"], before["estimated_cost_sats"])
        route = await self.explained("/v1/route")
        self.assertEqual(route["learned"]["output_tokens"], 7)
        self.assertEqual(
            route["providers"][0]["expected_cost_sats"], after["estimated_cost_sats"]
        )

    @coroutine
    async def test_failures(self) -> None:
        """
        They count against the provider that failed only.
        """
        self.provider("alpha", fails(500))
        self.provider("beta", BRIEF)
        self.start()
        await self.ask()
        providers = (await self.explained("/v1/route"))["providers"]
        rates = {each["name"]: each["success_rate"] for each in providers}
        self.assertLess(rates["alpha"], 1)
        self.assertEqual(rates["beta"], 1)

    @coroutine
    async def test_nothing_is_sent(self) -> None:
        """
        To explain is to ask nobody.
        """
        alpha = self.provider("alpha", BRIEF)
        self.start()
        await self.explained("/v1/route")
        await self.explained("/v1/cost")
        self.assertEqual((alpha.connected, self.ledger.rows), (0, []))


class RestartTests(FileTestCase, Asking):
    """
    From one process to the next.
    """

    @coroutine
    async def test_restored(self) -> None:
        """
        The next process knows all that the last one knew.
        """
        self.provider("alpha", BRIEF)
        process = await self.serve_books()
        await self.ask_enough()
        before = await self.explained("/v1/route")
        self.assertEqual(before["learned"]["output_tokens"], 7)
        self.assertIsNotNone(before["providers"][0]["first_byte_seconds"])
        await self.terminated(process)
        await self.serve_books()
        # It serves while it reads: at first it may know nothing yet.
        after = await self.explained("/v1/route")
        while after["learned"]["output_tokens"] is None:
            after = await self.explained("/v1/route")
        self.assertEqual(after, before)
