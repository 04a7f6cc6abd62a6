"""
Who serves what: requests are judged, and go on to a better tier where nobody of
their own can be asked.
"""

from __future__ import annotations

import json
import math
from typing import Any

from sqlalchemy import Connection, select
from twisted.logger import capturedLogs, formatEvent

from arbstr.ledger.tables import requests
from tests.ledger.databases import OnSqlite

from .books import WithBooks
from .harness import Answer, DaemonTestCase, chat, coroutine
from .providers import Script, answers, fails, serves

TIERS = {
    "alpha": {"tier": "local"},
    "beta": {"tier": "standard"},
    "gamma": {"tier": "frontier"},
}

SIMPLE = "Hello, how are you today?"
BLOCK = "\n```python\nx = 1\n```\n"
COMPLEX = f"Analyze, debug and refactor a/b.py, a/c.py and a/d.py:{BLOCK * 3}"

# What the formulas give for them, with every weight at 1.
_OF_ONE_MESSAGE = 1 / (1 + math.exp(2.5))


def expected_score(text: str, full: int) -> float:
    """
    The score of a request of one message.

    @param full: how many of the other signals are 1 instead of 0.
    """
    length = 1 / (1 + math.exp(-0.003 * (len(text) / 4 - 1000)))
    return (length + _OF_ONE_MESSAGE + full) / 5


def says(text: str, **fields: Any) -> dict[str, Any]:
    """
    A request of one message.
    """
    return chat(messages=[{"role": "user", "content": text}], **fields)


class TiersTestCase(DaemonTestCase):
    """
    One provider of each tier.
    """

    def begin_daemon(self, *scripts: Script, **sections: Any) -> None:
        """
        Start it with providers that do this, from local up to frontier.
        """
        for name, script in zip(TIERS, scripts or (serves,) * 3, strict=False):
            self.provider(name, script)
        self.start(TIERS, **sections)

    def assert_served(self, answer: Answer, by: str) -> None:
        """
        The headers name who served, and of which tier it is.
        """
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.header("X-Arbstr-Provider"), by)
        self.assertEqual(answer.header("X-Arbstr-Tier"), TIERS[by]["tier"])


class ScoreTests(TiersTestCase):
    """
    The score is told wherever a request is told of.
    """

    @coroutine
    async def test_header(self) -> None:
        """
        With three decimals.
        """
        self.begin_daemon()
        for text, full in ((SIMPLE, 0), (COMPLEX, 3)):
            score = f"{expected_score(text, full):.3f}"
            for stream in (False, True):
                answer = await self.ask(says(text, stream=stream))
                self.assertEqual(answer.header("X-Arbstr-Complexity-Score"), score)

    @coroutine
    async def test_comment(self) -> None:
        """
        A stream has it in itself.
        """
        self.begin_daemon()
        answer = await self.ask(says(SIMPLE, stream=True))
        told = answer.body.partition(b": arbstr ")[2].partition(b"\n")[0]
        facts = json.loads(told)
        self.assertEqual(facts["complexity_score"], round(expected_score(SIMPLE, 0), 3))
        self.assertEqual(facts["tier"], "local")

    @coroutine
    async def test_row(self) -> None:
        """
        The row has it to the last digit.
        """
        self.begin_daemon()
        for stream in (False, True):
            await self.ask(says(SIMPLE, stream=stream))
        for row in self.ledger.rows:
            self.assertEqual(row.tier, "local")
            self.assertAlmostEqual(
                row.complexity_score or 0, expected_score(SIMPLE, 0), places=12
            )

    @coroutine
    async def test_errors(self) -> None:
        """
        Errors tell it, too, once the request was judged.
        """
        self.begin_daemon(*[fails(500)] * 3)
        answer = await self.ask(says(SIMPLE))
        self.assertEqual(answer.status, 502)
        self.assertIsNotNone(answer.header("X-Arbstr-Complexity-Score"))
        answer = await self.ask(says(SIMPLE, model="unheard-of"))
        self.assertEqual(answer.status, 400)
        self.assertIsNone(answer.header("X-Arbstr-Complexity-Score"))

    @coroutine
    async def test_every_part_of_every_message(self) -> None:
        """
        Not only the first.
        """
        self.begin_daemon()
        parts = [{"type": "text", "text": part} for part in ("Please", " debug")]
        image = {"type": "image_url", "image_url": {"url": "data:,"}}
        messages = [
            {"role": "system", "content": "You compare things"},
            {"role": "user", "content": [*parts, image]},
        ]
        answer = await self.ask(chat(messages=messages))
        chars = len("You compare things") + len("Please debug")
        length = 1 / (1 + math.exp(-0.003 * (chars / 4 - 1000)))
        depth = 1 / (1 + math.exp(2))
        score = (length + depth + 2 / 3) / 5
        self.assertEqual(answer.header("X-Arbstr-Complexity-Score"), f"{score:.3f}")

    @coroutine
    async def test_without_tiers(self) -> None:
        """
        It is told where it decides nothing, so that thresholds can be found.
        """
        self.provider("alpha")
        self.start()
        answer = await self.ask(says(SIMPLE))
        self.assertIsNotNone(answer.header("X-Arbstr-Complexity-Score"))


class TierTests(TiersTestCase):
    """
    The score sets the highest tier that may serve.
    """

    @coroutine
    async def test_simple(self) -> None:
        """
        A simple request is served by the tier local, though another is cheaper.
        """
        for name in TIERS:
            self.provider(name)
        dear = {"input_rate": 9000, "output_rate": 9000}
        self.start({**TIERS, "alpha": {"tier": "local", **dear}})
        self.assert_served(await self.ask(says(SIMPLE)), "alpha")

    @coroutine
    async def test_complex(self) -> None:
        """
        A complex one by the cheapest of all.
        """
        for name in TIERS:
            self.provider(name)
        cheap = {"input_rate": 1, "output_rate": 1}
        self.start({**TIERS, "gamma": {"tier": "frontier", **cheap}})
        deep = [{"role": "user", "content": COMPLEX}] * 9
        self.assert_served(await self.ask(chat(messages=deep)), "gamma")
        self.assert_served(await self.ask(says(SIMPLE)), "alpha")

    @coroutine
    async def test_override(self) -> None:
        """
        The client may say how complex it is; nonsense is left to the scorer.
        """
        for name in TIERS:
            self.provider(name)
        rates = dict(zip(TIERS, (9000, 5000, 1000), strict=True))
        self.start(
            {
                name: {**tier, "input_rate": rates[name], "output_rate": rates[name]}
                for name, tier in TIERS.items()
            }
        )
        for told, by in (
            ("low", "alpha"),
            ("medium", "beta"),
            ("high", "gamma"),
            ("nonsense", "alpha"),
        ):
            answer = await self.ask(says(SIMPLE), {"X-Arbstr-Complexity": told})
            self.assert_served(answer, by)

    @coroutine
    async def test_named_provider(self) -> None:
        """
        Who names a provider gets it, whatever its tier.
        """
        self.begin_daemon()
        answer = await self.ask(says(SIMPLE), {"X-Arbstr-Provider": "gamma"})
        self.assert_served(answer, "gamma")

    @coroutine
    async def test_off(self) -> None:
        """
        Tiers can be switched off.
        """
        for name in TIERS:
            self.provider(name)
        dear = {"tier": "local", "input_rate": 9000, "output_rate": 9000}
        self.start({**TIERS, "alpha": dear}, routing={"tiers": "off"})
        self.assert_served(await self.ask(says(SIMPLE)), "beta")


class EscalationTests(TiersTestCase):
    """
    Where nobody of the tier can be asked.
    """

    @coroutine
    async def test_circuit_open(self) -> None:
        """
        The next tier serves, buffered and streaming; the one that is down is
        not asked.
        """
        self.begin_daemon()
        self.trip("alpha")
        for stream in (False, True):
            self.assert_served(await self.ask(says(SIMPLE, stream=stream)), "beta")
        self.assertEqual(self.providers["alpha"].requests, [])
        self.assertEqual([row.tier for row in self.ledger.rows], ["standard"] * 2)

    @coroutine
    async def test_two_tiers(self) -> None:
        """
        Up to frontier, if it must be.
        """
        self.begin_daemon()
        self.trip("alpha")
        self.trip("beta")
        self.assert_served(await self.ask(says(SIMPLE)), "gamma")

    @coroutine
    async def test_cooling(self) -> None:
        """
        While a provider limits our rate, the next tier serves.
        """
        refusal = {"error": {"message": "slow down", "type": "x", "code": None}}
        self.begin_daemon(answers(429, refusal, "Retry-After: 5"), serves, serves)
        first = await self.ask(says(SIMPLE))
        self.assert_served(first, "beta")
        self.assertEqual(first.header("X-Arbstr-Retries"), "1/alpha")
        second = await self.ask(says(SIMPLE))
        self.assert_served(second, "beta")
        self.assertIsNone(second.header("X-Arbstr-Retries"))
        self.assertEqual(len(self.providers["alpha"].requests), 1)
        self.clock.skip(6)
        await self.ask(says(SIMPLE))
        self.assertEqual(len(self.providers["alpha"].requests), 2)

    @coroutine
    async def test_recovered(self) -> None:
        """
        Once the circuit may be probed, the next request is the probe.
        """
        self.begin_daemon()
        self.trip("alpha")
        self.assert_served(await self.ask(says(SIMPLE)), "beta")
        self.clock.skip(31)
        self.assert_served(await self.ask(says(SIMPLE)), "alpha")

    @coroutine
    async def test_failed(self) -> None:
        """
        A failure is made good by the next tier, without waiting.
        """
        self.begin_daemon(fails(500), serves, serves)
        answer = await self.ask(says(SIMPLE))
        self.assert_served(answer, "beta")
        self.assertEqual(answer.header("X-Arbstr-Retries"), "1/alpha")

    @coroutine
    async def test_all_open(self) -> None:
        """
        Where all are down, that is what is told.
        """
        self.begin_daemon()
        for name in TIERS:
            self.trip(name)
        answer = await self.ask(says(SIMPLE))
        self.assertEqual(answer.status, 503)
        self.assertEqual(answer.json()["error"]["code"], "circuit_open")

    @coroutine
    async def test_nobody_there(self) -> None:
        """
        A tier without a provider is passed over.
        """
        self.provider("beta")
        self.provider("gamma")
        self.start(TIERS)
        self.assert_served(await self.ask(says(SIMPLE)), "beta")

    @coroutine
    async def test_policy(self) -> None:
        """
        No escalation leads to somebody whom the policy excludes.
        """
        rule = {"name": "thrifty", "max_sats_per_1m_output": 1500}
        self.begin_daemon(policies={"rules": [rule]})
        self.trip("alpha")
        answer = await self.ask(says(SIMPLE), {"X-Arbstr-Policy": "thrifty"})
        self.assertEqual(answer.status, 503)
        self.assertEqual(self.providers["beta"].requests, [])

    @coroutine
    async def test_log(self) -> None:
        """
        It is logged once.
        """
        self.begin_daemon()
        self.trip("alpha")
        with capturedLogs() as events:
            await self.ask(says(SIMPLE))
        told = [formatEvent(each) or "" for each in events]
        escalations = [each for each in told if "Escalated" in each]
        self.assertEqual(len(escalations), 1, told)
        self.assertIn("from tier local", escalations[0])
        self.assertIn("to standard", escalations[0])


class RoundRobinTests(DaemonTestCase):
    """
    Turns are taken by requests, and by nothing else.
    """

    @coroutine
    async def test_turns(self) -> None:
        """
        One after the other, whatever is asked of the router in between.
        """
        for name in ("alpha", "beta", "gamma"):
            self.provider(name)
        self.start(policies={"default_strategy": "round_robin"})
        served = []
        for _ in range(6):
            served.append((await self.ask()).header("X-Arbstr-Provider"))
            for path in ("/v1/route", "/v1/cost"):
                body = json.dumps(chat()).encode()
                kind = {"Content-Type": "application/json"}
                told = await self.request("POST", path, body, kind)
                self.assertEqual(told.status, 200)
        self.assertEqual(served, ["alpha", "beta", "gamma"] * 2)


class BooksTests(OnSqlite, WithBooks, DaemonTestCase):
    """
    What the books have of it.
    """

    def start(self, *args: Any, **sections: Any) -> Any:
        """
        Start the daemon with tiers.
        """
        return super().start(TIERS, *args, **sections)

    @coroutine
    async def test_tiers(self) -> None:
        """
        Each tier that there can be, with its requests.
        """
        self.serve(serves, serves)
        await self.ask(says(SIMPLE))
        self.trip("alpha")
        for _ in range(2):
            await self.ask(says(SIMPLE))
        stats = await self.told("/v1/stats?group_by=tier")
        counts = {
            name: each["counts"]["total"] for name, each in stats["tiers"].items()
        }
        self.assertEqual(counts, {"local": 1, "standard": 2, "frontier": 0})

    @coroutine
    async def test_score(self) -> None:
        """
        The score is kept, for whoever simulates another configuration.
        """
        self.serve(serves)
        await self.ask(says(SIMPLE))
        await self.daemon.ledger.drain()

        def scores(connection: Connection) -> list[float]:
            return list(connection.scalars(select(requests.c.complexity_score)))

        (score,) = await self.books.read(scores)
        self.assertAlmostEqual(score, expected_score(SIMPLE, 0), places=12)
